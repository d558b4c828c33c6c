"""The true crops that a refiner learns with, and which of them a training sample is shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from everybody_dance.appearance.crop_bank import References, most_telling
from everybody_dance.drawing.crops import Crop, Part
from everybody_dance.keypoints import Keypoints

SAME_MOMENT = 0.7
"""Seconds within which a frame shows what its neighbour shows: no reference for it, while there are others."""

MOST_CANDIDATES = 1200
"""Crops that are compared with each other when some are chosen; of longer footage, evenly spread ones."""

RANKS = (0.6, 0.25, 0.15)
"""How often the nearest reference is shown in training, the second, the third: none will always be the best."""


@dataclass(frozen=True)
class TrainingReferences:
    """References, and when they are from.

    Attributes:
        kept: what the performer will have.
        mirrored: the same in a mirror.
        frames: int (N,), indices in the footage.
        fps: of the footage.
    """

    kept: References
    mirrored: References
    frames: NDArray[np.int64]
    fps: float

    @classmethod
    def choose(
        cls,
        part: Part,
        side: int,
        crops: Mapping[int, list[Crop]],
        keypoints: Keypoints,
        frame: Callable[[int], NDArray[np.uint8]],
        count: int,
    ) -> Self:
        """At most ``count`` references of a part.

        Args:
            part: whose.
            side: of the crops, in pixels.
            crops: to choose from, by the frame's index.
            keypoints: of the footage.
            frame: gives uint8 (H, W, 3) by index; only what is kept is asked for.
            count: to choose.
        """
        found = [(index, crop) for index, of_frame in crops.items() for crop in of_frame]
        found = [found[place] for place in np.linspace(0, len(found) - 1, min(len(found), MOST_CANDIDATES)).astype(int)]
        joints = np.concatenate([keypoints.xy, keypoints.confidence[..., None]], 2)

        def of(chosen: list[tuple[int, Crop]], images: NDArray[np.uint8]) -> References:
            return References.of(part, [crop for _, crop in chosen], images, [joints[index] for index, _ in chosen])

        # They are chosen by their joints alone.
        nothing = np.broadcast_to(np.uint8(0), (len(found), side, side, 3))
        chosen = [found[place] for place in most_telling(of(found, nothing), count)]
        kept = of(chosen, np.array([crop.box.cut(frame(index)) for index, crop in chosen], np.uint8))
        return cls(kept, kept.mirrored(), np.array([index for index, _ in chosen], np.int64), float(keypoints.fps))

    def near(
        self,
        moment: int,
        xy: NDArray[np.float32],
        confidence: NDArray[np.float32],
        group: int,
        rank: int,
        mirrored: bool,
    ) -> NDArray[np.uint8]:
        """One of the nearest references, laid on a sample; as when a dance is painted, none is of that very moment.

        Args:
            moment: the sample's frame.
            xy: (137, 2), pixels of the crop.
            confidence: (137,) in [0, 1].
            group: which of ``PART_JOINTS[part]`` the crop shows, in a mirror where the sample is mirrored.
            rank: 0 for the nearest, 1 for the next.
            mirrored: whether the sample is.
        """
        references = self.mirrored if mirrored else self.kept
        distances = references.distances(xy, confidence, group)
        distances[np.abs(self.frames - moment) <= SAME_MOMENT * self.fps] += 1
        rank = min(rank, max(int(np.isfinite(distances).sum()) - 1, 0))
        return references.fitted(int(np.argsort(distances)[rank]), xy, confidence)
