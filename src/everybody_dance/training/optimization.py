"""What all stages do in a step: seed, learning rate, descent, moving average of the weights."""

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from everybody_dance.training.processes import average_gradients

Network = TypeVar("Network", bound=nn.Module)

LARGEST_GRADIENT = 20.0
"""Norm of a generator's gradient at most: one bad batch must not undo the others."""


def descend(loss: Tensor, network: nn.Module, optimizer: torch.optim.Optimizer, largest: float | None = None) -> None:
    """One step of ``optimizer`` down the gradient of ``loss``, averaged over all processes.

    Args:
        loss: a number.
        network: whose weights.
        optimizer: of these weights.
        largest: norm of the gradient at most; None: as it is.
    """
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    average_gradients(network.parameters())
    if largest is not None:
        nn.utils.clip_grad_norm_(network.parameters(), largest)
    optimizer.step()


class Average(Generic[Network]):
    """Exponential moving average of a network's weights: what is shipped.

    Args:
        network: whose weights.
        steps: it averages over about this many last steps; 0: the network itself is shipped.
    """

    def __init__(self, network: Network, steps: int) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False) if steps else network
        self.steps = steps

    @property
    def modules(self) -> dict[str, nn.Module]:
        """What a checkpoint must hold of it: nothing where it is the network itself."""
        return {"average": self.network} if self.steps else {}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """After ``step``, counted from 0; short at first, so that early previews show something."""
        if not self.steps:
            return
        keep = min(1 - 1 / self.steps, (step + 1) / (step + 10))
        averaged: list[Tensor] = list(self.network.parameters())
        current: list[Tensor] = list(network.parameters())
        torch._foreach_lerp_(averaged, current, 1 - keep)


def schedule(step: int, total: int, decay_to: float) -> float:
    """Factor of the learning rate: full for the first half, then linear down to ``decay_to``; a short warm-up."""
    warm_up = min(1.0, (step + 1) / min(100, total / 10 + 1))
    remaining = min(1.0, 2 * (1 - step / total))
    return warm_up * (decay_to + (1 - decay_to) * remaining)


def seed_step(seed: int, step: int) -> None:
    """Let every random draw of a step depend on the seed and the step alone, so that resuming needs no state."""
    torch.manual_seed(seed * 1_000_003 + step)
