"""Several processes that train together, as ``torchrun`` starts them; one alone is the usual case."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module

import torch
from torch import distributed, nn
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous


@dataclass(frozen=True)
class Group:
    """The processes of one training, seen from one of them.

    Attributes:
        rank: this process, from 0. The first alone writes and speaks.
        count: how many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def agree(self, value: int) -> int:
        """The first process's ``value``, in all of them."""
        if self.count == 1:
            return value
        shared = torch.tensor(value)
        if distributed.get_backend() == "nccl":
            shared = shared.cuda()
        distributed.broadcast(shared, 0)
        return int(shared.item())


def first_process() -> bool:
    """Whether this process is alone, or the first of those that ``torchrun`` started."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def together(device: torch.device) -> Iterator[Group]:
    """Join the processes that ``torchrun`` started beside this one, until the block ends.

    Args:
        device: where this process trains; it decides how they talk: NCCL on GPUs, Gloo elsewhere.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Group()
        return
    # Its functions keep the group of the moment of import as a default argument. Optimizers import it in their first
    # step; the group would outlive its end, and its threads abort the process now and then when Python exits.
    import_module("torch.distributed.nn.functional")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    store, rank, count = next(rendezvous("env://"))
    if os.environ.get("GROUP_WORLD_SIZE") == "1":
        # On one machine `torchrun` keeps its store when it starts killed workers again, with the addresses of the dead.
        store = PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
    backend = "nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, store=store, rank=rank, world_size=count)
    try:
        yield Group(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def own_device(name: str) -> str:
    """``auto`` and ``cuda`` mean, to each of several processes of a machine, a GPU of its own."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and name in ("auto", "cuda") and torch.cuda.is_available():
        return f"cuda:{os.environ['LOCAL_RANK']}"
    return name


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """The mean over all processes of the gradients, in place; nothing where one trains alone."""
    if not distributed.is_initialized():
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    means = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, mean in zip(gradients, means, strict=True):
        gradient.copy_(mean.view_as(gradient))
