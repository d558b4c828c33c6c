"""What a decoded frame carries besides its picture."""

from typing import cast

from av.sidedata.sidedata import SideDataContainer, Type
from av.video.frame import VideoFrame


def side_data(frame: VideoFrame, kind: Type) -> bytes | None:
    """FFmpeg's structure of this kind, byte by byte; None where there is none.

    The frame stays in memory until Python collects its garbage, so this is for few frames of a video.

    Raises:
        ValueError: the frame carries some kind that PyAV does not know, which makes it list none.
    """
    found = cast(SideDataContainer, frame.side_data).get(kind)
    return None if found is None else bytes(found)
