"""Keypoints over time: remove outliers, fill short gaps, smooth jitter; never across a cut.

All durations are in seconds, so that a clip is filtered alike at any frame rate. ``causal_filter`` does the same for
poses that come one by one. What the paper calls "temporal smoothing" is something else: the generator's previous frame.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from everybody_dance.keypoints import Array, Keypoints, blocks, shots
from everybody_dance.pose.options import SMOOTHINGS
from everybody_dance.skeleton import FACE, LEFT_HAND, RIGHT_HAND, Joint

FILLED_CONFIDENCE = 0.5
"""Factor on the confidence of a joint that was interpolated or held in its place."""

OUTLIER = 0.08
"""A joint that jumps by more than this share of the person's extent and comes straight back is an outlier."""

OUTLIER_SECONDS = 1 / 30
"""The longest time that an outlier stays away: one frame at 30 frames a second."""

LONGEST_GAP = 0.4
"""Seconds: longer gaps are not filled."""

SHOT_ENDS = 0.1
"""Seconds: gaps at a shot's first and last frames are filled up to this, by what is next to them.

A detector often misses the first frame or two of a shot, where it has nobody to follow yet.
"""

LOOSE = 0.18
"""A hand whose wrist is farther from the arm's than this share of the person's extent is not theirs; nor is a face."""

HELD = (
    (Joint.LEFT_WRIST, LEFT_HAND.start, LEFT_HAND),
    (Joint.RIGHT_WRIST, RIGHT_HAND.start, RIGHT_HAND),
    (Joint.NOSE, FACE.start + 30, FACE),
)
"""A joint of the body, the same place as a joint of a hand or the face, and all joints of that part."""

MEDIAN_REACH = 0.11
"""Seconds on each side that the median takes in: 7 frames at 24 to 30 frames a second, 15 at 60, 27 at 120."""

SIGMA = 1 / 30
"""Seconds: the standard deviation of the Gaussian, one frame at 30 frames a second."""

TRUNCATED = 4.0
"""Standard deviations at which the Gaussian is cut off."""


@dataclass(frozen=True)
class _Step:
    """One step of the filtering.

    Attributes:
        change: from xy (T, 137, 2) and confidence (T, 137) of a stretch of a shot to new ones.
        reach: frames on each side that the result for a frame depends on.
    """

    change: Callable[[Array, Array], tuple[Array, Array]]
    reach: int


def clean(keypoints: Keypoints, cuts: Sequence[int] = (), smoothing: str = "none") -> Keypoints:
    """Remove outliers, fill short gaps and smooth.

    Args:
        keypoints: as detected.
        cuts: first frames of new shots.
        smoothing: one of ``SMOOTHINGS``: the median, the Gaussian, both in turn, or none (the default, for training
            footage, whose pictures must match its poses).

    Raises:
        ValueError: ``smoothing`` is not one of ``SMOOTHINGS``.
    """
    median, gaussian = smoothing_steps(smoothing)
    steps = [_outlier_step(keypoints), _gap_step(keypoints, LONGEST_GAP), _Step(without_loose_parts, 0)]
    return _filtered(keypoints, cuts, steps + _smoothing(keypoints, MEDIAN_REACH * median, SIGMA * gaussian))


def smoothing_steps(smoothing: str) -> tuple[bool, bool]:
    """Whether ``smoothing``, one of ``SMOOTHINGS``, takes a median, and whether it takes a Gaussian.

    Raises:
        ValueError: it is not one of ``SMOOTHINGS``.
    """
    if smoothing not in SMOOTHINGS:
        raise ValueError(f"smoothing must be one of {SMOOTHINGS}, not {smoothing!r}")
    return smoothing in ("median", "both"), smoothing in ("gaussian", "both")


def remove_outliers(keypoints: Keypoints, cuts: Sequence[int] = ()) -> Keypoints:
    """Remove joints that jump away and come straight back, within ``OUTLIER_SECONDS``."""
    return _filtered(keypoints, cuts, [_outlier_step(keypoints)])


