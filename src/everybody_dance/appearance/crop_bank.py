"""True pictures of a face or a hand, kept to look at while one is painted: the nearest, bent into the pose asked for.

A small network learns within minutes where a person's eyes are, and not within hours what they look like. The footage
knows. So a refiner is shown, beside the pose and the picture to be refined, the crop of the footage whose joints are
most like those asked for, moved, turned and bent until its joints lie on them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.drawing.crops import PART_JOINTS, Crop, Part
from everybody_dance.skeleton import JOINT_COUNT, MIRROR

Frame = NDArray[np.uint8]

UNLIKE = 0.01
"""What a joint that only one of two crops has adds to their distance, where all of them make up 1."""

LEAST_SHARED = 3
"""Fewer joints in common than this do not say how one crop lies on another."""

MOST_SCALED, MOST_TURNED = 1.25, 0.5
"""A reference is enlarged or shrunk at most this many times, and turned by at most this many radians."""

BENT_WITHIN = 1 / 14
"""How far around a joint the picture follows it, in sides of the crop; standard deviation of a Gaussian."""

GRID = 4
"""The bend is worked out at every fourth pixel."""

CLEARLY_NEARER = 0.7
"""Another reference is shown once its distance is less than this share of that of the one that is shown."""

FADE_SECONDS = 0.15
"""How long the change takes."""


@dataclass(frozen=True, eq=False)
class References:
    """Crops of one part, all of one side.

    Attributes:
        part: of which they are.
        images: uint8 (N, side, side, 3).
        xy: float32 (N, 137, 2), pixels of the crop.
        confidence: float32 (N, 137) in [0, 1]; 0 for joints of other parts.
        group: int (N,), which of ``PART_JOINTS[part]`` each shows.
    """

    part: Part
    images: Frame
    xy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    group: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def of(cls, part: Part, crops: Sequence[Crop], images: Frame, keypoints: Sequence[NDArray[np.float32]]) -> Self:
        """References from crops of frames.

        Args:
            part: of which they are.
            crops: N, one of each frame.
            images: uint8 (N, side, side, 3), what each shows.
            keypoints: of each frame (137, 3): x and y in pixels of the frame, confidence.
        """
        count = len(crops)
        xy, confidence = np.zeros((count, JOINT_COUNT, 2), np.float32), np.zeros((count, JOINT_COUNT), np.float32)
        for index, (crop, found) in enumerate(zip(crops, keypoints, strict=True)):
            joints = PART_JOINTS[part][crop.group]
            xy[index, joints] = found[joints, :2] - (crop.box.x, crop.box.y)
            confidence[index, joints] = found[joints, 2]
        return cls(part, images, xy, confidence, np.array([crop.group for crop in crops], np.int64))

    def mirrored(self) -> "References":
        """The same in a mirror: a left hand is a right one."""
        side = np.float32(self.images.shape[2])
        xy = self.xy[:, MIRROR].copy()
        xy[..., 0] = side - xy[..., 0]
        group = len(PART_JOINTS[self.part]) - 1 - self.group
        images = np.ascontiguousarray(self.images[:, :, ::-1])
        return References(self.part, images, xy, self.confidence[:, MIRROR], group)

    def distances(self, xy: NDArray[np.float32], confidence: NDArray[np.float32], group: int) -> NDArray[np.float64]:
        """How unlike each reference is to the joints asked for: float64 (N,); infinite where it cannot be laid on them.

        The mean squared distance of joints that both have, once their middles lie on each other, in sides of the crop;
        and ``UNLIKE`` for the share of joints that only one has.

        Args:
            xy: (137, 2) in pixels, of any frame of reference at the same scale.
            confidence: (137,) in [0, 1].
            group: which of ``PART_JOINTS[part]`` is asked for.
        """
        joints = PART_JOINTS[self.part][group]
        wanted, had = confidence[joints] > 0, self.confidence[:, joints] > 0
        shared = (wanted & had).astype(np.float64)
        count = np.maximum(shared.sum(axis=1), 1)[:, None]
        apart = xy[joints].astype(np.float64) - self.xy[:, joints]
        apart -= (apart * shared[..., None]).sum(axis=1, keepdims=True) / count[..., None]
        squared = (np.square(apart).sum(axis=2) * shared).sum(axis=1) / count[:, 0] / self.images.shape[1] ** 2
        squared += UNLIKE * (wanted != had).mean(axis=1)
        usable = (shared.sum(axis=1) >= LEAST_SHARED) & (self.group == group)
        return np.where(usable, squared, np.inf)

    def fitted(self, index: int, xy: NDArray[np.float32], confidence: NDArray[np.float32]) -> Frame:
        """A reference laid on the joints asked for: a similarity for all of it, then each joint pulled into place.

        Args:
            index: which.
            xy: (137, 2), pixels of the crop asked for.
            confidence: (137,) in [0, 1].

        Returns:
            uint8 (side, side, 3); its edge pixels continue where it does not reach. As it is where fewer than
            ``LEAST_SHARED`` joints say how it lies.
        """
        joints = PART_JOINTS[self.part][int(self.group[index])]
        joints = joints[(confidence[joints] > 0) & (self.confidence[index, joints] > 0)]
        if len(joints) < LEAST_SHARED:
            return np.array(self.images[index])
        here, there = xy[joints].astype(np.float64), self.xy[index, joints].astype(np.float64)
        turn, origin = _similarity(here, there)
        side = self.images.shape[1]
        # Where each pixel asked for is fetched from: at the grid's points, then smoothly between them.
        points = np.stack(np.meshgrid(*2 * [np.arange(GRID / 2, side, GRID)]), -1)
        near = np.exp(-np.square(points[:, :, None] - here).sum(axis=-1) / (2 * (BENT_WITHIN * side) ** 2))
        pull = near @ (there - (here @ turn.T + origin)) / (near.sum(axis=-1, keepdims=True) + 0.5)
        bend = cv2.resize(pull.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
        pixels = np.stack(np.meshgrid(*2 * [np.arange(side) + 0.5]), -1)
        source = (pixels @ turn.T + origin + bend - 0.5).astype(np.float32)
        fetch: Any = cv2.remap  # OpenCV's types do not know that one map may hold both coordinates
        fitted = fetch(self.images[index], source, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(fitted, np.uint8)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything but the part, by name."""
        return {"images": self.images, "xy": self.xy, "confidence": self.confidence, "group": self.group}

    @classmethod
    def from_arrays(cls, part: Part, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """What ``arrays`` gave.

        Raises:
            ValueError: they do not fit each other.
        """
        images, xy, confidence, group = (arrays[name] for name in ("images", "xy", "confidence", "group"))
        count = len(images)
        shapes = images.shape[1] == images.shape[2], images.shape[3:] == (3,), images.dtype == np.uint8
        fits = xy.shape == (count, JOINT_COUNT, 2) and confidence.shape == xy.shape[:2] and group.shape == (count,)
        if not (all(shapes) and fits):
            raise ValueError("these are no references")
        return cls(
            part,
            np.asarray(images, np.uint8),
            np.asarray(xy, np.float32),
            np.asarray(confidence, np.float32),
            np.asarray(group, np.int64),
        )


class ReferenceTrack:
    """Which references are shown while one dance goes on, so that a face does not flicker between two of them.

    One that is shown stays until another is clearly nearer, and the change is a short fade.

    Args:
        references: to choose from.
        fps: frames a second of the dance.
    """

    def __init__(self, references: References, fps: float) -> None:
        self.references = references
        self._pace = min(1 / (FADE_SECONDS * fps), 1.0)
        self._shown: dict[int, tuple[int, NDArray[np.float32]]] = {}

    def follow(self, xy: NDArray[np.float32], confidence: NDArray[np.float32], group: int) -> Frame | None:
        """What is shown in the next frame, laid on the joints asked for.

        Args:
            xy: (137, 2), pixels of the crop asked for.
            confidence: (137,) in [0, 1].
            group: which of ``PART_JOINTS[part]`` is asked for.

        Returns:
            uint8 (side, side, 3); None where no reference can be laid on these joints.
        """
        distances = self.references.distances(xy, confidence, group)
        nearest = int(distances.argmin()) if len(distances) else 0
        if not np.isfinite(distances).any():
            self._shown.pop(group, None)
            return None
        shown, weights = self._shown.get(group, (nearest, np.eye(1, len(distances), nearest, dtype=np.float32)[0]))
        if distances[nearest] < CLEARLY_NEARER * distances[shown]:
            shown = nearest
        wanted = np.eye(1, len(distances), shown, dtype=np.float32)[0]
        # What cannot be laid on them goes at once; the rest fades.
        weights = np.where(np.isfinite(distances), weights, np.float32(0))
        weights = weights + np.clip(wanted - weights, -self._pace, self._pace)
        self._shown[group] = shown, weights
        parts = [(weights[index], self.references.fitted(index, xy, confidence)) for index in np.flatnonzero(weights)]
        if len(parts) == 1:
            return parts[0][1]
        mixed = sum(weight * picture.astype(np.float32) for weight, picture in parts) / weights.sum()
        return np.asarray(np.round(mixed), np.uint8)

    def keep(self, groups: set[int]) -> None:
        """Forget what was shown of other groups than these, which are out of sight."""
        self._shown = {group: shown for group, shown in self._shown.items() if group in groups}


def most_telling(references: References, count: int) -> NDArray[np.int64]:
    """Indices of at most ``count`` references that together are as near to all of them as can be.

    Each is the one that brings the others most nearer to what is kept, given those before it. Those that are the most
    unlike each other would do worse: they are blinks, and joints gone astray.
    """
    joints = zip(references.xy, references.confidence, references.group.tolist(), strict=True)
    distances = np.array([references.distances(*of_one) for of_one in joints]).reshape(2 * [len(references)])
    # What nothing kept can be laid on counts as a whole side away.
    return cover(np.sqrt(np.minimum(distances, 1.0)), count)


def cover(apart: NDArray[np.floating[Any]], count: int) -> NDArray[np.int64]:
    """Indices of at most ``count`` rows of ``apart`` (N, N) whose smallest values, column by column, add up to little.

    A greedy choice: each is the row that lowers the sum most, given those before it.
    """
    nearest = np.ones(len(apart))
    chosen: list[int] = []
    for _ in range(min(count, len(apart))):
        gain = np.maximum(nearest - apart, 0).sum(axis=1)
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
        nearest = np.minimum(nearest, apart[chosen[-1]])
    return np.array(chosen, np.int64)


def _similarity(
    here: NDArray[np.float64], there: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The matrix and the origin that take ``here`` nearest to ``there``: turned, scaled and moved, within limits."""
    middle, other = here.mean(axis=0), there.mean(axis=0)
    a, b = ((points - centre) @ (1, 1j) for points, centre in ((here, middle), (there, other)))
    factor = np.vdot(a, b) / max(float(np.vdot(a, a).real), 1e-6)
    scale = float(np.clip(abs(factor), 1 / MOST_SCALED, MOST_SCALED))
    angle = float(np.clip(np.angle(factor), -MOST_TURNED, MOST_TURNED))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn, other - turn @ middle
