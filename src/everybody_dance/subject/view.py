"""What a training sample shows of a frame: a box of it, straight or bent a little."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.drawing.window import Box

MOST_TURN = np.radians(15)
MOST_STRETCH = 0.3
"""Logarithm of the scale of each axis, either way."""

MOST_SHEAR = 0.25


@dataclass(frozen=True)
class View:
    """A box of the frame, and what is done to the picture within.

    Attributes:
        box: what is cut; its size is the view's.
        bend: (2, 2), the linear map about the middle of the box; None: the pixels as they are.
    """

    box: Box
    bend: NDArray[np.float64] | None = None

    def cut(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """This view of ``image`` (H, W, 3); edge pixels continue where it reaches over the edge."""
        if self.bend is None:
            return self.box.cut(image)
        # OpenCV has pixel centres at whole numbers, we have them at halves.
        shift = self.place(np.zeros((1, 2)))[0] + self.bend @ (0.5, 0.5) - 0.5
        matrix = np.column_stack([self.bend, shift])
        size = self.box.width, self.box.height
        return np.asarray(
            cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )

    def place(self, xy: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Where points (..., 2) of the frame are in the view, in its pixels."""
        if self.bend is None:
            return np.asarray(xy - (self.box.x, self.box.y), np.float32)
        half = np.array([self.box.width, self.box.height]) / 2
        return np.asarray((xy - (self.box.x, self.box.y) - half) @ self.bend.T + half, np.float32)


def random_bend(random: np.random.Generator) -> NDArray[np.float64]:
    """A small turn, stretch and shear: sources hold their heads and limbs at angles that the footage never shows."""
    turn = random.uniform(-MOST_TURN, MOST_TURN)
    stretch = np.diag(np.exp(random.uniform(-MOST_STRETCH, MOST_STRETCH, 2)))
    shear = np.array([[1.0, random.uniform(-MOST_SHEAR, MOST_SHEAR)], [0.0, 1.0]])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.asarray(rotation @ shear @ stretch, np.float64)
