"""Who is in a video: found out once, and remembered by its content."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np

from everybody_dance import events
from everybody_dance.errors import DanceError
from everybody_dance.images import Image
from everybody_dance.machine import usable_cores
from everybody_dance.pose.cache import Entry, keep_array
from everybody_dance.pose.cuts import CutFinder
from everybody_dance.pose.detector_process import DetectorPool, detection_size
from everybody_dance.pose.detectors import DETECTORS, DetectorKind
from everybody_dance.pose.everybody import Everybody
from everybody_dance.pose.options import DEFAULT_DETECTOR, LARGEST
from everybody_dance.pose.people import Person
from everybody_dance.pose.tracks import follow_everybody
from everybody_dance.video.identity import footage_identity
from everybody_dance.video.reader import VideoInfo, VideoReader

RATE = 7.5
"""Looks a second, about."""

GLANCES, FEWEST_GLANCES, EVERY = 12, 3, 2.0
"""Frames by which it is found out whether there is more than one person in a video: one for so many seconds."""

BESIDES = 0.3
"""Somebody smaller than this share of the tallest is no second person, but far away or on a poster."""


def find_people(path: Path) -> Everybody:
    """Everybody in a video, at its own rate; it is decoded for that unless the answer is remembered.

    Raises:
        DanceError: the video cannot be read, or the detector stopped (``detector-failed``).
    """
    kind = DETECTORS[DEFAULT_DETECTOR]
    with VideoReader(path) as reader, DetectorPool(DEFAULT_DETECTOR, usable_cores()) as pool:
        return _everybody(reader, footage_identity(path), kind, pool)


def who_is_there(
    reader: VideoReader, content: str, kind: DetectorKind, person: str, pool: DetectorPool
) -> Everybody | None:
    """Everybody in a video; None where one person alone is seen, and nobody in particular is asked for."""
    if person == LARGEST and not _seem_several(reader, content, kind, pool):
        return None
    everybody = _everybody(reader, content, kind, pool)
    return everybody if len(everybody.tracks) > 1 or person != LARGEST else None


def _seem_several(reader: VideoReader, content: str, kind: DetectorKind, pool: DetectorPool) -> bool:
    kept = Entry(content, kind.people_name, reader.info.fps).path.with_suffix(".glances.npy")
    with suppress(Exception):  # a damaged file makes NumPy raise a dozen kinds
        return bool(np.load(kept, allow_pickle=False).any())
    several = several_people(reader, pool)
    keep_array(kept, np.array([several], np.float64))
    return several


def _everybody(reader: VideoReader, content: str, kind: DetectorKind, pool: DetectorPool) -> Everybody:
    path = Entry(content, kind.people_name, reader.info.fps).path
    everybody = Everybody.load(path)
    if everybody is None:
        everybody = find_everybody(reader.info, pool)
        with suppress(OSError, DanceError):
            everybody.save(path)
    return everybody


def several_people(reader: VideoReader, pool: DetectorPool) -> bool:
    """Whether more than one person seems to be in a video, by a few of its frames."""
    count = round(min(max(reader.info.duration / EVERY, FEWEST_GLANCES), GLANCES))
    seen = [_count(people) for people in pool.everybody(reader.glimpses(count))]
    return sum(count > 1 for count in seen) >= min(2, len(seen)) > 0


def find_everybody(info: VideoInfo, pool: DetectorPool) -> Everybody:
    """Follow everybody through a video, which is decoded for that.

    Whatever rate its frames are wanted at, the same ones are looked at, so that everybody keeps their number.

    Args:
        info: of the video.
        pool: finds the people.

    Raises:
        DanceError: the video cannot be read, or the detector stopped.
    """
    rate = info.fps / max(round(info.fps / Fraction(RATE)), 1)
    with VideoReader(info.path, fps=rate) as reader, events.stage(f"Looking for people in {info.path.name}") as stage:
        finder = CutFinder(float(rate))

        def passing() -> Iterator[Image]:
            for done, frame in enumerate(reader, 1):
                finder.see(frame)
                yield frame
                stage(done, reader.announced_frames)

        found = list(pool.everybody(passing()))
    cuts = finder.cuts()
    tracks = follow_everybody(found, float(rate), cuts)
    return Everybody(tuple(tracks), detection_size(*reader.size), float(rate), cuts)


def _count(people: Iterable[Person]) -> int:
    """How many of the people are about as tall as the tallest."""
    heights = [person.pose.height for person in people]
    return sum(height > BESIDES * max(heights) for height in heights)
