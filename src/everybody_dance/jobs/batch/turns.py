"""In which order rows are danced: those of one performer by one process, as far as that keeps nobody idle."""

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

from everybody_dance.jobs.batch.rows import Row


class Turns:
    """Hands out rows, each once. Any thread may call.

    Args:
        rows: in the order of the batch, which is kept within a performer.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._left = list(rows)
        self._held: dict[object, tuple[Any, ...]] = {}  # the performers that each taker has loaded
        self._guard = threading.Lock()

    def take(self, taker: object) -> Row | None:
        """The next row for a process; None when there is none left.

        It is one of the performers that the process has loaded; else of those that no other process has, the ones with
        the most rows; else of those that have the most rows.
        """
        with self._guard:
            if not self._left:
                return None
            counts = Counter(row.performers for row in self._left)
            others = {performers for other, performers in self._held.items() if other != taker}
            free = {performers: count for performers, count in counts.items() if performers not in others}
            best = self._held.get(taker)
            if best not in counts:
                best = max(free or counts, key=lambda performers: counts[performers])
            row = next(row for row in self._left if row.performers == best)
            self._left.remove(row)
            self._held[taker] = row.performers
            return row

    def give_back(self, row: Row) -> None:
        """A row that was taken and not danced waits again, as the first."""
        with self._guard:
            self._left.insert(0, row)

    def leave(self, taker: object) -> None:
        """A process has gone, with what it had loaded."""
        with self._guard:
            self._held.pop(taker, None)

    def __len__(self) -> int:
        return len(self._left)
