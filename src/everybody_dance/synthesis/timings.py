"""How fast the live show is: rate and latency now and over all, and the time of each stage."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

NOW = 5.0
"""Seconds over which the present rate and latency are measured."""

RECENT = 100
"""Turns of a stage of which its time is the median."""

LONGEST = 10_000
"""Latencies are counted by whole milliseconds up to this."""


class Timings:
    """Rate, latency and stages; any thread may tell and ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recent: deque[tuple[float, float]] = deque()  # when a picture was there, and how long it had taken
        self._all = np.zeros(LONGEST + 1, np.int64)
        self._stages: dict[str, deque[float]] = {}
        self._first = self._last = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block as a turn of the stage ``name``."""
        began = time.perf_counter()
        yield
        seconds = time.perf_counter() - began
        with self._lock:
            self._stages.setdefault(name, deque(maxlen=RECENT)).append(seconds)

    def shown(self, at: float, now: float) -> None:
        """Tell that the picture of a frame from the time ``at`` is there ``now``."""
        with self._lock:
            self._first, self._last = self._first or now, now
            self._recent.append((now, now - at))
            self._forget(now)
            self._all[min(round(1000 * (now - at)), LONGEST)] += 1

    def rate(self, now: float) -> float:
        """Pictures a second, of late."""
        with self._lock:
            self._forget(now)
            if len(self._recent) < 2:
                return 0.0
            return (len(self._recent) - 1) / max(now - self._recent[0][0], 1e-3)

    def latency(self, now: float) -> tuple[float, float]:
        """50th and 95th percentile, of late, in milliseconds; 0 where nothing was shown."""
        with self._lock:
            self._forget(now)
            taken = [1000 * latency for _, latency in self._recent] or [0.0]
        middle, high = np.percentile(taken, (50, 95))
        return float(middle), float(high)

    def stages(self) -> dict[str, float]:
        """Median milliseconds of each stage, of late."""
        with self._lock:
            return {name: 1000 * float(np.median(turns)) for name, turns in self._stages.items()}

    @property
    def whole_rate(self) -> float:
        """Pictures a second, from the first to the last."""
        return float(max(self._all.sum() - 1, 0) / max(self._last - self._first, 1e-3))

    @property
    def whole_latency(self) -> tuple[float, float]:
        """50th and 95th percentile over all pictures, in whole milliseconds."""
        up_to = np.cumsum(self._all)
        return float(np.searchsorted(up_to, 0.5 * up_to[-1])), float(np.searchsorted(up_to, 0.95 * up_to[-1]))

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0][0] < now - NOW:
            self._recent.popleft()
