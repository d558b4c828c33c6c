"""Filtering of keypoints over time: outliers removed, short gaps filled, jitter smoothed; never across a cut.

All lengths are in seconds. ``clean`` filters a whole clip, ``CausalFilter`` frame by frame with the past alone.
(*Temporal smoothing* is another thing: the previous frame that the generator is given.)
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from everybody_dance.keypoints import Array, Keypoints, Pose
from everybody_dance.pose.options import SMOOTHINGS
from everybody_dance.skeleton import BODY, JOINT_COUNT

FILLED_CONFIDENCE = 0.5
"""Factor on the confidence of a joint that was interpolated."""

OUTLIER = 0.08
"""A joint that jumps by more than this share of the person's extent and comes straight back was misplaced."""

OUTLIER_SECONDS = 1 / 30
"""A jump that lasts no longer than this is looked for: one frame at usual rates."""

MEDIAN_REACH = 0.11
"""Seconds to each side that the median takes in: seven frames in all at 24, 25 and 30 frames a second."""

GAUSSIAN_SIGMA = 1 / 30
"""Standard deviation of the Gaussian in seconds."""

LONGEST_GAP = 0.4
"""Gaps up to this many seconds are filled."""

BLOCK = 16
"""Joints that are filtered at a time, so that memory stays small however long the clip is."""

Shot = tuple[Array, Array]


def clean(keypoints: Keypoints, cuts: Sequence[int] = (), smoothing: str = "none") -> Keypoints:
    """Remove outliers, fill short gaps and smooth.

    Args:
        keypoints: as detected.
        cuts: first frames of new shots.
        smoothing: one of ``SMOOTHINGS``: a median over ``MEDIAN_REACH``, a Gaussian of ``GAUSSIAN_SIGMA``, both in
            turn, or none (the default for training footage, whose pictures must match its poses).
    """
    keypoints = fill_gaps(remove_outliers(keypoints, cuts), cuts)
    reach, sigma = smoothing_in_frames(smoothing, float(keypoints.fps))
    return smooth(keypoints, cuts, median=2 * reach + 1 if reach else 0, gaussian=sigma)


def smoothing_in_frames(smoothing: str, fps: float) -> tuple[int, float]:
    """The median's reach to each side and the Gaussian's standard deviation, in frames; 0 where they are off.

    Args:
        smoothing: one of ``SMOOTHINGS``.
        fps: frames a second.
    """
    if smoothing not in SMOOTHINGS:
        raise ValueError(f"smoothing must be one of {SMOOTHINGS}, not {smoothing!r}")
    reach = round(MEDIAN_REACH * fps) if smoothing in ("median", "both") else 0
    return reach, GAUSSIAN_SIGMA * fps if smoothing in ("gaussian", "both") else 0.0


def remove_outliers(keypoints: Keypoints, cuts: Sequence[int] = ()) -> Keypoints:
    """Take out joints that are far from both neighbours in time while these are close to each other."""
    spread = _extent(keypoints)
    step = max(round(OUTLIER_SECONDS * keypoints.fps), 1)

    def shot(xy: Array, confidence: Array) -> Shot:
        if len(xy) <= 2 * step:
            return xy, confidence
        before, here, after = xy[: -2 * step], xy[step:-step], xy[2 * step :]
        known = (confidence[: -2 * step] > 0) & (confidence[step:-step] > 0) & (confidence[2 * step :] > 0)
        there, back = np.linalg.norm(here - before, axis=-1), np.linalg.norm(here - after, axis=-1)
        apart = np.linalg.norm(after - before, axis=-1)
        outlier = known & (np.minimum(there, back) > OUTLIER * spread) & (apart < 0.5 * np.minimum(there, back))
        confidence = confidence.copy()
        confidence[step:-step][outlier] = 0
        return xy, confidence

    return _by_shot(keypoints, cuts, shot)


def fill_gaps(keypoints: Keypoints, cuts: Sequence[int] = (), longest: float = LONGEST_GAP) -> Keypoints:
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


