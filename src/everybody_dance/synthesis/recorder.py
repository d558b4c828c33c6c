"""A recording of the live show: at a constant rate and in real time, whatever the rate of the show."""

import contextvars
import threading
import time
from datetime import datetime
from fractions import Fraction
from itertools import count
from pathlib import Path

from everybody_dance import events
from everybody_dance.errors import DanceError
from everybody_dance.images import Image
from everybody_dance.synthesis.handover import Handover, Over
from everybody_dance.video.capture import Camera, FileCamera
from everybody_dance.video.writer import VideoWriter

RECORDED_RATE = Fraction(30)
"""Frames a second of a recording, unless the camera is a file, which has its own."""

PATIENCE = 1.0
"""Seconds without a picture after which the last one is written again, up to so long ago."""


class Recorder:
    """Writes pictures to a video in a thread of its own; nobody waits for it.

    A picture stands where its frame arrived: it is repeated until the next one, and left out where another one has its
    place already, or where encoding is too slow.

    Args:
        path: the video.
        size: (W, H) of the pictures.
        fps: of the video.
        sound_of: a video whose sound goes into it.
        sound_from: the second of that video at which the first picture was taken.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        fps: Fraction,
        sound_of: Path | None = None,
        sound_from: float = 0.0,
    ) -> None:
        self.path = path
        self._error: BaseException | None = None
        self._writer = VideoWriter(path, size, fps, sound_of=sound_of, sound_from=sound_from, quick=True)
        self._fps = fps
        self._pictures: Handover[tuple[Image, float]] = Handover()
        self._began: float | None = None
        self._last: Image | None = None
        self._end = 0.0
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._record,), name="recorder", daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """Length of what was written."""
        return float(self._writer.frames / self._fps)

    def show(self, picture: Image, at: float) -> None:
        """The picture, uint8 (H, W, 3), of a frame that arrived at the time ``at``."""
        self._pictures.put((picture, at))

    def end(self, at: float) -> None:
        """Let the file be finished, with the last picture up to the time ``at``; ``close`` waits for that."""
        self._end = at
        self._pictures.close()

    @property
    def ended(self) -> bool:
        """Whether nothing more is written: the file is there, or cannot be written."""
        return not self._thread.is_alive()

    def close(self) -> None:
        """Wait until the file is finished, which ``end`` began.

        Raises:
            DanceError: it cannot be written.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _record(self) -> None:
        try:
            with self._writer:
                try:
                    while True:
                        item = self._pictures.take(PATIENCE)
                        if item is None:
                            self._fill(time.monotonic() - PATIENCE)
                        else:
                            self._add(*item)
                except Over:
                    self._fill(self._end)
            events.wrote("recording", self.path)
        except BaseException as error:
            self._error = error

    def _add(self, picture: Image, at: float) -> None:
        if self._began is None:
            self._began = at
        place = round((at - self._began) * self._fps)
        if place < self._writer.frames:
            return
        self._repeat(place)
        self._writer.write(picture)
        self._last = picture

    def _fill(self, until: float) -> None:
        if self._began is not None:
            self._repeat(round((until - self._began) * self._fps) + 1)

    def _repeat(self, frames: int) -> None:
        while self._last is not None and self._writer.frames < frames:
            self._writer.write(self._last)


class Recordings:
    """The recordings of one show, one after the other.

    Args:
        camera: of the show; the sound of a file goes along.
        size: (W, H) of the pictures.
        out: the first recording; later ones, and the first where this is None, get names of their own.
        folder: where those are.

    Attributes:
        current: what is being recorded.
        files: that are finished.
        failure: why a recording could not be written; None again when the next one begins.
    """

    def __init__(self, camera: Camera, size: tuple[int, int], out: Path | None, folder: Path) -> None:
        self._camera, self._size, self._out, self._folder = camera, size, out, folder
        self._finishing: list[Recorder] = []  # flushing a long file to the disk takes seconds
        self.current: Recorder | None = None
        self.files: list[Path] = []
        self.failure: DanceError | None = None

    def show(self, picture: Image, at: float) -> bool:
        """As ``Recorder.show``; begins a recording where there is none.

        Returns:
            Whether it goes on: one that cannot be written is given up, and ``failure`` says why.
        """
        if self.current is None:
            self.failure = None
            self.current = self._begin(at)
        self.current.show(picture, at)
        if self.current.ended:
            self.finish(at)
        return self.current is not None

    def finish(self, end: float) -> None:
        """Finish the recording, if there is one, with the last picture up to the time ``end``; nobody waits for it."""
        recorder, self.current = self.current, None
        if recorder is not None:
            recorder.end(end)
            self._finishing.append(recorder)
        while self._finishing and self._finishing[0].ended:
            self._take(self._finishing[0])
            del self._finishing[0]

    def close(self) -> None:
        """Wait until all are finished."""
        while self._finishing:
            self._take(self._finishing.pop(0))

    def _begin(self, at: float) -> Recorder:
        path, self._out = self._out or self._new_file(), None
        fps, sound, begin = RECORDED_RATE, None, 0.0
        if isinstance(self._camera, FileCamera):
            fps = self._camera.fps
            if self._camera.has_sound:
                sound, begin = self._camera.path, self._camera.second(at)
        return Recorder(path, self._size, fps, sound, begin)

    def _take(self, recorder: Recorder) -> None:
        try:
            recorder.close()
        except DanceError as error:
            self.failure = error
            events.warn("recording-failed", f"The recording {recorder.path.name} could not be kept. {error.message}")
        else:
            self.files.append(recorder.path)

    def _new_file(self) -> Path:
        """A name that nothing has yet."""
        begun = {recorder.path for recorder in self._finishing}
        name = f"live-{datetime.now():%Y%m%d-%H%M%S}"
        names = (f"{name}.mp4" if not number else f"{name}-{number}.mp4" for number in count())
        return next(path for path in map(self._folder.joinpath, names) if path not in begun and not path.exists())
