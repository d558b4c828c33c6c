"""The mattes of a clip in one file: a zip archive of grey PNG pictures, which any tool opens."""

import lzma
import struct
import zlib
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

import cv2

from everybody_dance.images import Image, decoded

COVERED = 32
"""From this value on, of 255, a pixel is not surely free of the person."""

_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
"""Mattes are flat almost everywhere: run lengths are nearly as small as the best compression, and much faster."""


_DAMAGED = (BadZipFile, KeyError, EOFError, zlib.error, struct.error, NotImplementedError, RuntimeError, lzma.LZMAError)
"""What a damaged archive makes ``zipfile`` raise: it may seem encrypted, or compressed in any way."""


class MatteWriter:
    """Writes mattes one after the other; close it.

    Args:
        path: the file, which must not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._archive = ZipFile(path, "x")
        self._count = 0

    def write(self, matte: Image) -> None:
        """Add the next frame's matte, uint8 (H, W)."""
        # Named by a ZipInfo, which has no time: the same mattes are the same file.
        self._archive.writestr(ZipInfo(_name(self._count)), cv2.imencode(".png", matte, _PNG)[1].tobytes())
        self._count += 1

    def close(self) -> None:
        """Complete the file."""
        self._archive.close()


class MatteReader:
    """The mattes that a ``MatteWriter`` wrote, in any order; several threads may read.

    Args:
        path: the file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a file, or is damaged.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._archive = ZipFile(path)
        except _DAMAGED as error:
            raise ValueError(f"{path} holds no mattes") from error

    def __len__(self) -> int:
        return len(self._archive.namelist())

    def check(self) -> None:
        """Read everything once.

        Raises:
            OSError, ValueError: as above.
        """
        try:
            damaged = self._archive.testzip()
        except _DAMAGED as error:
            raise ValueError(f"{self._archive.filename} is damaged") from error
        if damaged is not None:
            raise ValueError(f"{self._archive.filename} is damaged at {damaged}")

    def matte(self, index: int) -> Image:
        """uint8 (H, W), the matte of a frame.

        Raises:
            OSError, ValueError: as above.
        """
        try:
            data = self._archive.read(_name(index))
        except _DAMAGED as error:
            raise ValueError(f"{self._archive.filename} lacks the matte of frame {index}") from error
        image = decoded(data, cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise ValueError(f"{self._archive.filename} holds no picture for frame {index}")
        return image

    def close(self) -> None:
        """Release the file."""
        self._archive.close()


def _name(index: int) -> str:
    return f"{index:06d}.png"
