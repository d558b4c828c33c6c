"""The figures in docs/benchmarks.md that no command of `dance` prints: python scripts/measure.py --help

Each measurement prints a table on stdout and takes no more than it needs: rendered dancers are their own truth, and a
trained subject is the one that `dance demo` or `dance train` leaves behind.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache, partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Annotated
from unittest.mock import patch

import cv2
import numpy as np
import torch
import typer
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from everybody_dance.appearance.limb_bank import LimbTrack
from everybody_dance.body_height import body_height
from everybody_dance.dancers.choreography import CHOREOGRAPHIES
from everybody_dance.dancers.clips import CLIPS
from everybody_dance.dancers.render import DANCERS, Dancer, empty_room, render, true_keypoints
from everybody_dance.drawing.pose_image import draw_pose
from everybody_dance.drawing.window import TightWindow, Window, fit_window, whole_frame
from everybody_dance.evaluation.compare import Watcher, compare_all, summary
from everybody_dance.evaluation.held_out import HeldOutDance
from everybody_dance.evaluation.known_truth import filmed_from
from everybody_dance.evaluation.person import WithinPerson
from everybody_dance.evaluation.placement import normalization_error
from everybody_dance.evaluation.pose_distance import Redetection
from everybody_dance.images import Box, Image
from everybody_dance.keypoints import CONFIDENT, NOBODY, Keypoints
from everybody_dance.machine import usable_cores
from everybody_dance.performer.model_files import load_performer
from everybody_dance.performer.onnx_files import painter_onnx
from everybody_dance.performer.openvino_runtime import OpenVinoRuntime
from everybody_dance.performer.own_dance import own_inputs
from everybody_dance.performer.runtime import Runtime
from everybody_dance.performer.runtimes import compare, int8_model
from everybody_dance.pose import who_is_there
from everybody_dance.pose.detection import detect_video
from everybody_dance.pose.detector_process import DetectorPool, shrunk
from everybody_dance.pose.mediapipe_holistic import MediaPipeDetector
from everybody_dance.pose.options import DEFAULT_DETECTOR
from everybody_dance.skeleton import ANKLES, HIPS, KNEES, Joint
from everybody_dance.subject.prepare.plate import clean_plate
from everybody_dance.subject.subject import Subject
from everybody_dance.synthesis.clip import dance_clip
from everybody_dance.synthesis.source import read_dance
from everybody_dance.synthesis.stream import Stream
from everybody_dance.synthesis.transfer import transfer_dance
from everybody_dance.training.material import Material
from everybody_dance.training.presets import PRESETS
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
def runtimes(subject: Folder, frames: int = 20) -> None:
    """Each runtime's time on one core to paint a frame, by turns, and how like PyTorch's its pictures are."""
    torch.set_num_threads(1)
    performer = load_performer(subject, "cpu")
    stride, over_plate = performer.runtime.stride, performer.manifest.over_plate
    painter, int8 = painter_onnx(performer.painter), int8_model(performer)
    others = {
        "OpenVINO, float32": OpenVinoRuntime(painter, stride, over_plate, threads=1, float32=True),
        "OpenVINO": OpenVinoRuntime(painter, stride, over_plate, threads=1),
        "OpenVINO, 8-bit integers": OpenVinoRuntime(int8, stride, over_plate, threads=1),
    }
    warm, *inputs = own_inputs(performer, frames + 2, offset=0.5)
    paint: dict[str, Runtime] = {"PyTorch": performer.runtime, **others}
    seconds: dict[str, list[float]] = {name: [] for name in paint}
    for other in others.values():
        other.expect((warm[0].shape[0], warm[0].shape[1]))
    for runtime in paint.values():
        runtime.paint(*warm)
    for frame in inputs:
        for name, runtime in paint.items():
            began = time.process_time()
            runtime.paint(*frame)
            seconds[name].append(time.process_time() - began)
    print(f"{warm[0].shape[1]}x{warm[0].shape[0]}\n\n| | ms a frame | times as fast | SSIM |\n|---|---|---|---|")
    for name, runtime in paint.items():
        ratio = np.median(np.divide(seconds["PyTorch"], seconds[name]))
        likeness = compare(performer.runtime, runtime, inputs).ssim
        print(f"| {name} | {1000 * np.median(seconds[name]):.0f} | {ratio:.2f} | {likeness:.4f} |")


@app.command()
def window(subject: Folder, frames: int = 150, device: str = "auto") -> None:
    """Painting in a window that fits the person in each frame against one of fixed size, frame by frame in turn."""
    prepared, performer = Subject.open(subject), load_performer(subject, device)
    danced = prepared.keypoints[prepared.keypoints.person_seen][:frames]
    size, fps = performer.manifest.size, float(danced.fps)
    whole = whole_frame(size)
    windows: dict[str, Window | TightWindow] = {
        "tight": performer.window(danced),
        "as trained": fit_window(danced, performer.runtime.stride, performer.manifest.window or size),
        "whole frame": Window((whole.width, whole.height), 0.0, size, performer.runtime.stride),
    }
    streams = {name: Stream(performer, fps, each) for name, each in windows.items()}
    seconds: dict[str, list[float]] = {name: [] for name in windows}
    boxes: dict[str, list[Box]] = {name: [] for name in windows}
    apart: dict[str, list[tuple[float, float, float]]] = {name: [] for name in windows}
    for index in range(len(danced)):
        shown = {}
        for name, stream in streams.items():
            began = time.perf_counter()
            shown[name] = stream.step(danced.pose(index))
            seconds[name].append(time.perf_counter() - began)
            boxes[name].append(shown[name].box)
        truth = shown["whole frame"]
        person = truth.matte > 127
        for name, picture in shown.items():
            difference = np.abs(picture.frame.astype(int) - truth.frame).max(axis=2)
            apart[name].append((difference[person].max(initial=0), difference.max(), (difference[person] > 1).mean()))
    print("| window | pixels | time | changes a second | apart, person | apart, anywhere | person more than 1 apart |")
    print("|---|---|---|---|---|---|---|")
    base, area = np.mean(seconds["as trained"]), np.mean([box.area for box in boxes["as trained"]])
    for name, each in boxes.items():
        changes = sum(one != other for one, other in pairwise(each)) / (len(each) / fps)
        inside, anywhere, _ = np.max(apart[name], axis=0)
        print(
            f"| {name} | {np.mean([box.area for box in each]) / area:.2f} | {np.mean(seconds[name]) / base:.2f} |"
            f" {changes:.2f} | {inside:.0f} | {anywhere:.0f} | {np.mean(apart[name], axis=0)[2]:.3%} |"
        )


@app.command()
def transfer(subject: Folder, source: Path, repeats: int = 3, device: str = "auto") -> None:
    """Where the time of a transfer goes, nothing remembered; the encoding beside the painting, and after each frame."""
    performer = load_performer(subject, device)
    manifest = performer.manifest
    with tempfile.TemporaryDirectory() as folder, _fresh_cache(folder, looked=True):
        began = time.perf_counter()
        dance = read_dance(source, manifest.statistics, manifest.size)
        print(f"finding the dance, {len(dance.placed)} frames: {time.perf_counter() - began:.1f} s")
        seconds: dict[str, list[float]] = {"beside the painting": [], "after each frame": []}
        for name in [*seconds] * repeats:
            one_by_one = patch("everybody_dance.synthesis.transfer.beside", nullcontext)
            with one_by_one if name == "after each frame" else nullcontext():
                out = Path(folder) / "out.mp4"
                seconds[name].append(_timed(partial(transfer_dance, performer, dance, out)))
    for name, each in seconds.items():
        print(f"painting, composing and encoding, the latter {name}: {min(each):.1f} s")


@app.command()
def batch(
    subject: Folder, source: Path, rows: int = 24, seconds: float = 3.0, engine: str = "local", workers: int = 0
) -> None:
    """Short transfers as one `dance batch`, beside as many `dance transfer` commands, one after the other.

    The clips are stretches of SOURCE, each another one. Nothing is remembered from one way to the other.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        clips = _stretches(source, folder, rows, seconds)
        table = ["performer,source,out", *(f"{subject.absolute()},{clip.name},{clip.stem}.out.mp4" for clip in clips)]
        (folder / "jobs.csv").write_text("\n".join(table) + "\n")
        many = ["--engine", engine, *(["--workers", str(workers)] if workers else [])]
        together = _timed(partial(_dance, folder / "a", "batch", folder / "jobs.csv", *many))
        one_by_one = [
            _timed(partial(_dance, folder / "b", "transfer", subject, clip, "--out", clip.with_suffix(".single.mp4")))
            for clip in clips
        ]
        entries = json.loads((folder / "batch.json").read_text())["results"].values()
    alone, inside = sum(one_by_one), sum(entry["seconds"] for entry in entries)
    print(f"{rows} transfers of {seconds:g} s one by one: {alone:.1f} s; as a batch ({engine}): {together:.1f} s")
    print(f"ratio {together / alone:.2f}; {(alone - together) / rows:.1f} s less for each")
    print(f"the rows themselves take {inside:.1f} s in the batch, the first {next(iter(entries))['seconds']:.1f} s")


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
def plate(dance: str = "bow", seconds: float = 20.0, fps: int = 5) -> None:
    """The empty place behind rendered dancers, who never leave the spot in ``bow``, against the true one."""
    print("| dancer | known | mean error where known, of 255 | mean error of the guess |\n|---|---|---|---|")
    count = round(seconds * fps)
    for name, dancer in DANCERS.items():
        shown = [render(dancer, CHOREOGRAPHIES[dance], index / fps, SIZE).image for index in range(count)]
        with DetectorPool(DEFAULT_DETECTOR, usable_cores(), mattes=True) as pool:
            people = list(pool.people(shown))
        poses = [found[0].pose if found else NOBODY for found in people]
        xy, confidence = (np.stack([getattr(pose, part) for pose in poses]) for part in ("xy", "confidence"))
        nothing = np.zeros(SIZE[::-1], np.uint8)
        mattes = [nothing if not found or found[0].matte is None else found[0].matte for found in people]
        keypoints = Keypoints(xy, confidence, SIZE, Fraction(fps))
        found = clean_plate(shown.__getitem__, mattes.__getitem__, keypoints, range(count))
        error = np.abs(found.image.astype(int) - empty_room(dancer, SIZE))
        guess = f"{error[~found.known].mean():.2f}" if not found.known.all() else "-"
        print(f"| {name} | {found.known.mean():.1%} | {error[found.known].mean():.2f} | {guess} |", flush=True)


