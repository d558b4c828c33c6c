"""A training step of the generator that paints: roll out, paint, compare, judge, update."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from everybody_dance import losses
from everybody_dance.performer.engine import adam, mixed_precision, place
from everybody_dance.performer.painter import Painted, Painter
from everybody_dance.performer.tensors import to_images, to_tensor
from everybody_dance.training.adversary import Adversary
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

OUTSIDE_WEIGHT = 0.2
"""Weight of the reconstruction outside the person's region: mostly plate, but shadows live there."""

COLOURS = 0.2
"""Weight of the reconstruction of the painted colours before compositing, relative to that of the frame."""

MASK = 2.0
"""Weight of the penalties on the mask."""

GUIDED = 0.2
"""Share of the training in which the mask is led towards the person's matte, less and less."""

GUIDANCE_KEPT = 0.05
"""What is left of that later: enough to open a mask again that fell shut, too little to keep shadows out."""


@dataclass(frozen=True)
class Batch:
    """A sample on the device: floats in [-1, 1]; ``poses`` and ``shown`` are (N, B, 3, H, W)."""

    poses: Tensor
    start: Tensor
    before: Tensor
    frames: Tensor
    plate: Tensor
    shown: Tensor
    region: Tensor
    matte: Tensor
    reach: Tensor
    patch: tuple[int, int]

    @classmethod
    def of(cls, sample: Sample, device: torch.device) -> "Batch":
        """Move ``sample`` to ``device``."""
        return cls(
            _successive(sample.poses, device),
            to_tensor(sample.start, device),
            to_tensor(sample.before, device),
            to_tensor(sample.frames, device),
            to_tensor(sample.plate, device),
            _successive(sample.shown, device),
            torch.from_numpy(sample.region).to(device),
            torch.from_numpy(sample.matte).to(device),
            torch.from_numpy(sample.reach).to(device),
            sample.patch,
        )


class Trainer:
    """The generator in training, its adversary, and the moving average that is shipped.

    Args:
        preset: what to train and how.
        painter: fresh networks.
        dataset: what to learn from.
        perceptual: what pictures are compared by.
        device: where to train.
        seed: of fresh weights and of every random draw in a step.
        start: a trained painter whose weights the local enhancer begins with.
    """

    def __init__(
        self,
        preset: Preset,
        painter: Painter,
        dataset: PairDataset,
        perceptual: Perceptual,
        device: torch.device,
        seed: int,
        start: Painter | None = None,
    ) -> None:
        torch.manual_seed(seed)
        self.preset = preset
        self.dataset = dataset
        self.device = device
        self.seed = seed
        self.perceptual = perceptual.on(device)
        painter.initialize()
        if start is not None:
            painter.start_from(start)
        if preset.warm_start and dataset.limbs_kept:
            begin_warm(painter, preset.name, "generator")
        self.painter = place(painter, device)
        self.average = Average(self.painter, preset.ema_steps)
        self.adversary = Adversary(
            12 if preset.previous_frame else 6,
            preset.discriminator_width,
            preset.discriminator_scales,
            preset.discriminator_rate,
            device,
        )
        self.optimizer = adam(self.painter, preset.learning_rate, preset.betas)

    @property
    def modules(self) -> dict[str, nn.Module]:
        """What a checkpoint must hold, by name."""
        return {"painter": self.painter, "discriminator": self.adversary.network} | self.average.modules

    @property
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """What a checkpoint must hold, by name."""
        return {"painter_optimizer": self.optimizer, "discriminator_optimizer": self.adversary.optimizer}

    def sample(self, step: int, total: int) -> Sample:
        """The batch of ``step``."""
        return self.dataset.sample(step, rollout(self.preset, self.seed, step, total))

    def step(self, sample: Sample, step: int, total: int) -> dict[str, Tensor | float]:
        """Train on one batch.

        Args:
            sample: of this step.
            step: counts from 0; with the seed it decides every random draw.
            total: steps in all, for the schedules.

        Returns:
            The losses by name, as they enter the sum (weights included), on the device.
        """
        seed_step(self.seed, step)
        preset = self.preset
        factor = schedule(step, total, preset.decay_to)
        self.optimizer.param_groups[0]["lr"] = factor * preset.learning_rate
        batch = Batch.of(sample, self.device)

        with mixed_precision(self.device):
            if preset.through_both_frames:
                first = self.painter(batch.poses[-2], batch.plate, None)
                before = first.frame
                painted = self.painter(batch.poses[-1], batch.plate, before)
                terms = self._compare(painted, batch.frames, batch)
                for name, value in self._compare(first, batch.before, batch).items():
                    terms[name] = terms[name] + value
            else:
                previous = previous_frame(self.painter, preset, batch, sample.history)
                before = batch.before if previous is None else previous
                painted = self.painter(batch.poses[-1], batch.plate, previous, batch.shown[-1])
                terms = self._compare(painted, batch.frames, batch)
            if painted.mask is not None and painted.mask_logits is not None:
                guidance = max(GUIDANCE_KEPT, 1 - step / (GUIDED * total))
                terms |= self._compare_layers(painted.colours, painted.mask, painted.mask_logits, batch, guidance)
        reported: dict[str, Tensor | float] = {}
        if step >= preset.adversarial_from * total:
            real = self._judged(batch, batch.before, batch.frames)
            fake = self._judged(batch, before, painted.frame)
            # The discriminator's turn comes first, on frames that carry no gradient.
            reported["discriminator"] = self.adversary.learn(real, fake, factor)
            terms |= self.adversary.judge(real, fake, preset.adversarial, preset.feature_matching)
        loss = torch.stack(list(terms.values())).sum()
        descend(loss, self.painter, self.optimizer, LARGEST_GRADIENT)
        self.average.update(self.painter, step)
        return reported | {name: value.detach() for name, value in terms.items()} | {"total": loss.detach()}

    def preview_sample(self, dataset: PairDataset) -> Sample:
        """What is painted for a preview, always the same."""
        return dataset.sample(0, 0)

    @torch.no_grad()
    def preview(self, sample: Sample) -> Preview:
        """Pose, painted and true, painted without a previous frame by the averaged weights."""
        batch = Batch.of(sample, self.device)
        with mixed_precision(self.device):
            painted = self.average.network(batch.poses[-1], batch.plate, None, batch.shown[-1])
        return Preview.of(sample.poses[:, -1], to_images(painted.frame), sample.frames)

    def _compare(self, painted: Painted, truth: Tensor, batch: Batch) -> dict[str, Tensor]:
        """The losses against the true frame, weighted."""
        preset = self.preset
        terms: dict[str, Tensor] = {}
        frame = painted.frame
        weight = OUTSIDE_WEIGHT + (1 - OUTSIDE_WEIGHT) * batch.region
        if preset.reconstruction:
            terms["reconstruction"] = preset.reconstruction * losses.weighted_l1(frame, truth, weight)
        seen, true = (self._crop(images[: self.perceptual.judged], batch.patch) for images in (frame, truth))
        terms |= self.perceptual.compare_pyramids(preset, frame, truth)
        return terms | self.perceptual.compare_features(preset, seen, true)

    def _compare_layers(
        self, colours: Tensor, mask: Tensor, logits: Tensor, batch: Batch, guidance: float
    ) -> dict[str, Tensor]:
        """What keeps colours and mask apart and alive: a shut mask would pass no gradient to the colours.

        The colours are compared on their own inside the person's region; the mask must not open far outside it, and
        at first (``guidance`` from 1 to 0) is asked to be the true matte.
        """
        difference = losses.weighted_l1(colours, batch.frames, batch.region)
        led = nn.functional.binary_cross_entropy_with_logits(logits, batch.matte)
        return {
            "colours": COLOURS * self.preset.reconstruction * difference,
            "mask": MASK * ((mask * (1 - batch.reach)).mean() + guidance * led),
        }

    def _judged(self, batch: Batch, before: Tensor, frame: Tensor) -> Tensor:
        """(N, 12 or 6, h, w): what the discriminator sees, two poses and two frames, of the first of the batch.

        Without temporal smoothing it is one pose and one frame.
        """
        seen = [batch.poses[-2], batch.poses[-1], before, frame]
        if not self.preset.previous_frame:
            seen = [batch.poses[-1], frame]
        return self._crop(torch.cat(seen, 1)[: self.preset.judged], batch.patch)

    def _crop(self, images: Tensor, place: tuple[int, int]) -> Tensor:
        side = self.preset.patch
        if not side:
            return images
        return images[..., place[0] : place[0] + side, place[1] : place[1] + side]


