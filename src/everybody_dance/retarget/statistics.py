"""Where a person stands in a video: the ground line, and how far, how close, how tall.

See docs/design.md, "Global pose normalization". The levels that the paper takes from the ankles' smallest and largest y
come from a ground line here, so that a jump or a lifted leg is not read as depth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy import ndimage

from everybody_dance.body_height import HEAD_TO_ANKLE, TORSO, body_height
from everybody_dance.errors import DanceError
from everybody_dance.keypoints import CONFIDENT, Array, Keypoints, in_blocks, shots
from everybody_dance.retarget.bones import BoneLength, bone_lengths
from everybody_dance.skeleton import ANKLES, BODY, HEAD_JOINTS, Joint

BRIDGED = 1.0
"""Seconds: the ground line passes below jumps and lifted feet that last less than this."""

GROUNDED = 0.02
"""Share of the height by which the lower ankle may leave the ground line in a frame that tells the height."""

RAISED_TO = 90
"""The ground line is raised to this percentile over ``BRIDGED`` seconds, and then lowered to 100 minus it."""

LOW_PASS = 0.15
"""Seconds: the standard deviation of the Gaussian that smooths the ground line."""

RARELY = 0.1
"""Feet found in less than this share of the frames with a person count as never seen."""

NEAR = 0.1
"""A frame is near the close (far) level when its ground line is within this share of the whole range."""

SHOULDERS_TO_TORSO = 1.3
"""Torso length over the width of the shoulders' joints, where no hips are ever seen."""

Line = NDArray[np.float64]


