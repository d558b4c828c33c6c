"""The rows of a batch: from a CSV file, or every performer with every source. One row is one transfer."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from everybody_dance import events
from everybody_dance.errors import DanceError, UsageError
from everybody_dance.files import names_folder
from everybody_dance.performer.options import RUNTIMES, TORCH
from everybody_dance.pose.options import DEFAULT_DETECTOR, LARGEST, OPENPOSE, check_person
from everybody_dance.retarget.options import Landing
from everybody_dance.subject.folder import needed
from everybody_dance.synthesis.backdrop import NONE, check_background
from everybody_dance.synthesis.config import TransferConfig
from everybody_dance.video.writer import format_of
from everybody_dance.workflows.requests import TransferRequest

REQUIRED = ("performer", "source", "out")

OPTIONS = (
    "pose",
    "person",
    "with",
    "smooth",
    "compare",
    "no-normalize",
    "bones",
    "scale",
    "shift",
    "floor",
    "background",
    "shadow",
    "device",
    "runtime",
)
"""Columns that may be left out, and cells that may be empty: the options of ``dance transfer``."""

SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m2ts", ".mts", ".ts", ".ogv", ".wmv"),
    *(".flv", ".3gp"),
)
"""By these names videos are known in a folder of sources."""

LANDING = tuple(field.name for field in fields(Landing))
"""Columns for where the dance lands."""

_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")

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
    except UnicodeDecodeError as error:
        raise DanceError("bad-csv", f"{file} is not UTF-8 text. Save it as CSV in UTF-8.") from error
    header = next((line for line in text.splitlines() if line.strip()), "")
    separator = ";" if ";" in header and "," not in header else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    names = [name.strip() for name in reader.fieldnames or ()]
    _check_columns(names, file)
    reader.fieldnames = names
    rows: list[Row] = []
    try:
        for cells in reader:
            if None in cells:
                raise UsageError("bad-csv", "there are more cells than columns.")
            given = {name: (text or "").strip() for name, text in cells.items()}
            if any(given.values()):
                rows.append(Row(len(rows) + 1, _request({**defaults, **_filled(given)}, file.absolute().parent)))
    except UsageError as error:
        raise UsageError(error.code, f"{file}, line {reader.line_num}: {error.message}") from error
    except csv.Error as error:
        raise DanceError("bad-csv", f"{file}, line {reader.line_num}: {error}.") from error
    if not rows:
        raise UsageError("no-rows", f"{file} has no rows.")
    return rows


def all_pairs(performers: Path, sources: Path, out: Path, defaults: Mapping[str, str]) -> list[Row]:
    """Every performer with every source, to ``OUT/PERFORMER-SOURCE.mp4``.

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
    stems = Counter(video.stem for video in videos)
    suffix = ".mov" if defaults.get("background") == NONE else ".mp4"
    rows: list[Row] = []
    for folder in trained:
        for video in videos:
            name = f"{folder.name}-{video.stem if stems[video.stem] == 1 else video.name}{suffix}"
            cells = {"performer": str(folder), "source": str(video), "out": str(out / name)}
            rows.append(Row(len(rows) + 1, _request({**defaults, **cells}, Path.cwd())))
    return rows


def check_rows(rows: Sequence[Row]) -> None:
    """Find out before the first row what would stop any of them after hours, as far as files' names tell.

    Raises:
        DanceError: something that is read is not there (``file-not-found``), or a performer is not trained
            (``no-model``).
        UsageError: a file would be written twice (``same-output``), is also read (``overwrites-input``), or has a name
            that cannot be (``bad-suffix``).
    """
    requests = [row.request for row in rows]
    _all_there([request.source for request in requests], "file-not-found", "do not exist", Path.is_file)
    folders = [folder for each in requests for folder in (each.performer, *(member for member, _ in each.members))]
    _all_there(folders, "no-model", "hold no trained performer (`dance train` makes one)", has_model)
    read = {request.source.resolve() for request in requests} | {path.resolve() for path in _backgrounds(requests)}
    owned = {file.resolve() for folder in dict.fromkeys(folders) for file in needed(folder)}
    written: set[Path] = set()
    for row in rows:
        for out in row.outputs:
            place = out.resolve()
            if place in written:
                raise UsageError("same-output", f"Row {row.number}: {out} would be written twice.")
            if place in read or owned & {place, *place.parents}:
                raise UsageError("overwrites-input", f"Row {row.number}: {out} is also read; choose another name.")
            written.add(place)


def has_model(folder: Path) -> bool:
    """Whether a performer was trained there."""
    return any((place / "model.json").is_file() for place in (folder, folder / "model"))


