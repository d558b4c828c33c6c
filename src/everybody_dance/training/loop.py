"""Training, on one page: for each stage set up or resume, step, housekeeping; ship when all is done."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from everybody_dance import events
from everybody_dance.errors import DanceError
from everybody_dance.performer.device import usable_device
from everybody_dance.performer.engine import kept_memory
from everybody_dance.performer.manifest import MANIFEST_NAME
from everybody_dance.performer.model_files import save_performer
from everybody_dance.performer.performer import Performer
from everybody_dance.subject.folder import locked
from everybody_dance.subject.subject import Subject
from everybody_dance.training import checkpoint
from everybody_dance.training.checkpoint import Position
from everybody_dance.training.config import TrainConfig
from everybody_dance.training.configuration import check_same, resolved, restart
from everybody_dance.training.interrupts import deferred
from everybody_dance.training.log import TrainingLog
from everybody_dance.training.perceptual import Perceptual, perceptual_at_hand
from everybody_dance.training.prefetch import prefetch
from everybody_dance.training.presets import Stage, smaller, stages
from everybody_dance.training.processes import Group, own_device, together
from everybody_dance.training.samples import PairDataset
from everybody_dance.training.setup import (
    Made,
    StageTrainer,
    held_out_dataset,
    make_trainer,
    parts_worth_refining,
    training_dataset,
)

LOG_EVERY = 10
PREVIEWS = 8
"""Preview pictures of a stage, evenly over its steps, and one more after the first few:"""
FIRST_PREVIEW = 20
CHECKPOINT_SECONDS = 60.0
CHECKPOINT_SHARE = 0.02
"""A checkpoint is saved every minute, or less often where saving would take more than this share of the time."""
MEASURED = 60
"""Steps at most that are taken to measure the speed, and at least, after a warm-up:"""
FEWEST_MEASURED = 10


@dataclass(frozen=True)
class TrainingProgress:
    """Where a training stands.

    Attributes:
        stage: its name, as in ``presets.Stage``.
        step, total_steps: taken and in all, of this stage.
        likeness: of the last preview, as ``Preview.likeness``; None before the first.
        steps_per_second: since this run began.
        seconds_left: of this stage, at that speed.
    """

    stage: str
    step: int
    total_steps: int
    likeness: float | None
    steps_per_second: float
    seconds_left: float


OnTraining = Callable[[TrainingProgress], None]


def train(
    subject: Subject,
    config: TrainConfig,
    *,
    folder: Path | None = None,
    begin_again: bool = False,
    on_progress: OnTraining = lambda progress: None,
) -> Performer:
    """Train a performer, stage after stage, going on from the newest checkpoints in the subject's folder.

    Minutes are turned into steps by measuring each stage's speed once; asking for more of either continues. A refiner
    is fitted to one generator: where that trains further, its refiners begin anew.

    Started by ``torchrun`` in several processes, each trains on its own part of every batch, which is as many times
    larger; the first process writes.

    Args:
        subject: prepared footage.
        config: what to train, and how long.
        folder: where ``training/`` and ``model/`` are written; the subject's own by default.
        begin_again: remove what was trained before (its checkpoints and log) and begin again.
        on_progress: told after every step, when it is safe to stop: whatever it raises ends the training, saved.

    Raises:
        DanceError: another training is at work on this folder (``already-training``), the checkpoints are of a
            training that differs (``other-training``, which names in what), the training broke down (``diverged``), or
            the footage is too short (``too-short``).
        KeyboardInterrupt: on SIGINT or SIGTERM, after the step was finished and a checkpoint saved.
    """
    place = subject.folder if folder is None else folder
    folder = place / "training"
    device = usable_device(own_device(config.device))
    with together(device) as group, locked(place) if group.first else nullcontext(), kept_memory(device):
        if group.first:
            folder.mkdir(exist_ok=True)
            if begin_again:
                restart(folder)
        perceptual = perceptual_at_hand(config.vgg_weights)
        wanted = resolved(
            config.row,
            seed=config.seed,
            footage=subject.manifest.identity,
            perceptual_loss=perceptual.name,
            processes=group.count,
        )
        group.agree(0)  # nobody reads before the first process has cleared away what does not count any more
        batch = check_same(folder, wanted)
        course = _Course(subject, folder, config, wanted, perceptual, device, group, on_progress)
        made, trained = Made(), False
        refined = parts_worth_refining(subject, config.row) if config.refine is None else config.refine
        for stage in stages(config.row, refined):
            if batch is not None:
                stage = replace(stage, preset=replace(stage.preset, batch=min(batch, stage.preset.batch)))
            made, worked = course.run(stage, made)
            trained |= worked
            # Something that dances as early as possible; a whole model that is there already waits for the end.
            if made.performer is not None and group.first and not (place / "model" / MANIFEST_NAME).exists():
                save_performer(made.performer, place / "model")
        assert made.performer is not None
        if group.first and (trained or made.performer.manifest.refiners):
            save_performer(made.performer, place / "model")
        return made.performer


@dataclass(frozen=True)
class _Course:
    """What all stages of a training have in common."""

    subject: Subject
    folder: Path
    config: TrainConfig
    wanted: Mapping[str, object]
    perceptual: Perceptual
    device: torch.device
    group: Group
    on_progress: OnTraining

    def run(self, stage: Stage, before: Made) -> tuple[Made, bool]:
        """Begin a stage or go on with it, to its end; with half of the batch where the GPU's memory is too small.

        Returns:
            What is made by now, and whether there was anything left to train.
        """
        try:
            return self._run(stage, before)
        except torch.OutOfMemoryError:
            less = smaller(stage.preset)
            if less is None or self.group.count > 1:
                raise
        # Outside the handler, whose traceback would keep the failed trainer's tensors alive.
        torch.cuda.empty_cache()
        events.warn(
            "half-batch",
            f"The memory does not suffice for a batch of {stage.preset.batch}; half of it is tried.",
            batch=less.batch,
        )
        return self._run(replace(stage, preset=less), before)

    def _run(self, stage: Stage, before: Made) -> tuple[Made, bool]:
        dataset = training_dataset(self.subject, stage.preset, self.config.seed, self.group, before.dataset)
        if stage.part is not None and not dataset.shows(stage.part):
            events.warn("part-not-seen", f"The footage never shows the {stage.part}, so nothing is refined there.")
            return before, False
        make = partial(make_trainer, stage, dataset, before, self.perceptual, self.device, self.config.seed)
        trainer, position = self._begin(make, stage, dataset, before)
        left = position.step < position.total_steps
        if left:
            previewed = held_out_dataset(dataset, stage.preset, self.config.seed)
            position = self._train(trainer, previewed, position)
        if self.group.first and position.base:
            checkpoint.remove_superseded(self.folder, stage.name, position.base)
        return trainer.made(before, position.step, str(self.wanted["perceptual loss"]).split()[0]), left

    def _begin(
        self, make: Callable[[], StageTrainer], stage: Stage, dataset: PairDataset, before: Made
    ) -> tuple[StageTrainer, Position]:
        """A stage where it stopped, or at its beginning, with its steps counted out."""
        trainer = make()
        config = {**self.wanted, "preset.batch": stage.preset.batch}
        minutes = self.config.minutes_in_all
        minutes = None if minutes is None else minutes * stage.share
        position = Position(
            stage.name, 0, _steps(stage, dataset, self.config.steps), minutes, config, before.base(stage)
        )
        stored = checkpoint.resume(self.folder, stage.name, position.base, trainer.modules, trainer.optimizers)
        if stored is not None:
            if minutes is None:
                return trainer, replace(stored, minutes=None, total_steps=position.total_steps)
            if stored.minutes is not None and minutes <= stored.minutes:
                return trainer, stored
            position = stored
        if minutes is not None:
            steps = _measured_steps(make(), minutes, self.group)
            position = replace(position, minutes=minutes, total_steps=steps)
        return trainer, position

    def _train(self, trainer: StageTrainer, previewed: PairDataset, position: Position) -> Position:
        """From ``position`` to its end. Of several processes only the first writes and reports."""
        total = position.total_steps
        remaining = range(position.step, total)
        preview, preview_every = trainer.preview_sample(previewed), -(-total // PREVIEWS)
        log = TrainingLog(self.folder, position.stage, position.step) if self.group.first else None
        saver = _Saver(self.folder, trainer, self.group.first)
        began, recent = time.monotonic(), list[Mapping[str, Tensor | float]]()
        means: dict[str, float] = {}
        likeness: float | None = None
        samples = prefetch(partial(trainer.sample, total=total), remaining, threads=_threads(self.device))
        try:
            with deferred() as interrupts:
                for step, sample in zip(remaining, samples, strict=True):
                    values = trainer.step(sample, step, total)
                    position = replace(position, step=step + 1)
                    recent = [*recent[1 - LOG_EVERY :], values]
                    # Numbers are fetched from a GPU now and then only: each time it has to wait.
                    if self.device.type != "cuda" or (step + 1) % LOG_EVERY == 0 or step + 1 == total:
                        means = _means(recent)
                        _check_finite(values, step)
                    if log is None:
                        continue
                    speed = (step + 1 - remaining.start) / (time.monotonic() - began)
                    if (step + 1) % LOG_EVERY == 0:
                        log.figures(step + 1, {"steps per second": speed, **means})
                    if (step + 1) % preview_every == 0 or step + 1 == FIRST_PREVIEW:
                        shown = trainer.preview(preview)
                        log.preview(step + 1, shown)
                        likeness = shown.likeness
                    saver.save_if_due(position)
                    left = (total - step - 1) / speed
                    with saver.saving_when_stopped(position):
                        self.on_progress(TrainingProgress(position.stage, step + 1, total, likeness, speed, left))
                        if interrupts.requested:
                            raise KeyboardInterrupt
        finally:
            if log is not None:
                log.close()
        saver.save(position)
        return position


class _Saver:
    """Saves checkpoints of one stage, no more often than they are worth."""

    def __init__(self, folder: Path, trainer: StageTrainer, writes: bool) -> None:
        self._folder, self._trainer, self._writes = folder, trainer, writes
        self._saved, self._cost = time.monotonic(), 0.0

    def save(self, position: Position) -> None:
        if self._writes:
            began = time.monotonic()
            checkpoint.save(self._folder, position, self._trainer.modules, self._trainer.optimizers)
            self._saved = time.monotonic()
            self._cost = self._saved - began

    def save_if_due(self, position: Position) -> None:
        if time.monotonic() - self._saved > max(CHECKPOINT_SECONDS, self._cost / CHECKPOINT_SHARE):
            self.save(position)

    def saving_when_stopped(self, position: Position) -> "_SavingWhenStopped":
        return _SavingWhenStopped(self, position)


@dataclass
class _SavingWhenStopped:
    """At a step's boundary: whatever stops the training there, it is saved first."""

    saver: _Saver
    position: Position

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.saver.save(self.position)


