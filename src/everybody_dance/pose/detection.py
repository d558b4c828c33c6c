"""A video to the keypoints of one person: decoded once, detected on all cores, remembered by content."""

import json
import logging
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.files import cache_folder, content_hash, write_text
from everybody_dance.keypoints import Keypoints
from everybody_dance.pose import mediapipe_holistic, openpose_files
from everybody_dance.pose.cuts import CutFinder
from everybody_dance.pose.people import jumps
from everybody_dance.skeleton import JOINT_COUNT
from everybody_dance.video import VideoReader

logger = logging.getLogger(__name__)

Frame = NDArray[np.uint8]

CHUNK = 60
"""Frames that one detector follows. Fixed, so that the result does not depend on the number of cores."""

WARM_UP = 6
"""Frames before a chunk that its detector sees first, to find the person before it counts."""

LONG_SIDE = 1280
"""Frames are shrunk to this for detection; MediaPipe's own networks see far less."""


@dataclass(frozen=True)
class Detection:
    """What was found in a video.

    Attributes:
        keypoints: at the upright native size, at the rate that was asked for.
        cuts: first frame of every shot after the first.
        detector: all that the result depends on.
        supplied: bool (137,), the joints that this detector ever gives; others are absent, not missed.
    """

    keypoints: Keypoints
    cuts: tuple[int, ...]
    detector: str
    supplied: NDArray[np.bool_]


def detect_video(
    path: Path,
    pose: str = "mediapipe",
    *,
    fps: Fraction | None = None,
    workers: int | None = None,
    on_frame: Callable[[Frame], None] | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Detection:
    """Find the person in every frame of a video.

    The video is decoded once; where the result is remembered and nobody wants the frames, not at all.

    Args:
        path: the video.
        pose: ``mediapipe``, or ``openpose:DIR`` with OpenPose's own files, one for each decoded frame.
        fps: rate to read the video at; by default its own.
        workers: processes; by default one for each core.
        on_frame: gets every frame, upright at native size, in order.
        on_progress: told the frames done.

    Raises:
        DanceError: the video cannot be read (see ``video``), OpenPose's files do not fit (``bad-poses``), or the
            detector stopped (``detector-failed``).
        UsageError: ``pose`` is not known.
    """
    with VideoReader(path, fps=fps) as reader:
        total = reader.info.announced_frames
        if total is not None:
            total = round(total * reader.fps / reader.info.fps)
        finder = CutFinder()

        def passing() -> Iterator[Frame]:
            for done, frame in enumerate(reader, 1):
                if on_frame is not None:
                    on_frame(frame)
                finder.see(frame)
                yield frame
                on_progress(done, total)

        if pose.startswith("openpose:"):
            for _ in passing():
                pass
            people = openpose_files.read_folder(pose.removeprefix("openpose:"))
            keypoints = people.follow(reader.source_indices, reader.size, reader.fps)
            return Detection(keypoints, finder.cuts(), people.name, people.supplied)
        if pose != "mediapipe":
            raise UsageError("unknown-pose", f"--pose is mediapipe or openpose:DIR, not {pose!r}.")
        remembered = _cache_path(path, reader.fps)
        detection = _remembered(remembered)
        if detection is None:
            xy, confidence = _detect(passing(), workers or os.cpu_count() or 1)
            scale = max(1.0, max(reader.size) / LONG_SIDE)
            keypoints = Keypoints(xy * np.float32(scale), confidence, reader.size, reader.fps)
            detection = Detection(keypoints, finder.cuts(), mediapipe_holistic.NAME, mediapipe_holistic.SUPPLIED)
            _remember(detection, remembered)
        elif on_frame is not None:
            for _ in passing():
                pass
    changes = jumps(detection.keypoints, detection.cuts)
    if changes:
        logger.warning(
            "%s: in %d places the person is suddenly elsewhere. The built-in detector sees one person; with several in "
            "the picture it may go from one to another. Use a video of one person, or --pose openpose:DIR.",
            path.name,
            changes,
        )
    return detection


class FollowingDetector:
    """Follows one person through frames that are given one by one, in a process of its own, which keeps its logs quiet.

    Close it, or use it as a context.
    """

    def __init__(self) -> None:
        with deaf_to_ctrl_c():
            self._pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_begin_following)

    def detect(self, image: Frame, /) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The joints in ``image``, uint8 (H, W, 3): xy (137, 2) in its pixels and confidence (137,).

        Raises:
            DanceError: the detector stopped (``detector-failed``).
        """
        small = _shrunk(image)
        try:
            with deaf_to_ctrl_c():
                found = self._pool.submit(_follow, small)
            xy, confidence = found.result()
        except BrokenProcessPool as error:
            raise DanceError("detector-failed", "The pose detector stopped; perhaps the memory ran out.") from error
        return xy * np.float32(image.shape[0] / small.shape[0]), confidence

    def close(self) -> None:
        """Let go of the process."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> "FollowingDetector":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _detect(frames: Iterator[Frame], workers: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(T, 137, 2) and (T, 137) in pixels of the shrunk frames. At most a few chunks are in memory at a time."""
    results: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    waiting: deque[Future[tuple[NDArray[np.float32], NDArray[np.float32]]]] = deque()
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin_worker)
    try:
        for warm_up, chunk in _chunks(frames):
            with deaf_to_ctrl_c():  # a submission may start a process
                waiting.append(pool.submit(_detect_chunk, chunk, warm_up))
            if len(waiting) > workers:
                results.append(waiting.popleft().result())
        results += [future.result() for future in waiting]
    except BrokenProcessPool as error:
        raise DanceError("detector-failed", "The pose detector stopped; perhaps the memory ran out.") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if not results:
        return np.zeros((0, JOINT_COUNT, 2), np.float32), np.zeros((0, JOINT_COUNT), np.float32)
    return np.concatenate([xy for xy, _ in results]), np.concatenate([confidence for _, confidence in results])


