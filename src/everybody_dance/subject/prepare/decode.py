"""Decode footage once: each frame is written to disk and shown to the detector, whose mattes are written too."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from everybody_dance.events import OnProgress
from everybody_dance.images import Image, resized
from everybody_dance.pose.detection import Detection, detect_video
from everybody_dance.pose.mattes import MatteWriter
from everybody_dance.subject.folder import MATTES
from everybody_dance.subject.manifest import Clip
from everybody_dance.subject.prepare.bystanders import Bystanders
from everybody_dance.subject.prepare.place import frames_elsewhere, small_picture
from everybody_dance.subject.prepare.request import Request
from everybody_dance.subject.subject import write_frame


@dataclass(frozen=True)
class Decoded:
    """What was found in footage whose frames and mattes are written.

    Attributes:
        detections: of each video.
        clips: how the frames are divided.
        elsewhere: bool, for every frame: it does not show the place where the person dances.
        bystanders: other people in the frames.
    """

    detections: list[Detection]
    clips: tuple[Clip, ...]
    elsewhere: NDArray[np.bool_]
    bystanders: Bystanders


def decode(request: Request, folder: Path, on_progress: OnProgress) -> Decoded:
    """Write the frames of all clips and their mattes to ``folder``, in order, and find the person in them.

    Args:
        request: what is prepared.
        folder: of the new subject.
        on_progress: told the frames done of all footage.
    """
    announced = [info.duration for info in request.infos]
    total = round(sum(announced) * request.rate) if all(announced) else None
    detections: list[Detection] = []
    clips: list[Clip] = []
    elsewhere: list[NDArray[np.bool_]] = []
    first = 0
    with closing(MatteWriter(folder / MATTES)) as archive:
        for path, source in zip(request.footage, request.sources, strict=True):
            small: list[Image] = []
            with ThreadPoolExecutor(1) as pool:
                frames = _Lagging(pool, partial(_take_frame, folder, first, request.size, small))
                mattes = _Lagging(pool, lambda _, matte: archive.write(resized(matte, request.size)))
                detection = detect_video(
                    path,
                    request.pose,
                    person=request.person,
                    fps=request.rate,
                    content=source.sha256,
                    on_frame=frames.write,
                    on_matte=mattes.write,
                    on_progress=lambda done, _, first=first: on_progress(first + done, total),  # type: ignore[misc]
                )
                frames.finish()
                mattes.finish()
            count = len(detection.keypoints)
            away = frames_elsewhere(np.stack(small), detection.keypoints, detection.cuts)
            clips.append(Clip(first=first, holdout=first + request.holdout_from(~away), stop=first + count))
            detections.append(detection)
            elsewhere.append(away)
            first += count
    bystanders = Bystanders(clips, [detection.alone for detection in detections], request.size)
    return Decoded(
        detections,
        tuple(clips),
        np.concatenate(elsewhere),
        bystanders,
    )


class _Lagging:
    """Does something with each picture, in order, in a thread of its own, which lags behind by a few at most.

    Args:
        pool: of that one thread.
        work: given the number of each picture, from 0, and the picture.
    """

    def __init__(self, pool: ThreadPoolExecutor, work: Callable[[int, Image], None]) -> None:
        self._pool, self._work, self._next = pool, work, 0
        self._pending: deque[Future[None]] = deque()

    def write(self, picture: Image) -> None:
        self._pending.append(self._pool.submit(self._work, self._next, picture))
        self._next += 1
        if len(self._pending) > 8:
            self._pending.popleft().result()

    def finish(self) -> None:
        while self._pending:
            self._pending.popleft().result()


def _take_frame(folder: Path, first: int, size: tuple[int, int], small: list[Image], place: int, frame: Image) -> None:
    """Write frame number ``place`` of the clip whose frames begin with number ``first``, and add it to ``small``."""
    frame = resized(frame, size)
    small.append(small_picture(frame))
    write_frame(folder, first + place, frame)
