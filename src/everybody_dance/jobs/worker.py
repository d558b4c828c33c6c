"""A process that runs jobs: ``python -m everybody_dance.jobs.worker [--lock FILE] [--cores 0,1]``.

On stdin it takes one JSON object a line: ``{"kind": ..., "request": {...}}``, or ``{"cancel": true}`` to stop the one
that is running. On stdout it writes ``messages``, one a line, and nothing else ever appears there. SIGTERM stops what
is running and ends the process. So does the end of stdin: whoever asked has died, and what was done is kept.
"""

import argparse
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import IO, Any

from filelock import FileLock

from everybody_dance.events import Artifact, Cancellation, Cancelled, Event, Finding, Progress
from everybody_dance.failures import explained
from everybody_dance.jobs.messages import CANCELLED, DONE, FAILED, Message, to_message
from everybody_dance.jobs.requests import from_json
from everybody_dance.jobs.work import Work
from everybody_dance.jsonio import dumps

SECONDS_BETWEEN_PROGRESS = 0.05

PATIENCE = 10.0
"""Seconds that the work has to reach a safe point after the end of stdin. Then the process ends as it is."""


@dataclass(frozen=True)
class _Asked:
    """One job that was asked for."""

    kind: str
    request: Any
    cancellation: Cancellation = field(default_factory=Cancellation)


class Worker:
    """Serves one job after another.

    Args:
        requests: where they are read from, a line each.
        out: where messages go.
    """

    def __init__(self, requests: IO[bytes], out: IO[bytes]) -> None:
        self._requests, self._out = requests, out
        self._asked: queue.Queue[_Asked | None] = queue.Queue()
        self._pending: list[_Asked] = []  # asked for and not ended
        self._writing = threading.Lock()
        self._work = Work()
        self._terminated = False

    def serve(self) -> None:
        """Run what is asked for until stdin ends or SIGTERM comes. In the main thread, which alone hears signals."""
        signal.signal(signal.SIGTERM, self._terminate)
        threading.Thread(target=self._read, daemon=True).start()
        while not self._terminated and (asked := self._asked.get()) is not None:
            last = self._run(asked)
            self._pending.remove(asked)
            self._send(last)

    def _run(self, asked: _Asked) -> Message:
        """The last message of a job."""
        outputs: dict[str, str] = {}
        said: list[Finding] = []
        progress: tuple[str, float] = "", 0.0

        def hear(event: Event) -> None:
            nonlocal progress
            match event:
                case Finding():
                    if event in said:
                        return
                    said.append(event)
                case Artifact():
                    outputs[event.name] = str(event.path)
                case Progress():
                    now = time.monotonic()
                    often = event.stage == progress[0] and now - progress[1] < SECONDS_BETWEEN_PROGRESS
                    if often and not event.finished:
                        return
                    progress = event.stage, now
            self._send(to_message(event))

        try:
            request = from_json(asked.kind, json.dumps(asked.request))
            asked.cancellation.check()
            figures = self._work.run(request, hear, asked.cancellation)
        except (Cancelled, KeyboardInterrupt):  # a training makes a KeyboardInterrupt of SIGTERM
            return {"event": CANCELLED}
        except Exception as error:
            traceback.print_exc()
            code, message, _ = explained(error)
            return {"event": FAILED, "code": code, "message": message}
        return {"event": DONE, "figures": figures, "outputs": outputs}

    def _read(self) -> None:
        for line in self._requests:
            said = json.loads(line)
            if said.get("cancel"):
                self._cancel()
            else:
                asked = _Asked(said.get("kind", ""), said.get("request"))
                self._pending.append(asked)
                self._asked.put(asked)
        self._cancel()
        self._asked.put(None)
        time.sleep(PATIENCE)
        os._exit(1)  # only if the work has not ended by now: this thread goes with the process

    def _cancel(self) -> None:
        for asked in tuple(self._pending):
            asked.cancellation.request()

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        """Stop at the next safe point; the second time at once."""
        if self._terminated or not self._pending:
            self._terminated = True
            raise KeyboardInterrupt
        self._terminated = True
        self._cancel()

    def _send(self, message: Message) -> None:
        try:
            with self._writing:
                self._out.write(dumps(message).encode() + b"\n")
                self._out.flush()
        except OSError:  # nobody listens any more
            self._cancel()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve jobs from stdin to stdout."""
    parser = argparse.ArgumentParser(prog="python -m everybody_dance.jobs.worker", description=__doc__)
    parser.add_argument("--lock", metavar="FILE", help="Locked for as long as this process lives.")
    parser.add_argument("--cores", help="Numbers of the cores to use, with commas.")
    options = parser.parse_args(arguments)
    if options.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core) for core in options.cores.split(",")})
    warnings.simplefilter("ignore")
    requests, out = _own_streams()
    with ExitStack() as stack:
        if options.lock is not None:
            stack.enter_context(FileLock(options.lock))
        stack.enter_context(suppress(KeyboardInterrupt))
        Worker(requests, out).serve()


def _own_streams() -> tuple[IO[bytes], IO[bytes]]:
    """Stdin and stdout for this module alone: libraries' prints, and child processes, get stderr and nothing."""
    requests, out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return requests, out


if __name__ == "__main__":
    main()
