"""A person filmed by a camera that travels, cut out and laid over the place of one moment."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from everybody_dance import events
from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.machine import usable_cores
from everybody_dance.pose.mattes import MatteReader
from everybody_dance.subject.folder import MATTES
from everybody_dance.subject.subject import read_frame, write_frame

LEAST, MOST = 96, 224
"""Values of a matte below and above which there is nothing and all of the person: its edge shows the place behind."""


def cut_out(folder: Path, keypoints: Keypoints, plate: Image) -> None:
    """Lay the person of every frame of a new subject over the same place; nothing else of the frame is left.

    Args:
        folder: of the new subject.
        keypoints: of its frames.
        plate: uint8 (H, W, 3).
    """
    with closing(MatteReader(folder / MATTES)) as mattes, ThreadPoolExecutor(usable_cores()) as pool:

        def lay(index: int) -> None:
            matte = mattes.matte(index)
            if not matte.any():  # of a pose that the built-in detector did not see
                matte = np.uint8(255) * person_mask(keypoints.pose(index), keypoints.size, 0.0)
            share = ((matte.astype(np.float32) - LEAST) / (MOST - LEAST)).clip(0, 1)
            write_frame(folder, index, np.asarray(cv2.blendLinear(read_frame(folder, index), plate, share, 1 - share)))

        for _ in pool.map(lay, range(len(keypoints))):
            events.check_cancelled()
