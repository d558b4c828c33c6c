"""Retargeting as it comes: the twin of ``normalize`` for live use, which knows the past alone."""

from collections import deque
from fractions import Fraction

import numpy as np

from everybody_dance.keypoints import Keypoints, Pose
from everybody_dance.retarget.normalize import Retargeting
from everybody_dance.retarget.statistics import (
    BRIDGED,
    LOW_PASS,
    PoseStatistics,
    hip_heights,
    lower_ankle,
    measure,
    root,
)

REMEMBERED = 60.0
"""Seconds of the source that a fit looks back on."""


class CausalRetargeting:
    """Places one pose after another in the target's place.

    It is fitted to what has been seen, after the first second and whenever ``refit`` is called, and uses the same
    ``Retargeting`` as a whole clip. Its depth line is the same rolling percentiles over the last second instead of the
    second around, and an exponential average in the Gaussian's place, so it follows a walk half a second late.

    Args:
        target: statistics of the target's training footage, in pixels of a frame of ``size`` (W, H).
        size: of the target's frames.
        source_size: (W, H) of the source's frames.
        fps: frames a second.
    """

    def __init__(self, target: PoseStatistics, size: tuple[int, int], source_size: tuple[int, int], fps: float) -> None:
        self._target, self._size, self._source_size, self._fps = target, size, source_size, fps
        self._seen: deque[Pose] = deque(maxlen=max(round(REMEMBERED * fps), 1))
        self._fitted: Retargeting | None = None
        self._reset_line()

    @property
    def retargeting(self) -> Retargeting | None:
        """The fit in use; None before anybody was seen."""
        return self._fitted

    def refit(self) -> None:
        """Fit anew to what has been seen in the last minute."""
        if self._seen:
            keypoints = self._clip(list(self._seen))
            self._fitted = Retargeting.fit(keypoints, measure(keypoints), self._target, self._size)
            self._reset_line()

    def step(self, pose: Pose | None, cut: bool = False) -> Pose | None:
        """The next pose in the target's place; None where nobody is seen.

        Args:
            pose: filtered, in the source's frame.
            cut: whether the frame begins a new shot, before which the depth line does not count.
        """
        if cut:
            self._reset_line()
        if pose is None or not pose.person_seen:
            return None
        self._seen.append(pose)
        # The first guess is made on one frame; after a second there is something to measure.
        if self._fitted is None or len(self._seen) == round(self._fps):
            self.refit()
        assert self._fitted is not None
        clip = self._clip([pose])
        return self._fitted.place(pose, self._line(clip), float(root(clip)[0, 0]))

    def _clip(self, poses: list[Pose]) -> Keypoints:
        xy, confidence = np.stack([pose.xy for pose in poses]), np.stack([pose.confidence for pose in poses])
        return Keypoints(xy, confidence, self._source_size, Fraction(self._fps).limit_denominator(1001))

    def _reset_line(self) -> None:
        length = 2 * round(BRIDGED * self._fps / 2) + 1
        self._heights: deque[float] = deque(maxlen=length)
        self._raised: deque[float] = deque(maxlen=length)
        self._smooth: float | None = None

    def _line(self, clip: Keypoints) -> float:
        """The depth line at this frame."""
        by_feet = self._fitted is not None and self._fitted.by_feet
        height = float((lower_ankle(clip) if by_feet else hip_heights(clip))[0])
        if np.isfinite(height):
            self._heights.append(height)
        if not self._heights:
            return float(root(clip)[0, 1])
        self._raised.append(float(np.percentile(self._heights, 90)))
        closed = float(np.percentile(self._raised, 10))
        weight = 1 - float(np.exp(-1 / (LOW_PASS * self._fps)))
        self._smooth = closed if self._smooth is None else self._smooth + weight * (closed - self._smooth)
        return self._smooth
