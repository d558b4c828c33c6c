"""The sound of a source on its way into a result."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import FFmpegError

from everybody_dance import events
from everybody_dance.errors import DanceError
from everybody_dance.video.reader import SourceFile
from everybody_dance.video.sound_reader import RATE, Samples, SoundReader, tracks

# Sound is always encoded anew, so that no fault of its file is copied, and at a rate at which hardly anybody hears it.
BITS_PER_SECOND = 192_000

# Whatever damaged sound may bring about: from FFmpeg, PyAV, time stamps beyond all bounds, a source that has gone.
_FAILURES = (FFmpegError, ValueError, ArithmeticError, DanceError)


class Sound:
    """The sound of a source on its way into a file: as AAC, in WebM as Opus, in step with the first picture.

    It never costs the picture: sound that cannot be written is left out from there on, with a finding.

    Args:
        name: of the source, for findings.
        target: the file that is being written.
        reader: closed by ``close``.
        samples: from ``reader``.
    """

    def __init__(self, name: str, target: OutputContainer, reader: SoundReader, samples: Iterator[Samples]) -> None:
        self._name = name
        self._target = target
        self._reader = reader
        self._samples = samples
        self._rest: Samples = np.zeros((2, 0), np.float32)
        self._written = 0
        self._broken = False
        codec = "libopus" if target.format.name == "webm" else "aac"
        stream = target.add_stream(codec, rate=RATE, layout="stereo")
        assert isinstance(stream, AudioStream)
        stream.bit_rate = BITS_PER_SECOND
        self._stream = stream

    @classmethod
    def open(cls, source: SourceFile, target: OutputContainer, begin: float = 0.0) -> "Sound | None":
        """The first track of ``source`` that can be decoded, one marked as default before others.

        None, with a finding, where there is none. What is before the second ``begin`` is left out.
        """
        for track in tracks(source):
            reader = SoundReader(source, track)
            try:
                samples = _from(iter(reader), round(begin * RATE))
                first = next(samples, None)
                if first is not None:
                    return cls(source.info.path.name, target, reader, chain((first,), samples))
            except _FAILURES:
                pass
            reader.close()
        _silent(source.info.path.name)
        return None

    def write_until(self, end: Fraction) -> None:
        """Write the sound up to ``end``, in seconds since the first picture."""
        wanted = round(end * RATE)
        while not self._broken and self._written < wanted:
            try:
                if not self._rest.shape[1]:
                    samples = next(self._samples, None)
                    if samples is None:
                        return
                    self._rest = samples
                count = min(self._rest.shape[1], wanted - self._written)
                self._write(self._rest[:, :count])
                self._rest = self._rest[:, count:]
            except _FAILURES:
                self._broken = True
                _silent(self._name, float(end))

    def finish(self) -> None:
        """Write what the encoder still holds; the rest of the source's sound is left out."""
        if self._written and not self._broken:
            try:
                self._target.mux(self._stream.encode(None))
            except _FAILURES:  # the end of the sound, a few hundredths of a second
                self._broken = True

    def close(self) -> None:
        """Close the source."""
        self._reader.close()

    def _write(self, samples: Samples) -> None:
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", "stereo")
        frame.sample_rate = RATE
        frame.pts = self._written
        frame.time_base = Fraction(1, RATE)
        self._target.mux(self._stream.encode(frame))
        self._written += samples.shape[1]


def _from(samples: Iterator[Samples], begin: int) -> Iterator[Samples]:
    """The samples from number ``begin`` on; after their end a moment of silence, for there was a track."""
    for some in samples:
        if begin < some.shape[1]:
            yield some[:, begin:]
        begin = max(begin - some.shape[1], 0)
    if begin:
        yield np.zeros((2, 1), np.float32)


def _silent(name: str, second: float = 0.0) -> None:
    since = f" from {second:.1f} s on" if second else ""
    events.warn("silent", f"The sound of {name} cannot be put into the result, which is silent{since}.", second=second)
