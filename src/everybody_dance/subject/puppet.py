"""The puppet that a generator learns with: never with limbs of the moment that it is to paint."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from everybody_dance.drawing.puppet import IN_MIRROR, Puppet, choose, nearest, typical_height
from everybody_dance.drawing.window import Box
from everybody_dance.keypoints import Keypoints
from everybody_dance.subject.references import SAME_MOMENT

Frame = NDArray[np.uint8]

MOST_CANDIDATES = 200
"""Frames of which limbs may be kept: that many, evenly over the footage, show most of what it shows."""


@dataclass(frozen=True)
class TrainingPuppet:
    """A puppet, and when its pictures are from.

    Attributes:
        kept: what the performer will have.
        mirrored: the same in a mirror.
        frames: int (L, K), indices in the footage.
        mirrored_frames: of ``mirrored``.
        fps: of the footage.
    """

    kept: Puppet
    mirrored: Puppet
    frames: NDArray[np.int64]
    mirrored_frames: NDArray[np.int64]
    fps: float

    @classmethod
    def choose(
        cls,
        keypoints: Keypoints,
        frames: NDArray[np.int64],
        frame: Callable[[int], Frame],
        plate: Frame,
        known: NDArray[np.bool_],
        count: int,
    ) -> Self:
        """A puppet of at most ``count`` pictures of each limb.

        Args:
            keypoints: of the footage.
            frames: to choose from, all of which show the person.
            frame: gives uint8 (H, W, 3) by index; only what is kept is asked for.
            plate, known: as in ``Puppet.cut_out``.
            count: to keep.
        """
        some = frames[np.linspace(0, len(frames) - 1, min(len(frames), MOST_CANDIDATES)).astype(int)]
        height = typical_height(keypoints[some])
        kept = choose(keypoints, some, height, count)
        puppet = Puppet.cut_out(keypoints, kept, height, frame, plate, known)
        return cls(puppet, puppet.mirrored(), kept, kept[IN_MIRROR], float(keypoints.fps))

    def lay(
        self,
        moment: int,
        behind: Frame,
        xy: NDArray[np.float32],
        confidence: NDArray[np.float32],
        box: Box,
        mirrored: bool,
    ) -> Frame:
        """As ``Puppet.lay``, of the nearest pictures that are not of the same ``moment``: a new dance has none.

        Args:
            moment: the sample's last frame.
            mirrored: whether the sample is.
        """
        puppet, frames = (self.mirrored, self.mirrored_frames) if mirrored else (self.kept, self.frames)
        costs = puppet.costs(xy, confidence)
        costs[np.abs(frames - moment) <= SAME_MOMENT * self.fps] = np.inf
        return puppet.lay(behind, xy, confidence, box, nearest(costs))
