"""LPIPS: how different two pictures look to people, by the features of a network that knows what things are.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018, version 0.1. The
linear heads, which the authors fitted to human judgements, come with the package (``lpips_heads.safetensors``, with
their licence); the backbones' weights are torchvision's, and a distance is called LPIPS only with these.
"""

from pathlib import Path
from typing import Literal

import safetensors.torch
import torch
from torch import Tensor, nn

from everybody_dance.errors import DanceError
from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.networks.pretrained import Published

Backbone = Literal["alex", "vgg"]

_OPTION, _CODE = "--lpips-weights", "bad-lpips-weights"
_WITHOUT = "Everything else is measured without them"
PUBLISHED: dict[Backbone, Published] = {
    "alex": Published(
        "AlexNet", "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth", "alexnet", _OPTION, _CODE, _WITHOUT
    ),
    "vgg": Published(
        "VGG-16", "https://download.pytorch.org/models/vgg16-397923af.pth", "vgg16", _OPTION, _CODE, _WITHOUT
    ),
}
"""torchvision's ImageNet weights: 244 MB of which 10 are used, and 528 MB of which 59 are used."""

HEADS = Path(__file__).with_name("lpips_heads.safetensors")

# Where torchvision's ``features`` are tapped: AlexNet after each rectifier, VGG-16 after the last before each pooling.
_TAPS: dict[Backbone, tuple[int, ...]] = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29)}

SMALLEST = 32
"""Pictures with a side of fewer pixels have no fifth layer."""


class LPIPS(nn.Module):
    """A frozen backbone and the heads that weigh its channels; fresh weights in the backbone.

    Args:
        backbone: ``alex`` (the authors' choice for measuring) or ``vgg``.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, backbone: Backbone = "alex") -> None:
        super().__init__()
        self.features = _alexnet() if backbone == "alex" else _vgg16()
        self.taps = _TAPS[backbone]
        # The authors' normalization of pictures in [-1, 1].
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1), persistent=False)
        for layer, weights in enumerate(_heads(backbone)):
            self.register_buffer(f"head_{layer}", weights, persistent=False)
        self.requires_grad_(False).eval()

    def describe(self, images: Tensor) -> list[Tensor]:
        """What the distance is taken of: activations of unit length at each place.

        Args:
            images: (B, 3, H, W) in [-1, 1], sides of at least ``SMALLEST`` pixels.

        Returns:
            Five of (B, C, h, w).
        """
        x = (images - self.shift) / self.scale
        described = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.taps:
                described.append(x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10))
        return described

    def distance(self, one: list[Tensor], other: list[Tensor]) -> Tensor:
        """(B,): the sum over layers of the mean over places of the weighted squared differences; 0 for equal."""
        heads = (getattr(self, f"head_{layer}") for layer in range(len(self.taps)))
        layers = [
            ((a - b).square() * head[:, None, None]).sum(dim=1).mean(dim=(1, 2))
            for a, b, head in zip(one, other, heads, strict=True)
        ]
        return torch.stack(layers).sum(dim=0)

    def forward(self, images: Tensor, others: Tensor) -> Tensor:
        """The distance of each of ``images`` from that of ``others``, as in ``describe``: (B,)."""
        return self.distance(self.describe(images), self.describe(others))


def load_lpips(path: Path) -> LPIPS:
    """LPIPS with the weights of the AlexNet or the VGG-16 in ``path``.

    Raises:
        DanceError: there is no such file (``file-not-found``), or it is neither of torchvision's files, by its
            SHA-256, nor what a download kept of one (``bad-lpips-weights``).
    """
    if not path.is_file():
        raise DanceError("file-not-found", f"There is no file {path}.")
    backbone = next((name for name, published in PUBLISHED.items() if published.is_genuine(path)), None)
    if backbone is None:
        names = " nor ".join(published.name for published in PUBLISHED.values())
        raise DanceError(_CODE, f"{path} is neither torchvision's {names} (its SHA-256 differs), so it gives no LPIPS.")
    network = LPIPS(backbone)
    wanted = {name: value.shape for name, value in network.state_dict().items()}
    network.load_state_dict(PUBLISHED[backbone].read(path, wanted))
    return network


def find_lpips_weights(explicit: Path | None = None) -> Path | None:
    """As ``Published.find``, of AlexNet before VGG-16."""
    return PUBLISHED["alex"].find(explicit) or PUBLISHED["vgg"].find()


def download_lpips(on_progress: OnProgress = ignore_progress) -> Path:
    """As ``Published.download``, of AlexNet."""
    return PUBLISHED["alex"].download(LPIPS("alex").state_dict(), on_progress=on_progress)


def _heads(backbone: Backbone) -> list[Tensor]:
    heads = safetensors.torch.load_file(HEADS)
    return [heads[f"{backbone}.{layer}"] for layer in range(5)]


def _alexnet() -> nn.Sequential:
    """torchvision's ``alexnet().features``, up to its last rectifier."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
    )


def _vgg16() -> nn.Sequential:
    """torchvision's ``vgg16().features``, up to its last rectifier."""
    layers: list[nn.Module] = []
    channels = 3
    for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512):
        if width:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        else:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)
