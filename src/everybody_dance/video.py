"""Video: frames in, frames out (PyAV), one at a time, whatever the length.

Frames are upright uint8 (H, W, 3) RGB at a constant rate. What is written opens on any player (H.264, yuv420p,
faststart), keeps the source's sound, and says in its metadata that it was made by AI.
"""

import logging
import mmap
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from everybody_dance.errors import DanceError
from everybody_dance.files import explain_write_failure, replacing

logger = logging.getLogger(__name__)

Frame = NDArray[np.uint8]

SENSIBLE_RATES = (Fraction(1), Fraction(240))
"""A container that announces a rate outside of these is not believed."""

COPIED_SOUND = ("aac", "mp3", "ac3", "eac3", "alac")
"""Codecs whose packets an MP4 file takes as they are; others are encoded again as AAC."""

COMMENT = "Made by AI with Everybody Dance: a person's movements were transferred to another person."

_XMP_BOX = UUID("be7acfcb-97a9-42e8-9c71-999491e3afac")
_SOURCE_TYPE = b"http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_XMP = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    b'Iptc4xmpExt:DigitalSourceType="' + _SOURCE_TYPE + b'"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


@dataclass(frozen=True)
class VideoInfo:
    """What a video says of itself.

    Attributes:
        path: of the file.
        size: (W, H) of the upright frames, in pixels.
        fps: the constant rate it is read at unless another is asked for.
        duration: of the picture, in seconds; 0 where it is not announced.
        announced_frames: at ``fps``, where the duration is announced.
        has_sound: whether there is a track of sound.
    """

    path: Path
    size: tuple[int, int]
    fps: Fraction
    duration: float
    announced_frames: int | None
    has_sound: bool


def probe(path: Path) -> VideoInfo:
    """Look into a video without reading it through; its first frame is decoded.

    Raises:
        DanceError: ``file-not-found``, ``not-a-video``, or ``no-frames`` where nothing can be decoded.
    """
    with VideoReader(path) as reader:
        return reader.info


class VideoReader:
    """Iterate over the upright frames of a video at a constant rate; use it as a context manager.

    Frame k is the one shown at k / fps seconds after the first frame's time (nearest in time), so a variable rate
    becomes a constant one with exact timing. Damaged stretches are stepped over. A file that ends early is used as far
    as it decodes, with one warning.

    Args:
        path: any container and codec that FFmpeg reads.
        fps: rate to read at; by default the video's own.
        size: (W, H) to resize to in the same conversion; by default the upright size.

    Attributes:
        info: what the video says of itself.
        source_indices: for each frame yielded so far, the number of the decoded frame it is.

    Raises:
        DanceError: as ``probe``.
    """

    def __init__(self, path: Path, *, fps: Fraction | None = None, size: tuple[int, int] | None = None) -> None:
        self._stack = ExitStack()
        self._container = self._stack.enter_context(_open(path))
        try:
            if not self._container.streams.video:
                raise DanceError("not-a-video", f"{path} holds no picture, so it is not a video.")
            self._stream = self._container.streams.video[0]
            self._stream.thread_type = "AUTO"
            self.path = path
            self._decoded = self._decode()
            self._first = next(self._decoded, None)
            if self._first is None:
                raise DanceError("no-frames", f"No frame of {path} can be read: the video is empty or damaged.")
            self.info = self._describe(self._first)
        except BaseException:
            self._stack.close()
            raise
        self.fps = fps or self.info.fps
        self.size = size or self.info.size
        self.source_indices: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[Frame]:
        """The frames; once."""
        first, self._first = self._first, None
        if first is None:
            return
        start = float(first.time or 0)
        step = 1 / self.fps
        held, held_index, held_time = first, 0, start
        image = self._convert(held)
        count, last_length = 0, float(1 / self.info.fps)

        def tick() -> float:
            return start + float(count * step)

        for index, frame in enumerate(self._decoded, 1):
            time = float(frame.time) if frame.time is not None else held_time + last_length
            if time <= held_time:
                # Out of order or without a time: it is shown one frame after the last.
                time = held_time + last_length
            last_length = time - held_time
            # The held frame is the nearest for all ticks before the middle between the two.
            middle = (held_time + time) / 2
            while tick() < middle - 1e-9:
                self.source_indices.append(held_index)
                count += 1
                yield image
            held, held_index, held_time = frame, index, time
            if tick() < time + last_length:
                image = self._convert(held)
        # The last frame stays for its own length.
        end = held_time + min(last_length, 1.0) / 2
        while count == 0 or tick() < end - 1e-9:
            self.source_indices.append(held_index)
            count += 1
            yield image
        announced = self.info.announced_frames
        if announced is not None:
            announced = round(announced * self.fps / self.info.fps)
            if count < announced - max(2, announced // 50):
                logger.warning(
                    "Only %d of the announced %d frames of %s could be read; the rest is missing or damaged.",
                    count,
                    announced,
                    self.path.name,
                )

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Every frame that can be decoded, in order of presentation."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                yield from packet.decode()
            except av.error.EOFError:
                return
            except av.error.InvalidDataError:
                continue
            except av.error.FFmpegError:
                # The file cannot be read on: what came so far is what there is.
                return

    def _describe(self, first: av.VideoFrame) -> VideoInfo:
        stream = self._stream
        fps = next(
            (
                Fraction(rate)
                for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate)
                if rate and SENSIBLE_RATES[0] <= rate <= SENSIBLE_RATES[1]
            ),
            Fraction(25),
        ).limit_denominator(1001)
        duration = 0.0
        if stream.duration and stream.time_base:
            duration = float(stream.duration * stream.time_base)
        elif self._container.duration:
            duration = self._container.duration / av.time_base
        width, height = first.width, first.height
        if stream.sample_aspect_ratio and stream.sample_aspect_ratio != 1:
            width = round(width * float(stream.sample_aspect_ratio))
        if _quarter_turns(first) % 2:
            width, height = height, width
        return VideoInfo(
            path=self.path,
            size=(width, height),
            fps=fps,
            duration=duration,
            announced_frames=round(duration * fps) if duration > 0 else None,
            has_sound=bool(self._container.streams.audio),
        )

    def _convert(self, frame: av.VideoFrame) -> Frame:
        turns = _quarter_turns(frame)
        width, height = self.size if turns % 2 == 0 else self.size[::-1]
        rgb = np.asarray(
            frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA").to_ndarray(), np.uint8
        )
        return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb


