"""Structural similarity, pixel by pixel."""

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.images import Image

SIGMA = 1.5
RADIUS = 5
"""The Gaussian window of SSIM: sigma 1.5 cut off at 3.5 sigma, 11 pixels across (Wang et al. 2004)."""

C1, C2 = np.float32((0.01 * 255) ** 2), np.float32((0.03 * 255) ** 2)
MIDDLE = np.float32(127.5)


def ssim_map(result: Image, truth: Image) -> NDArray[np.float32]:
    """SSIM of every pixel whose window lies inside the frame: float32 (H - 10, W - 10), the mean of the colours."""
    # About the middle of the range, where float32 loses nothing that counts: (co)variances do not mind.
    x, y = (np.subtract(image, MIDDLE, dtype=np.float32) for image in (result, truth))
    mean_x, mean_y = _blur(x), _blur(y)
    covariance = _blur(x * y) - mean_x * mean_y
    variances = _blur(x * x + y * y) - (mean_x * mean_x + mean_y * mean_y)
    mean_x += MIDDLE
    mean_y += MIDDLE
    means = mean_x * mean_y
    squares = mean_x * mean_x + mean_y * mean_y
    similarity = (2 * means + C1) * (2 * covariance + C2) / ((squares + C1) * (variances + C2))
    return np.asarray(similarity.mean(axis=2)[RADIUS:-RADIUS, RADIUS:-RADIUS], np.float32)


def _blur(image: NDArray[np.float32]) -> NDArray[np.float32]:
    side = 2 * RADIUS + 1
    return np.asarray(cv2.GaussianBlur(image, (side, side), SIGMA, borderType=cv2.BORDER_REFLECT), np.float32)
