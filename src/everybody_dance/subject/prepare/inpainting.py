"""What the footage never uncovers of the place, guessed from what it shows."""

import cv2
import numpy as np
from numpy.typing import NDArray

LEAST, MOST = 0.002, 0.4
"""Shares of the picture that are filled with pieces of the rest."""

ROOM = 8
"""Pixels around the picture, so that what is missing does not touch its edge."""


def inpainted(image: NDArray[np.uint8], known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Fill what is unknown with pieces of what is known that fit (He and Sun 2012, OpenCV's ``INPAINT_SHIFTMAP``).

    Where hardly anything is missing, or too much for that, colours flow in from the left and right instead, where
    floors and walls go on.

    Args:
        image: uint8 (H, W, 3), RGB.
        known: bool (H, W), the pixels that stay as they are.
    """
    rows = known.any(axis=1)
    if known.all() or not rows.any():
        return image
    flowed = _flowed(image, known, down=1)
    if not rows.all():
        flowed = _flowed(flowed, np.broadcast_to(rows[:, None], known.shape), down=2)
    if not LEAST <= 1 - known.mean() <= MOST:
        return flowed
    pieced = np.zeros_like(image)
    space = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    cv2.xphoto.inpaint(space, np.uint8(255) * known, pieced, cv2.xphoto.INPAINT_SHIFTMAP)
    done = pieced.any(axis=-1) & ~known  # no colour is 0 in all of CIELAB
    return _seamless(np.where(done[..., None], cv2.cvtColor(pieced, cv2.COLOR_LAB2RGB), flowed), flowed, known)


def _seamless(pieced: NDArray[np.uint8], flowed: NDArray[np.uint8], known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Take the light of each piece from where it meets what is known (Pérez and others 2003)."""
    inner, outer = (
        cv2.copyMakeBorder(picture, ROOM, ROOM, ROOM, ROOM, cv2.BORDER_REPLICATE) for picture in (pieced, flowed)
    )
    missing = np.pad(np.uint8(255) * ~known, ROOM)
    x, y, width, height = cv2.boundingRect(missing)
    done = cv2.seamlessClone(inner, outer, missing, (x + width // 2, y + height // 2), cv2.NORMAL_CLONE)
    return np.where(known[..., None], pieced, done[ROOM:-ROOM, ROOM:-ROOM])


def _flowed(image: NDArray[np.uint8], known: NDArray[np.bool_], down: int) -> NDArray[np.uint8]:
    """Fill holes from coarser and coarser averages of the known colours.

    Args:
        image: uint8 (H, W, 3).
        known: bool (H, W), the pixels that stay as they are.
        down: divisor of the height from each size to the next; the width is halved.
    """
    pictures = [image.astype(np.float32) * known[..., None]]
    weights = [known.astype(np.float32)]
    while weights[-1].shape[1] > 1 and (weights[-1] == 0).any():
        size = max(weights[-1].shape[1] // 2, 1), max(weights[-1].shape[0] // down, 1)
        pictures.append(np.asarray(cv2.resize(pictures[-1], size, interpolation=cv2.INTER_AREA), np.float32))
        weights.append(np.asarray(cv2.resize(weights[-1], size, interpolation=cv2.INTER_AREA), np.float32))
    colours = pictures[-1] / np.maximum(weights[-1], 1e-6)[..., None]
    for picture, weight in zip(reversed(pictures[:-1]), reversed(weights[:-1]), strict=True):
        coarse = cv2.resize(colours, (weight.shape[1], weight.shape[0]), interpolation=cv2.INTER_LINEAR)
        share = np.minimum(weight, 1)[..., None]
        colours = share * (picture / np.maximum(weight, 1e-6)[..., None]) + (1 - share) * coarse
    return np.where(known[..., None], image, colours.clip(0, 255).round()).astype(np.uint8)
