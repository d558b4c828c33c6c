"""A trained person, opened to dance pose by pose."""

from fractions import Fraction
from pathlib import Path

from everybody_dance.images import Image
from everybody_dance.performer.model_files import Model
from everybody_dance.performer.performer import Performer
from everybody_dance.synthesis.stream import Stream


class OpenPerformer:
    """A trained person.

    Attributes:
        performer: networks, plate and true pictures.
    """

    def __init__(self, performer: Performer) -> None:
        self.performer = performer

    @property
    def size(self) -> tuple[int, int]:
        """(W, H) of the pictures in pixels."""
        return self.performer.manifest.size

    @property
    def fps(self) -> Fraction:
        """Rate of the footage it was trained on."""
        return self.performer.manifest.fps

    @property
    def plate(self) -> Image:
        """uint8 (H, W, 3), the empty place."""
        return self.performer.plate

    def stream(self, fps: float) -> Stream:
        """A new dance, to be given its poses one by one with ``step``.

        Args:
            fps: poses a second.
        """
        return Stream(self.performer, fps)


def open_performer(folder: Path | str, device: str = "auto") -> OpenPerformer:
    """Open a trained person.

    Args:
        folder: of a trained subject, or a bare ``model`` folder.
        device: where to compute: ``auto``, ``cpu``, ``cuda``, ``cuda:1``.

    Raises:
        DanceError: there is no trained performer (``no-model``), or it cannot be read (see ``Model``).
    """
    return OpenPerformer(Model(Path(folder)).load(device))
