"""Deleting what the program made, and nothing else.

Every file is known by its name and place before it goes; whatever else lies in a person's folder stays, and so does
the folder then. Links are removed, never what they lead to.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from everybody_dance.files import LOCK, explain_write_failure
from everybody_dance.studio.archives import MODEL_FILE, PORTRAIT
from everybody_dance.studio.people import STUDIO_FILE, own_files
from everybody_dance.subject.folder import PREPARED, PREPARING, REPLACED, TRAINED, WAITING

_OLD = r"(\.old-\d+)?"
_TEMPORARY = re.compile(r"\.dance-[0-9a-f]{6}-\d+-[0-9a-f]{8}(\.[^.]*)?")
_MODEL = rf"model{_OLD}/({MODEL_FILE.pattern})"
_TRAINING = (
    r"([^/]+/)*([a-z]+-\d{7}\.(safetensors|jpg)|log\.jsonl|metrics\.json|events\.out\.tfevents\.[^/]+)",
    rf"([^/]+/)*({MODEL_FILE.pattern})",
)
_OURS = re.compile(
    "|".join(
        (
            rf"frames{_OLD}/\d{{6,}}\.jpg",
            *(re.escape(name) + _OLD for name in PREPARED if "." in name),
            _MODEL,
            *(rf"(training|ablation){_OLD}/{files}" for files in _TRAINING),
            rf"evaluation{_OLD}/((report|ablation)\.(html|json|md)|results\.jsonl)",
            re.escape(STUDIO_FILE),
            re.escape(PORTRAIT),
            re.escape(LOCK),
        )
    )
)
_WORK = (PREPARING, WAITING, REPLACED)
"""Folders in which only this program works."""

_OUR_FOLDERS = re.compile(rf"({'|'.join(name for name in (*PREPARED, *TRAINED) if '.' not in name)}){_OLD}(/.*)?")


@dataclass(frozen=True)
class Removal:
    """What deleting something would do.

    Attributes:
        files: that would go.
        size: their bytes.
        stays: names of entries that are not the program's, and stay.
    """

    files: list[Path]
    size: int
    stays: list[str]


def removal_of_person(folder: Path) -> Removal:
    """What deleting the person in ``folder`` would do."""
    if folder.is_symlink():
        return Removal([folder], 0, [])
    footage = set(own_files(folder))
    ours, stays = list[Path](), list[str]()
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if name in footage or name.split("/")[0] in _WORK or _OURS.fullmatch(name) or _TEMPORARY.fullmatch(path.name):
            ours.append(path)
        else:
            stays.append(name)
    return Removal(ours, sum(_size(path) for path in ours), stays)


def removal_of(*files: Path) -> Removal:
    """What deleting ``files`` would do; those that are not there are left out."""
    there = [path for path in files if path.is_symlink() or path.is_file()]
    return Removal(there, sum(_size(path) for path in there), [])


def remove(removal: Removal, folder: Path | None = None) -> None:
    """Delete the files, and of ``folder`` what is empty then.

    Raises:
        DanceError: a file cannot be deleted (``cannot-write``).
    """
    for path in removal.files:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise explain_write_failure(error, path) from error
    if folder is None or folder.is_symlink() or not folder.is_dir():
        return
    for place in sorted((path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink()), reverse=True):
        name = place.relative_to(folder).as_posix()
        if _OUR_FOLDERS.fullmatch(name) or name.split("/")[0] in _WORK or _TEMPORARY.fullmatch(place.name):
            with suppress(OSError):  # something of the user's is in it
                place.rmdir()
    with suppress(OSError):
        folder.rmdir()


def _files(folder: Path) -> Iterator[Path]:
    """Everything in ``folder`` that is no folder, and folders that are empty and not ours; links are not followed."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not path.is_dir():
            yield path
        else:
            yield from _files(path)


def _size(path: Path) -> int:
    return path.lstat().st_size
