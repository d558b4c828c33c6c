"""A video to the keypoints of one person: decoded once, detected on all cores, remembered by content."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from everybody_dance import events
from everybody_dance.errors import UsageError
from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.images import Image
from everybody_dance.keypoints import NOBODY, Keypoints, Pose
from everybody_dance.machine import usable_cores
from everybody_dance.pose import openpose_files
from everybody_dance.pose.cache import Entry, KeptMattes
from everybody_dance.pose.camera import CameraTracker
from everybody_dance.pose.cuts import CutFinder
from everybody_dance.pose.detector_process import CHUNK, DetectorPool, detection_size, shrinking, shrunk
from everybody_dance.pose.detectors import DETECTORS, DetectorKind
from everybody_dance.pose.everybody import Alone, Everybody
from everybody_dance.pose.options import DEFAULT_DETECTOR, LARGEST, OPENPOSE, check_person
from everybody_dance.pose.people import Person, jumps
from everybody_dance.pose.who_is_there import who_is_there
from everybody_dance.skeleton import JOINT_COUNT
from everybody_dance.video.identity import footage_identity
from everybody_dance.video.reader import VideoReader


@dataclass(frozen=True)
class Detection:
    """What was found in a video.

    Attributes:
        keypoints: at the upright native size, at the rate that was asked for.
        cuts: first frame of every shot after the first.
        detector: all that the result depends on.
        supplied: bool (137,), the joints that this detector ever finds; others are absent, not missed.
        camera: where each frame was taken, as ``CameraTracker.path``; None where it was not followed.
        alone: what tells the person from the others in the video; None where one alone is seen, and with OpenPose's
            files.
        people: whom ``--person`` may number; 1 also where nobody is seen, or one alone at a glance.
    """

    keypoints: Keypoints
    cuts: tuple[int, ...]
    detector: str
    supplied: NDArray[np.bool_]
    camera: NDArray[np.float64] | None = None
    alone: Alone | None = None
    people: int = 1


def check_pose(pose: str) -> None:
    """Refuse a value of ``--pose`` that means nothing.

    Raises:
        UsageError: it is neither a detector's name nor ``openpose:DIR`` or ``openpose:FILE`` (``unknown-pose``).
    """
    if pose not in DETECTORS and not (pose.startswith(OPENPOSE) and pose.removeprefix(OPENPOSE)):
        raise UsageError(
            "unknown-pose", f"--pose is {', '.join(DETECTORS)}, openpose:DIR or openpose:FILE, not {pose!r}."
        )


def pose_place(pose: str) -> Path | None:
    """The folder or file that ``pose`` reads; None for a detector.

    Raises:
        DanceError, UsageError: ``pose`` is not known, or there is no such folder or file.
    """
    check_pose(pose)
    return None if pose in DETECTORS else openpose_files.split_place(pose.removeprefix(OPENPOSE))[0]


def source_identity(pose: str) -> str:
    """What poses from ``pose`` depend on, besides the video: by content, however a place's name is spelled.

    Raises:
        DanceError, UsageError: ``pose`` is not known, or names a place that cannot be read.
    """
    check_pose(pose)
    if pose in DETECTORS:
        return DETECTORS[pose].name
    return OPENPOSE + openpose_files.content_of_files(pose.removeprefix(OPENPOSE))


def detect_video(
    path: Path,
    pose: str = DEFAULT_DETECTOR,
    *,
    person: str = LARGEST,
    fps: Fraction | None = None,
    content: str | None = None,
    workers: int | None = None,
    on_frame: Callable[[Image], None] | None = None,
    on_matte: Callable[[Image], None] | None = None,
    follow_camera: bool = False,
    on_progress: OnProgress = ignore_progress,
) -> Detection:
    """Find one person in every frame of a video.

    The video is decoded once, and once more where several people are seen in it; where the result is remembered and
    nobody wants the frames, not at all.

    Args:
        path: the video.
        pose: a detector's name, or ``openpose:DIR`` or ``openpose:FILE`` with the poses of each decoded frame.
        person: which of several people: ``largest``, by height and time; ``left``, ``right`` or ``centre``, by where
            they usually are; or a number from 1, the most prominent first.
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
        UsageError: ``pose`` or ``person`` is not known (``unknown-pose``, ``unknown-person``), or there are fewer
            people (``no-such-person``).
    """
    check_pose(pose)
    check_person(person)
    workers = workers or usable_cores()
    with VideoReader(path, fps=fps) as reader:
        if pose not in DETECTORS:
            return _from_openpose(reader, pose, person, workers, on_frame, on_matte, on_progress)
        kind, content = DETECTORS[pose], content or footage_identity(path)
        with DetectorPool(pose, workers, on_matte is not None) as pool:
            everybody = who_is_there(reader, content, kind, person, pool)
            alone = None if everybody is None else _alone(everybody, person, path, reader.fps)
            entry = Entry(content, kind.name if alone is None else f"{kind.name}-person{alone.who + 1}", reader.fps)
            detection = _remembered(entry, kind, reader)
            mattes = None if detection is None or on_matte is None else entry.mattes(len(detection.keypoints))
            camera = None if detection is None else entry.camera(len(detection.keypoints))
            tracker = CameraTracker() if follow_camera and camera is None else None
            seen = [] if on_frame is None else [on_frame]
            seen += [] if tracker is None else [tracker.see]
            if detection is None or (on_matte is not None and mattes is None):
                finder = CutFinder(float(reader.fps))
                frames = _passing(reader, [*seen, finder.see], on_progress)
                with ExitStack() as stack:
                    keep = None if on_matte is None else stack.enter_context(KeptMattes(entry, on_matte))
                    xy, confidence = _detect(frames, pool, reader.size, keep, tracker, alone)
                scale = np.float32(shrinking(*reader.size))
                keypoints = Keypoints(xy * scale, confidence, reader.size, reader.fps)
                detection = Detection(keypoints, finder.cuts(), kind.name, kind.supplied)
                entry.keep(keypoints, detection.cuts)
            elif seen:
                for index, _ in enumerate(_passing(reader, seen, on_progress)):
                    if tracker is not None:
                        them = detection.keypoints.pose(index)
                        tracker.locate([them, *_besides(alone, index, reader.size[1])], reader.size[1])
        if tracker is not None:
            camera = tracker.path(detection.cuts)
            entry.keep_camera(camera)
        detection = replace(
            detection, camera=camera, alone=alone, people=1 if everybody is None else max(len(everybody.tracks), 1)
        )
        if mattes is not None and on_matte is not None:
            with closing(mattes):
                for index in range(len(mattes)):
                    on_matte(mattes.matte(index))
    changes = jumps(detection.keypoints, detection.cuts)
    if changes:
        events.warn(
            "person-changes",
            f"{path.name}: in {changes} places the person is suddenly elsewhere, perhaps somebody else."
            " `dance people` shows who is in a video, and --person follows one of them.",
            places=changes,
        )
    return detection


def _alone(everybody: Everybody, person: str, path: Path, fps: Fraction) -> Alone | None:
    """What shows the detector the person who is meant, of several; the user is told who that is."""
    who = everybody.choose(person, path.name)
    count = len(everybody.tracks)
    if count < 2:
        return None
    events.remark(
        "several-people",
        f"{count} people are seen in {path.name}: person {who + 1} is followed. `dance people` shows who is who, and"
        " --person chooses another one.",
        people=count,
        person=who + 1,
    )
    return Alone(everybody, who, fps)


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
    person: str,
    workers: int,
    on_frame: Callable[[Image], None] | None,
    on_matte: Callable[[Image], None] | None,
    on_progress: OnProgress,
) -> Detection:
    people = openpose_files.read_people(pose.removeprefix(OPENPOSE))
    finder = CutFinder(float(reader.fps))
    frames = _passing(reader, [finder.see, *([] if on_frame is None else [on_frame])], on_progress)
    if on_matte is None:
        deque(frames, maxlen=0)
    else:
        with DetectorPool(DEFAULT_DETECTOR, workers, mattes=True) as pool:
            _detect(frames, pool, reader.size, on_matte)
    cuts, name = finder.cuts(), reader.info.path.name
    keypoints, count = people.follow(person, reader.source_indices, reader.size, reader.fps, name, cuts)
    return Detection(keypoints, cuts, people.name, people.supplied, people=max(count, 1))


def _detect(
    frames: Iterator[Image],
    pool: DetectorPool,
    size: tuple[int, int],
    on_matte: Callable[[Image], None] | None,
    tracker: CameraTracker | None = None,
    alone: Alone | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """xy (T, 137, 2), in pixels of the shrunk frames, and confidence (T, 137); ``size`` is (W, H) of ``frames``."""
    places, confidences = [np.zeros((0, JOINT_COUNT, 2), np.float32)], [np.zeros((0, JOINT_COUNT), np.float32)]
    shrunken = detection_size(*size)
    nothing = np.zeros(shrunken[::-1], np.uint8)

    def pose_of(index: int, people: list[Person]) -> Pose:
        person = people[0] if people else Person(NOBODY)
        if alone is not None:
            person = alone.recognized(index, person) or Person(NOBODY)
        if on_matte is not None:
            on_matte(nothing if person.matte is None else person.matte)
        if tracker is not None:
            tracker.locate([person.pose, *_besides(alone, index, shrunken[1])], shrunken[1])
        return person.pose

    shown = frames if alone is None else (alone.picture(index, shrunk(frame)) for index, frame in enumerate(frames))
    with closing(pool.people(shown)) as found:
        numbered = enumerate(found)
        # Arrays of many frames take far less memory than as many poses.
        while poses := [pose_of(index, people) for index, people in islice(numbered, CHUNK)]:
            places.append(np.stack([pose.xy for pose in poses]))
            confidences.append(np.stack([pose.confidence for pose in poses]))
    return np.concatenate(places), np.concatenate(confidences)


def _besides(alone: Alone | None, frame: int, height: int) -> list[Pose]:
    """The others in a frame, in pixels of a picture of that ``height``."""
    return [] if alone is None else alone.besides(frame, height)


def _remembered(entry: Entry, kind: DetectorKind, reader: VideoReader) -> Detection | None:
    kept = entry.keypoints(reader.size, reader.fps)
    return None if kept is None else Detection(*kept, kind.name, kind.supplied)
