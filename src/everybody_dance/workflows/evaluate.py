"""A trained performer measured on footage it never saw, as a report; and the paper's ablation."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from everybody_dance import events
from everybody_dance.errors import DanceError, UsageError
from everybody_dance.evaluation.ablation import ablate, rows
from everybody_dance.evaluation.ablation import report as ablation_report
from everybody_dance.evaluation.gallery import Gallery
from everybody_dance.evaluation.held_out import RESULT, HeldOutDance
from everybody_dance.evaluation.held_out_report import figures, full_scores, metrics_at_hand, report
from everybody_dance.evaluation.metrics import Metric
from everybody_dance.evaluation.pose_distance import FrameDetector
from everybody_dance.evaluation.report import Report
from everybody_dance.evaluation.results import Provenance, append, plain, provenance
from everybody_dance.evaluation.steadiness import steadiness
from everybody_dance.events import Cancellation, Listener, listening
from everybody_dance.files import check_inputs, write_text
from everybody_dance.jsonio import dumps
from everybody_dance.networks.lpips import download_lpips, find_lpips_weights
from everybody_dance.networks.vgg import find_vgg19_weights
from everybody_dance.performer.device import usable_device
from everybody_dance.performer.model_files import load_performer
from everybody_dance.pose.detector_process import FollowingDetector
from everybody_dance.pose.detectors import DETECTORS
from everybody_dance.subject.subject import Subject
from everybody_dance.training.config import TrainConfig
from everybody_dance.workflows.requests import EvaluateRequest


@dataclass(frozen=True, kw_only=True)
class AblationRequest(EvaluateRequest):
    """The paper's three variants, trained for equally many steps (in ``SUBJECT/ablation``) and compared.

    Attributes:
        preset: the full method.
        steps: of the generator, in each variant.
        seeds: trainings of each variant.
    """

    preset: str = "fast"
    steps: int = 3000
    seeds: int = 1


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        page: the report.
        html: its file, with pictures.
        figures: for scripts.
    """

    page: Report
    html: Path
    figures: dict[str, Any]


def evaluate(
    request: EvaluateRequest, listener: Listener | None = None, cancellation: Cancellation | None = None
) -> Measured:
    """Measure a performer on the footage that was held out, beside the nearest training frame and the empty place.

    Likeness and flicker in the body's box, the face's box and the whole frame; how far the pose that is found in the
    result lies from the one it was given; and whether the performer is steady. The report is written to
    ``SUBJECT/evaluation``. An ``AblationRequest`` compares the paper's variants instead.

    Args:
        request: what to measure.
        listener: told findings, progress and artifacts.
        cancellation: lets another thread stop it.

    Raises:
        DanceError: there is no trained subject, or no footage was held out (``nothing-held-out``).
        Cancelled: it was stopped.
    """
    with listening(listener, cancellation):
        if request.lpips_weights is not None and request.download_lpips:
            raise UsageError("two-weights", "Give either --lpips-weights or --download-lpips, not both.")
        check_inputs(*(path for path in (request.vgg_weights, request.lpips_weights) if path is not None))
        subject = Subject.open(request.subject)
        dance = HeldOutDance.of(subject, request.frames)
        if not dance.keypoints.person_seen.any():
            raise DanceError(
                "nothing-held-out", "No footage with a person was held out, so there is nothing to measure on."
            )
        vgg, lpips = weights_at_hand(request.vgg_weights, request.lpips_weights, request.download_lpips)
        metrics = metrics_at_hand(usable_device(request.device), vgg, lpips)
        if isinstance(request, AblationRequest):
            return _ablation(request, subject, dance, metrics, vgg)
        return _performer(request, subject, dance, metrics)


