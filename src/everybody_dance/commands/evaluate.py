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
    from everybody_dance.evaluation.metrics import Spread

UNITS = {
    "ssim": "SSIM",
    "psnr": "PSNR (dB)",
    "flicker": "flicker (of 255)",
    "vgg_distance": "VGG-19 distance",
}


def evaluate(
    subject: Annotated[Path, typer.Argument(help="A trained subject.", metavar="SUBJECT")],
    frames: Annotated[int, typer.Option(min=2, metavar="N", help="Held-out frames that are painted, at most.")] = 300,
    device: options.Device = "auto",
    vgg_weights: options.VggWeights = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Measure a performer on the footage that was held out, beside the closest training frame and the empty place.

    Likeness (SSIM, PSNR), flicker, and, where weights are at hand, the distance of VGG-19 features, each in the body's
    box, the face's box and the whole frame.
    """
    with session("evaluate", as_json, debug) as current:
        if vgg_weights is not None:
            options.check_files(vgg_weights)
        from everybody_dance.evaluation.features import VGGDistance
        from everybody_dance.evaluation.metrics import METRICS, spread
        from everybody_dance.evaluation.self_reenactment import held_out_scores
        from everybody_dance.networks.vgg import find_vgg19_weights
        from everybody_dance.performer.performer import Performer
        from everybody_dance.subject.subject import Subject

        prepared, performer = Subject.open(subject), Performer.load(subject, device)
        metrics = dict(METRICS)
        weights = find_vgg19_weights(vgg_weights)
        if weights is None:
            current.remark("No VGG-19 weights at hand: the distance of its features is left out.")
        else:
            metrics["vgg_distance"] = VGGDistance(weights, performer.device)
        with current.stage("Measuring on held-out frames") as stage:
            scores = held_out_scores(prepared, performer, frames, metrics, on_progress=stage)
        spreads = {name: spread(of_result) for name, of_result in scores.items()}
        found = {
            name: {
                region: {metric: vars(value) for metric, value in by_metric.items()}
                for region, by_metric in regions.items()
            }
            for name, regions in spreads.items()
        }
        if spreads:
            path = subject / "training" / "evaluation.json"
            write_text(path, json.dumps(found, indent=2) + "\n")
            current.wrote("evaluation", path)
            for region in spreads["result"]:
                current.say(f"\n{region}")
                for line in _table(spreads, region):
                    current.say(line)
        current.metrics |= found


def _table(spreads: "dict[str, dict[str, dict[str, Spread]]]", region: str) -> list[str]:
    """The figures of one region as lines: a metric in each, mean and standard deviation over frames."""
    lines = ["".join([f"{'':<22}", *(f"{TITLES[name]:>26}" for name in spreads)])]
    for metric, title in UNITS.items():
        if metric in spreads["result"][region]:
            values = [regions[region][metric] for regions in spreads.values()]
            lines.append("".join([f"{title:<22}", *(f"{v.mean:>17.4f} ± {v.std:<6.3f}" for v in values)]))
    return lines
