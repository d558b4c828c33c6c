"""What runs the painter when a dance is painted: one frame in, colours and a mask out."""

from typing import Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from everybody_dance.images import Image
from everybody_dance.performer.engine import mixed_precision
from everybody_dance.performer.painter import Painter
from everybody_dance.performer.tensors import to_tensor

Colours: TypeAlias = NDArray[np.float32]


class Runtime(Protocol):
    """Runs a painter. PyTorch's is the reference; every other one must give the same pictures.

    Attributes:
        stride: sides of the pictures must be multiples of this many pixels.
    """

    stride: int

    def paint(
        self, pose: Image, plate: Image, shown: Image, previous: Image, has_previous: bool
    ) -> tuple[Colours, Colours | None]:
        """Paint one frame; the five inputs are always the same.

        Args:
            pose: uint8 (H, W, 3), the pose image.
            plate: uint8 (H, W, 3), the clean plate.
            shown: uint8 (H, W, 3), the plate with the puppet in it; the plate itself where there is no puppet.
            previous: uint8 (H, W, 3), the composited frame before; the plate where there is none.
            has_previous: whether ``previous`` is a frame.

        Returns:
            float32 (H, W, 3), the colours, meant for [-1, 1]; and float32 (H, W, 1) in [0, 1], the mask by which they
            cover the plate, or None where they are the whole picture.
        """
        ...


class TorchRuntime:
    """A painter in PyTorch.

    Args:
        painter: on ``device``.
        device: where to compute.
    """

    def __init__(self, painter: Painter, device: torch.device) -> None:
        self.painter = painter
        self.device = device
        self.stride = painter.stride

    @torch.inference_mode()
    def paint(
        self, pose: Image, plate: Image, shown: Image, previous: Image, has_previous: bool
    ) -> tuple[Colours, Colours | None]:
        """As ``Runtime.paint``."""
        images = [pose, plate, *([shown] if shown is not plate else []), *([previous] if has_previous else [])]
        tensors = torch.split(to_tensor(np.stack(images), self.device), 1)
        seen = tensors[2] if shown is not plate else None
        before = tensors[-1] if has_previous else None
        with mixed_precision(self.device):
            colours, logits = self.painter.paint(tensors[0], tensors[1], before, seen)
        return _array(colours), None if logits is None else _array(logits.sigmoid())


def _array(tensor: torch.Tensor) -> Colours:
    """float32 (H, W, C) of (1, C, H, W)."""
    return np.ascontiguousarray(tensor[0].float().permute(1, 2, 0).cpu().numpy())
