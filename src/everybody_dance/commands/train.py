"""``dance train``: a subject to a performer, measured on what was held out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import Session, session
from everybody_dance.training.config import TrainConfig
from everybody_dance.workflows.requests import TrainRequest

if TYPE_CHECKING:
    from everybody_dance.evaluation.held_out import Evaluation
    from everybody_dance.workflows.train import TrainResult

DEFAULTS = TrainConfig()


def train(
    subject: Annotated[Path, typer.Argument(help="Folder that `dance prepare` made.", metavar="SUBJECT")],
    preset: options.Preset = options.FAST,
    minutes: options.Minutes = None,
    steps: Annotated[int | None, typer.Option(min=1, metavar="N", help="Steps in all, instead of --minutes.")] = None,
    device: options.Device = DEFAULTS.device,
    seed: options.Seed = DEFAULTS.seed,
    vgg_weights: options.VggWeights = None,
    refine: options.Refine = options.AUTO,
    no_temporal: Annotated[
        bool, typer.Option("--no-temporal", help="Paint frame by frame, without temporal smoothing.")
    ] = False,
    no_warm_start: Annotated[
        bool,
        typer.Option("--no-warm-start", help="Begin with fresh weights, not those learnt on rendered dancers."),
    ] = False,
    no_face: Annotated[bool, typer.Option("--no-face", help="Do not refine the face.")] = False,
    download_vgg: Annotated[
        bool, typer.Option("--download-vgg", help="Download VGG-19 for the perceptual loss (548 MB, once).")
    ] = False,
    restart: options.Restart = False,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Train a performer of the subject.

    It takes 20 minutes unless told otherwise; the same command again goes on from where it stopped. At the end the
    performer dances the frames that were held out, and is measured against them.
    """
    with session("train", as_json, debug) as current:
        named = options.parts(refine)
        if no_face:
            named = tuple(part for part in named or () if part != "face")
        config = TrainConfig(
            preset=preset,
            minutes=minutes,
            steps=steps,
            refine=named,
            temporal=not no_temporal,
            warm_start=not no_warm_start,
            seed=seed,
            device=device,
            vgg_weights=vgg_weights,
        )
        from everybody_dance.workflows.train import train as work

        result = work(TrainRequest(subject=subject, config=config, begin_again=restart, download_vgg=download_vgg))
        tell_trained(current, result)
        current.say(f"Trained: {subject / 'model'}. Next: dance transfer {subject} SOURCE --out OUT.mp4")


def tell_trained(current: Session, result: "TrainResult") -> None:
    """Report what was trained, and how good it is."""
    current.metrics |= result.figures()
    if result.held_out:
        current.say("Likeness to frames it never saw (SSIM in the person's box; 1 is equal):")
        tell_scores(current, result.held_out)


def tell_scores(current: Session, evaluation: "Evaluation") -> None:
    """One line each for the result and what it has to beat."""
    from everybody_dance.evaluation.held_out import TITLES

    for name, title in TITLES.items():
        score = evaluation.get(name, {}).get("body", {}).get("ssim")
        if score is not None:
            current.say(f"  {title:<24}{score:.3f}")
