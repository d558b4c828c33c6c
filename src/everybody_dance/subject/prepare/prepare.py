"""Footage to a subject: decoded once, built beside the old one, and put into its place when whole."""

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from everybody_dance import events
from everybody_dance.errors import DanceError
from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.files import explain_write_failure
from everybody_dance.pose.options import DEFAULT_DETECTOR, LARGEST
from everybody_dance.subject.folder import MANIFEST, check_folder, fresh_preparation, locked_for_preparing
from everybody_dance.subject.manifest import SubjectManifest
from everybody_dance.subject.prepare.complete import complete
from everybody_dance.subject.prepare.decode import decode
from everybody_dance.subject.prepare.request import Request
from everybody_dance.subject.subject import Subject, read_manifest


def prepare(
    footage: Sequence[Path],
    folder: Path,
    *,
    pose: str = DEFAULT_DETECTOR,
    person: str = LARGEST,
    height: int | None = None,
    fps: Fraction | None = None,
    holdout: float | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Subject:
    """Make a subject of one or several videos of a person in one place, filmed by one camera that stands still.

    The same footage (by content) with options that mean the same is not prepared twice. A subject that is there
    already stays as it is until the new one is whole; what was trained on it is then set aside, and nothing else in
    the folder is touched.

    Args:
        footage: the videos.
        folder: where the subject is to be.
        pose, person: as in ``detect_video``; a number counts the people of each video by itself.
        height: of the prepared frames; by default 512, or less where the footage is smaller.
        fps: of the prepared frames; by default 30, or less where the footage is slower.
        holdout: seconds at each clip's end that are kept from training; by default a tenth, at most 10 s.
        on_progress: told frames done of all footage; the work can be stopped from there.

    Raises:
        DanceError: the footage cannot be read (see ``video``), shows nobody (``no-person``), is too short
            (``too-short``), or was filmed in different places (``different-places``); the folder cannot be used
            (``not-a-subject``, ``cannot-write``) or is in use (``already-training``); or the disk is full.
    """
    check_folder(folder)
    request = Request.resolve(footage, pose, person, height, fps, holdout)
    try:
        with locked_for_preparing(folder):
            present = _present(folder)
            answered = present is not None and request.is_answered_by(present)
            whole = _whole(folder) if answered else None
            if whole is not None:
                events.remark("prepared-already", f"{folder} is prepared already.")
                return whole
            with fresh_preparation(folder) as fresh:
                (fresh / "frames").mkdir()
                decoded = decode(request, fresh, on_progress)
                # What was trained on a subject that was damaged fits the one that is made again.
                identity = present.identity if present is not None and answered else request.identity(decoded.clips)
                complete(request, fresh, decoded, identity)
            return Subject.open(folder)
    except OSError as error:
        raise explain_write_failure(error, folder) from error


def _present(folder: Path) -> SubjectManifest | None:
    """The manifest of the subject that is in ``folder``; None where there is none, or a damaged one.

    Raises:
        DanceError: it is of a newer version, may not be read, or is something of the user's (``not-a-subject``).
    """
    try:
        return read_manifest(folder)
    except DanceError as error:
        if error.code == "older-version":  # made again
            return None
        if error.code in ("newer-version", "cannot-read"):
            raise
    path = folder / MANIFEST
    try:
        fields = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):  # what cannot be read at all was ours, and is damaged
        return None
    if not isinstance(fields, dict) or not {"identity", "clips"} <= fields.keys():
        raise DanceError("not-a-subject", f"{path} is not of a subject. Choose another folder for the subject.")
    return None


def _whole(folder: Path) -> Subject | None:
    """The subject in ``folder``; None where anything of it is missing or damaged, so that it has to be made again."""
    try:
        subject = Subject.open(folder)
        subject.check()
    except DanceError as error:
        if error.code != "bad-subject":
            raise
        return None
    return subject
