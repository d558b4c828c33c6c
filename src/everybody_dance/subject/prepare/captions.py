"""Captions and titles that come and go over the picture, laid there after it was filmed.

A caption is told from everything else that changes by how it does: all of it at once, into fine strokes that stand
still. ``docs/design.md`` explains the choices under "Captions".
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance import events
from everybody_dance.images import Image, resized
from everybody_dance.keypoints import Keypoints
from everybody_dance.machine import usable_cores
from everybody_dance.pose.mattes import COVERED
from everybody_dance.subject.prepare.light import gain_to, multiplied
from everybody_dance.subject.subject import read_frame, write_frame

SIDE = 288
"""Frames are looked at with a shorter side of this many pixels, at most: strokes are then a few pixels wide."""

EVERY = 1 / 3
"""Seconds between the frames that are looked at."""

STILL = 0.1
"""A caption stands still for this many seconds, before it goes or after it came."""

CHANGED, SAME = 48, 24
"""Differences in a colour channel, of 255, that count as a change, and that do not."""

EDGE, STROKES, NONE = 60, 0.7, 0.35
"""Contrast of neighbouring pixels that makes an edge; shares of what changed that are edges with and without text."""

STEADY = 0.8
"""Share of what changed that stands still."""

LOWEST, HIGHEST, NARROWEST = 0.02, 0.25, 1.0
"""Height of a line or block of text, in shorter sides, and its least width, in its own heights."""

TURNS = 1.0
"""A line of text goes from stroke to gap this often in each row and height of its own; a stripe or a board does not."""

WHOLE = 0.25
"""Where more than this of the picture changes at once, it is another shot or light."""

JOINED = 0.06, 0.02
"""Strokes that are as near as this, across and down and in shorter sides, are one text."""

BESIDE = 0.03
"""What lies nearer to the person than this, in shorter sides, may be a part of them."""

STAND_OUT = 32
"""What differs as much from the empty place, of 255, may be a caption."""

BUSY, REACH = 10.0, 0.03
"""A caption is richer in edges than the place by this, of 255, on average over squares of this many shorter sides."""

EDGING = 0.015
"""Outlines and glow around strokes, in shorter sides."""

MOST_OVER = 0.5
"""If captions lie over the person in more than this share of the frames, none is left out for that."""

BLOCK = 64
"""Frames that are read ahead at once."""


@dataclass(frozen=True)
class Captions:
    """What was found.

    Attributes:
        zone: bool (H, W), where captions come and go.
        shown: bool (T,), frames that show a caption.
        over: bool (T,), those in which one lies over the person, and which are left out for that.
        hiding: share of the frames in which one lies over the person, left out or not.
    """

    zone: NDArray[np.bool_]
    shown: NDArray[np.bool_]
    over: NDArray[np.bool_]
    hiding: float = 0.0

    @staticmethod
    def none(keypoints: Keypoints) -> "Captions":
        """No frame shows a caption."""
        shown = np.zeros(len(keypoints), bool)
        return Captions(np.zeros(keypoints.size[::-1], bool), shown, shown)


def caption_zone(
    frame: Callable[[int], Image],
    matte: Callable[[int], Image],
    keypoints: Keypoints,
    frames: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """bool (H, W): where captions come or go beside the person.

    Args:
        frame, matte: give the picture and the person's matte of a frame.
        keypoints: of all frames.
        frames: those that show the place, in order, filmed by a camera that stands still.
    """
    size = _looked_at(keypoints.size)
    zone = np.zeros(size[::-1], np.uint8)
    back = max(round(STILL * float(keypoints.fps)), 1)
    before: _Look | None = None
    for after in _looks(frame, matte, _checks(frames, keypoints), size):
        if before is not None:
            one, other = _in_one_light(before, after)
            for box, first in _texts(one, other):
                # Each of both stands still, looked at from the moment between them.
                there = before.index - back if first else after.index + back
                side = before if first else after
                if 0 <= there < len(keypoints) and _steady(side, resized(frame(there), size), one, other, box):
                    zone[box] = 1
        before = after
    grown = 2 * round(REACH * min(size)) + 1
    grown_zone = cv2.dilate(zone, np.ones((grown, grown), np.uint8))
    return np.asarray(cv2.resize(grown_zone, keypoints.size, interpolation=cv2.INTER_NEAREST) > 0)


def plain(frames: NDArray[np.uint8], trusted: NDArray[np.bool_], zone: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """bool (N, H, W): ``trusted``, less what is richer in edges in the zone than the plainest of the frames is there.

    Args:
        frames: uint8 (N, H, W, 3).
        trusted: bool (N, H, W), where the frames show the place or a caption.
        zone: bool (H, W), where captions come and go.
    """
    rows, columns = np.flatnonzero(zone.any(axis=1)), np.flatnonzero(zone.any(axis=0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    side = min(zone.shape)
    busy = np.stack([_busy(frame[box], side, seen[box]) for frame, seen in zip(frames, trusted, strict=True)])
    least = np.where(trusted[:, *box], busy, np.inf).min(axis=0)
    kept = trusted.copy()
    kept[:, *box] &= ~zone[box] | (busy <= least + BUSY)
    return kept


def captions(
    frame: Callable[[int], Image],
    matte: Callable[[int], Image],
    keypoints: Keypoints,
    frames: NDArray[np.int64],
    plate: Image,
    known: NDArray[np.bool_],
    zone: NDArray[np.bool_],
) -> Captions:
    """When captions are shown, and when over the person.

    Args:
        frame, matte, keypoints, frames: as in ``caption_zone``.
        plate: uint8 (H, W, 3), the place without captions.
        known: bool (H, W), where that is known.
        zone: bool (H, W), where they come and go.
    """
    finder = _Finder(plate, zone & known)
    shown, over = np.zeros(len(keypoints), bool), np.zeros(len(keypoints), bool)
    last = None
    for look in _looks(frame, matte, _checks(frames, keypoints), finder.size):
        text = finder.text(look)
        now = bool(text.any()), finder.touches(text, look)
        # Between two frames that are looked at, whatever one of them shows may be there.
        first, previous = last if last is not None else (look.index, now)
        shown[first : look.index + 1] |= previous[0] | now[0]
        over[first : look.index + 1] |= previous[1] | now[1]
        last = look.index, now
    hiding = float(over[frames].mean())
    there = np.zeros(len(keypoints), bool)
    there[frames] = True
    return Captions(zone, shown & there, over & there & (hiding <= MOST_OVER), hiding)


def take_out(
    folder: Path,
    matte: Callable[[int], Image],
    keypoints: Keypoints,
    frames: NDArray[np.int64],
    plate: Image,
    zone: NDArray[np.bool_],
) -> None:
    """Lay the empty place over the captions beside the person in the frames of a new subject.

    Args:
        folder: of the new subject.
        matte, keypoints, frames, plate, zone: as in ``captions``.
    """
    finder = _Finder(plate, zone)

    def fill(text: NDArray[np.bool_], index: int) -> None:
        image = read_frame(folder, index)
        look = _look(lambda _: image, matte, finder.size, index)
        share = finder.share(text & look.outside)
        if share.any():
            filled = cv2.blendLinear(finder.lit(plate, look), image, share, 1 - share)
            write_frame(folder, index, np.asarray(filled))

    checks = _checks(frames, keypoints)
    shown, done = np.zeros(finder.size[::-1], bool), 0
    with ThreadPoolExecutor(usable_cores()) as pool:
        for look in _looks(partial(read_frame, folder), matte, checks, finder.size):
            text = finder.text(look)
            # Up to the next frame that is looked at, whatever one of both shows may be there.
            upto = int(np.searchsorted(frames, look.index)) + (look.index == checks[-1])
            if (shown | text).any():
                for _ in pool.map(partial(fill, shown | text), frames[done:upto].tolist()):
                    events.check_cancelled()
            shown, done = text, upto


@dataclass(frozen=True)
class _Look:
    """A frame as it is looked at: uint8 (h, w, 3), bool (h, w) where the person is and what lies clearly outside."""

    index: int
    image: Image
    person: NDArray[np.bool_]
    outside: NDArray[np.bool_]


def _looked_at(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(SIDE / min(size), 1.0)
    return round(scale * size[0]), round(scale * size[1])


def _checks(frames: NDArray[np.int64], keypoints: Keypoints) -> NDArray[np.int64]:
    """The frames that are looked at, the last one among them."""
    if not len(frames):
        return frames
    some = frames[:: max(round(EVERY * float(keypoints.fps)), 1)]
    return np.asarray(np.unique(np.append(some, frames[-1])))


def _looks(
    frame: Callable[[int], Image], matte: Callable[[int], Image], frames: NDArray[np.int64], size: tuple[int, int]
) -> Iterator[_Look]:
    with ThreadPoolExecutor(usable_cores()) as pool:
        for first in range(0, len(frames), BLOCK):
            yield from pool.map(partial(_look, frame, matte, size), frames[first : first + BLOCK].tolist())


def _look(frame: Callable[[int], Image], matte: Callable[[int], Image], size: tuple[int, int], index: int) -> _Look:
    side = 2 * round(BESIDE * min(size)) + 1
    person = (resized(matte(index), size) >= COVERED).astype(np.uint8)
    around = cv2.dilate(person, np.ones((side, side), np.uint8))
    return _Look(index, resized(frame(index), size), person > 0, around == 0)


def _in_one_light(before: _Look, after: _Look) -> tuple[_Look, _Look]:
    """Both as bright as the brighter one, each colour channel by itself: a caption may come with another light."""
    gain = gain_to(before.image, after.image, before.outside & after.outside)
    if gain is None:
        return before, after
    # Not as dark as the darker one: what is blown out has lost how much brighter it was.
    return (
        replace(before, image=multiplied(before.image, np.maximum(1 / gain, 1.0))),
        replace(after, image=multiplied(after.image, np.maximum(gain, 1.0))),
    )


def _texts(before: _Look, after: _Look) -> Iterator[tuple[tuple[slice, slice], bool]]:
    """Boxes in which text seems to have come or gone, and whether it was there before."""
    side = min(before.image.shape[:2])
    changed = _apart(before.image, after.image, CHANGED) & before.outside & after.outside
    if not changed.any() or changed.mean() > WHOLE:
        return
    edges = [_edges(look.image) > EDGE for look in (before, after)]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(_joined(changed))
    for label in range(1, count):
        x, y, width, height, _ = stats[label].tolist()
        if not LOWEST * side <= height <= HIGHEST * side or width < NARROWEST * height:
            continue
        box = slice(y, y + height), slice(x, x + width)
        strokes = changed[box] & (labels[box] == label)
        there = [edge[box][strokes].mean() for edge in edges]
        turns = np.abs(np.diff(strokes.astype(np.int8), axis=1)).sum(axis=1).mean() / 2
        if max(there) >= STROKES and min(there) <= NONE and turns >= TURNS * width / height:
            yield box, there[0] > there[1]


def _steady(side: _Look, nearby: Image, before: _Look, after: _Look, box: tuple[slice, slice]) -> bool:
    changed = _apart(before.image[box], after.image[box], CHANGED)
    return bool((~_apart(side.image[box], nearby[box], SAME))[changed].mean() >= STEADY)


def _apart(one: Image, other: Image, least: int) -> NDArray[np.bool_]:
    """bool (h, w): where a colour channel differs by more than ``least``."""
    return np.asarray(cv2.absdiff(one, other).max(axis=2) > least)


def _edges(image: Image) -> Image:
    """uint8 (h, w): the largest difference of brightness between neighbours of a pixel and itself."""
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))


def _busy(image: Image, side: int, seen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """float32 (h, w): how rich in edges what is seen of the neighbourhood is, 0 to 255."""
    reach = 2 * round(REACH * side / 2) + 1
    share = cv2.blur(seen.astype(np.float32), (reach, reach))
    return np.asarray(cv2.blur(_edges(image) * seen.astype(np.float32), (reach, reach)) / np.maximum(share, 1e-3))


def _joined(strokes: NDArray[np.bool_]) -> Image:
    """uint8 (h, w): strokes, and what lies between them."""
    side = min(strokes.shape)
    across, down = (2 * round(share * side / 2) + 1 for share in JOINED)
    return np.asarray(cv2.morphologyEx(strokes.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((down, across), np.uint8)))


class _Finder:
    """Captions in frames, against the place without them.

    Args:
        plate: uint8 (H, W, 3).
        zone: bool (H, W), where captions come and go.
    """

    def __init__(self, plate: Image, zone: NDArray[np.bool_]) -> None:
        self._whole = plate.shape[1], plate.shape[0]
        self.size = _looked_at(self._whole)
        self._plate = resized(plate, self.size)
        self._zone = cv2.resize(zone.astype(np.uint8), self.size, interpolation=cv2.INTER_NEAREST) > 0

    def lit(self, plate: Image, look: _Look) -> Image:
        """A picture of the place, ``plate``, in the light of a frame."""
        gain = gain_to(look.image, self._plate, look.outside & ~self._zone)
        return plate if gain is None else multiplied(plate, gain)

    def text(self, look: _Look) -> NDArray[np.bool_]:
        """bool (h, w): captions beside the person, with what lies between their strokes."""
        found = _apart(look.image, self.lit(self._plate, look), STAND_OUT) & self._zone & look.outside
        if not found.any():
            return found
        side = min(self.size)
        found &= _busy(look.image, side, look.outside) > _busy(self._plate, side, look.outside) + BUSY
        _, labels, stats, _ = cv2.connectedComponentsWithStats(_joined(found))
        high = stats[:, cv2.CC_STAT_HEIGHT] >= LOWEST * min(self.size)
        high[0] = False
        return np.asarray(high[labels])

    def touches(self, text: NDArray[np.bool_], look: _Look) -> bool:
        """Whether a line of text goes on over the person."""
        stats = cv2.connectedComponentsWithStats(text.astype(np.uint8))[2]
        for x, y, width, height, _ in stats[1:].tolist():
            # What is near the person is not known to be text, nor what lies over them.
            room = height + round(BESIDE * min(self.size))
            if look.person[y : y + height, max(x - room, 0) : x + width + room].any():
                return True
        return False

    def share(self, text: NDArray[np.bool_]) -> NDArray[np.float32]:
        """float32 (H, W): how much of the place is laid over a whole frame."""
        around = 2 * round(EDGING * min(self.size)) + 3
        grown = cv2.dilate(text.astype(np.uint8), np.ones((around, around), np.uint8))
        return np.asarray(cv2.GaussianBlur(cv2.resize(grown.astype(np.float32), self._whole), (0, 0), 1.0))
