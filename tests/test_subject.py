"""Preparing: the clean plate against the true empty place, held-out frames, and nothing lost on the way."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from everybody_dance.dancers.choreography import CHOREOGRAPHIES
from everybody_dance.dancers.render import DANCERS, empty_room, render, true_keypoints
from everybody_dance.errors import DanceError
from everybody_dance.events import Finding
from everybody_dance.files import LOCK
from everybody_dance.keypoints import Keypoints
from everybody_dance.pose import detection
from everybody_dance.pose.detection import Detection
from everybody_dance.pose.detectors import DETECTORS
from everybody_dance.retarget.statistics import pose_statistics
from everybody_dance.subject.folder import PREPARED
from everybody_dance.subject.manifest import FORMAT_VERSION
from everybody_dance.subject.prepare import complete as completing
from everybody_dance.subject.prepare import decode as preparing
from everybody_dance.subject.prepare import find_place, request
from everybody_dance.subject.prepare.camera import measure_stillness
from everybody_dance.subject.prepare.plate import believed_empty, clean_plate
from everybody_dance.subject.prepare.prepare import prepare
from everybody_dance.subject.subject import Subject
from everybody_dance.video.identity import content_identity
from everybody_dance.video.reader import VideoReader
from everybody_dance.video.writer import VideoWriter
from subjects import SIZE, make_subject, matte, picture, swaying, wall

FPS = Fraction(25)
MEDIAPIPE = DETECTORS["mediapipe"]


class TestPlate:
    def test_who_never_leaves_the_spot_is_not_in_it(self) -> None:
        dancer, dance, size, frames = DANCERS["dmitri"], CHOREOGRAPHIES["bow"], (160, 120), 24
        keypoints = true_keypoints(dancer, dance, frames, Fraction(3), size)
        shown = [render(dancer, dance, index / 3, size) for index in range(frames)]
        images = [frame.image for frame in shown]
        mattes = [255 * frame.mask.astype(np.uint8) for frame in shown]
        plate = clean_plate(images.__getitem__, mattes.__getitem__, keypoints, range(frames))
        truth = empty_room(dancer, size).astype(int)
        difference = np.abs(plate.image.astype(int) - truth).max(axis=-1)
        # Where the room was seen it is right, but for the soft shadow on the floor; the rest is known to be a guess.
        assert np.mean(difference[plate.known] <= 12) > 0.97
        assert plate.known.mean() > 0.85
        covered = np.mean([frame.mask for frame in shown], axis=0)
        assert not plate.known[covered > 0.6].any()
        # The plain median has the dancer burned in; this has not, not even where it had to guess.
        median = np.median(np.stack(images), axis=0).astype(int)
        guessed = ~plate.known
        assert difference[guessed].mean() < 0.5 * np.abs(median - truth).max(axis=-1)[guessed].mean()

    def test_drifting_light_leaves_no_outline(self) -> None:
        keypoints = swaying(60)
        light = np.linspace(0.9, 1.1, 60)
        images = [(picture(keypoints, index) * light[index]).clip(0, 255).astype(np.uint8) for index in range(60)]
        plate = clean_plate(images.__getitem__, partial(matte, keypoints), keypoints, range(60))
        ratio = (plate.image.astype(float) / wall())[plate.known]
        assert ratio.std() < 0.01

    def light_of_plate(self, dark: Callable[[int, float], int | None]) -> np.ndarray:
        """Beside a swaying person; each frame, by its index and their x, darkens 13 columns around one of them."""
        keypoints, patch = swaying(240), np.s_[100:110, 12:52]
        images = []
        for index in range(240):
            image, across = picture(keypoints, index), np.arange(SIZE[0])
            found = dark(index, float(keypoints.xy[index, 8, 0]))
            if found is not None:
                shadow = (np.abs(across - found) < 7) & (matte(keypoints, index)[100:110] == 0)
                image[100:110][shadow] = image[100:110][shadow] * 0.6
            images.append(image)
        plate = clean_plate(images.__getitem__, partial(matte, keypoints), keypoints, range(240))
        return plate.image[patch] / wall()[patch]

    def test_a_shadow_that_follows_the_person_does_not_stay(self) -> None:
        light = self.light_of_plate(lambda index, x: round(x) - 36)
        assert light.min() > 0.97

    def test_a_lamp_that_flickers_is_no_shadow(self) -> None:
        off = np.random.default_rng(0).random(240) < 0.7
        light = self.light_of_plate(lambda index, x: 30 if off[index] else None)
        assert light.min() < 0.7

    def test_a_passing_caption_does_not_stay(self) -> None:
        keypoints = swaying(60)
        images = [picture(keypoints, index) for index in range(60)]
        for image in images[:20]:
            image[5:15, 10:118] = 255
        plate = clean_plate(images.__getitem__, partial(matte, keypoints), keypoints, range(60))
        assert np.abs(plate.image.astype(int) - wall())[:20].max() <= 3

    def test_where_no_frame_can_be_used_nothing_is_known(self) -> None:
        keypoints = swaying(10)
        plate = clean_plate(lambda index: wall(), partial(matte, keypoints), keypoints, [])
        assert plate.image.shape == wall().shape
        assert plate.unknown_share == 1

    def test_a_missed_person_is_not_an_empty_place(self) -> None:
        keypoints = swaying(100)
        confidence = keypoints.confidence.copy()
        confidence[10] = 0  # missed once
        confidence[40:100] = 0  # gone
        empty = believed_empty(replace(keypoints, confidence=confidence))
        assert not empty[:40].any()
        assert empty[70:].all()


class TestCamera:
    def measure(self, change: Callable[[np.ndarray, int], np.ndarray]) -> tuple[float, bool]:
        keypoints = swaying(40)
        random = np.random.default_rng(0)
        texture = cv2.resize(random.integers(60, 200, (32, 32, 3), np.uint8), SIZE, interpolation=cv2.INTER_CUBIC)

        def frame(index: int) -> np.ndarray:
            image = change(texture, index)
            shown = picture(keypoints, index)
            person = (shown != wall()).any(axis=-1)
            return np.where(person[..., None], shown, image)

        found = measure_stillness(frame, keypoints, range(40))
        return found.motion, found.camera_moves

    def test_a_camera_that_stands_still(self) -> None:
        motion, moves = self.measure(lambda image, index: image)
        assert motion < 0.1
        assert not moves

    def test_a_camera_that_pans(self) -> None:
        motion, moves = self.measure(lambda image, index: np.roll(image, index // 4, axis=1))
        assert moves
        assert motion > 2

    def views(self) -> list[np.ndarray]:
        """Pictures that have nothing in common."""
        random = np.random.default_rng(1)
        small = [random.integers(20, 235, (16, 16, 3), np.uint8) for _ in range(3)]
        return [cv2.resize(picture, SIZE, interpolation=cv2.INTER_CUBIC) for picture in small]

    def test_a_camera_that_swings_from_one_view_to_another(self) -> None:
        """The middle one of all frames shows nothing of what most of them show."""
        motion, moves = self.measure(lambda image, index: self.views()[(index > 18) + (index > 21)])
        assert moves
        assert motion == 100

    def test_two_clips_of_two_places_are_no_motion(self) -> None:
        halves = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)  # nothing in it looks like a corner
        halves[:, SIZE[0] // 2 :] = 255
        views, nobody = [self.views()[0], halves], Keypoints.empty(40, SIZE, Fraction(25))
        motion = [
            measure_stillness(lambda index: views[index >= 25], nobody, range(40), edges).motion
            for edges in ([0], [0, 25])
        ]
        assert motion[0] == 100
        assert motion[1] < 0.1

    def test_light_that_changes(self) -> None:
        _, moves = self.measure(lambda image, index: (image * (1 - index / 200)).astype(np.uint8))
        assert not moves


def film(path: Path, keypoints: Keypoints, change: Callable[[np.ndarray], np.ndarray] = lambda image: image) -> Path:
    with VideoWriter(path, keypoints.size, keypoints.fps) as writer:
        for index in range(len(keypoints)):
            writer.write(change(picture(keypoints, index)))
    return path


@pytest.fixture
def poses(monkeypatch: pytest.MonkeyPatch) -> dict[str, Keypoints]:
    """Name of a video: what the detector finds in it."""
    known: dict[str, Keypoints] = {}

    def detect(  # type: ignore[no-untyped-def]
        path: Path, pose: str, *, person: str, fps: Fraction, content: str, on_frame, on_matte, on_progress
    ) -> Detection:
        with VideoReader(path, fps=fps) as reader:
            for index, frame in enumerate(reader):
                on_frame(frame)
                on_matte(matte(known[path.name], index))
                on_progress(index + 1, None)
        return Detection(known[path.name], (), "known", np.ones(137, bool))

    monkeypatch.setattr(preparing, "detect_video", detect)
    return known


class TestPrepare:
    def test_a_subject(self, tmp_path: Path, poses: dict[str, Keypoints]) -> None:
        poses["a.mp4"] = swaying(80)
        footage = film(tmp_path / "a.mp4", poses["a.mp4"])
        subject = prepare([footage], tmp_path / "subject")
        assert subject.manifest.size == SIZE
        assert len(subject.training_frames) == 72
        assert subject.holdout_frames.tolist() == list(range(72, 80))
        assert structural_similarity(subject.frame(5), picture(poses["a.mp4"], 5), channel_axis=-1) > 0.9
        assert subject.manifest.camera == "still"
        assert {entry.name for entry in subject.folder.iterdir()} == {*PREPARED, LOCK}
        moved = (tmp_path / "subject").rename(tmp_path / "elsewhere")
        assert Subject.open(moved).manifest == subject.manifest

    def test_plate_and_statistics_do_not_see_held_out_frames(self, tmp_path: Path, poses: dict[str, Keypoints]) -> None:
        xy = swaying(90).xy
        xy[40:] += (10, 5)
        keypoints = poses["a.mp4"] = replace(swaying(90), xy=xy)
        passed = iter(range(90))

        def dark_from_frame_40(image: np.ndarray) -> np.ndarray:
            return image if next(passed) < 40 else (0.7 * image).astype(np.uint8)

        subject = prepare([film(tmp_path / "a.mp4", keypoints, dark_from_frame_40)], tmp_path / "a", holdout=2.0)
        assert len(subject.training_frames) == 40
        # Most frames are dark and elsewhere; none of that is seen.
        assert np.abs(subject.plate.astype(int) - wall())[subject.plate_known].max() <= 16  # the codec's doing
        assert subject.manifest.statistics == pose_statistics(subject.keypoints[:40])

    def test_the_same_again_is_reused_and_other_options_are_not(
        self, tmp_path: Path, poses: dict[str, Keypoints]
    ) -> None:
        poses["a.mp4"] = poses["renamed.mp4"] = swaying(80)
        footage = film(tmp_path / "a.mp4", poses["a.mp4"])
        folder = tmp_path / "subject"
        prepare([footage], folder)
        stamp = (folder / "keypoints.npz").stat().st_mtime_ns
        (folder / "training").mkdir()
        prepare([footage.rename(tmp_path / "renamed.mp4")], folder)
        assert (folder / "keypoints.npz").stat().st_mtime_ns == stamp
        assert (folder / "training").exists()
        assert prepare([tmp_path / "renamed.mp4"], folder, holdout=1.0).manifest.clips[0].holdout == 55
        assert not (folder / "training").exists()

    def test_several_clips(self, tmp_path: Path, poses: dict[str, Keypoints]) -> None:
        poses["a.mp4"], poses["b.mp4"] = swaying(60), swaying(50)
        footage = [film(tmp_path / name, keypoints) for name, keypoints in poses.items()]
        subject = prepare(footage, tmp_path / "subject")
        assert [(clip.first, clip.holdout, clip.stop) for clip in subject.manifest.clips] == [
            (0, 54, 60),
            (60, 105, 110),
        ]

    def test_different_places_are_refused(self, tmp_path: Path, poses: dict[str, Keypoints]) -> None:
        poses["a.mp4"] = poses["b.mp4"] = swaying(60)
        random = np.random.default_rng(0)
        other = random.integers(0, 256, (16, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        here = film(tmp_path / "a.mp4", poses["a.mp4"])
        there = film(tmp_path / "b.mp4", poses["b.mp4"], lambda image: np.where(image == wall(), other, image))
        with pytest.raises(DanceError) as caught:
            prepare([here, there], tmp_path / "subject")
        assert caught.value.code == "different-places"
        assert not (tmp_path / "subject").exists()

    def test_places_that_cannot_be_compared_are_said(
        self,
        tmp_path: Path,
        poses: dict[str, Keypoints],
        findings: list[Finding],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        poses["a.mp4"] = swaying(60)
        # In the second video the person is missed in just those frames that are compared.
        seen = ~np.isin(np.arange(50), np.linspace(0, 44, 24).astype(int))
        poses["b.mp4"] = replace(swaying(50), confidence=swaying(50).confidence * seen[:, None])
        monkeypatch.setattr(completing, "clean", lambda keypoints, cuts: keypoints)
        footage = [film(tmp_path / name, swaying(len(keypoints))) for name, keypoints in poses.items()]
        prepare(footage, tmp_path / "subject")
        assert "places-not-compared" in {finding.code for finding in findings}

    def test_options_that_mean_the_same_are_the_same(self, tmp_path: Path, poses: dict[str, Keypoints]) -> None:
        poses["a.mp4"] = swaying(80)
        footage = film(tmp_path / "a.mp4", poses["a.mp4"])
        identity = prepare([footage], tmp_path / "subject").manifest.identity
        (tmp_path / "subject" / "model").mkdir()
        for same in ({}, {"fps": FPS}, {"height": SIZE[1]}, {"holdout": 0.32}):
            assert prepare([footage], tmp_path / "subject", **same).manifest.identity == identity  # type: ignore[arg-type]
        assert (tmp_path / "subject" / "model").is_dir()

    def test_a_subject_of_an_older_version_is_prepared_again(self, tmp_path: Path, poses: dict[str, Keypoints]) -> None:
        poses["a.mp4"] = swaying(80)
        footage, folder = film(tmp_path / "a.mp4", poses["a.mp4"]), tmp_path / "subject"
        prepare([footage], folder)
        fields = json.loads((folder / "subject.json").read_text())
        (folder / "subject.json").write_text(json.dumps(fields | {"version": 2, "identity": "as 629d904 had it"}))
        (folder / "model").mkdir()
        with pytest.raises(DanceError, match="prepared by an older version") as caught:
            Subject.open(folder)
        assert caught.value.code == "older-version"
        assert prepare([footage], folder).manifest.version == FORMAT_VERSION
        assert (folder / "model.old-1").is_dir()

    def test_light_that_changes_is_evened_out(
        self, tmp_path: Path, poses: dict[str, Keypoints], findings: list[Finding]
    ) -> None:
        keypoints, light = swaying(100), iter(np.linspace(0.8, 1.1, 100))
        poses["a.mp4"] = keypoints
        video = film(tmp_path / "a.mp4", keypoints, lambda image: (image * next(light)).clip(0, 255).astype(np.uint8))
        subject = prepare([video], tmp_path / "subject")
        assert subject.manifest.exposure_change == pytest.approx(1.1 / 0.8 * 0.98 - 1, abs=0.06)
        assert "light-changes" in {finding.code for finding in findings}  # it is still worth filming again
        levels = [subject.frame(index)[:20].mean() for index in range(100)]
        assert np.ptp(levels) < 3

    def test_light_that_stays_leaves_the_frames_alone(
        self, tmp_path: Path, poses: dict[str, Keypoints], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        poses["a.mp4"] = swaying(60)
        monkeypatch.setattr(find_place, "even_light", lambda *_: pytest.fail("nothing to even out"))
        prepare([film(tmp_path / "a.mp4", poses["a.mp4"])], tmp_path / "subject")

    def test_titles_and_black_are_left_out(
        self, tmp_path: Path, poses: dict[str, Keypoints], findings: list[Finding]
    ) -> None:
        keypoints, passed = swaying(100), iter(range(100))
        poses["a.mp4"] = keypoints
        video = film(tmp_path / "a.mp4", keypoints, lambda image: image // 12 if next(passed) < 25 else image)
        subject = prepare([video], tmp_path / "subject")
        assert subject.manifest.left_out == ((0, 25),)
        assert subject.training_frames.tolist() == list(range(25, 92))
        assert subject.holdout_frames.tolist() == list(range(92, 100))  # a tenth of what is left
        assert subject.manifest.exposure_change < 0.05
        assert np.abs(subject.plate.astype(int) - wall())[subject.plate_known].max() <= 32  # the codec's doing
        (told,) = (finding for finding in findings if finding.code == "left-out")
        assert "a.mp4" in told.message
        assert "0.0 to 1.0 s" in told.message
        assert told.values["moment"] == 12 / 25  # the middle of it
        assert prepare([video], tmp_path / "subject").manifest == subject.manifest
        assert "prepared-already" in {finding.code for finding in findings}

    def test_footage_is_hashed_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        keypoints, hashed = swaying(80), []

        def identity(path: Path) -> str:
            hashed.append(path)
            return content_identity(path)

        def find(
            frames: Iterator[np.ndarray], _pool: object, _size: object, on_matte: Callable[..., None], *_: object
        ) -> tuple[np.ndarray, np.ndarray]:
            for index, _ in enumerate(frames):
                on_matte(matte(keypoints, index))
            return keypoints.xy, keypoints.confidence

        for module in (request, detection):
            monkeypatch.setattr(module, "footage_identity", identity)
        monkeypatch.setattr(detection, "_detect", find)
        prepare([film(tmp_path / "a.mp4", keypoints)], tmp_path / "subject")
        assert len(hashed) == 1

    def test_too_short_and_nobody(self, tmp_path: Path, poses: dict[str, Keypoints]) -> None:
        poses["a.mp4"] = swaying(20)
        poses["b.mp4"] = Keypoints.empty(40, SIZE, FPS)
        for name, code in (("a.mp4", "too-short"), ("b.mp4", "no-person")):
            footage = film(tmp_path / name, swaying(len(poses[name])))
            with pytest.raises(DanceError) as caught:
                prepare([footage], tmp_path / "subject")
            assert caught.value.code == code
            assert list(tmp_path.glob("*subject*")) == []

    def test_a_failure_keeps_what_was_there(
        self, tmp_path: Path, poses: dict[str, Keypoints], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        poses["a.mp4"] = swaying(80)
        footage = film(tmp_path / "a.mp4", poses["a.mp4"])
        before = prepare([footage], tmp_path / "subject").manifest

        def full(*arguments: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(preparing, "write_frame", full)
        with pytest.raises(DanceError) as caught:
            prepare([footage], tmp_path / "subject", height=96)
        assert caught.value.code == "disk-full"
        assert Subject.open(tmp_path / "subject").manifest == before
        assert {entry.name for entry in (tmp_path / "subject").iterdir()} == {*PREPARED, LOCK}


class TestOpen:
    def test_none_newer_and_damaged(self, tmp_path: Path) -> None:
        folder = tmp_path / "subject"
        with pytest.raises(DanceError) as caught:
            Subject.open(folder)
        assert caught.value.code == "no-subject"
        make_subject(folder)
        path = folder / "subject.json"
        fields = json.loads(path.read_text())
        for change, code in (
            ({"version": 99}, "newer-version"),
            ({"fps": "x"}, "bad-subject"),
            ({"new": 1}, "bad-subject"),
        ):
            path.write_text(json.dumps(fields | change))
            with pytest.raises(DanceError) as caught:
                Subject.open(folder)
            assert caught.value.code == code
        path.write_text(json.dumps(fields))
        (folder / "keypoints.npz").write_bytes(b"PK")
        with pytest.raises(DanceError) as caught:
            Subject.open(folder)
        assert caught.value.code == "bad-subject"
