"""Reading footage of every kind, and writing files that are whole, in step and marked as made by AI."""

import errno
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.events import Finding
from everybody_dance.video.provenance import AI_COMMENT, made_by_ai
from everybody_dance.video.reader import VideoReader, probe
from everybody_dance.video.writer import VideoWriter

QUADRANTS = np.array([[[200, 40, 40], [40, 200, 40]], [[40, 40, 200], [200, 200, 40]]], np.uint8)
RATE = 44100


def flat(level: int, size: tuple[int, int] = (64, 48)) -> NDArray[np.uint8]:
    return np.full((size[1], size[0], 3), level, np.uint8)


def encode(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    *,
    fps: int = 25,
    pts: list[int] | None = None,  # milliseconds
    rotation: int = 0,
    pix_fmt: str = "yuv420p",
    codec: str = "libx264",
    click_at: float | None = None,
    sound_codec: str = "aac",
    seconds_of_sound: float = 0.0,
) -> Path:
    """A clip made without the code under test."""
    with av.open(str(path), "w", options={"movflags": "+faststart"} if path.suffix == ".mp4" else {}) as container:
        stream = None
        sound = None
        for index, frame in enumerate(frames):
            if stream is None:
                stream = container.add_stream(codec, rate=fps)
                stream.width, stream.height, stream.pix_fmt = frame.shape[1], frame.shape[0], pix_fmt
                stream.codec_context.time_base = Fraction(1, 1000) if pts else Fraction(1, fps)
                stream.codec_context.gop_size = 5
                if rotation:
                    stream.set_display_rotation(rotation)
                if click_at is not None:
                    sound = container.add_stream(sound_codec, rate=RATE, layout="mono")
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts = pts[index] if pts else index
            picture.time_base = stream.codec_context.time_base
            container.mux(stream.encode(picture))
        assert stream is not None
        container.mux(stream.encode(None))
        if sound is not None and click_at is not None:
            wave = np.zeros((1, round(seconds_of_sound * RATE)), np.float32)
            start = round(click_at * RATE)
            wave[0, start : start + 2000] = np.sin(np.arange(2000) * 0.3)
            for at in range(0, wave.shape[1], 1024):
                piece = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave[:, at : at + 1024]), "fltp", "mono")
                piece.rate, piece.pts, piece.time_base = RATE, at, Fraction(1, RATE)
                container.mux(sound.encode(piece))
            container.mux(sound.encode(None))
    return path


def write(path: Path, frames: Iterable[NDArray[np.uint8]], fps: Fraction = Fraction(25), **options: Path) -> Path:
    listed = list(frames)
    with VideoWriter(path, listed[0].shape[1::-1], fps, **options) as writer:
        for frame in listed:
            writer.write(frame)
    return path


def levels(reader: VideoReader) -> list[int]:
    return [round(float(frame.mean()) / 10) for frame in reader]


def click(path: Path) -> tuple[float, float]:
    """When the sound first gets loud, and when it ends, in seconds after the first picture."""
    with av.open(str(path)) as container:
        first = next(container.decode(video=0)).time
    with av.open(str(path)) as container:
        heard, end = -1.0, 0.0
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.2)
            if heard < 0 and loud.size:
                heard = frame.time + loud[0] / frame.rate - first
            end = frame.time + frame.samples / frame.rate - first
    return heard, end


def test_round_trip_keeps_count_rate_size_and_colours(tmp_path: Path) -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (30, 120, 200), (200, 150, 120), (0, 0, 0), (255, 255, 255)]
    frames = [np.full((48, 64, 3), colour, np.uint8) for colour in colours]
    path = write(tmp_path / "colours.mp4", frames, Fraction(30000, 1001))
    info = probe(path)
    assert (info.size, info.fps, info.announced_frames, info.has_sound) == ((64, 48), Fraction(30000, 1001), 7, False)
    with VideoReader(path) as reader:
        read = list(reader)
        assert reader.source_indices == list(range(7))
    for colour, frame in zip(colours, read, strict=True):
        assert np.abs(frame.astype(int) - colour).max() <= 5
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)


