"""Global pose normalization: the source's dance moved and scaled into the target's place.

DESIGN.md section 2. One similarity (a scale and a shift) for all joints of a frame; with level feet inside the
source's range it is the mission document's formula,

    b     = t_far + (a - s_far) / (s_close - s_far) * (t_close - t_far) - f
    scale = t_far_h / s_far_h + (a - s_far) / (s_close - s_far) * (t_close_h / s_close_h - t_far_h / s_far_h)

and onto oneself it is the identity.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from everybody_dance.errors import DanceError
from everybody_dance.keypoints import Keypoints
from everybody_dance.retarget.statistics import (
    DepthRange,
    Line,
    PoseStatistics,
    ground_line,
    hip_line,
    pose_statistics,
    root,
)

logger = logging.getLogger(__name__)

SMALL_RANGE = 0.02
"""A source that moves less than this share of its height in depth has none to follow: it stays halfway."""

OFTEN_CLAMPED = 0.2
"""Beyond this share of frames outside the source's own depth range, the user is told."""


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


def normalize(
    source: Keypoints, target: PoseStatistics, target_size: tuple[int, int], cuts: Sequence[int] = ()
) -> Normalized:
    """Move and scale ``source`` to where the target person dances.

    Args:
        source: keypoints of the source video, in its own frame.
        target: statistics of the target's training footage, in pixels of a frame of ``target_size`` (W, H).
        cuts: first frames of new shots in the source.

    Raises:
        DanceError: nobody is seen in the source (``no-person``).
    """
    if not source.person_seen.any():
        raise DanceError("no-person", "No person was found in any frame of the source.")
    own = pose_statistics(source, cuts)
    line, here, there = _matching_ranges(source, own, target, cuts)
    if line is None or here is None or there is None:
        logger.warning("Too little of the body is seen to place the source in the target's scene; it stays as it is.")
        placed = place_unchanged(source, target_size)
        factor = placed_scale(source.size, target_size)
        lowest = np.full(len(source), float(target_size[1]))
        return Normalized(placed, np.full(len(source), factor), lowest, 0.0, 1.0, False)
    by_feet = there is not target.hips
    there = _guard_range(here, there)

    share = here.extent / here.height_at(here.median)
    if share < SMALL_RANGE:
        p, clamped = np.full(len(source), 0.5), np.zeros(len(source), bool)
    else:
        free = (line - here.far) / here.extent
        p = np.clip(free, 0, 1)
        clamped = free != p
    source_level = here.far + p * here.extent
    target_level = there.far + p * there.extent
    far_scale, close_scale = there.far_height / here.far_height, there.close_height / here.close_height
    scale = far_scale + p * (close_scale - far_scale)

    root_x = root(source)[:, 0]
    sideways = _sideways_that_fits(source, scale, root_x - own.center_x, root_x, target.center_x, target_size[0])
    center = target.center_x + scale * sideways * (root_x - own.center_x)
    shift = np.stack([center - scale * root_x, target_level - scale * source_level], axis=1)  # (T, 2)
    xy = source.xy * scale[:, None, None] + shift[:, None]

    clamped_share = float(clamped[source.person_seen].mean())
    if clamped_share > OFTEN_CLAMPED:
        logger.warning(
            "In %.0f %% of the frames the source is farther or closer than its usual range; "
            "its size stays at the nearest end of the range there.",
            100 * clamped_share,
        )
    if sideways < 1:
        logger.warning(
            "The source moves farther sideways than fits the target's picture; its travel is shrunk to %.0f %%.",
            100 * sideways,
        )
    keypoints = _in_frame(source, xy, target_size)
    return Normalized(keypoints, scale, target_level, clamped_share, sideways, by_feet)


def place_unchanged(source: Keypoints, target_size: tuple[int, int]) -> Keypoints:
    """The source as it stands: scaled to fit ``target_size`` (W, H) whole, in the middle, without normalization."""
    factor = placed_scale(source.size, target_size)
    border = (np.array(target_size) - factor * np.array(source.size)) / 2
    return _in_frame(source, source.xy * factor + border, target_size)


def placed_scale(size: tuple[int, int], target_size: tuple[int, int]) -> float:
    """The largest scale at which a picture of ``size`` fits ``target_size``."""
    return min(target_size[0] / size[0], target_size[1] / size[1])


def _matching_ranges(
    source: Keypoints, own: PoseStatistics, target: PoseStatistics, cuts: Sequence[int]
) -> tuple[Line | None, DepthRange | None, DepthRange | None]:
    """The source's depth line, and both ranges by the same measure: the ground, or the hips where feet are unseen."""
    if own.ground is not None and target.ground is not None:
        return ground_line(source, cuts), own.ground, target.ground
    whose = "source" if own.ground is None else "target"
    logger.warning("The feet are never seen in the %s, so hips and torso are aligned instead of the ground.", whose)
    return hip_line(source, cuts), own.hips, target.hips


def _guard_range(here: DepthRange, there: DepthRange) -> DepthRange:
    """The target's range, shrunk about its median where the source moves less in depth for its height."""
    wanted = here.extent / here.height_at(here.median) * there.height_at(there.median)
    return there.shrunk(wanted / there.extent) if there.extent > wanted else there


def _sideways_that_fits(
    source: Keypoints, scale: Line, travel: Line, root_x: Line, center_x: float, width: int
) -> float:
    """The largest share in [0, 1] of the sideways ``travel`` (T,) that keeps the body in a picture ``width`` wide.

    One frame in a hundred may reach out: a misplaced joint must not take the dance's travel away.
    """
    x = source.xy[..., 0].astype(np.float64)
    # What lies beyond the source's own edges was out of the picture there as well.
    inside = source.found & (x >= 0) & (x <= source.size[0])
    centered = (root_x >= 0) & (root_x <= source.size[0])
    reach_left = (root_x - np.where(inside, x, np.inf).min(axis=1)).clip(0)
    reach_right = (np.where(inside, x, -np.inf).max(axis=1) - root_x).clip(0)
    room = np.where(travel < 0, center_x - scale * reach_left, width - center_x - scale * reach_right)
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
