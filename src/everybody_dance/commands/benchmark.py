"""``dance benchmark``: transfers whose right answer is known, the paper's limits as curves, and speed."""

from pathlib import Path
from typing import Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.benchmark_limits import limits
from everybody_dance.commands.benchmark_transfer import transfer
from everybody_dance.commands.console import session

benchmark = typer.Typer(
    name="benchmark",
    help="Measure the method on rendered dancers, whose truth is known, and the engine on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
benchmark.command("transfer")(transfer)
benchmark.command("limits")(limits)


@benchmark.command("train")
def train(
    subject: Annotated[Path, typer.Argument(help="Folder that `dance prepare` made.", metavar="SUBJECT")],
    preset: options.Preset = options.PresetName.PAPER_512,
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="Steps that are timed with each engine.")] = 5,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Training pairs a second, with our engine and without what makes it fast.

    The reference trains the same networks on the same losses and samples in plain float32, eagerly, with PyTorch's own
    defaults on all cores. The measures are then added one by one. Nothing is written.
    """
    with session("benchmark train", as_json, debug) as current:
        from everybody_dance.evaluation.speed import training_speed
        from everybody_dance.performer.device import usable_device
        from everybody_dance.subject.subject import Subject
        from everybody_dance.training.presets import PRESETS

        prepared, chosen = Subject.open(subject), usable_device(device)
        with current.stage("Training with each engine") as stage:
            speeds = training_speed(prepared, PRESETS[preset], chosen, steps, on_progress=stage)
        slowest = speeds[0].pairs_per_second
        current.say(f"Training pairs a second, {preset}, {chosen.type}:")
        for speed in speeds:
            current.say(
                f"  {speed.name:<20}{speed.pairs_per_second:8.3f}   {speed.pairs_per_second / slowest:5.2f} x"
                f"   waiting for data {speed.waiting:4.0%}"
            )
        current.metrics["engines"] = {
            speed.name: {
                "pairs_per_second": speed.pairs_per_second,
                "ratio": speed.pairs_per_second / slowest,
                "waiting": speed.waiting,
            }
            for speed in speeds
        }
