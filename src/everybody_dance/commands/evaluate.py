"""``dance evaluate``: every figure of a trained performer on footage it never saw, as a report."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import Session, session
from everybody_dance.errors import DanceError, UsageError
from everybody_dance.files import write_text

if TYPE_CHECKING:
    from everybody_dance.evaluation.held_out import HeldOutDance
    from everybody_dance.evaluation.metrics import Metric
    from everybody_dance.evaluation.pose_distance import FrameDetector
    from everybody_dance.evaluation.report import Report
    from everybody_dance.evaluation.results import Provenance
    from everybody_dance.subject.subject import Subject


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
    preset: options.Preset = options.PresetName.FAST,
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="Steps of each training of the ablation.")] = 3000,
    seeds: Annotated[int, typer.Option(min=1, metavar="K", help="Trainings of each kind.")] = 1,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Measure a performer on the footage that was held out, beside the closest training frame and the empty place.

    Likeness (SSIM, PSNR and, where weights are at hand, LPIPS and the distance of VGG-19 features) and flicker in the
    body's box, the face's box and the whole frame; how far the pose that is found in the result lies from the one it
    was given; and whether the performer is steady. SUBJECT/evaluation/report.html shows all of it, with pictures.

    With --ablation the paper's three variants are trained for equally many steps (in SUBJECT/ablation) and compared.
    """
    with session("evaluate", as_json, debug) as current:
        if lpips_weights is not None and download_lpips:
            raise UsageError("two-weights", "Give either --lpips-weights or --download-lpips, not both.")
        options.check_files(*(path for path in (vgg_weights, lpips_weights) if path is not None))
        from everybody_dance.evaluation.held_out import HeldOutDance
        from everybody_dance.evaluation.held_out_report import metrics_at_hand
        from everybody_dance.performer.device import usable_device
        from everybody_dance.subject.subject import Subject

        prepared = Subject.open(subject)
        dance = HeldOutDance.of(prepared, frames)
        if not dance.keypoints.person_seen.any():
            raise DanceError(
                "nothing-held-out", "No footage with a person was held out, so there is nothing to measure on."
            )
        vgg, lpips = weights_at_hand(current, vgg_weights, lpips_weights, download_lpips)
        metrics = metrics_at_hand(usable_device(device), vgg, lpips)
        detector = same_detector(current, prepared)
        if ablation:
            _ablation(current, prepared, dance, metrics, detector, preset, steps, seeds, device, vgg)
        else:
            _performer(current, prepared, dance, metrics, detector, device)


def _performer(
    current: Session,
    subject: "Subject",
    dance: "HeldOutDance",
    metrics: "dict[str, Metric]",
    detector: "Callable[[], FrameDetector] | None",
    device: str,
) -> None:
    from everybody_dance.evaluation.gallery import Gallery
    from everybody_dance.evaluation.held_out import RESULT
    from everybody_dance.evaluation.held_out_report import figures, full_scores, report
    from everybody_dance.evaluation.results import plain, provenance
    from everybody_dance.evaluation.steadiness import steadiness
    from everybody_dance.performer.model_files import load_performer

    performer = load_performer(subject.folder, device)
    with Gallery(dance.keypoints) as gallery, current.stage("Measuring on held-out frames") as stage:
        scores = full_scores(
            subject,
            {RESULT: performer},
            dance,
            metrics=metrics,
            detector=detector,
            watchers=[gallery],
            on_progress=stage,
        )
    with current.stage("Testing its steadiness") as stage:
        steady = steadiness(subject, performer, on_progress=stage)
    if steady is None:
        current.remark("The person is never seen for more than a second without a break: steadiness is not tested.")
    found = figures(scores)
    current.metrics |= plain(found)
    if steady is not None:
        current.metrics["steadiness"] = {**vars(steady), "drift": steady.drift, "passed": steady.passed}
    made = provenance(["dance", *sys.argv[1:]], {RESULT: (subject.folder, performer)})
    page = report(found, scores, gallery, steady, made, frames=len(dance.frames))
    finish(current, subject.folder / "evaluation", "report", page, current.metrics, made)


def _ablation(
    current: Session,
    subject: "Subject",
    dance: "HeldOutDance",
    metrics: "dict[str, Metric]",
    detector: "Callable[[], FrameDetector] | None",
    preset: options.PresetName,
    steps: int,
    seeds: int,
    device: str,
    vgg_weights: Path | None,
) -> None:
    from everybody_dance.evaluation.ablation import ablate, report, rows
    from everybody_dance.evaluation.gallery import Gallery
    from everybody_dance.evaluation.results import provenance
    from everybody_dance.training.presets import PRESETS

    with Gallery(dance.keypoints) as gallery, current.stage("Training and measuring the variants") as stage:
        done = ablate(
            subject,
            PRESETS[preset],
            steps,
            range(seeds),
            dance,
            device=device,
            vgg_weights=vgg_weights,
            metrics=metrics,
            detector=detector,
            watchers=[gallery],
            on_training=lambda at: stage(at.step, at.total_steps, at.stage, at.seconds_left),
            on_progress=lambda done, total: stage(done, None, f"of {total} frames measured"),
        )
    found = rows(done.scores, block=round(subject.manifest.fps))
    current.metrics["ablation"] = [vars(row) for row in found]
    made = provenance(["dance", *sys.argv[1:]], done.performers)
    page = report(found, gallery, made, steps=steps, seeds=seeds, frames=len(dance.frames))
    finish(current, subject.folder / "evaluation", "ablation", page, current.metrics, made)


def finish(
    current: Session, folder: Path, name: str, page: "Report", found: dict[str, Any], made: "Provenance"
) -> None:
    """Write what was found to ``folder``: a page, its tables, the figures, and a line more of the results."""
    from everybody_dance.evaluation.results import append

    write_text(folder / f"{name}.json", json.dumps(found, indent=2) + "\n")
    write_text(folder / f"{name}.md", page.markdown())
    write_text(folder / f"{name}.html", page.html())
    append(folder, name, made, found)
    current.wrote(name, folder / f"{name}.html")
    current.say(page.markdown())
    current.say(f"With pictures: {folder / name}.html")


def weights_at_hand(
    current: Session, vgg_weights: Path | None = None, lpips_weights: Path | None = None, download: bool = False
) -> tuple[Path | None, Path | None]:
    """The files of VGG-19's and LPIPS' weights to use; what is left out for lack of them is said."""
    from everybody_dance.networks.lpips import download_lpips, find_lpips_weights
    from everybody_dance.networks.vgg import find_vgg19_weights

    vgg, lpips = find_vgg19_weights(vgg_weights), find_lpips_weights(lpips_weights)
    if lpips is None and download:
        with current.stage("Downloading AlexNet (bytes)") as stage:
            lpips = download_lpips(stage)
    if vgg is None:
        current.remark("No VGG-19 weights at hand: the distance of its features is left out.")
    if lpips is None:
        current.remark("No AlexNet or VGG-16 weights at hand: LPIPS is left out; --download-lpips gets them.")
    return vgg, lpips


def same_detector(current: Session, subject: "Subject") -> "Callable[[], FrameDetector] | None":
    """What finds the poses again: the detector that found them."""
    from everybody_dance.pose import mediapipe_holistic
    from everybody_dance.pose.detection import FollowingDetector

    if subject.manifest.detector != mediapipe_holistic.NAME:
        current.remark("These poses are not from the built-in detector: the pose distance is left out.")
        return None
    return FollowingDetector
