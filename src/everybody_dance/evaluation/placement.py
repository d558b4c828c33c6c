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
        centered, own_centered: both, the middle of the stage aside, which a dance does not tell.
        unchanged: the source only fitted into the frame (``--no-normalize``).
        frames: frames in which both dancers are seen.
        clamped_share: share of frames whose depth lay outside the source's own range.
    """

    normalized: float
    own_bones: float
    centered: float
    own_centered: float
    unchanged: float
    frames: int
    clamped_share: float


def placement_error(placed: Keypoints, truth: Keypoints, centered: bool = False) -> NDArray[np.float64]:
    """Mean distance between ``placed`` and the true keypoints over the body joints found in both.

    Args:
        placed, truth: (T frames) of the same poses at the same times, in the same frame.
        centered: move the whole clip sideways, to where the median joint is right.

    Returns:
        float64 (T,), in percent of the true dancer's median body height; NaN where no joint is found in both.

    Raises:
        ValueError: they differ in length or size.
    """
    if len(placed) != len(truth) or placed.size != truth.size:
        raise ValueError(f"{len(placed)} frames of {placed.size} against {len(truth)} of {truth.size}")
    both = placed.found[:, BODY] & truth.found[:, BODY]
    off = placed.xy[:, BODY].astype(np.float64) - truth.xy[:, BODY]
    if centered and both.any():
        off[..., 0] -= np.median(off[both, 0])
    distance = np.linalg.norm(off, axis=2)
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
    own_bones = normalize(source, statistics, target.size, bones="source")
    errors, own_errors, centered, own_centered = (
        placement_error(placed.keypoints, truth, aside) for aside in (False, True) for placed in (normalized, own_bones)
    )
    unchanged = placement_error(place_unchanged(source, target.size), truth)
    return NormalizationError(
        normalized=float(np.nanmean(errors)),
        own_bones=float(np.nanmean(own_errors)),
        centered=float(np.nanmean(centered)),
        own_centered=float(np.nanmean(own_centered)),
        unchanged=float(np.nanmean(unchanged)),
        frames=int(np.isfinite(errors).sum()),
        clamped_share=normalized.clamped_share,
    )
