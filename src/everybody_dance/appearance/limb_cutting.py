"""The limbs' pictures are cut out of the footage, and chosen for training samples.

No limb is ever of the moment that is to be painted, as none is when a new dance is painted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.appearance.backs import ENOUGH, PLAINLY, seconds_from_behind, shoulders, with_backs
from everybody_dance.appearance.crop_cutting import SAME_MOMENT
from everybody_dance.appearance.limb_bank import LimbBank, nearest
from everybody_dance.appearance.limbs import (
    ENDS,
    HEAD,
    IN_MIRROR,
    LIMBS,
    MIRROR_SIGNS,
    SHORTEST,
    TRUNK,
    direction,
    origin_of,
    picture_size,
    shapes_of,
)
from everybody_dance.appearance.selection import greedy_cover
from everybody_dance.body_height import body_height
from everybody_dance.images import Box, Image
from everybody_dance.keypoints import CONFIDENT, Array, Keypoints, Pose, with_skull
from everybody_dance.skeleton import Joint

MOST_CANDIDATES = 200
"""Limbs are cut out of at most this many frames, evenly over the footage; they show most of what it shows."""

SOLID = 250
"""Value of the matte, of 255, from which a pixel is taken to show nothing but the person."""

RIM = 0.006
"""Width of the person's soft edge, in heights of the frame."""

HIDDEN, COVERED = 0.5, 0.2
"""Penalties of a picture whose limb is hidden, and of one that is wholly covered by others.

An arm hangs over every trunk that is seen from the side, and yet it is better than one that is seen from the front.
"""

LOST_HEAD = 0.4
"""A head of which more than this share is covered counts as hidden: a face behind hands is nobody's."""

OPEN = 0.5
"""Share of a frame's time in which its shutter is taken to be open: what moves then is blurred."""

BLURRED = 5.0
"""Weight of a limb's blur: over a fiftieth of the height it is as bad as a neighbour that lies a tenth elsewhere."""

LEAST, MOST = 64, 192
"""Values of the matte, of 255, at which a pixel begins to be the person and at which it wholly is."""

OVER, BENEATH = 0.25, 0.1
"""Limbs that are attached to each other keep what is nearer to the other by less than this, in radii.

So no gap opens where they bend: mostly by what is laid over the joint, since what lies beneath would stick out of it.
"""

SOFT = 0.15
"""Beyond the border to another limb a limb fades out over this, in radii."""

SHARPLY = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
"""Flags for ``warpAffine``: a picture is cut out once and laid, less carefully, in every frame."""

COARSE = 100
"""Body height in pixels at which the covered share of each limb is computed."""


_ARM = np.isin(ENDS[:, 0], (Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, Joint.LEFT_ELBOW, Joint.RIGHT_ELBOW))
_HANGS = (ENDS[:, None, :, None] == ENDS[None, :, None, :]).any(axis=(2, 3))
# [l, m]: limb m would spoil a picture of limb l by lying over it or beneath it.
_MAY_COVER = np.where(
    (np.arange(len(LIMBS)) == TRUNK)[:, None], _ARM, ~_HANGS & ((np.arange(len(LIMBS)) != TRUNK) | _ARM[:, None])
)
# [l, m]: they share a joint, or one is the trunk and the other begins at a shoulder or hip.
_ROOT = np.isin(ENDS[:, 0], (Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, Joint.LEFT_HIP, Joint.RIGHT_HIP))
_IS_TRUNK = np.arange(len(LIMBS)) == TRUNK
_ATTACHED = _HANGS | (_IS_TRUNK[:, None] & _ROOT) | (_ROOT[:, None] & _IS_TRUNK)
_SHARED = _ATTACHED * np.where(np.tri(len(LIMBS), k=-1) > 0, OVER, BENEATH)
# [l, m]: limb l gives what is nearer to limb m away. An arm keeps what lies over the trunk.
_COMPETES = ~np.eye(len(LIMBS), dtype=bool) & ~(_ARM[:, None] & _IS_TRUNK)


