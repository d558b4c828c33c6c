"""Footage to a subject: decoded once, written beside, and put into place when whole."""

import hashlib
import json
import logging
import secrets
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.errors import DanceError
from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.files import content_hash, explain_write_failure
from everybody_dance.keypoints import Keypoints
from everybody_dance.pose.detection import Detection, detect_video
from everybody_dance.pose.detection_report import DetectionReport, report
from everybody_dance.pose.filtering import clean
from everybody_dance.retarget.statistics import pose_statistics
from everybody_dance.subject.manifest import Clip, Source, SubjectManifest
from everybody_dance.subject.prepare.camera import measure_stillness
from everybody_dance.subject.prepare.footage import advice, look_over
from everybody_dance.subject.prepare.plate import Plate, clean_plate
from everybody_dance.subject.subject import JPEG_OPTIONS, Subject, frame_path, only_training
from everybody_dance.video.reader import probe

logger = logging.getLogger(__name__)

DEFAULT_HEIGHT = 512
DEFAULT_RATE = 30
HELD_OUT_SHARE = 0.1
HELD_OUT_SECONDS = 10.0
FEWEST_FRAMES = 30
"""Training frames with a person, below which there is nothing to learn from."""

LARGEST_DIFFERENCE = 25.0
"""Median difference between two clips' empty places, of 255 and after their brightness is made equal."""


