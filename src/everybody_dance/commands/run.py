"""``dance run``: two videos to a third, in one command."""

from pathlib import Path
from typing import Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import session
from everybody_dance.commands.prepare import prepare_subject
from everybody_dance.commands.train import measure_held_out, train_performer
from everybody_dance.commands.transfer import find_dance, transfer_to

DEFAULT_MINUTES = 20.0


def run(
    source: Annotated[Path, typer.Argument(help="Video of somebody dancing.", metavar="SOURCE")],
    target: Annotated[Path, typer.Argument(help="Video of the person who is to dance it.", metavar="TARGET")],
    out: options.OutVideo,
    subject: Annotated[
        Path | None,
        typer.Option(help="Folder for the prepared and trained target; beside OUT by default.", metavar="DIR"),
    ] = None,
    minutes: options.Minutes = DEFAULT_MINUTES,
    preset: options.Preset = options.PresetName.FAST,
    device: options.Device = "auto",
    restart: options.Restart = False,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Make TARGET's person dance SOURCE's dance.

    Prepares, trains and transfers; what is done already is picked up.
    """
    with session("run", as_json, debug) as current:
        options.check_files(source, target)
        options.check_out(out, source, target)
        from everybody_dance.video.reader import probe

        # What cannot be read is said now, not after the training.
        probe(source)
        folder = subject or out.with_suffix(".subject")
        prepared = prepare_subject(current, [target], folder)
        find_dance(current, prepared, source)
        performer = train_performer(current, prepared, preset, minutes=minutes, device=device, restart=restart)
        current.metrics |= measure_held_out(current, prepared, performer)
        transfer_to(current, performer, source, out)
        current.say(f"Done: {out}. The trained person is kept in {folder}.")
