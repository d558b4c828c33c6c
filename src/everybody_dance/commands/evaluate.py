"""``dance evaluate``: every figure of a trained performer on footage it never saw, as a report."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import Session, session
from everybody_dance.workflows.requests import EvaluateRequest

if TYPE_CHECKING:
    from everybody_dance.workflows.evaluate import Measured


def evaluate(
    subject: Annotated[Path, typer.Argument(help="A trained subject.", metavar="SUBJECT")],
    frames: Annotated[int, typer.Option(min=2, metavar="N", help="Held-out frames that are painted, at most.")] = 300,
    device: options.Device = "auto",
    vgg_weights: options.VggWeights = None,
    lpips_weights: options.LpipsWeights = None,
    download_lpips: options.DownloadLpips = False,
    ablation: Annotated[
        bool,
        typer.Option("--ablation", help="Train and compare: frame by frame, with temporal smoothing, with face GAN."),
    ] = False,
    preset: options.Preset = options.FAST,
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="Steps of each training of the ablation.")] = 3000,
    seeds: Annotated[int, typer.Option(min=1, metavar="K", help="Trainings of each kind.")] = 1,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Measure a performer on the footage that was held out, beside the closest training frame and the empty place.

    Likeness (SSIM, PSNR and, where weights are at hand, LPIPS and the distance of VGG-19 features) and flicker in the
    body's box, the face's box and the whole frame; how far the pose that is found in the result lies from the one it
    was given; how sharp the person, the face and the hands are; and whether the performer is steady.
    SUBJECT/evaluation/report.html shows all of it, with pictures.

    With --ablation the paper's three variants are trained for equally many steps (in SUBJECT/ablation) and compared.
    """
    with session("evaluate", as_json, debug) as current:
        from everybody_dance.workflows.evaluate import AblationRequest
        from everybody_dance.workflows.evaluate import evaluate as work

        request = EvaluateRequest(
            subject=subject,
            frames=frames,
            device=device,
            vgg_weights=vgg_weights,
            lpips_weights=lpips_weights,
            download_lpips=download_lpips,
            command=("dance", *sys.argv[1:]),
        )
        if ablation:
            request = AblationRequest(**vars(request), preset=preset, steps=steps, seeds=seeds)
        tell_measured(current, work(request))


def tell_measured(current: Session, measured: "Measured") -> None:
    """Report what was measured."""
    current.metrics |= measured.figures
    current.say(measured.page.markdown())
    current.say(f"With pictures: {measured.html}")
