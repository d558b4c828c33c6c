"""Who is in a video, and how a detector that sees one person is kept on one of several."""

from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.errors import UsageError
from everybody_dance.files import replacing
from everybody_dance.images import Image
from everybody_dance.keypoints import Pose
from everybody_dance.pose.options import LARGEST, PLACES
from everybody_dance.pose.people import Person, apart
from everybody_dance.pose.tracks import FORGET, HOLD, Track
from everybody_dance.skeleton import FACE, JOINT_COUNT, LEFT_HAND, RIGHT_HAND, Joint

PLAYS_A_PART = 0.3
"""Who counts for less than this share of the most prominent person is not meant by left, right and centre."""

WITH_CLOTHES, CLOSE = 0.05, 0.02
"""Margins around others within which their pixels lie, and around the person where they do not, in body heights."""

AROUND = 0.45
"""What is farther from every joint of the person than this is not shown to the detector, in body heights."""

SOMEBODY_ELSE = 0.3
"""A pose that lies farther from where the person is, in body heights, is somebody else's."""

AS_TALL = 0.6
"""Where one of two poses stands less than this share of the other's height, they are not one person's."""

OTHERS_JOINT = 0.1
"""A joint farther than this from where it is expected, in body heights, and nearer to another person's, is theirs."""

_HELD_BY = {Joint.NOSE: FACE, Joint.LEFT_WRIST: LEFT_HAND, Joint.RIGHT_WRIST: RIGHT_HAND}


