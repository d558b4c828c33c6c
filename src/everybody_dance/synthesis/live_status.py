"""What a live show shows and says of itself."""

from dataclasses import dataclass
from pathlib import Path

from everybody_dance.images import Image


@dataclass(frozen=True, eq=False)
class Shown:
    """What there is to see; its pictures must not be changed.

    Attributes:
        number: of the picture, 1, 2, 3...
        picture: uint8 (H, W, 3), what the performer does, over the chosen background.
        camera: uint8 (h, w, 3), the camera's frame, at most 320 wide, with the skeleton drawn on it.
        seen: whether somebody is seen in it.
    """

    number: int
    picture: Image
    camera: Image
    seen: bool


@dataclass(frozen=True)
class LiveStatus:
    """How the show is; plain values.

    Attributes:
        camera, state: name of the camera, and ``working``, ``lost`` or ``ended``.
        rate: shown pictures a second, over the last seconds.
        latency: 50th and 95th percentile, ms, from the frame's arrival to the picture, over the last seconds.
        stages: median milliseconds of each stage.
        frames, shown, dropped: frames that the camera gave, pictures that came of them, and frames of which none did.
        seen: whether somebody is seen.
        size: (W, H) of the picture.
        calibrating: seconds until the person is looked at, 0 while they are; None: nothing is being calibrated.
        follows: who of several people is followed.
        mirror, frozen, background: what was chosen; the background is None (their own place), a colour, or
            ``"picture"``.
        recording: name of the file that is being recorded.
        recorded_seconds: its length so far.
        message: one sentence that the user should read now.
    """

    camera: str
    state: str
    rate: float
    latency: tuple[float, float]
    stages: dict[str, float]
    frames: int
    shown: int
    dropped: int
    seen: bool
    size: tuple[int, int]
    calibrating: float | None
    follows: str
    mirror: bool
    frozen: bool
    background: str | None
    recording: str | None
    recorded_seconds: float
    message: str | None


@dataclass(frozen=True)
class LiveResult:
    """What a show was.

    Attributes:
        seconds: how long it went on.
        frames, shown, dropped: as in ``LiveStatus``.
        rate: pictures a second, from the first to the last.
        latency: 50th and 95th percentile, ms, over all pictures.
        stages: median milliseconds of each stage, at the end.
        recordings: files that were written.
    """

    seconds: float
    frames: int
    shown: int
    dropped: int
    rate: float
    latency: tuple[float, float]
    stages: dict[str, float]
    recordings: tuple[Path, ...]
