"""What was found in a video, kept by the video's content. Whatever is wrong with what was kept, it is made anew."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from everybody_dance import events
from everybody_dance.errors import DanceError
from everybody_dance.files import cache_folder, replacing, sweep, temporary_path, write_text
from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.pose.mattes import MatteReader, MatteWriter

READING = "r3"
"""How videos are read and what is kept of them, where that does not show in their identity or the detector's name: 2
since pictures whose size changes get margins, 3 since joints outside the picture are kept."""


class Entry:
    """One detector's findings in one video, read at one rate.

    Args:
        content: ``footage_identity`` of the video.
        detector: all that the findings depend on besides.
        fps: frames a second.
    """

    def __init__(self, content: str, detector: str, fps: Fraction) -> None:
        name = f"{content[:32]}-{detector.replace('/', '-')}-{fps.numerator}-{fps.denominator}-{READING}"
        self.path = cache_folder() / "keypoints" / f"{name}.npz"
        """Of the keypoints; the other files are named like it."""
        self.cuts_path = self.path.with_suffix(".json")
        self.camera_path = self.path.with_suffix(".camera.npy")
        self.mattes_path = self.path.with_suffix(".mattes.zip")

    def keep(self, keypoints: Keypoints, cuts: tuple[int, ...]) -> None:
        """Keep the keypoints and the first frames of shots, where the disk allows it."""
        try:
            write_text(self.cuts_path, json.dumps({"cuts": cuts}))
            keypoints.save(self.path)
        except (OSError, DanceError) as error:
            events.remark("not-cached", f"The keypoints could not be kept for later: {error}")

    def keypoints(self, size: tuple[int, int], fps: Fraction) -> tuple[Keypoints, tuple[int, ...]] | None:
        """The keypoints and cuts that were kept, if they are whole and of a video of this size and rate."""
        with suppress(Exception):  # a damaged file makes NumPy and json raise a dozen kinds
            cuts = tuple(int(cut) for cut in json.loads(self.cuts_path.read_bytes())["cuts"])
            keypoints = Keypoints.load(self.path)
            if (keypoints.size, keypoints.fps) == (size, fps) and all(0 < cut < len(keypoints) for cut in cuts):
                return keypoints, cuts
        return None

    def keep_camera(self, camera: NDArray[np.float64]) -> None:
        """Keep how the camera moved, where the disk allows it."""
        keep_array(self.camera_path, camera)

    def camera(self, frames: int) -> NDArray[np.float64] | None:
        """float64 (T, 3, 3), how the camera moved, if that was kept for so many frames."""
        with suppress(Exception):  # a damaged file makes NumPy raise a dozen kinds, from TokenError to MemoryError
            camera = np.load(self.camera_path, allow_pickle=False)
            if camera.shape == (frames, 3, 3) and camera.dtype == np.float64 and np.isfinite(camera).all():
                return np.asarray(camera)
        return None

    def mattes(self, frames: int) -> MatteReader | None:
        """The mattes that were kept, if there is one for each frame."""
        with suppress(OSError, ValueError):
            mattes = MatteReader(self.mattes_path)
            if len(mattes) == frames:
                mattes.check()
                return mattes
            mattes.close()
        return None


class KeptMattes:
    """Passes mattes on, and keeps them for later where the disk allows it; used as a context."""

    def __init__(self, entry: Entry, on_matte: Callable[[Image], None]) -> None:
        self._path, self._on_matte = entry.mattes_path, on_matte
        self._temporary = temporary_path(self._path.parent, ".zip")
        self._writer: MatteWriter | None = None
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            sweep(self._path.parent)
            self._writer = MatteWriter(self._temporary)

    def __call__(self, matte: Image) -> None:
        self._on_matte(matte)
        if self._writer is not None:
            try:
                self._writer.write(matte)
            except OSError:
                self._writer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with suppress(OSError):
            if self._writer is not None:
                self._writer.close()
                if kind is None:
                    os.replace(self._temporary, self._path)
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)


def keep_array(path: Path, array: NDArray[np.float64]) -> None:
    """Write an array for later, where the disk allows it."""
    with suppress(OSError, DanceError), replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, array)
