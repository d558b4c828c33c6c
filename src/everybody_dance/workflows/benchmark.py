"""Benchmarks: transfers whose right answer is known, the paper's limits as curves, and the speed of training."""

from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from everybody_dance import events
from everybody_dance.dancers.clips import CLIPS
from everybody_dance.evaluation import known_truth, limits
from everybody_dance.evaluation.gallery import Gallery
from everybody_dance.evaluation.held_out_report import metrics_at_hand
from everybody_dance.evaluation.results import plain, provenance
from everybody_dance.evaluation.speed import TrainingSpeed, training_speed
from everybody_dance.events import Cancellation, Listener, listening
from everybody_dance.performer.device import usable_device
from everybody_dance.performer.performer import Performer
from everybody_dance.pose.detection import detect_video
from everybody_dance.subject.subject import Subject
from everybody_dance.training.config import TrainConfig
from everybody_dance.training.presets import AS_FILMED, PRESETS
from everybody_dance.video.reader import VideoReader
from everybody_dance.workflows.evaluate import Measured, same_detector, weights_at_hand, write_report
from everybody_dance.workflows.prepare import prepare
from everybody_dance.workflows.requests import PrepareRequest, TrainRequest
from everybody_dance.workflows.train import train, train_with_progress

BENCHMARK_MINUTES = 4.5
"""Of each training, unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class LimitsRequest:
    """The three limits that the paper admits: noisy joints, missed joints, another speed.

    Attributes:
        out: folder for subjects and the report.
        seconds: of the dance.
        training: of each of the two performers.
        command: how the user asked for it, for the report.
    """

    out: Path
    seconds: float = 4.0
    training: TrainConfig = field(default_factory=lambda: TrainConfig(minutes=BENCHMARK_MINUTES))
    command: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class KnownTruthRequest:
    """Transfers between rendered dancers, whose right answer is known.

    Attributes:
        out: folder for videos, subjects and the report.
        pairs: how many of the 14 transfers.
        seconds: of each dance.
        training: of each target.
        command: how the user asked for it, for the report.
    """

    out: Path
    pairs: int = 8
    seconds: float = 5.0
    training: TrainConfig = field(default_factory=lambda: TrainConfig(minutes=BENCHMARK_MINUTES))
    command: tuple[str, ...] = ()


def measure_limits(
    request: LimitsRequest, listener: Listener | None = None, cancellation: Cancellation | None = None
) -> Measured:
    """Put errors into the demo's dance and compare the result with the truth, with and without the remedies.

    Two performers are trained, one of them on the footage as filmed. The same call again goes on.
    """
    with listening(listener, cancellation):
        folders = {True: request.out / "limits", False: request.out / "limits" / "as-filmed"}
        subject = prepare(PrepareRequest(footage=(CLIPS.target,), subject=folders[True])).subject
        config = replace(request.training, preset="fast", refine=())
        performer, _ = train_with_progress(subject, config, folder=folders[True])
        plainly, _ = train_with_progress(
            subject,
            replace(
                config,
                preset=replace(PRESETS["fast"], variety=AS_FILMED),
                steps=performer.manifest.steps,
                minutes=None,
            ),
            title="Training without remedies",
            folder=folders[False],
        )
        performers = {True: performer, False: plainly}
        found, galleries, count = _limits(subject, performers, request.seconds)
        made = provenance(
            request.command,
            {"all remedies": (folders[True], performer), "no remedies": (folders[False], plainly)},
        )
        page = limits.report(found, galleries, made, frames=count, steps=performer.manifest.steps)
        return write_report(request.out, "limits", page, {"limits": [vars(entry) for entry in found]}, made)


def _limits(
    subject: Subject, performers: dict[bool, Performer], seconds: float
) -> tuple[list[limits.Measured], dict[str, Gallery], int]:
    """What was measured at each level of each error, pictures of some, and the frames of the dance."""
    with events.stage("Finding the dance in the source"):
        source, truth = (detect_video(clip).keypoints for clip in (CLIPS.source, CLIPS.truth))
    count = min(round(seconds * source.fps), len(source), len(truth))
    size = subject.manifest.size
    true_keypoints = truth.scaled_to(size)[:count]
    with VideoReader(CLIPS.truth, size=size) as reader:
        pictures = list(islice(reader, count))
    found, galleries = list[limits.Measured](), dict[str, Gallery]()
    for kind, levels in limits.LEVELS.items():
        for level in levels:
            with events.stage(f"Measuring: {kind} {level:g}") as stage:
                measured, gallery = limits.measure(
                    kind, level, source[:count], pictures, true_keypoints, performers, on_progress=stage
                )
            found += measured
            if (kind, level) in limits.SHOWN:
                galleries[limits.SHOWN[kind, level]] = gallery
    return found, galleries, count


def measure_known_truth(
    request: KnownTruthRequest, listener: Listener | None = None, cancellation: Cancellation | None = None
) -> Measured:
    """Transfer between rendered dancers and compare with the target really dancing it.

    Each error is split: how far the pose lands from the true one, and what is wrong with the picture given the true
    pose. The same call again goes on.
    """
    with listening(listener, cancellation):
        metrics = metrics_at_hand(usable_device(request.training.device), *weights_at_hand())
        studio = known_truth.Studio(request.out / "videos", request.seconds)
        chosen = known_truth.PAIRS[: request.pairs]
        with events.stage("Rendering the dancers") as stage:
            for pair in chosen:
                studio.dance(pair.source, pair.dance, pair.far, stage)
                studio.dance(pair.target, pair.dance, on_progress=stage)
            footage = {name: studio.training(name, stage) for name in dict.fromkeys(pair.target for pair in chosen)}
        subjects, trained = dict[str, Subject](), dict[str, tuple[Path, Performer]]()
        for name, video in footage.items():
            events.remark("target", f"Target: {name}")
            place = request.out / name
            subjects[name] = prepare(PrepareRequest(footage=(video,), subject=place)).subject
            trained[name] = place, train(TrainRequest(subject=place, config=request.training)).performer
        found = []
        for pair in chosen:
            with events.stage(f"Measuring {pair}") as stage:
                target, performer = subjects[pair.target], trained[pair.target][1]
                detector = same_detector(target)
                found.append(
                    known_truth.measure(
                        pair, studio, target, performer, metrics=metrics, detector=detector, on_progress=stage
                    )
                )
        figures = {
            "pairs": [
                {
                    **vars(outcome.pair),
                    "figures": plain(outcome.figures),
                    "placement": vars(outcome.placement),
                    "lost_by_place": outcome.lost_by_place,
                    "lost_by_look": outcome.lost_by_look,
                }
                for outcome, _ in found
            ]
        }
        made = provenance(request.command, trained)
        steps = {name: performer.manifest.steps for name, (_, performer) in trained.items()}
        return write_report(request.out, "transfer", known_truth.report(found, made, steps=steps), figures, made)


def measure_training_speed(
    subject: Path,
    preset: str,
    steps: int,
    device: str = "auto",
    listener: Listener | None = None,
    cancellation: Cancellation | None = None,
) -> list[TrainingSpeed]:
    """Training pairs a second with our engine, and without what makes it fast; nothing is written.

    Args:
        subject: folder of a prepared subject.
        preset: a name in ``PRESETS``.
        steps: that are timed with each engine.
        device: where to compute.
        listener, cancellation: as in the other workflows.
    """
    with listening(listener, cancellation):
        prepared, chosen = Subject.open(subject), usable_device(device)
        with events.stage("Training with each engine") as stage:
            return training_speed(prepared, PRESETS[preset], chosen, steps, on_progress=stage)
