"""Detection that is done once for all tests: by far the dearest part of preparing a tiny video."""

import hashlib
import pickle
from collections.abc import Callable, Generator, Iterable
from functools import partial
from pathlib import Path

import pytest

from everybody_dance.files import replacing
from everybody_dance.images import Image
from everybody_dance.pose import detection, who_is_there
from everybody_dance.pose.detector_process import DetectorPool
from everybody_dance.pose.people import Person


def detect_once(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Keep in ``folder`` what detectors find in this process."""
    folder.mkdir(exist_ok=True)
    for module in (detection, who_is_there):
        patch.setattr(module, "DetectorPool", partial(RememberingPool, folder))


class RememberingPool(DetectorPool):
    """Keeps what the true one finds in a folder, by the content of all frames."""

    def __init__(self, folder: Path, name: str, workers: int, mattes: bool = False) -> None:
        super().__init__(name, workers, mattes)
        self._folder, self._kind = folder, f"{name} {mattes}"

    def people(self, frames: Iterable[Image]) -> Generator[list[Person], None, None]:
        return self._remembered("people", frames, super().people)

    def everybody(self, frames: Iterable[Image]) -> Generator[list[Person], None, None]:
        return self._remembered("everybody", frames, super().everybody)

    def _remembered(
        self, what: str, frames: Iterable[Image], find: Callable[[Iterable[Image]], Iterable[list[Person]]]
    ) -> Generator[list[Person], None, None]:
        images = list(frames)
        content = hashlib.sha256(f"{self._kind} {what} {[image.shape for image in images]}".encode())
        for image in images:
            content.update(image.tobytes())
        file = self._folder / content.hexdigest()
        if not file.exists():
            with replacing(file) as temporary:
                temporary.write_bytes(pickle.dumps(list(find(images))))
        yield from pickle.loads(file.read_bytes())
