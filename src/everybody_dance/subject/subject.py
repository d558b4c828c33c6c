"""A prepared person on disk: manifest, frames, keypoints and clean plate."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import pydantic
from numpy.typing import NDArray

from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.errors import DanceError
from everybody_dance.files import check_name, write_bytes, write_text
from everybody_dance.images import decoded
from everybody_dance.keypoints import Keypoints
from everybody_dance.pose.mattes import MatteReader
from everybody_dance.subject.folder import MANIFEST, MATTES, WAITING, locked
from everybody_dance.subject.manifest import FORMAT_VERSION, SubjectManifest

JPEG_OPTIONS = (
    cv2.IMWRITE_JPEG_QUALITY,
    95,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
"""The first and the last bytes of every JPEG file."""


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
            DanceError: there is none (``no-subject``), another version made it (``newer-version``, ``older-version``),
                it is damaged (``bad-subject``), or it may not be read (``cannot-read``).
            UsageError: the folder's name cannot be used (``bad-name``, ``name-too-long``).
        """
        check_name(folder)
        with _reading(folder):
            waiting = (folder / WAITING).is_dir()
        if waiting:  # a preparation was killed when it was whole
            with locked(folder):
                pass
        manifest = read_manifest(folder)
        with _reading(folder):
            keypoints = Keypoints.load(folder / "keypoints.npz")
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
        """Write what completes a folder whose frames and mattes are there already; the manifest comes last.

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

    def check(self) -> None:
        """Make sure that nothing is missing or cut off; what the middle of each frame holds is not looked at.

        Raises:
            DanceError: something is (``bad-subject``), or may not be read (``cannot-read``).
        """
        self._image(self.folder / "plate.png", cv2.IMREAD_COLOR)
        self._image(self.folder / "plate_known.png", cv2.IMREAD_GRAYSCALE)
        with _reading(self.folder):
            if len(self._mattes) != len(self.keypoints):
                raise _damaged(self.folder)
            for index in range(len(self.keypoints)):
                with frame_path(self.folder, index).open("rb") as file:
                    start = file.read(len(JPEG_START))
                    file.seek(-len(JPEG_END), os.SEEK_END)
                    if (start, file.read()) != (JPEG_START, JPEG_END):
                        raise _damaged(self.folder)

    def frame(self, index: int) -> NDArray[np.uint8]:
        """uint8 (H, W, 3), the true frame at the prepared size."""
        return self._image(frame_path(self.folder, index), cv2.IMREAD_COLOR)[..., ::-1]

    def matte(self, index: int) -> NDArray[np.uint8]:
        """uint8 (H, W): how much of each pixel of a frame is the person, 255 for all of it.

        Where the built-in detector saw nobody, but the pose was found by another one or filled in from frames around,
        it is everything within reach of the limbs.
        """
        with _reading(self.folder):
            matte = self._mattes.matte(index)
        if (matte.shape[1], matte.shape[0]) != self.manifest.size:
            raise _damaged(self.folder)
        if not matte.any():
            matte = np.uint8(255) * person_mask(self.keypoints.pose(index), self.manifest.size, 0.0)
        return matte

    @cached_property
    def plate(self) -> NDArray[np.uint8]:
        """uint8 (H, W, 3), the empty place."""
        return self._image(self.folder / "plate.png", cv2.IMREAD_COLOR)[..., ::-1].copy()

    @cached_property
    def plate_known(self) -> NDArray[np.bool_]:
        """bool (H, W): where the footage shows the empty place; elsewhere the plate is a guess."""
        return self._image(self.folder / "plate_known.png", cv2.IMREAD_GRAYSCALE) > 127

    @property
    def training_frames(self) -> NDArray[np.int64]:
        """Indices of the frames that training may see, with or without a person."""
        return self._in_place([np.arange(clip.first, clip.holdout) for clip in self.manifest.clips])

    @property
    def frames_with_person(self) -> NDArray[np.int64]:
        """Of ``training_frames`` those in which the person is seen."""
        frames = self.training_frames
        return np.asarray(frames[self.keypoints.person_seen[frames]])

    @property
    def holdout_frames(self) -> NDArray[np.int64]:
        """Indices of the frames that training never sees."""
        return self._in_place([np.arange(clip.holdout, clip.stop) for clip in self.manifest.clips])

    def _in_place(self, parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
        frames = np.concatenate(parts)
        return np.asarray(frames[self.manifest.usable[frames]])

    @cached_property
    def _mattes(self) -> MatteReader:
        return MatteReader(self.folder / MATTES)

    def _image(self, path: Path, mode: int) -> NDArray[np.uint8]:
        with _reading(self.folder):
            data = path.read_bytes()
        image = decoded(data, mode)
        if image is None or (image.shape[1], image.shape[0]) != self.manifest.size:
            raise _damaged(self.folder)
        return image


def frame_path(folder: Path, index: int) -> Path:
    """Where frame ``index`` of the subject in ``folder`` lies."""
    return folder / "frames" / f"{index:06d}.jpg"


def write_frame(folder: Path, index: int, frame: NDArray[np.uint8]) -> None:
    """Write a frame, uint8 (H, W, 3), of the new subject in ``folder``."""
    data = cv2.imencode(".jpg", frame[..., ::-1], JPEG_OPTIONS)[1]
    frame_path(folder, index).write_bytes(data.tobytes())


def read_frame(folder: Path, index: int) -> NDArray[np.uint8]:
    """uint8 (H, W, 3), a frame that ``write_frame`` wrote."""
    data = np.fromfile(frame_path(folder, index), np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]


def read_manifest(folder: Path) -> SubjectManifest:
    """What ``subject.json`` says of the subject in ``folder``.

    Raises:
        DanceError: as ``Subject.open``.
    """
    path = folder / MANIFEST
    with _reading(folder):
        if not path.is_file():
            raise DanceError("no-subject", f"There is no prepared subject in {folder}. `dance prepare` makes one.")
        text = path.read_bytes()
        version = pydantic.TypeAdapter(dict[str, object]).validate_json(text).get("version")
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise DanceError(
                "newer-version",
                f"{folder} was made by a newer version of Everybody Dance. Update it to use this subject.",
            )
        if isinstance(version, int) and version < FORMAT_VERSION:
            raise DanceError(
                "older-version",
                f"{folder} was prepared by an older version of Everybody Dance. Prepare it again from its footage:"
                f" dance prepare FOOTAGE --out {folder}",
            )
        return SubjectManifest.model_validate_json(text)


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    """Say in the user's words why something of a subject cannot be read."""
    try:
        yield
    except PermissionError as error:
        raise DanceError("cannot-read", f"The subject in {folder} may not be read by you.") from error
    except (OSError, ValueError) as error:  # pydantic's errors are ValueErrors
        raise _damaged(folder) from error


def _damaged(folder: Path) -> DanceError:
    return DanceError(
        "bad-subject", f"The subject in {folder} is damaged or was not made by this program. Prepare it again."
    )
