"""Global pose normalization (retargeting): the source's dance moved and scaled into the target's place.

See docs/design.md, section 2. One similarity (a scale and a shift) for all joints of a frame; with level feet inside
the source's range it is the published formula (the paper, section 3.2),

    b     = t_far + (a - s_far) / (s_close - s_far) * (t_close - t_far) - f
    scale = t_far_h / s_far_h + (a - s_far) / (s_close - s_far) * (t_close_h / s_close_h - t_far_h / s_far_h)

and onto oneself it is the identity. Then the bones are made as long as the target's (``bones``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from everybody_dance import events
from everybody_dance.events import Finding
from everybody_dance.keypoints import Array, Keypoints, Pose, blocks, in_blocks, is_inside
from everybody_dance.retarget.bones import ALOFT, ALONG, LARGEST_RATIO, bone_ratios, with_bones
from everybody_dance.retarget.options import BONES
from everybody_dance.retarget.statistics import DepthRange, Line, Measured, PoseStatistics, measure
from everybody_dance.skeleton import ANKLES

SMALL_RANGE = 0.02
"""A source that moves less than this share of its height in depth is placed half-way in the target's range."""

OFTEN_CLAMPED = 0.2
"""The user is told when more than this share of the frames lies outside the source's own depth range."""


@dataclass(frozen=True)
class Normalized:
    """A source in the target's place.

    Attributes:
        keypoints: in the target's frame, as ``in_picture`` leaves them.
        scale: (T,) the scale of each frame's similarity.
        ground: (T,) the y in the target's frame on which the source's ground line (or hips) lands.
        clamped_share: share of the frames with a person that lie outside the source's own depth range.
        sideways: what is left of the sideways travel, 1 where all of it fits.
        by_feet: whether the ground under the feet was aligned; False: hips and torso took its place.
        bones: how many times as long as the source's each bone is, by name; empty where they were left as they are.
    """

    keypoints: Keypoints
    scale: NDArray[np.float64]
    ground: NDArray[np.float64]
    clamped_share: float
    sideways: float
    by_feet: bool
    bones: Mapping[str, float] = field(default_factory=dict)


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
        torso: the source's, in pixels (``statistics.torso_length``).
        findings: what the user should know of the fit.
        bones: as in ``Normalized``.
    """

    here: DepthRange | None
    there: DepthRange | None
    by_feet: bool
    source_center: float
    target_center: float
    sideways: float
    source_size: tuple[int, int]
    size: tuple[int, int]
    torso: float
    findings: tuple[Finding, ...] = ()
    bones: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def fit(
        cls, source: Keypoints, own: Measured, target: PoseStatistics, size: tuple[int, int], bones: str = "target"
    ) -> Self:
        """Fit a source to a target.

        Args:
            source: keypoints of the source, in its own frame.
            own: ``measure`` of them.
            target: statistics of the target's training footage, in pixels of a frame of ``size`` (W, H).
            bones: one of ``BONES``: whose proportions the dance gets.
        """
        if bones not in BONES:
            raise ValueError(f"bones must be one of {BONES}, not {bones!r}")
        by_feet = own.statistics.ground is not None and target.ground is not None
        here, there = (statistics.ground if by_feet else statistics.hips for statistics in (own.statistics, target))
        centers = own.statistics.center_x, target.center_x
        line = own.ground if by_feet else own.hips
        if here is None or there is None or line is None:
            findings = (_too_little_seen(),)
            return cls(None, None, False, *centers, 1.0, source.size, size, own.torso, findings)
        ratios = bone_ratios(own.statistics.bones, target.bones, ALONG if by_feet else ALOFT)
        whole = cls(
            *(here, _guard_range(here, there), by_feet, *centers, 1.0, source.size, size, own.torso),
            bones=ratios if bones == "target" else {},
        )
        clamped, scale, _, _ = whole.depth(line)
        if bones == "target" and own.statistics.ground is None:
            whole = replace(whole, bones=dict(whole.bones) | _legs_to_floor(source, line, scale, target))
        fitted = replace(whole, sideways=_sideways_that_fits(source, scale, own.root[:, 0], whole))
        whose = None if by_feet else "source" if own.statistics.ground is None else "target"
        return replace(fitted, findings=_findings(whose, float(clamped[source.person_seen].mean()), fitted.sideways))

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

    def move(self, xy: Array, confidence: Array, scale: Line, shift: Line, target_level: Line) -> NDArray[np.float64]:
        """Keypoints in the target's place.

        Args:
            xy, confidence: (T, 137, 2) and (T, 137), in the source's frame.
            scale, target_level: (T,), from ``depth``.
            shift: (T, 2), from ``shift``.
        """
        placed = np.asarray(xy * scale[:, None, None] + shift[:, None], np.float64)
        if all(ratio == 1 for ratio in self.bones.values()):
            return placed
        ground = np.stack([np.full(len(xy), self.target_center), target_level], axis=1) if self.by_feet else None
        return with_bones(placed, confidence, self.bones, self.torso * scale, ground)

    def place(self, pose: Pose, line: float, root_x: float) -> Pose:
        """One pose in the target's place.

        Args:
            pose: in the source's frame.
            line: y of its depth line, in that frame.
            root_x: x of its root.

        Returns:
            The pose in the target's frame, as ``in_picture`` leaves it.
        """
        if self.here is None or self.there is None:
            factor, border = fit_whole(self.source_size, self.size)
            xy = pose.xy * factor + border
        else:
            _, scale, source_level, target_level = self.depth(np.array([line]))
            shift = self.shift(scale, source_level, target_level, np.array([root_x]))
            xy = self.move(pose.xy[None], pose.confidence[None], scale, shift, target_level)[0]
        return Pose(*in_picture(xy, pose.confidence, self.size))


def normalize(
    source: Keypoints,
    target: PoseStatistics,
    target_size: tuple[int, int],
    cuts: Sequence[int] = (),
    bones: str = "target",
) -> Normalized:
    """Move and scale ``source`` to where the target person dances: fitted on the whole clip, then placed.

    Args:
        source: keypoints of the source video, in its own frame.
        target: statistics of the target's training footage, in pixels of a frame of ``target_size`` (W, H).
        cuts: first frames of new shots in the source.
        bones: one of ``BONES``: whose proportions the dance gets.

    Raises:
        DanceError: nobody is seen in the source (``no-person``).
    """
    own = measure(source, cuts)
    fitted = Retargeting.fit(source, own, target, target_size, bones)
    for finding in fitted.findings:
        events.emit(finding)
    line = own.ground if fitted.by_feet else own.hips
    if fitted.here is None or line is None:
        placed = place_unchanged(source, target_size)
        factor, _ = fit_whole(source.size, target_size)
        lowest = np.full(len(source), float(target_size[1]))
        return Normalized(placed, np.full(len(source), factor), lowest, 0.0, 1.0, False)
    clamped, scale, source_level, target_level = fitted.depth(line)
    shift = fitted.shift(scale, source_level, target_level, own.root[:, 0])
    keypoints = _moved(
        source,
        target_size,
        lambda block: fitted.move(
            source.xy[block], source.confidence[block], scale[block], shift[block], target_level[block]
        ),
    )
    clamped_share = float(clamped[source.person_seen].mean())
    return Normalized(keypoints, scale, target_level, clamped_share, fitted.sideways, fitted.by_feet, fitted.bones)


def _too_little_seen() -> Finding:
    message = "Too little of the body is seen to place the source in the target's scene; it stays as it is."
    return Finding("too-little-seen", "warning", message)


def _findings(whose: str | None, clamped_share: float, sideways: float) -> tuple[Finding, ...]:
    """What the user should know of a fit.

    Args:
        whose: feet are never seen, the source's or the target's; None: both are seen.
        clamped_share, sideways: as in ``Normalized``.
    """
    findings = []
    if whose is not None:
        message = f"The feet are never seen in the {whose}, so hips and torso are aligned instead of the ground."
        findings.append(Finding("feet-not-seen", "warning", message, {"whose": whose}))
    if clamped_share > OFTEN_CLAMPED:
        message = (
            f"In {100 * clamped_share:.0f} % of the frames the source is farther or closer than its usual range; its"
            " size stays at the nearest end of the range there."
        )
        findings.append(Finding("often-clamped", "warning", message, {"share": clamped_share}))
    if sideways < 1:
        percent = round(100 * sideways)
        left = f"is shrunk to {percent} %" if percent else "is left out, and the dance stays in one place"
        message = f"The source moves farther sideways than fits the target's picture; its travel {left}."
        findings.append(Finding("travel-shrunk", "warning", message, {"left": sideways}))
    return tuple(findings)


def _legs_to_floor(source: Keypoints, hips: Line, scale: Line, target: PoseStatistics) -> dict[str, float]:
    """Ratios with which legs below the source's picture, which are guesses, end on the floor of the target's place.

    Args:
        source: in its own frame.
        hips: (T,), its hip line.
        scale: (T,), of each frame's similarity.
        target: statistics of the target's footage.

    Returns:
        Those of leg and thigh, as in ``Normalized.bones``; nothing where no leg is guessed or no floor is known.
    """
    ankles = np.where(source.found[:, ANKLES], source.xy[:, ANKLES, 1], -np.inf).max(axis=1)
    guessed = np.isfinite(ankles) & (ankles > hips)
    if target.ground is None or target.hips is None or not guessed.any():
        return {}
    long = float(np.median((scale * (ankles - hips))[guessed]))
    ratio = float(np.clip((target.ground.median - target.hips.median) / long, 1 / LARGEST_RATIO, LARGEST_RATIO))
    return {"leg": ratio, "thigh": ratio}


def place_unchanged(source: Keypoints, target_size: tuple[int, int]) -> Keypoints:
    """The source as it stands: scaled to fit ``target_size`` (W, H) whole, in the middle, without normalization."""
    factor, border = fit_whole(source.size, target_size)
    return _moved(source, target_size, lambda block: source.xy[block] * factor + border)


def fit_whole(size: tuple[int, int], target_size: tuple[int, int]) -> tuple[float, NDArray[np.float64]]:
    """The largest scale at which a picture of ``size`` fits ``target_size``, and where its corner (2,) then lies."""
    factor = min(target_size[0] / size[0], target_size[1] / size[1])
    return factor, (np.array(target_size) - factor * np.array(size)) / 2


def _guard_range(here: DepthRange, there: DepthRange) -> DepthRange:
    """The target's range, shrunk about its median where the source moves less in depth for its height."""
    wanted = here.extent / here.height_at(here.median) * there.height_at(there.median)
    return there.shrunk(wanted / there.extent) if there.extent > wanted else there


