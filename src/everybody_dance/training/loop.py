"""Training, on one page: for each stage set up or resume, step, housekeeping; ship after each."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from everybody_dance.drawing.crops import Part
from everybody_dance.errors import DanceError, UsageError
from everybody_dance.networks.vgg import VGG19Features, find_vgg19_weights, load_vgg19
from everybody_dance.performer.device import usable_device
from everybody_dance.performer.engine import kept_memory
from everybody_dance.performer.manifest import RefinerManifest, new_manifest
from everybody_dance.performer.model_files import save_performer
from everybody_dance.performer.painter import Painter
from everybody_dance.performer.performer import Performer
from everybody_dance.retarget.likeness import some_poses
from everybody_dance.subject.folder import locked
from everybody_dance.subject.subject import Subject
from everybody_dance.training import checkpoint
from everybody_dance.training.checkpoint import Position
from everybody_dance.training.generator_steps import Trainer
from everybody_dance.training.log import TrainingLog
from everybody_dance.training.presets import Preset, Stage, smaller, stages
from everybody_dance.training.processes import Group, own_device, together
from everybody_dance.training.refiner_steps import RefinerTrainer
from everybody_dance.training.samples import AS_FILMED, PairDataset, prefetch

logger = logging.getLogger(__name__)

DEFAULT_MINUTES = 20.0
LOG_EVERY = 10
PREVIEWS = 8
"""Pictures of a stage, and frames in each:"""
PREVIEWED = 4
CHECKPOINT_SECONDS = 60.0
VGG_DEPTH = 4
MEASURED = 60
"""Steps at most that are taken to measure the speed, and at least, after a warm-up:"""
FEWEST_MEASURED = 10


@dataclass(frozen=True)
class TrainingProgress:
    """Where a training stands.

    Attributes:
        stage: its name, as in ``presets.Stage``.
        step, total_steps: taken and in all, of this stage.
        losses: by name, weights included, averaged over the last steps.
        steps_per_second: since this run began.
        seconds_left: of this stage, at that speed.
    """

    stage: str
    step: int
    total_steps: int
    losses: dict[str, float]
    steps_per_second: float
    seconds_left: float


Report = Callable[[TrainingProgress], None]


def train(
    subject: Subject,
    preset: Preset,
    *,
    refined: Sequence[Part] = ("face",),
    steps: int | None = None,
    minutes: float | None = None,
    device: str = "auto",
    seed: int = 0,
    vgg_weights: Path | None = None,
    restart: bool = False,
    folder: Path | None = None,
    on_progress: Report = lambda progress: None,
) -> Performer:
    """Train a performer, stage after stage, going on from the newest checkpoints in the subject's folder.

    ``minutes`` are turned into steps by measuring each stage's speed once; asking for more of either continues. Where
    a stage trains further, the stages after it begin anew.

    Started by ``torchrun`` in several processes, each trains on its own part of every batch, which is as many times
    larger; the first process writes.

    Args:
        subject: prepared footage.
        preset: what to train.
        refined: what is refined after that.
        steps: in all, shared out between the stages; or
        minutes: of training in all, on this machine; neither: the preset's epochs, or 20 minutes.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``.
        seed: of fresh weights and of the order of samples.
        vgg_weights: file of VGG-19 weights; None: the cached ones, or the Laplacian pyramid.
        restart: throw away what was trained before.
        folder: where ``training/`` and ``model/`` are written; the subject's own by default.
        on_progress: told after every step.

    Raises:
        DanceError: another training is at work on this folder (``already-training``), the checkpoints belong to
            another preset, seed or footage (``other-training``), the loss is no longer finite (``diverged``), or the
            footage is too short (``too-short``).
        KeyboardInterrupt: passed on after a checkpoint was saved.
    """
    if steps is not None and minutes is not None:
        raise UsageError("steps-and-minutes", "Give either --steps or --minutes, not both.")
    if steps is None and minutes is None and not preset.epochs:
        minutes = DEFAULT_MINUTES
    place = subject.folder if folder is None else folder
    folder = place / "training"
    chosen = usable_device(own_device(device))
    with (
        together(chosen) as group,
        locked(place) if group.first else nullcontext(),
        kept_memory(chosen),
    ):
        vgg_path = find_vgg19_weights(vgg_weights)
        vgg = None if vgg_path is None else load_vgg19(vgg_path, depth=VGG_DEPTH)
        if vgg is None:
            logger.info("No VGG-19 weights at hand: a Laplacian-pyramid loss stands in for the perceptual loss.")
        plan = stages(preset, refined)
        if group.first and (restart or checkpoint.newest(folder, plan[0].name) is None):
            checkpoint.remove(folder)
            (folder / "log.jsonl").unlink(missing_ok=True)

        course = _Course(subject, folder, preset, vgg, chosen, seed, minutes, steps, group, on_progress)
        trained = False
        for stage in plan:
            if trained and group.first:
                checkpoint.remove(folder, stage.name)
            try:
                trained |= course.run(stage)
            except torch.OutOfMemoryError:
                less = smaller(stage.preset)
                if less is None or group.count > 1:
                    raise
                torch.cuda.empty_cache()
                logger.warning(
                    "The memory does not suffice for a batch of %d; half of it is tried.", stage.preset.batch
                )
                trained |= course.run(replace(stage, preset=less))
            if course.performer is not None and group.first and (trained or stage is plan[-1]):
                save_performer(course.performer, place / "model")
        assert course.performer is not None
        return course.performer


@dataclass
class _Course:
    """A training on its way through the stages, and what they made so far.

    Attributes:
        start: the generator that the next stage begins with.
        data: what the stage before was shown.
        performer: what can be shipped.
    """

    subject: Subject
    folder: Path
    preset: Preset
    vgg: VGG19Features | None
    device: torch.device
    seed: int
    minutes: float | None
    steps: int | None
    group: Group
    on_progress: Report
    start: Painter | None = None
    data: PairDataset | None = None
    performer: Performer | None = None

    def run(self, stage: Stage) -> bool:
        """Begin or go on, to the stage's end. Returns whether there was anything left to train."""
        subject, folder = self.subject, self.folder
        dataset = _dataset(subject, stage.preset, self.seed, self.group)
        if self.data is not None and self.data.size == dataset.size:
            dataset.share(self.data)
        self.data = dataset
        if stage.part is not None and not dataset.shows(stage.part):
            logger.warning("The footage never shows the %s, so nothing is refined there.", stage.part)
            return False
        wanted = Position(
            stage=stage.name,
            step=0,
            total_steps=_steps(stage, dataset, self.steps),
            minutes=None if self.minutes is None else self.minutes * stage.share,
            seed=self.seed,
            preset=self.preset.name,
            previous_frame=self.preset.previous_frame,
            subject=subject.manifest.identity,
            perceptual_loss="laplacian" if self.vgg is None else "vgg19",
        )
        trainer, position = _begin(partial(self._fresh, stage, dataset), wanted, folder, self.group)
        left = position.step < position.total_steps
        previewed = _dataset(subject, stage.preset, self.seed, Group(), held_out=True)
        previewed.share(dataset)
        position = _run(trainer, previewed, position, folder, self.group, self.on_progress)

        if isinstance(trainer, RefinerTrainer):
            assert self.performer is not None
            how = RefinerManifest(side=trainer.side, arguments=stage.preset.refiner.arguments)
            count = stage.preset.refiner.references
            references = dataset.references(trainer.part, count) if count else None
            self.performer = self.performer.refined(trainer.part, how, trainer.average.network.eval(), references)
        elif stage.name == "main":
            self.performer = _performer(subject, dataset, stage.preset, trainer, position)
        else:
            self.start = trainer.average.network
        return left

    def _fresh(self, stage: Stage, dataset: PairDataset) -> Trainer | RefinerTrainer:
        """A stage at its beginning: from fresh weights, over what the stages before it made."""
        preset = stage.preset
        torch.manual_seed(self.seed)
        if stage.part is not None:
            assert self.performer is not None
            painter = self.performer.painter
            return RefinerTrainer(stage.part, preset, painter, dataset, self.vgg, self.device, self.seed)
        painter = Painter(
            preset.architecture,
            previous_frame=preset.previous_frame,
            over_plate=_over_plate(self.subject, preset),
            puppet=dataset.puppet is not None,
            arguments=preset.arguments,
        )
        return Trainer(preset, painter, dataset, self.vgg, self.device, self.seed, self.start)


