"""``dance evaluate``: every figure of a trained performer on footage it never saw."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import session
from everybody_dance.commands.train import TITLES
from everybody_dance.files import write_text

if TYPE_CHECKING:
    from everybody_dance.evaluation.full import Figures

UNITS = {
    "ssim": "SSIM",
    "psnr": "PSNR (dB)",
    "vgg_distance": "VGG-19 distance",
    "flicker": "flicker (of 255)",
    "pixels": "pose distance (pixels)",
    "percent": "pose distance (% of height)",
    "missed": "joints missed a frame",
}


def evaluate(
    subject: Annotated[Path, typer.Argument(help="A trained subject.", metavar="SUBJECT")],
    frames: Annotated[int, typer.Option(min=2, metavar="N", help="Held-out frames that are painted, at most.")] = 300,
    device: options.Device = "auto",
    vgg_weights: options.VggWeights = None,
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

    Likeness (SSIM, PSNR and, where weights are at hand, the distance of VGG-19 features) and flicker in the body's box,
    the face's box and the whole frame; and how far the pose that is found in the result lies from the one it was given.

    With --ablation the paper's three variants are trained for equally many steps (in SUBJECT/ablation) and compared.
    """
    with session("evaluate", as_json, debug) as current:
        if vgg_weights is not None:
            options.check_files(vgg_weights)
        from everybody_dance.evaluation.ablation import ablate, markdown, table
        from everybody_dance.evaluation.full import figures, full_scores
        from everybody_dance.networks.vgg import find_vgg19_weights
        from everybody_dance.performer.performer import Performer
        from everybody_dance.pose import mediapipe
        from everybody_dance.pose.detector import FollowingDetector
        from everybody_dance.subject.subject import Subject
        from everybody_dance.training.presets import PRESETS

        prepared = Subject.open(subject)
        weights = find_vgg19_weights(vgg_weights)
        if weights is None:
            current.remark("No VGG-19 weights at hand: the distance of its features is left out.")
        ours = prepared.manifest.detector == mediapipe.NAME
        if not ours:
            current.remark("These poses are not from the built-in detector: the pose distance is left out.")
        detector = FollowingDetector if ours else None
        if ablation:
            with current.stage("Training the variants") as stage:
                scores = ablate(
                    prepared,
                    PRESETS[preset],
                    steps,
                    range(seeds),
                    device=device,
                    limit=frames,
                    vgg_weights=weights,
                    detector=detector,
                    on_progress=lambda at: stage(at.step, at.total_steps, at.stage, at.seconds_left),
                )
            rows = table(scores, block=round(prepared.manifest.fps))
            current.metrics["ablation"] = [vars(row) for row in rows]
            out = subject / "ablation"
            write_text(out / "ablation.json", json.dumps(current.metrics["ablation"], indent=2) + "\n")
            write_text(out / "ablation.md", markdown(rows))
            current.wrote("ablation", out / "ablation.md")
            current.say(markdown(rows))
            return
        performer = Performer.load(subject, device)
        with current.stage("Measuring on held-out frames") as stage:
            found = figures(
                full_scores(
                    prepared, performer, limit=frames, vgg_weights=weights, detector=detector, on_progress=stage
                )
            )
        if not found:
            return
        current.metrics |= {
            name: {
                region: {metric: vars(value) for metric, value in by_metric.items()}
                for region, by_metric in regions.items()
            }
            for name, regions in found.items()
        }
        path = subject / "training" / "evaluation.json"
        write_text(path, json.dumps(current.metrics, indent=2) + "\n")
        current.wrote("evaluation", path)
        for region in found["result"]:
            current.say("\n".join(["", *_table(found, region)]))


def _table(figures: "Figures", region: str) -> list[str]:
    """The figures of one region as lines: a metric in each, mean and standard deviation over frames."""
    names = [name for name, regions in figures.items() if region in regions]
    lines = [f"{region.replace('_', ', '):<28}" + "".join(f"{TITLES[name]:>26}" for name in names)]
    for metric, title in UNITS.items():
        if metric in figures["result"][region]:
            found = [figures[name][region].get(metric) for name in names]
            lines.append(
                f"  {title:<26}"
                + "".join(f"{'':>26}" if s is None else f"{s.mean:>17.4f} ± {s.std:<6.3f}" for s in found)
            )
    return lines
