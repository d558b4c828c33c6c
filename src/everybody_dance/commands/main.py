"""The command ``dance``."""

import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from everybody_dance.commands.batch import batch
from everybody_dance.commands.benchmark import benchmark
from everybody_dance.commands.compare import compare
from everybody_dance.commands.console import (
    INTERRUPTED,
    INTERRUPTED_MESSAGE,
    WRONG_USAGE,
    print_report,
    printable,
)
from everybody_dance.commands.demo import demo
from everybody_dance.commands.doctor import doctor
from everybody_dance.commands.evaluate import evaluate
from everybody_dance.commands.export import export
from everybody_dance.commands.live import live
from everybody_dance.commands.people import people
from everybody_dance.commands.prepare import prepare
from everybody_dance.commands.run import run
from everybody_dance.commands.studio import studio
from everybody_dance.commands.train import train
from everybody_dance.commands.transfer import transfer
from everybody_dance.failures import FAILED
from everybody_dance.version import VERSION

# In the order of the user's journey.
COMMANDS = (demo, studio, people, prepare, train, transfer, batch, run, live, evaluate, compare, export, doctor)

# Typer exports this one of its usage errors; the others share its base class.
USAGE_ERROR: type = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="dance",
    help="Do as I do: film a person, train a small model of them, and any dance video makes them dance it.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(benchmark)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"everybody-dance {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``dance`` with ``arguments`` (by default those of the process) and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    began = time.monotonic()
    try:
        with _terminating_like_ctrl_c():
            return int(app(given or ["--help"], prog_name="dance", standalone_mode=False) or 0)
    except KeyboardInterrupt:
        error, exit_code = ("interrupted", INTERRUPTED_MESSAGE), INTERRUPTED
    except typer.Abort:
        error, exit_code = ("interrupted", INTERRUPTED_MESSAGE), FAILED
    except Exception as failure:
        if not isinstance(failure, USAGE_ERROR):
            raise
        error, exit_code = ("usage", _usage_message(failure, given)), WRONG_USAGE
    print(printable(error[1] if exit_code == INTERRUPTED else f"Error: {error[1]}"), file=sys.stderr)
    if "--json" in given:
        seconds = time.monotonic() - began
        print_report(_command_in(given), outputs={}, metrics={}, findings=[], seconds=seconds, error=error)
    return exit_code


def _usage_message(error: Exception, given: Sequence[str]) -> str:
    said = getattr(error, "format_message", lambda: str(error))()
    command = f"dance {_command_in(given)}".strip()
    return f"{said.rstrip('.')}. `{command} --help` shows what is possible."


def _command_in(given: Sequence[str]) -> str:
    names = {*(command.__name__ for command in COMMANDS), "benchmark"}
    return next((word for word in given if word in names), "")


@contextmanager
def _terminating_like_ctrl_c() -> Iterator[None]:
    """SIGTERM, and a terminal that is closed (SIGHUP), save what is done, as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = ("SIGTERM", "SIGHUP")  # Windows has no SIGHUP
    before = {number: signal.getsignal(number) for name in names if (number := getattr(signal, name, None))}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup ignores SIGHUP, and so does all that it starts
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
