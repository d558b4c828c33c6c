"""Which rows are whole, which may be danced, and what becomes of them: all that a batch must not get wrong.

A result is whole if it was made from the same contents with the same options, and its files have the sizes that they
had then. A file that this batch did not make is never overwritten. Any thread may call.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from everybody_dance.errors import DanceError
from everybody_dance.failures import explained
from everybody_dance.files import names_folder
from everybody_dance.jobs.batch.record import Entry, RecordFile
from everybody_dance.jobs.batch.rows import Row
from everybody_dance.jobs.process import Outcome
from everybody_dance.pose.detection import source_identity
from everybody_dance.retarget.options import AS_FITTED
from everybody_dance.synthesis.backdrop import check_background
from everybody_dance.video.identity import content_identity
from everybody_dance.video.provenance import made_by_ai
from everybody_dance.workflows.requests import TransferRequest


@dataclass(frozen=True)
class Result:
    """What became of a row.

    Attributes:
        row: which.
        state: ``done``; ``kept``, since it was whole already; or ``failed``.
        seconds: that it took.
        figures: as ``dance transfer`` reports them.
        code, message: why it failed.
    """

    row: Row
    state: Literal["done", "kept", "failed"]
    seconds: float | None = None
    figures: Mapping[str, Any] | None = None
    code: str = ""
    message: str = ""


class Ledger:
    """Keeps the record of a batch.

    Args:
        file: the record.
        begin_again: dance again what is whole.
    """

    def __init__(self, file: RecordFile, *, begin_again: bool = False) -> None:
        self._file, self._begin_again = file, begin_again

    def kept(self, row: Row) -> Result | None:
        """The row's result, if it was begun by an earlier run and is whole."""
        entry = self._file.entry(row.request.out)
        if entry is None or self._begin_again:
            return None
        try:
            identity = self._identity(row.request)
        except (DanceError, OSError):  # as ``admit`` will say
            return None
        if not self._whole(row, entry, identity):
            return None
        if entry.state == "begun":  # it was killed after the last of its files, and before it was written down
            entry = entry.model_copy(update={"state": "done", "sizes": self._file.sizes(row.outputs), "before": {}})
            self._file.keep(row.request.out, entry)
        return Result(row, "kept", entry.seconds, entry.figures)

    def admit(self, row: Row) -> Result | None:
        """Write down that a row is begun; a result instead, if it may not be.

        Call it at the last moment: whatever is at the row's place from then on is taken for the row's own.
        """
        entry = self._file.entry(row.request.out)
        now = self._file.sizes(row.outputs)
        others = [out for out in row.outputs if self._file.place(out) in now and not self._own(out, entry, now)]
        if others:
            message = f"{others[0]} was there before, or was changed since. It is left alone: move it away."
            return self.failed(row, "not-ours", message)
        try:
            identity = self._identity(row.request)
        except (DanceError, OSError) as error:
            code, message, _ = explained(error)
            return self.failed(row, code, message)
        sizes = {} if entry is None else entry.sizes
        self._file.keep(row.request.out, self._entry(row, "begun", identity=identity, sizes=sizes, before=now))
        return None

    def ended(self, row: Row, outcome: Outcome, seconds: float, findings: Sequence[Mapping[str, Any]]) -> Result:
        """Write down how a row that was admitted ended: done or failed."""
        if outcome.state != "done":
            return self.failed(row, outcome.code, outcome.message, findings)
        entry = self._file.entry(row.request.out)
        self._file.keep(
            row.request.out,
            self._entry(
                row,
                "done",
                identity="" if entry is None else entry.identity,
                sizes=self._file.sizes(row.outputs),
                seconds=round(seconds, 3),
                figures=dict(outcome.figures),
                findings=[dict(finding) for finding in findings],
            ),
        )
        return Result(row, "done", seconds, outcome.figures)

    def failed(self, row: Row, code: str, message: str, findings: Sequence[Mapping[str, Any]] = ()) -> Result:
        """Write down why a row failed."""
        before = self._file.entry(row.request.out)
        entry = self._entry(
            row,
            "failed",
            # What stands there is still what it was.
            identity="" if before is None or before.state == "begun" else before.identity,
            sizes={} if before is None else before.sizes,
            error={"code": code, "message": message},
            findings=[dict(finding) for finding in findings],
        )
        self._file.keep(row.request.out, entry)
        return Result(row, "failed", code=code, message=message)

    def _entry(self, row: Row, state: str, **values: Any) -> Entry:
        performer, source = (self._file.place(path) for path in (row.request.performer, row.request.source))
        return Entry.model_validate(
            {"row": row.number, "performer": performer, "source": source, "state": state, **values}
        )

    def _whole(self, row: Row, entry: Entry, identity: str) -> bool:
        now = self._file.sizes(row.outputs)
        if entry.identity != identity or len(now) < len(row.outputs):
            return False
        if entry.state == "begun":
            replaced = all(size != entry.before.get(place) for place, size in now.items())
            return replaced and all(self._own(out, entry, now) for out in row.outputs)
        return entry.state == "done" and now == entry.sizes

    def _own(self, out: Path, entry: Entry | None, now: Mapping[str, int]) -> bool:
        """Whether this batch made a file that is there."""
        place = self._file.place(out)
        if entry is None:
            return False
        if now[place] == entry.sizes.get(place):
            return True
        return entry.state == "begun" and (names_folder(out) or _made_here(out))

    def _identity(self, request: TransferRequest) -> str:
        """Hash of all that a result depends on: contents and options, wherever the files lie, however they are spelled.

        Raises:
            DanceError, OSError: something cannot be read.
        """
        config = request.config
        # Told only where there is something to tell: what an older version danced stays danced.
        # Adding 0.0 makes one text of 0 and -0, and of 2 and 2.0.
        landing = {name: value + 0.0 for name, value in asdict(config.landing).items()}
        moved = [] if config.landing == AS_FITTED else [landing]
        behind = [] if config.background is None else check_background(config.background)
        parts = {
            "source": self._file.content(request.source),
            "performers": [_model(folder) for folder in (request.performer, *(each for each, _ in request.members))],
            "persons": [config.person, *(person for _, person in request.members)],
            "poses": source_identity(config.pose),
            "background": [content_identity(path) for path in behind] or config.background,
            "options": [config.smoothing, config.normalize, config.bones, config.shadow, request.compare, *moved],
            "runtime": request.runtime,
            "suffix": request.out.suffix.lower(),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _model(folder: Path) -> str:
    """The manifest has the hashes of all of a performer's files."""
    file = next(file for file in (folder / "model.json", folder / "model" / "model.json") if file.is_file())
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _made_here(out: Path) -> bool:
    try:
        return made_by_ai(out)
    except (DanceError, OSError, ValueError):
        return False
