"""Everything that is measured beyond likeness: limits, flicker, poses found again, the ablation, features."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from everybody_dance.drawing.region import body_height
from everybody_dance.drawing.window import Box, whole_frame
from everybody_dance.evaluation.ablation import VARIANTS, ablate, difference_interval, markdown, table
from everybody_dance.evaluation.features import VGGDistance
from everybody_dance.evaluation.full import figures, full_scores
from everybody_dance.evaluation.limits import at_speed, shaken
from everybody_dance.evaluation.metrics import (
    compare_all,
    flicker,
)
from everybody_dance.evaluation.pose_distance import Redetected, pose_distance
from everybody_dance.keypoints import FACE, LEFT_HAND, Joint
from everybody_dance.networks.vgg import VGG19Features
from everybody_dance.performer.performer import Performer
from everybody_dance.retarget.likeness import UNLIKE, unlike_frames
from everybody_dance.training.loop import train
from everybody_dance.training.presets import PRESETS
from subjects import SIZE, make_subject, picture, swaying, wall


class TestLimits:
    def test_noise_is_a_share_of_the_body_height(self) -> None:
        dance = swaying(200)
        noisy = shaken(dance, deviation=0.02)
        height = float(np.median(body_height(dance.xy, dance.confidence)))
        assert (noisy.xy - dance.xy).std() == pytest.approx(0.02 * height, rel=0.05)
        assert np.array_equal(noisy.confidence, dance.confidence)
        assert np.array_equal(shaken(dance).xy, dance.xy)

    def test_joints_are_lost(self) -> None:
        dance = swaying(200)
        assert shaken(dance, missing=0.3).found.mean() == pytest.approx(0.7, abs=0.02)

    def test_faster_skips_and_slower_fills(self) -> None:
        dance = swaying(9)
        double, frames, of = at_speed(dance, 2)
        assert np.array_equal(double.xy, dance.xy[::2])
        assert (frames.tolist(), of.tolist()) == ([0, 1, 2, 3, 4], [0, 2, 4, 6, 8])
        half, frames, of = at_speed(dance, 0.5)
        assert len(half) == 17
        assert np.allclose(half.xy[3], (dance.xy[1] + dance.xy[2]) / 2)
        assert (frames.tolist(), of.tolist()) == (list(range(0, 17, 2)), list(range(9)))


class TestFlicker:
    def test_what_moves_as_the_truth_does_has_none(self) -> None:
        truth = [wall(), np.roll(wall(), 3, axis=1)]
        darker = [(frame * 0.5).astype(np.uint8) for frame in truth]
        whole = [whole_frame(SIZE), None]
        same = flicker(truth[1], truth[0], truth[1], truth[0], whole)
        assert same[0] == 0
        assert np.isnan(same[1])
        still = flicker(truth[0], truth[0], truth[1], truth[0], whole)[0]
        change = np.abs(truth[1].astype(float) - truth[0]).mean()
        assert still == pytest.approx(change, rel=1e-5)
        assert flicker(darker[1], darker[0], truth[1], truth[0], whole)[0] == pytest.approx(change / 2, rel=0.1)

    def test_none_at_the_beginning_and_at_cuts(self) -> None:
        keypoints = swaying(4)
        frames = [picture(keypoints, index) for index in range(4)]
        scores = compare_all({"result": frames}, frames, keypoints, cuts=[2])["result"]["body"]["flicker"]
        assert np.isfinite(scores).tolist() == [False, True, False, True]
        assert scores[1] == scores[3] == 0


class TestPoseDistance:
    def test_by_hand(self) -> None:
        wanted = swaying(3)
        xy = wanted.xy.copy()
        xy[0, 4] += (3, 4)  # a wrist 5 pixels off
        xy[1, LEFT_HAND] += (0, 2)
        confidence = wanted.confidence.copy()
        confidence[2, FACE] = 0
        scores = pose_distance(replace(wanted, xy=xy, confidence=confidence), wanted)
        assert scores["body"].pixels == pytest.approx([5 / 23, 0, 0], abs=1e-5)
        assert scores["hands"].pixels == pytest.approx([0, 1, 0], abs=1e-5)
        assert scores["all"].pixels[1] == pytest.approx(2 * 21 / 135, abs=1e-5)
        assert np.isnan(scores["face"].pixels[2])
        assert scores["face"].missed.tolist() == [0, 0, 70]
        height = float(np.median(body_height(wanted.xy, wanted.confidence)))
        assert scores["body"].percent[0] == pytest.approx(100 * 5 / 23 / height)

    def test_heels_and_what_was_not_asked_for_do_not_count(self) -> None:
        wanted = swaying(2)
        confidence = wanted.confidence.copy()
        confidence[:, [Joint.LEFT_HEEL, Joint.LEFT_EAR]] = 0
        fewer = replace(wanted, confidence=confidence)
        assert pose_distance(fewer, wanted)["body"].missed.tolist() == [1, 1]
        assert pose_distance(wanted, fewer)["body"].missed.tolist() == [0, 0]

    def test_frames_pass_through_unchanged(self) -> None:
        keypoints = swaying(3)
        frames = [picture(keypoints, index) for index in range(3)]

        class Finds:
            def __init__(self) -> None:
                self.calls = 0

            def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
                self.calls += 1
                return keypoints.xy[self.calls - 1], keypoints.confidence[self.calls - 1]

            def close(self) -> None:
                self.calls = -1

        passing = Redetected(frames, Finds(), keypoints)
        assert all(one is other for one, other in zip(passing, frames, strict=True))
        assert np.array_equal(passing.keypoints.xy, keypoints.xy)


def test_everything_in_one_pass(tmp_path: Path) -> None:
    subject = make_subject(tmp_path / "s")
    performer = train(subject, PRESETS["debug"], steps=2)

    class Blind:
        def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return np.zeros((137, 2), np.float32), np.zeros(137, np.float32)

        def close(self) -> None:
            pass

    found = figures(full_scores(subject, performer, detector=Blind))
    assert set(found) == {"result", "nearest_neighbor", "background"}
    assert set(found["result"]["body"]) == {"ssim", "psnr", "flicker"}
    assert found["result"]["body"]["ssim"].count == 4
    assert found["result"]["body"]["flicker"].count == 3
    assert found["nearest_neighbor"]["pose_all"]["missed"].mean == 135
    assert "pixels" not in found["result"]["pose_body"]
    assert "pose_body" not in found["background"]


class TestAblation:
    def test_an_interval_by_hand(self) -> None:
        better, worse = np.full(60, 0.9), np.full(60, 0.8)
        assert difference_interval([better], [worse], block=10) == pytest.approx((0.1, 0.1, 0.1))
        random = np.random.default_rng(0)
        noise = [random.normal(0, 1, 300) for _ in range(4)]
        change, low, high = difference_interval(noise[:2], noise[2:], block=10)
        assert low < change < high
        assert low < 0 < high
        assert 0.1 < high - low < 0.6

    def test_frames_without_a_score_do_not_count(self) -> None:
        one = np.array([np.nan, 1.0, 1.0, np.nan])
        assert difference_interval([one], [np.zeros(4)], block=2)[0] == 1
        assert np.isnan(difference_interval([np.full(4, np.nan)], [one], block=2)[0])

    def test_the_variants_share_what_the_paper_shares(self, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "s")
        scores = ablate(subject, PRESETS["debug"], 8, [0])
        assert list(scores) == list(VARIANTS)
        for variant in ("frame-by-frame", "full"):
            manifest = Performer.load(subject.folder / "ablation" / "seed-0" / variant, "cpu").manifest
            assert manifest.steps == 8
            assert manifest.previous_frame == (variant == "full")
            assert list(manifest.refiners) == (["face"] if variant == "full" else [])
        rows = table(scores, block=2)
        assert ("body", "ssim") in [(row.region, row.metric) for row in rows]
        text = markdown(rows)
        assert "0.89564, 0.89597, 0.89807" in text
        assert text.count("\n") == len(rows) + 2
        assert not (subject.folder / "model").exists()


def test_what_is_unlike_anything_filmed() -> None:
    filmed = swaying(20)
    assert not unlike_frames(filmed, filmed).any()
    xy = filmed.xy[:3].copy()
    height = float(np.median(body_height(filmed.xy, filmed.confidence)))
    xy[1, 1:8] += 3 * UNLIKE * height  # the whole upper body is elsewhere
    dance = replace(filmed[:3], xy=xy)
    assert unlike_frames(dance, filmed).tolist() == [False, True, False]
    assert unlike_frames(dance, filmed[:0]).all()


def test_vgg_distance(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = tmp_path / "vgg.safetensors"
    network = VGG19Features(5)
    safetensors.torch.save_file(
        {f"features.{name}": value for name, value in network.features.state_dict().items()}, weights
    )
    distance = VGGDistance(weights, torch.device("cpu"))
    keypoints = swaying(8)
    truth, other = picture(keypoints, 0), picture(keypoints, 7)
    boxes = [Box(30, 30, 48, 64), whole_frame(SIZE), None, Box(0, 0, 8, 40)]
    same, different = distance(truth, truth, boxes), distance(other, truth, boxes)
    assert same[0] == 0
    assert different[0] > 0
    assert np.isnan(different[1:]).all()
    # The features of the true frame are kept, and not mistaken for another's.
    assert distance(truth, other, boxes)[0] == pytest.approx(different[0], rel=1e-3)
