"""Numbered PNG frames in a folder of their own, in place of a video."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import cv2
import numpy as np

from everybody_dance.files import FOLDER, replacing, temporary_path
from everybody_dance.images import Image
from everybody_dance.video.provenance import png_with_statement


@contextmanager
def frames_into(folder: Path) -> Iterator[Callable[[Image], None]]:
    """Yield what writes the next frame, ``frame-000001.png`` first; there is no folder until the block ended well.

    Frames are uint8 (H, W, 3), RGB, or (H, W, 4) with straight alpha. Each says that an AI made it, as videos do.

    Args:
        folder: new or empty.

    Raises:
        DanceError: the disk is full (``disk-full``), or the place cannot be written (``cannot-write``).
    """
    with replacing(folder, folder=True) as temporary:
        numbers = count(1)

        def write(frame: Image) -> None:
            swapped = cv2.COLOR_RGBA2BGRA if frame.shape[2] == 4 else cv2.COLOR_RGB2BGR
            _, png = cv2.imencode(".png", cv2.cvtColor(frame, swapped))
            with (temporary / f"frame-{next(numbers):06d}.png").open("wb") as file:
                file.write(png_with_statement(png.tobytes()))
                file.flush()
                os.fsync(file.fileno())

        yield write


def check_folder_writable(folder: Path) -> None:
    """Find out now what would fail when frames are written: a frame is, beside ``folder``, and is thrown away.

    Raises:
        DanceError: as ``frames_into``.
    """
    trial = temporary_path(folder.parent, FOLDER)
    try:
        with frames_into(trial) as write:
            write(np.zeros((64, 64, 3), np.uint8))
    finally:
        shutil.rmtree(trial, ignore_errors=True)