def _threads(device: torch.device) -> int:
    """Threads that make samples: a GPU empties the queue of one, and a CPU has no core to spare."""
    return 4 if device.type == "cuda" else 1


def _means(recent: Sequence[Mapping[str, Tensor | float]]) -> dict[str, float]:
    return {name: float(np.mean([float(entry[name]) for entry in recent if name in entry])) for name in recent[-1]}


def _check_finite(values: Mapping[str, Tensor | float], step: int) -> None:
    if not np.isfinite(float(values["total"])):
        raise DanceError("diverged", f"Training broke down at step {step + 1}; the last good checkpoint is kept.")


def _steps(stage: Stage, dataset: PairDataset, steps: int | None) -> int:
    """The steps of a stage: its share of ``steps``, or the preset's epochs over the training frames."""
    if steps is not None:
        return max(round(steps * stage.share), 1)
    return max(round(stage.epochs * len(dataset.usable) / dataset.batch), 1)


def _measured_steps(trainer: StageTrainer, minutes: float, group: Group) -> int:
    """How many steps fit into ``minutes``, measured for a fiftieth of them on a trainer that is thrown away.

    The steps measured are drawn evenly from a whole training: with and without the discriminator, short and long
    rollouts.
    """
    warm_up = MEASURED // 5
    order = np.random.default_rng(0).permutation(MEASURED).tolist()
    began, taken = time.monotonic(), 0
    for index, sample in enumerate(prefetch(partial(trainer.sample, total=MEASURED), order)):
        if index == warm_up:
            began = time.monotonic()
        float(trainer.step(sample, order[index], MEASURED)["total"])
        taken = index + 1 - warm_up
        enough = taken >= FEWEST_MEASURED and time.monotonic() - began > 60 * minutes / 50
        if group.agree(enough):
            break
    return group.agree(max(round(minutes * 60 * taken / (time.monotonic() - began)), 1))