def _dataset(subject: Subject, preset: Preset, seed: int, group: Group, held_out: bool = False) -> PairDataset:
    return PairDataset(
        subject,
        working_size(subject.manifest.size, preset.frame_area),
        person_window=preset.person_window,
        crop=0 if held_out else preset.crop,
        batch=PREVIEWED if held_out else preset.batch * group.count,
        patch=preset.patch,
        variety=AS_FILMED if held_out else preset.variety,
        puppet=preset.puppet if _over_plate(subject, preset) else 0,
        held_out=held_out,
        seed=seed,
        shard=(group.rank, group.count),
    )


def _begin(
    make: Callable[[], Trainer | RefinerTrainer], wanted: Position, folder: Path, group: Group
) -> tuple[Trainer | RefinerTrainer, Position]:
    """A stage where it stopped, or at its beginning, with its steps counted out."""
    trainer = make()
    group.agree(0)  # Nobody reads before the first process has cleared away what does not count any more.
    found = checkpoint.newest(folder, wanted.stage)
    position = wanted
    if found is not None:
        path, position = found
        _check_same(position, wanted, folder)
        checkpoint.restore(path, trainer.modules, trainer.optimizers)
        if wanted.minutes is None:
            return trainer, replace(position, minutes=None, total_steps=wanted.total_steps)
        if position.minutes is not None and wanted.minutes <= position.minutes:
            return trainer, position
    if wanted.minutes is not None:
        steps = _measured_steps(make(), wanted.minutes, group)
        position = replace(position, minutes=wanted.minutes, total_steps=steps)
    return trainer, position