def test_frames_are_read_again_from_the_start(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mp4", [flat(level) for level in (50, 100, 150)])
    with VideoReader(path) as reader:
        assert next(iter(reader)).mean() < 60
        assert levels(reader) == [5, 10, 15]
        assert reader.source_indices == [0, 1, 2]


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_is_applied(tmp_path: Path, rotation: int) -> None:
    upright = QUADRANTS.repeat(32, 0).repeat(48, 1)
    stored = np.ascontiguousarray(np.rot90(upright, -rotation // 90))
    path = encode(tmp_path / "turned.mp4", [stored] * 3, rotation=rotation)
    with VideoReader(path) as reader:
        assert reader.size == (96, 64)
        image = next(iter(reader))
    assert np.abs(image[16::32, 24::48].astype(int) - QUADRANTS).max() < 30
    with VideoReader(path, size=(48, 32)) as reader:
        assert next(iter(reader)).shape == (32, 48, 3)


def test_variable_rate_keeps_its_timing(tmp_path: Path) -> None:
    stamps = [0, 40, 80, 240, 280, 320]  # a pause of three frames after the third
    path = encode(tmp_path / "variable.mp4", [flat(20 + 30 * i) for i in range(6)], pts=stamps)
    with VideoReader(path, fps=Fraction(25)) as reader:
        count = len(list(reader))
        indices = reader.source_indices
    assert count == 9
    for tick, index in enumerate(indices):
        nearest = min(abs(stamp - 40 * tick) for stamp in stamps)
        assert abs(stamps[index] - 40 * tick) == nearest


@pytest.mark.parametrize(("fps", "expected"), [(10, [0, 2, 4, 6, 8]), (40, [i // 2 for i in range(20)])])
def test_change_of_rate(tmp_path: Path, fps: int, expected: list[int]) -> None:
    path = encode(tmp_path / "clip.mp4", [flat(20 * i) for i in range(10)], fps=20)
    with VideoReader(path, fps=Fraction(fps)) as reader:
        assert len(list(reader)) == len(expected) == reader.announced_frames
        assert np.abs(np.array(reader.source_indices) - expected).max() <= 1


def test_a_start_other_than_zero(tmp_path: Path) -> None:
    path = encode(tmp_path / "late.mkv", [flat(40 * i) for i in range(5)], pts=[5000 + 40 * i for i in range(5)])
    with VideoReader(path, fps=Fraction(25)) as reader:
        assert levels(reader) == [0, 4, 8, 12, 16]


def test_ten_bits(tmp_path: Path) -> None:
    path = encode(tmp_path / "deep.mp4", [flat(120)] * 3, pix_fmt="yuv420p10le")
    with VideoReader(path) as reader:
        image = next(iter(reader))
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - 120).max() <= 2


def test_odd_size_is_padded_by_its_edge(tmp_path: Path) -> None:
    path = write(tmp_path / "odd.mp4", [flat(90, (63, 47))] * 2)
    with VideoReader(path) as reader:
        assert reader.size == (64, 48)
        assert np.abs(next(iter(reader)).astype(int) - 90).max() <= 2
    odd = encode(tmp_path / "odd.mkv", [flat(90, (63, 47))] * 2, pix_fmt="yuv444p")
    with VideoReader(odd) as reader:
        assert next(iter(reader)).shape == (47, 63, 3)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_cut_off_file_is_used_as_far_as_it_goes(tmp_path: Path, suffix: str, findings: list[Finding]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (50, 48, 64, 3), np.uint8)
    path = encode(tmp_path / f"whole{suffix}", noise)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with VideoReader(cut) as reader:
        count = len(list(reader))
    assert 20 <= count <= 27
    assert len(findings) == 1
    assert "of its 50 frames" in findings[0].message


def test_damaged_packets_are_skipped(tmp_path: Path, findings: list[Finding]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (50, 48, 64, 3), np.uint8)
    path = encode(tmp_path / "damaged.mp4", noise)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    path.write_bytes(data)
    with VideoReader(path) as reader:
        count = len(list(reader))
    assert 48 <= count <= 50
    assert len(findings) == 1


def test_a_whole_file_gives_no_warning(tmp_path: Path, findings: list[Finding]) -> None:
    path = encode(tmp_path / "whole.mkv", [flat(90)] * 10, click_at=0.1, seconds_of_sound=2.0)
    with VideoReader(path) as reader:
        assert len(list(reader)) == 10
    assert not findings


def test_what_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(DanceError) as missing:
        probe(tmp_path / "nowhere.mp4")
    assert missing.value.code == "file-not-found"
    for name, content in (("text.txt", b"dance\n" * 100), ("empty.mp4", b""), ("noise.mp4", bytes(range(256)) * 40)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DanceError) as failure:
            VideoReader(tmp_path / name)
        assert failure.value.code == "not-a-video"
    with pytest.raises(DanceError) as folder:
        probe(tmp_path)
    assert folder.value.code == "not-a-video"


def test_a_video_without_a_readable_frame(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mp4", [flat(90)] * 3)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 4])  # faststart: the index is whole, the pictures are gone
    with pytest.raises(DanceError) as failure:
        probe(path)
    assert failure.value.code == "no-frames"


def test_one_frame(tmp_path: Path) -> None:
    path = write(tmp_path / "one.mp4", [flat(90)])
    with VideoReader(path) as reader:
        assert levels(reader) == [9]


def test_zero_frames_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(DanceError) as failure, VideoWriter(tmp_path / "none.mp4", (64, 48), Fraction(25)):
        pass
    assert failure.value.code == "no-frames"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mp4", "aac"), (".mp4", "libmp3lame"), (".ts", "aac"), (".mkv", "pcm_s16le")]
)
def test_sound_stays_in_step_and_ends_with_the_picture(tmp_path: Path, suffix: str, codec: str) -> None:
    source = encode(
        tmp_path / f"source{suffix}",
        [flat(5 * i) for i in range(50)],
        click_at=1.0,
        sound_codec=codec,
        seconds_of_sound=2.0,
    )
    before, _ = click(source)
    out = write(tmp_path / "out.mp4", [flat(90)] * 38, sound_of=source)
    after, end = click(out)
    assert before == pytest.approx(1.0, abs=0.06)
    assert after == pytest.approx(before, abs=0.012)
    assert 1.40 < end < 1.60
    assert probe(out).has_sound


def test_a_source_without_sound(tmp_path: Path) -> None:
    source = write(tmp_path / "silent.mp4", [flat(90)] * 3)
    assert not probe(write(tmp_path / "out.mp4", [flat(90)] * 3, sound_of=source)).has_sound


def test_an_exception_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="stop"), VideoWriter(path, (64, 48), Fraction(25)) as writer:  # noqa: PT012
        writer.write(flat(90))
        raise RuntimeError("stop")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, mode: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    writer = VideoWriter(path, (64, 48), Fraction(25))
    with pytest.raises(DanceError) as failure, writer:  # noqa: PT012
        writer.write(flat(90))
        raise av.error.OSError(errno.ENOSPC, "No space left on device")
    assert failure.value.code == "disk-full"
    writer = VideoWriter(path, (64, 48), Fraction(25))
    with pytest.raises(DanceError) as late, writer:  # noqa: PT012
        writer.write(flat(90))
        monkeypatch.setattr(Path, "open", full)
    monkeypatch.undo()
    assert late.value.code == "disk-full"
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_written_files_say_that_an_ai_made_them(tmp_path: Path) -> None:
    path = write(tmp_path / "out.mp4", [flat(90)] * 3)
    assert made_by_ai(path)
    assert path.read_bytes().index(b"moov") < path.read_bytes().index(b"mdat")
    with av.open(str(path)) as container:
        assert container.metadata["comment"] == AI_COMMENT
    assert not made_by_ai(encode(tmp_path / "filmed.mp4", [flat(90)] * 3))
    (tmp_path / "text").write_text("no boxes here, only text")
    assert not made_by_ai(tmp_path / "text")
    with pytest.raises(DanceError):
        made_by_ai(tmp_path / "nowhere.mp4")


def test_wrong_arguments(tmp_path: Path) -> None:
    for path, size, fps in (("a.avi", (64, 48), 25), ("a.mp4", (0, 48), 25), ("a.mp4", (64, 48), 0)):
        with pytest.raises(UsageError):
            VideoWriter(tmp_path / path, size, Fraction(fps))
    with pytest.raises(ValueError), VideoWriter(tmp_path / "a.mp4", (64, 48), Fraction(25)) as writer:
        writer.write(flat(90, (48, 64)))


def test_real_footage(footage: Path, tmp_path: Path) -> None:
    clips = [path for path in sorted(footage.rglob("*")) if path.suffix.lower() in (".mp4", ".mov", ".mkv", ".webm")]
    if not clips:
        pytest.skip("no clips in the footage folder")
    clip = min(clips, key=lambda path: path.stat().st_size)
    with VideoReader(clip) as reader, VideoWriter(tmp_path / "out.mp4", reader.size, reader.fps, sound_of=clip) as out:
        for _, frame in zip(range(20), reader, strict=False):
            assert frame.shape == (reader.size[1], reader.size[0], 3)
            out.write(frame)
    written = probe(tmp_path / "out.mp4")
    assert (written.fps, written.announced_frames) == (reader.fps, out.frames)
