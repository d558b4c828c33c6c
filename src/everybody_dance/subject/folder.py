"""A subject's folder: what in it is ours, who may change it, and how a new preparation replaces an old one.

The folder belongs to the user: nothing else in it is ever touched. A new subject is built in a hidden folder inside,
and then takes the place of the old one in a way that a kill at any moment cannot spoil: once the hidden folder has its
final name, the next process that holds the lock finishes what was begun.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from everybody_dance import events
from everybody_dance.errors import DanceError
from everybody_dance.files import LOCK, check_name, explain_write_failure, only_one, sweep, temporary_path

MANIFEST = "subject.json"

MATTES = "mattes.zip"

SHEET = "preparation.jpg"

PREPARED = ("frames", MATTES, "keypoints.npz", "plate.png", "plate_known.png", SHEET, MANIFEST)
"""What a preparation writes; the manifest last."""

TRAINED = ("training", "model", "evaluation", "ablation")
"""What was made from a preparation, and fits no other."""


PREPARING = ".dance-preparing"
"""A new preparation that is being made."""

WAITING = ".dance-prepared"
"""A whole new preparation that is about to take the old one's place."""

REPLACED = ".dance-replaced"
"""Entries of the old preparation that were moved out of the way."""

_FRAME = re.compile(r"\d{6,}\.jpg")
"""Names of frames, as ``subject.frame_path`` gives them."""


def needed(folder: Path) -> list[Path]:
    """What a dance needs of a subject, or of a performer's model folder: no output may take its place."""
    return [folder / name for name in (*PREPARED, "model", "training", "model.json")]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder in which one process at a time may prepare or train.

    What a killed process left behind is dealt with first: a replacement that it began is finished, and its temporaries
    are removed.

    Raises:
        DanceError: another process holds the lock (``already-training``).
    """
    with only_one(
        folder,
        "already-training",
        f"Another training or preparation is at work in {folder}. Wait for it, or stop it first.",
    ):
        for name in TRAINED:
            sweep(folder / name)
        _finish_replacing(folder)
        yield


@contextmanager
def locked_for_preparing(folder: Path) -> Iterator[None]:
    """Hold the lock as ``locked`` does; where there is no subject at the end, leave neither folder nor lock behind."""
    place = Path(os.path.realpath(folder))
    folder_was_there, lock_was_there = place.exists(), (folder / LOCK).exists()
    try:
        with locked(folder):
            try:
                yield
            finally:
                if not lock_was_there and not (folder / MANIFEST).exists():
                    (folder / LOCK).unlink(missing_ok=True)
    finally:
        if not folder_was_there:
            with suppress(OSError):  # it is not empty, then
                place.rmdir()


def check_folder(folder: Path) -> None:
    """Refuse a place where no subject can be, before any work.

    Raises:
        UsageError: its name cannot be used (``bad-name``, ``name-too-long``).
        DanceError: it cannot be made or written (``cannot-write``), or a name that a subject needs is taken by
            something of the user's (``not-a-subject``).
    """
    check_name(folder)
    if folder.exists() and not folder.is_dir():
        raise DanceError("not-a-subject", f"{folder} is a file. Choose a folder for the subject.")
    place = Path(os.path.realpath(folder))  # a dangling link leads to where the folder is to be
    if place.is_symlink():
        raise DanceError("cannot-write", f"{folder} is a link that leads to itself.")
    nearest = next(above for above in (place, *place.parents) if above.exists())
    if not nearest.is_dir():
        raise DanceError("cannot-write", f"{nearest} is a file, not a folder.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise DanceError("cannot-write", f"Nothing can be written to {nearest}.")
    if not (folder / MANIFEST).is_file() and not (folder / WAITING).is_dir():
        taken = [name for name in (*PREPARED, *TRAINED) if os.path.lexists(folder / name)]
        if taken:
            raise DanceError(
                "not-a-subject",
                f"{folder} holds {taken[0]}, which is not of a subject. Choose another folder for the subject.",
            )


@contextmanager
def fresh_preparation(folder: Path) -> Iterator[Path]:
    """Yield an empty hidden folder inside ``folder``, in which a new subject is built; the caller holds the lock.

    When the block ends without an exception the new subject takes the old one's place, and what was trained on another
    preparation is set aside. On an exception nothing has changed.

    Raises:
        DanceError: an entry of the old subject cannot be replaced (``cannot-write``), or the disk is full.
    """
    for name in (*PREPARED, *TRAINED):
        if os.path.ismount(folder / name):
            raise DanceError(
                "cannot-write",
                f"{folder / name} is a mount point, so it cannot be replaced. Choose another folder for the subject.",
            )
    fresh = folder / PREPARING
    try:
        fresh.mkdir()
        yield fresh
        os.rename(fresh, folder / WAITING)
        _finish_replacing(folder)
    except OSError as error:
        raise explain_write_failure(error, folder) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _finish_replacing(folder: Path) -> None:
    """Let a whole new preparation that waits in ``folder`` take the old one's place; the caller holds the lock.

    It can be stopped at any point and called again. Where none waits, only leftovers are removed.
    """
    waiting = folder / WAITING
    if waiting.is_dir():
        # The manifest goes last: as long as the new one waits, the old one tells what was trained on what.
        if (waiting / MANIFEST).exists() and _identity(waiting) != _identity(folder):
            _set_aside(
                folder,
                TRAINED,
                f"The footage, the options or the program changed, and what was made in {folder} no longer fits.",
            )
        for name in PREPARED:
            if (waiting / name).exists():
                _make_way(folder, name)
                os.replace(waiting / name, folder / name)
        shutil.rmtree(waiting)
    for name in (PREPARING, REPLACED):
        shutil.rmtree(folder / name, ignore_errors=True)


def _make_way(folder: Path, name: str) -> None:
    """Move away an old entry that a rename cannot replace: a folder, or a link to one."""
    old = folder / name
    if not old.is_dir():
        return
    if not old.is_symlink() and not all(_FRAME.fullmatch(entry) for entry in os.listdir(old)):
        _set_aside(folder, (name,), f"{old} also holds files that no preparation made.")
        return
    replaced = folder / REPLACED
    replaced.mkdir(exist_ok=True)
    # ``shutil.move`` copies where a layered file system, as containers have, refuses to rename a folder.
    shutil.move(old, temporary_path(replaced))


def _set_aside(folder: Path, names: tuple[str, ...], reason: str) -> None:
    """Give entries of ``folder`` a new name, ``model.old-1`` and so on, and say so; nothing is deleted."""
    there = [name for name in names if os.path.lexists(folder / name)]
    if not there:
        return
    number = 1
    while any(os.path.lexists(folder / f"{name}.old-{number}") for name in there):
        number += 1
    kept = [f"{name}.old-{number}" for name in there]
    for name, new_name in zip(there, kept, strict=True):
        shutil.move(folder / name, folder / new_name)
    events.warn("set-aside", f"{reason} It is kept under a new name: {', '.join(kept)}.", names=kept)


def _identity(folder: Path) -> object:
    """The identity in a subject's manifest; None where that cannot be read."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        return json.loads((folder / MANIFEST).read_bytes())["identity"]
    return None
