"""Videos written frame by frame: H.264, or with transparency ProRes 4444 and VP9."""

from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.files import replacing, temporary_path
from everybody_dance.images import Image
from everybody_dance.video.colour import to_yuv
from everybody_dance.video.provenance import AI_COMMENT, append_statement
from everybody_dance.video.reader import examine, ffmpeg_name
from everybody_dance.video.sound import Sound

WRITTEN_SUFFIXES = (".mp4", ".m4v", ".mov")


@dataclass(frozen=True)
class Format:
    """How a video is encoded: FFmpeg's names for codec, container and pixel format, and the codec's options."""

    codec: str
    container: str
    pixels: str
    options: dict[str, str]


H264 = Format("libx264", "mp4", "yuv420p", {"crf": "18"})
QUICK = {"preset": "veryfast", "threads": "1"}
"""More of H.264's options: a third of the usual work, in one thread."""

TRANSPARENT = {
    ".mov": Format("prores_ks", "mov", "yuva444p10le", {"profile": "4444"}),
    # Alternate reference frames cannot have alpha.
    ".webm": Format("libvpx-vp9", "webm", "yuva420p", {"crf": "24", "b": "0", "auto-alt-ref": "0", "cpu-used": "5"}),
}
"""By the name's suffix."""


class VideoWriter:
    """Write a video frame by frame; nothing is at ``path`` until the ``with`` block ended well.

    An exception within the block leaves the file that was there before. Pictures with an odd side are padded at the
    right and bottom by their edge, because yuv420p wants even sides. The file says that an AI made it: in its comment
    and, but for WebM, in an XMP packet with the IPTC digital source type.

    Args:
        path: the file to write: .mp4, .m4v or .mov in H.264; transparent .mov in ProRes 4444 or .webm in VP9.
        size: (width, height) of the frames in pixels.
        fps: frames per second.
        sound_of: a video whose sound goes into this one, in step with its first frame and cut at this video's end.
        sound_from: the second of that video which this one begins with.
        transparent: the frames have an alpha channel.
        quick: encode H.264 with less effort, for a show that needs the cores; the file is larger.

    Raises:
        UsageError: the name does not end in a supported suffix, or ``fps`` or ``size`` is not positive.
        DanceError: the disk is full (``disk-full``), the place cannot be written (``cannot-write``), nothing was
            written when the block ended (``no-frames``), or ``sound_of`` cannot be read (as :func:`probe`).
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        fps: Fraction,
        *,
        sound_of: Path | None = None,
        sound_from: float = 0.0,
        transparent: bool = False,
        quick: bool = False,
    ) -> None:
        self._format = format_of(path, transparent)
        self._options = {**self._format.options, **(QUICK if quick and not transparent else {})}
        if min(size) <= 0 or fps <= 0:
            raise UsageError("bad-size", f"A video of {size[0]}x{size[1]} at {float(fps):g} fps cannot be written.")
        self.path = path
        self._channels = 4 if transparent else 3
        self.size = size
        self.fps = Fraction(fps)
        self.frames = 0
        self._sound_of, self._sound_from = sound_of, sound_from
        self._stack = ExitStack()
        self._sound: Sound | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._temporary = stack.enter_context(replacing(self.path))
            options = {} if self._format.container == "webm" else {"movflags": "+faststart"}
            self._container = av.open(ffmpeg_name(self._temporary), "w", format=self._format.container, options=options)
            stack.callback(_close_quietly, self._container)
            self._container.metadata["comment"] = AI_COMMENT
            self._stream = self._add_pictures()
            if self._sound_of is not None:
                source = examine(self._sound_of)
                if source.info.has_sound:
                    self._sound = Sound.open(source, self._container, self._sound_from)
                    if self._sound is not None:
                        stack.enter_context(closing(self._sound))
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

    def write(self, frame: Image) -> None:
        """Append a frame, uint8 (H, W, 3), RGB, or (H, W, 4) with alpha, of the size given at the start."""
        width, height = self.size
        if frame.shape != (height, width, self._channels) or frame.dtype != np.uint8:
            wanted = (height, width, self._channels)
            raise ValueError(f"expected a uint8 frame of {wanted}, got {frame.dtype} {frame.shape}")
        if width % 2 or height % 2:
            frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        picture = to_yuv(frame, self._format.pixels)
        picture.pts = self.frames
        picture.time_base = 1 / self.fps
        self._container.mux(self._stream.encode(picture))
        self.frames += 1
        if self._sound is not None:  # as it comes, so that the file is interleaved and nothing piles up
            self._sound.write_until(self.frames / self.fps)

    def _add_pictures(self) -> VideoStream:
        stream = self._container.add_stream(self._format.codec, rate=self.fps, options=self._options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = (side + side % 2 for side in self.size)
        stream.pix_fmt = self._format.pixels
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
        if self._format.container != "webm":
            append_statement(self._temporary)


def format_of(path: Path, transparent: bool) -> Format:
    """How a video of this name is encoded.

    Raises:
        UsageError: its suffix is not one of such a video (``bad-suffix``).
    """
    suffixes = tuple(TRANSPARENT) if transparent else WRITTEN_SUFFIXES
    if path.suffix.lower() not in suffixes:
        what = "a transparent video" if transparent else "a video"
        raise UsageError("bad-suffix", f"{path.name} must end in {', '.join(suffixes)} to be {what}.")
    return TRANSPARENT[path.suffix.lower()] if transparent else H264


def _close_quietly(container: OutputContainer) -> None:
    """Close after a failure, which matters more than one more from closing."""
    with suppress(FFmpegError, OSError):
        container.close()


def check_writable(
    path: Path, size: tuple[int, int], fps: Fraction, sound_of: Path | None = None, transparent: bool = False
) -> None:
    """Find out now what would fail when a video is written: a few frames of it are, and are thrown away.

    Args:
        path, size, fps, sound_of, transparent: as of ``VideoWriter``.

    Raises:
        UsageError, DanceError: as ``VideoWriter``.
    """
    format_of(path, transparent)  # by its own name
    trial = temporary_path(path.parent, path.suffix)
    try:
        with VideoWriter(trial, size, fps, sound_of=sound_of, transparent=transparent) as writer:
            black = np.zeros((size[1], size[0], 4 if transparent else 3), np.uint8)
            for _ in range(2):
                writer.write(black)
    finally:
        with suppress(OSError):
            trial.unlink(missing_ok=True)