def _performer(request: EvaluateRequest, subject: Subject, dance: HeldOutDance, metrics: dict[str, Metric]) -> Measured:
    performer = load_performer(subject.folder, request.device)
    with Gallery(dance.keypoints) as gallery, events.stage("Measuring on held-out frames") as stage:
        scores = full_scores(
            subject,
            {RESULT: performer},
            dance,
            metrics=metrics,
            detector=same_detector(subject),
            watchers=[gallery],
            on_progress=stage,
        )
    with events.stage("Testing its steadiness") as stage:
        steady = steadiness(subject, performer, on_progress=stage)
    if steady is None:
        events.remark(
            "steadiness-not-tested",
            "The person is never seen for more than a second without a break: steadiness is not tested.",
        )
    found = figures(scores)
    measured: dict[str, Any] = plain(found)
    if steady is not None:
        measured["steadiness"] = {**vars(steady), "drift": steady.drift, "passed": steady.passed}
    made = provenance(request.command, {RESULT: (subject.folder, performer)})
    page = report(found, scores, gallery, steady, made, frames=len(dance.frames))
    return write_report(subject.folder / "evaluation", "report", page, measured, made)


def _ablation(
    request: AblationRequest,
    subject: Subject,
    dance: HeldOutDance,
    metrics: dict[str, Metric],
    vgg_weights: Path | None,
) -> Measured:
    with Gallery(dance.keypoints) as gallery, events.stage("Training and measuring the variants") as stage:
        done = ablate(
            subject,
            # The weights of the warm start were trained with all that is left out here.
            TrainConfig(
                preset=request.preset,
                steps=request.steps,
                device=request.device,
                vgg_weights=vgg_weights,
                warm_start=False,
            ),
            range(request.seeds),
            dance,
            metrics=metrics,
            detector=same_detector(subject),
            watchers=[gallery],
            on_training=lambda at: stage(at.step, at.total_steps, at.stage, at.seconds_left),
            on_progress=lambda done, total: stage(done, None, f"of {total} frames measured"),
        )
    found = rows(done.scores, block=round(subject.manifest.fps))
    measured = {"ablation": [vars(row) for row in found]}
    made = provenance(request.command, done.performers)
    page = ablation_report(found, gallery, made, steps=request.steps, seeds=request.seeds, frames=len(dance.frames))
    return write_report(subject.folder / "evaluation", "ablation", page, measured, made)


def write_report(folder: Path, name: str, page: Report, found: dict[str, Any], made: Provenance) -> Measured:
    """Write what was found to ``folder``: a page, its tables, the figures, and one more line of the results."""
    html = folder / f"{name}.html"
    write_text(folder / f"{name}.json", dumps(found, indent=2) + "\n")
    write_text(folder / f"{name}.md", page.markdown())
    write_text(html, page.html())
    append(folder, name, made, found)
    events.wrote(name, html)
    return Measured(page, html, found)


def weights_at_hand(
    vgg_weights: Path | None = None, lpips_weights: Path | None = None, download: bool = False
) -> tuple[Path | None, Path | None]:
    """The files of VGG-19's and LPIPS' weights to use; the user is told what is left out for lack of them."""
    vgg, lpips = find_vgg19_weights(vgg_weights), find_lpips_weights(lpips_weights)
    if lpips is None and download:
        with events.stage("Downloading AlexNet (bytes)") as stage:
            lpips = download_lpips(stage)
    if vgg is None:
        events.remark("no-vgg", "No VGG-19 weights at hand: the distance of its features is left out.")
    if lpips is None:
        events.remark(
            "no-lpips",
            "No AlexNet or VGG-16 weights at hand: LPIPS is left out; `dance evaluate --download-lpips` gets them.",
        )
    return vgg, lpips


def same_detector(subject: Subject) -> Callable[[], FrameDetector] | None:
    """What finds the poses again: the detector that found them, if it is one of ours."""
    name = next((name for name, kind in DETECTORS.items() if kind.name == subject.manifest.detector), None)
    if name is None:
        events.remark(
            "other-detector", "These poses are not from the built-in detector: the pose distance is left out."
        )
        return None
    return lambda: FollowingDetector(name, mattes=True)
