"""The paper's generator: the global generator of pix2pixHD.

Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs", CVPR 2018, section 3.2
and appendix; the architecture is Johnson et al.'s (ECCV 2016) with instance normalization and reflection padding.
"""

import torch
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """x + f(x), f two reflection-padded 3x3 convolutions with instance normalization."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = x + self.body(x)
        return output


class GlobalGenerator(nn.Module):
    """Picture to picture: a 7x7 convolution, halvings, residual blocks, doublings, a 7x7 convolution, tanh.

    With the defaults and 6 input channels (pose image and previous frame) it has 182,452,675 parameters, as the
    paper's has.

    Args:
        input_channels: channels of the input.
        output_channels: channels of the output.
        width: channels after the first convolution; each halving doubles them.
        downsamplings: number of halvings. Sides of the input must be multiples of ``2 ** downsamplings``, and at
            least twice that.
        blocks: residual blocks at the lowest resolution.
    """

    def __init__(
        self, input_channels: int, output_channels: int = 3, width: int = 64, downsamplings: int = 4, blocks: int = 9
    ) -> None:
        super().__init__()
        self.input_channels = input_channels
        self.stride = 2**downsamplings
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), *_normalized(nn.Conv2d(input_channels, width, 7))]
        for level in range(downsamplings):
            channels = width * 2**level
            layers += _normalized(nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1))
        layers += [ResidualBlock(width * self.stride) for _ in range(blocks)]
        for level in reversed(range(downsamplings)):
            channels = width * 2**level
            layers += _normalized(nn.ConvTranspose2d(2 * channels, channels, 3, stride=2, padding=1, output_padding=1))
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, output_channels, 7)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """
        Args:
            x: (B, input_channels, H, W) in [-1, 1].

        Returns:
            (B, output_channels, H, W) in [-1, 1], float32 under mixed precision too.
        """
        channels, height, width = x.shape[-3:]
        if channels != self.input_channels:
            raise ValueError(f"expected {self.input_channels} channels, not {channels}")
        if height % self.stride or width % self.stride or min(height, width) < 2 * self.stride:
            raise ValueError(
                f"sides must be multiples of {self.stride} and at least {2 * self.stride}, not {width} x {height}"
            )
        return torch.tanh(self.layers(x).float())


def _normalized(convolution: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    return [convolution, nn.InstanceNorm2d(convolution.out_channels), nn.ReLU(inplace=True)]


@torch.no_grad()
def initialize(module: nn.Module, generator: torch.Generator | None = None) -> None:
    """Give every convolution in ``module`` weights from N(0, 0.02) and biases of zero, in place, as the paper does.

    Args:
        module: any network.
        generator: where the random numbers come from; PyTorch's global one by default.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            part.weight.normal_(0.0, 0.02, generator=generator)
            if part.bias is not None:
                part.bias.zero_()
