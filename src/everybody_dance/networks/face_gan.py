"""The face GAN's generator: a residual that is added to a crop of the picture (the paper, section 3.4).

Beyond the paper it may be given a reference, a true picture of the part in nearly the same pose, and lay that over the
crop where it fits.
"""

import torch
from torch import Tensor, nn

from everybody_dance.networks.pix2pixhd import GlobalGenerator

RIM = 0.125
"""Share of a crop's side over which the residual fades to nothing at each edge, so that it shows no seam."""


MASK_RANGE, MASK_START = 4.0, 0.5
"""The generator ends in a tanh: the mask's logit reaches this far to both sides of where it begins."""

RESIDUAL_BESIDE_REFERENCE = 0.5
"""With a reference the residual has light and little else to mend; a larger one makes up texture."""


class Refiner(nn.Module):
    """Pose image and picture of a crop to a better picture of it.

    Untrained it changes nothing, or, where it is given a reference, lays more than half of that over the crop.

    Args:
        width, downsamplings, blocks: of the pix2pixHD generator that makes the residual; the paper's face generator
            has the defaults.
        references: how many references it is given, 0 or 1. With one the generator doubles by ``resizing``.
    """

    def __init__(self, width: int = 64, downsamplings: int = 3, blocks: int = 5, references: int = 0) -> None:
        super().__init__()
        if references not in (0, 1):
            raise ValueError(f"a refiner is given 0 or 1 references, not {references}")
        self.references = references
        self.generator = GlobalGenerator(
            6 + 3 * references, 3 + references, width, downsamplings, blocks, resizing=references
        )
        self.start()

    @torch.no_grad()
    def start(self) -> None:
        """Let the residual be zero, and the mask what it begins with."""
        last = self.generator.layers[-1]
        for parameter in last.parameters():
            parameter.zero_()

    def forward(self, pose: Tensor, picture: Tensor, reference: Tensor | None = None) -> Tensor:
        """
        Args:
            pose, picture: (B, 3, H, W) in [-1, 1]; sides as the generator takes them.
            reference: the same, for a refiner with references.

        Returns:
            (B, 3, H, W) in [-1, 1]: the picture, the reference over it where the mask says so, and the residual added.
        """
        if (reference is not None) != bool(self.references):
            raise ValueError(f"a refiner with {self.references} references")
        if reference is None:
            change: Tensor = self.generator(torch.cat([pose, picture], 1))
        else:
            painted = self.generator(torch.cat([pose, picture, reference], 1))
            mask = torch.sigmoid(MASK_START + MASK_RANGE * painted[:, 3:])
            change = RESIDUAL_BESIDE_REFERENCE * painted[:, :3] + mask * (reference - picture)
        return (picture + fade(change.shape[-2], change.shape[-1], change.device) * change).clamp(-1, 1)


def fade(height: int, width: int, device: torch.device) -> Tensor:
    """(height, width): 1 in the middle, falling to 0 at the edges along half a period of a cosine."""
    rows, columns = (_rise(side, device) for side in (height, width))
    return rows[:, None] * columns[None]


def _rise(side: int, device: torch.device) -> Tensor:
    centres = torch.arange(side, device=device) + 0.5
    inward = torch.minimum(centres, side - centres) / (RIM * side)
    return 0.5 - 0.5 * torch.cos(torch.pi * inward.clamp(max=1))
