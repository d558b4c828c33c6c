"""Face GAN and hands: crops that stay in the frame, residuals without seams, stages that build on each other."""

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from everybody_dance.drawing.crops import crop_side, part_crops
from everybody_dance.drawing.pose_image import PoseImage
from everybody_dance.errors import DanceError
from everybody_dance.keypoints import Keypoints, Pose
from everybody_dance.networks.face_gan import MASK_START, Refiner, fade
from everybody_dance.networks.pix2pixhd import GlobalGenerator, LocalEnhancer
from everybody_dance.performer.manifest import RefinerManifest
from everybody_dance.performer.model_files import load_performer
from everybody_dance.skeleton import LEFT_HAND, RIGHT_HAND, Joint
from everybody_dance.subject.subject import Subject
from everybody_dance.synthesis.clip import dance_clip, frames
from everybody_dance.training import checkpoint
from everybody_dance.training.config import TrainConfig
from everybody_dance.training.loop import train
from everybody_dance.training.presets import PRESETS, Variety, frame_by_frame, stages
from everybody_dance.training.samples import PairDataset
from everybody_dance.training.setup import parts_worth_refining
from figures import FPS, clip, standing
from subjects import SIZE, make_subject

DEBUG = PRESETS["debug"]
TINY = {
    "discriminator_width": 4,
    "discriminator_scales": 2,
    "refiner": dataclasses.replace(DEBUG.refiner, share=5),
}


@pytest.fixture(autouse=True)
def same_threads() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return make_subject(tmp_path / "subject")


class TestCrops:
    @given(
        x=st.floats(-50, 250),
        y=st.floats(-50, 150),
        side=st.integers(2, 6).map(lambda steps: 16 * steps),
        part=st.sampled_from(["face", "hands"]),
    )
    def test_a_crop_is_a_square_inside_the_frame(self, x: float, y: float, side: int, part: Any) -> None:
        for crop in part_crops(Pose(standing(x, y, 80), np.ones(137, np.float32)), part, side, (200, 100)):
            box = crop.box
            assert box.width == box.height == side
            assert 0 <= box.x <= 200 - side
            assert 0 <= box.y <= 100 - side

    def test_it_lies_around_its_part(self) -> None:
        xy, confidence = np.zeros((137, 2), np.float32), np.zeros(137, np.float32)
        xy[Joint.NOSE], xy[Joint.LEFT_EAR] = (100, 40), (110, 50)
        xy[LEFT_HAND], xy[RIGHT_HAND] = (150, 80), (50, 80)
        confidence[[Joint.NOSE, Joint.LEFT_EAR]] = confidence[LEFT_HAND] = 1
        (face,) = part_crops(Pose(xy, confidence), "face", 32, (200, 100))
        assert (face.box.x, face.box.y) == (105 - 16, 45 - 16)
        (hand,) = part_crops(Pose(xy, confidence), "hands", 32, (200, 100))
        assert (hand.box.x, hand.box.y, hand.group) == (150 - 16, 80 - 16, 0)

    def test_a_hand_outside_the_frame_has_none(self) -> None:
        xy, confidence = np.zeros((137, 2), np.float32), np.ones(137, np.float32)
        xy[LEFT_HAND], xy[RIGHT_HAND] = (150, -20), (50, -20)
        xy[RIGHT_HAND.start + 1] = (50, 3)
        (hand,) = part_crops(Pose(xy, confidence), "hands", 32, (200, 100))
        assert (hand.box.x, hand.box.y, hand.group) == (50 - 16, 0, 1)

    def test_a_face_that_looks_away_has_none(self) -> None:
        xy, confidence = np.zeros((137, 2), np.float32), np.ones(137, np.float32)
        confidence[Joint.NOSE] = 0
        assert part_crops(Pose(xy, confidence), "face", 32, (200, 100)) == []

    def test_sides(self) -> None:
        tall = clip([standing(250, 480, 400)], size=(500, 500), fps=FPS)
        assert crop_side(tall, "face") == 112  # a quarter of 400 / 0.866, in steps of 16
        assert crop_side(tall, "hands") == 80
        assert crop_side(Keypoints.empty(3, (500, 500), FPS), "face") == 32
        assert crop_side(dataclasses.replace(tall, size=(500, 40)), "face") == 32


