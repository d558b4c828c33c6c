"""Keypoints over time: outliers removed, short gaps filled, jitter smoothed; never across a scene cut.

In code, "temporal smoothing" is the generator's previous frame; this is filtering.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from everybody_dance.keypoints import Array, Keypoints

SMOOTHINGS = ("none", "median", "gaussian", "both")

FILLED_CONFIDENCE = 0.5
"""Factor on the confidence of a joint that was interpolated."""

OUTLIER = 0.08
"""A joint that jumps by more than this share of the person's extent and comes straight back was not there."""

Shot = tuple[Array, Array]


def clean(keypoints: Keypoints, cuts: Sequence[int] = (), smoothing: str = "none") -> Keypoints:
    """Remove outliers, fill short gaps and smooth.

    Args:
        keypoints: as detected.
        cuts: first frames of new shots.
        smoothing: one of ``SMOOTHINGS``: median of 7 frames, Gaussian of 1 frame, both in turn, or none (the default
            for training footage, whose pictures must match its poses).
    """
    if smoothing not in SMOOTHINGS:
        raise ValueError(f"smoothing must be one of {SMOOTHINGS}, not {smoothing!r}")
    keypoints = fill_gaps(remove_outliers(keypoints, cuts), cuts)
    return smooth(
        keypoints,
        cuts,
        median=7 if smoothing in ("median", "both") else 0,
        gaussian=1.0 if smoothing in ("gaussian", "both") else 0.0,
    )


def remove_outliers(keypoints: Keypoints, cuts: Sequence[int] = ()) -> Keypoints:
    """Take out joints that are far from both neighbours in time while these are close to each other."""
    spread = _extent(keypoints)

    def shot(xy: Array, confidence: Array) -> Shot:
        if len(xy) < 3:
            return xy, confidence
        before, here, after = xy[:-2], xy[1:-1], xy[2:]
        known = (confidence[:-2] > 0) & (confidence[1:-1] > 0) & (confidence[2:] > 0)
        there, back = np.linalg.norm(here - before, axis=-1), np.linalg.norm(here - after, axis=-1)
        apart = np.linalg.norm(after - before, axis=-1)
        outlier = known & (np.minimum(there, back) > OUTLIER * spread) & (apart < 0.5 * np.minimum(there, back))
        confidence = confidence.copy()
        confidence[1:-1][outlier] = 0
        return xy, confidence

    return _by_shot(keypoints, cuts, shot)


def fill_gaps(keypoints: Keypoints, cuts: Sequence[int] = (), longest: float = 0.4) -> Keypoints:
    """Interpolate joints that are missing for a short while, with half of their neighbours' confidence.

    Args:
        keypoints: with gaps.
        cuts: first frames of new shots.
        longest: gaps up to this many seconds are filled; longer ones, and those at a shot's ends, stay.
    """
    most = int(longest * keypoints.fps)

    def shot(xy: Array, confidence: Array) -> Shot:
        frames = len(xy)
        index = np.arange(frames)[:, None]
        found = confidence > 0
        before = np.maximum.accumulate(np.where(found, index, -1), axis=0)
        after = np.minimum.accumulate(np.where(found, index, frames)[::-1], axis=0)[::-1]
        gap = ~found & (before >= 0) & (after < frames) & (after - before - 1 <= most)
        rows, joints = np.nonzero(gap)
        first, last = before[rows, joints], after[rows, joints]
        weight = ((rows - first) / (last - first)).astype(np.float32)
        xy, confidence = xy.copy(), confidence.copy()
        xy[rows, joints] += (1 - weight[:, None]) * xy[first, joints] + weight[:, None] * xy[last, joints]
        confidence[rows, joints] = FILLED_CONFIDENCE * np.minimum(confidence[first, joints], confidence[last, joints])
        return xy, confidence

    return _by_shot(keypoints, cuts, shot)


def smooth(keypoints: Keypoints, cuts: Sequence[int] = (), median: int = 7, gaussian: float = 1.0) -> Keypoints:
    """Median, then Gaussian, over the frames in which a joint was found; which joints are found does not change.

    Args:
        keypoints: to smooth.
        cuts: first frames of new shots.
        median: window in frames, odd; 0: off.
        gaussian: standard deviation in frames; 0: off.
    """

    def shot(xy: Array, confidence: Array) -> Shot:
        found = confidence > 0
        if median:
            # Not found is NaN, so that it takes no part; the ends are reflected.
            reach = min(median // 2, len(xy) - 1)
            padded = np.pad(np.where(found[..., None], xy, np.nan), ((reach, reach), (0, 0), (0, 0)), "reflect")
            windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
            xy = np.where(found[..., None], _nan_median(windows), 0).astype(np.float32)
        if gaussian:
            weight = ndimage.gaussian_filter1d(found.astype(np.float32), gaussian, axis=0, mode="reflect")
            total = ndimage.gaussian_filter1d(np.where(found[..., None], xy, 0), gaussian, axis=0, mode="reflect")
            xy = np.where(found[..., None], total / np.maximum(weight, 1e-6)[..., None], 0).astype(np.float32)
        return xy, confidence

    return _by_shot(keypoints, cuts, shot)


def _nan_median(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Median over the last axis without the NaNs; 0 where there is nothing else."""
    ordered = np.sort(windows, axis=-1)  # NaNs go last
    count = np.isfinite(ordered).sum(-1, keepdims=True)
    low, high = np.maximum((count - 1) // 2, 0), np.maximum(count // 2, 0)
    high = np.minimum(high, ordered.shape[-1] - 1)
    middle = (np.take_along_axis(ordered, low, -1) + np.take_along_axis(ordered, high, -1))[..., 0] / 2
    return np.nan_to_num(middle)


def _extent(keypoints: Keypoints) -> float:
    """Median size of the person over the video, in pixels."""
    seen = keypoints.found.any(axis=1)
    if not seen.any():
        return 1.0
    found = keypoints.found[seen][..., None]
    high = np.where(found, keypoints.xy[seen], -np.inf).max(axis=1)
    low = np.where(found, keypoints.xy[seen], np.inf).min(axis=1)
    return float(max(np.median((high - low).max(axis=1)), 1.0))


def _by_shot(keypoints: Keypoints, cuts: Sequence[int], change: Callable[[Array, Array], Shot]) -> Keypoints:
    edges = sorted({0, len(keypoints), *(cut for cut in cuts if 0 < cut < len(keypoints))})
    parts = [change(keypoints.xy[first:last], keypoints.confidence[first:last]) for first, last in pairwise(edges)]
    if not parts:
        return keypoints
    xy, confidence = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return replace(keypoints, xy=xy, confidence=confidence)
