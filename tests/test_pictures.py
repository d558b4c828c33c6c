"""Pictures as every player shows them: turned and mirrored, deinterlaced, HDR in normal range, of one size."""

import math
import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

from everybody_dance.events import Finding
from everybody_dance.video.identity import content_identity, footage_identity
from everybody_dance.video.packets import packets_of
from everybody_dance.video.reader import VideoReader, probe

Frames = Iterable[NDArray[np.uint8]]
CORNERS = np.array([[[200, 40, 40], [40, 200, 40]], [[40, 40, 200], [200, 200, 40]]], np.uint8)
FIXED = 1 << 16

MATRICES = {  # a, b, c, d of the display matrix, and what FFmpeg's autorotation does for it
    "upright": ((1, 0, 0, 1), lambda image: image),
    "hflip": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
    "vflip": ((1, 0, 0, -1), lambda image: image[::-1]),
    "half turn": ((-1, 0, 0, -1), lambda image: image[::-1, ::-1]),
    "clock": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "cclock": ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
    "cclock_flip": ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
    "clock_flip": ((0, -1, -1, 0), lambda image: image[::-1, ::-1].transpose(1, 0, 2)),
}


def encode(
    path: Path,
    frames: Frames,
    *,
    pixels: str = "yuv420p",
    pts: list[int] | None = None,  # milliseconds
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    colour: tuple[int, int, int] | None = None,  # primaries, transfer, matrix
) -> Path:
    """A clip at 25 frames a second; with ``colour`` the frames are codes of 10 bits, uint16 (H, W, 3), YCbCr."""
    with av.open(str(path), "w") as container:
        stream = None
        for index, frame in enumerate(frames):
            if stream is None:
                stream = container.add_stream("libx264", rate=25, options=options or {})
                stream.width, stream.height, stream.pix_fmt = frame.shape[1], frame.shape[0], pixels
                stream.codec_context.time_base = Fraction(1, 1000) if pts else Fraction(1, 25)
                stream.codec_context.gop_size = 5
                if aspect is not None:
                    stream.codec_context.sample_aspect_ratio = aspect
                if colour is not None:
                    context = stream.codec_context
                    context.color_primaries, context.color_trc, context.colorspace = colour
                    context.color_range = 1
            if colour is None:
                picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            else:
                picture = av.VideoFrame(frame.shape[1], frame.shape[0], pixels)
                for plane, codes in zip(picture.planes, np.moveaxis(frame, -1, 0), strict=True):
                    rows = np.zeros((codes.shape[0], plane.line_size // 2), np.uint16)
                    rows[:, : codes.shape[1]] = codes
                    plane.update(rows.tobytes())
                picture.color_primaries, picture.color_trc, picture.colorspace = colour
                picture.color_range = 1
            picture.pts = pts[index] if pts else index
            picture.time_base = stream.codec_context.time_base
            container.mux(stream.encode(picture))
        assert stream is not None
        container.mux(stream.encode(None))
    return path


def flat(level: int, width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    return np.full((height, width, 3), level, np.uint8)


def shown(path: Path, size: tuple[int, int] | None = None) -> list[NDArray[np.uint8]]:
    with VideoReader(path, size=size) as reader:
        return list(reader)


class TestOrientation:
    @pytest.mark.parametrize("name", MATRICES)
    def test_all_eight(self, tmp_path: Path, name: str) -> None:
        (a, b, c, d), expected = MATRICES[name]
        stored = CORNERS.repeat(32, 0).repeat(48, 1)
        path = encode(tmp_path / "clip.mp4", [stored] * 3)
        data = bytearray(path.read_bytes())
        place = data.find(b"tkhd") + 4 + 4 + 20 + 16  # version 0
        values = (a * FIXED, b * FIXED, 0, c * FIXED, d * FIXED, 0, 0, 0, 1 << 30)
        data[place : place + 36] = struct.pack(">9i", *values)
        path.write_bytes(data)
        wanted = expected(stored)
        height, width = wanted.shape[:2]
        assert probe(path).size == (width, height)
        assert np.abs(shown(path)[0][8::16, 8::16].astype(int) - wanted[8::16, 8::16]).max() < 30
        smaller = shown(path, (width // 2, height // 2))[0]
        assert np.abs(smaller[4::8, 4::8].astype(int) - wanted[8::16, 8::16]).max() < 30

    def test_what_is_read_otherwise_than_before_has_another_identity(self, tmp_path: Path) -> None:
        path = encode(tmp_path / "clip.mp4", [flat(90)] * 3)
        assert footage_identity(path) == content_identity(path)
        data = bytearray(path.read_bytes())
        place = data.find(b"tkhd") + 4 + 4 + 20 + 16
        data[place : place + 4] = struct.pack(">i", -FIXED)
        path.write_bytes(data)
        assert footage_identity(path) != content_identity(path)


# The published formulas once more, for one colour at a time.


def pq_of(light: float) -> float:
    power = (light / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def light_of(signal: float) -> float:
    root = signal ** (1 / 78.84375)
    return 10000 * (max(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)


def eetf(light: float, peak: float) -> float:  # BT.2390-10, 5.4.1, L_B = 0
    e1 = min(pq_of(light) / pq_of(peak), 1)
    max_lum = pq_of(203) / pq_of(peak)
    ks = 1.5 * max_lum - 0.5
    if e1 < ks:
        return light
    t = (e1 - ks) / (1 - ks)
    e2 = (
        (2 * t**3 - 3 * t**2 + 1) * ks + (t**3 - 2 * t**2 + t) * (1 - ks) + (-2 * t**3 + 3 * t**2) * max_lum
    )  # fmt: skip
    return light_of(e2 * pq_of(peak))


def hlg(signal: tuple[float, ...]) -> list[float]:  # BT.2100, at 1000 cd/m2
    scene = [
        value**2 / 3 if value <= 0.5 else (math.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12
        for value in signal
    ]
    luminance = 0.2627 * scene[0] + 0.6780 * scene[1] + 0.0593 * scene[2]
    return [1000 * luminance**0.2 * value for value in scene]


BT2020_TO_BT709 = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))  # BT.2087
P3_TO_BT709 = ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979))


def encoded(light: list[float], matrix: tuple[tuple[float, ...], ...]) -> list[float]:
    converted = [sum(factor * value for factor, value in zip(row, light, strict=True)) for row in matrix]
    return [255 * min(max(value, 0), 1) ** (1 / 2.4) for value in converted]


def coded(path: Path, signal: tuple[float, ...], colour: tuple[int, int, int], weights: tuple[float, float]) -> Path:
    """A 10-bit 4:4:4 clip without loss, all of this R'G'B'."""
    red, blue = weights
    y = red * signal[0] + (1 - red - blue) * signal[1] + blue * signal[2]
    planes = (y * 876 + 64, (signal[2] - y) / (2 - 2 * blue) * 896 + 512, (signal[0] - y) / (2 - 2 * red) * 896 + 512)
    frame = np.tile(np.array([round(plane) for plane in planes], np.uint16), (48, 64, 1))
    return encode(path, [frame] * 3, pixels="yuv444p10le", colour=colour, options={"qp": "0"})


SIGNALS = [
    *product((0.0, 0.25, 0.43, 0.5, 0.58, 0.75, 1.0), repeat=1),
    (0.60, 0.50, 0.45),  # skin
    (0.75, 0.68, 0.62),
    (0.35, 0.45, 0.55),
    (0.50, 0.56, 0.40),
]
BT2020_WEIGHTS = (0.2627, 0.0593)
BT709_WEIGHTS = (0.2126, 0.0722)


class TestColour:
    @pytest.mark.parametrize("signal", SIGNALS)
    @pytest.mark.parametrize("transfer", ["PQ", "HLG"])
    def test_hdr_is_mapped_by_the_published_formulas(
        self, tmp_path: Path, signal: tuple[float, ...], transfer: str, findings: list[Finding]
    ) -> None:
        signal = signal * (3 // len(signal))
        path = coded(tmp_path / "hdr.mp4", signal, (9, 16 if transfer == "PQ" else 18, 9), BT2020_WEIGHTS)
        light = [light_of(value) for value in signal] if transfer == "PQ" else hlg(signal)
        expected = encoded([eetf(value, 1000) / 203 for value in light], BT2020_TO_BT709)
        images = shown(path)
        assert np.abs(images[0][24, 32] - np.array(expected)).max() <= 2
        assert [finding.code for finding in findings] == ["hdr"]
        assert transfer in findings[0].message

    def test_grey_card_and_white_sheet_are_as_bright_as_in_other_footage(self, tmp_path: Path) -> None:
        # BT.2408: a grey card of 18 % is at 38 % PQ, a white sheet at 58 %; without HDR at about 42 % and 90 %.
        for signal, expected in ((0.38, 0.42), (0.58, 0.90)):
            image = shown(coded(tmp_path / "hdr.mp4", (signal,) * 3, (9, 16, 9), BT2020_WEIGHTS))[0]
            assert image.mean() / 255 == pytest.approx(expected, abs=0.01)

    @pytest.mark.parametrize(
        ("colour", "weights", "matrix"),
        [
            ((9, 14, 9), BT2020_WEIGHTS, BT2020_TO_BT709),  # BT.2020, 10 bits
            ((9, 1, 2), BT2020_WEIGHTS, BT2020_TO_BT709),  # which names no matrix
            ((12, 1, 1), BT709_WEIGHTS, P3_TO_BT709),
            ((12, 13, 1), BT709_WEIGHTS, P3_TO_BT709),
        ],
    )
    def test_wide_gamut(
        self,
        tmp_path: Path,
        colour: tuple[int, int, int],
        weights: tuple[float, float],
        matrix: tuple[tuple[float, ...], ...],
        findings: list[Finding],
    ) -> None:
        for signal in ((0.7, 0.5, 0.4), (0.3, 0.6, 0.4), (0.5, 0.5, 0.5), (1.0, 1.0, 1.0)):
            image = shown(coded(tmp_path / "wide.mp4", signal, colour, weights))[0]
            expected = encoded([value**2.4 for value in signal], matrix)
            assert np.abs(image[24, 32] - np.array(expected)).max() <= 2
        assert not findings

    def test_plain_colours_stay(self, tmp_path: Path) -> None:
        image = shown(coded(tmp_path / "plain.mp4", (0.7, 0.5, 0.4), (1, 1, 1), BT709_WEIGHTS))[0]
        assert np.abs(image[24, 32] - np.array([178.5, 127.5, 102])).max() <= 2


def bars(moment: int) -> NDArray[np.uint8]:
    image = flat(40, 128, 96)
    image[:, 3 * moment : 3 * moment + 20] = 210
    return image


def combs(image: NDArray[np.uint8]) -> float:
    grey = image.mean(2)
    return float(np.abs(2 * grey[1:-1] - grey[:-2] - grey[2:]).mean())


class TestInterlaced:
    def test_it_has_no_combs_and_keeps_count_and_time(self, tmp_path: Path, findings: list[Finding]) -> None:
        woven = [bars(2 * index) for index in range(15)]
        for index, image in enumerate(woven):  # the lower lines are first
            image[::2] = bars(2 * index + 1)[::2]
        path = encode(tmp_path / "inter.mp4", woven, options={"x264-params": "bff=1", "crf": "10"})
        with VideoReader(path) as reader:
            images = list(reader)
            assert reader.source_indices == list(range(15))
        for index, (image, stored) in enumerate(zip(images, woven, strict=True)):
            assert combs(image) < combs(stored) / 4
            assert np.abs(image.astype(int) - bars(2 * index)).mean() < 4
        assert [finding.code for finding in findings] == ["interlaced"]

    @pytest.mark.parametrize("count", [1, 2])
    def test_few_frames(self, tmp_path: Path, count: int) -> None:
        path = encode(tmp_path / "inter.mp4", [bars(index) for index in range(count)], options={"x264-params": "bff=1"})
        assert len(shown(path)) == count

    def test_a_stretch_of_it(self, tmp_path: Path) -> None:
        parts = [
            encode(
                tmp_path / f"{index}.ts", [bars(moment) for moment in range(10)], options={"x264-params": parameters}
            )
            for index, parameters in enumerate(("", "bff=1", ""))
        ]
        joined = tmp_path / "joined.ts"
        joined.write_bytes(b"".join(part.read_bytes() for part in parts))
        images = shown(joined)
        assert len(images) == 30
        assert np.abs(images[25].astype(int) - bars(5)).mean() < 4


class TestTracks:
    @pytest.mark.parametrize("marked", [0, 1, None])
    def test_the_one_marked_as_default_is_taken(self, tmp_path: Path, marked: int | None) -> None:
        path = tmp_path / "two.mkv"
        with av.open(str(path), "w") as container:
            streams = [container.add_stream("libx264", rate=25) for _ in range(2)]
            for place, stream in enumerate(streams):
                stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
                stream.disposition = Disposition.default if place == marked else Disposition(0)
            for index, (place, stream) in product(range(5), enumerate(streams)):
                picture = av.VideoFrame.from_ndarray(flat(60 + 100 * place), format="rgb24")
                picture.pts, picture.time_base = index, Fraction(1, 25)
                container.mux(stream.encode(picture))
            for stream in streams:
                container.mux(stream.encode(None))
        assert shown(path)[0].mean() == pytest.approx(160 if marked == 1 else 60, abs=3)


class TestChangesOnTheWay:
    def test_another_size_is_fitted_in(self, tmp_path: Path, findings: list[Finding]) -> None:
        first = encode(tmp_path / "a.ts", [flat(200, 128, 64)] * 10)
        second = encode(tmp_path / "b.ts", [flat(120, 64, 64)] * 10)
        third = encode(tmp_path / "c.ts", [flat(160, 192, 96)] * 10)
        joined = tmp_path / "joined.ts"
        joined.write_bytes(first.read_bytes() + second.read_bytes() + third.read_bytes())
        images = shown(joined)
        assert len(images) == 30
        assert {image.shape for image in images} == {(64, 128, 3)}
        assert np.abs(images[5].astype(int) - 200).max() < 4
        assert images[15][:, :31].max() < 4
        assert np.abs(images[15][:, 33:95].astype(int) - 120).max() < 4
        assert images[15][:, 97:].max() < 4
        assert np.abs(images[25].astype(int) - 160).max() < 4  # of the same proportions
        assert [finding.code for finding in findings] == ["size-changes"]

    def test_other_proportions_of_the_pixels(self, tmp_path: Path) -> None:
        first = encode(tmp_path / "a.ts", [flat(200, 64, 64)] * 10)
        second = encode(tmp_path / "b.ts", [flat(120, 64, 64)] * 10, aspect=Fraction(2))
        joined = tmp_path / "joined.ts"
        joined.write_bytes(first.read_bytes() + second.read_bytes())
        images = shown(joined)
        assert [round(float(image.mean() / 20)) for image in images] == [10] * 10 + [3] * 10
        assert images[15][:15].max() < 4
        assert np.abs(images[15][17:47].astype(int) - 120).max() < 4


class TestWholeAndCutOff:
    def noise(self, count: int) -> Frames:
        return np.random.default_rng(0).integers(0, 255, (count, 48, 64, 3), np.uint8)

    @pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
    def test_whole_files_that_begin_late_or_vary(self, tmp_path: Path, suffix: str, findings: list[Finding]) -> None:
        late = [5000 + 40 * index for index in range(50)]
        varying = [*range(0, 400, 20), *range(400, 4000, 200), *range(4000, 4400, 20)]
        for name, pts in (("late", late), ("varying", varying), ("both", [5000 + stamp for stamp in varying])):
            path = encode(tmp_path / f"{name}{suffix}", self.noise(len(pts)), pts=pts)
            images = shown(path)
            assert probe(path).announced_frames == pytest.approx(len(images), abs=12)
        assert not findings

    @pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
    def test_cut_off_files_that_begin_late(self, tmp_path: Path, suffix: str, findings: list[Finding]) -> None:
        pts = [5000 + 40 * index for index in range(100)]
        options = {"movflags": "+faststart"} if suffix == ".mp4" else {}
        whole = encode(tmp_path / f"whole{suffix}", self.noise(100), pts=pts)
        if options:
            with av.open(str(whole)) as source, av.open(str(tmp_path / "fast.mp4"), "w", options=options) as target:
                stream = target.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.size:
                        packet.stream = stream
                        target.mux(packet)
            whole = tmp_path / "fast.mp4"
        cut = tmp_path / f"cut{suffix}"
        cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        assert 40 <= len(shown(cut)) <= 55
        assert [finding.code for finding in findings] == ["damaged-video"]
        assert "of its 100 frames" in findings[0].message


def test_tracks_that_appear_on_the_way(tmp_path: Path) -> None:
    """At the end of such a file PyAV gives the packets that flush each track, and has no place for the new ones."""

    class Appearing:
        def demux(self, stream: object) -> Iterator[str]:
            yield from ("packet", "flush")
            raise IndexError("list index out of range")

    assert list(packets_of(cast(InputContainer, Appearing()), cast(VideoStream, None))) == ["packet", "flush"]
