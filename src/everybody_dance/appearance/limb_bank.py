"""The limb bank: true pictures of a person's limbs, laid on a pose as a *puppet*.

A stick figure says where an arm is, not what it looks like, and a pose that was never filmed leaves the generator
guessing. But each limb was filmed, only in other company. So the generator is shown the empty place with a puppet in
it: for every limb, the true picture taken in the circumstances most like those asked for. The puppet is crude, its
joints gape and its light is patchy; the generator learns to mend it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor, hypot
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.appearance.crop_bank import CLEARLY_NEARER, FADE_SECONDS
from everybody_dance.appearance.limbs import (
    ENDS,
    IN_MIRROR,
    LIMBS,
    MIRROR_SIGNS,
    SHORTEST,
    TRUNK,
    origin_of,
    picture_size,
    shapes_of,
)
from everybody_dance.images import Box, Image
from everybody_dance.keypoints import CONFIDENT, Array, Pose, with_skull

MOST_STRETCHED = 2.0
"""Limbs are stretched or shrunk along their length by at most this factor."""

STEEP = 2.5
"""How much more suddenly than its colours a limb's outline changes in a fade."""

WITHOUT_FINGERS = 12

TALLEST = 1e5
"""Pixels of body height, beyond which a file is not believed."""

BACKWARDS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
"""Flags for ``warpAffine``: the matrix maps each pixel of the result to where it is fetched from."""


@dataclass(frozen=True, eq=False)
class LimbBank:
    """K pictures of each of the L ``LIMBS``.

    Attributes:
        pictures: L arrays, uint8 (K, rows, columns, 4): red, green and blue premultiplied by alpha, and alpha. Each is
            upright: the bone's first joint is in the middle at ``origin_of``, its last joint straight below.
        lengths: float32 (L, K), pixels between the two joints.
        shapes: float32 (L, K, 18), the circumstances of each (``shapes_of``); banks up to format 5 know nothing of
            fingers, and have ``WITHOUT_FINGERS`` columns.
        drawbacks: float32 (L, K), a penalty for hidden, covered or blurred limbs; infinite where there is no picture.
        height: the body's, in pixels.
    """

    pictures: tuple[Image, ...]
    lengths: Array
    shapes: Array
    drawbacks: Array
    height: float

    def mirrored(self) -> "LimbBank":
        """The same in a mirror: a left arm is a right one."""
        pictures = tuple(np.ascontiguousarray(self.pictures[limb][:, :, ::-1]) for limb in IN_MIRROR)
        shapes = self.shapes[IN_MIRROR] * MIRROR_SIGNS
        return LimbBank(pictures, self.lengths[IN_MIRROR], shapes, self.drawbacks[IN_MIRROR], self.height)

    def costs(self, pose: Pose) -> Array:
        """Matching cost of each picture, lower is better: float32 (L, K); infinite for limbs that the pose lacks."""
        xy, confidence = with_skull(pose.xy, pose.confidence)
        wanted = shapes_of(xy[None], confidence[None], self.height)[0, :, : self.shapes.shape[2]]
        cost = np.square(self.shapes - wanted[:, None]).sum(axis=2) + self.drawbacks
        return np.where((confidence[ENDS] > 0).all(axis=1)[:, None], cost, np.float32(np.inf))

    def lay(self, behind: Image, pose: Pose, box: Box, weights: Array) -> Image:
        """Lay the puppet on a pose.

        Args:
            behind: uint8 (h, w, 3), what ``box`` shows of the empty place.
            pose: in pixels of the frame.
            box: the part of the frame to draw.
            weights: (L, K), the share of each picture; limbs with no weight at all are left out.

        Returns:
            uint8 (h, w, 3), a new picture.
        """
        image = behind.copy()
        xy, confidence = with_skull(pose.xy, pose.confidence)
        hidden = confidence[ENDS].min(axis=1) < CONFIDENT  # behind the body: laid beneath the trunk
        hidden[TRUNK] = False
        for limb in np.argsort(~hidden, kind="stable").tolist():
            if weights[limb].any():
                self._lay_limb(image, limb, weights[limb], xy, box)
        return image

    def _lay_limb(self, image: Image, limb: int, weights: Array, xy: Array, box: Box) -> None:
        about, pictures = LIMBS[limb], np.flatnonzero(weights).tolist()
        (x, y), (last_x, last_y) = xy[ENDS[limb]].tolist()
        length = hypot(last_x - x, last_y - y)
        along_x, along_y = ((last_x - x) / length, (last_y - y) / length) if length > SHORTEST else (0.0, 1.0)
        # So short a limb points at the camera: how it is stretched says nothing.
        least = 0.02 * self.height
        stretched = [
            min(max(max(length, least) / max(own, least), 1 / MOST_STRETCHED), MOST_STRETCHED)
            for own in self.lengths[limb, pictures].tolist()
        ]
        rows, columns = self.pictures[limb].shape[1:3]
        radius, above = origin_of(about, self.height, columns)
        below = rows - above
        # The corners of the pictures in the frame.
        ends = -above * max(stretched), below * max(stretched)
        across = [x + end * along_x + side * along_y for end in ends for side in (-radius, radius)]
        down = [y + end * along_y + side * along_x for end in ends for side in (-radius, radius)]
        left, top, right, bottom = floor(min(across)), floor(min(down)), ceil(max(across)), ceil(max(down))
        from_x, from_y = max(left, box.x), max(top, box.y)
        to_x, to_y = min(right, box.x + box.width), min(bottom, box.y + box.height)
        if from_x >= to_x or from_y >= to_y:
            return
        # All of it is drawn and then cut, so that another box shows the same to the last bit.
        seen = slice(from_y - top, to_y - top), slice(from_x - left, to_x - left)
        parts = []
        for picture, stretch in zip(pictures, stretched, strict=True):
            matrix = np.array([[-along_y, along_x, 0], [along_x / stretch, along_y / stretch, 0]])
            matrix[:, 2] = matrix[:, :2] @ (left + 0.5 - x, top + 0.5 - y) + (radius - 0.5, above - 0.5)
            whole = cv2.warpAffine(self.pictures[limb][picture], matrix, (right - left, bottom - top), flags=BACKWARDS)
            parts.append(whole[seen])
        laid = parts[0] if len(parts) == 1 else _mean(parts, weights[pictures])
        there = image[from_y - box.y : to_y - box.y, from_x - box.x : to_x - box.x]
        behind = cv2.multiply(there, cv2.cvtColor(255 - laid[..., 3], cv2.COLOR_GRAY2RGB), scale=1 / 255)
        there[...] = cv2.add(behind, np.ascontiguousarray(laid[..., :3]))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything, by name."""
        pictures = {f"pictures.{limb}": picture for limb, picture in enumerate(self.pictures)}
        height = np.array([self.height])
        return pictures | {
            "lengths": self.lengths,
            "shapes": self.shapes,
            "drawbacks": self.drawbacks,
            "height": height,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Restore what ``arrays`` gave.

        Raises:
            KeyError, ValueError: some are missing, or they do not fit each other.
        """
        pictures = tuple(arrays[f"pictures.{limb}"] for limb in range(len(LIMBS)))
        lengths, shapes, drawbacks = arrays["lengths"], arrays["shapes"], arrays["drawbacks"]
        (height,) = np.asarray(arrays["height"], np.float64).tolist()
        if not 0 < height <= TALLEST or lengths.ndim != 2 or len(lengths) != len(LIMBS):
            raise ValueError("this is not a limb bank")
        each = lengths.shape
        columns = WITHOUT_FINGERS, len(MIRROR_SIGNS)
        shaped = shapes.shape in [(*each, count) for count in columns] and drawbacks.shape == each
        typed = all(array.dtype == np.float32 for array in (lengths, shapes, drawbacks))
        pictured = all(
            picture.shape[::3] == (each[1], 4)
            and 0 < picture.shape[2] <= size[1]  # up to format 5 there was less around a limb
            and picture.shape[1] - picture.shape[2] == size[0] - size[1]
            and picture.dtype == np.uint8
            for picture, size in zip(pictures, (picture_size(limb, height) for limb in LIMBS), strict=True)
        )
        if not (shaped and typed and pictured):
            raise ValueError("this is not a limb bank")
        return cls(pictures, lengths, shapes, drawbacks, height)


