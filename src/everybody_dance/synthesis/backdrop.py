"""What the person dances in front of instead of their own place: a colour, a picture, a video, or nothing at all."""

import math
import re
from collections.abc import Generator
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.errors import DanceError, UsageError
from everybody_dance.files import check_inputs
from everybody_dance.images import Box, Image, resized
from everybody_dance.synthesis.shadow import floor_shadow, reach_of_shadow
from everybody_dance.video.reader import VideoReader, probe

if TYPE_CHECKING:  # it brings PyTorch, and whoever only checks a background needs none
    from everybody_dance.synthesis.stream import Picture

NONE = "none"
"""No background: the result is transparent around the person."""

LEAST, MOST = 180, 250
"""Values of a picture's matte, of 255, at which a pixel begins to be the person and at which it wholly is."""

CORE = 0.03
"""Limbs that are thinner by this all around, in body heights, are the person wherever the pose is right."""

HOLE = 50, 127
"""Values of the matte, of 255, between which a pixel of the core begins to be, and is, a hole in the person: where
nothing was painted the pose is wrong, or a limb is behind something."""

SOFT = 256
"""The core's edge is smoothed with a standard deviation of the frame's height divided by this."""

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def check_background(background: str) -> list[Path]:
    """Refuse a background that cannot be used, before any work.

    Args:
        background: ``#RRGGBB``, ``none``, or the name of a picture or video.

    Returns:
        The files that are read.

    Raises:
        UsageError: it is empty, or looks like a colour and is none (``bad-value``).
        DanceError: the file is not there, or is neither a picture nor a video, or larger than can be read.
    """
    if background == NONE or _COLOUR.fullmatch(background):
        return []
    if not background:
        raise UsageError("bad-value", "--background is empty: give a picture, a video, a colour like #00B140, or none.")
    path = Path(background)
    if background.startswith("#") and not path.exists():
        raise UsageError("bad-value", f"--background {background} is not a colour; write one like #00B140.")
    check_inputs(path)
    if path.suffix.lower() in PICTURES:
        _picture(path)
    else:
        probe(path)
    return [path]


def check_matte(over_plate: bool, background: str | None) -> None:
    """Refuse another background, or company, for a performer that paints the whole picture.

    Args:
        over_plate: whether it paints over a clean plate.
        background: as for ``check_background``; None: their own place.

    Raises:
        UsageError: it does (``no-matte``).
    """
    if background is not None and not over_plate:
        raise UsageError(
            "no-matte",
            "This performer paints the whole picture, place and all, so its background cannot be exchanged, and nobody"
            " can dance with it. Train with the preset fast, on footage whose camera stands still.",
        )


def still_background(background: str, size: tuple[int, int]) -> Image:
    """uint8 (H, W, 3): a colour or a picture that fills frames of ``size`` (W, H).

    Raises:
        UsageError: it is empty or no colour (``bad-value``), or a video or ``none`` (``no-still``).
        DanceError: the file is not there, or not a picture.
    """
    files = check_background(background)
    if not files and background != NONE:
        return _of_colour(background, size)
    if background == NONE or files[0].suffix.lower() not in PICTURES:
        raise UsageError("no-still", "Live, --background is a picture or a colour like #00B140.")
    return filling(_picture(files[0]), size)


def backdrops(background: str, size: tuple[int, int], fps: Fraction) -> Generator[Image, None, None]:
    """What lies behind each frame, endlessly: uint8 (H, W, 3).

    Pictures and videos fill the frame and are cut where they have another shape; a video begins again at its end.

    Args:
        background: as for ``check_background``, but not ``none``.
        size: (W, H) of the frames.
        fps: of the result.
    """
    if _COLOUR.fullmatch(background):
        yield from repeat(_of_colour(background, size))
    path = Path(background)
    if path.suffix.lower() in PICTURES:
        yield from repeat(filling(_picture(path), size))
    while True:
        with VideoReader(path, fps=fps) as reader:
            for frame in reader:
                yield filling(frame, size)


