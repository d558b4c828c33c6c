"""One loop body: a dance given pose by pose is the whole clip, bit for bit."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from everybody_dance.performer.device import usable_device
from everybody_dance.performer.model_files import Model, load_performer
from everybody_dance.performer.painter import Painter
from everybody_dance.performer.performer import Performer, composite
from everybody_dance.performer.tensors import to_images, to_tensor
from everybody_dance.synthesis.clip import dance_clip
from everybody_dance.synthesis.stream import Stream
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
    assert performer.window().size >= (performer.manifest.window or (0, 0))


def test_a_model_is_looked_at_without_its_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Painter, "__init__", lambda *arguments, **options: pytest.fail("networks were built"))
    model = Model(FOLDER)
    assert model.plate.shape == (128, 128, 3)
    assert len(model.poses) == 35
    assert usable_device("cpu").type == "cpu"
