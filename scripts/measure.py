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

import numpy as np
import torch
import typer

from everybody_dance.dancers.choreography import CHOREOGRAPHIES
from everybody_dance.dancers.clips import CLIPS
from everybody_dance.dancers.render import DANCERS, Dancer, true_keypoints
from everybody_dance.drawing.pose_image import draw_pose
from everybody_dance.drawing.window import whole_frame
from everybody_dance.evaluation.boxes import body_boxes
from everybody_dance.evaluation.limits import at_speed, shaken
from everybody_dance.evaluation.metrics import ssim
from everybody_dance.evaluation.normalization import normalization_error
from everybody_dance.evaluation.steadiness import held_pose_similarity, memory_of_first_frame, repeated_passes
from everybody_dance.keypoints import Keypoints
from everybody_dance.performer.performer import Performer
from everybody_dance.pose.detector import detect_video
from everybody_dance.pose.filtering import SMOOTHINGS, clean
from everybody_dance.pose.mediapipe import MediaPipeDetector
from everybody_dance.retarget.normalize import normalize
from everybody_dance.subject.subject import Subject
from everybody_dance.transfer.synthesizer import Synthesizer
from everybody_dance.transfer.transfer import transfer_video
from everybody_dance.video import VideoReader, VideoWriter

app = typer.Typer(add_completion=False, help=__doc__)
SIZE, RATE = (512, 384), Fraction(25)
Folder = Annotated[Path, typer.Argument(help="Folder of a trained subject.", exists=True, file_okay=False)]


@app.command()
def normalization(seconds: float = 8.0, training: float = 37.0) -> None:
    """Distance of a normalized dance from the true dancer's, in percent of body height, beside no normalization."""
    print("| source | its camera | target | dance | normalized | as it stands |\n|---|---|---|---|---|---|")
    views = {
        "as rendered": lambda dancer: dancer,
        "1.5 times as far": lambda dancer: _filmed(dancer, far=1.5),
        "2.5 times as far": lambda dancer: _filmed(dancer, far=2.5),
    }
    everything: dict[str, list[float]] = {"normalized": [], "as it stands": []}
    for source, target in (("bruno", "ada"), ("ada", "bruno"), ("chiyo", "dmitri"), ("dmitri", "chiyo")):
        footage = _exact(DANCERS[target], "varied", training)
        for view, filmed in views.items():
            for dance in ("waves", "steps", "kicks"):
                error = normalization_error(
                    _exact(filmed(DANCERS[source]), dance, seconds), footage, _exact(DANCERS[target], dance, seconds)
                )
                everything["normalized"].append(error.normalized)
                everything["as it stands"].append(error.unchanged)
                print(f"| {source} | {view} | {target} | {dance} | {error.normalized:.1f} | {error.unchanged:.1f} |")
    means = {name: float(np.mean(values)) for name, values in everything.items()}
    print(f"| all | | | | {means['normalized']:.1f} | {means['as it stands']:.1f} |")


