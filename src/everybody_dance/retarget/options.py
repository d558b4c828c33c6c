"""What the user may choose about retargeting, by name; known without loading anything."""

from dataclasses import dataclass, fields

from everybody_dance.errors import UsageError

BONES = ("target", "source")
"""Whose proportions a dance gets."""

SCALES, SHIFTS = (0.5, 2.0), (-1.0, 1.0)
"""The smallest and the largest scale, and the shares of the picture by which a dance may be moved."""


@dataclass(frozen=True, kw_only=True)
class Landing:
    """How a dance is moved from where it was fitted; the default leaves it there.

    Raises:
        UsageError: a value is out of its range (``bad-landing``).
    """

    scale: float = 1.0
    """How many times as large as fitted, about the feet: they stay on the floor. Within ``SCALES``."""

    shift: float = 0.0
    """How far to the right, in widths of the picture. Within ``SHIFTS``."""

    floor: float = 0.0
    """How far lower the floor lies, in heights of the picture. Within ``SHIFTS``."""

    def __post_init__(self) -> None:
        for field, (least, most) in zip(fields(self), (SCALES, SHIFTS, SHIFTS), strict=True):
            value = getattr(self, field.name)
            if not least <= value <= most:  # NaN is neither
                raise UsageError("bad-landing", f"--{field.name} is from {least:g} to {most:g}, not {value:g}.")


AS_FITTED = Landing()
"""Where normalization puts it."""
