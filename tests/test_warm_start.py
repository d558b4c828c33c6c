"""What `fast` begins with: weights learnt on dancers that were made up, and the script that learns them."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from everybody_dance.dancers.invented import invented_dancer
from everybody_dance.networks.face_gan import Refiner
from everybody_dance.networks.fast import FastGenerator
from everybody_dance.training import warm_start
from everybody_dance.training.config import TrainConfig
from everybody_dance.training.generator_steps import Trainer
from everybody_dance.training.perceptual import PYRAMID
from everybody_dance.training.presets import PRESETS, Preset
from everybody_dance.training.samples import PairDataset
from everybody_dance.training.setup import make_painter
from everybody_dance.training.warm_start import PRETRAINED, begin_warm
from subjects import make_subject

SCRIPT = Path(__file__).parents[1] / "scripts" / "pretrain.py"
FAST = PRESETS["fast"]


def generator(previous_frame: bool = True, puppet: bool = True, width: int = 24) -> FastGenerator:
    return FastGenerator(width, previous_frame=previous_frame, puppet=puppet)


def trainer(preset: Preset, tmp_path: Path) -> Trainer:
    data = PairDataset(make_subject(tmp_path / "s"), preset, batch=1, seed=0, puppet=preset.puppet)
    return Trainer(preset, make_painter(data, preset), data, PYRAMID, torch.device("cpu"), 0)


def stored(what: str) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(PRETRAINED / f"fast.{what}.safetensors")


@pytest.mark.parametrize("warm", [False, True])
def test_fast_begins_with_what_was_learnt(warm: bool, tmp_path: Path) -> None:
    made = trainer(replace(FAST, warm_start=warm), tmp_path)
    for network in (made.painter, made.average.network):
        own = network.state_dict()
        assert all(torch.equal(own[name], value.float()) for name, value in stored("generator").items()) == warm


def test_without_a_puppet_it_begins_with_fresh_weights(tmp_path: Path) -> None:
    made = trainer(replace(FAST, puppet=0), tmp_path)
    assert made.painter.state_dict().keys() == stored("generator").keys()
    assert made.painter.state_dict()["generator.head.weight"].abs().max() < 0.1


def test_a_generator_without_a_previous_frame_takes_over_the_rest(tmp_path: Path) -> None:
    made = trainer(replace(FAST, previous_frame=False), tmp_path)
    own, learnt = made.painter.state_dict(), stored("generator")
    assert learnt.keys() - own.keys() == {"generator.previous.weight", "generator.previous.bias"}
    assert all(torch.equal(value, learnt[name].float()) for name, value in own.items())


def test_the_refiner_fits() -> None:
    refiner = Refiner(**FAST.refiner.arguments)
    begin_warm(refiner, "fast", "refiner")
    assert all(torch.equal(value, stored("refiner")[name].float()) for name, value in refiner.state_dict().items())


def test_other_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="other layers"):
        begin_warm(generator(width=16), "fast", "generator")


def test_the_choice_belongs_to_the_training() -> None:
    assert TrainConfig().row.warm_start
    assert not TrainConfig(warm_start=False).row.warm_start
    assert not TrainConfig(preset="paper-512").row.warm_start


def test_every_preset_that_wants_weights_has_them() -> None:
    wanted = {f"{name}.{what}" for name in PRESETS if PRESETS[name].warm_start for what in ("generator", "refiner")}
    assert {path.stem for path in warm_start.PRETRAINED.glob("*.safetensors")} == wanted


def test_dancers_are_made_up_by_number() -> None:
    dancers = [invented_dancer(seed) for seed in range(20)]
    assert dancers == [invented_dancer(seed) for seed in range(20)]
    assert len({dancer.look for dancer in dancers}) == len({dancer.room for dancer in dancers}) == 20
    for dancer in dancers:
        colours = (dancer.look.skin, dancer.look.top, dancer.room.wall, dancer.room.floor)
        assert all(0 <= value <= 255 for colour in colours for value in colour)


def test_the_script_renders_and_trains(tmp_path: Path) -> None:
    sizes = {"--dancers": 2, "--moments": 3, "--steps": 2, "--refiner-steps": 1, "--group": 2, "--workers": 1}
    command = [sys.executable, SCRIPT, "--out", tmp_path, *(text for pair in sizes.items() for text in pair)]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for what, fresh in (("generator", generator()), ("refiner", Refiner(**FAST.refiner.arguments))):
        made = safetensors.torch.load_file(tmp_path / f"fast.{what}.safetensors")
        assert made.keys() == stored(what).keys()
        assert len(made) == len(fresh.state_dict())
        assert all(torch.isfinite(value).all() for value in made.values())
