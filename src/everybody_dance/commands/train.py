"""``dance train``: a subject to a performer, measured on what was held out."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import Session, first_process, session
from everybody_dance.errors import UsageError
from everybody_dance.files import write_text

if TYPE_CHECKING:
    from everybody_dance.evaluation.held_out import Evaluation
    from everybody_dance.performer.performer import Performer
    from everybody_dance.subject.subject import Subject
    from everybody_dance.training.loop import TrainingProgress


def train(
    subject: Annotated[Path, typer.Argument(help="Folder that `dance prepare` made.", metavar="SUBJECT")],
    preset: options.Preset = options.PresetName.FAST,
    minutes: options.Minutes = None,
    steps: Annotated[int | None, typer.Option(min=1, metavar="N", help="Steps in all, instead of --minutes.")] = None,
    device: options.Device = "auto",
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of fresh weights and the order of samples.")] = 0,
    vgg_weights: options.VggWeights = None,
    refine: options.Refine = "face",
    no_temporal: Annotated[
        bool, typer.Option("--no-temporal", help="Paint frame by frame, without temporal smoothing.")
    ] = False,
    no_face: Annotated[bool, typer.Option("--no-face", help="Do not refine the face: --refine without it.")] = False,
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
        if minutes is not None and steps is not None:
            raise UsageError("steps-and-minutes", "Give either --steps or --minutes, not both.")
        if vgg_weights is not None and download_vgg:
            raise UsageError("two-weights", "Give either --vgg-weights or --download-vgg, not both.")
        from everybody_dance.subject.subject import Subject

        prepared = Subject.open(subject)
        if vgg_weights is not None:
            options.check_files(vgg_weights)
        elif download_vgg:
            vgg_weights = _downloaded(current)
        performer = train_performer(
            current,
            prepared,
            preset,
            minutes=minutes,
            steps=steps,
            device=device,
            seed=seed,
            vgg_weights=vgg_weights,
            restart=restart,
            refine="hands" if no_face and "hands" in refine else "none" if no_face else refine,
            temporal=not no_temporal,
        )
        if not first_process():
            return
        current.metrics |= measure_held_out(current, prepared, performer)
        current.say(f"Trained: {subject / 'model'}. Next: dance transfer {subject} SOURCE --out OUT.mp4")


def train_performer(
    current: Session,
    subject: "Subject",
    preset: options.PresetName,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    device: str = "auto",
    seed: int = 0,
    vgg_weights: Path | None = None,
    restart: bool = False,
    refine: str = "face",
    temporal: bool = True,
) -> "Performer":
    """Train or go on training, with progress."""
    from everybody_dance.drawing.crops import PARTS
    from everybody_dance.training.loop import train
    from everybody_dance.training.presets import PRESETS, frame_by_frame

    how = PRESETS[preset] if temporal else frame_by_frame(PRESETS[preset])
    worked = False
    with current.stage("Training") as stage:

        def on_progress(at: "TrainingProgress") -> None:
            nonlocal worked
            worked = True
            loss = f", loss {at.losses['total']:.3f}" if "total" in at.losses else ""
            detail = f"{at.steps_per_second:.1f} steps a second{loss}"
            if at.stage != "main":
                detail += f", stage {at.stage}"
            stage(at.step, at.total_steps, detail, at.seconds_left)

        performer = train(
            subject,
            how,
            refined=[part for part in PARTS if part in refine],
            steps=steps,
            minutes=minutes,
            device=device,
            seed=seed,
            vgg_weights=vgg_weights,
            restart=restart,
            on_progress=on_progress,
        )
    if not worked:
        current.remark(
            f"Nothing was left to train after {performer.manifest.steps} steps; more --minutes or --steps train on."
        )
    current.wrote("model", subject.folder / "model")
    current.metrics["steps"] = performer.manifest.steps
    return performer


def measure_held_out(current: Session, subject: "Subject", performer: "Performer") -> "Evaluation":
    """The performer beside its baselines on held-out frames: said, returned, and written to the subject's folder."""
    from everybody_dance.evaluation.held_out import evaluate_held_out

    with current.stage("Measuring on held-out frames") as stage:
        evaluation = evaluate_held_out(subject, performer, on_progress=stage)
    if evaluation:
        path = subject.folder / "training" / "metrics.json"
        write_text(path, json.dumps(evaluation, indent=2) + "\n")
        current.wrote("metrics", path)
        current.say("Likeness to frames it never saw (SSIM in the person's box; 1 is equal):")
        say_scores(current, evaluation)
    return evaluation


def say_scores(current: Session, evaluation: "Evaluation") -> None:
    """One line each for the result and what it has to beat."""
    from everybody_dance.evaluation.held_out import TITLES

    for name, title in TITLES.items():
        score = evaluation.get(name, {}).get("body", {}).get("ssim")
        if score is not None:
            current.say(f"  {title:<24}{score:.3f}")


def _downloaded(current: Session) -> Path:
    from everybody_dance.networks.vgg import download_vgg19, find_vgg19_weights

    found = find_vgg19_weights()
    if found is not None:
        return found
    with current.stage("Downloading VGG-19 (bytes)") as stage:
        return download_vgg19(on_progress=stage)
