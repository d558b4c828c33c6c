"""A preview of where a source's feet and head will land, before anything is trained or painted."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from everybody_dance.drawing.overlay import overlay_pose
from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.images import Image
from everybody_dance.retarget.normalize import place_unchanged
from everybody_dance.retarget.statistics import PoseStatistics
from everybody_dance.synthesis.source import Dance
from everybody_dance.video.writer import VideoWriter

GROUND_COLOUR = (255, 210, 60)


def preview_normalization(
    dance: Dance,
    backgrounds: Sequence[Image],
    statistics: PoseStatistics,
    out: Path,
    on_progress: OnProgress = ignore_progress,
) -> None:
    """Write the stick figure before (left) and after normalization, over each background.

    Args:
        dance: from ``read_dance``.
        backgrounds: uint8 (H, W, 3): the clean plate and, where there is one, a true frame of the target.
        statistics: of the target; its nearest and farthest ground levels are drawn as lines.
        out: the video.
        on_progress: told the frames written.
    """
    height, width = backgrounds[0].shape[:2]
    before = place_unchanged(dance.source, (width, height))
    backgrounds = [_with_ground(background, statistics) for background in backgrounds]
    panels = [(before, backgrounds[0]), *((dance.placed, background) for background in backgrounds)]
    with VideoWriter(out, (width * len(panels), height), before.fps) as writer:
        for index in range(len(before)):
            drawn = [overlay_pose(background, keypoints.pose(index)) for keypoints, background in panels]
            writer.write(np.concatenate(drawn, 1))
            on_progress(index + 1, len(before))


def _with_ground(background: Image, statistics: PoseStatistics) -> Image:
    image = background.copy()
    if statistics.ground is not None:
        for level in (statistics.ground.far, statistics.ground.close):
            row = round(level)
            cv2.line(image, (0, row), (image.shape[1] - 1, row), GROUND_COLOUR, 1, cv2.LINE_AA)
    return image
