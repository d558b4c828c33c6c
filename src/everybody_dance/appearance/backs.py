"""What somebody looks like from behind who was never filmed from there: a guess from the front.

From behind, a body's outline is the one that the same pose has from the front with left and right exchanged, and the
clothes are of the same cloth. So pictures from the front stand in, those of the left arm for the right one, and the
head gets its hair all over. Without them, somebody who turns away would be shown pictures of arms raised before a face.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.appearance.limb_bank import LimbBank
from everybody_dance.appearance.limbs import HEAD, IN_MIRROR, LIMBS, origin_of, shapes_of
from everybody_dance.images import Image
from everybody_dance.keypoints import Array, Keypoints, with_skull
from everybody_dance.skeleton import EARS, FACE, HEAD_JOINTS, MIRROR, Joint

PLAINLY = 0.09
"""Shoulders that are as far apart as this, in body heights, are seen from the front, or from behind."""

ENOUGH = 1.0
"""Seconds from behind with which nothing needs to be guessed."""

GUESSES = 8
"""Pictures of each limb that stand in."""

GUESSED = 0.05
"""Penalty of one, so that it is laid only where no other fits."""

HAIR_FROM, HAIR_TO, CHIN = 0.8, -0.45, -1.1
"""Seen from the front, above the first of these there is hair, and from behind above the second; below the third is the
neck. In distances of the crown from the ears' height, upwards."""

_IN_FRONT = [joint for joint in HEAD_JOINTS if joint not in EARS]


def seconds_from_behind(keypoints: Keypoints, frames: NDArray[np.int64], height: float) -> float:
    """For how long the person is seen from behind in some frames.

    Args:
        keypoints: of the footage.
        frames: the frames' numbers.
        height: the body's, in pixels.
    """
    return float((shoulders(keypoints, frames) < -PLAINLY * height).sum() / keypoints.fps)


def with_backs(bank: LimbBank, taken: NDArray[np.int64], keypoints: Keypoints) -> tuple[LimbBank, NDArray[np.int64]]:
    """A bank with pictures besides that stand in for those from behind, and the frames of all its pictures.

    Args:
        bank: of somebody who was not filmed from behind.
        taken: int (L, K), the frame of each of its pictures; -1 where there is none.
        keypoints: of the footage.
    """
    of = taken[IN_MIRROR]
    facing = shoulders(keypoints, np.maximum(of, 0).ravel()).reshape(of.shape) > PLAINLY * bank.height
    usable = facing & (of >= 0) & (bank.drawbacks[IN_MIRROR] < np.inf)
    # The least hidden and covered ones first.
    order = np.argsort(np.where(usable, bank.drawbacks[IN_MIRROR], np.inf), axis=1, kind="stable")[:, :GUESSES]
    chosen = np.take_along_axis(usable, order, 1)
    frames = np.where(chosen, np.take_along_axis(of, order, 1), -1)
    rows = IN_MIRROR[:, None]
    lengths = np.where(chosen, bank.lengths[rows, order], 0).astype(np.float32)
    drawbacks = np.where(chosen, bank.drawbacks[rows, order] + GUESSED, np.inf).astype(np.float32)
    # The mirror picture of a limb's counterpart would be turned twice: only the names are exchanged, not the sides.
    pictures = tuple(
        np.where(chosen[limb][:, None, None, None], bank.pictures[IN_MIRROR[limb]][order[limb]], np.uint8(0))
        for limb in range(len(LIMBS))
    )
    pictures[HEAD][:] = [
        back_of_head(picture, length, bank.height)
        for picture, length in zip(pictures[HEAD], lengths[HEAD], strict=True)
    ]
    joined = replace(
        bank,
        pictures=tuple(np.concatenate(pair) for pair in zip(bank.pictures, pictures, strict=True)),
        lengths=np.concatenate([bank.lengths, lengths], axis=1),
        shapes=np.concatenate([bank.shapes, _shapes_from_behind(keypoints, frames, bank.height)], axis=1),
        drawbacks=np.concatenate([bank.drawbacks, drawbacks], axis=1),
    )
    return joined, np.concatenate([taken, frames], axis=1)


def back_of_head(picture: Image, length: float, height: float) -> Image:
    """A head that was seen from the front, with hair where its face is.

    Args:
        picture: uint8 (rows, columns, 4), premultiplied, as in a ``LimbBank``: upside down.
        length: from the neck to the ears' height, in pixels.
        height: the body's, in pixels.
    """
    solid = np.flatnonzero((picture[..., 3] > 127).any(axis=1))
    ears = origin_of(LIMBS[HEAD], height, picture.shape[1])[1] + length
    crown = float(solid[-1]) - ears if len(solid) else 0.0
    if crown < 2:
        return picture
    up = ((np.arange(len(picture)) + 0.5 - ears) / crown)[:, None]
    alpha = picture[..., 3].astype(np.float32)
    hair, skin = (_spread(picture, alpha * there, crown) for there in (up > HAIR_FROM, up < CHIN))
    # Hair over the back of the head, skin over the neck where the chin was; what they are taken from stays.
    as_hair = np.clip((up - HAIR_TO) / 0.2 + 0.5, 0, 1)[..., None]
    guess = as_hair * hair + (1 - as_hair) * skin
    kept = np.clip((up - HAIR_FROM) / 0.2, 0, 1) + np.clip((CHIN - up) / 0.2, 0, 1)
    colours = np.where(alpha[..., None] > 0, picture[..., :3] * (255 / np.maximum(alpha, 1))[..., None], 0)
    mixed = kept[..., None] * colours + (1 - kept[..., None]) * guess
    return np.dstack([mixed * (alpha / 255)[..., None], alpha]).round().clip(0, 255).astype(np.uint8)


def _spread(picture: Image, weight: Array, reach: float) -> Array:
    """float32 (rows, columns, 3): the colours of a premultiplied picture where they have weight, spread all over it."""
    share = (weight / np.maximum(picture[..., 3], 1))[..., None]
    # The reach is far beyond that of a picture, whose farthest rows have hardly any weight: not in 32 bits.
    colours = cv2.GaussianBlur(picture[..., :3] * share.astype(np.float64), (0, 0), 2 * reach)
    weights = cv2.GaussianBlur(weight.astype(np.float64) / 255, (0, 0), 2 * reach)[..., None]
    return np.asarray(colours / np.maximum(weights, 1e-12), np.float32)


def _shapes_from_behind(keypoints: Keypoints, frames: NDArray[np.int64], height: float) -> Array:
    """(L, B, 18): the circumstances of frames (L, B), as if what is seen from the front were seen from behind."""
    used, there = np.unique(np.maximum(frames, 0), return_inverse=True)
    xy, confidence = keypoints.xy[used][:, list(MIRROR)], keypoints.confidence[used][:, list(MIRROR)].copy()
    confidence[:, _IN_FRONT] = 0
    confidence[:, FACE] = 0
    shapes = shapes_of(*with_skull(xy, confidence), height)
    return np.asarray(shapes[there.reshape(frames.shape), np.arange(len(LIMBS))[:, None]])


def shoulders(keypoints: Keypoints, frames: NDArray[np.int64]) -> NDArray[np.float32]:
    """(N,): how far the left shoulder lies to the right of the right one, in pixels; 0 where one was not found."""
    left, right = int(Joint.LEFT_SHOULDER), int(Joint.RIGHT_SHOULDER)
    both = keypoints.found[frames][:, [left, right]].all(axis=1)
    return np.asarray((keypoints.xy[frames, left, 0] - keypoints.xy[frames, right, 0]) * both)
