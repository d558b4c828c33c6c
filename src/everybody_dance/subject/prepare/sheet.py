"""A contact sheet of a prepared subject: the person cut out by their mattes, and the empty place with its gaps."""

import cv2
import numpy as np

from everybody_dance.images import Image, resized
from everybody_dance.subject.subject import Subject

GREEN = (0, 177, 64)
"""What the person is shown in front of."""

UNKNOWN = (255, 0, 255)
"""What the footage never uncovers is marked with stripes of this colour."""

MOMENTS, COLUMNS = 10, 4
"""Moments that are shown, evenly over the training frames, and pictures in a row."""

WIDTH = 400
"""Of each picture."""


def contact_sheet(subject: Subject) -> Image:
    """uint8 (H, W, 3): some moments over green, then the empty place, as it is and with what is unknown marked."""
    width, height = subject.manifest.size
    size = WIDTH, max(round(WIDTH * height / width), 1)
    frames = subject.frames_with_person
    pictures = [
        resized(over_green(subject.frame(index), subject.matte(index)), size)
        for index in frames[np.linspace(0, len(frames) - 1, MOMENTS).astype(int)].tolist()
    ]
    pictures += [resized(picture, size) for picture in (subject.plate, _marked(subject))]
    rows = [np.concatenate(pictures[first : first + COLUMNS], 1) for first in range(0, len(pictures), COLUMNS)]
    return np.concatenate(rows)


def over_green(frame: Image, matte: Image) -> Image:
    """uint8 (H, W, 3): the person of a frame in front of green."""
    share = cv2.cvtColor(matte, cv2.COLOR_GRAY2RGB)
    person = cv2.multiply(frame, share, scale=1 / 255)
    return np.asarray(cv2.add(person, cv2.multiply(np.full_like(frame, GREEN), 255 - share, scale=1 / 255)), np.uint8)


def _marked(subject: Subject) -> Image:
    marked = subject.plate.copy()
    row, column = np.indices(subject.plate_known.shape)
    period = max(len(marked) // 32, 4)
    marked[~subject.plate_known & ((row + column) % period < period // 2)] = UNKNOWN
    return marked
