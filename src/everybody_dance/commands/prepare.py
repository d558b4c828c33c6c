"""``dance prepare``: footage of a person to a subject."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import Session, session

if TYPE_CHECKING:
    from fractions import Fraction

    from everybody_dance.subject.subject import Subject


def prepare(
    footage: Annotated[list[Path], typer.Argument(help="Videos of one person in one place.", metavar="FOOTAGE")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the subject.", metavar="SUBJECT", show_default=False)],
    pose: options.Pose = "mediapipe",
    height: options.Height = None,
    fps: options.Rate = None,
    holdout: options.Holdout = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Find the person in the footage, and the empty place behind them.

    The same footage with the same options is not prepared twice.
    """
    with session("prepare", as_json, debug) as current:
        prepare_subject(current, footage, out, pose=pose, height=height, fps=fps, holdout=holdout)
        current.say(f"Prepared: {out}. Next: dance train {out}")


def prepare_subject(
    current: Session,
    footage: list[Path],
    folder: Path,
    *,
    pose: str = "mediapipe",
    height: int | None = None,
    fps: "Fraction | None" = None,
    holdout: float | None = None,
) -> "Subject":
    """Prepare, with progress; report what came of it."""
    options.check_files(*footage)
    from everybody_dance.subject.prepare.prepare import prepare

    with current.stage("Preparing the footage") as stage:
        subject = prepare(footage, folder, pose=pose, height=height, fps=fps, holdout=holdout, on_progress=stage)
    current.wrote("subject", folder)
    manifest = subject.manifest
    current.metrics["subject"] = {
        "frames": len(subject.keypoints),
        "frames_with_person": int(subject.keypoints.person_seen.sum()),
        "held_out": len(subject.holdout_frames),
        "width": manifest.size[0],
        "height": manifest.size[1],
        "fps": float(manifest.fps),
        "camera_motion": manifest.camera_motion,
        "exposure_change": manifest.exposure_change,
        "plate_unknown_share": manifest.plate_unknown_share,
        "detection": manifest.detection.model_dump(),
        "footage": None if manifest.footage is None else manifest.footage.model_dump(),
    }
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
    if manifest.footage is not None:
        shown = ", ".join(f"{aspect} {seconds:.0f}" for aspect, seconds in manifest.footage.poses.items())
        current.remark(f"Seconds of the {manifest.footage.seconds:.0f} in which the person is seen: {shown}.")
        current.remark(
            f"The person visits {manifest.footage.width:.0%} of the width, and {manifest.footage.depth:.0%} of"
            " their height in depth."
        )
    return subject