def _sideways_that_fits(source: Keypoints, scale: Line, root_x: Line, fitted: Retargeting) -> float:
    """The largest share in [0, 1] of the sideways travel that keeps the body in the target's picture.

    One frame in a hundred may reach out: a misplaced joint must not take the dance's travel away.
    """
    center, width = fitted.target_center, fitted.size[0]
    travel = fitted.bones.get("leg", 1.0) * (root_x - fitted.source_center)  # steps are as long as the legs

    def ends(xy: Array, confidence: Array) -> NDArray[np.float64]:
        """(T, 2): x of the leftmost and of the rightmost joint; inf and -inf where there is none."""
        x = xy[..., 0].astype(np.float64)
        # What lies beyond the source's own edges was out of the picture there as well.
        inside = (confidence > 0) & (x >= 0) & (x <= source.size[0])
        return np.stack([np.where(inside, x, np.inf).min(axis=1), np.where(inside, x, -np.inf).max(axis=1)], axis=1)

    left, right = in_blocks(ends, source).T
    centered = (root_x >= 0) & (root_x <= source.size[0])
    reach_left, reach_right = (root_x - left).clip(0), (right - root_x).clip(0)
    room = np.where(travel < 0, center - scale * reach_left, width - center - scale * reach_right)
    moving = source.person_seen & np.isfinite(left) & centered & (scale * np.abs(travel) > 0.01 * width)
    if not moving.any():
        return 1.0
    fits = room[moving].clip(0) / (scale * np.abs(travel))[moving]
    share = float(np.percentile(np.minimum(fits, 1), 1, method="lower"))
    return share if share < 0.999 else 1.0


