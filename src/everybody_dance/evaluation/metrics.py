"""How like the truth a picture is: metrics by name, measured in the body box, the face box and the whole frame.

Everything streams: one pass over the frames, scores for each frame kept, pictures dropped.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.drawing.window import Box
from everybody_dance.evaluation.boxes import body_boxes, face_boxes, frame_boxes
from everybody_dance.keypoints import Keypoints
from everybody_dance.progress import Progress, ignore_progress

Frame = NDArray[np.uint8]

Metric = Callable[[Frame, Frame, Sequence[Box | None]], list[float]]
"""``metric(result, truth, boxes)``: one score for each box, NaN where there is no box (or none large enough)."""

Scores = dict[str, dict[str, NDArray[np.float64]]]
"""``scores[region][metric]``: float64 (T,), NaN in frames without that region."""

REGIONS: dict[str, Callable[[Keypoints], list[Box | None]]] = {
    "body": body_boxes,
    "face": face_boxes,
    "frame": frame_boxes,
}

SIGMA = 1.5
RADIUS = 5
"""The Gaussian window of SSIM: sigma 1.5 cut off at 3.5 sigma, 11 pixels across (Wang et al. 2004)."""

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

BEST_PSNR = 100.0
"""What equal pictures get, in dB, so that averages and JSON stay finite."""


def ssim(result: Frame, truth: Frame, boxes: Sequence[Box | None]) -> list[float]:
    """Structural similarity (Wang et al. 2004) of each box, averaged over its pixels and the three colours.

    Equal to scikit-image's ``structural_similarity`` on the crop with ``gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=255``: that leaves out the pixels nearest the crop's edge, so every window
    that counts lies inside the crop, and one map of the whole frame serves all boxes.

    Args:
        result, truth: uint8 (H, W, 3).
        boxes: inside the frame. A box less than 11 pixels high or wide scores NaN.
    """
    similarity = ssim_map(result, truth)
    return [
        float(similarity[box.y : box.y + box.height - 2 * RADIUS, box.x : box.x + box.width - 2 * RADIUS].mean())
        if box is not None and min(box.width, box.height) > 2 * RADIUS
        else float("nan")
        for box in boxes
    ]


def ssim_map(result: Frame, truth: Frame) -> NDArray[np.float64]:
    """SSIM of every pixel whose window lies inside the frame: float64 (H - 10, W - 10), the mean of the colours."""
    x, y = result.astype(np.float64), truth.astype(np.float64)
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = (_blur(image) for image in (x, y, x * x, y * y, x * y))
    variance_x, variance_y = mean_xx - mean_x**2, mean_yy - mean_y**2
    covariance = mean_xy - mean_x * mean_y
    similarity = ((2 * mean_x * mean_y + C1) * (2 * covariance + C2)) / (
        (mean_x**2 + mean_y**2 + C1) * (variance_x + variance_y + C2)
    )
    return np.asarray(similarity.mean(axis=2)[RADIUS:-RADIUS, RADIUS:-RADIUS], np.float64)


def _blur(image: NDArray[np.float64]) -> NDArray[np.float64]:
    side = 2 * RADIUS + 1
    return np.asarray(cv2.GaussianBlur(image, (side, side), SIGMA, borderType=cv2.BORDER_REFLECT), np.float64)


def psnr(result: Frame, truth: Frame, boxes: Sequence[Box | None]) -> list[float]:
    """Peak signal-to-noise ratio of each box in dB, at most ``BEST_PSNR``.

    Args:
        result, truth: uint8 (H, W, 3).
        boxes: inside the frame.
    """
    squared = np.square(result.astype(np.float32) - truth.astype(np.float32))
    return [float("nan") if box is None else _decibels(float(_cut(squared, box).mean(dtype=float))) for box in boxes]


def _decibels(squared_error: float) -> float:
    return float(min(10 * np.log10(255**2 / max(squared_error, 1e-12)), BEST_PSNR))


def _cut(image: NDArray[np.float32], box: Box) -> NDArray[np.float32]:
    return image[box.y : box.y + box.height, box.x : box.x + box.width]


def flicker(
    result: Frame, before: Frame, truth: Frame, truth_before: Frame, boxes: Sequence[Box | None]
) -> list[float]:
    """How far a result changes otherwise than the truth from one frame to the next, of 255, averaged over each box.

    The mean of |(result - before) - (truth - truth_before)|: 0 for whatever moves as the truth does, however it looks.

    Args:
        result, truth: uint8 (H, W, 3).
        before, truth_before: the frame before each.
        boxes: inside the frame.
    """
    change, true_change = (
        now.astype(np.float32) - earlier for now, earlier in ((result, before), (truth, truth_before))
    )
    error = np.abs(change - true_change)
    return [float("nan") if box is None else float(_cut(error, box).mean(dtype=float)) for box in boxes]


METRICS: dict[str, Metric] = {"ssim": ssim, "psnr": psnr}
"""What is always measured. Metrics that need weights are added by whoever has them."""


def compare_all(
    results: Mapping[str, Iterable[Frame]],
    truth: Iterable[Frame],
    keypoints: Keypoints,
    metrics: Mapping[str, Metric] = METRICS,
    on_progress: Progress = ignore_progress,
    cuts: Sequence[int] = (),
) -> dict[str, Scores]:
    """Measure several results against one truth, in one pass over all of them: ``metrics``, and ``flicker``.

    Args:
        results: frames by the result's name, uint8 (H, W, 3), one for each frame of ``keypoints``.
        truth: the true frames, alike.
        keypoints: of the true frames; they give the boxes, which are the same for every result.
        metrics: by name.
        cuts: frames that do not follow the one before; they have no flicker.

    Returns:
        Scores by the result's name.

    Raises:
        ValueError: a result or the truth has another number of frames than ``keypoints``, or another size.
    """
    boxes = {region: find(keypoints) for region, find in REGIONS.items()}
    scores: dict[str, Scores] = {
        name: {
            region: {metric: np.full(len(keypoints), np.nan) for metric in (*metrics, "flicker")} for region in REGIONS
        }
        for name in results
    }
    before: dict[str, Frame] = {}
    truth_before: Frame | None = None
    shape = (keypoints.size[1], keypoints.size[0], 3)
    frames = zip(range(len(keypoints)), truth, *results.values(), strict=True)
    for index, true_frame, *candidates in frames:
        here = [boxes[region][index] for region in REGIONS]
        for name, candidate in zip(results, candidates, strict=True):
            if candidate.shape != shape or true_frame.shape != shape:
                raise ValueError(f"{name}: frames of {candidate.shape} and {true_frame.shape}, expected {shape}")
            values = {metric: measure(candidate, true_frame, here) for metric, measure in metrics.items()}
            if truth_before is not None and index not in cuts:
                values["flicker"] = flicker(candidate, before[name], true_frame, truth_before, here)
            for metric, found in values.items():
                for region, value in zip(REGIONS, found, strict=True):
                    scores[name][region][metric][index] = value
            before[name] = candidate
        truth_before = true_frame
        on_progress(index + 1, len(keypoints))
    return scores


def compare_frames(
    result: Iterable[Frame],
    truth: Iterable[Frame],
    keypoints: Keypoints,
    metrics: Mapping[str, Metric] = METRICS,
    on_progress: Progress = ignore_progress,
) -> Scores:
    """Measure one result against the truth; see ``compare_all``."""
    return compare_all({"result": result}, truth, keypoints, metrics, on_progress)["result"]


@dataclass(frozen=True)
class Spread:
    """Mean, standard deviation and number of the frames that have a score."""

    mean: float
    std: float
    count: int


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
