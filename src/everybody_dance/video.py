"""Videos in and out: upright frames at a constant rate from any footage, and MP4 files that say an AI made them."""

import logging
import struct
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias
from uuid import UUID

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from av.video.stream import VideoStream
from numpy.typing import NDArray

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.files import replacing

logger = logging.getLogger(__name__)

# Rates that cameras and editors use; a variable rate is read at the nearest of them.
STANDARD_RATES = tuple(
    sorted(Fraction(n) for n in (10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240))
) + tuple(Fraction(1000 * n, 1001) for n in (24, 30, 48, 60, 120, 240))
FALLBACK_RATE = Fraction(30)
HIGHEST_RATE = Fraction(240)
# Time stamps further apart than this are taken for damaged, and the time goes on without the gap.
LONGEST_HOLD = Fraction(60)

WRITTEN_SUFFIXES = (".mp4", ".m4v", ".mov")
COPIED_SOUND = ("aac", "mp3", "ac3")
# Only these containers keep sound the way MP4 wants it; from others (MPEG-TS) it is encoded anew.
COPIED_CONTAINERS = ("mp4", "matroska")

AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)

# The numbers of H.273 that swscale knows: BT.709, FCC, BT.470BG, SMPTE 170M, SMPTE 240M, BT.2020.
KNOWN_MATRICES = (1, 4, 5, 6, 7, 9)
ACCURATE_COLOUR = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP

