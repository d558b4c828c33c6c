"""The causal twin of ``normalize``: poses placed one by one, as a camera gives them, with the past alone."""

import math
from collections import deque
from fractions import Fraction

import numpy as np

from everybody_dance import events
from everybody_dance.keypoints import Keypoints, Pose
from everybody_dance.retarget.normalize import Retargeting
from everybody_dance.retarget.statistics import (
    LOW_PASS,
    RAISED_TO,
    PoseStatistics,
    bridged_frames,
    hip_heights,
    lower_ankle,
    measure,
    root,
)

REMEMBERED = 60.0
"""Seconds of the source that a fit looks back on."""


class CausalLine:
    """The causal twin of ``statistics.ground_line`` and ``hip_line``.

    The 90th percentile over the last second bridges jumps and lifted feet; an exponential mean with the time constant
    ``LOW_PASS`` smooths. A second percentile is not needed: looking back alone, the line never runs ahead. It follows
    a person who comes closer after 0.25 s, and one who goes away after about a second, because until then that looks
    like a jump.

    Args:
        fps: frames a second.
    """

    def __init__(self, fps: float) -> None:
        self._recent: deque[float] = deque()
        self._level = math.nan
        self.retime(fps)

    def retime(self, fps: float) -> None:
        """Expect ``fps`` frames a second from here on; what was seen so far is kept."""
        frames = bridged_frames(fps)
        missing = [self._recent[0]] * max(frames - len(self._recent), 0) if self._recent else []
        self._recent = deque([*missing, *self._recent], maxlen=frames)
        self._follows = 1 - math.exp(-1 / (LOW_PASS * fps))

    def step(self, height: float, cut: bool = False) -> float:
        """The level of the line; NaN as long as no height is known.

        Args:
            height: y of the lower ankle (or the hips) in the next frame; NaN where it is not known.
            cut: whether the frame begins a new shot: then the line begins anew.
        """
        if cut:
            self._recent.clear()
        if math.isfinite(height):
            if not self._recent:
                self._recent.extend([height] * (self._recent.maxlen or 1))
                self._level = height
            self._recent.append(height)
        elif self._recent:
            self._recent.append(self._recent[-1])
        else:
            return math.nan
        raised = sorted(self._recent)[int(len(self._recent) * RAISED_TO / 100)]
        self._level += self._follows * (raised - self._level)
        return self._level


class CausalRetargeting:
    """Places one pose after another in the target's place.

    It is fitted to what has been seen, after the first second and whenever ``refit`` is called, and uses the same
    ``Retargeting`` as a whole clip, with ``CausalLine`` for the depth line. At a refit the placement may jump, unless
    it glides.

    Args:
        target: statistics of the target's training footage, in pixels of a frame of ``size`` (W, H).
        size: of the target's frames.
        source_size: (W, H) of the source's frames.
        fps: frames a second.
        bones: one of ``BONES``: whose proportions the poses get. The source's are known after some seconds; until a
            ``refit`` then, they stay as they are.
        glide: seconds in which the placement passes from one fit to the next; 0: it jumps.
    """

    def __init__(
        self,
        target: PoseStatistics,
        size: tuple[int, int],
        source_size: tuple[int, int],
        fps: float,
        bones: str = "target",
        glide: float = 0.0,
    ) -> None:
        self._target, self._size, self._source_size, self._fps, self._bones = target, size, source_size, fps, bones
        self._seen: deque[tuple[Pose, bool]] = deque(maxlen=max(round(REMEMBERED * fps), 1))
        self._ground, self._hips = CausalLine(fps), CausalLine(fps)
        self._cut = False  # since the last person who was seen
        self._said: set[str] = set()
        self._fitted: Retargeting | None = None
        self._guessed = True  # from one frame
        self._glide = glide
        self._before: Retargeting | None = None  # the fit that a glide comes from
        self._passed = 1.0  # share of the glide that is done

    @property
    def retargeting(self) -> Retargeting | None:
        """The fit in use; None before anybody was seen."""
        return self._fitted

    def refit(self) -> bool:
        """Fit anew to what has been seen in the last minute. What the user should know is emitted, each code once.

        Returns:
            Whether anybody was seen; otherwise the fit stays.
        """
        if not self._seen:
            return False
        keypoints = self._clip([pose for pose, _ in self._seen])
        cuts = np.flatnonzero([cut for _, cut in self._seen]).tolist()
        self._before, self._passed = self._fitted, 0.0
        self._fitted = Retargeting.fit(keypoints, measure(keypoints, cuts), self._target, self._size, self._bones)
        for finding in self._fitted.findings:
            if finding.code not in self._said:
                self._said.add(finding.code)
                events.emit(finding)
        return True

    def forget(self) -> None:
        """Let the next ``refit`` see only what comes from here on; until then the fit in use stays."""
        self._seen.clear()

    def retime(self, fps: float) -> None:
        """Expect ``fps`` frames a second from here on; what was seen so far is kept."""
        self._fps = fps
        self._seen = deque(self._seen, maxlen=max(round(REMEMBERED * fps), 1))
        self._ground.retime(fps)
        self._hips.retime(fps)

    def step(self, pose: Pose | None, cut: bool = False) -> Pose | None:
        """The next pose in the target's place; None where nobody is seen.

        Args:
            pose: filtered, in the source's frame.
            cut: whether the frame begins a new shot, before which the depth line does not count.
        """
        self._cut |= cut
        if pose is None or not pose.person_seen:
            return None
        self._seen.append((pose, self._cut))
        # The first guess is made on one frame; after a second there is something to measure.
        enough = len(self._seen) >= round(self._fps)
        if self._fitted is None or (self._guessed and enough):
            self._guessed = not enough
            self.refit()
        assert self._fitted is not None
        clip = self._clip([pose])
        ground = self._ground.step(float(lower_ankle(clip)[0]), self._cut)
        hips = self._hips.step(float(hip_heights(clip, self._fitted.torso)[0]), self._cut)
        root_x = float(root(clip)[0, 0])
        placed = _placed(self._fitted, pose, ground, hips, root_x)
        self._passed = 1.0 if self._cut or not self._glide else min(self._passed + 1 / (self._glide * self._fps), 1.0)
        self._cut = False
        if self._before is None or self._passed == 1:
            return placed
        before = _placed(self._before, pose, ground, hips, root_x)
        share = np.float32(self._passed)
        # Whoever one of the fits places outside the picture has no place there to come from.
        xy = np.where((before.found & placed.found)[:, None], before.xy + share * (placed.xy - before.xy), placed.xy)
        return Pose(xy, placed.confidence)

    def _clip(self, poses: list[Pose]) -> Keypoints:
        return Keypoints.of(poses, self._source_size, Fraction(self._fps).limit_denominator(1001))


def _placed(fitted: Retargeting, pose: Pose, ground: float, hips: float, root_x: float) -> Pose:
    """``pose`` as a fit places it, given the levels of both depth lines."""
    level = ground if fitted.by_feet else hips
    if math.isnan(level) and fitted.here is not None:
        level = fitted.here.median
    return fitted.place(pose, level, root_x)
