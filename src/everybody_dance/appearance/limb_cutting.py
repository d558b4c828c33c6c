"""The puppet is cut out of the footage, and learnt with: never with limbs of the moment that is to be painted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.appearance.crop_bank import cover
from everybody_dance.appearance.crop_cutting import SAME_MOMENT
from everybody_dance.appearance.limb_bank import (
    BACKWARDS,
    ENDS,
    IN_MIRROR,
    LIMBS,
    SURE,
    TRUNK,
    Floats,
    Frame,
    Limb,
    Puppet,
    direction,
    nearest,
    origin_of,
    picture_size,
    shapes_of,
    with_skull,
)
from everybody_dance.body_height import body_height
from everybody_dance.images import Box
from everybody_dance.keypoints import Keypoints
from everybody_dance.skeleton import Joint

MOST_CANDIDATES = 200
"""Frames of which limbs may be kept: that many, evenly over the footage, show most of what it shows."""

DRAWBACK = 0.5
"""What a picture costs that was taken of a hidden limb, or of one that others lie over: others are better."""

LEAST, MOST = 16, 48
"""A pixel this unlike the empty place, of 255, begins to be the person, and is the person."""

EDGE = 0.006
"""So much is cut off along the person's outline, in body heights: it has some of the background's colour."""

COARSE = 100
"""Pixels of body height at which it is worked out what lies over what."""


_ARM = np.isin(ENDS[:, 0], (Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, Joint.LEFT_ELBOW, Joint.RIGHT_ELBOW))
_HANGS = (ENDS[:, None, :, None] == ENDS[None, :, None, :]).any(axis=(2, 3))
# [l, m]: limb m would spoil a picture of l by lying over it or beneath it.
_MAY_COVER = np.where(
    (np.arange(len(LIMBS)) == TRUNK)[:, None], _ARM, ~_HANGS & ((np.arange(len(LIMBS)) != TRUNK) | _ARM[:, None])
)


@dataclass(frozen=True)
class TrainingPuppet:
    """A puppet, and when its pictures are from.

    Attributes:
        kept: what the performer will have.
        mirrored: the same in a mirror.
        frames: int (L, K), indices in the footage.
        mirrored_frames: of ``mirrored``.
        fps: of the footage.
    """

    kept: Puppet
    mirrored: Puppet
    frames: NDArray[np.int64]
    mirrored_frames: NDArray[np.int64]
    fps: float

    @classmethod
    def choose(
        cls,
        keypoints: Keypoints,
        frames: NDArray[np.int64],
        frame: Callable[[int], Frame],
        plate: Frame,
        known: NDArray[np.bool_],
        count: int,
    ) -> Self:
        """A puppet of at most ``count`` pictures of each limb.

        Args:
            keypoints: of the footage.
            frames: to choose from, all of which show the person.
            frame: gives uint8 (H, W, 3) by index; only what is kept is asked for.
            plate, known: as in ``cut_out``.
            count: to keep.
        """
        some = frames[np.linspace(0, len(frames) - 1, min(len(frames), MOST_CANDIDATES)).astype(int)]
        height = typical_height(keypoints[some])
        kept = choose_pictures(keypoints, some, height, count)
        puppet = cut_out(keypoints, kept, height, frame, plate, known)
        return cls(puppet, puppet.mirrored(), kept, kept[IN_MIRROR], float(keypoints.fps))

    def lay(
        self,
        moment: int,
        behind: Frame,
        xy: NDArray[np.float32],
        confidence: NDArray[np.float32],
        box: Box,
        mirrored: bool,
    ) -> Frame:
        """As ``Puppet.lay``, of the nearest pictures that are not of the same ``moment``: a new dance has none.

        Args:
            moment: the sample's last frame.
            mirrored: whether the sample is.
        """
        puppet, frames = (self.mirrored, self.mirrored_frames) if mirrored else (self.kept, self.frames)
        costs = puppet.costs(xy, confidence)
        costs[np.abs(frames - moment) <= SAME_MOMENT * self.fps] = np.inf
        return puppet.lay(behind, xy, confidence, box, nearest(costs))


def choose_pictures(keypoints: Keypoints, frames: NDArray[np.int64], height: float, count: int) -> NDArray[np.int64]:
    """int (L, count): of which ``frames`` each limb is kept, so that together they stand for all; -1 where too few."""
    xy, confidence = with_skull(keypoints.xy[frames], keypoints.confidence[frames])
    shapes, drawbacks = shapes_of(xy, confidence, height), _drawbacks(xy, confidence, height)
    kept = np.full((len(LIMBS), count), -1, np.int64)
    for limb, ends in enumerate(ENDS):
        seen = np.flatnonzero((confidence[:, ends] > 0).all(axis=1))
        shape = shapes[seen, limb]
        squared = np.square(shape[:, None] - shape[None]).sum(axis=2) + drawbacks[seen, limb, None]
        chosen = cover(np.sqrt(squared), count)
        kept[limb, : len(chosen)] = frames[seen[chosen]]
    return kept


def cut_out(
    keypoints: Keypoints,
    kept: NDArray[np.int64],
    height: float,
    frame: Callable[[int], Frame],
    plate: Frame,
    known: NDArray[np.bool_],
) -> Puppet:
    """A puppet from footage.

    Args:
        keypoints: of the footage.
        kept: int (L, K), the frames of which each limb is kept, -1 for none, as ``choose_pictures`` returns them.
        height: the body's, in pixels.
        frame: gives uint8 (H, W, 3) by index; each is asked for once.
        plate: uint8 (H, W, 3), the empty place.
        known: bool (H, W), where that is known; elsewhere everything near a limb is taken for the person.
    """
    frames = np.unique(kept[kept >= 0])
    xy, confidence = with_skull(keypoints.xy[frames], keypoints.confidence[frames])
    sizes = [picture_size(limb, height) for limb in LIMBS]
    pictures = [np.zeros((kept.shape[1], *size, 4), np.uint8) for size in sizes]
    for index, joints in zip(frames.tolist(), xy, strict=True):
        person = _matted(frame(index), plate, known, height)
        for limb, place in zip(*np.nonzero(kept == index), strict=True):
            pictures[limb][place] = _upright(person, LIMBS[limb], joints, height, sizes[limb])
    there, every = np.searchsorted(frames, np.maximum(kept, frames[0])), np.arange(len(LIMBS))[:, None]
    ends = xy[there[..., None], ENDS[:, None]]  # (L, K, 2, 2)
    lengths = np.hypot(*np.moveaxis(ends[:, :, 1] - ends[:, :, 0], -1, 0))
    shapes = shapes_of(xy, confidence, height)[there, every]
    drawbacks = np.where(kept < 0, np.float32(np.inf), _drawbacks(xy, confidence, height)[there, every])
    return Puppet(tuple(pictures), lengths, shapes, drawbacks, height)


def typical_height(keypoints: Keypoints) -> float:
    """The body's height in footage of a person, in pixels."""
    return max(float(np.median(body_height(keypoints.xy, keypoints.confidence))), 1.0)


