"""What this machine lets us use."""

import math
import os
from importlib import import_module
from pathlib import Path
from typing import Any

from everybody_dance.errors import UsageError

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")
MEMORY = Path("/proc/meminfo")

UNKNOWN_MEMORY = 4 << 30
"""Bytes that are taken to be free where the system does not tell."""


def usable_cores() -> int:
    """Processor cores that this process may use: its affinity and its container's share, at least 1.

    ``os.cpu_count`` counts the machine's cores: in a container or under a batch system these are often many more.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(_container_share(), allowed)))


def _container_share() -> float:
    """The CPU quota, in cores, of this process's control group (cgroup v2, Linux); infinite where there is none."""
    return min((_quota(group / "cpu.max") for group in _own_groups()), default=math.inf)


def _own_groups() -> list[Path]:
    """The control group of this process and all above it, whose limits count as well; none where there is none."""
    try:
        lines = OWN_CGROUP.read_text().splitlines()
    except OSError:
        return []
    path = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    own = CGROUPS / path
    return [group for group in (own, *own.parents) if group.is_relative_to(CGROUPS)]


def _quota(file: Path) -> float:
    """What a ``cpu.max`` file grants in cores: it holds ``QUOTA PERIOD`` in microseconds, or ``max PERIOD``."""
    try:
        quota, period = (int(number) for number in file.read_text().split())
    except (OSError, ValueError):
        return math.inf
    return quota / period if period > 0 else math.inf


def usable_memory() -> int:
    """Bytes of memory that this process may still take: what is free, and its container's share (cgroup v2, Linux)."""
    free = math.inf
    try:
        figures = dict(line.split(":", 1) for line in MEMORY.read_text().splitlines())
        free = int(figures["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
            free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    free = min([free, *(_memory_left(group) for group in _own_groups())])
    return UNKNOWN_MEMORY if math.isinf(free) else int(free)


def _memory_left(group: Path) -> float:
    """What a control group's limit leaves, in bytes; infinite where there is none."""
    try:
        return max(0, int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    except (OSError, ValueError):  # there is none, or it is "max"
        return math.inf


def optional(module: str, extra: str) -> Any:
    """A module that is not installed unless an extra of this package is.

    Raises:
        UsageError: it is not installed (``not-installed``).
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise UsageError(
            "not-installed",
            f"The package {module} is not installed here. `pip install -c constraints.txt '.[{extra}]'`, in the folder"
            " of this program's README, adds it.",
        ) from error
