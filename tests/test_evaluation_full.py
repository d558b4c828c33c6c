"""Everything that is measured beyond likeness: limits, flicker, poses found again, the ablation, features."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch

from everybody_dance.body_height import body_height
from everybody_dance.drawing.window import whole_frame
from everybody_dance.evaluation.ablation import VARIANTS, ablate, difference_interval, report, rows
from everybody_dance.evaluation.compare import Scores, compare_all
from everybody_dance.evaluation.features import efficientnet_distance, vgg_distance
from everybody_dance.evaluation.flicker import TrueMotion
from everybody_dance.evaluation.gallery import Gallery
from everybody_dance.evaluation.held_out import RESULT, HeldOutDance, evaluate_held_out
from everybody_dance.evaluation.held_out_report import figures, full_scores, metrics_at_hand
from everybody_dance.evaluation.limits import at_speed, shaken
from everybody_dance.evaluation.metrics import ABOUT
from everybody_dance.evaluation.person import WithinPerson
from everybody_dance.evaluation.pose_distance import Redetection, pose_distance
from everybody_dance.images import Box
from everybody_dance.keypoints import Keypoints
from everybody_dance.networks import efficientnet_lite
from everybody_dance.networks.vgg import VGG19Features
from everybody_dance.performer.model_files import load_performer
from everybody_dance.pose.people import Person
from everybody_dance.retarget.likeness import UNLIKE, unlike_frames
from everybody_dance.skeleton import FACE, FEET, LEFT_HAND, Joint
from everybody_dance.training.config import TrainConfig
from everybody_dance.training.loop import train
from everybody_dance.training.presets import PRESETS
from subjects import SIZE, make_subject, matte, picture, swaying, wall


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
        before, truth = wall(), np.roll(wall(), 3, axis=1)
        motion = TrueMotion(truth, before)
        boxes = [whole_frame(SIZE), None]
        same = motion.flicker(truth, before, boxes)
        assert (same["flicker"][0], same["flicker_moving"][0]) == (0, 0)
        assert np.isnan(same["flicker"][1])
        change = np.abs(truth.astype(float) - before).mean()
        assert motion.flicker(before, before, boxes)["flicker"][0] == pytest.approx(change, rel=1e-5)
        darker, darker_before = (truth * 0.5).astype(np.uint8), (before * 0.5).astype(np.uint8)
        assert motion.flicker(darker, darker_before, boxes)["flicker"][0] == pytest.approx(change / 2, rel=0.1)

    def test_still_and_moving_are_told_apart(self) -> None:
        # On the left nothing moves; on the right a texture goes 4 pixels to the right.
        texture = np.repeat(np.random.default_rng(0).integers(0, 256, (128, 64, 1)), 3, axis=2).astype(np.uint8)
        texture = cv2.GaussianBlur(texture, (0, 0), 2)
        before, truth = (
            np.concatenate([np.full((128, 64, 3), 90, np.uint8), half], 1) for half in (texture, np.roll(texture, 4, 1))
        )
        motion = TrueMotion(truth, before)
        assert motion.still[:, :60].all()
        assert motion.still[:, 72:].mean() < 0.2
        boxes = [whole_frame(SIZE)]
        flashing = truth.copy()
        flashing[:, :60] += 20
        found = motion.flicker(flashing, before, boxes)
        assert found["flicker_still"][0] == pytest.approx(20, rel=0.15)
        assert found["flicker_moving"][0] < 1
        # A shirt that keeps another pattern as it moves does not flicker; one whose pattern stands still does.
        faded = [(128 + (frame.astype(float) - 128) / 2).astype(np.uint8) for frame in (before, truth)]
        carried = motion.flicker(faded[1], faded[0], boxes)["flicker_moving"][0]
        stuck = motion.flicker(before, before, boxes)["flicker_moving"][0]
        assert carried < stuck / 3

    def test_none_at_the_beginning_and_at_cuts(self) -> None:
        keypoints = swaying(4)
        frames = [picture(keypoints, index) for index in range(4)]
        scores = compare_all({"result": frames}, frames, keypoints, cuts=[2])["result"]["body"]["flicker"]
        assert np.isfinite(scores).tolist() == [False, True, False, True]
        assert scores[1] == scores[3] == 0


class TestWithinPerson:
    def scores(
        self, keypoints: Keypoints, truth: list[np.ndarray], results: dict[str, list[np.ndarray]]
    ) -> dict[str, Scores]:
        watcher = WithinPerson(keypoints, lambda index: matte(keypoints, index), cuts=[2])
        compare_all(results, truth, keypoints, {}, watchers=[watcher])
        return watcher.scores()

    def test_the_truth_is_as_sharp_as_itself_and_a_blurred_copy_is_not(self) -> None:
        keypoints = swaying(4)
        confidence = keypoints.confidence.copy()
        confidence[1, LEFT_HAND] = 0
        confidence[3] = 0
        keypoints = replace(keypoints, confidence=confidence)
        grain = np.random.default_rng(0).integers(0, 30, (128, 128, 1), np.uint8)  # or the face were all one colour
        truth = [picture(keypoints, index) + grain for index in range(4)]
        blurred = [cv2.GaussianBlur(frame, (0, 0), 1.5) for frame in truth]
        found = figures(self.scores(keypoints, truth, {"truth": truth, "blurred": blurred}))
        for region, by_metric in found["truth"].items():
            assert by_metric["sharpness"].mean == pytest.approx(1)
            assert by_metric["sharpness"].count == 3  # the last frame has nobody in it
            assert 0 < found["blurred"][region]["sharpness"].mean < 0.3
        assert set(found["truth"]) == {"body", "face", "hands"}

    def test_noise_is_not_better_than_what_is_a_little_soft(self) -> None:
        assert ABOUT["sharpness"].merit(0.8) > ABOUT["sharpness"].merit(1.5)

    def test_only_the_person_counts(self) -> None:
        keypoints = swaying(4)
        truth = [picture(keypoints, index) for index in range(4)]
        inside = [matte(keypoints, index)[..., None] > 0 for index in range(4)]
        flashing = [np.uint8(20 * (index % 2)) for index in range(4)]
        found = self.scores(
            keypoints,
            truth,
            {
                "place": [frame + ~there * flash for frame, there, flash in zip(truth, inside, flashing, strict=True)],
                "all": [frame + flash for frame, flash in zip(truth, flashing, strict=True)],
            },
        )
        assert found["all"]["body"]["flicker_person"] == pytest.approx([np.nan, 20, np.nan, 20], nan_ok=True)
        # The person uncovers what flashed, at their edge alone.
        assert np.nanmax(found["place"]["body"]["flicker_person"]) < 3


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

    def test_joints_outside_the_picture_are_not_asked_for(self) -> None:
        wanted = swaying(2)
        xy = wanted.xy.copy()
        xy[:, Joint.LEFT_WRIST] = (100, -5)
        confidence = wanted.confidence.copy()
        confidence[:, Joint.LEFT_WRIST] = 0
        found = replace(wanted, confidence=confidence)
        assert pose_distance(found, replace(wanted, xy=xy))["body"].missed.tolist() == [0, 0]

    def test_every_frame_of_the_results_that_count_is_looked_at(self) -> None:
        keypoints = swaying(3)
        closed = []

        class Finds:
            def __init__(self, name: str) -> None:
                self.name = name
                self.seen: list[int] = []

            def people(self, image: np.ndarray) -> list[Person]:
                self.seen.append(int(image[0, 0, 0]))
                return [Person(keypoints.pose(len(self.seen) - 1))]

            def close(self) -> None:
                closed.append((self.name, self.seen))

        with Redetection({"one": Finds("one"), "two": Finds("two")}) as watcher:
            for index in range(3):
                shown = {name: np.full((4, 4, 3), 10 * index + place, np.uint8) for place, name in enumerate("abc")}
                watcher(index, shown["a"], {"one": shown["b"], "two": shown["c"], "three": shown["a"]})
            found = watcher.scores(keypoints)
        assert closed == [("one", [1, 11, 21]), ("two", [2, 12, 22])]
        assert set(found) == {"one", "two"}
        assert found["one"]["pose_all"]["pixels"].tolist() == [0, 0, 0]


def test_silhouettes_are_compared_with_the_true_matte() -> None:
    keypoints = swaying(2)
    true = [matte(keypoints, index) for index in range(2)]

    class Finds:
        def __init__(self, found: list[np.ndarray | None]) -> None:
            self.found = iter(found)

        def people(self, image: np.ndarray) -> list[Person]:
            return [Person(keypoints.pose(0), next(self.found))]

        def close(self) -> None:
            pass

    right, half = Finds([*true]), Finds([np.where(np.arange(128) < 64, true[0], 0).astype(np.uint8), None])
    with Redetection({"right": right, "half": half}, true.__getitem__) as watcher:
        for index in range(2):
            watcher(index, true[0], {"right": true[0], "half": true[0]})
        found = watcher.scores(keypoints)
    assert found["right"]["silhouette"]["iou"].tolist() == [1, 1]
    assert found["half"]["silhouette"]["iou"] == pytest.approx([(true[0][:, :64] > 0).sum() / (true[0] > 0).sum(), 0])


class Blind:
    """A detector that finds nobody."""

    def people(self, image: np.ndarray) -> list[Person]:
        return []

    def close(self) -> None:
        pass


def test_everything_in_one_pass(tmp_path: Path) -> None:
    subject = make_subject(tmp_path / "s")
    performer = train(subject, TrainConfig(preset="debug", steps=2))
    found = figures(full_scores(subject, {RESULT: performer}, HeldOutDance.of(subject, 300), detector=Blind))
    assert set(found) == {"result", "nearest_neighbor", "background"}
    assert set(found["result"]["body"]) == {
        *("ssim", "psnr", "flicker", "flicker_still", "flicker_moving", "sharpness", "flicker_person")
    }
    assert found["result"]["hands"]["sharpness"].count == found["result"]["face"]["sharpness"].count == 4
    assert found["result"]["body"]["ssim"].count == 4
    assert found["result"]["body"]["flicker"].count == 3
    assert found["nearest_neighbor"]["pose_all"]["missed"].mean == 135
    assert found["result"]["silhouette"]["iou"].mean == 0  # nobody is found, and somebody is there
    assert "pixels" not in found["result"]["pose_body"]
    assert "pose_body" not in found["background"]


def test_a_performer_that_paints_smaller_is_measured_at_the_prepared_size(tmp_path: Path) -> None:
    subject = make_subject(tmp_path / "s")
    preset = replace(PRESETS["debug"], frame_area=SIZE[0] * SIZE[1] // 4)
    performer = train(subject, TrainConfig(preset=preset, steps=2))
    assert performer.manifest.size == (64, 64)
    assert evaluate_held_out(subject, performer)["result"]["frame"]["ssim"] > 0.3


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
        dance = HeldOutDance.of(subject, 300)
        with Gallery(dance.keypoints, clip=False) as gallery:
            done = ablate(subject, TrainConfig(preset="debug", steps=8), [0], dance, watchers=[gallery])
        assert set(done.scores) == {*VARIANTS, "nearest_neighbor", "background"}
        for variant in ("frame-by-frame", "full"):
            manifest = load_performer(subject.folder / "ablation" / "seed-0" / variant, "cpu").manifest
            assert manifest.steps == 8
            assert manifest.previous_frame == (variant == "full")
            assert list(manifest.refiners) == (["face"] if variant == "full" else [])
        found = rows(done.scores, block=2)
        assert ("body", "ssim") in [(row.region, row.metric) for row in found]
        text = report(found, gallery, {}, steps=8, seeds=1, frames=4).markdown()
        assert "0.89564 / 0.89597 / 0.89807" in text
        assert "none found" in text
        assert list(gallery.bodies) == ["pose", "truth", *VARIANTS, "nearest_neighbor", "background", "differs"]
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


def test_guesses_are_not_unlike_what_was_filmed() -> None:
    filmed = swaying(20)
    legs = [Joint.LEFT_KNEE, Joint.LEFT_ANKLE, Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE, *FEET]
    xy, confidence = filmed.xy[:2].copy(), filmed.confidence[:2].copy()
    xy[:, legs, 0] += 30
    confidence[:, legs] = 0.25
    guessed = replace(filmed[:2], xy=xy, confidence=confidence)
    known = np.ones(confidence.shape, bool)
    assert unlike_frames(guessed, filmed, known).all()
    known[:, legs] = False
    assert not unlike_frames(guessed, filmed, known).any()
    known[:] = False
    assert not unlike_frames(guessed, filmed, known).any()


def test_the_distance_of_efficientnet_features(monkeypatch: pytest.MonkeyPatch) -> None:
    distance = efficientnet_distance(torch.device("cpu"))
    assert distance is not None
    keypoints = swaying(8)
    truth, other = picture(keypoints, 0), picture(keypoints, 7)
    boxes = [Box(30, 30, 48, 64), whole_frame(SIZE), None]
    same, near, far = (distance(result, truth, boxes) for result in (truth, other, 255 - truth))
    assert same[0] == 0
    assert 0 < near[0] < far[0]
    assert np.isnan(far[1:]).all()
    assert "efficientnet_distance" in metrics_at_hand(torch.device("cpu"), None, None)
    monkeypatch.setattr(efficientnet_lite, "_PACKAGE", "no_such_package")
    assert "efficientnet_distance" not in metrics_at_hand(torch.device("cpu"), None, None)


def test_the_distance_of_vgg_features(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = tmp_path / "vgg.safetensors"
    network = VGG19Features(5)
    safetensors.torch.save_file(
        {f"features.{name}": value for name, value in network.features.state_dict().items()}, weights
    )
    distance = vgg_distance(weights, torch.device("cpu"))
    keypoints = swaying(8)
    truth, other = picture(keypoints, 0), picture(keypoints, 7)
    boxes = [Box(30, 30, 48, 64), whole_frame(SIZE), None, Box(0, 0, 8, 40)]
    same, different = distance(truth, truth, boxes), distance(other, truth, boxes)
    assert same[0] == 0
    assert different[0] > 0
    assert np.isnan(different[1:]).all()
    # The features of the true frame are kept, and not mistaken for another's.
    assert distance(truth, other, boxes)[0] == pytest.approx(different[0], rel=1e-3)
