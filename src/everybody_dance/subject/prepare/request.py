"""A preparation's request, compared by content and meaning, so that the same work is not done twice."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from everybody_dance.errors import DanceError
from everybody_dance.files import check_inputs
from everybody_dance.pose.detection import source_identity
from everybody_dance.pose.options import LARGEST, check_person
from everybody_dance.subject.manifest import FORMAT_VERSION, Clip, Source, SubjectManifest
from everybody_dance.video.identity import footage_identity
from everybody_dance.video.reader import VideoInfo, probe

DEFAULT_HEIGHT = 512
DEFAULT_RATE = 30
HELD_OUT_SHARE = 0.1
HELD_OUT_SECONDS = 10.0

Options = dict[str, str | int | float | None]


@dataclass(frozen=True)
class Request:
    """A request with its options resolved: everything that the result depends on.

    Attributes:
        footage: the videos.
        infos: what each announces.
        sources: their names and the hashes of their contents, and of how these are read.
        pose: as in ``detect_video``.
        person: which of several people, as in ``detect_video``.
        pose_identity: what the poses depend on (``source_identity``).
        size: (W, H) of the prepared frames.
        rate: of the prepared frames.
        holdout: seconds at each clip's end that are kept from training; None: the usual share.
        options: as the user gave them.
    """

    footage: tuple[Path, ...]
    infos: tuple[VideoInfo, ...]
    sources: tuple[Source, ...]
    pose: str
    person: str
    pose_identity: str
    size: tuple[int, int]
    rate: Fraction
    holdout: float | None
    options: Options

    @classmethod
    def resolve(
        cls,
        footage: Sequence[Path],
        pose: str,
        person: str,
        height: int | None,
        fps: Fraction | None,
        holdout: float | None,
    ) -> Self:
        """Resolve options, reading no more of each video than its first frame and its content's hash.

        Raises:
            DanceError, UsageError: it cannot be read, or its videos are not of one camera (``different-places``).
        """
        check_inputs(*footage)
        check_person(person)
        identity = source_identity(pose)
        infos = tuple(probe(path) for path in footage)
        return cls(
            footage=tuple(footage),
            infos=infos,
            sources=tuple(Source(name=path.name, sha256=footage_identity(path)) for path in footage),
            pose=pose,
            person=person,
            pose_identity=identity,
            size=_prepared_size([info.size for info in infos], height),
            rate=fps or min(infos[0].fps, Fraction(DEFAULT_RATE)),
            holdout=holdout,
            options={
                "pose": pose,
                "height": height,
                "fps": None if fps is None else str(fps),
                "holdout": holdout,
                "pose_identity": identity,
                "person": person,
            },
        )

    def held_out(self, frames: int) -> int:
        """How many frames at the end of a clip with ``frames`` usable ones are kept from training."""
        seconds = min(HELD_OUT_SHARE * frames / self.rate, HELD_OUT_SECONDS) if self.holdout is None else self.holdout
        return min(round(seconds * self.rate), frames)

    def holdout_from(self, usable: NDArray[np.bool_]) -> int:
        """The first frame of a clip that is kept from training, so that enough of its usable frames (T,) are."""
        kept = self.held_out(int(usable.sum()))
        return int(np.flatnonzero(usable)[-kept]) if kept else len(usable)

    def identity(self, clips: Sequence[Clip]) -> str:
        """Hash of all that the result depends on.

        Args:
            clips: how the frames were divided, which each video's length decides.
        """
        parts = [
            FORMAT_VERSION,
            [source.sha256 for source in self.sources],
            self.pose_identity,
            list(self.size),
            str(self.rate),
            [clip.stop - clip.holdout for clip in clips],
            *([] if self.person == LARGEST else [self.person]),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def is_answered_by(self, manifest: SubjectManifest) -> bool:
        """Whether a subject is what this preparation would give, however its options were spelled."""
        return (
            [source.sha256 for source in manifest.sources] == [source.sha256 for source in self.sources]
            and manifest.filmed_size == self.size
            and manifest.fps == self.rate
            and manifest.options.get("pose_identity") == self.pose_identity
            and manifest.options.get("person", LARGEST) == self.person
            and all(self._held_out_as_in(clip, manifest.shows_place) for clip in manifest.clips)
        )

    def _held_out_as_in(self, clip: Clip, usable: NDArray[np.bool_]) -> bool:
        return clip.holdout == clip.first + self.holdout_from(usable[clip.first : clip.stop])


def _prepared_size(sizes: Sequence[tuple[int, int]], height: int | None) -> tuple[int, int]:
    """Even sides, by the first video's proportions; the others must have the same."""
    width, native = sizes[0]
    if any(abs(other[0] / other[1] - width / native) > 0.01 for other in sizes[1:]):
        raise DanceError("different-places", "The videos have different proportions: they are not of one camera.")
    wanted = height or min(native, DEFAULT_HEIGHT)
    return max(2 * round(wanted * width / native / 2), 2), max(2 * round(wanted / 2), 2)
