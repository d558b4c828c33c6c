"""The jobs as the page shows them, kept in memory: twenty changes a second never reach the database."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from everybody_dance.errors import DanceError
from everybody_dance.jobs.messages import Message
from everybody_dance.jobs.queue import JobQueue
from everybody_dance.jobs.requests import PREVIEW, TRAIN, TRANSFER
from everybody_dance.jobs.store import Job
from everybody_dance.studio.command_lines import command_line
from everybody_dance.studio.folder import StudioFolder
from everybody_dance.studio.people import Sentence

FINISHED_SHOWN = 60
"""Of jobs that have ended, the newest so many are shown."""

UNFINISHED = ("waiting", "running", "paused")

Kind = Literal["prepare", "train", "transfer", "preview", "evaluate"]
State = Literal["waiting", "running", "paused", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class JobProgress:
    """How far a job is, as in ``events.Progress``."""

    stage: str
    done: int
    total: int | None
    seconds_left: float | None
    detail: str


@dataclass(frozen=True)
class Fitted:
    """Where a dance was fitted, in pixels of the target's frame, as in ``retarget.landing.Outline``."""

    size: tuple[int, int]
    box: tuple[float, float, float, float]
    feet: tuple[float, float]


@dataclass(frozen=True)
class JobSummary:
    """A job as the page shows it.

    Attributes:
        id: its number.
        kind: what it does.
        title: for people.
        state: how it stands.
        stopping: what it becomes once it has stopped, where it was asked to.
        person, dance, result: ids of whom and what it is about.
        minutes: of a training, in all.
        progress: the last that was heard.
        findings: what the work told, each once.
        error: why it failed.
        fitted, pictures: of a preview that is done, as in ``PreviewResult``.
        command: that does the same.
        created, finished: seconds since 1970.
    """

    id: int
    kind: Kind
    title: str
    state: State
    stopping: State | None
    person: str | None
    dance: str | None
    result: str | None
    minutes: float | None
    progress: JobProgress | None
    findings: list[Sentence]
    error: str | None
    fitted: Fitted | None
    pictures: int | None
    command: str
    created: float
    finished: float | None


class JobsBoard:
    """Hears of all that happens to jobs. Methods may be called from any thread.

    Args:
        folder: the studio.
        queue: of its jobs.
    """

    def __init__(self, folder: StudioFolder, queue: JobQueue) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._changes = 0
        self._states = 0
        self._jobs: dict[int, JobSummary] = {}
        self._end = queue.listen(self._hear)
        findings: dict[int, list[Sentence]] = {}
        for event in queue.events():
            if event.message.get("event") == "finding":
                told = findings.setdefault(event.job, [])
                if (sentence := _sentence(event.message)) not in told:  # a job that went on says it again
                    told.append(sentence)
        for job in queue.jobs():
            with self._lock:
                self._jobs.setdefault(job.id, self._summary(job, findings.get(job.id, [])))

    @property
    def changes(self) -> int:
        """A number that grows with every change."""
        return self._changes

    @property
    def states(self) -> int:
        """A number that grows whenever a job begins, ends, or has written something."""
        return self._states

    def jobs(self) -> list[JobSummary]:
        """Those that have not ended, and the newest of the others."""
        with self._lock:
            jobs = list(self._jobs.values())
        ended = [job.id for job in jobs if job.state not in UNFINISHED]
        old = set(sorted(ended)[: max(len(ended) - FINISHED_SHOWN, 0)])
        return [job for job in jobs if job.id not in old]

    def all(self) -> list[JobSummary]:
        """Every job."""
        with self._lock:
            return list(self._jobs.values())

    def unfinished(self, *, person: str | None = None, dance: str | None = None) -> list[JobSummary]:
        """Jobs that wait, run or are paused and are about that person or dance."""
        return [
            job
            for job in self.all()
            if job.state in UNFINISHED
            and ((person is not None and job.person == person) or (dance is not None and job.dance == dance))
        ]

    def close(self) -> None:
        """Hear no more."""
        self._end()

    def _hear(self, job: Job, message: Message) -> None:
        with self._lock:
            known = self._jobs.get(job.id)
            what = message.get("event")
            if what == "removed":
                self._jobs.pop(job.id, None)
            elif what == "progress" and known is not None:
                self._jobs[job.id] = replace(known, progress=_progress(message))
            else:
                findings = [] if known is None else known.findings
                if what == "finding" and (sentence := _sentence(message)) not in findings:
                    findings = [*findings, sentence]
                stopping = message["becomes"] if what == "stopping" else None
                if what in ("finding", "artifact") and known is not None:
                    stopping = known.stopping
                self._jobs[job.id] = replace(self._summary(job, findings), stopping=stopping)
            self._changes += 1
            self._states += what != "progress"

    def _summary(self, job: Job, findings: list[Sentence]) -> JobSummary:
        request = job.request
        kind: Any = job.kind
        subject = request.get("performer") if kind == TRANSFER else request.get("subject")
        out = request.get("out")
        figures = (job.result or {}).get("figures", {}) if kind == PREVIEW else {}
        return JobSummary(
            id=job.id,
            kind=kind,
            title=job.title,
            state=job.state,
            stopping=None,
            person=self._inside(self._folder.people, subject),
            dance=self._inside(self._folder.dances, request.get("source")),
            result=self._inside(self._folder.results, out) if kind == TRANSFER else None,
            minutes=request["config"].get("minutes") if kind == TRAIN else None,
            progress=None if job.progress is None else _progress(job.progress),
            findings=findings,
            error=job.error_message,
            fitted=None if figures.get("fitted") is None else Fitted(**figures["fitted"]),
            pictures=figures.get("pictures"),
            command=self._command(job),
            created=job.created,
            finished=job.finished,
        )

    def _inside(self, place: Path, path: object) -> str | None:
        """The name of the entry of ``place`` that ``path`` is."""
        if not isinstance(path, str):
            return None
        found = Path(path)
        return found.name if found.parent == self._folder.whole(place) else None

    def _command(self, job: Job) -> str:
        try:
            return command_line(job.typed_request, self._folder.root)
        except DanceError:  # another version's
            return ""


def titled(kind: str, person: str, dance: str | None = None) -> str:
    """A title for a job."""
    match kind:
        case "prepare":
            return f"Prepare {person}"
        case "train":
            return f"Train {person}"
        case "evaluate":
            return f"Evaluate {person}"
        case "preview":
            return f"Where {person} will land in {dance}"
    return f"{person} dances {dance}"


def _progress(message: Mapping[str, Any]) -> JobProgress:
    return JobProgress(message["stage"], message["done"], message["total"], message["seconds_left"], message["detail"])


def _sentence(message: Mapping[str, Any]) -> Sentence:
    return Sentence.of(message["severity"], message["message"], message["values"])