def _run(
    trainer: Trainer | RefinerTrainer,
    previewed: PairDataset,
    position: Position,
    folder: Path,
    group: Group,
    on_progress: Report,
) -> Position:
    """From ``position`` to its end; a checkpoint is saved every minute, at the end, and on Ctrl-C.

    Of several processes only the first writes and reports.

    Args:
        previewed: footage that is not trained on, if there is any.
    """
    total = position.total_steps
    remaining = range(position.step, total)
    if not remaining:
        return position
    preview = trainer.preview_sample(previewed)
    preview_every = max(total // PREVIEWS, 1)
    log = TrainingLog(folder, position.stage, position.step) if group.first else None
    began = saved = time.monotonic()
    recent: list[dict[str, float]] = []
    try:
        for step, sample in zip(remaining, prefetch(partial(trainer.sample, total=total), remaining), strict=True):
            values = trainer.step(sample, step, total)
            if not np.isfinite(values["total"]):
                raise DanceError(
                    "diverged", f"Training broke down at step {step + 1}; the last good checkpoint is kept."
                )
            position = replace(position, step=step + 1)
            if log is None:
                continue
            recent = [*recent[1 - LOG_EVERY :], values]
            now = time.monotonic()
            speed = (step + 1 - remaining.start) / (now - began)
            means = {name: float(np.mean([entry[name] for entry in recent if name in entry])) for name in values}
            on_progress(TrainingProgress(position.stage, step + 1, total, means, speed, (total - step - 1) / speed))
            if (step + 1) % LOG_EVERY == 0:
                log.losses(step + 1, {"steps per second": speed, **means})
            if (step + 1) % preview_every == 0:
                log.preview(step + 1, trainer.preview(preview))
            if now - saved > CHECKPOINT_SECONDS:
                checkpoint.save(folder, position, trainer.modules, trainer.optimizers)
                saved = time.monotonic()
    except KeyboardInterrupt:
        if group.first:
            checkpoint.save(folder, position, trainer.modules, trainer.optimizers)
        raise
    finally:
        if log is not None:
            log.close()
    if group.first:
        checkpoint.save(folder, position, trainer.modules, trainer.optimizers)
    return position


def _performer(
    subject: Subject, dataset: PairDataset, preset: Preset, trainer: Trainer, position: Position
) -> Performer:
    """What is shipped: the averaged weights."""
    manifest = new_manifest(
        preset=preset.name,
        subject=subject.manifest.identity,
        detector=subject.manifest.detector,
        size=dataset.size,
        fps=subject.manifest.fps,
        window=dataset.window if preset.person_window else None,
        statistics=dataset.statistics,
        architecture=preset.architecture,
        arguments=preset.arguments,
        previous_frame=preset.previous_frame,
        over_plate=_over_plate(subject, preset),
        perceptual_loss=position.perceptual_loss,
        steps=position.step,
        seed=position.seed,
        puppet=dataset.puppet is not None,
    )
    poses = some_poses(dataset.keypoints, dataset.usable)
    network = trainer.average.network.eval()
    return Performer(manifest, network, dataset.plate, trainer.device, poses=poses, limb_bank=dataset.puppet)


def _over_plate(subject: Subject, preset: Preset) -> bool:
    return preset.person_window and not subject.manifest.camera_moves


def _steps(stage: Stage, dataset: PairDataset, steps: int | None) -> int:
    """The steps of a stage: its share of ``steps``, or the preset's epochs over the training frames."""
    if steps is not None:
        return max(round(steps * stage.share), 1)
    return max(round(stage.epochs * len(dataset.usable) / dataset.batch), 1)


def _measured_steps(trainer: Trainer | RefinerTrainer, minutes: float, group: Group) -> int:
    """How many steps fit into ``minutes``, by a fiftieth of them on a trainer that is thrown away.

    The steps measured are drawn evenly from a whole training: with and without the discriminator, short and long
    rollouts.
    """
    warm_up = MEASURED // 5
    order = np.random.default_rng(0).permutation(MEASURED).tolist()
    began, taken = time.monotonic(), 0
    for index, sample in enumerate(prefetch(partial(trainer.sample, total=MEASURED), order)):
        if index == warm_up:
            began = time.monotonic()
        trainer.step(sample, order[index], MEASURED)
        taken = index + 1 - warm_up
        enough = taken >= FEWEST_MEASURED and time.monotonic() - began > 60 * minutes / 50
        if group.agree(enough):
            break
    return group.agree(max(round(minutes * 60 * taken / (time.monotonic() - began)), 1))


def working_size(size: tuple[int, int], area: int | None) -> tuple[int, int]:
    """Even sides of about ``area`` pixels in the same proportion; the size itself where it is no larger."""
    factor = 1.0 if area is None else min(1.0, (area / (size[0] * size[1])) ** 0.5)
    width, height = (max(2 * round(side * factor / 2), 2) for side in size)
    return width, height


def _check_same(old: Position, new: Position, folder: Path) -> None:
    for name, before, after in (
        ("preset", old.preset, new.preset),
        ("seed", old.seed, new.seed),
        ("footage", old.subject, new.subject),
        ("perceptual loss", old.perceptual_loss, new.perceptual_loss),
        ("choice of --no-temporal", old.previous_frame, new.previous_frame),
    ):
        if before != after:
            raise DanceError(
                "other-training",
                f"{folder} holds a training with another {name}. Use the same to go on, or --restart.",
            )
