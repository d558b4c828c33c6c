"""``dance transfer``: the trained person dances what somebody else danced."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import Session, session
from everybody_dance.errors import UsageError
from everybody_dance.pose.options import ALL
from everybody_dance.retarget.options import Landing
from everybody_dance.synthesis.config import TransferConfig
from everybody_dance.workflows.requests import PreviewRequest, TransferRequest

if TYPE_CHECKING:
    from everybody_dance.synthesis.transfer import Transfer

DEFAULTS = TransferConfig()
SMOOTHING = options.Smoothing(DEFAULTS.smoothing)
STAYS = DEFAULTS.landing
WHOSE_BONES = options.WhoseBones(DEFAULTS.bones)


def transfer(
    subject: Annotated[
        Path, typer.Argument(help="Folder of a trained subject, or a performer's model folder.", metavar="SUBJECT")
    ],
    source: Annotated[Path, typer.Argument(help="Video of somebody dancing.", metavar="SOURCE")],
    out: options.OutResult,
    pose: options.Pose = DEFAULTS.pose,
    person: options.SourcePeople = DEFAULTS.person,
    others: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            help="Another trained subject who dances along in the place of the first, and whom of SOURCE they follow;"
            " as often as needed.",
            metavar="SUBJECT:N",
            callback=options.members,
        ),
    ] = None,
    smooth: Annotated[options.Smoothing, typer.Option(help="Smooth the source's motion over time.")] = SMOOTHING,
    compare: Annotated[
        bool, typer.Option("--compare", help="Also write OUT.comparison.mp4: source, pose and result side by side.")
    ] = False,
    preview_normalization: Annotated[
        bool,
        typer.Option(
            "--preview-normalization",
            help="Only write OUT.normalization.mp4: where the dance will land in the subject's place, in seconds.",
        ),
    ] = False,
    no_normalize: Annotated[
        bool, typer.Option("--no-normalize", help="Leave the dance where it is, instead of fitting it to the subject.")
    ] = False,
    bones: options.Bones = WHOSE_BONES,
    scale: options.Scale = STAYS.scale,
    shift: options.Shift = STAYS.shift,
    floor: options.Floor = STAYS.floor,
    background: options.Background = DEFAULTS.background,
    shadow: options.ShadowChoice = options.KEEP,
    device: options.Device = "auto",
    runtime: options.Runtime = options.PYTORCH,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Make the trained person dance SOURCE's dance."""
    with session("transfer", as_json, debug) as current:
        several = bool(others) or person == ALL
        if preview_normalization and (compare or no_normalize or background is not None or several):
            raise UsageError(
                "preview-alone",
                "--preview-normalization goes with neither --compare nor --no-normalize nor --background, and shows one"
                " dancer.",
            )
        config = TransferConfig(
            pose=pose,
            person=person,
            smoothing=smooth,
            normalize=not no_normalize,
            bones=bones,
            landing=Landing(scale=scale, shift=shift, floor=floor),
            background=background,
            shadow=shadow == options.KEEP,
        )
        from everybody_dance.workflows.transfer import preview
        from everybody_dance.workflows.transfer import transfer as work

        if preview_normalization:
            path = out.with_suffix(".normalization.mp4")
            seen = preview(PreviewRequest(subject=subject, source=source, out=path, config=config))
            current.metrics |= seen.figures()
            current.say(f"Done: {path}. On the left the dance as it is, then where it will land.")
            return
        request = TransferRequest(
            performer=subject,
            source=source,
            out=out,
            members=tuple(map(options.member, others or ())),
            config=config,
            compare=compare,
            device=device,
            runtime=runtime,
        )
        tell_transferred(current, work(request))
        current.say(f"Done: {out}")


def tell_transferred(current: Session, done: "Transfer") -> None:
    """Report what came of a transfer."""
    current.metrics["transfer"] = done.figures()
