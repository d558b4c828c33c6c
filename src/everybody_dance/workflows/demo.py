"""The whole way with two rendered dancers, whose true answer is known."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from everybody_dance import events
from everybody_dance.dancers.clips import CLIPS
from everybody_dance.evaluation.held_out import Evaluation, evaluate_transfer
from everybody_dance.events import Cancellation, Listener, listening
from everybody_dance.files import check_outputs, write_text
from everybody_dance.jsonio import dumps
from everybody_dance.pose.detection import detect_video
from everybody_dance.synthesis.config import TransferConfig
from everybody_dance.synthesis.transfer import Transfer
from everybody_dance.training.config import TrainConfig
from everybody_dance.video.reader import VideoReader
from everybody_dance.workflows.prepare import PrepareResult, prepare
from everybody_dance.workflows.requests import PrepareRequest, TrainRequest
from everybody_dance.workflows.train import TrainResult, train
from everybody_dance.workflows.transfer import find_dance, paint

DEMO_MINUTES = 2.0


@dataclass(frozen=True, kw_only=True)
class DemoRequest:
    """The demo.

    Attributes:
        out: folder for everything it makes.
        training: how long.
    """

    out: Path
    training: TrainConfig = field(default_factory=lambda: TrainConfig(minutes=DEMO_MINUTES))


@dataclass(frozen=True)
class DemoResult:
    """What came of it; ``scores`` are of the transfer, beside both baselines, against the truth."""

    prepared: PrepareResult
    trained: TrainResult
    transferred: Transfer
    scores: Evaluation


def demo(
    request: DemoRequest, listener: Listener | None = None, cancellation: Cancellation | None = None
) -> DemoResult:
    """Train one rendered dancer and make her dance the other's dance, then compare with the truth.

    Args:
        request: where, and how long.
        listener: told findings, progress and artifacts.
        cancellation: lets another thread stop it; the same call continues.
    """
    out = request.out
    result, comparison, metrics = out / "result.mp4", out / "comparison.mp4", out / "metrics.json"
    with listening(listener, cancellation):
        check_outputs([result, comparison, metrics])
        prepared = prepare(PrepareRequest(footage=(CLIPS.target,), subject=out / "subject"))
        trained = train(TrainRequest(subject=out / "subject", config=request.training))
        performer, subject = trained.performer, prepared.subject
        dance = find_dance(CLIPS.source, performer.manifest.statistics, performer.manifest.size, TransferConfig())
        beside = result.with_suffix(".comparison.mp4")
        done = paint(performer, dance, result, comparison=beside, truth=CLIPS.truth)
        os.replace(beside, comparison)
        events.wrote("comparison", comparison)
        with events.stage("Finding the true dancer") as stage:
            true_keypoints = detect_video(CLIPS.truth, on_progress=stage).keypoints
        with (
            events.stage("Measuring the transfer") as stage,
            VideoReader(result, size=subject.manifest.size) as results,
            VideoReader(CLIPS.truth, fps=results.fps, size=subject.manifest.size) as truths,
        ):
            scores = evaluate_transfer(results, truths, true_keypoints, dance.placed, subject, on_progress=stage)
        write_text(metrics, dumps({**scores, "held_out": trained.held_out}, indent=2) + "\n")
        events.wrote("metrics", metrics)
        return DemoResult(prepared, trained, done, scores)
