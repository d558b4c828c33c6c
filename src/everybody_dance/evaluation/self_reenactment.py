"""The performer against the truth: held-out footage of the same person, or a transfer whose answer is known."""

import logging
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from everybody_dance.evaluation.baselines import Frame, NearestNeighbor, background
from everybody_dance.evaluation.metrics import METRICS, Metric, Scores, compare_all, summary
from everybody_dance.keypoints import Keypoints
from everybody_dance.performer.performer import Performer
from everybody_dance.progress import Progress, ignore_progress
from everybody_dance.subject.subject import Subject
from everybody_dance.transfer.synthesizer import Synthesizer

logger = logging.getLogger(__name__)

RESULT, NEAREST_NEIGHBOR, BACKGROUND = "result", "nearest_neighbor", "background"

Evaluation = dict[str, dict[str, dict[str, float]]]
"""``evaluation[result | nearest_neighbor | background][body | face | frame][metric]``, as in ``metrics.json``."""


def evaluate_held_out(
    subject: Subject,
    performer: Performer,
    limit: int = 300,
    metrics: Mapping[str, Metric] = METRICS,
    on_progress: Progress = ignore_progress,
) -> Evaluation:
    """Let the performer dance what its own footage kept back, and measure it and both baselines against that.

    Each held-out block is one rollout from its start, with the keypoints as training had them.

    Args:
        subject: whose held-out frames.
        performer: trained on the others.
        limit: at most this many frames, shared out over the blocks.

    Returns:
        The mean scores; empty where nothing was held out.
    """
    scores = held_out_scores(subject, performer, limit, metrics, on_progress)
    return {name: summary(of_result) for name, of_result in scores.items()}


def held_out_scores(
    subject: Subject,
    performer: Performer,
    limit: int = 300,
    metrics: Mapping[str, Metric] = METRICS,
    on_progress: Progress = ignore_progress,
    through: Callable[[str, Iterable[Frame], Keypoints], Iterable[Frame]] = lambda name, frames, keypoints: frames,
) -> dict[str, Scores]:
    """As ``evaluate_held_out``, with the score of every frame.

    ``through(name, frames, keypoints)`` may look at each result's frames as they pass by.
    """
    frames = held_out_frames(subject, limit)
    if not len(frames):
        logger.warning("No footage was held out of training, so the result cannot be measured against it.")
        return {}
    keypoints = subject.keypoints[frames]
    starts = 1 + np.flatnonzero(np.diff(frames) != 1)
    cuts = sorted({*starts.tolist(), *np.flatnonzero(np.isin(frames, list(subject.manifest.cuts))).tolist()} - {0})
    results: dict[str, Iterable[Frame]] = {
        RESULT: Synthesizer(performer, keypoints, cuts),
        NEAREST_NEIGHBOR: nearest_neighbor(subject, keypoints),
        BACKGROUND: background(subject.plate, len(keypoints)),
    }
    return compare_all(
        {name: through(name, frames, keypoints) for name, frames in results.items()},
        (subject.frame(int(frame)) for frame in frames),
        keypoints,
        metrics,
        on_progress,
        cuts,
    )


def evaluate_transfer(
    result: Iterable[Frame],
    truth: Iterable[Frame],
    truth_keypoints: Keypoints,
    source_keypoints: Keypoints,
    subject: Subject,
    metrics: Mapping[str, Metric] = METRICS,
    on_progress: Progress = ignore_progress,
) -> Evaluation:
    """Measure a transfer whose true answer is known, beside both baselines, in the true dancer's boxes.

    Args:
        result: the transfer's frames, uint8 (H, W, 3) at the subject's prepared size.
        truth: what the person looks like dancing this, alike.
        truth_keypoints: of ``truth``, at the prepared size or any other size of the same shape.
        source_keypoints: the normalized keypoints that the result was painted from; the nearest neighbour is chosen
            by them.
        subject: whose performer it is.

    Returns:
        The mean scores.
    """
    truth_keypoints = truth_keypoints.scaled_to(subject.manifest.size)
    scores = compare_all(
        {
            RESULT: result,
            NEAREST_NEIGHBOR: nearest_neighbor(subject, source_keypoints),
            BACKGROUND: background(subject.plate, len(source_keypoints)),
        },
        truth,
        truth_keypoints,
        metrics,
        on_progress,
    )
    return {name: summary(of_result) for name, of_result in scores.items()}


def nearest_neighbor(subject: Subject, queries: Keypoints) -> NearestNeighbor:
    """The subject's training frames with the closest poses; ``queries`` are in the prepared frame."""
    training = subject.training_frames
    return NearestNeighbor.choose(queries, subject.keypoints[training], training, subject.plate, subject.frame)


def held_out_frames(subject: Subject, limit: int) -> NDArray[np.int64]:
    """The beginnings of the held-out blocks, together at most ``limit`` frames, shared out as evenly as they allow."""
    blocks = [(clip.holdout, clip.stop) for clip in subject.manifest.clips if clip.stop > clip.holdout]
    taken: dict[int, int] = {}
    left = limit
    # The shortest first, so that what they cannot use goes to the longer ones.
    for waiting, (first, stop) in enumerate(sorted(blocks, key=lambda block: block[1] - block[0])):
        taken[first] = min(stop - first, left // (len(blocks) - waiting))
        left -= taken[first]
    pieces = [np.arange(first, first + count) for first, count in sorted(taken.items())]
    return np.concatenate(pieces).astype(np.int64) if pieces else np.empty(0, np.int64)
