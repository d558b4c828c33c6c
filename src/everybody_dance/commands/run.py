"""``dance run``: two videos to a third, in one command."""

from pathlib import Path
from typing import Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import session
from everybody_dance.commands.prepare import tell_prepared
from everybody_dance.commands.train import tell_trained
from everybody_dance.commands.transfer import DEFAULTS, STAYS, WHOSE_BONES, tell_transferred
from everybody_dance.pose.options import LARGEST
from everybody_dance.retarget.options import Landing
from everybody_dance.synthesis.config import TransferConfig
from everybody_dance.training.config import DEFAULT_MINUTES, TrainConfig


def run(
    source: Annotated[Path, typer.Argument(help="Video of somebody dancing.", metavar="SOURCE")],
    target: Annotated[Path, typer.Argument(help="Video of the person who is to dance it.", metavar="TARGET")],
    out: options.OutResult,
    subject: Annotated[
        Path | None,
        typer.Option(help="Folder for the prepared and trained target; beside OUT by default.", metavar="DIR"),
    ] = None,
    minutes: options.Minutes = DEFAULT_MINUTES,
    preset: options.Preset = options.FAST,
    person: options.SourcePerson = DEFAULTS.person,
    target_person: options.TargetPerson = LARGEST,
    bones: options.Bones = WHOSE_BONES,
    scale: options.Scale = STAYS.scale,
    shift: options.Shift = STAYS.shift,
    floor: options.Floor = STAYS.floor,
    background: options.Background = DEFAULTS.background,
    shadow: options.ShadowChoice = options.KEEP,
    device: options.Device = "auto",
    restart: options.Restart = False,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Make TARGET's person dance SOURCE's dance.

    Prepares, trains and transfers; what is done already is picked up.
    """
    with session("run", as_json, debug) as current:
        from everybody_dance.workflows.run import RunRequest
        from everybody_dance.workflows.run import run as work

        training = TrainConfig(preset=preset, minutes=minutes, device=device)
        request = RunRequest(
            source=source,
            target=target,
            out=out,
            subject=subject,
            target_person=target_person,
            training=training,
            transfer=TransferConfig(
                person=person,
                bones=bones,
                landing=Landing(scale=scale, shift=shift, floor=floor),
                background=background,
                shadow=shadow == options.KEEP,
            ),
            begin_again=restart,
        )
        done = work(request)
        tell_prepared(current, done.prepared)
        tell_trained(current, done.trained)
        tell_transferred(current, done.transferred)
        current.say(f"Done: {out}. The trained person is kept in {request.folder}.")
