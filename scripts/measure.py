"""The figures in docs/benchmarks.md that no command of `dance` prints: python scripts/measure.py --help

Each measurement prints a table on stdout and takes no more than it needs: rendered dancers are their own truth, and a
trained subject is the one that `dance demo` or `dance train` leaves behind.
"""

import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import typer
from scipy.ndimage import gaussian_filter1d

from everybody_dance.appearance.limb_bank import LimbTrack
from everybody_dance.dancers.choreography import CHOREOGRAPHIES
from everybody_dance.dancers.clips import CLIPS
from everybody_dance.dancers.render import DANCERS, Dancer, empty_room, render, true_keypoints
from everybody_dance.drawing.pose_image import draw_pose
from everybody_dance.drawing.window import whole_frame
from everybody_dance.evaluation.compare import compare_all, summary
from everybody_dance.evaluation.held_out import HeldOutDance
from everybody_dance.evaluation.known_truth import filmed_from
from everybody_dance.evaluation.person import WithinPerson
from everybody_dance.evaluation.placement import normalization_error
from everybody_dance.keypoints import NOBODY, Keypoints
from everybody_dance.machine import usable_cores
from everybody_dance.performer.model_files import load_performer
from everybody_dance.pose.detector_process import DetectorPool
from everybody_dance.pose.mediapipe_holistic import MediaPipeDetector
from everybody_dance.pose.options import DEFAULT_DETECTOR
from everybody_dance.subject.prepare.plate import clean_plate
from everybody_dance.subject.subject import Subject
from everybody_dance.synthesis.clip import dance_clip
from everybody_dance.synthesis.source import read_dance
from everybody_dance.synthesis.transfer import transfer_dance
from everybody_dance.video.reader import VideoReader
from everybody_dance.video.writer import VideoWriter

app = typer.Typer(add_completion=False, help=__doc__)
SIZE, RATE = (512, 384), Fraction(25)
Folder = Annotated[Path, typer.Argument(help="Folder of a trained subject.", exists=True, file_okay=False)]


@app.command()
def normalization(seconds: float = 8.0, training: float = 37.0) -> None:
    """Distance of a normalized dance from the true dancer's, in percent of body height, beside no normalization.

    For dancers of one build, of opposite builds (long legs and short arms; short legs and long arms), and onto
    themselves. "Centered": the middle of the stage aside.
    """
    columns = "target's bones | source's bones | target's, centered | source's, centered | as it stands"
    print(f"| builds | source | its camera | target | dance | {columns} |\n|---|---|---|---|---|---|---|---|---|---|")
    views: dict[str, Callable[[Dancer], Dancer]] = {
        "as rendered": lambda dancer: dancer,
        "1.5 times as far": lambda dancer: filmed_from(dancer, 1.5),
        "2.5 times as far": lambda dancer: filmed_from(dancer, 2.5),
    }
    couples = [("bruno", "ada"), ("ada", "bruno"), ("chiyo", "dmitri"), ("dmitri", "chiyo")]
    groups = {
        "one": [(DANCERS[source], DANCERS[target]) for source, target in couples],
        "opposite": [
            (_built(source, 1 + stretch), _built(target, 1 - stretch))
            for (source, target), stretch in zip(couples, (0.05, -0.05, 0.05, -0.05), strict=True)
        ],
        "onto themselves": [(DANCERS[target], DANCERS[target]) for _, target in couples],
    }
    for name, group in groups.items():
        found = []
        for source, target in group:
            footage = _exact(target, "varied", training)
            for view, filmed in views.items():
                for dance in ("waves", "steps", "kicks"):
                    error = normalization_error(
                        _exact(filmed(source), dance, seconds), footage, _exact(target, dance, seconds)
                    )
                    found.append(
                        (error.normalized, error.own_bones, error.centered, error.own_centered, error.unchanged)
                    )
                    row = " | ".join(f"{value:.1f}" for value in found[-1])
                    print(f"| {name} | {source.name} | {view} | {target.name} | {dance} | {row} |")
        row = " | ".join(
            f"{mean:.2f} (worst {worst:.1f})" for mean, worst in zip(np.mean(found, 0), np.max(found, 0), strict=True)
        )
        print(f"| {name} | all | | | | {row} |")


