"""Footage whose light changes, brought to the light of the empty place.

A camera left to itself exposes anew when somebody comes nearer or a cloud passes. The clean plate has one light, so a
person who was learnt in every other would stand out from it, and a frame would differ from its plate everywhere.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance import events
from everybody_dance.images import Image
from everybody_dance.machine import usable_cores
from everybody_dance.subject.subject import read_frame, write_frame

DARK, BLOWN = 24, 250
"""Pixels with a colour channel darker or brighter than these, of 255, say nothing about the light."""

ENOUGH = 0.05
"""Share of the pixels by which the light of two pictures is compared, at least."""

EVERY = 4
"""Every fourth pixel in each direction is enough."""

UNEVEN = 0.03
"""From this change of exposure on the light is evened."""

SEEN = 0.01
"""A frame whose light differs by less than this is left as it is."""

LARGEST_GAIN = 2.0
"""Beyond it there is too little left of a frame's colours to be brought back."""


def gain_to(reference: Image, picture: Image, clear: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """By how much each colour channel of a picture must be multiplied to have another one's light.

    The median ratio of their pixels, since captions and shadows come and go.

    Args:
        reference, picture: uint8 (H, W, 3).
        clear: bool (H, W), where both show the same.

    Returns:
        (3,); None where too few pixels can be compared.
    """
    wanted, had = (image[::EVERY, ::EVERY] for image in (reference, picture))
    both = clear[::EVERY, ::EVERY].copy()
    for image in (wanted, had):
        both &= (image.min(axis=-1) > DARK) & (image.max(axis=-1) < BLOWN)
    if both.mean() < ENOUGH:
        return None
    return np.asarray(np.median(wanted[both].astype(np.float64) / had[both], axis=0))


def multiplied(picture: Image, gain: NDArray[np.floating[Any]]) -> Image:
    """A picture, uint8 (H, W, 3), with each colour channel multiplied by its gain (3,)."""
    curves = (np.arange(256)[None, :, None] * gain).round().clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(picture, curves))


def gains_to(
    reference: Image,
    frame: Callable[[int], Image],
    clear: Callable[[int], NDArray[np.bool_]],
    frames: NDArray[np.int64],
    on_progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float64]:
    """The gains (N, 3) of ``frames``, as of ``gain_to``; a frame that cannot be compared has those of its neighbours.

    Args:
        reference: uint8 (H, W, 3), the empty place.
        frame, clear: give a frame, and bool (H, W), where it shows that.
        frames: the frames' numbers, in order.
        on_progress: told the frames done and all of them.
    """
    gains = np.ones((len(frames), 3))
    measured = np.zeros(len(frames), bool)
    for place, index in enumerate(frames.tolist()):
        gain = gain_to(reference, frame(index), clear(index))
        if gain is not None:
            gains[place], measured[place] = gain, True
        if on_progress is not None:
            on_progress(place + 1, len(frames))
    if measured.any():
        gains = np.stack([np.interp(frames, frames[measured], channel) for channel in gains[measured].T], axis=1)
    return gains


def exposure_change(gains: NDArray[np.float64]) -> float:
    """The brightest frame over the darkest, minus 1, of frames with these gains (N, 3)."""
    brightness = gains.mean(axis=1)
    return float(brightness.max() / brightness.min() - 1) if len(gains) else 0.0


def even_light(folder: Path, frames: NDArray[np.int64], gains: NDArray[np.float64]) -> None:
    """Rewrite frames of a new subject with their gains (N, 3), but for those whose light is nearly right."""
    gains = gains.clip(1 / LARGEST_GAIN, LARGEST_GAIN)
    uneven = np.flatnonzero(np.abs(gains - 1).max(axis=1) > SEEN)

    def rewrite(index: int, gain: NDArray[np.float64]) -> None:
        write_frame(folder, index, multiplied(read_frame(folder, index), gain))

    with ThreadPoolExecutor(usable_cores()) as pool:
        for _ in pool.map(rewrite, frames[uneven].tolist(), gains[uneven]):
            events.check_cancelled()
