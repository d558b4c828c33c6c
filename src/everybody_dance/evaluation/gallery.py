"""What a report shows of the pictures that pass by: crops of some frames, and a short clip of all side by side."""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.drawing.pose_image import draw_pose
from everybody_dance.evaluation.boxes import body_boxes, face_boxes
from everybody_dance.evaluation.report import Clip, Section, Strip
from everybody_dance.images import Box, Image
from everybody_dance.keypoints import Keypoints

if TYPE_CHECKING:
    from everybody_dance.video.writer import VideoWriter

POSE, TRUTH, DIFFERS = "pose", "truth", "differs"
SHOWN = 6
"""Frames of which crops are kept, evenly over all."""

BODY_HEIGHT, FACE_HEIGHT, CLIP_HEIGHT = 190, 150, 240
"""In pixels of the report."""

CLIP_SECONDS = 6.0
ROOM = 1.25
"""How much larger than the box of a body or a face its crop is."""

STRONGEST = 85
"""A difference from the truth, of 255, that is drawn as brightly as can be."""

JPEG = (cv2.IMWRITE_JPEG_QUALITY, 88)


class Gallery:
    """A watcher of ``compare_all``; a context manager, whose pictures are there once the block has ended.

    Args:
        keypoints: of the true frames.
        poses: what the results were painted from, where it is not that.
        clip: whether to keep a clip.
        differing: the results of which the differences from the truth are kept as well, by the names of these rows;
            without, it is where the first result ``differs``.

    Attributes:
        bodies, faces: by row (``pose``, ``truth``, each result, and the differences) the crops as JPEG, of the same
            frames in each row; empty where nobody (no face) is seen.
        clip: MP4 of all rows but the differences side by side; None where it is not kept.
    """

    def __init__(
        self,
        keypoints: Keypoints,
        *,
        poses: Keypoints | None = None,
        clip: bool = True,
        differing: Mapping[str, str] | None = None,
    ) -> None:
        self.keypoints = keypoints
        self._differing = differing
        self.poses = keypoints if poses is None else poses
        self.bodies: dict[str, list[bytes]] = {}
        self.faces: dict[str, list[bytes]] = {}
        self.clip: bytes | None = None
        size = keypoints.size
        self._bodies = _crops(body_boxes(keypoints), size)
        self._faces = _crops(face_boxes(keypoints), size, square=True)
        self._window = _union(body_boxes(keypoints))
        self._clip_frames = round(CLIP_SECONDS * keypoints.fps) if clip and self._window is not None else 0
        self._writing = ExitStack()
        self._writer: VideoWriter | None = None

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._folder as folder:
            self._writing.__exit__(kind, error, trace)
            if kind is None and self._writer is not None:
                self.clip = (Path(folder) / "clip.mp4").read_bytes()

    def __call__(self, index: int, truth: Image, results: Mapping[str, Image]) -> None:
        body, face = self._bodies.get(index), self._faces.get(index)
        in_clip = index < self._clip_frames
        if body is None and face is None and not in_clip:
            return
        rows = self._rows(index, truth, results)
        differing = self._differing or {DIFFERS: next(iter(results))}
        shown = rows | {row: difference(results[name], truth) for row, name in differing.items()}
        if body is not None:
            _keep(self.bodies, body, shown, BODY_HEIGHT)
        if face is not None:
            _keep(self.faces, face, shown, FACE_HEIGHT)
        if in_clip and self._window is not None:
            self._write(np.concatenate([_sized(self._window.cut(image), CLIP_HEIGHT) for image in rows.values()], 1))

    def sections(self, names: Mapping[str, str]) -> list[Section]:
        """The pictures for a report; ``names`` are titles of the rows, by name, in order."""
        found: list[Section] = []
        if self.clip is not None:
            differing = self._differing or (DIFFERS,)
            shown = [names.get(name, name) for name in self.bodies if name not in differing]
            found.append(Clip("In motion", shown, self.clip))
        for title, rows in (("Body", self.bodies), ("Face", self.faces)):
            if rows:
                found.append(Strip(title, {names[name]: rows[name] for name in names if name in rows}))
        return found

    def _rows(self, index: int, truth: Image, results: Mapping[str, Image]) -> dict[str, Image]:
        width, height = self.keypoints.size
        pose = draw_pose(self.poses.pose(index), Box(0, 0, width, height), height)
        return {POSE: pose, TRUTH: truth, **results}

    def _write(self, image: Image) -> None:
        if self._writer is None:
            # Here, because measuring is possible where there is no PyAV.
            from everybody_dance.video.writer import VideoWriter

            size = image.shape[1], image.shape[0]
            path = Path(self._folder.name) / "clip.mp4"
            self._writer = self._writing.enter_context(VideoWriter(path, size, self.keypoints.fps))
        self._writer.write(image)


def difference(result: Image, truth: Image) -> Image:
    """uint8 (H, W, 3): how far the colours of two pictures are apart, from black over red to yellow."""
    apart = cv2.absdiff(result, truth).mean(axis=2) * (255 / STRONGEST)
    coloured = cv2.applyColorMap(apart.clip(0, 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.asarray(coloured[..., ::-1], np.uint8)


def _keep(rows: dict[str, list[bytes]], box: Box, images: Mapping[str, Image], height: int) -> None:
    for name, image in images.items():
        shown = _sized(box.cut(image), height)
        rows.setdefault(name, []).append(cv2.imencode(".jpg", shown[..., ::-1], JPEG)[1].tobytes())


def _sized(image: Image, height: int) -> Image:
    width = max(2 * round(height * image.shape[1] / image.shape[0] / 2), 2)
    method = cv2.INTER_AREA if height < image.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)


def _crops(boxes: Sequence[Box | None], size: tuple[int, int], square: bool = False) -> dict[int, Box]:
    """Crops of one size around some of the boxes, inside the frame, by the frame's index."""
    there = [index for index, box in enumerate(boxes) if box is not None]
    chosen = {there[place] for place in np.linspace(0, len(there) - 1, SHOWN).round().astype(int)} if there else set()
    found = {index: box for index, box in enumerate(boxes) if box is not None and index in chosen}
    if not found:
        return {}
    sides = np.array([(box.width, box.height) for box in found.values()]).max(axis=0)
    width, height = (
        np.minimum(np.ceil(ROOM * (np.full(2, sides.max()) if square else sides)), size).astype(int).tolist()
    )
    return {index: _around(box, width, height, size) for index, box in found.items()}


def _around(box: Box, width: int, height: int, size: tuple[int, int]) -> Box:
    x = box.x + (box.width - width) // 2
    y = box.y + (box.height - height) // 2
    return Box(min(max(x, 0), size[0] - width), min(max(y, 0), size[1] - height), width, height)


def _union(boxes: Sequence[Box | None]) -> Box | None:
    """The box around all boxes."""
    there: NDArray[np.int64] = np.array([(b.x, b.y, b.x + b.width, b.y + b.height) for b in boxes if b is not None])
    if not len(there):
        return None
    (x0, y0), (x1, y1) = there[:, :2].min(axis=0).tolist(), there[:, 2:].max(axis=0).tolist()
    return Box(x0, y0, x1 - x0, y1 - y0)
