"""The live show: a camera in, the performer doing the same out, as fast as this machine can.

Each stage has a thread of its own, and detection a process; between them are places of one, where the newest wins. So
nobody waits for whoever is slower, and the frames that nobody had time for are counted as dropped.
"""

import contextvars
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from everybody_dance import events
from everybody_dance.events import Cancelled, Event, listening
from everybody_dance.images import Image
from everybody_dance.machine import usable_cores
from everybody_dance.performer.engine import kept_memory, torch_threads
from everybody_dance.performer.performer import Performer
from everybody_dance.synthesis.backdrop import check_matte, filling, still_background
from everybody_dance.synthesis.composing import Composer, camera_picture
from everybody_dance.synthesis.config import LiveConfig
from everybody_dance.synthesis.finding import Finder, Found, LiveDetector
from everybody_dance.synthesis.handover import TICK, Handover, Over
from everybody_dance.synthesis.live_state import Controls, State
from everybody_dance.synthesis.live_status import LiveResult, LiveStatus, Shown
from everybody_dance.synthesis.placing import CausalPlacing, Placement
from everybody_dance.synthesis.recorder import Recordings
from everybody_dance.synthesis.stream import Picture, Stream
from everybody_dance.synthesis.timings import Timings
from everybody_dance.video.capture import Camera, CameraState, Captured

__all__ = ["Live", "LiveResult", "LiveStatus", "Placed", "Shown", "painting_threads"]

WARM_UP, FASTEST_RATE = 3, 30.0
"""Pictures that are painted before the show, and how many a second are expected of a performer at most."""

FEW_CORES = 4
"""With fewer cores, finding poses that nobody paints slows the painting down."""

SOONER = 1.25
"""A pose is begun to be found sooner than it usually takes, by this factor."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A frame and what its pose became.

    Attributes:
        frame: the camera's, mirrored where that was wanted.
        placement: its pose in the performer's place.
    """

    frame: Captured
    placement: Placement


