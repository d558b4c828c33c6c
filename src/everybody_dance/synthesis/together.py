"""Several performers in one picture: the first in their own place, the others cut out and laid over or behind them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.performer.performer import Performer
from everybody_dance.retarget.landing import feet, similarity
from everybody_dance.retarget.options import AS_FITTED, Landing
from everybody_dance.retarget.together import Moved, place_together, stay_together
from everybody_dance.synthesis.backdrop import cut_out
from everybody_dance.synthesis.clip import dance_clip
from everybody_dance.synthesis.source import Dance

SMALLER = 0.75
"""A picture that becomes smaller than this is smoothed first, or its detail would flicker."""


@dataclass(frozen=True)
class Layer:
    """A dancer cut out of their own picture.

    Attributes:
        person: uint8 (H, W, 4), straight colours and alpha, as large as the common picture.
        level: y of the ground under them: who stands lower stands nearer.
    """

    person: Image
    level: float


class Company:
    """The performers who dance with the first one.

    Args:
        first: of the first performer, placed in their place.
        members: the others, each with their dance placed in their own.
        performer: the first.
        shadow: theirs fall on the floor.
        landing: how all of them are moved, about the feet of the first.
    """

    def __init__(
        self,
        performer: Performer,
        first: Dance,
        members: Sequence[tuple[Performer, Dance]],
        shadow: bool = True,
        landing: Landing = AS_FITTED,
    ) -> None:
        dances = [first, *(dance for _, dance in members)]
        self._size, self._shadow = performer.manifest.size, shadow
        self._cuts = first.detection.cuts
        self._members = members
        sources, placed = [dance.still for dance in dances], [dance.placed for dance in dances]
        self._moved: list[Moved] = (
            place_together(
                sources,
                placed,
                [dance.scale for dance in dances],
                performer.manifest.statistics,
                self._size,
                self._cuts,
            )
            if first.normalized
            else stay_together(sources, [each.size for each in placed], self._cuts)
        )
        self.first: Keypoints = self._moved[0].keypoints(first.placed, self._size)
        if landing != AS_FITTED and self.first.person_seen.any():
            then = similarity(landing, feet(self.first, self._cuts), self._size)
            self._moved = [moved.then(*then) for moved in self._moved]
            self.first = self._moved[0].keypoints(first.placed, self._size)
        """The first one's dance, where the company puts it."""
        inside = [moved.keypoints(each.placed, self._size) for moved, each in zip(self._moved, dances, strict=True)]
        self.seen: NDArray[np.bool_] = np.any([each.person_seen for each in inside], axis=0)
        """(N,): frames in which somebody is in the picture."""

    def layers(self) -> Iterator[list[Layer]]:
        """For each frame the others who are seen in it, the farthest first."""
        clips = [dance_clip(performer, dance.placed, self._cuts) for performer, dance in self._members]
        for frame, pictures in enumerate(zip(*clips, strict=True)):
            layers = []
            for picture, (performer, _), moved in zip(pictures, self._members, self._moved[1:], strict=True):
                if picture.drawn is not None:
                    person = cut_out(picture, performer.plate, self._shadow)
                    layers.append(Layer(_laid(person, moved.matrix(frame), self._size), float(moved.place[frame, 1])))
            yield sorted(layers, key=lambda layer: layer.level)

    def level(self, frame: int) -> float:
        """y of the ground under the first performer."""
        return float(self._moved[0].place[frame, 1])


def with_others(picture: Image, first: Image, level: float, layers: Sequence[Layer]) -> Image:
    """The others laid into a picture of the first performer, behind them or before them.

    Args:
        picture: uint8, the first performer in a place, (H, W, 3), or in front of nothing, (H, W, 4), straight colours
            and alpha.
        first: uint8 (H, W), how much of each pixel is the first performer.
        level: y of the ground under them.
        layers: the others, the farthest first.

    Returns:
        uint8, as ``picture``.
    """
    colours = picture[..., :3].astype(np.float32)
    alpha = picture[..., 3:].astype(np.float32) / 255 if picture.shape[2] == 4 else np.float32(1)
    for layer in layers:
        share = layer.person[..., 3:].astype(np.float32) / 255
        if layer.level < level:
            share *= 1 - first[..., None].astype(np.float32) / 255
        both = share + (1 - share) * alpha
        colours = (share * layer.person[..., :3] + (1 - share) * alpha * colours) / np.maximum(both, 1e-6)
        alpha = both
    parts = [colours.clip(0, 255)] if picture.shape[2] == 3 else [colours.clip(0, 255), 255 * alpha]
    return np.asarray(np.round(np.concatenate(parts, axis=2)), np.uint8)


def _laid(person: Image, matrix: NDArray[np.float64], size: tuple[int, int]) -> Image:
    """A cut-out, straight colours and alpha, moved into a picture of ``size`` (W, H)."""
    share = person[..., 3:].astype(np.float32) / 255
    premultiplied = np.dstack([person[..., :3] * share, share])
    scale = float(matrix[0, 0])
    if scale < SMALLER:
        premultiplied = cv2.GaussianBlur(premultiplied, (0, 0), 0.4 / scale)
    # Here pixels have their edges at whole numbers, in OpenCV their centres.
    shifted = matrix.copy()
    shifted[:, 2] += (matrix[:, :2] @ np.array((0.5, 0.5))) - 0.5
    moved = cv2.warpAffine(premultiplied, shifted, size, flags=cv2.INTER_LINEAR)
    colours = moved[..., :3] / np.maximum(moved[..., 3:], 1e-6)
    return np.dstack([colours.round().clip(0, 255), (255 * moved[..., 3]).round()]).astype(np.uint8)
