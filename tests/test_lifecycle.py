"""The life of a training: nothing is lost, nothing stale is shipped, and whatever differs is refused by name."""

import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch

from everybody_dance.errors import DanceError
from everybody_dance.events import Cancellation, Cancelled, Finding, listening
from everybody_dance.images import Box
from everybody_dance.performer.model_files import load_performer
from everybody_dance.subject.subject import Subject
from everybody_dance.training import checkpoint, loop
from everybody_dance.training.adversary import Adversary
from everybody_dance.training.checkpoint import Position, paths
from everybody_dance.training.config import TrainConfig
from everybody_dance.training.loop import train
from everybody_dance.training.presets import AS_FILMED, PRESETS, Preset
from everybody_dance.training.processes import Group
from everybody_dance.training.setup import training_dataset
from everybody_dance.training.views import ViewDrawer
from subjects import make_subject, swaying

DEBUG = PRESETS["debug"]
COARSE_TO_FINE = replace(
    PRESETS["paper-1024"],
    name="coarse-to-fine",
    arguments={"width": 4, "blocks": 1, "global_downsamplings": 2, "global_blocks": 1},
    frame_area=128 * 128,
    discriminator_width=4,
    discriminator_scales=1,
)


@pytest.fixture(autouse=True)
def same_threads() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return make_subject(tmp_path / "subject")


def files(subject: Subject) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths(subject.folder / "training")}


def debug(steps: int, **options: object) -> TrainConfig:
    return TrainConfig(preset=DEBUG, steps=steps, device="cpu", **options)  # type: ignore[arg-type]


class TestOtherTraining:
    def test_a_preset_with_other_stages_deletes_nothing(self, subject: Subject) -> None:
        train(subject, debug(6))
        before = files(subject)
        assert {name.split("-")[0] for name in before} == {"main", "face"}
        with pytest.raises(DanceError) as caught:
            train(subject, TrainConfig(preset=COARSE_TO_FINE, steps=3, device="cpu"))
        assert caught.value.code == "other-training"
        assert "preset (debug, now coarse-to-fine)" in caught.value.message
        assert files(subject) == before

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"seed": 3}, "seed (0, now 3)"),
            ({"temporal": False}, "--no-temporal (False, now True)"),
            ({"preset": replace(DEBUG, learning_rate=0.5)}, "preset.learning_rate (0.001, now 0.5)"),
            ({"preset": replace(DEBUG, refiner=replace(DEBUG.refiner, references=3))}, "preset.refiner.references"),
        ],
    )
    def test_what_differs_is_named(self, subject: Subject, change: dict[str, object], named: str) -> None:
        train(subject, debug(2))
        before = files(subject)
        with pytest.raises(DanceError) as caught:
            train(subject, replace(debug(2), **change))  # type: ignore[arg-type]
        assert caught.value.code == "other-training"
        assert named in caught.value.message
        assert files(subject) == before

    def test_restart_says_what_it_removes(self, subject: Subject, findings: list[Finding]) -> None:
        train(subject, debug(2))
        names = list(files(subject))
        train(subject, replace(debug(1), seed=3), begin_again=True)
        said = next(finding.message for finding in findings if finding.code == "restart")
        assert all(name in said for name in names)
        assert load_performer(subject.folder, "cpu").manifest.seed == 3

    def test_checkpoints_of_an_older_version_are_refused_and_kept(self, subject: Subject) -> None:
        train(subject, debug(2))
        path = paths(subject.folder / "training", "main")[-1]
        with safetensors.safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            header = file.metadata()["position"].replace('"version": 3', '"version": 2')
        safetensors.torch.save_file(tensors, path, {"position": header})
        before = files(subject)
        with pytest.raises(DanceError) as caught:
            train(subject, debug(2))
        assert caught.value.code == "older-version"
        assert "--restart" in caught.value.message
        assert files(subject) == before


class TestRefiners:
    def test_one_fitted_to_an_older_generator_is_not_used(self, subject: Subject) -> None:
        train(subject, debug(6))
        train(subject, debug(12, refine=()))
        assert not load_performer(subject.folder, "cpu").refiners
        taken: list[tuple[str, int]] = []
        refined = train(subject, debug(12), on_progress=lambda at: taken.append((at.stage, at.step)))
        # The generator has its 12 steps; the refiner begins anew, and the old one's checkpoint is superseded.
        assert taken == [("face", 1), ("face", 2)]
        (only,) = paths(subject.folder / "training", "face")
        found = checkpoint.newest(subject.folder / "training", "face")
        assert found is not None
        assert found == (only, found[1])
        assert found[1].base == checkpoint.weights_hash(refined.painter)

    def test_a_working_face_stays_until_its_successor_is_whole(self, subject: Subject) -> None:
        train(subject, debug(6))

        def stop(progress: loop.TrainingProgress) -> None:
            if progress.stage == "face":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(subject, debug(20), on_progress=stop)
        assert list(load_performer(subject.folder, "cpu").refiners) == ["face"]

    def test_the_first_model_dances_before_its_face_is_done(self, subject: Subject) -> None:
        def stop(progress: loop.TrainingProgress) -> None:
            if progress.stage == "face":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(subject, debug(6), on_progress=stop)
        assert not load_performer(subject.folder, "cpu").refiners