class Live:
    """A show: ``run`` it in one thread, ask and control it from others.

    Args:
        performer: who dances.
        camera: whose frames are followed; closed at the end.
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
        self._performer, self._camera = performer, camera
        self._watch = watch
        self._size = performer.manifest.size
        self._controls = Controls(config.mirror, config.person, record=out is not None)
        self.show_over(config.background)
        self._state, self._timings = State(), Timings()
        self._placing = CausalPlacing(performer.manifest.statistics, self._size, config.smoothing, config.bones)
        self._found: Handover[Found] = Handover()
        self._placed: Handover[Placed] = Handover()
        self._painted: Handover[tuple[Placed, Picture]] = Handover()
        self._painted_rate = FASTEST_RATE
        self._recordings = Recordings(camera, self._size, out, folder)
        self._stopping = threading.Event()
        self._few_cores = usable_cores() < FEW_CORES
        self._finder = Finder(camera, detector, config.person, self._stopping)
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
        now, state, controls, recorder = time.monotonic(), self._state, self._controls, self._recordings.current
        message = None
        if self._camera.state is CameraState.LOST:
            message = f"There is no picture from {self._camera.name}; the show goes on when it is back."
        elif self._recordings.failure is not None:
            message = f"The recording could not be kept. {self._recordings.failure.message}"
        elif self._placing.missed:
            message = "Nobody was seen while calibrating. Step back until your whole body is in view, and try again."
        elif state.outside:
            message = "The dancer is outside the picture. Go back to the middle, or calibrate where you stand."
        return LiveStatus(
            camera=self._camera.name,
            state=str(self._camera.state),
            rate=self._timings.rate(now),
            latency=self._timings.latency(now),
            stages=self._timings.stages(),
            frames=self._state.frames,
            shown=state.shown,
            dropped=self._state.dropped,
            seen=state.seen,
            size=self._size,
            calibrating=self._placing.countdown(now),
            follows=controls.follow,
            mirror=controls.mirror,
            frozen=controls.frozen,
            background=controls.background,
            recording=None if recorder is None else recorder.path.name,
            recorded_seconds=0.0 if recorder is None else recorder.seconds,
            message=message,
        )

    def recordings(self) -> tuple[Path, ...]:
        """The finished recordings, oldest first."""
        return tuple(self._recordings.files)

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
            DanceError: a stage failed; what was recorded until then is kept. Or the last recording could not be
                written, which does not end the show.
        """
        began = time.monotonic()
        stages = (
            (self._detect, self._found),
            (self._place, self._placed),
            (self._paint, self._painted),
            (self._compose, None),
        )
        try:
            with suppress(Over):
                self._finder.warm_up(self._warm_up)
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
                self._supervise()
            finally:
                self.stop()
                for thread in threads:
                    thread.join()
        finally:
            self.stop()
            self._camera.close()
            self._tell()
        error = self._error or self._recordings.failure
        if error is not None:
            raise error
        timings = self._timings
        return LiveResult(
            seconds=time.monotonic() - began,
            frames=self._state.frames,
            shown=self._state.shown,
            dropped=self._state.dropped,
            rate=timings.whole_rate,
            latency=timings.whole_latency,
            stages=timings.stages(),
            recordings=self.recordings(),
        )

    def _supervise(self) -> None:
        said = 0.0
        with suppress(Cancelled), events.stage("Live") as progress:
            while not self._stopping.wait(TICK):
                self._tell()
                now = time.monotonic()
                if now - said >= 1:
                    said = now
                    rate, (middle, high) = self._timings.rate(now), self._timings.latency(now)
                    late = f"{middle:.0f} ms late (95 %: {high:.0f} ms)"
                    progress(self._state.shown, None, detail=f"{rate:.1f} pictures a second, {late}")
                events.check_cancelled()

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
        """Paint a little, so that the first frame does not wait, and to know about how fast that is."""
        stream, poses = Stream(self._performer, FASTEST_RATE), self._performer.poses
        for index in range(min(len(poses), WARM_UP)):
            began = time.monotonic()
            stream.step(poses.pose(index))
            self._painted_rate = min(1 / (time.monotonic() - began), FASTEST_RATE)

    def _detect(self) -> None:
        state, controls = self._state, self._controls
        followed = controls.follow
        while not self._stopping.is_set():
            self._leave_cores_to_painting()
            frame = self._finder.frame()
            if frame is None:
                continue
            state.first, state.taken, state.at = state.first or frame.number, frame.number, frame.at
            if controls.follow != followed:
                followed = controls.follow
                self._finder.follow(followed)
            with self._timings.stage("detect"):
                found = self._finder.find(frame, controls.mirror)
            self._found.put(found)

    def _leave_cores_to_painting(self) -> None:
        """Where cores are few, wait until a pose found now is there just when the next picture is begun.

        Poses that were found sooner are replaced by newer ones before anybody paints them, and finding them slows the
        painting down.
        """
        if not self._few_cores or not self._state.painting:
            return
        stages = self._timings.stages()
        spare = stages.get("paint", 0.0) - SOONER * (stages.get("detect", 0.0) + stages.get("place", 0.0))
        self._stopping.wait(max(self._state.painting + spare / 1000 - time.monotonic(), 0.0))

    def _place(self) -> None:
        shot = 0
        while not self._stopping.is_set():
            if self._controls.calibrate:
                self._controls.calibrate = False
                self._placing.calibrate(time.monotonic())
            found = self._found.take(TICK)
            if found is None:
                continue
            with self._timings.stage("place"):
                size = found.frame.image.shape[1], found.frame.image.shape[0]
                placement = self._placing.step(found.pose, size, found.frame.at, found.shot != shot)
            shot = found.shot
            self._placed.put(Placed(found.frame, placement))

    def _paint(self) -> None:
        stream, shot = Stream(self._performer, self._painted_rate), -1
        # In this thread: each has a number of threads of its own.
        with torch_threads(painting_threads()), kept_memory(self._performer.device):
            while not self._stopping.is_set():
                placed = self._placed.take(TICK)
                if placed is None:
                    continue
                placement = placed.placement
                self._state.painting = time.monotonic()
                with self._timings.stage("paint"):
                    picture = stream.step(placement.placed, cut=placement.shot != shot)
                self._state.painting = 0.0
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
                    self._recordings.finish(self._state.at)
                if painted is None:
                    continue
                placed, picture = painted
                with self._timings.stage("compose"):
                    controls, frame = self._controls, placed.frame
                    shown = composer.compose(picture, frame.at, controls.behind, controls.frozen)
                    camera = camera_picture(frame.image, placed.placement.pose)
                self._show(placed, shown, camera)
                if self._controls.record and not self._recordings.show(shown, frame.at):
                    self._controls.record = False
        finally:
            self._recordings.finish(self._state.at)
            self._recordings.close()

    def _show(self, placed: Placed, picture: Image, camera: Image) -> None:
        state, now = self._state, time.monotonic()
        state.shown, state.last = state.shown + 1, placed.frame.number
        pose = placed.placement.placed
        state.seen = pose is not None
        state.outside = pose is not None and not pose.person_seen
        self._timings.shown(placed.frame.at, now)
        with self._changed:
            self._newest = Shown(state.shown, picture, camera, state.seen)
            self._changed.notify_all()

    def _has(self, after: int) -> bool:
        return self._newest is not None and self._newest.number > after

    def _tell(self) -> None:
        """Pass on what the stages had to say, in the thread of whoever runs the show."""
        with suppress(queue.Empty):
            while True:
                events.emit(self._events.get_nowait())


def painting_threads() -> int:
    """PyTorch's threads for painting: where cores are few, one is the detector's."""
    return max(1, min(torch.get_num_threads(), usable_cores() - 1))


def _is_colour(background: Image | str) -> bool:
    return isinstance(background, str) and background.startswith("#")
