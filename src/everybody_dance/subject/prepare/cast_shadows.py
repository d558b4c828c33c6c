"""The shadow that a person casts again and again on the same part of the place, lifted from its picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.subject.prepare.over_time import quantiles

UNSHADOWED = 0.97
"""Quantile of a pixel's values over time that shows it without a shadow, even one that lies there most of the time."""

MIDDLE, EDGE = 0.08, 0.025
"""Share of the light that the middle of a shadow lacks at least, and its edge."""

BLACK = 16
"""Of 255, added to both colours that are compared: in the dark a ratio says nothing."""

SOFT = 2.0
"""Standard deviation, in pixels, by which the light is smoothed before it is compared."""

AROUND = 8
"""Pixels around a shadow over which its light is lifted less and less."""

LEAST = 0.0005
"""Share of the picture below which a dark patch is passed over."""

LOOKS = 500
"""Pixels of a patch whose light is followed over time, evenly."""

SEEN = 0.3
"""Share of them that the person must leave uncovered in a frame, for it to count."""

MOMENTS = 12
"""Frames in which a patch must be seen to say what darkens it."""

BY_CHANCE = 0.4
"""Share of a patch's change of light that may have another cause than where the person stands.

It is the mean squared step of its light between frames in the order of where the person stands, halved, over its
variance (von Neumann 1941): 0 for a shadow and 1 for a screen, a curtain or a lamp.
"""


def without_shadows(
    median: NDArray[np.uint8],
    bright: NDArray[np.uint8],
    frames: NDArray[np.uint8],
    outside: NDArray[np.bool_],
    beside: NDArray[np.bool_],
    where: NDArray[np.float64],
) -> NDArray[np.uint8]:
    """Take the place from the frames in which no shadow lies there, wherever most frames show the person's.

    Args:
        median: uint8 (H, W, 3), what most frames show of the place; 0 where it is unknown.
        bright: uint8 (H, W, 3), the quantile ``UNSHADOWED`` of the same.
        frames: uint8 (N, H, W, 3).
        outside: bool (N, H, W), where each frame shows the place for certain.
        beside: bool (N, H, W), where it shows the place or a shadow close to the person. The floor that is lit as soon
            as the person stands on its other side is seen by these alone.
        where: (N,) how far to the right the person stands, in pixels; NaN where nobody is.
    """
    lost, noise = _lost_light(median, bright)
    count, patches, boxes, _ = cv2.connectedComponentsWithStats((lost > EDGE).astype(np.uint8))
    share, lit = np.zeros(lost.shape, np.float32), median.astype(np.float32)
    for patch in range(1, count):
        x, y, width, height, area = boxes[patch].tolist()
        if area < LEAST * lost.size:
            continue
        box = slice(max(y - AROUND, 0), y + height + AROUND), slice(max(x - AROUND, 0), x + width + AROUND)
        inside = patches[box] == patch
        middle = inside & (lost[box] > MIDDLE)
        if middle.any() and _follows(frames[:, *box], outside[:, *box], bright[box], middle, where):
            [brightest] = quantiles(frames[:, *box], outside[:, *box] | beside[:, *box], UNSHADOWED)
            share[box][inside] = 1
            lit[box] = np.maximum(brightest * (1 - noise), lit[box])
    grown = cv2.dilate(share, np.ones((AROUND + 1, AROUND + 1), np.uint8))
    share = cv2.GaussianBlur(grown, (0, 0), AROUND / 4)[..., None] * median.any(axis=-1, keepdims=True)
    return np.asarray((median + share * (lit - median)).round(), np.uint8)


def _lost_light(median: NDArray[np.uint8], bright: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
    """float32 (H, W): the share of its light that a place lacks in most frames, and how much of it noise explains.

    A shadow darkens every colour, so the colour that is darkened least counts.
    """
    smooth = [cv2.GaussianBlur(picture, (0, 0), SOFT).astype(np.float32) + BLACK for picture in (median, bright)]
    lost, shown = (1 - smooth[0] / smooth[1]).min(axis=-1), bright.any(axis=-1)
    noise = max(float(np.median(lost[shown])), 0.0) if shown.any() else 0.0
    return np.asarray((lost - noise) * shown, np.float32), noise


def _follows(
    frames: NDArray[np.uint8],
    outside: NDArray[np.bool_],
    bright: NDArray[np.uint8],
    middle: NDArray[np.bool_],
    where: NDArray[np.float64],
) -> bool:
    """Whether the light of a patch depends on where the person stands."""
    rows, columns = (axis[np.linspace(0, len(axis) - 1, LOOKS).astype(int)] for axis in np.nonzero(middle))
    seen = outside[:, rows, columns]
    light = frames[:, rows, columns].sum(axis=-1) / np.maximum(bright[rows, columns].sum(axis=-1, dtype=np.float32), 1)
    counts = (seen.mean(axis=1) >= SEEN) & np.isfinite(where)
    if counts.sum() < MOMENTS:
        return False
    mean = (light * seen).sum(axis=1)[counts] / seen.sum(axis=1)[counts]
    ordered = mean[np.argsort(where[counts], kind="stable")]
    return bool(np.square(np.diff(ordered)).mean() / 2 < BY_CHANCE * ordered.var())