def nearest(costs: Array) -> Array:
    """float32 (L, K): 1 for the picture of each limb with the least finite cost, 0 elsewhere."""
    least = costs.argmin(axis=1)[:, None] == np.arange(costs.shape[1])
    return np.asarray(least & np.isfinite(costs), np.float32)


class LimbTrack:
    """Chooses the pictures that are laid from frame to frame, so that limbs do not flicker between two of them.

    A picture stays until another one is clearly nearer, and the change is a short fade.

    Args:
        bank: the pictures.
        fps: frames a second of the dance.
    """

    def __init__(self, bank: LimbBank, fps: float) -> None:
        self.bank = bank
        self._pace = min(1 / (FADE_SECONDS * fps), 1.0)
        self._wanted = np.zeros(bank.drawbacks.shape, np.float32)
        self._weights = self._wanted

    def follow(self, behind: Image, pose: Pose, box: Box) -> Image:
        """The puppet in the next pose of the dance, as ``LimbBank.lay``."""
        costs = self.bank.costs(pose)
        best = nearest(costs)
        laid = np.where(self._wanted > 0, costs, np.float32(np.inf)).min(axis=1)
        changes = costs.min(axis=1) < CLEARLY_NEARER * laid
        self._wanted = np.where(changes[:, None], best, self._wanted * best.any(axis=1, keepdims=True))
        fading = self._weights + np.clip(self._wanted - self._weights, -self._pace, self._pace)
        # A limb that comes into sight is there at once, and one that goes out of sight is gone at once.
        self._weights = np.where(self._weights.any(axis=1, keepdims=True), fading, self._wanted)
        self._weights = self._weights * self._wanted.any(axis=1, keepdims=True)
        return self.bank.lay(behind, pose, box, self._weights)


def _mean(pictures: list[NDArray[Any]], weights: Array) -> Image:
    """A fade between pictures (h, w, 4): colours mix, but the outline is the one that most weight stands for.

    Else a head that turns would have the ghost of another one around it.
    """
    mixed = np.average(pictures, axis=0, weights=weights)
    alpha = mixed[..., 3:]
    outlined = np.clip(STEEP * (alpha - 127.5) + 127.5, 0, 255)
    return np.asarray(np.round(mixed * (outlined / np.maximum(alpha, 1))).clip(0, 255), np.uint8)
