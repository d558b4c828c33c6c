"""Rows danced by a Ray cluster: worker processes on many machines, which see the same files under the same names.

Ray only says where: an actor is a ``WorkerProcess`` on some machine, so a row is danced there as it is here. Paths
travel, frames never do. A row whose machine is lost goes to another one, and machines that join are used.
"""

import io
import logging
import math
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from typing import Any, TextIO

from everybody_dance import events
from everybody_dance.errors import DanceError
from everybody_dance.jobs.batch.ledger import Ledger, Result
from everybody_dance.jobs.batch.local import CORES_EACH, MEMORY_EACH
from everybody_dance.jobs.batch.rows import Row
from everybody_dance.jobs.batch.turns import Turns
from everybody_dance.jobs.messages import Message
from everybody_dance.jobs.process import SECONDS_TO_END, SECONDS_TO_STOP, Outcome, WorkerProcess
from everybody_dance.jobs.requests import TRANSFER
from everybody_dance.machine import optional, usable_cores
from everybody_dance.workflows.requests import TransferRequest

ATTEMPTS = 3
"""So often a row is given to a machine; each time it was lost."""

SECONDS_BETWEEN_LOOKS = 1.0
"""So often it is looked whether machines have joined."""

SECONDS_BEFORE_TELLING = 20.0
"""So long the cluster may have no place before the user is told."""

OBJECT_STORE = 100 << 20
"""Bytes for what Ray passes on, on this machine: requests and figures."""


def dance_on_ray(rows: Sequence[Row], ledger: Ledger, workers: int | None = None) -> Generator[Result, None, None]:
    """Dance rows on the cluster of ``RAY_ADDRESS``, or without that on one of this machine alone.

    Args, Yields: as ``local.dance_here``, but that nothing is told while a row is danced.

    Raises:
        UsageError: Ray is not installed (``not-installed``).
        DanceError: the cluster cannot be reached, or no worker starts there (``no-cluster``).
    """
    # Whoever reaches a cluster can run programs on it; and nothing is reported to anybody.
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")  # or its threads' prints would come at the end, from the main thread
    ray = optional("ray", "ray")
    begun_here = not ray.is_initialized()
    with redirect_stdout(_WithoutRay(sys.stdout)):
        if begun_here:
            _connect(ray)
        crew = _Crew(ray, rows, ledger, workers)
        try:
            yield from crew.dance()
        finally:
            crew.stop()
            if begun_here:
                ray.shutdown()


