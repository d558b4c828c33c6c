"""A video to the keypoints of one person: decoded once, detected on all cores, remembered by content."""

import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from everybody_dance import events
from everybody_dance.errors import DanceError, UsageError
from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.files import cache_folder, replacing, sweep, temporary_path, write_text
from everybody_dance.images import Image
from everybody_dance.keypoints import NOBODY, Keypoints, Pose
from everybody_dance.machine import usable_cores
from everybody_dance.pose import openpose_files
from everybody_dance.pose.camera import CameraTracker
from everybody_dance.pose.cuts import CutFinder
from everybody_dance.pose.detector_process import CHUNK, detection_size, people_in_frames, shrinking
from everybody_dance.pose.detectors import DETECTORS, DetectorKind
from everybody_dance.pose.mattes import MatteReader, MatteWriter
from everybody_dance.pose.options import DEFAULT_DETECTOR, OPENPOSE
from everybody_dance.pose.people import Person, jumps
from everybody_dance.skeleton import JOINT_COUNT
from everybody_dance.video.identity import footage_identity
from everybody_dance.video.reader import VideoReader

READING = "r2"
"""How videos are read, where that does not show in their identity: 2 since pictures whose size changes get margins."""


@dataclass(frozen=True)
class Detection:
    """What was found in a video.

    Attributes:
        keypoints: at the upright native size, at the rate that was asked for.
        cuts: first frame of every shot after the first.
        detector: all that the result depends on.
        supplied: bool (137,), the joints that this detector ever finds; others are absent, not missed.
        camera: where each frame was taken, as ``CameraTracker.path``; None where it was not followed.
    """

    keypoints: Keypoints
    cuts: tuple[int, ...]
    detector: str
    supplied: NDArray[np.bool_]
    camera: NDArray[np.float64] | None = None


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
    content: str | None = None,
    workers: int | None = None,
    on_frame: Callable[[Image], None] | None = None,
    on_matte: Callable[[Image], None] | None = None,
    follow_camera: bool = False,
    on_progress: OnProgress = ignore_progress,
) -> Detection:
    """Find the person in every frame of a video.

    The video is decoded once; where the result is remembered and nobody wants the frames, not at all.

    Args:
        path: the video.
        pose: a detector's name, or ``openpose:DIR`` with OpenPose's own files, one for each decoded frame.
        fps: rate to read the video at; by default its own.
        content: ``footage_identity`` of the video, where it is known already.
        workers: processes; by default one for each core.
        on_frame: gets every frame, upright at native size, in order.
        on_matte: gets every frame's matte of the person, uint8 (h, w), in order; all 0 where nobody is seen. They are
            as large as detectors see the frames (``detection_size``), and always the built-in detector's.
        follow_camera: find out as well how the camera moves; not with OpenPose's files.
        on_progress: told the frames done.

    Raises:
        DanceError: the video cannot be read (see ``video``), OpenPose's files do not fit (``bad-poses``), or the
            detector stopped (``detector-failed``).
        UsageError: ``pose`` is not known (``unknown-pose``).
    """
    check_pose(pose)
    with VideoReader(path, fps=fps) as reader:
        if pose not in DETECTORS:
            return _from_openpose(reader, pose, workers or usable_cores(), on_frame, on_matte, on_progress)
        kind = DETECTORS[pose]
        remembered = _cache_path(path, kind, reader.fps, content)
        detection = _remembered(remembered, kind, reader.size, reader.fps)
        mattes = (
            None if detection is None or on_matte is None else _remembered_mattes(remembered, len(detection.keypoints))
        )
        camera = None if detection is None else _remembered_camera(remembered, len(detection.keypoints))
        tracker = CameraTracker() if follow_camera and camera is None else None
        seen = [] if on_frame is None else [on_frame]
        seen += [] if tracker is None else [tracker.see]
        if detection is None or (on_matte is not None and mattes is None):
            finder = CutFinder(float(reader.fps))
            frames = _passing(reader, [*seen, finder.see], on_progress)
            with ExitStack() as stack:
                keep = None if on_matte is None else stack.enter_context(_KeptMattes(remembered, on_matte))
                xy, confidence = _detect(frames, pose, workers or usable_cores(), reader.size, keep, tracker)
            scale = np.float32(shrinking(*reader.size))
            keypoints = Keypoints(xy * scale, confidence, reader.size, reader.fps)
            detection = Detection(keypoints, finder.cuts(), kind.name, kind.supplied)
            _remember(detection, remembered)
        elif seen:
            for index, _ in enumerate(_passing(reader, seen, on_progress)):
                if tracker is not None:
                    tracker.locate(detection.keypoints.pose(index), reader.size[1])
        if tracker is not None:
            camera = tracker.path(detection.cuts)
            _remember_camera(camera, remembered)
        detection = replace(detection, camera=camera)
        if mattes is not None and on_matte is not None:
            with closing(mattes):
                for index in range(len(mattes)):
                    on_matte(mattes.matte(index))
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
    reader: VideoReader, seen_by: Sequence[Callable[[Image], None]], on_progress: OnProgress
) -> Iterator[Image]:
    """The reader's frames, on their way seen by all who want them."""
    for done, frame in enumerate(reader, 1):
        for see in seen_by:
            see(frame)
        yield frame
        on_progress(done, reader.announced_frames)


