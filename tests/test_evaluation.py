"""Measuring: metrics against an independent reference, baselines that find what is there, drift that is seen."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from everybody_dance.body_height import body_height
from everybody_dance.drawing.pose_image import PoseImage
from everybody_dance.drawing.window import Window
from everybody_dance.evaluation.baselines import NearestNeighbor, shifted
from everybody_dance.evaluation.boxes import body_boxes, face_boxes
from everybody_dance.evaluation.compare import compare_all, spread, summary
from everybody_dance.evaluation.held_out import evaluate_held_out, held_out_frames
from everybody_dance.evaluation.metrics import BEST_PSNR, psnr, ssim
from everybody_dance.evaluation.placement import placement_error
from everybody_dance.evaluation.steadiness import (
    LEAST_SIMILARITY,
    held_pose_similarity,
    memory_of_first_frame,
    repeated_passes,
)
from everybody_dance.images import Box
from everybody_dance.keypoints import Keypoints
from everybody_dance.performer.performer import Painting
from everybody_dance.retarget.likeness import MISSING, pose_distances
from everybody_dance.skeleton import FACE, Joint
from everybody_dance.subject.manifest import Clip
from everybody_dance.training.config import TrainConfig
from everybody_dance.training.loop import train
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
        scores = compare_all({"result": result}, truth, keypoints)["result"]
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
            queries, training, np.arange(100, 112), wall(), lambda index: noisy(index, SIZE), cuts=[1]
        )
        assert chosen.frames.tolist() == [107, 102]
        assert chosen.shifts.tolist() == [[5, -3], [5, -3]]
        first = next(iter(chosen))
        assert np.array_equal(first[:-3, 5:], noisy(107, SIZE)[3:, :-5])
        assert np.array_equal(first[:, :5], wall()[:, :5])

    def test_neighbours_follow_each_other(self) -> None:
        # Two frames of the footage show one pose, but for a hair: it would take turns, were there no tomorrow.
        training = swaying(2)
        xy = np.repeat(training.xy[:1], 2, axis=0)
        xy[:, Joint.LEFT_WRIST, 0] += (0, 12)
        training = replace(training, xy=xy)
        between = np.repeat(xy[:1], 6, axis=0)
        between[:, Joint.LEFT_WRIST, 0] += 6 + np.array([-1, 1, -1, 1, -1, 1])
        queries = replace(training, xy=between, confidence=np.repeat(training.confidence[:1], 6, axis=0))
        assert pose_distances(queries, training).argmin(axis=1).tolist() == [0, 1, 0, 1, 0, 1]

        def frames(cuts: list[int]) -> list[int]:
            return NearestNeighbor.choose(queries, training, [0, 1], wall(), lambda index: wall(), cuts).frames.tolist()

        assert len(set(frames([]))) == 1
        assert frames([1, 2, 3, 4, 5]) == [0, 1, 0, 1, 0, 1]

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
        performer = train(subject, TrainConfig(preset="debug", steps=2))
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
        held_out = np.array([8, 9, *range(30, 40)])
        subject: Any = SimpleNamespace(manifest=SimpleNamespace(clips=clips), holdout_frames=held_out)
        assert held_out_frames(subject, limit).tolist() == expected


def test_placement_error_by_hand() -> None:
    truth = clip([standing(320, 400, 200)] * 2)
    height = float(body_height(truth.xy, truth.confidence)[0])
    placed = replace(truth, xy=truth.xy + np.float32((3, 4)))
    assert placement_error(placed, truth) == pytest.approx(100 * 5 / height)
    assert placement_error(placed, truth, centered=True) == pytest.approx(100 * 4 / height)
    with pytest.raises(ValueError):
        placement_error(placed[:1], truth)


class Echo:
    """A performer that keeps ``memory`` of the frame before and takes the rest from a picture of the pose."""

    def __init__(self, memory: float, drift: float = 0.0) -> None:
        self.memory, self.drift = memory, drift
        self.manifest = SimpleNamespace(size=SIZE)
        self.plate = wall()

    def window(self, keypoints: Keypoints) -> Window:
        return Window(SIZE, 0.0, SIZE, 32)

    def step(self, drawn: PoseImage, box: Box, previous: np.ndarray | None, tracks: object) -> Painting:
        one = Keypoints(drawn.pose.xy[None], drawn.pose.confidence[None], SIZE, swaying(1).fps)
        fresh = picture(one, 0).astype(float)
        if previous is not None:
            fresh = (self.memory * previous + (1 - self.memory) * fresh + self.drift).clip(0, 255).round()
        return Painting(fresh.astype(np.uint8), None)

    def tracks(self, fps: float) -> dict[str, object]:
        return {}

    def refine(self, frame: np.ndarray, *drawn_and_tracks: object) -> np.ndarray:
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
