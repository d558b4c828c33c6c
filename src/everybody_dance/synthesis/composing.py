"""What the live show shows of a painted picture: over which background, faded when somebody comes or goes, labelled."""

import cv2
import numpy as np

from everybody_dance.drawing.overlay import overlay_pose
from everybody_dance.images import Image, resized
from everybody_dance.keypoints import Pose
from everybody_dance.performer.performer import Performer
from everybody_dance.synthesis.backdrop import over
from everybody_dance.synthesis.stream import Picture

FADE = 0.3
"""Seconds in which somebody who comes or goes appears or disappears."""

LABEL = "Made by AI"

CAMERA_WIDTH = 320
"""The camera's picture is shown this wide at most."""

DIM = 0.85
"""Share of the camera's brightness that is left beneath the stick figure."""


class Composer:
    """Composes pictures one after the other; it holds the person who was seen last, and how far they have faded.

    Args:
        performer: whose pictures they are.
        shadow: the person's shadow falls on another background.
        label: write ``LABEL`` on every picture.
    """

    def __init__(self, performer: Performer, shadow: bool = True, label: bool = False) -> None:
        self._plate, self._shadow, self._label = performer.plate, shadow, label
        self._person: Picture | None = None
        self._opacity, self._at = 0.0, 0.0

    def compose(self, picture: Picture, at: float, behind: Image | None, frozen: bool = False) -> Image:
        """The next picture, uint8 (H, W, 3).

        Args:
            picture: as painted.
            at: time of its frame, in seconds.
            behind: uint8 (H, W, 3), the background; None: their own place.
            frozen: go on showing the person as they were seen last; an empty place stays empty.
        """
        seen = picture.drawn is not None
        if self._person is None or (seen and not frozen):
            self._person = picture
        step, self._at = (at - self._at) / FADE, at
        stays = self._opacity > 0 if frozen else seen
        self._opacity = float(np.clip(self._opacity + (step if stays else -step), 0, 1))
        empty = self._plate if behind is None else behind
        shown = empty
        if self._opacity > 0 and self._person.drawn is not None:
            shown = self._person.frame if behind is None else over(self._person, self._plate, behind, self._shadow)
            if self._opacity < 1:
                shown = np.asarray(cv2.addWeighted(shown, self._opacity, empty, 1 - self._opacity, 0), np.uint8)
        return labelled(shown) if self._label else shown


def labelled(picture: Image) -> Image:
    """A copy of the picture, uint8 (H, W, 3), with ``LABEL`` in its lower left corner."""
    shown = picture.copy()
    scale, margin = len(shown) / 700, round(len(shown) / 50)
    place = (margin, len(shown) - margin)
    for colour, thickness in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        width = max(round(thickness * scale), 1) + (2 if thickness > 1 else 0)
        cv2.putText(shown, LABEL, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, width, cv2.LINE_AA)
    return shown


def camera_picture(frame: Image, pose: Pose) -> Image:
    """The camera's frame, uint8 (H, W, 3), made small, with the stick figure of ``pose``, which is in its pixels."""
    scale = min(CAMERA_WIDTH / frame.shape[1], 1.0)
    small = resized(frame, (round(scale * frame.shape[1]), max(round(scale * frame.shape[0]), 1)))
    if not pose.person_seen:
        return np.ascontiguousarray(small)
    return overlay_pose(small, Pose(pose.xy * np.float32(scale), pose.confidence), DIM)