class TestRefiner:
    def test_untrained_it_changes_nothing(self) -> None:
        pose, picture = torch.rand(2, 2, 3, 32, 32) * 2 - 1
        assert torch.equal(Refiner(8, 2, 1)(pose, picture), picture)

    def test_untrained_it_lays_the_reference_over(self) -> None:
        pose, picture, reference = torch.rand(3, 2, 3, 32, 32) * 2 - 1
        refined = Refiner(8, 2, 1, references=1)(pose, picture, reference)
        share = 1 / (1 + np.exp(-MASK_START))
        expected = (1 - share) * picture + share * reference
        assert torch.allclose(refined[..., 16, 16], expected[..., 16, 16], atol=1e-5)
        # Nothing of it at the rim.
        assert torch.allclose(refined[..., 0, :], picture[..., 0, :], atol=0.05)

    def test_references_are_given_or_not(self) -> None:
        images = torch.zeros(1, 3, 32, 32)
        with pytest.raises(ValueError, match="1 references"):
            Refiner(4, 2, 1, references=1)(images, images)
        with pytest.raises(ValueError, match="0 references"):
            Refiner(4, 2, 1)(images, images, images)
        with pytest.raises(ValueError, match="not 2"):
            Refiner(4, 2, 1, references=2)

    def test_the_papers_size(self) -> None:
        with torch.device("meta"):
            assert sum(p.numel() for p in Refiner().parameters()) == 26_724_291

    def test_the_residual_fades_towards_the_edges(self) -> None:
        weight = fade(64, 64, torch.device("cpu"))
        assert weight[32, 32] == 1
        assert weight[0].max() < 0.02
        assert weight[:, 0].max() < 0.02
        assert torch.equal(weight, weight.T)
        assert (weight[32, :9].diff() >= 0).all()


class TestLocalEnhancer:
    def test_has_the_published_number_of_parameters(self) -> None:
        with torch.device("meta"):
            assert sum(p.numel() for p in LocalEnhancer(6).parameters()) == 182_715_939

    def test_takes_over_a_global_generator(self) -> None:
        torch.manual_seed(0)
        coarse = GlobalGenerator(6, width=8, downsamplings=2, blocks=1)
        local = LocalEnhancer(6, width=4, blocks=1, global_downsamplings=2, global_blocks=1)
        local.start_from(coarse)
        half = torch.rand(1, 6, 32, 48)
        assert torch.equal(local.coarse(half), coarse.layers[:-2](half))
        assert local(torch.rand(1, 6, 64, 96)).shape == (1, 3, 64, 96)

    def test_refuses_sides_it_cannot_halve(self) -> None:
        with pytest.raises(ValueError, match="multiples of 8"):
            LocalEnhancer(6, width=4, blocks=1, global_downsamplings=2, global_blocks=1)(torch.zeros(1, 6, 60, 64))


class TestStages:
    def test_shares(self) -> None:
        assert [stage.name for stage in stages(PRESETS["fast"], ["face", "hands"])] == ["main", "face", "hands"]
        paper = stages(PRESETS["paper-1024"], ["face"])
        assert [(stage.name, stage.epochs) for stage in paper] == [("global", 5), ("main", 30), ("face", 5)]
        assert sum(stage.share for stage in paper) == pytest.approx(1)
        assert paper[0].preset.architecture == "pix2pixhd"

    def test_frame_by_frame_holds_for_every_stage(self) -> None:
        for stage in stages(frame_by_frame(PRESETS["paper-1024"]), []):
            assert not stage.preset.previous_frame
            assert not stage.preset.through_both_frames


