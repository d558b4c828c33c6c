"""Old files are read, and what commit 629d904 drew, filtered, placed and painted still looks the same.

``data/629d904/make_golden.py`` made them. A change of colours, widths or choices breaks every performer that was
shipped, so it must not happen unseen.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from everybody_dance.appearance.limb_bank import nearest
from everybody_dance.drawing.crops import part_crops
from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.drawing.pose_image import draw_pose
from everybody_dance.drawing.window import person_windows, whole_frame
from everybody_dance.images import Box
from everybody_dance.keypoints import Keypoints
from everybody_dance.performer.model_files import load_performer
from everybody_dance.performer.performer import Performer
from everybody_dance.pose.filtering import SMOOTHINGS, clean
from everybody_dance.retarget.normalize import normalize
from everybody_dance.retarget.statistics import pose_statistics
from everybody_dance.subject.subject import Subject
from everybody_dance.synthesis.clip import dance_clip, frames
from everybody_dance.synthesis.stream import Stream
from everybody_dance.training.presets import PRESETS
from everybody_dance.training.samples import PairDataset
from figures import clip, standing
from subjects import swaying

FOLDER = Path(__file__).parent / "data" / "629d904"
GOLDEN = dict(np.load(FOLDER / "golden.npz"))


@pytest.fixture(scope="module")
def performer() -> Performer:
    return load_performer(FOLDER / "subject", "cpu")


def poses() -> Keypoints:
    """Six poses in a frame of 320 x 240: standing, from behind, dim, half out of the picture, sparse, small."""
    people = [
        standing(160.3, 220.7, 170),
        standing(150, 220, 170, facing_away=True),
        standing(200.2, 225, 180),
        standing(6, 230, 190),
        standing(160, 220, 170),
        standing(80, 120, 60),
    ]
    keypoints = clip(people, size=(320, 240))
    confidence = keypoints.confidence.copy()
    confidence[1, [0, 15, 16, *range(25, 95)]] = 0
    confidence[2, :25] = np.linspace(0.05, 1, 25)
    confidence[4, 3:9] = 0
    confidence[4, 95:] = 0
    return Keypoints(keypoints.xy, confidence, keypoints.size, keypoints.fps)


def noisy(count: int = 60) -> Keypoints:
    """Somebody who walks to and fro, with noise, gaps and outliers."""
    random = np.random.default_rng(7)
    people = [
        standing(300 + 120 * np.sin(t / 9), 420 + 20 * np.cos(t / 15), 230 + 10 * np.cos(t / 15)) for t in range(count)
    ]
    keypoints = clip(np.array(people) + random.normal(0, 1.5, (count, 1, 2)) + random.normal(0, 1, (count, 137, 2)))
    xy, confidence = keypoints.xy.copy(), keypoints.confidence.copy()
    confidence[random.random(confidence.shape) < 0.05] = 0
    xy[random.random(confidence.shape) < 0.02] += 90
    return Keypoints(xy, confidence, keypoints.size, keypoints.fps)


def danced() -> tuple[Keypoints, list[int]]:
    """Twelve frames in the little subject's place, with a cut and a frame without anybody."""
    keypoints = swaying(24)[np.arange(0, 24, 2)]
    confidence = keypoints.confidence.copy()
    confidence[4] = 0
    return replace(keypoints, confidence=confidence), [8]


@pytest.mark.parametrize("index", range(6))
def test_pose_images_masks_and_crops(index: int) -> None:
    pose = poses().pose(index)
    assert np.array_equal(draw_pose(pose, Box(-10, 6, 300, 220), 240), GOLDEN[f"pose_image.{index}"])
    assert np.array_equal(np.packbits(person_mask(pose, (320, 240), 0.04)), GOLDEN[f"mask.{index}"])
    crops = part_crops(pose, "face", 32, (320, 240)) + part_crops(pose, "hands", 32, (320, 240))
    places = [(crop.box.x, crop.box.y, crop.box.width, crop.group) for crop in crops]
    assert places == [tuple(place) for place in GOLDEN[f"crops.{index}"].tolist()]


