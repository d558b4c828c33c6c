"""A subject's folder: what in it is ours, who may change it, and how a new preparation replaces an old one.

The folder belongs to the user: nothing else in it is ever touched. A new subject is built in a hidden folder inside,
and then takes the place of the old one in a way that a kill at any moment cannot spoil: once the hidden folder has its
final name, the next one who opens the subject finishes what was begun.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from everybody_dance import events
from everybody_dance.errors import DanceError
from everybody_dance.files import LOCK, check_name, explain_write_failure, only_one, sweep, temporary_path

MANIFEST = "subject.json"

PREPARED = ("frames", "keypoints.npz", "plate.png", "plate_known.png", MANIFEST)
"""What a preparation writes; the manifest last."""

TRAINED = ("training", "model", "evaluation", "ablation")
"""What was made from a preparation, and fits no other."""

WAITING = ".dance-prepared"
"""A whole new preparation that is about to take the old one's place."""


@contextmanager
def no_empty_folder_left(folder: Path) -> Iterator[None]:
    """Take away a folder that the block made and left empty, because it failed."""
    there = os.path.lexists(folder)
    try:
        yield
    finally:
        if not there and folder.is_dir() and {entry.name for entry in folder.iterdir()} <= {LOCK}:
            (folder / LOCK).unlink(missing_ok=True)
            folder.rmdir()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder in which one process at a time may prepare or train, and sweep it.

    Raises:
        DanceError: another process holds it (``already-training``).
    """
    with only_one(
        folder,
        "already-training",
        f"Another training or preparation is at work in {folder}. Wait for it, or stop it first.",
    ):
        for name in TRAINED:
            sweep(folder / name)
        yield


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
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
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

    When the block ends without an exception the new subject takes the old one's place, and what was trained on the old
    one is set aside. On an exception nothing has changed.
    """
    folder = folder.resolve()
    finish_replacing(folder)
    fresh = temporary_path(folder)
    try:
        fresh.mkdir(parents=True)
        yield fresh
        os.rename(fresh, folder / WAITING)
        finish_replacing(folder)
    except OSError as error:
        raise explain_write_failure(error, folder) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def finish_replacing(folder: Path) -> None:
    """Let a whole new preparation that waits in ``folder`` take the old one's place; the caller holds the lock.

    It can be stopped at any point and called again. Nothing happens where none waits.
    """
    waiting = folder / WAITING
    if not waiting.is_dir():
        return
    if (waiting / MANIFEST).exists():  # the manifest goes last: as long as it waits, all old entries may have to go
        set_aside(folder, TRAINED)
    for name in PREPARED:
        new, current = waiting / name, folder / name
        if not new.exists():
            continue
        if current.is_dir() and not current.is_symlink():
            os.rename(current, temporary_path(folder))
        os.replace(new, current)
    shutil.rmtree(waiting)
    for entry in folder.glob(".dance-*-*-*"):
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)


def set_aside(folder: Path, names: tuple[str, ...]) -> None:
    """Give entries of ``folder`` a new name, ``model.old-1`` and so on, and say so; nothing is deleted."""
    there = [name for name in names if os.path.lexists(folder / name)]
    if not there:
        return
    number = 1
    while any(os.path.lexists(folder / f"{name}.old-{number}") for name in there):
        number += 1
    for name in there:
        os.rename(folder / name, folder / f"{name}.old-{number}")
    events.warn(
        "set-aside",
        f"The footage or the options changed, and what was made from the old ones in {folder} no longer fits. It is"
        f" kept under new names: {', '.join(f'{name}.old-{number}' for name in there)}.",
        names=[f"{name}.old-{number}" for name in there],
    )
