"""From networks to pictures: one way to ask any generator for a frame."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from everybody_dance.networks.fast import FastGenerator
from everybody_dance.networks.pix2pixhd import GlobalGenerator, LocalEnhancer

Architecture = Literal["fast", "pix2pixhd", "pix2pixhd-local"]


@dataclass(frozen=True)
class Painted:
    """What a painter makes of a pose.

    Attributes:
        frame: (B, 3, H, W) in [-1, 1], the composited frame.
        colours: (B, 3, H, W) in [-1, 1], what was painted; the same as ``frame`` where there is no plate.
        mask: (B, 1, H, W) in [0, 1], where it covers the plate; None where there is no plate.
        mask_logits: of which ``mask`` is the sigmoid.
    """

    frame: Tensor
    colours: Tensor
    mask: Tensor | None = None
    mask_logits: Tensor | None = None


class Painter(nn.Module):
    """A generator and the rule by which its output becomes a frame.

    ``fast`` paints the person and a mask, laid over the plate (over nothing where ``over_plate`` is off: then it
    paints the whole picture). ``pix2pixhd`` is the paper's generator: pose and previous frame in, whole frame out;
    ``pix2pixhd-local`` is the same with a local enhancer around it.

    Args:
        architecture: which generator.
        previous_frame: whether the frame before is given to it (the paper's temporal smoothing).
        over_plate: whether a clean plate lies behind the person.
        puppet: whether the generator is shown a puppet (``fast`` only).
        arguments: the generator's own.
    """

    def __init__(
        self,
        architecture: Architecture,
        *,
        previous_frame: bool,
        over_plate: bool,
        puppet: bool = False,
        arguments: dict[str, int],
    ) -> None:
        super().__init__()
        self.previous_frame = previous_frame
        self.over_plate = over_plate
        self.generator: nn.Module
        if architecture == "fast":
            self.generator = FastGenerator(previous_frame=previous_frame, puppet=puppet, **arguments)
        elif architecture == "pix2pixhd":
            self.generator = GlobalGenerator(6 if previous_frame else 3, **arguments)
        else:
            self.generator = LocalEnhancer(6 if previous_frame else 3, **arguments)

    def forward(self, pose: Tensor, plate: Tensor, previous: Tensor | None, shown: Tensor | None = None) -> Painted:
        """
        Args:
            pose, plate: (B, 3, H, W) in [-1, 1].
            previous: (B, 3, H, W) in [-1, 1]: the composited frame before, or None where there is none.
            shown: what ``fast`` is shown of the place where that is not ``plate``, over which it paints: one with a
                puppet in it.
        """
        if not self.previous_frame:
            previous = None
        if isinstance(self.generator, FastGenerator):
            if not self.over_plate:
                frame, _ = self.generator(pose, torch.zeros_like(plate), previous)
                return Painted(frame.clamp(-1, 1), frame)
            colours, logits = self.generator(pose, plate, previous, shown)
            mask = logits.sigmoid()
            return Painted((plate + mask * (colours - plate)).clamp(-1, 1), colours, mask, logits)
        if self.previous_frame:
            pose = torch.cat([pose, torch.zeros_like(pose) if previous is None else previous], 1)
        frame = self.generator(pose).float()
        return Painted(frame, frame)


def choose_device(name: str) -> torch.device:
    """``auto`` is the GPU where there is one; otherwise what ``name`` says."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