@dataclass(frozen=True, eq=False)
class Everybody:
    """The people in a video, each followed through it.

    Attributes:
        tracks: of the people, the most prominent first; their frames count looks.
        size: (W, H) of the pictures that were looked at, in whose pixels the bodies are.
        rate: looks a second.
        cuts: first looks of new shots.
    """

    tracks: tuple[Track, ...]
    size: tuple[int, int]
    rate: float
    cuts: tuple[int, ...] = ()

    def pose(self, who: int, second: float) -> Pose:
        """The body of a person at a moment of the video; ``NOBODY`` where they are not seen."""
        return self._at(who, second, HOLD)

    def about(self, who: int, second: float) -> Pose:
        """As ``pose``, but a person who is lost for a while is thought to be where they were seen last, or next."""
        return self._at(who, second, FORGET * self.rate)

    def _at(self, who: int, second: float, hold: float) -> Pose:
        look = second * self.rate
        # Somewhere between the last look before a cut and the first one after it the shot changes.
        shots, later = (-inf, *self.cuts, inf), bisect_right(self.cuts, look + 0.5)
        return self.tracks[who].at(look, FORGET * self.rate, hold, (shots[later], shots[later + 1]))

    def choose(self, person: str, video: str) -> int:
        """Which of the people is meant.

        Args:
            person: as ``detect_video`` takes it.
            video: name of the video, for messages.

        Raises:
            UsageError: there is no person with this number (``no-such-person``).
        """
        if person not in (LARGEST, *PLACES):
            number = int(person)
            if number > max(len(self.tracks), 1):
                seen = "1 person is" if len(self.tracks) == 1 else f"{len(self.tracks)} people are"
                raise UsageError(
                    "no-such-person",
                    f"There is no person {number} in {video}: {seen} seen. `dance people` shows them with their"
                    " numbers.",
                )
            return number - 1
        if person == LARGEST:
            return 0
        parts = [track for track in self.tracks if track.prominence >= PLAYS_A_PART * self.tracks[0].prominence]
        return nearest_to(person, [track.usual_x for track in parts], self.size[0])

    def save(self, path: Path) -> None:
        """Write to ``path`` (.npz), atomically.

        Raises:
            OSError, DanceError: it cannot be written.
        """
        rows = {}
        if self.tracks:
            rows = {
                row.name: np.concatenate([getattr(track, row.name) for track in self.tracks]) for row in fields(Track)
            }
        counts = np.array([len(track) for track in self.tracks], np.int64)
        with replacing(path) as temporary:
            np.savez_compressed(temporary, counts=counts, size=self.size, rate=self.rate, cuts=self.cuts, **rows)

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Read what ``save`` wrote; None where there is none, or it is damaged."""
        with suppress(Exception), np.load(path, allow_pickle=False) as arrays:  # a damaged file raises a dozen kinds
            width, height = arrays["size"].tolist()
            ends = np.cumsum(arrays["counts"])[:-1]
            rows = [np.split(arrays[row.name], ends) for row in fields(Track)] if len(arrays["counts"]) else []
            tracks = tuple(Track(*parts) for parts in zip(*rows, strict=True))
            cuts = tuple(int(cut) for cut in arrays["cuts"])
            return cls(tracks, (width, height), float(arrays["rate"]), cuts)
        return None


def alone_in(image: Image, shown: NDArray[np.bool_]) -> Image:
    """``image`` (h, w, 3), everything but ``shown`` (h, w) in one colour."""
    return np.where(shown[..., None], image, image.mean(axis=(0, 1)).astype(np.uint8))


def nearest_to(place: str, across: Sequence[float], width: int) -> int:
    """Which of several people is meant by ``left``, ``right`` or ``centre``; 0 where there is nobody.

    Args:
        place: one of ``PLACES``.
        across: x of each of them, in pixels of a picture of that ``width``.
        width: in pixels.
    """
    wanted = {"left": 0.0, "right": float(width), "centre": width / 2}[place]
    return int(np.argmin([abs(x - wanted) for x in across])) if across else 0


class Alone:
    """Shows a detector one of several people, without the others.

    Args:
        everybody: who is in the video.
        who: which of them is shown.
        fps: rate at which frames are counted.
    """

    def __init__(self, everybody: Everybody, who: int, fps: Fraction) -> None:
        self._everybody, self.who, self._fps = everybody, who, float(fps)
        self._others = [other for other in range(len(everybody.tracks)) if other != who]

    def picture(self, frame: int, image: Image) -> Image:
        """``image`` (h, w, 3), the frame as detectors see it, with everything else in one colour."""
        them = self._everybody.pose(self.who, frame / self._fps)
        return alone_in(image, person_mask(them, self._everybody.size, AROUND) & (self.others(frame) == 0))

    def others(self, frame: int) -> Image:
        """uint8 (h, w), as large as detectors see the frame: 255 where the others are, and not the person."""
        covered, person = self._masks(frame, WITH_CLOTHES, CLOSE)
        return np.asarray((covered & ~person) * np.uint8(255))

    def besides(self, frame: int, height: int) -> list[Pose]:
        """The bodies of the others in a frame, in pixels of a picture of that ``height``."""
        scale = np.float32(height / self._everybody.size[1])
        poses = [self._everybody.about(who, frame / self._fps) for who in self._others]
        return [Pose(pose.xy * scale, pose.confidence) for pose in poses if pose.person_seen]

    def crossed(self, frame: int) -> float:
        """Share of the person that lies behind or before others in a frame."""
        covered, person = self._masks(frame, 0.0, 0.0)
        return float((covered & person).sum() / max(int(person.sum()), 1))

    def _masks(self, frame: int, grow: float, own: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """bool (h, w) each: where the others are, and where the person is, with margins in body heights."""
        second, size = frame / self._fps, self._everybody.size
        others = [person_mask(self._everybody.about(who, second), size, grow) for who in self._others]
        return np.any(others, axis=0), person_mask(self._everybody.about(self.who, second), size, own)

    def recognized(self, frame: int, person: Person) -> Person | None:
        """What of somebody found in a frame is the person who was shown; None where it is somebody else.

        Where people overlap, a detector may give one the arm of the other.
        """
        expected = self._everybody.pose(self.who, frame / self._fps)
        if not (expected.person_seen and person.pose.person_seen):
            return None
        height = max(expected.height, 1.0)
        shorter, taller = sorted((height, person.pose.height))
        if apart(expected, person.pose) > SOMEBODY_ELSE * height or shorter < AS_TALL * taller:
            return None
        away = np.linalg.norm(person.pose.xy - expected.xy, axis=1)
        lost = np.zeros(JOINT_COUNT, bool)
        for who in self._others:
            other = self._everybody.pose(who, frame / self._fps)
            if other.person_seen:
                nearer = np.linalg.norm(person.pose.xy - other.xy, axis=1) < away / 2
                lost |= nearer & (away > OTHERS_JOINT * height) & other.found & expected.found & person.pose.found
        for joint, part in _HELD_BY.items():
            lost[part] |= lost[joint]
        return replace(person, pose=person.pose.without(lost))
