"""Cameras: of them only the newest frame counts. Devices, addresses, files that play in real time, pushed pictures."""

import contextvars
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.files import check_inputs
from everybody_dance.images import Image
from everybody_dance.video.reader import VideoReader

RETRY_SECONDS = 1.0
"""A camera that is gone is looked for this often."""

SILENT_SECONDS = 2.0
"""A camera that gave no frame for this long is lost."""

OPEN_SECONDS, READ_SECONDS = 10, 3
"""How long a device or an address is waited for."""

LONGEST_CLOSE = 5.0
"""Seconds for which closing waits for a driver that hangs."""


class CameraState(StrEnum):
    """How a camera is: ``LOST`` when it gives nothing but may go on by itself, ``ENDED`` when a file is over."""

    WORKING = "working"
    LOST = "lost"
    ENDED = "ended"


@dataclass(frozen=True, eq=False)
class Captured:
    """A frame.

    Attributes:
        image: uint8 (H, W, 3) RGB, upright.
        at: ``time.monotonic()`` when it arrived.
        number: 1, 2, 3...: every frame that the camera gave, whether anybody took it or not.
        take: 0, 1, 2...: another one begins where a file begins anew, and where a lost camera is back.
    """

    image: Image
    at: float
    number: int
    take: int = 0


class Camera(Protocol):
    """Something that gives frames, of which the newest can be had at any time.

    Attributes:
        name: for people: "camera 0", "dance.mp4".
    """

    name: str

    def newest(self, after: int, timeout: float) -> Captured | None:
        """The newest frame with a number above ``after``; None where none came within ``timeout`` seconds."""
        ...

    @property
    def state(self) -> CameraState:
        """How the camera is."""
        ...

    def close(self) -> None:
        """Let it go."""
        ...


class _NewestFrame:
    """What all cameras share: one thread brings frames, any other takes the newest."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._changed = threading.Condition()
        self._frame: Captured | None = None
        self._state = CameraState.WORKING

    @property
    def state(self) -> CameraState:
        """How the camera is."""
        return self._state

    def newest(self, after: int, timeout: float) -> Captured | None:
        """As ``Camera.newest``."""
        with self._changed:
            self._changed.wait_for(lambda: self._has(after) or self._state is CameraState.ENDED, timeout)
            return self._frame if self._has(after) else None

    def _has(self, after: int) -> bool:
        return self._frame is not None and self._frame.number > after

    def _bring(self, image: Image, take: int) -> None:
        with self._changed:
            number = 1 if self._frame is None else self._frame.number + 1
            self._frame = Captured(image, time.monotonic(), number, take)
            self._state = CameraState.WORKING
            self._changed.notify_all()

    def _become(self, state: CameraState) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()


class PushedCamera(_NewestFrame):
    """A camera whose frames somebody else brings, such as a browser.

    Args:
        name: for people.
    """

    def __init__(self, name: str = "the browser's camera") -> None:
        super().__init__(name)
        self._take = 0

    @property
    def state(self) -> CameraState:
        """``LOST`` before the first frame, and when none was pushed for ``SILENT_SECONDS``."""
        frame = self._frame
        silent = frame is None or time.monotonic() - frame.at > SILENT_SECONDS
        return CameraState.LOST if silent else CameraState.WORKING

    def push(self, image: Image) -> None:
        """The next frame, uint8 (H, W, 3) RGB; from any thread."""
        if self._frame is not None and self.state is CameraState.LOST:
            self._take += 1
        self._bring(image, self._take)

    def close(self) -> None:
        """Nothing is held."""


class Source(Protocol):
    """What OpenCV reads from: a device or an address."""

    def read(self) -> tuple[bool, Any]:
        """Whether there was a frame, and the frame, uint8 (H, W, 3) BGR."""
        ...

    def release(self) -> None:
        """Let it go."""
        ...


class DeviceCamera(_NewestFrame):
    """A device or an address, read by a thread of its own; when it is lost, that thread looks for it until it is back.

    Args:
        name: for people.
        connect: connects to it; None where that fails.

    Raises:
        DanceError: it cannot be opened, or gives no picture (``no-camera``).
    """

    def __init__(self, name: str, connect: Callable[[], Source | None]) -> None:
        super().__init__(name)
        self._connect = connect
        source = connect()
        image = None if source is None else _picture(source)
        if source is None or image is None:
            if source is not None:
                source.release()
            raise DanceError(
                "no-camera",
                f"There is no picture from {name}. Is it there, and does no other program use it? --camera also takes a"
                " video file, an address, or browser.",
            )
        self._bring(image, 0)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(source,), name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let it go. A driver that hangs is waited for a few seconds only."""
        self._closing.set()
        self._thread.join(LONGEST_CLOSE)

    def _read(self, source: Source | None) -> None:
        take = 0
        while not self._closing.is_set():
            if source is None:
                if self._closing.wait(RETRY_SECONDS):
                    return
                source, take = self._connect(), take + 1
                continue
            image = _picture(source)
            if image is None:
                self._become(CameraState.LOST)
                source.release()
                source = None
            else:
                self._bring(image, take)
        if source is not None:
            source.release()


