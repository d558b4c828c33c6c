"""``dance export``: a trained person's networks for other programs and machines."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import session


class Format(StrEnum):
    """What is written."""

    ONNX = "onnx"
    OPENVINO = "openvino"


def export(
    subject: Annotated[
        Path, typer.Argument(help="Folder of a trained subject, or a performer's model folder.", metavar="SUBJECT")
    ],
    out: Annotated[
        Path, typer.Option("--out", help="The folder to write, new or empty.", metavar="DIR", show_default=False)
    ],
    to: Annotated[Format, typer.Option(help="The format.")] = Format.ONNX,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="With --to openvino: the painter computes in 8-bit integers, which is faster."),
    ] = False,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Write the trained person's networks for other programs and machines.

    DIR/export.json says what goes into them and comes out of them.
    """
    with session("export", as_json, debug) as current:
        from everybody_dance.workflows.export import ExportRequest
        from everybody_dance.workflows.export import export as work

        done = work(ExportRequest(performer=subject, out=out, to=to, int8=int8))
        if done.trial is not None:
            current.metrics["beside_pytorch"] = asdict(done.trial)
            current.say(
                f"In 8-bit integers the painter is {done.trial.speedup:.1f} times as fast as PyTorch here; SSIM of its"
                f" pictures and PyTorch's is {done.trial.ssim:.4f}."
            )
        current.say(f"Done: {', '.join(done.networks.values())} and export.json in {out}")
