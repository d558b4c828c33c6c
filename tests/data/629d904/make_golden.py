"""Makes this folder: what that commit drew, filtered, placed and painted, for ``tests/test_golden.py``.

Run it in a checkout of commit 629d904, with its ``src`` and ``tests`` on the path: the modules it imports have other
names since. The inputs are built from ``tests/figures.py`` and ``tests/subjects.py``, so the test can build them again.
"""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from everybody_dance.drawing.parts import part_crops
from everybody_dance.drawing.puppet import nearest
from everybody_dance.drawing.region import person_region
from everybody_dance.subject.dataset import PairDataset
from everybody_dance.transfer.synthesizer import Synthesizer

from everybody_dance.drawing.pose_image import draw_pose
from everybody_dance.drawing.window import Box, person_windows, whole_frame
from everybody_dance.keypoints import Keypoints
from everybody_dance.performer.performer import Performer
from everybody_dance.pose.filtering import SMOOTHINGS, clean
from everybody_dance.retarget.normalize import normalize
from everybody_dance.retarget.statistics import pose_statistics
from everybody_dance.training.loop import train
from everybody_dance.training.presets import PRESETS
from figures import clip, standing
from subjects import make_subject, swaying

OUT = Path(__file__).parents[2] / "data" / "629d904"


def poses() -> Keypoints:
    """Six poses in a frame of 320 x 240: standing, from behind, dim, half out of the picture, sparse, small."""
    frames = [
        standing(160.3, 220.7, 170),
        standing(150, 220, 170, facing_away=True),
        standing(200.2, 225, 180),
        standing(6, 230, 190),
        standing(160, 220, 170),
        standing(80, 120, 60),
    ]
    keypoints = clip(frames, size=(320, 240))
    confidence = keypoints.confidence.copy()
    confidence[1, [0, 15, 16, *range(25, 95)]] = 0
    confidence[2, :25] = np.linspace(0.05, 1, 25)
    confidence[4, 3:9] = 0
    confidence[4, 95:] = 0
    return Keypoints(keypoints.xy, confidence, keypoints.size, keypoints.fps)


def noisy(frames: int = 60) -> Keypoints:
    """Somebody who walks to and fro, with noise, gaps and outliers."""
    random = np.random.default_rng(7)
    people = [
        standing(300 + 120 * np.sin(t / 9), 420 + 20 * np.cos(t / 15), 230 + 10 * np.cos(t / 15)) for t in range(frames)
    ]
    keypoints = clip(np.array(people) + random.normal(0, 1.5, (frames, 1, 2)) + random.normal(0, 1, (frames, 137, 2)))
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


def main() -> None:
    """Write everything."""
    shutil.rmtree(OUT / "subject", ignore_errors=True)
    subject = make_subject(OUT / "subject")
    train(subject, PRESETS["debug"], steps=60, refined=["face", "hands"], device="cpu")
    shutil.rmtree(OUT / "subject" / "training")
    performer = Performer.load(OUT / "subject", "cpu")
    arrays: dict[str, np.ndarray] = {}
    for index, (xy, confidence) in enumerate(zip(poses().xy, poses().confidence, strict=True)):
        arrays[f"pose_image.{index}"] = draw_pose(xy, confidence, Box(-10, 6, 300, 220), 240)
        arrays[f"mask.{index}"] = np.packbits(person_region(xy, confidence, (320, 240), 0.04))
        crops = part_crops(xy, confidence, "face", 32, (320, 240)) + part_crops(xy, confidence, "hands", 32, (320, 240))
        arrays[f"crops.{index}"] = np.array(
            [(c.box.x, c.box.y, c.box.width, c.group) for c in crops], np.int64
        ).reshape(-1, 4)
    keypoints, cuts = danced()
    puppet = performer.puppet
    for index in range(3):
        pose = keypoints.xy[index], keypoints.confidence[index]
        arrays[f"puppet.{index}"] = puppet.lay(
            performer.plate, *pose, whole_frame((128, 128)), nearest(puppet.costs(*pose))
        )
        references = performer.references["face"]
        crop = part_crops(*pose, "face", performer.manifest.refiners["face"].side, (128, 128))[0]
        inside = pose[0] - np.array((crop.box.x, crop.box.y), np.float32)
        nearest_one = int(references.distances(inside, pose[1], 0).argmin())
        arrays[f"reference.{index}"] = references.fitted(nearest_one, inside, pose[1])
    boxes = person_windows(noisy(), [20], at_least=(96, 96))
    arrays["windows"] = np.array([(b.x, b.y, b.width, b.height) for b in boxes])
    for smoothing in SMOOTHINGS:
        cleaned = clean(noisy(), [20], smoothing)
        arrays[f"filtered.{smoothing}.xy"], arrays[f"filtered.{smoothing}.confidence"] = (
            cleaned.xy[::5],
            cleaned.confidence[::5],
        )
    target = pose_statistics(swaying(40))
    placed = normalize(noisy(), target, (128, 128), [20])
    arrays |= {"placed.xy": placed.keypoints.xy[::5], "placed.scale": placed.scale, "placed.ground": placed.ground}
    arrays["transfer"] = np.stack(list(Synthesizer(performer, keypoints, cuts)))
    preset = PRESETS["debug"]
    data = PairDataset(
        subject,
        (128, 128),
        person_window=True,
        crop=preset.crop,
        batch=2,
        patch=preset.patch,
        seed=0,
        variety=preset.variety,
        puppet=8,
    )
    for part, step in ((None, 0), (None, 1), ("face", 1)):
        sample = data.sample(step, 1, part, 8 if part else 0)
        for name in ("poses", "frames", "shown", "region", "reach"):
            arrays[f"sample.{part}.{step}.{name}"] = getattr(sample, name).astype(np.uint8)
    np.savez_compressed(OUT / "golden.npz", **arrays)


main()
