"""Pose images: the stick figure that the generator is given in place of the person (the paper's ``x``).

Warm hues are the person's right, cool hues the left, so that front and back differ by where the hues lie. A face
turned away has no face lines: the head is then drawn from the neck to the ears in a colour of its own. Widths are
fractions of the frame's height, never of the person's, so that they do not flicker with a measurement.
"""

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.images import Box, Image
from everybody_dance.keypoints import FULL_CONFIDENCE, Pose, with_skull
from everybody_dance.skeleton import (
    BODY_BONES,
    EARS,
    FACE,
    FACE_LINES,
    FINGERS,
    LEFT_HAND,
    PUPILS,
    RIGHT_HAND,
    SKULL,
    Joint,
)

DIMMEST = 0.2
"""Brightness of the least sure joints that are drawn at all."""

Colour = tuple[int, int, int]

# Limb: colour, and its width at either end in fractions of the frame's height.
_LIMB_STYLE: dict[str, tuple[Colour, float, float]] = {
    "skull": ((90, 70, 110), 0.050, 0.036),
    "right hip": ((255, 0, 110), 0.014, 0.014),
    "left hip": ((0, 100, 255), 0.014, 0.014),
    "spine": ((225, 225, 225), 0.010, 0.010),
    "right thigh": ((255, 0, 110), 0.030, 0.022),
    "right shin": ((255, 0, 255), 0.022, 0.014),
    "left thigh": ((0, 100, 255), 0.030, 0.022),
    "left shin": ((0, 215, 255), 0.022, 0.014),
    "right foot": ((255, 140, 200), 0.014, 0.010),
    "right toes": ((255, 140, 200), 0.010, 0.008),
    "right heel": ((170, 0, 120), 0.012, 0.010),
    "left foot": ((140, 170, 255), 0.014, 0.010),
    "left toes": ((140, 170, 255), 0.010, 0.008),
    "left heel": ((0, 90, 170), 0.012, 0.010),
    "right shoulder": ((255, 30, 0), 0.016, 0.018),
    "left shoulder": ((0, 220, 40), 0.016, 0.018),
    "right upper arm": ((255, 30, 0), 0.022, 0.016),
    "right forearm": ((255, 150, 0), 0.016, 0.011),
    "left upper arm": ((0, 220, 40), 0.022, 0.016),
    "left forearm": ((90, 255, 170), 0.016, 0.011),
    "neck": ((255, 255, 60), 0.016, 0.012),
    "right eye": ((255, 170, 90), 0.008, 0.008),
    "left eye": ((120, 200, 255), 0.008, 0.008),
    "right ear": ((255, 110, 30), 0.008, 0.010),
    "left ear": ((40, 140, 255), 0.008, 0.010),
    "back of head": ((150, 60, 255), 0.022, 0.030),
    "right back of ear": ((255, 110, 30), 0.010, 0.010),
    "left back of ear": ((40, 140, 255), 0.010, 0.010),
}

# Halves of the torso, dim, so that an arm in front of the chest stands out.
_TORSO: tuple[tuple[tuple[Joint, ...], Colour], ...] = (
    ((Joint.NECK, Joint.RIGHT_SHOULDER, Joint.RIGHT_HIP, Joint.MID_HIP), (110, 45, 20)),
    ((Joint.NECK, Joint.LEFT_SHOULDER, Joint.LEFT_HIP, Joint.MID_HIP), (15, 65, 100)),
)

_FACE_COLOURS: dict[str, Colour] = {
    "jaw": (150, 150, 150),
    "right eyebrow": (255, 140, 0),
    "left eyebrow": (0, 200, 90),
    "nose bridge": (255, 255, 0),
    "nose base": (255, 255, 150),
    "right eye": (255, 90, 90),
    "left eye": (90, 170, 255),
    "outer lips": (255, 0, 90),
    "inner lips": (255, 170, 200),
}
_PUPIL_COLOURS: tuple[Colour, Colour] = ((255, 200, 200), (200, 225, 255))

_FINGER_COLOURS: dict[str, tuple[Colour, Colour]] = {  # (left hand, right hand)
    "thumb": ((60, 90, 255), (255, 40, 0)),
    "index": ((0, 200, 255), (255, 140, 0)),
    "middle": ((0, 255, 60), (255, 255, 0)),
    "ring": ((170, 255, 215), (255, 140, 190)),
    "little": ((160, 80, 255), (255, 0, 255)),
}

_FINE_WIDTH = 1 / 320
"""Width of finger lines in fractions of the frame's height; one pixel at least. Face lines are 3/4 of it."""

_SHIFT = 6  # cv2 takes coordinates as integers of 1/64 pixel
# The skull counts as found where the nose is, the back of the head where it is not; both are in the same place.
_BACK_OF_HEAD = SKULL + 1

