"""Decoded pictures to RGB and back, by the colour matrix that each one names."""

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from everybody_dance.images import Image

# The numbers of H.273 that swscale knows: BT.709, FCC, BT.470BG, SMPTE 170M, SMPTE 240M, BT.2020.
KNOWN_MATRICES = (1, 4, 5, 6, 7, 9)
ACCURATE_COLOUR = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP


def to_rgb(frame: VideoFrame, width: int, height: int) -> Image:
    """The frame as uint8 (height, width, 3) RGB, by the colour matrix it names or, unnamed, by that of its size."""
    matrix = frame.colorspace
    if matrix not in KNOWN_MATRICES:
        matrix = Colorspace.ITU709 if frame.height >= 720 or frame.width >= 1280 else Colorspace.ITU601
    scaling = Interpolation.AREA if width * height < frame.width * frame.height else Interpolation.BICUBIC
    rgb = frame.reformat(
        width, height, "rgb24", src_colorspace=int(matrix), interpolation=int(scaling | ACCURATE_COLOUR)
    )
    return np.asarray(rgb.to_ndarray(), dtype=np.uint8)


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
