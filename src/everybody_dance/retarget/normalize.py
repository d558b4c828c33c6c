"""Global pose normalization (retargeting): the source's dance moved and scaled into the target's place.

See docs/design.md, section 2. One similarity (a scale and a shift) for all joints of a frame; with level feet inside
the source's range it is the published formula (the paper, section 3.2),

    b     = t_far + (a - s_far) / (s_close - s_far) * (t_close - t_far) - f
    scale = t_far_h / s_far_h + (a - s_far) / (s_close - s_far) * (t_close_h / s_close_h - t_far_h / s_far_h)

and onto oneself it is the identity.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from everybody_dance import events
from everybody_dance.keypoints import Keypoints, Pose
from everybody_dance.retarget.statistics import DepthRange, Line, Measured, PoseStatistics, measure

SMALL_RANGE = 0.02
"""A source that moves less than this share of its height in depth is placed half-way in the target's range."""

OFTEN_CLAMPED = 0.2
"""The user is told when more than this share of the frames lies outside the source's own depth range."""


@dataclass(frozen=True)
class Normalized:
    """A source in the target's place.

    Attributes:
        keypoints: in the target's frame; joints that land outside it are not found.
        scale: (T,) the scale of each frame's similarity.
        ground: (T,) the y in the target's frame on which the source's ground line (or hips) lands.
        clamped_share: share of the frames with a person that lie outside the source's own depth range.
        sideways: what is left of the sideways travel, 1 where all of it fits.
        by_feet: whether the ground under the feet was aligned; False: hips and torso took its place.
    """

    keypoints: Keypoints
    scale: NDArray[np.float64]
    ground: NDArray[np.float64]
    clamped_share: float
    sideways: float
    by_feet: bool


@dataclass(frozen=True)
class Retargeting:
    """How a source's poses are moved and scaled into the target's place; fitted once, then applied frame by frame.

    Attributes:
        here, there: depth ranges of source and target by the same measure; None: too little is seen, and the source's
            picture is only fitted into the target's.
        by_feet: whether that measure is the ground under the feet; False: the hips.
        source_center, target_center: x of the middle of the stage in either frame, in pixels.
        sideways: share of the sideways travel that is left, 1 where all of it fits.
        source_size, size: (W, H) of the source's and of the target's frame.
    """

    here: DepthRange | None
    there: DepthRange | None
    by_feet: bool
    source_center: float
    target_center: float
    sideways: float
    source_size: tuple[int, int]
    size: tuple[int, int]

    @classmethod
    def fit(cls, source: Keypoints, own: Measured, target: PoseStatistics, size: tuple[int, int]) -> Self:
        """Fit a source to a target.

        Args:
            source: keypoints of the source, in its own frame.
            own: ``measure`` of them.
            target: statistics of the target's training footage, in pixels of a frame of ``size`` (W, H).
        """
        by_feet = own.statistics.ground is not None and target.ground is not None
        here, there = (statistics.ground if by_feet else statistics.hips for statistics in (own.statistics, target))
        centers = own.statistics.center_x, target.center_x
        if here is None or there is None:
            return cls(None, None, False, *centers, 1.0, source.size, size)
        whole = cls(here, _guard_range(here, there), by_feet, *centers, 1.0, source.size, size)
        line = own.ground if by_feet else own.hips
        assert line is not None
        scale = whole.depth(line)[1]
        return replace(whole, sideways=_sideways_that_fits(source, scale, own.root[:, 0], whole))

    def depth(self, line: Line) -> tuple[NDArray[np.bool_], Line, Line, Line]:
        """What the depth line (T,) of a source says, each (T,).

        Returns:
            Whether the frame lies outside the source's own range; the scale; the y in the source's frame that is
            aligned; and the y in the target's frame on which it lands.
        """
        here, there = self.here, self.there
        assert here is not None
        assert there is not None
        if here.extent / here.height_at(here.median) < SMALL_RANGE:
            p, clamped = np.full(len(line), 0.5), np.zeros(len(line), bool)
        else:
            free = (line - here.far) / here.extent
            p = np.clip(free, 0, 1)
            clamped = free != p
        far_scale, close_scale = there.far_height / here.far_height, there.close_height / here.close_height
        scale = far_scale + p * (close_scale - far_scale)
        return clamped, scale, here.far + p * here.extent, there.far + p * there.extent

    def shift(self, scale: Line, source_level: Line, target_level: Line, root_x: Line) -> NDArray[np.float64]:
        """The shift (T, 2) that goes with ``depth``, for a source whose root is at ``root_x`` (T,)."""
        center = self.target_center + scale * self.sideways * (root_x - self.source_center)
        return np.stack([center - scale * root_x, target_level - scale * source_level], axis=1)

    def place(self, pose: Pose, line: float, root_x: float) -> Pose:
        """One pose in the target's place.

        Args:
            pose: in the source's frame.
            line: y of its depth line, in that frame.
            root_x: x of its root.

        Returns:
            The pose in the target's frame; joints that land outside it are not found.
        """
        if self.here is None or self.there is None:
            factor = placed_scale(self.source_size, self.size)
            xy = pose.xy * factor + (np.array(self.size) - factor * np.array(self.source_size)) / 2
        else:
            _, scale, source_level, target_level = self.depth(np.array([line]))
            shift = self.shift(scale, source_level, target_level, np.array([root_x]))
            xy = pose.xy * scale[0] + shift[0]
        inside = ((xy >= 0) & (xy <= np.array(self.size))).all(axis=1)
        return Pose(xy.astype(np.float32), np.where(inside, pose.confidence, np.float32(0)))


