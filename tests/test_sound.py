"""The source's sound is in the result, in step with its pictures: each flash has its beep, whatever the file does."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.stream import Disposition
from numpy.typing import NDArray

from everybody_dance.events import Finding
from everybody_dance.video.reader import VideoReader
from everybody_dance.video.sound_reader import Samples, SoundReader
from everybody_dance.video.timing import PacketTime, sound_shifts, without_slips
from everybody_dance.video.writer import VideoWriter, check_writable

FPS = 25
FLASH = 0.4  # seconds into every second, and so the beep
FRAME = 1 / FPS


def beeps(rate: int, begin: float, end: float, pitch: float = 1000) -> NDArray[np.float32]:
    time = begin + np.arange(round((end - begin) * rate)) / rate
    since = (time - FLASH) % 1
    return np.where(since < 0.05, 0.7 * np.sin(2 * np.pi * pitch * since), 0).astype(np.float32)


def record(
    path: Path,
    codec: str = "aac",
    *,
    seconds: float = 3,
    rate: int = 48000,
    layout: str = "stereo",
    heard: tuple[float, float] | None = None,
    seen_from: float = 0,
    tracks: tuple[float, ...] = (1000,),
    default: int = 0,
    broken: Callable[[av.Packet, int], bool] = lambda packet, number: True,
) -> Path:
    """A recording with a flash and a beep every second.

    Args:
        heard: when the sound begins and ends; ``seen_from``: when the pictures begin.
        tracks: the beeps' pitch in each.
        default: which of them is marked.
        broken: may change a packet of sound, which it is told the number of; those for which it says no are lost.
    """
    begin, end = heard if heard is not None else (0, seen_from + seconds)
    with av.open(str(path), "w") as file:
        pictures = file.add_stream("mpeg4" if path.suffix == ".avi" else "libx264", rate=FPS)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        sounds = [file.add_stream(codec, rate=rate, layout=layout) for _ in tracks]
        packets = []
        for track, (sound, pitch) in enumerate(zip(sounds, tracks, strict=True)):
            sound.disposition = Disposition.default if track == default else Disposition(0)
            wave = np.tile(beeps(rate, begin, end, pitch), (sound.layout.nb_channels, 1))
            encoded = []
            for at in range(0, wave.shape[1], 1024):
                piece = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave[:, at : at + 1024]), "fltp", layout)
                piece.rate, piece.pts, piece.time_base = rate, round(begin * rate) + at, Fraction(1, rate)
                encoded += sound.encode(piece)
            encoded += sound.encode(None)
            packets += [packet for number, packet in enumerate(encoded) if broken(packet, number)]
        for index in range(round(seconds * FPS)):
            time = seen_from + index * FRAME
            bright = (time - FLASH + 1e-6) % 1 < 0.1
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 235 if bright else 20, np.uint8), "rgb24")
            picture.pts, picture.time_base = round(seen_from * FPS) + index, Fraction(1, FPS)
            packets += pictures.encode(picture)
        packets += pictures.encode(None)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            file.mux(packet)
    return path


def danced(source: Path) -> Path:
    """The source's pictures and sound, read and written."""
    out = source.with_name("out.mp4")
    with VideoReader(source) as reader, VideoWriter(out, reader.size, reader.fps, sound_of=source) as writer:
        for frame in reader:
            writer.write(frame)
    return out


def flashes(path: Path) -> list[float]:
    with av.open(str(path)) as file:
        bright = [(frame.time, frame.to_ndarray(format="gray").mean() > 128) for frame in file.decode(video=0)]
    return [next(stretch)[0] for lit, stretch in groupby(bright, key=lambda item: item[1]) if lit]


def heard_beeps(path: Path) -> list[float]:
    found: list[float] = []
    last = -1.0
    with av.open(str(path)) as file:
        for frame in file.decode(audio=0):
            for sample in np.flatnonzero(np.abs(frame.to_ndarray()).max(0) > 0.15):
                time = frame.time + sample / frame.rate
                if time - last > 0.3:
                    found.append(time)
                last = time
    return found


