"""How much faster our engine trains than the plain way, measured side by side, and what each measure brings."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch

from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.performer.engine import Engine, kept_memory, using
from everybody_dance.subject.subject import Subject
from everybody_dance.training.generator_steps import Trainer
from everybody_dance.training.perceptual import PYRAMID
from everybody_dance.training.prefetch import prefetch
from everybody_dance.training.presets import Preset
from everybody_dance.training.processes import Group
from everybody_dance.training.samples import Sample
from everybody_dance.training.setup import make_painter, training_dataset

# One measure after the other; the first is the reference: plain float32, eager, contiguous, PyTorch's own defaults.
ENGINES: dict[str, Engine] = {
    "reference": Engine(mixed_precision=False, channels_last=False, fused_optimizer=False, kept_memory=False),
    "+ bfloat16": Engine(channels_last=False, fused_optimizer=False, kept_memory=False),
    "+ channels last": Engine(fused_optimizer=False, kept_memory=False),
    "+ fused optimizer": Engine(kept_memory=False),
    "+ kept memory": Engine(),
}


@dataclass(frozen=True)
class TrainingSpeed:
    """How fast one engine trains.

    Attributes:
        name: as in ``ENGINES``.
        pairs_per_second: training pairs.
        waiting: share of the time in which the device waited for data.
    """

    name: str
    pairs_per_second: float
    waiting: float


def training_speed(
    subject: Subject,
    preset: Preset,
    device: torch.device,
    steps: int = 5,
    on_progress: OnProgress = ignore_progress,
) -> list[TrainingSpeed]:
    """Time ``preset``'s generator and discriminator with each engine, the same networks, losses and samples in each.

    Every engine takes one step to warm up, and ``steps`` that count. The discriminator takes part in all of them.
    """
    data = training_dataset(subject, preset, 0, Group())
    total = 10 * (steps + 1)
    order = range(total - steps - 1, total)
    speeds = []
    for index, (name, engine) in enumerate(ENGINES.items()):
        with using(engine), kept_memory(device):
            trainer = Trainer(preset, make_painter(data, preset), data, PYRAMID, device, 0)
            waits = _Waits(prefetch(partial(trainer.sample, total=total), order))
            for step, sample in zip(order, waits, strict=True):
                if step == order[1]:
                    _finished(device)
                    waits.seconds, began = 0.0, time.perf_counter()
                trainer.step(sample, step, total)
                on_progress(index * len(order) + step - order[0] + 1, len(order) * len(ENGINES))
            _finished(device)
            seconds = time.perf_counter() - began
        speeds.append(TrainingSpeed(name, steps * preset.batch / seconds, waits.seconds / seconds))
        del trainer
    return speeds


class _Waits:
    """The samples of an iterator, and the seconds that were spent waiting for them."""

    def __init__(self, samples: Iterator[Sample]) -> None:
        self.samples = samples
        self.seconds = 0.0

    def __iter__(self) -> Iterator[Sample]:
        return self

    def __next__(self) -> Sample:
        began = time.perf_counter()
        sample = next(self.samples)
        self.seconds += time.perf_counter() - began
        return sample


def _finished(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
