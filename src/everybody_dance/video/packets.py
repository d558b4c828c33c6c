"""The packets of one track of a file."""

from collections.abc import Iterator
from contextlib import suppress
from typing import TypeVar, cast

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

Track = TypeVar("Track", bound=AudioStream | VideoStream)


def packets_of(container: InputContainer, stream: Track) -> "Iterator[Packet[Track]]":
    """The packets of ``stream`` in a file's order, and an empty one at its end.

    Raises:
        FFmpegError: the file cannot be read further.
    """
    # At the end PyAV may stumble over tracks that appeared on the way, as they do in MPEG-TS; nothing is left then.
    with suppress(IndexError):
        yield from cast("Iterator[Packet[Track]]", container.demux(stream))
