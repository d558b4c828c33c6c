"""How like the truth a picture is, and what every metric is called."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from everybody_dance.images import Box, Image
from everybody_dance.similarity import RADIUS, ssim_map

Metric = Callable[[Image, Image, Sequence[Box | None]], list[float]]
"""``metric(result, truth, boxes)``: one score for each box, NaN where there is no box (or none large enough)."""

PERSON = 128
"""From this value of a matte on, of 255, a pixel is more person than place."""

BEST_PSNR = 100.0
"""What equal pictures get, in dB, so that averages and JSON stay finite."""


def ssim(result: Image, truth: Image, boxes: Sequence[Box | None]) -> list[float]:
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
        float(
            similarity[box.y : box.y + box.height - 2 * RADIUS, box.x : box.x + box.width - 2 * RADIUS].mean(
                dtype=float
            )
        )
        if box is not None and min(box.width, box.height) > 2 * RADIUS
        else float("nan")
        for box in boxes
    ]


def psnr(result: Image, truth: Image, boxes: Sequence[Box | None]) -> list[float]:
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


def silhouette_iou(matte: Image, truth: Image) -> float:
    """Intersection over union of two silhouettes: where the mattes, uint8 (H, W), are more person than place.

    Returns:
        In [0, 1]; NaN where both are empty.
    """
    one, other = matte >= PERSON, truth >= PERSON
    union = int((one | other).sum())
    return int((one & other).sum()) / union if union else float("nan")


METRICS: dict[str, Metric] = {"ssim": ssim, "psnr": psnr}
"""What is always measured of single pictures. Metrics that need weights are added by whoever has them."""


@dataclass(frozen=True)
class About:
    """How a metric is read.

    Attributes:
        title: with its unit.
        better: which way; or 1, where less and more are both worse.
        digits: worth writing, behind the point.
    """

    title: str
    better: Literal["higher", "lower", 1]
    digits: int

    def merit(self, value: float) -> float:
        """How good a value is: more is better."""
        match self.better:
            case "higher":
                return value
            case "lower":
                return -value
            case aim:
                return -abs(value - aim)


ABOUT: dict[str, About] = {
    "ssim": About("SSIM", "higher", 3),
    "psnr": About("PSNR (dB)", "higher", 1),
    "lpips": About("LPIPS", "lower", 4),
    "vgg_distance": About("VGG-19 distance", "lower", 3),
    "efficientnet_distance": About("EfficientNet-Lite0 distance", "lower", 3),
    "sharpness": About("sharpness (1 as the footage)", 1, 2),
    "flicker": About("flicker (of 255)", "lower", 2),
    "flicker_still": About("flicker where nothing moves", "lower", 2),
    "flicker_moving": About("flicker along the motion", "lower", 2),
    "flicker_person": About("flicker of the person alone", "lower", 2),
    "pixels": About("pose distance (pixels)", "lower", 2),
    "percent": About("pose distance (% of height)", "lower", 2),
    "iou": About("silhouette IoU", "higher", 3),
    "missed": About("joints missed a frame", "lower", 2),
}
"""Every metric by the name it has in scores and files, in the order in which they are shown."""