def normalize(
    source: Keypoints, target: PoseStatistics, target_size: tuple[int, int], cuts: Sequence[int] = ()
) -> Normalized:
    """Move and scale ``source`` to where the target person dances: fitted on the whole clip, then placed.

    Args:
        source: keypoints of the source video, in its own frame.
        target: statistics of the target's training footage, in pixels of a frame of ``target_size`` (W, H).
        cuts: first frames of new shots in the source.

    Raises:
        DanceError: nobody is seen in the source (``no-person``).
    """
    own = measure(source, cuts)
    if own.statistics.ground is None or target.ground is None:
        whose = "source" if own.statistics.ground is None else "target"
        events.warn(
            "feet-not-seen",
            f"The feet are never seen in the {whose}, so hips and torso are aligned instead of the ground.",
            whose=whose,
        )
    fitted = Retargeting.fit(source, own, target, target_size)
    line = own.ground if fitted.by_feet else own.hips
    if fitted.here is None or line is None:
        events.warn(
            "too-little-seen",
            "Too little of the body is seen to place the source in the target's scene; it stays as it is.",
        )
        placed = place_unchanged(source, target_size)
        factor = placed_scale(source.size, target_size)
        lowest = np.full(len(source), float(target_size[1]))
        return Normalized(placed, np.full(len(source), factor), lowest, 0.0, 1.0, False)
    clamped, scale, source_level, target_level = fitted.depth(line)
    shift = fitted.shift(scale, source_level, target_level, own.root[:, 0])
    keypoints = _in_frame(source, source.xy * scale[:, None, None] + shift[:, None], target_size)
    clamped_share = float(clamped[source.person_seen].mean())
    _warn(clamped_share, fitted.sideways)
    return Normalized(keypoints, scale, target_level, clamped_share, fitted.sideways, fitted.by_feet)


def _warn(clamped_share: float, sideways: float) -> None:
    if clamped_share > OFTEN_CLAMPED:
        events.warn(
            "often-clamped",
            f"In {100 * clamped_share:.0f} % of the frames the source is farther or closer than its usual range; its"
            " size stays at the nearest end of the range there.",
            share=clamped_share,
        )
    if sideways < 1:
        events.warn(
            "travel-shrunk",
            "The source moves farther sideways than fits the target's picture; its travel is shrunk to"
            f" {100 * sideways:.0f} %.",
            left=sideways,
        )


def place_unchanged(source: Keypoints, target_size: tuple[int, int]) -> Keypoints:
    """The source as it stands: scaled to fit ``target_size`` (W, H) whole, in the middle, without normalization."""
    factor = placed_scale(source.size, target_size)
    border = (np.array(target_size) - factor * np.array(source.size)) / 2
    return _in_frame(source, source.xy * factor + border, target_size)


def placed_scale(size: tuple[int, int], target_size: tuple[int, int]) -> float:
    """The largest scale at which a picture of ``size`` fits ``target_size``."""
    return min(target_size[0] / size[0], target_size[1] / size[1])


def _guard_range(here: DepthRange, there: DepthRange) -> DepthRange:
    """The target's range, shrunk about its median where the source moves less in depth for its height."""
    wanted = here.extent / here.height_at(here.median) * there.height_at(there.median)
    return there.shrunk(wanted / there.extent) if there.extent > wanted else there


def _sideways_that_fits(source: Keypoints, scale: Line, root_x: Line, fitted: Retargeting) -> float:
    """The largest share in [0, 1] of the sideways travel that keeps the body in the target's picture.

    One frame in a hundred may reach out: a misplaced joint must not take the dance's travel away.
    """
    x = source.xy[..., 0].astype(np.float64)
    travel, center, width = root_x - fitted.source_center, fitted.target_center, fitted.size[0]
    # What lies beyond the source's own edges was out of the picture there as well.
    inside = source.found & (x >= 0) & (x <= source.size[0])
    centered = (root_x >= 0) & (root_x <= source.size[0])
    reach_left = (root_x - np.where(inside, x, np.inf).min(axis=1)).clip(0)
    reach_right = (np.where(inside, x, -np.inf).max(axis=1) - root_x).clip(0)
    room = np.where(travel < 0, center - scale * reach_left, width - center - scale * reach_right)
    moving = source.person_seen & inside.any(axis=1) & centered & (scale * np.abs(travel) > 0.01 * width)
    if not moving.any():
        return 1.0
    fits = room[moving].clip(0) / (scale * np.abs(travel))[moving]
    share = float(np.percentile(np.minimum(fits, 1), 1, method="lower"))
    return share if share < 0.999 else 1.0


def _in_frame(source: Keypoints, xy: NDArray[np.float64], size: tuple[int, int]) -> Keypoints:
    """``source`` at ``xy`` in a frame of ``size``, without the joints that lie outside it."""
    inside = ((xy >= 0) & (xy <= np.array(size))).all(axis=2)
    return replace(source, xy=xy.astype(np.float32), confidence=np.where(inside, source.confidence, 0), size=size)