def _chunks(frames: Iterator[Frame]) -> Iterator[tuple[int, Frame]]:
    """(frames of warm-up, stacked frames): CHUNK new ones each, behind the last of the chunk before."""
    held: list[Frame] = []
    warm_up = 0
    for frame in frames:
        held.append(_shrunk(frame))
        if len(held) - warm_up == CHUNK:
            yield warm_up, np.stack(held)
            held, warm_up = held[-WARM_UP:], WARM_UP
    if len(held) > warm_up:
        yield warm_up, np.stack(held)


def _shrunk(frame: Frame) -> Frame:
    scale = LONG_SIDE / max(frame.shape[:2])
    if scale >= 1:
        return frame
    size = round(frame.shape[1] * scale), round(frame.shape[0] * scale)
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Processes started here never hear Ctrl-C, not even while they load; this one hears it afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_worker() -> None:
    """In a worker: native code that talks to stderr is not heard."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    cv2.setNumThreads(1)


_following: list[mediapipe_holistic.MediaPipeDetector] = []
"""In a worker that follows: its detector."""


def _begin_following() -> None:
    _begin_worker()
    _following.append(mediapipe_holistic.MediaPipeDetector())


def _follow(frame: Frame) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return _following[0].detect(frame)


def _detect_chunk(frames: Frame, warm_up: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    detector = mediapipe_holistic.MediaPipeDetector()
    found = [detector.detect(frame) for frame in frames][warm_up:]
    detector.close()
    return np.stack([xy for xy, _ in found]), np.stack([confidence for _, confidence in found])


def _cache_path(path: Path, fps: Fraction) -> Path:
    name = f"{content_hash(path)[:32]}-{mediapipe_holistic.NAME.replace('/', '-')}-{fps.numerator}-{fps.denominator}"
    return cache_folder() / "keypoints" / f"{name}.npz"


def _remember(detection: Detection, path: Path) -> None:
    try:
        write_text(path.with_suffix(".json"), json.dumps({"cuts": detection.cuts}))
        detection.keypoints.save(path)
    except (OSError, DanceError) as error:
        logger.info("The keypoints could not be kept for later: %s", error)


def _remembered(path: Path) -> Detection | None:
    with suppress(OSError, ValueError, KeyError, EOFError):
        cuts = tuple(int(cut) for cut in json.loads(path.with_suffix(".json").read_text())["cuts"])
        return Detection(Keypoints.load(path), cuts, mediapipe_holistic.NAME, mediapipe_holistic.SUPPLIED)
    return None
