"""Crops are cut out of the footage, and chosen for training samples: never a crop of the moment that is painted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from everybody_dance.appearance.crop_bank import CropBank
from everybody_dance.appearance.selection import greedy_cover
from everybody_dance.drawing.crops import Crop
from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints, Pose
from everybody_dance.skeleton import Part

SAME_MOMENT = 0.7
"""Frames closer than this (s) are near-duplicates and are not used as true pictures for each other."""

MOST_CANDIDATES = 1200
"""At most this many crops are compared when some are chosen, evenly spread over longer footage."""

RANKS = (0.6, 0.25, 0.15)
"""Shares of the samples that are shown the nearest crop, the second and the third: no dance always has the best."""


@dataclass(frozen=True)
class TrainingCrops:
    """A crop bank and the frames it was cut from.

    Attributes:
        bank: what the performer will have.
        mirrored: the same in a mirror.
        frames: int (N,), the frame of each crop in the footage.
        fps: of the footage.
    """

    bank: CropBank
    mirrored: CropBank
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
        """Choose at most ``count`` crops of a part, by their joints, so that together they are near to all others.

        Args:
            part: face or hands.
            side: of the crops, in pixels.
            crops: to choose from, by the frame's index.
            keypoints: of the footage.
            frame: returns uint8 (H, W, 3) by index; only asked for the frames that are kept.
            count: crops to keep.
        """
        found = [(index, crop) for index, of_frame in crops.items() for crop in of_frame]
        found = [found[place] for place in np.linspace(0, len(found) - 1, min(len(found), MOST_CANDIDATES)).astype(int)]

        def of(chosen: list[tuple[int, Crop]], images: NDArray[np.uint8]) -> CropBank:
            poses = [keypoints.pose(index) for index, _ in chosen]
            return CropBank.of(part, [crop for _, crop in chosen], images, poses)

        # They are chosen by their joints alone, so no picture is read yet.
        nothing = np.broadcast_to(np.uint8(0), (len(found), side, side, 3))
        chosen = [found[place] for place in _representative(of(found, nothing), count)]
        kept = of(chosen, np.array([crop.box.cut(frame(index)) for index, crop in chosen], np.uint8))
        return cls(kept, kept.mirrored(), np.array([index for index, _ in chosen], np.int64), float(keypoints.fps))

    def near(self, moment: int, pose: Pose, group: int, rank: int, mirrored: bool) -> Image:
        """One of the nearest crops, laid on a sample's pose; none is of that very moment, as none is in a new dance.

        Args:
            moment: the sample's frame in the footage.
            pose: in pixels of the crop.
            group: which of ``PART_JOINTS[part]`` the crop shows, in a mirror where the sample is mirrored.
            rank: 0 for the nearest, 1 for the next.
            mirrored: whether the sample is.

        Returns:
            uint8 (side, side, 3).
        """
        bank = self.mirrored if mirrored else self.bank
        distances = bank.distances(pose, group)
        distances[np.abs(self.frames - moment) <= SAME_MOMENT * self.fps] += 1
        rank = min(rank, max(int(np.isfinite(distances).sum()) - 1, 0))
        return bank.fitted(int(np.argsort(distances)[rank]), pose)


def _representative(bank: CropBank, count: int) -> NDArray[np.int64]:
    """Indices of at most ``count`` crops that together are near to all."""
    joints = zip(bank.xy, bank.confidence, bank.group.tolist(), strict=True)
    distances = [bank.distances(Pose(xy, confidence), group) for xy, confidence, group in joints]
    # A crop that nothing chosen can be laid on counts as a whole side away.
    return greedy_cover(np.sqrt(np.minimum(np.reshape(distances, 2 * [len(bank)]), 1.0)), count)
