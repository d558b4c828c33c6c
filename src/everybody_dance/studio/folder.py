"""The folder of a studio: what lies where, and names that are safe to use in it.

    people/NAME/    a subject's folder as every command knows it, with the footage in it
    dances/         videos that are danced
    results/        what was made
    uploads/        what is on its way from a browser
    pictures/       small pictures of dances and results, which can be made again
    jobs/           jobs, and what happened to them

Ids that come from a page are names of entries in one of these folders. They are looked up among what is there, and
never made into a path: so no path from outside is ever opened.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from everybody_dance.errors import DanceError
from everybody_dance.files import explain_write_failure

LONGEST_NAME = 80
"""Bytes of a name, without its suffix."""

_ALLOWED = frozenset(" -_")


@dataclass(frozen=True)
class StudioFolder:
    """A studio's places.

    Attributes:
        root: the folder, as the user wrote it.
    """

    root: Path

    @classmethod
    def open(cls, root: Path) -> Self:
        """The studio in ``root``, where whatever is missing is made. Other files in it are left alone.

        Raises:
            DanceError: it cannot be made or written (``cannot-write``, ``disk-full``).
        """
        self = cls(root)
        for place in (self.people, self.dances, self.results, self.uploads, self.pictures, self.jobs):
            try:
                place.mkdir(parents=True, exist_ok=True)
            except FileExistsError as error:
                raise DanceError("cannot-write", f"{place} is a file, not a folder. Choose another folder.") from error
            except OSError as error:
                raise explain_write_failure(error, place) from error
        return self

    def whole(self, path: Path) -> Path:
        """The absolute path of something in the studio; links in its place are not followed, only those above it.

        So a job's paths are the same however the studio was opened, and a person may be a link to a subject elsewhere.
        """
        return self.root.resolve() / path.relative_to(self.root)

    @property
    def people(self) -> Path:
        """Folders of people, by their names."""
        return self.root / "people"

    @property
    def dances(self) -> Path:
        """Videos that are danced."""
        return self.root / "dances"

    @property
    def results(self) -> Path:
        """What was made."""
        return self.root / "results"

    @property
    def uploads(self) -> Path:
        """What is on its way from a browser."""
        return self.root / "uploads"

    @property
    def pictures(self) -> Path:
        """Small pictures that can be made again."""
        return self.root / "pictures"

    @property
    def jobs(self) -> Path:
        """The jobs' database."""
        return self.root / "jobs"


def entry(folder: Path, name: str) -> Path | None:
    """The entry of ``folder`` that is called ``name``, looked up among those that are there; hidden ones are none."""
    return next((path for path in visible(folder) if path.name == name), None)


def visible(folder: Path) -> list[Path]:
    """What is in ``folder``, by name, without hidden entries, and without those whose names are no text.

    Older systems left such names behind; no page could be told of them.
    """
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and _is_text(path.name))
    except FileNotFoundError:
        return []


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def clean(text: str, otherwise: str) -> str:
    """A name for a file or folder, made of what somebody called it: letters, digits, spaces, ``-`` and ``_``.

    Args:
        text: anything.
        otherwise: the name where nothing is left.
    """
    text = unicodedata.normalize("NFC", text)
    letters = "".join(letter if letter.isalnum() or letter in _ALLOWED else "/" for letter in text)
    letters = re.sub(r"[\s-]*/[\s/-]*", "-", letters)
    while len(letters.encode()) > LONGEST_NAME:
        letters = letters[:-1]
    return letters.strip(" -_") or otherwise


def free(folder: Path, stem: str, suffix: str = "") -> Path:
    """A path in ``folder`` that nothing has: ``stem``, ``stem-2`` and so on. Upper and lower case are one."""
    taken = {path.name.casefold() for path in folder.iterdir()}
    number, name = 1, f"{stem}{suffix}"
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}{suffix}"
    return folder / name
