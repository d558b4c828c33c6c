"""A training step of a refiner: the paper's face GAN (section 3.4), with the main generator frozen."""

import torch
from torch import Tensor, nn

from everybody_dance.networks.face_gan import Refiner
from everybody_dance.networks.pix2pixhd import initialize
from everybody_dance.performer.engine import adam, mixed_precision, place
from everybody_dance.performer.painter import Painter
from everybody_dance.performer.tensors import to_images, to_tensor
from everybody_dance.skeleton import Part
from everybody_dance.training.adversary import Adversary
from everybody_dance.training.generator_steps import Batch, previous_frame
from everybody_dance.training.optimization import (
    LARGEST_GRADIENT,
    Average,
    descend,
    schedule,
    seed_step,
)
from everybody_dance.training.perceptual import Perceptual
from everybody_dance.training.presets import Preset
from everybody_dance.training.preview import Preview
from everybody_dance.training.samples import PairDataset, Sample
from everybody_dance.training.warm_start import begin_warm


class RefinerTrainer:
    """A refiner in training, its adversary (one 70 x 70 patch discriminator), and the average that is shipped.

    Args:
        part: what is refined.
        preset: whose refiner.
        painter: trained; it is not changed.
        dataset: what to learn from.
        perceptual: what pictures are compared by.
        device: where to train.
        seed: of fresh weights and of every random draw in a step.
    """

    def __init__(
        self,
        part: Part,
        preset: Preset,
        painter: Painter,
        dataset: PairDataset,
        perceptual: Perceptual,
        device: torch.device,
        seed: int,
    ) -> None:
        torch.manual_seed(seed)
        self.part = part
        self.preset = preset
        self.painter = place(painter, device).requires_grad_(False)
        self.dataset = dataset
        self.device = device
        self.seed = seed
        self.perceptual = perceptual.on(device)
        self.side = dataset.part_side(part)
        how = preset.refiner
        refiner = Refiner(**how.arguments)
        initialize(refiner)
        refiner.start()
        if preset.warm_start:
            begin_warm(refiner, preset.name, "refiner")
        self.refiner = place(refiner, device)
        self.average = Average(self.refiner, how.ema_steps)
        self.adversary = Adversary(6, how.discriminator_width, 1, how.discriminator_rate, device)
        self.optimizer = adam(self.refiner, how.learning_rate, how.betas)

    @property
    def modules(self) -> dict[str, nn.Module]:
        """What a checkpoint must hold, by name."""
        return {"refiner": self.refiner, "discriminator": self.adversary.network} | self.average.modules

    @property
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """What a checkpoint must hold, by name."""
        return {"refiner_optimizer": self.optimizer, "discriminator_optimizer": self.adversary.optimizer}

    def sample(self, step: int, total: int) -> Sample:
        """The batch of ``step``: pictures around the part, after one frame of rollout."""
        return self.dataset.sample(step, 1, self.part, self.preset.refiner.references)

    def step(self, sample: Sample, step: int, total: int) -> dict[str, Tensor | float]:
        """Train on one batch; as ``generator_steps.Trainer.step``."""
        seed_step(self.seed, step)
        how = self.preset.refiner
        factor = schedule(step, total, self.preset.decay_to)
        self.optimizer.param_groups[0]["lr"] = factor * how.learning_rate
        pose, picture, truth, references = self._crops(sample)

        terms: dict[str, Tensor] = {}
        with mixed_precision(self.device):
            refined = self.refiner(pose, picture, *references)
            if how.reconstruction:
                terms["reconstruction"] = how.reconstruction * (refined - truth).abs().mean()
            terms |= self.perceptual.compare(how, refined, truth)
        real, fake = torch.cat([pose, truth], 1), torch.cat([pose, refined], 1)
        reported: dict[str, Tensor | float] = {"discriminator": self.adversary.learn(real, fake, factor)}
        terms |= self.adversary.judge(real, fake, how.adversarial, how.feature_matching)
        loss = torch.stack(list(terms.values())).sum()
        descend(loss, self.refiner, self.optimizer, LARGEST_GRADIENT)
        self.average.update(self.refiner, step)
        return reported | {name: value.detach() for name, value in terms.items()} | {"total": loss.detach()}

    def preview_sample(self, dataset: PairDataset) -> Sample:
        """What is painted for a preview, always the same; footage that does not show the part is no use for it."""
        shown = dataset if dataset.shows(self.part) else self.dataset
        return shown.sample(0, 1, self.part, self.preset.refiner.references)

    @torch.no_grad()
    def preview(self, sample: Sample) -> Preview:
        """Pose, as painted, the reference where there is one, refined and true, side by side."""
        seed_step(self.seed, 0)
        pose, picture, truth, references = self._crops(sample)
        with mixed_precision(self.device):
            refined = self.average.network(pose, picture, *references)
        return Preview.of(*(to_images(images) for images in (pose, picture, *references, refined, truth)))

    @torch.no_grad()
    def _crops(self, sample: Sample) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        """Pose image, main generator's picture, truth, and perhaps references: (B, 3, side, side) in [-1, 1] each."""
        batch = Batch.of(sample, self.device)
        with mixed_precision(self.device):
            previous = previous_frame(self.painter, self.preset, batch, sample.history)
            painted = self.painter(batch.poses[-1], batch.plate, previous, batch.shown[-1]).frame

        def cut(images: Tensor) -> Tensor:
            return torch.stack(
                [
                    image[:, y : y + self.side, x : x + self.side]
                    for image, (x, y) in zip(images, sample.corners.tolist(), strict=True)
                ]
            )

        references = [] if sample.references is None else [to_tensor(sample.references, self.device)]
        return cut(batch.poses[-1]), cut(painted), cut(batch.frames), references
