"""``dance prepare``: footage of a person to a subject."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import Session, session
from everybody_dance.pose.options import DEFAULT_DETECTOR, LARGEST
from everybody_dance.workflows.requests import PrepareRequest

if TYPE_CHECKING:
    from everybody_dance.workflows.prepare import PrepareResult


def prepare(
    footage: Annotated[list[Path], typer.Argument(help="Videos of one person in one place.", metavar="FOOTAGE")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the subject.", metavar="SUBJECT", show_default=False)],
    pose: options.Pose = DEFAULT_DETECTOR,
    person: options.Person = LARGEST,
    height: options.Height = None,
    fps: options.Rate = None,
    holdout: options.Holdout = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Find the person in the footage, and the empty place behind them.

    The same footage with the same options is not prepared twice. Other files in the folder are left alone.
    """
    with session("prepare", as_json, debug) as current:
        from everybody_dance.subject.folder import SHEET
        from everybody_dance.workflows.prepare import prepare as work

        request = PrepareRequest(
            footage=tuple(footage), subject=out, pose=pose, person=person, height=height, fps=fps, holdout=holdout
        )
        tell_prepared(current, work(request))
        current.say(f"Prepared: {out}. Look at {out / SHEET}: the person cut out, and the empty place.")
        current.say(f"Next: dance train {out}")


def tell_prepared(current: Session, result: "PrepareResult") -> None:
    """Report what the footage shows."""
    current.metrics["subject"] = result.figures()
    subject, manifest = result.subject, result.subject.manifest
    current.remark(
        f"{len(subject.keypoints)} frames of {manifest.size[0]}x{manifest.size[1]} at {float(manifest.fps):g} a second,"
        f" {len(subject.holdout_frames)} of them held out of training."
    )
    found = manifest.detection
    missed = ", ".join(f"{name} {count:.1f}" for name, count in found.missed.items())
    current.remark(
        f"Joints not found in a frame, on average: {missed}. A foot is out of sight in {found.feet_outside:.0%} of the"
        f" frames, a hand in {found.hands_outside:.0%}."
    )
    shown = ", ".join(f"{aspect} {seconds:.0f}" for aspect, seconds in manifest.footage.poses.items())
    current.remark(f"Seconds of the {manifest.footage.seconds:.0f} in which the person is seen: {shown}.")
    current.remark(
        f"The person visits {manifest.footage.width:.0%} of the width, and {manifest.footage.depth:.0%} of"
        " their height in depth."
    )
