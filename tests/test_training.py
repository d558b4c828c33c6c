"""Training: what is drawn, what is learnt, and that stopping and going on changes nothing."""

import dataclasses
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from everybody_dance.drawing.pose_image import PoseImage
from everybody_dance.drawing.window import person_windows
from everybody_dance.errors import DanceError, UsageError
from everybody_dance.images import Box
from everybody_dance.performer.model_files import load_performer
from everybody_dance.performer.performer import Performer
from everybody_dance.subject.subject import Subject
from everybody_dance.training import checkpoint, loop
from everybody_dance.training.config import TrainConfig
from everybody_dance.training.generator_steps import Trainer
from everybody_dance.training.loop import TrainingProgress
from everybody_dance.training.presets import AS_FILMED, PRESETS, Preset, Variety
from everybody_dance.training.samples import PairDataset, Sample
from subjects import SIZE, make_subject, picture

DEBUG = PRESETS["debug"]
TINY_PAPER = dataclasses.replace(
    PRESETS["paper-512"],
    name="tiny-paper",
    arguments={"width": 4, "downsamplings": 2, "blocks": 1},
    discriminator_width=4,
    discriminator_scales=2,
    frame_area=64 * 64,
)


def train(subject: Subject, config: TrainConfig, **options: Any) -> Performer:
    """The generator alone, so that every step is its own."""
    return loop.train(subject, replace(config, refine=()), **options)


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return make_subject(tmp_path / "subject")


@pytest.fixture(autouse=True)
def same_threads() -> None:
    torch.set_num_threads(1)


def dataset(subject: Subject, seed: int = 0, variety: Variety = AS_FILMED) -> PairDataset:
    return PairDataset(
        subject, replace(PRESETS["debug"], person_window=True, crop=0, patch=64, variety=variety), batch=2, seed=seed
    )


