"""Pictures to tensors and back."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from everybody_dance.performer.engine import memory_format


def to_tensor(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """uint8 (B, H, W, 3) to float (B, 3, H, W) in [-1, 1], in the engine's memory layout."""
    tensor = torch.from_numpy(np.ascontiguousarray(images))
    if device.type == "cuda":  # only pinned memory is copied beside the computation
        tensor = tensor.pin_memory()
    tensor = tensor.to(device, non_blocking=True)
    tensor = tensor.permute(0, 3, 1, 2).float()
    return tensor.div_(127.5).sub_(1).contiguous(memory_format=memory_format())


def to_images(tensor: Tensor) -> NDArray[np.uint8]:
    """float (B, 3, H, W) in [-1, 1] to uint8 (B, H, W, 3)."""
    pixels = ((tensor.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).cpu().numpy()
