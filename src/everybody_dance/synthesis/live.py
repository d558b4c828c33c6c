"""The live show: a camera in, the performer doing the same out, as fast as this machine can.

Each stage has a thread of its own, and detection a process; between them are places of one, where the newest wins. So
nobody waits for whoever is slower, and the frames that nobody had time for are counted as dropped.
"""

import contextvars
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from everybody_dance import events
from everybody_dance.events import Cancelled, Event, listening
from everybody_dance.images import Image, resized
from everybody_dance.keypoints import Pose
from everybody_dance.machine import usable_cores
from everybody_dance.performer.engine import kept_memory
from everybody_dance.performer.performer import Performer
from everybody_dance.pose.cuts import CausalCuts
from everybody_dance.pose.detector_process import result_of
from everybody_dance.pose.following import Follower
from everybody_dance.pose.people import Person
from everybody_dance.synthesis.backdrop import check_matte, filling, still_background
from everybody_dance.synthesis.composing import Composer, camera_picture
from everybody_dance.synthesis.config import LiveConfig
from everybody_dance.synthesis.handover import Handover, Over
from everybody_dance.synthesis.placing import CausalPlacing, Placement
from everybody_dance.synthesis.recorder import Recorder
from everybody_dance.synthesis.stream import Picture, Stream
from everybody_dance.synthesis.timings import Timings
from everybody_dance.video.capture import Camera, CameraState, Captured, FileCamera

SEEN_LONG = 640
"""Detectors see frames at most this long: their networks see far less."""

TICK = 0.1
"""Seconds after which everybody who waits looks whether the show is over."""

RECORDED_RATE = Fraction(30)
"""Frames a second of a recording, unless the camera is a file, which has its own."""

WARM_UP, FASTEST_RATE = 3, 30.0
"""Pictures that are painted before the show, and how many a second are expected of a performer at most."""

MODE = "every frame"
"""How people are found."""


class LiveDetector(Protocol):
    """A detector that works beside the show, as ``FollowingDetector``."""

    def submit(self, image: Image, everybody: bool = False) -> Future[list[Person]]:
        """Begin to detect the people in ``image``."""
        ...

    def reset(self) -> None:
        """Forget the frames before."""
        ...


@dataclass(frozen=True, eq=False)
class Shown:
    """What there is to see.

    Attributes:
        number: of the picture, 1, 2, 3...
        picture: uint8 (H, W, 3), what the performer does, over the chosen background.
        camera: uint8 (h, w, 3), the camera's frame, at most 320 wide, with the skeleton drawn on it.
        seen: whether somebody is seen in it.
    """

    number: int
    picture: Image
    camera: Image
    seen: bool


@dataclass(frozen=True)
class LiveStatus:
    """How the show is; plain values.

    Attributes:
        camera, state: name of the camera, and ``working``, ``lost`` or ``ended``.
        rate: shown pictures a second, over the last seconds.
        latency: 50th and 95th percentile, ms, from the frame's arrival to the picture, over the last seconds.
        stages: median milliseconds of each stage.
        frames, shown, dropped: frames that the camera gave, pictures that came of them, and frames of which none did.
        seen: whether somebody is seen.
        mode: how people are found.
        size: (W, H) of the picture.
        calibrating: seconds until the person is looked at, 0 while they are; None: nothing is being calibrated.
        mirror, frozen, background: what was chosen; the background is None (their own place), a colour, or
            ``"picture"``.
        recording: name of the file that is being recorded.
        recorded_seconds: its length so far.
        message: one sentence that the user should read now.
    """

    camera: str
    state: str
    rate: float
    latency: tuple[float, float]
    stages: dict[str, float]
    frames: int
    shown: int
    dropped: int
    seen: bool
    mode: str
    size: tuple[int, int]
    calibrating: float | None
    mirror: bool
    frozen: bool
    background: str | None
    recording: str | None
    recorded_seconds: float
    message: str | None


@dataclass(frozen=True)
class LiveResult:
    """What a show was.

    Attributes:
        seconds: how long it went on.
        frames, shown, dropped: as in ``LiveStatus``.
        rate: pictures a second, from the first to the last.
        latency: 50th and 95th percentile, ms, over all pictures.
        stages: median milliseconds of each stage, at the end.
        recordings: files that were written.
    """

    seconds: float
    frames: int
    shown: int
    dropped: int
    rate: float
    latency: tuple[float, float]
    stages: dict[str, float]
    recordings: tuple[Path, ...]


@dataclass(frozen=True, eq=False)
class _Found:
    frame: Captured  # mirrored where that was wanted
    pose: Pose | None
    cut: bool


@dataclass(frozen=True, eq=False)
class Placed:
    """A frame and what its pose became.

    Attributes:
        frame: the camera's, mirrored where that was wanted.
        placement: its pose in the performer's place.
    """

    frame: Captured
    placement: Placement