_LIMBS = {
    "skull": (SKULL, int(Joint.NOSE)),  # beneath all else: where the head is, whatever becomes of its fine lines
    **BODY_BONES,
    "back of head": (int(Joint.NECK), _BACK_OF_HEAD),
    "right back of ear": (int(Joint.RIGHT_EAR), _BACK_OF_HEAD),
    "left back of ear": (int(Joint.LEFT_EAR), _BACK_OF_HEAD),
}
_LIMB_ENDS = np.array(list(_LIMBS.values()))  # (L, 2)
_LIMB_COLOURS = np.array([_LIMB_STYLE[name][0] for name in _LIMBS], np.float32)  # (L, 3)
_LIMB_RADII = np.array([_LIMB_STYLE[name][1:] for name in _LIMBS], np.float32) / 2  # (L, 2)
_TORSO_JOINTS = np.array([joints for joints, _ in _TORSO])  # (2, 4)
_TORSO_COLOURS = np.array([colour for _, colour in _TORSO], np.float32)  # (2, 3)

# The outline of a limb from (0, 0) to (1, 0): half a circle around its first end, half a circle around its second.
_HALF = np.linspace(np.pi / 2, 3 * np.pi / 2, 7, dtype=np.float32)
_OUTLINE = np.concatenate([np.stack([np.cos(a), np.sin(a)], -1) for a in (_HALF, _HALF + np.float32(np.pi))])  # (14, 2)
_OUTLINE_END = np.repeat([0, 1], len(_HALF))  # (14,)


def _fine_lines() -> tuple[NDArray[np.int64], NDArray[np.float32], list[slice], NDArray[np.bool_]]:
    """Segments of the face and the fingers: their ends (S, 2); per line its colour, its segments, if it is a finger."""
    lines = [(FACE.start, chain, _FACE_COLOURS[name], False) for name, chain in FACE_LINES.items()]
    for side, hand in enumerate((LEFT_HAND, RIGHT_HAND)):
        lines += [(hand.start, chain, _FINGER_COLOURS[name][side], True) for name, chain in FINGERS.items()]
    ends = [[(first + a, first + b) for a, b in pairwise(chain)] for first, chain, _, _ in lines]
    stops = np.cumsum([len(pairs) for pairs in ends])
    segments = [slice(int(stop) - len(pairs), int(stop)) for stop, pairs in zip(stops, ends, strict=True)]
    colours = np.array([colour for _, _, colour, _ in lines], np.float32)
    return np.concatenate(ends), colours, segments, np.array([finger for _, _, _, finger in lines])


_FINE_ENDS, _FINE_COLOURS, _FINE_SEGMENTS, _IS_FINGER = _fine_lines()
_FINE_STARTS = np.array([segments.start for segments in _FINE_SEGMENTS])
_PUPIL_JOINTS = [FACE.start + pupil for pupil in PUPILS]


class PoseImage:
    """One pose, drawn once; any box of the frame can be cut from it.

    The figure is drawn on a canvas that is tied to the frame, so a box shifted by whole pixels shows exactly the
    shifted picture, to the last bit.

    Args:
        pose: in pixels of the frame. Confidence 0 is not drawn, low confidence is drawn dimmer.
        frame_height: height of the frame in pixels; line widths are proportional to it.
    """

    def __init__(self, pose: Pose, frame_height: int) -> None:
        self.pose = pose
        self._corner = 0, 0
        self._canvas: Image | None = None
        found = drawable(pose, frame_height)
        if not found.any():
            return
        # Room for half the widest limb, and for the two pixels along an image's edges that cv2 leaves without lines.
        room = 4 + int(_LIMB_RADII.max() * frame_height)
        places = pose.xy[found]
        left, top = (int(value) - room for value in np.floor(places.min(axis=0)))
        right, bottom = (int(value) + room for value in np.ceil(places.max(axis=0)))
        self._corner = left, top
        self._canvas = np.zeros((bottom - top, right - left, 3), np.uint8)
        _paint(self._canvas, pose.without(~found).shifted(-left, -top), frame_height)

    def cut(self, box: Box) -> Image:
        """uint8 (box.height, box.width, 3), RGB on black; the box may reach over the frame's edges."""
        picture = np.zeros((box.height, box.width, 3), np.uint8)
        if self._canvas is not None:
            place = Box(*self._corner, self._canvas.shape[1], self._canvas.shape[0])
            Box(place.x - box.x, place.y - box.y, place.width, place.height).paste(self._canvas, picture)
        return picture


def draw_pose(pose: Pose, box: Box, frame_height: int) -> Image:
    """One ``box`` of a ``PoseImage``: uint8 (box.height, box.width, 3), RGB on black."""
    return PoseImage(pose, frame_height).cut(box)


def paint_pose(image: Image, pose: Pose, widths: float = 1.0) -> None:
    """Draw a pose over ``image`` (H, W, 3) in place, with lines ``widths`` times as wide as in a pose image."""
    found = drawable(pose, image.shape[0])
    _paint(image, pose.without(~found), round(widths * image.shape[0]))


def drawable(pose: Pose, frame_height: int) -> NDArray[np.bool_]:
    """bool (137,): joints that were found, except for absurd places several frames away, which no picture shows."""
    x, y = pose.xy[:, 0], pose.xy[:, 1]
    near = (x > -2 * frame_height) & (x < 6 * frame_height) & (y > -2 * frame_height) & (y < 3 * frame_height)
    return np.asarray(pose.found & near)


