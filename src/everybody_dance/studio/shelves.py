"""The dances of a studio, and what was made of them."""

import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from everybody_dance.files import write_text
from everybody_dance.jobs.requests import PREVIEW, TRANSFER
from everybody_dance.studio.cast import Cast
from everybody_dance.studio.command_lines import command_line
from everybody_dance.studio.desk import VIDEOS, Deletion, Desk, check_idle
from everybody_dance.studio.disk import check_room
from everybody_dance.studio.folder import clean, free, visible
from everybody_dance.studio.people import stamp
from everybody_dance.studio.removal import removal_of
from everybody_dance.synthesis.config import TransferConfig
from everybody_dance.workflows.requests import PreviewRequest, TransferRequest

TRANSPARENT = "none"
"""The background of a result without one, which is a WebM file: browsers show those."""

COMPARISON = ".comparison.mp4"
"""What the name of a result's comparison ends in."""


@dataclass(frozen=True)
class DanceSummary:
    """A video that can be danced. What is not known before its picture was made is None.

    Attributes:
        id: the file's name.
        picture: a number that changes with the file.
        width, height, fps, seconds, has_sound: as in ``limited.Video``.
    """

    id: str
    picture: int
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    seconds: float | None = None
    has_sound: bool | None = None


@dataclass(frozen=True)
class ResultSummary:
    """Something that was made.

    Attributes:
        id: the file's name.
        picture: a number that changes with the file; milliseconds since 1970, when it was made.
        size: bytes, with its comparison.
        comparison: whether there is one.
        person, dance: ids of who dances what, where that is known.
    """

    id: str
    picture: int
    size: int
    comparison: bool
    person: str | None
    dance: str | None


@dataclass(frozen=True)
class DanceWish:
    """Who is to dance what, and how.

    Attributes:
        person, dance: ids.
        config: how the dance is read and placed.
        compare: also write source, pose and result side by side.
    """

    person: str
    dance: str
    config: TransferConfig = field(default_factory=TransferConfig)
    compare: bool = False


