"""A worker process, from the outside: started when it is needed, asked for one job at a time, stopped in time."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from everybody_dance.jobs.messages import CANCELLED, DONE, FAILED, LAST, Message
from everybody_dance.jobs.requests import Request, to_json

SECONDS_TO_STOP = 8.0
"""After these the process is asked again, by SIGTERM, and does not wait for a safe point any more."""

SECONDS_TO_END = 2.0
"""After these it is killed. Files are either whole or not there, so nothing is lost but what was not saved yet."""

Hear: TypeAlias = Callable[[Message], None]


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        state: ``done``, ``failed`` or ``cancelled``.
        figures: of the result, if it is done.
        outputs: paths of what was written, by name, if it is done.
        code, message: why it failed.
    """

    state: Literal["done", "failed", "cancelled"]
    figures: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    message: str = ""


class WorkerProcess:
    """Runs jobs in a process of its own, which stays for the next job. Close it, or use it as a context.

    ``begin``, ``wait`` and ``run`` are called from one thread at a time, ``cancel`` from any.

    Args:
        lock: a file that the process locks for as long as it lives; it waits for whoever holds the lock.
        cores: numbers of the processor cores it may use; None: all that this process may use.
        environment: more environment variables.
    """

    def __init__(
        self,
        lock: Path | None = None,
        cores: Sequence[int] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = [sys.executable, "-m", "everybody_dance.jobs.worker"]
        if lock is not None:
            self._command += ["--lock", str(lock)]
        if cores is not None:
            self._command += ["--cores", ",".join(map(str, cores))]
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._said: deque[bytes] = deque(maxlen=20)  # the last lines on stderr
        self._listening: threading.Thread | None = None
        self._guard = threading.Lock()
        self._timer: threading.Timer | None = None
        self._running = self._cancelled = False

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def number(self) -> int | None:
        """The process's number (PID), while it runs."""
        return self._process.pid if self._process is not None and self.alive else None

    def run(self, kind: str, request: Request, hear: Hear = lambda message: None) -> Outcome:
        """``begin`` a job and ``wait`` for its end."""
        self.begin(kind, request)
        return self.wait(hear)

    def begin(self, kind: str, request: Request) -> None:
        """Start the process if need be, and ask for one job, which ``cancel`` reaches from now on.

        Args:
            kind: one of ``KINDS``.
            request: what to do.
        """
        line = json.dumps({"kind": kind, "request": json.loads(to_json(kind, request))}).encode() + b"\n"
        with self._guard:
            process = self._started()
            self._running, self._cancelled = True, False
            self._write(process, line)

    def wait(self, hear: Hear = lambda message: None) -> Outcome:
        """Wait for the end of the job that was begun.

        Args:
            hear: told findings, progress and artifacts as they come, in this thread.

        Returns:
            How it ended; a process that died is a failure (``process-ended``).
        """
        process = self._process
        assert process is not None
        assert process.stdout is not None
        try:
            for text in process.stdout:
                message = json.loads(text)
                if message["event"] in LAST:
                    return _outcome(message)
                hear(message)
            return self._died(process)
        finally:
            with self._guard:
                self._running = False
                if self._timer is not None:
                    self._timer.cancel()
                    self._timer = None

    def cancel(self) -> None:
        """Ask the running job to stop; ``wait`` returns within ten seconds. Without a job nothing happens."""
        with self._guard:
            if not self._running or self._cancelled or self._process is None:
                return
            self._cancelled = True
            self._timer = _after(SECONDS_TO_STOP, self._terminate)
            self._write(self._process, b'{"cancel": true}\n')

    def close(self) -> None:
        """End the process: whatever runs is stopped as by ``cancel``, and the process has gone when this returns."""
        self.cancel()
        with self._guard:
            process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        with suppress(OSError):
            process.stdin.close()
        for seconds, next_one in ((SECONDS_TO_STOP, process.terminate), (SECONDS_TO_END, process.kill)):
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
                break
            next_one()
        process.wait()
        if self._listening is not None:
            self._listening.join(1)
        for stream in (process.stdout, process.stderr):
            if stream is not None and not self._running:
                stream.close()

    def __enter__(self) -> "WorkerProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @staticmethod
    def _write(process: subprocess.Popen[bytes], line: bytes) -> None:
        assert process.stdin is not None
        with suppress(OSError):  # it has died, as ``wait`` will see
            process.stdin.write(line)
            process.stdin.flush()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._said.clear()
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            start_new_session=True,  # Ctrl-C in a terminal reaches this program, which decides what becomes of the job
        )
        self._listening = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._listening.start()
        return self._process

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        with suppress(ValueError):  # it was closed
            self._said.extend(process.stderr)

    def _terminate(self) -> None:
        with self._guard:
            if self._running and self._process is not None:
                self._process.terminate()
                self._timer = _after(SECONDS_TO_END, self._kill)

    def _kill(self) -> None:
        with self._guard:
            if self._running and self._process is not None:
                self._process.kill()

    def _died(self, process: subprocess.Popen[bytes]) -> Outcome:
        """Why the process ended without a word."""
        code = process.wait()
        if self._cancelled:
            return Outcome(CANCELLED)
        if self._listening is not None:
            self._listening.join(1)
        return Outcome(FAILED, code="process-ended", message=why_it_ended(code, list(self._said)))


def why_it_ended(code: int, said: Sequence[bytes]) -> str:
    """A sentence on a process that ended without a word.

    Args:
        code: its exit code, negative for a signal.
        said: the last lines it wrote to stderr.
    """
    if hasattr(signal, "SIGKILL") and code == -signal.SIGKILL:
        return (
            "The process was ended by the system, probably because memory ran out. Close other programs and try again."
        )
    how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    last = next((line for text in reversed(said) if (line := text.decode("utf-8", "replace").strip())), "")
    return f"The process ended unexpectedly, {how}{f' ({last})' if last else ''}. Try again."


def _outcome(message: Message) -> Outcome:
    match message["event"]:
        case "done":
            return Outcome(DONE, figures=message["figures"], outputs=message["outputs"])
        case "failed":
            return Outcome(FAILED, code=message["code"], message=message["message"])
    return Outcome(CANCELLED)


def _after(seconds: float, work: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, work)
    timer.daemon = True
    timer.start()
    return timer
