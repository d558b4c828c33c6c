"""A video to the keypoints of one person: decoded once, detected on all cores, remembered by content."""

import json
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

from everybody_dance import events
from everybody_dance.errors import DanceError, UsageError
from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.files import cache_folder, write_text
from everybody_dance.images import Image
from everybody_dance.keypoints import NOBODY, Keypoints, Pose
from everybody_dance.machine import usable_cores
from everybody_dance.pose import openpose_files
from everybody_dance.pose.cuts import CutFinder
from everybody_dance.pose.detectors import DETECTORS, Detector, DetectorKind
from everybody_dance.pose.options import DEFAULT_DETECTOR, OPENPOSE
from everybody_dance.pose.people import Person, jumps
from everybody_dance.skeleton import JOINT_COUNT
from everybody_dance.video.identity import content_identity
from everybody_dance.video.reader import VideoReader

CHUNK = 60
"""Frames that one detector follows. Fixed, so that the result does not depend on the number of cores."""

WARM_UP = 6
"""Frames before a chunk that its detector sees first, to find the person before it counts."""

LONG_SIDE = 1280
"""Frames are shrunk to this for detection; the networks see far less."""


@dataclass(frozen=True)
class Detection:
    """What was found in a video.

    Attributes:
        keypoints: at the upright native size, at the rate that was asked for.
        cuts: first frame of every shot after the first.
        detector: all that the result depends on.
        supplied: bool (137,), the joints that this detector ever finds; others are absent, not missed.
    """

    keypoints: Keypoints
    cuts: tuple[int, ...]
    detector: str
    supplied: NDArray[np.bool_]


def check_pose(pose: str) -> None:
    """Refuse a value of ``--pose`` that means nothing.

    Raises:
        UsageError: it is neither a detector's name nor ``openpose:DIR`` (``unknown-pose``).
    """
    if pose not in DETECTORS and not (pose.startswith(OPENPOSE) and pose.removeprefix(OPENPOSE)):
        raise UsageError("unknown-pose", f"--pose is {', '.join(DETECTORS)} or openpose:DIR, not {pose!r}.")


def pose_folder(pose: str) -> Path | None:
    """The folder that ``pose`` reads; None for a detector.

    Raises:
        DanceError, UsageError: ``pose`` is not known, or there is no such folder.
    """
    check_pose(pose)
    return None if pose in DETECTORS else openpose_files.split_place(pose.removeprefix(OPENPOSE))[0]


def source_identity(pose: str) -> str:
    """What poses from ``pose`` depend on, besides the video: by content, however a folder's name is spelled.

    Raises:
        DanceError, UsageError: ``pose`` is not known, or names a folder that cannot be read.
    """
    check_pose(pose)
    if pose in DETECTORS:
        return DETECTORS[pose].name
    return OPENPOSE + openpose_files.content_of_folder(pose.removeprefix(OPENPOSE))


