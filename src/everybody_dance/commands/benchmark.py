"""``dance benchmark``: transfers whose right answer is known, the paper's limits as curves, and speed."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import session
from everybody_dance.commands.evaluate import tell_measured
from everybody_dance.training.config import TrainConfig

BENCHMARK_MINUTES = 4.5
"""Of each training, unless told otherwise."""

benchmark = typer.Typer(
    name="benchmark",
    help="Measure the method on rendered dancers, whose truth is known, and the engine on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _training(preset: str, minutes: float | None, steps: int | None, device: str) -> TrainConfig:
    """How each performer of a benchmark is trained."""
    if minutes is None and steps is None:
        minutes = BENCHMARK_MINUTES
    return TrainConfig(preset=preset, minutes=minutes, steps=steps, device=device)


@benchmark.command("transfer")
def transfer(
    out: options.BenchmarkFolder = options.BENCHMARK_FOLDER,
    pairs: Annotated[int, typer.Option(min=1, max=14, metavar="N", help="How many of the 14 transfers.")] = 8,
    seconds: Annotated[float, typer.Option(min=0.5, max=8, metavar="S", help="Of each dance.")] = 5.0,
    preset: options.Preset = options.FAST,
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
        training = _training(preset, minutes, steps, device)
        from everybody_dance.workflows.benchmark import KnownTruthRequest, measure_known_truth

        request = KnownTruthRequest(
            out=out, pairs=pairs, seconds=seconds, training=training, command=("dance", *sys.argv[1:])
        )
        tell_measured(current, measure_known_truth(request))


@benchmark.command("limits")
def limits(
    out: options.BenchmarkFolder = options.BENCHMARK_FOLDER,
    seconds: Annotated[float, typer.Option(min=1, max=8, metavar="S", help="Of the dance.")] = 4.0,
    minutes: options.Minutes = None,
    steps: options.Steps = None,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """The three limits that the paper admits, as curves: noisy joints, missed joints, another speed.

    Errors are put into the demo's dance, and the result is compared with the truth, with and without what we do about
    them. Two performers are trained, for 4.5 minutes each unless told otherwise. The same command again goes on.
    """
    with session("benchmark limits", as_json, debug) as current:
        training = _training("fast", minutes, steps, device)
        from everybody_dance.workflows.benchmark import LimitsRequest, measure_limits

        request = LimitsRequest(out=out, seconds=seconds, training=training, command=("dance", *sys.argv[1:]))
        tell_measured(current, measure_limits(request))


@benchmark.command("train")
def train(
    subject: Annotated[Path, typer.Argument(help="Folder that `dance prepare` made.", metavar="SUBJECT")],
    preset: options.Preset = options.PAPER_512,
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
        from everybody_dance.workflows.benchmark import measure_training_speed

        speeds = measure_training_speed(subject, preset, steps, device)
        slowest = speeds[0].pairs_per_second
        current.say(f"Training pairs a second, {preset}:")
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


@benchmark.command("live")
def live(
    subject: Annotated[
        Path, typer.Argument(help="Folder of a trained subject, or a performer's model folder.", metavar="SUBJECT")
    ],
    file: Annotated[Path, typer.Argument(help="Video of somebody dancing, played as a camera.", metavar="FILE")],
    device: options.Device = "auto",
    runtime: options.Runtime = options.FASTEST,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """The live show's rate and latency, beside detection and painting alone, and its likeness to the offline dance.

    FILE plays once, in real time, and the show begins with a calibration. Nothing is written.
    """
    with session("benchmark live", as_json, debug) as current:
        from everybody_dance.workflows.live_benchmark import measure_live

        found = measure_live(subject, file, device, runtime)
        show = found.show
        current.say(f"detection alone          {found.detection:8.1f} ms a frame")
        current.say(f"painting alone           {found.painting:8.1f} ms a frame")
        current.say(f"camera                   {found.camera:8.1f} frames a second")
        current.say(f"shown                    {show.rate:8.1f} a second, {found.ratio:.2f} of the slowest of these")
        current.say(f"latency, 50th and 95th   {show.latency[0]:8.0f} and {show.latency[1]:.0f} ms")
        current.say(f"frames dropped           {show.dropped:8d} of {show.frames}")
        current.say(f"normalization error      {found.normalization_error:8.2f} % of the height, against offline")
        current.say(f"body SSIM                {found.body_ssim:8.3f} against offline, {found.compared} pictures")
        current.metrics["live"] = {
            "detection_ms": found.detection,
            "painting_ms": found.painting,
            "camera_fps": found.camera,
            "rate": show.rate,
            "ratio": found.ratio,
            "latency_ms": {"50": show.latency[0], "95": show.latency[1]},
            "stages_ms": show.stages,
            "frames": show.frames,
            "shown": show.shown,
            "dropped": show.dropped,
            "normalization_error": found.normalization_error,
            "body_ssim": found.body_ssim,
            "compared": found.compared,
        }
