"""The rows of a batch: from a CSV file, or every performer with every source. One row is one transfer."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from everybody_dance import events
from everybody_dance.errors import DanceError, UsageError
from everybody_dance.jobs.batch.cells import check_columns, request_of
from everybody_dance.jobs.batch.names import pair_names, short_names
from everybody_dance.pose.detection import pose_place
from everybody_dance.subject.folder import needed
from everybody_dance.synthesis.backdrop import NONE
from everybody_dance.workflows.requests import TransferRequest

SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m2ts", ".mts", ".ts", ".ogv", ".wmv"),
    *(".flv", ".3gp"),
)
"""By these names videos are known in a folder of sources."""

SHOWN = 5
"""So many of the files that are missing are named."""


@dataclass(frozen=True)
class Row:
    """One transfer of a batch.

    Attributes:
        number: from 1, in the order of the batch.
        request: what to do, with absolute paths.
    """

    number: int
    request: TransferRequest

    @property
    def title(self) -> str:
        """Who dances what, in few words."""
        folder = self.request.performer
        name = folder.parent.name if folder.name == "model" else folder.name
        return f"{name}, {self.request.source.name}"

    @property
    def performers(self) -> tuple[Any, ...]:
        """What a process has to load for it: rows for which this is equal are best done by one process."""
        members = tuple(folder for folder, _ in self.request.members)
        return self.request.performer, members, self.request.device, self.request.runtime

    @property
    def outputs(self) -> list[Path]:
        """What it writes."""
        comparison = self.request.comparison
        return [self.request.out, *([] if comparison is None else [comparison])]


@dataclass(frozen=True)
class Part:
    """A share of a batch: every ``parts``-th row, from the ``which``-th on, which counts from 1."""

    which: int
    parts: int

    @classmethod
    def read(cls, text: str) -> Self:
        """That of ``K/N``.

        Raises:
            UsageError: it is not of this form, or K is not in 1 to N (``bad-value``).
        """
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if found is None:
            raise UsageError("bad-value", f"--part is K/N, such as 1/4, not {text[:40]!r}.")
        part = cls(int(found[1]), int(found[2]))
        if not 1 <= part.which <= part.parts:
            raise UsageError("bad-value", f"--part {text}: the first number is from 1 to the second.")
        return part

    def of(self, rows: Sequence[Row]) -> list[Row]:
        """Its rows."""
        return list(rows[self.which - 1 :: self.parts])


def read_rows(file: Path, defaults: Mapping[str, str]) -> list[Row]:
    """The rows of a CSV file with a line of column names.

    Args:
        file: UTF-8, with commas or semicolons; relative paths in it are relative to its folder.
        defaults: the text of options by name, for cells that are empty; paths in it are absolute.

    Raises:
        DanceError: the file is not there or cannot be read (``file-not-found``, ``bad-csv``).
        UsageError: a column is unknown, missing or there twice (``bad-column``), or a value cannot be (the code of the
            option's own error, or ``bad-value``).
    """
    try:
        text = file.read_text("utf-8-sig")
    except FileNotFoundError as error:
        raise DanceError("file-not-found", f"{file} does not exist.") from error
    except IsADirectoryError as error:
        raise DanceError("bad-csv", f"{file} is a folder; a table is a CSV file.") from error
    except UnicodeDecodeError as error:
        raise DanceError("bad-csv", f"{file} is not UTF-8 text. Save it as CSV in UTF-8.") from error
    if "\0" in text:  # it would end up in names, which cannot have it
        raise DanceError("bad-csv", f"{file} is not text. Save it as CSV in UTF-8.")
    header = next((line for line in text.splitlines() if line.strip()), "")
    separator = ";" if ";" in header and "," not in header else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    lines = reader.reader
    rows: list[Row] = []
    try:
        names = [name.strip() for name in next((line for line in lines if any(map(str.strip, line))), [])]
        check_columns(names)
        reader.fieldnames = names
        for cells in reader:
            if None in cells:
                raise UsageError("bad-csv", "there are more cells than columns.")
            given = {name: (text or "").strip() for name, text in cells.items()}
            if any(given.values()):
                rows.append(Row(len(rows) + 1, request_of({**defaults, **_filled(given)}, file.absolute().parent)))
    except UsageError as error:
        raise UsageError(error.code, f"{file}, line {max(lines.line_num, 1)}: {error.message}") from error
    except csv.Error as error:
        raise DanceError("bad-csv", f"{file}, line {max(lines.line_num, 1)}: {error}.") from error
    if not rows:
        raise UsageError("no-rows", f"{file} has no rows.")
    return rows


def all_pairs(performers: Path, sources: Path, out: Path, defaults: Mapping[str, str]) -> list[Row]:
    """Every performer with every source, to ``OUT/PERFORMER-SOURCE.mp4`` (``names.pair_names``).

    Args:
        performers: a folder of trained subjects or of models.
        sources: a folder of videos, known by their names' suffixes.
        out: folder for the results.
        defaults: as in ``read_rows``.

    Raises:
        DanceError: there is no performer or no video (``no-rows``), or no such folder (``file-not-found``).
        UsageError: ``out`` is the folder of the sources or of a performer (``overwrites-input``); or as ``read_rows``.
    """
    for folder in (performers, sources):
        if not folder.is_dir():
            raise DanceError("file-not-found", f"{folder} is not a folder.")
    trained = [folder for folder in sorted(performers.iterdir()) if has_model(folder)]
    files = [file for file in sorted(sources.iterdir()) if file.is_file() and not file.name.startswith(".")]
    videos = [file for file in files if file.suffix.lower() in SUFFIXES]
    if len(videos) < len(files):
        events.remark("not-videos", f"{len(files) - len(videos)} files in {sources} are no videos by their names.")
    for what, found, folder in (("trained performer", trained, performers), ("video", videos, sources)):
        if not found:
            raise DanceError("no-rows", f"There is no {what} in {folder}.")
    if out.resolve() in (sources.resolve(), *(folder.resolve() for folder in trained)):
        raise UsageError("overwrites-input", f"{out} holds what is read; choose another folder for the results.")
    suffix = ".mov" if defaults.get("background") == NONE else ".mp4"
    rows: list[Row] = []
    for folder, names in zip(trained, pair_names(short_names(trained), short_names(videos)), strict=True):
        for video, name in zip(videos, names, strict=True):
            cells = {"performer": str(folder), "source": str(video), "out": str(out / f"{name}{suffix}")}
            rows.append(Row(len(rows) + 1, request_of({**defaults, **cells}, Path.cwd())))
    return rows


def check_rows(rows: Sequence[Row]) -> None:
    """Find out before the first row what would stop any of them after hours, as far as files' names tell.

    Raises:
        DanceError: something that is read is not there (``file-not-found``), or a performer is not trained
            (``no-model``).
        UsageError: a file would be written twice, or into a folder of frames (``same-output``), is also read or holds
            what is (``overwrites-input``), or has a name that cannot be (``bad-suffix``).
    """
    requests = [row.request for row in rows]
    _all_there([request.source for request in requests], "file-not-found", "do not exist", Path.is_file)
    folders = [folder for each in requests for folder in (each.performer, *(member for member, _ in each.members))]
    _all_there(folders, "no-model", "hold no trained performer (`dance train` makes one)", has_model)
    files = {*(request.source for request in requests), *_backgrounds(requests)}
    poses = {path for pose in {request.config.pose for request in requests} if (path := pose_place(pose)) is not None}
    owned = {file for folder in dict.fromkeys(folders) for file in needed(folder)}
    read = {path.resolve() for path in files | poses | owned}
    holding = {parent for place in read for parent in place.parents}
    written: dict[Path, Path] = {}
    around: dict[Path, Path] = {}  # by folder, something that is written there
    for row in rows:
        for out in row.outputs:
            place = out.resolve()
            if place in written:
                raise UsageError("same-output", f"Row {row.number}: {out} would be written twice.")
            if place in holding or not read.isdisjoint((place, *place.parents)):
                raise UsageError("overwrites-input", f"Row {row.number}: {out} is also read; choose another name.")
            other = next((written[parent] for parent in place.parents if parent in written), around.get(place))
            if other is not None:
                raise UsageError("same-output", f"Row {row.number}: of {out} and {other} one would lie in the other.")
            written[place] = out
            around.update(dict.fromkeys(place.parents, out))


def has_model(folder: Path) -> bool:
    """Whether a performer was trained there."""
    return any((place / "model.json").is_file() for place in (folder, folder / "model"))


def _filled(cells: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in cells.items() if text}


def _backgrounds(requests: Sequence[TransferRequest]) -> list[Path]:
    given = {request.config.background for request in requests} - {None, NONE}
    return [Path(background) for background in given if background and not background.startswith("#")]


def _all_there(paths: Sequence[Path], code: str, what: str, there: Any) -> None:
    missing = [path for path in dict.fromkeys(paths) if not there(path)]
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise DanceError(code, f"These {what}: {', '.join(map(str, missing[:SHOWN]))}{more}.")
