"""The limbs of which true pictures are kept, and what decides how a limb looks in a pose."""

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from everybody_dance.keypoints import Array
from everybody_dance.skeleton import BONES, LEFT_HAND, MIRROR, RIGHT_HAND, SKULL, Joint


@dataclass(frozen=True)
class Limb:
    """A part of the body that is cut out along one bone. All lengths are in body heights.

    Attributes:
        bone: its name in ``skeleton.BONES``.
        longest: what is longer than this, near the camera, is cut off.
        radius: half of its usual width; what is nearer to another limb, in radii, is that one's.
        before, beyond: how far it extends past the bone's first joint and past its last.
        neighbours: a joint as seen from the first end and one as seen from the last, which also decide how it looks.
        turns: weight of its direction in the picture. An arm may be turned by any angle; a foot that points elsewhere
            is seen from another side.
        looks: weight of the direction in which the head looks.
        reach: how far from its bone it is cut out, in radii: there are stout people and wide clothes.
        fingers: weight of where fingertips are.
    """

    bone: str
    longest: float
    radius: float
    before: float
    beyond: float
    neighbours: tuple[int, int]
    turns: float = 0.08
    looks: float = 1.0
    reach: float = 1.1
    fingers: float = 0.0


_MIDDLE_KNUCKLE = 9
_LEFT_KNUCKLE, _RIGHT_KNUCKLE = LEFT_HAND.start + _MIDDLE_KNUCKLE, RIGHT_HAND.start + _MIDDLE_KNUCKLE

LIMBS: tuple[Limb, ...] = (
    Limb("spine", 0.36, 0.12, 0.02, 0.05, (Joint.NOSE, Joint.NOSE), reach=1.2),
    Limb("left thigh", 0.3, 0.07, 0.05, 0.02, (Joint.RIGHT_HIP, Joint.LEFT_ANKLE)),
    Limb("right thigh", 0.3, 0.07, 0.05, 0.02, (Joint.LEFT_HIP, Joint.RIGHT_ANKLE)),
    Limb("left shin", 0.3, 0.055, 0.02, 0.02, (Joint.LEFT_HIP, Joint.LEFT_BIG_TOE)),
    Limb("right shin", 0.3, 0.055, 0.02, 0.02, (Joint.RIGHT_HIP, Joint.RIGHT_BIG_TOE)),
    Limb("left foot", 0.2, 0.036, 0.03, 0.02, (Joint.LEFT_KNEE, Joint.LEFT_HEEL), turns=0.4),
    Limb("right foot", 0.2, 0.036, 0.03, 0.02, (Joint.RIGHT_KNEE, Joint.RIGHT_HEEL), turns=0.4),
    Limb("head", 0.18, 0.09, 0.0, 0.02, (Joint.MID_HIP, Joint.NOSE), turns=0.6, looks=3.0),
    Limb("left upper arm", 0.24, 0.05, 0.02, 0.02, (Joint.NECK, Joint.LEFT_WRIST)),
    Limb("right upper arm", 0.24, 0.05, 0.02, 0.02, (Joint.NECK, Joint.RIGHT_WRIST)),
    Limb("left forearm", 0.24, 0.038, 0.02, 0.11, (Joint.LEFT_SHOULDER, _LEFT_KNUCKLE), fingers=1.0),
    Limb("right forearm", 0.24, 0.038, 0.02, 0.11, (Joint.RIGHT_SHOULDER, _RIGHT_KNUCKLE), fingers=1.0),
)
"""In the order in which they are laid, the nearer ones last: trunk, legs, feet, head, arms with their hands."""

TRUNK = 0
HEAD = next(number for number, limb in enumerate(LIMBS) if limb.bone == "head")

ENDS = np.array([BONES[limb.bone] for limb in LIMBS])
"""int (L, 2): the joints of each limb, of 138 (``with_skull``)."""

