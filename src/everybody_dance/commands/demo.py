"""``dance demo``: the whole way with two rendered dancers, whose true answer is known."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import Session, session
from everybody_dance.commands.prepare import prepare_subject
from everybody_dance.commands.train import measure_held_out, say_scores, train_performer
from everybody_dance.commands.transfer import find_dance, transfer_to
from everybody_dance.files import write_text

if TYPE_CHECKING:
    from everybody_dance.evaluation.held_out import Evaluation
    from everybody_dance.subject.subject import Subject

DEFAULT_FOLDER = Path("dance-demo")
DEFAULT_MINUTES = 4.5


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for everything the demo makes.")] = DEFAULT_FOLDER,
    minutes: options.Minutes = DEFAULT_MINUTES,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Try everything on two rendered dancers.

    Trains one of them and makes her dance the other's dance, in a few minutes and without any download.
    """
    with session("demo", as_json, debug) as current:
        from everybody_dance.dancers.clips import CLIPS

        result, comparison, metrics = out / "result.mp4", out / "comparison.mp4", out / "metrics.json"
        options.check_out(result)
        subject = prepare_subject(current, [CLIPS.target], out / "subject")
        performer = train_performer(current, subject, options.PresetName.FAST, minutes=minutes)
        held_out = measure_held_out(current, subject, performer)
        done = transfer_to(current, performer, CLIPS.source, result, compare=True, truth=CLIPS.truth)
        assert done.comparison is not None
        os.replace(done.comparison, comparison)
        current.wrote("comparison", comparison)
        evaluation = _compared_with_truth(current, subject, result, CLIPS.source, CLIPS.truth)
        write_text(metrics, json.dumps({**evaluation, "held_out": held_out}, indent=2) + "\n")
        current.wrote("metrics", metrics)
        current.metrics |= {**evaluation, "held_out": held_out}
        current.say(f"\nThe demo is done. In {out}:")
        current.say("  result.mp4      the first dancer, painted from poses alone, dances the second dancer's dance")
        current.say("  comparison.mp4  the second dancer, their pose, the result, and what is true, side by side")
        current.say("  metrics.json    all the figures")
        current.say("Likeness to the truth (SSIM in the person's box; 1 is equal, and the result should lead):")
        say_scores(current, evaluation)
        current.say("Next, with videos of your own: dance run SOURCE.mp4 TARGET.mp4 --out OUT.mp4")


def _compared_with_truth(current: Session, subject: "Subject", result: Path, source: Path, truth: Path) -> "Evaluation":
    """The transfer as the user sees it, and both baselines, beside the truth."""
    from everybody_dance.evaluation.held_out import evaluate_transfer
    from everybody_dance.pose.detection import detect_video
    from everybody_dance.video.reader import VideoReader

    size = subject.manifest.size
    dance = find_dance(current, subject, source)
    with current.stage("Finding the true dancer") as stage:
        true_keypoints = detect_video(truth, on_progress=stage).keypoints
    with (
        current.stage("Measuring the transfer") as stage,
        VideoReader(result, size=size) as results,
        VideoReader(truth, fps=results.fps, size=size) as truths,
    ):
        return evaluate_transfer(results, truths, true_keypoints, dance.placed, subject, on_progress=stage)
