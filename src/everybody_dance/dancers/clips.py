"""The clips that come with the package: what ``dance demo`` trains on, transfers, and compares with."""

from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).with_name("clips")


@dataclass(frozen=True)
class Clips:
    """Rendered videos.

    Attributes:
        target: the first dancer, moving in many ways.
        source: the second dancer, in another room, in a dance that is not in ``target``.
        truth: the first dancer in that dance.
    """

    target: Path
    source: Path
    truth: Path


CLIPS = Clips(_FOLDER / "target.mp4", _FOLDER / "source.mp4", _FOLDER / "truth.mp4")
TARGET, SOURCE = "ada", "bruno"
TRAINING, DANCE = "varied", "waves"
SIZE, RATE = (512, 384), 25
TRAINING_SECONDS, DANCE_SECONDS = 37.0, 8.0
