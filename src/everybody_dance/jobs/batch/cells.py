"""What the cells of a row ask for: columns' names, and the transfer of the texts beneath them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from everybody_dance.errors import UsageError
from everybody_dance.files import names_folder
from everybody_dance.performer.options import RUNTIMES, TORCH
from everybody_dance.pose.options import DEFAULT_DETECTOR, LARGEST, OPENPOSE, check_person
from everybody_dance.retarget.options import Landing
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

LANDING = tuple(field.name for field in fields(Landing))
"""Columns for where the dance lands."""

_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")


def check_columns(names: Sequence[str]) -> None:
    """Refuse a table of other columns.

    Raises:
        UsageError: a column is unknown, missing or there twice (``bad-column``).
    """
    known = f"A table has {', '.join(REQUIRED)}, and perhaps {', '.join(OPTIONS)}."
    unknown = [name for name in names if name not in (*REQUIRED, *OPTIONS)]
    if unknown:
        raise UsageError("bad-column", f"the column {unknown[0][:100]!r} is unknown. {known}")
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise UsageError("bad-column", f"there is no column {missing[0]!r}. {known}")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UsageError("bad-column", f"the column {twice[0]!r} is there twice.")


def request_of(cells: Mapping[str, str], base: Path) -> TransferRequest:
    """The transfer that cells by column's name ask for; relative paths are relative to ``base``.

    Raises:
        UsageError: a value cannot be (the code of the option's own error, or ``bad-value``).
    """
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
        return float(text.replace(",", "."))  # spreadsheets of many countries write 0,8
    except ValueError as error:
        raise UsageError("bad-value", f"{name} is a number such as 0.8, not {text!r}.") from error


def _one_of(cells: Mapping[str, str], name: str, values: Sequence[str]) -> str:
    text = cells.get(name, values[0]).lower()
    if text not in values:
        raise UsageError("bad-value", f"{name} is one of {', '.join(values)}, not {text!r}.")
    return text
