"""Detectors in processes of their own: one for images that come one by one, several for a whole video."""

import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Self

import cv2
import numpy as np

from everybody_dance.errors import DanceError
from everybody_dance.images import Image, resized
from everybody_dance.keypoints import Pose
from everybody_dance.pose.detectors import DETECTORS, Detector
from everybody_dance.pose.options import DEFAULT_DETECTOR
from everybody_dance.pose.people import Person

CHUNK = 60
"""Frames that one detector follows. Fixed, so that the result does not depend on the number of processes."""

WARM_UP = 6
"""Frames before a chunk that its detector is shown first, to find the person before it counts."""

RESERVE = 15
"""A process gets its next chunk when it has at most this many frames left: it never waits, and few are in memory."""

LONG_SIDE = 1280
"""Frames are shrunk to this for detection; the networks see far less."""


class FollowingDetector:
    """Follows people through images that are given one by one, in a process of its own, which keeps its logs quiet.

    Close it, or use it as a context.

    Args:
        name: of a detector, in ``DETECTORS``.
        mattes: find the people's mattes as well.
    """

    def __init__(self, name: str = DEFAULT_DETECTOR, mattes: bool = False) -> None:
        self.name, self.supplied = DETECTORS[name].name, DETECTORS[name].supplied
        self._waiting: deque[Future[list[Person]]] = deque()
        with deaf_to_ctrl_c():
            self._pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_begin, initargs=(name, mattes))

    def people(self, image: Image, /) -> list[Person]:
        """As ``Detector.people``.

        Raises:
            DanceError: the process stopped (``detector-failed``).
        """
        size = image.shape[1], image.shape[0]
        scale = np.float32(shrinking(*size))
        return [
            Person(
                Pose(person.pose.xy * scale, person.pose.confidence),
                None if person.matte is None else resized(person.matte, size),
            )
            for person in result_of(self.submit(shrunk(image)))
        ]

    def submit(self, image: Image, everybody: bool = False) -> Future[list[Person]]:
        """Begin to detect the people in ``image``, which is passed on as it is; ``result_of`` waits for them.

        Args:
            image: uint8 (H, W, 3).
            everybody: as ``Detector.everybody``, not as ``Detector.people``.
        """
        with _explained(), deaf_to_ctrl_c():  # the first submission starts the process
            future = self._pool.submit(_everybody if everybody else _people, image)
        self._waiting.append(future)
        return future

    def reset(self) -> None:
        """As ``Detector.reset``."""
        with _explained(), deaf_to_ctrl_c():
            self._pool.submit(_reset)

    @property
    def pending(self) -> int:
        """How many images were submitted whose people are not known yet."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        return len(self._waiting)

    def wait_until(self, most: int) -> None:
        """Wait until at most so many images are pending."""
        if self.pending > most:
            wait([self._waiting[-most - 1]])

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class DetectorPool:
    """Detectors in several processes, for the frames of whole videos. Use it as a context.

    Args:
        name: of a detector, in ``DETECTORS``.
        workers: how many processes at most; they start when they are needed.
        mattes: find the people's mattes as well.
    """

    def __init__(self, name: str, workers: int, mattes: bool = False) -> None:
        self._processes = [FollowingDetector(name, mattes) for _ in range(workers)]

    def people(self, frames: Iterable[Image]) -> Generator[list[Person], None, None]:
        """The people in every frame, in order. A part of the frames is in memory at a time.

        Every chunk of ``CHUNK`` frames is given to one process, behind the ``WARM_UP`` frames before it, so the result
        is the same for any number of processes.

        Args:
            frames: uint8 (H, W, 3) RGB, of one size.

        Yields:
            People, in pixels of the shrunk frames: ``shrinking`` gives the factor to those of the frames.

        Raises:
            DanceError: a process stopped (``detector-failed``).
        """
        process = self._processes[0]
        results: deque[Future[list[Person]]] = deque()
        before: deque[Image] = deque(maxlen=WARM_UP)
        for index, frame in enumerate(frames):
            if index % CHUNK == 0:
                process = min(self._processes, key=lambda candidate: candidate.pending)
                process.wait_until(RESERVE)
                process.reset()
                for earlier in before:
                    process.submit(earlier)
            small = shrunk(frame)
            results.append(process.submit(small))
            before.append(small)
            while results and results[0].done():
                yield result_of(results.popleft())
        while results:
            yield result_of(results.popleft())

    def everybody(self, frames: Iterable[Image]) -> Generator[list[Person], None, None]:
        """Everybody's body in every frame, each by itself, in order; otherwise as ``people``."""
        results: deque[Future[list[Person]]] = deque()
        for frame in frames:
            process = min(self._processes, key=lambda candidate: candidate.pending)
            process.wait_until(1)
            results.append(process.submit(shrunk(frame), everybody=True))
            while results and results[0].done():
                yield result_of(results.popleft())
        while results:
            yield result_of(results.popleft())

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def result_of(future: Future[list[Person]]) -> list[Person]:
    """Wait for the people in an image that was submitted.

    Raises:
        DanceError: the process stopped (``detector-failed``).
    """
    with _explained():
        return future.result()


def shrunk(image: Image) -> Image:
    """The image, uint8 (H, W, 3), as detectors see it: at most ``LONG_SIDE`` long."""
    return resized(image, detection_size(image.shape[1], image.shape[0]))


def detection_size(width: int, height: int) -> tuple[int, int]:
    """(W, H) at which detectors see an image of this size."""
    scale = min(LONG_SIDE / max(width, height), 1.0)
    return round(width * scale), round(height * scale)


def shrinking(width: int, height: int) -> float:
    """How many times an image of this size is shrunk."""
    return max(1.0, max(width, height) / LONG_SIDE)


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Processes started here never hear Ctrl-C, not even while they load; this one hears it afterwards.

    A terminal sends Ctrl-C to all processes of a command; the first of them decides what becomes of the others. Where
    signals cannot be blocked (Windows), detectors ignore Ctrl-C once they run.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        raise DanceError("detector-failed", "The pose detector stopped; perhaps the memory ran out.") from error


# In the process of a detector.

_detector: list[Detector] = []
"""The detector of this process, once it is loaded."""


def _begin(name: str, mattes: bool) -> None:
    """Ignore Ctrl-C, silence native code that writes to stderr, and load the detector."""
    threading.Thread(target=_end_with_the_program, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    cv2.setNumThreads(1)
    _detector.append(DETECTORS[name].load(mattes))


def _end_with_the_program() -> None:
    """A program that is killed tells nobody, and its pool's processes would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _people(image: Image) -> list[Person]:
    return _detector[0].people(image)


def _everybody(image: Image) -> list[Person]:
    return _detector[0].everybody(image)


def _reset() -> None:
    _detector[0].reset()