def assert_in_step(source: Path, *, silent_at: tuple[int, ...] = ()) -> None:
    """Each flash of the result has its beep; ``silent_at`` are those that have none in the source."""
    out = danced(source)
    expected = [flash for number, flash in enumerate(flashes(out)) if number not in silent_at]
    assert len(expected) > 1
    assert heard_beeps(out) == pytest.approx(expected, abs=FRAME)


def same_stamp(packet: av.Packet, number: int) -> bool:
    if number == 31:
        packet.pts = packet.dts = packet.pts - packet.duration
    return True


def one_leap(packet: av.Packet, number: int) -> bool:
    if number > 40:
        packet.pts = packet.dts = packet.pts + round(30000 / packet.time_base)
    return True


def lost(packet: av.Packet, number: int) -> bool:
    return not 50 < number < 80


@pytest.mark.parametrize(
    ("name", "codec", "rate", "layout"),
    [
        ("mp3.avi", "libmp3lame", 44100, "stereo"),  # equal time stamps, as the file's clock is coarse
        ("ac3.avi", "ac3", 48000, "5.1"),
        ("pcm.avi", "pcm_u8", 11025, "mono"),
        ("aac.flv", "aac", 44100, "stereo"),
        ("opus.mkv", "libopus", 48000, "stereo"),
        ("pcm.mkv", "pcm_s24le", 192000, "stereo"),
        ("aac.mp4", "aac", 96000, "stereo"),
    ],
)
def test_every_kind_of_sound_is_kept(tmp_path: Path, name: str, codec: str, rate: int, layout: str) -> None:
    assert_in_step(record(tmp_path / name, codec, rate=rate, layout=layout))


@pytest.mark.parametrize(
    ("heard", "seen_from", "silent_at"), [((1.2, 3), 0, (0,)), ((0, 4.2), 1.2, ()), ((90, 103), 100, ())]
)
@pytest.mark.parametrize("suffix", [".mp4", ".ts"])
def test_sound_and_picture_begin_at_different_times(
    tmp_path: Path, suffix: str, heard: tuple[float, float], seen_from: float, silent_at: tuple[int, ...]
) -> None:
    source = record(tmp_path / f"apart{suffix}", heard=heard, seen_from=seen_from)
    assert_in_step(source, silent_at=silent_at)


@pytest.mark.parametrize(
    ("name", "broken", "silent_at"),
    [("same.mkv", same_stamp, ()), ("leap.mkv", one_leap, ()), ("gap.mkv", lost, (1,)), ("gap.mp4", lost, (1,))],
)
def test_faults_in_the_time_stamps(
    tmp_path: Path, name: str, broken: Callable[[av.Packet, int], bool], silent_at: tuple[int, ...]
) -> None:
    assert_in_step(record(tmp_path / name, broken=broken), silent_at=silent_at)


def test_a_repeated_time_stamp_loses_no_sound(tmp_path: Path) -> None:
    whole, repeated = record(tmp_path / "whole.mkv"), record(tmp_path / "repeated.mkv", broken=same_stamp)
    waves = []
    for source in (whole, repeated):
        with av.open(str(danced(source))) as file:
            waves.append(np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)]))
    assert np.abs(waves[0] - waves[1]).max() < 0.01


def test_joined_recordings_share_one_clock(tmp_path: Path) -> None:
    """Also where the sound of one ends early or begins late, has another form, or is missing, or the clock leaps."""
    recordings = [
        record(tmp_path / "whole.ts"),
        record(tmp_path / "ends.ts", heard=(0, 1.2)),
        record(tmp_path / "begins.ts", heard=(0.9, 3)),
        record(tmp_path / "mono.ts", rate=44100, layout="mono"),
        record(tmp_path / "later.ts", seen_from=1000, heard=(1000, 1003)),
    ]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(recording.read_bytes() for recording in recordings))
    assert_in_step(joined, silent_at=(4, 5, 6))