@app.command()
def speed(subject: Folder, device: str = "auto", frames: int = 100) -> None:
    """Detection, drawing and painting, each by itself."""
    prepared, performer = Subject.open(subject), load_performer(subject, device)
    with VideoReader(CLIPS.source) as reader:
        pictures = list(islice(reader, frames))
    detector = MediaPipeDetector()
    detector.people(pictures[0])
    seconds = _timed(lambda: [detector.people(picture) for picture in pictures])
    print(f"detection, one process, {pictures[0].shape[1]}x{pictures[0].shape[0]}: {len(pictures) / seconds:.1f} fps")
    danced = prepared.keypoints[prepared.keypoints.person_seen][:frames]
    frames = len(danced)
    small, box = danced.scaled_to((512, 256)), whole_frame((512, 256))
    seconds = _timed(lambda: [draw_pose(small.pose(index), box, 256) for index in range(frames)])
    print(f"pose image, 512x256: {1000 * seconds / frames:.2f} ms a frame")
    window = next(dance_clip(performer, danced)).box
    seconds = _timed(lambda: [None for _ in dance_clip(performer, danced)])
    print(
        f"painting, window {window.width}x{window.height} of {prepared.manifest.size[0]}x{prepared.manifest.size[1]},"
        f" {performer.device.type}: {1000 * seconds / frames:.0f} ms a frame"
    )


@app.command()
def memory(subject: Folder, minutes: float = 10.0, fps: int = 10, device: str = "auto") -> None:
    """The memory of a long transfer: the demo's source, played over and over."""
    performer = load_performer(subject, device)
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "source.mp4", Path(folder) / "out.mp4"
        count = round(60 * minutes * fps)
        with VideoReader(CLIPS.source, fps=Fraction(fps)) as reader, VideoWriter(source, reader.size, reader.fps) as w:
            pictures = list(reader)
            for index in range(count):
                w.write(pictures[index % len(pictures)])
        del pictures
        marks = {round(count * share): f"{share:.0%}" for share in (0.1, 0.25, 0.5, 0.75, 1.0)}

        def watching(what: str) -> Callable[[int, int | None], None]:
            def watch(done: int, total: int | None) -> None:
                if done in marks:
                    print(f"{what}, {marks[done]} of {count} frames: {_resident() / 1e6:.0f} MB", flush=True)

            return watch

        manifest = performer.manifest
        dance = read_dance(source, manifest.statistics, manifest.size, on_progress=watching("detection"))
        transfer_dance(performer, dance, out, on_progress=watching("painting"))
    print(f"peak: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")


@app.command()
def plate(seconds: float = 20.0, fps: int = 5) -> None:
    """The empty place behind rendered dancers who never leave the spot, against the true one."""
    print("| dancer | known | mean error where known, of 255 | mean error of the guess |\n|---|---|---|---|")
    count = round(seconds * fps)
    for name, dancer in DANCERS.items():
        shown = [render(dancer, CHOREOGRAPHIES["bow"], index / fps, SIZE).image for index in range(count)]
        with DetectorPool(DEFAULT_DETECTOR, usable_cores(), mattes=True) as pool:
            people = list(pool.people(shown))
        poses = [found[0].pose if found else NOBODY for found in people]
        xy, confidence = (np.stack([getattr(pose, part) for pose in poses]) for part in ("xy", "confidence"))
        nothing = np.zeros(SIZE[::-1], np.uint8)
        mattes = [nothing if not found or found[0].matte is None else found[0].matte for found in people]
        keypoints = Keypoints(xy, confidence, SIZE, Fraction(fps))
        found = clean_plate(shown.__getitem__, mattes.__getitem__, keypoints, range(count))
        error = np.abs(found.image.astype(int) - empty_room(dancer, SIZE))
        known, guess = error[found.known].mean(), error[~found.known].mean()
        print(f"| {name} | {found.known.mean():.1%} | {known:.2f} | {guess:.2f} |", flush=True)


