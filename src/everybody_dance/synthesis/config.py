"""What a user may choose about a transfer or a live show: each field with its type, only default and a sentence."""

from dataclasses import dataclass, field

from everybody_dance.errors import UsageError
from everybody_dance.pose.options import ALL, DEFAULT_DETECTOR, LARGEST, PLACES, SMOOTHINGS, check_person
from everybody_dance.retarget.options import BONES, Landing


@dataclass(frozen=True, kw_only=True)
class TransferConfig:
    """What a user may choose about a transfer.

    Raises:
        UsageError: a value is not known (``unknown-person``, ``unknown-smoothing``, ``unknown-bones``), or ``shadow``
            is left out of their own place (``shadow-alone``).
    """

    pose: str = DEFAULT_DETECTOR
    """Where the poses come from: a detector's name, or ``openpose:DIR`` with OpenPose's own files."""

    person: str = LARGEST
    """Which of several people in the source is followed: ``largest``, ``left``, ``right``, ``centre``, or a number
    from 1, the most prominent first; or ``all``: the performer dances everybody's dance, once for each."""

    smoothing: str = "both"
    """How the source's motion is smoothed over time: one of ``SMOOTHINGS``."""

    normalize: bool = True
    """Fit the dance to the target's place (global pose normalization); otherwise leave it where it is."""

    bones: str = "target"
    """Whose proportions the dance gets where it is fitted: one of ``BONES``."""

    landing: Landing = field(default_factory=Landing)
    """How the dance is moved from there before it is painted; several performers are moved together."""

    background: str | None = None
    """What the person dances in front of: ``#RRGGBB``, a picture, a video, or ``none`` for a transparent result; by
    default their own place."""

    shadow: bool = True
    """With a ``background``: the shadow falls on its floor, or is black with alpha; otherwise it is left out."""

    def __post_init__(self) -> None:
        if self.person != ALL:
            check_person(self.person)
        if self.smoothing not in SMOOTHINGS:
            raise _unknown_smoothing("--smooth")
        if not self.shadow and self.background is None:
            raise UsageError("shadow-alone", "--shadow none goes with --background: the shadow belongs to the place.")
        if self.bones not in BONES:
            raise _unknown_bones()


@dataclass(frozen=True, kw_only=True)
class LiveConfig:
    """What a user may choose about a live show before it begins.

    Raises:
        UsageError: a value is not known (``unknown-person``, ``unknown-smoothing``, ``unknown-bones``).
    """

    smoothing: str = "gaussian"
    """How the dancer's motion is smoothed over time: one of ``SMOOTHINGS``. The median lags behind by three frames."""

    bones: str = "target"
    """Whose proportions the dance gets: one of ``BONES``."""

    person: str = LARGEST
    """Who of several people is followed: ``largest``, ``left``, ``right`` or ``centre``."""

    mirror: bool = False
    """Show what a mirror shows: who raises the left hand sees a hand go up on the left."""

    background: str | None = None
    """What the person dances in front of: ``#RRGGBB`` or a picture; by default their own place."""

    shadow: bool = True
    """With a background: the shadow falls on its floor; otherwise it is left out."""

    label: bool = False
    """Write on every picture that an AI made it. Recordings say so in their metadata in any case."""

    def __post_init__(self) -> None:
        if self.person not in (LARGEST, *PLACES):
            raise UsageError("unknown-person", f"Live, the person is {LARGEST}, {', '.join(PLACES)}.")
        if self.smoothing not in SMOOTHINGS:
            raise _unknown_smoothing("--smoothing")
        if self.bones not in BONES:
            raise _unknown_bones()


def _unknown_smoothing(option: str) -> UsageError:
    return UsageError("unknown-smoothing", f"{option} is one of {', '.join(SMOOTHINGS)}.")


def _unknown_bones() -> UsageError:
    return UsageError("unknown-bones", f"--bones is one of {', '.join(BONES)}.")
