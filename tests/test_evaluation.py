"""Measuring: metrics against an independent reference, baselines that find what is there, drift that is seen."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from everybody_dance.drawing.region import body_height
from everybody_dance.drawing.window import Box, whole_frame
from everybody_dance.evaluation.ablation import VARIANTS, ablate, difference_interval, markdown, table
from everybody_dance.evaluation.baselines import NearestNeighbor, shifted
from everybody_dance.evaluation.boxes import body_boxes, face_boxes
from everybody_dance.evaluation.features import VGGDistance
from everybody_dance.evaluation.full import figures, full_scores
from everybody_dance.evaluation.limits import at_speed, shaken
from everybody_dance.evaluation.metrics import (
    BEST_PSNR,
    compare_all,
    compare_frames,
    flicker,
    psnr,
    spread,
    ssim,
    summary,
)
from everybody_dance.evaluation.normalization import placement_error
from everybody_dance.evaluation.pose_distance import Redetected, pose_distance
from everybody_dance.evaluation.self_reenactment import evaluate_held_out, held_out_frames
from everybody_dance.evaluation.steadiness import (
    LEAST_SIMILARITY,
    held_pose_similarity,
    memory_of_first_frame,
    repeated_passes,
)
from everybody_dance.keypoints import FACE, LEFT_HAND, Joint, Keypoints
from everybody_dance.networks.vgg import VGG19Features
from everybody_dance.performer.performer import Performer
from everybody_dance.retarget.likeness import MISSING, UNLIKE, pose_distances, unlike_frames
from everybody_dance.subject.manifest import Clip
from everybody_dance.training.loop import train
from everybody_dance.training.presets import PRESETS
from figures import clip, standing
from subjects import SIZE, make_subject, picture, swaying, wall


def noisy(seed: int, size: tuple[int, int] = (60, 48)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)


class TestMetrics:
    @pytest.mark.parametrize("box", [Box(0, 0, 60, 48), Box(7, 3, 30, 41), Box(20, 20, 11, 12)])
    def test_ssim_and_psnr_are_those_of_scikit_image(self, box: Box) -> None:
        truth = noisy(0)
        result = (0.7 * truth + 0.3 * noisy(1)).astype(np.uint8)
        mine, other = box.cut(result), box.cut(truth)
        expected = structural_similarity(
            mine, other, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=-1
        )
        assert ssim(result, truth, [box])[0] == pytest.approx(expected, abs=1e-6)
        assert psnr(result, truth, [box])[0] == pytest.approx(peak_signal_noise_ratio(other, mine, data_range=255))

    def test_equal_pictures_and_boxes_that_cannot_be_measured(self) -> None:
        image = noisy(0)
        boxes = [Box(0, 0, 60, 48), None, Box(0, 0, 10, 40)]
        assert ssim(image, image, boxes)[0] == pytest.approx(1)
        assert np.isnan(ssim(image, image, boxes)[1:]).all()
        assert psnr(image, image, boxes)[0] == BEST_PSNR
        assert np.isnan(psnr(image, image, boxes)[1])

    def test_scores_are_of_the_frames_that_have_the_region(self) -> None:
        keypoints = swaying(4)
        confidence = keypoints.confidence.copy()
        confidence[1, FACE] = 0
        confidence[2] = 0
        keypoints = replace(keypoints, confidence=confidence)
        truth = [picture(keypoints, index) for index in range(4)]
        result = [frame if index % 2 else 255 - frame for index, frame in enumerate(truth)]
        scores = compare_frames(result, truth, keypoints)
        found = spread(scores)
        assert {region: found[region]["ssim"].count for region in found} == {"body": 3, "face": 2, "frame": 4}
        assert scores["frame"]["psnr"][1] == BEST_PSNR
        assert summary(scores)["frame"]["ssim"] == pytest.approx(float(scores["frame"]["ssim"].mean()))

    def test_too_few_frames_and_other_sizes_are_refused(self) -> None:
        keypoints = swaying(3)
        truth = [picture(keypoints, index) for index in range(3)]
        with pytest.raises(ValueError):
            compare_all({"short": truth[:2]}, truth, keypoints)
        with pytest.raises(ValueError):
            compare_all({"small": [frame[:64] for frame in truth]}, truth, keypoints)


class TestBoxes:
    def test_the_body_box_reaches_a_tenth_of_the_height_past_the_joints(self) -> None:
        keypoints = clip([standing(320, 400, 200)])
        margin = 0.1 * float(body_height(keypoints.xy, keypoints.confidence)[0])
        low, high = keypoints.xy[0].min(axis=0) - margin, keypoints.xy[0].max(axis=0) + margin
        box = body_boxes(keypoints)[0]
        assert box is not None
        assert (box.x, box.y) == (int(np.floor(low[0])), int(np.floor(low[1])))
        assert (box.x + box.width, box.y + box.height) == (int(np.ceil(high[0])), int(np.ceil(high[1])))

    def test_boxes_stay_in_the_frame_and_need_somebody(self) -> None:
        keypoints = clip([standing(5, 478, 460), standing(320, 400, 200)])
        confidence = keypoints.confidence.copy()
        confidence[1] = 0
        keypoints = replace(keypoints, confidence=confidence)
        body, nobody = body_boxes(keypoints)
        assert body is not None
        assert body.x == 0
        assert body.y + body.height == 480
        assert nobody is None
        assert face_boxes(keypoints)[1] is None


class TestNearestNeighbor:
    def test_the_same_pose_elsewhere_is_found_and_moved_into_place(self) -> None:
        training = swaying(12)
        arms = training.xy.copy()
        arms[:, Joint.LEFT_WRIST, 1] -= np.arange(12) * 4  # every frame a pose of its own
        training = replace(training, xy=arms)
        wanted = [7, 2]
        queries = replace(
            training, xy=training.xy[wanted] + np.float32((5, -3)), confidence=training.confidence[wanted]
        )
        chosen = NearestNeighbor.choose(
            queries, training, np.arange(100, 112), wall(), lambda index: noisy(index, SIZE)
        )
        assert chosen.frames.tolist() == [107, 102]
        assert chosen.shifts.tolist() == [[5, -3], [5, -3]]
        first = next(iter(chosen))
        assert np.array_equal(first[:-3, 5:], noisy(107, SIZE)[3:, :-5])
        assert np.array_equal(first[:, :5], wall()[:, :5])

    def test_distance_by_hand(self) -> None:
        one = swaying(1)
        xy, confidence = one.xy.copy(), one.confidence.copy()
        height = float(body_height(xy, confidence)[0])
        xy[0, Joint.LEFT_WRIST, 0] += 0.5 * height
        confidence[0, Joint.NOSE] = 0
        other = replace(one, xy=xy, confidence=confidence)
        # 24 joints are shared, one of them half a height away; the nose is missing in one of the two.
        expected = np.sqrt((0.5**2 + MISSING**2) / 25)
        assert pose_distances(other, one)[0, 0] == pytest.approx(expected, rel=1e-3)
        assert pose_distances(one, one)[0, 0] == pytest.approx(0, abs=1e-6)

    def test_nobody_asked_for_gives_the_empty_place(self) -> None:
        nobody = Keypoints.empty(1, SIZE, swaying(1).fps)
        chosen = NearestNeighbor.choose(nobody, swaying(3), np.arange(3), wall(), lambda index: noisy(index, SIZE))
        assert np.array_equal(next(iter(chosen)), wall())

    def test_shifts_larger_than_the_frame(self) -> None:
        assert np.array_equal(shifted(noisy(0, SIZE), 500, 0, wall()), wall())


class TestHeldOut:
    def test_the_performer_and_both_baselines(self, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "subject")
        performer = train(subject, PRESETS["debug"], steps=2)
        evaluation = evaluate_held_out(subject, performer)
        assert set(evaluation) == {"result", "nearest_neighbor", "background"}
        assert all(-1 <= evaluation[name]["body"]["ssim"] <= 1 for name in evaluation)
        # The wall is known exactly here, and the person is not on it.
        assert evaluation["background"]["body"]["ssim"] < 0.9
        assert evaluation["nearest_neighbor"]["body"]["ssim"] > evaluation["background"]["body"]["ssim"]

    @pytest.mark.parametrize(
        ("limit", "expected"),
        [
            (100, [*range(8, 10), *range(30, 40)]),
            (6, [8, 9, 30, 31, 32, 33]),  # the short block whole, the rest of the other
            (2, [8, 30]),
        ],
    )
    def test_which_frames(self, limit: int, expected: list[int]) -> None:
        clips = (Clip(first=0, holdout=8, stop=10), Clip(first=10, holdout=30, stop=40))
        subject: Any = SimpleNamespace(manifest=SimpleNamespace(clips=clips))
        assert held_out_frames(subject, limit).tolist() == expected


def test_placement_error_by_hand() -> None:
    truth = clip([standing(320, 400, 200)] * 2)
    height = float(body_height(truth.xy, truth.confidence)[0])
    placed = replace(truth, xy=truth.xy + np.float32((3, 4)))
    assert placement_error(placed, truth) == pytest.approx(100 * 5 / height)
    with pytest.raises(ValueError):
        placement_error(placed[:1], truth)


class Echo:
    """A performer that keeps ``memory`` of the frame before and takes the rest from a picture of the pose."""

    def __init__(self, memory: float, drift: float = 0.0) -> None:
        self.memory, self.drift = memory, drift
        self.manifest = SimpleNamespace(size=SIZE)
        self.plate = wall()

    def windows(self, keypoints: Keypoints, cuts: object = ()) -> list[Box]:
        return [whole_frame(SIZE)] * len(keypoints)

    def step(self, xy: np.ndarray, confidence: np.ndarray, box: Box, previous: np.ndarray | None) -> np.ndarray:
        one = Keypoints(xy[None], confidence[None], SIZE, swaying(1).fps)
        fresh = picture(one, 0).astype(float)
        if previous is None:
            return fresh.astype(np.uint8)
        return (self.memory * previous + (1 - self.memory) * fresh + self.drift).clip(0, 255).round().astype(np.uint8)

    def refine(self, frame: np.ndarray, *pose: np.ndarray) -> np.ndarray:
        return frame.copy()


class TestSteadiness:
    def performers(self) -> Iterator[Any]:
        yield Echo(0.0)
        yield Echo(0.97)

    def test_a_memory_that_fades_and_one_that_does_not(self) -> None:
        forgets, remembers = self.performers()
        dance = swaying(31)
        black, white = np.zeros_like(wall()), np.full_like(wall(), 255)
        assert memory_of_first_frame(forgets, dance, black, white) == 0
        # 0.97 to the power of 31 is 0.39: of 255, a hundred is left.
        assert memory_of_first_frame(remembers, dance, black, white) == pytest.approx(0.39 * 255, abs=3)
        with pytest.raises(ValueError):
            memory_of_first_frame(forgets, dance[:30], black, white)

    def test_a_held_pose(self) -> None:
        steady: Any = Echo(0.5)
        drifting: Any = Echo(0.98, drift=3.0)
        assert held_pose_similarity(steady, swaying(3), 1, late=60) == pytest.approx(1)
        assert held_pose_similarity(drifting, swaying(3), 1, late=60) < LEAST_SIMILARITY

    def test_passes(self) -> None:
        steady: Any = Echo(0.0)
        dance = swaying(10)
        scores = repeated_passes(steady, dance, lambda index: picture(dance, index), passes=3)
        assert scores == pytest.approx(np.ones(3))
        drifting: Any = Echo(1.0, drift=2.0)
        scores = repeated_passes(drifting, dance, lambda index: picture(dance, index), passes=3)
        assert scores[0] > scores[1] > scores[2]


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
