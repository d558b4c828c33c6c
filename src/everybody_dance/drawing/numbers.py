"""Numbers on people."""

from collections.abc import Mapping

import cv2
import numpy as np

from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.images import Image
from everybody_dance.keypoints import Pose

COLOURS = ((255, 200, 0), (0, 200, 255), (255, 90, 140), (120, 230, 80), (190, 130, 255), (255, 255, 255))
"""Of the first, second ... person, and again from the first on."""

AROUND = 0.04
"""Margin between a person and their outline, in body heights."""


def numbered(image: Image, people: Mapping[int, Pose]) -> Image:
    """A copy of ``image`` (H, W, 3) with the outline and the number of each person, whose poses are in its pixels."""
    picture = np.ascontiguousarray(image).copy()
    height, width = picture.shape[:2]
    thick = max(round(height / 180), 1)
    for number, pose in people.items():
        mask = person_mask(pose, (width, height), AROUND).astype(np.uint8)
        if not mask.any():
            continue
        colour = COLOURS[(number - 1) % len(COLOURS)]
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(picture, outlines, -1, colour, thick)
        left, top, across, _ = cv2.boundingRect(mask)
        size = height / 400
        (text_width, text_height), _ = cv2.getTextSize(str(number), cv2.FONT_HERSHEY_DUPLEX, size, thick)
        x = min(max(left + (across - text_width) // 2, 0), max(width - text_width, 0))
        y = max(top - 2 * thick, text_height + 2 * thick)
        cv2.putText(picture, str(number), (x, y), cv2.FONT_HERSHEY_DUPLEX, size, (0, 0, 0), 3 * thick, cv2.LINE_AA)
        cv2.putText(picture, str(number), (x, y), cv2.FONT_HERSHEY_DUPLEX, size, colour, thick, cv2.LINE_AA)
    return picture