AI_COMMENT = "Made by AI: the person in this video was synthesized by everybody-dance and did not move like this."
AI_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
XMP_BOX = UUID("BE7ACFCB-97A9-42E8-9C71-999491E3AFAC").bytes
XMP_PACKET = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
   <Iptc4xmpExt:DigitalSourceType>{AI_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>""".encode()


@dataclass(frozen=True)
class VideoInfo:
    """What a video file announces, as it will be read."""

    path: Path
    size: tuple[int, int]
    """Width and height of the upright picture with square pixels, in pixels."""
    fps: Fraction
    """The constant rate it is read at unless another is asked for."""
    duration: float
    """Seconds; 0 where the file does not say."""
    announced_frames: int | None
    """Frames at ``fps``; None where the file does not say."""
    has_sound: bool


@dataclass(frozen=True)
class _Source:
    """A video file examined down to its first frame."""

    info: VideoInfo
    rotation: int  # degrees counterclockwise that make the picture upright: 0, 90, 180 or 270
    start: Fraction  # seconds, time stamp of the first frame
    period: Fraction  # seconds from frame to frame on average, for frames without time stamp or duration
    stated_frames: int | None  # frames of the file as its own header states them; None where that cannot be relied on


class _Decoder:
    """Decoded frames in order of presentation; damaged packets are skipped and counted."""

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.container = container
        self.stream = stream
        self.damaged = 0

    def __iter__(self) -> Iterator[VideoFrame]:
        stream = self.stream
        stream.thread_type = "AUTO"
        packets = self.container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError:  # the file cannot be read further; what the decoder still holds is good
                self.damaged += 1
                packet = None
            try:
                frames = packet.decode() if packet is not None else stream.decode(None)
            except av.error.EOFError:
                frames = []
            except FFmpegError:
                self.damaged += 1
                frames = []
            for frame in frames:
                if frame.is_corrupt:
                    self.damaged += 1
                else:
                    yield frame
            if packet is None:
                return


def probe(path: Path) -> VideoInfo:
    """Examine a video file, decoding no more than its first readable frame.

    Raises:
        DanceError: there is no such file (``file-not-found``), it may not be read (``cannot-read``), it is not a video
            (``not-a-video``), or nothing in it can be decoded (``no-frames``).
    """
    return _examine(path).info


class VideoReader:
    """Frames of a video, upright and at a constant rate, one at a time.

    Frame ``k`` is the decoded frame whose time stamp is nearest to ``start + k / fps``, where ``start`` is the time
    stamp of the first frame, so variable frame rates keep their timing. Iterating anew starts from the beginning.
    A file that is damaged or cut off is read as far as it goes, and one warning is logged at the end.

    Args:
        path: the video file.
        fps: frames per second to read at; the file's own rate by default.
        size: (width, height) of the frames in pixels; the file's own upright size by default.

    Raises:
        DanceError: as :func:`probe`.
        UsageError: ``fps`` or ``size`` is not positive.
    """

    def __init__(self, path: Path, *, fps: Fraction | None = None, size: tuple[int, int] | None = None) -> None:
        if fps is not None and fps <= 0:
            raise UsageError("bad-rate", f"A video cannot be read at {float(fps):g} frames per second.")
        if size is not None and min(size) <= 0:
            raise UsageError("bad-size", f"A video cannot be read at a size of {size[0]}x{size[1]}.")
        self._source = _examine(path)
        self.info = self._source.info
        self.fps = Fraction(fps) if fps is not None else self.info.fps
        self.size = size if size is not None else self.info.size
        self.source_indices: list[int] = []
        self._open = ExitStack()

    @property
    def announced_frames(self) -> int | None:
        """Frames to expect at ``self.fps``; None where the file does not say."""
        if self.info.announced_frames is None:
            return None
        return max(1, round(self.info.duration * self.fps))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Yield frames uint8 (H, W, 3), RGB. Treat them as read-only: a repeated frame is the same array again."""
        self._open.close()
        self.source_indices = []
        frames = self._frames()
        self._open.callback(frames.close)
        return frames

    def _frames(self) -> Generator[NDArray[np.uint8], None, None]:
        indices = self.source_indices
        with _open(self.info.path) as container:
            stream = _picture_stream(container)
            if stream is None:
                raise _not_a_video(self.info.path)
            decoder = _Decoder(container, stream)
            decoded = 0
            for index, (frame, repeats) in enumerate(_at_constant_rate(decoder, self.fps, self._source.period)):
                decoded = index + 1
                if repeats:
                    image = self._picture(frame)
                for _ in range(repeats):
                    indices.append(index)
                    yield image
            self._report(decoded, decoder.damaged)

    def _picture(self, frame: VideoFrame) -> NDArray[np.uint8]:
        quarter_turns = self._source.rotation // 90
        width, height = self.size if quarter_turns % 2 == 0 else self.size[::-1]
        image = _to_rgb(frame, width, height)
        return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image

    def _report(self, decoded: int, damaged: int) -> None:
        stated = self._source.stated_frames
        # Headers round their durations; two frames or one in fifty are not worth a warning.
        cut_off = stated is not None and stated - decoded > max(2, stated // 50)
        if not cut_off and not damaged:
            return
        expected = f"{decoded} of its {max(stated, decoded)}" if stated is not None else f"{decoded}"
        logger.warning(f"{self.info.path.name} is damaged or cut off: {expected} frames could be read and are used.")


class VideoWriter:
    """Write an H.264 MP4 frame by frame; nothing is at ``path`` until the ``with`` block ended well.

    An exception within the block leaves the file that was there before. Pictures with an odd side are padded at the
    right and bottom by their edge, because yuv420p wants even sides. The file says that an AI made it: in its comment
    and in an XMP packet with the IPTC digital source type.

    Args:
        path: the file to write: .mp4, .m4v or .mov.
        size: (width, height) of the frames in pixels.
        fps: frames per second.
        sound_of: a video whose sound goes into this one, in step with its first frame and cut at this video's end.

    Raises:
        UsageError: the name does not end in a supported suffix, or ``fps`` or ``size`` is not positive.
        DanceError: the disk is full (``disk-full``), the place cannot be written (``cannot-write``), nothing was
            written when the block ended (``no-frames``), or ``sound_of`` cannot be read (as :func:`probe`).
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: Fraction, *, sound_of: Path | None = None) -> None:
        if path.suffix.lower() not in WRITTEN_SUFFIXES:
            raise UsageError("bad-suffix", f"{path.name} must end in {', '.join(WRITTEN_SUFFIXES)} to be a video.")
        if min(size) <= 0 or fps <= 0:
            raise UsageError("bad-size", f"A video of {size[0]}x{size[1]} at {float(fps):g} fps cannot be written.")
        self.path = path
        self.size = size
        self.fps = Fraction(fps)
        self.frames = 0
        self._sound_of = sound_of
        self._stack = ExitStack()
        self._sound: _Sound | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._temporary = stack.enter_context(replacing(self.path))
            self._container = av.open(str(self._temporary), "w", format="mp4", options={"movflags": "+faststart"})
            stack.callback(_close_quietly, self._container)
            self._container.metadata["comment"] = AI_COMMENT
            self._stream = self._add_pictures()
            if self._sound_of is not None:
                source = _examine(self._sound_of)
                if source.info.has_sound:
                    self._sound = stack.enter_context(closing(_Sound(source, self._container)))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            self._finish()

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Append a frame, uint8 (H, W, 3), RGB, of the size given at the start."""
        width, height = self.size
        if frame.shape != (height, width, 3) or frame.dtype != np.uint8:
            raise ValueError(f"expected a uint8 frame of {(height, width, 3)}, got {frame.dtype} {frame.shape}")
        if width % 2 or height % 2:
            frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        picture = _to_yuv(frame)
        picture.pts = self.frames
        picture.time_base = 1 / self.fps
        self._container.mux(self._stream.encode(picture))
        self.frames += 1
        if self._sound is not None:  # as it comes, so that the file is interleaved and nothing piles up
            self._sound.copy_until(self.frames / self.fps)

    def _add_pictures(self) -> VideoStream:
        stream = self._container.add_stream("libx264", rate=self.fps, options={"crf": "18"})
        stream.width, stream.height = (side + side % 2 for side in self.size)
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = 1 / self.fps
        context.colorspace = int(Colorspace.ITU709)
        context.color_primaries = int(ColorPrimaries.BT709)
        context.color_trc = int(ColorTrc.BT709)
        context.color_range = int(ColorRange.MPEG)
        return stream

    def _finish(self) -> None:
        if not self.frames:
            raise DanceError("no-frames", f"There was no frame to write to {self.path}.")
        self._container.mux(self._stream.encode(None))
        if self._sound is not None:
            self._sound.finish()
        self._container.close()
        with self._temporary.open("ab") as file:
            file.write(struct.pack(">I4s", 8 + len(XMP_BOX) + len(XMP_PACKET), b"uuid") + XMP_BOX + XMP_PACKET)


def made_by_ai(path: Path) -> bool:
    """Whether the MP4 file says in its XMP packet that a trained algorithm made it.

    Raises:
        DanceError: there is no such file (``file-not-found``).
    """
    try:
        with path.open("rb") as file:
            end = path.stat().st_size
            while file.tell() + 8 <= end:
                start = file.tell()
                length, kind = struct.unpack(">I4s", file.read(8))
                if length == 1:  # the length does not fit into 32 bits and follows
                    length = int.from_bytes(file.read(8))
                elif length == 0:
                    length = end - start
                if length < 8:
                    return False
                if kind == b"uuid" and file.read(16) == XMP_BOX:
                    return AI_SOURCE_TYPE.encode() in file.read(min(length, 1 << 20))
                file.seek(start + length)
    except FileNotFoundError as error:
        raise DanceError("file-not-found", f"There is no file {path}.") from error
    return False


# Packets that belong together and when they start, in seconds; PyAV's Packet is generic for type checkers only.
_Timed: TypeAlias = "tuple[Fraction, list[Packet[AudioStream]]]"


class _Sound:
    """The sound of a source on its way into a file: copied packet by packet, or encoded anew as AAC."""

    def __init__(self, source: _Source, target: OutputContainer) -> None:
        self._target = target
        self._start = source.start
        self._name = source.info.path.name
        self._container = _open(source.info.path)
        stream = self._container.streams.audio[0]
        self._input = stream
        copied = stream.codec_context.name.removesuffix("float") in COPIED_SOUND and any(
            name in self._container.format.name for name in COPIED_CONTAINERS
        )
        self._output: AudioStream
        if copied:
            self._output = target.add_stream_from_template(stream)
        else:
            layout = "mono" if stream.codec_context.layout.nb_channels == 1 else "stereo"
            rate = stream.codec_context.rate
            self._output = target.add_stream("aac", rate=rate if rate in AAC_RATES else 48000, layout=layout)
        self._encoded = not copied
        self._packets = self._copied() if copied else self._reencoded()
        self._next: _Timed | None = None

    def copy_until(self, end: Fraction) -> None:
        """Write all sound that starts before ``end``, in seconds since the first picture."""
        while True:
            if self._next is None:
                self._next = next(self._packets, None)
            if self._next is None or self._next[0] >= end:
                return
            self._target.mux(self._next[1])
            self._next = None

    def finish(self) -> None:
        """Write what the encoder still holds; the rest of the source's sound is left out."""
        if self._encoded and self._output.codec_context.is_open:
            self._target.mux(self._output.encode(None))

    def close(self) -> None:
        self._container.close()

    def _demuxed(self) -> "Iterator[Packet[AudioStream]]":
        try:
            yield from self._container.demux(self._input)
        except FFmpegError:
            logger.warning(f"The sound of {self._name} is damaged or cut off; what could be read of it is used.")

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


def _open(path: Path) -> InputContainer:
    try:
        return av.open(str(path), metadata_errors="replace")
    except FileNotFoundError as error:
        raise DanceError("file-not-found", f"There is no file {path}.") from error
    except PermissionError as error:
        raise DanceError("cannot-read", f"{path} may not be read by you.") from error
    except (FFmpegError, OSError) as error:
        raise _not_a_video(path) from error


def _not_a_video(path: Path) -> DanceError:
    return DanceError(
        "not-a-video", f"{path} is not a video that can be read, or so much of it is missing that it cannot be opened."
    )


def _picture_stream(container: InputContainer) -> VideoStream | None:
    """The first stream of moving pictures; a cover picture is none, nor are text and single pictures."""
    if container.format.name in ("tty", "image2") or container.format.name.endswith("_pipe"):
        return None
    return next((s for s in container.streams.video if not s.disposition & Disposition.attached_pic), None)


def _examine(path: Path) -> _Source:
    with _open(path) as container:
        stream = _picture_stream(container)
        if stream is None:
            raise _not_a_video(path)
        average = stream.average_rate or stream.guessed_rate
        fps = _constant_rate(average, stream.base_rate)
        period = 1 / average if average and average <= HIGHEST_RATE else 1 / fps
        duration = _stated_duration(container, stream)
        stated = round(duration / period) if duration else None
        # Without a duration of its own the stream may be shorter than the file, whose sound may go on.
        own_duration = stream.duration is not None or "DURATION" in stream.metadata
        has_sound = bool(container.streams.audio)
        frame = next(iter(_Decoder(container, stream)), None)
        if frame is None:
            raise DanceError("no-frames", f"No picture of {path} can be decoded.")
        width, height = frame.width, frame.height
        aspect = stream.sample_aspect_ratio
        if aspect and aspect > 0:
            width = max(1, round(width * aspect))
        rotation = round(frame.rotation / 90) % 4 * 90
        info = VideoInfo(
            path=path,
            size=(height, width) if rotation % 180 else (width, height),
            fps=fps,
            duration=float(duration or 0),
            announced_frames=max(1, round(duration * fps)) if duration else None,
            has_sound=has_sound,
        )
        start = frame.pts * frame.time_base if frame.pts is not None and frame.time_base else Fraction(0)
        return _Source(info, rotation, start, period, stated if own_duration or not has_sound else None)


def _constant_rate(average: Fraction | None, base: Fraction | None) -> Fraction:
    """The rate to read at: a steady rate as it is, a variable one as the standard rate nearest to its average."""
    if not average or not 0 < average <= HIGHEST_RATE:
        return base if base and 0 < base <= HIGHEST_RATE else FALLBACK_RATE
    nearest = min(STANDARD_RATES, key=lambda rate: abs(rate - average))
    steady = base is not None and abs(base - average) <= average / 1000
    if abs(nearest - average) <= average * (Fraction(1, 2000) if steady else Fraction(1, 20)):
        return nearest
    return average.limit_denominator(1001)


def _stated_duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    if stream.duration is not None and stream.time_base is not None and stream.duration > 0:
        return stream.duration * stream.time_base
    if "DURATION" in stream.metadata:  # Matroska, as in 00:00:05.005000000
        with suppress(ValueError):
            hours, minutes, seconds = stream.metadata["DURATION"].split(":")
            return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    if container.duration is not None and container.duration > 0:
        return Fraction(container.duration, av.time_base)
    return None


def _at_constant_rate(
    frames: Iterable[VideoFrame], fps: Fraction, period: Fraction
) -> Iterator[tuple[VideoFrame, int]]:
    """Yield every frame with how often it is shown (also 0): tick k / fps shows the frame nearest in time."""
    previous: VideoFrame | None = None
    shown = 0  # ticks so far
    time = offset = Fraction(0)  # of the previous frame since the first; file time minus our time
    for frame in frames:
        stamp = frame.pts * frame.time_base if frame.pts is not None and frame.time_base else None
        if previous is None:
            offset = stamp or Fraction(0)
        else:
            now = stamp - offset if stamp is not None else time + period
            if not 0 < now - time <= LONGEST_HOLD:  # time stamps jump: go on as if they had not
                offset += now - (time + period)
                now = time + period
            until = (time + now) / 2 * fps  # ticks up to half-way belong to the previous frame
            repeats = max(0, int(until) + 1 - shown)
            yield previous, repeats
            shown += repeats
            time = now
        previous = frame
    if previous is not None:
        held = previous.duration * previous.time_base if previous.duration and previous.time_base else period
        total = max(1, round((time + min(held, LONGEST_HOLD)) * fps))
        yield previous, max(0, total - shown)


def _to_rgb(frame: VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
    """The frame as uint8 (height, width, 3) RGB, by the colour matrix it names or, unnamed, by that of its size."""
    matrix = frame.colorspace
    if matrix not in KNOWN_MATRICES:
        matrix = Colorspace.ITU709 if frame.height >= 720 or frame.width >= 1280 else Colorspace.ITU601
    scaling = Interpolation.AREA if width * height < frame.width * frame.height else Interpolation.BICUBIC
    rgb = frame.reformat(
        width, height, "rgb24", src_colorspace=int(matrix), interpolation=int(scaling | ACCURATE_COLOUR)
    )
    return np.asarray(rgb.to_ndarray(), dtype=np.uint8)


def _to_yuv(image: NDArray[np.uint8]) -> VideoFrame:
    picture = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24").reformat(
        format="yuv420p",
        dst_colorspace=int(Colorspace.ITU709),
        dst_color_range=int(ColorRange.MPEG),
        interpolation=int(Interpolation.BICUBIC | ACCURATE_COLOUR),
    )
    picture.colorspace = int(Colorspace.ITU709)
    picture.color_range = int(ColorRange.MPEG)
    return picture


def _close_quietly(container: OutputContainer) -> None:
    """Close after a failure, which matters more than one more from closing."""
    with suppress(FFmpegError, OSError):
        container.close()
