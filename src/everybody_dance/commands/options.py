"""Arguments and options that several commands take."""

import math
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer

from everybody_dance.errors import UsageError
from everybody_dance.performer.options import AUTO as ANY_RUNTIME
from everybody_dance.performer.options import RUNTIMES, TORCH
from everybody_dance.pose.options import ALL, DEFAULT_DETECTOR, OPENPOSE, SMOOTHINGS, check_person
from everybody_dance.retarget.options import BONES
from everybody_dance.skeleton import PARTS, Part
from everybody_dance.training.presets import PRESETS

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".webm")
HIGHEST_RATE = 240


PresetName = StrEnum("PresetName", [(name.upper().replace("-", "_"), name) for name in PRESETS])  # type: ignore[misc]
RuntimeName = StrEnum("RuntimeName", [(name.upper().replace("-", "_"), name) for name in RUNTIMES])  # type: ignore[misc]
PYTORCH, FASTEST = RuntimeName(TORCH), RuntimeName(ANY_RUNTIME)
FAST, PAPER_512 = PresetName("fast"), PresetName("paper-512")
Smoothing = StrEnum("Smoothing", [(name.upper(), name) for name in SMOOTHINGS])  # type: ignore[misc]
WhoseBones = StrEnum("WhoseBones", [(name.upper(), name) for name in BONES])  # type: ignore[misc]


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
    if text != DEFAULT_DETECTOR and not (text.startswith(OPENPOSE) and text != OPENPOSE):
        raise typer.BadParameter(f"{text!r} is neither {DEFAULT_DETECTOR} nor {OPENPOSE}DIR|FILE")
    return text


def _person(text: str) -> str:
    try:
        check_person(text)
    except UsageError as error:
        raise typer.BadParameter(error.message) from error
    return text


def _people(text: str) -> str:
    try:
        return text if text == ALL else _person(text)
    except typer.BadParameter as error:
        raise typer.BadParameter(f"{error.message} Or {ALL}, for everybody") from error


def member(text: str) -> tuple[Path, str]:
    """Folder and person of a value of ``--with``.

    Raises:
        typer.BadParameter: it has no folder, or no such person is possible.
    """
    folder, colon, person = text.rpartition(":")
    if not colon or not folder:
        raise typer.BadParameter(f"{text!r} does not say whom they follow; write SUBJECT:2")
    return Path(folder), _person(person)


def members(texts: list[str] | None) -> list[str] | None:
    """The values of ``--with``, which ``member`` can read."""
    for text in texts or ():
        member(text)
    return texts


AUTO = "auto"


def parts(text: str) -> tuple[Part, ...] | None:
    """The parts named in the value of ``--refine``; None for ``auto``.

    Raises:
        typer.BadParameter: it names something else.
    """
    if text == AUTO:
        return None
    named = [] if text == "none" else text.split(",")
    if not set(named) <= set(PARTS) or len(set(named)) < len(named):
        raise typer.BadParameter(f"{text!r} is none of auto, face, hands, face,hands and none")
    return tuple(part for part in PARTS if part in named)


def _refine(text: str) -> str:
    parts(text)
    return text


def _result_name(path: Path | None) -> Path | None:
    if path is not None and (path.name in ("", "..") or path.suffix.lower() not in ("", *VIDEO_SUFFIXES)):
        raise typer.BadParameter(
            f"{path} must end in .mp4, .m4v or .mov, or in .webm with --background none; or in none of it, to be a"
            " folder for PNG frames"
        )
    return path


def _video_name(path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() not in VIDEO_SUFFIXES[:3]:
        raise typer.BadParameter(f"{path} must end in {', '.join(VIDEO_SUFFIXES[:3])}")
    return path


AsJson = Annotated[bool, typer.Option("--json", help="End with one JSON object on stdout; all else goes to stderr.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")]
Runtime = Annotated[
    RuntimeName,
    typer.Option(
        help="What paints. auto takes OpenVINO (the extra openvino) where it is faster here and its pictures are"
        " PyTorch's."
    ),
]
Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda, cuda:1.", metavar="DEVICE")]
OutResult = Annotated[
    Path,
    typer.Option(
        "--out",
        help="The video to write; or a folder, new or empty, for PNG frames.",
        metavar="OUT.mp4|DIR/",
        callback=_result_name,
        show_default=False,
    ),
]
Recording = Annotated[
    Path | None,
    typer.Option("--out", help="Record into this video.", metavar="OUT.mp4", callback=_video_name, show_default=False),
]
Pose = Annotated[
    str,
    typer.Option(
        help="Where the poses come from: mediapipe, or the files of OpenPose and those like them.",
        metavar="mediapipe|openpose:DIR|FILE",
        callback=_pose,
    ),
]
_PERSON = "largest|left|right|centre|N"
_WHICH = "`dance people` shows them with their numbers."
Person = Annotated[
    str,
    typer.Option(help=f"Who of several people in the video. {_WHICH}", metavar=_PERSON, callback=_person),
]
SourcePerson = Annotated[
    str,
    typer.Option(help=f"Whose dance, of several people in SOURCE. {_WHICH}", metavar=_PERSON, callback=_person),
]
SourcePeople = Annotated[
    str,
    typer.Option(
        help=f"Whose dance, of several people in SOURCE; all: everybody's, once for each. {_WHICH}",
        metavar="largest|left|right|centre|N|all",
        callback=_people,
    ),
]
TargetPerson = Annotated[
    str,
    typer.Option(help=f"Who of several people in TARGET is to dance. {_WHICH}", metavar=_PERSON, callback=_person),
]
Background = Annotated[
    str | None,
    typer.Option(
        help="What to dance in front of: a picture, a video, #RRGGBB, or none for a transparent .mov or .webm; by"
        " default the place of the footage.",
        metavar="FILE|#RRGGBB|none",
        show_default=False,
    ),
]
Bones = Annotated[
    WhoseBones, typer.Option(help="Whose proportions the dance gets: the trained person's own, or the source's.")
]
Scale = Annotated[
    float,
    typer.Option(metavar="0.5..2", help="How many times as large as fitted the dance is, about the feet."),
]
Shift = Annotated[
    float,
    typer.Option(metavar="-1..1", help="How far to the right of its place it is danced, in widths of the picture."),
]
Floor = Annotated[
    float,
    typer.Option(metavar="-1..1", help="How far below its place it is danced, in heights of the picture."),
]
Shadow = StrEnum("Shadow", ["KEEP", "NONE"])
KEEP = Shadow("keep")
ShadowChoice = Annotated[
    Shadow, typer.Option("--shadow", help="With --background: whether the person's shadow falls on its floor.")
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
        callback=_refine,
        metavar="auto|face|hands|face,hands|none",
        help="What a network of its own paints more finely: the face, and the hands where they are seen well.",
    ),
]
Restart = Annotated[bool, typer.Option("--restart", help="Throw away what was trained before.")]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Of fresh weights and the order of samples.")]
LOCAL = "127.0.0.1"
Host = Annotated[str, typer.Option(metavar="NAME", help="Where the page is served; by default to this machine alone.")]
Port = Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="Of the page; 0: one that is free.")]
Certificate = Annotated[
    Path | None, typer.Option(metavar="FILE", help="With --key: serve the page over HTTPS.", show_default=False)
]
CertificateKey = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="Of --certificate.", show_default=False)
]
OpenBrowser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")]
