"""Frames of a video: upright, at a constant rate, one at a time."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from everybody_dance import events
from everybody_dance.errors import DanceError, UsageError
from everybody_dance.files import check_name
from everybody_dance.images import Image
from everybody_dance.video.colour import to_rgb
from everybody_dance.video.timing import HIGHEST_RATE, at_constant_rate, constant_rate


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
class SourceFile:
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
    return examine(path).info


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
        self._source = examine(path)
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

    def __iter__(self) -> Iterator[Image]:
        """Yield frames uint8 (H, W, 3), RGB. Treat them as read-only: a repeated frame is the same array again."""
        self._open.close()
        self.source_indices = []
        frames = self._frames()
        self._open.callback(frames.close)
        return frames

    def _frames(self) -> Generator[Image, None, None]:
        indices = self.source_indices
        with open_video(self.info.path) as container:
            stream = picture_stream(container)
            if stream is None:
                raise _not_a_video(self.info.path)
            decoder = _Decoder(container, stream)
            decoded = 0
            for index, (frame, repeats) in enumerate(at_constant_rate(decoder, self.fps, self._source.period)):
                decoded = index + 1
                if repeats:
                    image = self._picture(frame)
                for _ in range(repeats):
                    indices.append(index)
                    yield image
            self._report(decoded, decoder.damaged)

    def _picture(self, frame: VideoFrame) -> Image:
        quarter_turns = self._source.rotation // 90
        width, height = self.size if quarter_turns % 2 == 0 else self.size[::-1]
        image = to_rgb(frame, width, height)
        return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image

    def _report(self, decoded: int, damaged: int) -> None:
        stated = self._source.stated_frames
        # Headers round their durations; two frames or one in fifty are not worth a warning.
        cut_off = stated is not None and stated - decoded > max(2, stated // 50)
        if not cut_off and not damaged:
            return
        expected = f"{decoded} of its {max(stated, decoded)}" if stated is not None else f"{decoded}"
        events.warn(
            "damaged-video",
            f"{self.info.path.name} is damaged or cut off: {expected} frames could be read and are used.",
            frames=decoded,
        )


def ffmpeg_name(path: Path) -> str:
    """The name by which FFmpeg opens this file and nothing else: a colon or a percent sign in it has no meaning.

    Raises:
        UsageError: FFmpeg cannot take the name (``bad-name``).
    """
    check_name(path)
    return f"file:{path}"


def open_video(path: Path) -> InputContainer:
    """Open a file for reading.

    Raises:
        DanceError: as :func:`probe`.
    """
    try:
        return av.open(ffmpeg_name(path), metadata_errors="replace")
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


def picture_stream(container: InputContainer) -> VideoStream | None:
    """The first stream of moving pictures; a cover picture is none, nor are text and single pictures."""
    if container.format.name in ("tty", "image2") or container.format.name.endswith("_pipe"):
        return None
    return next((s for s in container.streams.video if not s.disposition & Disposition.attached_pic), None)


def examine(path: Path) -> SourceFile:
    """Examine a file, down to its first frame; as :func:`probe`."""
    with open_video(path) as container:
        stream = picture_stream(container)
        if stream is None:
            raise _not_a_video(path)
        average = stream.average_rate or stream.guessed_rate
        fps = constant_rate(average, stream.base_rate)
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
        return SourceFile(info, rotation, start, period, stated if own_duration or not has_sound else None)


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
