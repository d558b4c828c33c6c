"""One training step: roll out, paint, compare, judge, update."""

import copy
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from everybody_dance import losses
from everybody_dance.networks.discriminator import MultiscaleDiscriminator
from everybody_dance.networks.pix2pixhd import initialize
from everybody_dance.networks.vgg import VGG19Features
from everybody_dance.performer.painter import Painted, Painter, mixed_precision, to_tensor
from everybody_dance.subject.dataset import Sample
from everybody_dance.training.presets import Preset

Network = TypeVar("Network", bound=nn.Module)

OUTSIDE_WEIGHT = 0.2
"""Weight of the reconstruction outside the person's region: mostly plate, but shadows live there."""

COLOURS = 0.2
"""Weight of the reconstruction of the painted colours before compositing, relative to that of the frame."""

LARGEST_GRADIENT = 20.0
"""Norm of the generator's gradient at most: one bad batch must not undo the others."""

MASK = 2.0
"""Weight of the penalties on the mask."""

GUIDED = 0.2
"""Share of the training in which the mask is led towards the person's region, less and less."""

GUIDANCE_KEPT = 0.05
"""What is left of that later: enough to open a mask again that fell shut, too little to paint more than the person."""


@dataclass(frozen=True)
class Batch:
    """A sample on the device: floats in [-1, 1]; ``poses`` is (N, B, 3, H, W)."""

    poses: Tensor
    start: Tensor
    before: Tensor
    frames: Tensor
    plate: Tensor
    region: Tensor
    reach: Tensor
    patch: tuple[int, int]

    @classmethod
    def of(cls, sample: Sample, device: torch.device) -> "Batch":
        """Move ``sample`` to ``device``."""
        return cls(
            torch.stack([to_tensor(sample.poses[:, index], device) for index in range(sample.poses.shape[1])]),
            to_tensor(sample.start, device),
            to_tensor(sample.before, device),
            to_tensor(sample.frames, device),
            to_tensor(sample.plate, device),
            torch.from_numpy(sample.region).to(device),
            torch.from_numpy(sample.reach).to(device),
            sample.patch,
        )


