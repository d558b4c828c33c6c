"""``dance benchmark transfer``: transfers between rendered dancers, whose right answer is known."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import session
from everybody_dance.commands.evaluate import finish, same_detector, weights_at_hand
from everybody_dance.commands.prepare import prepare_subject
from everybody_dance.commands.train import train_performer

if TYPE_CHECKING:
    from everybody_dance.performer.performer import Performer


def transfer(
    out: options.BenchmarkFolder = options.BENCHMARK_FOLDER,
    pairs: Annotated[int, typer.Option(min=1, max=14, metavar="N", help="How many of the 14 transfers.")] = 8,
    seconds: Annotated[float, typer.Option(min=0.5, max=8, metavar="S", help="Of each dance.")] = 5.0,
    preset: options.Preset = options.PresetName.FAST,
    minutes: options.Minutes = None,
    steps: options.Steps = None,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Transfers between rendered dancers, against the target really dancing that dance.

    Each error is split: how far the pose lands from the true one, and what is wrong with the picture given the true
    pose. Each target is trained for 4.5 minutes unless told otherwise. The same command again goes on.
    """
    with session("benchmark transfer", as_json, debug) as current:
        minutes = options.minutes_or_steps(minutes, steps)
        from everybody_dance.evaluation.held_out_report import metrics_at_hand
        from everybody_dance.evaluation.known_truth import PAIRS, Studio, measure, report
        from everybody_dance.evaluation.results import plain, provenance
        from everybody_dance.performer.device import usable_device

        metrics = metrics_at_hand(usable_device(device), *weights_at_hand(current))
        studio = Studio(out / "videos", seconds)
        chosen = PAIRS[:pairs]
        with current.stage("Rendering the dancers") as stage:
            for pair in chosen:
                studio.dance(pair.source, pair.dance, pair.far, stage)
                studio.dance(pair.target, pair.dance, on_progress=stage)
            footage = {name: studio.training(name, stage) for name in dict.fromkeys(pair.target for pair in chosen)}
        subjects, trained = {}, dict[str, "tuple[Path, Performer]"]()
        for name, video in footage.items():
            current.remark(f"Target: {name}")
            subjects[name] = prepare_subject(current, [video], out / name)
            performer = train_performer(current, subjects[name], preset, minutes=minutes, steps=steps, device=device)
            trained[name] = out / name, performer
        found = []
        for pair in chosen:
            with current.stage(f"Measuring {pair}") as stage:
                target, performer = subjects[pair.target], trained[pair.target][1]
                detector = same_detector(current, target)
                found.append(
                    measure(pair, studio, target, performer, metrics=metrics, detector=detector, on_progress=stage)
                )
        current.metrics = {
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
        made = provenance(["dance", *sys.argv[1:]], trained)
        page = report(found, made, steps={name: done.manifest.steps for name, (_, done) in trained.items()})
        finish(current, out, "transfer", page, current.metrics, made)
