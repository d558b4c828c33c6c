"""Frames of a video: as players show them, at a constant rate, one at a time."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from everybody_dance import events
from everybody_dance.errors import DanceError, UsageError
from everybody_dance.files import check_name
from everybody_dance.images import Image
from everybody_dance.video.hdr import coding_of
from everybody_dance.video.interlacing import progressive
from everybody_dance.video.orientation import Orientation
from everybody_dance.video.packets import packets_of
from everybody_dance.video.pictures import Pictures, shown_size
from everybody_dance.video.timing import HIGHEST_RATE, at_constant_rate, constant_rate
from everybody_dance.video.tone_mapping import Transfer

INTERLACED = "interlaced"
PREVIEW = Disposition.still_image | Disposition.timed_thumbnails


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
    treatment: tuple[str, ...] = ()
    """What is done to its pictures that was not always done; empty for ordinary footage."""


@dataclass(frozen=True)
class SourceFile:
    """A video file examined down to its first frame."""

    info: VideoInfo
    aspect: Fraction | None  # width over height of a pixel; None: square
    start: Fraction  # seconds, time stamp of the first frame
    period: Fraction  # seconds from frame to frame on average, for frames without time stamp or duration
    stated_duration: Fraction | None  # seconds by the file's own header; None where that cannot be relied on


class _Decoder:
    """Decoded frames in order of presentation; damaged packets are skipped and counted.

    Where the proportions of the pixels change on the way, the frames carry the new ones, as ``_aspect`` finds them.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.container = container
        self.stream = stream
        self.damaged = 0
        self._aspect = stream.codec_context.sample_aspect_ratio
        self._changed = False
        stream.thread_type = "AUTO"

    def __iter__(self) -> Iterator[VideoFrame]:
        stream = self.stream
        packets = packets_of(self.container, stream)
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
                    yield self._with_aspect(frame)
            if packet is None:
                return

    def _with_aspect(self, frame: VideoFrame) -> VideoFrame:
        # The decoder is ahead of its frames; a change comes with a key frame.
        if frame.key_frame:
            aspect = self.stream.codec_context.sample_aspect_ratio
            self._changed = self._changed or aspect != self._aspect
            self._aspect = aspect
        if self._changed:
            frame.opaque = (self._aspect or Fraction(1),)  # a new object for each, as PyAV wants it
        return frame


def probe(path: Path) -> VideoInfo:
    """Examine a video file, decoding no more than its first readable frame.

    Raises:
        DanceError: there is no such file (``file-not-found``), it may not be read (``cannot-read``), it is not a video
            (``not-a-video``), or nothing in it can be decoded (``no-frames``).
    """
    return examine(path).info


