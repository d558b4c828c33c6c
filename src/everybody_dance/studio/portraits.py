"""Small pictures of people, dances and results, made when they are first asked for."""

import hashlib
import json
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np

from everybody_dance.errors import DanceError
from everybody_dance.files import explain_write_failure, write_bytes, write_text
from everybody_dance.studio.archives import PORTRAIT
from everybody_dance.studio.limited import Video, examined
from everybody_dance.studio.people import stamp
from everybody_dance.subject.folder import MANIFEST
from everybody_dance.subject.subject import Subject, frame_path, read_manifest

HEIGHT = 480
"""Pixels of a portrait; its width is three quarters."""

MOMENT = 360
"""Most pixels of the height of a moment's picture."""


class Pictures:
    """The small pictures of a studio.

    Args:
        folder: ``StudioFolder.pictures``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()  # one at a time: each starts a process

    def of_video(self, video: Path) -> Path:
        """A JPEG of a video's most varied moment.

        Raises:
            DanceError: as ``limited.examined``.
        """
        path = self._place(video)
        with self._lock:
            if not path.exists():
                known = examined(video, path)
                write_text(path.with_suffix(".json"), json.dumps(asdict(known)))
        return path

    def known_of(self, video: Path) -> Video | None:
        """What is known of a video whose picture was made; None where it was not yet."""
        with suppress(OSError, ValueError, TypeError):
            return Video(**json.loads(self._place(video).with_suffix(".json").read_bytes()))
        return None

    def of_person(self, folder: Path) -> Path:
        """A JPEG of a person: cut out of the footage, or the one that came with the performer.

        Raises:
            DanceError: there is none (``no-picture``), or the subject is damaged.
        """
        if not (folder / MANIFEST).exists():
            if (folder / PORTRAIT).exists():
                return folder / PORTRAIT
            raise DanceError("no-picture", f"There is no picture of {folder.name} yet.")
        path = self._place(folder / MANIFEST)
        with self._lock:
            if not path.exists():
                write_bytes(path, portrait(folder))
        return path

    def of_moment(self, folder: Path, seconds: float) -> Path:
        """A JPEG of the prepared frame of the person in ``folder`` at ``seconds``, ``MOMENT`` pixels high at most.

        Raises:
            DanceError: there is no such moment (``no-picture``), or as ``read_manifest``.
        """
        manifest = read_manifest(folder)
        index = round(seconds * manifest.fps)
        if not 0 <= index < max((clip.stop for clip in manifest.clips), default=0):
            raise DanceError("no-picture", f"The footage of {folder.name} has no such moment.")
        path = self._place(folder / MANIFEST, index)
        with self._lock:
            if not path.exists():
                write_bytes(path, _moment(frame_path(folder, index)))
        return path

    def forget(self, file: Path) -> None:
        """Delete every picture of a video, or of the person whose manifest the file is: it goes, or becomes another.

        Raises:
            DanceError: one cannot be deleted.
        """
        with self._lock:
            for path in self._folder.glob(f"{_digest(str(file.resolve()))}-*"):
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    raise explain_write_failure(error, path) from error

    def _place(self, file: Path, part: int | None = None) -> Path:
        """Where the picture of a file lies as the file is now, or that of a part of it."""
        return self._folder / f"{_digest(str(file.resolve()))}-{_digest(f'{stamp(file)} {part}')}.jpg"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:20]


def _moment(frame: Path) -> bytes:
    image = cv2.imread(str(frame), cv2.IMREAD_COLOR)
    if image is None:
        raise DanceError("no-picture", "That frame of the footage is missing.")
    height = min(MOMENT, image.shape[0])
    width = max(round(image.shape[1] * height / image.shape[0]), 1)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, 85))[1])


def portrait(folder: Path) -> bytes:
    """A JPEG of the person in a subject's folder, upright, three quarters as wide as high.

    Of the frames the one is taken in which the most joints are surely found, near the middle of the footage.

    Raises:
        DanceError: as ``Subject.open``, or nobody is seen (``no-picture``).
    """
    subject = Subject.open(folder)
    frames = subject.frames_with_person
    if not len(frames):
        raise DanceError("no-picture", f"Nobody is seen in the footage of {folder.name}.")
    confidence = subject.keypoints.confidence[frames].sum(axis=1)
    middle = 1 - np.abs(np.linspace(-1, 1, len(frames))) / 10
    index = int(frames[int(np.argmax(confidence * middle))])
    image, pose = subject.frame(index), subject.keypoints.pose(index)
    places = pose.xy[pose.confidence > 0]
    (left, top), (right, bottom) = places.min(axis=0), places.max(axis=0)
    full, wide = image.shape[:2]
    height = min(max(bottom - top, (right - left) / 0.75, 16) * 1.25, full, wide / 0.75)
    width = 0.75 * height
    x = float(np.clip((left + right) / 2 - width / 2, 0, wide - width))
    y = float(np.clip((top + bottom) / 2 - 0.52 * height, 0, full - height))
    crop = image[round(y) : round(y + height), round(x) : round(x + width)]
    small = cv2.resize(np.ascontiguousarray(crop), (HEIGHT * 3 // 4, HEIGHT), interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", small[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 88))[1])
