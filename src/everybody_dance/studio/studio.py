"""Everything that can be done in a studio. The web page, and nothing else, is on top of it."""

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.files import FOLDER, explain_write_failure, sweep, temporary_path, write_text
from everybody_dance.jobs.queue import JobQueue
from everybody_dance.jobs.requests import EVALUATE, PREPARE, PREVIEW, TRAIN, TRANSFER, Request
from everybody_dance.jobs.store import JobStore
from everybody_dance.pose.options import LARGEST
from everybody_dance.studio import removal
from everybody_dance.studio.archives import pack
from everybody_dance.studio.command_lines import command_line
from everybody_dance.studio.disk import Disk, check_room, disk_of
from everybody_dance.studio.folder import StudioFolder, clean, entry, free, visible
from everybody_dance.studio.jobs_board import UNFINISHED, JobsBoard, JobSummary, titled
from everybody_dance.studio.limited import unpacked
from everybody_dance.studio.people import STUDIO_FILE, PersonSummary, own_files, stamp, summary
from everybody_dance.studio.portraits import Pictures
from everybody_dance.studio.removal import Removal
from everybody_dance.studio.uploads import Uploads
from everybody_dance.subject.folder import MANIFEST
from everybody_dance.synthesis.config import TransferConfig
from everybody_dance.training.config import TrainConfig
from everybody_dance.workflows.requests import (
    EvaluateRequest,
    PrepareRequest,
    PreviewRequest,
    TrainRequest,
    TransferRequest,
)

VIDEOS = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".ts", ".mts", ".mpg", ".mpeg", ".wmv", ".3gp", ".ogv")
"""Suffixes of files in ``dances/`` and ``results/`` that are shown."""

TRANSPARENT = "none"
"""The background of a result without one, which is a WebM file: browsers show those."""

COMPARISON = ".comparison.mp4"
"""What the name of a result's comparison ends in."""

AT_ONCE = 2
"""Jobs: a dance need not wait for a training that goes on."""


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
class Deletion:
    """What deleting something would do.

    Attributes:
        files: how many would go.
        size: their bytes.
        stays: files in its folder that are not the program's, and stay.
    """

    files: int
    size: int
    stays: list[str]


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


