"""One loop body: a dance given pose by pose is the whole clip, bit for bit."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.drawing.window import TightWindow, Window
from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints, Pose
from everybody_dance.performer.device import usable_device
from everybody_dance.performer.model_files import Model, load_performer
from everybody_dance.performer.painter import Painter
from everybody_dance.performer.performer import Performer, composite
from everybody_dance.performer.runtime import Colours
from everybody_dance.performer.tensors import to_images, to_tensor
from everybody_dance.synthesis.clip import dance_clip
from everybody_dance.synthesis.stream import Stream
from figures import standing
from golden import DANCE_CUT, NOBODY, dance

FOLDER = Path(__file__).parent / "data" / "629d904" / "subject"


@pytest.fixture(scope="module")
def performer() -> Performer:
    return load_performer(FOLDER, "cpu")


def test_pose_by_pose_is_the_whole_clip(performer: Performer) -> None:
    keypoints = dance()
    whole = list(dance_clip(performer, keypoints, [DANCE_CUT]))
    stream = Stream(performer, float(keypoints.fps), performer.window(keypoints))
    for index, expected in enumerate(whole):
        pose = keypoints.pose(index)
        picture = stream.step(pose if pose.person_seen else None, cut=index == DANCE_CUT)
        assert np.array_equal(picture.frame, expected.frame)
        assert np.array_equal(picture.matte, expected.matte)
        assert picture.box == expected.box


def test_a_picture(performer: Performer) -> None:
    pictures = list(dance_clip(performer, dance(), [DANCE_CUT]))
    nobody, somebody = pictures[NOBODY], pictures[0]
    assert np.array_equal(nobody.frame, performer.plate)
    assert not nobody.matte.any()
    assert nobody.drawn is None
    outside = somebody.frame.copy()
    somebody.box.paste(somebody.box.cut(performer.plate), outside)
    assert np.array_equal(outside, performer.plate)
    changed = (somebody.frame != performer.plate).any(axis=-1)
    assert somebody.matte[changed].mean() > somebody.matte[~changed].mean()


def test_a_dance_that_is_not_known_yet(performer: Performer) -> None:
    """The window then fits the footage; the pictures are nearly those of the fitted one."""
    keypoints = replace(dance(), fps=Fraction(25))[:4]
    stream = Stream(performer, 25)
    for index, expected in enumerate(dance_clip(performer, keypoints)):
        frame = stream.step(keypoints.pose(index)).frame
        assert np.abs(frame.astype(int) - expected.frame).mean() < 1


def in_a_hall(performer: Performer) -> Performer:
    """The same in a place four times as wide and high, so that there is something outside the window."""
    size = 512, 512
    plate = np.asarray(cv2.copyMakeBorder(performer.plate, 192, 192, 192, 192, cv2.BORDER_REFLECT), np.uint8)
    manifest = performer.manifest.model_copy(update={"size": size, "window": (256, 256), "refiners": {}})
    return Performer(manifest, performer.painter, plate, performer.device, limb_bank=performer.limb_bank)


def test_a_tight_window_shows_what_the_whole_frame_does(performer: Performer) -> None:
    """Within 1 of 255 but for single pixels, over a dance in which each frame sees the one before."""
    hall, small = in_a_hall(performer), dance()
    xy = np.where(small.found[..., None], small.xy + np.float32(192), 0)
    keypoints = Keypoints(np.asarray(xy, np.float32), small.confidence, (512, 512), small.fps)
    tight = list(dance_clip(hall, keypoints, [DANCE_CUT]))
    stream = Stream(hall, float(small.fps), Window((512, 512), 0.0, (512, 512), hall.runtime.stride))
    for index, picture in enumerate(tight):
        whole = stream.step(keypoints.pose(index), index == DANCE_CUT)
        if index != NOBODY:
            assert picture.box.area < 0.3 * whole.box.area
            person = person_mask(keypoints.pose(index), (512, 512), 0.02)
            assert whole.matte[person].mean() > 100
            apart = np.abs(picture.frame.astype(int) - whole.frame)[person]
            assert apart.max() <= 2
            assert (apart > 1).mean() < 0.0005


def test_generators_that_see_all_of_the_window_keep_one_of_one_size(performer: Performer) -> None:
    assert isinstance(performer.window(), TightWindow)
    changes: list[dict[str, object]] = [
        {"window": None},
        {"architecture": "pix2pixhd"},
        {"architecture": "pix2pixhd-local"},
    ]
    for change in changes:
        manifest = performer.manifest.model_copy(update=change)
        other = Performer(manifest, performer.painter, performer.plate, performer.device, poses=performer.poses)
        for window in (other.window(), other.window(dance())):
            assert isinstance(window, Window)
            assert window.size >= (manifest.window or (128, 128))
        boxes = {(picture.box.width, picture.box.height) for picture in dance_clip(other, dance(), [DANCE_CUT])}
        assert len(boxes) == 1


class WithShadow:
    """A runtime that paints a square around the middle of the pose and a faint shadow, some way to the left of it."""

    stride = 16

    def __init__(self, reach: int) -> None:
        self.reach = reach

    def paint(self, pose: Image, *others: object) -> tuple[Colours, Colours]:
        drawn = pose.any(axis=2)
        mask = np.zeros((*drawn.shape, 1), np.float32)
        rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
        mask[rows[0] : rows[-1], columns[0] : columns[-1]] = 1
        mask[rows[-1] - 8 : rows[-1], max(columns[0] - self.reach, 0) : columns[0]] = 0.05
        return np.full(pose.shape, -1, np.float32), mask


def test_a_shadow_is_not_cut_off(performer: Performer) -> None:
    hall, reach = in_a_hall(performer), 20
    hall.runtime = WithShadow(reach)
    stream = Stream(hall, 25)
    for x in range(300, 240, -3):
        picture = stream.step(Pose(standing(x, 300, 62), np.ones(137, np.float32)))
        faint = (picture.matte > 5) & (picture.matte < 200)
        assert picture.matte.max() == 255
        assert faint.any(axis=0).sum() == reach
    assert picture.box.area < 0.3 * 512 * 512


def test_compositing_is_that_of_training() -> None:
    random = np.random.default_rng(0)
    plate = random.integers(0, 256, (32, 32, 3), np.uint8)
    colours, mask = random.normal(0, 0.7, (32, 32, 3)), random.random((32, 32, 1))
    behind = to_tensor(plate[None], torch.device("cpu"))
    painted, covers = (torch.from_numpy(array.astype(np.float32)).permute(2, 0, 1)[None] for array in (colours, mask))
    expected = to_images((behind + covers * (painted - behind)).clamp(-1, 1))[0]
    result = composite(plate, colours.astype(np.float32), mask.astype(np.float32))
    assert np.array_equal(result, expected)


def test_generators_say_their_stride(performer: Performer) -> None:
    fast = Painter("fast", previous_frame=True, over_plate=True, arguments={"width": 2, "shrink": 2, "levels": 4})
    assert fast.stride == 32
    assert performer.window().stride == performer.runtime.stride == 16


def test_a_model_is_looked_at_without_its_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Painter, "__init__", lambda *arguments, **options: pytest.fail("networks were built"))
    model = Model(FOLDER)
    assert model.plate.shape == (128, 128, 3)
    assert len(model.poses) == 35
    assert usable_device("cpu").type == "cpu"
