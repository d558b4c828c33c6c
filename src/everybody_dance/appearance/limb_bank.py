"""A puppet: true pictures of a person's limbs, cut out of the footage and laid on the pose asked for.

A stick figure says where an arm is, not what it looks like, and a pose that was never filmed leaves the generator
guessing. But each limb was filmed, if not in this company. So the generator is shown the empty place with a puppet in
it: of every limb the true picture that was taken in the circumstances most like those asked for. The puppet is crude,
its joints gape and its light is patchy; what becomes of it is the generator's to learn.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor, hypot
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.appearance.crop_bank import CLEARLY_NEARER, FADE_SECONDS
from everybody_dance.images import Box
from everybody_dance.skeleton import JOINT_COUNT, LEFT_HAND, MIRROR, RIGHT_HAND, Joint

Frame = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Limb:
    """What is cut out along the line from joint ``first`` to joint ``last``; lengths in body heights.

    Attributes:
        longest: what is longer, near the camera, is cut off.
        radius: half of its width.
        before, beyond: how far it goes on past the first joint and past the last.
        neighbours: joints that, seen from the first and from the last, also say what it looks like.
        turns: weight of how it lies in the picture. An arm may be turned by any angle; a foot that points elsewhere is
            seen from another side.
        looks: weight of where the head looks.
    """

    first: int
    last: int
    longest: float
    radius: float
    before: float
    beyond: float
    neighbours: tuple[int, int]
    turns: float = 0.08
    looks: float = 1.0


_SKULL = JOINT_COUNT
"""A joint of our own, in the middle of the ears."""

_MIDDLE_KNUCKLE = 9
_LEFT, _RIGHT = LEFT_HAND.start + _MIDDLE_KNUCKLE, RIGHT_HAND.start + _MIDDLE_KNUCKLE

LIMBS: tuple[Limb, ...] = (
    Limb(Joint.NECK, Joint.MID_HIP, 0.36, 0.12, 0.02, 0.05, (Joint.NOSE, Joint.NOSE)),
    Limb(Joint.LEFT_HIP, Joint.LEFT_KNEE, 0.3, 0.07, 0.05, 0.02, (Joint.RIGHT_HIP, Joint.LEFT_ANKLE)),
    Limb(Joint.RIGHT_HIP, Joint.RIGHT_KNEE, 0.3, 0.07, 0.05, 0.02, (Joint.LEFT_HIP, Joint.RIGHT_ANKLE)),
    Limb(Joint.LEFT_KNEE, Joint.LEFT_ANKLE, 0.3, 0.055, 0.02, 0.02, (Joint.LEFT_HIP, Joint.LEFT_BIG_TOE)),
    Limb(Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE, 0.3, 0.055, 0.02, 0.02, (Joint.RIGHT_HIP, Joint.RIGHT_BIG_TOE)),
    Limb(Joint.LEFT_ANKLE, Joint.LEFT_BIG_TOE, 0.2, 0.036, 0.03, 0.02, (Joint.LEFT_KNEE, Joint.LEFT_HEEL), turns=0.4),
    Limb(
        Joint.RIGHT_ANKLE, Joint.RIGHT_BIG_TOE, 0.2, 0.036, 0.03, 0.02, (Joint.RIGHT_KNEE, Joint.RIGHT_HEEL), turns=0.4
    ),
    Limb(Joint.NECK, _SKULL, 0.18, 0.09, 0.0, 0.02, (Joint.MID_HIP, Joint.NOSE), turns=0.6, looks=3.0),
    Limb(Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, 0.24, 0.05, 0.02, 0.02, (Joint.NECK, Joint.LEFT_WRIST)),
    Limb(Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, 0.24, 0.05, 0.02, 0.02, (Joint.NECK, Joint.RIGHT_WRIST)),
    Limb(Joint.LEFT_ELBOW, Joint.LEFT_WRIST, 0.24, 0.038, 0.02, 0.11, (Joint.LEFT_SHOULDER, _LEFT)),
    Limb(Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST, 0.24, 0.038, 0.02, 0.11, (Joint.RIGHT_SHOULDER, _RIGHT)),
)
"""In the order in which they are laid, what is mostly nearer last: trunk, legs, feet, head, arms with their hands."""

TRUNK = 0

ENDS = np.array([(limb.first, limb.last) for limb in LIMBS])
"""int (L, 2): the joints of each limb, of 138 (``with_skull``)."""

_NEIGHBOURS = np.array([limb.neighbours for limb in LIMBS])  # (L, 2)
_TURNS = np.array([limb.turns for limb in LIMBS], np.float32)
_LOOKS = np.array([limb.looks for limb in LIMBS], np.float32)
IN_MIRROR = np.array([ENDS.tolist().index(ends) for ends in np.append(MIRROR, _SKULL)[ENDS].tolist()])
"""``IN_MIRROR[l]``: the limb in the place of limb l in a mirror image."""

_LENGTH_WEIGHT, _FACING_WEIGHT, _BEHIND = 2.0, 2.0, 0.1

# What becomes of a shape (the columns of ``shapes_of``) in a mirror.
_SIGNS = np.array([1, -1, 1, 1, -1, 1, -1, 1, 1, 1, -1, 1], np.float32)

SURE = 0.3
"""A limb whose joints are less sure than this is hidden behind the body: it is laid beneath the trunk."""

MOST_STRETCHED = 2.0
"""Limbs are stretched or shrunk along their length at most this many times."""

SHORTEST = 1e-3
"""Pixels: what is shorter has no direction."""

BACKWARDS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
"""The matrix says where each pixel is fetched from."""


@dataclass(frozen=True, eq=False)
class Puppet:
    """Pictures of each of the L ``LIMBS``, K of each.

    Attributes:
        pictures: L arrays, uint8 (K, length, width, 4): red, green and blue times alpha, and alpha. Upright: the first
            joint is in the middle, ``before`` and half a width from the upper edge, the last joint below it.
        lengths: float32 (L, K), pixels between the two joints.
        shapes: float32 (L, K, 12), in which circumstances each was taken.
        drawbacks: float32 (L, K); infinite where there is no picture.
        height: the body's, in pixels.
    """

    pictures: tuple[Frame, ...]
    lengths: Floats
    shapes: Floats
    drawbacks: Floats
    height: float

    def mirrored(self) -> "Puppet":
        """The same in a mirror: a left arm is a right one."""
        pictures = tuple(np.ascontiguousarray(self.pictures[limb][:, :, ::-1]) for limb in IN_MIRROR)
        shapes = self.shapes[IN_MIRROR] * _SIGNS
        return Puppet(pictures, self.lengths[IN_MIRROR], shapes, self.drawbacks[IN_MIRROR], self.height)

    def costs(self, xy: Floats, confidence: Floats) -> Floats:
        """How ill each picture suits a pose: float32 (L, K); infinite for limbs that the pose does not have.

        Args:
            xy: (137, 2) in pixels.
            confidence: (137,) in [0, 1].
        """
        xy, confidence = with_skull(xy, confidence)
        wanted = shapes_of(xy[None], confidence[None], self.height)[0]
        cost = np.square(self.shapes - wanted[:, None]).sum(axis=2) + self.drawbacks
        return np.where((confidence[ENDS] > 0).all(axis=1)[:, None], cost, np.float32(np.inf))

    def lay(self, behind: Frame, xy: Floats, confidence: Floats, box: Box, weights: Floats) -> Frame:
        """The puppet in a pose: a new picture.

        Args:
            behind: uint8 (h, w, 3), what ``box`` shows of the empty place.
            xy: (137, 2), pixels of the frame.
            confidence: (137,) in [0, 1].
            box: the part of the frame to draw.
            weights: (L, K), how much of each picture is shown; nothing of limbs that have none.
        """
        image = behind.copy()
        xy, confidence = with_skull(xy, confidence)
        hidden = confidence[ENDS].min(axis=1) < SURE
        hidden[TRUNK] = False
        for limb in np.argsort(~hidden, kind="stable").tolist():
            if weights[limb].any():
                self._lay_limb(image, limb, weights[limb], xy, box)
        return image

    def _lay_limb(self, image: Frame, limb: int, weights: Floats, xy: Floats, box: Box) -> None:
        about, pictures = LIMBS[limb], np.flatnonzero(weights).tolist()
        (x, y), (last_x, last_y) = xy[[about.first, about.last]].tolist()
        length = hypot(last_x - x, last_y - y)
        along_x, along_y = ((last_x - x) / length, (last_y - y) / length) if length > SHORTEST else (0.0, 1.0)
        # So short a limb points at the camera: how it is stretched says nothing.
        least = 0.02 * self.height
        stretched = [
            min(max(max(length, least) / max(own, least), 1 / MOST_STRETCHED), MOST_STRETCHED)
            for own in self.lengths[limb, pictures].tolist()
        ]
        radius, above = origin_of(about, self.height)
        below = self.pictures[limb].shape[1] - above
        # The corners of the pictures, as they come to lie.
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
        """What ``arrays`` gave.

        Raises:
            KeyError, ValueError: they are not all there, or do not fit each other.
        """
        pictures = tuple(arrays[f"pictures.{limb}"] for limb in range(len(LIMBS)))
        lengths, shapes, drawbacks = arrays["lengths"], arrays["shapes"], arrays["drawbacks"]
        (height,) = arrays["height"].tolist()
        each = lengths.shape
        fits = each[0] == len(LIMBS) and shapes.shape == (*each, len(_SIGNS)) and drawbacks.shape == each
        sizes = ((each[1], *picture_size(limb, height), 4) for limb in LIMBS)
        if not fits or any(picture.shape != size for picture, size in zip(pictures, sizes, strict=True)):
            raise ValueError("this is no puppet")
        return cls(pictures, lengths, shapes, drawbacks, height)


def nearest(costs: Floats) -> Floats:
    """(L, K): 1 for the picture of each limb that costs least; 0 for the others, and for all of no finite cost."""
    least = costs.argmin(axis=1)[:, None] == np.arange(costs.shape[1])
    return np.asarray(least & np.isfinite(costs), np.float32)


class PuppetTrack:
    """Which pictures are laid while one dance goes on, so that limbs do not flicker between two of them.

    One that is laid stays until another is clearly nearer, and the change is a short fade.

    Args:
        puppet: whose pictures.
        fps: frames a second of the dance.
    """

    def __init__(self, puppet: Puppet, fps: float) -> None:
        self.puppet = puppet
        self._pace = min(1 / (FADE_SECONDS * fps), 1.0)
        self._wanted = np.zeros(puppet.drawbacks.shape, np.float32)
        self._weights = self._wanted

    def follow(self, behind: Frame, xy: Floats, confidence: Floats, box: Box) -> Frame:
        """The puppet in the next pose of the dance, as ``Puppet.lay``."""
        costs = self.puppet.costs(xy, confidence)
        best = nearest(costs)
        laid = np.where(self._wanted > 0, costs, np.float32(np.inf)).min(axis=1)
        changes = costs.min(axis=1) < CLEARLY_NEARER * laid
        self._wanted = np.where(changes[:, None], best, self._wanted * best.any(axis=1, keepdims=True))
        fading = self._weights + np.clip(self._wanted - self._weights, -self._pace, self._pace)
        # What comes into sight is there at once, and so is gone what goes out of it.
        self._weights = np.where(self._weights.any(axis=1, keepdims=True), fading, self._wanted)
        self._weights = self._weights * self._wanted.any(axis=1, keepdims=True)
        return self.puppet.lay(behind, xy, confidence, box, self._weights)


def with_skull(xy: Floats, confidence: Floats) -> tuple[Floats, Floats]:
    """(..., 138, 2) and (..., 138): with a joint more in the middle of those ears that were found."""
    ears = [Joint.RIGHT_EAR, Joint.LEFT_EAR]
    found = (confidence[..., ears] > 0)[..., None]
    skull = np.where(found, xy[..., ears, :], 0).sum(axis=-2) / np.maximum(found.sum(axis=-2), 1)
    sure = confidence[..., ears].max(axis=-1, keepdims=True)
    extended = np.concatenate([xy, skull[..., None, :]], axis=-2, dtype=np.float32)
    return extended, np.concatenate([confidence, sure], axis=-1, dtype=np.float32)


def shapes_of(xy: Floats, confidence: Floats, height: float) -> Floats:
    """(N, L, 12): what decides how a limb looks, in body heights, so weighted that squares can be added.

    Its length, which is how much it is foreshortened; its direction; its two neighbours, seen along it; how far the
    left shoulder, hip and ear lie to the right of the right ones, and the nose of the neck: which way the person
    faces; and whether they face the camera at all.
    """
    found = confidence > 0
    place = np.where(found[..., None], xy, 0) / np.float32(height)
    first, last = place[:, ENDS[:, 0]], place[:, ENDS[:, 1]]  # (N, L, 2)
    bone = last - first
    length = np.hypot(bone[..., 0], bone[..., 1])
    along = bone / np.maximum(length, 1e-3)[..., None]

    def seen_from(neighbour: NDArray[np.int64], origin: Floats) -> list[Floats]:
        there = (place[:, neighbour] - origin) * found[:, neighbour, None]
        parallel = (there * along).sum(axis=2)
        return [parallel, there[..., 1] * along[..., 0] - there[..., 0] * along[..., 1]]

    def apart(left: Joint, right: Joint) -> Floats:
        both = found[:, left] & found[:, right]
        return np.asarray(((place[:, left, 0] - place[:, right, 0]) * both)[:, None])

    nose = found[:, Joint.NOSE, None]
    columns = [
        _LENGTH_WEIGHT * length,
        _TURNS * along[..., 0],
        _TURNS * along[..., 1],
        *seen_from(_NEIGHBOURS[:, 0], first),
        *seen_from(_NEIGHBOURS[:, 1], last),
        _FACING_WEIGHT * apart(Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER),
        _FACING_WEIGHT * apart(Joint.LEFT_HIP, Joint.RIGHT_HIP),
        _LOOKS * apart(Joint.LEFT_EAR, Joint.RIGHT_EAR),
        _LOOKS * apart(Joint.NOSE, Joint.NECK),
        _BEHIND * nose,
    ]
    return np.asarray(np.stack(np.broadcast_arrays(*columns), axis=-1), np.float32)


def origin_of(limb: Limb, height: float) -> tuple[int, int]:
    """(x, y) of the first joint in a picture."""
    radius = ceil(limb.radius * height)
    return radius, radius + ceil(limb.before * height)


def picture_size(limb: Limb, height: float) -> tuple[int, int]:
    """Rows and columns of a limb's pictures."""
    radius = ceil(limb.radius * height)
    rows = 2 * radius + ceil((limb.before + limb.longest + limb.beyond) * height)
    return rows, 2 * radius


def _mean(pictures: list[NDArray[Any]], weights: Floats) -> Frame:
    return np.asarray(np.round(np.average(pictures, axis=0, weights=weights)), np.uint8)


def direction(vector: NDArray[np.floating[Any]]) -> tuple[NDArray[np.float64], float]:
    """A vector's direction, downwards where it has none, and its length."""
    length = float(np.hypot(*vector))
    return (vector.astype(np.float64) / length if length > SHORTEST else np.array((0.0, 1.0))), length
