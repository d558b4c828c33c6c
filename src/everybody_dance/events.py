"""Events: what running work tells its listener, and how it is asked to stop.

Work deep inside the program emits events; it does not know who listens. ``listening`` sets the listener for everything
called inside its block, in this thread and context only, so two jobs in one process never hear each other.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

SECONDS_BEFORE_ESTIMATE = 2.0
"""The time left is estimated only after this many seconds of a stage."""


@dataclass(frozen=True)
class Finding:
    """Something the user should know.

    Attributes:
        code: stable, machine-readable name, such as ``"camera-moves"``.
        severity: ``"warning"`` for what makes the result worse, ``"remark"`` for the rest.
        message: one or two plain sentences.
        values: the figures in the message, by name. Where certain frames of a subject's footage are meant, ``moment``
            is the time of one that shows it: seconds in the prepared footage, all videos one after the other.
    """

    code: str
    severity: Literal["remark", "warning"]
    message: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """How far a stage of the work is.

    Attributes:
        stage: its title.
        done, total: counts of frames, steps or bytes; ``total`` is None where it is not known.
        seconds_left: None where it cannot be estimated yet.
        detail: more to show, such as the loss.
        finished: True once, when the stage has ended.
    """

    stage: str
    done: int
    total: int | None
    seconds_left: float | None = None
    detail: str = ""
    finished: bool = False


@dataclass(frozen=True)
class Artifact:
    """A file or folder that was written."""

    name: str
    path: Path


Event: TypeAlias = Finding | Progress | Artifact
Listener: TypeAlias = Callable[[Event], None]

OnProgress: TypeAlias = Callable[[int, int | None], None]
"""Called as ``on_progress(done, total)``; ``total`` is None where it is not known."""


class Cancelled(Exception):  # noqa: N818 - it is a request that was followed, not an error
    """The work stopped because it was asked to. What was done is kept, and the same call continues."""


class Cancellation:
    """A request to stop, which any thread may make. The work stops at its next safe point with ``Cancelled``."""

    def __init__(self) -> None:
        self._requested = threading.Event()

    def request(self) -> None:
        """Ask the work to stop."""
        self._requested.set()

    @property
    def requested(self) -> bool:
        """Whether the work was asked to stop."""
        return self._requested.is_set()

    def check(self) -> None:
        """Raise ``Cancelled`` if the work was asked to stop."""
        if self.requested:
            raise Cancelled


def ignore(event: Event) -> None:
    """A listener that does nothing."""


def ignore_progress(done: int, total: int | None) -> None:
    """The default ``on_progress``: nobody is watching."""


_listener: ContextVar[Listener] = ContextVar("listener", default=ignore)
_cancellation: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


@contextmanager
def listening(listener: Listener | None, cancellation: Cancellation | None = None) -> Iterator[None]:
    """Send the events of the block to ``listener``, and let ``cancellation`` stop it.

    What is None stays as it is outside, so a workflow that is part of another speaks to the other's listener.
    """
    tokens = (
        _listener.set(_listener.get() if listener is None else listener),
        _cancellation.set(_cancellation.get() if cancellation is None else cancellation),
    )
    try:
        yield
    finally:
        _listener.reset(tokens[0])
        _cancellation.reset(tokens[1])


def emit(event: Event) -> None:
    """Tell the listener."""
    _listener.get()(event)


def warn(code: str, message: str, **values: Any) -> None:
    """Emit a finding that makes the result worse than it could be."""
    emit(Finding(code, "warning", message, values))


def remark(code: str, message: str, **values: Any) -> None:
    """Emit a finding that is good to know."""
    emit(Finding(code, "remark", message, values))


def wrote(name: str, path: Path) -> None:
    """Emit an artifact."""
    emit(Artifact(name, path))


def check_cancelled() -> None:
    """A safe point: raise ``Cancelled`` here if the work was asked to stop."""
    cancellation = _cancellation.get()
    if cancellation is not None:
        cancellation.check()


class Stage:
    """A stage of the work in progress; call it at each safe point with how far it is."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._began = time.monotonic()
        self._first: tuple[float, int] | None = None  # when something was done first, and how much
        self._last = Progress(title, 0, None)
        emit(self._last)

    def __call__(self, done: int, total: int | None, detail: str = "", seconds_left: float | None = None) -> None:
        """Emit progress, then stop here if the work was asked to stop.

        Args:
            done, total: counts; ``total`` is None where it is not known.
            detail: more to show.
            seconds_left: by default estimated from the average speed since the first report, so that neither a slow
                start nor what was done before counts.

        Raises:
            Cancelled: the work was asked to stop.
        """
        now = time.monotonic()
        if self._first is None and done > 0:
            self._first = now, done
        if seconds_left is None and total and self._first is not None and now - self._began > SECONDS_BEFORE_ESTIMATE:
            since, before = self._first
            if done > before:
                seconds_left = (now - since) * max(total - done, 0) / (done - before)
        self._last = Progress(self.title, done, total, seconds_left, detail)
        emit(self._last)
        check_cancelled()

    def finish(self) -> None:
        """Emit the stage's last progress."""
        last = self._last
        emit(Progress(self.title, last.done, last.total, 0.0, last.detail, finished=True))


@contextmanager
def stage(title: str) -> Iterator[Stage]:
    """A stretch of work with a title; the block reports how far it is by calling the value it is given."""
    current = Stage(title)
    yield current
    current.finish()
