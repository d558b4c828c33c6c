"""The person in front of something else: colours kept, edges mixed, any background fitted, transparency in the file."""

from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.drawing.pose_image import PoseImage
from everybody_dance.errors import DanceError, UsageError
from everybody_dance.images import Box, Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.skeleton import FEET
from everybody_dance.synthesis.backdrop import backdrops, check_background, check_matte, cut_out, filling, over
from everybody_dance.synthesis.stream import Picture
from everybody_dance.video.provenance import AI_COMMENT, made_by_ai
from everybody_dance.video.reader import VideoReader, probe
from everybody_dance.video.writer import VideoWriter
from figures import clip, standing
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
    nobody = Keypoints.empty(1, SIZE, Fraction(25)).pose(0)
    return Picture(frame, Box(0, 0, *SIZE), PoseImage(nobody, SIZE[1]), matte)


def test_the_person_in_front_of_something_else() -> None:
    shown, behind = picture(), np.full((48, 64, 3), (255, 255, 255), np.uint8)
    result = over(shown, PLATE, behind, shadow=False).astype(float)
    share = cut_out(shown, PLATE, shadow=False)[..., 3:] / 255
    assert np.abs(result - (share * PERSON + (1 - share) * 255)).max() <= 3
    inside, outside = shown.matte > 251, shown.matte < 175
    assert np.abs(result[inside] - PERSON).max() <= 3
    assert (result[outside] == 255).all()


def test_a_frame_without_anybody_is_the_background() -> None:
    empty = Picture(PLATE, Box(0, 0, *SIZE), None, None)
    behind = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    assert np.array_equal(over(empty, PLATE, behind, shadow=True), behind)
    assert not cut_out(empty, PLATE, shadow=True).any()


def test_cut_out_has_the_colours_of_the_person_alone() -> None:
    alone = cut_out(picture(), PLATE, shadow=False)
    solid = alone[..., 3] > 40
    assert np.abs(alone[solid][:, :3].astype(int) - PERSON).max() <= 3
    assert not alone[alone[..., 3] == 0].any()


class TestShadow:
    """Somebody on a floor of 200 of 255, whose feet are in a round soft shadow that takes half of the light."""

    HEIGHT, GROUND = 150, 170
    FLOOR = np.full((200, 160, 3), 200, np.uint8)

    def shown(self, shadow: Image | float = 0.5, colour: tuple[float, float, float] = (1, 1, 1)) -> Picture:
        """The shadow takes ``shadow`` of the light, ``colour`` of it by channel."""
        pose = clip([standing(80, self.GROUND, self.HEIGHT)], size=(160, 200)).pose(0)
        disc = np.zeros((200, 160), np.float32)
        cv2.ellipse(disc, (80, self.GROUND), (40, 16), 0, 0, 360, (1.0,), -1)
        disc = cv2.GaussianBlur(disc, (0, 0), 3)
        self.true = shadow * disc
        matte = cv2.GaussianBlur(person_mask(pose, (160, 200), 0.0).astype(np.float32), (0, 0), 1)
        self.person = matte > 0
        floor = self.FLOOR * (1 - self.true[..., None] * np.array(colour))
        frame = (matte[..., None] * PERSON + (1 - matte[..., None]) * floor).round().astype(np.uint8)
        mask = np.maximum(matte, 0.6 * (disc > 0.01))[..., None].astype(np.float32)  # G paints the shadow as well
        return Picture(frame, Box(0, 0, 160, 200), PoseImage(pose, 200), mask)

    def dark(self) -> NDArray[np.bool_]:
        """Where the shadow is deep and the person is not."""
        dark = ~self.person & (self.true > 0.4)
        assert dark.sum() > 100
        return dark

    def test_it_falls_on_what_is_behind(self) -> None:
        shown, behind = self.shown(), np.full((200, 160, 3), (250, 120, 60), np.uint8)
        kept, left = (over(shown, self.FLOOR, behind, shadow).astype(float) for shadow in (True, False))
        lost, dark = 1 - (kept / left).min(axis=2), self.dark()
        assert np.abs(lost - self.true)[dark].mean() < 0.1
        assert np.abs(kept - left)[: self.GROUND - 30].max() <= 1
        assert np.abs(left - behind)[~self.person].max() == 0
        inside = shown.matte >= 251
        assert np.array_equal(kept[inside], left[inside])

    def test_it_is_black_with_alpha(self) -> None:
        alone = cut_out(self.shown(), self.FLOOR, shadow=True)
        dark = self.dark()
        assert np.abs(alone[dark][:, 3] / 255 - self.true[dark]).mean() < 0.1
        assert alone[dark][:, :3].max() == 0

    def test_no_halo_where_there_is_none(self) -> None:
        for shown in (self.shown(0.0), self.shown(colour=(0, 1, 1))):  # a red reflection is no shadow
            assert np.array_equal(cut_out(shown, self.FLOOR, shadow=True), cut_out(shown, self.FLOOR, shadow=False))

    @pytest.mark.parametrize(("left", "alpha"), [(0.5, 255), (0.0, 0)])
    def test_a_hole_in_the_mask_is_the_person_and_what_was_not_painted_is_not(self, left: float, alpha: int) -> None:
        shown = self.shown(0.0)
        hole = slice(75, 85), slice(75, 85)
        assert shown._mask is not None
        shown._mask[hole] = left
        shown.frame[hole] = (190, 195, 200)
        alone = cut_out(shown, self.FLOOR, shadow=False)[hole][2:-2, 2:-2]
        assert np.abs(alone[..., 3].astype(int) - alpha).max() <= 3
        if alpha:
            assert np.abs(alone[..., :3].astype(int) - (190, 195, 200)).max() <= 2

    def test_without_feet_there_is_no_floor(self) -> None:
        shown = self.shown()
        assert shown.drawn is not None
        pose = shown.drawn.pose
        footless = replace(shown, drawn=PoseImage(pose.without(np.isin(np.arange(137), FEET)), 200))
        assert np.array_equal(cut_out(footless, self.FLOOR, shadow=True), cut_out(footless, self.FLOOR, shadow=False))