def _paint(canvas: Image, pose: Pose, frame_height: int) -> None:
    """Draw over ``canvas`` in place, in its pixels: torso first, then legs, arms, head, face, hands."""
    confidence = pose.confidence
    xy, _ = with_skull(np.where((confidence > 0)[:, None], pose.xy, 0), confidence)
    xy = np.concatenate([xy, xy[-1:]])
    head, facing = confidence[EARS].max(), confidence[Joint.NOSE] > 0
    confidence = np.append(confidence, [head * facing, head * ~facing])

    # cv2 has pixel centres at whole numbers, we have them at halves.
    centres = xy - np.float32(0.5)
    _paint_torso(canvas, centres, confidence)
    _paint_limbs(canvas, centres, confidence, frame_height)
    _paint_fine(canvas, centres, confidence, frame_height)


def _paint_torso(canvas: Image, centres: NDArray[np.float32], confidence: NDArray[np.float32]) -> None:
    least = confidence[_TORSO_JOINTS].min(axis=1)
    corners = _fixed(centres[_TORSO_JOINTS])
    for index in np.flatnonzero(least):
        colour = _TORSO_COLOURS[index] * _brightness(least[index])
        # A twisted torso folds its quadrilateral over: not convex, so the general fill.
        cv2.fillPoly(canvas, [corners[index]], colour.tolist(), cv2.LINE_AA, _SHIFT)


def _paint_limbs(
    canvas: Image, centres: NDArray[np.float32], confidence: NDArray[np.float32], frame_height: int
) -> None:
    least = confidence[_LIMB_ENDS].min(axis=1)
    drawn = np.flatnonzero(least)
    ends = centres[_LIMB_ENDS[drawn]]  # (L, 2, 2)
    along = ends[:, 1] - ends[:, 0]
    length = np.hypot(along[:, 0], along[:, 1])[:, None]
    along = np.where(length > 0, along / np.maximum(length, 1e-6), np.array([1, 0], np.float32))
    across = np.stack([-along[:, 1], along[:, 0]], -1)
    # Anti-aliasing adds about half a pixel all around.
    radii = np.maximum(_LIMB_RADII[drawn] * frame_height - 0.5, 0.1)[:, _OUTLINE_END, None]
    outline = _OUTLINE[:, :1] * along[:, None] + _OUTLINE[:, 1:] * across[:, None]  # (L, 14, 2)
    polygons = _fixed(ends[:, _OUTLINE_END] + radii * outline)
    brightness = _brightness(least[drawn])
    colours = (_LIMB_COLOURS[drawn] * brightness[:, None]).tolist()
    # The less sure are mostly hidden by the others, so they lie beneath them; the skull lies beneath all.
    for index in np.argsort(np.where(drawn == 0, 0, brightness), kind="stable"):
        cv2.fillConvexPoly(canvas, polygons[index], colours[index], cv2.LINE_AA, _SHIFT)


def _paint_fine(
    canvas: Image, centres: NDArray[np.float32], confidence: NDArray[np.float32], frame_height: int
) -> None:
    least = confidence[_FINE_ENDS].min(axis=1)
    drawn = least > 0
    counts = np.add.reduceat(drawn, _FINE_STARTS, dtype=np.int64)
    mean = np.add.reduceat(least, _FINE_STARTS) / np.maximum(counts, 1)
    colours = (_FINE_COLOURS * _brightness(mean)[:, None]).tolist()
    width = frame_height * _FINE_WIDTH
    thickness = np.where(_IS_FINGER, max(round(width), 1), max(round(0.75 * width), 1)).tolist()
    lines = _fixed(centres[_FINE_ENDS])  # (S, 2, 2)
    for index in np.flatnonzero(counts):
        segments = _FINE_SEGMENTS[index]
        pieces = (
            lines[segments] if counts[index] == segments.stop - segments.start else lines[segments][drawn[segments]]
        )
        cv2.polylines(canvas, pieces, False, colours[index], thickness[index], cv2.LINE_AA, _SHIFT)
    for joint, colour in zip(_PUPIL_JOINTS, _PUPIL_COLOURS, strict=True):
        if confidence[joint] > 0:
            dot = [value * float(_brightness(confidence[joint])) for value in colour]
            radius = int(max(frame_height / 700, 0.6) * (1 << _SHIFT))
            cv2.circle(canvas, _fixed(centres[joint]).tolist(), radius, dot, -1, cv2.LINE_AA, _SHIFT)


def _brightness(confidence: NDArray[np.float32]) -> NDArray[np.float32]:
    # The confidences of good detections vary above FULL_CONFIDENCE; the brightness must not flicker with them.
    return np.asarray(np.clip(confidence / FULL_CONFIDENCE, DIMMEST, 1), np.float32)


def _fixed(centres: NDArray[np.float32]) -> NDArray[np.int32]:
    """Pixels to cv2's fixed point. Rounded up from the middle everywhere, so that whole pixels shift exactly."""
    return np.asarray(np.floor(centres * (1 << _SHIFT) + 0.5), np.int32)
