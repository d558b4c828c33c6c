"""What the page needs of a running show, and of a camera whose frames the page brings."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from everybody_dance.images import Image

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Who: TypeAlias = Literal["largest", "left", "right", "centre"]
"""Who is followed where several people are seen."""


class ShownPicture(Protocol):
    """One picture of the show."""

    @property
    def number(self) -> int:
        """1, 2, 3, ..."""

    @property
    def picture(self) -> Image:
        """uint8 (H, W, 3), RGB: the performer."""

    @property
    def camera(self) -> Image:
        """uint8 (h, w, 3), RGB: the camera's frame with the skeleton."""

    @property
    def seen(self) -> bool:
        """Whether somebody was seen in that frame."""


class Show(Protocol):
    """A running show. Every method may be called from any thread, and may take its time.

    Controls raise ``DanceError`` where they cannot be followed; the page shows the sentence.
    """

    def newest(self, after: int, timeout: float) -> ShownPicture | None:
        """The newest picture with a number above ``after``; None where there is none within ``timeout`` seconds."""

    def status(self) -> "DataclassInstance":
        """Plain values that go to the page as JSON."""

    def recordings(self) -> Sequence[Path]:
        """The finished recordings, oldest first; one is only ever added at the end."""

    def calibrate(self) -> None:
        """Fit the dancer's place anew after a countdown."""

    def mirror(self, on: bool) -> None:
        """Show left as right."""

    def freeze(self, on: bool) -> None:
        """Hold the picture."""

    def show_over(self, background: Image | str | None) -> None:
        """Show the dancer over a picture (H, W, 3), a colour ``#RRGGBB``, or (None) their own place."""

    def record(self, on: bool) -> None:
        """Begin or finish a recording."""

    def follow(self, who: Who) -> None:
        """Choose who is followed."""


class FrameTaker(Protocol):
    """A camera whose frames somebody else brings."""

    def push(self, image: Image) -> None:
        """Take a frame: uint8 (H, W, 3), RGB. Any thread."""
