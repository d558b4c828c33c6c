"""The sound of a source on its way into a result."""

from collections.abc import Iterator
from fractions import Fraction
from typing import TypeAlias

from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet

from everybody_dance import events
from everybody_dance.video.reader import SourceFile, open_video

COPIED_SOUND = ("aac", "mp3", "ac3")
# Only these containers keep sound the way MP4 wants it; from others (MPEG-TS) it is encoded anew.
COPIED_CONTAINERS = ("mp4", "matroska")

AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)

# Packets that belong together and when they start, in seconds; PyAV's Packet is generic for type checkers only.
_Timed: TypeAlias = "tuple[Fraction, list[Packet[AudioStream]]]"


class Sound:
    """The sound of a source on its way into a file: copied packet by packet, or encoded anew as AAC (Opus in WebM).

    It never costs the picture: sound that cannot be written is left out from there on, with a finding.

    Args:
        source: whose sound.
        target: the file that is being written.
        container: ``source``, open; closed by ``close``.
        stream: a track of ``container`` that can be decoded.
    """

    def __init__(
        self, source: SourceFile, target: OutputContainer, container: InputContainer, stream: AudioStream
    ) -> None:
        self._target = target
        self._start = source.start
        self._name = source.info.path.name
        self._container = container
        self._input = stream
        self._broken = False
        opus = target.format.name == "webm"  # which takes nothing that we copy
        copied = (
            not opus
            and stream.codec_context.name.removesuffix("float") in COPIED_SOUND
            and any(name in self._container.format.name for name in COPIED_CONTAINERS)
        )
        self._output: AudioStream
        if copied:
            self._output = target.add_stream_from_template(stream)
        else:
            layout = "mono" if stream.codec_context.layout.nb_channels == 1 else "stereo"
            rate = stream.codec_context.rate
            if opus:
                self._output = target.add_stream("libopus", rate=48000, layout=layout)
            else:
                self._output = target.add_stream("aac", rate=rate if rate in AAC_RATES else 48000, layout=layout)
        self._encoded = not copied
        self._packets = self._copied() if copied else self._reencoded()
        self._next: _Timed | None = None

    @classmethod
    def open(cls, source: SourceFile, target: OutputContainer) -> "Sound | None":
        """The first track of ``source`` that can be decoded; None, with a finding, where there is none."""
        container = open_video(source.info.path)
        # PyAV has no codec context for a codec that FFmpeg does not know.
        stream = next((track for track in container.streams.audio if track.codec_context is not None), None)
        try:
            if stream is not None:
                return cls(source, target, container, stream)
        except (FFmpegError, ValueError):
            pass
        container.close()
        _silent(source.info.path.name)
        return None

    def copy_until(self, end: Fraction) -> None:
        """Write all sound that starts before ``end``, in seconds since the first picture."""
        while not self._broken:
            try:
                if self._next is None:
                    self._next = next(self._packets, None)
                if self._next is None or self._next[0] >= end:
                    return
                self._target.mux(self._next[1])
            except (FFmpegError, ValueError):
                self._broken = True
                _silent(self._name, float(end))
            self._next = None

    def finish(self) -> None:
        """Write what the encoder still holds; the rest of the source's sound is left out."""
        if self._encoded and not self._broken and self._output.codec_context.is_open:
            try:
                self._target.mux(self._output.encode(None))
            except (FFmpegError, ValueError):  # the end of the sound, a few hundredths of a second
                self._broken = True

    def close(self) -> None:
        """Close the source."""
        self._container.close()

    def _demuxed(self) -> "Iterator[Packet[AudioStream]]":
        try:
            yield from self._container.demux(self._input)
        except FFmpegError:
            events.warn(
                "damaged-sound", f"The sound of {self._name} is damaged or cut off; what could be read of it is used."
            )

    def _copied(self) -> Iterator[_Timed]:
        for packet in self._demuxed():
            if packet.pts is None or packet.size == 0:
                continue
            shift = round(self._start / packet.time_base)
            start = (packet.pts - shift) * packet.time_base
            if start + (packet.duration or 0) * packet.time_base <= 0:
                continue
            packet.pts -= shift
            packet.dts = packet.pts
            packet.stream = self._output
            yield start, [packet]

    def _reencoded(self) -> Iterator[_Timed]:
        for packet in self._demuxed():
            try:
                frames = self._input.decode(packet)
            except FFmpegError:  # a gap in the sound; the time stamps keep the rest in step
                continue
            for frame in frames:
                if frame.pts is None or frame.time_base is None:
                    continue
                frame.pts -= round(self._start / frame.time_base)
                start = frame.pts * frame.time_base
                if start + Fraction(frame.samples, frame.sample_rate) > 0:
                    yield start, self._output.encode(frame)


def _silent(name: str, second: float = 0.0) -> None:
    since = f" from {second:.1f} s on" if second else ""
    events.warn("silent", f"The sound of {name} cannot be put into the result, which is silent{since}.", second=second)
