"""The sound of a video as one stream of samples in step with its pictures, whatever its file does."""

from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from itertools import chain, tee
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

from everybody_dance import events
from everybody_dance.video.packets import packets_of
from everybody_dance.video.reader import SourceFile, open_video, picture_stream
from everybody_dance.video.timing import LONGEST_REST, PacketTime, sound_shifts, stretches, time_of

RATE = 48000
# Time stamps tremble. Sound is moved where it is further off than this, in seconds: less than a frame at 60 a second.
TOLERANCE = Fraction(15, 1000)
# After this many packets of which none could be decoded nothing more is expected of a track.
PATIENCE = 100

Samples: TypeAlias = NDArray[np.float32]
"""(2, n), left and right, in [-1, 1]."""


class _Timed(NamedTuple):
    frame: AudioFrame
    counted: Fraction  # seconds of sound that were decoded before
    late: Fraction  # its time stamp minus that, which is the same for all frames of a file without fault


class SoundReader:
    """A track's sound from the first picture on: stereo at ``RATE``, placed by its time stamps.

    Gaps are filled with silence, and what overlaps is left out. It may change its form on the way, and a single wrong
    time stamp has no effect. Sound that is damaged is used as far as it can be read, with one finding.

    Args:
        source: the video.
        track: which of its sounds, counted from 0.

    Raises:
        DanceError: as ``open_video``.
    """

    def __init__(self, source: SourceFile, track: int) -> None:
        self._source = source
        self._track = track
        self._container = open_video(source.info.path)
        self._stream = self._container.streams.audio[track]
        self._said = False

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def __iter__(self) -> Iterator[Samples]:
        """Yield samples, never more than some seconds; nothing where nothing can be decoded. Only once.

        Raises:
            FFmpegError, ValueError: the sound has a form that cannot be made stereo.
        """
        done = 0
        for position, samples in self._converted():
            for begin in range(done, position, RATE):
                yield np.zeros((2, min(RATE, position - begin)), np.float32)
            done = max(done, position)
            fresh = samples[:, done - position :]
            if fresh.shape[1]:
                yield fresh
            done += fresh.shape[1]

    def _converted(self) -> Iterator[tuple[int, Samples]]:
        """Samples, and how many belong before the first of them."""
        resampler = AudioResampler()
        form: tuple[str, str, int] | None = None
        position = 0
        expected = Fraction(0)  # when the next frame begins if nothing is missing
        for frame, counted, late in self._without_slips():
            begin = counted + late
            moved = form is None or abs(begin - expected) > TOLERANCE
            if moved or form != _form(frame):
                for samples in _convert(resampler, None):
                    yield position, samples
                    position += samples.shape[1]
                resampler = _to_stereo(frame)
                form = _form(frame)
            if moved:
                position, expected = round(begin * RATE), begin
            expected += Fraction(frame.samples, frame.sample_rate)
            for samples in _convert(resampler, frame):
                yield position, samples
                position += samples.shape[1]
        for samples in _convert(resampler, None):
            yield position, samples

    def _without_slips(self) -> Iterator[_Timed]:
        """Frames that are as late as the median of themselves and their neighbours."""
        before: _Timed | None = None
        this: _Timed | None = None
        for following in chain(self._decoded(), (None,)):
            if this is not None:
                late = sorted(frame.late for frame in (before or this, this, following or this))
                yield this._replace(late=late[1])
            before, this = this, following

    def _decoded(self) -> Iterator[_Timed]:
        counted = late = Fraction(0)
        failed = 0
        for packet in chain(self._packets(), (None,)):
            try:
                frames = self._stream.decode(packet)
            except FFmpegError:  # a gap in the sound; the time stamps keep the rest in step
                frames = []
                failed += 1
                if counted and packet is not None:
                    self._say_damaged()
                elif failed == PATIENCE:
                    return
            for frame in frames:
                if not frame.samples or not frame.sample_rate:
                    continue
                stamp = time_of(frame)
                if stamp is not None:
                    late = stamp - self._source.start - counted
                yield _Timed(frame, counted, late)
                counted += Fraction(frame.samples, frame.sample_rate)

    def _packets(self) -> "Iterator[Packet[AudioStream]]":
        """The track's packets, on one clock."""
        packets, stamped = tee(self._demuxed())
        stamps = (_packet_time(packet).decoded for packet in stamped)
        for packet, number in zip(packets, stretches(stamps, LONGEST_REST), strict=True):
            if number and self._shifts:
                shift = self._shifts[min(number, len(self._shifts) - 1)]
                ticks = round(shift / packet.time_base)
                packet.pts = None if packet.pts is None else packet.pts - ticks
                packet.dts = None if packet.dts is None else packet.dts - ticks
            yield packet

    def _demuxed(self) -> "Iterator[Packet[AudioStream]]":
        try:
            for packet in packets_of(self._container, self._stream):
                if packet.size:  # one without content would end the decoding
                    yield packet
        except FFmpegError:
            self._say_damaged()

    @cached_property
    def _shifts(self) -> list[Fraction]:
        """Of the file's clock in each stretch of the track. The whole file is read, so only where the clock jumps."""
        with open_video(self._source.info.path) as pictures, open_video(self._source.info.path) as sound:
            shown = picture_stream(pictures)
            assert shown is not None  # there was a picture
            return sound_shifts(
                _packet_times(pictures, shown),
                _packet_times(sound, sound.streams.audio[self._track]),
                self._source.period,
            )

    def _say_damaged(self) -> None:
        if not self._said:
            events.warn(
                "damaged-sound",
                f"The sound of {self._source.info.path.name} is damaged or cut off; what could be read of it is used.",
            )
        self._said = True


def tracks(source: SourceFile) -> list[int]:
    """The sounds of a video that may be decodable, in the order in which a player would choose them."""
    with open_video(source.info.path) as container:
        sounds = list(container.streams.audio)
        # PyAV has no codec context for a codec that FFmpeg does not know.
        known = [track for track, stream in enumerate(sounds) if stream.codec_context is not None]
        return sorted(known, key=lambda track: not sounds[track].disposition & Disposition.default)


def _form(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _to_stereo(frame: AudioFrame) -> AudioResampler:
    """For frames like this one: several channels are mixed without clipping; one, made softer by FFmpeg, stays one."""
    layout = "mono" if frame.layout.nb_channels == 1 else "stereo"
    return AudioResampler("fltp", layout, RATE, options={"rematrix_maxval": "1"})


def _convert(resampler: AudioResampler, frame: AudioFrame | None) -> Iterator[Samples]:
    for converted in resampler.resample(frame):
        if converted is not None:  # what passes through unchanged has no end of its own
            samples = np.clip(np.nan_to_num(converted.to_ndarray()), -1, 1)
            yield np.broadcast_to(samples, (2, samples.shape[1]))


def _packet_time(packet: "Packet[Any]") -> PacketTime:
    base = packet.time_base
    decoded, shown = (None if stamp is None else stamp * base for stamp in (packet.dts, packet.pts))
    return PacketTime(packet.pos or 0, decoded, shown)


def _packet_times(container: InputContainer, stream: AudioStream | VideoStream) -> Iterator[PacketTime]:
    place = 0
    try:
        for packet in packets_of(container, stream):
            time = _packet_time(packet)
            place = max(place, time.place)  # packets that share a block of the file have no place of their own
            yield PacketTime(place, time.decoded, time.shown)
    except FFmpegError:
        return
