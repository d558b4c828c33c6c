"""How different pictures look to VGG-19: a distance of features, for machines without the weights of LPIPS."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from everybody_dance import losses
from everybody_dance.drawing.window import Box
from everybody_dance.evaluation.metrics import Frame
from everybody_dance.networks.vgg import load_vgg19
from everybody_dance.performer.engine import mixed_precision, place, to_tensor

SMALLEST = 16
"""A box with a side of fewer pixels has no fifth layer."""


class VGGDistance:
    """A metric: the perceptual loss of pix2pixHD (losses.perceptual, all five layers) on each box. It is not LPIPS.

    Whole frames have none: they are mostly background, and on a CPU they take half a minute each.

    Args:
        weights: file of VGG-19 weights.
        device: where to compute.

    Raises:
        DanceError: as ``networks.vgg.load_vgg19``.
    """

    def __init__(self, weights: Path, device: torch.device) -> None:
        self.device = device
        self.network = place(load_vgg19(weights), device)
        # Several results are compared with one true frame after the other.
        self._truth: Frame | None = None
        self._true_features: dict[Box, list[Tensor]] = {}

    @torch.inference_mode()
    def __call__(self, result: Frame, truth: Frame, boxes: Sequence[Box | None]) -> list[float]:
        """One distance for each box, NaN where there is none, it is too small, or it is the whole frame."""
        if truth is not self._truth:
            self._truth, self._true_features = truth, {}
        distances = []
        for box in boxes:
            whole = box is not None and (box.height, box.width) == truth.shape[:2]
            if box is None or whole or min(box.width, box.height) < SMALLEST:
                distances.append(float("nan"))
                continue
            if box not in self._true_features:
                self._true_features[box] = self._features(box.cut(truth))
            distances.append(float(losses.perceptual(self._features(box.cut(result)), self._true_features[box])))
        return distances

    def _features(self, image: Frame) -> list[Tensor]:
        with mixed_precision(self.device):
            return [layer.float() for layer in self.network(to_tensor(image[None], self.device))]
