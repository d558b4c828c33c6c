"""What every command shares: words and progress on stderr, one JSON object on request, plain errors, exit codes.

Exit codes: 0 done, 1 failed for a reason that is given in a line or two, 2 wrong usage, 130 interrupted.
"""

import os
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console

from everybody_dance.commands.bars import Bars
from everybody_dance.events import Artifact, Event, Finding, Progress, listening
from everybody_dance.failures import explained
from everybody_dance.jsonio import dumps

WRONG_USAGE, INTERRUPTED = 2, 130
INTERRUPTED_MESSAGE = "Interrupted. What was done is kept; the same command continues."


class Session:
    """One run of a command: where it speaks, and what it has to report at the end.

    Attributes:
        outputs: paths of what was written, by name.
        metrics: figures, by name.
        findings: what the user was told, each once.
    """

    def __init__(self, command: str, as_json: bool) -> None:
        self.command = command
        # Of several processes that train together only the first speaks.
        quiet = os.environ.get("RANK", "0") != "0"
        self.as_json = as_json and not quiet
        self.outputs: dict[str, str] = {}
        self.metrics: dict[str, Any] = {}
        self.findings: list[Finding] = []
        self._began = time.monotonic()
        self._messages = Console(stderr=True, quiet=quiet)
        self._results = self._messages if as_json else Console(quiet=quiet)
        self._bars = Bars(self._messages)

    def say(self, text: str) -> None:
        """Print a result: on stdout, or on stderr where stdout is for the JSON object."""
        _print(self._results, text)

    def remark(self, text: str) -> None:
        """Print something by the way, on stderr."""
        _print(self._messages, text)

    def hear(self, event: Event) -> None:
        """The listener of the work that this command starts."""
        match event:
            case Finding() if event not in self.findings:
                self.findings.append(event)
                self.remark(f"Note: {event.message}" if event.severity == "warning" else event.message)
            case Artifact():
                self.outputs[event.name] = str(event.path)
            case Progress():
                self._bars.show(event)
            case _:
                pass

    def finish(self, code: str | None = None, message: str = "") -> None:
        """End with success, or with the error ``code``; with ``--json`` print the report."""
        self._bars.close()
        if code is not None:
            _print(self._messages, message if code == "interrupted" else f"Error: {message}")
        if self.as_json:
            print_report(
                self.command,
                outputs=self.outputs,
                metrics=self.metrics,
                findings=self.findings,
                seconds=time.monotonic() - self._began,
                error=None if code is None else (code, message),
            )


def print_report(
    command: str,
    *,
    outputs: Mapping[str, str],
    metrics: Mapping[str, Any],
    findings: list[Finding],
    seconds: float,
    error: tuple[str, str] | None,
) -> None:
    """The one JSON object on stdout; ``error`` is (code, message)."""
    report: dict[str, Any] = {
        "command": command,
        "ok": error is None,
        "outputs": outputs,
        "metrics": metrics,
        "warnings": [finding.message for finding in findings if finding.severity == "warning"],
        "findings": [vars(finding) for finding in findings],
        "seconds": round(seconds, 3),
    }
    if error is not None:
        report["error"] = {"code": error[0], "message": error[1]}
    print(dumps(report), flush=True)


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
        with listening(current.hear), warnings.catch_warnings():
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


def printable(text: str) -> str:
    """``text`` without the surrogates that stand for bytes that are not UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _print(console: Console, text: str) -> None:
    console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
