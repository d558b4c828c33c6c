"""Source, pose and result side by side, and the truth where it is known."""

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from everybody_dance.images import Box, Image
from everybody_dance.synthesis.stream import Picture
from everybody_dance.video.reader import VideoReader
from everybody_dance.video.writer import VideoWriter


class Comparison(ExitStack):
    """Writes source | pose | result (| truth), as high as the result; the videos are read again in step.

    Args:
        path: the video to write, with the source's sound.
        source: the video that is danced.
        truth: a video of the target really dancing it; None where there is none.
        size: (W, H) of the result.
        fps: of the result.
    """

    def __init__(self, path: Path, source: Path, truth: Path | None, size: tuple[int, int], fps: Fraction) -> None:
        super().__init__()
        with ExitStack() as opened:
            self._size = size
            self._videos: list[Iterator[Image]] = []
            width = 2 * size[0]
            for video in (source, truth):
                if video is not None:
                    reader = opened.enter_context(VideoReader(video, fps=fps))
                    shape = max(round(reader.info.size[0] * size[1] / reader.info.size[1]), 1), size[1]
                    self._videos.append(_endless(reader, shape))
                    width += shape[0]
            self._labels = ["source", "pose", "result", "truth"][: 2 + len(self._videos)]
            self._writer = opened.enter_context(VideoWriter(path, (width, size[1]), fps, sound_of=source))
            self.push(opened.pop_all())

    def write(self, result: Picture) -> None:
        """Add the next frame."""
        width, height = self._size
        pose = np.zeros((height, width, 3), np.uint8)
        if result.drawn is not None:
            pose = result.drawn.cut(Box(0, 0, width, height))
        source, *truth = (next(video) for video in self._videos)
        panels = [source, pose, result.frame, *truth]
        self._writer.write(np.concatenate([_labelled(*pair) for pair in zip(panels, self._labels, strict=True)], 1))


def _endless(reader: VideoReader, size: tuple[int, int]) -> Iterator[Image]:
    """The reader's frames at ``size``; the last one goes on."""
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    for image in reader:
        frame = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        yield frame
    while True:
        yield frame


def _labelled(image: Image, label: str) -> Image:
    """A copy of the picture with its name in the corner."""
    image = image.copy()
    scale = image.shape[0] / 700
    place = (round(12 * scale) + 2, round(34 * scale) + 4)
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(image, label, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA)
    return image
