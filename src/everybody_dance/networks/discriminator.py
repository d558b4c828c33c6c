"""The paper's discriminators: patch discriminators at several scales, as in pix2pixHD (CVPR 2018, section 3.2)."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from everybody_dance.networks.normalization import InstanceNorm

MOST_CHANNELS = 512


class PatchDiscriminator(nn.Module):
    """Judges every patch of a picture; with three strided layers a patch is 70 x 70 pixels.

    Args:
        input_channels: channels of the input.
        width: channels of the first layer; they double up to 512.
        layers: strided layers. The network has two more: one that widens and one that gives the logits.
    """

    def __init__(self, input_channels: int, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        channels = [input_channels, *(min(width * 2**level, MOST_CHANNELS) for level in range(layers + 1))]
        self.layers = nn.ModuleList()
        for index, (before, after) in enumerate(pairwise(channels)):
            convolution = nn.Conv2d(before, after, 4, stride=2 if index < layers else 1, padding=2)
            normalization = [InstanceNorm(after)] if index else []
            self.layers.append(nn.Sequential(convolution, *normalization, nn.LeakyReLU(0.2, inplace=True)))
        self.layers.append(nn.Conv2d(channels[-1], 1, 4, padding=2))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, input_channels, H, W) to the outputs of all layers; the last are the logits (B, 1, h, w)."""
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x)
        return outputs


class MultiscaleDiscriminator(nn.Module):
    """Patch discriminators of one architecture, each looking at half the resolution of the one before.

    What it is given is a condition and a picture, joined as channels: for the paper's temporal smoothing two
    consecutive pose images and two consecutive frames, 12 channels (mission formula L_smooth).

    Args:
        input_channels: channels of the input.
        width, layers: of each patch discriminator.
        scales: how many there are.
    """

    def __init__(self, input_channels: int, width: int = 64, layers: int = 3, scales: int = 3) -> None:
        super().__init__()
        self.input_channels = input_channels
        self.scales = nn.ModuleList(PatchDiscriminator(input_channels, width, layers) for _ in range(scales))

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """
        Args:
            x: (B, input_channels, H, W), pictures in [-1, 1].

        Returns:
            For each scale, finest first, the outputs of all layers; the last of each are the logits (B, 1, h, w).
        """
        if x.shape[-3] != self.input_channels:
            raise ValueError(f"expected {self.input_channels} channels, not {x.shape[-3]}")
        outputs = []
        for index, discriminator in enumerate(self.scales):
            if index:
                x = functional.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
            outputs.append(discriminator(x))
        return outputs
