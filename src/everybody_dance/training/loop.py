"""Training, on one page: set up or resume, step, housekeeping, ship."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.files import write_bytes
from everybody_dance.networks.vgg import find_vgg19_weights, load_vgg19
from everybody_dance.performer.painter import Painter, mixed_precision, to_images
from everybody_dance.performer.performer import Performer, PerformerManifest, build_painter, new_manifest, usable_device
from everybody_dance.subject.dataset import PairDataset, Sample, prefetch
from everybody_dance.subject.subject import Subject, only_training
from everybody_dance.training import checkpoint
from everybody_dance.training.checkpoint import Position
from everybody_dance.training.presets import Preset
from everybody_dance.training.steps import Batch, Trainer, histories

logger = logging.getLogger(__name__)

DEFAULT_MINUTES = 20.0
LOG_EVERY = 10
PREVIEWS = 8
CHECKPOINT_SECONDS = 60.0
VGG_DEPTH = 4
MEASURED = 60
"""Steps at most that are taken to measure the speed, and at least, after a warm-up:"""
FEWEST_MEASURED = 10


@dataclass(frozen=True)
class TrainingProgress:
    """Where a training stands.

    Attributes:
        step, total_steps: taken and in all.
        losses: by name, weights included, averaged over the last steps.
        steps_per_second: since this run began.
        seconds_left: at that speed.
    """

    step: int
    total_steps: int
    losses: dict[str, float]
    steps_per_second: float
    seconds_left: float


def train(
    subject: Subject,
    preset: Preset,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    device: str = "auto",
    seed: int = 0,
    vgg_weights: Path | None = None,
    restart: bool = False,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
) -> Performer:
    """Train a performer, going on from the newest checkpoint in the subject's folder.

    ``minutes`` are turned into steps by measuring the speed once; asking for more of either continues.

    Args:
        subject: prepared footage; ``training/`` and ``model/`` in its folder are written.
        preset: what to train.
        steps: in all; or
        minutes: of training in all, on this machine; neither: 20 minutes.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``.
        seed: of fresh weights and of the order of samples.
        vgg_weights: file of VGG-19 weights; None: the cached ones, or the Laplacian pyramid.
        restart: throw away what was trained before.
        on_progress: told after every step.

    Raises:
        DanceError: another training is at work on this folder (``already-training``), the checkpoints belong to
            another preset, seed or footage (``other-training``), the loss is no longer finite (``diverged``), or the
            footage is too short (``too-short``).
        KeyboardInterrupt: passed on after a checkpoint was saved.
    """
    if steps is not None and minutes is not None:
        raise UsageError("steps-and-minutes", "Give either --steps or --minutes, not both.")
    if steps is None and minutes is None:
        minutes = DEFAULT_MINUTES
    folder = subject.folder / "training"
    chosen = usable_device(device)
    with only_training(folder):
        found = None if restart else checkpoint.newest(folder)
        vgg_path = find_vgg19_weights(vgg_weights)
        vgg = None if vgg_path is None else load_vgg19(vgg_path, depth=VGG_DEPTH)
        loss_name = "laplacian" if vgg is None else "vgg19"
        if vgg is None:
            logger.info("No VGG-19 weights at hand: a Laplacian-pyramid loss stands in for the perceptual loss.")

        size = _working_size(subject.manifest.size, preset.frame_area)
        over_plate = preset.person_window and not subject.manifest.camera_moves
        dataset = PairDataset(
            subject,
            size,
            person_window=preset.person_window,
            crop=preset.crop,
            batch=preset.batch,
            patch=preset.patch,
            seed=seed,
        )
        manifest = new_manifest(
            preset=preset.name,
            subject=subject.manifest.identity,
            detector=subject.manifest.detector,
            size=size,
            fps=subject.manifest.fps,
            window=dataset.window if preset.person_window else None,
            statistics=dataset.statistics,
            architecture=preset.architecture,
            arguments=preset.arguments,
            previous_frame=preset.previous_frame,
            over_plate=over_plate,
            perceptual_loss=loss_name,
            steps=0,
        )

        def fresh() -> Trainer:
            torch.manual_seed(seed)
            return Trainer(preset, build_painter(manifest), vgg, chosen, seed)

        trainer = fresh()
        wanted = Position(0, 0, minutes, seed, preset.name, subject.manifest.identity, loss_name)
        if found is not None:
            path, position = found
            _check_same(position, wanted, folder)
            checkpoint.restore(path, trainer.modules, trainer.optimizers)
            if steps is not None:
                position = replace(position, minutes=None, total_steps=steps)
            elif minutes is not None and (position.minutes is None or minutes > position.minutes):
                position = replace(position, minutes=minutes, total_steps=_measured_steps(fresh(), dataset, minutes))
        else:
            for old in folder.glob("checkpoint-*.safetensors"):
                old.unlink()
            (folder / "log.jsonl").unlink(missing_ok=True)
            total = steps if steps is not None else _measured_steps(fresh(), dataset, minutes or DEFAULT_MINUTES)
            position = replace(wanted, total_steps=total)

        if position.step < position.total_steps:
            position = _run(trainer, dataset, position, folder, on_progress)
        performer = _performer(trainer, manifest, dataset, position)
        performer.save(subject.folder / "model")
        return performer


def _run(
    trainer: Trainer,
    dataset: PairDataset,
    position: Position,
    folder: Path,
    on_progress: Callable[[TrainingProgress], None],
) -> Position:
    """From ``position`` to its end; a checkpoint is saved every minute, at the end, and on Ctrl-C."""
    total = position.total_steps
    remaining = range(position.step, total)
    rollouts = histories(trainer.preset, position.seed, total)
    preview = dataset.sample(total, 0)
    preview_every = max(total // PREVIEWS, 1)
    began = saved = time.monotonic()
    recent: list[dict[str, float]] = []
    try:
        for step, sample in zip(remaining, prefetch(dataset, remaining, rollouts[position.step :]), strict=True):
            values = trainer.step(sample, step, total, rollouts[step])
            if not np.isfinite(values["total"]):
                raise DanceError(
                    "diverged", f"Training broke down at step {step + 1}; the last good checkpoint is kept."
                )
            position = replace(position, step=step + 1)
            recent = [*recent[1 - LOG_EVERY :], values]
            now = time.monotonic()
            speed = (step + 1 - remaining.start) / (now - began)
            means = {name: float(np.mean([entry[name] for entry in recent if name in entry])) for name in values}
            on_progress(TrainingProgress(step + 1, total, means, speed, (total - step - 1) / speed))
            if (step + 1) % LOG_EVERY == 0:
                _log(folder, {"step": step + 1, "steps_per_second": round(speed, 4), **means})
            if (step + 1) % preview_every == 0:
                _preview(trainer, preview, folder / "previews" / f"{step + 1:07d}.jpg")
            if now - saved > CHECKPOINT_SECONDS:
                checkpoint.save(folder, position, trainer.modules, trainer.optimizers)
                saved = time.monotonic()
    except KeyboardInterrupt:
        checkpoint.save(folder, position, trainer.modules, trainer.optimizers)
        raise
    checkpoint.save(folder, position, trainer.modules, trainer.optimizers)
    return position


def _performer(trainer: Trainer, manifest: PerformerManifest, dataset: PairDataset, position: Position) -> Performer:
    """What is shipped: the averaged weights."""
    painter: Painter = trainer.average.eval()
    return Performer(manifest.model_copy(update={"steps": position.step}), painter, dataset.plate, trainer.device)


def _measured_steps(trainer: Trainer, dataset: PairDataset, minutes: float) -> int:
    """How many steps fit into ``minutes``, by a fiftieth of them on a trainer that is thrown away.

    The steps measured are drawn evenly from a whole training: with and without the discriminator, short and long
    rollouts.
    """
    rollouts = histories(trainer.preset, 0, MEASURED)
    warm_up = MEASURED // 5
    order = np.random.default_rng(0).permutation(MEASURED).tolist()
    began, taken = time.monotonic(), 0
    for index, sample in enumerate(prefetch(dataset, order, [rollouts[step] for step in order])):
        if index == warm_up:
            began = time.monotonic()
        trainer.step(sample, order[index], MEASURED, rollouts[order[index]])
        taken = index + 1 - warm_up
        if taken >= FEWEST_MEASURED and time.monotonic() - began > 60 * minutes / 50:
            break
    return max(round(minutes * 60 * taken / (time.monotonic() - began)), 1)


def _working_size(size: tuple[int, int], area: int | None) -> tuple[int, int]:
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
    ):
        if before != after:
            raise DanceError(
                "other-training",
                f"{folder} holds a training with another {name}. Use the same to go on, or --restart.",
            )


def _log(folder: Path, entry: dict[str, float]) -> None:
    with (folder / "log.jsonl").open("a") as log:
        log.write(json.dumps({name: round(value, 6) for name, value in entry.items()}) + "\n")


@torch.no_grad()
def _preview(trainer: Trainer, sample: Sample, path: Path) -> None:
    """Pose, painted and true side by side, painted without a previous frame by the averaged weights."""
    batch = Batch.of(sample, trainer.device)
    with mixed_precision(trainer.device):
        painted = trainer.average(batch.poses[-1], batch.plate, None)
    sheet = np.concatenate([sample.poses[:, -1], to_images(painted.frame), sample.frames], 2)
    sheet = sheet.reshape(-1, *sheet.shape[2:])
    write_bytes(path, cv2.imencode(".jpg", sheet[..., ::-1])[1].tobytes())
