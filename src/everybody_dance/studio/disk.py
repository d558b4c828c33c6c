"""Whether the disk has room, asked before anything large is begun."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from everybody_dance.errors import DanceError

KEPT_FREE = 1 << 30
"""Bytes that an upload or a job must leave."""

LOW = 4 << 30
"""Bytes below which the page warns."""


@dataclass(frozen=True)
class Disk:
    """The disk of a studio.

    Attributes:
        free, total: bytes.
        low: whether it will soon be full.
    """

    free: int
    total: int
    low: bool


def disk_of(folder: Path) -> Disk:
    """The disk that ``folder`` lies on."""
    usage = shutil.disk_usage(folder)
    return Disk(usage.free, usage.total, usage.free < LOW)


def check_room(folder: Path, size: int = 0) -> None:
    """Refuse what would fill the disk.

    Args:
        folder: where something is to be written.
        size: its bytes, where they are known.

    Raises:
        DanceError: less than ``KEPT_FREE`` would be left (``disk-nearly-full``).
    """
    free = shutil.disk_usage(folder).free
    if free - size < KEPT_FREE:
        raise DanceError(
            "disk-nearly-full",
            f"The disk is nearly full: {size_in_words(free)} are free"
            + (f", and this needs {size_in_words(size)} and {size_in_words(KEPT_FREE)} to spare." if size else ".")
            + " Delete something first.",
        )


def size_in_words(size: float) -> str:
    """``size`` bytes as ``3.4 GB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit in ("bytes", "kB") or size >= 100 else f"{size:.1f} {unit}"