class TestSamples:
    @pytest.mark.parametrize("crop", [0, 64])
    def test_the_part_lies_whole_where_the_sample_says(self, subject: Subject, crop: int) -> None:
        data = PairDataset(
            subject,
            replace(
                PRESETS["debug"], person_window=True, crop=crop, patch=0, variety=Variety(mirrored=0.5, longest_gap=3)
            ),
            batch=3,
            seed=0,
        )
        side = data.part_side("face")
        for step in range(10):
            sample = data.sample(step, 1, "face")
            for pose, (x, y) in zip(sample.poses[:, -1], sample.corners, strict=True):
                assert 0 <= x <= pose.shape[1] - side
                assert 0 <= y <= pose.shape[0] - side
                # The head is in it: its lines are drawn there.
                inside = pose[y : y + side, x : x + side].max(-1) > 0
                assert inside[side // 4 : -side // 4, side // 4 : -side // 4].any()

    def test_hands_where_they_are_seen_well(self, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "s")
        small = parts_worth_refining(subject, PRESETS["fast"])
        assert small == ("face",)  # a hand of 16 pixels
        subject.keypoints.xy[...] *= 3
        assert parts_worth_refining(subject, PRESETS["fast"]) == ("face", "hands")
        assert parts_worth_refining(subject, PRESETS["paper-512"]) == ("face",)  # as published
        subject.keypoints.confidence[::4, LEFT_HAND] = 0
        subject.keypoints.confidence[:, RIGHT_HAND] = 0
        assert parts_worth_refining(subject, PRESETS["fast"]) == ("face", "hands")
        subject.keypoints.confidence[::2, LEFT_HAND] = 0
        assert parts_worth_refining(subject, PRESETS["fast"]) == ("face",)
        subject.keypoints.confidence[...] = 0
        assert parts_worth_refining(subject, PRESETS["fast"]) == ("face",)

    def test_a_part_that_is_never_seen(self, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "s")
        subject.keypoints.confidence[:, LEFT_HAND] = 0
        subject.keypoints.confidence[:, RIGHT_HAND] = 0
        performer = train(
            subject,
            TrainConfig(
                preset=DEBUG,
                steps=3,
                refine=(
                    "hands",
                    "face",
                ),
            ),
        )
        assert list(performer.refiners) == ["face"]
        assert list(load_performer(subject.folder, "cpu").refiners) == ["face"]


class TestTraining:
    def test_the_generator_is_frozen_and_all_of_the_refiner_learns(self, subject: Subject) -> None:
        alone = train(subject, TrainConfig(preset=DEBUG, steps=17, refine=()))
        both = train(subject, TrainConfig(preset=DEBUG, steps=20, refine=("face",)))
        assert both.manifest.steps == alone.manifest.steps == 17
        for name, value in alone.painter.state_dict().items():
            assert torch.equal(value, both.painter.state_dict()[name]), name
        moved = both.refiners["face"].state_dict()
        fresh = (
            train(make_subject(subject.folder / "f"), TrainConfig(preset=DEBUG, steps=1, refine=("face",)))
            .refiners["face"]
            .state_dict()
        )
        assert [name for name in moved if torch.equal(moved[name], fresh[name])] == []

    def test_resumed_in_the_face_stage_equals_uninterrupted(self, tmp_path: Path) -> None:
        expected = train(make_subject(tmp_path / "whole"), TrainConfig(preset=DEBUG, steps=40))
        parts = make_subject(tmp_path / "parts")

        def stop(progress: Any) -> None:
            if progress.stage == "face" and progress.step == 4:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(parts, TrainConfig(preset=DEBUG, steps=40), on_progress=stop)
        resumed = train(parts, TrainConfig(preset=DEBUG, steps=40))
        for name, value in expected.refiners["face"].state_dict().items():
            assert torch.equal(value, resumed.refiners["face"].state_dict()[name]), name

    def test_a_stage_begins_anew_where_the_one_before_trained_on(self, subject: Subject) -> None:
        train(subject, TrainConfig(preset=DEBUG, steps=20))
        seen: list[tuple[str, int]] = []
        train(subject, TrainConfig(preset=DEBUG, steps=40), on_progress=lambda at: seen.append((at.stage, at.step)))
        assert seen[0] == ("main", 18)
        assert ("face", 1) in seen

    def test_coarse_to_fine(self, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
        arguments = {"width": 8, "downsamplings": 2, "blocks": 1}
        small = dataclasses.replace(PRESETS["paper-512"], arguments=arguments, frame_area=64 * 64, **TINY)
        monkeypatch.setitem(PRESETS, "paper-512", small)
        large = dataclasses.replace(
            PRESETS["paper-1024"],
            arguments={"width": 4, "blocks": 1, "global_downsamplings": 2, "global_blocks": 1},
            frame_area=128 * 128,
            **TINY,
        )
        performer = train(subject, TrainConfig(preset=large, steps=8))
        assert performer.manifest.architecture == "pix2pixhd-local"
        assert performer.manifest.size == SIZE
        folder = subject.folder / "training"
        assert [checkpoint.newest(folder, name)[1].step for name in ("global", "main", "face")] == [1, 6, 1]  # type: ignore[index]


class TestPerformer:
    def test_only_the_crops_change(self, subject: Subject) -> None:
        performer = train(subject, TrainConfig(preset=DEBUG, steps=1, refine=()))
        refiner = Refiner(4, 2, 1).eval()
        torch.manual_seed(0)
        torch.nn.init.normal_(refiner.generator.layers[-1].weight, 0, 0.5)
        refined = performer.refined("face", RefinerManifest(side=32, arguments={}), refiner)
        pose, before = subject.keypoints.pose(0), subject.frame(0)
        after = refined.refine(before, PoseImage(pose, SIZE[1]), refined.tracks(25))
        box = part_crops(pose, "face", 32, SIZE)[0].box
        changed = (before != after).any(-1)
        assert changed[box.y : box.y + 32, box.x : box.x + 32].mean() > 0.5
        changed[box.y : box.y + 32, box.x : box.x + 32] = False
        assert not changed.any()

    def test_saved_loaded_and_taken_back(self, subject: Subject) -> None:
        trained = train(
            subject,
            TrainConfig(
                preset=DEBUG,
                steps=12,
                refine=(
                    "face",
                    "hands",
                ),
            ),
        )
        loaded = load_performer(subject.folder, "cpu")
        danced = [list(frames(dance_clip(performer, subject.keypoints[:3]))) for performer in (trained, loaded)]
        assert all(np.array_equal(one, other) for one, other in zip(*danced, strict=True))
        assert len(loaded.poses) == len(trained.poses) > 30
        assert np.array_equal(loaded.poses.xy, trained.poses.xy)
        kept, read = trained.crop_banks, loaded.crop_banks
        assert {part: len(references) for part, references in kept.items()} == {"face": 8, "hands": 8}
        assert all(np.array_equal(kept[part].images, read[part].images) for part in kept)
        train(subject, TrainConfig(preset=DEBUG, steps=12, refine=()))
        assert not load_performer(subject.folder, "cpu").refiners
        assert not list((subject.folder / "model").glob("face*"))

    def test_a_flipped_bit_in_a_refiner_is_seen(self, subject: Subject) -> None:
        train(subject, TrainConfig(preset=DEBUG, steps=2))
        (path,) = (subject.folder / "model").glob("face.*.safetensors")
        data = bytearray(path.read_bytes())
        data[-9] ^= 1
        path.write_bytes(data)
        with pytest.raises(DanceError) as caught:
            load_performer(subject.folder)
        assert caught.value.code == "bad-model"
