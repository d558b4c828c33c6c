"""``dance batch``: many transfers, one of which may fail, and none of which is done twice."""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from everybody_dance import events
from everybody_dance.errors import DanceError, UsageError
from everybody_dance.events import Cancellation, Listener, listening
from everybody_dance.files import make_folder
from everybody_dance.jobs.batch.ledger import Ledger, Result
from everybody_dance.jobs.batch.local import Share, dance_here
from everybody_dance.jobs.batch.record import RecordFile
from everybody_dance.jobs.batch.rows import Part, Row, all_pairs, check_rows, read_rows

LOCAL, RAY = "local", "ray"
ENGINES = (LOCAL, RAY)

REPORT = "batch.json"


@dataclass(frozen=True, kw_only=True)
class BatchRequest:
    """A batch: a table, or every performer with every source.

    Attributes:
        table: the CSV file, as ``rows.read_rows``.
        performers, sources, out: folders, instead of a table, as ``rows.all_pairs``.
        defaults: the text of options by name, for cells that are empty (``cells.OPTIONS``); paths are absolute.
        part: ``K/N``: only every N-th row, from the K-th on.
        report: the record; None: ``batch.json`` beside the table, or in ``out``. That of a part is named after it.
        engine: one of ``ENGINES``: processes on this machine, or a Ray cluster.
        workers: processes at once; None: as many as the machines carry.
        begin_again: dance again what is whole.
    """

    table: Path | None = None
    performers: Path | None = None
    sources: Path | None = None
    out: Path | None = None
    defaults: Mapping[str, str] = field(default_factory=dict)
    part: str | None = None
    report: Path | None = None
    engine: str = LOCAL
    workers: int | None = None
    begin_again: bool = False


@dataclass(frozen=True)
class BatchResult:
    """What became of a batch.

    Attributes:
        results: one for each row, in order.
        report: the record.
    """

    results: tuple[Result, ...]
    report: Path

    def count(self, state: str) -> int:
        """Rows that are ``done``, ``kept`` or ``failed``."""
        return sum(result.state == state for result in self.results)


def batch(
    request: BatchRequest, listener: Listener | None = None, cancellation: Cancellation | None = None
) -> BatchResult:
    """Dance many rows. One that fails is written down, and the others go on.

    Stopped or killed, the same call goes on: what is whole is kept.

    Args:
        request: what to do.
        listener: told progress, and what concerns all rows; what concerns one stands in the record.
        cancellation: lets another thread stop it.

    Raises:
        DanceError, UsageError: something is wrong with the table or the folders, which is found out before the first
            row (``rows.read_rows``, ``rows.all_pairs``, ``rows.check_rows``); the record is another file
            (``not-a-record``) or in use (``already-open``).
        Cancelled: it was stopped.
    """
    with listening(listener, cancellation):
        if request.engine not in ENGINES:
            raise UsageError("bad-value", f"--engine is one of {', '.join(ENGINES)}, not {request.engine!r}.")
        part = None if request.part is None else Part.read(request.part)
        every, report = _rows(request, part)
        check_rows(every)
        rows = every if part is None else part.of(every)
        for folder in {out.parent for row in rows for out in row.outputs}:
            make_folder(folder)
        with _alone(report):
            results = _danced(rows, Ledger(RecordFile(report), begin_again=request.begin_again), request)
        events.wrote("report", report)
        return BatchResult(tuple(results), report)


def _rows(request: BatchRequest, part: Part | None) -> tuple[list[Row], Path]:
    """The rows, and where the record is."""
    folders = request.performers, request.sources, request.out
    if request.table is not None:
        if any(folder is not None for folder in folders):
            raise UsageError("table-or-folders", "Give either a table or --performers, --sources and --out, not both.")
        rows, home = read_rows(request.table, request.defaults), request.table.absolute().parent
    else:
        if request.performers is None or request.sources is None or request.out is None:
            raise UsageError("table-or-folders", "Give a table, or --performers, --sources and --out.")
        rows = all_pairs(request.performers, request.sources, request.out, request.defaults)
        home = request.out.absolute()
    report = request.report or home / REPORT
    if part is not None and request.report is None:
        report = report.with_name(f"{report.stem}.{part.which}-of-{part.parts}{report.suffix}")
    return rows, report.absolute()


@contextmanager
def _alone(report: Path) -> Iterator[None]:
    """Nobody else is at work with this record."""
    make_folder(report.parent)
    try:
        with FileLock(report.with_name(f".{report.name}.lock"), timeout=0):
            yield
    except Timeout as error:
        raise DanceError("already-open", f"Another batch is at work with {report}.") from error


def _danced(rows: Sequence[Row], ledger: Ledger, request: BatchRequest) -> list[Result]:
    results = {row.number: result for row in rows if (result := ledger.kept(row)) is not None}
    left = [row for row in rows if row.number not in results]
    if left:
        if results:
            events.remark("kept", f"{len(results)} of {len(rows)} rows are whole already.", rows=len(results))
        with events.stage("Dancing") as stage, closing(_engine(left, ledger, request)) as told:
            shares: dict[int, float] = {}
            began = time.monotonic()
            stage(0, len(left))
            for each in told:
                done = sum(row.number in results for row in left)
                if isinstance(each, Share):
                    shares[each.row.number] = each.done
                else:
                    shares[each.row.number] = 1.0
                    results[each.row.number] = each
                    done += 1
                share = sum(shares.values())
                spent = time.monotonic() - began
                seconds = spent * (len(left) - share) / share if spent > events.SECONDS_BEFORE_ESTIMATE else None
                stage(done, len(left), each.row.title, seconds)
    return [results[row.number] for row in rows]


def _engine(rows: Sequence[Row], ledger: Ledger, request: BatchRequest) -> Generator[Result | Share, None, None]:
    if request.engine == RAY:
        from everybody_dance.jobs.batch.on_ray import dance_on_ray

        return dance_on_ray(rows, ledger, request.workers)
    return dance_here(rows, ledger, request.workers)
