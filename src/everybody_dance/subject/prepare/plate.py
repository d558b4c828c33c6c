"""The clean plate: the place without the person. ``docs/design.md`` explains the choices under "Clean plate"."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints, Pose
from everybody_dance.pose.mattes import COVERED
from everybody_dance.skeleton import FEET, HIPS
from everybody_dance.subject.prepare.captions import plain
from everybody_dance.subject.prepare.cast_shadows import UNSHADOWED, without_shadows
from everybody_dance.subject.prepare.inpainting import inpainted
from everybody_dance.subject.prepare.light import gain_to, multiplied
from everybody_dance.subject.prepare.over_time import quantiles

MOST_FRAMES = 240
"""The median is taken over at most this many frames, which are all in memory at once."""

MARGINS = (0.1, 0.04, 0.02)
"""Margins around the person's matte that are not trusted as background, in body heights.

Hair, shadows and the light that a body throws reach past a matte. A pixel takes the largest margin that leaves it
enough frames, so somebody who hardly leaves the spot costs no more of the place than they cover.
"""

SHADOWED = 0.1
"""Around the feet nothing within this many body heights is trusted, whatever the margin: a shadow goes with them."""

THOUSANDTHS = 1000
"""Distances from the person are kept as bytes, in thousandths of the body height: 0 to .255."""

ENOUGH = 10
"""A pixel that is uncovered in fewer frames than this is unknown. For very short footage, half of the frames count."""

PLAIN = 3
"""Frames without a caption that suffice where captions come and go: these are rare, not doubtful."""

ALONE = 1.0
"""A frame counts as empty only if nobody is detected within this many seconds before and after."""


@dataclass(frozen=True)
class Plate:
    """The empty place.

    Attributes:
        image: uint8 (H, W, 3).
        known: bool (H, W); elsewhere ``image`` is a guess.
    """

    image: NDArray[np.uint8]
    known: NDArray[np.bool_]

    @property
    def unknown_share(self) -> float:
        """Share of the pixels that the footage hardly ever uncovers."""
        return float(1 - self.known.mean())


def clean_plate(
    frame: Callable[[int], Image],
    matte: Callable[[int], Image],
    keypoints: Keypoints,
    usable: Sequence[int] | NDArray[np.int64],
    zone: NDArray[np.bool_] | None = None,
) -> Plate:
    """The empty place of ``uncovered``, and a likely continuation of it where it is unknown.

    The arguments are those of ``uncovered``.
    """
    found = uncovered(frame, matte, keypoints, usable, zone)
    return Plate(inpainted(found.image, found.known), found.known)


def uncovered(
    frame: Callable[[int], Image],
    matte: Callable[[int], Image],
    keypoints: Keypoints,
    usable: Sequence[int] | NDArray[np.int64],
    zone: NDArray[np.bool_] | None = None,
) -> Plate:
    """Per pixel, the median over the frames in which the pixel lies outside the person's matte and a margin.

    A plain median would burn in a person who hardly leaves the spot.

    Args:
        frame: gives the picture of a frame.
        matte: gives the matte of a frame, uint8 (H, W).
        keypoints: of all frames.
        usable: frames that may be used (held-out ones may not), in order.
        zone: bool (H, W), where captions come and go; the place is taken from frames without them.

    Returns:
        The plate, black where it is unknown; nothing of it is known where no frame can be used.
    """
    chosen = _choose(keypoints, np.asarray(usable, np.int64))
    width, height = keypoints.size
    if not len(chosen):
        return Plate(np.zeros((height, width, 3), np.uint8), np.zeros((height, width), bool))
    frames = np.empty((len(chosen), height, width, 3), np.uint8)
    apart = np.empty((len(chosen), height, width), np.uint8)
    beside = np.empty(apart.shape, bool)
    for place, index in enumerate(chosen.tolist()):
        frames[place], distance = frame(index), _distance(matte(index), keypoints, index)
        beside[place] = distance > MARGINS[1] * THOUSANDTHS
        apart[place] = _shadow_left_out(distance, keypoints.pose(index))
    outside = apart > MARGINS[0] * THOUSANDTHS
    _equalize_light(frames, outside)
    enough = min(ENOUGH, max(len(chosen) // 2, 1))
    for margin in MARGINS[1:]:
        rare = outside.sum(axis=0) < enough
        outside |= rare & (apart > margin * THOUSANDTHS)
    count = outside.sum(axis=0)
    known = count >= enough
    if zone is not None and zone.any():
        outside = plain(frames, outside, zone)
        count = outside.sum(axis=0)
        known &= count >= min(PLAIN, enough)
    median, bright = (picture * known[..., None] for picture in quantiles(frames, outside, 0.5, UNSHADOWED))
    return Plate(without_shadows(median, bright, frames, outside, beside, _where(keypoints)[chosen]), known)


def believed_empty(keypoints: Keypoints) -> NDArray[np.bool_]:
    """bool (T,): nobody is there, rather than missed: nobody is detected shortly before or after either."""
    reach = int(ALONE * keypoints.fps)
    seen = np.concatenate([[0], np.cumsum(keypoints.person_seen)])
    index = np.arange(len(keypoints))
    first, last = np.maximum(index - reach, 0), np.minimum(index + reach + 1, len(keypoints))
    return np.asarray(seen[last] == seen[first])


def _choose(keypoints: Keypoints, usable: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most MOST_FRAMES of the usable ones: half of them evenly in time, half those that uncover rare places."""
    usable = usable[(keypoints.person_seen | believed_empty(keypoints))[usable]]
    if len(usable) <= MOST_FRAMES:
        return usable
    even = usable[np.linspace(0, len(usable) - 1, MOST_FRAMES // 2).astype(int)]
    rest = np.setdiff1d(usable, even)
    # The place where the person usually stands is uncovered by frames in which they are far from it.
    seen = keypoints.person_seen
    found = keypoints.found[..., None]
    centre = (keypoints.xy * found).sum(axis=1) / np.maximum(found.sum(axis=1), 1)
    usual = np.median(centre[usable[seen[usable]]], axis=0) if seen[usable].any() else centre[0]
    distance = np.where(seen, np.linalg.norm(centre - usual, axis=1), np.inf)
    far = rest[np.argsort(-distance[rest], kind="stable")][: MOST_FRAMES - len(even)]
    return np.sort(np.concatenate([even, far]))


def _distance(matte: Image, keypoints: Keypoints, index: int) -> Image:
    """uint8 (H, W): how far each pixel lies from the person, in thousandths of the body height."""
    pose, size = keypoints.pose(index), keypoints.size
    # The limbs as well: a matte may lack a hand, or all of a person whose pose OpenPose found.
    person = (matte >= COVERED) | person_mask(pose, size, 0.0)
    if not person.any():
        return np.full(matte.shape, 255, np.uint8)
    height = max(pose.height, 1.0)
    distance = cv2.distanceTransform((~person).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    return np.asarray((distance * (THOUSANDTHS / height)).clip(0, 255), np.uint8)


def _shadow_left_out(distance: Image, pose: Pose) -> Image:
    """The same, and 0 around the feet."""
    for x, y in pose.xy[FEET][pose.found[FEET]].tolist():
        cv2.circle(distance, (round(x), round(y)), round(SHADOWED * max(pose.height, 1.0)), (0,), -1)
    return distance


def _equalize_light(frames: NDArray[np.uint8], outside: NDArray[np.bool_]) -> None:
    """Make all frames as bright as the middle one, in place, each colour channel by itself.

    Exposure and lamps drift, and a median over unequal light would leave the outline of where the person stood.
    """
    middle = len(frames) // 2
    reference, clear = frames[middle].copy(), outside[middle]
    for index, frame in enumerate(frames):
        gain = gain_to(reference, frame, clear & outside[index])
        if gain is not None:
            frames[index] = multiplied(frame, gain)


def _where(keypoints: Keypoints) -> NDArray[np.float64]:
    """(T,): how far to the right the person's hips are, in pixels; NaN where they are not seen."""
    found = keypoints.found[:, HIPS]
    x = np.where(found, keypoints.xy[:, HIPS, 0], 0).sum(axis=1)
    return np.where(found.any(axis=1), x / np.maximum(found.sum(axis=1), 1), np.nan)
