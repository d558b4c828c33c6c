"""``dance live``: the trained person does what somebody in front of a camera does."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import session
from everybody_dance.synthesis.config import LiveConfig

if TYPE_CHECKING:
    from everybody_dance.workflows.live import Watch

DEFAULTS = LiveConfig()
SMOOTHING = options.Smoothing(DEFAULTS.smoothing)
WHOSE_BONES = options.WhoseBones(DEFAULTS.bones)


def live(
    subject: Annotated[
        Path, typer.Argument(help="Folder of a trained subject, or a performer's model folder.", metavar="SUBJECT")
    ],
    camera: Annotated[
        str,
        typer.Option(
            help="Who is danced after: a camera's number, a video file, which plays in real time, or an address.",
            metavar="N|FILE|URL",
        ),
    ] = "0",
    loop: Annotated[bool, typer.Option("--loop", help="With a file as camera: begin anew at its end.")] = False,
    out: options.Recording = None,
    window: Annotated[
        bool, typer.Option("--window", help="Show it in a window of this program; its keys are in the window's title.")
    ] = False,
    mirror: Annotated[bool, typer.Option("--mirror", help="Show what a mirror shows.")] = DEFAULTS.mirror,
    background: Annotated[
        str | None,
        typer.Option(
            help="What to dance in front of: a picture or #RRGGBB; by default the place of the footage.",
            metavar="FILE|#RRGGBB",
            show_default=False,
        ),
    ] = DEFAULTS.background,
    smoothing: Annotated[
        options.Smoothing, typer.Option(help="Smooth the motion over time; both and median lag behind more.")
    ] = SMOOTHING,
    bones: options.Bones = WHOSE_BONES,
    label: Annotated[bool, typer.Option("--label", help="Write on every picture that an AI made it.")] = DEFAULTS.label,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Stand in front of a camera, and the trained person does what you do. Ctrl-C ends it.

    A recording is finished and kept however the show ends.
    """
    with session("live", as_json, debug) as current:
        config = LiveConfig(smoothing=smoothing, bones=bones, mirror=mirror, background=background, label=label)
        from everybody_dance.workflows.live import LiveRequest
        from everybody_dance.workflows.live import live as work

        watch: Watch | None = None
        if window:
            from everybody_dance.commands.window import check_screen, show_in_window

            check_screen()
            watch = show_in_window
        request = LiveRequest(performer=subject, camera=camera, loop=loop, out=out, config=config, device=device)
        done = work(request, watch=watch)
        middle, high = done.latency
        current.metrics["live"] = {
            "seconds": done.seconds,
            "frames": done.frames,
            "shown": done.shown,
            "dropped": done.dropped,
            "rate": done.rate,
            "latency_ms": {"50": middle, "95": high},
            "stages_ms": done.stages,
        }
        current.say(
            f"{done.shown} pictures of {done.frames} frames, {done.rate:.1f} a second; from frame to picture"
            f" {middle:.0f} ms, and in 95 of 100 cases at most {high:.0f} ms."
        )
        for path in done.recordings:
            current.say(f"Recorded: {path}")