class Dances:
    """The videos that can be danced, by their files' names.

    Args:
        desk: of the studio.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._place = desk.folder.dances

    def all(self) -> list[DanceSummary]:
        """All of them, by name."""
        found = []
        for path in visible(self._place):
            if path.suffix.lower() in VIDEOS and path.is_file():
                known = self._desk.pictures.known_of(path)
                found.append(DanceSummary(path.name, stamp(path), **({} if known is None else vars(known))))
        return found

    def file(self, dance: str) -> Path:
        """A dance's file.

        Raises:
            UsageError: there is none (``no-dance-here``).
        """
        return self._desk.found(self._place, dance, "dance")

    def add(self, upload: str) -> str:
        """A new dance from a whole upload; returns its id. Errors are those of ``Desk.examined``."""
        video = self._desk.examined(upload)
        with self._desk.changing():
            target = free(self._place, video.stem, video.suffix)
            self._desk.move(video, target)
            self._desk.uploads.remove(upload)
        self._desk.pictures.of_video(target)
        return target.name

    def rename(self, dance: str, name: str) -> str:
        """Give a dance another name; returns its id."""
        with self._desk.changing():
            path = self._idle(dance)
            return self._desk.rename(path, clean(name, "dance"), path.suffix).name

    def deletion(self, dance: str) -> Deletion:
        """What deleting a dance would do."""
        return Deletion.of(removal_of(self.file(dance)))

    def delete(self, dance: str) -> None:
        """Delete a dance. What was made of it stays."""
        with self._desk.changing():
            path = self._idle(dance)
            self._desk.delete(removal_of(path))
            self._desk.pictures.forget(path)
            previews = [job for job in self._desk.board.all() if job.kind == PREVIEW and job.dance == dance]
            self._desk.forget(previews)

    def _idle(self, dance: str) -> Path:
        path = self.file(dance)
        check_idle(self._desk.board.unfinished(dance=dance), dance)
        return path


class Results:
    """What people dance, by the files' names.

    Args:
        desk: of the studio.
        cast, dances: who can dance what.
        device: where to compute.
    """

    def __init__(self, desk: Desk, cast: Cast, dances: Dances, device: str) -> None:
        self._desk = desk
        self._place = desk.folder.results
        self._cast = cast
        self._dances = dances
        self._device = device
        self._whole = desk.folder.whole

    def all(self) -> list[ResultSummary]:
        """All of them, the newest first."""
        found = []
        for path in visible(self._place):
            if path.suffix.lower() not in VIDEOS or path.name.endswith(COMPARISON) or not path.is_file():
                continue
            comparison = path.with_suffix(COMPARISON)
            size = sum(file.stat().st_size for file in (path, comparison) if file.exists())
            who, what = _about(path)
            found.append(ResultSummary(path.name, stamp(path), size, comparison.exists(), who, what))
        return sorted(found, key=lambda result: -result.picture)

    def file(self, result: str) -> Path:
        """A result's file.

        Raises:
            UsageError: there is none (``no-result-here``).
        """
        return self._desk.found(self._place, result, "result")

    def rename(self, result: str, name: str) -> str:
        """Give a result another name, and its comparison too; returns its id."""
        with self._desk.changing():
            path = self.file(result)
            target = self._desk.rename(path, clean(name, "result"), path.suffix)
            for old, new in (
                (path.with_suffix(COMPARISON), target.with_suffix(COMPARISON)),
                (_about_file(path), _about_file(target)),
            ):
                if old.is_file() and old != new:
                    os.replace(old, new)
            return target.name

    def deletion(self, result: str) -> Deletion:
        """What deleting a result would do."""
        path = self.file(result)
        return Deletion.of(removal_of(path, path.with_suffix(COMPARISON)))

    def delete(self, result: str) -> None:
        """Delete a result and its comparison."""
        with self._desk.changing():
            path = self.file(result)
            self._desk.delete(removal_of(path, path.with_suffix(COMPARISON), _about_file(path)))
            self._desk.pictures.forget(path)

    def make(self, wish: DanceWish) -> int:
        """The job that lets a person dance."""
        with self._desk.changing():
            check_room(self._place)
            self._cast.performer(wish.person)
            request = self._transfer(wish)
            write_text(_about_file(request.out), json.dumps({"person": wish.person, "dance": wish.dance}))
            return self._desk.submit(TRANSFER, request, wish.person, wish.dance)

    def land(self, wish: DanceWish) -> int:
        """The job that shows where a dance will land; it takes the place of the one before."""
        with self._desk.changing():
            request = PreviewRequest(
                subject=self._whole(self._cast.folder(wish.person)),
                source=self._whole(self._dances.file(wish.dance)),
                out=self._whole(self._desk.folder.pictures / f"landing-{secrets.token_hex(8)}.mp4"),
                config=TransferConfig(
                    person=wish.config.person, smoothing=wish.config.smoothing, landing=wish.config.landing
                ),
            )
            before = self._desk.board.all()
            same = [job for job in before if (job.kind, job.person, job.dance) == (PREVIEW, wish.person, wish.dance)]
            self._desk.forget(same)
            return self._desk.submit(PREVIEW, request, wish.person, wish.dance)

    def command(self, wish: DanceWish) -> str:
        """The command line that does what ``make`` does."""
        return command_line(self._transfer(wish), self._desk.folder.root)

    def _transfer(self, wish: DanceWish) -> TransferRequest:
        source = self._dances.file(wish.dance)
        suffix = ".webm" if wish.config.background == TRANSPARENT else ".mp4"
        return TransferRequest(
            performer=self._whole(self._cast.folder(wish.person)),
            source=self._whole(source),
            out=self._whole(self._free(f"{wish.person}-{source.stem}", suffix)),
            config=wish.config,
            compare=wish.compare,
            device=self._device,
        )

    def _free(self, stem: str, suffix: str) -> Path:
        """A name that neither a file nor a job has. Comparisons are called after results, whatever their suffix."""
        taken = {path.name.casefold().split(".")[0] for path in visible(self._place)}
        taken |= {job.result.casefold().split(".")[0] for job in self._desk.board.all() if job.result is not None}
        stem = name = clean(stem, "result")
        number = 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        return self._place / f"{name}{suffix}"


def _about_file(result: Path) -> Path:
    """Where it is written who dances what in a result."""
    return result.with_name(f".{result.name}.json")


def _about(result: Path) -> tuple[str | None, str | None]:
    with suppress(OSError, ValueError, KeyError, TypeError):
        about = json.loads(_about_file(result).read_bytes())
        return str(about["person"]), str(about["dance"])
    return None, None
