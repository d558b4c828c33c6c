"""``dance compare``: performers, or results of one dance, side by side."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import session
from everybody_dance.commands.evaluate import tell_measured


def compare(
    candidates: Annotated[
        list[Path],
        typer.Argument(help="Two or more trained subjects of the same footage, or videos.", metavar="A B ..."),
    ],
    truth: Annotated[
        Path | None,
        typer.Option(help="Of videos: what they are to look like.", metavar="VIDEO", show_default=False),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for the page: new, empty, or of an earlier comparison.", metavar="DIR")
    ] = Path("comparison"),
    frames: Annotated[int, typer.Option(min=2, metavar="N", help="Held-out frames that are painted, at most.")] = 300,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Put trained performers, or videos of one dance, beside each other and the truth.

    Performers of the same footage are measured on what was held out of it; videos against the one given with --truth,
    whose size, rate and length they must have. DIR/compare.html shows strips of body and face, with the differences
    from the truth, and every figure, the best marked.
    """
    with session("compare", as_json, debug) as current:
        from everybody_dance.workflows.compare import CompareRequest
        from everybody_dance.workflows.compare import compare as work

        request = CompareRequest(
            candidates=tuple(candidates),
            truth=truth,
            out=out,
            frames=frames,
            device=device,
            command=("dance", *sys.argv[1:]),
        )
        tell_measured(current, work(request))
