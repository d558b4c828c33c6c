"""The crop bank: true crops of a face or a hand, of which a refiner is shown the nearest one as a *reference*.

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

from everybody_dance.drawing.crops import PART_JOINTS, Crop
from everybody_dance.images import Image
from everybody_dance.keypoints import Pose
from everybody_dance.skeleton import JOINT_COUNT, MIRROR, Part

UNLIKE = 0.01
"""Added to the distance of two crops for the share of joints that only one of them has."""

LEAST_SHARED = 3
"""At least this many joints in common are needed to lay one crop on another."""

MOST_SCALED, MOST_TURNED = 1.25, 0.5
"""A reference is enlarged or shrunk by at most this factor, and turned by at most this many radians."""

BENT_WITHIN = 1 / 14
"""How far around a joint the picture follows it: standard deviation of a Gaussian, in sides of the crop."""

GRID = 4
"""The bend is computed at every fourth pixel, and interpolated between."""

BETWEEN_PIXELS = cv2.INTER_CUBIC
"""How a crop is resampled: a linear interpolation would take away a third of what makes it sharp."""

CLEARLY_NEARER = 0.7
"""The reference changes once another one's distance is below this share of its own."""

FADE_SECONDS = 0.15
"""Duration of the change, in seconds."""


@dataclass(frozen=True, eq=False)
class CropBank:
    """Crops of one part, all of one size.

    Attributes:
        part: face or hands.
        images: uint8 (N, side, side, 3).
        xy: float32 (N, 137, 2), pixels of the crop.
        confidence: float32 (N, 137) in [0, 1]; 0 for joints of other parts.
        group: int (N,), which of ``PART_JOINTS[part]`` each shows.
    """

    part: Part
    images: Image
    xy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    group: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def of(cls, part: Part, crops: Sequence[Crop], images: Image, poses: Sequence[Pose]) -> Self:
        """A bank of crops of frames.

        Args:
            part: face or hands.
            crops: N crops, each of one frame.
            images: uint8 (N, side, side, 3), what each shows.
            poses: the pose of each frame, in pixels of the frame.
        """
        count = len(crops)
        xy, confidence = np.zeros((count, JOINT_COUNT, 2), np.float32), np.zeros((count, JOINT_COUNT), np.float32)
        for index, (crop, pose) in enumerate(zip(crops, poses, strict=True)):
            joints = PART_JOINTS[part][crop.group]
            xy[index, joints] = pose.xy[joints] - (crop.box.x, crop.box.y)
            confidence[index, joints] = pose.confidence[joints]
        return cls(part, images, xy, confidence, np.array([crop.group for crop in crops], np.int64))

    def mirrored(self) -> "CropBank":
        """The same in a mirror: a left hand is a right one."""
        side = np.float32(self.images.shape[2])
        xy = self.xy[:, MIRROR].copy()
        xy[..., 0] = side - xy[..., 0]
        group = len(PART_JOINTS[self.part]) - 1 - self.group
        images = np.ascontiguousarray(self.images[:, :, ::-1])
        return CropBank(self.part, images, xy, self.confidence[:, MIRROR], group)

    def distances(self, pose: Pose, group: int) -> NDArray[np.float64]:
        """Distance of each crop from the pose asked for: float64 (N,); infinite where it cannot be laid on it.

        The mean squared distance of the joints that both have, once their centres lie on each other, in sides of the
        crop, plus ``UNLIKE`` times the share of joints that only one has.

        Args:
            pose: in pixels; where the origin lies does not matter.
            group: which of ``PART_JOINTS[part]`` is asked for.
        """
        joints = PART_JOINTS[self.part][group]
        wanted, had = pose.found[joints], self.confidence[:, joints] > 0
        shared = (wanted & had).astype(np.float64)
        count = np.maximum(shared.sum(axis=1), 1)[:, None]
        apart = pose.xy[joints].astype(np.float64) - self.xy[:, joints]
        apart -= (apart * shared[..., None]).sum(axis=1, keepdims=True) / count[..., None]
        squared = (np.square(apart).sum(axis=2) * shared).sum(axis=1) / count[:, 0] / self.images.shape[1] ** 2
        squared += UNLIKE * (wanted != had).mean(axis=1)
        usable = (shared.sum(axis=1) >= LEAST_SHARED) & (self.group == group)
        return np.where(usable, squared, np.inf)

    def fitted(self, index: int, pose: Pose) -> Image:
        """A crop laid on the pose asked for: a similarity for all of it, then each joint pulled into place.

        Args:
            index: which crop.
            pose: in pixels of the crop asked for.

        Returns:
            uint8 (side, side, 3), continued by its edge pixels where it does not reach; unchanged where it shares
            fewer than ``LEAST_SHARED`` joints with the pose.
        """
        joints = PART_JOINTS[self.part][int(self.group[index])]
        joints = joints[pose.found[joints] & (self.confidence[index, joints] > 0)]
        if len(joints) < LEAST_SHARED:
            return np.array(self.images[index])
        here, there = pose.xy[joints].astype(np.float64), self.xy[index, joints].astype(np.float64)
        turn, origin = _similarity(here, there)
        side = self.images.shape[1]
        # Where each pixel is fetched from: at the points of a grid, then smoothly between them.
        points = np.stack(np.meshgrid(*2 * [np.arange(GRID / 2, side, GRID)]), -1)
        near = np.exp(-np.square(points[:, :, None] - here).sum(axis=-1) / (2 * (BENT_WITHIN * side) ** 2))
        pull = near @ (there - (here @ turn.T + origin)) / (near.sum(axis=-1, keepdims=True) + 0.5)
        bend = cv2.resize(pull.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
        pixels = np.stack(np.meshgrid(*2 * [np.arange(side) + 0.5]), -1)
        source = (pixels @ turn.T + origin + bend - 0.5).astype(np.float32)
        fetch: Any = cv2.remap  # OpenCV's types do not know that one map may hold both coordinates
        fitted = fetch(self.images[index], source, None, BETWEEN_PIXELS, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(fitted, np.uint8)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All arrays, by name."""
        return {"images": self.images, "xy": self.xy, "confidence": self.confidence, "group": self.group}

    @classmethod
    def from_arrays(cls, part: Part, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """Restore what ``arrays`` gave.

        Raises:
            ValueError: they do not fit each other.
        """
        images, xy, confidence, group = (arrays[name] for name in ("images", "xy", "confidence", "group"))
        count = len(images)
        shapes = images.shape[1] == images.shape[2], images.shape[3:] == (3,), images.dtype == np.uint8
        fits = xy.shape == (count, JOINT_COUNT, 2) and confidence.shape == xy.shape[:2] and group.shape == (count,)
        if not (all(shapes) and fits):
            raise ValueError("this is not a crop bank")
        return cls(
            part,
            np.asarray(images, np.uint8),
            np.asarray(xy, np.float32),
            np.asarray(confidence, np.float32),
            np.asarray(group, np.int64),
        )


class CropTrack:
    """Chooses the reference that is shown from frame to frame, so that a face does not flicker between two of them.

    A reference stays until another one is clearly nearer, and the change is a short fade.

    Args:
        bank: the crops to choose from.
        fps: frames a second of the dance.
    """

    def __init__(self, bank: CropBank, fps: float) -> None:
        self.bank = bank
        self._pace = min(1 / (FADE_SECONDS * fps), 1.0)
        self._shown: dict[int, tuple[int, NDArray[np.float32]]] = {}

    def follow(self, pose: Pose, group: int) -> Image | None:
        """The reference for the next frame, laid on the pose asked for.

        Args:
            pose: in pixels of the crop asked for.
            group: which of ``PART_JOINTS[part]`` is asked for.

        Returns:
            uint8 (side, side, 3); None where no crop can be laid on this pose.
        """
        distances = self.bank.distances(pose, group)
        nearest = int(distances.argmin()) if len(distances) else 0
        if not np.isfinite(distances).any():
            self._shown.pop(group, None)
            return None
        shown, weights = self._shown.get(group, (nearest, np.eye(1, len(distances), nearest, dtype=np.float32)[0]))
        if distances[nearest] < CLEARLY_NEARER * distances[shown]:
            shown = nearest
        wanted = np.eye(1, len(distances), shown, dtype=np.float32)[0]
        # A crop that cannot be laid on the pose disappears at once; the others fade.
        weights = np.where(np.isfinite(distances), weights, np.float32(0))
        weights = weights + np.clip(wanted - weights, -self._pace, self._pace)
        self._shown[group] = shown, weights
        parts = [(weights[index], self.bank.fitted(index, pose)) for index in np.flatnonzero(weights)]
        if len(parts) == 1:
            return parts[0][1]
        mixed = sum(weight * picture.astype(np.float32) for weight, picture in parts) / weights.sum()
        return np.asarray(np.round(mixed), np.uint8)

    def keep(self, groups: set[int]) -> None:
        """Forget the references of all other groups: they are out of sight."""
        self._shown = {group: shown for group, shown in self._shown.items() if group in groups}


def _similarity(
    here: NDArray[np.float64], there: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The matrix and the offset of the similarity that takes ``here`` nearest to ``there``, within limits."""
    middle, other = here.mean(axis=0), there.mean(axis=0)
    a, b = ((points - centre) @ (1, 1j) for points, centre in ((here, middle), (there, other)))
    factor = np.vdot(a, b) / max(float(np.vdot(a, a).real), 1e-6)
    scale = float(np.clip(abs(factor), 1 / MOST_SCALED, MOST_SCALED))
    angle = float(np.clip(np.angle(factor), -MOST_TURNED, MOST_TURNED))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn, other - turn @ middle
