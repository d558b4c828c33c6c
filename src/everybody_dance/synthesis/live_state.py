"""What a running show was asked for, and how far it is: values that its threads share."""

from dataclasses import dataclass

from everybody_dance.images import Image


@dataclass(eq=False)
class Controls:
    """What was asked for; single values, which any thread may set and read."""

    mirror: bool
    follow: str
    frozen: bool = False
    background: str | None = None
    behind: Image | None = None
    record: bool = False
    calibrate: bool = False


@dataclass(eq=False)
class State:
    """How far the show is; each value is written by one thread."""

    first: int = 0  # number of the first frame that was taken
    taken: int = 0  # of the newest one
    at: float = 0.0  # when that arrived
    painting: float = 0.0  # since when a picture is being painted; 0: none is
    last: int = 0  # of the newest frame that was shown
    shown: int = 0
    seen: bool = False
    outside: bool = False  # the person is seen, but stands outside the performer's picture

    @property
    def frames(self) -> int:
        """Frames that the camera gave since the first one was taken."""
        return self.taken - self.first + 1 if self.first else 0

    @property
    def dropped(self) -> int:
        """Frames of which no picture came, up to the newest that was shown."""
        return self.last - self.first + 1 - self.shown if self.shown else 0