def test_the_default_track_is_taken_if_it_can_be_decoded(tmp_path: Path, findings: list[Finding]) -> None:
    def silence(packet: av.Packet, number: int) -> bool:
        return packet.stream.index != 2

    for name, broken, pitch in (("default.mkv", lambda packet, number: True, 2000), ("none.mkv", silence, 500)):
        out = danced(record(tmp_path / name, tracks=(500, 2000, 4000), default=1, broken=broken))
        with av.open(str(out)) as file:
            wave = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])[:96000]
        assert np.argmax(np.abs(np.fft.rfft(wave))) / 2 == pytest.approx(pitch, abs=25)
    assert not findings


@pytest.mark.parametrize("name", [b"apac", b"xxxx"])
def test_sound_that_cannot_be_decoded_is_left_out_and_said_before_the_work(
    tmp_path: Path, findings: list[Finding], name: bytes
) -> None:
    source = record(tmp_path / "source.mp4")
    source.write_bytes(source.read_bytes().replace(b"mp4a", name).replace(b"esds", b"free"))
    check_writable(tmp_path / "out.mp4", (64, 48), Fraction(FPS), sound_of=source)
    assert [finding.code for finding in findings] == ["silent"]
    with av.open(str(danced(source))) as file:
        assert not file.streams.audio
        assert len(list(file.decode(video=0))) == 3 * FPS


def test_sound_that_fails_on_the_way_never_costs_the_picture(
    tmp_path: Path, findings: list[Finding], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = SoundReader.__iter__

    def fails(reader: SoundReader) -> Iterator[Samples]:
        for number, samples in enumerate(whole(reader)):
            if number == 60:
                raise ValueError
            yield samples

    monkeypatch.setattr(SoundReader, "__iter__", fails)
    with av.open(str(danced(record(tmp_path / "source.mp4")))) as file:
        assert len(list(file.decode(video=0))) == 3 * FPS
    assert [finding.code for finding in findings] == ["silent"]
    assert "from 1." in findings[0].message


def test_one_wrong_time_stamp_is_not_believed() -> None:
    def repaired(*stamps: int) -> list[float]:
        return [float(stamp) for stamp in without_slips(map(Fraction, stamps)) if stamp is not None]

    assert repaired(0, 2, 2, 6, 8) == [0, 2, 4, 6, 8]
    assert repaired(0, 2, 1, 6, 8) == [0, 2, 4, 6, 8]
    assert repaired(0, 2, 9000, 6, 8) == [0, 2, 4, 6, 8]
    assert repaired(0, 2, 50, 6, 8) == [0, 2, 4, 6, 8]
    assert repaired(0, 2, 40, 42) == [0, 2, 40, 42]  # a pause
    assert repaired(8, 10, 0, 2) == [8, 10, 0, 2]  # another recording


def test_sound_belongs_to_the_pictures_that_it_lies_among() -> None:
    def packets(*times: tuple[int, float]) -> list[PacketTime]:
        return [PacketTime(place, Fraction(time), Fraction(time)) for place, time in times]

    # Pictures go on at 3 where the second recording's clock begins at 7, and its sound at 7.5.
    pictures = packets((10, 10), (20, 11), (30, 12), (40, 7), (50, 8), (60, 9))
    assert sound_shifts(pictures, packets((15, 10), (25, 11), (38, 7.5), (55, 8.5)), Fraction(1)) == [0, 7 - 13]
    # Sound that leaps by itself goes on where it was.
    assert sound_shifts(pictures[:3], packets((15, 10), (25, 11), (26, 5000)), Fraction(1)) == [0, 5000 - 11]


def test_stereo_has_its_sides_and_mono_its_level(tmp_path: Path) -> None:
    for layout in ("mono", "stereo"):
        with av.open(str(danced(record(tmp_path / f"{layout}.mkv", "flac", layout=layout)))) as file:
            sound = file.streams.audio[0]
            assert isinstance(sound, AudioStream)
            assert (sound.codec_context.name, sound.rate, sound.layout.name) == ("aac", 48000, "stereo")
            wave = np.concatenate([frame.to_ndarray() for frame in file.decode(sound)], axis=1)
        assert np.abs(wave).max(1) == pytest.approx([0.7, 0.7], abs=0.08)
