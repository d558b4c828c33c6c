"""VGG-19 features for the perceptual loss.

Johnson et al., "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", ECCV 2016; the layers are
pix2pixHD's: relu1_1, relu2_1, relu3_1, relu4_1, relu5_1.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.networks.pretrained import Published

# Channels of the convolutions up to conv5_1; 0 halves the picture.
LAYOUT = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512)

OUTPUTS = (1, 6, 11, 20, 29)
"""Where relu1_1 ... relu5_1 stand in torchvision's ``vgg19().features``."""

CALIBRATION_MEANS = (1.443, 1.577, 1.425, 1.564, 1.052)
"""Mean activations on ``calibration_images`` of a VGG-19 whose every ReLU output has mean 1 on real footage."""

VGG19 = Published(
    title="VGG-19",
    url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
    stem="vgg19",
    option="--vgg-weights",
    code="bad-vgg-weights",
    without="Training works without them, with a simpler loss",
)
"""torchvision's ImageNet weights, 548 MB, of which 52 MB are used."""


class VGG19Features(nn.Module):
    """The first convolutions of VGG-19, frozen: layer outputs with a mean of about 1 on photographs.

    VGG-19 files differ in the scale of their activations. ``calibrate`` measures the mean activation of each layer
    on fixed pictures and divides by it, so that any rescaling of the same network gives the same features, and the
    weights of the perceptual loss mean the same with each.

    Args:
        depth: how many of relu1_1, relu2_1, relu3_1, relu4_1, relu5_1 to compute.
    """

    mean: Tensor
    deviation: Tensor
    scales: Tensor

    def __init__(self, depth: int = 5) -> None:
        super().__init__()
        if not 1 <= depth <= len(OUTPUTS):
            raise ValueError(f"depth must be 1 to {len(OUTPUTS)}, not {depth}")
        layers: list[nn.Module] = []
        channels = 3
        for width in LAYOUT:
            if width:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers[: OUTPUTS[depth - 1] + 1])
        self.outputs = OUTPUTS[:depth]
        # torchvision's normalization, for pictures in [-1, 1] instead of [0, 1].
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        self.register_buffer("mean", (2 * mean - 1).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", (2 * deviation).view(3, 1, 1), persistent=False)
        self.register_buffer("scales", torch.ones(depth), persistent=False)
        self.requires_grad_(False).eval()

    def forward(self, images: Tensor) -> list[Tensor]:
        """
        Args:
            images: (B, 3, H, W) in [-1, 1], sides of at least ``2 ** (depth - 1)`` pixels.

        Returns:
            For each of the layers asked for (B, C, H / 2**i, W / 2**i), not negative.
        """
        outputs = self._activations(images)
        return [output * scale for output, scale in zip(outputs, self.scales, strict=True)]

    @torch.no_grad()
    def calibrate(self) -> None:
        """Measure the activations of the weights as they are now, and scale the outputs accordingly."""
        measured = torch.stack([output.mean() for output in self._activations(calibration_images())])
        if not (measured > 0).all():
            raise ValueError("a layer of these weights never responds")
        self.scales.copy_(torch.tensor(CALIBRATION_MEANS[: len(measured)]) / measured)

    def _activations(self, images: Tensor) -> list[Tensor]:
        x = (images - self.mean) / self.deviation
        outputs = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.outputs:
                outputs.append(x)
        return outputs


def calibration_images() -> Tensor:
    """(2, 3, 128, 128) in [-1, 1]: fixed random textures whose octaves are equally strong, as in photographs."""
    random = torch.Generator().manual_seed(0)
    images = torch.zeros(2, 3, 128, 128)
    for side in (2, 4, 8, 16, 32, 64, 128):
        noise = torch.randn(2, 3, side, side, generator=random)
        grey = noise.mean(1, keepdim=True)
        octave = 0.25 * noise + grey
        images += nn.functional.interpolate(octave, size=(128, 128), mode="bilinear", align_corners=False)
    return torch.tanh(0.4 * images)


def load_vgg19(path: Path, depth: int = 5) -> VGG19Features:
    """VGG-19 features from a file of weights.

    Args:
        path: as in ``Published.read``.
        depth: how many layer outputs to compute; the file need not hold more than they take.

    Raises:
        DanceError: there is no such file (``file-not-found``), or it is not a VGG-19 (``bad-vgg-weights``).
    """
    network = VGG19Features(depth)
    network.load_state_dict(VGG19.read(path, {name: value.shape for name, value in network.state_dict().items()}))
    try:
        network.calibrate()
    except ValueError as error:
        raise VGG19.unfit(path, str(error)) from error
    return network


def find_vgg19_weights(explicit: Path | None = None) -> Path | None:
    """As ``Published.find``."""
    return VGG19.find(explicit)


def download_vgg19(url: str = VGG19.url, on_progress: OnProgress = ignore_progress) -> Path:
    """As ``Published.download``."""
    return VGG19.download(VGG19Features().state_dict(), url, on_progress)
