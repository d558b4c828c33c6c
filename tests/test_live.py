"""The live show: stages that wait for nobody, ends that leave nothing behind, recordings by the clock."""

import _thread
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from websockets import Origin
from websockets.sync.client import connect

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.events import Cancellation, Finding, Progress, listening
from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints, Pose
from everybody_dance.performer.model_files import Model, load_performer
from everybody_dance.performer.performer import Performer
from everybody_dance.pose.cuts import CausalCuts
from everybody_dance.pose.detection import Detection
from everybody_dance.pose.following import HOLD, LOOK_ALONE, LOOK_SEVERAL, Follower
from everybody_dance.pose.people import Person
from everybody_dance.skeleton import Joint
from everybody_dance.synthesis import live as live_module
from everybody_dance.synthesis import placing as placing_module
from everybody_dance.synthesis.composing import FADE, LABEL, Composer, camera_picture
from everybody_dance.synthesis.config import LiveConfig
from everybody_dance.synthesis.finding import Finder
from everybody_dance.synthesis.handover import Handover, Over
from everybody_dance.synthesis.live import Live, LiveResult, Shown
from everybody_dance.synthesis.placing import COUNTDOWN, GLIDE, LOOKING, CausalPlacing, Placement
from everybody_dance.synthesis.recorder import Recorder
from everybody_dance.synthesis.source import Dance
from everybody_dance.synthesis.stream import Stream
from everybody_dance.synthesis.timings import Timings
from everybody_dance.video import capture
from everybody_dance.video.capture import CameraState, Captured, DeviceCamera, FileCamera, PushedCamera, open_camera
from everybody_dance.video.reader import VideoReader, probe
from everybody_dance.video.writer import VideoWriter
from everybody_dance.workflows import live_benchmark
from everybody_dance.workflows.live import LiveRequest, live
from figures import standing
from subjects import SIZE
from test_sound import flashes, heard_beeps, record
from worlds import dance, finish, start, write_video

SUBJECT = Path(__file__).parent / "data" / "629d904" / "subject"
NOBODY = 12
"""Level of a frame in which nobody is seen; in darker ones the person stands where the level says."""

LONG = 60.0
"""Seconds in which whatever must happen has happened, however busy the machine is."""


@pytest.fixture(autouse=True)
def pytorch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """PyTorch paints, whatever is faster; the names of the runtimes that were asked for."""
    asked: list[str] = []
    monkeypatch.setattr("everybody_dance.workflows.live.use_runtime", lambda _, name: asked.append(name))
    return asked


@pytest.fixture(scope="module")
def performer() -> Performer:
    return load_performer(SUBJECT, "cpu")


def frame(level: int) -> Image:
    """A frame, marked on its left side."""
    image = np.full((SIZE[1], SIZE[0], 3), level, np.uint8)
    image[:, : SIZE[0] // 2, 1] += 2
    return image


def person(level: int = 0) -> Pose:
    return Pose(standing(60 + level, 112, 77), np.ones(137, np.float32))


@dataclass
class Levels:
    """Finds the person by the level of a frame."""

    seen: list[Image] = field(default_factory=list)
    resets: int = 0

    def submit(self, image: Image, everybody: bool = False) -> "Future[list[Person]]":
        future: Future[list[Person]] = Future()
        level = int(image[0, 0, 0])
        if not everybody:
            self.seen.append(image)
        future.set_result([] if level >= NOBODY else [Person(person(level))])
        return future

    def reset(self) -> None:
        self.resets += 1


@dataclass
class Show:
    live: Live
    camera: Any
    result: list[LiveResult] = field(default_factory=list)
    error: list[BaseException] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def run(self) -> None:
        try:
            with listening(lambda event: self.findings.append(event) if isinstance(event, Finding) else None):
                self.result.append(self.live.run())
        except BaseException as error:
            self.error.append(error)

    def push(self, level: int, image: Image | None = None) -> Shown:
        """Give a frame, and wait for its picture."""
        before = self.live.status().shown
        self.camera.push(frame(level) if image is None else image)
        shown = self.live.newest(before, LONG)
        assert shown is not None
        return shown

    def push_for(self, seconds: float, level: int = 0) -> Shown:
        ends = time.monotonic() + seconds
        while True:
            shown = self.push(level)
            if time.monotonic() > ends:
                return shown
            time.sleep(0.02)


@contextmanager
def showing(performer: Performer, camera: Any = None, detector: Any = None, **options: Any) -> Iterator[Show]:
    """A running show; in the end it must leave no thread."""
    before = set(threading.enumerate())
    camera = PushedCamera() if camera is None else camera
    show = Show(Live(performer, camera, detector or Levels(), **options), camera)
    thread = threading.Thread(target=show.run)
    thread.start()
    try:
        yield show
    finally:
        show.live.stop()
        thread.join(LONG)
        assert not thread.is_alive()
        assert set(threading.enumerate()) <= before


def until(what: Callable[[], bool], seconds: float = LONG) -> None:
    ends = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.005)


class TestHandover:
    def test_the_newest_wins(self) -> None:
        place: Handover[int] = Handover()
        assert place.take(0) is None
        place.put(1)
        place.put(2)
        assert place.take(0) == 2
        assert place.take(0) is None

    def test_what_lies_there_is_taken_before_the_end(self) -> None:
        place: Handover[int] = Handover()
        place.put(1)
        place.close()
        assert place.take(0) == 1
        with pytest.raises(Over):
            place.take(5)


