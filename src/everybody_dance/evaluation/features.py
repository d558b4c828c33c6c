"""How different pictures look to VGG-19: a distance of features, for machines without the weights of LPIPS."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from everybody_dance import losses
from everybody_dance.drawing.window import Box
from everybody_dance.evaluation.metrics import Frame
from everybody_dance.networks.vgg import load_vgg19
from everybody_dance.performer.engine import mixed_precision, place, to_tensor

SMALLEST = 16
"""A box with a side of fewer pixels has no fifth layer."""


class VGGDistance:
    """A metric: the perceptual loss of pix2pixHD (losses.perceptual, all five layers) on each box. It is not LPIPS.

    Args:
        weights: file of VGG-19 weights.
        device: where to compute.

    Raises:
        DanceError: as ``networks.vgg.load_vgg19``.
    """

    def __init__(self, weights: Path, device: torch.device) -> None:
        self.device = device
        self.network = place(load_vgg19(weights), device)

    @torch.inference_mode()
    def __call__(self, result: Frame, truth: Frame, boxes: Sequence[Box | None]) -> list[float]:
        """One distance for each box, NaN where there is none or it is too small."""
        distances = []
        for box in boxes:
            if box is None or min(box.width, box.height) < SMALLEST:
                distances.append(float("nan"))
                continue
            pair = to_tensor(np.stack([box.cut(result), box.cut(truth)]), self.device)
            with mixed_precision(self.device):
                features = [layer.float() for layer in self.network(pair)]
            ours, true = zip(*(layer.chunk(2) for layer in features), strict=True)
            distances.append(float(losses.perceptual(ours, true)))
        return distances
