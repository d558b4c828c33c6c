"""``dance batch``: many transfers at once."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.bars import clock
from everybody_dance.commands.console import Session, session
from everybody_dance.errors import DanceError

if TYPE_CHECKING:
    from everybody_dance.jobs.batch.ledger import Result
    from everybody_dance.jobs.batch.run import BatchResult

Engine = StrEnum("Engine", ["LOCAL", "RAY"])
LOCAL = Engine("local")


def batch(
    table: Annotated[
        Path | None,
        typer.Argument(
            help="CSV file with the columns performer, source and out, and perhaps options of `dance transfer`.",
            metavar="[JOBS.csv]",
            show_default=False,
        ),
    ] = None,
    performers: Annotated[
        Path | None, typer.Option(help="Instead of a table: a folder of trained subjects.", metavar="DIR")
    ] = None,
    sources: Annotated[
        Path | None, typer.Option(help="A folder of videos, each of which every performer dances.", metavar="DIR")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results of --performers.", metavar="DIR")] = None,
    person: Annotated[str | None, typer.Option(help="As in `dance transfer`, for rows that do not say.")] = None,
    smooth: Annotated[options.Smoothing | None, typer.Option(help="As --person.", show_default=False)] = None,
    compare: Annotated[bool, typer.Option("--compare", help="As --person.")] = False,
    bones: Annotated[options.WhoseBones | None, typer.Option(help="As --person.", show_default=False)] = None,
    scale: Annotated[float | None, typer.Option(help="As --person.", show_default=False)] = None,
    shift: Annotated[float | None, typer.Option(help="As --person.", show_default=False)] = None,
    floor: Annotated[float | None, typer.Option(help="As --person.", show_default=False)] = None,
    background: options.Background = None,
    shadow: Annotated[options.Shadow | None, typer.Option(help="As --person.", show_default=False)] = None,
    device: Annotated[str | None, typer.Option(help="As --person.", metavar="DEVICE", show_default=False)] = None,
    runtime: Annotated[options.RuntimeName | None, typer.Option(help="As --person.", show_default=False)] = None,
    engine: Annotated[
        Engine, typer.Option(help="Who dances: processes on this machine, or a Ray cluster (the extra ray).")
    ] = LOCAL,
    workers: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Processes at once; by default as many as cores and memory carry."),
    ] = None,
    part: Annotated[
        str | None, typer.Option(metavar="K/N", help="Only every N-th row, from the K-th on: a share of the batch.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The record of what is done; batch.json beside the table by default."),
    ] = None,
    begin_again: Annotated[
        bool, typer.Option("--begin-again", help="Dance again what this batch has made before.")
    ] = False,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Make trained people dance many videos.

    Each row of the table is a transfer. One that fails does not keep the others from being danced. The same command
    again goes on: what is whole is not danced twice.
    """
    with session("batch", as_json, debug) as current:
        given = {
            "person": person,
            "smooth": smooth,
            "compare": "yes" if compare else None,
            "bones": bones,
            "scale": scale,
            "shift": shift,
            "floor": floor,
            "background": _absolute(background),
            "shadow": shadow,
            "device": device,
            "runtime": runtime,
        }
        from everybody_dance.jobs.batch.run import BatchRequest
        from everybody_dance.jobs.batch.run import batch as work

        result = work(
            BatchRequest(
                table=table,
                performers=performers,
                sources=sources,
                out=out,
                defaults={name: str(value) for name, value in given.items() if value is not None},
                part=part,
                report=report,
                engine=engine,
                workers=workers,
                begin_again=begin_again,
            )
        )
        _tell(current, result)


def _absolute(background: str | None) -> str | None:
    is_file = background is not None and background != "none" and not background.startswith("#")
    return str(Path(background).absolute()) if background is not None and is_file else background


def _tell(current: Session, result: "BatchResult") -> None:
    """The table, and an error if a row failed."""
    counts = {state: result.count(state) for state in ("done", "kept", "failed")}
    current.metrics |= counts
    current.metrics["rows"] = [
        {
            "row": each.row.number,
            "performer": str(each.row.request.performer),
            "source": str(each.row.request.source),
            "out": str(each.row.request.out),
            "state": each.state,
            "seconds": each.seconds,
            "figures": each.figures,
            "error": {"code": each.code, "message": each.message} if each.code else None,
        }
        for each in result.results
    ]
    for line in summary(result.results):
        current.say(line)
    current.say(f"{counts['done']} done, {counts['kept']} done before, {counts['failed']} failed: {result.report}")
    if counts["failed"]:
        raise DanceError(
            "rows-failed",
            f"{counts['failed']} of {len(result.results)} rows failed. The same command tries them again.",
        )


def summary(results: Sequence["Result"]) -> list[str]:
    """A line for each row, in columns: its number, who dances what, what became of it and in which time, where."""
    width = max((len(each.row.title) for each in results), default=0)
    digits = len(str(max((each.row.number for each in results), default=0)))
    lines = []
    for each in results:
        time = clock(each.seconds) if each.seconds is not None else ""
        what = each.message if each.state == "failed" else str(each.row.request.out)
        lines.append(f"{each.row.number:>{digits}}  {each.row.title:<{width}}  {each.state:<6}  {time:>7}  {what}")
    return lines
