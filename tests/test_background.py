"""The person in front of something else: colours kept, edges mixed, any background fitted, transparency in the file."""

from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.images import Box, Image
from everybody_dance.synthesis.backdrop import backdrops, check_background, check_matte, cut_out, filling, over
from everybody_dance.synthesis.stream import Picture
from everybody_dance.video.provenance import AI_COMMENT, made_by_ai
from everybody_dance.video.reader import VideoReader, probe
from everybody_dance.video.writer import VideoWriter
from worlds import LittleWorld, dance

SIZE = (64, 48)
PLATE = np.full((48, 64, 3), (10, 200, 90), np.uint8)
PERSON = (150, 60, 30)


def picture() -> Picture:
    """A disc with a soft edge in front of the plate."""
    matte = np.zeros((48, 64), np.float32)
    cv2.circle(matte, (32, 24), 12, 1.0, -1)
    matte = cv2.GaussianBlur(matte, (0, 0), 2)[..., None]
    frame = (matte * PERSON + (1 - matte) * PLATE).round().astype(np.uint8)
    shown = Picture(frame, Box(0, 0, *SIZE), None, matte)
    # ``matte`` asks whether a pose was drawn, not which.
    return replace(shown, drawn="a pose")  # type: ignore[arg-type]


def test_the_person_in_front_of_something_else() -> None:
    shown, behind = picture(), np.full((48, 64, 3), (255, 255, 255), np.uint8)
    result = over(shown, PLATE, behind).astype(float)
    share = cut_out(shown, PLATE)[..., 3:] / 255
    assert np.abs(result - (share * PERSON + (1 - share) * 255)).max() <= 3
    inside, outside = shown.matte > 251, shown.matte < 175
    assert np.abs(result[inside] - PERSON).max() <= 3
    assert (result[outside] == 255).all()


def test_a_frame_without_anybody_is_the_background() -> None:
    empty = Picture(PLATE, Box(0, 0, *SIZE), None, None)
    behind = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    assert np.array_equal(over(empty, PLATE, behind), behind)
    assert not cut_out(empty, PLATE).any()


def test_cut_out_has_the_colours_of_the_person_alone() -> None:
    alone = cut_out(picture(), PLATE)
    solid = alone[..., 3] > 40
    assert np.abs(alone[solid][:, :3].astype(int) - PERSON).max() <= 3
    assert not alone[alone[..., 3] == 0].any()


@pytest.mark.parametrize("shape", [(48, 64), (100, 64), (30, 90), (7, 7)])
def test_filled_without_distortion(shape: tuple[int, int]) -> None:
    image = np.zeros((*shape, 3), np.uint8)
    image[..., 0] = 255
    filled = filling(image, SIZE)
    assert filled.shape == (48, 64, 3)
    assert (filled == (255, 0, 0)).all()


class TestBackdrops:
    def few(self, background: str, count: int = 7) -> list[Image]:
        return list(islice(backdrops(background, SIZE, Fraction(10)), count))

    def test_a_colour(self) -> None:
        assert all((frame == (0, 177, 64)).all() for frame in self.few("#00b140"))

    def test_a_picture(self, tmp_path: Path) -> None:
        cv2.imwrite(str(tmp_path / "b.png"), np.full((96, 128, 3), (1, 2, 3), np.uint8))
        assert all((frame == (3, 2, 1)).all() for frame in self.few(str(tmp_path / "b.png")))

    def test_a_video_begins_again(self, tmp_path: Path) -> None:
        with VideoWriter(tmp_path / "b.mp4", SIZE, Fraction(10)) as writer:
            for grey in (40, 120, 200):
                writer.write(np.full((48, 64, 3), grey, np.uint8))
        levels = [int(frame.mean()) for frame in self.few(str(tmp_path / "b.mp4"))]
        assert np.abs(np.array(levels) - (40, 120, 200, 40, 120, 200, 40)).max() <= 3


