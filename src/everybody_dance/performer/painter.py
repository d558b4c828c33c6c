"""A generator and the rule by which its output becomes a frame."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from everybody_dance.networks.generators import GENERATORS, Architecture, Generator
from everybody_dance.networks.pix2pixhd import initialize


@dataclass(frozen=True)
class Painted:
    """What a painter makes of a pose.

    Attributes:
        frame: (B, 3, H, W) in [-1, 1], the composited frame.
        colours: (B, 3, H, W), what was painted; meant for [-1, 1] but not bounded.
        mask: (B, 1, H, W) in [0, 1], where it covers the plate; None where there is no plate.
        mask_logits: logits of ``mask``.
    """

    frame: Tensor
    colours: Tensor
    mask: Tensor | None = None
    mask_logits: Tensor | None = None


class Painter(nn.Module):
    """A generator and the rule by which its output becomes a frame: laid over the clean plate by its mask.

    Args:
        architecture: which generator (``networks.generators``).
        previous_frame: whether the frame before is given to it (the paper's temporal smoothing).
        over_plate: whether a clean plate lies behind the person; otherwise the whole picture is painted.
        puppet: whether the generator is shown a puppet.
        arguments: the generator's own.
    """

    def __init__(
        self,
        architecture: Architecture,
        *,
        previous_frame: bool,
        over_plate: bool,
        puppet: bool = False,
        arguments: Mapping[str, int],
    ) -> None:
        super().__init__()
        self.previous_frame = previous_frame
        self.over_plate = over_plate
        self.kind = GENERATORS[architecture]
        self.generator = self.kind.build(previous_frame, puppet, arguments)

    @property
    def stride(self) -> int:
        """The generator's total downsampling in pixels."""
        return self._generator.stride

    @property
    def _generator(self) -> Generator:
        return cast(Generator, self.generator)

    def initialize(self) -> None:
        """Give the weights the values with which a training begins; the generator's own are left as they are."""
        if self.kind.initialized_as_in_paper:
            initialize(self)

    def start_from(self, trained: "Painter") -> None:
        """Take over the weights of a trained generator that this one is built around (the local enhancer's)."""
        cast(Any, self.generator).start_from(trained.generator)

    def forward(
        self,
        pose: Tensor,
        plate: Tensor,
        previous: Tensor | None,
        shown: Tensor | None = None,
        present: Tensor | None = None,
    ) -> Painted:
        """
        Args:
            pose, plate: (B, 3, H, W) in [-1, 1].
            previous: (B, 3, H, W) in [-1, 1], the composited frame before; None where there is none.
            shown: the plate with a puppet in it, for a generator that is shown one.
            present: as in ``networks.generators.Generator.paint``.
        """
        colours, logits = self.paint(pose, plate, previous, shown, present)
        if logits is None:
            return Painted(colours.clamp(-1, 1), colours)
        mask = logits.sigmoid()
        return Painted((plate + mask * (colours - plate)).clamp(-1, 1), colours, mask, logits)

    def paint(
        self,
        pose: Tensor,
        plate: Tensor,
        previous: Tensor | None,
        shown: Tensor | None = None,
        present: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """The colours and the logits of the mask alone, (B, 3, H, W) and (B, 1, H, W); otherwise as ``forward``."""
        previous = previous if self.previous_frame else None
        if not self.over_plate:
            colours, _ = self._generator.paint(pose, torch.zeros_like(plate), previous, None, present)
            return colours, None
        return self._generator.paint(pose, plate, previous, shown, present)
