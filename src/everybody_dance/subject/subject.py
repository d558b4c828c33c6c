"""A prepared person on disk: manifest, frames, keypoints and clean plate."""

from functools import cached_property
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import pydantic
from numpy.typing import NDArray

from everybody_dance.errors import DanceError
from everybody_dance.files import write_bytes, write_text
from everybody_dance.keypoints import Keypoints
from everybody_dance.subject.folder import MANIFEST, WAITING, finish_replacing, locked
from everybody_dance.subject.manifest import FORMAT_VERSION, SubjectManifest

JPEG_OPTIONS = (
    cv2.IMWRITE_JPEG_QUALITY,
    95,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)


class Subject:
    """A relocatable folder; open it with ``Subject.open``."""

    def __init__(self, folder: Path, manifest: SubjectManifest, keypoints: Keypoints) -> None:
        self.folder = folder
        self.manifest = manifest
        self.keypoints = keypoints

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the subject in ``folder``.

        Raises:
            DanceError: there is none (``no-subject``), a newer version made it (``newer-version``), or it is damaged
                (``bad-subject``), or it may not be read (``cannot-read``).
        """
        if (folder / WAITING).is_dir():  # a preparation was killed when it was whole
            with locked(folder):
                finish_replacing(folder.resolve())
        path = folder / MANIFEST
        if not path.is_file():
            raise DanceError("no-subject", f"There is no prepared subject in {folder}. `dance prepare` makes one.")
        try:
            text = path.read_bytes()
            version = pydantic.TypeAdapter(dict[str, object]).validate_json(text).get("version")
            if isinstance(version, int) and version > FORMAT_VERSION:
                raise DanceError(
                    "newer-version",
                    f"{folder} was made by a newer version of Everybody Dance. Update it to use this subject.",
                )
            manifest = SubjectManifest.model_validate_json(text)
            keypoints = Keypoints.load(folder / "keypoints.npz")
        except PermissionError as error:
            raise DanceError("cannot-read", f"The subject in {folder} may not be read by you.") from error
        except (pydantic.ValidationError, OSError, ValueError) as error:
            raise _damaged(folder) from error
        if keypoints.size != manifest.size or len(keypoints) != max((clip.stop for clip in manifest.clips), default=0):
            raise _damaged(folder)
        return cls(folder, manifest, keypoints)

    @classmethod
    def create(
        cls,
        folder: Path,
        manifest: SubjectManifest,
        keypoints: Keypoints,
        plate: NDArray[np.uint8],
        plate_known: NDArray[np.bool_],
    ) -> Self:
        """Write what completes a folder whose ``frames`` are there already; the manifest comes last.

        Args:
            folder: of the subject.
            manifest: its description.
            keypoints: of all frames, at the prepared size.
            plate: uint8 (H, W, 3), the empty place.
            plate_known: bool (H, W), where the footage shows it.
        """
        keypoints.save(folder / "keypoints.npz")
        for name, image in (("plate", plate[..., ::-1]), ("plate_known", plate_known.astype(np.uint8) * 255)):
            write_bytes(folder / f"{name}.png", cv2.imencode(".png", image)[1].tobytes())
        write_text(folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
        return cls(folder, manifest, keypoints)

    def frame(self, index: int) -> NDArray[np.uint8]:
        """uint8 (H, W, 3), the true frame at the prepared size."""
        return _read(frame_path(self.folder, index), self.manifest.size, cv2.IMREAD_COLOR)[..., ::-1]

    @cached_property
    def plate(self) -> NDArray[np.uint8]:
        """uint8 (H, W, 3), the empty place."""
        return _read(self.folder / "plate.png", self.manifest.size, cv2.IMREAD_COLOR)[..., ::-1].copy()

    @cached_property
    def plate_known(self) -> NDArray[np.bool_]:
        """bool (H, W): where the footage shows the empty place; elsewhere the plate is a guess."""
        return _read(self.folder / "plate_known.png", self.manifest.size, cv2.IMREAD_GRAYSCALE) > 127

    @property
    def training_frames(self) -> NDArray[np.int64]:
        """Indices of the frames that training may see, with or without a person."""
        return np.concatenate([np.arange(clip.first, clip.holdout) for clip in self.manifest.clips])

    @property
    def frames_with_person(self) -> NDArray[np.int64]:
        """Of ``training_frames`` those in which the person is seen."""
        frames = self.training_frames
        return np.asarray(frames[self.keypoints.person_seen[frames]])

    @property
    def holdout_frames(self) -> NDArray[np.int64]:
        """Indices of the frames that training never sees."""
        return np.concatenate([np.arange(clip.holdout, clip.stop) for clip in self.manifest.clips])


def frame_path(folder: Path, index: int) -> Path:
    """Where frame ``index`` lies."""
    return folder / "frames" / f"{index:06d}.jpg"


def _read(path: Path, size: tuple[int, int], mode: int) -> NDArray[np.uint8]:
    try:
        data = np.fromfile(path, np.uint8)
    except FileNotFoundError as error:
        raise _damaged(path.parent) from error
    image = cv2.imdecode(data, mode) if len(data) else None
    if image is None or (image.shape[1], image.shape[0]) != size:
        raise _damaged(path.parent)
    return np.asarray(image, np.uint8)


def _damaged(folder: Path) -> DanceError:
    return DanceError(
        "bad-subject", f"The subject in {folder} is damaged or was not made by this program. Prepare it again."
    )
