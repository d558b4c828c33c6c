"""A performer's own poses, as its painter is given them: what other runtimes are calibrated and compared on."""

import copy
from typing import TypeAlias

import numpy as np

from everybody_dance.drawing.pose_image import PoseImage
from everybody_dance.drawing.window import person_windows, whole_frame
from everybody_dance.errors import DanceError
from everybody_dance.images import Image
from everybody_dance.performer.performer import Performer
from everybody_dance.performer.runtime import Colours

Inputs: TypeAlias = tuple[Image, Image, Image, Image, bool]
"""The inputs of ``Runtime.paint``."""


class _Recorder:
    """A runtime that keeps what it is given."""

    def __init__(self, performer: Performer) -> None:
        self.stride = performer.runtime.stride
        self.inputs: list[Inputs] = []
        self._runtime = performer.runtime

    def paint(
        self, pose: Image, plate: Image, shown: Image, previous: Image, has_previous: bool
    ) -> tuple[Colours, Colours | None]:
        self.inputs.append((pose, plate, shown, previous, has_previous))
        return self._runtime.paint(pose, plate, shown, previous, has_previous)


def own_inputs(performer: Performer, frames: int, offset: float = 0.0) -> list[Inputs]:
    """What the painter is given for some of the performer's own poses.

    Args:
        performer: the trained person.
        frames: how many, an even number: from each moment that is chosen two poses follow each other, the first
            without a previous frame.
        offset: in [0, 1): where the moments lie, in distances between two of them. Others have other moments.

    Raises:
        DanceError: the performer has no poses (``no-poses``).
    """
    poses = performer.poses[np.flatnonzero(performer.poses.person_seen)]
    if len(poses) < 2:
        raise DanceError("no-poses", "The performer has no poses of its own to try the painter on. Train it again.")
    recorder = _Recorder(performer)
    dancer = copy.copy(performer)
    dancer.runtime = recorder
    size = performer.manifest.window
    # All of one size, so that times can be compared.
    boxes = (
        [whole_frame(performer.manifest.size)] * len(poses)
        if size is None
        else person_windows(poses, recorder.stride, at_least=size)
    )
    moments = (np.arange(frames // 2) + offset) / (frames // 2) * (len(poses) - 1)
    for first in moments.astype(int).tolist():
        tracks, previous = performer.tracks(float(poses.fps)), None
        for index in (first, first + 1):
            drawn = PoseImage(poses.pose(index), performer.manifest.size[1])
            # Both in one box, as poses that follow each other are.
            previous = dancer.step(drawn, boxes[first], previous, tracks).frame
    return recorder.inputs
