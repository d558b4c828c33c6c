"""Decoded pictures to RGB and back, by the colour matrix that each one names."""

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from everybody_dance.images import Image
from everybody_dance.video.hdr import TABLE_FORMAT, ColourTable, coding_of, mastering_peak
from everybody_dance.video.tone_mapping import BT2020

# The numbers of H.273 that swscale knows: BT.709, FCC, BT.470BG, SMPTE 170M, SMPTE 240M, BT.2020.
KNOWN_MATRICES = (1, 4, 5, 6, 7, 9)
ACCURATE_COLOUR = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP


class ToRgb:
    """Pictures of one video to RGB. What is set up for one is kept for the next."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._tables: dict[tuple[int, ...], ColourTable] = {}
        self._peak: float | None = None

    def __call__(self, frame: VideoFrame, width: int, height: int) -> Image:
        """The frame as uint8 (height, width, 3), RGB of BT.709.

        The colour matrix is the one it names or, unnamed, that of its primaries or its size. HDR and wide gamut are
        converted as ``tone_mapping`` tells.
        """
        coding = coding_of(frame)
        if coding is None:
            return self._pixels(self._scaled(frame, width, height, "rgb24", matrix_of(frame)))
        if self._peak is None:
            self._peak = mastering_peak(frame)
        key = (width, height, *coding)
        if key not in self._tables:
            self._tables[key] = ColourTable(width, height, coding, self._peak)
        signal = self._scaled(frame, width, height, TABLE_FORMAT, matrix_of(frame))
        return self._pixels(self._scaled(self._tables[key].convert(signal), width, height, "rgb24", None))

    def _scaled(self, frame: VideoFrame, width: int, height: int, pixels: str, matrix: int | None) -> VideoFrame:
        scaling = Interpolation.AREA if width * height < frame.width * frame.height else Interpolation.BICUBIC
        return self._reformatter.reformat(
            frame, width, height, pixels, src_colorspace=matrix, interpolation=int(scaling | ACCURATE_COLOUR)
        )

    @staticmethod
    def _pixels(frame: VideoFrame) -> Image:
        return np.asarray(frame.to_ndarray(), dtype=np.uint8)


def matrix_of(frame: VideoFrame) -> int:
    """The number of the frame's colour matrix, by its primaries or its size where it names none that is known."""
    if frame.colorspace in KNOWN_MATRICES:
        return int(frame.colorspace)
    if frame.color_primaries == BT2020:
        return int(Colorspace.BT2020)
    return int(Colorspace.ITU709 if frame.height >= 720 or frame.width >= 1280 else Colorspace.ITU601)


def to_yuv(image: Image, pixels: str = "yuv420p") -> VideoFrame:
    """uint8 (H, W, 3) RGB, or (H, W, 4) with alpha, in the pixel format ``pixels``, by BT.709."""
    given = "rgba" if image.shape[2] == 4 else "rgb24"
    picture = VideoFrame.from_ndarray(np.ascontiguousarray(image), format=given).reformat(
        format=pixels,
        dst_colorspace=int(Colorspace.ITU709),
        dst_color_range=int(ColorRange.MPEG),
        interpolation=int(Interpolation.BICUBIC | ACCURATE_COLOUR),
    )
    picture.colorspace = int(Colorspace.ITU709)
    picture.color_range = int(ColorRange.MPEG)
    return picture
