"""The registry of generators: by name, how each is built and how training begins."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor, nn

from everybody_dance.networks.fast import FastGenerator
from everybody_dance.networks.pix2pixhd import GlobalGenerator, LocalEnhancer

Architecture = Literal["fast", "pix2pixhd", "pix2pixhd-local"]


class Generator(Protocol):
    """What every generator can do.

    Attributes:
        stride: its total downsampling. Sides of its input must be multiples of this many pixels.
    """

    stride: int

    def paint(
        self,
        pose: Tensor,
        plate: Tensor,
        previous: Tensor | None,
        shown: Tensor | None,
        present: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Paint a pose.

        Args:
            pose, plate: (B, 3, H, W) in [-1, 1].
            previous: (B, 3, H, W) in [-1, 1], the composited frame before; None where there is none.
            shown: the plate with a puppet in it, for generators that look at one; None: the plate itself.
            present: for exported networks, which are always given a ``previous``: 1 where it is a frame, 0 where there
                is none; a tensor without dimensions.

        Returns:
            Colours (B, 3, H, W), and the logits (B, 1, H, W) of the mask by which they cover the plate; None from
            generators that paint the whole picture.
        """
        ...


@dataclass(frozen=True)
class GeneratorKind:
    """A kind of generator.

    Attributes:
        build: makes one with fresh weights from ``previous_frame``, ``puppet`` and its own arguments.
        initialized_as_in_paper: convolutions start from N(0, 0.02); otherwise the network initializes itself.
        local: what it paints at a place depends on what is near and on nothing else, so it may be shown any window. One
            that normalizes over the picture paints otherwise in another window.
    """

    build: Callable[[bool, bool, Mapping[str, int]], nn.Module]
    initialized_as_in_paper: bool
    local: bool


def _fast(previous_frame: bool, puppet: bool, arguments: Mapping[str, int]) -> nn.Module:
    return FastGenerator(previous_frame=previous_frame, puppet=puppet, **arguments)


def _pix2pixhd(previous_frame: bool, puppet: bool, arguments: Mapping[str, int]) -> nn.Module:
    return GlobalGenerator(6 if previous_frame else 3, **arguments)


def _pix2pixhd_local(previous_frame: bool, puppet: bool, arguments: Mapping[str, int]) -> nn.Module:
    return LocalEnhancer(6 if previous_frame else 3, **arguments)


GENERATORS: dict[Architecture, GeneratorKind] = {
    "fast": GeneratorKind(_fast, initialized_as_in_paper=False, local=True),
    "pix2pixhd": GeneratorKind(_pix2pixhd, initialized_as_in_paper=True, local=False),
    "pix2pixhd-local": GeneratorKind(_pix2pixhd_local, initialized_as_in_paper=True, local=False),
}
