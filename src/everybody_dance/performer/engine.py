"""How the networks use the machine: precision, layout, optimizer, memory. Pictures to tensors and back."""

import ctypes
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from everybody_dance.networks.normalization import InstanceNorm

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Engine:
    """What makes the networks fast, each of which can be left out to see what it is worth.

    Attributes:
        mixed_precision: bfloat16 for the heavy layers where the processor computes in it natively.
        channels_last: the memory layout in which convolutions are fastest, where the network's other layers allow it.
        fused_optimizer: one kernel for a whole step of Adam.
        kept_memory: what one step frees stays with the process for the next, on a CPU.
    """

    mixed_precision: bool = True
    channels_last: bool = True
    fused_optimizer: bool = True
    kept_memory: bool = True


_USUAL = Engine()
_engine: ContextVar[Engine] = ContextVar("engine", default=_USUAL)


@contextmanager
def using(engine: Engine) -> Iterator[None]:
    """Networks, batches and optimizers that are made and used inside the block are so with ``engine``."""
    token = _engine.set(engine)
    try:
        yield
    finally:
        _engine.reset(token)


_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""glibc's parameters of mallopt, and their values before and inside ``kept_memory``."""
_USUAL_MEMORY = {_TRIM_THRESHOLD: 128 * 1024, _MMAP_MAX: 65536}
_KEPT_MEMORY = {_TRIM_THRESHOLD: 2**31 - 1, _MMAP_MAX: 0}


@contextmanager
def kept_memory(device: torch.device) -> Iterator[None]:
    """Inside the block a process on a CPU keeps what it frees, where its C library is glibc.

    Otherwise large tensors are given back to the system after each step, and mapped anew in the next, page by page.
    """
    library = ctypes.CDLL(None)
    if device.type != "cpu" or not _engine.get().kept_memory or not hasattr(library, "mallopt"):
        yield
        return
    for parameter, value in _KEPT_MEMORY.items():
        library.mallopt(parameter, value)
    try:
        yield
    finally:
        for parameter, value in _USUAL_MEMORY.items():
            library.mallopt(parameter, value)
        library.malloc_trim(0)


def mixed_precision(device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 for the heavy layers where the processor computes in it natively; float32 elsewhere."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=native and _engine.get().mixed_precision)


def place(network: Network, device: torch.device) -> Network:
    """``network`` on ``device``, in the engine's memory layout."""
    # The CPU normalizes pictures in the usual layout; turning every one around costs more than convolutions gain.
    turned = device.type == "cpu" and any(isinstance(part, InstanceNorm) for part in network.modules())
    layout = torch.contiguous_format if turned else _layout()
    return network.to(device, memory_format=layout)  # type: ignore[call-overload, no-any-return]


def adam(network: nn.Module, rate: float, betas: tuple[float, float]) -> torch.optim.Adam:
    """Adam for ``network``'s weights."""
    fused = True if _engine.get().fused_optimizer else None
    return torch.optim.Adam(network.parameters(), rate, betas, fused=fused)


def to_tensor(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """uint8 (B, H, W, 3) to float (B, 3, H, W) in [-1, 1], in the engine's memory layout."""
    tensor = torch.from_numpy(np.ascontiguousarray(images)).to(device, non_blocking=True)
    return (tensor.permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous(memory_format=_layout())


def to_images(tensor: Tensor) -> NDArray[np.uint8]:
    """float (B, 3, H, W) in [-1, 1] to uint8 (B, H, W, 3)."""
    pixels = ((tensor.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).cpu().numpy()


def _layout() -> torch.memory_format:
    return torch.channels_last if _engine.get().channels_last else torch.contiguous_format
