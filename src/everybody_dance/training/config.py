"""What a user may choose about a training: each field with its type, its only default and a sentence."""

from dataclasses import dataclass, replace
from pathlib import Path

from everybody_dance.errors import UsageError
from everybody_dance.skeleton import PARTS, Part
from everybody_dance.training.presets import PRESETS, Preset, frame_by_frame

DEFAULT_MINUTES = 20.0
"""Minutes of a training whose preset is not counted in epochs."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What a user may choose about a training.

    Raises:
        UsageError: fields do not fit together or are not known (``steps-and-minutes``, ``unknown-preset``,
            ``unknown-part``, ``bad-value``).
    """

    preset: str | Preset = "fast"
    """What to train and how: a name in ``presets.PRESETS``, or a row of one's own."""

    minutes: float | None = None
    """Minutes of training in all, on this machine."""

    steps: int | None = None
    """Steps in all, instead of minutes; with neither the preset's epochs, or ``DEFAULT_MINUTES``."""

    refine: tuple[Part, ...] | None = None
    """Parts that a network of its own paints more finely; None: the face, and the hands where they are seen well
    (``setup.parts_worth_refining``)."""

    temporal: bool = True
    """Show the generator its own previous frame (the paper's temporal smoothing)."""

    warm_start: bool = True
    """Begin with what was learnt on rendered dancers, where the preset has such weights."""

    seed: int = 0
    """Of fresh weights and of the order of samples."""

    device: str = "auto"
    """Where to compute: ``auto``, ``cpu``, ``cuda``, ``cuda:1``."""

    vgg_weights: Path | None = None
    """File of VGG-19 weights for the perceptual loss; None: the cached ones; without any,
    EfficientNet-Lite0 takes their place."""

    def __post_init__(self) -> None:
        if self.steps is not None and self.minutes is not None:
            raise UsageError("steps-and-minutes", "Give either --steps or --minutes, not both.")
        if isinstance(self.preset, str) and self.preset not in PRESETS:
            raise UsageError("unknown-preset", f"{self.preset!r} is not a preset; it is one of {', '.join(PRESETS)}.")
        unknown = [part for part in self.refine or () if part not in PARTS]
        if unknown:
            raise UsageError("unknown-part", f"{unknown[0]!r} cannot be refined; it is one of {', '.join(PARTS)}.")
        if any(number is not None and number <= 0 for number in (self.steps, self.minutes)):
            raise UsageError("bad-value", "The length of a training must be more than 0.")

    @property
    def row(self) -> Preset:
        """The preset, with the choices of temporal smoothing and warm start applied."""
        row = PRESETS[self.preset] if isinstance(self.preset, str) else self.preset
        row = row if self.warm_start else replace(row, warm_start=False)
        return row if self.temporal else frame_by_frame(row)

    @property
    def minutes_in_all(self) -> float | None:
        """The minutes to train, with the default filled in; None where steps or epochs are counted."""
        if self.minutes is None and self.steps is None and self.row.epochs is None:
            return DEFAULT_MINUTES
        return self.minutes
