"""Reference crops: the nearest is found, and lies where it is asked for."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from everybody_dance.appearance.crop_bank import CropBank, CropTrack
from everybody_dance.appearance.crop_cutting import _representative
from everybody_dance.drawing.crops import PART_JOINTS, Crop
from everybody_dance.images import Box
from everybody_dance.keypoints import Pose
from everybody_dance.skeleton import LEFT_HAND, MIRROR, RIGHT_HAND
from everybody_dance.training.presets import AS_FILMED, PRESETS, Variety
from everybody_dance.training.samples import PairDataset
from subjects import make_subject

SIDE = 64
JOINTS = PART_JOINTS["face"][0]


def a_face(seed: int = 0) -> np.ndarray:
    """(137, 3): joints of a face somewhere in the middle of a crop, all found."""
    keypoints = np.zeros((137, 3), np.float32)
    keypoints[JOINTS, :2] = np.random.default_rng(seed).uniform(18, 46, (len(JOINTS), 2))
    keypoints[JOINTS, 2] = 1
    return keypoints


def pose_of(joints: np.ndarray) -> Pose:
    """The pose of (137, 3): x, y and confidence."""
    return Pose(joints[:, :2], joints[:, 2])


def drawn(keypoints: np.ndarray) -> np.ndarray:
    """uint8 (64, 64, 3): soft dots at the first joints, each of its own colour."""
    image = np.full((SIDE, SIDE, 3), 60, np.uint8)
    for number, joint in enumerate(JOINTS[:5]):
        place = tuple(np.round(keypoints[joint, :2] - 0.5).astype(int).tolist())
        cv2.circle(image, place, 3, (200, 40 * number, 255 - 40 * number), -1)
    return cv2.GaussianBlur(image, (0, 0), 1)


def references(*faces: np.ndarray) -> CropBank:
    crops = [Crop(Box(0, 0, SIDE, SIDE), 0)] * len(faces)
    images = np.array([drawn(face) for face in faces], np.uint8).reshape(-1, SIDE, SIDE, 3)
    return CropBank.of("face", crops, images, [pose_of(face) for face in faces])


def turned(face: np.ndarray, angle: float, scale: float, by: tuple[float, float]) -> np.ndarray:
    """The same face turned about the crop's middle, scaled and moved."""
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = face.copy()
    moved[JOINTS, :2] = (face[JOINTS, :2] - SIDE / 2) @ turn.T + SIDE / 2 + by
    return moved


class TestFitting:
    @pytest.mark.parametrize(("angle", "scale", "by"), [(0, 1, (0, 0)), (0.3, 1.1, (3, -4)), (-0.4, 0.9, (0, 6))])
    def test_a_face_that_is_turned_scaled_and_moved(self, angle: float, scale: float, by: tuple[float, float]) -> None:
        face = a_face()
        wanted = turned(face, angle, scale, by)
        fitted = references(face).fitted(0, pose_of(wanted))
        error = np.abs(fitted.astype(int) - drawn(wanted)).mean()
        assert error < 0.5 * max(np.abs(drawn(face).astype(int) - drawn(wanted)).mean(), 1)

    def test_single_joints_are_pulled_into_place(self) -> None:
        face = a_face()
        wanted = face.copy()
        far = int(JOINTS[np.argmin(face[JOINTS[:5], 0])])  # one of those that are drawn
        wanted[far, :2] += (-5, 2)
        image = references(face).fitted(0, pose_of(wanted))
        place = np.round(wanted[far, :2] - 0.5).astype(int)
        before = drawn(face)[place[1], place[0]].astype(int)
        truth = drawn(wanted)[place[1], place[0]].astype(int)
        assert np.abs(image[place[1], place[0]] - truth).sum() < 0.7 * np.abs(before - truth).sum()

    def test_limits(self) -> None:
        face = a_face()
        huge = turned(face, 0, 3, (0, 0))
        fitted = references(face).fitted(0, pose_of(huge))
        assert fitted.shape == (SIDE, SIDE, 3)
        lonely = face.copy()
        lonely[JOINTS[2:], 2] = 0
        assert np.array_equal(references(face).fitted(0, pose_of(lonely)), drawn(face))