class FileCamera(_NewestFrame):
    """A video file that plays in real time by its own time stamps. It begins when the first frame is asked for.

    Args:
        path: the file.
        loop: begin anew at the end.

    Raises:
        DanceError, UsageError: it cannot be read, as ``VideoReader``.
    """

    def __init__(self, path: Path, loop: bool = False) -> None:
        super().__init__(path.name)
        check_inputs(path)
        self._reader = VideoReader(path)
        self._loop = loop
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._began = 0.0  # when the running take did
        self._due = 0.0  # when the next one does
        self._error: BaseException | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self._reader.info.path

    @property
    def fps(self) -> Fraction:
        """Frames a second."""
        return self._reader.fps

    @property
    def has_sound(self) -> bool:
        """Whether the file has sound."""
        return self._reader.info.has_sound

    def second(self, at: float) -> float:
        """The second of the file that was played at the time ``at``."""
        return max(at - self._began, 0.0)

    def newest(self, after: int, timeout: float) -> Captured | None:
        """As ``Camera.newest``.

        Raises:
            DanceError: the file cannot be read any more.
        """
        if self._thread is None:
            context = contextvars.copy_context()  # what the file has to say goes to whoever plays it
            self._thread = threading.Thread(target=context.run, args=(self._play,), name=self.name, daemon=True)
            self._thread.start()
        frame = super().newest(after, timeout)
        if frame is None and self._error is not None:
            raise self._error
        return frame

    def close(self) -> None:
        """Stop playing."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(LONGEST_CLOSE)

    def _play(self) -> None:
        try:
            take, more = 0, True
            while more and not self._closing.is_set():
                more = self._play_once(take) and self._loop
                take += 1
        except BaseException as error:
            self._error = error
        self._become(CameraState.ENDED)

    def _play_once(self, take: int) -> bool:
        """Whether there was a frame, and nobody closed the camera."""
        count = 0
        with self._reader as frames:
            for image in frames:
                if not count:
                    self._began = max(time.monotonic(), self._due)
                if self._closing.wait(max(self._began + count / self.fps - time.monotonic(), 0)):
                    return False
                self._bring(image, take)
                count += 1
        self._due = self._began + count / float(self.fps)
        return count > 0


def open_camera(which: str, loop: bool = False) -> Camera:
    """Open a camera.

    Args:
        which: a number, for a device; an address (``rtsp://...``); or a file's name.
        loop: a file begins anew at its end.

    Raises:
        DanceError: it cannot be opened (``no-camera``, or as ``VideoReader``).
        UsageError: ``loop`` with something that is no file (``loop-alone``).
    """
    device = which.isascii() and which.isdecimal()
    if loop and (device or "://" in which):
        raise UsageError("loop-alone", "--loop goes with a file as --camera.")
    if device:
        return DeviceCamera(f"camera {int(which)}", lambda: _connected(int(which)))
    if "://" in which:
        return DeviceCamera(_without_password(which), lambda: _connected(which))
    return FileCamera(Path(which), loop)


def _connected(which: int | str) -> Source | None:
    # V4L takes its timeout from the environment, FFmpeg from parameters. FFmpeg would say on stderr, once a second,
    # that a lost camera is not there.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(READ_SECONDS))
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 1000 * OPEN_SECONDS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 1000 * READ_SECONDS]
    before = cv2.getLogLevel()
    cv2.setLogLevel(0)  # a camera that is not there is one sentence, which is ours
    try:
        source = cv2.VideoCapture(which) if isinstance(which, int) else cv2.VideoCapture(which, cv2.CAP_FFMPEG, limits)
    finally:
        cv2.setLogLevel(before)
    return source if source.isOpened() else None


def _picture(source: Source) -> Image | None:
    try:
        there, image = source.read()
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8) if there and image is not None else None
    except cv2.error:  # some drivers raise it when the camera is unplugged
        return None


def _without_password(address: str) -> str:
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