def fill_gaps(keypoints: Keypoints, cuts: Sequence[int] = (), longest: float = LONGEST_GAP) -> Keypoints:
    """Interpolate joints that are missing for a short while, with half of their neighbours' confidence.

    Args:
        keypoints: with gaps.
        cuts: first frames of new shots.
        longest: gaps up to this many seconds are filled; at a shot's ends, where joints are held, up to
            ``SHOT_ENDS`` if that is less. Longer ones stay.
    """
    return _filtered(keypoints, cuts, [_gap_step(keypoints, longest)])


def smooth(
    keypoints: Keypoints, cuts: Sequence[int] = (), median: float = MEDIAN_REACH, gaussian: float = SIGMA
) -> Keypoints:
    """Median, then Gaussian, over the frames in which a joint was found; which joints are found does not change.

    Args:
        keypoints: to smooth.
        cuts: first frames of new shots.
        median: seconds on each side that the median takes in; 0: no median.
        gaussian: standard deviation in seconds; 0: no Gaussian.
    """
    return _filtered(keypoints, cuts, _smoothing(keypoints, median, gaussian))


def extents(xy: Array, confidence: Array) -> NDArray[np.float32]:
    """The size of the person in each frame.

    Args:
        xy: (T, 137, 2) in pixels.
        confidence: (T, 137).

    Returns:
        float32 (T,): width or height of the box around the joints found, whichever is larger; -inf where none is.
    """
    found = (confidence > 0)[..., None]
    high = np.where(found, xy, -np.inf).max(axis=1)
    low = np.where(found, xy, np.inf).min(axis=1)
    return np.asarray((high - low).max(axis=1), np.float32)


def without_loose_parts(xy: Array, confidence: Array, loose: float | None = None) -> tuple[Array, Array]:
    """Hands far from their arm, and a face far from its head, are not found: filling a gap left them behind.

    Args:
        xy: (T, 137, 2) in pixels.
        confidence: (T, 137).
        loose: how far is far, as a share of the person's extent; ``LOOSE`` by default.
    """
    farthest, confidence = (LOOSE if loose is None else loose) * extents(xy, confidence), confidence.copy()
    for joint, same, part in HELD:
        both = (confidence[:, joint] > 0) & (confidence[:, same] > 0)
        apart = np.linalg.norm(xy[:, joint] - xy[:, same], axis=1)
        confidence[both & (apart > farthest), part] = 0
    return np.where((confidence > 0)[..., None], xy, np.float32(0)), confidence