def _from_openpose(
    reader: VideoReader,
    pose: str,
    workers: int,
    on_frame: Callable[[Image], None] | None,
    on_matte: Callable[[Image], None] | None,
    on_progress: OnProgress,
) -> Detection:
    people = openpose_files.read_folder(pose.removeprefix(OPENPOSE))
    finder = CutFinder(float(reader.fps))
    frames = _passing(reader, [finder.see, *([] if on_frame is None else [on_frame])], on_progress)
    if on_matte is None:
        deque(frames, maxlen=0)
    else:
        _detect(frames, DEFAULT_DETECTOR, workers, reader.size, on_matte)
    keypoints = people.follow(reader.source_indices, reader.size, reader.fps)
    return Detection(keypoints, finder.cuts(), people.name, people.supplied)


def _detect(
    frames: Iterator[Image],
    name: str,
    workers: int,
    size: tuple[int, int],
    on_matte: Callable[[Image], None] | None,
    tracker: CameraTracker | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """xy (T, 137, 2), in pixels of the shrunk frames, and confidence (T, 137); ``size`` is (W, H) of ``frames``."""
    places, confidences = [np.zeros((0, JOINT_COUNT, 2), np.float32)], [np.zeros((0, JOINT_COUNT), np.float32)]
    shrunk = detection_size(*size)
    nothing = np.zeros(shrunk[::-1], np.uint8)

    def pose_of(people: list[Person]) -> Pose:
        person = people[0] if people else Person(NOBODY)
        if on_matte is not None:
            on_matte(nothing if person.matte is None else person.matte)
        if tracker is not None:
            tracker.locate(person.pose, shrunk[1])
        return person.pose

    with closing(people_in_frames(frames, name, workers, on_matte is not None)) as found:
        # Arrays of many frames take far less memory than as many poses.
        while poses := [pose_of(people) for people in islice(found, CHUNK)]:
            places.append(np.stack([pose.xy for pose in poses]))
            confidences.append(np.stack([pose.confidence for pose in poses]))
    return np.concatenate(places), np.concatenate(confidences)


def _cache_path(path: Path, kind: DetectorKind, fps: Fraction, content: str | None = None) -> Path:
    content = (content or footage_identity(path))[:32]
    name = f"{content}-{kind.name.replace('/', '-')}-{fps.numerator}-{fps.denominator}-{READING}"
    return cache_folder() / "keypoints" / f"{name}.npz"


def _remember(detection: Detection, path: Path) -> None:
    try:
        write_text(path.with_suffix(".json"), json.dumps({"cuts": detection.cuts}))
        detection.keypoints.save(path)
    except (OSError, DanceError) as error:
        events.remark("not-cached", f"The keypoints could not be kept for later: {error}")


def _remember_camera(camera: NDArray[np.float64], path: Path) -> None:
    with suppress(OSError, DanceError), replacing(_camera_path(path)) as temporary, temporary.open("wb") as file:
        np.save(file, camera)


def _remembered_camera(path: Path, frames: int) -> NDArray[np.float64] | None:
    with suppress(Exception):  # a damaged file makes NumPy raise a dozen kinds, from TokenError to MemoryError
        camera = np.load(_camera_path(path), allow_pickle=False)
        if camera.shape == (frames, 3, 3) and camera.dtype == np.float64 and np.isfinite(camera).all():
            return np.asarray(camera)
    return None


def _camera_path(path: Path) -> Path:
    return path.with_suffix(".camera.npy")


class _KeptMattes:
    """Passes mattes on, and keeps them for later where the disk allows it; used as a context."""

    def __init__(self, path: Path, on_matte: Callable[[Image], None]) -> None:
        self._path, self._on_matte = _mattes_path(path), on_matte
        self._temporary = temporary_path(path.parent, ".zip")
        self._writer: MatteWriter | None = None
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            sweep(path.parent)
            self._writer = MatteWriter(self._temporary)

    def __call__(self, matte: Image) -> None:
        self._on_matte(matte)
        if self._writer is not None:
            try:
                self._writer.write(matte)
            except OSError:
                self._writer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with suppress(OSError):
            if self._writer is not None:
                self._writer.close()
                if kind is None:
                    os.replace(self._temporary, self._path)
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)


def _mattes_path(path: Path) -> Path:
    return path.with_suffix(".mattes.zip")


def _remembered_mattes(path: Path, frames: int) -> MatteReader | None:
    """The mattes that were kept, if there is one for each frame."""
    with suppress(OSError, ValueError):
        mattes = MatteReader(_mattes_path(path))
        if len(mattes) == frames:
            mattes.check()
            return mattes
        mattes.close()
    return None


def _remembered(path: Path, kind: DetectorKind, size: tuple[int, int], fps: Fraction) -> Detection | None:
    """The detection that was kept, if it is whole and of a video of this size and rate: else it is made anew."""
    with suppress(Exception):  # whatever is wrong with what was kept, it can be made again
        cuts = tuple(int(cut) for cut in json.loads(path.with_suffix(".json").read_bytes())["cuts"])
        keypoints = Keypoints.load(path)
        if (keypoints.size, keypoints.fps) == (size, fps) and all(0 < cut < len(keypoints) for cut in cuts):
            return Detection(keypoints, cuts, kind.name, kind.supplied)
    return None