@app.command()
def people(seconds: float = 8.0) -> None:
    """Rendered dancers who cross, each followed among the others, against the same dancer found alone.

    Errors are medians over frames and body joints, in percent of the height from nose to ankle, where at least 70 % of
    the dancer is to be seen. Mixed up: frames in which somebody else's true pose is nearer.
    """
    rate, size, count = Fraction(15), (640, 360), round(seconds * 15)
    scenes = {
        "two, one of them passes": (("ada", "waves", 0.0, 0.0), ("bruno", "steps", 1.0, -1.0)),
        "two change places": (("ada", "varied", 0.7, -0.7), ("dmitri", "waves", -0.7, 0.7)),
        "three": (("ada", "waves", 0.0, 0.1), ("bruno", "steps", 0.9, -0.9), ("chiyo", "varied", -0.9, 0.9)),
    }
    print("| scene | dancer | to be seen | found | error | alone | mixed up |\n|---|---|---|---|---|---|---|")
    for scene, cast in scenes.items():
        ways = [np.linspace(start, end, count) * 0.4 * size[0] for _, _, start, end in cast]
        shown = [
            [render(DANCERS[name], CHOREOGRAPHIES[steps], index / 15, size) for index in range(count)]
            for name, steps, _, _ in cast
        ]
        truth = [
            np.stack([frame.xy for frame in frames]) + np.stack([way, 0 * way], 1)[:, None].astype(np.float32)
            for frames, way in zip(shown, ways, strict=True)
        ]
        masks = [
            [_shifted(frame.mask * np.uint8(255), x) > 127 for frame, x in zip(frames, way, strict=True)]
            for frames, way in zip(shown, ways, strict=True)
        ]
        pictures = [empty_room(DANCERS[cast[0][0]], size) for _ in range(count)]
        for frames, way, covered in zip(shown, ways, masks, strict=True):
            for picture, frame, x, mask in zip(pictures, frames, way, covered, strict=True):
                picture[mask] = _shifted(frame.image, x)[mask]
        with tempfile.TemporaryDirectory() as folder:
            video = Path(folder) / "all.mp4"
            _write(video, pictures, rate)
            found = [detect_video(video, person=str(number + 1)).keypoints for number in range(len(cast))]
            for place, (name, _, _, _) in enumerate(cast):
                single = Path(folder) / f"{name}.mp4"
                _write(single, [frame.image for frame in shown[place]], rate)
                alone = detect_video(single).keypoints
                hidden = [np.zeros(size[::-1], bool) for _ in range(count)]
                for others in masks[place + 1 :]:
                    hidden = [before | mask for before, mask in zip(hidden, others, strict=True)]
                inside = np.array(
                    [
                        mask.sum() / max(frame.mask.sum(), 1)
                        for mask, frame in zip(masks[place], shown[place], strict=True)
                    ]
                )
                free = np.array(
                    [
                        1 - (mask & over).sum() / max(mask.sum(), 1)
                        for mask, over in zip(masks[place], hidden, strict=True)
                    ]
                )
                seen = inside * free >= 0.7
                distances = [_apart(each, truth[place]) for each in found]
                mine = int(np.argmin([np.nanmedian(each[seen]) for each in distances]))
                there = seen & found[mine].person_seen
                height = np.median(np.ptp(truth[place][:, [Joint.NOSE, *ANKLES], 1], axis=1))
                others_near = np.min([_apart(found[mine], truth[k]) for k in range(len(cast)) if k != place], axis=0)
                mixed = (others_near < distances[mine])[there].mean()
                own = _apart(alone, np.stack([frame.xy for frame in shown[place]]))[seen]
                error, single_error = (
                    f"{100 * np.nanmedian(each) / height:.2f} %" for each in (distances[mine][there], own)
                )
                print(
                    f"| {scene} | {name} | {seen.mean():.0%} | {there.sum() / max(seen.sum(), 1):.0%} | {error} |"
                    f" {single_error} | {mixed:.1%} |"
                )


