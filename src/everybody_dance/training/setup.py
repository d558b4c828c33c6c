"""What a stage is trained with, made in one place: its data, its networks, and what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from everybody_dance.body_height import body_height
from everybody_dance.drawing.crops import PART_JOINTS
from everybody_dance.performer.manifest import RefinerManifest, new_manifest
from everybody_dance.performer.painter import Painter
from everybody_dance.performer.performer import Performer
from everybody_dance.retarget.likeness import some_poses
from everybody_dance.skeleton import Part
from everybody_dance.subject.subject import Subject
from everybody_dance.training.checkpoint import weights_hash
from everybody_dance.training.generator_steps import Trainer
from everybody_dance.training.perceptual import Perceptual
from everybody_dance.training.presets import AS_FILMED, Preset, Stage
from everybody_dance.training.preview import Preview
from everybody_dance.training.processes import Group
from everybody_dance.training.refiner_steps import RefinerTrainer
from everybody_dance.training.samples import PairDataset, Sample

PREVIEWED = 4
"""Frames in a preview."""

HANDS_FROM = 200.0
"""Height of the body, in pixels, below which a hand is a smudge whatever paints it."""

WHOLE, SEEN_WELL = 0.8, 0.3
"""A hand is seen well where this share of its joints is found; and in this share of the frames it has to be."""


@dataclass(frozen=True)
class Made:
    """What the stages of a training have made so far.

    Attributes:
        dataset: what the last stage was shown.
        start: the generator that the next stage begins with.
        performer: what can be shipped.
    """

    dataset: PairDataset | None = None
    start: Painter | None = None
    performer: Performer | None = None

    def base(self, stage: Stage) -> str:
        """The hash of what ``stage`` builds on; empty where it builds on nothing."""
        if stage.makes == "refiner":
            assert self.performer is not None
            return weights_hash(self.performer.painter)
        return "" if self.start is None else weights_hash(self.start)


class StageTrainer(Protocol):
    """What trains a stage: a generator or a refiner."""

    @property
    def modules(self) -> dict[str, nn.Module]:
        """What a checkpoint must hold, by name."""
        ...

    @property
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """What a checkpoint must hold, by name."""
        ...

    def sample(self, step: int, total: int) -> Sample:
        """The batch of ``step``, of ``total``: a pure function."""
        ...

    def step(self, sample: Sample, step: int, total: int) -> Mapping[str, Tensor | float]:
        """Train on one batch; the losses by name, on the device."""
        ...

    def preview_sample(self, dataset: PairDataset) -> Sample:
        """What is painted for a preview, always the same."""
        ...

    def preview(self, sample: Sample) -> Preview:
        """What was asked for, what is painted, what is true."""
        ...

    def made(self, before: Made, steps: int, perceptual_loss: str) -> Made:
        """What there is once this stage has taken ``steps``."""
        ...


def parts_worth_refining(subject: Subject, preset: Preset) -> tuple[Part, ...]:
    """The face, as in the paper; and the hands, if there are references for them and the footage shows them well."""
    people = subject.keypoints[subject.training_frames]
    people = people[people.person_seen]
    if not preset.refiner.references or not len(people):
        return ("face",)
    large = float(np.median(body_height(people.xy, people.confidence))) >= HANDS_FROM
    seen = np.mean([people.found[:, hand].mean(axis=1) >= WHOLE for hand in PART_JOINTS["hands"]])
    return ("face", "hands") if large and seen >= SEEN_WELL else ("face",)


def training_dataset(
    subject: Subject, preset: Preset, seed: int, group: Group, before: PairDataset | None = None
) -> PairDataset:
    """The training frames of a subject, as a preset is shown them.

    Args:
        before: a dataset of the same subject, whose decoded frames and limbs are used again where they fit.
    """
    return PairDataset(
        subject,
        preset,
        batch=preset.batch * group.count,
        seed=seed,
        puppet=preset.puppet,
        shard=(group.rank, group.count),
        shared=before,
    )


def held_out_dataset(dataset: PairDataset, preset: Preset, seed: int) -> PairDataset:
    """The frames that were held out, as filmed and whole, for previews; the training frames where there are none."""
    as_filmed = replace(preset, crop=0, variety=AS_FILMED)
    return PairDataset(
        dataset.subject,
        as_filmed,
        batch=PREVIEWED,
        seed=seed,
        puppet=dataset.limbs_kept,
        held_out=True,
        shared=dataset,
    )


def make_painter(dataset: PairDataset, preset: Preset) -> Painter:
    """A painter with fresh weights, as ``preset`` has it for this subject."""
    return Painter(
        preset.architecture,
        previous_frame=preset.previous_frame,
        over_plate=preset.person_window,
        puppet=dataset.limbs_kept > 0,
        arguments=preset.arguments,
    )


def make_trainer(
    stage: Stage,
    dataset: PairDataset,
    before: Made,
    perceptual: Perceptual,
    device: torch.device,
    seed: int,
) -> StageTrainer:
    """A stage's trainer at its beginning: from fresh weights, over what the stages before it made."""
    preset = stage.preset
    torch.manual_seed(seed)
    if stage.part is not None:
        assert before.performer is not None
        return _Refining(stage.part, preset, before.performer.painter, dataset, perceptual, device, seed)
    painter = make_painter(dataset, preset)
    kind = _Starting if stage.makes == "start" else _Painting
    return kind(preset, painter, dataset, perceptual, device, seed, before.start)


class _Starting(Trainer):
    """Trains a generator whose weights the next stage begins with."""

    def made(self, before: Made, steps: int, perceptual_loss: str) -> Made:
        return replace(before, dataset=self.dataset, start=self.average.network)


class _Painting(Trainer):
    """Trains the generator that paints."""

    def made(self, before: Made, steps: int, perceptual_loss: str) -> Made:
        """What is shipped: the averaged weights."""
        subject, dataset, preset = self.dataset.subject, self.dataset, self.preset
        manifest = new_manifest(
            preset=preset.name,
            subject=subject.manifest.identity,
            detector=subject.manifest.detector,
            size=dataset.size,
            fps=subject.manifest.fps,
            window=dataset.window if preset.person_window else None,
            statistics=dataset.statistics,
            architecture=preset.architecture,
            arguments=dict(preset.arguments),
            previous_frame=preset.previous_frame,
            over_plate=preset.person_window,
            perceptual_loss=perceptual_loss,
            steps=steps,
            seed=self.seed,
            puppet=dataset.limbs_kept > 0,
        )
        poses = some_poses(dataset.keypoints, dataset.usable)
        network = self.average.network.eval()
        performer = Performer(manifest, network, dataset.plate, self.device, poses=poses, limb_bank=dataset.limb_bank)
        return replace(before, dataset=dataset, performer=performer)


class _Refining(RefinerTrainer):
    """Trains a refiner of a performer."""

    def made(self, before: Made, steps: int, perceptual_loss: str) -> Made:
        assert before.performer is not None
        how = self.preset.refiner
        manifest = RefinerManifest(side=self.side, arguments=dict(how.arguments))
        bank = self.dataset.crop_bank(self.part, how.references) if how.references else None
        refined = before.performer.refined(self.part, manifest, self.average.network.eval(), bank)
        return replace(before, dataset=self.dataset, performer=refined)
