"""Rows danced by processes on this machine, each on its own share of the cores."""

import os
import queue
import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from everybody_dance.jobs.batch.ledger import Ledger, Result
from everybody_dance.jobs.batch.rows import Row
from everybody_dance.jobs.batch.turns import Turns
from everybody_dance.jobs.messages import Message
from everybody_dance.jobs.process import WorkerProcess
from everybody_dance.jobs.requests import TRANSFER
from everybody_dance.machine import usable_cores, usable_memory

CORES_EACH = 2
"""A process paints on one core and encodes and detects on another."""

MEMORY_EACH = 2 << 30
"""Bytes that a process may need, with its detectors."""


@dataclass(frozen=True)
class Share:
    """How much of a row is done, from 0 to 1."""

    row: Row
    done: float


Told: TypeAlias = Result | Share | BaseException


def dance_here(
    rows: Sequence[Row], ledger: Ledger, workers: int | None = None
) -> Generator[Result | Share, None, None]:
    """Dance rows on this machine. Closed early, it stops at safe points, within ten seconds.

    Args:
        rows: what to dance.
        ledger: admits them, and keeps what becomes of them.
        workers: processes at once; None: as many as cores and memory carry.

    Yields:
        One result for each row, as they come, and between them how far the rows are.
    """
    count = min(workers or default_workers(), len(rows))
    crew = _Crew(Turns(rows), ledger)
    threads = [
        threading.Thread(target=crew.work, args=(cores,), daemon=True) for cores in shares_of_cores(max(1, count))
    ]
    for thread in threads:
        thread.start()
    left = len(rows)
    try:
        while left:
            told = crew.told.get()
            if isinstance(told, BaseException):
                raise told
            left -= isinstance(told, Result)
            yield told
    finally:
        crew.stop()
        for thread in threads:
            thread.join()


def default_workers() -> int:
    """Processes that this machine carries: by cores and by free memory."""
    return max(1, min(usable_cores() // CORES_EACH, usable_memory() // MEMORY_EACH))


def shares_of_cores(count: int) -> list[list[int] | None]:
    """The numbers of the cores for each of so many processes; None: all, with one process or too few cores."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if count == 1 or len(cores) < count:
        return [None] * count
    return [cores[slot * len(cores) // count : (slot + 1) * len(cores) // count] for slot in range(count)]


class _Crew:
    """What the threads of the processes share."""

    def __init__(self, turns: Turns, ledger: Ledger) -> None:
        self.told: queue.Queue[Told] = queue.Queue()
        self._turns, self._ledger = turns, ledger
        self._guard = threading.Lock()
        self._processes: set[WorkerProcess] = set()
        self._stopping = False

    def work(self, cores: list[int] | None) -> None:
        """Dance rows until none is left."""
        with WorkerProcess(cores=cores) as process:
            with self._guard:
                self._processes.add(process)
            try:
                while not self._stopping and (row := self._turns.take(process)) is not None:
                    self._dance(row, process)
            except BaseException as error:  # such as a full disk that keeps the record from being written
                self.told.put(error)

    def stop(self) -> None:
        """Ask all of them to stop."""
        with self._guard:
            self._stopping = True
            for process in self._processes:
                process.cancel()

    def _dance(self, row: Row, process: WorkerProcess) -> None:
        refused = self._ledger.admit(row)
        if refused is not None:
            self.told.put(refused)
            return
        findings: list[Message] = []

        def hear(message: Message) -> None:
            if message["event"] == "finding":
                findings.append({name: value for name, value in message.items() if name != "event"})
            elif message["event"] == "progress" and message["stage"] == "Dancing" and message["total"]:
                self.told.put(Share(row, message["done"] / message["total"]))

        began = time.monotonic()
        with self._guard:
            if self._stopping:
                return
            process.begin(TRANSFER, row.request)
        outcome = process.wait(hear)
        if outcome.state != "cancelled":
            self.told.put(self._ledger.ended(row, outcome, time.monotonic() - began, findings))
        elif not self._stopping:
            message = "The process was stopped from outside."
            self.told.put(self._ledger.failed(row, "process-ended", message, findings))
