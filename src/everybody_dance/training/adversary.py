"""A discriminator and what learning from it takes: the same for whole pictures and for crops of a face."""

import torch
from torch import Tensor

from everybody_dance import losses
from everybody_dance.networks.discriminator import MultiscaleDiscriminator
from everybody_dance.networks.pix2pixhd import initialize
from everybody_dance.performer.engine import adam, mixed_precision, place
from everybody_dance.training.optimization import descend

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

    def learn(self, real: Tensor, painted: Tensor, factor: float) -> Tensor:
        """Its own turn: one step at ``factor`` of its learning rate. Returns its loss, on the device."""
        self.optimizer.param_groups[0]["lr"] = factor * self.rate
        with mixed_precision(self.device):
            loss = losses.least_squares_discriminator(self.network(real), self.network(painted.detach()))
        descend(loss, self.network, self.optimizer)
        return loss.detach()

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
                    terms["feature matching"] = feature_matching * losses.feature_matching(
                        real=real_outputs, generated=outputs
                    )
        finally:
            self.network.requires_grad_(True)
        return terms