@app.command()
def steadiness(subject: Folder, passes: int = 6, device: str = "auto") -> None:
    """Does a performer that sees its own previous frame drift? The contraction tests, and a clip danced six times."""
    prepared, performer = Subject.open(subject), Performer.load(subject, device)
    # The clip: ten seconds at most, of training footage, without a break.
    seen = prepared.keypoints.person_seen & np.isin(np.arange(len(prepared.keypoints)), prepared.training_frames)
    first = _longest_run(seen)
    length = min(round(10 * prepared.manifest.fps), int(np.argmin([*seen[first:], False])))
    clip = prepared.keypoints[first : first + length]
    noise = np.random.default_rng(0).integers(0, 256, performer.plate.shape, np.uint8)
    other = prepared.frame(first + length // 2)
    for name, before in (("another moment", other), ("noise", noise)):
        difference = memory_of_first_frame(performer, clip, prepared.frame(first), before)
        print(f"two beginnings ({name}), mean difference after 30 frames: {difference:.3f} of 255 (allowed: 1)")
    for frame in (0, length // 3, 2 * length // 3):
        print(
            f"pose {frame} held, SSIM of frames 30 and 300: {held_pose_similarity(performer, clip, frame):.4f} (0.99)"
        )
    scores = repeated_passes(performer, clip, lambda index: prepared.frame(first + index), passes)
    print(f"{length} frames danced {passes} times, SSIM of each pass: {', '.join(f'{score:.4f}' for score in scores)}")
    print(f"last pass against the second: {scores[-1] - scores[1]:+.4f} (allowed: 0.005 either way)")


@app.command()
def limits(subject: Folder, seconds: float = 5.0, device: str = "auto") -> None:
    """The demo's dance with errors put in, and faster and slower, against the truth: SSIM in the body box.

    SUBJECT is the one that `dance demo` made.
    """
    prepared, performer = Subject.open(subject), Performer.load(subject, device)
    size = prepared.manifest.size
    found, true_keypoints_found = (detect_video(clip).keypoints for clip in (CLIPS.source, CLIPS.truth))
    count = min(round(seconds * found.fps), len(found), len(true_keypoints_found))
    with VideoReader(CLIPS.truth, size=size) as reader:
        truth = list(islice(reader, count))
    boxes = body_boxes(true_keypoints_found.scaled_to(size)[:count])

    def score(dance: Keypoints, smoothing: str, frames: np.ndarray, of: np.ndarray) -> float:
        placed = normalize(clean(dance, smoothing=smoothing), prepared.manifest.statistics, size).keypoints
        wanted = dict(zip(frames.tolist(), of.tolist(), strict=True))
        scores = [
            ssim(picture, truth[wanted[index]], [boxes[wanted[index]]])[0]
            for index, picture in enumerate(Synthesizer(performer, placed))
            if index in wanted
        ]
        return float(np.nanmean(scores))

    def row(name: str, dance: Keypoints, frames: np.ndarray, of: np.ndarray) -> None:
        columns = [f"{score(dance, smoothing, frames, of):.3f}" for smoothing in SMOOTHINGS]
        print(f"| {name} | {' | '.join(columns)} |", flush=True)

    print(f"| | {' | '.join(SMOOTHINGS)} |\n|---{'|---' * len(SMOOTHINGS)}|")
    every = np.arange(count)
    for deviation in (0.0, 0.005, 0.01, 0.02, 0.04):
        row(f"noise of {deviation:.1%} of body height", shaken(found[:count], deviation), every, every)
    for missing in (0.05, 0.1, 0.2, 0.4):
        row(f"{missing:.0%} of joints missed", shaken(found[:count], missing=missing), every, every)
    for factor in (0.25, 0.5, 2.0, 4.0):
        row(f"{factor:g} times as fast", *at_speed(found[:count], factor))


@app.command()
def speed(subject: Folder, device: str = "auto", frames: int = 100) -> None:
    """Detection, drawing and painting, each by itself."""
    prepared, performer = Subject.open(subject), Performer.load(subject, device)
    with VideoReader(CLIPS.source) as reader:
        pictures = list(islice(reader, frames))
    detector = MediaPipeDetector()
    detector.detect(pictures[0])
    seconds = _timed(lambda: [detector.detect(picture) for picture in pictures])
    print(f"detection, one process, {pictures[0].shape[1]}x{pictures[0].shape[0]}: {len(pictures) / seconds:.1f} fps")
    danced = prepared.keypoints[prepared.keypoints.person_seen][:frames]
    frames = len(danced)
    small, box = danced.scaled_to((512, 256)), whole_frame((512, 256))
    seconds = _timed(lambda: [draw_pose(small.xy[index], small.confidence[index], box, 256) for index in range(frames)])
    print(f"pose image, 512x256: {1000 * seconds / frames:.2f} ms a frame")
    synthesizer = Synthesizer(performer, danced)
    next(iter(synthesizer))
    seconds = _timed(lambda: [None for _ in synthesizer])
    window = synthesizer.windows[0]
    print(
        f"painting, window {window.width}x{window.height} of {prepared.manifest.size[0]}x{prepared.manifest.size[1]},"
        f" {performer.device.type}: {1000 * seconds / frames:.0f} ms a frame"
    )


@app.command()
def memory(subject: Folder, minutes: float = 10.0, fps: int = 10, device: str = "auto") -> None:
    """The memory of a long transfer: the demo's source, played over and over."""
    performer = Performer.load(subject, device)
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

        transfer_video(performer, source, out, on_detection=watching("detection"), on_progress=watching("painting"))
    print(f"peak: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")


def _exact(dancer: Dancer, dance: str, seconds: float) -> Keypoints:
    return true_keypoints(dancer, CHOREOGRAPHIES[dance], round(seconds * RATE), RATE, SIZE)


def _filmed(dancer: Dancer, far: float) -> Dancer:
    return replace(dancer, room=replace(dancer.room, camera_distance=far * dancer.room.camera_distance))


def _longest_run(good: np.ndarray) -> int:
    edges = np.flatnonzero(np.diff(np.r_[False, good, False].astype(int)))
    starts, stops = edges[::2], edges[1::2]
    return int(starts[np.argmax(stops - starts)])


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
