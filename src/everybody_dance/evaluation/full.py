"""Every figure of a performer on the footage that was held out, beside what it has to beat."""

from collections.abc import Callable, Iterable
from pathlib import Path

from everybody_dance.evaluation.features import VGGDistance
from everybody_dance.evaluation.metrics import METRICS, Frame, Scores, Spread, spread
from everybody_dance.evaluation.pose_distance import FrameDetector, Redetected, pose_distance
from everybody_dance.evaluation.self_reenactment import BACKGROUND, held_out_scores
from everybody_dance.keypoints import Keypoints
from everybody_dance.performer.performer import Performer
from everybody_dance.progress import Progress, ignore_progress
from everybody_dance.subject.subject import Subject

Figures = dict[str, dict[str, dict[str, Spread]]]
"""``figures[result | nearest_neighbor | background][region][metric]``.

Regions are body, face and frame with the metrics ssim, psnr, flicker (of 255) and perhaps vgg_distance, and pose_body,
pose_face, pose_hands and pose_all with the metrics pixels, percent (of the body height) and missed (joints a frame).
"""


def figures(scores: dict[str, Scores]) -> Figures:
    """The figures of ``full_scores``: mean, standard deviation and number of frames; what has none is left out."""
    return {name: spread(of_result) for name, of_result in scores.items()}


def full_scores(
    subject: Subject,
    performer: Performer,
    *,
    limit: int = 300,
    vgg_weights: Path | None = None,
    detector: Callable[[], FrameDetector] | None = None,
    on_progress: Progress = ignore_progress,
) -> dict[str, Scores]:
    """Let the performer dance what its own footage kept back, once, and measure everything on the way.

    Args:
        subject: whose held-out frames.
        performer: trained on the others.
        limit: at most this many frames, shared out over the blocks.
        vgg_weights: file of VGG-19 weights, for ``vgg_distance``.
        detector: makes the detector that found the subject's poses, for the pose distance; one for each result.
        on_progress: told the frames measured.

    Returns:
        ``scores[result | nearest_neighbor | background][region][metric]``, one for each frame; empty where nothing was
        held out.
    """
    metrics = dict(METRICS)
    if vgg_weights is not None:
        metrics["vgg_distance"] = VGGDistance(vgg_weights, performer.device)
    watched: dict[str, Redetected] = {}

    def through(name: str, frames: Iterable[Frame], keypoints: Keypoints) -> Iterable[Frame]:
        if detector is None or name == BACKGROUND:
            return frames
        watched[name] = Redetected(frames, detector(), keypoints)
        return watched[name]

    scores = held_out_scores(subject, performer, limit, metrics, on_progress, through)
    for name, frames in watched.items() if scores else ():
        for part, distances in pose_distance(frames.keypoints, frames.like).items():
            scores[name][f"pose_{part}"] = dict(vars(distances))
    return scores
