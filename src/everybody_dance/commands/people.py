"""``dance people``: who is in a video."""

from pathlib import Path
from typing import Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import session


def people(
    video: Annotated[Path, typer.Argument(help="Video of several people.", metavar="VIDEO")],
    out: Annotated[
        Path,
        typer.Option("--out", help="The picture to write.", metavar="OUT.jpg|OUT.png", show_default=False),
    ],
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Show who is in a video, each with the number by which --person chooses them.

    Number 1 is the most prominent, by height and time.
    """
    with session("people", as_json, debug) as current:
        from everybody_dance.workflows.people import PeopleRequest
        from everybody_dance.workflows.people import people as work

        found = work(PeopleRequest(video=video, out=out))
        current.metrics["people"] = found.figures()
        for person in found.people:
            current.say(
                f"Person {person.number}: seen for {person.seconds:.1f} s, usually at {person.place:.0%} of the width"
                f" from the left, {person.height:.0%} of the picture tall."
            )
        current.say(f"Done: {out}" if found.people else f"Nobody is seen in {video}.")
