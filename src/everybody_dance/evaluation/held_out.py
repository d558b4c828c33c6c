"""The performer against the truth: held-out footage of the same person, or a transfer whose answer is known."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.evaluation.baselines import NearestNeighbor, background
from everybody_dance.evaluation.compare import Scores, Watcher, compare_all, summary
from everybody_dance.evaluation.metrics import METRICS, Metric
from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.performer.performer import Performer
from everybody_dance.subject.subject import Subject
from everybody_dance.synthesis.clip import dance_clip, frames

logger = logging.getLogger(__name__)

RESULT, NEAREST_NEIGHBOR, BACKGROUND = "result", "nearest_neighbor", "background"
TITLES = {RESULT: "result", NEAREST_NEIGHBOR: "nearest training frame", BACKGROUND: "empty place alone"}

Evaluation = dict[str, dict[str, dict[str, float]]]
"""``evaluation[result | nearest_neighbor | background][body | face | frame][metric]``, as in ``metrics.json``."""


def evaluate_held_out(
    subject: Subject,
    performer: Performer,
    limit: int = 300,
    metrics: Mapping[str, Metric] = METRICS,
    on_progress: OnProgress = ignore_progress,
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
    dance = HeldOutDance.of(subject, limit)
    if not len(dance.keypoints):
        logger.warning("No footage was held out of training, so the result cannot be measured against it.")
        return {}
    scores = held_out_scores(subject, {RESULT: performer}, dance, metrics, on_progress)
    return {name: summary(of_result) for name, of_result in scores.items()}


@dataclass(frozen=True)
class HeldOutDance:
    """What a performer is measured on.

    Attributes:
        frames: int (T,), indices in the subject's footage.
        keypoints: (T frames).
        cuts: of them, those that do not follow the one before.
    """

    frames: NDArray[np.int64]
    keypoints: Keypoints
    cuts: list[int]

    @classmethod
    def of(cls, subject: Subject, limit: int) -> "HeldOutDance":
        """At most ``limit`` held-out frames of ``subject``, as ``held_out_frames`` chooses them."""
        frames = held_out_frames(subject, limit)
        starts = 1 + np.flatnonzero(np.diff(frames) != 1)
        cuts = {*starts.tolist(), *np.flatnonzero(np.isin(frames, list(subject.manifest.cuts))).tolist()} - {0}
        return cls(frames, subject.keypoints[frames], sorted(cuts))


def held_out_scores(
    subject: Subject,
    performers: Mapping[str, Performer],
    dance: HeldOutDance,
    metrics: Mapping[str, Metric] = METRICS,
    on_progress: OnProgress = ignore_progress,
    watchers: Sequence[Watcher] = (),
    baselines: bool = True,
) -> dict[str, Scores]:
    """As ``evaluate_held_out``, for any number of performers by name, with the score of every frame."""
    results: dict[str, Iterable[Image]] = {
        name: danced(performer, dance.keypoints, dance.cuts) for name, performer in performers.items()
    }
    if baselines:
        results[NEAREST_NEIGHBOR] = nearest_neighbor(subject, dance.keypoints, dance.cuts)
        results[BACKGROUND] = background(subject.plate, len(dance.keypoints))
    truth = (subject.frame(int(frame)) for frame in dance.frames)
    return compare_all(results, truth, dance.keypoints, metrics, on_progress, dance.cuts, watchers)


def danced(performer: Performer, keypoints: Keypoints, cuts: Sequence[int] = ()) -> Iterable[Image]:
    """``performer`` dancing ``keypoints``, at their size: some presets paint at a smaller one."""
    size = performer.manifest.size
    painted = frames(dance_clip(performer, keypoints.scaled_to(size), cuts))
    if size == keypoints.size:
        return painted
    return (np.asarray(cv2.resize(frame, keypoints.size, interpolation=cv2.INTER_CUBIC), np.uint8) for frame in painted)


def evaluate_transfer(
    result: Iterable[Image],
    truth: Iterable[Image],
    truth_keypoints: Keypoints,
    source_keypoints: Keypoints,
    subject: Subject,
    metrics: Mapping[str, Metric] = METRICS,
    on_progress: OnProgress = ignore_progress,
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


def nearest_neighbor(subject: Subject, queries: Keypoints, cuts: Sequence[int] = ()) -> NearestNeighbor:
    """The subject's training frames with the closest poses; ``queries`` are in the prepared frame."""
    training = subject.training_frames
    return NearestNeighbor.choose(queries, subject.keypoints[training], training, subject.plate, subject.frame, cuts)


def held_out_frames(subject: Subject, limit: int) -> NDArray[np.int64]:
    """The beginnings of the held-out blocks, together at most ``limit`` frames, shared out as evenly as they allow."""
    held_out = subject.holdout_frames
    starts = np.searchsorted(held_out, [clip.first for clip in subject.manifest.clips[1:]])
    blocks = [block for block in np.split(held_out, starts) if len(block)]
    taken: dict[int, int] = {}
    left = limit
    # The shortest first, so that what they cannot use goes to the longer ones.
    for waiting, index in enumerate(sorted(range(len(blocks)), key=lambda index: len(blocks[index]))):
        taken[index] = min(len(blocks[index]), left // (len(blocks) - waiting))
        left -= taken[index]
    pieces = [block[: taken[index]] for index, block in enumerate(blocks)]
    return np.concatenate(pieces).astype(np.int64) if pieces else np.empty(0, np.int64)