class VideoReader:
    """Frames of a video, as players show them and at a constant rate, one at a time.

    They are turned and mirrored as the file says, deinterlaced, of one size, and in the colours of BT.709, to which HDR
    and wide gamut are brought.

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
            frames = progressive(decoder)
            pictures = Pictures(self.info.size, self.size)
            decoded = 0
            self._tell_treatment()
            for index, (frame, repeats) in enumerate(at_constant_rate(frames, self.fps, self._source.period)):
                decoded = index + 1
                if repeats:
                    image = pictures.picture(frame, _aspect(frame, self._source))
                for _ in range(repeats):
                    indices.append(index)
                    yield image
            self._report(decoded, decoder.damaged, pictures.fitted)

    def glimpses(self, count: int) -> Iterator[Image]:
        """Yield some frames, upright and in order, without decoding the whole video; otherwise as the iterator.

        They are the key frames before ``count`` moments spread evenly over the video, so there may be fewer; where
        there is only one, or no way to find them, frames are decoded one after the other.

        Args:
            count: frames at most.
        """
        pictures, frames = Pictures(self.info.size, self.size), self._key_frames(count)
        first = list(islice(frames, 2))
        if len(first) == 2:
            for frame in chain(first, frames):
                yield pictures.picture(frame, _aspect(frame, self._source))
        else:
            every = Fraction(count) / Fraction(self.info.duration or count)
            with VideoReader(self.info.path, fps=min(every, self.fps), size=self.size) as reader:
                yield from islice(reader, count)

    def _key_frames(self, count: int) -> Iterator[VideoFrame]:
        with open_video(self.info.path) as container, suppress(FFmpegError):
            stream, last = picture_stream(container), None
            if stream is None or stream.time_base is None:
                return
            decoder = _Decoder(container, stream)
            for moment in range(count):
                seconds = self._source.start + Fraction(self.info.duration) * (2 * moment + 1) / (2 * count)
                container.seek(int(seconds / stream.time_base), stream=stream)
                frame = next(iter(decoder), None)
                if frame is not None and frame.pts != last:
                    last = frame.pts
                    yield frame

    def _tell_treatment(self) -> None:
        name = self.info.path.name
        for transfer in Transfer:
            if transfer.name in self.info.treatment:
                events.remark(
                    "hdr",
                    f"{name} is HDR ({transfer.name}): its brightness and colours were brought to the normal range.",
                )
        if INTERLACED in self.info.treatment:
            events.remark("interlaced", f"{name} is interlaced: its half pictures were made into whole ones.")

    def _report(self, decoded: int, damaged: int, fitted: bool) -> None:
        name = self.info.path.name
        if fitted:
            events.remark(
                "size-changes",
                f"The picture of {name} changes its proportions on the way: its first size is kept, with margins.",
            )
        # Time tells what is missing, since a variable rate does not tell how many frames there should be.
        stated = self._source.stated_duration
        seconds = len(self.source_indices) / self.fps
        missing = stated - seconds if stated is not None else Fraction(0)
        mean = seconds / max(decoded, 1)
        # Headers round their durations; two frames or one in fifty are not worth a warning.
        cut_off = stated is not None and missing > max(2 * mean, 1 / self.fps, stated / 50)
        if not cut_off and not damaged:
            return
        lost = max(damaged, round(missing / mean))
        expected = f"{decoded} of its {decoded + lost}" if stated is not None else f"{decoded}"
        events.warn(
            "damaged-video",
            f"{name} is damaged or cut off: {expected} frames could be read and are used.",
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
    """The stream of moving pictures that is marked as the default, or the first of them.

    A cover picture is none, nor are text and single pictures; preview pictures are, where there is nothing else.
    """
    if container.format.name in ("tty", "image2") or container.format.name.endswith("_pipe"):
        return None
    # PyAV has no codec context for a codec that FFmpeg does not know.
    tracks = [
        track
        for track in container.streams.video
        if track.codec_context is not None and not track.disposition & Disposition.attached_pic
    ]
    return min(
        tracks,
        key=lambda track: (bool(track.disposition & PREVIEW), not track.disposition & Disposition.default),
        default=None,
    )


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
        # Without a duration of its own the stream may be shorter than the file, whose sound may go on.
        own_duration = stream.duration is not None or "DURATION" in stream.metadata
        has_sound = bool(container.streams.audio)
        frame = next(iter(_Decoder(container, stream)), None)
        if frame is None:
            raise DanceError("no-frames", f"No picture of {path} can be decoded.")
        aspect = stream.sample_aspect_ratio
        info = VideoInfo(
            path=path,
            size=shown_size(frame, aspect, Orientation.of(frame)),
            fps=fps,
            duration=float(duration or 0),
            announced_frames=max(1, round(duration * fps)) if duration else None,
            has_sound=has_sound,
            treatment=_treatment(frame, container, stream),
        )
        start = frame.pts * frame.time_base if frame.pts is not None and frame.time_base else Fraction(0)
        return SourceFile(info, aspect, start, period, duration if own_duration or not has_sound else None)


def _aspect(frame: VideoFrame, source: SourceFile) -> Fraction | None:
    """Width over height of the frame's pixels; None: square."""
    return frame.opaque[0] if isinstance(frame.opaque, tuple) else source.aspect


def _treatment(frame: VideoFrame, container: InputContainer, stream: VideoStream) -> tuple[str, ...]:
    treatment = []
    if Orientation.of(frame).is_mirror:
        treatment.append("mirrored")
    coding = coding_of(frame)
    if coding is not None:
        hdr = coding[0] in tuple(Transfer)
        treatment.append(Transfer(coding[0]).name if hdr else f"primaries {coding[1]}")
    if frame.interlaced_frame:
        treatment.append(INTERLACED)
    if stream.index != next(s.index for s in container.streams.video if not s.disposition & Disposition.attached_pic):
        treatment.append(f"track {stream.index}")
    return tuple(treatment)


def _stated_duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    if stream.duration is not None and stream.time_base is not None and stream.duration > 0:
        return stream.duration * stream.time_base
    duration = None
    if "DURATION" in stream.metadata:  # Matroska, as in 00:00:05.005000000
        with suppress(ValueError):
            hours, minutes, seconds = stream.metadata["DURATION"].split(":")
            duration = int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    if duration is None and container.duration is not None and container.duration > 0:
        duration = Fraction(container.duration, av.time_base)
    if duration is not None and "matroska" in container.format.name and stream.start_time and stream.time_base:
        # Some programs count from zero, some from the first frame; the shorter is believed.
        start = stream.start_time * stream.time_base
        duration = duration - start if 0 < start < duration else duration
    return duration
