"""What every stage of training is made of: an adversary, an average of weights, a schedule."""

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from everybody_dance import losses
from everybody_dance.networks.discriminator import MultiscaleDiscriminator
from everybody_dance.networks.pix2pixhd import initialize
from everybody_dance.performer.engine import adam, mixed_precision, place
from everybody_dance.training.processes import average_gradients

Network = TypeVar("Network", bound=nn.Module)

BETAS = (0.5, 0.999)
"""Of the discriminators' Adam, as in the paper."""


class Adversary:
    """A discriminator and what learning from it takes.

    Args:
        channels: of what it sees: conditions and pictures, joined.
        width, scales: of the discriminator.
        rate: its learning rate.
        device: where it is.
    """

    def __init__(self, channels: int, width: int, scales: int, rate: float, device: torch.device) -> None:
        discriminator = MultiscaleDiscriminator(channels, width, scales=scales)
        initialize(discriminator)
        self.device = device
        self.rate = rate
        self.network = place(discriminator, device)
        self.optimizer = adam(self.network, rate, BETAS)

    def learn(self, real: Tensor, painted: Tensor, factor: float) -> float:
        """Its own turn: one step at ``factor`` of its learning rate. Returns its loss."""
        self.optimizer.param_groups[0]["lr"] = factor * self.rate
        with mixed_precision(self.device):
            loss = losses.least_squares_discriminator(self.network(real), self.network(painted.detach()))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        average_gradients(self.network.parameters())
        self.optimizer.step()
        return loss.item()

    def judge(self, real: Tensor, painted: Tensor, adversarial: float, feature_matching: float) -> dict[str, Tensor]:
        """The generator's turn: its losses by name, with these weights. The discriminator gets no gradient."""
        self.network.requires_grad_(False)
        try:
            with mixed_precision(self.device):
                with torch.no_grad():
                    real_outputs = self.network(real)
                outputs = self.network(painted)
                terms = {"adversarial": adversarial * losses.least_squares_generator(outputs)}
                if feature_matching:
                    terms["feature matching"] = feature_matching * losses.feature_matching(real_outputs, outputs)
        finally:
            self.network.requires_grad_(True)
        return terms


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