@app.command()
def puppet(subject: Folder, frames: int = 80) -> None:
    """The puppet as it is shown to the generator, before anything is painted, against held-out frames."""
    footage, bank = Subject.open(subject), load_performer(subject, "cpu").limb_bank
    if bank is None:
        raise typer.BadParameter("this performer has no puppet")
    dance = HeldOutDance.of(footage, frames)
    track, whole = LimbTrack(bank, float(footage.manifest.fps)), whole_frame(footage.manifest.size)
    person = WithinPerson(dance.keypoints, lambda index: footage.matte(int(dance.frames[index])), dance.cuts)
    laid = (track.follow(footage.plate, dance.keypoints.pose(index), whole) for index in range(len(dance.frames)))
    truth = (footage.frame(int(frame)) for frame in dance.frames)
    scores = compare_all({"puppet": laid}, truth, dance.keypoints, cuts=dance.cuts, watchers=[person])["puppet"]
    found, sharp = summary(scores), summary(person.scores()["puppet"])
    print("| SSIM / PSNR, body | SSIM / PSNR, face | sharpness, body / face / hands |\n|---|---|---|")
    likeness = (f"{found[part]['ssim']:.3f} / {found[part]['psnr']:.1f} dB" for part in ("body", "face"))
    detail = " / ".join(f"{sharp[part]['sharpness']:.2f}" for part in ("body", "face", "hands"))
    print(f"| {' | '.join(likeness)} | {detail} |")


@app.command()
def shake(video: Path, out: Path, percent: float = 2.0, degrees: float = 0.5, pan: float = 0.0, seed: int = 0) -> None:
    """VIDEO as if filmed from the hand, in a smaller frame: what a trembling, or slowly panning, camera costs.

    With --percent 0 --degrees 0 it is the same smaller frame from a tripod. Percent are of the height, of the frame's
    standard deviation from its middle; pan is the way from the first frame to the last, of the width.
    """
    with VideoReader(video) as reader:
        width, height = reader.size
        inner = 2 * round(0.42 * width), 2 * round(0.42 * height)
        random = np.random.default_rng(seed)
        count = reader.announced_frames or 1000
        # A hand sways about once a second and trembles a little some times as often.
        sway, tremble = (
            np.stack([gaussian_filter1d(random.normal(size=count + 100), width) for _ in range(3)], 1)
            for width in (float(reader.fps) / 4, float(reader.fps) / 15)
        )
        path = sway / sway.std(axis=0) + 0.2 * tremble / tremble.std(axis=0)
        with VideoWriter(out, inner, reader.fps, sound_of=video) as writer:
            for index, frame in enumerate(reader):
                x, y, turn = path[index]
                turned = cv2.getRotationMatrix2D((width / 2, height / 2), degrees * turn, 1.0)
                place = np.asarray(turned, np.float64)
                place[:, 2] += percent / 100 * height * np.array((x, y))
                place[0, 2] += pan * width * (index / count - 0.5)
                place[:, 2] -= (np.array((width, height)) - inner) / 2
                writer.write(np.asarray(cv2.warpAffine(frame, place, inner, flags=cv2.INTER_CUBIC), np.uint8))


def _built(dancer: str, legs: float) -> Dancer:
    """The dancer with legs so much longer than usual, and arms as much shorter."""
    return replace(DANCERS[dancer], build=replace(DANCERS[dancer].build, legs=legs, arms=2 - legs))


def _exact(dancer: Dancer, dance: str, seconds: float) -> Keypoints:
    return true_keypoints(dancer, CHOREOGRAPHIES[dance], round(seconds * RATE), RATE, SIZE)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def _resident() -> int:
    """Bytes of this process in memory now (Linux), or its peak elsewhere."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    app()