@torch.no_grad()
def previous_frame(painter: Painter, preset: Preset, batch: Batch, history: int) -> Tensor | None:
    """The frame before, as the generator will meet it: its own, rolled out from a spoilt true frame or nothing."""
    if not preset.previous_frame:
        return None
    previous: Tensor | None = None
    if torch.rand(()).item() >= preset.drop_previous:
        previous = _spoilt(batch.start, 0.2 * torch.rand(()).item())
        if torch.rand(()).item() < 0.2:
            # Somebody else's moment: what is seen before may be wrong, and the pose must win.
            previous = previous.roll(1, 0) if len(previous) > 1 else batch.plate
    for back in range(history, 0, -1):
        previous = painter(batch.poses[-1 - back], batch.plate, previous, batch.shown[-1 - back]).frame
    return previous


def _successive(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """(N, B, 3, H, W) in [-1, 1] of (B, N, H, W, 3)."""
    return torch.stack([to_tensor(images[:, index], device) for index in range(images.shape[1])])


def rollout(preset: Preset, seed: int, step: int, total: int) -> int:
    """Frames of rollout before the frame that is trained: none in the first tenth, then 0 to ``preset.unroll``."""
    if not preset.previous_frame or preset.through_both_frames or step < total // 10:
        return 0
    return int(np.random.default_rng([seed, step, 1]).integers(0, preset.unroll + 1))


def _spoilt(frames: Tensor, deviation: float) -> Tensor:
    """``frames`` with noise in blocks of 8 x 8 pixels: finer noise is gone where the previous frame is looked at."""
    height, width = frames.shape[-2:]
    coarse = torch.randn(*frames.shape[:2], -(-height // 8), -(-width // 8), device=frames.device)
    noise = nn.functional.interpolate(coarse, scale_factor=8, mode="nearest")[..., :height, :width]
    return (frames + deviation * noise).clamp(-1, 1)
