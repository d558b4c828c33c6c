"""The face GAN's generator: a residual that is added to a crop of the picture (the paper, section 3.4)."""

import torch
from torch import Tensor, nn

from everybody_dance.networks.pix2pixhd import GlobalGenerator

RIM = 0.125
"""Share of a crop's side over which the residual fades to nothing at each edge, so that it shows no seam."""


class Refiner(nn.Module):
    """Pose image and picture of a crop to a better picture of it. Untrained it changes nothing.

    Args:
        width, downsamplings, blocks: of the pix2pixHD generator that makes the residual; the paper's face generator
            has the defaults.
    """

    def __init__(self, width: int = 64, downsamplings: int = 3, blocks: int = 5) -> None:
        super().__init__()
        self.generator = GlobalGenerator(6, 3, width, downsamplings, blocks)
        self.start()

    @torch.no_grad()
    def start(self) -> None:
        """Let the residual be zero."""
        last = self.generator.layers[-1]
        for parameter in last.parameters():
            parameter.zero_()

    def forward(self, pose: Tensor, picture: Tensor) -> Tensor:
        """
        Args:
            pose, picture: (B, 3, H, W) in [-1, 1]; sides as the generator takes them.

        Returns:
            (B, 3, H, W) in [-1, 1]: the picture with the residual added.
        """
        residual: Tensor = self.generator(torch.cat([pose, picture], 1))
        return (picture + fade(residual.shape[-2], residual.shape[-1], residual.device) * residual).clamp(-1, 1)


def fade(height: int, width: int, device: torch.device) -> Tensor:
    """(height, width): 1 in the middle, falling to 0 at the edges along half a period of a cosine."""
    rows, columns = (_rise(side, device) for side in (height, width))
    return rows[:, None] * columns[None]


def _rise(side: int, device: torch.device) -> Tensor:
    centres = torch.arange(side, device=device) + 0.5
    inward = torch.minimum(centres, side - centres) / (RIM * side)
    return 0.5 - 0.5 * torch.cos(torch.pi * inward.clamp(max=1))
