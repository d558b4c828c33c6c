"""Keypoints in, pictures out: the one iterator of frames that commands, metrics and previews consume."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from everybody_dance.images import Box
from everybody_dance.keypoints import Keypoints
from everybody_dance.performer.performer import Performer


class Synthesizer:
    """A performer dancing ``keypoints``: exactly one frame for each frame of them, painted as it is asked for.

    Every frame is painted from its pose and the whole composited frame before it. There is none before the first
    frame, after a cut, and after a frame in which nobody is seen, which shows the performer's empty place.
    Iterating again starts the dance again.

    Args:
        performer: who dances.
        keypoints: in the performer's frame, filtered and normalized.
        cuts: first frames of new shots.
        windows: one box for each frame; by default the performer chooses them.
        previous: uint8 (H, W, 3), the frame before the first, where there is one.

    Raises:
        ValueError: ``keypoints`` or ``windows`` do not fit.
    """

    def __init__(
        self,
        performer: Performer,
        keypoints: Keypoints,
        cuts: Sequence[int] = (),
        windows: Sequence[Box] | None = None,
        previous: NDArray[np.uint8] | None = None,
    ) -> None:
        if keypoints.size != tuple(performer.manifest.size):
            raise ValueError(f"keypoints for frames of {keypoints.size}, a performer of {performer.manifest.size}")
        self.performer = performer
        self.keypoints = keypoints
        self.cuts = frozenset(cuts)
        self.windows = performer.windows(keypoints, cuts) if windows is None else windows
        self.first_previous = previous
        if len(self.windows) != len(keypoints):
            raise ValueError(f"{len(self.windows)} windows for {len(keypoints)} frames")

    def __len__(self) -> int:
        return len(self.keypoints)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        seen, fps = self.keypoints.person_seen, float(self.keypoints.fps)
        previous, tracks = self.first_previous, self.performer.tracks(fps)
        for index, box in enumerate(self.windows):
            if index in self.cuts or not seen[index]:
                previous, tracks = None, self.performer.tracks(fps)
            if not seen[index]:
                yield self.performer.plate.copy()
                continue
            pose = self.keypoints.xy[index], self.keypoints.confidence[index]
            previous = self.performer.step(*pose, box, previous, tracks)
            # The generator sees its own picture again, not the refined one, nor what the consumer draws on it.
            yield self.performer.refine(previous, *pose, tracks)