@pytest.mark.parametrize("shape", [(48, 64), (100, 64), (30, 90), (7, 7)])
def test_filled_without_distortion(shape: tuple[int, int]) -> None:
    image = np.zeros((*shape, 3), np.uint8)
    image[..., 0] = 255
    filled = filling(image, SIZE)
    assert filled.shape == (48, 64, 3)
    assert (filled == (255, 0, 0)).all()


def test_a_strip_is_cut_before_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Grown as a whole it would be a picture of 48 x 960000."""
    resize, grown = cv2.resize, []

    def watched(image: Image, size: tuple[int, int], interpolation: int) -> Image:
        grown.append(size)
        return np.asarray(resize(image, size, interpolation=interpolation), np.uint8)

    monkeypatch.setattr(cv2, "resize", watched)
    strip = np.repeat(np.array([[[0, 0, 0]], [[9, 9, 9]], [[0, 0, 0]]], np.uint8), 20000, axis=0).swapaxes(0, 1)
    assert (filling(np.ascontiguousarray(strip), SIZE) == 9).all()
    assert grown == [SIZE]


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
    ("background", "code"),
    [("", "bad-value"), ("#12345", "bad-value"), ("#gggggg", "bad-value"), ("nothing.png", "file-not-found")],
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


def test_a_picture_too_large_to_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(data: object, how: int) -> None:
        raise cv2.error("pixels <= CV_IO_MAX_IMAGE_PIXELS")

    (tmp_path / "b.png").write_bytes(b"a picture")
    monkeypatch.setattr(cv2, "imdecode", refuse)
    with pytest.raises(DanceError) as caught:
        check_background(str(tmp_path / "b.png"))
    assert caught.value.code == "not-a-picture"
    assert "too large" in caught.value.message


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

    def test_a_shadow_left_out_of_no_background(self, little_world: LittleWorld, tmp_path: Path) -> None:
        assert self.run(little_world, tmp_path / "o.mp4", "--shadow", "none") == "shadow-alone"
        assert self.run(little_world, tmp_path / "o.mp4", "--shadow", "none", "--background", "#ffffff") == ""

    def test_it_never_overwrites_the_background(self, little_world: LittleWorld, tmp_path: Path) -> None:
        with VideoWriter(tmp_path / "b.mp4", SIZE, Fraction(10)) as writer:
            writer.write(PLATE)
        before = (tmp_path / "b.mp4").read_bytes()
        found = self.run(little_world, tmp_path / "b.mp4", "--background", str(tmp_path / "b.mp4"))
        assert found == "overwrites-input"
        assert (tmp_path / "b.mp4").read_bytes() == before
