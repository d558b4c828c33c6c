"""What every command shares: words and progress on stderr, one JSON object on request, plain errors, exit codes.

Exit codes: 0 done, 1 failed for a reason that is said in a line or two, 2 wrong usage, 130 interrupted.
"""

import json
import logging
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from everybody_dance.commands.stages import Stage, showing
from everybody_dance.errors import DanceError
from everybody_dance.events import Artifact, Event, Finding, Progress, listening
from everybody_dance.files import explain_failure

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130
INTERRUPTED_MESSAGE = "Interrupted. What was done is kept; the same command continues."


def first_process() -> bool:
    """Whether this process is alone, or the first of those that ``torchrun`` started."""
    return os.environ.get("RANK", "0") == "0"


class Session:
    """One run of a command: where it speaks, and what it has to report at the end.

    Attributes:
        outputs: paths of what was written, by name.
        metrics: figures, by name.
        warnings: what the user was warned of, each once.
    """

    def __init__(self, command: str, as_json: bool) -> None:
        self.command = command
        self.as_json = as_json
        self.outputs: dict[str, str] = {}
        self.metrics: dict[str, Any] = {}
        self.warnings: list[str] = []
        self._began = time.monotonic()
        # Of several processes that train together only the first speaks.
        quiet = not first_process()
        self.as_json &= not quiet
        self._messages = Console(stderr=True, quiet=quiet)
        self._results = self._messages if as_json else Console(quiet=quiet)

    def say(self, text: str) -> None:
        """Tell a result: on stdout, or on stderr where stdout is for the JSON object."""
        _print(self._results, text)

    def remark(self, text: str) -> None:
        """Tell something by the way, on stderr."""
        _print(self._messages, text)

    def warn(self, text: str) -> None:
        """Tell something that the user should know, on stderr and in the report; the same only once."""
        if text not in self.warnings:
            self.warnings.append(text)
            _print(self._messages, f"Note: {text}")

    def hear(self, event: Event) -> None:
        """The listener of the work that this command starts."""
        match event:
            case Finding(severity="warning"):
                self.warn(event.message)
            case Finding():
                self.remark(event.message)
            case Artifact():
                self.wrote(event.name, event.path)
            case Progress():
                pass

    def wrote(self, name: str, path: Path) -> None:
        """Report an output."""
        self.outputs[name] = str(path)

    def stage(self, title: str) -> AbstractContextManager[Stage]:
        """Show a stretch of work and how far it is."""
        return showing(self._messages, title)

    def finish(self, code: str | None = None, message: str = "") -> None:
        """End with success, or with the error ``code``; with ``--json`` print the report."""
        if code is not None:
            _print(self._messages, message if code == "interrupted" else f"Error: {message}")
        if self.as_json:
            print_report(
                self.command,
                outputs=self.outputs,
                metrics=self.metrics,
                warnings=self.warnings,
                seconds=time.monotonic() - self._began,
                error=None if code is None else (code, message),
            )


def print_report(
    command: str,
    *,
    outputs: Mapping[str, str],
    metrics: Mapping[str, Any],
    warnings: list[str],
    seconds: float,
    error: tuple[str, str] | None,
) -> None:
    """The one JSON object on stdout; ``error`` is (code, message)."""
    report: dict[str, Any] = {
        "command": command,
        "ok": error is None,
        "outputs": outputs,
        "metrics": metrics,
        "warnings": warnings,
        "seconds": round(seconds, 3),
    }
    if error is not None:
        report["error"] = {"code": error[0], "message": error[1]}
    print(json.dumps(report), flush=True)


@contextmanager
def session(command: str, as_json: bool, debug: bool) -> Iterator[Session]:
    """Run the body of a command; whatever stops it becomes a plain sentence and an exit code.

    Args:
        command: its name.
        as_json: end with one JSON object on stdout.
        debug: show tracebacks.

    Raises:
        typer.Exit: the command did not succeed.
    """
    current = Session(command, as_json)
    try:
        with _listening(current), listening(current.hear), warnings.catch_warnings():
            if not debug:
                warnings.simplefilter("ignore")
            yield current
    except KeyboardInterrupt as error:
        current.finish("interrupted", INTERRUPTED_MESSAGE)
        raise typer.Exit(INTERRUPTED) from error
    except Exception as error:
        if debug:
            current._messages.print_exception()
        code, message, exit_code = explained(error)
        current.finish(code, message)
        raise typer.Exit(exit_code) from error
    current.finish()


def explained(error: Exception) -> tuple[str, str, int]:
    """(code, message, exit code) of whatever went wrong."""
    if isinstance(error, OSError):
        plain = explain_failure(error)
        error = plain if isinstance(plain, DanceError) else error
    if isinstance(error, DanceError):
        return error.code, error.message, error.exit_code
    # PyTorch's own is known by name, so that nobody waits for PyTorch to hear of an error.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out-of-memory", "The memory ran out. Use a smaller --height, or close other programs.", FAILED
    what = f"{type(error).__name__}: {error}".strip().rstrip(":").splitlines()[0]
    return "unexpected", f"Something went wrong that should not have ({what}). --debug shows where.", FAILED


@contextmanager
def _listening(current: Session) -> Iterator[None]:
    """Show what the package logs: remarks plainly, warnings as such."""
    logger = logging.getLogger("everybody_dance")
    handler = _Listener(current)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _Listener(logging.Handler):
    def __init__(self, current: Session) -> None:
        super().__init__(logging.INFO)
        self._current = current

    def emit(self, record: logging.LogRecord) -> None:
        tell = self._current.warn if record.levelno >= logging.WARNING else self._current.remark
        tell(record.getMessage())


def _print(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
