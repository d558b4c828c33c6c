"""What a page may ask of the show: small JSON messages, checked before anything is done."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from everybody_dance.errors import UsageError
from everybody_dance.web.show import Show, Who

MAX_LENGTH = 1000
"""Longest message, in characters."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Next(_Message):
    """The page has drawn picture ``next`` (0: none yet) and wants a newer one."""

    next: int = Field(ge=0)


class Calibrate(_Message):
    """``Show.calibrate``."""

    do: Literal["calibrate"]


class Switch(_Message):
    """``Show.mirror``, ``Show.freeze`` or ``Show.record``."""

    do: Literal["mirror", "freeze", "record"]
    on: bool


class Background(_Message):
    """``Show.show_over`` with a colour, or None for the own place. Pictures are uploaded."""

    do: Literal["background"]
    colour: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] | None


class Follow(_Message):
    """``Show.follow``."""

    do: Literal["follow"]
    who: Who


Control: TypeAlias = Annotated[Calibrate | Switch | Background | Follow, Field(discriminator="do")]
_messages: TypeAdapter[Next | Control] = TypeAdapter(Next | Control)


def parsed(text: str) -> Next | Control:
    """The message in ``text``.

    Raises:
        UsageError: it is none (``bad-message``).
    """
    try:
        return _messages.validate_json(text)
    except ValidationError as error:
        raise UsageError("bad-message", "The program does not know this message; reload the page.") from error


def follow_control(control: Control, show: Show) -> None:
    """Do what ``control`` asks for.

    Raises:
        DanceError: the show cannot.
    """
    match control:
        case Calibrate():
            show.calibrate()
        case Switch(do="mirror"):
            show.mirror(control.on)
        case Switch(do="freeze"):
            show.freeze(control.on)
        case Switch():
            show.record(control.on)
        case Background():
            show.show_over(control.colour)
        case Follow():
            show.follow(control.who)