class Trainer:
    """The networks in training, their optimizers and the moving average that is shipped.

    Args:
        preset: what to train and how.
        painter: fresh networks.
        vgg: for the perceptual loss; None: the Laplacian pyramid stands in.
        device: where to train.
        seed: of fresh weights and of every random draw in a step.
    """

    def __init__(
        self, preset: Preset, painter: Painter, vgg: VGG19Features | None, device: torch.device, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self.preset = preset
        self.device = device
        self.seed = seed
        self.vgg = None if vgg is None else _place(vgg, device)
        self.painter = _place(painter, device)
        if preset.architecture == "pix2pixhd":
            initialize(self.painter)
        discriminator = MultiscaleDiscriminator(12, preset.discriminator_width, scales=preset.discriminator_scales)
        initialize(discriminator)
        self.discriminator = _place(discriminator, device)
        self.average = copy.deepcopy(self.painter).requires_grad_(False)
        betas = (0.5, 0.999)
        self.painter_optimizer = torch.optim.Adam(self.painter.parameters(), preset.learning_rate, preset.betas)
        self.discriminator_optimizer = torch.optim.Adam(
            self.discriminator.parameters(), preset.discriminator_rate, betas
        )

    @property
    def modules(self) -> dict[str, nn.Module]:
        """What a checkpoint must hold, by name."""
        return {"painter": self.painter, "average": self.average, "discriminator": self.discriminator}

    @property
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """What a checkpoint must hold, by name."""
        return {"painter_optimizer": self.painter_optimizer, "discriminator_optimizer": self.discriminator_optimizer}

    def step(self, sample: Sample, step: int, total: int, history: int) -> dict[str, float]:
        """Train on one batch.

        Args:
            sample: made for ``history`` frames of rollout.
            step: counts from 0; with the seed it decides every random draw.
            total: steps in all, for the schedules.
            history: steps of rollout before the frame that is trained.

        Returns:
            The losses by name, as they enter the sum (weights included).
        """
        torch.manual_seed(self.seed * 1_000_003 + step)
        preset = self.preset
        factor = _schedule(step, total, preset.decay_to)
        self.painter_optimizer.param_groups[0]["lr"] = factor * preset.learning_rate
        self.discriminator_optimizer.param_groups[0]["lr"] = factor * preset.discriminator_rate
        batch = Batch.of(sample, self.device)
        judged = step >= preset.adversarial_from * total

        with mixed_precision(self.device):
            if preset.through_both_frames:
                first = self.painter(batch.poses[-2], batch.plate, None)
                before = first.frame
                painted = self.painter(batch.poses[-1], batch.plate, before)
                terms = self._compare(painted, batch.frames, batch)
                for name, value in self._compare(first, batch.before, batch).items():
                    terms[name] = terms[name] + value
            else:
                previous = self._previous(batch, history)
                before = batch.before if previous is None else previous
                painted = self.painter(batch.poses[-1], batch.plate, previous)
                terms = self._compare(painted, batch.frames, batch)
            if painted.mask is not None and painted.mask_logits is not None:
                guidance = max(GUIDANCE_KEPT, 1 - step / (GUIDED * total))
                terms |= self._compare_layers(painted.colours, painted.mask, painted.mask_logits, batch, guidance)
            if judged:
                truth = self._pair(batch, batch.before, batch.frames)
                fake = self._pair(batch, before, painted.frame)
                # The discriminator's turn comes first, on frames that carry no gradient.
                verdict = losses.least_squares_discriminator(
                    self.discriminator(truth), self.discriminator(fake.detach())
                )
        reported: dict[str, float] = {}
        if judged:
            self.discriminator_optimizer.zero_grad(set_to_none=True)
            verdict.backward()  # type: ignore[no-untyped-call]
            self.discriminator_optimizer.step()
            reported["discriminator"] = verdict.item()
            self.discriminator.requires_grad_(False)
            with mixed_precision(self.device):
                with torch.no_grad():
                    real_outputs = self.discriminator(truth)
                fake_outputs = self.discriminator(fake)
                terms["adversarial"] = preset.adversarial * losses.least_squares_generator(fake_outputs)
                terms["feature matching"] = preset.feature_matching * losses.feature_matching(
                    real_outputs, fake_outputs
                )
            self.discriminator.requires_grad_(True)
        loss = torch.stack(list(terms.values())).sum()
        self.painter_optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.painter.parameters(), LARGEST_GRADIENT)
        self.painter_optimizer.step()
        self._update_average(step)
        return reported | {name: value.item() for name, value in terms.items()} | {"total": loss.item()}

    @torch.no_grad()
    def _previous(self, batch: Batch, history: int) -> Tensor | None:
        """The frame before, as the generator will meet it: its own, rolled out from a spoilt true frame or nothing."""
        preset = self.preset
        if not preset.previous_frame:
            return None
        previous: Tensor | None = None
        if torch.rand(()).item() >= preset.drop_previous:
            previous = _spoilt(batch.start, 0.2 * torch.rand(()).item())
            if torch.rand(()).item() < 0.2:
                # Somebody else's moment: what is seen before may be wrong, and the pose must win.
                previous = previous.roll(1, 0) if len(previous) > 1 else batch.plate
        for pose in batch.poses[-1 - history : -1] if history else ():
            previous = self.painter(pose, batch.plate, previous).frame
        return previous

    def _compare(self, painted: Painted, truth: Tensor, batch: Batch) -> dict[str, Tensor]:
        """The losses against the true frame, weighted."""
        preset = self.preset
        terms: dict[str, Tensor] = {}
        frame = painted.frame
        weight = OUTSIDE_WEIGHT + (1 - OUTSIDE_WEIGHT) * batch.region
        if preset.reconstruction:
            terms["reconstruction"] = preset.reconstruction * losses.weighted_l1(frame, truth, weight)
        if self.vgg is None:
            terms["pyramid"] = preset.pyramid * losses.laplacian(frame, truth)
        else:
            # One of the batch: VGG-19 costs more than all else together.
            crop = self._crop(torch.cat([frame[:1], truth[:1]]), batch.patch)
            painted_features, true_features = zip(*(features.chunk(2) for features in self.vgg(crop)), strict=True)
            terms["perceptual"] = preset.perceptual * losses.perceptual(painted_features, true_features)
        return terms

    def _compare_layers(
        self, colours: Tensor, mask: Tensor, logits: Tensor, batch: Batch, guidance: float
    ) -> dict[str, Tensor]:
        """What keeps colours and mask apart and alive: a shut mask would pass no gradient to the colours.

        The colours are compared on their own inside the person's region; the mask must not open far outside it, and
        at first (``guidance`` from 1 to 0) is asked to be that region.
        """
        region = (batch.region > 0).float()
        difference = losses.weighted_l1(colours, batch.frames, batch.region)
        led = nn.functional.binary_cross_entropy_with_logits(logits, region)
        return {
            "colours": COLOURS * self.preset.reconstruction * difference,
            "mask": MASK * ((mask * (1 - batch.reach)).mean() + guidance * led),
        }

    def _pair(self, batch: Batch, before: Tensor, frame: Tensor) -> Tensor:
        """(N, 12, h, w): what the discriminator sees, two poses and two frames of the first of the batch."""
        both = torch.cat([batch.poses[-2], batch.poses[-1], before, frame], 1)[: self.preset.judged]
        return self._crop(both, batch.patch)

    def _crop(self, images: Tensor, place: tuple[int, int]) -> Tensor:
        side = self.preset.patch
        if not side:
            return images
        return images[..., place[0] : place[0] + side, place[1] : place[1] + side]

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        """Exponential moving average of the weights; short at first, so that early previews show something."""
        keep = min(1 - 1 / self.preset.ema_steps, (step + 1) / (step + 10)) if self.preset.ema_steps else 0.0
        averaged: list[Tensor] = list(self.average.parameters())
        current: list[Tensor] = list(self.painter.parameters())
        torch._foreach_lerp_(averaged, current, 1 - keep)


def histories(preset: Preset, seed: int, total: int) -> list[int]:
    """Frames of rollout for each step: none in the first tenth, then 0 to ``preset.unroll`` at random."""
    if not preset.previous_frame or preset.through_both_frames:
        return [0] * total
    draws = torch.randint(0, preset.unroll + 1, (total,), generator=torch.Generator().manual_seed(seed))
    draws[: total // 10] = 0
    return [int(draw) for draw in draws]


def _schedule(step: int, total: int, decay_to: float) -> float:
    """Factor of the learning rate: full for the first half, then linear down to ``decay_to``; a short warm-up."""
    warm_up = min(1.0, (step + 1) / min(100, total / 10 + 1))
    remaining = min(1.0, 2 * (1 - step / total))
    return warm_up * (decay_to + (1 - decay_to) * remaining)


def _spoilt(frames: Tensor, deviation: float) -> Tensor:
    """``frames`` with noise in blocks of 8 x 8 pixels: finer noise is gone where the previous frame is looked at."""
    height, width = frames.shape[-2:]
    coarse = torch.randn(*frames.shape[:2], -(-height // 8), -(-width // 8), device=frames.device)
    noise = nn.functional.interpolate(coarse, scale_factor=8, mode="nearest")[..., :height, :width]
    return (frames + deviation * noise).clamp(-1, 1)


def _place(network: Network, device: torch.device) -> Network:
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