class TestChoice:
    def test_the_nearest_wherever_it_is(self) -> None:
        faces = [a_face(seed) for seed in range(4)]
        bank = references(*faces)
        wanted = turned(faces[2], 0, 1, (7, -9))
        distances = bank.distances(pose_of(wanted), 0)
        assert distances.argmin() == 2
        assert distances[2] == pytest.approx(0, abs=1e-8)
        # A joint more or less counts a little.
        wanted[JOINTS[-1], 2] = 0
        assert bank.distances(pose_of(wanted), 0)[2] == pytest.approx(0.01 / len(JOINTS), abs=1e-6)
        wanted[JOINTS[2:], 2] = 0
        assert np.isinf(bank.distances(pose_of(wanted), 0)).all()

    def test_what_is_kept_stands_for_the_rest(self) -> None:
        # Three of one kind, two of another, and one that is like none: the middle of each kind, the largest first.
        kinds = [(0, 0.0), (0, 0.5), (1, 0.0), (0, -0.5), (2, 0.0), (1, 0.5)]
        faces = []
        for seed, moved in kinds:
            face = a_face(seed)
            face[JOINTS[3], 0] += moved
            faces.append(face)
        bank = references(*faces)
        chosen = _representative(bank, 3).tolist()
        assert chosen[0] == 0
        assert [kinds[place][0] for place in chosen] == [0, 1, 2]
        assert sorted(_representative(bank, 99).tolist()) == list(range(6))
        assert len(_representative(references(), 3)) == 0


class TestTrack:
    """Two references whose first joint lies at 20 and at 30, a joint that wanders between them."""

    def bank(self) -> tuple[CropBank, np.ndarray]:
        one = a_face()
        one[JOINTS[0], 0] = 20
        other = one.copy()
        other[JOINTS[0], 0] = 30
        dark, bright = (np.full((SIDE, SIDE, 3), value, np.uint8) for value in (50, 150))
        crops = [Crop(Box(0, 0, SIDE, SIDE), 0)] * 2
        return CropBank.of("face", crops, np.stack([dark, bright]), [pose_of(one), pose_of(other)]), one

    def shown(self, places: list[float], fps: float = 30.0) -> list[int]:
        bank, face = self.bank()
        track = CropTrack(bank, fps)
        levels = []
        for place in places:
            face[JOINTS[0], 0] = place
            picture = track.follow(pose_of(face), 0)
            assert picture is not None
            levels.append(int(picture[5, 5, 0]))
        return levels

    def test_one_that_is_a_little_nearer_changes_nothing(self) -> None:
        assert self.shown([24, 25.3, 24.7, 25.3]) == [50] * 4

    def test_one_that_is_clearly_nearer_fades_in(self) -> None:
        levels = self.shown([20, *[28] * 10])
        assert levels[0] == 50
        assert levels[1] == pytest.approx(50 + 100 / (0.15 * 30), abs=1)
        assert levels[-1] == 150
        assert np.all(np.diff(levels) >= 0)
        # At half the rate the fade takes half the frames, not twice the time.
        assert self.shown([20, *[28] * 3], fps=15)[-1] > levels[3]

    def test_after_a_rest_nothing_is_left_of_what_was_shown(self) -> None:
        bank, face = self.bank()
        track = CropTrack(bank, 30)
        track.follow(pose_of(face), 0)
        track.keep(set())
        face[JOINTS[0], 0] = 29
        picture = track.follow(pose_of(face), 0)
        assert picture is not None
        assert picture[5, 5, 0] == 150

    def test_what_cannot_be_laid_on_the_joints_any_more_is_gone_at_once(self) -> None:
        bank, face = self.bank()
        confidence = bank.confidence.copy()
        confidence[1, JOINTS[3:]] = 0
        track = CropTrack(replace(bank, confidence=confidence), 30)
        first_joints, others = face[:, 2].copy(), face[:, 2].copy()
        first_joints[JOINTS[3:]] = 0
        others[JOINTS[:3]] = 0
        face[JOINTS[0], 0] = 30
        track.follow(Pose(face[:, :2], first_joints), 0)
        picture = track.follow(Pose(face[:, :2], others), 0)
        assert picture is not None
        assert picture[5, 5, 0] == 50

    def test_what_cannot_be_laid_on_anything_shows_nothing(self) -> None:
        bank, face = self.bank()
        track = CropTrack(bank, 30)
        nobody = np.zeros(137, np.float32)
        assert track.follow(Pose(face[:, :2], nobody), 0) is None
        assert track.follow(pose_of(face), 0) is not None
        assert CropTrack(references(), 30).follow(pose_of(face), 0) is None