_NEIGHBOURS = np.array([limb.neighbours for limb in LIMBS])  # (L, 2)
_FINGERS = np.array([limb.fingers for limb in LIMBS], np.float32)
_TURNS = np.array([limb.turns for limb in LIMBS], np.float32)
_LOOKS = np.array([limb.looks for limb in LIMBS], np.float32)
IN_MIRROR = np.array([ENDS.tolist().index(ends) for ends in np.append(MIRROR, SKULL)[ENDS].tolist()])
"""``IN_MIRROR[l]``: the limb in the place of limb l in a mirror image."""

_LENGTH_WEIGHT, _FACING_WEIGHT, _BEHIND = 2.0, 2.0, 0.1

# Tips of thumb, index and middle finger, of a limb's own hand; of legs and trunk they count for nothing.
_RIGHT = np.array(["right" in limb.bone for limb in LIMBS])
_TIPS = [np.where(_RIGHT, RIGHT_HAND.start + tip, LEFT_HAND.start + tip) for tip in (4, 8, 12)]

_RELAXED = 0.08
"""How far beyond the wrist fingertips are taken to be where a hand was not found, in body heights."""

# Signs of the columns of ``shapes_of`` in a mirror.
MIRROR_SIGNS = np.array([1, -1, 1, 1, -1, 1, -1, 1, 1, 1, -1, 1, *3 * [1, -1]], np.float32)

SHORTEST = 1e-3
"""Pixels: what is shorter has no direction."""


def shapes_of(xy: Array, confidence: Array, height: float) -> Array:
    """The circumstances that decide how each limb looks, weighted so that squared differences can be added.

    Eighteen numbers in body heights: the bone's length (its foreshortening), its direction, its two neighbours along
    and across it, how far left shoulder, hip and ear lie to the right of the right ones and the nose of the neck (the
    direction in which the person faces), whether the nose is seen, and three fingertips along and across a forearm.

    Args:
        xy: (N, 138, 2) in pixels (``with_skull``).
        confidence: (N, 138).
        height: the body's, in pixels.

    Returns:
        float32 (N, L, 18).
    """
    found = confidence > 0
    place = np.where(found[..., None], xy, 0) / np.float32(height)
    first, last = place[:, ENDS[:, 0]], place[:, ENDS[:, 1]]  # (N, L, 2)
    bone = last - first
    length = np.hypot(bone[..., 0], bone[..., 1])
    along = bone / np.maximum(length, 1e-3)[..., None]

    def seen_from(neighbour: NDArray[np.int64], origin: Array) -> list[Array]:
        there = (place[:, neighbour] - origin) * found[:, neighbour, None]
        parallel = (there * along).sum(axis=2)
        return [parallel, there[..., 1] * along[..., 0] - there[..., 0] * along[..., 1]]

    def apart(left: Joint, right: Joint) -> Array:
        both = found[:, left] & found[:, right]
        return np.asarray(((place[:, left, 0] - place[:, right, 0]) * both)[:, None])

    def finger(tip: NDArray[np.int64]) -> list[Array]:
        ahead, aside = seen_from(tip, last)
        return [_FINGERS * np.where(found[:, tip], ahead, _RELAXED), _FINGERS * aside]

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
        *(column for tip in _TIPS for column in finger(tip)),
    ]
    return np.asarray(np.stack(np.broadcast_arrays(*columns), axis=-1), np.float32)


def origin_of(limb: Limb, height: float, columns: int) -> tuple[int, int]:
    """(x, y) in pixels of the bone's first joint in a picture of the limb that is ``columns`` wide."""
    return columns // 2, columns // 2 + ceil(limb.before * height)


def picture_size(limb: Limb, height: float) -> tuple[int, int]:
    """(rows, columns) of a limb's pictures, for a body ``height`` pixels tall."""
    reach = ceil(limb.reach * limb.radius * height)
    rows = 2 * reach + ceil((limb.before + limb.longest + limb.beyond) * height)
    return rows, 2 * reach


def direction(vector: NDArray[np.floating[Any]]) -> tuple[NDArray[np.float64], float]:
    """The unit vector along ``vector`` (downwards where it is too short to have a direction) and its length."""
    length = float(np.hypot(*vector))
    return (vector.astype(np.float64) / length if length > SHORTEST else np.array((0.0, 1.0))), length
