"""``batch.json``: what became of each row, by which the same command knows what is whole, and what is its own."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.files import write_text
from everybody_dance.video.identity import LARGEST_PLAYLIST, footage_identity

VERSION = 1

State: TypeAlias = Literal["begun", "done", "failed"]


class Entry(BaseModel):
    """What became of one result.

    Attributes:
        row, performer, source: for people.
        state: ``begun`` until it is ``done`` or ``failed``.
        identity: hash of all that the result depends on (``identity.Identities``).
        sizes: bytes of each file that this batch made for it, by its place.
        before: bytes of each file that was there when it was begun, all of them this batch's own.
        seconds: that it took.
        figures: as of ``dance transfer``.
        findings: what was told of it.
        error: code and message, if it failed.
    """

    model_config = ConfigDict(extra="forbid")

    row: int
    performer: str
    source: str
    state: State
    identity: str = ""
    sizes: dict[str, int] = Field(default_factory=dict)
    before: dict[str, int] = Field(default_factory=dict)
    seconds: float | None = None
    figures: dict[str, Any] = Field(default_factory=dict)
    findings: list[dict[str, Any]] = Field(default_factory=list)
    error: dict[str, str] | None = None


class Known(BaseModel):
    """A file whose content was read before: it is not read again while its size and time are the same."""

    model_config = ConfigDict(extra="forbid")

    size: int
    modified: int
    content: str


class Record(BaseModel):
    """The file's content: entries by the result's place, as seen from the file's folder; so all of it can be moved."""

    model_config = ConfigDict(extra="forbid")

    version: int = VERSION
    results: dict[str, Entry] = Field(default_factory=dict)
    contents: dict[str, Known] = Field(default_factory=dict)


class RecordFile:
    """The record on disk, which is written anew, whole, on each change. Any thread may call.

    Args:
        path: of the file.

    Raises:
        UsageError: the file is something else (``not-a-record``).
        DanceError: it was made by a newer version (``newer-version``), or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._guard = threading.Lock()
        self._record = Record()
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return
        try:
            version = pydantic.TypeAdapter(dict[str, Any]).validate_json(text).get("version")
            if isinstance(version, int) and version > VERSION:
                raise DanceError("newer-version", f"{path} was made by a newer version of Everybody Dance. Update it.")
            self._record = Record.model_validate_json(text)
        except pydantic.ValidationError as error:
            raise UsageError(
                "not-a-record", f"{path} is no record of a batch, and is left alone. Choose another --report."
            ) from error

    def place(self, path: Path) -> str:
        """How a file is called in the record."""
        return Path(os.path.relpath(path, self.path.parent)).as_posix()

    def entry(self, out: Path) -> Entry | None:
        """What is known of a result."""
        return self._record.results.get(self.place(out))

    def keep(self, out: Path, entry: Entry) -> None:
        """Write down what became of a result."""
        with self._guard:
            self._record.results[self.place(out)] = entry
            write_text(self.path, self._record.model_dump_json(indent=2) + "\n")

    def content(self, path: Path) -> str:
        """Hash of a video's content (``footage_identity``). Of a large one it is kept, from the next ``keep`` on.

        Raises:
            DanceError: it is no video, or cannot be read.
        """
        place, status = self.place(path), path.stat()
        known = self._record.contents.get(place)
        if known is not None and (known.size, known.modified) == (status.st_size, status.st_mtime_ns):
            return known.content
        content = footage_identity(path)
        if status.st_size > LARGEST_PLAYLIST:  # what a playlist depends on does not show in its size and time
            with self._guard:
                self._record.contents[place] = Known(size=status.st_size, modified=status.st_mtime_ns, content=content)
        return content

    def sizes(self, outputs: Sequence[Path]) -> dict[str, int]:
        """Bytes of each file or folder that is there, by its place."""
        return {self.place(out): _bytes(out) for out in outputs if os.path.lexists(out)}


def _bytes(path: Path) -> int:
    if path.is_dir():
        return sum(entry.lstat().st_size for entry in path.iterdir())
    return path.lstat().st_size