class TestSamples:
    def test_a_sample_depends_on_seed_and_step_alone(self, subject: Subject) -> None:
        first, second = dataset(subject), dataset(subject)
        second.sample(3, 1)
        for name in ("poses", "start", "before", "frames", "plate", "region"):
            assert np.array_equal(getattr(first.sample(7, 2), name), getattr(second.sample(7, 2), name))
        assert not np.array_equal(first.sample(7, 2).frames, first.sample(8, 2).frames)
        assert not np.array_equal(first.sample(7, 2).frames, dataset(subject, seed=1).sample(7, 2).frames)

    def test_held_out_frames_are_never_read(self, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
        read: set[int] = set()
        true_frame = subject.frame
        monkeypatch.setattr(subject, "frame", lambda index: (read.add(index), true_frame(index))[1])
        data = dataset(subject)
        for step in range(60):
            data.sample(step, step % 4)
        assert read <= set(subject.training_frames.tolist())
        assert len(read) > 30

    def test_everything_is_cut_with_one_box(self, subject: Subject) -> None:
        sample = dataset(subject).sample(0, 0)
        # Outside the person, the frame, the frame before and the plate show the same wall at the same place.
        calm = (sample.region[:, 0] == 0)[..., None]
        for frames in (sample.frames, sample.before, sample.start):
            difference = np.abs(frames.astype(int) - sample.plate)[np.broadcast_to(calm, frames.shape)]
            assert np.median(difference) <= 3

    def test_rollout_brings_its_poses(self, subject: Subject) -> None:
        data = dataset(subject)
        assert data.sample(0, 0).poses.shape[1] == 2
        assert data.sample(0, 3).poses.shape[1] == 4

    def test_in_a_mirror_everything_is_flipped_but_the_figure_is_drawn_anew(self, subject: Subject) -> None:
        mirrored = dataset(subject, variety=Variety(mirrored=1)).sample(3, 1)
        plain = dataset(subject, variety=Variety(mirrored=1e-9)).sample(3, 1)
        for name in ("start", "before", "frames", "plate"):
            assert np.array_equal(getattr(mirrored, name), getattr(plain, name)[:, :, ::-1]), name
        for name in ("region", "reach"):
            assert np.array_equal(getattr(mirrored, name), getattr(plain, name)[..., ::-1]), name
        # The figure covers the same place, its colours have changed sides.
        covered, flipped = mirrored.poses.max(-1) > 0, plain.poses.max(-1)[..., ::-1] > 0
        assert (covered != flipped).mean() < 0.01
        assert not np.array_equal(mirrored.poses, plain.poses[..., ::-1, :])

    def test_time_may_run_slower_or_faster(self, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
        data = dataset(subject, variety=Variety(longest_gap=3))
        monkeypatch.setattr(data, "frame", lambda index: np.full((*SIZE[::-1], 3), index, np.uint8))
        samples = [data.sample(step, step % 3) for step in range(60)]
        gaps = {int(gap) for sample in samples for gap in (sample.frames - sample.before)[:, 0, 0, 0]}
        assert gaps == {0, 1, 2, 3}
        for step, sample in enumerate(samples):
            gap = (sample.frames - sample.before)[:, 0, 0, 0]
            assert np.array_equal((sample.frames - sample.start)[:, 0, 0, 0], gap * (step % 3 + 1))

    def test_the_generator_is_shown_the_plate_of_another_place(self, subject: Subject) -> None:
        small = replace(DEBUG, crop=64, patch=0, variety=AS_FILMED)
        here = PairDataset(subject, small, batch=2, seed=0).sample(5, 0)
        away = PairDataset(subject, replace(small, variety=Variety(elsewhere=1)), batch=2, seed=0).sample(5, 0)
        assert np.array_equal(here.shown[:, 0], here.plate)
        assert np.array_equal(here.shown[:, 1], here.plate)
        assert not np.array_equal(away.shown[:, -1], away.plate)
        windows = np.lib.stride_tricks.sliding_window_view(subject.plate, (64, 64, 3)).reshape(-1, 64, 64, 3)
        assert all((windows == shown).all((1, 2, 3)).any() for shown in away.shown[:, -1])

    def test_joints_are_missed_in_all_poses_of_a_sample(self, subject: Subject) -> None:
        some = [dataset(subject, variety=Variety(missing=share)).sample(4, 2) for share in (1e-9, 1)]
        drawn = [(sample.poses.max(-1) > 0).sum((2, 3)) for sample in some]  # (B, N)
        assert (drawn[1] <= drawn[0]).all()
        assert (drawn[1] < drawn[0]).any()
        assert np.array_equal(some[0].frames, some[1].frames)


def drawn(subject: Subject, index: int) -> PoseImage:
    """The pose of one frame, drawn."""
    return PoseImage(subject.keypoints.pose(index), subject.manifest.size[1])


def window_of(performer: Performer, subject: Subject) -> list[Box]:
    """The windows of the training."""
    assert performer.manifest.window is not None
    return person_windows(subject.keypoints, performer.runtime.stride, at_least=performer.manifest.window)


class TestTraining:
    def test_it_learns(self, subject: Subject) -> None:
        performer = train(subject, TrainConfig(preset=dataclasses.replace(DEBUG, previous_frame=False), steps=150))
        index = 20
        box = window_of(performer, subject)[index]
        painted = performer.step(drawn(subject, index), box, None, performer.tracks(25)).frame
        truth = picture(subject.keypoints, index).astype(float)
        error, of_the_wall = (np.abs(image - truth).mean() for image in (painted, subject.plate))
        assert error < 0.6 * of_the_wall

    @pytest.mark.parametrize("preset", [DEBUG, TINY_PAPER], ids=["debug", "paper"])
    def test_resumed_equals_uninterrupted(self, tmp_path: Path, preset: Preset) -> None:
        whole = make_subject(tmp_path / "whole")
        parts = make_subject(tmp_path / "parts")
        expected = train(whole, TrainConfig(preset=preset, steps=8))

        def stop(progress: object) -> None:
            if progress.step == 5:  # type: ignore[attr-defined]
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(parts, TrainConfig(preset=preset, steps=8), on_progress=stop)
        assert checkpoint.newest(parts.folder / "training", "main")[1].step == 5  # type: ignore[index]
        resumed = train(parts, TrainConfig(preset=preset, steps=8))
        assert resumed.manifest.steps == expected.manifest.steps == 8
        for name, value in expected.painter.state_dict().items():
            assert torch.equal(value, resumed.painter.state_dict()[name]), name

    def test_a_finished_training_is_not_repeated(self, subject: Subject) -> None:
        train(subject, TrainConfig(preset=DEBUG, steps=2))
        taken: list[object] = []
        train(subject, TrainConfig(preset=DEBUG, steps=2), on_progress=taken.append)
        assert not taken

    def test_minutes_become_a_step_budget_that_is_kept(self, subject: Subject) -> None:
        train(subject, TrainConfig(preset=DEBUG, minutes=0.02))
        _, position = checkpoint.newest(subject.folder / "training", "main")  # type: ignore[misc]
        assert position.step == position.total_steps > 0
        taken: list[object] = []
        train(subject, TrainConfig(preset=DEBUG, minutes=0.02), on_progress=taken.append)
        assert not taken

    def test_a_second_training_on_the_folder_is_refused(self, subject: Subject) -> None:
        def again(progress: object) -> None:
            train(subject, TrainConfig(preset=DEBUG, steps=2))

        with pytest.raises(DanceError) as caught:
            train(subject, TrainConfig(preset=DEBUG, steps=2), on_progress=again)
        assert caught.value.code == "already-training"

    def test_another_preset_is_refused_and_restart_begins_again(self, subject: Subject) -> None:
        train(subject, TrainConfig(preset=DEBUG, steps=2))
        with pytest.raises(DanceError) as caught:
            train(subject, TrainConfig(preset=TINY_PAPER, steps=2))
        assert caught.value.code == "other-training"
        assert train(subject, TrainConfig(preset=TINY_PAPER, steps=1), begin_again=True).manifest.preset == "tiny-paper"

    def test_steps_and_minutes_exclude_each_other(self, subject: Subject) -> None:
        with pytest.raises(UsageError):
            train(subject, TrainConfig(preset=DEBUG, steps=2, minutes=1))

    def test_what_it_leaves_behind(self, subject: Subject) -> None:
        seen: list[TrainingProgress] = []
        train(subject, TrainConfig(preset=DEBUG, steps=20), on_progress=seen.append)
        everything = [json.loads(line) for line in (subject.folder / "training" / "log.jsonl").read_text().splitlines()]
        likenesses = [line["likeness"] for line in everything if "likeness" in line]
        assert len(likenesses) == 7  # every third step, and after the first 20
        assert all(-1 <= likeness <= 1 for likeness in likenesses)
        assert seen[0].likeness is None
        assert seen[-1].likeness == pytest.approx(likenesses[-1], abs=1e-6)
        lines = [line for line in everything if "likeness" not in line]
        assert [line["step"] for line in lines] == [10, 20]
        assert {line["stage"] for line in lines} == {"main"}
        assert {"total", "steps per second", "reconstruction", "pyramid", "adversarial", "discriminator"} <= set(
            lines[1]
        )
        assert len(list((subject.folder / "training" / "previews").iterdir())) == 7
        assert len(list((subject.folder / "training").glob("main-*"))) == 1

    def test_every_trained_parameter_gets_a_gradient(self, subject: Subject) -> None:
        trained = train(subject, TrainConfig(preset=DEBUG, steps=12))
        torch.manual_seed(0)
        fresh = train(make_subject(subject.folder / "fresh"), TrainConfig(preset=DEBUG, steps=1))
        changed = [
            name
            for name, value in trained.painter.state_dict().items()
            if not torch.equal(value, fresh.painter.state_dict()[name])
        ]
        assert len(changed) == len(trained.painter.state_dict())

    @pytest.mark.parametrize("times", [1, 2])
    def test_a_gpu_that_is_too_small_gets_half_a_batch_once(
        self, subject: Subject, monkeypatch: pytest.MonkeyPatch, times: int
    ) -> None:
        sizes: list[int] = []
        step = Trainer.step

        def too_much(self: Trainer, sample: Sample, *rest: int) -> dict[str, float]:
            sizes.append(len(sample.frames))
            if len(sizes) <= times:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return step(self, sample, *rest)

        monkeypatch.setattr(Trainer, "step", too_much)
        if times == 2:
            with pytest.raises(torch.OutOfMemoryError):
                train(subject, TrainConfig(preset=DEBUG, steps=2))
        else:
            train(subject, TrainConfig(preset=DEBUG, steps=2))
            assert sizes == [4, 2, 2]

    def test_a_loss_that_is_no_number_stops_with_the_last_checkpoint(
        self, subject: Subject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
        monkeypatch.setattr(loop, "CHECKPOINT_SHARE", 1e9)
        step = Trainer.step

        def breaks(self: Trainer, sample: Sample, index: int, total: int) -> dict[str, float]:
            return step(self, sample, index, total) | ({"total": float("nan")} if index == 4 else {})

        monkeypatch.setattr(Trainer, "step", breaks)
        with pytest.raises(DanceError) as caught:
            train(subject, TrainConfig(preset=DEBUG, steps=9))
        assert caught.value.code == "diverged"
        assert checkpoint.newest(subject.folder / "training", "main")[1].step == 4  # type: ignore[index]

    def test_tensorboard_where_it_is_installed(self, subject: Subject) -> None:
        pytest.importorskip("tensorboard")
        train(subject, TrainConfig(preset=DEBUG, steps=10))
        (written,) = (subject.folder / "training" / "tensorboard" / "main").iterdir()
        content = written.read_bytes()
        assert b"reconstruction" in content
        assert b"preview" in content

    def test_previews_show_footage_that_was_kept_back(self, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
        read: set[int] = set()
        true_frame = subject.frame
        monkeypatch.setattr(subject, "frame", lambda index: (read.add(index), true_frame(index))[1])
        train(subject, TrainConfig(preset=DEBUG, steps=1))
        assert read & set(subject.holdout_frames.tolist())


class TestCheckpoints:
    def test_a_truncated_newest_checkpoint_falls_back(self, subject: Subject) -> None:
        train(subject, TrainConfig(preset=DEBUG, steps=2))
        train(subject, TrainConfig(preset=DEBUG, steps=4))
        folder = subject.folder / "training"
        newest, _ = checkpoint.newest(folder, "main")  # type: ignore[misc]
        newest.write_bytes(newest.read_bytes()[:1000])
        path, position = checkpoint.newest(folder, "main")  # type: ignore[misc]
        assert position.step == 2
        path.write_bytes(b"nonsense")
        with pytest.raises(DanceError) as caught:
            checkpoint.newest(folder, "main")
        assert caught.value.code == "bad-checkpoint"


class TestPerformerFile:
    def test_saved_and_loaded_it_paints_the_same(self, subject: Subject) -> None:
        performer = train(subject, TrainConfig(preset=DEBUG, steps=2))
        loaded = load_performer(subject.folder, "cpu")
        box = window_of(performer, subject)[0]
        painted = [
            one.step(drawn(subject, 0), box, subject.frame(0), one.tracks(25)).frame for one in (performer, loaded)
        ]
        assert np.array_equal(*painted)
        assert loaded.manifest.window == (box.width, box.height)

    @pytest.mark.parametrize(
        "name", ["generator.*.safetensors", "poses.*.safetensors", "puppet.*.safetensors", "plate.*.png", "model.json"]
    )
    def test_a_flipped_bit_is_seen(self, subject: Subject, name: str) -> None:
        train(subject, TrainConfig(preset=DEBUG, steps=1))
        (path,) = (subject.folder / "model").glob(name)
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 0x80
        path.write_bytes(data)
        with pytest.raises(DanceError) as caught:
            load_performer(subject.folder / "model")
        assert caught.value.code == "bad-model"

    def test_of_versions_before_the_last_is_read_while_poses_are_drawn_alike(self, subject: Subject) -> None:
        expected = train(subject, TrainConfig(preset=dataclasses.replace(DEBUG, puppet=0), steps=1))
        path = subject.folder / "model" / "model.json"
        fields = json.loads(path.read_text())
        del fields["puppet"]
        path.write_text(json.dumps(fields | {"version": 3}))
        loaded = load_performer(subject.folder, "cpu")
        box = window_of(expected, subject)[0]
        painted = [one.step(drawn(subject, 0), box, None, one.tracks(25)).frame for one in (expected, loaded)]
        assert np.array_equal(*painted)
        path.write_text(json.dumps(fields | {"version": 2}))
        with pytest.raises(DanceError) as caught:
            load_performer(subject.folder)
        assert caught.value.code == "older-version"

    def test_none_and_newer(self, subject: Subject) -> None:
        with pytest.raises(DanceError) as caught:
            load_performer(subject.folder)
        assert caught.value.code == "no-model"
        train(subject, TrainConfig(preset=DEBUG, steps=1))
        path = subject.folder / "model" / "model.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
        with pytest.raises(DanceError) as caught:
            load_performer(subject.folder)
        assert caught.value.code == "newer-version"