@dataclass(frozen=True)
class TrainingLimbs:
    """A limb bank and the frames it was cut from.

    Attributes:
        bank: what the performer will have.
        mirrored: the same in a mirror.
        frames: int (L, K), the frame of each picture in the footage; -1 where there is none.
        mirrored_frames: the same for ``mirrored``.
        fps: of the footage.
    """

    bank: LimbBank
    mirrored: LimbBank
    frames: NDArray[np.int64]
    mirrored_frames: NDArray[np.int64]
    fps: float

    @classmethod
    def choose(
        cls,
        keypoints: Keypoints,
        frames: NDArray[np.int64],
        frame: Callable[[int], Image],
        matte: Callable[[int], Image],
        plate: Image,
        known: NDArray[np.bool_],
        count: int,
    ) -> Self:
        """Cut out at most ``count`` pictures of each limb.

        Args:
            keypoints: of the footage.
            frames: to choose from; all of them show the person.
            frame, matte: return uint8 (H, W, 3) and (H, W) by index; only asked for the frames that are kept.
            plate, known: as in ``cut_out``.
            count: pictures to keep of each limb.
        """
        some = frames[np.linspace(0, len(frames) - 1, min(len(frames), MOST_CANDIDATES)).astype(int)]
        height = typical_height(keypoints[some])
        kept = choose_pictures(keypoints, some, height, count)
        bank = cut_out(keypoints, kept, height, frame, matte, plate, known)
        if seconds_from_behind(keypoints, frames, height) < ENOUGH:
            bank, kept = with_backs(bank, kept, keypoints)
        return cls(bank, bank.mirrored(), kept, kept[IN_MIRROR], float(keypoints.fps))

    def lay(
        self,
        moment: int,
        behind: Image,
        pose: Pose,
        box: Box,
        mirrored: bool,
    ) -> Image:
        """As ``LimbBank.lay``, with the nearest pictures that are not of the same moment.

        Args:
            moment: the sample's last frame in the footage.
            mirrored: whether the sample is mirrored.
        """
        bank, frames = (self.mirrored, self.mirrored_frames) if mirrored else (self.bank, self.frames)
        costs = bank.costs(pose)
        costs[np.abs(frames - moment) <= SAME_MOMENT * self.fps] = np.inf
        return bank.lay(behind, pose, box, nearest(costs))


def choose_pictures(keypoints: Keypoints, frames: NDArray[np.int64], height: float, count: int) -> NDArray[np.int64]:
    """int (L, count): the frames from which each limb is cut, so that together they stand for all; -1 where too few."""
    xy, confidence = with_skull(keypoints.xy[frames], keypoints.confidence[frames])
    shapes, drawbacks = shapes_of(xy, confidence, height), _drawbacks(keypoints, frames, height)
    kept = np.full((len(LIMBS), count), -1, np.int64)
    for limb, ends in enumerate(ENDS):
        seen = np.flatnonzero((confidence[:, ends] > 0).all(axis=1))
        shape = shapes[seen, limb]
        squared = np.square(shape[:, None] - shape[None]).sum(axis=2) + drawbacks[seen, limb, None]
        chosen = greedy_cover(np.sqrt(squared), count)
        kept[limb, : len(chosen)] = frames[seen[chosen]]
    return kept


