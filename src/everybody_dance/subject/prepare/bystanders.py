"""Other people in the footage: out of the empty place and the frames; where they cross the person, frames go."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance import events
from everybody_dance.images import Image, resized
from everybody_dance.machine import usable_cores
from everybody_dance.pose.everybody import Alone
from everybody_dance.pose.mattes import MatteReader
from everybody_dance.subject.folder import MATTES
from everybody_dance.subject.manifest import Clip
from everybody_dance.subject.prepare.registration import Registration
from everybody_dance.subject.subject import read_frame, write_frame

CROSSED = 0.02
"""A frame in which more than this share of the person lies behind or before somebody else is left out."""

MOST_CROSSED = 0.5
"""If there are more such frames than this share, none is left out: there would be too little left."""

SOFT = 0.006
"""Width of the soft edge of what is laid over others, in heights of the frame."""


class Bystanders:
    """Other people in the frames of a new subject.

    Args:
        clips: how the frames are divided.
        alone: of each clip, what tells the person from others; None where there are none.
        size: (W, H) of the frames.
    """

    def __init__(self, clips: Sequence[Clip], alone: Sequence[Alone | None], size: tuple[int, int]) -> None:
        self._clips = [(clip, theirs) for clip, theirs in zip(clips, alone, strict=True) if theirs is not None]
        self._frames = max((clip.stop for clip in clips), default=0)
        self._size = size

    def __bool__(self) -> bool:
        return bool(self._clips)

    def mask(self, index: int) -> Image | None:
        """uint8 (H, W): 255 where others are; None where there is nobody else."""
        for clip, alone in self._clips:
            if clip.first <= index < clip.stop:
                return resized(alone.others(index - clip.first), self._size)
        return None

    def covered(self, matte: Callable[[int], Image], index: int) -> Image:
        """uint8 (H, W): a frame's matte of the person, with the others in it."""
        mask = self.mask(index)
        return matte(index) if mask is None else np.maximum(matte(index), mask)

    def crossed(self) -> tuple[NDArray[np.bool_], float]:
        """Which frames (T,) are left out since others cross the person there, and in what share of all they do."""
        share = np.zeros(self._frames)
        for clip, alone in self._clips:
            share[clip.first : clip.stop] = [alone.crossed(index) for index in range(clip.stop - clip.first)]
        crossed = share > CROSSED
        often = float(crossed.mean()) if self._frames else 0.0
        return crossed & (often <= MOST_CROSSED), often


def leave_out(folder: Path, bystanders: Bystanders, registration: Registration | None, plate: Image) -> None:
    """Lay the empty place over other people in the frames of a new subject.

    Args:
        folder: of the new subject, whose frames and mattes were moved by ``registration`` if there is one.
        bystanders: the others, where they were filmed.
        registration: how the frames were moved.
        plate: uint8 (H, W, 3), of the frames as they are now.
    """
    with closing(MatteReader(folder / MATTES)) as mattes, ThreadPoolExecutor(usable_cores()) as pool:

        def lay(index: int) -> None:
            mask = bystanders.mask(index)
            if mask is None or not mask.any():
                return
            if registration is not None:
                mask = registration.moved(mask, index)
            share = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), SOFT * len(mask))
            share = np.minimum(share, 1 - mattes.matte(index).astype(np.float32) / 255)
            frame = read_frame(folder, index)
            write_frame(folder, index, np.asarray(cv2.blendLinear(plate, frame, share, 1 - share)))

        for _ in pool.map(lay, range(len(mattes))):
            events.check_cancelled()
