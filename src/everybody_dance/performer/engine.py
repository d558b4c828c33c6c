"""How the networks use the machine: precision, memory layout, optimizer, memory."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import nn

from everybody_dance.networks.normalization import InstanceNorm

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Engine:
    """What makes the networks fast. Each measure can be left out, to see what it is worth.

    Attributes:
        mixed_precision: bfloat16 for the heavy layers where the processor computes in it natively.
        channels_last: the memory layout in which convolutions are fastest, where the other layers allow it.
        fused_optimizer: one kernel for a whole step of Adam.
        kept_memory: on a CPU, memory that one step frees stays with the process for the next.
    """

    mixed_precision: bool = True
    channels_last: bool = True
    fused_optimizer: bool = True
    kept_memory: bool = True


_USUAL = Engine()
_engine: ContextVar[Engine] = ContextVar("engine", default=_USUAL)


@contextmanager
def using(engine: Engine) -> Iterator[None]:
    """Use ``engine`` for networks, batches and optimizers that are made and used inside the block."""
    token = _engine.set(engine)
    try:
        yield
    finally:
        _engine.reset(token)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let PyTorch compute in ``count`` threads inside the block, where this thread calls it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""glibc's parameters of mallopt, and their values before and inside ``kept_memory``."""
_USUAL_MEMORY = {_TRIM_THRESHOLD: 128 * 1024, _MMAP_MAX: 65536}
_KEPT_MEMORY = {_TRIM_THRESHOLD: 2**31 - 1, _MMAP_MAX: 0}

_keeping = 0
_keeping_lock = threading.Lock()
"""How many blocks of ``kept_memory`` are running: the setting is the process's, not the block's."""


@contextmanager
def kept_memory(device: torch.device) -> Iterator[None]:
    """Let a process on a CPU keep the memory it frees while the block runs, where its C library is glibc.

    Otherwise large tensors are given back to the system after each step and mapped anew in the next, page by page.
    """
    mallopt = _mallopt()
    if device.type != "cpu" or not _engine.get().kept_memory or mallopt is None:
        yield
        return
    _keep(mallopt, 1)
    try:
        yield
    finally:
        _keep(mallopt, -1)


def _mallopt() -> ctypes.CDLL | None:
    """The C library, if it is glibc."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):  # not on Windows
        return None
    return library if hasattr(library, "mallopt") else None


def _keep(library: ctypes.CDLL, change: int) -> None:
    global _keeping
    with _keeping_lock:
        before, _keeping = _keeping, _keeping + change
        if bool(before) != bool(_keeping):
            for parameter, value in (_KEPT_MEMORY if _keeping else _USUAL_MEMORY).items():
                library.mallopt(parameter, value)
        if not _keeping:
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
    # On the CPU instance normalization needs the usual layout; converting costs more than the convolutions gain.
    turned = device.type == "cpu" and any(isinstance(part, InstanceNorm) for part in network.modules())
    layout = torch.contiguous_format if turned else memory_format()
    return network.to(device, memory_format=layout)  # type: ignore[call-overload, no-any-return]


def adam(network: nn.Module, rate: float, betas: tuple[float, float]) -> torch.optim.Adam:
    """Adam for ``network``'s weights."""
    fused = True if _engine.get().fused_optimizer else None
    return torch.optim.Adam(network.parameters(), rate, betas, fused=fused)


def memory_format() -> torch.memory_format:
    """The memory layout of pictures."""
    return torch.channels_last if _engine.get().channels_last else torch.contiguous_format