class DepthRange(BaseModel):
    """How far and how close a person comes, by the y of a line that follows depth.

    Attributes:
        far, median, close: levels of the line in pixels, far <= median <= close (the closer, the lower in the picture).
        far_height, close_height: the person's height from that line's ankle to the nose, in pixels, at those levels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    far: float
    median: float
    close: float
    far_height: float
    close_height: float

    @property
    def extent(self) -> float:
        """From far to close in pixels, never negative."""
        return self.close - self.far

    def height_at(self, level: float) -> float:
        """Height at ``level``, linear between far and close."""
        return float(self.heights_at(np.array([level]))[0])

    def heights_at(self, levels: Line) -> Line:
        """``height_at`` of each of ``levels`` (T,)."""
        if self.extent <= 0:
            return np.full(len(levels), (self.far_height + self.close_height) / 2)
        return np.interp(levels, [self.far, self.close], [self.far_height, self.close_height])

    def scaled(self, factor: float) -> "DepthRange":
        """The same range in a picture resized by ``factor``."""
        return DepthRange.model_validate({name: factor * value for name, value in self.model_dump().items()})

    def shrunk(self, factor: float) -> "DepthRange":
        """The range shrunk about its median by ``factor`` in [0, 1], with the heights at the new levels."""
        far = self.median - factor * (self.median - self.far)
        close = self.median + factor * (self.close - self.median)
        return DepthRange(
            far=far,
            median=self.median,
            close=close,
            far_height=self.height_at(far),
            close_height=self.height_at(close),
        )


class PoseStatistics(BaseModel):
    """Where a person stands in a video, in pixels of that video's frame.

    Attributes:
        center_x: x of the middle of the stage: half-way between the 5th and the 95th percentile of the hips' x.
        ground: by the ground line under the feet; None where feet (or enough of the body to measure) are never seen.
        hips: by the height of the hips, for footage that shows no feet; its heights are scaled up from the torso's
            length. None where not even that is seen.
        bones: how long each bone is that is seen well enough, by name (``retarget.bones.MEASURED``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    center_x: float
    ground: DepthRange | None
    hips: DepthRange | None
    bones: dict[str, BoneLength] = {}

    @property
    def feet_seen(self) -> bool:
        """Whether the feet were seen often enough to know the ground."""
        return self.ground is not None

    def scaled(self, factor: float) -> "PoseStatistics":
        """The same statistics in a picture resized by ``factor``."""
        return PoseStatistics(
            center_x=factor * self.center_x,
            ground=None if self.ground is None else self.ground.scaled(factor),
            hips=None if self.hips is None else self.hips.scaled(factor),
            bones=self.bones,
        )


@dataclass(frozen=True)
class Measured:
    """Where a person stands in a video, summed up and frame by frame.

    Attributes:
        statistics: of the whole video.
        root: (T, 2), as ``root`` returns it.
        ground: (T,), the ground line; None where feet are never seen.
        hips: (T,), the hip line; None where it is never known.
        torso: as ``torso_length`` returns it.
    """

    statistics: PoseStatistics
    root: NDArray[np.float64]
    ground: Line | None
    hips: Line | None
    torso: float


def pose_statistics(keypoints: Keypoints, cuts: Sequence[int] = ()) -> PoseStatistics:
    """The statistics of ``measure``."""
    return measure(keypoints, cuts).statistics


def measure(keypoints: Keypoints, cuts: Sequence[int] = ()) -> Measured:
    """Measure where the person stands; for training footage in the target's prepared frame, for a source in its own.

    Args:
        keypoints: of one video, or of several clips one after the other.
        cuts: first frames of new shots or clips; nothing is smoothed across them.

    Raises:
        DanceError: nobody is seen in any frame (``no-person``).
    """
    if not keypoints.person_seen.any():
        raise DanceError("no-person", "No person was found in any frame of the footage.")
    place, ground, hips = root(keypoints), ground_line(keypoints, cuts), hip_line(keypoints, cuts)
    by_ground = None if ground is None else _ground_range(keypoints, ground)
    by_hips = None if hips is None else _hips_range(keypoints, hips)
    bones = dict[str, BoneLength]()
    for line, depths in ((ground, by_ground), (hips, by_hips)):
        if line is not None and depths is not None:
            bones = bone_lengths(keypoints, depths.heights_at(line))
            break
    statistics = PoseStatistics(
        center_x=float(np.percentile(place[keypoints.person_seen, 0], (5, 95)).mean()),
        ground=by_ground,
        hips=by_hips,
        bones=bones,
    )
    return Measured(statistics, place, ground, hips, torso_length(keypoints))


def ground_line(keypoints: Keypoints, cuts: Sequence[int] = ()) -> Line | None:
    """The y (T,) of the ground under the person, at the height of a resting ankle; None where feet are never seen.

    The lower ankle's y, with jumps, lifted feet and gaps bridged: a rolling 90th percentile over a second, then a
    rolling 10th percentile (without it the line would run ahead of a person who walks to or from the camera), then
    a Gaussian; each shot by itself.
    """
    return _depth_line(lower_ankle(keypoints), keypoints, cuts)


def hip_line(keypoints: Keypoints, cuts: Sequence[int] = ()) -> Line | None:
    """The y (T,) of the middle of the hips, filtered like the ground line; None where it is never known.

    Where hips are not found, they are taken to be one torso below the neck.
    """
    return _depth_line(hip_heights(keypoints, torso_length(keypoints)), keypoints, cuts)


def bridged_frames(fps: float) -> int:
    """The frames, an odd number, of a window of ``BRIDGED`` seconds."""
    return 2 * round(BRIDGED * fps / 2) + 1


def root(keypoints: Keypoints) -> NDArray[np.float64]:
    """The middle of the hips (T, 2), else the neck, else the mean of the body joints found, else 0. Always finite."""
    return in_blocks(_root, keypoints)


def _root(xy: Array, confidence: Array) -> NDArray[np.float64]:
    found = confidence[:, BODY] > 0
    weights, body = found.astype(np.float64), xy[:, BODY].astype(np.float64)
    mean = (body * weights[..., None]).sum(axis=1) / np.maximum(weights.sum(axis=1), 1)[:, None]
    for joint in (Joint.NECK, Joint.MID_HIP):
        mean = np.where(found[:, joint, None], body[:, joint], mean)
    return np.asarray(mean, np.float64)


def lower_ankle(keypoints: Keypoints) -> Line:
    """float64 (T,): y of the lower confident ankle; NaN where there is none, and in handstands."""
    sure = keypoints.confidence[:, ANKLES] >= CONFIDENT  # a guess does not tell where the ground is
    lower = np.where(sure, keypoints.xy[:, ANKLES, 1], -np.inf).max(axis=1).astype(np.float64)
    upside_down = keypoints.found[:, Joint.MID_HIP] & (lower < keypoints.xy[:, Joint.MID_HIP, 1])
    return np.where(np.isfinite(lower) & ~upside_down, lower, np.nan)


def _torso(keypoints: Keypoints) -> Line:
    """(T,) length from neck to the middle of the hips; NaN where it is not seen."""
    ends = [Joint.NECK, Joint.MID_HIP]
    along = np.diff(keypoints.xy[:, ends].astype(np.float64), axis=1)[:, 0]
    return np.where(keypoints.found[:, ends].all(axis=1), np.hypot(along[:, 0], along[:, 1]), np.nan)


def torso_length(keypoints: Keypoints) -> float:
    """The torso's length in pixels, estimated from the shoulders where hips are never seen; NaN where unknown."""
    shoulders = [Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER]
    across = np.diff(keypoints.xy[:, shoulders].astype(np.float64), axis=1)[:, 0]
    wide = np.where(keypoints.found[:, shoulders].all(axis=1), np.hypot(across[:, 0], across[:, 1]), np.nan)
    return _percentile(_torso(keypoints), 95) or SHOULDERS_TO_TORSO * (_percentile(wide, 95) or np.nan)


def hip_heights(keypoints: Keypoints, torso: float) -> Line:
    """(T,): y of the middle of the hips, or of where they should be, one ``torso`` below the neck; NaN where unknown.

    Args:
        keypoints: (T frames).
        torso: as ``torso_length`` gives it for all that is known of the person: in one frame they may stand sideways.
    """
    below_neck = np.where(keypoints.found[:, Joint.NECK], keypoints.xy[:, Joint.NECK, 1] + torso, np.nan)
    return np.where(keypoints.found[:, Joint.MID_HIP], keypoints.xy[:, Joint.MID_HIP, 1], below_neck)


def _depth_line(heights: Line, keypoints: Keypoints, cuts: Sequence[int]) -> Line | None:
    """Bridge and smooth ``heights`` (T,), NaN where unknown; None where they are rarely known."""
    known = np.isfinite(heights)
    if known.sum() < max(RARELY * keypoints.person_seen.sum(), 1):
        return None
    window = bridged_frames(float(keypoints.fps))
    sigma = LOW_PASS * float(keypoints.fps)
    typical = float(np.median(heights[known]))
    line = np.empty(len(heights))
    for shot in shots(len(heights), cuts):
        here = np.flatnonzero(known[shot])
        if not here.size:
            line[shot] = typical
            continue
        filled = np.interp(np.arange(shot.stop - shot.start), here, heights[shot][here])
        raised = ndimage.percentile_filter(filled, RAISED_TO, window, mode="nearest")
        closed = ndimage.percentile_filter(raised, 100 - RAISED_TO, window, mode="nearest")
        line[shot] = ndimage.gaussian_filter1d(closed, sigma, mode="nearest")
    return line


def _ground_range(keypoints: Keypoints, line: Line) -> DepthRange | None:
    ankle = lower_ankle(keypoints)
    head = _head(keypoints)
    heights = line - head
    # A jump lifts the nose off the line, and a crouch, a bow or a cartwheel says nothing about height.
    with np.errstate(invalid="ignore"):
        grounded = np.abs(ankle - line) < GROUNDED * heights
    return _depth_range(line, heights, grounded & _upright(keypoints, ankle), keypoints)


def _hips_range(keypoints: Keypoints, line: Line) -> DepthRange | None:
    heights = _torso(keypoints) * (HEAD_TO_ANKLE / TORSO)
    return _depth_range(line, heights, np.isfinite(heights), keypoints)


def _head(keypoints: Keypoints) -> Line:
    """(T,) y of the nose, else the mean y of eyes and ears; NaN where no head was found."""
    found = keypoints.found[:, HEAD_JOINTS]
    count = found.sum(axis=1)
    mean = np.where(found, keypoints.xy[:, HEAD_JOINTS, 1], 0).sum(axis=1, dtype=np.float64) / np.maximum(count, 1)
    head = np.where(keypoints.found[:, Joint.NOSE], keypoints.xy[:, Joint.NOSE, 1], mean)
    return np.where(count > 0, head, np.nan)


def _upright(keypoints: Keypoints, ankle: Line) -> NDArray[np.bool_]:
    """(T,) whether the torso stands within about 25 degrees of upright, on legs that are mostly stretched."""
    torso = keypoints.xy[:, Joint.MID_HIP].astype(np.float64) - keypoints.xy[:, Joint.NECK]
    leg = ankle - keypoints.xy[:, Joint.MID_HIP, 1]
    seen = keypoints.found[:, [Joint.NECK, Joint.MID_HIP]].all(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(seen & (np.abs(torso[:, 0]) < 0.47 * torso[:, 1]) & (leg > 1.2 * torso[:, 1]))


def _depth_range(line: Line, heights: Line, trusted: NDArray[np.bool_], keypoints: Keypoints) -> DepthRange | None:
    """Levels and heights from a depth line and (T,) heights above it; None where no height can be measured.

    ``close`` is the 98th percentile, ``far`` the largest level below the median about as far from it as ``close`` is
    (within a tenth), else the 5th percentile. Never empty, never NaN.
    """
    seen = keypoints.person_seen
    levels = line[seen]
    close, median = float(np.percentile(levels, 98)), float(np.median(levels))
    opposite = levels[(levels < median) & (np.abs((median - levels) - (close - median)) < 0.1 * (close - median))]
    far = float(opposite.max()) if opposite.size else float(np.percentile(levels, 5))

    stature = in_blocks(body_height, keypoints) * HEAD_TO_ANKLE
    overall = _percentile(np.where(seen, heights, np.nan), 95)
    if overall is None or overall <= 0:
        overall = _percentile(np.where(stature > 0, stature, np.nan), 95)
    if overall is None:
        return None
    overall = max(overall, 1.0)

    # Never narrower than a hundredth of the height: a still person is near both ends.
    reach = max(NEAR * (close - far), 0.01 * overall)
    with np.errstate(invalid="ignore"):
        usable = seen & trusted & (heights >= 1)
    near_far, near_close = (
        _percentile(np.where(usable & (np.abs(line - level) <= reach), heights, np.nan), 95) or overall
        for level in (far, close)
    )
    return DepthRange(far=far, median=median, close=close, far_height=near_far, close_height=near_close)


def _percentile(values: Line, percent: float) -> float | None:
    """Percentile of the values that are known (not NaN); None where none is."""
    known = values[np.isfinite(values)]
    return float(np.percentile(known, percent)) if known.size else None
