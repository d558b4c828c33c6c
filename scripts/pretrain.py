"""Train what the preset `fast` begins with, on dancers that are made up and rendered here.

    python scripts/pretrain.py --out DIR

Renders the dancers (a quarter of a second a frame and core), trains one generator and one face refiner on all of them
in turn, and writes `fast.generator.safetensors` and `fast.refiner.safetensors`, in half precision, into DIR. They go
into src/everybody_dance/training/pretrained. Joints, mattes and empty places are the renderer's, so neither PyAV nor
MediaPipe is needed; where the package is not installed, put src on PYTHONPATH.
"""

import argparse
import itertools
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import safetensors.torch
import torch
import torch.multiprocessing as multiprocessing
from torch import nn

from everybody_dance.dancers.body import pose_body
from everybody_dance.dancers.choreography import CHOREOGRAPHIES
from everybody_dance.dancers.figure import dress
from everybody_dance.dancers.invented import invented_dancer
from everybody_dance.dancers.raster import Canvas
from everybody_dance.dancers.render import Dancer, empty_room, render
from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.performer.device import usable_device
from everybody_dance.pose.detection_report import report
from everybody_dance.pose.mattes import MatteReader, MatteWriter
from everybody_dance.retarget.statistics import pose_statistics
from everybody_dance.skeleton import FACE, JOINT_COUNT, Joint, Part
from everybody_dance.subject.manifest import Clip, SubjectManifest
from everybody_dance.subject.prepare.footage import look_over
from everybody_dance.subject.subject import Subject, read_frame, write_frame
from everybody_dance.training.generator_steps import Trainer
from everybody_dance.training.perceptual import perceptual_at_hand
from everybody_dance.training.presets import PRESETS
from everybody_dance.training.refiner_steps import RefinerTrainer
from everybody_dance.training.samples import PairDataset, Sample
from everybody_dance.training.setup import make_painter

PRESET = replace(PRESETS["fast"], warm_start=False)
SUCCESSIVE = 4
"""Frames that are rendered of each moment of a dance, at 25 frames a second."""

SIZES = ((512, 384), (384, 512), (448, 336), (640, 384), (320, 480))
HIDDEN = 0.3
"""Confidence of a joint behind the body, as a detector guesses it."""

DEPTH = 0.16
"""Metres: a joint that lies deeper than this beneath what is seen is hidden by it."""


def film(seed: int, folder: Path, moments: int) -> None:
    """Render the dancer of this number as a prepared subject, with joints as uncertain as a detector's."""
    cv2.setNumThreads(1)
    random = np.random.default_rng([78, seed])
    dancer = invented_dancer(seed)
    scale = random.uniform(0.75, 1.1)
    width, height = (round(side * scale / 16) * 16 for side in SIZES[int(random.integers(len(SIZES)))])
    (folder / "frames").mkdir(parents=True)
    mattes, poses = MatteWriter(folder / "mattes.zip"), []
    for moment in range(moments):
        dance = CHOREOGRAPHIES[list(CHOREOGRAPHIES)[int(random.integers(len(CHOREOGRAPHIES)))]]
        began = random.uniform(0, dance.seconds - 0.3)
        misplaced = random.normal(0, 0.004, (JOINT_COUNT, 2))
        for frame in range(SUCCESSIVE):
            seconds = began + frame / 25
            rendered = render(dancer, dance, seconds, (width, height))
            matte, hidden = _matte(dancer, pose_body(dancer.build, dance.pose(seconds)), (width, height))
            mattes.write(matte)
            noisy = rendered.image + random.normal(0, 1.5, rendered.image.shape)
            write_frame(folder, moment * SUCCESSIVE + frame, noisy.clip(0, 255).round().astype(np.uint8))
            tall = float(np.ptp(rendered.xy[: FACE.start, 1]))
            error = (misplaced + random.normal(0, 0.0015, misplaced.shape)) * tall
            error[FACE.start :] /= 2
            confidence = np.where(hidden, np.minimum(rendered.confidence, HIDDEN), rendered.confidence)
            poses.append((rendered.xy + error, confidence))
    mattes.close()
    written = MatteReader(folder / "mattes.zip")
    xy, confidence = (np.stack(arrays).astype(np.float32) for arrays in zip(*poses, strict=True))
    # At five frames a second a moment's frames, but no other moment's, are too near to be shown for each other.
    keypoints = Keypoints(xy, confidence, (width, height), Fraction(5))
    count, known = len(keypoints), np.ones((height, width), bool)
    cuts, plate = tuple(range(SUCCESSIVE, count, SUCCESSIVE)), empty_room(dancer, (width, height))
    manifest = SubjectManifest(
        identity=f"invented {seed}",
        sources=(),
        size=(width, height),
        fps=keypoints.fps,
        detector="rendered",
        detection=report(keypoints, np.ones(JOINT_COUNT, bool)),
        statistics=pose_statistics(keypoints, cuts),
        clips=(Clip(first=0, holdout=count, stop=count),),
        cuts=cuts,
        filmed_size=(width, height),
        camera_motion=0.0,
        exposure_change=0.0,
        plate_unknown_share=0.0,
        footage=look_over(partial(read_frame, folder), written.matte, keypoints, range(count), plate, known),
        options={},
    )
    Subject.create(folder, manifest, keypoints, plate, known)


