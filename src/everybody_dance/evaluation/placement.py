"""Does global pose normalization put the source where the target would stand? Against dancers whose truth is known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everybody_dance.body_height import body_height
from everybody_dance.keypoints import Keypoints
from everybody_dance.retarget.normalize import normalize, place_unchanged
from everybody_dance.retarget.statistics import pose_statistics
from everybody_dance.skeleton import BODY


@dataclass(frozen=True)
class NormalizationError:
    """Mean distance of a body joint from the true dancer's, in percent of the true dancer's height.

    Attributes:
        normalized: after global pose normalization, with the target's bones.
        own_bones: the same with the source's bones.
        unchanged: the source only fitted into the frame (``--no-normalize``).
        frames: frames in which both dancers are seen.
        clamped_share: share of frames whose depth lay outside the source's own range.
    """

    normalized: float
    own_bones: float
    unchanged: float
    frames: int
    clamped_share: float


def placement_error(placed: Keypoints, truth: Keypoints) -> NDArray[np.float64]:
    """Mean distance between ``placed`` and the true keypoints over the body joints found in both.

    Args:
        placed, truth: (T frames) of the same poses at the same times, in the same frame.

    Returns:
        float64 (T,), in percent of the true dancer's median body height; NaN where no joint is found in both.

    Raises:
        ValueError: they differ in length or size.
    """
    if len(placed) != len(truth) or placed.size != truth.size:
        raise ValueError(f"{len(placed)} frames of {placed.size} against {len(truth)} of {truth.size}")
    both = placed.found[:, BODY] & truth.found[:, BODY]
    distance = np.linalg.norm(placed.xy[:, BODY].astype(np.float64) - truth.xy[:, BODY], axis=2)
    height = np.median(body_height(truth.xy, truth.confidence)[truth.person_seen]) if both.any() else np.nan
    with np.errstate(invalid="ignore"):
        return np.asarray(100 * (distance * both).sum(axis=1) / both.sum(axis=1) / height, np.float64)


def normalization_error(source: Keypoints, target: Keypoints, truth: Keypoints) -> NormalizationError:
    """Normalize ``source`` onto the person of ``target`` and compare with what that person really does.

    Args:
        source: somebody dancing, in their own frame.
        target: the target person dancing anything, as in training; gives the statistics.
        truth: the target person dancing what ``source`` dances, in the target's frame, frame by frame.
    """
    statistics = pose_statistics(target)
    normalized = normalize(source, statistics, target.size)
    errors = placement_error(normalized.keypoints, truth)
    own_bones = placement_error(normalize(source, statistics, target.size, bones="source").keypoints, truth)
    unchanged = placement_error(place_unchanged(source, target.size), truth)
    return NormalizationError(
        normalized=float(np.nanmean(errors)),
        own_bones=float(np.nanmean(own_bones)),
        unchanged=float(np.nanmean(unchanged)),
        frames=int(np.isfinite(errors).sum()),
        clamped_share=normalized.clamped_share,
    )
