"""``dance transfer``: the trained person dances what somebody else danced."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import Session, session
from everybody_dance.commands.stages import Stage
from everybody_dance.errors import UsageError

if TYPE_CHECKING:
    from everybody_dance.performer.performer import Performer
    from everybody_dance.subject.subject import Subject
    from everybody_dance.synthesis.source import Dance
    from everybody_dance.synthesis.transfer import Transfer


def transfer(
    subject: Annotated[
        Path, typer.Argument(help="Folder of a trained subject, or a performer's model folder.", metavar="SUBJECT")
    ],
    source: Annotated[Path, typer.Argument(help="Video of somebody dancing.", metavar="SOURCE")],
    out: options.OutVideo,
    pose: options.Pose = "mediapipe",
    smooth: Annotated[
        options.Smoothing, typer.Option(help="Smooth the source's motion over time.")
    ] = options.Smoothing.BOTH,
    compare: Annotated[
        bool, typer.Option("--compare", help="Also write OUT.comparison.mp4: source, pose and result side by side.")
    ] = False,
    preview_normalization: Annotated[
        bool,
        typer.Option(
            "--preview-normalization",
            help="Only write OUT.normalization.mp4: where the dance will land in the subject's place, in seconds.",
        ),
    ] = False,
    no_normalize: Annotated[
        bool, typer.Option("--no-normalize", help="Leave the dance where it is, instead of fitting it to the subject.")
    ] = False,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Make the trained person dance SOURCE's dance."""
    with session("transfer", as_json, debug) as current:
        options.check_files(source)
        options.check_out(out, source)
        if preview_normalization and (compare or no_normalize):
            raise UsageError("preview-alone", "--preview-normalization goes with neither --compare nor --no-normalize.")
        if preview_normalization:
            path = out.with_suffix(".normalization.mp4")
            preview(current, subject, source, path, pose=pose, smoothing=smooth, device=device)
            current.say(f"Done: {path}. On the left the dance as it is, then where it will land.")
            return
        from everybody_dance.performer.model_files import load_performer

        performer = load_performer(subject, device)
        transfer_to(
            current, performer, source, out, pose=pose, smoothing=smooth, normalized=not no_normalize, compare=compare
        )
        current.say(f"Done: {out}")


def transfer_to(
    current: Session,
    performer: "Performer",
    source: Path,
    out: Path,
    *,
    pose: str = "mediapipe",
    smoothing: str = "both",
    normalized: bool = True,
    compare: bool = False,
    truth: Path | None = None,
) -> "Transfer":
    """Transfer, with progress; report what came of it."""
    from everybody_dance.synthesis.source import read_dance
    from everybody_dance.synthesis.transfer import transfer_dance

    # Two bars, one after the other: the second begins with its first frame.
    with ExitStack() as stages:
        finding = stages.enter_context(current.stage("Finding the dance in the source"))
        dancing: Stage | None = None

        def on_progress(done: int, total: int | None) -> None:
            nonlocal dancing
            if dancing is None:
                stages.close()
                dancing = stages.enter_context(current.stage("Dancing"))
            dancing(done, total)

        manifest = performer.manifest
        dance = read_dance(
            source,
            manifest.statistics,
            manifest.size,
            pose=pose,
            smoothing=smoothing,
            normalized=normalized,
            on_progress=finding,
        )
        comparison = out.with_suffix(".comparison.mp4") if compare else None
        done = transfer_dance(performer, dance, out, comparison=comparison, truth=truth, on_progress=on_progress)
    current.wrote("result", done.out)
    if done.comparison is not None:
        current.wrote("comparison", done.comparison)
    current.metrics["transfer"] = {
        "frames": done.frames,
        "without_person": done.without_person,
        "clamped_share": done.clamped_share,
        "unlike_share": done.unlike_share,
    }
    return done


def find_dance(
    current: Session, subject: "Subject", source: Path, *, pose: str = "mediapipe", smoothing: str = "both"
) -> "Dance":
    """The source's movement in the subject's place, with progress; the detector remembers it for the transfer.

    The user is told now, before the training, what of it the footage never shows.
    """
    from everybody_dance.retarget.likeness import some_poses
    from everybody_dance.synthesis.source import read_dance, unlike_share

    manifest = subject.manifest
    with current.stage("Finding the dance in the source") as stage:
        dance = read_dance(
            source, manifest.statistics, manifest.size, pose=pose, smoothing=smoothing, on_progress=stage
        )
    unlike_share(dance, some_poses(subject.keypoints, subject.frames_with_person))
    return dance


def preview(current: Session, folder: Path, source: Path, out: Path, *, pose: str, smoothing: str, device: str) -> None:
    """Draw where the dance lands: over the clean plate, and over a true frame where the subject is at hand.

    A subject need not be trained for this.
    """
    from everybody_dance.retarget.likeness import some_poses
    from everybody_dance.subject.folder import MANIFEST
    from everybody_dance.subject.subject import Subject
    from everybody_dance.synthesis.preview import preview_normalization
    from everybody_dance.synthesis.source import read_dance, unlike_share

    if (folder / MANIFEST).is_file():
        subject = Subject.open(folder)
        statistics, size = subject.manifest.statistics, subject.manifest.size
        backgrounds = [subject.plate]
        with_person = subject.frames_with_person
        if len(with_person):
            backgrounds.append(subject.frame(int(with_person[len(with_person) // 2])))
        filmed = some_poses(subject.keypoints, with_person)
    else:
        from everybody_dance.performer.model_files import load_performer

        performer = load_performer(folder, device)
        statistics, size, backgrounds = performer.manifest.statistics, performer.manifest.size, [performer.plate]
        filmed = performer.poses

    with current.stage("Finding the dance in the source") as stage:
        dance = read_dance(source, statistics, size, pose=pose, smoothing=smoothing, on_progress=stage)
    with current.stage("Drawing") as stage:
        preview_normalization(dance, backgrounds, statistics, out, on_progress=stage)
    current.wrote("preview", out)
    current.metrics |= {"clamped_share": dance.clamped_share, "unlike_share": unlike_share(dance, filmed)}