def median_of_known(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Median over the last axis without the NaNs; 0 where there is nothing else."""
    ordered = np.sort(windows, axis=-1)  # NaNs go last
    count = np.isfinite(ordered).sum(-1, keepdims=True)
    low, high = np.maximum((count - 1) // 2, 0), np.maximum(count // 2, 0)
    high = np.minimum(high, ordered.shape[-1] - 1)
    middle = (np.take_along_axis(ordered, low, -1) + np.take_along_axis(ordered, high, -1))[..., 0] / 2
    return np.nan_to_num(middle)


def _outlier_step(keypoints: Keypoints) -> _Step:
    """A joint far from where it was before and where it is after, while these two are close, was not there.

    An outlier of up to ``longest`` frames lies between a frame before it and one after it, ``longest + 1`` apart. So
    each frame is compared with all such pairs around it: at 30 frames a second with its two neighbours.
    """
    threshold = OUTLIER * _typical_extent(keypoints)
    longest = max(1, round(OUTLIER_SECONDS * float(keypoints.fps)))

    def change(xy: Array, confidence: Array) -> tuple[Array, Array]:
        found = confidence > 0
        outlier = np.zeros_like(found)
        tested = max(len(xy) - longest - 1, 0)
        for earlier in range(1, longest + 1):
            before, here, after = (slice(first, first + tested) for first in (0, earlier, longest + 1))
            known = found[before] & found[here] & found[after]
            there = np.linalg.norm(xy[here] - xy[before], axis=-1)
            back = np.linalg.norm(xy[here] - xy[after], axis=-1)
            apart = np.linalg.norm(xy[after] - xy[before], axis=-1)
            away = np.minimum(there, back)
            outlier[here] |= known & (away > threshold) & (apart < 0.5 * away)
        return np.where(outlier[..., None], 0, xy), np.where(outlier, 0, confidence)

    return _Step(change, longest)


def _typical_extent(keypoints: Keypoints) -> float:
    """Median size of the person over the video, in pixels, at least 1."""
    sizes = [extents(keypoints.xy[block], keypoints.confidence[block]) for block in blocks(len(keypoints))]
    known = np.concatenate(sizes) if sizes else np.zeros(0, np.float32)
    known = known[np.isfinite(known)]
    return float(max(np.median(known), 1.0)) if known.size else 1.0


def _gap_step(keypoints: Keypoints, longest: float) -> _Step:
    """Gaps of up to ``longest`` seconds are filled."""
    most = int(longest * keypoints.fps)
    most_at_ends = min(most, round(SHOT_ENDS * keypoints.fps))

    def change(xy: Array, confidence: Array) -> tuple[Array, Array]:
        frames = len(xy)
        index = np.arange(frames, dtype=np.int32)[:, None]
        found = confidence > 0
        before = np.maximum.accumulate(np.where(found, index, -1), axis=0)
        after = np.minimum.accumulate(np.where(found, index, frames)[::-1], axis=0)[::-1]
        length = after - before - 1
        inside = (before >= 0) & (after < frames)
        at_end = (before >= 0) ^ (after < frames)
        rows, joints = np.nonzero(~found & ((inside & (length <= most)) | (at_end & (length <= most_at_ends))))
        first, last = before[rows, joints], after[rows, joints]
        weight = ((rows - first) / (last - first)).astype(np.float32)
        first, last = np.where(first < 0, last, first), np.where(last == frames, first, last)
        xy, confidence = xy.copy(), confidence.copy()
        xy[rows, joints] += (1 - weight[:, None]) * xy[first, joints] + weight[:, None] * xy[last, joints]
        confidence[rows, joints] = FILLED_CONFIDENCE * np.minimum(confidence[first, joints], confidence[last, joints])
        return xy, confidence

    return _Step(change, most)


def _smoothing(keypoints: Keypoints, median: float, gaussian: float) -> list[_Step]:
    """The steps of ``smooth``."""
    steps = []
    reach = round(median * float(keypoints.fps))
    if reach:
        steps.append(_Step(partial(_median, reach=reach), reach))
    sigma = gaussian * float(keypoints.fps)
    if sigma:
        steps.append(_Step(partial(_gaussian, sigma=sigma), int(TRUNCATED * sigma + 0.5)))
    return steps


def _median(xy: Array, confidence: Array, reach: int) -> tuple[Array, Array]:
    """The median of ``2 * reach + 1`` frames, of those in which the joint was found; the ends are reflected."""
    found = (confidence > 0)[..., None]
    reach = min(reach, len(xy) - 1)
    padded = np.pad(np.where(found, xy, np.nan), ((reach, reach), (0, 0), (0, 0)), "reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
    return np.asarray(np.where(found, median_of_known(windows), 0), np.float32), confidence


def _gaussian(xy: Array, confidence: Array, sigma: float) -> tuple[Array, Array]:
    """The mean weighted by a Gaussian of ``sigma`` frames, over those in which the joint was found."""
    found = confidence > 0

    def filtered(values: Array) -> Array:
        return ndimage.gaussian_filter1d(values, sigma, axis=0, mode="reflect", truncate=TRUNCATED)

    weight, total = filtered(found.astype(np.float32)), filtered(np.where(found[..., None], xy, 0))
    smoothed = np.where(found[..., None], total / np.maximum(weight, 1e-6)[..., None], 0)
    return smoothed.astype(np.float32), confidence


def _filtered(keypoints: Keypoints, cuts: Sequence[int], steps: Sequence[_Step]) -> Keypoints:
    """Apply the steps to each shot, a block of frames at a time, with as many around it as they reach."""
    reach = sum(step.reach for step in steps)
    xy, confidence = np.empty_like(keypoints.xy), np.empty_like(keypoints.confidence)
    for shot in shots(len(keypoints), cuts):
        for block in blocks(shot.stop, shot.start):
            around = slice(max(block.start - reach, shot.start), min(block.stop + reach, shot.stop))
            part = keypoints.xy[around], keypoints.confidence[around]
            for step in steps:
                part = step.change(*part)
            inner = slice(block.start - around.start, block.stop - around.start)
            xy[block], confidence[block] = part[0][inner], part[1][inner]
    return replace(keypoints, xy=xy, confidence=confidence)