def test_a_mirror_makes_left_hands_right_ones() -> None:
    keypoints = np.zeros((137, 3), np.float32)
    keypoints[LEFT_HAND, 0] = np.linspace(5, 25, 21)
    keypoints[LEFT_HAND, 1] = 30
    keypoints[LEFT_HAND, 2] = 1
    image = np.arange(SIDE * SIDE * 3, dtype=np.uint32).astype(np.uint8).reshape(SIDE, SIDE, 3)
    one = CropBank.of("hands", [Crop(Box(0, 0, SIDE, SIDE), 0)], image[None], [pose_of(keypoints)])
    other = one.mirrored()
    assert (one.group.tolist(), other.group.tolist()) == ([0], [1])
    assert np.array_equal(other.images[0], image[:, ::-1])
    assert np.allclose(other.xy[0, RIGHT_HAND, 0], SIDE - keypoints[LEFT_HAND, 0])
    assert np.array_equal(other.confidence[0], keypoints[MIRROR, 2])
    again = other.mirrored()
    found = one.confidence[0] > 0
    assert np.array_equal(again.xy[0, found], one.xy[0, found])
    assert np.isinf(one.distances(pose_of(keypoints), 1)).all()


def test_arrays_there_and_back() -> None:
    bank = references(a_face(0), a_face(1))
    again = CropBank.from_arrays("face", bank.arrays())
    assert all(np.array_equal(array, again.arrays()[name]) for name, array in bank.arrays().items())
    with pytest.raises(ValueError, match="not a crop bank"):
        CropBank.from_arrays("face", {**bank.arrays(), "group": bank.group[:1]})


class TestSamples:
    def dataset(self, folder: Path, mirrored: float = 0.0) -> PairDataset:
        variety = Variety(mirrored=mirrored)
        subject = make_subject(folder)
        return PairDataset(
            subject, replace(PRESETS["debug"], person_window=True, crop=96, patch=32, variety=variety), batch=8, seed=0
        )

    @pytest.mark.parametrize("mirrored", [0.0, 1.0])
    def test_a_reference_lies_on_what_it_is_for(self, mirrored: float, tmp_path: Path) -> None:
        data = self.dataset(tmp_path / "s", mirrored)
        sample = data.sample(0, 1, "face", 8)
        assert sample.references is not None
        side = data.part_side("face")
        places = zip(sample.frames, sample.corners.tolist(), strict=True)
        crops = np.stack([frame[y : y + side, x : x + side] for frame, (x, y) in places])
        # The head moves by a dozen pixels over the footage, in front of a wall of another colour.
        error = np.abs(sample.references.astype(int) - crops).mean()
        assert error < 12

    def test_references_are_never_held_out(self, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "s")
        usual, held_out = (
            PairDataset(
                subject,
                replace(PRESETS["debug"], person_window=True, crop=0, patch=32, variety=AS_FILMED),
                batch=2,
                seed=0,
                held_out=held_out,
            )
            for held_out in (False, True)
        )
        assert np.array_equal(held_out.crop_bank("face", 8).images, usual.crop_bank("face", 8).images)
        assert held_out.sample(0, 1, "face", 8).references is not None

    def test_parts_of_a_batch_are_those_of_the_whole(self, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "s")
        variety = Variety(mirrored=0.5)
        whole, *halves = (
            PairDataset(
                subject,
                replace(PRESETS["debug"], person_window=True, crop=96, patch=32, variety=variety),
                batch=4,
                seed=0,
                shard=shard,
            ).sample(2, 1, "face", 8)
            for shard in ((0, 1), (0, 2), (1, 2))
        )
        assert whole.references is not None
        assert np.array_equal(np.concatenate([half.references for half in halves]), whole.references)
        assert np.array_equal(np.concatenate([half.frames for half in halves]), whole.frames)

    def test_none_where_none_are_asked_for(self, tmp_path: Path) -> None:
        data = self.dataset(tmp_path / "s")
        assert data.sample(0, 1, "face").references is None
        assert data.sample(0, 1).references is None

    def test_the_same_step_shows_the_same(self, tmp_path: Path) -> None:
        one, other = (self.dataset(tmp_path / name).sample(3, 1, "hands", 8) for name in "ab")
        assert one.references is not None
        assert np.array_equal(one.references, other.references)