@pytest.mark.parametrize("index", range(3))
def test_puppets_and_references(performer: Performer, index: int) -> None:
    pose, bank = danced()[0].pose(index), performer.limb_bank
    assert bank is not None
    laid = bank.lay(performer.plate, pose, whole_frame((128, 128)), nearest(bank.costs(pose)))
    _same(laid, GOLDEN[f"puppet.{index}"])
    box = part_crops(pose, "face", performer.manifest.refiners["face"].side, (128, 128))[0].box
    inside, references = pose.shifted(-box.x, -box.y), performer.crop_banks["face"]
    chosen = int(references.distances(inside, 0).argmin())
    _same(references.fitted(chosen, inside), GOLDEN[f"reference.{index}"])


def test_windows() -> None:
    windows = person_windows(noisy(), 16, [20], at_least=(96, 96))
    assert [(box.x, box.y, box.width, box.height) for box in windows] == [tuple(b) for b in GOLDEN["windows"].tolist()]


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_filtering_at_30_frames_a_second(smoothing: str) -> None:
    cleaned = clean(noisy(), [20], smoothing)
    np.testing.assert_allclose(cleaned.xy[::5], GOLDEN[f"filtered.{smoothing}.xy"], rtol=0, atol=1e-3)
    np.testing.assert_allclose(cleaned.confidence[::5], GOLDEN[f"filtered.{smoothing}.confidence"], rtol=0, atol=1e-6)


def test_retargeting() -> None:
    placed = normalize(noisy(), pose_statistics(swaying(40)), (128, 128), [20])
    np.testing.assert_allclose(placed.keypoints.xy[::5], GOLDEN["placed.xy"], rtol=0, atol=1e-3)
    np.testing.assert_allclose(placed.scale, GOLDEN["placed.scale"], rtol=1e-6)
    np.testing.assert_allclose(placed.ground, GOLDEN["placed.ground"], rtol=1e-6)


def test_a_transfer(performer: Performer) -> None:
    keypoints, cuts = danced()
    painted = np.stack(list(frames(dance_clip(performer, keypoints, cuts))))
    # Processors compute bfloat16 differently, or not at all.
    assert np.abs(painted.astype(float) - GOLDEN["transfer"]).mean() < 0.5
    assert np.array_equal(painted[4], performer.plate)


def test_one_by_one_is_the_whole_clip_bit_for_bit(performer: Performer) -> None:
    keypoints, cuts = danced()
    whole = list(dance_clip(performer, keypoints, cuts))
    stream = Stream(performer, float(keypoints.fps), performer.window(keypoints))
    for index, expected in enumerate(whole):
        pose = keypoints.pose(index)
        picture = stream.step(pose if pose.person_seen else None, cut=index in cuts)
        assert np.array_equal(picture.frame, expected.frame)
        assert np.array_equal(picture.matte, expected.matte)
        assert picture.box == expected.box


@pytest.mark.parametrize(("part", "step"), [(None, 0), (None, 1), ("face", 1)])
def test_training_samples(part: str | None, step: int) -> None:
    preset = PRESETS["debug"]
    data = PairDataset(
        Subject.open(FOLDER / "subject"),
        (128, 128),
        person_window=True,
        crop=preset.crop,
        batch=2,
        patch=preset.patch,
        seed=0,
        variety=preset.variety,
        puppet=8,
    )
    sample = data.sample(step, 1, part, 8 if part else 0)  # type: ignore[arg-type]
    for name in ("poses", "frames", "shown", "region", "reach"):
        _same(getattr(sample, name).astype(np.uint8), GOLDEN[f"sample.{part}.{step}.{name}"])


def test_an_old_subject_is_read(tmp_path: Path) -> None:
    subject = Subject.open(Path(shutil.copytree(FOLDER / "subject", tmp_path / "s")))
    assert (subject.manifest.version, len(subject.keypoints)) == (2, 40)
    assert subject.frame(39).shape == (128, 128, 3)


def _same(pictures: NDArray[np.uint8], golden: NDArray[np.uint8]) -> None:
    """Equal but for the last bit here and there, where a processor interpolates differently."""
    assert pictures.shape == golden.shape
    difference = np.abs(pictures.astype(int) - golden)
    assert difference.max() <= 2
    assert difference.mean() < 0.01