def _drawbacks(xy: Floats, confidence: Floats, height: float) -> Floats:
    """(N, L): what speaks against a limb's picture: that it is hidden, and the share of it that others lie over."""
    hidden = confidence[:, ENDS].min(axis=2) < SURE
    covered = np.stack([_covered(*joints, height) for joints in zip(xy, confidence, strict=True)])
    return np.asarray(DRAWBACK * (hidden + covered), np.float32)


def _covered(xy: Floats, confidence: Floats, height: float) -> Floats:
    """(L,): the share of each limb over which others lie that it does not hang on, or that it lies over itself."""
    scale = COARSE / height
    found = np.flatnonzero((confidence[ENDS] > 0).all(axis=1))
    covered = np.zeros(len(LIMBS), np.float32)
    if not len(found):
        return covered
    first, last = xy[ENDS[found, 0]] * scale, xy[ENDS[found, 1]] * scale
    corner = np.minimum(first, last).min(axis=0) - COARSE / 2
    size = np.ceil(np.maximum(first, last).max(axis=0) + COARSE / 2 - corner).astype(int).clip(1, 20 * COARSE)
    masks = np.zeros((len(found), size[1], size[0]), np.uint8)
    for mask, limb, a, b in zip(masks, found, first - corner, last - corner, strict=True):
        about = LIMBS[limb]
        tip = b + direction(b - a)[0] * about.beyond * COARSE
        cv2.line(mask, _whole(a), _whole(tip), (1,), max(round(1.2 * about.radius * COARSE), 1))
    for place, limb in enumerate(found):
        # Legs hang on the trunk; what is cut out of an arm before the trunk would be trunk.
        over = _MAY_COVER[limb, found]
        over[place] = False
        inside = masks[place] > 0
        covered[limb] = (masks[over].any(axis=0) & inside).sum() / max(int(inside.sum()), 1)
    return covered


def _matted(frame: Frame, plate: Frame, known: NDArray[np.bool_], height: float) -> Frame:
    """(H, W, 4): a frame's colours times alpha, and alpha: what differs from the empty place is the person."""
    red, green, blue = cv2.split(cv2.absdiff(frame, plate))
    steps = np.clip((np.arange(256) - LEAST) * 255 / (MOST - LEAST), 0, 255).round().astype(np.uint8)
    alpha = cv2.LUT(cv2.max(cv2.max(red, green), blue), steps)
    alpha[~known] = 255
    few = np.ones(2 * [2 * max(round(EDGE * height), 1) + 1], np.uint8)
    # Closed, or what has the background's colour would be a hole.
    alpha = cv2.erode(cv2.morphologyEx(alpha, cv2.MORPH_CLOSE, few), few)
    coloured = cv2.multiply(frame, cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGB), scale=1 / 255)
    return np.asarray(cv2.merge([*cv2.split(coloured), alpha]), np.uint8)


def _upright(person: Frame, limb: Limb, xy: Floats, height: float, size: tuple[int, int]) -> Frame:
    """(rows, columns, 4): a limb cut out along its outline and turned so that its last joint lies below its first."""
    first, last = xy[[limb.first, limb.last]].astype(np.float64)
    along, length = direction(last - first)
    middle, above = origin_of(limb, height)
    turn = np.stack([(-along[1], along[0]), along], axis=1)  # columns: where across and along point in the frame
    corner = first + turn @ (0.5 - middle, 0.5 - above) - 0.5
    patch = cv2.warpAffine(person, np.column_stack([turn, corner]), size[::-1], flags=BACKWARDS)
    y, x = np.indices(size) + 0.5 - np.array((above, middle))[:, None, None]
    past = np.maximum(np.maximum(-limb.before * height - y, y - length - limb.beyond * height), 0)
    radius = limb.radius * height
    inside = np.clip((radius - np.hypot(past, x)) / (0.15 * radius + 1), 0, 1)
    return np.asarray(np.round(patch * inside[..., None]), np.uint8)


def _whole(point: Floats) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
