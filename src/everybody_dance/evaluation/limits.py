"""Errors put into a dance on purpose, to see how the result suffers: the limits that the paper admits (section 5)."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from everybody_dance.drawing.region import body_height
from everybody_dance.keypoints import Keypoints


def shaken(keypoints: Keypoints, deviation: float = 0.0, missing: float = 0.0, seed: int = 0) -> Keypoints:
    """Keypoints as a worse detector would give them.

    Args:
        keypoints: as detected.
        deviation: standard deviation of each coordinate's error, in body heights.
        missing: share of the found joints that are lost, each by itself.
        seed: of what is drawn.
    """
    random = np.random.default_rng(seed)
    heights = body_height(keypoints.xy, keypoints.confidence)
    height = float(np.median(heights[heights > 0])) if heights.any() else 0.0
    noise = random.normal(0, 1, keypoints.xy.shape).astype(np.float32) * np.float32(deviation * height)
    lost = random.random(keypoints.confidence.shape) < missing
    return replace(keypoints, xy=keypoints.xy + noise, confidence=np.where(lost, np.float32(0), keypoints.confidence))


def at_speed(keypoints: Keypoints, speed: float) -> tuple[Keypoints, NDArray[np.int64], NDArray[np.int64]]:
    """The same dance faster or slower, at the same frame rate.

    Args:
        keypoints: the dance, without cuts.
        speed: 2 takes every second pose, 0.5 puts one between each two.

    Returns:
        The keypoints, and which of their frames are whole poses of the dance, and of which frames of it.
    """
    if speed <= 0:
        raise ValueError(f"the speed must be more than 0, not {speed}")
    times = np.arange(0, len(keypoints) - 1 + 1e-9, speed)
    before = np.floor(times + 1e-9).astype(np.int64)
    after = np.minimum(before + 1, len(keypoints) - 1)
    part = np.clip(times - before, 0, 1).astype(np.float32)
    part[part < 1e-6] = 0
    weight = part[:, None, None]
    xy = (1 - weight) * keypoints.xy[before] + weight * keypoints.xy[after]
    # Between two poses a joint is known where both know it.
    both = np.minimum(keypoints.confidence[before], keypoints.confidence[after])
    confidence = np.where(part[:, None] == 0, keypoints.confidence[before], both)
    whole = np.flatnonzero(part == 0)
    return replace(keypoints, xy=xy, confidence=confidence), whole, before[whole]