def _matte(dancer: Dancer, skeleton: Any, size: tuple[int, int]) -> tuple[Image, Any]:
    """uint8 (H, W), as soft as a detector's, and bool (137,), the joints of the body that something hides."""
    large = size[0] * 2, size[1] * 2
    canvas = Canvas(dancer.room.camera(large))
    for solid, keep in dress(dancer.build, dancer.look, skeleton):
        canvas.draw(solid, keep)
    person = (canvas.material >= 0).astype(np.uint8) * 255
    matte = cv2.resize(cv2.GaussianBlur(person, (0, 0), 2), size, interpolation=cv2.INTER_AREA)
    hidden = np.zeros(JOINT_COUNT, bool)
    eye = canvas.camera.eye
    for joint in Joint:
        place = skeleton.joints[joint]
        x, y = (int(value) for value in canvas.camera.project(place))
        if 0 <= x < large[0] and 0 <= y < large[1] and np.isfinite(canvas.depth[y, x]):
            seen = canvas.depth[y, x] * np.linalg.norm(canvas.camera.rays(x, y, x + 1, y + 1)[0, 0])
            hidden[joint] = np.linalg.norm(place - eye) - seen > DEPTH
    return np.asarray(matte, np.uint8), hidden


def supply(folders: list[Path], seed: int, part: Part | None, samples: Any) -> None:
    """Make samples of several subjects without end; a process of its own."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    datasets = [
        PairDataset(Subject.open(folder), PRESET, batch=PRESET.batch, seed=seed + index, puppet=PRESET.puppet)
        for index, folder in enumerate(folders)
    ]
    random = np.random.default_rng(seed)
    for step in itertools.count():
        dataset = datasets[int(random.integers(len(datasets)))]
        if part is None:
            samples.put((dataset.sample(step, int(random.integers(0, PRESET.unroll + 1))), 0))
        elif dataset.shows(part):
            samples.put((dataset.sample(step, 1, part, PRESET.refiner.references), dataset.part_side(part)))


class Suppliers:
    """Processes that make samples, each of its own subjects."""

    def __init__(self, folders: list[Path], part: Part | None, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.samples = context.Queue(3 * workers)
        shares = [folders[worker::workers] for worker in range(min(workers, len(folders)))]
        self._processes = [
            context.Process(target=supply, args=(share, 100 * worker, part, self.samples), daemon=True)
            for worker, share in enumerate(shares)
        ]
        for process in self._processes:
            process.start()

    def close(self) -> None:
        for process in self._processes:
            process.kill()


def joined(samples: list[Sample]) -> Sample:
    """One batch of several, with the shortest of their histories."""
    history = min(sample.history for sample in samples)
    poses = max(history, 1) + 1
    found: dict[str, Any] = {"history": history, "patch": samples[0].patch}
    for name in {field.name for field in fields(Sample)} - {*found, "references"}:
        parts = [getattr(sample, name) for sample in samples]
        found[name] = np.concatenate([part[:, -poses:] for part in parts] if name in ("poses", "shown") else parts)
    return Sample(**found)


def train_generator(folders: list[Path], steps: int, group: int, workers: int) -> nn.Module:
    """The generator's averaged weights after ``steps`` on batches of ``group`` subjects."""
    preset = replace(PRESET, judged=2 * group)
    example = PairDataset(Subject.open(folders[0]), preset, batch=1, seed=0, puppet=preset.puppet)
    perceptual = replace(perceptual_at_hand(None), judged=2 * group)
    trainer = Trainer(preset, make_painter(example, preset), example, perceptual, usable_device("auto"), 0)
    suppliers, batches = Suppliers(folders, None, workers), _Ahead()
    threading.Thread(target=batches.fill, args=(suppliers.samples, group), daemon=True).start()
    began = time.monotonic()
    for step in range(steps):
        losses = trainer.step(batches.take(), step, steps)
        _tell("generator", step, steps, losses, began)
    suppliers.close()
    return trainer.average.network


