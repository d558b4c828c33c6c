"""Poses as a camera gives them, cleaned and placed in the target's place with the past alone: filter and retargeting.

Offline the same is done by ``filtering.clean`` and ``normalize``, which also look ahead.
"""

from collections import deque
from dataclasses import dataclass

from everybody_dance.keypoints import Pose
from everybody_dance.pose.causal_filter import CausalFilter
from everybody_dance.retarget.causal import CausalRetargeting
from everybody_dance.retarget.statistics import PoseStatistics

FIRST_RATE = 15.0
"""Poses a second that are expected before any were seen."""

RATE_SECONDS, RATE_POSES = 3.0, 5
"""The rate is that of the poses of so many seconds; it is known when there were so many."""

OTHER_RATE = 1.2
"""Filters are retimed when the rate has changed by this factor."""

REFITS = (4.0, 15.0, 40.0)
"""Seconds of the person after which the placement is fitted to all that was seen: the first second tells little."""

GLIDE = 1.5
"""Seconds in which the placement passes from one fit to the next."""

COUNTDOWN, LOOKING = 3.0, 2.0
"""Seconds of a calibration: for standing upright, and for being looked at."""


@dataclass(frozen=True, eq=False)
class Placement:
    """A pose in the target's place.

    Attributes:
        pose: cleaned, in pixels of the camera's frame.
        placed: in pixels of the performer's frame; None where nobody is seen.
        shot: number of the shot; with another one everything begins anew.
    """

    pose: Pose
    placed: Pose | None
    shot: int


class CausalPlacing:
    """Cleans and places one pose after the other, at whatever rate they come.

    Args:
        target: statistics of the target's footage, in pixels of a frame of ``size`` (W, H).
        size: of the target's frames.
        smoothing: one of ``SMOOTHINGS``.
        bones: one of ``BONES``.

    Attributes:
        missed: whether nobody was seen while the last calibration looked; the placement stayed as it was.
    """

    def __init__(self, target: PoseStatistics, size: tuple[int, int], smoothing: str, bones: str) -> None:
        self._target, self._size, self._bones = target, size, bones
        self._fps = FIRST_RATE
        self._filter = CausalFilter(self._fps, smoothing)
        self._times: deque[float] = deque()
        self._source_size = (0, 0)
        self._retargeting: CausalRetargeting | None = None
        self._seconds = self._before = 0.0  # for which the person was seen since the fit began; when the last pose was
        self._refits = deque(REFITS)
        self._seen, self._shot = False, 0
        self._looks: float | None = None  # when the calibration begins to look
        self._looking = False
        self.missed = False

    def calibrate(self, at: float) -> None:
        """Begin the countdown at the time ``at``; then the person is looked at, and the placement fitted anew."""
        self._looks, self._looking, self.missed = at + COUNTDOWN, False, False

    def countdown(self, at: float) -> float | None:
        """Seconds until the person is looked at, 0 while they are; None where nothing is being calibrated."""
        looks = self._looks
        return None if looks is None else max(looks - at, 0.0)

    def step(self, pose: Pose | None, size: tuple[int, int], at: float, cut: bool = False) -> Placement:
        """The next pose.

        Args:
            pose: as detected, in pixels of the camera's frame; None where nobody is seen.
            size: (W, H) of the camera's frame; with another one the fit begins anew.
            at: when the frame arrived, in seconds.
            cut: whether it begins a new shot.
        """
        if self._retargeting is None or size != self._source_size:
            self._source_size, cut = size, True
            self._retargeting = CausalRetargeting(self._target, self._size, size, self._fps, self._bones, glide=GLIDE)
            self._begin_fit()
        self._keep_time(at, self._retargeting)
        # Who was gone and is back begins anew: no joint comes from where it was before.
        cut |= pose is not None and not self._seen
        self._shot += cut
        cleaned = self._filter.step(pose, cut)
        self._seen = cleaned.person_seen
        placed = self._retargeting.step(cleaned, cut)
        if placed is not None:
            self._seconds += min(at - self._before, 1 / FIRST_RATE)
        self._before = at
        self._fit(at, self._retargeting)
        return Placement(cleaned, placed, self._shot)

    def _fit(self, at: float, retargeting: CausalRetargeting) -> None:
        looks = self._looks
        if looks is not None and at >= looks and not self._looking:
            self._looks, self._looking = at, True  # the camera may have been gone in the meantime
            retargeting.forget()
        elif looks is not None and self._looking and at >= looks + LOOKING:
            self._looks = None
            self.missed = not retargeting.refit()
            self._begin_fit()
        elif looks is None and self._refits and self._seconds >= self._refits[0]:
            self._refits.popleft()
            retargeting.refit()

    def _begin_fit(self) -> None:
        self._seconds, self._refits = 0.0, deque(REFITS)

    def _keep_time(self, at: float, retargeting: CausalRetargeting) -> None:
        if self._times and at - self._times[-1] > RATE_SECONDS:
            self._times.clear()
        self._times.append(at)
        while at - self._times[0] > RATE_SECONDS:
            self._times.popleft()
        if len(self._times) <= RATE_POSES or at == self._times[0]:
            return
        rate = (len(self._times) - 1) / (at - self._times[0])
        if not 1 / OTHER_RATE < rate / self._fps < OTHER_RATE:
            self._fps = rate
            self._filter.retime(rate)
            retargeting.retime(rate)