def filling(image: Image, size: tuple[int, int]) -> Image:
    """``image`` as large as fills ``size`` (W, H), cut in the middle."""
    height, width = image.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    # Cut first: a panorama or a strip, grown as a whole, would fill the memory.
    part = min(math.ceil(size[0] / scale), width), min(math.ceil(size[1] / scale), height)
    return resized(Box((width - part[0]) // 2, (height - part[1]) // 2, *part).cut(image), size)


def over(picture: "Picture", plate: Image, behind: Image, shadow: bool) -> Image:
    """The person of ``picture`` in front of ``behind`` instead of their own place.

    Args:
        picture: from a stream.
        plate: uint8 (H, W, 3), the performer's clean plate.
        behind: uint8 (H, W, 3).
        shadow: it falls on ``behind``.
    """
    shown = behind.copy()
    region, person = _cut_out(picture, plate, shadow)
    under = region.cut(behind)
    share = person[..., 3:].astype(np.float32) / 255
    region.paste(np.asarray(np.round(share * person[..., :3] + (1 - share) * under), np.uint8), shown)
    return shown


def cut_out(picture: "Picture", plate: Image, shadow: bool) -> Image:
    """uint8 (H, W, 4): the person of ``picture`` alone, or with their shadow, straight colours and alpha.

    A frame is I = m C + (1 - m) P with matte m and plate P, so the colours are C = P + (I - P) / m. Alpha is 0 where
    the matte is below ``LEAST``: there G repainted the shadows and the light of the place. A shadow s is black with
    alpha: what it lies on becomes (1 - s) as bright.
    """
    whole = np.zeros((*plate.shape[:2], 4), np.uint8)
    region, part = _cut_out(picture, plate, shadow)
    region.paste(part, whole)
    return whole


def _region(picture: "Picture", alpha: Image, shadow: bool) -> Box:
    """The part of the frame outside of which there is neither the person nor their shadow."""
    height, width = alpha.shape
    boxes = [Box(*cv2.boundingRect(alpha))]
    if shadow and picture.drawn is not None:
        boxes.append(reach_of_shadow(picture.drawn.pose))
    boxes = [box for box in boxes if box.width and box.height] or [Box(0, 0, 1, 1)]
    left, top = (max(min(edges), 0) for edges in zip(*((box.x, box.y) for box in boxes), strict=True))
    right = min(max(box.x + box.width for box in boxes), width)
    bottom = min(max(box.y + box.height for box in boxes), height)
    return Box(left, top, max(right - left, 1), max(bottom - top, 1))


def _cut_out(picture: "Picture", plate: Image, shadow: bool) -> tuple[Box, Image]:
    """The region of the frame in which there is something, and what ``cut_out`` gives there, uint8 (h, w, 4)."""
    matte = _solid(picture)
    steps = np.clip((np.arange(256) - LEAST) * 255 / (MOST - LEAST), 0, 255).round().astype(np.uint8)
    alpha = np.asarray(cv2.LUT(matte, steps), np.uint8)
    region = _region(picture, alpha, shadow)
    matte, alpha, frame, plate = (region.cut(image) for image in (matte, alpha, picture.frame, plate))
    share = np.maximum(matte, LEAST)[..., None].astype(np.float32) / 255
    colours = (plate + (frame.astype(np.float32) - plate) / share).clip(0, 255).round().astype(np.uint8)
    colours[alpha == 0] = 0
    if shadow and picture.drawn is not None:
        person = alpha.astype(np.float32) / 255
        pose = picture.drawn.pose.shifted(-region.x, -region.y)
        both = person + (1 - person) * floor_shadow(frame, plate, alpha, pose)
        colours = np.round(colours * (person / np.maximum(both, 1e-6))[..., None]).astype(np.uint8)
        alpha = np.round(255 * both).astype(np.uint8)
    return region, np.dstack([colours, alpha])


def _solid(picture: "Picture") -> Image:
    """uint8 (H, W): the matte of ``picture`` without the holes that it has where the person looks like the plate."""
    matte = picture.matte
    if picture.drawn is None:
        return matte
    core = person_mask(picture.drawn.pose, (matte.shape[1], matte.shape[0]), -CORE).astype(np.float32)
    soft = cv2.GaussianBlur(core, (0, 0), len(matte) / SOFT)
    opened = ((matte - np.float32(HOLE[0])) / (HOLE[1] - HOLE[0])).clip(0, 1)
    return np.asarray(np.round(matte + soft * opened * (255 - matte)), np.uint8)


def _of_colour(colour: str, size: tuple[int, int]) -> Image:
    return np.full((size[1], size[0], 3), [int(colour[first : first + 2], 16) for first in (1, 3, 5)], np.uint8)


def _picture(path: Path) -> Image:
    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR) if path.stat().st_size else None
    except cv2.error as error:  # above 2^30 pixels, or more than the memory holds
        raise DanceError("not-a-picture", f"{path} is too large a picture; make it smaller first.") from error
    if image is None:
        raise DanceError("not-a-picture", f"{path} is not a picture that can be read.")
    return np.asarray(image[..., ::-1], np.uint8)
