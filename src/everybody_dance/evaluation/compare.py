"""Any number of results beside one truth: scores of every frame, in the body box, the face box and the whole frame.

Everything streams: one pass over the frames, scores kept, pictures dropped.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everybody_dance.evaluation import flicker
from everybody_dance.evaluation.boxes import body_boxes, face_boxes, frame_boxes
from everybody_dance.evaluation.flicker import TrueMotion
from everybody_dance.evaluation.metrics import METRICS, Metric
from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.images import Box, Image
from everybody_dance.keypoints import Keypoints

Scores = dict[str, dict[str, NDArray[np.float64]]]
"""``scores[region][metric]``: float64 (T,), NaN in frames without that region."""

Watcher = Callable[[int, Image, Mapping[str, Image]], None]
"""``watcher(index, truth, results)`` sees every frame as it passes by, results by name."""

REGIONS: dict[str, Callable[[Keypoints], list[Box | None]]] = {
    "body": body_boxes,
    "face": face_boxes,
    "frame": frame_boxes,
}


def compare_all(
    results: Mapping[str, Iterable[Image]],
    truth: Iterable[Image],
    keypoints: Keypoints,
    metrics: Mapping[str, Metric] = METRICS,
    on_progress: OnProgress = ignore_progress,
    cuts: Sequence[int] = (),
    watchers: Sequence[Watcher] = (),
) -> dict[str, Scores]:
    """Measure several results against one truth, in one pass over all of them: ``metrics``, and flicker.

    Args:
        results: frames by the result's name, uint8 (H, W, 3), one for each frame of ``keypoints``.
        truth: the true frames, alike.
        keypoints: of the true frames; they give the boxes, which are the same for every result.
        metrics: by name.
        cuts: frames that do not follow the one before; they have no flicker.
        watchers: shown every frame.

    Returns:
        Scores by the result's name.

    Raises:
        ValueError: a result or the truth has another number of frames than ``keypoints``, or another size.
    """
    boxes = {region: find(keypoints) for region, find in REGIONS.items()}
    names = (*metrics, *flicker.NAMES)
    scores: dict[str, Scores] = {
        result: {region: {name: np.full(len(keypoints), np.nan) for name in names} for region in REGIONS}
        for result in results
    }
    before: dict[str, Image] = {}
    truth_before: Image | None = None
    shape = (keypoints.size[1], keypoints.size[0], 3)
    frames = zip(range(len(keypoints)), truth, *results.values(), strict=True)
    for index, true_frame, *candidates in frames:
        here = [boxes[region][index] for region in REGIONS]
        shown = dict(zip(results, candidates, strict=True))
        for name, candidate in shown.items():
            if candidate.shape != shape or true_frame.shape != shape:
                raise ValueError(f"{name}: frames of {candidate.shape} and {true_frame.shape}, expected {shape}")
        follows = truth_before is not None and index not in cuts
        motion = TrueMotion(true_frame, truth_before) if truth_before is not None and follows else None
        for name, candidate in shown.items():
            values = {metric: measure(candidate, true_frame, here) for metric, measure in metrics.items()}
            if motion is not None:
                values |= motion.flicker(candidate, before[name], here)
            for metric, found in values.items():
                for region, value in zip(REGIONS, found, strict=True):
                    scores[name][region][metric][index] = value
        for watcher in watchers:
            watcher(index, true_frame, shown)
        before, truth_before = shown, true_frame
        on_progress(index + 1, len(keypoints))
    return scores


def add(scores: Mapping[str, Scores], more: Mapping[str, Scores]) -> None:
    """Put what a watcher measured, by the result's name, to ``scores``."""
    for name, by_region in more.items():
        for region, by_metric in by_region.items():
            scores[name].setdefault(region, {}).update(by_metric)


@dataclass(frozen=True)
class Spread:
    """Mean, standard deviation and number of the frames that have a score."""

    mean: float
    std: float
    count: int


Figures = dict[str, dict[str, dict[str, Spread]]]
"""``figures[result][region][metric]``."""


def spread(scores: Scores) -> dict[str, dict[str, Spread]]:
    """``spread(scores)[region][metric]``; regions that no frame has are left out."""
    spreads: dict[str, dict[str, Spread]] = {}
    for region, by_metric in scores.items():
        for metric, values in by_metric.items():
            measured = values[np.isfinite(values)]
            if measured.size:
                found = Spread(float(measured.mean()), float(measured.std()), int(measured.size))
                spreads.setdefault(region, {})[metric] = found
    return spreads


def summary(scores: Scores) -> dict[str, dict[str, float]]:
    """``summary(scores)[region][metric]``: the mean over the frames that have the region; empty regions left out."""
    return {
        region: {metric: found.mean for metric, found in by_metric.items()}
        for region, by_metric in spread(scores).items()
    }