class TestInterrupts:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_in_the_middle_of_a_step_it_waits_for_the_end_of_it(
        self, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole, parts = make_subject(tmp_path / "whole"), make_subject(tmp_path / "parts")
        expected = train(whole, debug(8, refine=()))
        learn, calls = Adversary.learn, 0

        def interrupted(self: Adversary, *arguments: object) -> torch.Tensor:
            nonlocal calls
            result = learn(self, *arguments)  # type: ignore[arg-type]
            calls += 1
            if calls == 2:
                signal.raise_signal(number)  # to this thread: one to the process may be late under load
            return result

        with monkeypatch.context() as patch:
            patch.setattr(Adversary, "learn", interrupted)
            with pytest.raises(KeyboardInterrupt):
                train(parts, debug(8, refine=()))
        resumed = train(parts, debug(8, refine=()))
        for name, value in expected.painter.state_dict().items():
            assert torch.equal(value, resumed.painter.state_dict()[name]), name

    def test_twice_it_stops_at_once_and_saves_no_half_step(
        self, subject: Subject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def twice(self: Adversary, *arguments: object) -> torch.Tensor:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("it went on")

        monkeypatch.setattr(Adversary, "learn", twice)
        with pytest.raises(KeyboardInterrupt):
            train(subject, debug(8, refine=()))
        assert not files(subject)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def test_cancelled_from_outside_it_is_saved(self, subject: Subject) -> None:
        cancellation = Cancellation()

        def progress(at: loop.TrainingProgress) -> None:
            if at.step == 3:
                cancellation.request()
            cancellation.check()

        with listening(None, cancellation), pytest.raises(Cancelled):
            train(subject, debug(8, refine=()), on_progress=progress)
        assert checkpoint.newest(subject.folder / "training", "main")[1].step == 3  # type: ignore[index]


class TestCheckpoints:
    def test_a_flipped_bit_falls_back_to_the_one_before(self, subject: Subject, findings: list[Finding]) -> None:
        train(subject, debug(2, refine=()))
        train(subject, debug(4, refine=()))
        newest = paths(subject.folder / "training", "main")[-1]
        data = bytearray(newest.read_bytes())
        data[-100] ^= 0x10
        newest.write_bytes(data)
        taken: list[int] = []
        train(subject, debug(4, refine=()), on_progress=lambda at: taken.append(at.step))
        assert taken == [3, 4]
        assert any(finding.code == "damaged-checkpoint" for finding in findings)

    def test_weights_that_are_no_numbers_are_not_saved(self, tmp_path: Path) -> None:
        network = torch.nn.Linear(2, 2)
        torch.nn.init.constant_(network.weight, float("nan"))
        with pytest.raises(DanceError) as caught:
            checkpoint.save(tmp_path, Position("main", 1, 2, None), {"painter": network}, {})
        assert caught.value.code == "diverged"
        assert not list(tmp_path.iterdir())


class TestShortRuns:
    @pytest.mark.parametrize("length", [2, 3])
    @pytest.mark.parametrize("preset", [DEBUG, replace(DEBUG, variety=AS_FILMED)])
    def test_footage_in_which_the_person_comes_and_goes_trains(
        self, tmp_path: Path, length: int, preset: Preset
    ) -> None:
        subject = make_subject(tmp_path / "s", 80)
        confidence = subject.keypoints.confidence.copy()
        confidence[np.arange(80) % (length + 1) == length] = 0
        subject.keypoints = replace(subject.keypoints, confidence=confidence)
        data = training_dataset(subject, preset, 0, Group())
        assert data.sample(0, 2).history == 0
        train(subject, TrainConfig(preset=preset, steps=6, device="cpu"))


def test_crops_reach_the_last_column() -> None:
    """Of a frame whose width is no multiple of the stride: 910 - 192 is 718, and 704 + 192 leaves 14 columns out."""
    keypoints = replace(swaying(1), size=(910, 512))
    keypoints.xy[..., 0] += 905 - keypoints.xy[..., 0].max()
    drawer = ViewDrawer(keypoints, [Box(0, 0, 512, 512)], 192, AS_FILMED)
    random = np.random.default_rng(0)
    boxes = [drawer.of_person(random, 0, 5, 1).box for _ in range(50)]
    assert max(box.x + box.width for box in boxes) >= 910
    assert all(box.x % 16 == 0 for box in boxes)
