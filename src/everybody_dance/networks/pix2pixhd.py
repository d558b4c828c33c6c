"""The paper's generators: the global generator of pix2pixHD and the local enhancer around it.

Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs", CVPR 2018, section 3.2
and appendix; the architecture is Johnson et al.'s (ECCV 2016) with instance normalization and reflection padding.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from everybody_dance.networks.normalization import InstanceNorm


class ResidualBlock(nn.Module):
    """x + f(x), f two reflection-padded 3x3 convolutions with instance normalization."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            InstanceNorm(channels),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            InstanceNorm(channels),
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
        resizing: 1 to double by repeating pixels in front of a convolution instead of by transposed convolutions,
            which leave a chequered pattern (Odena et al., "Deconvolution and Checkerboard Artifacts", Distill 2016).
    """

    def __init__(
        self,
        input_channels: int,
        output_channels: int = 3,
        width: int = 64,
        downsamplings: int = 4,
        blocks: int = 9,
        resizing: int = 0,
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
            if resizing:
                layers += [nn.Upsample(scale_factor=2), nn.ReflectionPad2d(1)]
                layers += _normalized(nn.Conv2d(2 * channels, channels, 3))
            else:
                up = nn.ConvTranspose2d(2 * channels, channels, 3, stride=2, padding=1, output_padding=1)
                layers += _normalized(up)
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, output_channels, 7)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """
        Args:
            x: (B, input_channels, H, W) in [-1, 1].

        Returns:
            (B, output_channels, H, W) in [-1, 1], float32 under mixed precision too.
        """
        _check(x, self.input_channels, self.stride)
        return torch.tanh(self.layers(x).float())

    def paint(
        self,
        pose: Tensor,
        plate: Tensor,
        previous: Tensor | None,
        shown: Tensor | None,
        present: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """As ``networks.generators.Generator.paint``: the whole picture, without a mask."""
        return _whole_picture(self, pose, previous, present), None


class LocalEnhancer(nn.Module):
    """Coarse to fine: a global generator at half the resolution, and around it a generator at full resolution.

    The features that the global generator would make its picture from are added to those of the enhancer's own first
    layers; the global generator's last convolution is left out (pix2pixHD, section 3.2). With the defaults and 6 input
    channels it has 182,715,939 parameters.

    Args:
        input_channels, output_channels: of input and output.
        width: channels of the enhancer's first convolution; the global generator has twice as many.
        blocks: the enhancer's residual blocks, at half resolution.
        global_downsamplings, global_blocks: of the global generator.
    """

    def __init__(
        self,
        input_channels: int,
        output_channels: int = 3,
        width: int = 32,
        blocks: int = 3,
        global_downsamplings: int = 4,
        global_blocks: int = 9,
    ) -> None:
        super().__init__()
        self.input_channels = input_channels
        coarse = GlobalGenerator(input_channels, output_channels, 2 * width, global_downsamplings, global_blocks)
        self.stride = 2 * coarse.stride
        self.coarse = coarse.layers[:-2]
        self.down = nn.Sequential(
            nn.ReflectionPad2d(3),
            *_normalized(nn.Conv2d(input_channels, width, 7)),
            *_normalized(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)),
        )
        self.up = nn.Sequential(
            *(ResidualBlock(2 * width) for _ in range(blocks)),
            *_normalized(nn.ConvTranspose2d(2 * width, width, 3, stride=2, padding=1, output_padding=1)),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width, output_channels, 7),
        )

    def forward(self, x: Tensor) -> Tensor:
        """
        Args:
            x: (B, input_channels, H, W) in [-1, 1].

        Returns:
            (B, output_channels, H, W) in [-1, 1], float32 under mixed precision too.
        """
        _check(x, self.input_channels, self.stride)
        half = functional.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
        return torch.tanh(self.up(self.down(x) + self.coarse(half)).float())

    def paint(
        self,
        pose: Tensor,
        plate: Tensor,
        previous: Tensor | None,
        shown: Tensor | None,
        present: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """As ``networks.generators.Generator.paint``: the whole picture, without a mask."""
        return _whole_picture(self, pose, previous, present), None

    def start_from(self, trained: GlobalGenerator) -> None:
        """Take over the weights of a trained global generator, all but its last convolution's."""
        self.coarse.load_state_dict(trained.layers[:-2].state_dict())


def _whole_picture(
    generator: GlobalGenerator | LocalEnhancer, pose: Tensor, previous: Tensor | None, present: Tensor | None
) -> Tensor:
    """The picture for a pose; a missing previous frame is all zeros (the paper, section 3.3)."""
    if previous is not None and present is not None:
        previous = present * previous
    if generator.input_channels == 2 * pose.shape[1]:
        pose = torch.cat([pose, torch.zeros_like(pose) if previous is None else previous], 1)
    picture: Tensor = generator(pose)
    return picture.float()


def _check(x: Tensor, channels: int, stride: int) -> None:
    if x.shape[-3] != channels:
        raise ValueError(f"expected {channels} channels, not {x.shape[-3]}")
    height, width = x.shape[-2:]
    if height % stride or width % stride or min(height, width) < 2 * stride:
        raise ValueError(f"sides must be multiples of {stride} and at least {2 * stride}, not {width} x {height}")


def _normalized(convolution: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    return [convolution, InstanceNorm(convolution.out_channels), nn.ReLU(inplace=True)]


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
