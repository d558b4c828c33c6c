"""``dance live``: the trained person does what somebody in front of a camera does."""

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import session
from everybody_dance.errors import UsageError
from everybody_dance.pose.options import LARGEST, PLACES
from everybody_dance.synthesis.config import LiveConfig

if TYPE_CHECKING:
    from everybody_dance.synthesis.live import Live
    from everybody_dance.video.capture import Camera

BROWSER = "browser"
"""The value of ``--camera`` with which the page brings the frames."""

TICK = 0.1
"""Seconds between looks whether the show is over."""

Whom = StrEnum("Whom", [(name.upper(), name) for name in (LARGEST, *PLACES)])  # type: ignore[misc]
DEFAULTS = LiveConfig()
SMOOTHING = options.Smoothing(DEFAULTS.smoothing)
WHOM = Whom(DEFAULTS.person)
WHOSE_BONES = options.WhoseBones(DEFAULTS.bones)


def live(
    subject: Annotated[
        Path, typer.Argument(help="Folder of a trained subject, or a performer's model folder.", metavar="SUBJECT")
    ],
    camera: Annotated[
        str,
        typer.Option(
            help="Whom to follow: a camera's number, a video file, which plays in real time, an address, or"
            " browser for the camera of the device on which the page is open.",
            metavar="N|FILE|URL|browser",
        ),
    ] = "0",
    loop: Annotated[bool, typer.Option("--loop", help="With a file as camera: begin anew at its end.")] = False,
    out: options.Recording = None,
    window: Annotated[
        bool, typer.Option("--window", help="Show it in a window, whose title lists its keys, instead of the browser.")
    ] = False,
    person: Annotated[Whom, typer.Option(help="Who is followed where several people are seen.")] = WHOM,
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
    host: options.Host = options.LOCAL,
    port: options.Port = 0,
    certificate: options.Certificate = None,
    key: options.CertificateKey = None,
    browser: options.OpenBrowser = True,
    device: options.Device = "auto",
    runtime: options.Runtime = options.FASTEST,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Stand in front of a camera, and the trained person does what you do. Ctrl-C ends it.

    A recording is finished and kept however the show ends.
    """
    with session("live", as_json, debug) as current:
        config = LiveConfig(
            smoothing=smoothing, bones=bones, person=person, mirror=mirror, background=background, label=label
        )
        from everybody_dance.workflows.live import LiveRequest
        from everybody_dance.workflows.live import live as work

        source: str | Camera = camera
        if window:
            from everybody_dance.commands.window import check_screen, show_in_window

            if camera == BROWSER:
                raise UsageError("browser-and-window", "--camera browser needs the page: leave --window out.")
            check_screen()
            watch = show_in_window
        else:
            from everybody_dance.video.capture import PushedCamera
            from everybody_dance.web.live import check_serving, serve

            pushed = PushedCamera() if camera == BROWSER else None
            source = camera if pushed is None else pushed
            check_serving(host, port, certificate, key, with_camera=pushed is not None)

            def watch(show: "Live") -> None:
                with serve(
                    show,
                    camera=pushed,
                    host=host,
                    port=port,
                    certificate=certificate,
                    key=key,
                    open_browser=browser,
                ) as address:
                    current.say(f"The show is at {address}\nCtrl-C ends it.")
                    while not show.over:
                        time.sleep(TICK)

        request = LiveRequest(
            performer=subject, camera=source, loop=loop, out=out, config=config, device=device, runtime=runtime
        )
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
