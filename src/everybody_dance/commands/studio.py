"""``dance studio``: everything in a browser."""

import threading
from pathlib import Path
from typing import Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import session
from everybody_dance.training.config import TrainConfig

DEFAULTS = TrainConfig()
DEFAULT_FOLDER = Path("dance-studio")


def studio(
    folder: Annotated[
        Path, typer.Option(help="Where people, dances and results are kept; made if it is not there.", metavar="DIR")
    ] = DEFAULT_FOLDER,
    preset: options.Preset = options.FAST,
    device: options.Device = DEFAULTS.device,
    host: options.Host = options.LOCAL,
    port: options.Port = 0,
    certificate: options.Certificate = None,
    key: options.CertificateKey = None,
    browser: options.OpenBrowser = True,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Drop a video of a person, train, dance, go live: all in a browser.

    Ctrl-C ends it, and work goes on at the next start.

    The folder holds people/NAME, which are subjects as every other command knows them, dances and results.
    """
    with session("studio", as_json, debug) as current:
        from everybody_dance.web.server import check_can_serve
        from everybody_dance.web.studio.serve import serve_studio

        check_can_serve(host, port, certificate, key)
        with serve_studio(
            folder,
            training=TrainConfig(preset=preset, device=device),
            host=host,
            port=port,
            certificate=certificate,
            key=key,
            open_browser=browser,
        ) as address:
            current.outputs["studio"] = str(folder)
            current.say(f"Everything is kept in {folder.resolve()}.\nThe studio is at {address}\nCtrl-C ends it.")
            try:
                threading.Event().wait()
            except KeyboardInterrupt:  # the way to end it
                current.say("Stopping. Work that is not done goes on at the next start.")
