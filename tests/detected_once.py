"""Detection that is done once for all tests: by far the dearest part of preparing a tiny video."""

import hashlib
from collections.abc import Callable, Generator, Iterable
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pytest

from everybody_dance.files import replacing
from everybody_dance.images import Image
from everybody_dance.keypoints import Pose
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
                keep(temporary, list(find(images)))
        yield from kept(file)


def keep(path: Path, people: list[list[Person]]) -> None:
    arrays = {"counts": np.array([len(each) for each in people])}
    for number, person in enumerate(chain(*people)):
        arrays |= {f"{number}.xy": person.pose.xy, f"{number}.confidence": person.pose.confidence}
        arrays |= {f"{number}.clothes": person.clothes}
        if person.matte is not None:
            arrays[f"{number}.matte"] = person.matte
    with path.open("wb") as file:
        np.savez(file, **arrays)


def kept(path: Path) -> Generator[list[Person], None, None]:
    with np.load(path) as arrays:
        numbers = iter(range(int(arrays["counts"].sum())))
        for count in arrays["counts"].tolist():
            yield [
                Person(
                    Pose(arrays[f"{number}.xy"], arrays[f"{number}.confidence"]),
                    arrays.get(f"{number}.matte"),
                    arrays[f"{number}.clothes"],
                )
                for number in islice(numbers, count)
            ]