class Studio:
    """An open studio. Methods may be called from any thread; ids are looked up among what is there.

    Args:
        folder: where.
        queue: of its jobs.
        training: what trainings take from the command line: the preset and the device.
    """

    def __init__(self, folder: StudioFolder, queue: JobQueue, training: TrainConfig) -> None:
        self.folder = folder
        self.uploads = Uploads(folder.uploads)
        self.pictures = Pictures(folder.pictures)
        self.board = JobsBoard(folder, queue)
        self.queue = queue
        self._training = training
        self._changes = 0

    @classmethod
    @contextmanager
    def opened(cls, root: Path, training: TrainConfig) -> Iterator[Self]:
        """The studio in ``root`` while the block runs. Jobs go on where they were; at the end they are stopped safely.

        Raises:
            DanceError: as ``StudioFolder.open`` and ``JobStore``; another program has the studio open
                (``already-open``).
        """
        folder = StudioFolder.open(root)
        with JobStore(folder.jobs) as store, JobQueue(store, workers=AT_ONCE) as queue:
            studio = cls(folder, queue, training)
            try:
                studio.uploads.sweep()
                for place in (folder.people, folder.pictures):
                    sweep(place)
                yield studio
            finally:
                studio.board.close()

    @property
    def changes(self) -> int:
        """A number that grows when people, dances or results may have changed."""
        return self._changes + self.board.states

    # What there is

    def people(self) -> list[PersonSummary]:
        """Everybody, by name."""
        return [summary(path) for path in visible(self.folder.people) if path.is_dir()]

    def dances(self) -> list[DanceSummary]:
        """The videos that can be danced, by name."""
        found = []
        for path in visible(self.folder.dances):
            if path.suffix.lower() in VIDEOS and path.is_file():
                known = self.pictures.known_of(path)
                found.append(DanceSummary(path.name, stamp(path), **({} if known is None else vars(known))))
        return found

    def results(self) -> list[ResultSummary]:
        """What was made, the newest first."""
        found = []
        for path in visible(self.folder.results):
            if path.suffix.lower() not in VIDEOS or path.name.endswith(COMPARISON) or not path.is_file():
                continue
            comparison = path.with_suffix(COMPARISON)
            size = sum(file.stat().st_size for file in (path, comparison) if file.exists())
            who, what = _about(path)
            found.append(ResultSummary(path.name, stamp(path), size, comparison.exists(), who, what))
        return sorted(found, key=lambda result: -result.picture)

    def disk(self) -> Disk:
        """The disk on which the studio lies."""
        return disk_of(self.folder.root)

    # Where it is

    def person(self, person: str) -> Path:
        """A person's folder.

        Raises:
            UsageError: there is none (``no-person-here``).
        """
        return _found(self.folder.people, person, "person")

    def dance(self, dance: str) -> Path:
        """A dance's file; otherwise as ``person``."""
        return _found(self.folder.dances, dance, "dance")

    def result(self, result: str) -> Path:
        """A result's file; otherwise as ``person``."""
        return _found(self.folder.results, result, "result")

    def landing(self, job: int) -> Path:
        """The video that a finished preview wrote.

        Raises:
            DanceError: there is no such job, or no video of it.
        """
        done = self.queue.job(job)
        out = Path(str(done.request.get("out", "")))
        if done.kind != PREVIEW or out.parent != self.folder.pictures.resolve() or not out.is_file():
            raise UsageError("no-video", "There is no such video.")
        return out

    # People

    def add_person(self, upload: str, name: str, who: str = LARGEST) -> tuple[str, int]:
        """A new person from a whole upload; returns their name, and the job that prepares them.

        Args:
            upload: id of a video.
            name: as somebody calls them.
            who: which of several people in the video.

        Raises:
            DanceError: the upload cannot be used (as ``limited.examined``); then it is removed.
        """
        check_room(self.folder.root)
        video = self._examined(upload)
        folder = free(self.folder.people, clean(name, "person"))
        _move(video, folder / f"footage{video.suffix}")
        write_text(folder / STUDIO_FILE, json.dumps({"footage": [f"footage{video.suffix}"]}))
        self.uploads.remove(upload)
        return folder.name, self.prepare(folder.name, who)

    def prepare(self, person: str, who: str = LARGEST) -> int:
        """The job that prepares a person's footage."""
        folder = self._idle(person)
        footage = tuple((folder / name).resolve() for name in own_files(folder))
        if not footage:
            raise UsageError("no-footage", f"The studio has no footage of {person}.")
        return self._submit(PREPARE, PrepareRequest(footage=footage, subject=folder.resolve(), person=who), person)

    def train(self, person: str, minutes: float) -> int:
        """The job that trains a person until they were trained for so many minutes in all."""
        folder = self._idle(person)
        if not (folder / MANIFEST).exists():
            raise DanceError("no-subject", f"{person} is not prepared yet.")
        training = TrainConfig(minutes=minutes, preset=self._training.preset, device=self._training.device)
        return self._submit(TRAIN, TrainRequest(subject=folder.resolve(), config=training), person)

    def evaluate(self, person: str) -> int:
        """The job that measures a person on held-out footage, and writes the report."""
        folder = self._idle(person)
        request = EvaluateRequest(subject=folder.resolve(), device=self._training.device)
        return self._submit(EVALUATE, request, person)

    def rename_person(self, person: str, name: str) -> str:
        """Give a person another name, which is their folder's; returns it."""
        folder = self._idle(person)
        renamed = self._rename(folder, clean(name, "person"), "")
        if renamed != person:
            self._forget_person(person)
        return renamed

    def deletion_of_person(self, person: str) -> Deletion:
        """What deleting a person would do."""
        folder = self.person(person)
        return self._deletion(removal.removal_of_person(folder))

    def delete_person(self, person: str) -> None:
        """Delete what the program made of a person, and the footage that the studio put there."""
        folder = self._idle(person)
        removal.remove(removal.removal_of_person(folder), folder)
        self._forget_person(person)
        self._changes += 1

    def export(self, person: str) -> Path:
        """A file with the performer, to be removed by the caller.

        Raises:
            DanceError: the person is not trained (``no-model``), or the disk is full.
        """
        folder = self.person(person)
        if not (folder / "model" / "model.json").is_file():
            raise DanceError("no-model", f"{person} is not trained yet.")
        size = sum(path.stat().st_size for path in (folder / "model").iterdir())
        check_room(self.folder.root, size)
        portrait: Path | None
        try:
            portrait = self.pictures.of_person(folder)
        except DanceError:
            portrait = None
        out = temporary_path(self.folder.pictures, ".zip")
        pack(folder / "model", portrait, out, person)
        return out

    def import_person(self, upload: str, name: str) -> str:
        """A new person from an uploaded file that ``export`` made; returns their name."""
        archive = self.uploads.whole(upload)
        check_room(self.folder.root, archive.stat().st_size)
        fresh = temporary_path(self.folder.people, FOLDER)
        try:
            fresh.mkdir()
            unpacked(archive, fresh)
            folder = free(self.folder.people, clean(name, "person"))
            os.rename(fresh, folder)
        except OSError as error:
            raise explain_write_failure(error, fresh) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            self.uploads.remove(upload)
        self._changes += 1
        return folder.name

    # Dances and results

    def add_dance(self, upload: str) -> str:
        """A new dance from a whole upload; returns its id."""
        video = self._examined(upload)
        target = free(self.folder.dances, video.stem, video.suffix)
        _move(video, target)
        self.uploads.remove(upload)
        self.pictures.of_video(target)
        self._changes += 1
        return target.name

    def rename_dance(self, dance: str, name: str) -> str:
        """Give a dance another name; returns its id."""
        path = self.dance(dance)
        self._check_idle(self.board.unfinished(dance=dance), dance)
        return self._rename(path, clean(name, "dance"), path.suffix)

    def deletion_of_dance(self, dance: str) -> Deletion:
        """What deleting a dance would do."""
        return self._deletion(removal.removal_of(self.dance(dance)))

    def delete_dance(self, dance: str) -> None:
        """Delete a dance. What was made of it stays."""
        path = self.dance(dance)
        self._check_idle(self.board.unfinished(dance=dance), dance)
        removal.remove(removal.removal_of(path))
        self._changes += 1

    def rename_result(self, result: str, name: str) -> str:
        """Give a result another name, and its comparison too; returns its id."""
        path = self.result(result)
        comparison = path.with_suffix(COMPARISON)
        target = self.folder.results / self._rename(path, clean(name, "result"), path.suffix)
        for old, new in ((comparison, target.with_suffix(COMPARISON)), (_about_file(path), _about_file(target))):
            if old.is_file() and old != new:
                os.rename(old, new)
        return target.name

    def deletion_of_result(self, result: str) -> Deletion:
        """What deleting a result would do."""
        path = self.result(result)
        return self._deletion(removal.removal_of(path, path.with_suffix(COMPARISON)))

    def delete_result(self, result: str) -> None:
        """Delete a result and its comparison."""
        path = self.result(result)
        removal.remove(removal.removal_of(path, path.with_suffix(COMPARISON), _about_file(path)))
        self._changes += 1

    # Dancing

    def make(self, wish: DanceWish) -> int:
        """The job that lets a person dance."""
        check_room(self.folder.root)
        if not (self.person(wish.person) / "model" / "model.json").is_file():
            raise DanceError("no-model", f"{wish.person} is not trained yet.")
        request = self._transfer(wish)
        write_text(_about_file(request.out), json.dumps({"person": wish.person, "dance": wish.dance}))
        return self._submit(TRANSFER, request, wish.person, wish.dance)

    def land(self, wish: DanceWish) -> int:
        """The job that shows where a dance will land."""
        for job in self.board.all():
            if job.kind == PREVIEW and (job.person, job.dance) == (wish.person, wish.dance):
                self._forget(job)
        return self._submit(PREVIEW, self._preview(wish), wish.person, wish.dance)

    def command(self, wish: DanceWish) -> str:
        """The command line that does what ``make`` does."""
        return command_line(self._transfer(wish), self.folder.root)

    def _forget(self, job: JobSummary) -> None:
        """Remove a job that has ended, and where it is a preview its video."""
        if job.state in UNFINISHED:
            return
        with suppress(DanceError):  # nobody looked at it, or another page was quicker
            if job.kind == PREVIEW:
                self.landing(job.id).unlink(missing_ok=True)
        with suppress(DanceError):
            self.queue.remove(job.id)

    def _forget_person(self, person: str) -> None:
        """Whoever is called so next begins without these jobs."""
        for job in self.board.all():
            if job.person == person:
                self._forget(job)

    def _transfer(self, wish: DanceWish) -> TransferRequest:
        source = self.dance(wish.dance)
        suffix = ".webm" if wish.config.background == TRANSPARENT else ".mp4"
        return TransferRequest(
            performer=self.person(wish.person).resolve(),
            source=source.resolve(),
            out=self._free_result(f"{wish.person}-{source.stem}", suffix),
            config=wish.config,
            compare=wish.compare,
            device=self._training.device,
        )

    def _preview(self, wish: DanceWish) -> PreviewRequest:
        out = self.folder.pictures.resolve() / f"landing-{secrets.token_hex(8)}.mp4"
        return PreviewRequest(
            subject=self.person(wish.person).resolve(),
            source=self.dance(wish.dance).resolve(),
            out=out,
            config=TransferConfig(person=wish.config.person, smoothing=wish.config.smoothing),
        )

    def _free_result(self, stem: str, suffix: str) -> Path:
        """A name that neither a file nor a job has. Comparisons are called after results, whatever their suffix."""
        taken = {path.name.casefold().split(".")[0] for path in visible(self.folder.results)}
        taken |= {job.result.casefold().split(".")[0] for job in self.board.all() if job.result is not None}
        stem, number, name = clean(stem, "result"), 1, clean(stem, "result")
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        return self.folder.results.resolve() / f"{name}{suffix}"

    def _submit(self, kind: str, request: Request, person: str, dance: str | None = None) -> int:
        check_room(self.folder.root)
        return self.queue.submit(kind, request, titled(kind, person, None if dance is None else Path(dance).stem))

    def _examined(self, upload: str) -> Path:
        """The file of an upload, once it is known to be a video; one that is none is removed."""
        video = self.uploads.whole(upload)
        try:
            self.pictures.of_video(video)
        except DanceError:
            self.uploads.remove(upload)
            raise
        return video

    def _idle(self, person: str) -> Path:
        folder = self.person(person)
        self._check_idle(self.board.unfinished(person=person), person)
        return folder

    @staticmethod
    def _check_idle(jobs: object, name: str) -> None:
        if jobs:
            raise UsageError("busy", f"There is work to be done with {name}: wait for it, or stop it first.")

    def _rename(self, path: Path, stem: str, suffix: str) -> str:
        if f"{stem}{suffix}" == path.name:
            return path.name
        target = free(path.parent, stem, suffix)
        try:
            os.rename(path, target)
        except OSError as error:
            raise explain_write_failure(error, target) from error
        self._changes += 1
        return target.name

    @staticmethod
    def _deletion(found: Removal) -> Deletion:
        return Deletion(len(found.files), found.size, found.stays)


def _found(folder: Path, name: str, what: str) -> Path:
    path = entry(folder, name)
    if path is None:
        raise UsageError(f"no-{what}-here", f"There is no {what} called {name[:100]} in this studio.")
    return path


def _about_file(result: Path) -> Path:
    """Where it is written who dances what in a result."""
    return result.with_name(f".{result.name}.json")


def _about(result: Path) -> tuple[str | None, str | None]:
    with suppress(OSError, ValueError, KeyError, TypeError):
        about = json.loads(_about_file(result).read_bytes())
        return str(about["person"]), str(about["dance"])
    return None, None


def _move(file: Path, target: Path) -> None:
    try:
        target.parent.mkdir(exist_ok=True)
        os.replace(file, target)
    except OSError as error:
        raise explain_write_failure(error, target) from error
