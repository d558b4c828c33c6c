"""What ``subject.json`` holds."""

from fractions import Fraction

from pydantic import BaseModel, ConfigDict, Field

from everybody_dance.pose.detection_report import DetectionReport
from everybody_dance.retarget.statistics import PoseStatistics
from everybody_dance.subject.prepare.footage import FootageReport

FORMAT_VERSION = 2
"""Version 2 has a footage report; version 1, which has none, is read as well."""


class Source(BaseModel):
    """One file of footage, known by its content."""

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
        fps: of the prepared frames.
        detector: name and version of what found the keypoints.
        detection: what the detector missed, before gaps were filled.
        cuts: first frames of new shots inside a clip.
        camera_moves: whether the camera moves too much for a clean plate.
        camera_motion: largest steady displacement of the background, in percent of the height.
        exposure_change: brightest over darkest, minus 1, of the background in the training frames.
        plate_unknown_share: share of the plate's pixels that the footage hardly ever uncovers.
        footage: the footage report; None in subjects of version 1.
        options: as the user gave them, and ``pose_identity``, the content of the poses' source.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = FORMAT_VERSION
    identity: str
    sources: tuple[Source, ...]
    size: tuple[int, int]
    fps: Fraction
    detector: str
    detection: DetectionReport
    statistics: PoseStatistics
    clips: tuple[Clip, ...]
    cuts: tuple[int, ...]
    camera_moves: bool
    camera_motion: float
    exposure_change: float
    plate_unknown_share: float
    footage: FootageReport | None = None
    options: dict[str, str | int | float | None]
