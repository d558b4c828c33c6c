"""The clean plate: the place without the person (the design document, "Clean plate")."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.keypoints import Keypoints

MOST_FRAMES = 240
"""Frames that the median is taken over, at most: they are in memory as bytes, all at once."""

GROWN = 0.1
"""How far around the person a pixel is no background, in shares of the body's height: hair, shadow, shoes."""

SNUG = 0.04
"""The same where hardly a frame would be left otherwise."""

ENOUGH = 10
"""A pixel that is uncovered in fewer frames is unknown (or in fewer than half of them, for very short footage)."""

DARK = 24
"""Pixels with a colour darker than this, of 255, say nothing of the light."""

BAND = 32
"""Rows that are worked on at a time."""

ALONE = 1.0
"""Seconds without a person on both sides after which a frame without one is believed to be empty."""


@dataclass(frozen=True)
class Plate:
    """The empty place.

    Attributes:
        image: uint8 (H, W, 3).
        known: bool (H, W); elsewhere ``image`` is a guess from around.
    """

    image: NDArray[np.uint8]
    known: NDArray[np.bool_]

    @property
    def unknown_share(self) -> float:
        """Share of the pixels that the footage hardly ever uncovers."""
        return float(1 - self.known.mean())


def clean_plate(frame: Callable[[int], NDArray[np.uint8]], keypoints: Keypoints, usable: Sequence[int]) -> Plate:
    """Per pixel, the median over the frames in which the pixel lies outside the grown person region.

    A plain median is wrong: whoever hardly leaves the spot is burned into it.

    Args:
        frame: gives the picture of a frame.
        keypoints: of all frames.
        usable: frames that may be looked at (held-out ones may not), in order.
    """
    chosen = _choose(keypoints, np.asarray(usable))
    frames = np.stack([frame(int(index)) for index in chosen])
    outside = np.stack([~_region(keypoints, int(index), GROWN) for index in chosen])
    frames = _evenly_lit(frames, outside)
    enough = min(ENOUGH, max(len(chosen) // 2, 1))
    rare = outside.sum(axis=0) < enough
    if rare.any():
        for index, seen in zip(chosen, outside, strict=True):
            seen |= rare & ~_region(keypoints, int(index), SNUG)
    count = outside.sum(axis=0)
    known = count >= enough
    image = np.zeros(frames.shape[1:], np.uint8)
    for top in range(0, len(image), BAND):
        rows = slice(top, top + BAND)
        image[rows] = _masked_median(frames[:, rows], outside[:, rows], count[rows])
    return Plate(_filled(image, known), known)


def believed_empty(keypoints: Keypoints) -> NDArray[np.bool_]:
    """bool (T,): nobody is there, rather than just not found: everything around is without a person too."""
    reach = int(ALONE * keypoints.fps)
    seen = np.concatenate([[0], np.cumsum(keypoints.person_seen)])
    index = np.arange(len(keypoints))
    first, last = np.maximum(index - reach, 0), np.minimum(index + reach + 1, len(keypoints))
    return np.asarray(seen[last] == seen[first])


def _choose(keypoints: Keypoints, usable: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most MOST_FRAMES of the usable ones: half evenly in time, half those that uncover the rarest places."""
    usable = usable[(keypoints.person_seen | believed_empty(keypoints))[usable]]
    if len(usable) <= MOST_FRAMES:
        return usable
    even = usable[np.linspace(0, len(usable) - 1, MOST_FRAMES // 2).astype(int)]
    rest = np.setdiff1d(usable, even)
    # Where the person mostly is must be uncovered by frames in which they are elsewhere: the farther, the rarer.
    seen = keypoints.person_seen
    found = keypoints.found[..., None]
    centre = (keypoints.xy * found).sum(axis=1) / np.maximum(found.sum(axis=1), 1)
    usual = np.median(centre[usable[seen[usable]]], axis=0) if seen[usable].any() else centre[0]
    distance = np.where(seen, np.linalg.norm(centre - usual, axis=1), np.inf)
    far = rest[np.argsort(-distance[rest], kind="stable")][: MOST_FRAMES - len(even)]
    return np.sort(np.concatenate([even, far]))


def _region(keypoints: Keypoints, index: int, grown: float) -> NDArray[np.bool_]:
    return person_mask(keypoints.pose(index), keypoints.size, grown)


def _evenly_lit(frames: NDArray[np.uint8], outside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Frames as bright as the middle one, each colour by itself: cameras and lamps drift, and a median over unequal
    light leaves the outline of where the person stood."""
    # Every fourth pixel each way is plenty. Dark ones tell no ratio. The median, since captions come and go.
    reference, clear = frames[len(frames) // 2][::4, ::4].astype(np.float32), outside[len(frames) // 2][::4, ::4]
    clear = clear & (reference.min(axis=-1) > DARK)
    result = frames.copy()
    for index, frame in enumerate(frames):
        small = frame[::4, ::4]
        both = clear & outside[index][::4, ::4] & (small.min(axis=-1) > DARK)
        if both.mean() > 0.05:
            result[index] = cv2.LUT(frame, _curves(np.median(reference[both] / small[both], axis=0)))
    return result


def _curves(gain: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """(1, 256, 3) for ``cv2.LUT``: values times a gain for each colour."""
    return np.asarray((np.arange(256)[None, :, None] * gain).round().clip(0, 255), np.uint8)


def _masked_median(
    frames: NDArray[np.uint8], outside: NDArray[np.bool_], count: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Median over the first axis of frames (N, h, W, 3) where ``outside`` (N, h, W); 0 where it never is."""
    # Covered values are sorted behind all real ones; the median is then in the middle of the first ``count``.
    ordered = np.where(outside[..., None], frames, np.int16(256)).astype(np.int16)
    ordered.sort(axis=0)
    low, high = (
        np.maximum((count - 1) // 2, 0)[None, ..., None],
        np.minimum(count // 2, len(frames) - 1)[None, ..., None],
    )
    middle = np.take_along_axis(ordered, low, 0)[0] + np.take_along_axis(ordered, high, 0)[0]
    return np.where(count[..., None] > 0, middle // 2, 0).clip(0, 255).astype(np.uint8)


def _filled(image: NDArray[np.uint8], known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Unknown pixels from the left and right, as floors and walls go on there; where a row is unknown, from around."""
    rows = known.any(axis=1)
    if known.all() or not rows.any():
        return image
    image = _flowed(image, known, down=1)
    return image if rows.all() else _flowed(image, np.broadcast_to(rows[:, None], known.shape), down=2)


def _flowed(image: NDArray[np.uint8], known: NDArray[np.bool_], down: int) -> NDArray[np.uint8]:
    """Known colours are averaged at ever coarser sizes, halved across and divided by ``down``, and flow back into the
    holes."""
    pictures = [image.astype(np.float32) * known[..., None]]
    weights = [known.astype(np.float32)]
    while weights[-1].shape[1] > 1 and (weights[-1] == 0).any():
        size = max(weights[-1].shape[1] // 2, 1), max(weights[-1].shape[0] // down, 1)
        pictures.append(np.asarray(cv2.resize(pictures[-1], size, interpolation=cv2.INTER_AREA), np.float32))
        weights.append(np.asarray(cv2.resize(weights[-1], size, interpolation=cv2.INTER_AREA), np.float32))
    colours = pictures[-1] / np.maximum(weights[-1], 1e-6)[..., None]
    for picture, weight in zip(reversed(pictures[:-1]), reversed(weights[:-1]), strict=True):
        coarse = cv2.resize(colours, (weight.shape[1], weight.shape[0]), interpolation=cv2.INTER_LINEAR)
        share = np.minimum(weight, 1)[..., None]
        colours = share * (picture / np.maximum(weight, 1e-6)[..., None]) + (1 - share) * coarse
    return np.where(known[..., None], image, colours.clip(0, 255).round()).astype(np.uint8)
