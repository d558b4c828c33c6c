"""Jobs that wait their turn, run in processes of their own, and outlive the program that runs them.

Several threads, one for each worker process, take the oldest waiting job that may run. Whatever a job does is done by
a workflow that goes on where it was stopped, so to pause is to stop at a safe point, to go on is to run again, and a
job that was running when this program was killed simply waits again.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from filelock import FileLock, Timeout

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.failures import explained
from everybody_dance.jobs.messages import CANCELLED, DONE, FAILED, Message
from everybody_dance.jobs.process import Outcome, WorkerProcess
from everybody_dance.jobs.requests import PREPARE, PREVIEW, TRAIN, TRANSFER, Request
from everybody_dance.jobs.store import PAUSED, RUNNING, WAITING, Job, JobEvent, JobStore, State

Listener: TypeAlias = Callable[[Job, Message], None]
"""Called with a job as it stands and what happened: a message of the work, ``{"event": "state", "state": ...}``,
``{"event": "stopping", "becomes": ...}`` or ``{"event": "removed"}``. From any thread; it has to be quick."""

ONE_AT_A_TIME: Final = (PREPARE, TRAIN)
"""Of these kinds one runs at a time, however many workers there are: each takes all of the machine."""

STAYS_LOADED: Final = (TRANSFER, PREVIEW)
"""After these the process stays a while for the next, with PyTorch and the performer in memory."""

SECONDS_IDLE = 60.0
"""After these without a job the process ends, and its memory is free."""

SECONDS_BETWEEN_SAVES = 1.0
"""Progress is kept on disk no more often."""

PATIENCE = 15.0
"""Seconds that a new program waits for workers of one that was killed: they end by themselves in ten."""


@dataclass(frozen=True)
class _Running:
    """A job that runs."""

    kind: str
    process: WorkerProcess


class JobQueue:
    """Runs the jobs of a store. Any thread may call; close it before the store.

    Args:
        store: of the jobs; those that were running when it was last open wait again.
        workers: how many jobs may run at once.
    """

    def __init__(self, store: JobStore, *, workers: int = 1) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._listeners: list[Listener] = []
        self._running: dict[int, _Running] = {}
        self._wanted: dict[int, State] = {}  # what a running job that was asked to stop becomes
        self._progress: dict[int, Message] = {}
        self._closing = False
        for job in store.all():
            if job.state == RUNNING:
                self._set(job.id, WAITING)
        self._threads = [threading.Thread(target=self._serve, args=(slot,), daemon=True) for slot in range(workers)]
        self._orphans_gone = threading.Event()
        for thread in self._threads:
            thread.start()

    def submit(self, kind: str, request: Request, title: str) -> int:
        """A new job at the end of the queue.

        Args:
            kind: one of ``KINDS``.
            request: what to do; its paths are best absolute, since this program may be started elsewhere next time.
            title: for people.

        Returns:
            Its number.
        """
        with self._changed:
            job = self._store.add(kind, request, title)
            self._tell_state(job)
            self._changed.notify_all()
            return job.id

    def job(self, number: int) -> Job:
        """The job with this number.

        Raises:
            DanceError: there is none (``no-job``).
        """
        return self._with_progress(self._store.get(number))

    def jobs(self) -> list[Job]:
        """All jobs, oldest first."""
        return [self._with_progress(job) for job in self._store.all()]

    def events(self, after: int = 0, job: int | None = None) -> list[JobEvent]:
        """Findings, artifacts and changes of state after the event with that number, of one job or of all."""
        return self._store.events(after, job)

    def pause(self, number: int) -> None:
        """Stop a job at its next safe point, with everything kept, until ``go_on``.

        Raises:
            DanceError: there is no such job (``no-job``).
            UsageError: it neither waits nor runs (``wrong-state``).
        """
        self._stop(number, PAUSED, (WAITING, RUNNING))

    def go_on(self, number: int) -> None:
        """Let a paused job wait for its turn; otherwise as ``pause``."""
        self._wait_again(number, (PAUSED,))

    def cancel(self, number: int) -> None:
        """Stop a job for good, within ten seconds; what it did is kept on disk. Otherwise as ``pause``."""
        self._stop(number, CANCELLED, (WAITING, RUNNING, PAUSED))

    def retry(self, number: int) -> None:
        """Let a job that failed or was cancelled wait for its turn again; otherwise as ``pause``."""
        self._wait_again(number, (FAILED, CANCELLED))

    def remove(self, number: int) -> None:
        """Forget a job that has ended; its files are left alone. Otherwise as ``pause``."""
        with self._changed:
            job = self._checked(number, (DONE, FAILED, CANCELLED))
            self._store.remove(number)
            self._progress.pop(number, None)
        self._notify(job, {"event": "removed"})

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` on every change; what is returned ends that."""
        with self._changed:
            self._listeners = [*self._listeners, listener]

        def end() -> None:
            with self._changed:
                self._listeners = [other for other in self._listeners if other is not listener]

        return end

    def wait(self, number: int, timeout: float | None = None) -> Job:
        """Wait until a job neither waits nor runs, at most so many seconds, and return it as it stands."""
        with self._changed:
            self._changed.wait_for(lambda: self._store.get(number).state not in (WAITING, RUNNING), timeout)
        return self.job(number)

    def close(self) -> None:
        """Stop what runs at a safe point, within ten seconds; it goes on when the store is next opened."""
        with self._changed:
            self._closing = True
            for running in self._running.values():
                running.process.cancel()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> "JobQueue":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _stop(self, number: int, becomes: State, allowed: tuple[State, ...]) -> None:
        with self._changed:
            job = self._checked(number, allowed)
            if job.state != RUNNING:
                self._set(number, becomes, finished=time.time() if becomes == CANCELLED else None)
                return
            if self._wanted.get(number) != CANCELLED:  # a job that is to be cancelled cannot be paused any more
                self._wanted[number] = becomes
            self._running[number].process.cancel()
            self._notify(self._with_progress(job), {"event": "stopping", "becomes": becomes})

    def _wait_again(self, number: int, allowed: tuple[State, ...]) -> None:
        with self._changed:
            self._checked(number, allowed)
            self._set(number, WAITING, error_code=None, error_message=None, finished=None)

    def _checked(self, number: int, allowed: tuple[State, ...]) -> Job:
        job = self._store.get(number)
        if job.state not in allowed:
            raise UsageError("wrong-state", f"Job {number} is {job.state}: that is not possible now.")
        return job

    def _set(self, number: int, state: State, **values: object) -> None:
        """Change the state of a job, and tell of it. The caller holds ``_changed``, or nobody else is there yet."""
        job = self._store.change(number, state=state, **values)
        self._tell_state(job)
        with self._changed:
            self._changed.notify_all()

    def _tell_state(self, job: Job) -> None:
        message = {"event": "state", "state": job.state}
        self._store.tell(job.id, message)
        self._notify(self._with_progress(job), message)

    def _notify(self, job: Job, message: Message) -> None:
        for listener in self._listeners:
            listener(job, message)

    def _with_progress(self, job: Job) -> Job:
        progress = self._progress.get(job.id)
        return job if progress is None else replace(job, progress=progress)

    # In the thread of a worker process.

    def _serve(self, slot: int) -> None:
        """Run one job after another until the queue is closed."""
        self._wait_for_orphans(slot)
        process = WorkerProcess(self._store.folder / f"worker-{slot}.lock")
        try:
            while (begun := self._next(process)) is not None:
                job, outcome = begun
                self._end(job.id, outcome or self._wait_for(job, process))
                if job.kind not in STAYS_LOADED:
                    process.close()
        finally:
            process.close()

    def _wait_for_orphans(self, slot: int) -> None:
        """Wait for the workers of a program that was killed: they may still be at work on the same files."""
        if slot > 0:
            self._orphans_gone.wait()
            return
        end = time.monotonic() + PATIENCE
        for lock in self._store.folder.glob("worker-*.lock"):
            with suppress(Timeout), FileLock(lock, timeout=max(0.0, end - time.monotonic())):
                pass
        self._orphans_gone.set()

    def _next(self, process: WorkerProcess) -> tuple[Job, Outcome | None] | None:
        """The job that this thread has begun, once there is one; None when the queue is closed.

        It is begun under the lock: whoever sees it run can stop it. The second value is why it could not be begun.
        """
        idle_since = time.monotonic()
        while True:
            with self._changed:
                if self._closing:
                    return None
                job = self._first_waiting()
                if job is not None:
                    self._running[job.id] = _Running(job.kind, process)
                    try:
                        self._set(job.id, RUNNING, started=time.time(), attempts=job.attempts + 1, result=None)
                    except DanceError:  # the disk is full
                        del self._running[job.id]
                        self._changed.wait(SECONDS_BETWEEN_SAVES)
                        continue
                    return job, self._begun(job, process)
                left = SECONDS_IDLE - (time.monotonic() - idle_since) if process.alive else None
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
            process.close()

    def _first_waiting(self) -> Job | None:
        alone = any(running.kind in ONE_AT_A_TIME for running in self._running.values())
        waiting = (job for job in self._store.all() if job.state == WAITING)
        return next((job for job in waiting if not (alone and job.kind in ONE_AT_A_TIME)), None)

    @staticmethod
    def _begun(job: Job, process: WorkerProcess) -> Outcome | None:
        try:
            process.begin(job.kind, job.typed_request)
        except (DanceError, OSError) as error:  # a request of another version, or a machine without memory
            code, message, _ = explained(error)
            return Outcome(FAILED, code=code, message=message)
        return None

    def _wait_for(self, job: Job, process: WorkerProcess) -> Outcome:
        """Wait for the end of a job, and tell of what happens meanwhile."""
        saved = time.monotonic()
        job = self._store.get(job.id)

        def hear(message: Message) -> None:
            nonlocal saved
            with suppress(DanceError):  # the disk is full: the work goes on, and listeners are told
                if message["event"] != "progress":
                    self._store.tell(job.id, message)
                else:
                    self._progress[job.id] = message
                    if time.monotonic() - saved > SECONDS_BETWEEN_SAVES:
                        saved = time.monotonic()
                        self._store.change(job.id, progress=message)
            self._notify(self._with_progress(job), message)

        return process.wait(hear)

    def _end(self, number: int, outcome: Outcome) -> None:
        """Keep what became of a job whose process is done with it; where the disk is full, once it is not any more."""
        while True:
            with self._changed, suppress(DanceError):
                self._keep(number, outcome)
                del self._running[number]
                self._wanted.pop(number, None)
                self._progress.pop(number, None)
                self._changed.notify_all()
                return
            with self._changed:
                if self._closing:
                    return
                self._changed.wait(SECONDS_BETWEEN_SAVES)

    def _keep(self, number: int, outcome: Outcome) -> None:
        wanted, now = self._wanted.get(number), time.time()
        progress = self._progress.get(number)
        if progress is not None:
            self._store.change(number, progress=progress)
        if outcome.state == DONE:
            result = {"figures": outcome.figures, "outputs": outcome.outputs}
            self._set(number, DONE, result=result, finished=now)
        elif outcome.state == CANCELLED and wanted == CANCELLED:
            self._set(number, CANCELLED, finished=now)
        elif outcome.state == CANCELLED and wanted == PAUSED:
            self._set(number, PAUSED)
        elif outcome.state == CANCELLED and self._closing:
            self._set(number, WAITING)
        elif outcome.state == CANCELLED:
            message = "The process was stopped from outside. Try again to go on where it was."
            self._set(number, FAILED, error_code="process-ended", error_message=message, finished=now)
        else:
            self._set(number, FAILED, error_code=outcome.code, error_message=outcome.message, finished=now)