def cut_out(
    keypoints: Keypoints,
    kept: NDArray[np.int64],
    height: float,
    frame: Callable[[int], Image],
    matte: Callable[[int], Image],
    plate: Image,
    known: NDArray[np.bool_],
) -> LimbBank:
    """Cut the chosen pictures out of the footage.

    Args:
        keypoints: of the footage.
        kept: int (L, K), the frames from which each limb is cut, -1 for none, as ``choose_pictures`` returns them.
        height: the body's, in pixels.
        frame, matte: return uint8 (H, W, 3) and the person's matte (H, W) by index; each is asked for once.
        plate: uint8 (H, W, 3), the clean plate.
        known: bool (H, W), where the plate is known; there its colour is taken out of the person's edges.
    """
    frames = np.unique(kept[kept >= 0])
    xy, confidence = with_skull(keypoints.xy[frames], keypoints.confidence[frames])
    sizes = [picture_size(limb, height) for limb in LIMBS]
    pictures = [np.zeros((kept.shape[1], *size, 4), np.uint8) for size in sizes]
    for index, joints, found in zip(frames.tolist(), xy, confidence > 0, strict=True):
        person = _matted(frame(index), matte(index), plate, known)
        for limb, place in zip(*np.nonzero(kept == index), strict=True):
            pictures[limb][place] = _upright(person, int(limb), joints, found, height, sizes[limb])
    lengths = np.zeros(kept.shape, np.float32)
    shapes = np.zeros((*kept.shape, len(MIRROR_SIGNS)), np.float32)
    drawbacks = np.full(kept.shape, np.inf, np.float32)
    if len(frames):  # otherwise no limb is ever seen, and the bank is empty
        there, every = np.searchsorted(frames, np.maximum(kept, frames[0])), np.arange(len(LIMBS))[:, None]
        ends = xy[there[..., None], ENDS[:, None]]  # (L, K, 2, 2)
        lengths = np.hypot(*np.moveaxis(ends[:, :, 1] - ends[:, :, 0], -1, 0))
        shapes = shapes_of(xy, confidence, height)[there, every]
        drawbacks = np.where(kept < 0, np.float32(np.inf), _drawbacks(keypoints, frames, height)[there, every])
    return LimbBank(tuple(pictures), lengths, shapes, drawbacks, height)


def typical_height(keypoints: Keypoints) -> float:
    """The median height of the body in footage, in pixels; at least 1."""
    return max(float(np.median(body_height(keypoints.xy, keypoints.confidence))), 1.0)


def _drawbacks(keypoints: Keypoints, frames: NDArray[np.int64], height: float) -> Array:
    """(N, L): penalty of each limb's picture in some frames: an occlusion flag, the covered fraction, and its blur."""
    xy, confidence = with_skull(keypoints.xy[frames], keypoints.confidence[frames])
    hidden = confidence[:, ENDS].min(axis=2) < CONFIDENT
    # The face of somebody who is seen from the front is there, or there is a hand before it.
    facing = shoulders(keypoints, frames) > PLAINLY * height
    hidden[:, HEAD] |= facing & (confidence[:, Joint.NOSE] == 0)
    covered = np.stack([_covered(*joints, height) for joints in zip(xy, confidence, strict=True)])
    hidden[:, HEAD] |= covered[:, HEAD] > LOST_HEAD
    blur = OPEN * _steps(keypoints, frames)[:, ENDS].max(axis=2) / height
    return np.asarray(
        (HIDDEN * hidden + COVERED * covered) + np.square(BLURRED * blur),
        np.float32,
    )


def _steps(keypoints: Keypoints, frames: NDArray[np.int64]) -> Array:
    """(N, 138): pixels by which each joint moves in a frame's time; 0 where that is not known."""
    before, after = np.maximum(frames - 1, 0), np.minimum(frames + 1, len(keypoints) - 1)
    (first, seen), (last, also_seen) = (
        with_skull(keypoints.xy[around], keypoints.confidence[around]) for around in (before, after)
    )
    steps = np.linalg.norm(last - first, axis=2) / np.maximum(after - before, 1)[:, None]
    return np.asarray(np.where((seen > 0) & (also_seen > 0), steps, 0), np.float32)


def _covered(xy: Array, confidence: Array, height: float) -> Array:
    """(L,): the share of each limb that overlaps with limbs which are not attached to it."""
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
        # Legs are attached to the trunk; a cut-out of an arm in front of the trunk would show trunk.
        over = _MAY_COVER[limb, found]
        over[place] = False
        inside = masks[place] > 0
        covered[limb] = (masks[over].any(axis=0) & inside).sum() / max(int(inside.sum()), 1)
    return covered


