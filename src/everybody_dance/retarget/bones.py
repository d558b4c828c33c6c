"""Proportions: how long each bone of a person is, and a placed dance with the bones of somebody else.

See docs/method.md, "Their own proportions". In two dimensions a bone shows its length times its foreshortening. Over a
whole video it is now and then seen across the picture, so a high percentile is its length; a pose whose bones are
multiplied by the ratio of two lengths keeps its foreshortening, and with it the pose in space.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from everybody_dance.keypoints import CONFIDENT, Array, Keypoints, in_blocks, with_skull
from everybody_dance.skeleton import FACE, HEAD_JOINTS, LEFT_HAND, RIGHT_HAND, SKULL, Joint

MEASURED: dict[str, tuple[tuple[tuple[int, ...], ...], float]] = {
    "leg": (((9, 10, 11), (12, 13, 14)), 0.567),
    "thigh": (((9, 10), (12, 13)), 0.283),
    "spine": (((8, 1),), 0.333),
    "head": (((1, SKULL),), 0.135),
    "hip": (((8, 9), (8, 12)), 0.06),
    "shoulder": (((1, 2), (1, 5)), 0.127),
    "upper arm": (((2, 3), (5, 6)), 0.215),
    "forearm": (((3, 4), (6, 7)), 0.169),
}
"""Chains of joints whose length is measured, the left and the right together, and their usual length in heights from
ankle to nose (as in ``body_height``)."""

ALONG, ALOFT = ("leg", "spine", "head"), ("spine",)
"""What a height is made of, and what is left of it where no feet are seen."""

LONGEST = 95
"""Percentile of what is seen of a bone that counts as its length."""

PARTS, FEWEST_PARTS, SHORTEST_PART = 8, 4, 0.4
"""A video is cut into so many parts, whose disagreement is the uncertainty. A bone is known that is seen in so many of
them for so many seconds."""

FORESHORTENED = 0.75
"""A bone that never shows this share of its usual length is never seen across the picture."""

NOISE, DOUBT = 0.02, 2.0
"""A relative error that is always there; ratios within ``DOUBT`` standard errors of 1 are 1."""

LARGEST_RATIO = 4 / 3
"""Ratios lie between this and its reciprocal: adults differ by less."""


class BoneLength(BaseModel):
    """How long a bone is.

    Attributes:
        length: in the person's heights from ankle to nose, as in ``DepthRange``.
        error: the standard error of its logarithm.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    length: float = Field(gt=0)
    error: float = Field(ge=0)


def bone_lengths(keypoints: Keypoints, heights: NDArray[np.float64]) -> dict[str, BoneLength]:
    """The length of each bone of ``MEASURED`` that is seen well enough.

    Args:
        keypoints: (T frames).
        heights: (T,), from ankle to nose at the person's depth, in pixels.
    """
    seen = in_blocks(_chains, keypoints) / heights[:, None, None]  # (T, bones, sides)
    fewest = SHORTEST_PART * float(keypoints.fps)
    lengths = {}
    for index, (name, (_, usual)) in enumerate(MEASURED.items()):
        parts = np.array_split(seen[:, index], PARTS)
        enough = [part for part in parts if np.isfinite(part).any(axis=1).sum() >= fewest]
        longest = [float(np.nanpercentile(part, LONGEST)) for part in enough]
        if len(longest) < FEWEST_PARTS or min(longest) <= 0:
            continue
        length = float(np.nanpercentile(seen[:, index], LONGEST))
        if length > FORESHORTENED * usual:
            error = float(np.std(np.log(longest))) / len(longest) ** 0.5
            lengths[name] = BoneLength(length=length, error=error)
    return lengths


def _chains(xy: Array, confidence: Array) -> NDArray[np.float64]:
    """(T, bones, 2): lengths of the left and the right chain in pixels; NaN where they are not surely seen."""
    xy, confidence = with_skull(xy, confidence)
    lengths = np.full((len(xy), len(MEASURED), 2), np.nan)
    for index, (chains, _) in enumerate(MEASURED.values()):
        for side, chain in enumerate(chains):
            long = np.linalg.norm(np.diff(xy[:, chain].astype(np.float64), axis=1), axis=2).sum(axis=1)
            lengths[:, index, side] = np.where((confidence[:, chain] >= CONFIDENT).all(axis=1), long, np.nan)
    return lengths


