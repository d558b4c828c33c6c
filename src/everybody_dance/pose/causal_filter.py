"""The causal twin of ``filtering.clean``: poses cleaned one by one, as a camera gives them."""

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from everybody_dance.keypoints import NOBODY, Array, Pose
from everybody_dance.pose.filtering import (
    FILLED_CONFIDENCE,
    HELD,
    LONGEST_GAP,
    MEDIAN_REACH,
    OUTLIER,
    OUTLIER_SECONDS,
    SIGMA,
    extents,
    median_of_known,
    smoothing_steps,
    without_loose_parts,
)
from everybody_dance.skeleton import JOINT_COUNT

SLOWEST = 24.0
"""Poses a second below which a joint may move farther from one to the next before it is said to jump."""

LEFT_BEHIND = 0.1
"""A hand that is farther from the arm's wrist than this share of the person's extent is not believed; a face likewise.

A detector looks for a hand where it was in the frame before. Where frames are rare, it has left that place.
"""

EXTENT_SECONDS = 1.0
"""The person's size, which outliers are measured by, is the median over this time."""


class CausalFilter:
    """Removes outliers, fills short gaps and smooths, without looking ahead.

    - **Outliers**: a joint that suddenly jumps is held where it was. If it stays away for longer than
      ``OUTLIER_SECONDS``, it really moved and is followed; if it comes back, nobody ever saw it jump. A joint that was
      moving that way already is never held.
    - **Gaps**: a joint that is missing stays where it was, with half of its confidence, for up to ``LONGEST_GAP``.
      Those of a hand or the face go along with the arm or the head.
    - **Smoothing**: the median over the last ``MEDIAN_REACH``, then an exponential mean with the time constant
      ``SIGMA`` in place of the Gaussian.

    **Latency**: none for ``none``, but for a sudden jump, which is shown 1/30 s late. Smoothed movement lags by about
    0.05 s (``median``), 0.02 to 0.03 s (``gaussian``) or 0.08 s (``both``).

    Args:
        fps: poses a second.
        smoothing: one of ``options.SMOOTHINGS``.

    Raises:
        ValueError: ``smoothing`` is not one of ``SMOOTHINGS``.
    """

    def __init__(self, fps: float, smoothing: str = "both") -> None:
        self._median, self._gaussian = smoothing_steps(smoothing)
        self._sizes: deque[float] = deque()
        self._recent = np.full((0, JOINT_COUNT, 2), np.nan, np.float32)
        self.retime(fps)
        self.reset()

    def retime(self, fps: float) -> None:
        """Expect ``fps`` poses a second from here on; what was seen so far is kept."""
        self._window = 1 + round(MEDIAN_REACH * fps) if self._median else 1
        self._follows = 1 - math.exp(-1 / (SIGMA * fps)) if self._gaussian else 1.0
        self._jump = OUTLIER * max(SLOWEST / fps, 1.0)
        self._longest_outlier = max(1, round(OUTLIER_SECONDS * fps))
        self._longest_gap = int(LONGEST_GAP * fps)
        self._sizes = deque(self._sizes, maxlen=max(1, round(EXTENT_SECONDS * fps)))
        kept = self._recent[-self._window :]
        missing = np.full((self._window - len(kept), JOINT_COUNT, 2), np.nan, np.float32)
        self._recent = np.concatenate([missing, kept])

    def reset(self) -> None:
        """Forget all poses so far, as at a cut."""
        self._sizes.clear()
        self._age = np.full(JOINT_COUNT, np.iinfo(np.int32).max // 2)  # frames since the joint was last believed
        self._believed = np.zeros((JOINT_COUNT, 2), np.float32)  # where that was
        self._confidence = np.zeros(JOINT_COUNT, np.float32)  # and with what confidence
        self._shown = np.zeros((JOINT_COUNT, 2), np.float32)  # where the joint was in the last result
        self._recent = np.full((self._window, JOINT_COUNT, 2), np.nan, np.float32)
        self._raw = np.full((JOINT_COUNT, 2), np.nan, np.float32)  # the last pose as it was found
        self._motion = np.full((JOINT_COUNT, 2), np.nan, np.float32)  # from the pose before to that one

    def step(self, pose: Pose | None, cut: bool = False) -> Pose:
        """The cleaned pose.

        Args:
            pose: as detected; None where nobody is seen.
            cut: whether it begins a new shot: then everything before is forgotten.
        """
        pose = pose or NOBODY
        xy, found = without_loose_parts(pose.xy[None], pose.confidence[None], LEFT_BEHIND)
        pose = Pose(xy[0], found[0])
        if cut:
            self.reset()
        self._age += 1
        believed = pose.found & ~self._suspects(pose)
        self._recent = np.roll(self._recent, -1, axis=0)
        self._recent[-1] = np.where(believed[:, None], pose.xy, np.nan)
        wanted = median_of_known(np.moveaxis(self._recent, 0, -1))
        # A joint that was gone for too long begins anew; it does not glide from where it was.
        anew = (self._age > self._longest_gap + 1) | (self._follows == 1)
        smoothed = self._shown + np.float32(self._follows) * (wanted - self._shown)
        smoothed = np.where(anew[:, None], wanted, smoothed)
        before, self._shown = self._shown, np.where(believed[:, None], smoothed, self._shown)
        self._believed = np.where(believed[:, None], pose.xy, self._believed)
        for joint, _, part in HELD:
            if believed[joint] and self._age[joint] <= self._longest_gap + 1:
                carried = (self._shown[joint] - before[joint]) * ~believed[part, None]
                self._shown[part] += carried
                self._believed[part] += carried
        self._confidence = np.where(believed, pose.confidence, self._confidence)
        self._age[believed] = 0
        held = ~believed & (self._age <= self._longest_gap)
        confidence = np.where(believed, pose.confidence, np.where(held, FILLED_CONFIDENCE * self._confidence, 0))
        shown, confidence = without_loose_parts(self._shown[None], confidence[None].astype(np.float32))
        return Pose(shown[0], confidence[0])

    def _suspects(self, pose: Pose) -> NDArray[np.bool_]:
        """bool (137,): joints that jumped just now, and may be back in a moment."""
        size = float(extents(pose.xy[None], pose.confidence[None])[0])
        if math.isfinite(size):
            self._sizes.append(size)
        far = self._jump * max(float(np.median(self._sizes)), 1.0) if self._sizes else math.inf
        raw = np.where(pose.found[:, None], pose.xy, np.nan)
        motion = raw - self._raw
        along = (motion * self._motion).sum(axis=1)
        # Comparisons with NaN, where a joint was not found, are False.
        moving_on = (_length(self._motion) > far / 2) & (along > 0)
        self._raw, self._motion = raw, motion
        recent = self._age <= self._longest_outlier
        jumped = _length(pose.xy - self._believed) > far
        return np.asarray(recent & pose.found & jumped & ~moving_on)


def _length(vectors: Array) -> Array:
    return np.asarray(np.linalg.norm(vectors, axis=1), np.float32)