class VideoWriter:
    """Write frames as H.264; nothing stands at ``path`` until the file is whole. Use it as a context manager.

    Args:
        path: of the file; MP4 whatever its suffix says is asked of the caller.
        size: (W, H) of the frames. Odd sides are continued by one pixel: players want even ones.
        fps: frames a second.
        sound_of: a file whose sound goes along from its picture's start on, cut where the picture ends.

    Raises:
        DanceError: the disk is full (``disk-full``) or the place cannot be written (``cannot-write``).
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: Fraction, *, sound_of: Path | None = None) -> None:
        self.path = path
        self.size = size
        self.fps = Fraction(fps).limit_denominator(100_000)
        self.sound_of = sound_of
        self.frames = 0

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        try:
            self._temporary = self._stack.enter_context(replacing(self.path))
            self._open()
        except av.error.FFmpegError as error:
            self._stack.close()
            raise _explained(error, self.path) from error
        except BaseException as error:
            self._stack.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            try:
                self._finish()
            except BaseException as error:
                failure = _explained(error, self.path) if isinstance(error, av.error.FFmpegError) else error
                self._close_quietly()
                self._stack.__exit__(type(failure), failure, failure.__traceback__)
                raise failure from error
            self._stack.close()
        else:
            self._close_quietly()
            self._stack.__exit__(kind, value, trace)

    def write(self, frame: Frame) -> None:
        """Append a frame, uint8 (H, W, 3) RGB.

        Raises:
            DanceError: as the class.
        """
        if frame.shape != (self.size[1], self.size[0], 3):
            raise ValueError(f"a frame of shape {frame.shape} for a video of {self.size}")
        odd_height, odd_width = self.size[1] % 2, self.size[0] % 2
        if odd_height or odd_width:
            frame = np.pad(frame, ((0, odd_height), (0, odd_width), (0, 0)), "edge")
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24").reformat(
            format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
        )
        picture.pts = self.frames
        picture.time_base = 1 / self.fps
        try:
            self._container.mux(self._video.encode(picture))
            self.frames += 1
            if self._sound is not None:
                self._sound.write_until(float(self.frames / self.fps))
        except (av.error.FFmpegError, OSError) as error:
            raise _explained(error, self.path) from error

    def _open(self) -> None:
        self._container = av.open(str(self._temporary), "w", format="mp4", options={"movflags": "+faststart"})
        self._container.metadata["comment"] = COMMENT
        self._video = self._container.add_stream("libx264", rate=self.fps)
        self._video.width, self._video.height = (side + side % 2 for side in self.size)
        self._video.pix_fmt = "yuv420p"
        self._video.options = {"crf": "18", "preset": "veryfast"}
        context = self._video.codec_context
        context.time_base = 1 / self.fps
        context.gop_size = max(round(2 * self.fps), 1)
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 1, 1, 1, 1
        self._sound: _Sound | None = None
        if self.sound_of is not None:
            self._sound = self._stack.enter_context(_Sound(self.sound_of, self._container))

    def _finish(self) -> None:
        self._container.mux(self._video.encode(None))
        if self._sound is not None:
            self._sound.finish(float(self.frames / self.fps))
        self._container.close()
        with self._temporary.open("ab") as file:
            file.write((24 + len(_XMP)).to_bytes(4, "big") + b"uuid" + _XMP_BOX.bytes + _XMP)

    def _close_quietly(self) -> None:
        """The file is thrown away: whether it closes well does not matter."""
        try:
            self._container.close()
        except (av.error.FFmpegError, OSError):
            logger.debug("the unfinished file did not close well")


class _Sound(AbstractContextManager["_Sound"]):
    """The best sound track of a file, copied into a container in step with its picture."""

    def __init__(self, path: Path, container: av.container.OutputContainer) -> None:
        self._output = container
        self._input = _open(path)
        self._packets: Iterator[Any] = iter(())
        self._waiting: Any = None
        self._track: Any = None
        source: Any = self._input.streams.best("audio")
        if source is None:
            return
        picture = self._input.streams.video[0] if self._input.streams.video else None
        self._start = 0.0
        if picture is not None and picture.start_time is not None and picture.time_base:
            self._start = float(picture.start_time * picture.time_base)
        self._copy = source.codec_context.name in COPIED_SOUND
        if self._copy:
            self._track = container.add_stream_from_template(source)
        else:
            self._track = container.add_stream("aac", rate=source.codec_context.sample_rate or 44100)
            self._track.layout = "stereo" if source.codec_context.layout.nb_channels > 1 else "mono"
            self._resampler = av.AudioResampler(
                self._track.codec_context.format or "fltp", self._track.layout, self._track.rate
            )
        self._packets = self._input.demux(source)

    def __exit__(self, *exception: object) -> None:
        self._input.close()

    def write_until(self, seconds: float) -> None:
        """Write all sound that begins before ``seconds`` of the picture."""
        while True:
            packet, self._waiting = self._waiting, None
            try:
                packet = packet or next(self._packets, None)
            except av.error.FFmpegError:
                packet = None
            if packet is None:
                self._packets = iter(())
                return
            if packet.pts is None or packet.time_base is None:
                continue
            time = float(packet.pts * packet.time_base) - self._start
            if time >= seconds:
                self._waiting = packet
                return
            if time < -0.001:
                continue
            self._pass_on(packet)

    def finish(self, seconds: float) -> None:
        """Write what belongs to the picture's last moments and end the track."""
        self.write_until(seconds)
        if self._track is not None and not self._copy:
            for frame in self._resampler.resample(None):
                self._output.mux(self._track.encode(frame))
            self._output.mux(self._track.encode(None))

    def _pass_on(self, packet: Any) -> None:
        offset = round(self._start / packet.time_base) if packet.time_base else 0
        if self._copy:
            packet.pts = (packet.pts or 0) - offset
            packet.dts = None if packet.dts is None else packet.dts - offset
            packet.stream = self._track
            self._output.mux(packet)
            return
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            return
        for frame in frames:
            if frame.pts is not None:
                frame.pts -= offset
            for resampled in self._resampler.resample(frame):
                self._output.mux(self._track.encode(resampled))


def made_by_ai(path: Path) -> bool:
    """Whether the file's metadata says, in IPTC's terms, that it was made by a trained model."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.rfind(_XMP_BOX.bytes) >= 0 and data.rfind(_SOURCE_TYPE) >= 0


def _open(path: Path) -> av.container.InputContainer:
    if not path.exists():
        raise DanceError("file-not-found", f"There is no file {path}.")
    if path.is_dir():
        raise DanceError("not-a-video", f"{path} is a folder, not a video.")
    try:
        return av.open(str(path), metadata_errors="ignore")
    except (av.error.FFmpegError, OSError) as error:
        raise DanceError("not-a-video", f"{path} cannot be read as a video.") from error


def _quarter_turns(frame: av.VideoFrame) -> int:
    """Quarter turns, counter-clockwise, that make the frame upright."""
    return round(getattr(frame, "rotation", 0) / 90) % 4


def _explained(error: BaseException, path: Path) -> BaseException:
    if isinstance(error, OSError):
        explained = explain_write_failure(error, path)
        if explained is not error:
            return explained
    return DanceError("cannot-write", f"{path} could not be written: {error}.")
