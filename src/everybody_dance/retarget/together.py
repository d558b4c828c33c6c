"""Several dancers in one place: where each stands, and how large they are, as in the source.

One similarity carries the source's scene into the place, and all who dance with it. It is fitted to the first dancer at
their usual depth, so distances, sizes and who is in front are the source's. (Global pose normalization by itself would
put each of them to the same spot, at the target's own size.) Without normalization the source's picture is the scene.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from everybody_dance.errors import DanceError
from everybody_dance.keypoints import Keypoints
from everybody_dance.retarget.normalize import fit_whole, in_picture
from everybody_dance.retarget.statistics import Line, PoseStatistics, measure

BODY_WIDTH = 0.35
"""Half of the width of a dancer with their arms, in body heights: so far from the edge they are to stay."""

LOWEST, HIGHEST = 0.98, 0.02
"""Nobody's feet come lower in the picture than the one, and nobody's head higher than the other, in heights of it."""

ROUNDS = 4
"""Smaller dancers stand less far apart in depth, and so have less room above them: fitted in turn so many times."""

ABOVE_NOSE, BELOW_ANKLE = 1.15, 0.06
"""From the ground to the top of the hair, and down to the tips of the toes, in heights from ankle to nose."""


@dataclass(frozen=True)
class Moved:
    """How the picture of a dancer, painted in a place of their own, is moved into the common one, frame by frame.

    Attributes:
        scale: (T,).
        anchor: (T, 2), a point on the ground under the dancer in their own frame, in pixels.
        place: (T, 2), where it lands in the common one.
    """

    scale: Line
    anchor: NDArray[np.float64]
    place: NDArray[np.float64]

    def matrix(self, frame: int) -> NDArray[np.float64]:
        """The affine map (2, 3) of a frame, in pixels whose edges are whole numbers."""
        scale = self.scale[frame]
        shift = self.place[frame] - scale * self.anchor[frame]
        return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])

    def then(self, scale: float, shift: NDArray[np.float64]) -> "Moved":
        """Moved on in the common frame by one more similarity; its shift is (2,), in pixels."""
        return Moved(scale * self.scale, self.anchor, scale * self.place + shift)

    def keypoints(self, keypoints: Keypoints, size: tuple[int, int]) -> Keypoints:
        """A dance moved into a frame of ``size`` (W, H), as ``in_picture`` leaves it."""
        scale, anchor, place = self.scale[:, None, None], self.anchor[:, None], self.place[:, None]
        xy, confidence = in_picture(scale * (keypoints.xy - anchor) + place, keypoints.confidence, size)
        return replace(keypoints, xy=xy, confidence=confidence, size=size)


def can_join(keypoints: Keypoints, cuts: Sequence[int] = ()) -> bool:
    """Whether enough is seen of a dancer, in the source's frame, to place them together with others."""
    return measure(keypoints, cuts).statistics.hips is not None


def place_together(
    sources: Sequence[Keypoints],
    placed: Sequence[Keypoints],
    scales: Sequence[Line],
    target: PoseStatistics,
    size: tuple[int, int],
    cuts: Sequence[int] = (),
) -> list[Moved]:
    """Carry everybody's own dance into the first one's place.

    Args:
        sources: the dancers' keypoints in the source, the first one's first.
        placed: the same, each normalized to their own target, in its own frame.
        scales: (T,) of each normalization.
        target: statistics of the first target, in pixels of a frame of ``size`` (W, H).
        size: of the common place.
        cuts: first frames of new shots in the source.

    Raises:
        DanceError: too little is seen of somebody to place them (``too-little-seen``).
    """
    here, there = ([measure(keypoints, cuts) for keypoints in clips] for clips in (sources, placed))
    by_feet = target.ground is not None and all(each.ground is not None for each in (*here, *there))
    depths = [each.statistics.ground if by_feet else each.statistics.hips for each in here]
    wanted = target.ground if by_feet else target.hips
    lines, own_lines = ([each.ground if by_feet else each.hips for each in measured] for measured in (here, there))
    known = [depth for depth in depths if depth is not None]
    if len(known) < len(depths) or wanted is None or any(line is None for line in (*lines, *own_lines)):
        raise _too_little_seen()
    levels, usual = [np.asarray(line) for line in lines], known[0].median
    seen = np.concatenate([keypoints.person_seen for keypoints in sources])
    roots = np.concatenate([measured.root[:, 0] for measured in here])[seen]
    # Above and below the first one's usual ground, in the source.
    heights = np.concatenate([depth.heights_at(level) for depth, level in zip(known, levels, strict=True)])[seen]
    below = np.concatenate(levels)[seen] - usual
    centre = float(np.percentile(roots, (2, 98)).mean())

    scale = wanted.height_at(wanted.median) / known[0].height_at(usual)
    for _ in range(ROUNDS):
        down = scale * _share(LOWEST * size[1] - wanted.median - scale * BELOW_ANKLE * heights, scale * below)
        scale *= _share(wanted.median + down * below - HIGHEST * size[1], scale * ABOVE_NOSE * heights)
    beside = min(target.center_x, size[0] - target.center_x) - scale * BODY_WIDTH * heights
    across = scale * _share(beside, scale * np.abs(roots - centre))
    moved = []
    for measured, own, level, own_level, own_scale in zip(here, there, levels, own_lines, scales, strict=True):
        x = target.center_x + across * (measured.root[:, 0] - centre)
        y = wanted.median + down * (level - usual)
        anchor = np.stack([own.root[:, 0], np.asarray(own_level)], axis=1)
        moved.append(Moved(scale / np.asarray(own_scale), anchor, np.stack([x, y], axis=1)))
    return moved


def stay_together(
    sources: Sequence[Keypoints],
    sizes: Sequence[tuple[int, int]],
    cuts: Sequence[int] = (),
) -> list[Moved]:
    """Leave everybody where they are in the source's picture, of which each has painted their own copy.

    Args:
        sources: the dancers' keypoints in the source, the first one's first.
        sizes: (W, H) of the frames for which each was placed with ``place_unchanged``; the first is the common one.
        cuts: first frames of new shots in the source.

    Raises:
        DanceError: too little is seen of somebody to know who is in front (``too-little-seen``).
    """
    here = [measure(keypoints, cuts) for keypoints in sources]
    by_feet = all(each.ground is not None for each in here)
    scale, corner = fit_whole(sources[0].size, sizes[0])
    moved = []
    for measured, keypoints, size in zip(here, sources, sizes, strict=True):
        level = measured.ground if by_feet else measured.hips
        if level is None:
            raise _too_little_seen()
        point = np.stack([measured.root[:, 0], np.asarray(level)], axis=1)
        own_scale, own_corner = fit_whole(keypoints.size, size)
        scales = np.full(len(point), scale / own_scale)
        moved.append(Moved(scales, own_scale * point + own_corner, scale * point + corner))
    return moved


def _too_little_seen() -> DanceError:
    return DanceError("too-little-seen", "Too little is seen of the dancers to place them together.")


def _share(room: float | NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    """The share of what is wanted in each frame for which there is room in all of them, but for one in fifty."""
    return min(1.0, float(np.percentile(np.maximum(room, 0) / np.maximum(wanted, 1), 2)))
