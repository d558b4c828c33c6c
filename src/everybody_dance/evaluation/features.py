"""How different pictures look to a network that knows what things are: LPIPS, and the distance of other features."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from everybody_dance import losses
from everybody_dance.evaluation.metrics import Metric
from everybody_dance.images import Box, Image
from everybody_dance.networks.efficientnet_lite import load_efficientnet_lite0
from everybody_dance.networks.lpips import SMALLEST, load_lpips
from everybody_dance.networks.vgg import load_vgg19
from everybody_dance.performer.engine import mixed_precision, place
from everybody_dance.performer.tensors import to_tensor

Features = list[Tensor]


class FeatureDistance:
    """A metric: the distance of two pictures' features on each box.

    Args:
        describe: (B, 3, H, W) in [-1, 1] to features.
        distance: of two pictures' features.
        device: where to compute.
        whole_frames: whether boxes that are the whole frame are measured too.
    """

    def __init__(
        self,
        describe: Callable[[Tensor], Features],
        distance: Callable[[Features, Features], Tensor],
        device: torch.device,
        *,
        whole_frames: bool,
    ) -> None:
        self.describe = describe
        self.distance = distance
        self.device = device
        self.whole_frames = whole_frames
        # Several results are compared with one true frame after the other.
        self._truth: Image | None = None
        self._true_features: dict[Box, Features] = {}

    @torch.inference_mode()
    def __call__(self, result: Image, truth: Image, boxes: Sequence[Box | None]) -> list[float]:
        """One distance for each box, NaN where there is none or it is not measured; see ``SMALLEST``."""
        if truth is not self._truth:
            self._truth, self._true_features = truth, {}
        distances = []
        for box in boxes:
            if box is None or min(box.width, box.height) < SMALLEST:
                distances.append(float("nan"))
                continue
            if not self.whole_frames and (box.height, box.width) == truth.shape[:2]:
                distances.append(float("nan"))
                continue
            if box not in self._true_features:
                self._true_features[box] = self._features(box.cut(truth))
            distances.append(float(self.distance(self._features(box.cut(result)), self._true_features[box])))
        return distances

    def _features(self, image: Image) -> Features:
        return self.describe(to_tensor(image[None], self.device))


def vgg_distance(weights: Path, device: torch.device) -> Metric:
    """pix2pixHD's perceptual loss (losses.perceptual, all five layers) as a metric. It is not LPIPS.

    Whole frames have none: on a CPU they take half a minute each.

    Raises:
        DanceError: as ``networks.vgg.load_vgg19``.
    """
    network = place(load_vgg19(weights), device)

    def describe(images: Tensor) -> Features:
        with mixed_precision(device):
            return [layer.float() for layer in network(images)]

    def distance(result: list[Tensor], truth: list[Tensor]) -> Tensor:
        return losses.perceptual(generated=result, real=truth)

    return FeatureDistance(describe, distance, device, whole_frames=False)


def efficientnet_distance(device: torch.device) -> Metric | None:
    """The mean absolute difference of EfficientNet-Lite0's features, the mean of its five layers. It is not LPIPS.

    Performers that were trained with this network are judged by what they were taught; see who they are compared with.

    Returns:
        None where the network's package is not installed. Whole frames have no distance.

    Raises:
        DanceError: as ``networks.efficientnet_lite.load_efficientnet_lite0``.
    """
    loaded = load_efficientnet_lite0()
    if loaded is None:
        return None
    network = place(loaded, device)

    def distance(result: Features, truth: Features) -> Tensor:
        return losses.perceptual(generated=result, real=truth, weights=[1 / len(truth)] * len(truth))

    return FeatureDistance(network, distance, device, whole_frames=False)


def lpips(weights: Path, device: torch.device) -> Metric:
    """LPIPS as a metric.

    Raises:
        DanceError: as ``networks.lpips.load_lpips``.
    """
    network = place(load_lpips(weights), device)
    return FeatureDistance(network.describe, network.distance, device, whole_frames=True)
