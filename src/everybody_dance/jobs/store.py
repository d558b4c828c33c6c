"""Jobs and their events on disk."""

import json
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from filelock import FileLock, Timeout

from everybody_dance.errors import DanceError
from everybody_dance.files import explain_write_failure
from everybody_dance.jobs.database import open_database
from everybody_dance.jobs.messages import Message
from everybody_dance.jobs.requests import Request, from_json, to_json
from everybody_dance.jsonio import dumps

State: TypeAlias = Literal["waiting", "running", "paused", "done", "failed", "cancelled"]

WAITING: Final = "waiting"
RUNNING: Final = "running"
PAUSED: Final = "paused"

LARGEST_NUMBER = 1 << 63
"""SQLite's whole numbers end before it."""

FILE = "jobs.sqlite"
LOCK = "jobs.lock"

MIGRATIONS = (
    """
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        request TEXT NOT NULL,
        title TEXT NOT NULL,
        state TEXT NOT NULL,
        progress TEXT,
        result TEXT,
        error_code TEXT,
        error_message TEXT,
        created REAL NOT NULL,
        started REAL,
        finished REAL,
        attempts INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE events (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
        message TEXT NOT NULL
    );
    CREATE INDEX events_of_job ON events(job)
    """,
)


@dataclass(frozen=True)
class Job:
    """A job as it stands.

    Attributes:
        id: its number; they grow, and none is used twice.
        kind: one of ``requests.KINDS``.
        request: what it does, as JSON; ``typed_request`` reads it.
        title: for people.
        state: ``waiting``, ``running``, ``paused``, ``done``, ``failed`` or ``cancelled``.
        progress: the last progress message (see ``messages``); None before the first.
        result: of a job that is done: ``figures``, and ``outputs``, paths by name.
        error_code, error_message: why it failed.
        created, started, finished: seconds since 1970; ``started`` is that of the last attempt.
        attempts: how often it was begun or gone on with.
    """

    id: int
    kind: str
    request: Mapping[str, Any]
    title: str
    state: State
    progress: Message | None
    result: Mapping[str, Any] | None
    error_code: str | None
    error_message: str | None
    created: float
    started: float | None
    finished: float | None
    attempts: int

    @property
    def typed_request(self) -> Request:
        """The request as the workflows take it."""
        return from_json(self.kind, json.dumps(self.request))


@dataclass(frozen=True)
class JobEvent:
    """Something that happened to a job: a finding, an artifact, or a change of state.

    Attributes:
        sequence: grows from event to event, whatever the job.
        job: its number.
        message: as in ``messages``, or ``{"event": "state", "state": ...}``.
    """

    sequence: int
    job: int
    message: Message


class JobStore:
    """The jobs of a folder, which nobody else may open meanwhile. Any thread may call; close it at the end.

    Args:
        folder: made if it is not there; it holds ``jobs.sqlite``.

    Raises:
        DanceError: another program has it open (``already-open``); or as ``open_database``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._guard = threading.RLock()
        self._lock = FileLock(folder / LOCK, timeout=0)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise DanceError("already-open", f"Another program is at work with the jobs in {folder}.") from error
        except OSError as error:
            raise explain_write_failure(error, folder) from error
        try:
            self._database = open_database(folder / FILE, MIGRATIONS)
        except BaseException:
            self._lock.release()
            raise

    def add(self, kind: str, request: Request, title: str) -> Job:
        """A new job, waiting."""
        values = kind, to_json(kind, request), title, WAITING, time.time()
        with self._guard:
            inserted = self._execute(
                "INSERT INTO jobs (kind, request, title, state, created) VALUES (?, ?, ?, ?, ?)", *values
            )
            assert inserted.lastrowid is not None
            return self.get(inserted.lastrowid)

    def get(self, job: int) -> Job:
        """The job with this number.

        Raises:
            DanceError: there is none (``no-job``).
        """
        row = self._execute("SELECT * FROM jobs WHERE id = ?", job, one=True) if job < LARGEST_NUMBER else None
        if row is None:
            raise DanceError("no-job", f"There is no job {job}.")
        return _job(row)

    def all(self) -> list[Job]:
        """All jobs, oldest first."""
        with self._guard:
            return [_job(row) for row in self._execute("SELECT * FROM jobs ORDER BY id").fetchall()]

    def change(self, job: int, **values: Any) -> Job:
        """Change columns of a job; ``progress`` and ``result`` are given as they are, not as JSON."""
        for name in {"progress", "result"} & values.keys():
            values[name] = None if values[name] is None else dumps(values[name])
        columns = ", ".join(f"{name} = ?" for name in values)
        with self._guard:
            self._execute(f"UPDATE jobs SET {columns} WHERE id = ?", *values.values(), job)
            return self.get(job)

    def remove(self, job: int) -> None:
        """Forget a job and its events; files are left alone."""
        self._execute("DELETE FROM jobs WHERE id = ?", job)

    def tell(self, job: int, message: Message) -> JobEvent:
        """Keep what happened to a job."""
        with self._guard:
            inserted = self._execute("INSERT INTO events (job, message) VALUES (?, ?)", job, dumps(message))
            assert inserted.lastrowid is not None
            return JobEvent(inserted.lastrowid, job, message)

    def events(self, after: int = 0, job: int | None = None) -> list[JobEvent]:
        """What happened after the event with that number, to one job or to all."""
        with self._guard:
            rows = self._execute(
                "SELECT * FROM events WHERE sequence > ? AND (? IS NULL OR job = ?) ORDER BY sequence", after, job, job
            ).fetchall()
        return [JobEvent(row["sequence"], row["job"], json.loads(row["message"])) for row in rows]

    def close(self) -> None:
        """Let others open the folder."""
        with self._guard:
            self._database.close()
            self._lock.release()

    def __enter__(self) -> "JobStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _execute(self, sql: str, *values: Any, one: bool = False) -> Any:
        try:
            with self._guard:
                cursor = self._database.execute(sql, values)
                return cursor.fetchone() if one else cursor
        except sqlite3.OperationalError as error:
            code = "disk-full" if "full" in str(error) else "cannot-write"
            raise DanceError(code, f"{self.folder / FILE} cannot be written: {error}.") from error


def _job(row: sqlite3.Row) -> Job:
    values = dict(row)
    for name in ("request", "progress", "result"):
        values[name] = None if values[name] is None else json.loads(values[name])
    return Job(**values)