class TestCameras:
    def test_only_the_newest_frame_counts(self) -> None:
        camera = PushedCamera()
        assert camera.newest(0, 0.01) is None
        for level in range(3):
            camera.push(frame(level))
        newest = camera.newest(0, 0)
        assert newest is not None
        assert (newest.number, newest.image[0, 0, 0]) == (3, 2)
        assert camera.newest(3, 0.01) is None

    def test_a_pushed_camera_is_lost_when_nobody_pushes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(capture, "SILENT_SECONDS", 0.05)
        camera = PushedCamera()
        assert camera.state is CameraState.LOST
        camera.push(frame(0))
        assert camera.state is CameraState.WORKING
        time.sleep(0.06)
        assert camera.state is CameraState.LOST
        camera.push(frame(1))
        newest = camera.newest(0, 0)
        assert newest is not None
        assert newest.take == 1

    def test_a_file_plays_in_real_time(self, tmp_path: Path) -> None:
        path = write_video(tmp_path / "clip.mp4", (frame(level) for level in range(11)), Fraction(25))
        camera = FileCamera(path)
        time.sleep(0.2)  # it begins when somebody asks
        seen: list[Captured] = []
        while camera.state is not CameraState.ENDED:
            newest = camera.newest(seen[-1].number if seen else 0, 0.2)
            seen += [] if newest is None else [newest]
        assert seen[-1].number == 11
        assert seen[-1].at - seen[0].at >= 0.4 - 0.04 * (seen[0].number - 1) - 0.005
        assert camera.second(seen[-1].at) == pytest.approx(0.4, abs=0.1)
        camera.close()

    def test_a_file_that_loops_begins_anew_in_step(self, tmp_path: Path) -> None:
        camera = FileCamera(write_video(tmp_path / "clip.mp4", (frame(0) for _ in range(5)), Fraction(50)), loop=True)
        newest = camera.newest(0, 5)
        assert newest is not None
        began = newest.at
        until(lambda: (camera.newest(0, 0) or newest).number >= 12)
        newest = camera.newest(0, 0)
        assert newest is not None
        assert newest.take >= 2
        assert newest.at - began >= 0.2
        camera.close()
        assert camera.state is CameraState.ENDED

    @pytest.mark.parametrize("raises", [False, True])
    def test_a_lost_camera_is_back_by_itself(self, monkeypatch: pytest.MonkeyPatch, raises: bool) -> None:
        monkeypatch.setattr(capture, "RETRY_SECONDS", 0.02)
        plugged = threading.Event()
        plugged.set()

        class Plugged:
            def read(self) -> tuple[bool, Any]:
                time.sleep(0.005)
                if raises and not plugged.is_set():
                    raise cv2.error("unplugged")
                return plugged.is_set(), np.full((8, 8, 3), (1, 2, 3), np.uint8)

            def release(self) -> None:
                pass

        camera = DeviceCamera("camera 0", lambda: Plugged() if plugged.is_set() else None)
        first = camera.newest(0, 1)
        assert first is not None
        assert tuple(first.image[0, 0]) == (3, 2, 1)
        plugged.clear()
        until(lambda: camera.state is CameraState.LOST)
        lost = camera.newest(0, 0)
        assert lost is not None
        plugged.set()
        back = camera.newest(lost.number, 2)
        assert back is not None
        assert camera.state is CameraState.WORKING
        assert back.take > first.take
        camera.close()
        assert "camera 0" not in {thread.name for thread in threading.enumerate()}

    @pytest.mark.parametrize("which", ["99", "http://me:secret@127.0.0.1:9/nothing"])
    def test_a_camera_that_is_not_there(self, which: str, capfd: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(DanceError, match=r"no picture from (camera 99|http:)") as failure:
            open_camera(which)
        assert failure.value.code == "no-camera"
        assert "secret" not in failure.value.message
        assert capfd.readouterr().err == ""

    def test_a_file_that_is_not_there_and_a_loop_of_a_device(self, tmp_path: Path) -> None:
        with pytest.raises(DanceError, match="does not exist"):
            open_camera(str(tmp_path / "nothing.mp4"))
        with pytest.raises(UsageError, match="--loop"):
            open_camera("0", loop=True)


class TestFollower:
    def people(self, *places: tuple[float, float]) -> list[Person]:
        return [Person(Pose(standing(x, 110, height), np.ones(137, np.float32))) for x, height in places]

    @pytest.mark.parametrize(("who", "x"), [("largest", 90), ("left", 30), ("right", 170), ("centre", 90)])
    def test_whom_it_chooses(self, who: str, x: float) -> None:
        follower, people = Follower(who), self.people((30, 60), (90, 80), (170, 60))
        assert follower.due(0)
        assert follower.look(people, (200, 120), 0)
        assert not follower.due(LOOK_SEVERAL / 2)
        assert follower.due(LOOK_SEVERAL)
        image = np.random.default_rng(0).integers(0, 255, (120, 200, 3)).astype(np.uint8)
        shown = follower.picture(image)
        for other, kept in ((30, x == 30), (90, x == 90), (170, x == 170)):
            assert np.array_equal(shown[80, other], image[80, other]) == kept

    def test_the_one_who_was_followed_is_kept(self) -> None:
        follower = Follower()
        follower.look(self.people((30, 60), (90, 80)), (200, 120), 0)
        for moment in range(1, 20):  # somebody larger comes in, the follower sees their own
            at = moment / 10
            assert follower.recognized(self.people((90 + moment, 80)), at) is not None
            assert not follower.look(self.people((150, 100), (90 + moment, 80)), (200, 120), at)
        found = follower.recognized(self.people((109, 80)), 2)
        assert found is not None
        assert follower.recognized(self.people((190, 100)), 2.03) is None  # a jump: it holds on, and looks
        assert follower.due(2.03)
        assert follower.recognized(self.people((190, 100)), 2.1 + HOLD) is not None

    def test_in_the_mirror_the_same_one_is_followed(self) -> None:
        """Of two as tall as each other the right one was followed, who is on the left in the mirror."""
        left, right = self.people((40, 70), (150, 71))
        seen: list[Image] = []

        class Both(Levels):
            def submit(self, image: Image, everybody: bool = False) -> "Future[list[Person]]":
                future: Future[list[Person]] = Future()
                people = [Person(one.pose.mirrored(200)) if flipped else one for one in (left, right)]
                future.set_result(people if everybody else people[1:])
                seen.append(image)
                return future

        # Not alike on both sides: mirrored it looks like another shot.
        image, flipped = np.zeros((120, 200, 3), np.uint8), False
        image[:, :100] = 200
        detector = Both()
        finder = Finder(PushedCamera(), detector, "right", threading.Event())
        finder.find(Captured(image, 0.0, 1), mirror=False)
        resets, flipped = detector.resets, True
        found = finder.find(Captured(image, 0.1, 2), mirror=True)
        assert found.pose is not None
        np.testing.assert_allclose(found.pose.xy, right.pose.mirrored(200).xy, atol=1e-3)
        assert found.shot == 1 + 1
        assert detector.resets == resets + 1
        mirrored = image[:, ::-1]
        kept = [bool((seen[-1][60, x] == mirrored[60, x]).all()) for x in (50, 160)]
        assert kept == [True, False]

    def test_alone_nothing_is_hidden(self) -> None:
        follower, image = Follower(), frame(0)
        assert not follower.look(self.people((60, 70)), SIZE, 0)
        assert follower.picture(image) is image
        assert not follower.due(LOOK_ALONE - 0.1)
        assert follower.recognized([], 0.1) is None


def test_cuts_are_found_at_once() -> None:
    random = np.random.default_rng(0)
    one, other = random.integers(0, 255, (2, 24, 32, 3)).astype(np.uint8)
    cuts = CausalCuts()
    assert [cuts.step(shown) for shown in (one, one, other, other, one)] == [False, False, True, False, True]


class TestPlacing:
    def placing(self, performer: Performer) -> CausalPlacing:
        manifest = performer.manifest
        return CausalPlacing(manifest.statistics, manifest.size, "none", "source")

    def dance(self, placing: CausalPlacing, begin: float, seconds: float, height: float, x: float = 300) -> Pose:
        pose = Pose(standing(x, 440, height), np.ones(137, np.float32))
        for moment in np.arange(begin, begin + seconds, 1 / 25):
            placed = placing.step(pose, (640, 480), float(moment)).placed
            assert placed is not None
        return placed

    def test_a_calibration_fits_anew_to_what_is_seen_then(self, performer: Performer) -> None:
        placing = self.placing(performer)
        wanted = self.dance(placing, 0, 8, 200)
        other = self.dance(placing, 8, 1, 300)
        assert other.height == pytest.approx(1.5 * wanted.height, rel=0.02)
        placing.calibrate(9)
        assert placing.countdown(9) == COUNTDOWN
        self.dance(placing, 9, COUNTDOWN, 300)
        assert placing.countdown(9 + COUNTDOWN) == 0
        self.dance(placing, 9 + COUNTDOWN, LOOKING + 0.1, 300)
        assert placing.countdown(20) is None
        now = self.dance(placing, 20, GLIDE + 0.2, 300)
        assert now.height == pytest.approx(wanted.height, rel=0.02)

    def test_a_calibration_that_saw_nobody_is_known(self, performer: Performer) -> None:
        placing = self.placing(performer)
        before = self.dance(placing, 0, 8, 200)
        placing.calibrate(8)
        for moment in np.arange(8, 8 + COUNTDOWN + LOOKING + 0.1, 1 / 25):
            placing.step(None, (640, 480), float(moment))
        assert placing.missed
        assert self.dance(placing, 14, 1, 200).height == pytest.approx(before.height, rel=0.02)
        placing.calibrate(15)
        assert not placing.missed

    def test_a_calibration_looks_long_enough_where_the_camera_was_gone(self, performer: Performer) -> None:
        placing = self.placing(performer)
        self.dance(placing, 0, 8, 200)
        placing.calibrate(8)
        self.dance(placing, 60, 0.2, 200)
        assert placing.countdown(60.2) == 0
        self.dance(placing, 60.2, LOOKING, 200)
        assert placing.countdown(60.2 + LOOKING) is None

    def test_a_fit_passes_into_the_next_one(self, performer: Performer) -> None:
        placing = self.placing(performer)
        self.dance(placing, 0, 8, 200)
        placing.calibrate(8)
        heights = [self.dance(placing, 8 + moment / 25, 1 / 30, 300).height for moment in range(25 * 8)][3:]
        assert max(heights) - min(heights) > 0.3 * max(heights)
        assert np.abs(np.diff(heights)).max() < 0.05 * max(heights)

    def test_who_comes_back_begins_anew(self, performer: Performer) -> None:
        placing, pose = self.placing(performer), person()
        first = placing.step(pose, SIZE, 0.0)
        gone = [placing.step(None, SIZE, moment / 25) for moment in range(1, 30)]
        assert gone[0].placed is not None  # a frame that was missed is bridged
        assert gone[-1].placed is None
        back = placing.step(pose.shifted(30, 0), SIZE, 1.3)
        assert back.shot == first.shot + 1
        np.testing.assert_allclose(back.pose.xy, pose.shifted(30, 0).xy, atol=1e-3)

    @pytest.mark.parametrize("rate", [8, 50])
    def test_filters_know_the_rate(self, performer: Performer, rate: int) -> None:
        """A limb that is gone is held for four tenths of a second, however many poses that are."""
        placing, pose = self.placing(performer), person()
        for index in range(3 * rate):
            placing.step(pose, SIZE, index / rate)
        missing = pose.without(np.arange(137) == Joint.LEFT_WRIST)
        held = [placing.step(missing, SIZE, 3 + index / rate).pose.found[Joint.LEFT_WRIST] for index in range(rate)]
        assert sum(held) / rate == pytest.approx(0.4, abs=1.5 / rate)

    def test_a_camera_of_another_size_begins_anew(self, performer: Performer) -> None:
        placing = self.placing(performer)
        before = placing.step(person(), SIZE, 0)
        double = Pose(2 * person().xy, person().confidence)
        after = placing.step(double, (2 * SIZE[0], 2 * SIZE[1]), 0.04)
        assert after.shot > before.shot
        assert before.placed is not None
        assert after.placed is not None
        np.testing.assert_allclose(after.placed.xy, before.placed.xy, atol=0.1)


class TestComposing:
    def test_who_goes_fades_into_the_empty_place(self, performer: Performer) -> None:
        stream, composer = Stream(performer, 25), Composer(performer)
        painted, empty = stream.step(person()), stream.step(None)
        shown = [composer.compose(painted, moment / 25, None) for moment in range(10, 30)][-1]
        assert np.array_equal(shown, painted.frame)
        far = np.abs(painted.frame.astype(int) - performer.plate).mean()
        left = []
        for moment in range(30, 42):
            fading = composer.compose(empty, moment / 25, None)
            left.append(np.abs(fading.astype(int) - performer.plate).mean() / far)
        assert 0.8 < left[0] < 1
        assert (np.diff(left[: round(FADE * 25)]) < 0).all()
        assert left[-1] == 0
        back = composer.compose(painted, 42 / 25, None)
        assert 0 < np.abs(back.astype(int) - performer.plate).mean() < 0.3 * far

    def test_frozen_is_whoever_was_seen(self, performer: Performer) -> None:
        stream, composer = Stream(performer, 25), Composer(performer)
        one, other = stream.step(person()), stream.step(person(10))
        composer.compose(one, 10, None)
        assert np.array_equal(composer.compose(other, 11, None, frozen=True), one.frame)
        assert np.array_equal(composer.compose(stream.step(None), 12, None, frozen=True), one.frame)
        assert np.array_equal(composer.compose(other, 13, None), other.frame)

    def test_an_empty_place_is_frozen_empty(self, performer: Performer) -> None:
        stream, composer = Stream(performer, 25), Composer(performer)
        one, empty = stream.step(person()), stream.step(None)
        composer.compose(one, 10, None)
        assert np.array_equal(composer.compose(empty, 11, None), performer.plate)
        for picture in (empty, one):
            assert np.array_equal(composer.compose(picture, 12, None, frozen=True), performer.plate)
        assert np.array_equal(composer.compose(one, 13, None), one.frame)

    def test_a_label_is_written_on_a_copy(self, performer: Performer) -> None:
        plate, empty = performer.plate.copy(), Stream(performer, 25).step(None)
        shown = Composer(performer, label=True).compose(empty, 0, None)
        changed = (shown != plate).any(axis=2)
        assert changed[-20:, : 8 * len(LABEL)].any()
        assert not changed[: SIZE[1] // 2].any()
        assert np.array_equal(performer.plate, plate)

    def test_the_cameras_picture_is_small_with_the_skeleton(self) -> None:
        image = np.zeros((720, 1280, 3), np.uint8)
        pose = Pose(standing(640, 650, 500), np.ones(137, np.float32))
        small = camera_picture(image, pose)
        assert small.shape == (180, 320, 3)
        assert small[60:150, 140:180].any()
        assert not small[:, :60].any()


class TestRecorder:
    def test_a_picture_stands_where_its_frame_arrived(self, tmp_path: Path) -> None:
        out = tmp_path / "out.mp4"
        recorder = Recorder(out, SIZE, Fraction(30))
        for level, at in ((50, 100.0), (100, 100.101), (150, 100.102), (200, 100.5)):
            recorder.show(np.full((SIZE[1], SIZE[0], 3), level, np.uint8), at)
            until(lambda: recorder._pictures._item is None)
            time.sleep(0.05)
        recorder.end(101.0)
        recorder.close()
        with VideoReader(out) as reader:
            levels = [round(float(image.mean()) / 10) * 10 for image in reader]
        assert levels == 3 * [50] + 12 * [100] + 16 * [200]
        assert recorder.seconds == pytest.approx(1.0, abs=0.05)

    def test_a_recording_is_as_long_as_the_clock_says(
        self, performer: Performer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By the moments at which its frames arrived: how late their pictures are is the machine's affair."""
        arrived: list[float] = []
        recorded: list[float] = []
        add = Recorder.show

        def adding(self: Recorder, picture: Image, at: float) -> None:
            recorded.append(at)
            add(self, picture, at)

        monkeypatch.setattr(Recorder, "show", adding)
        watch = lambda placed, picture: arrived.append(placed.frame.at)  # noqa: E731
        with showing(performer, folder=tmp_path, watch=watch) as show:
            show.push(0)
            show.live.record(True)
            began = time.monotonic()
            show.push_for(0.4)
            assert show.live.status().recording is not None
            time.sleep(0.3)  # nothing comes for a while
            show.push_for(0.2)
            assert arrived[0] <= recorded[0] <= next(at for at in arrived if at > began)
            lasted = arrived[-1] - recorded[0]
            assert lasted > 0.6
            show.live.record(False)
            until(lambda: show.live.status().recording is None)
            show.live.record(True)
            show.push_for(0.1)
        one, two = show.result[0].recordings
        assert probe(one).duration == pytest.approx(lasted, abs=0.1)
        assert one != two
        assert not probe(one).has_sound
        assert {one, two} == set(tmp_path.iterdir())

    def test_the_sound_of_a_file_is_in_step(self, performer: Performer, tmp_path: Path) -> None:
        """Begun at some moment of the file: flashes of the camera and beeps are as far from the begin as each other."""
        source = record(tmp_path / "source.mp4", seconds=2)
        out = tmp_path / "out.mp4"
        seen: list[tuple[float, bool]] = []

        def watch(placed: Any, picture: Any) -> None:
            seen.append((placed.frame.at, placed.frame.image.mean() > 128))

        with showing(performer, FileCamera(source), folder=tmp_path, watch=watch) as show:
            until(lambda: show.live.status().frames > 15)
            show.live.record(True)
            until(lambda: bool(show.result))
        (out,) = show.result[0].recordings
        began = probe(source).duration - probe(out).duration
        assert 0.5 < began < 1.3
        assert heard_beeps(out)[-1] == pytest.approx(1.4 - began, abs=0.06)
        assert any(bright for _, bright in seen)
        assert flashes(source)[-1] == pytest.approx(1.4, abs=0.02)

    def test_a_recording_that_cannot_be_written_does_not_end_the_show(
        self, performer: Performer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        full, add = threading.Event(), Recorder._add
        full.set()

        def adding(self: Recorder, *arguments: Any) -> None:
            if full.is_set():
                raise DanceError("disk-full", "The disk is full.")
            add(self, *arguments)

        monkeypatch.setattr(Recorder, "_add", adding)
        with showing(performer, out=tmp_path / "out.mp4", folder=tmp_path) as show:
            until(lambda: show.push(0) is not None and show.live.status().message is not None)
            assert show.live.status().message == "The recording could not be kept. The disk is full."
            assert show.live.status().recording is None
            show.push_for(0.1)
            assert show.live.status().recording is None  # it is not tried again and again
            full.clear()
            show.live.record(True)
            until(lambda: show.push(0).number > 0 and show.live.status().recording is not None)
            assert show.live.status().message is None
            show.live.record(False)
            until(lambda: len(show.live.recordings()) == 1)
            full.set()
            show.live.record(True)
            until(lambda: show.push(0).number > 0 and show.live.status().message is not None)
        assert [error.code for error in show.error if isinstance(error, DanceError)] == ["disk-full"]
        assert [finding.code for finding in show.findings] == 2 * ["recording-failed"]

    def test_nobody_waits_until_a_recording_is_finished(
        self, performer: Performer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slow, leave = threading.Event(), VideoWriter.__exit__

        def leaving(self: VideoWriter, *arguments: Any) -> None:
            slow.wait(LONG)
            leave(self, *arguments)

        monkeypatch.setattr(VideoWriter, "__exit__", leaving)
        with showing(performer, folder=tmp_path) as show:
            for _ in range(2):  # the second begins while the first is not there yet, perhaps in the same second
                show.live.record(True)
                until(lambda: show.push(0).number > 0 and show.live.status().recording is not None)
                show.live.record(False)
                until(lambda: show.live.status().recording is None)
            assert show.push(1).number > 2
            assert show.live.recordings() == ()
            slow.set()
        assert len(set(show.result[0].recordings)) == 2
        assert set(show.result[0].recordings) == set(tmp_path.iterdir())


class TestShow:
    def test_frames_that_nobody_has_time_for_are_dropped_and_counted(
        self, performer: Performer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        step = Stream.step

        def slow(*arguments: Any, **options: Any) -> Any:
            time.sleep(0.08)
            return step(*arguments, **options)

        monkeypatch.setattr(Stream, "step", slow)
        numbers: list[int] = []
        watch = lambda placed, picture: numbers.append(placed.frame.number)  # noqa: E731
        with showing(performer, watch=watch) as show:
            show.push(0)
            for level in range(30):
                show.camera.push(frame(level % 10))
                time.sleep(0.01)
            until(lambda: bool(numbers) and numbers[-1] == 31)
            until(lambda: show.live.status().shown == len(numbers))
            status = show.live.status()
        assert numbers == sorted(set(numbers))
        assert status.frames == 31
        assert status.shown < 15
        assert status.dropped == 31 - status.shown
        assert status.latency[0] < 1000
        assert status.stages["paint"] >= 80
        result = show.result[0]
        assert (result.frames, result.shown, result.dropped) == (31, status.shown, status.dropped)

    def test_where_cores_are_few_no_pose_is_found_in_vain(
        self, performer: Performer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Detection begins so late that a pose is there for the next picture, with a quarter of its time to spare."""
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now)
        monkeypatch.setattr(Timings, "stages", lambda _: {"paint": 100.0, "detect": 30.0, "place": 2.0})
        waits: dict[tuple[bool, bool], list[float]] = {}
        for few in (True, False):
            monkeypatch.setattr(live_module, "FEW_CORES", 1000 if few else 0)
            show = Live(performer, PushedCamera(), Levels())
            for painting in (True, False):
                waited = waits[few, painting] = []
                monkeypatch.setattr(show._stopping, "wait", waited.append)
                show._state.painting = now if painting else 0.0
                show._leave_cores_to_painting()
        assert waits.pop((True, True)) == [pytest.approx(0.1 - 1.25 * 0.032)]
        assert not any(waits.values())

    def test_nobody_waits_for_the_viewer(self, performer: Performer) -> None:
        with showing(performer) as show:
            for level in range(10):
                show.camera.push(frame(level))
                until(lambda level=level: show.live.status().shown > level)  # type: ignore[misc]
            late = show.live.newest(0, 0)
            assert late is not None
            assert late.number == 10
            assert show.live.newest(10, 0.01) is None

    def test_a_show_has_figures(self, performer: Performer) -> None:
        with showing(performer) as show:
            shown = [show.push(level) for level in range(10)][-1]
            status = show.live.status()
        assert shown.picture.shape == (SIZE[1], SIZE[0], 3)
        assert shown.camera.shape == (SIZE[1], SIZE[0], 3)
        assert shown.seen
        assert status.seen
        assert (status.camera, status.state, status.message) == ("the browser's camera", "working", None)
        assert set(status.stages) == {"detect", "place", "paint", "compose"}
        assert status.rate > 0
        assert 0 < status.latency[0] <= status.latency[1] < 1000 * LONG
        assert show.result[0].rate == pytest.approx(status.rate, rel=0.5)

    @pytest.mark.parametrize("stage", ["camera", "detector", "place", "paint", "compose"])
    def test_an_error_in_a_stage_ends_the_show(
        self, performer: Performer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stage: str
    ) -> None:
        error = DanceError("broken", f"The {stage} broke.")
        broken = threading.Event()

        def breaking(original: Callable[..., Any]) -> Callable[..., Any]:
            def method(*arguments: Any, **options: Any) -> Any:
                if broken.is_set():
                    raise error
                return original(*arguments, **options)

            return method

        place, name = {
            "camera": (PushedCamera, "newest"),
            "detector": (Levels, "submit"),
            "place": (CausalPlacing, "step"),
            "paint": (Stream, "step"),
            "compose": (Composer, "compose"),
        }[stage]
        monkeypatch.setattr(place, name, breaking(getattr(place, name)))
        with showing(performer, out=tmp_path / "out.mp4") as show:
            show.push(0)
            broken.set()

            def ended() -> bool:
                show.camera.push(frame(1))
                return bool(show.error)

            until(ended)
            assert show.live.over
        assert show.error == [error]

    def test_a_detector_that_hangs_does_not_hold_up_the_end(self, performer: Performer) -> None:
        class Hangs(Levels):
            def submit(self, image: Image, everybody: bool = False) -> "Future[list[Person]]":
                return super().submit(image, everybody) if image[0, 0, 0] == 127 else Future()

        with showing(performer, detector=Hangs()) as show:
            show.camera.push(frame(0))
            time.sleep(0.1)
            show.live.stop()
            until(lambda: bool(show.result))

    def test_mirror_flips_before_detection(self, performer: Performer) -> None:
        detector = Levels()
        with showing(performer, detector=detector) as show:
            show.push(0)
            assert detector.seen[-1][0, 0, 1] == 2
            show.live.mirror(True)
            shown = show.push(0)
            assert detector.seen[-1][0, 0, 1] == 0
            assert show.live.status().mirror
            assert np.median(shown.camera[:8, -8:, 1]) >= np.median(shown.camera[:8, :8, 1])

    def test_freeze_holds_the_dancer_and_not_the_camera(self, performer: Performer) -> None:
        with showing(performer) as show:
            before = show.push_for(FADE + 0.1)
            show.live.freeze(True)
            frozen = show.push(10)
            assert np.array_equal(frozen.picture, before.picture)
            assert not np.array_equal(frozen.camera, before.camera)
            show.live.freeze(False)
            assert not np.array_equal(show.push(10).picture, before.picture)

    def test_backgrounds(self, performer: Performer, tmp_path: Path) -> None:
        with showing(performer) as show:
            place = show.push_for(FADE + 0.1).picture
            show.live.show_over("#00B140")
            assert tuple(show.push(0).picture[0, 0]) == (0, 0xB1, 0x40)
            assert show.live.status().background == "#00B140"
            show.live.show_over(np.full((30, 90, 3), 77, np.uint8))
            shown = show.push(0).picture
            assert tuple(shown[0, 0]) == (77, 77, 77)
            assert (shown != 77).any()
            assert show.live.status().background == "picture"
            show.live.show_over(None)
            assert np.array_equal(show.push(0).picture[0], place[0])
            for wrong in ("green", "none", "#12"):
                with pytest.raises(DanceError):
                    show.live.show_over(wrong)

    def test_nobody_fades_to_the_empty_place_and_is_back(self, performer: Performer) -> None:
        with showing(performer) as show:
            somebody = show.push_for(FADE + 0.1)
            assert not np.array_equal(somebody.picture, performer.plate)
            ends = time.monotonic() + LONG
            while not np.array_equal(show.push(NOBODY).picture, performer.plate):
                assert time.monotonic() < ends
            assert not show.live.status().seen
            assert not np.array_equal(show.push_for(FADE + 0.1).picture, performer.plate)

    def test_calibration_counts_down(self, performer: Performer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(placing_module, "COUNTDOWN", 1.0)
        monkeypatch.setattr(placing_module, "LOOKING", 1.0)
        with showing(performer) as show:
            show.push(0)
            assert show.live.status().calibrating is None
            show.live.calibrate()
            left: list[float | None] = []
            ends = time.monotonic() + LONG
            while None not in left[-1:] or not any(value is not None for value in left):
                assert time.monotonic() < ends
                show.push(0)
                left.append(show.live.status().calibrating)
        counting = [value for value in left if value is not None]
        assert counting == sorted(counting, reverse=True)
        assert counting[0] > 0
        assert counting[-1] == 0
        assert left[-1] is None

    def test_follow_asks_for_somebody_else(self, performer: Performer) -> None:
        class Two(Levels):
            def submit(self, image: Image, everybody: bool = False) -> "Future[list[Person]]":
                if not everybody:
                    return super().submit(image)
                future: Future[list[Person]] = Future()
                future.set_result([Person(person()), Person(person(-40))])
                return future

        detector = Two()
        with showing(performer, detector=detector) as show:
            show.push(0)
            resets = detector.resets
            show.live.follow("left")
            show.push(0)
            assert detector.resets == resets + 1
            assert show.live.status().follows == "left"
            with pytest.raises(UsageError):
                show.live.follow("nobody")

    def test_a_lost_camera_is_said(self, performer: Performer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(capture, "SILENT_SECONDS", 0.1)
        with showing(performer) as show:
            show.push(0)
            time.sleep(0.15)
            status = show.live.status()
            assert status.state == "lost"
            assert status.message is not None
            assert "browser's camera" in status.message
            show.push(0)
            assert show.live.status().message is None

    def test_who_walks_out_of_the_picture_is_told(self, performer: Performer) -> None:
        with showing(performer) as show:
            show.push_for(0.2)
            assert show.live.status().message is None
            show.live._placing.step = lambda *_: Placement(person(), person().without(np.ones(137, bool)), 1)  # type: ignore[method-assign]
            shown = show.push(0)
            assert show.live.status().message is not None
            assert "outside the picture" in str(show.live.status().message)
            assert shown.picture.shape == performer.plate.shape

    def test_pictures_are_those_of_a_stream(self, performer: Performer) -> None:
        """No second way to paint: the show's pictures are a stream's, of the poses that were placed."""
        painted: list[tuple[Any, Any]] = []
        with showing(performer, watch=lambda placed, picture: painted.append((placed, picture))) as show:
            for level in range(8):
                show.push(level)
            rate = show.live._painted_rate
        stream, shot = Stream(performer, rate), -1
        for placed, picture in painted:
            expected = stream.step(placed.placement.placed, cut=placed.placement.shot != shot)
            shot = placed.placement.shot
            assert np.array_equal(expected.frame, picture.frame)


class TestWorkflow:
    @pytest.fixture
    def video(self, tmp_path: Path) -> Path:
        return write_video(tmp_path / "dance.mp4", (frame(0) for _ in range(12)), Fraction(25))

    @pytest.fixture(autouse=True)
    def levels(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """No process for the detector, but where a test wants one."""

        class Opened(Levels):
            def __enter__(self) -> "Opened":
                return self

            def __exit__(self, *_: object) -> None:
                pass

        monkeypatch.setattr("everybody_dance.workflows.live.FollowingDetector", Opened)

    def test_a_file_from_begin_to_end(self, video: Path, tmp_path: Path, pytorch: list[str]) -> None:
        heard: list[Any] = []
        out = tmp_path / "out.mp4"
        result = live(LiveRequest(performer=SUBJECT, camera=str(video), out=out), heard.append)
        assert pytorch == ["auto"]
        assert result.frames == result.shown + result.dropped == 12
        assert result.recordings == (out,)
        # From the first picture on, whose time the machine's load decides; TestRecorder has the length.
        assert 1 <= probe(out).announced_frames <= 14
        assert b"trainedAlgorithmicMedia" in out.read_bytes()
        assert any(isinstance(event, Progress) and event.stage == "Live" for event in heard)

    def test_a_cancellation_finishes_the_recording(self, video: Path, tmp_path: Path) -> None:
        cancellation, out = Cancellation(), tmp_path / "out.mp4"
        threading.Timer(1.5, cancellation.request).start()
        request = LiveRequest(performer=SUBJECT, camera=str(video), loop=True, out=out)
        result = live(request, cancellation=cancellation)
        assert result.shown > 0
        assert probe(out).duration > 0

    def test_a_second_ctrl_c_does_not_cost_the_recording(
        self, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        leave, out = VideoWriter.__exit__, tmp_path / "out.mp4"

        def leaving(self: VideoWriter, *arguments: Any) -> None:
            if self.path == out:
                _thread.interrupt_main()
                time.sleep(0.5)
            leave(self, *arguments)

        def watch(show: Live) -> None:
            until(lambda: show.status().recording is not None)
            raise KeyboardInterrupt

        monkeypatch.setattr(VideoWriter, "__exit__", leaving)
        result = live(LiveRequest(performer=SUBJECT, camera=str(video), loop=True, out=out), watch=watch)
        assert result.recordings == (out,)
        assert probe(out).duration > 0

    def test_the_show_ends_when_nobody_watches(self, video: Path) -> None:
        seen: list[Shown | None] = []
        request = LiveRequest(performer=SUBJECT, camera=str(video), loop=True)
        result = live(request, watch=lambda show: seen.append(show.newest(0, LONG)))
        assert seen[0] is not None
        assert result.shown >= 1

    def test_what_cannot_be_done_is_said_before_anything_is_loaded(
        self, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Model, "load", lambda *_: pytest.fail("it was loaded"))
        for code, options in (
            ("no-camera", {"camera": "99"}),
            ("overwrites-input", {"camera": str(video), "out": video}),
            ("bad-value", {"camera": str(video), "config": LiveConfig(background="#12")}),
            ("no-still", {"camera": str(video), "config": LiveConfig(background=str(video))}),
            ("cannot-write", {"camera": str(video), "folder": tmp_path / "nowhere"}),
            ("loop-alone", {"camera": "0", "loop": True}),
            ("loop-alone", {"camera": PushedCamera(), "loop": True}),
        ):
            with pytest.raises(DanceError) as failure:
                live(LiveRequest(performer=SUBJECT, **options))  # type: ignore[arg-type]
            assert failure.value.code == code

    def test_the_command(self, video: Path, tmp_path: Path) -> None:
        out = tmp_path / "out.mp4"
        outcome = dance(
            "live", SUBJECT, "--camera", video, "--out", out, "--mirror", "--label", "--no-browser", "--json"
        )
        assert outcome.code == 0
        figures = outcome.report["metrics"]["live"]
        assert figures["shown"] + figures["dropped"] == figures["frames"] == 12
        assert outcome.report["outputs"] == {"recording": str(out)}
        outcome = dance("live", SUBJECT, "--camera", "99", "--json")
        assert (outcome.code, outcome.error[0]) == (1, "no-camera")


@pytest.mark.parametrize("astray", [0, 12])
def test_the_benchmark_compares_with_the_offline_dance(
    performer: Performer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astray: int
) -> None:
    class Opened(Levels):
        def __enter__(self) -> "Opened":
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(live_benchmark, "FollowingDetector", Opened)
    monkeypatch.setattr(live_benchmark, "SETTLED", 0.2)
    video = write_video(tmp_path / "dance.mp4", (frame(2) for _ in range(25)), Fraction(25))
    manifest = performer.manifest
    placing = CausalPlacing(manifest.statistics, manifest.size, "gaussian", "target")
    placed = [placing.step(person(2), SIZE, index / 25).placed or pytest.fail("nobody") for index in range(25)]
    offline = Keypoints.of([pose.shifted(astray, 0) for pose in placed], manifest.size, Fraction(25))
    source = Keypoints.of([person(2)] * 25, SIZE, Fraction(25))
    detection = Detection(source, (), "levels", np.ones(137, bool))
    dance = Dance(video, detection, source, source, offline, np.ones(25), 0.0)
    figures = live_benchmark.LiveTrial(performer, dance).measure()
    assert figures.compared > 0
    assert figures.painting > 0
    assert figures.show.shown + figures.show.dropped == figures.show.frames
    assert figures.ratio == figures.show.rate / min(1000 / figures.detection, 1000 / figures.painting, figures.camera)
    if astray:
        assert figures.normalization_error > 10
        assert figures.body_ssim < 0.95
    else:
        assert figures.normalization_error < 2
        assert figures.body_ssim > 0.95


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_show_with_its_recording(tmp_path: Path, name: signal.Signals) -> None:
    video = write_video(tmp_path / "dance.mp4", (frame(0) for _ in range(8)), Fraction(25))
    out = tmp_path / "out.mp4"
    process = start(
        "live", SUBJECT, "--runtime", "torch", "--camera", video, "--loop", "--out", out, "--no-browser", "--json"
    )

    assert process.stderr is not None
    # A file that is written before the show has its address is a trial.
    next(line for line in process.stderr if "http://" in line)
    until(lambda: bool(list(tmp_path.glob(".dance-*"))))
    process.send_signal(name)
    outcome = finish(process)
    assert outcome.code == 0, outcome.stderr
    assert outcome.report["metrics"]["live"]["shown"] > 0
    assert probe(out).duration > 0
    assert {path.name for path in tmp_path.iterdir()} == {"dance.mp4", "out.mp4"}


def test_a_detector_ends_with_a_program_that_is_killed() -> None:
    script = """
import multiprocessing, time
import numpy as np
from everybody_dance.pose.detector_process import FollowingDetector, result_of
with FollowingDetector() as detector:
    result_of(detector.submit(np.zeros((64, 64, 3), np.uint8)))
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    detector = int(process.stdout.readline())
    process.kill()
    process.wait()

    def ended() -> bool:
        try:
            return Path(f"/proc/{detector}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except FileNotFoundError:
            return True

    try:
        until(ended)
    finally:
        with suppress(ProcessLookupError):
            os.kill(detector, signal.SIGKILL)


def test_the_page_shows_the_show(tmp_path: Path) -> None:
    video = write_video(tmp_path / "dance.mp4", (frame(0) for _ in range(8)), Fraction(25))
    process = start("live", SUBJECT, "--runtime", "torch", "--camera", video, "--loop", "--no-browser", "--json")
    assert process.stderr is not None
    address = next(match[0] for line in process.stderr if (match := re.search(r"http://\S+", line)))
    place = urlsplit(address)
    with connect(f"ws://{place.netloc}/show?{place.query}", origin=Origin(f"http://{place.netloc}")) as page:
        page.send('{"do": "mirror", "on": true}')
        page.send('{"next": 0}')
        headers = []
        while not any(header.get("number") for header in headers):
            message = page.recv(30)
            assert isinstance(message, bytes) or "error" not in message
            if isinstance(message, bytes):
                headers.append(json.loads(message[4 : 4 + int.from_bytes(message[:4])]))
                page.send('{"next": 0}')
    assert headers[-1]["status"]["mirror"] is True
    assert headers[-1]["status"]["camera"] == "dance.mp4"
    process.send_signal(signal.SIGINT)
    assert finish(process).code == 0


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("browser-and-window", ("--camera", "browser", "--window")),
        ("camera-needs-https", ("--camera", "browser", "--host", "0.0.0.0")),
        ("certificate-and-key", ("--certificate", "c.pem")),
        ("bad-host", ("--host", "nowhere.invalid")),
    ],
)
def test_a_page_that_cannot_be_served_is_said_before_the_work(
    code: str, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Model, "load", lambda *_: pytest.fail("it was loaded"))
    assert dance("live", SUBJECT, *options, "--json").error[0] == code


def test_the_real_detector_in_its_process(performer: Performer, tmp_path: Path) -> None:
    """It sees nobody in flat pictures; the process is gone in the end."""
    import multiprocessing

    video = write_video(tmp_path / "dance.mp4", (frame(0) for _ in range(8)), Fraction(25))
    result = live(LiveRequest(performer=SUBJECT, camera=str(video)))
    assert result.shown >= 1
    assert not multiprocessing.active_children()


def test_timings() -> None:
    timings = Timings()
    for index in range(50):
        timings.shown(100 + index / 10, 100.1 + index / 10 + (index == 49))
    assert timings.rate(106) == pytest.approx(10, rel=0.3)
    assert timings.latency(106) == pytest.approx((100, 100), abs=1)
    assert timings.latency(200) == (0, 0)
    assert timings.rate(200) == 0
    assert timings.whole_rate == pytest.approx(49 / 5.9)
    assert timings.whole_latency == (100, 100)