def detect_video(
    path: Path,
    pose: str = DEFAULT_DETECTOR,
    *,
    fps: Fraction | None = None,
    workers: int | None = None,
    on_frame: Callable[[Image], None] | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Detection:
    """Find the person in every frame of a video.

    The video is decoded once; where the result is remembered and nobody wants the frames, not at all.

    Args:
        path: the video.
        pose: a detector's name, or ``openpose:DIR`` with OpenPose's own files, one for each decoded frame.
        fps: rate to read the video at; by default its own.
        workers: processes; by default one for each core.
        on_frame: gets every frame, upright at native size, in order.
        on_progress: told the frames done.

    Raises:
        DanceError: the video cannot be read (see ``video``), OpenPose's files do not fit (``bad-poses``), or the
            detector stopped (``detector-failed``).
        UsageError: ``pose`` is not known (``unknown-pose``).
    """
    check_pose(pose)
    with VideoReader(path, fps=fps) as reader:
        if pose not in DETECTORS:
            return _from_openpose(reader, pose, on_frame, on_progress)
        kind = DETECTORS[pose]
        remembered = _cache_path(path, kind, reader.fps)
        detection = _remembered(remembered, kind)
        if detection is None:
            finder = CutFinder(float(reader.fps))
            frames = _passing(reader, finder, on_frame, on_progress)
            xy, confidence = _detect(frames, pose, workers or usable_cores())
            scale = max(1.0, max(reader.size) / LONG_SIDE)
            keypoints = Keypoints(xy * np.float32(scale), confidence, reader.size, reader.fps)
            detection = Detection(keypoints, finder.cuts(), kind.name, kind.supplied)
            _remember(detection, remembered)
        elif on_frame is not None:
            deque(_passing(reader, None, on_frame, on_progress), maxlen=0)
    changes = jumps(detection.keypoints, detection.cuts)
    if changes:
        events.warn(
            "person-changes",
            f"{path.name}: in {changes} places the person is suddenly elsewhere. The built-in detector sees one person;"
            " with several in the picture it may go from one to another. Use a video of one person, or"
            " --pose openpose:DIR.",
            places=changes,
        )
    return detection


def _passing(
    reader: VideoReader,
    finder: CutFinder | None,
    on_frame: Callable[[Image], None] | None,
    on_progress: OnProgress,
) -> Iterator[Image]:
    """The reader's frames, on their way seen by all who want them."""
    for done, frame in enumerate(reader, 1):
        if on_frame is not None:
            on_frame(frame)
        if finder is not None:
            finder.see(frame)
        yield frame
        on_progress(done, reader.announced_frames)


def _from_openpose(
    reader: VideoReader, pose: str, on_frame: Callable[[Image], None] | None, on_progress: OnProgress
) -> Detection:
    people = openpose_files.read_folder(pose.removeprefix(OPENPOSE))
    finder = CutFinder(float(reader.fps))
    deque(_passing(reader, finder, on_frame, on_progress), maxlen=0)
    keypoints = people.follow(reader.source_indices, reader.size, reader.fps)
    return Detection(keypoints, finder.cuts(), people.name, people.supplied)


class FollowingDetector:
    """Follows people through frames that are given one by one, in a process of its own, which keeps its logs quiet.

    Close it, or use it as a context.

    Args:
        name: of a detector, in ``DETECTORS``.
    """

    def __init__(self, name: str = DEFAULT_DETECTOR) -> None:
        self.name, self.supplied = DETECTORS[name].name, DETECTORS[name].supplied
        with deaf_to_ctrl_c():
            self._pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_begin_worker, initargs=(name,))

    def people(self, image: Image, /) -> list[Person]:
        """As ``Detector.people``.

        Raises:
            DanceError: the detector stopped (``detector-failed``).
        """
        small = _shrunk(image)
        try:
            with deaf_to_ctrl_c():
                found = self._pool.submit(_people, small)
            people = found.result()
        except BrokenProcessPool as error:
            raise _stopped() from error
        scale = np.float32(image.shape[0] / small.shape[0])
        return [Person(Pose(person.pose.xy * scale, person.pose.confidence)) for person in people]

    def close(self) -> None:
        """Let go of the process."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> "FollowingDetector":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _detect(frames: Iterator[Image], name: str, workers: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(T, 137, 2) and (T, 137) in pixels of the shrunk frames. At most a few chunks are in memory at a time."""
    people: list[list[Person]] = []
    waiting: deque[Future[list[list[Person]]]] = deque()
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin_worker, initargs=(name,))
    try:
        for warm_up, chunk in _chunks(frames):
            with deaf_to_ctrl_c():  # a submission may start a process
                waiting.append(pool.submit(_detect_chunk, chunk, warm_up))
            if len(waiting) > workers:
                people += waiting.popleft().result()
        for future in waiting:
            people += future.result()
    except BrokenProcessPool as error:
        raise _stopped() from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    poses = [found[0].pose if found else NOBODY for found in people]
    if not poses:
        return np.zeros((0, JOINT_COUNT, 2), np.float32), np.zeros((0, JOINT_COUNT), np.float32)
    return np.stack([pose.xy for pose in poses]), np.stack([pose.confidence for pose in poses])


def _chunks(frames: Iterator[Image]) -> Iterator[tuple[int, Image]]:
    """(frames of warm-up, stacked frames): CHUNK new ones each, behind the last of the chunk before."""
    held: list[Image] = []
    warm_up = 0
    for frame in frames:
        held.append(_shrunk(frame))
        if len(held) - warm_up == CHUNK:
            yield warm_up, np.stack(held)
            held, warm_up = held[-WARM_UP:], WARM_UP
    if len(held) > warm_up:
        yield warm_up, np.stack(held)


def _shrunk(frame: Image) -> Image:
    scale = LONG_SIDE / max(frame.shape[:2])
    if scale >= 1:
        return frame
    size = round(frame.shape[1] * scale), round(frame.shape[0] * scale)
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Processes started here never hear Ctrl-C, not even while they load; this one hears it afterwards."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows has none
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_worker: list[Detector] = []
"""In a worker process: its detector, once it is loaded."""


def _begin_worker(name: str) -> None:
    """In a worker: silence native code that writes to stderr, and load the detector."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    cv2.setNumThreads(1)
    _worker.append(DETECTORS[name].load())


def _people(frame: Image) -> list[Person]:
    return _worker[0].people(frame)


def _detect_chunk(frames: Image, warm_up: int) -> list[list[Person]]:
    _worker[0].reset()
    return [_people(frame) for frame in frames][warm_up:]


def _stopped() -> DanceError:
    return DanceError("detector-failed", "The pose detector stopped; perhaps the memory ran out.")


def _cache_path(path: Path, kind: DetectorKind, fps: Fraction) -> Path:
    name = f"{content_identity(path)[:32]}-{kind.name.replace('/', '-')}-{fps.numerator}-{fps.denominator}"
    return cache_folder() / "keypoints" / f"{name}.npz"


def _remember(detection: Detection, path: Path) -> None:
    try:
        write_text(path.with_suffix(".json"), json.dumps({"cuts": detection.cuts}))
        detection.keypoints.save(path)
    except (OSError, DanceError) as error:
        events.remark("not-cached", f"The keypoints could not be kept for later: {error}")


def _remembered(path: Path, kind: DetectorKind) -> Detection | None:
    """The detection that was kept, if it is whole: a damaged one is made anew."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        cuts = tuple(int(cut) for cut in json.loads(path.with_suffix(".json").read_text())["cuts"])
        return Detection(Keypoints.load(path), cuts, kind.name, kind.supplied)
    return None
