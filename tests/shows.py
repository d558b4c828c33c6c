"""A show without a performer, for tests of its page: a figure that moves, and everything that it is asked to do."""

import math
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from everybody_dance.errors import DanceError
from everybody_dance.images import Image


@dataclass(frozen=True, eq=False)
class Shown:
    number: int
    picture: Image
    camera: Image
    seen: bool


@dataclass(frozen=True)
class Status:
    camera: str = "camera 0"
    state: str = "working"
    rate: float = 24.7
    latency: tuple[float, float] = (61.0, 88.0)
    stages: dict[str, float] = field(
        default_factory=lambda: {"detect": 21.4, "place": 0.3, "paint": 33.8, "compose": 2.1}
    )
    frames: int = 0
    shown: int = 0
    dropped: int = 0
    seen: bool = True
    size: tuple[int, int] = (640, 320)
    calibrating: float | None = None
    mirror: bool = False
    frozen: bool = False
    background: str | None = None
    follows: str = "largest"
    recording: str | None = None
    recorded_seconds: float = 0.0
    message: str | None = None


class FakeShow:
    """25 pictures a second from the moment it is made.

    Attributes:
        asked: what it was asked to do, in order.
        state: its status; tests may replace it.
        taken: pictures that somebody took.
        pushed: frames that a page's camera brought.
        fails: raised by every control where it is not None.
        running: pictures come only while it is set.
        recorded: seconds of a recording.
        counted: seconds that are left of a countdown; None where there is none.
    """

    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, object]] = []
        self.state = Status()
        self.taken = 0
        self.pushed: list[Image] = []
        self.fails: DanceError | None = None
        self.running = threading.Event()
        self.running.set()
        self._folder = folder
        self._recordings: list[Path] = []
        self._began = time.monotonic()
        self.recorded = 0.0
        self.counted: float | None = None

    def newest(self, after: int, timeout: float) -> Shown | None:
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            number = 1 + int(25 * (time.monotonic() - self._began))
            if number > after and self.running.is_set():
                self.taken += 1
                return Shown(number, _figure(number, (640, 320)), _figure(number, (160, 90)), self.state.seen)
            time.sleep(0.005)
        return None

    def status(self) -> Status:
        state, now = self.state, time.monotonic()
        return replace(
            state,
            frames=int(30 * (now - self._began)),
            dropped=int(5 * (now - self._began)),
            calibrating=self.counted,
            recorded_seconds=self.recorded if state.recording else 0.0,
        )

    def recordings(self) -> list[Path]:
        return list(self._recordings)

    def calibrate(self) -> None:
        self._ask("calibrate", None)

    def mirror(self, on: bool) -> None:
        self._ask("mirror", on)
        self.state = replace(self.state, mirror=on)

    def freeze(self, on: bool) -> None:
        self._ask("freeze", on)
        self.state = replace(self.state, frozen=on)

    def show_over(self, background: Image | str | None) -> None:
        self._ask("background", background)
        self.state = replace(self.state, background="picture" if isinstance(background, np.ndarray) else background)

    def record(self, on: bool) -> None:
        self._ask("record", on)
        if on:
            self.state = replace(self.state, recording=f"live-{len(self._recordings) + 1}.mp4")
        elif self.state.recording is not None:
            path = self._folder / self.state.recording
            path.write_bytes(b"a recording")
            self._recordings.append(path)
            self.state = replace(self.state, recording=None)

    def follow(self, who: str) -> None:
        self._ask("follow", who)
        self.state = replace(self.state, follows=who)

    def push(self, image: Image) -> None:
        self.pushed.append(image)

    def _ask(self, what: str, value: object) -> None:
        if self.fails is not None:
            raise self.fails
        self.asked.append((what, value))


def _figure(number: int, size: tuple[int, int]) -> Image:
    """A stick figure that waves, before a wall and a floor."""
    width, height = size
    image = np.full((height, width, 3), (188, 196, 206), np.uint8)
    image[int(0.72 * height) :] = (126, 108, 92)
    turn = number / 8
    x, unit = width / 2 + 0.12 * width * math.sin(turn / 3), height / 10
    hip, neck = np.array((x, 5.6 * unit)), np.array((x + 0.3 * unit * math.sin(turn), 2.9 * unit))
    wave = np.array((1.5 * math.cos(turn), 1.5 * math.sin(turn))) * unit
    arm, leg, side = np.array((1.2, 0.6)) * unit, np.array((0.9, 3.0)) * unit, np.array((-1, 1))
    limbs = [
        (hip, neck),
        (neck, neck + arm + wave * 0.6),
        (neck, neck + arm * side - wave * 0.6),
        (hip, hip + leg),
        (hip, hip + leg * side),
    ]
    for begin, end in limbs:
        points = [tuple(int(value) for value in point) for point in (begin, end)]
        cv2.line(image, *points, (52, 66, 120), max(int(0.55 * unit), 2), cv2.LINE_AA)
    head = tuple(int(value) for value in neck - (0, 0.9 * unit))
    cv2.circle(image, head, int(0.7 * unit), (206, 158, 130), -1, cv2.LINE_AA)
    return image
