"""A subject's footage at the size the networks work on, and the true pictures cut from it: shared by all datasets."""

import threading

import numpy as np
from numpy.typing import NDArray

from everybody_dance.appearance.crop_cutting import TrainingCrops
from everybody_dance.appearance.limb_cutting import TrainingLimbs
from everybody_dance.drawing.crops import Crop, crop_side, part_crops
from everybody_dance.images import Image, resized
from everybody_dance.skeleton import Part
from everybody_dance.subject.subject import Subject

CACHE_BYTES = 1 << 30
"""Decoded frames kept in memory, at most; the frames of longer footage that do not fit are decoded each time."""


class Material:
    """Frames, poses, plate, crops and limbs of a subject at one size. Several threads may read it.

    Args:
        subject: where the frames are.
        size: (W, H) of the frames the networks work on.
    """

    def __init__(self, subject: Subject, size: tuple[int, int]) -> None:
        self.subject = subject
        self.size = size
        self.keypoints = subject.keypoints.scaled_to(size)
        self.mirrored_keypoints = self.keypoints.mirrored()
        self.plate = resized(subject.plate, size)
        self._decoded: dict[int, Image] = {}
        self._crops: dict[Part, dict[int, list[Crop]]] = {}
        self._crop_banks: dict[tuple[Part, int], TrainingCrops] = {}
        self._limbs: dict[int, TrainingLimbs] = {}
        self._lock = threading.RLock()

    def frame(self, index: int) -> Image:
        """The true frame at the working size."""
        image = self._decoded.get(index)
        if image is None:
            image = resized(self.subject.frame(index), self.size)
            if (len(self._decoded) + 1) * image.nbytes <= CACHE_BYTES:
                self._decoded[index] = image
        return image

    def matte(self, index: int) -> Image:
        """How much of each pixel of a frame is the person, uint8 (H, W) at the working size."""
        return resized(self.subject.matte(index), self.size)

    def part_side(self, part: Part) -> int:
        """The side of a part's crops in this footage, in pixels."""
        return crop_side(self.keypoints[self.subject.training_frames], part)

    def crops(self, part: Part) -> dict[int, list[Crop]]:
        """The crops of a part, by the frames in which it is seen."""
        with self._lock:
            if part not in self._crops:
                side, seen = self.part_side(part), np.flatnonzero(self.keypoints.person_seen)
                found = {
                    index: part_crops(self.keypoints.pose(index), part, side, self.size) for index in seen.tolist()
                }
                self._crops[part] = {index: crops for index, crops in found.items() if crops}
            return self._crops[part]

    def crop_bank(self, part: Part, count: int) -> TrainingCrops:
        """At most ``count`` crops of a part in training frames, which stand for all the others."""
        with self._lock:
            if (part, count) not in self._crop_banks:
                # Of the training's frames even where samples show held-out ones.
                training = set(self.subject.frames_with_person.tolist())
                crops = {index: found for index, found in self.crops(part).items() if index in training}
                self._crop_banks[part, count] = TrainingCrops.choose(
                    part, self.part_side(part), crops, self.keypoints, self.frame, count
                )
            return self._crop_banks[part, count]

    def limbs(self, count: int) -> TrainingLimbs:
        """At most ``count`` pictures of each limb in training frames."""
        with self._lock:
            if count not in self._limbs:
                known: NDArray[np.uint8] = self.subject.plate_known.astype(np.uint8)
                self._limbs[count] = TrainingLimbs.choose(
                    self.keypoints,
                    self.subject.frames_with_person,
                    self.frame,
                    self.matte,
                    self.plate,
                    resized(known, self.size) > 0,
                    count,
                )
            return self._limbs[count]