@app.command()
def looking(videos: list[Path], repeats: int = 2) -> None:
    """What it costs to find out who is in each of VIDEOS: seconds of detection with that, and without."""
    print("| video | with | without | ratio |\n|---|---|---|---|")
    for video in videos:
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for looked in [True, False] * repeats:
            with tempfile.TemporaryDirectory() as cache, _fresh_cache(cache, looked):
                began = time.monotonic()
                detect_video(video, on_matte=lambda matte: None)
                seconds[looked].append(time.monotonic() - began)
        best, alone = min(seconds[True]), min(seconds[False])
        print(f"| {video.name} | {best:.1f} | {alone:.1f} | {best / alone:.2f} |")


@contextmanager
def _fresh_cache(cache: str, looked: bool) -> Iterator[None]:
    """An empty cache; unless ``looked``, videos are taken to show one person."""
    before, looks = os.environ.get("EVERYBODY_DANCE_CACHE"), who_is_there.several_people
    os.environ["EVERYBODY_DANCE_CACHE"] = cache
    if not looked:
        who_is_there.several_people = lambda *_: False
    try:
        yield
    finally:
        who_is_there.several_people = looks
        os.environ.pop("EVERYBODY_DANCE_CACHE")
        if before is not None:
            os.environ["EVERYBODY_DANCE_CACHE"] = before


