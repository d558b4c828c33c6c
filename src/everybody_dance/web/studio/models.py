"""Bodies of requests and answers that several parts of the API share."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from everybody_dance.retarget.options import SCALES, SHIFTS, Landing
from everybody_dance.studio.shelves import TRANSPARENT, DanceWish
from everybody_dance.synthesis.config import TransferConfig

Who = Literal["largest", "left", "right", "centre"]

Id = Annotated[str, Field(max_length=1000)]
"""Of a person, a dance or an upload. With a limit it is also checked to be text: JSON can say halves of letters."""


def _within(limits: tuple[float, float]) -> dict[str, JsonValue]:
    """Told, not checked: that is the work of ``Landing``, whose sentence is that of the command line."""
    return {"minimum": limits[0], "maximum": limits[1]}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Name(_Body):
    """A name as somebody gives it; what is not safe in a file's name is replaced."""

    name: str = Field(min_length=1, max_length=200)


class NewPerson(Name):
    """A person, of a video that was uploaded whole."""

    upload: Id
    who: Who = "largest"


class NewFromUpload(_Body):
    """Something of a file that was uploaded whole."""

    upload: Id


class ImportedPerson(Name, NewFromUpload):
    """A performer, of an exported file that was uploaded whole."""


class Training(_Body):
    """How long to train."""

    minutes: float = Field(gt=0, le=10_000, description="In all, with what was trained before.")


class Preparation(_Body):
    """Whom to prepare."""

    who: Who = "largest"


class Dancing(_Body):
    """Who is to dance what, and how."""

    person: Id
    dance: Id
    who: Who = Field("largest", description="Who is followed where several people dance.")
    background: Annotated[
        str | None,
        Field(pattern=rf"^(#[0-9a-fA-F]{{6}}|{TRANSPARENT})$", description="A colour, or none; null: their own place."),
    ] = None
    smoothing: Literal["both", "median", "gaussian", "none"] = "both"
    scale: float = Field(1, json_schema_extra=_within(SCALES), description="How many times as large as fitted.")
    shift: float = Field(0, json_schema_extra=_within(SHIFTS), description="How far right, in widths of the picture.")
    floor: float = Field(0, json_schema_extra=_within(SHIFTS), description="How far down, in heights of the picture.")
    compare: bool = Field(False, description="Also make a video of source, pose and result side by side.")

    def wish(self) -> DanceWish:
        """The same, for the studio.

        Raises:
            UsageError: it would land out of the ranges (``bad-landing``).
        """
        config = TransferConfig(
            person=self.who,
            background=self.background,
            smoothing=self.smoothing,
            landing=Landing(scale=self.scale, shift=self.shift, floor=self.floor),
        )
        return DanceWish(self.person, self.dance, config, self.compare)


class LivePlace(_Body):
    """Which camera a live show uses: the browser's, or one of the computer on which the studio runs."""

    camera: str = Field("browser", pattern=r"^(browser|[0-9]{1,2})$")


class Renamed(BaseModel):
    """The id that something has now."""

    id: str


class JobNumber(BaseModel):
    """The job that does it."""

    job: int


class PersonAdded(JobNumber):
    """The new person, whose name may differ a little from what was asked for, and the job that prepares them."""

    person: str


class Command(BaseModel):
    """A command line."""

    command: str
