"""The display matrix: how a stored picture is turned and mirrored to be shown."""

import struct
from dataclasses import dataclass
from typing import Self

import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame

from everybody_dance.images import Image
from everybody_dance.video.side_data import side_data


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay down a picture: columns and rows swapped, then mirrored.

    Attributes:
        transposed: columns and rows are swapped, first of all.
        mirrored: left and right are swapped.
        flipped: top and bottom are swapped.
    """

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> Self:
        """The one nearest to the frame's display matrix, which is 3 x 3 in fixed point; upright where it has none."""
        try:
            data = side_data(frame, Type.DISPLAYMATRIX)
        except ValueError:  # without the matrix, PyAV still tells the turn
            quarter_turns = round(frame.rotation / 90) % 4
            return cls(quarter_turns % 2 == 1, quarter_turns in (2, 3), quarter_turns in (1, 2))
        if data is None:
            return cls()
        # A pixel at (x, y) is shown at (a x + c y, b x + d y).
        a, b, _, c, d = struct.unpack_from("=5i", data)
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(True, c < 0, b < 0)
        return cls(False, a < 0, d < 0)

    @property
    def is_mirror(self) -> bool:
        """Whether it is more than a turn: what is written in the picture is reversed."""
        return self.transposed ^ self.mirrored ^ self.flipped

    def size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) after or, since swapping twice changes nothing, before it is applied."""
        return (height, width) if self.transposed else (width, height)

    def apply(self, image: Image) -> Image:
        """``image`` (H, W, 3) as it is to be shown; the same array where it is upright already."""
        if self == Orientation():
            return image
        shown = image.transpose(1, 0, 2) if self.transposed else image
        return np.ascontiguousarray(shown[:: -1 if self.flipped else 1, :: -1 if self.mirrored else 1])