@dataclass(eq=False)
class _Controls:
    """What was asked for; single values, which any thread may set and read."""

    mirror: bool
    frozen: bool = False
    background: str | None = None
    behind: Image | None = None
    record: bool = False
    follow: str | None = None
    calibrate: bool = False


@dataclass(eq=False)
class _State:
    """How far the show is; each value is written by one thread."""

    first: int = 0  # number of the first frame that was taken
    taken: int = 0  # of the newest one
    at: float = 0.0  # when that arrived
    last: int = 0  # of the newest frame that was shown
    shown: int = 0
    seen: bool = False
    recorder: Recorder | None = None
    recordings: list[Path] = field(default_factory=list)


class Live:
    """A show: ``run`` it in one thread, ask and control it from others.

    Args:
        performer: who dances.
        camera: who is danced after; closed at the end.
        detector: finds people; whoever made it closes it.
        config: what the user chose.
        out: record into this file from the start.
        folder: where ``record`` puts its files.
        watch: told every pose that is painted, with its picture, in the painting thread.

    Raises:
        UsageError, DanceError: the background cannot be used.
    """

    def __init__(
        self,
        performer: Performer,
        camera: Camera,
        detector: LiveDetector,
        config: LiveConfig | None = None,
        *,
        out: Path | None = None,
        folder: Path = Path(),
        watch: Callable[[Placed, Picture], None] | None = None,
    ) -> None:
        self._config = config = LiveConfig() if config is None else config
        self._performer, self._camera, self._detector = performer, camera, detector
        self._out, self._folder, self._watch = out, folder, watch
        self._size = performer.manifest.size
        self._controls = _Controls(config.mirror, record=out is not None)
        self.show_over(config.background)
        self._state, self._timings = _State(), Timings()
        self._placing = CausalPlacing(performer.manifest.statistics, self._size, config.smoothing, config.bones)
        self._found: Handover[_Found] = Handover()
        self._placed: Handover[Placed] = Handover()
        self._painted: Handover[tuple[Placed, Picture]] = Handover()
        self._painted_rate = FASTEST_RATE
        self._stopping = threading.Event()
        self._error: BaseException | None = None
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._newest: Shown | None = None
        self._changed = threading.Condition()

    # What is asked.

    def newest(self, after: int, timeout: float) -> Shown | None:
        """The newest picture with a number above ``after``; None where none came within ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._has(after) or self._stopping.is_set(), timeout)
            return self._newest if self._has(after) else None

    @property
    def over(self) -> bool:
        """Whether the show is over, or about to be."""
        return self._stopping.is_set()

    def status(self) -> LiveStatus:
        """How the show is now."""
        now, state, controls, recorder = time.monotonic(), self._state, self._controls, self._state.recorder
        lost = self._camera.state is CameraState.LOST
        message = f"There is no picture from {self._camera.name}; the show goes on when it is back." if lost else None
        return LiveStatus(
            camera=self._camera.name,
            state=str(self._camera.state),
            rate=self._timings.rate(now),
            latency=self._timings.latency(now),
            stages=self._timings.stages(),
            frames=self._frames,
            shown=state.shown,
            dropped=self._dropped,
            seen=state.seen,
            mode=MODE,
            size=self._size,
            calibrating=self._placing.countdown(now),
            mirror=controls.mirror,
            frozen=controls.frozen,
            background=controls.background,
            recording=None if recorder is None else recorder.path.name,
            recorded_seconds=0.0 if recorder is None else recorder.seconds,
            message=message,
        )

    # What is controlled.

    def stop(self) -> None:
        """End the show; ``run`` returns when everything is finished."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()

    def calibrate(self) -> None:
        """After a countdown the person is looked at, and the placement is fitted to what was seen then."""
        self._controls.calibrate = True

    def mirror(self, on: bool) -> None:
        """Show what a mirror shows."""
        self._controls.mirror = on

    def freeze(self, on: bool) -> None:
        """Hold the dancer still."""
        self._controls.frozen = on

    def show_over(self, background: Image | str | None) -> None:
        """Change the background.

        Args:
            background: None: their own place; ``"#RRGGBB"`` or the name of a picture; or uint8 (H, W, 3), a picture of
                any size.

        Raises:
            UsageError, DanceError: it cannot be used, or the performer paints the whole picture (``no-matte``).
        """
        named = "picture" if background is not None and not _is_colour(background) else background
        check_matte(self._performer.manifest.over_plate, None if background is None else str(named))
        if isinstance(background, str):
            behind: Image | None = still_background(background, self._size)
        else:
            behind = None if background is None else filling(background, self._size)
        self._controls.behind, self._controls.background = behind, None if named is None else str(named)

    def record(self, on: bool) -> None:
        """Begin or finish a recording, in a new file of the folder given at the start."""
        self._controls.record = on

    def follow(self, who: str) -> None:
        """Whom to follow when several are seen: ``largest``, ``left``, ``right`` or ``centre``.

        Raises:
            UsageError: it is none of these (``unknown-person``).
        """
        LiveConfig(person=who)
        self._controls.follow = who

    # The show.

    def run(self) -> LiveResult:
        """Show, until ``stop``, the end of a file, a cancellation, or an error.

        Raises:
            DanceError: a stage failed; what was recorded until then is kept.
        """
        began, threads_before = time.monotonic(), torch.get_num_threads()
        stages = (
            (self._detect, self._found),
            (self._place, self._placed),
            (self._paint, self._painted),
            (self._compose, None),
        )
        try:
            with suppress(Over):
                self._warm_up()
            with listening(self._events.put):
                # Every thread gets a context of its own in which events go to the queue.
                threads = [
                    threading.Thread(
                        target=contextvars.copy_context().run,
                        args=(self._guard, stage, target),
                        name=f"live {stage.__name__.strip('_')}",
                        daemon=True,
                    )
                    for stage, target in stages
                ]
            try:
                for thread in threads:
                    thread.start()
                self._supervise(threads[-1])
            finally:
                self.stop()
                for thread in threads:
                    thread.join()
        finally:
            self.stop()
            self._camera.close()
            torch.set_num_threads(threads_before)
            self._tell()
        if self._error is not None:
            raise self._error
        timings = self._timings
        return LiveResult(
            seconds=time.monotonic() - began,
            frames=self._frames,
            shown=self._state.shown,
            dropped=self._dropped,
            rate=timings.whole_rate,
            latency=timings.whole_latency,
            stages=timings.stages(),
            recordings=tuple(self._state.recordings),
        )

    def _supervise(self, last: threading.Thread) -> None:
        said = 0.0
        with suppress(Cancelled), events.stage("Live") as progress:
            while last.is_alive():
                self._tell()
                now = time.monotonic()
                if now - said >= 1:
                    said = now
                    middle, high = self._timings.latency(now)
                    progress(
                        self._state.shown,
                        None,
                        detail=f"{self._timings.rate(now):.1f} a second, {middle:.0f} ms (95 %: {high:.0f} ms)",
                    )
                events.check_cancelled()
                last.join(TICK)

    def _guard(self, stage: Callable[[], None], target: Handover[Any] | None) -> None:
        """Run a stage; an error ends the show."""
        try:
            with suppress(Over):
                stage()
        except BaseException as error:
            self._error = self._error or error
            self.stop()
        finally:
            if target is not None:
                target.close()
            else:
                self.stop()

    def _warm_up(self) -> None:
        """Load what the first frame would wait for."""
        grey = np.full((SEEN_LONG * 9 // 16, SEEN_LONG, 3), 127, np.uint8)
        loading = [self._detector.submit(grey, everybody=everybody) for everybody in (True, False)]
        poses = self._performer.poses
        stream = Stream(self._performer, FASTEST_RATE)
        for index in range(min(len(poses), WARM_UP)):
            began = time.monotonic()
            stream.step(poses.pose(index))
            self._painted_rate = min(1 / (time.monotonic() - began), FASTEST_RATE)
        for future in loading:
            self._result(future)
        self._detector.reset()

    def _detect(self) -> None:
        follower, cuts = Follower(self._config.person), CausalCuts()
        after, take, mirrored = 0, -1, False
        while not self._stopping.is_set():
            state = self._camera.state
            frame = self._camera.newest(after, TICK)
            if frame is None:
                if state is CameraState.ENDED:
                    return
                continue
            self._state.first = self._state.first or frame.number
            after = self._state.taken = frame.number
            self._state.at = frame.at
            controls = self._controls
            with self._timings.stage("detect"):
                if controls.follow is not None:
                    follower.who, controls.follow = controls.follow, None
                    follower.forget()
                if controls.mirror:
                    image = np.ascontiguousarray(frame.image[:, ::-1])
                    frame = Captured(image, frame.at, frame.number, frame.take)
                small, scale = shrunk_for_live(frame.image)
                cut = cuts.step(small) or (frame.take, controls.mirror) != (take, mirrored)
                take, mirrored = frame.take, controls.mirror
                if cut:
                    follower.forget()
                pose = self._pose(follower, small, frame.at)
            if pose is not None:
                pose = Pose(pose.xy * scale, pose.confidence)
            self._found.put(_Found(frame, pose, cut))

    def _pose(self, follower: Follower, small: Image, at: float) -> Pose | None:
        if follower.due(at):
            everybody = self._result(self._detector.submit(small, everybody=True))
            if follower.look(everybody, (small.shape[1], small.shape[0]), at):
                self._detector.reset()
        return follower.recognized(self._result(self._detector.submit(follower.picture(small))), at)

    def _result(self, future: Future[list[Person]]) -> list[Person]:
        """The people, unless the show ends before they are found."""
        while not wait([future], TICK).done:
            if self._stopping.is_set():
                raise Over
        return result_of(future)

    def _place(self) -> None:
        while not self._stopping.is_set():
            if self._controls.calibrate:
                self._controls.calibrate = False
                self._placing.calibrate(time.monotonic())
            found = self._found.take(TICK)
            if found is None:
                continue
            with self._timings.stage("place"):
                size = found.frame.image.shape[1], found.frame.image.shape[0]
                placement = self._placing.step(found.pose, size, found.frame.at, found.cut)
            self._placed.put(Placed(found.frame, placement))

    def _paint(self) -> None:
        torch.set_num_threads(painting_threads())  # of this thread: each has a number of its own
        stream, shot = Stream(self._performer, self._painted_rate), -1
        with kept_memory(self._performer.device):
            while not self._stopping.is_set():
                placed = self._placed.take(TICK)
                if placed is None:
                    continue
                placement = placed.placement
                with self._timings.stage("paint"):
                    picture = stream.step(placement.placed, cut=placement.shot != shot)
                shot = placement.shot
                if self._watch is not None:
                    self._watch(placed, picture)
                self._painted.put((placed, picture))

    def _compose(self) -> None:
        composer = Composer(self._performer, self._config.shadow, self._config.label)
        try:
            while not self._stopping.is_set():
                painted = self._painted.take(TICK)
                if not self._controls.record:
                    self._finish_recording()
                if painted is None:
                    continue
                placed, picture = painted
                with self._timings.stage("compose"):
                    controls, frame = self._controls, placed.frame
                    shown = composer.compose(picture, frame.at, controls.behind, controls.frozen)
                    camera = camera_picture(frame.image, placed.placement.pose)
                self._show(placed, shown, camera)
                if self._controls.record:
                    self._record(shown, frame)
        finally:
            self._finish_recording()

    def _show(self, placed: Placed, picture: Image, camera: Image) -> None:
        state, now = self._state, time.monotonic()
        state.shown, state.last = state.shown + 1, placed.frame.number
        state.seen = placed.placement.placed is not None
        self._timings.shown(placed.frame.at, now)
        with self._changed:
            self._newest = Shown(state.shown, picture, camera, state.seen)
            self._changed.notify_all()

    def _record(self, picture: Image, frame: Captured) -> None:
        if self._state.recorder is None:
            path, self._out = self._out or self._new_file(), None
            fps, sound, begin = RECORDED_RATE, None, 0.0
            if isinstance(self._camera, FileCamera):
                fps = self._camera.fps
                if self._camera.has_sound:
                    sound, begin = self._camera.path, self._camera.second(frame.at)
            self._state.recorder = Recorder(path, self._size, fps, sound, begin)
        self._state.recorder.show(picture, frame.at)

    def _finish_recording(self) -> None:
        recorder = self._state.recorder
        if recorder is None:
            return
        self._state.recorder = None
        recorder.close(self._state.at)
        self._state.recordings.append(recorder.path)

    def _new_file(self) -> Path:
        name = f"live-{datetime.now():%Y%m%d-%H%M%S}"
        names = (f"{name}.mp4" if not number else f"{name}-{number}.mp4" for number in count())
        return next(path for path in map(self._folder.joinpath, names) if not path.exists())

    @property
    def _frames(self) -> int:
        return self._state.taken - self._state.first + 1 if self._state.first else 0

    @property
    def _dropped(self) -> int:
        state = self._state
        return state.last - state.first + 1 - state.shown if state.shown else 0

    def _has(self, after: int) -> bool:
        return self._newest is not None and self._newest.number > after

    def _tell(self) -> None:
        """Pass on what the stages had to say, in the thread of whoever runs the show."""
        with suppress(queue.Empty):
            while True:
                events.emit(self._events.get_nowait())


def shrunk_for_live(image: Image) -> tuple[Image, np.float32]:
    """The image as detectors see it, and how many times smaller it is."""
    height, width = image.shape[:2]
    factor = min(SEEN_LONG / max(width, height), 1.0)
    return resized(image, (max(round(width * factor), 1), max(round(height * factor), 1))), np.float32(1 / factor)


def painting_threads() -> int:
    """PyTorch's threads for painting: where cores are few, one is the detector's."""
    return max(1, min(torch.get_num_threads(), usable_cores() - 1))


def _is_colour(background: Image | str) -> bool:
    return isinstance(background, str) and background.startswith("#")
