"""How far long work is: a bar on a terminal, a plain line every ten seconds elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

SECONDS_BETWEEN_LINES = 10.0
SECONDS_BEFORE_GUESSING = 2.0
"""Before this much time has passed, what is left cannot be told from the speed."""


class Stage(Protocol):
    """Told how far the work is; fits wherever a ``progress.Progress`` is asked for."""

    def __call__(
        self, done: int, total: int | None, detail: str = "", seconds_left: float | None = None, /
    ) -> None: ...


@contextmanager
def showing(console: Console, title: str) -> Iterator[Stage]:
    """Show ``title`` and what the yielded function is told, until the block ends."""
    if console.is_terminal:
        columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[figures]}")
        with Progress(*columns, console=console) as progress:
            yield _Bar(progress, progress.add_task(title, total=None, figures=""))
    else:
        lines = _Lines(console, title)
        yield lines
        lines.finish()


class _Bar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task
        self._began = time.monotonic()

    def __call__(self, done: int, total: int | None, detail: str = "", seconds_left: float | None = None, /) -> None:
        shown = figures(done, total, detail, seconds_left, time.monotonic() - self._began)
        self._progress.update(self._task, completed=done, total=total, figures=shown)


class _Lines:
    def __init__(self, console: Console, title: str) -> None:
        self._console, self._title = console, title
        self._began = self._said = time.monotonic()
        self._say(f"{title} ...")

    def __call__(self, done: int, total: int | None, detail: str = "", seconds_left: float | None = None, /) -> None:
        now = time.monotonic()
        if now - self._said >= SECONDS_BETWEEN_LINES:
            self._said = now
            self._say(f"{self._title}: {figures(done, total, detail, seconds_left, now - self._began)}")

    def finish(self) -> None:
        self._say(f"{self._title}: done in {clock(time.monotonic() - self._began)}")

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def figures(done: int, total: int | None, detail: str, seconds_left: float | None, elapsed: float) -> str:
    """``120 of 480, 1:30 left, detail``, as far as these are known.

    Args:
        done, total: counts.
        detail: more to say.
        seconds_left: where the work knows it better than its speed so far tells.
        elapsed: seconds since the work began.
    """
    if seconds_left is None and total and done > 0 and elapsed > SECONDS_BEFORE_GUESSING:
        seconds_left = elapsed * max(total - done, 0) / done
    parts = [
        f"{done}" if total is None else f"{done} of {max(total, done)}",
        f"{clock(seconds_left)} left" if seconds_left is not None else "",
        detail,
    ]
    return ", ".join(part for part in parts if part)


def clock(seconds: float) -> str:
    """``0:05``, ``12:34``, ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
