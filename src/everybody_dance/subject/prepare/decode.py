"""Decode footage once: each frame is written to disk and shown to the detector."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from everybody_dance.events import OnProgress
from everybody_dance.images import Image, resized
from everybody_dance.pose.detection import Detection, detect_video
from everybody_dance.subject.manifest import Clip
from everybody_dance.subject.prepare.request import Request
from everybody_dance.subject.subject import JPEG_OPTIONS, frame_path


def decode(request: Request, folder: Path, on_progress: OnProgress) -> tuple[list[Detection], tuple[Clip, ...]]:
    """Write the frames of all clips to ``folder``, one after the other, and find the person in them.

    Args:
        request: what is prepared.
        folder: of the new subject.
        on_progress: told the frames done of all footage.
    """
    announced = [info.duration for info in request.infos]
    total = round(sum(announced) * request.rate) if all(announced) else None
    detections, clips, first = [], [], 0
    for path, source in zip(request.footage, request.sources, strict=True):
        with ThreadPoolExecutor(1) as pool:
            frames = _FrameWriter(folder, first, request.size, pool)
            detection = detect_video(
                path,
                request.pose,
                fps=request.rate,
                content=source.sha256,
                on_frame=frames.write,
                on_progress=lambda done, _, first=first: on_progress(first + done, total),  # type: ignore[misc]
            )
            frames.finish()
        count = len(detection.keypoints)
        clips.append(Clip(first=first, holdout=first + count - request.held_out(count), stop=first + count))
        detections.append(detection)
        first += count
    return detections, tuple(clips)


class _FrameWriter:
    """Shrinks and writes frames in a thread of its own, which lags behind by a few frames at most."""

    def __init__(self, folder: Path, first: int, size: tuple[int, int], pool: ThreadPoolExecutor) -> None:
        self._folder, self._next, self._size, self._pool = folder, first, size, pool
        self._pending: list[Any] = []

    def write(self, frame: Image) -> None:
        path = frame_path(self._folder, self._next)
        self._next += 1
        self._pending.append(self._pool.submit(_write_frame, frame, path, self._size))
        if len(self._pending) > 8:
            self._pending.pop(0).result()

    def finish(self) -> None:
        for pending in self._pending:
            pending.result()


def _write_frame(frame: Image, path: Path, size: tuple[int, int]) -> None:
    frame = resized(frame, size)
    path.write_bytes(cv2.imencode(".jpg", frame[..., ::-1], JPEG_OPTIONS)[1].tobytes())


def read_frame(folder: Path, index: int) -> Image:
    """uint8 (H, W, 3), a frame that ``decode`` wrote."""
    data = np.fromfile(frame_path(folder, index), np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]