def prepare(
    footage: Sequence[Path],
    folder: Path,
    *,
    pose: str = "mediapipe",
    height: int | None = None,
    fps: Fraction | None = None,
    holdout: float | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Subject:
    """Make a subject of one or several videos of a person in one place, filmed by one camera that stands still.

    The same footage (by content) with the same options is not prepared twice. A subject that is there already stays
    as it is until the new one is whole.

    Args:
        footage: the videos.
        folder: where the subject is to be.
        pose: as in ``detect_video``.
        height: of the prepared frames; by default 512, or less where the footage is smaller.
        fps: of the prepared frames; by default 30, or less where the footage is slower.
        holdout: seconds at each clip's end that are kept from training; by default a tenth, at most 10 s.
        on_progress: told frames done of all footage.

    Raises:
        DanceError: the footage cannot be read (see ``video``), shows nobody (``no-person``), is too short
            (``too-short``), or was filmed in different places (``different-places``); or the disk is full.
    """
    sources = tuple(Source(name=path.name, sha256=content_hash(path)) for path in _existing(footage))
    options: dict[str, str | int | float | None] = {
        "pose": pose,
        "height": height,
        "fps": None if fps is None else str(fps),
        "holdout": holdout,
    }
    identity = hashlib.sha256(json.dumps([[source.sha256 for source in sources], options]).encode()).hexdigest()
    present = _present(folder)
    if present is not None and present.manifest.identity == identity:
        logger.info("%s is prepared already.", folder)
        return present

    size, rate = _prepared_size(footage, height), fps or min(probe(footage[0]).fps, Fraction(DEFAULT_RATE))
    fresh = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        (fresh / "frames").mkdir(parents=True)
        detections, clips = _read(footage, fresh, size, rate, pose, holdout, on_progress)
        _complete(fresh, detections, clips, sources, identity, options)
        with only_training(folder / "training") if (folder / "training").exists() else nullcontext():
            _put_in_place(fresh, folder)
    except OSError as error:
        raise explain_write_failure(error, folder) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return Subject.open(folder)


def _present(folder: Path) -> Subject | None:
    """The subject that stands in ``folder``; a damaged one does not count, and is made anew."""
    if not folder.exists():
        return None
    if not (folder / "subject.json").is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise DanceError("not-a-subject", f"{folder} holds other files. Choose a new folder for the subject.")
    try:
        return Subject.open(folder)
    except DanceError as error:
        if error.code == "newer-version":
            raise
        return None


def _read(
    footage: Sequence[Path],
    folder: Path,
    size: tuple[int, int],
    rate: Fraction,
    pose: str,
    holdout: float | None,
    on_progress: OnProgress,
) -> tuple[list[Detection], tuple[Clip, ...]]:
    """Write the frames of all clips, one after the other, and find the person in them."""
    announced = [probe(path).duration for path in footage]
    total = round(sum(announced) * rate) if all(announced) else None
    detections, clips, first = [], [], 0
    for path in footage:
        with ThreadPoolExecutor(1) as writer:
            frames = _FrameWriter(folder, first, size, writer)
            detection = detect_video(
                path,
                pose,
                fps=rate,
                on_frame=frames.write,
                on_progress=lambda done, _, first=first: on_progress(first + done, total),  # type: ignore[misc]
            )
            frames.finish()
        count = len(detection.keypoints)
        seconds = min(HELD_OUT_SHARE * count / rate, HELD_OUT_SECONDS) if holdout is None else holdout
        held_out = min(round(seconds * rate), count)
        clips.append(Clip(first=first, holdout=first + count - held_out, stop=first + count))
        detections.append(detection)
        first += count
    return detections, tuple(clips)


class _FrameWriter:
    """Shrinks and writes frames in a thread of its own, a few at most behind."""

    def __init__(self, folder: Path, first: int, size: tuple[int, int], pool: ThreadPoolExecutor) -> None:
        self._folder, self._next, self._size, self._pool = folder, first, size, pool
        self._pending: list[Any] = []

    def write(self, frame: NDArray[np.uint8]) -> None:
        path = frame_path(self._folder, self._next)
        self._next += 1
        self._pending.append(self._pool.submit(_write_frame, frame, path, self._size))
        if len(self._pending) > 8:
            self._pending.pop(0).result()

    def finish(self) -> None:
        for pending in self._pending:
            pending.result()


def _write_frame(frame: NDArray[np.uint8], path: Path, size: tuple[int, int]) -> None:
    if (frame.shape[1], frame.shape[0]) != size:
        frame = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
    path.write_bytes(cv2.imencode(".jpg", frame[..., ::-1], JPEG_OPTIONS)[1].tobytes())


def _complete(
    folder: Path,
    detections: list[Detection],
    clips: tuple[Clip, ...],
    sources: tuple[Source, ...],
    identity: str,
    options: dict[str, str | int | float | None],
) -> None:
    """From frames and keypoints to a whole subject."""
    size = _size_of(folder)
    detected = [detection.keypoints.scaled_to(size) for detection in detections]
    keypoints = _joined([clean(part, detection.cuts) for part, detection in zip(detected, detections, strict=True)])
    cuts = tuple(clip.first + cut for clip, detection in zip(clips, detections, strict=True) for cut in detection.cuts)
    training = np.concatenate([np.arange(clip.first, clip.holdout) for clip in clips])
    _check_people(keypoints, training)
    found = report(_joined(detected), detections[0].supplied)
    _advise(found)

    def frame(index: int) -> NDArray[np.uint8]:
        image = cv2.imread(str(frame_path(folder, index)), cv2.IMREAD_COLOR)
        return np.asarray(image, np.uint8)[..., ::-1]

    stillness = measure_stillness(frame, keypoints, training)
    _check_one_place(frame, keypoints, clips)
    if stillness.camera_moves:
        logger.warning(
            "The camera moves (by %.1f %% of the picture's height): there is no clean plate, and the whole picture is "
            "painted. A camera that stands still gives much better results.",
            stillness.motion,
        )
    plate = clean_plate(frame, keypoints, training)
    # Seen by a camera that moves, everything differs from the empty place.
    known = plate.known & (not stillness.camera_moves)
    footage = look_over(frame, keypoints, training, plate.image, known)
    # Clip edges are cuts to the statistics: the ground line starts anew.
    edges = sorted({*(clip.first for clip in clips if clip.first), *cuts})
    manifest = SubjectManifest(
        identity=identity,
        sources=sources,
        size=size,
        fps=keypoints.fps,
        detector=detections[0].detector,
        detection=found,
        statistics=pose_statistics(keypoints[training], _renumbered(edges, training)),
        clips=clips,
        cuts=cuts,
        camera_moves=stillness.camera_moves,
        camera_motion=stillness.motion,
        exposure_change=stillness.exposure_change,
        plate_unknown_share=plate.unknown_share,
        footage=footage,
        options=options,
    )
    _report_plate(plate)
    for sentence in advice(footage, exposure_change=stillness.exposure_change):
        logger.warning(sentence)
    Subject.create(folder, manifest, keypoints, plate.image, plate.known)


def _joined(parts: Sequence[Keypoints]) -> Keypoints:
    """Clips one after the other."""
    xy, confidence = ([getattr(part, name) for part in parts] for name in ("xy", "confidence"))
    return replace(parts[0], xy=np.concatenate(xy), confidence=np.concatenate(confidence))


def _check_people(keypoints: Keypoints, training: NDArray[np.int64]) -> None:
    seen = int(keypoints.person_seen[training].sum())
    if not keypoints.person_seen.any():
        raise DanceError("no-person", "No person was found in any frame of the footage.")
    if seen < FEWEST_FRAMES:
        raise DanceError(
            "too-short",
            f"A person is seen in only {seen} frames that training may use; at least {FEWEST_FRAMES} are needed, and a "
            "minute or more is better. Film longer footage.",
        )


def _advise(found: DetectionReport) -> None:
    if found.without_person:
        logger.warning("No person was found in %d of %d frames; they are left out.", found.without_person, found.frames)
    if found.feet_outside > 0.5:
        logger.warning("The feet are hardly ever in the picture: the dance is placed by the hips instead.")


def _report_plate(plate: Plate) -> None:
    if plate.unknown_share > 0.002:
        logger.warning(
            "%.1f %% of the background is never uncovered and had to be guessed: step aside once while filming.",
            100 * plate.unknown_share,
        )


def _check_one_place(frame: Any, keypoints: Keypoints, clips: tuple[Clip, ...]) -> None:
    """Several clips must show one place."""
    plates = []
    for clip in clips if len(clips) > 1 else ():
        frames = np.unique(np.linspace(clip.first, max(clip.holdout - 1, clip.first), 24).astype(int))
        plates.append(clean_plate(frame, keypoints, frames.tolist()))
    for plate in plates[1:]:
        both = plates[0].known & plate.known
        one, other = (picture.image[both].astype(np.float32) for picture in (plates[0], plate))
        if both.any() and np.median(np.abs(one - one.mean(axis=0) - other + other.mean(axis=0))) > LARGEST_DIFFERENCE:
            raise DanceError(
                "different-places",
                "The videos show different places or camera positions. Prepare each place as a subject of its own.",
            )


def _renumbered(cuts: Sequence[int], frames: NDArray[np.int64]) -> list[int]:
    """Cuts in the numbering of the chosen frames."""
    return sorted({int(np.searchsorted(frames, cut)) for cut in cuts} - {0, len(frames)})


def _prepared_size(footage: Sequence[Path], height: int | None) -> tuple[int, int]:
    """Even sides, by the first video's proportions; the others must have the same."""
    sizes = [probe(path).size for path in footage]
    width, native = sizes[0]
    if any(abs(other[0] / other[1] - width / native) > 0.01 for other in sizes[1:]):
        raise DanceError("different-places", "The videos have different proportions: they are not of one camera.")
    wanted = height or min(native, DEFAULT_HEIGHT)
    return max(2 * round(wanted * width / native / 2), 2), max(2 * round(wanted / 2), 2)


def _size_of(folder: Path) -> tuple[int, int]:
    image = cv2.imread(str(frame_path(folder, 0)), cv2.IMREAD_COLOR)
    if image is None:
        raise DanceError("no-frames", "The footage holds no frames.")
    return image.shape[1], image.shape[0]


def _existing(footage: Sequence[Path]) -> Sequence[Path]:
    for path in footage:
        if not path.is_file():
            raise DanceError("file-not-found", f"There is no file {path}.")
    return footage


def _put_in_place(fresh: Path, folder: Path) -> None:
    """Swap the new folder in; the old one is gone only when the new one stands."""
    if not folder.exists():
        fresh.rename(folder)
        return
    if (folder / "training").exists() or (folder / "model").exists():
        logger.warning(
            "The footage or the options changed: what was trained in %s no longer fits and is removed.", folder
        )
    old = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.old")
    folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
