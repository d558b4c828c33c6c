"""From a video to keypoints: where poses come from, what is remembered, and the processes that detect."""

import itertools
import json
import os
import pickle
import shutil
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from everybody_dance import machine
from everybody_dance.dancers.clips import CLIPS
from everybody_dance.errors import DanceError
from everybody_dance.events import Event, Finding, listening
from everybody_dance.images import Image
from everybody_dance.keypoints import NOBODY, Keypoints, Pose
from everybody_dance.machine import usable_cores
from everybody_dance.pose import detection, detector_process
from everybody_dance.pose.cuts import CutFinder
from everybody_dance.pose.detection import Detection, detect_video, source_identity
from everybody_dance.pose.detector_process import (
    CHUNK,
    LONG_SIDE,
    WARM_UP,
    DetectorPool,
    FollowingDetector,
    deaf_to_ctrl_c,
    shrunk,
)
from everybody_dance.pose.mediapipe_holistic import NAME, MediaPipeDetector
from everybody_dance.pose.people import Person
from everybody_dance.skeleton import JOINT_COUNT
from everybody_dance.video.reader import VideoReader
from subjects import FPS, SIZE, picture, swaying
from worlds import StandInPool, answering, write_openpose, write_video

FRAMES = 10


@pytest.fixture
def video(tmp_path: Path) -> Path:
    keypoints = swaying(FRAMES)
    return write_video(tmp_path / "video.mp4", (picture(keypoints, index) for index in range(FRAMES)))