class _Ahead:
    """The next batches, joined by a thread while the step before is taken."""

    def __init__(self) -> None:
        self._batches: list[Sample] = []
        self._changed = threading.Condition()

    def fill(self, samples: Any, group: int) -> None:
        while True:
            batch = [samples.get()[0] for _ in range(group)]
            alike = [sample for sample in batch if sample.frames.shape == batch[0].frames.shape]
            with self._changed:
                self._changed.wait_for(lambda: len(self._batches) < 3)
                self._batches.append(joined(alike))
                self._changed.notify_all()

    def take(self) -> Sample:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._batches))
            batch = self._batches.pop(0)
            self._changed.notify_all()
            return batch


def train_refiner(folders: list[Path], painter: nn.Module, steps: int, workers: int) -> nn.Module:
    """The face refiner's averaged weights, for the pictures of ``painter``."""
    example = PairDataset(Subject.open(folders[0]), PRESET, batch=1, seed=0, puppet=PRESET.puppet)
    perceptual = perceptual_at_hand(None)
    trainer = RefinerTrainer("face", PRESET, cast(Any, painter), example, perceptual, usable_device("auto"), 0)
    suppliers, began = Suppliers(folders, "face", workers), time.monotonic()
    for step in range(steps):
        sample, trainer.side = suppliers.samples.get()
        _tell("refiner", step, steps, trainer.step(sample, step, steps), began)
    suppliers.close()
    return trainer.average.network


def _tell(what: str, step: int, steps: int, losses: Any, began: float) -> None:
    if (step + 1) % 50 == 0 or step + 1 == steps:
        left = (time.monotonic() - began) / (step + 1) * (steps - step - 1)
        print(f"{what}: {step + 1} of {steps}, loss {float(losses['total']):.3f}, {left:.0f} s left", flush=True)


def write(network: nn.Module, path: Path) -> None:
    """In half precision: the difference is far below what one step changes."""
    weights = {name: value.detach().half().cpu().contiguous() for name, value in network.state_dict().items()}
    safetensors.torch.save_file(weights, path)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for dancers and weights")
    parser.add_argument("--dancers", type=int, default=60)
    parser.add_argument("--moments", type=int, default=24, help="of their dances that are rendered, of each dancer")
    parser.add_argument("--steps", type=int, default=4500, help="of the generator")
    parser.add_argument("--refiner-steps", type=int, default=1000)
    parser.add_argument("--group", type=int, default=4, help="dancers in a batch, with four samples of each")
    parser.add_argument("--workers", type=int, default=12, help="processes that render and make samples")
    arguments = parser.parse_args()
    folders = [arguments.out / "dancers" / f"{seed:03d}" for seed in range(arguments.dancers)]
    wanted = [seed for seed, folder in enumerate(folders) if not (folder / "subject.json").exists()]
    with ProcessPoolExecutor(arguments.workers) as pool:
        places = [folders[seed] for seed in wanted]
        for seed, _ in zip(wanted, pool.map(film, wanted, places, [arguments.moments] * len(wanted)), strict=True):
            print(f"dancer {seed} of {len(folders)} rendered", flush=True)
    painter = train_generator(folders, arguments.steps, arguments.group, arguments.workers)
    write(painter, arguments.out / "fast.generator.safetensors")
    refiner = train_refiner(folders, painter, arguments.refiner_steps, arguments.workers)
    write(refiner, arguments.out / "fast.refiner.safetensors")


if __name__ == "__main__":
    main()