def _apart(found: Keypoints, truth: NDArray[np.float32]) -> NDArray[np.float32]:
    """(T,): median distance of the body's joints that were found, from nose to ankles; NaN where there are none."""
    distances = np.linalg.norm(found.xy[:, :15] - truth[:, :15], axis=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of frames in which nothing was found
        return np.asarray(np.nanmedian(np.where(found.found[:, :15], distances, np.nan), axis=1), np.float32)


def _shifted(image: Image, x: float) -> Image:
    way = np.array([[1, 0, x], [0, 1, 0]], np.float32)
    return np.asarray(cv2.warpAffine(image, way, (image.shape[1], image.shape[0])), np.uint8)


def _write(path: Path, frames: list[Image], rate: Fraction) -> None:
    with VideoWriter(path, (frames[0].shape[1], frames[0].shape[0]), rate) as writer:
        for frame in frames:
            writer.write(frame)


@app.command()
def cut(video: Path, frames: int = 300) -> None:
    """How good the detector's guesses below the picture's edge are, for VIDEO cut off ever higher.

    The median distance from what is found in the whole picture, in percent of the body's height, over the joints that
    are cut off and surely seen in the whole picture; and the share of these that is guessed at all.
    """
    with VideoReader(video) as reader:
        pictures = [shrunk(frame) for frame in islice(reader, frames)]
    size = pictures[0].shape[1], pictures[0].shape[0]
    whole = _followed(pictures, size)
    hips, knees, ankles = (
        float(np.median(whole.xy[whole.person_seen][:, joints, 1])) for joints in (HIPS, KNEES, ANKLES)
    )
    height = float(np.median(body_height(whole.xy, whole.confidence)))
    print("| the picture ends | knees | guessed | ankles | guessed |\n|---|---|---|---|---|")
    for place, edge in {
        "at the shins": (knees + ankles) / 2,
        "at the knees": knees,
        "at the thighs": (hips + knees) / 2,
        "at the hips": hips,
    }.items():
        bottom = round(edge)
        found = _followed([np.ascontiguousarray(picture[:bottom]) for picture in pictures], (size[0], bottom))
        row = ""
        for joints in (KNEES, ANKLES):
            gone = (whole.confidence[:, joints] >= CONFIDENT) & (whole.xy[:, joints, 1] > bottom)
            guessed = gone & found.found[:, joints]
            apart = np.linalg.norm(found.xy[:, joints] - whole.xy[:, joints], axis=2)[guessed]
            distance = f"{100 * np.median(apart) / height:.1f} %" if guessed.any() else ""
            row += f" {distance} | {guessed.sum() / max(gone.sum(), 1):.2f} |" if gone.any() else " | |"
        print(f"| {place} |{row}", flush=True)


def _followed(pictures: list[Image], size: tuple[int, int]) -> Keypoints:
    """What the detector finds in successive pictures of ``size`` (W, H)."""
    detector = MediaPipeDetector(mattes=False)
    with closing(detector):
        people = [detector.people(picture) for picture in pictures]
    return Keypoints.of([each[0].pose if each else NOBODY for each in people], size, RATE)


@app.command()
def puppet(subject: Folder, frames: int = 80) -> None:
    """The puppet as it is shown to the generator of ``fast``, against held-out frames: nothing needs to be trained."""
    footage = Subject.open(subject)
    bank = Material(footage, footage.manifest.size).limbs(PRESETS["fast"].puppet).bank
    dance = HeldOutDance.of(footage, frames)
    track, whole = LimbTrack(bank, float(footage.manifest.fps)), whole_frame(footage.manifest.size)
    matte = lru_cache(maxsize=1)(lambda index: footage.matte(int(dance.frames[index])))
    person = WithinPerson(dance.keypoints, matte, dance.cuts)
    laid = (track.follow(footage.plate, dance.keypoints.pose(index), whole) for index in range(len(dance.frames)))
    truth = (footage.frame(int(frame)) for frame in dance.frames)
    with Redetection({"puppet": MediaPipeDetector()}, matte) as redetection:
        watchers: list[Watcher] = [person, redetection]
        scores = compare_all({"puppet": laid}, truth, dance.keypoints, cuts=dance.cuts, watchers=watchers)["puppet"]
    found, sharp = summary(scores), summary(person.scores()["puppet"])
    seen = summary(redetection.scores(dance.keypoints)["puppet"])
    print(
        "| SSIM / PSNR, body | SSIM / PSNR, face | sharpness, body / face / hands | silhouette IoU "
        "| hands, distance in % of the height | hand joints missed |\n|---|---|---|---|---|---|"
    )
    likeness = (f"{found[part]['ssim']:.3f} / {found[part]['psnr']:.1f} dB" for part in ("body", "face"))
    detail = " / ".join(f"{sharp[part]['sharpness']:.2f}" for part in ("body", "face", "hands"))
    hands = seen["pose_hands"]
    print(
        f"| {' | '.join(likeness)} | {detail} | {seen['silhouette']['iou']:.3f} "
        f"| {hands['percent']:.2f} | {hands['missed']:.1f} |"
    )


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


def _stretches(source: Path, folder: Path, count: int, seconds: float) -> list[Path]:
    """So many stretches of a video, evenly spread over it, as videos of their own."""
    with VideoReader(source) as reader:
        frames, rate = list(reader), reader.fps
    length = min(round(seconds * rate), len(frames))
    starts = np.linspace(0, len(frames) - length, count).round().astype(int)
    paths = [folder / f"{index:03}.mp4" for index in range(count)]
    for path, start in zip(paths, starts, strict=True):
        _write(path, frames[start : start + length], rate)
    return paths


def _dance(cache: Path, *arguments: str | Path) -> None:
    """Run a command as a user does, with a cache of its own."""
    command = [sys.executable, "-m", "everybody_dance", *map(str, arguments)]
    environment = os.environ | {"EVERYBODY_DANCE_CACHE": str(cache)}
    subprocess.run(command, check=True, capture_output=True, env=environment)


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