def _moved(source: Keypoints, size: tuple[int, int], move: Callable[[slice], NDArray[np.float64]]) -> Keypoints:
    """``source`` in a frame of ``size``, as ``in_picture`` leaves it.

    Args:
        source: to move.
        size: (W, H).
        move: given a block of frames, their xy in that frame.
    """
    xy, confidence = np.empty_like(source.xy), np.empty_like(source.confidence)
    for block in blocks(len(source)):
        xy[block], confidence[block] = in_picture(move(block), source.confidence[block], size)
    return replace(source, xy=xy, confidence=confidence, size=size)


def in_picture(xy: NDArray[np.float64], confidence: Array, size: tuple[int, int]) -> tuple[Array, Array]:
    """Placed poses without those of people who are outside the picture.

    A joint may lie outside while its limb reaches into the picture, so whoever has a joint inside keeps them all.

    Args:
        xy: (..., 137, 2), in the target's frame.
        confidence: (..., 137).
        size: (W, H) of the frame.

    Returns:
        xy and confidence as in ``Keypoints``.
    """
    inside = is_inside(xy, size) & (confidence > 0)
    confidence = np.where(inside.any(axis=-1, keepdims=True), confidence, np.float32(0))
    return np.where(confidence[..., None] > 0, xy, 0).astype(np.float32), confidence