@pytest.mark.parametrize(
    ("background", "code"), [("#12345", "bad-value"), ("#gggggg", "bad-value"), ("nothing.png", "file-not-found")]
)
def test_what_is_no_background(background: str, code: str) -> None:
    with pytest.raises(DanceError) as caught:
        check_background(background)
    assert caught.value.code == code


@pytest.mark.parametrize(("name", "code"), [("b.png", "not-a-picture"), ("b.mp4", "not-a-video")])
@pytest.mark.parametrize("content", [b"", b"nothing that could be shown"])
def test_a_file_that_is_none(tmp_path: Path, name: str, code: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DanceError) as caught:
        check_background(str(tmp_path / name))
    assert caught.value.code == code


def test_who_paints_the_whole_picture_has_no_other_background() -> None:
    check_matte(False, None)
    check_matte(True, "none")
    with pytest.raises(UsageError) as caught:
        check_matte(False, "#ffffff")
    assert caught.value.code == "no-matte"


@pytest.mark.parametrize("suffix", [".mov", ".webm"])
def test_transparent_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    frame = np.zeros((48, 64, 4), np.uint8)
    frame[12:36, 16:48] = (*PERSON, 255)
    with VideoWriter(path, SIZE, Fraction(25), transparent=True) as writer:
        for _ in range(5):
            writer.write(frame)
    with av.open(str(path)) as container:
        assert container.metadata.get("comment", container.metadata.get("COMMENT")) == AI_COMMENT
        if suffix == ".webm":  # FFmpeg's own decoder of VP9 does not read the alpha that it wrote; players do
            assert (
                container.streams.video[0].metadata.get(
                    "alpha_mode", container.streams.video[0].metadata.get("ALPHA_MODE")
                )
                == "1"
            )
        else:
            shown = next(container.decode(video=0)).to_ndarray(format="rgba")
            assert np.abs(shown.astype(int)[16:32, 20:44] - (*PERSON, 255)).max() <= 4
            assert shown[:8, :, 3].max() <= 2
    assert probe(path).size == SIZE
    if suffix == ".mov":
        assert made_by_ai(path)


class TestCommand:
    def run(self, world: LittleWorld, out: Path, *more: str) -> str:
        done = dance(
            "transfer", world.subject, world.source, "--pose", world.source_pose, "--out", out, "--json", *more
        )
        return "" if done.code == 0 else done.error[0]

    def test_a_colour(self, little_world: LittleWorld, tmp_path: Path) -> None:
        assert self.run(little_world, tmp_path / "o.mp4", "--background", "#ff0000", "--compare") == ""
        with VideoReader(tmp_path / "o.mp4") as reader:
            corner = next(iter(reader))[2, 2].astype(int)
        assert np.abs(corner - (255, 0, 0)).max() <= 6
        assert (tmp_path / "o.comparison.mp4").is_file()

    def test_transparent(self, little_world: LittleWorld, tmp_path: Path) -> None:
        assert self.run(little_world, tmp_path / "o.mov", "--background", "none") == ""
        assert self.run(little_world, tmp_path / "o.mp4", "--background", "none") == "bad-suffix"
        assert not (tmp_path / "o.mp4").exists()
        done = dance("transfer", little_world.subject, little_world.source, "--out", tmp_path / "o.webm", "--json")
        assert done.error == ("bad-suffix", "o.webm must end in .mp4, .m4v, .mov to be a video.")

    def test_it_never_overwrites_the_background(self, little_world: LittleWorld, tmp_path: Path) -> None:
        with VideoWriter(tmp_path / "b.mp4", SIZE, Fraction(10)) as writer:
            writer.write(PLATE)
        before = (tmp_path / "b.mp4").read_bytes()
        found = self.run(little_world, tmp_path / "b.mp4", "--background", str(tmp_path / "b.mp4"))
        assert found == "overwrites-input"
        assert (tmp_path / "b.mp4").read_bytes() == before