def _check_columns(names: Sequence[str], file: Path) -> None:
    known = f"It takes {', '.join(REQUIRED)}, and perhaps {', '.join(OPTIONS)}."
    unknown = [name for name in names if name not in (*REQUIRED, *OPTIONS)]
    if unknown:
        raise UsageError("bad-column", f"{file} has the unknown column {unknown[0]!r}. {known}")
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise UsageError("bad-column", f"{file} has no column {missing[0]!r}. {known}")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UsageError("bad-column", f"{file} has the column {twice[0]!r} twice.")


def _filled(cells: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in cells.items() if text}


def _request(cells: Mapping[str, str], base: Path) -> TransferRequest:
    """The transfer that cells by column's name ask for; relative paths are relative to ``base``."""
    for name in REQUIRED:
        if not cells.get(name):
            raise UsageError("bad-value", f"the cell of {name!r} is empty.")
    background = cells.get("background")
    if background is not None and background != NONE and not background.startswith("#"):
        background = str(base / background)
    if background is not None:
        check_background(background)
    pose = cells.get("pose", DEFAULT_DETECTOR)
    if pose.startswith(OPENPOSE):
        pose = f"{OPENPOSE}{base / pose.removeprefix(OPENPOSE)}"
    elif pose != DEFAULT_DETECTOR:
        raise UsageError("unknown-pose", f"pose is {DEFAULT_DETECTOR} or {OPENPOSE}DIR, not {pose!r}.")
    runtime = cells.get("runtime", TORCH)
    if runtime not in RUNTIMES:
        raise UsageError("unknown-runtime", f"runtime is one of {', '.join(RUNTIMES)}, not {runtime!r}.")
    out = base / cells["out"]
    if not names_folder(out):
        format_of(out, transparent=background == NONE)
    return TransferRequest(
        performer=base / cells["performer"],
        source=base / cells["source"],
        out=out,
        members=tuple(_member(text.strip(), base) for text in cells.get("with", "").split(";") if text.strip()),
        config=TransferConfig(
            pose=pose,
            person=cells.get("person", LARGEST),
            smoothing=cells.get("smooth", TransferConfig().smoothing),
            normalize=not _flag(cells, "no-normalize"),
            bones=cells.get("bones", TransferConfig().bones),
            landing=Landing(**{name: _number(cells[name], name) for name in LANDING if name in cells}),
            background=background,
            shadow=_one_of(cells, "shadow", ("keep", "none")) == "keep",
        ),
        compare=_flag(cells, "compare"),
        device=cells.get("device", "auto"),
        runtime=runtime,
    )


def _member(text: str, base: Path) -> tuple[Path, str]:
    folder, colon, person = text.rpartition(":")
    if not colon or not folder:
        raise UsageError("bad-value", f"{text!r} does not say whom they follow; write SUBJECT:2.")
    check_person(person)
    return base / folder, person


def _flag(cells: Mapping[str, str], name: str) -> bool:
    return _one_of(cells, name, (*_NO, *_YES)) in _YES


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError("bad-value", f"{name} is a number such as 0.8, not {text!r}.") from error


def _one_of(cells: Mapping[str, str], name: str, values: Sequence[str]) -> str:
    text = cells.get(name, values[0]).lower()
    if text not in values:
        raise UsageError("bad-value", f"{name} is one of {', '.join(values)}, not {text!r}.")
    return text


def _backgrounds(requests: Sequence[TransferRequest]) -> list[Path]:
    given = {request.config.background for request in requests} - {None, NONE}
    return [Path(background) for background in given if background and not background.startswith("#")]


def _all_there(paths: Sequence[Path], code: str, what: str, there: Any) -> None:
    missing = [path for path in dict.fromkeys(paths) if not there(path)]
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise DanceError(code, f"These {what}: {', '.join(map(str, missing[:SHOWN]))}{more}.")


def part_of(rows: Sequence[Row], part: str | None) -> list[Row]:
    """The rows of part ``K/N``: every N-th from the K-th on. All rows where ``part`` is None.

    Raises:
        UsageError: it is not of this form, or K is not in 1 to N (``bad-value``).
    """
    if part is None:
        return list(rows)
    numbers = part.split("/")
    if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
        raise UsageError("bad-value", f"--part is K/N, such as 1/4, not {part!r}.")
    which, parts = map(int, numbers)
    if not 1 <= which <= parts:
        raise UsageError("bad-value", f"--part {part}: the first number is from 1 to the second.")
    return list(rows[which - 1 :: parts])
