"""What ``subject.json`` holds."""

from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from everybody_dance.pose.detection_report import DetectionReport
from everybody_dance.retarget.statistics import PoseStatistics
from everybody_dance.subject.prepare.footage import FootageReport

FORMAT_VERSION = 4
"""Version 3 has mattes, and since version 4 all footage is as if the camera stood still. Older ones are made again."""

Camera = Literal["still", "steadied", "cut-out"]
"""What became of the camera's motion: there was none; all frames were moved into one picture of the place; or that
could not be done, and the person was cut out and laid over the place of one moment."""


class Source(BaseModel):
    """One file of footage, known by its content and by how it is read (``footage_identity``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str


class Clip(BaseModel):
    """Frames [first, stop) come from one file; [holdout, stop) are held out of training, plate and statistics."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: int = Field(ge=0)
    holdout: int = Field(ge=0)
    stop: int = Field(ge=0)


class SubjectManifest(BaseModel):
    """A prepared person, except for the frames, the keypoints and the plate.

    Attributes:
        identity: hash of everything the preparation depends on; a training belongs to one identity.
        size: (W, H) of the prepared frames, in pixels.
        filmed_size: the same before they were moved into one picture of the place.
        fps: of the prepared frames.
        detector: name and version of what found the keypoints.
        detection: what the detector missed, before gaps were filled.
        cuts: first frames of new shots inside a clip.
        left_out: stretches [first, stop) of frames that do not show the place: titles, fades, other places.
        covered: stretches of frames that are left out too, since a caption or somebody else lies over the person.
        camera: what became of its motion.
        camera_motion: largest steady displacement of the background, in percent of the height.
        exposure_change: brightest over darkest, minus 1, of the background in the training frames.
        plate_unknown_share: share of the plate's pixels that the footage hardly ever uncovers.
        footage: the footage report.
        options: as the user gave them, and ``pose_identity``, the content of the poses' source.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = FORMAT_VERSION
    identity: str
    sources: tuple[Source, ...]
    size: tuple[int, int]
    filmed_size: tuple[int, int]
    fps: Fraction
    detector: str
    detection: DetectionReport
    statistics: PoseStatistics
    clips: tuple[Clip, ...]
    cuts: tuple[int, ...]
    left_out: tuple[tuple[int, int], ...] = ()
    covered: tuple[tuple[int, int], ...] = ()
    camera: Camera = "still"
    camera_motion: float
    exposure_change: float
    plate_unknown_share: float
    footage: FootageReport
    options: dict[str, str | int | float | None]

    @property
    def shows_place(self) -> NDArray[np.bool_]:
        """bool, for every frame: it shows the place."""
        return self._outside(self.left_out)

    @property
    def usable(self) -> NDArray[np.bool_]:
        """bool, for every frame: it shows the place, and nothing over the person."""
        return self._outside((*self.left_out, *self.covered))

    def _outside(self, stretches: tuple[tuple[int, int], ...]) -> NDArray[np.bool_]:
        outside = np.ones(max((clip.stop for clip in self.clips), default=0), bool)
        for first, stop in stretches:
            outside[first:stop] = False
        return outside
