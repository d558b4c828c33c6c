"""What ``model.json`` holds: everything about a performer except its weights and pictures."""

from fractions import Fraction

from pydantic import BaseModel, ConfigDict, Field

from everybody_dance.networks.generators import Architecture
from everybody_dance.retarget.statistics import PoseStatistics
from everybody_dance.skeleton import Part
from everybody_dance.version import VERSION

FORMAT_VERSION = 6
"""2: hidden joints, profiles and the skull are drawn. 3: refiners are shown references. 4: generators a puppet.
5: files are named by their content. 6: statistics tell the lengths of bones, limbs where fingertips are."""

OLDEST_VERSION = 3
"""The oldest version that can still be read."""

MANIFEST_NAME = "model.json"

LARGEST_SIDE = 8192
"""Pixels: a file that asks for larger pictures, or for wider networks than ``LARGEST_ARGUMENT``, is not believed."""
LARGEST_ARGUMENT = 512


class RefinerManifest(BaseModel):
    """A refiner of a part: the side of its crops in pixels, and its network's arguments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    side: int = Field(gt=0, le=LARGEST_SIDE)
    arguments: dict[str, int]

    def model_post_init(self, context: object, /) -> None:
        """Refuse arguments that would fill the memory."""
        _check_arguments(self.arguments)


class PerformerManifest(BaseModel):
    """Everything about a performer except its weights and pictures.

    Attributes:
        size: (W, H) of the frames it paints, in pixels.
        fps: rate of the footage it was trained on, as a fraction.
        window: (W, H) of the person window it was trained with; None: it paints the whole frame.
        statistics: where the person stands in the frame, for global pose normalization.
        perceptual_loss: what it was trained with, ``vgg19``, ``efficientnet-lite0`` or ``laplacian``.
        steps: training steps taken.
        seed: of the training.
        refiners: the parts that are refined, and how.
        puppet: whether the generator is shown one.
        hashes: SHA-256 of each file beside this one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    made_with: str
    preset: str
    subject: str
    detector: str
    size: tuple[int, int]
    fps: Fraction
    window: tuple[int, int] | None
    statistics: PoseStatistics
    architecture: Architecture
    arguments: dict[str, int]
    previous_frame: bool
    over_plate: bool
    perceptual_loss: str
    steps: int
    seed: int = 0
    refiners: dict[Part, RefinerManifest] = {}
    puppet: bool = False
    hashes: dict[str, str] = {}

    def model_post_init(self, context: object, /) -> None:
        """Refuse sizes and arguments that make no sense or would fill the memory."""
        sides = [*self.size, *(self.window or ())]
        if not all(0 < side <= LARGEST_SIDE for side in sides) or self.fps <= 0:
            raise ValueError(f"frames of {self.size} at {self.fps} a second with a window of {self.window}")
        _check_arguments(self.arguments)


def new_manifest(**fields: object) -> PerformerManifest:
    """A manifest of this version of the format."""
    return PerformerManifest.model_validate({"version": FORMAT_VERSION, "made_with": VERSION, **fields})


def _check_arguments(arguments: dict[str, int]) -> None:
    if not all(0 <= value <= LARGEST_ARGUMENT for value in arguments.values()):
        raise ValueError(f"a network with {arguments}")
