"""Who is in a video: everybody with a number, by which one of them can be chosen."""

from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from everybody_dance import events
from everybody_dance.drawing.numbers import numbered
from everybody_dance.errors import UsageError
from everybody_dance.events import Cancellation, Listener, listening
from everybody_dance.files import check_inputs, check_outputs, explain_write_failure, write_bytes
from everybody_dance.images import Image, resized
from everybody_dance.keypoints import Pose
from everybody_dance.pose.everybody import Everybody
from everybody_dance.pose.who_is_there import find_people
from everybody_dance.video.reader import VideoReader

SUFFIXES = (".jpg", ".png")

MOMENTS, COLUMNS, WIDTH = 12, 3, 480
"""Moments that are shown, pictures in a row, and their width in pixels."""


@dataclass(frozen=True, kw_only=True)
class PeopleRequest:
    """A look at who is in a video.

    Attributes:
        video: the video.
        out: the picture to write, .jpg or .png: moments of the video, with everybody's number.
    """

    video: Path
    out: Path


@dataclass(frozen=True)
class SeenPerson:
    """Somebody in a video.

    Attributes:
        number: from 1, the most prominent first.
        seconds: for which they are seen.
        place: where they usually are: 0 is the left edge of the picture, 1 the right one.
        height: of the body, in heights of the picture, on average.
    """

    number: int
    seconds: float
    place: float
    height: float


@dataclass(frozen=True)
class PeopleResult:
    """Who was seen, and the picture that shows them."""

    people: tuple[SeenPerson, ...]
    out: Path

    def figures(self) -> list[dict[str, Any]]:
        """What is known of each person, for a report."""
        return [asdict(person) for person in self.people]


def people(
    request: PeopleRequest, listener: Listener | None = None, cancellation: Cancellation | None = None
) -> PeopleResult:
    """Find everybody in a video, and show them with their numbers.

    Args:
        request: the video.
        listener: told findings, progress and artifacts.
        cancellation: lets another thread stop it.

    Raises:
        DanceError, UsageError: the video cannot be read, or the picture cannot be written.
        Cancelled: it was stopped.
    """
    with listening(listener, cancellation):
        if request.out.suffix.lower() not in SUFFIXES:
            raise UsageError("bad-name", f"{request.out} must end in {' or '.join(SUFFIXES)}.")
        check_inputs(request.video)
        check_outputs([request.out], [request.video])
        everybody = find_people(request.video)
        sheet = cv2.imencode(request.out.suffix.lower(), _sheet(request.video, everybody)[..., ::-1])[1]
        try:
            write_bytes(request.out, sheet.tobytes())
        except OSError as error:
            raise explain_write_failure(error, request.out) from error
        events.wrote("people", request.out)
        width, height = everybody.size
        seen = tuple(
            SeenPerson(
                number,
                len(track) / everybody.rate,
                min(max(track.usual_x / width, 0.0), 1.0),
                float(track.heights.mean()) / height,
            )
            for number, track in enumerate(everybody.tracks, 1)
        )
        return PeopleResult(seen, request.out)


def _sheet(video: Path, everybody: Everybody) -> Image:
    """uint8 (H, W, 3): moments of a video, everybody with their numbers."""
    with VideoReader(video, fps=Fraction(everybody.rate).limit_denominator(10**6)) as reader:
        moments = set(np.linspace(0, max((reader.announced_frames or 1) - 1, 0), MOMENTS).astype(int).tolist())
        # Everybody once when they are seen best.
        moments |= {int(track.frames[track.confidence.sum(axis=1).argmax()]) for track in everybody.tracks}
        pictures = [_picture(frame, everybody, look) for look, frame in enumerate(reader) if look in moments]
    pictures += [np.zeros_like(pictures[0])] * (-len(pictures) % COLUMNS)
    rows = [np.concatenate(pictures[first : first + COLUMNS], 1) for first in range(0, len(pictures), COLUMNS)]
    return np.concatenate(rows)


def _picture(frame: Image, everybody: Everybody, look: int) -> Image:
    size = WIDTH, max(round(WIDTH * frame.shape[0] / frame.shape[1]), 1)
    scale = np.float32(WIDTH / everybody.size[0])
    poses = [everybody.pose(who, look / everybody.rate) for who in range(len(everybody.tracks))]
    scaled = {number: Pose(pose.xy * scale, pose.confidence) for number, pose in enumerate(poses, 1)}
    return numbered(resized(frame, size), scaled)
