"""Decoded pictures of high dynamic range or wide gamut, brought to BT.709 through a table of three dimensions."""

import struct
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from av.filter import Graph
from av.sidedata.sidedata import Type
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from everybody_dance.video.side_data import side_data
from everybody_dance.video.tone_mapping import BRIGHTEST, BT709, BT2020, HLG_PEAK, PRIMARIES, Transfer, to_bt709

TABLE_FORMAT = "gbrp16le"  # for which FFmpeg's table is fastest: 3 ms for 1024 x 512 pixels
TABLE_SIDE = 65


def coding_of(frame: VideoFrame) -> tuple[int, int] | None:
    """(transfer, primaries), numbers of H.273, of a picture that has to be converted; None if it is plain BT.709.

    BT.601's primaries differ too little to be seen, and are left as they are.
    """
    transfer, primaries = int(frame.color_trc), int(frame.color_primaries)
    if transfer in tuple(Transfer):
        return transfer, primaries if primaries in PRIMARIES else BT2020
    return (BT709, primaries) if primaries in PRIMARIES and primaries != BT709 else None


def mastering_peak(frame: VideoFrame) -> float:
    """cd/m2, the brightest light of the display that the picture was graded on; 1000 where it does not say."""
    try:
        data = side_data(frame, Type.MASTERING_DISPLAY_METADATA)
    except ValueError:
        return HLG_PEAK
    if data is None:
        return HLG_PEAK
    # Ten fractions, the last of which is the peak, and whether the primaries and the brightness are known.
    *_, numerator, denominator, _, known = struct.unpack_from("=22i", data)
    return min(max(numerator / denominator, 1.0), BRIGHTEST) if known and denominator > 0 else HLG_PEAK


class ColourTable:
    """Converts pictures in ``TABLE_FORMAT``.

    Args:
        width, height: of the pictures, in pixels.
        coding: as ``coding_of``.
        peak: as ``mastering_peak``.

    Raises:
        OSError: there is no room for temporary files.
    """

    def __init__(self, width: int, height: int, coding: tuple[int, int], peak: float) -> None:
        self._graph = Graph()
        source = self._graph.add_buffer(
            width=width, height=height, format=VideoFormat(TABLE_FORMAT), time_base=Fraction(1)
        )
        with TemporaryDirectory(prefix="dance-") as folder:  # FFmpeg takes tables from files only
            path = Path(folder) / "table.cube"
            path.write_bytes(_cube_file(coding, peak))
            table = self._graph.add("lut3d", file=str(path), interp="tetrahedral")
        self._graph.link_nodes(source, table, self._graph.add("buffersink"))
        self._graph.configure()

    def convert(self, frame: VideoFrame) -> VideoFrame:
        """The frame, full range R'G'B', in BT.709."""
        self._graph.vpush(frame)
        return self._graph.vpull()


@lru_cache(maxsize=2)
def _cube_file(coding: tuple[int, int], peak: float) -> bytes:
    """A table as a .cube file: a line for each colour, red running fastest."""
    levels = np.linspace(0, 1, TABLE_SIDE)
    blue, green, red = np.meshgrid(levels, levels, levels, indexing="ij")
    table = to_bt709(np.stack([red, green, blue], axis=-1), *coding, peak).reshape(-1, 3)
    lines = "%.5f %.5f %.5f\n" * len(table) % tuple(table.ravel().tolist())
    return f"LUT_3D_SIZE {TABLE_SIDE}\n{lines}".encode()
