"""Pictures on their way to and from pages: encoded once for all pages, and decoded within limits."""

import io
import threading
from dataclasses import dataclass

import cv2
import numpy as np
import PIL.Image
import PIL.ImageOps

from everybody_dance.errors import UsageError
from everybody_dance.images import Image
from everybody_dance.web.show import Show

QUALITY = 85
"""Of the JPEGs, from 0 to 100."""


@dataclass(frozen=True)
class Encoded:
    """A shown picture as JPEGs: the performer, and the camera with the skeleton."""

    number: int
    seen: bool
    picture: bytes
    camera: bytes


class Encoder:
    """The show's pictures as JPEGs. Each is encoded at most once, however many pages ask for it."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._lock = threading.Lock()
        self._newest: Encoded | None = None

    def newest(self, after: int, timeout: float) -> Encoded | None:
        """The newest picture with a number above ``after``; None where there is none within ``timeout`` seconds."""
        shown = self._show.newest(after, timeout)
        if shown is None:
            return None
        with self._lock:
            # Another page may have brought this picture, or a newer one, in the meantime.
            if self._newest is None or self._newest.number < shown.number:
                self._newest = Encoded(shown.number, shown.seen, _jpeg(shown.picture), _jpeg(shown.camera))
            return self._newest


def decoded(data: bytes, *, formats: tuple[str, ...], max_pixels: int, longest: int) -> Image:
    """The picture in bytes that a page sent, upright, RGB (H, W, 3).

    Args:
        data: of a file of one of ``formats``.
        formats: Pillow's names.
        max_pixels: larger pictures are refused before they are decoded.
        longest: pictures with a longer side are shrunk to it.

    Raises:
        UsageError: it cannot be read (``bad-picture``) or is too large (``picture-too-large``).
    """
    message = f"The picture has more than {max_pixels / 1e6:.0f} million pixels; choose a smaller one."
    too_large = UsageError("picture-too-large", message)
    try:
        with PIL.Image.open(io.BytesIO(data), formats=formats) as file:
            if file.width * file.height > max_pixels:
                raise too_large
            file.thumbnail((longest, longest))
            return np.array(PIL.ImageOps.exif_transpose(file).convert("RGB"), np.uint8)
    except UsageError:
        raise
    except PIL.Image.DecompressionBombError as error:
        raise too_large from error
    except Exception as error:  # what Pillow raises for broken files has no common class
        raise UsageError("bad-picture", f"The picture cannot be read; use {' or '.join(formats)}.") from error


def _jpeg(image: Image) -> bytes:
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, QUALITY))
    return bytes(data)
