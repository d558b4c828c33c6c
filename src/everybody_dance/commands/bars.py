"""How far long work is: a bar on a terminal, a plain line every ten seconds elsewhere."""

import time

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn
from rich.progress import Progress as Display

from everybody_dance.events import Progress

SECONDS_BETWEEN_LINES = 10.0


class Bars:
    """Shows the progress events of a command, one stage at a time.

    Args:
        console: where to show them.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._display: Display | None = None
        self._task: TaskID | None = None
        self._stage: str | None = None
        self._began = self._said = 0.0

    def show(self, progress: Progress) -> None:
        """Show the newest progress."""
        if progress.stage != self._stage:
            self.close()
            self._open(progress.stage)
        now = time.monotonic()
        if self._display is not None and self._task is not None:
            shown = figures(progress)
            self._display.update(self._task, completed=progress.done, total=progress.total, figures=shown)
        elif not progress.finished and now - self._said >= SECONDS_BETWEEN_LINES:
            self._said = now
            self._say(f"{progress.stage}: {figures(progress)}")
        if progress.finished:
            if self._display is None:
                self._say(f"{progress.stage}: done in {clock(now - self._began)}")
            self.close()

    def close(self) -> None:
        """Take the bar away, whether or not its stage has ended."""
        if self._display is not None:
            self._display.stop()
        self._display, self._task, self._stage = None, None, None

    def _open(self, title: str) -> None:
        self._stage = title
        self._began = self._said = time.monotonic()
        if self._console.is_terminal:
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[figures]}"),
            )
            self._display = Display(*columns, console=self._console)
            self._task = self._display.add_task(title, total=None, figures="")
            self._display.start()
        else:
            self._say(f"{title} ...")

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def figures(progress: Progress) -> str:
    """``120 of 480, 1:30 left, detail``, as far as these are known."""
    done, total = progress.done, progress.total
    parts = [
        f"{done}" if total is None else f"{done} of {max(total, done)}",
        f"{clock(progress.seconds_left)} left" if progress.seconds_left is not None else "",
        progress.detail,
    ]
    return ", ".join(part for part in parts if part)


def clock(seconds: float) -> str:
    """``0:05``, ``12:34``, ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
