"""What people, dances and results of a studio share: uploads, pictures, jobs, and one change at a time."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.files import explain_write_failure
from everybody_dance.jobs.queue import JobQueue
from everybody_dance.jobs.requests import PREVIEW, Request
from everybody_dance.studio.disk import check_room
from everybody_dance.studio.folder import StudioFolder, entry, free
from everybody_dance.studio.jobs_board import UNFINISHED, JobsBoard, JobSummary, titled
from everybody_dance.studio.portraits import Pictures
from everybody_dance.studio.removal import Removal, remove
from everybody_dance.studio.uploads import Uploads

VIDEOS = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".ts", ".mts", ".mpg", ".mpeg", ".wmv", ".3gp", ".ogv")
"""Suffixes of files in ``dances/`` and ``results/`` that are shown."""


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

    @classmethod
    def of(cls, removal: Removal) -> "Deletion":
        """The same, for a page."""
        stays = [name.encode(errors="replace").decode() for name in removal.stays]  # a name that is no text has marks
        return cls(len(removal.files), removal.size, stays)


class Desk:
    """Shared by people, dances and results. Methods may be called from any thread.

    Args:
        folder: the studio's.
        queue: of its jobs.
    """

    def __init__(self, folder: StudioFolder, queue: JobQueue) -> None:
        self.folder = folder
        self.queue = queue
        self.uploads = Uploads(folder.uploads)
        self.pictures = Pictures(folder.pictures)
        self.board = JobsBoard(folder, queue)
        self._lock = threading.RLock()
        self._changes = 0

    @property
    def changes(self) -> int:
        """A number that grows when people, dances or results may have changed."""
        return self._changes + self.board.states

    @contextmanager
    def changing(self) -> Iterator[None]:
        """One change at a time: no two take the same name, or begin the same work."""
        with self._lock:
            try:
                yield
            finally:
                self._changes += 1

    def examined(self, upload: str) -> Path:
        """The file of a whole upload, once it is known to be a video; one that is none is removed.

        Raises:
            DanceError: as ``Uploads.whole`` and ``limited.examined``.
        """
        check_room(self.folder.root)
        video = self.uploads.whole(upload)
        try:
            self.pictures.of_video(video)
        except DanceError:
            self.uploads.remove(upload)
            raise
        self.pictures.forget(video)  # it is about to lie elsewhere
        return video

    def submit(self, kind: str, request: Request, person: str, dance: str | None = None) -> int:
        """A new job; returns its number.

        Raises:
            DanceError: the disk has no room for it (``disk-nearly-full``).
        """
        check_room(self.folder.root)
        return self.queue.submit(kind, request, titled(kind, person, None if dance is None else Path(dance).stem))

    def landing(self, job: int) -> Path:
        """The video that a finished preview wrote.

        Raises:
            DanceError: there is no such job (``no-job``), or no video of it (``no-video``).
        """
        done = self.queue.job(job)
        out = Path(str(done.request.get("out", "")))
        if done.kind != PREVIEW or out.parent != self.folder.whole(self.folder.pictures) or not out.is_file():
            raise UsageError("no-video", "There is no such video.")
        return out

    def forget(self, jobs: Sequence[JobSummary]) -> None:
        """Remove those of the jobs that have ended, and the videos of previews."""
        for job in jobs:
            if job.state in UNFINISHED:
                continue
            with suppress(DanceError):  # it wrote none
                if job.kind == PREVIEW:
                    self.landing(job.id).unlink(missing_ok=True)
            with suppress(DanceError):  # another page was quicker
                self.queue.remove(job.id)

    @staticmethod
    def found(folder: Path, name: str, what: str) -> Path:
        """The entry called ``name``.

        Raises:
            UsageError: there is none (``no-WHAT-here``).
        """
        path = entry(folder, name)
        if path is None:
            raise UsageError(f"no-{what}-here", f"There is no {what} called {name[:100]} in this studio.")
        return path

    @staticmethod
    def move(file: Path, target: Path) -> None:
        """Move a file to its place.

        Raises:
            DanceError: that cannot be written.
        """
        try:
            os.replace(file, target)
        except OSError as error:
            raise explain_write_failure(error, target) from error

    def rename(self, path: Path, stem: str, suffix: str) -> Path:
        """Give an entry another name that nothing has.

        Raises:
            DanceError: it cannot be renamed.
        """
        if f"{stem}{suffix}" == path.name:
            return path
        target = free(path.parent, stem, suffix)
        self.move(path, target)
        return target

    def delete(self, removal: Removal, folder: Path | None = None) -> None:
        """As ``removal.remove``."""
        remove(removal, folder)


def check_idle(jobs: Sequence[JobSummary], name: str) -> None:
    """Refuse to change what is being worked on.

    Raises:
        UsageError: there are jobs (``busy``).
    """
    if jobs:
        raise UsageError("busy", f"There is work to be done with {name}: wait for it, or stop it first.")