def _matted(frame: Image, matte: Image, plate: Image, known: NDArray[np.bool_]) -> Image:
    """(H, W, 4): the person's colours premultiplied by alpha, and alpha.

    At the person's edge a frame is I = a F + (1 - a) B. Where the place B is known, F is what is left without it.
    """
    steps = np.clip((np.arange(256) - LEAST) * 255 / (MOST - LEAST), 0, 255).round().astype(np.uint8)
    alpha = cv2.LUT(matte, steps)
    mixed = (alpha > 0) & (matte < 255) & known
    share = matte[mixed, None].astype(np.float32) / 255
    colours = frame.copy()
    colours[mixed] = ((frame[mixed] - (1 - share) * plate[mixed]) / share).clip(0, 255).round()
    # Where the matte is off by a pixel that is an outline of ink or of light: no colour but those close by is believed.
    side = 2 * ceil(RIM * len(frame)) + 1
    square, wholly = np.ones((side, side), np.uint8), (matte >= SOLID)[..., None]
    darkest = cv2.erode(np.where(wholly, frame, np.uint8(255)), square)
    brightest = cv2.dilate(np.where(wholly, frame, np.uint8(0)), square)
    edge = (alpha > 0) & (matte < SOLID) & (brightest >= darkest).all(axis=2)
    colours[edge] = colours[edge].clip(darkest[edge], brightest[edge])
    coloured = cv2.multiply(colours, cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGB), scale=1 / 255)
    return np.asarray(np.dstack([coloured, alpha]), np.uint8)


def _upright(
    person: Image, limb: int, xy: Array, found: NDArray[np.bool_], height: float, size: tuple[int, int]
) -> Image:
    """(rows, columns, 4): a limb cut out and turned so that its last joint lies below its first.

    It ends at its own outline, and where another limb is nearer.

    Args:
        person: (H, W, 4), from ``_matted``.
        limb: its number.
        xy, found: (138, 2) and (138,), the joints.
        height: the body's, in pixels.
        size: (rows, columns).
    """
    about = LIMBS[limb]
    first, last = xy[ENDS[limb]].astype(np.float64)
    along, length = direction(last - first)
    middle, above = origin_of(about, height, size[1])
    turn = np.stack([(-along[1], along[0]), along], axis=1)  # columns: the directions across and along the bone
    corner = first + turn @ (0.5 - middle, 0.5 - above) - 0.5
    patch = cv2.warpAffine(person, np.column_stack([turn, corner]), size[::-1], flags=SHARPLY)
    y, x = np.indices(size) + 0.5 - np.array((above, middle))[:, None, None]
    past = np.maximum(np.maximum(-about.before * height - y, y - length - about.beyond * height), 0)
    radius = about.radius * height
    inside = np.clip((about.reach * radius - np.hypot(past, x)) / (SOFT * radius + 1), 0, 1)
    ends = (xy[ENDS] - first) @ turn  # (L, 2, 2): every limb's joints as (x, y) in the patch
    others = [other for other in np.flatnonzero(found[ENDS].all(axis=1)).tolist() if _COMPETES[limb, other]]
    if others:
        own = _radii_away(x, y, ends[limb], radius)
        for other in others:
            apart = _radii_away(x, y, ends[other], LIMBS[other].radius * height) + _SHARED[limb, other]
            np.minimum(inside, np.clip((apart - own) / SOFT + 1, 0, 1), out=inside)
    return np.asarray(np.round(patch * inside[..., None]), np.uint8)


def _radii_away(
    x: NDArray[np.float64], y: NDArray[np.float64], ends: NDArray[np.float64], radius: float
) -> NDArray[np.float64]:
    """How far each place (x, y) lies from the bone between ``ends`` (2, 2), in radii."""
    (first_x, first_y), (last_x, last_y) = ends.tolist()
    step_x, step_y = last_x - first_x, last_y - first_y
    share = ((x - first_x) * step_x + (y - first_y) * step_y) / max(step_x**2 + step_y**2, SHORTEST**2)
    share = np.clip(share, 0, 1)
    return np.asarray(np.hypot(x - first_x - share * step_x, y - first_y - share * step_y) / radius)


def _whole(point: Array) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