def bone_ratios(
    source: Mapping[str, BoneLength], target: Mapping[str, BoneLength], whole: Sequence[str]
) -> dict[str, float]:
    """How many times as long as the source's each bone of the target is, when both are of the same size.

    A ratio is moved towards 1 by its uncertainty s (the nonnegative garrote of Breiman 1995): its logarithm r becomes
    r max(0, 1 - (DOUBT s / r)^2), which is 0 within the doubt, and hardly less than a large r.

    Args:
        source, target: from ``bone_lengths``.
        whole: the bones that are as long together in both, ``ALONG`` or ``ALOFT``.

    Returns:
        By name, in [1 / LARGEST_RATIO, LARGEST_RATIO]; bones that are not known in both are left out.
    """
    if not all(name in lengths for lengths in (source, target) for name in whole):
        return {}
    scale = sum(source[name].length for name in whole) / sum(target[name].length for name in whole)
    ratios = {}
    for name in MEASURED:
        if name in source and name in target:
            ratio = float(np.log(scale * target[name].length / source[name].length))
            doubt = DOUBT * float(np.linalg.norm([source[name].error, target[name].error, NOISE]))
            ratios[name] = float(np.exp(ratio * (1 - (doubt / ratio) ** 2))) if abs(ratio) > doubt else 1.0
    grown = sum(ratios[name] * source[name].length for name in whole) / sum(source[name].length for name in whole)
    for name in {*whole, "thigh"} & set(ratios):
        ratios[name] /= grown  # not all were moved towards 1 alike
    return {name: float(np.clip(ratio, 1 / LARGEST_RATIO, LARGEST_RATIO)) for name, ratio in ratios.items()}


# From the hips outwards: the bone's name, from, to. The ankle hangs on the hip: as the whole leg is scaled by one
# ratio, about a point of the ground, a foot that stands does not move, however the knee is bent.
_TREE = (
    ("spine", Joint.MID_HIP, Joint.NECK),
    *(
        (bone, Joint[first.format(side)], Joint[second.format(side)])
        for side in ("LEFT", "RIGHT")
        for bone, first, second in (
            ("hip", "MID_HIP", "{}_HIP"),
            ("thigh", "{}_HIP", "{}_KNEE"),
            ("leg", "{}_HIP", "{}_ANKLE"),
            ("shoulder", "NECK", "{}_SHOULDER"),
            ("upper arm", "{}_SHOULDER", "{}_ELBOW"),
            ("forearm", "{}_ELBOW", "{}_WRIST"),
        )
    ),
)
_CARRIED: dict[Joint, list[int]] = {
    Joint.LEFT_WRIST: [*range(LEFT_HAND.start, LEFT_HAND.stop)],
    Joint.RIGHT_WRIST: [*range(RIGHT_HAND.start, RIGHT_HAND.stop)],
    Joint.LEFT_ANKLE: [Joint.LEFT_BIG_TOE, Joint.LEFT_SMALL_TOE, Joint.LEFT_HEEL],
    Joint.RIGHT_ANKLE: [Joint.RIGHT_BIG_TOE, Joint.RIGHT_SMALL_TOE, Joint.RIGHT_HEEL],
}
_HEAD = [*HEAD_JOINTS, *range(FACE.start, FACE.stop)]


def with_bones(
    xy: NDArray[np.float64],
    confidence: Array,
    ratios: Mapping[str, float],
    torso: NDArray[np.float64],
    ground: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """Poses with every bone multiplied by its ratio, from the hips outwards; hands, feet and head keep their shape.

    The hips move with the legs' ratio about ``ground``: feet stay on it, and steps and jumps become as large as the
    legs that make them. The head is scaled about the neck.

    Args:
        xy: (T, 137, 2), placed.
        confidence: (T, 137).
        ratios: from ``bone_ratios``; what is left out is 1.
        torso: (T,), its length; where hips or neck are not found they are taken to be this far apart.
        ground: (T, 2), a point of the ground; None: it is not known, and the hips stay where they are.

    Returns:
        float64 (T, 137, 2); joints that were not found are anywhere.
    """
    found = confidence[..., None] > 0
    upright = np.stack([np.zeros_like(torso), torso], axis=1)
    neck, hips = (np.where(found[:, joint], xy[:, joint], np.nan) for joint in (Joint.NECK, Joint.MID_HIP))
    hips = np.where(np.isnan(hips), neck + upright, hips)
    place = {Joint.MID_HIP: hips, Joint.NECK: np.where(np.isnan(neck), hips - upright, neck)}
    moved = np.zeros_like(xy)
    if ground is not None:
        moved[:, Joint.MID_HIP] = (ratios.get("leg", 1.0) - 1) * (hips - ground)
    for bone, first, second in _TREE:
        # Whatever hangs on a joint that was not found hangs on the one before.
        place.setdefault(second, np.where(found[:, second], xy[:, second], place[first]))
        moved[:, second] = moved[:, first] + (ratios.get(bone, 1.0) - 1) * (place[second] - place[first])
    for joint, carried in _CARRIED.items():
        moved[:, carried] = moved[:, joint, None]
    growth = (ratios.get("head", 1.0) - 1) * (xy[:, _HEAD] - place[Joint.NECK][:, None])
    moved[:, _HEAD] = moved[:, Joint.NECK, None] + growth
    return np.asarray(xy + np.nan_to_num(moved))
