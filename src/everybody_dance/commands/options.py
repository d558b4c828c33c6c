"""Arguments and options that several commands take, checked before any work begins."""

import math
import os
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer

from everybody_dance.errors import DanceError, UsageError

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov")
HIGHEST_RATE = 240


class PresetName(StrEnum):
    """The names in ``training.presets.PRESETS``, known here without loading PyTorch."""

    FAST = "fast"
    PAPER_512 = "paper-512"
    PAPER_1024 = "paper-1024"
    DEBUG = "debug"


class Smoothing(StrEnum):
    """The names in ``pose.filtering.SMOOTHINGS``."""

    NONE = "none"
    MEDIAN = "median"
    GAUSSIAN = "gaussian"
    BOTH = "both"


def _more_than_zero(value: float | None) -> float | None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise typer.BadParameter("it must be more than 0")
    return value


def _not_negative(value: float | None) -> float | None:
    if value is not None and not (math.isfinite(value) and value >= 0):
        raise typer.BadParameter("it must not be negative")
    return value


def _rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise typer.BadParameter(f"{text!r} is not a rate; write 25 or 30000/1001") from error
    if not 0 < rate <= HIGHEST_RATE:
        raise typer.BadParameter(f"a rate is more than 0 and at most {HIGHEST_RATE}")
    return rate


def _pose(text: str) -> str:
    kind, colon, folder = text.partition(":")
    if text != "mediapipe" and not (kind == "openpose" and colon and folder):
        raise typer.BadParameter(f"{text!r} is neither mediapipe nor openpose:DIR")
    return text


def _refine(text: str) -> str:
    if text not in ("none", "face", "hands", "face,hands"):
        raise typer.BadParameter(f"{text!r} is none of face, hands, face,hands and none")
    return text


def _video_name(path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() not in VIDEO_SUFFIXES:
        raise typer.BadParameter(f"{path.name} must end in .mp4, .m4v or .mov")
    if path is not None and path.is_dir():
        raise typer.BadParameter(f"{path} is a folder")
    return path


AsJson = Annotated[bool, typer.Option("--json", help="End with one JSON object on stdout; all else goes to stderr.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")]
Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda, cuda:1.", metavar="DEVICE")]
OutVideo = Annotated[
    Path, typer.Option("--out", help="The video to write.", metavar="OUT.mp4", callback=_video_name, show_default=False)
]
Pose = Annotated[
    str,
    typer.Option(
        help="Where the poses come from: mediapipe, or openpose:DIR with OpenPose's own files.",
        metavar="mediapipe|openpose:DIR",
        callback=_pose,
    ),
]
Preset = Annotated[PresetName, typer.Option(help="What to train and how.")]
Minutes = Annotated[
    float | None, typer.Option(help="Minutes of training in all.", callback=_more_than_zero, metavar="M")
]
Height = Annotated[
    int | None,
    typer.Option(min=64, max=4320, metavar="H", help="Height of the prepared frames; at most 512 by default."),
]
Rate = Annotated[
    Fraction | None,
    typer.Option("--fps", parser=_rate, metavar="F", help="Rate of the prepared frames; at most 30 by default."),
]
Holdout = Annotated[
    float | None,
    typer.Option(
        callback=_not_negative,
        metavar="S",
        help="Seconds at each clip's end kept from training, to measure it; a tenth and at most 10 by default.",
    ),
]
VggWeights = Annotated[
    Path | None, typer.Option(metavar="FILE", help="VGG-19 weights for the perceptual loss (.safetensors or .pth).")
]
Steps = Annotated[int | None, typer.Option(min=1, metavar="N", help="Steps of each training, instead of --minutes.")]
BENCHMARK_FOLDER = Path("dance-benchmark")
BenchmarkFolder = Annotated[
    Path, typer.Option("--out", help="Folder for videos, subjects and the report.", metavar="DIR")
]
LpipsWeights = Annotated[
    Path | None, typer.Option(metavar="FILE", help="AlexNet or VGG-16 weights for LPIPS: torchvision's own file.")
]
DownloadLpips = Annotated[bool, typer.Option("--download-lpips", help="Download AlexNet for LPIPS (244 MB, once).")]
Refine = Annotated[
    str,
    typer.Option(
        callback=_refine, metavar="face|hands|face,hands|none", help="What a network of its own paints more finely."
    ),
]
Restart = Annotated[bool, typer.Option("--restart", help="Throw away what was trained before.")]


BENCHMARK_MINUTES = 4.5
"""Of each training, unless told otherwise."""


def minutes_or_steps(minutes: float | None, steps: int | None) -> float | None:
    """The minutes that a benchmark's trainings take; None where steps are given.

    Raises:
        UsageError: both are given.
    """
    if minutes is not None and steps is not None:
        raise UsageError("steps-and-minutes", "Give either --steps or --minutes, not both.")
    return BENCHMARK_MINUTES if minutes is None and steps is None else minutes


def check_files(*paths: Path) -> None:
    """Refuse what is not there before anything else is done.

    Raises:
        DanceError: ``file-not-found``.
    """
    for path in paths:
        if not path.is_file():
            what = "is a folder, not a video" if path.is_dir() else "does not exist"
            raise DanceError("file-not-found", f"{path} {what}.")


def check_out(out: Path, *inputs: Path) -> None:
    """Refuse a place that cannot be written, or that would overwrite what is read, before hours of work.

    Raises:
        UsageError: ``out`` is one of ``inputs``.
        DanceError: its folder cannot be made or written (``cannot-write``, ``disk-full``).
    """
    for path in inputs:
        if out.exists() and path.exists() and out.samefile(path):
            raise UsageError("overwrites-input", f"--out {out} is an input; choose another name.")
    out.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(out.parent, os.W_OK):
        raise DanceError("cannot-write", f"Nothing can be written to {out.parent}.")
