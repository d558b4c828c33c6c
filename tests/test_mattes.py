"""Mattes: kept and found again, as true as the detector's, and what they are compared by."""

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from everybody_dance.dancers.choreography import CHOREOGRAPHIES
from everybody_dance.dancers.render import DANCERS, render
from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.evaluation.metrics import silhouette_iou
from everybody_dance.images import Image
from everybody_dance.pose import detection
from everybody_dance.pose.detection import detect_video
from everybody_dance.pose.detector_process import DetectorPool
from everybody_dance.pose.mattes import MatteReader, MatteWriter
from everybody_dance.pose.people import Person
from everybody_dance.subject.subject import Subject
from everybody_dance.video.writer import VideoWriter
from subjects import FPS, SIZE, make_subject, matte, swaying, wall
from worlds import StandInPool

FRAMES = 6


def gradient(index: int) -> Image:
    """uint8 (128, 128): soft, and another one for every frame."""
    return np.broadcast_to(np.arange(SIZE[0], dtype=np.uint8) + 10 * index, SIZE[::-1]).copy()


class TestFile:
    def test_what_is_written_is_read(self, tmp_path: Path) -> None:
        with closing(MatteWriter(tmp_path / "m.zip")) as writer:
            for index in range(3):
                writer.write(gradient(index))
        with closing(MatteReader(tmp_path / "m.zip")) as reader:
            assert len(reader) == 3
            for index in (2, 0, 1):
                assert np.array_equal(reader.matte(index), gradient(index))
            with pytest.raises(ValueError, match="frame 3"):
                reader.matte(3)

    def test_damage_is_a_value_error(self, tmp_path: Path) -> None:
        path = tmp_path / "m.zip"
        with closing(MatteWriter(path)) as writer:
            writer.write(gradient(0))
        whole = path.read_bytes()
        for damaged in (b"", b"PK\3\4 and no more", whole[: len(whole) // 2]):
            path.write_bytes(damaged)
            with pytest.raises(ValueError, match=r"m\.zip"):
                MatteReader(path)
        path.write_bytes(whole[:60] + bytes([whole[60] ^ 255]) + whole[61:])
        with closing(MatteReader(path)) as reader, pytest.raises(ValueError, match="frame 0"):
            reader.matte(0)

    def test_flipped_bytes_raise_nothing_else(self, tmp_path: Path) -> None:
        path = tmp_path / "m.zip"
        with closing(MatteWriter(path)) as writer:
            writer.write(gradient(0)[:8, :8])
        whole, random = path.read_bytes(), np.random.default_rng(0)
        refused = 0
        for _ in range(400):
            damaged = bytearray(whole)
            for place in random.integers(0, len(whole), 2).tolist():
                damaged[place] ^= int(random.integers(1, 256))
            path.write_bytes(damaged)
            try:
                with closing(MatteReader(path)) as reader:
                    reader.matte(0)
            except (OSError, ValueError):
                refused += 1
        assert refused > 200


class TestDetection:
    @pytest.fixture
    def video(self, tmp_path: Path) -> Path:
        with VideoWriter(tmp_path / "v.mp4", SIZE, FPS) as writer:
            for _ in range(FRAMES):
                writer.write(wall())
        return tmp_path / "v.mp4"

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
        """For each detection that was done, whether mattes were wanted; frame 3 shows nobody."""
        asked: list[bool] = []

        def people(frames: Iterable[Image], mattes: bool) -> Iterator[list[Person]]:
            asked.append(mattes)
            for index, _ in enumerate(frames):
                pose = swaying(FRAMES).pose(index)
                yield [] if index == 3 else [Person(pose, gradient(index) if mattes else None)]

        monkeypatch.setattr(detection, "DetectorPool", partial(StandInPool, people))
        return asked

    def test_they_are_found_once(self, video: Path, asked: list[bool]) -> None:
        expected = [gradient(index) * (index != 3) for index in range(FRAMES)]
        for _ in range(2):
            found: list[Image] = []
            detect_video(video, on_matte=found.append)
            assert np.array_equal(found, expected)
        detect_video(video)  # needs the poses alone
        assert asked == [True]

    def test_poses_alone_are_not_enough(self, video: Path, asked: list[bool]) -> None:
        found: list[Image] = []
        detect_video(video)
        detect_video(video, on_matte=found.append)
        assert asked == [False, True]
        assert len(found) == FRAMES

    @pytest.mark.parametrize(
        "damage", [lambda data: b"", lambda data: data[:200], lambda data: data[:60] + bytes(9) + data[69:]]
    )
    def test_damaged_ones_are_found_again(self, video: Path, asked: list[bool], damage) -> None:  # type: ignore[no-untyped-def]
        detect_video(video, on_matte=lambda matte: None)
        (kept,) = (Path(os.environ["EVERYBODY_DANCE_CACHE"]) / "keypoints").glob("*.mattes.zip")
        kept.write_bytes(damage(kept.read_bytes()))
        found: list[Image] = []
        detect_video(video, on_matte=found.append)
        assert asked == [True, True]
        assert len(found) == FRAMES

    def test_where_nothing_can_be_kept_they_are_still_found(
        self, video: Path, asked: list[bool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "file").touch()
        monkeypatch.setenv("EVERYBODY_DANCE_CACHE", str(tmp_path / "file" / "cache"))
        found: list[Image] = []
        detect_video(video, on_matte=found.append)
        assert len(found) == FRAMES

    def test_a_failure_is_told_and_leaves_nothing(self, video: Path, asked: list[bool]) -> None:
        def fail(matte: Image) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            detect_video(video, on_matte=fail)
        kept = (Path(os.environ["EVERYBODY_DANCE_CACHE"]) / "keypoints").iterdir()
        assert all(path.name.endswith(".glances.npy") for path in kept)


def test_the_detector_sees_the_person_and_the_poses_stay_as_they_were() -> None:
    shown = [render(DANCERS["ada"], CHOREOGRAPHIES["waves"], index / 25, (512, 384)) for index in range(12)]
    frames = [frame.image for frame in shown]
    with DetectorPool("mediapipe", 1, mattes=True) as pool:
        with_mattes = [people[0] for people in pool.people(frames)]
    with DetectorPool("mediapipe", 1) as pool:
        without = [people[0] for people in pool.people(frames)]
    for one, other, frame in zip(with_mattes, without, shown, strict=True):
        assert other.matte is None
        assert np.array_equal(one.pose.xy, other.pose.xy)
        assert np.array_equal(one.pose.confidence, other.pose.confidence)
        assert one.matte is not None
        assert silhouette_iou(one.matte, 255 * frame.mask.astype(np.uint8)) > 0.85


class TestSubject:
    def test_its_mattes(self, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "s")
        assert np.array_equal(subject.matte(5), matte(subject.keypoints, 5))

    def test_where_the_detector_saw_nobody_the_limbs_stand_in(self, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "s")
        (subject.folder / "mattes.zip").unlink()
        with closing(MatteWriter(subject.folder / "mattes.zip")) as writer:
            for _ in range(40):
                writer.write(np.zeros(SIZE[::-1], np.uint8))
        opened = Subject.open(subject.folder)
        assert np.array_equal(opened.matte(7) > 0, person_mask(opened.keypoints.pose(7), SIZE, 0.0))
        nobody = replace(opened.keypoints, confidence=np.zeros_like(opened.keypoints.confidence))
        assert not Subject(opened.folder, opened.manifest, nobody).matte(7).any()


def test_silhouettes_by_hand() -> None:
    one, other = np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8)
    assert np.isnan(silhouette_iou(one, other))
    one[:2], other[1:3] = 255, 200
    assert silhouette_iou(one, other) == pytest.approx(1 / 3)
    other[1:3] = 100  # more place than person
    assert silhouette_iou(one, other) == 0