class CausalFilter:
    """Filters one frame after another, with the past alone: the twin of ``clean`` for live use.

    A joint that jumps is held back for ``OUTLIER_SECONDS``, then believed. A joint that is missing stays where it was
    for ``LONGEST_GAP``. Places are smoothed by a median over the last ``MEDIAN_REACH`` and an exponential average with
    the time constant ``GAUSSIAN_SIGMA``; of a steady movement the result is late by about half of the one plus the
    other, 0.09 s with both.

    Args:
        fps: frames a second.
        smoothing: one of ``SMOOTHINGS``.
    """

    def __init__(self, fps: float, smoothing: str = "both") -> None:
        self._fps = fps
        self._reach, sigma = smoothing_in_frames(smoothing, fps)
        self._weight = 1 - float(np.exp(-1 / sigma)) if sigma else 1.0
        self._patience = max(round(OUTLIER_SECONDS * fps), 1)
        self._reset()

    def _reset(self) -> None:
        self._xy = np.zeros((JOINT_COUNT, 2), np.float32)  # last believed places
        self._confidence = np.zeros(JOINT_COUNT, np.float32)
        self._age = np.full(JOINT_COUNT, np.iinfo(np.int64).max // 2)  # frames since they were seen
        self._jumped = np.zeros(JOINT_COUNT, np.int64)  # frames for which a joint has been elsewhere
        self._history: list[Array] = []
        self._average = np.full((JOINT_COUNT, 2), np.nan, np.float32)

    def step(self, pose: Pose | None, cut: bool = False) -> Pose:
        """The next frame, filtered.

        Args:
            pose: as detected; None where nobody is seen.
            cut: whether the frame begins a new shot, before which nothing counts.
        """
        if cut:
            self._reset()
        found = np.zeros(JOINT_COUNT, bool) if pose is None else pose.found
        if pose is not None:
            self._believe(pose, found & ~self._held_back(pose))
        held = self._age <= LONGEST_GAP * self._fps
        # Joints are in the history where they were seen or are still held, and NaN elsewhere.
        place = np.where(held[:, None], self._xy, np.float32(np.nan))
        self._history = [*self._history[-self._reach :], place] if self._reach else [place]
        middle = _nan_median(np.stack(self._history, axis=-1))
        started = np.isfinite(self._average)
        self._average = np.where(started, self._average + self._weight * (middle - self._average), middle)
        self._average = np.where(held[:, None], self._average, np.float32(np.nan)).astype(np.float32)
        factor = np.where(self._age == 0, np.float32(1), np.float32(FILLED_CONFIDENCE))
        confidence = np.where(held, factor * self._confidence, np.float32(0))
        self._age = self._age + 1
        return Pose(np.nan_to_num(self._average), confidence)

    def _held_back(self, pose: Pose) -> NDArray[np.bool_]:
        """bool (137,): joints that have jumped, and not for long enough to be believed."""
        known = pose.found & (self._age <= LONGEST_GAP * self._fps)
        body = pose.xy[BODY][pose.found[BODY]]
        spread = max(float(np.ptp(body, axis=0).max()), 1.0) if len(body) else 1.0
        far = known & (np.linalg.norm(pose.xy - self._xy, axis=-1) > OUTLIER * spread)
        # A fast movement is far in every frame: only its first frame is held back.
        self._jumped = np.where(far, self._jumped + 1, 0)
        return np.asarray(far & (self._jumped <= self._patience))

    def _believe(self, pose: Pose, joints: NDArray[np.bool_]) -> None:
        self._xy = np.where(joints[:, None], pose.xy, self._xy)
        self._confidence = np.where(joints, pose.confidence, self._confidence)
        self._age = np.where(joints, 0, self._age)


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
    xy, confidence = np.empty_like(keypoints.xy), np.empty_like(keypoints.confidence)
    for first, last in pairwise(edges):
        for joint in range(0, JOINT_COUNT, BLOCK):
            part = slice(first, last), slice(joint, joint + BLOCK)
            xy[part], confidence[part] = change(keypoints.xy[part], keypoints.confidence[part])
    return replace(keypoints, xy=xy, confidence=confidence)
