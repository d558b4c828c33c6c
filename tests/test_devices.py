"""A training step stays on its device: PyTorch's meta device, which has shapes and no values, stands in for a GPU.

Whatever is left behind on the CPU and meets a tensor of the device raises an error, there as on a GPU.
"""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from everybody_dance.networks.efficientnet_lite import EfficientNetLite0Features
from everybody_dance.performer.engine import Engine, using
from everybody_dance.performer.painter import Painter
from everybody_dance.training.generator_steps import Trainer
from everybody_dance.training.perceptual import PYRAMID, Perceptual
from everybody_dance.training.presets import PRESETS, frame_by_frame
from everybody_dance.training.refiner_steps import RefinerTrainer
from everybody_dance.training.samples import PairDataset
from subjects import make_subject

DEVICE = torch.device("meta")
SLIM = {
    "fast": {},
    "paper-512": {"width": 4, "downsamplings": 2, "blocks": 1},
    "paper-1024": {"width": 4, "blocks": 1, "global_downsamplings": 2, "global_blocks": 1},
}


@pytest.fixture(autouse=True)
def meta_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """The meta device knows no mixed precision. Numbers cannot be read from it: a step must not need any."""
    monkeypatch.setattr(torch, "autocast", lambda *args, **kwargs: nullcontext())


@pytest.mark.parametrize("with_network", [False, True])
@pytest.mark.parametrize("temporal", [True, False])
@pytest.mark.parametrize("name", SLIM)
def test_nothing_is_left_behind(name: str, temporal: bool, with_network: bool, tmp_path: Path) -> None:
    preset = replace(PRESETS[name], frame_area=None, discriminator_width=4)
    preset = replace(preset, arguments={**preset.arguments, **SLIM[name]})
    if not temporal:
        preset = frame_by_frame(preset)
    subject = make_subject(tmp_path / "s")
    data = PairDataset(
        subject,
        replace(
            PRESETS["debug"],
            person_window=preset.person_window,
            crop=96 if preset.crop else 0,
            patch=64 if preset.patch else 0,
            variety=preset.variety,
        ),
        batch=preset.batch,
        puppet=preset.puppet,
        seed=0,
    )
    painter = Painter(
        preset.architecture,
        previous_frame=preset.previous_frame,
        over_plate=preset.person_window,
        puppet=preset.puppet > 0,
        arguments=preset.arguments,
    )
    perceptual = (
        Perceptual("efficientnet-lite0", EfficientNetLite0Features(), (1.0,) * 5, 0.5, 2) if with_network else PYRAMID
    )
    with using(Engine(mixed_precision=False, fused_optimizer=False)):
        trainer = Trainer(preset, painter, data, perceptual, DEVICE, 0)
        for step in (0, 9):
            assert torch.as_tensor(trainer.step(trainer.sample(step, 10), step, 10)["total"]).device == DEVICE
        # The refiner's trainer freezes the painter.
        refiner = RefinerTrainer("face", preset, painter, data, perceptual, DEVICE, 0)
        assert torch.as_tensor(refiner.step(refiner.sample(0, 10), 0, 10)["total"]).device == DEVICE
    for part in (trainer, refiner):
        for module in part.modules.values():
            assert {value.device for value in module.state_dict().values()} == {DEVICE}


def test_what_is_left_behind_is_noticed() -> None:
    with pytest.raises(RuntimeError, match="device"):
        torch.ones(2, device=DEVICE) + torch.ones(2)