class _WithoutRay(io.TextIOBase):
    """A stream without what Ray's threads print: pages about machines that were lost, which nothing switches off."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if threading.current_thread().name.startswith("ray_") else self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()


def _connect(ray: Any) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    before = signal.getsignal(signal.SIGTERM)
    try:
        if os.environ.get("RAY_ADDRESS"):
            ray.init(**quiet)
        else:
            ray.init(
                address="local",
                include_dashboard=False,
                num_cpus=usable_cores(),
                object_store_memory=OBJECT_STORE,
                **quiet,
            )
    except Exception as error:  # Ray raises a dozen kinds
        why = str(error).strip().splitlines()
        raise DanceError("no-cluster", f"Ray cannot be reached: {why[0] if why else type(error).__name__}") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)  # Ray would end the program at once


class Dancer:
    """A worker process on some machine of the cluster."""

    def __init__(self) -> None:
        # Ray says in the environment which GPUs are its own, and the process inherits that.
        self._process = WorkerProcess()

    def ready(self) -> None:
        """Answers once it runs."""

    def dance(self, request: TransferRequest) -> tuple[Outcome, list[Message]]:
        """How a transfer ended, and what was found."""
        findings: list[Message] = []

        def hear(message: Message) -> None:
            if message["event"] == "finding":
                findings.append({name: value for name, value in message.items() if name != "event"})

        return self._process.run(TRANSFER, request, hear), findings

    def stop(self) -> None:
        """Stop at a safe point, and end the process."""
        self._process.close()


@dataclass
class _Member:
    """An actor: starting, waiting for a row, or dancing one."""

    handle: Any
    answer: Any  # what it was asked last and has not answered; None: it waits
    row: Row | None = None
    began: float = 0.0


class _Crew:
    """The actors of a batch."""

    def __init__(self, ray: Any, rows: Sequence[Row], ledger: Ledger, workers: int | None) -> None:
        self._ray, self._ledger, self._most = ray, ledger, workers
        self._turns, self._unfinished = Turns(rows), len(rows)
        self._lost: Counter[int] = Counter()
        self._members: list[_Member] = []
        self._failed_starts = 0
        self._waits_since = time.monotonic()
        self._options = self._needs()
        self._actor = ray.remote(max_concurrency=2, max_restarts=0, **self._options)(Dancer)

    def dance(self) -> Iterator[Result]:
        """The results of all rows, as they come."""
        while self._unfinished:
            self._grow()
            for member in self._members:
                if member.answer is None:
                    yield from self._hand_out(member)
            self._release()
            waiting = [member.answer for member in self._members if member.answer is not None]
            if not waiting:
                continue
            answered, _ = self._ray.wait(waiting, timeout=SECONDS_BETWEEN_LOOKS)
            self._tell_of_waiting()
            for member in [member for member in self._members if member.answer in answered]:
                yield from self._answered(member)

    def stop(self) -> None:
        """Stop at safe points, within ten seconds, and leave the machines."""
        with suppress(self._ray.exceptions.RayError):
            asked = [member.handle.stop.remote() for member in self._members if member.row is not None]
            if asked:
                self._ray.wait(asked, num_returns=len(asked), timeout=SECONDS_TO_STOP + SECONDS_TO_END + 1)
        for member in self._members:
            self._ray.kill(member.handle)

    def _tell_of_waiting(self) -> None:
        """Say once that the cluster has no place."""
        if any(member.row is not None for member in self._members):
            self._waits_since = time.monotonic()
        elif time.monotonic() - self._waits_since > SECONDS_BEFORE_TELLING:
            self._waits_since = math.inf
            events.remark("no-place", "The cluster has no free place for a worker yet. The batch waits for one.")

    def _needs(self) -> dict[str, Any]:
        """What an actor takes of a machine."""
        cores = [node["Resources"].get("CPU", 0) for node in self._nodes()]
        needs: dict[str, Any] = {"num_cpus": max(1, min([CORES_EACH, *map(int, filter(None, cores))]))}
        if any(node["Resources"].get("GPU", 0) >= 1 for node in self._nodes()):
            needs["num_gpus"] = 1
        return needs

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _capacity(self) -> int:
        """How many actors the machines carry that are there now."""
        places = 0
        for node in self._nodes():
            has = node["Resources"]
            bounds = [has.get("CPU", 0) // self._options["num_cpus"], max(1, has.get("memory", 0) // MEMORY_EACH)]
            if "num_gpus" in self._options:
                bounds.append(has.get("GPU", 0))
            places += int(min(bounds))
        return max(1, places)

    def _grow(self) -> None:
        """As many actors as there are places and rows for."""
        busy = sum(member.row is not None for member in self._members)
        wanted = min(self._capacity(), len(self._turns) + busy, self._most or self._unfinished)
        for _ in range(wanted - len(self._members)):
            handle = self._actor.remote()
            self._members.append(_Member(handle, handle.ready.remote()))

    def _hand_out(self, member: _Member) -> Iterator[Result]:
        """Give an actor that waits the next row that may be danced, if there is one."""
        while (row := self._turns.take(id(member))) is not None:
            # Begun before, it has been admitted: what its lost machine may have left is its own.
            refused = None if self._lost[row.number] else self._ledger.admit(row)
            if refused is None:
                member.row, member.began = row, time.monotonic()
                member.answer = member.handle.dance.remote(row.request)
                return
            self._unfinished -= 1
            yield refused

    def _release(self) -> None:
        """Let go of actors that have nothing left to do: somebody may wait for their place."""
        if not len(self._turns):
            for member in [member for member in self._members if member.answer is None]:
                self._leave(member)

    def _answered(self, member: _Member) -> Iterator[Result]:
        row, member.row, asked, member.answer = member.row, None, member.answer, None
        try:
            answer = self._ray.get(asked)
        except self._ray.exceptions.RayError as error:
            self._leave(member)
            yield from self._not_answered(row, error)
            return
        if row is None:
            self._failed_starts = 0
            return
        outcome, findings = answer
        if outcome.state == "cancelled":
            outcome = Outcome("failed", code="process-ended", message="The process was stopped from outside.")
        self._unfinished -= 1
        yield self._ledger.ended(row, outcome, time.monotonic() - member.began, findings)

    def _not_answered(self, row: Row | None, error: Exception) -> Iterator[Result]:
        """An actor was lost, with the row that it danced, or before it had begun."""
        if row is None:
            self._failed_starts += 1
            if self._failed_starts == ATTEMPTS:
                why = str(error).strip().splitlines()[0]
                raise DanceError("no-cluster", f"No worker starts on the cluster: {why}")
            return
        self._lost[row.number] += 1
        if self._lost[row.number] < ATTEMPTS:
            self._turns.give_back(row)
            return
        self._unfinished -= 1
        message = f"The machines that danced it were lost {ATTEMPTS} times, perhaps because memory ran out."
        yield self._ledger.failed(row, "process-ended", message)

    def _leave(self, member: _Member) -> None:
        self._members.remove(member)
        self._turns.leave(id(member))
        self._ray.kill(member.handle)