class TestIdentity:
    def test_openpose_files_are_their_content(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_openpose(tmp_path / "a", swaying(3))
        shutil.copytree(tmp_path / "a", tmp_path / "b")
        monkeypatch.chdir(tmp_path)
        spelled = ("a", "./a", "a/", f"{tmp_path}/a", "b", "a?body=25")
        same = {source_identity(f"openpose:{folder}") for folder in spelled}
        assert len(same) == 1
        assert source_identity("openpose:a?body=23-later") not in same

    def test_their_number_and_order_are_part_of_it(self, tmp_path: Path) -> None:
        for name, values in {"a": "xy", "b": "yx", "c": "x", "d": ["x", "", "y"]}.items():
            (tmp_path / name).mkdir()
            for index, value in enumerate(values):
                (tmp_path / name / f"clip_{index}_keypoints.json").write_text(value)
        assert len({source_identity(f"openpose:{tmp_path / name}") for name in "abcd"}) == 4

    def test_files_of_all_parts_count(self, tmp_path: Path) -> None:
        (tmp_path / "clip_0_pose.yml").write_text("a")
        identities = [source_identity(f"openpose:{tmp_path}")]
        for part in ("face", "hand_left", "hand_right"):
            (tmp_path / f"clip_0_{part}.yml").write_text("a")
            identities.append(source_identity(f"openpose:{tmp_path}"))
        assert len(set(identities)) == 4


def everywhere(people: int = FRAMES) -> Iterator[list[Person]]:
    keypoints = swaying(people)
    return ([Person(keypoints.pose(index))] for index in range(people))


class Answers:
    """Stands in for ``DetectorPool.people``."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, frames: Iterable[Image], mattes: bool) -> Iterator[list[Person]]:
        self.asked += 1
        for index, (_, people) in enumerate(zip(frames, everywhere(), strict=True)):
            matte = np.full((SIZE[1], SIZE[0]), 10 * index, np.uint8) if mattes else None
            yield [Person(person.pose, matte) for person in people]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    stand_in = Answers()
    monkeypatch.setattr(detection, "DetectorPool", partial(StandInPool, stand_in))
    return stand_in


def entries() -> list[Path]:
    """The files of the cache."""
    return sorted((Path(os.environ["EVERYBODY_DANCE_CACHE"]) / "keypoints").glob("*"))


class TestDetectVideo:
    def test_what_was_found_is_remembered(self, video: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
        first = detect_video(video)
        assert np.array_equal(first.keypoints.xy, swaying(FRAMES).xy)
        assert (first.keypoints.size, first.keypoints.fps, first.detector) == (SIZE, FPS, NAME)
        frames: list[Image] = []
        progress: list[tuple[int, int | None]] = []
        # Cuts are known as well: nobody looks for them again.
        monkeypatch.setattr(CutFinder, "see", None)
        second = detect_video(video.rename(video.with_name("renamed.mp4")), on_frame=frames.append)
        assert answers.asked == 1
        assert np.array_equal(second.keypoints.xy, first.keypoints.xy)
        assert second.cuts == first.cuts
        assert len(frames) == FRAMES
        detect_video(video.with_name("renamed.mp4"), on_progress=lambda *at: progress.append(at))
        assert not progress  # not even decoded

    def test_another_rate_is_another_detection(self, video: Path, answers: Answers) -> None:
        detect_video(video)
        with pytest.raises(ValueError, match="zip"):  # asked again, and the stand-in has too few answers
            detect_video(video, fps=2 * FPS)
        assert answers.asked == 2

    @pytest.mark.parametrize(
        "damage",
        [
            lambda file: file.write_bytes(b""),
            lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
            lambda file: file.write_bytes(file.read_bytes()[:-5]),
            lambda file: file.write_bytes(b"PK\3\4 and no more"),
            lambda file: file.write_bytes(bytes(200)),
            lambda file: file.write_text("[]"),
            lambda file: file.write_text('{"cuts": 3}'),
            lambda file: file.write_text('{"cuts": [[]]}'),
            lambda file: file.write_text(f'{{"cuts": [{FRAMES}]}}'),
            lambda file: file.write_text("{"),
            lambda file: (file.unlink(), file.mkdir()),
            lambda file: file.unlink(),
        ],
    )
    @pytest.mark.parametrize("suffix", [".npz", ".json"])
    def test_a_damaged_entry_is_made_anew(self, video: Path, answers: Answers, damage, suffix: str) -> None:  # type: ignore[no-untyped-def]
        first = detect_video(video)
        (file,) = (file for file in entries() if file.suffix == suffix)
        damage(file)
        second = detect_video(video)
        assert answers.asked == 2
        assert np.array_equal(second.keypoints.xy, first.keypoints.xy)
        if file.is_file():
            detect_video(video)
            assert answers.asked == 2

    def test_flipped_bytes_never_fail(self, video: Path, answers: Answers) -> None:
        random = np.random.default_rng(0)
        first = detect_video(video)
        (file,) = (file for file in entries() if file.suffix == ".npz")
        whole = file.read_bytes()
        for _ in range(60):
            damaged = bytearray(whole)
            for place in random.integers(0, len(whole), 3):
                damaged[place] = int(random.integers(256))
            file.write_bytes(damaged)
            assert np.array_equal(detect_video(video).keypoints.xy, first.keypoints.xy)

    def test_an_entry_of_another_size_is_none(self, video: Path, answers: Answers) -> None:
        detect_video(video)
        (file,) = (file for file in entries() if file.suffix == ".npz")
        Keypoints.load(file).scaled_to((64, 64)).save(file)
        assert detect_video(video).keypoints.size == SIZE
        assert answers.asked == 2

    def test_a_cache_that_cannot_be_written(
        self, video: Path, answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").touch()
        monkeypatch.setenv("EVERYBODY_DANCE_CACHE", str(tmp_path / "file"))
        heard: list[Event] = []
        with listening(heard.append):
            assert len(detect_video(video).keypoints) == FRAMES
        (finding,) = heard
        assert isinstance(finding, Finding)
        assert (finding.code, finding.severity) == ("not-cached", "remark")

    def test_openpose_files_are_read_before_the_video(self, video: Path, tmp_path: Path) -> None:
        folder = tmp_path / "poses"
        pose = write_openpose(folder, swaying(FRAMES))
        frames: list[Image] = []
        found = detect_video(video, pose, on_frame=frames.append)
        assert np.allclose(found.keypoints.xy, swaying(FRAMES).xy + 0.5)
        assert len(frames) == FRAMES
        (folder / "clip_000000000003_keypoints.json").write_text("{")
        with pytest.raises(DanceError) as error:
            detect_video(video, pose, on_frame=frames.append)
        assert error.value.code == "bad-poses"
        assert len(frames) == FRAMES

    def test_somebody_who_is_suddenly_elsewhere_is_a_finding(
        self, video: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keypoints = swaying(FRAMES)
        places = [Pose(keypoints.xy[0] + 90 * (index == 5), keypoints.confidence[0]) for index in range(FRAMES)]
        people = [[Person(pose)] for pose in places]
        monkeypatch.setattr(detection, "DetectorPool", partial(StandInPool, answering(people)))
        for _ in range(2):  # from the cache as well
            heard: list[Event] = []
            with listening(heard.append):
                detect_video(video)
            assert [(e.code, e.values["places"]) for e in heard if isinstance(e, Finding)] == [("person-changes", 2)]

    def test_a_frame_without_anybody(self, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        none: list[list[Person]] = [[] for _ in range(FRAMES)]
        monkeypatch.setattr(detection, "DetectorPool", partial(StandInPool, answering(none)))
        found: Detection = detect_video(video)
        assert len(found.keypoints) == FRAMES
        assert not found.keypoints.found.any()


class Recorded:
    """Stands in for ``FollowingDetector``: everything is done as soon as it is submitted."""

    made: list["Recorded"]

    def __init__(self, detector: str, mattes: bool) -> None:
        self.seen: list[int] = []
        self.pending = 0
        self.closed = False
        Recorded.made.append(self)

    def submit(self, image: Image, everybody: bool = False) -> Future[list[Person]]:
        number = int(image[0, 0, 0])
        self.seen.append(number)
        self.pending += 1
        future: Future[list[Person]] = Future()
        future.set_result([Person(Pose(np.full((JOINT_COUNT, 2), number), np.ones(JOINT_COUNT)))])
        return future

    def wait_until(self, most: int) -> None:
        self.pending = min(self.pending, most)

    def reset(self) -> None:
        self.seen.append(-1)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Recorded]:
    Recorded.made = []
    monkeypatch.setattr(detector_process, "FollowingDetector", Recorded)
    return Recorded.made


def numbered(count: int) -> Iterator[Image]:
    return (np.full((4, 4, 3), index, np.uint8) for index in range(count))


class TestProcesses:
    def test_chunks_behind_their_warm_up_spread_over_the_processes(self, recorded: list[Recorded]) -> None:
        count = 2 * CHUNK + 30
        with DetectorPool("mediapipe", 2) as pool:
            found = list(pool.people(numbered(count)))
        assert [int(people[0].pose.xy[0, 0]) for people in found] == list(range(count))
        first, second, third = (
            [-1, *range(max(start - WARM_UP, 0), min(start + CHUNK, count))] for start in range(0, count, CHUNK)
        )
        assert recorded[0].seen == first + third
        assert recorded[1].seen == second
        assert all(process.closed for process in recorded)

    def test_they_end_when_nobody_wants_the_rest(self, recorded: list[Recorded]) -> None:
        def failing() -> Iterator[Image]:
            yield from numbered(3)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), DetectorPool("mediapipe", 2) as pool:
            list(pool.people(failing()))
        assert all(process.closed for process in recorded)

    def test_as_many_as_there_are_cores_for_us(
        self, video: Path, recorded: list[Recorded], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "cpu_count", lambda: 64)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
        detect_video(video)
        assert len(recorded) == usable_cores() <= 3

    def test_large_images_are_shrunk(self) -> None:
        assert shrunk(np.zeros((8, LONG_SIDE, 3), np.uint8)).shape == (8, LONG_SIDE, 3)
        assert shrunk(np.zeros((2 * LONG_SIDE, 800, 3), np.uint8)).shape == (LONG_SIDE, 400, 3)

    @pytest.mark.slow
    def test_a_process_that_dies_is_explained(self) -> None:
        with FollowingDetector() as process:
            process.people(np.zeros((64, 64, 3), np.uint8))
            (worker,) = process._pool._processes.values()
            worker.kill()
            worker.join()
            with pytest.raises(DanceError) as error:
                process.people(np.zeros((64, 64, 3), np.uint8))
            assert error.value.code == "detector-failed"

    @pytest.mark.slow
    def test_the_result_does_not_depend_on_their_number(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(detector_process, "CHUNK", 8)
        monkeypatch.setattr(detector_process, "RESERVE", 2)
        with VideoReader(CLIPS.source) as reader:
            frames = list(itertools.islice(reader, 0, 60, 2))
        one, two = (only_poses(frames, processes) for processes in (1, 2))
        assert sum(pose.person_seen for pose in one) > 20
        assert all(same(*pair) for pair in zip(one, two, strict=True))


def only_poses(frames: list[Image], processes: int) -> list[Pose]:
    with DetectorPool("mediapipe", processes) as pool:
        return [only_pose(people) for people in pool.people(frames)]


def only_pose(people: list[Person]) -> Pose:
    return people[0].pose if people else NOBODY


def same(one: Pose, other: Pose) -> bool:
    return np.array_equal(one.xy, other.xy) and np.array_equal(one.confidence, other.confidence)


@pytest.mark.slow
def test_a_detector_that_was_reset_is_a_new_one() -> None:
    """On it rests that one detector per process serves all chunks."""
    with VideoReader(CLIPS.source) as reader:
        frames = list(itertools.islice(reader, 60))
    before, after = frames[:6], frames[50:]
    used = MediaPipeDetector()
    for frame in before:
        used.people(frame)
    without = [only_pose(used.people(frame)) for frame in after]
    for frame in before:
        used.people(frame)
    used.reset()
    reset = [only_pose(used.people(frame)) for frame in after]
    new = MediaPipeDetector()
    fresh = [only_pose(new.people(frame)) for frame in after]
    assert all(pose.person_seen for pose in fresh)
    assert all(same(*pair) for pair in zip(reset, fresh, strict=True))
    # Were this the same, the test would show nothing.
    assert not all(same(*pair) for pair in zip(without, fresh, strict=True))
    used.close()
    new.close()


def test_a_person_survives_the_way_between_processes() -> None:
    keypoints = swaying(1)
    person = pickle.loads(pickle.dumps(Person(keypoints.pose(0))))
    assert same(person.pose, keypoints.pose(0))
    assert not person.pose.xy.flags.writeable


class TestCores:
    @pytest.fixture(autouse=True)
    def sixteen_cores(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
        monkeypatch.setattr(os, "cpu_count", lambda: 64)

    def quotas(self, monkeypatch: pytest.MonkeyPatch, folder: Path, own: str, quotas: dict[str, str]) -> int:
        """The cores in the control group ``own`` where ``quotas`` has the content of ``cpu.max`` by group."""
        (folder / "own").write_text(f"4:memory:/x\n0::{own}\n")
        monkeypatch.setattr(machine, "OWN_CGROUP", folder / "own")
        monkeypatch.setattr(machine, "CGROUPS", folder / "groups")
        for group, quota in quotas.items():
            place = folder / "groups" / group.lstrip("/")
            place.mkdir(parents=True, exist_ok=True)
            (place / "cpu.max").write_text(quota)
        return usable_cores()

    @pytest.mark.parametrize(
        ("own", "quotas", "cores"),
        [
            ("/", {}, 16),
            ("/", {"/": "max 100000\n"}, 16),
            ("/", {"/": "200000 100000\n"}, 2),
            ("/", {"/": "150000 100000\n"}, 2),
            ("/", {"/": "5000 100000\n"}, 1),
            ("/", {"/": "9900000 100000\n"}, 16),
            ("/", {"/": "nonsense"}, 16),
            ("/a/b", {"/a/b": "max 100000", "/a": "300000 100000"}, 3),
            ("/a/b", {"/a/b": "400000 100000", "/c": "100000 100000"}, 4),
            ("/gone", {"/": "600000 100000"}, 6),
        ],
    )
    def test_the_containers_share(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own: str, quotas: dict[str, str], cores: int
    ) -> None:
        assert self.quotas(monkeypatch, tmp_path, own, quotas) == cores

    def test_without_control_groups_or_affinity(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(machine, "OWN_CGROUP", tmp_path / "nowhere")
        assert usable_cores() == 16
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
        assert usable_cores() == 64

    @pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="signals cannot be blocked here")
    def test_ctrl_c_is_heard_after_the_block(self) -> None:
        with deaf_to_ctrl_c():
            assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def test_where_signals_cannot_be_blocked_nothing_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(signal, "pthread_sigmask", raising=False)
        with deaf_to_ctrl_c():
            pass


def test_the_cuts_are_in_the_entry(tmp_path: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    scenes = [np.full((120, 128, 3), value, np.uint8) for value in (20, 230)]
    video = write_video(tmp_path / "cut.mp4", itertools.chain([scenes[0]] * 5, [scenes[1]] * 5), Fraction(25))
    assert detect_video(video).cuts == (5,)
    assert detect_video(video).cuts == (5,)
    assert json.loads(next(file for file in entries() if file.suffix == ".json").read_text()) == {"cuts": [5]}
    assert answers.asked == 1
