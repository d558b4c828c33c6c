"""Give the commands damaged files, and see that each is used or refused in a plain sentence.

    python scripts/fuzz_inputs.py [--videos 500] [--poses 200] [--performers 100] [--seed 0] [--keep DIR]

Videos go through `dance prepare` and `dance transfer`, files of poses and performers through `dance transfer`, all made
from a rendered dancer. A detector stands in that sees her whatever a frame shows, so that it is the reading of files
that is tried. Each case is a fork of this process, which has loaded everything, with limits of time and memory. A case
is a fault unless it ends with 0, or with 1 or 2 and a sentence; its files are kept in ``--keep``.
"""

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from everybody_dance.commands.main import main as dance
from everybody_dance.dancers.choreography import CHOREOGRAPHIES
from everybody_dance.dancers.render import DANCERS, Rendered, render_clip
from everybody_dance.images import Image
from everybody_dance.keypoints import Pose
from everybody_dance.pose import detection
from everybody_dance.pose.detector_process import detection_size
from everybody_dance.pose.openpose_layouts import LAYOUTS, NOWHERE
from everybody_dance.pose.people import Person

SIZE, RATE, SECONDS = (160, 120), 20, 1.8
LIMIT_SECONDS, LIMIT_BYTES = 60.0, 3 << 30
LONGEST_MESSAGE = 300
ODD = (None, True, -1, 0, 10**400, 1e308, float("nan"), float("inf"), "", "dance", [], {}, [[[]]], [None], {"": None})
"""What stands in JSON where something else should."""

RECORDINGS = {
    "a.mp4": ("libx264", "aac"),
    "b.mkv": ("libx264", "aac"),
    "c.ts": ("libx264", "mp2"),
    "d.avi": ("mpeg4", "mp3"),
}
"""Kinds of files, by the codecs of their pictures and sound."""


@dataclass(frozen=True)
class Material:
    """Sound files to damage.

    Attributes:
        videos: the dancer in several containers.
        poses: files of her poses, by name; a folder's files, or one file.
        subject: trained on her.
    """

    videos: list[Path]
    poses: list[Path]
    subject: Path


@dataclass(frozen=True)
class Case:
    """A damaged input.

    Attributes:
        name: what was damaged and how.
        arguments: of the command that is given it.
    """

    name: str
    arguments: list[str]


@dataclass(frozen=True)
class Outcome:
    """How a command ended; ``code`` is negative for a signal, and None where time ran out."""

    code: int | None
    stdout: str
    stderr: str
    seconds: float

    @property
    def fault(self) -> str | None:
        """What is wrong with that, if anything is."""
        if self.code is None:
            return "it did not end"
        if self.code not in (0, 1, 2):
            return f"it ended with {self.code}"
        if "Traceback" in self.stderr:
            return "a traceback"
        try:
            report = json.loads(self.stdout.strip().splitlines()[-1])
        except (ValueError, IndexError):
            return "no report"
        if self.code == 0:
            return None
        error = report.get("error") or {"code": "", "message": ""}
        if error["code"] in ("unexpected", "out-of-memory", ""):
            return f"{error['code']}: {error['message']}"
        message = error["message"]
        return None if 0 < len(message) < LONGEST_MESSAGE and "\n" not in message else f"no plain sentence: {message}"


class StandIn:
    """A ``DetectorPool`` that sees the dancer whatever the frames show."""

    def __init__(self, truth: list[Rendered], name: str, workers: int, mattes: bool = False) -> None:
        self._truth, self._mattes = truth, mattes

    def people(self, frames: Iterable[Image]) -> Iterator[list[Person]]:
        """As of ``DetectorPool``."""
        for index, frame in enumerate(frames):
            true, (width, height) = (
                self._truth[index % len(self._truth)],
                detection_size(frame.shape[1], frame.shape[0]),
            )
            scale = np.array([width / SIZE[0], height / SIZE[1]], np.float32)
            matte = None
            if self._mattes:
                rows, columns = (
                    np.arange(side) * true.mask.shape[axis] // side for axis, side in enumerate((height, width))
                )
                matte = 255 * true.mask[rows][:, columns].astype(np.uint8)
            yield [Person(Pose(true.xy * scale, true.confidence), matte)]

    def everybody(self, frames: Iterable[Image]) -> Iterator[list[Person]]:
        """As of ``DetectorPool``; she is alone."""
        return ([] for _ in frames)

    def close(self) -> None:
        """As of ``DetectorPool``."""

    def __enter__(self) -> "StandIn":
        return self

    def __exit__(self, *_: object) -> None:
        pass


def make_material(folder: Path) -> Material:
    """Render, record, prepare and train in ``folder``; from then on this process's detector is a stand-in."""
    truth = list(render_clip(DANCERS["ada"], CHOREOGRAPHIES["varied"], SECONDS, Fraction(RATE), SIZE))
    detection.DetectorPool = partial(StandIn, truth)  # type: ignore[assignment,misc]
    torch.set_num_threads(1)
    (folder / "videos").mkdir(parents=True)
    videos = [record(folder / "videos" / name, truth, *codecs) for name, codecs in RECORDINGS.items()]
    subject = folder / "subject"
    for arguments in (
        ["prepare", str(videos[0]), "--out", str(subject)],
        ["train", str(subject), "--preset", "debug", "--steps", "2", "--refine", "face", "--device", "cpu"],
    ):
        outcome = run([*arguments, "--json"], folder / "log", limit_bytes=None)
        if outcome.code != 0:
            raise SystemExit(outcome.stderr)
    return Material(videos, write_poses(folder / "poses", truth), subject)


def record(path: Path, truth: list[Rendered], pictures_codec: str, sound_codec: str) -> Path:
    """A recording of the dancer, with a tone."""
    with av.open(str(path), "w") as file:
        pictures, sound = file.add_stream(pictures_codec, rate=RATE), file.add_stream(sound_codec, rate=48000)
        pictures.width, pictures.height, pictures.pix_fmt = *SIZE, "yuv420p"
        sound.layout = "stereo"
        tone = np.sin(np.arange(round(SECONDS * 48000)) / 20).astype(np.float32)
        packets = []
        for at in range(0, len(tone), 1152):
            piece = np.tile(tone[at : at + 1152], (2, 1))
            kind = "s16" if sound_codec == "mp2" else "fltp"
            if kind == "s16":
                piece = (piece.T.reshape(1, -1) * 9999).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), kind, "stereo")
            frame.rate, frame.pts, frame.time_base = 48000, at, Fraction(1, 48000)
            packets += sound.encode(frame)
        packets += sound.encode(None)
        for index, true in enumerate(truth):
            frame = av.VideoFrame.from_ndarray(true.image, "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            packets += pictures.encode(frame)
        packets += pictures.encode(None)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            file.mux(packet)
    return path


def write_poses(folder: Path, truth: list[Rendered]) -> list[Path]:
    """The dancer's poses in several kinds of files."""

    def rows(true: Rendered, layout: str) -> list[list[float]]:
        order = LAYOUTS[layout].order
        return [
            [0.0, 0.0, 0.0] if j == NOWHERE else [*map(float, true.xy[j]), float(true.confidence[j])] for j in order
        ]

    def flat(true: Rendered, layout: str) -> list[float]:
        return [value for row in rows(true, layout) for value in row]

    def scored(true: Rendered) -> dict[str, Any]:
        return {
            "keypoints": [row[:2] for row in rows(true, "133")],
            "keypoint_scores": [row[2] for row in rows(true, "133")],
        }

    canvas = {"canvas_width": SIZE[0], "canvas_height": SIZE[1]}
    kinds = {
        "openpose.json": [{"people": [{"pose_keypoints_2d": flat(true, "25")}]} for true in truth],
        "dwpose.json": [
            {"people": [{"pose_keypoints_2d": flat(true, "18"), "face_keypoints_2d": None}], **canvas} for true in truth
        ],
        "mmpose.json": {
            "meta_info": {},
            "instance_info": [{"frame_id": i, "instances": [scored(t)]} for i, t in enumerate(truth)],
        },
        "alphapose.json": [{"image_id": f"{i}.jpg", "keypoints": flat(t, "136")} for i, t in enumerate(truth)],
    }
    folder.mkdir()
    for name, content in kinds.items():
        (folder / name).write_text(json.dumps(content))
    (folder / "json").mkdir()
    (folder / "yaml").mkdir()
    for index, true in enumerate(truth):
        person = {"people": [{"pose_keypoints_2d": flat(true, "25")}]}
        (folder / "json" / f"{index:03d}_keypoints.json").write_text(json.dumps(person))
        data = ", ".join(map(str, flat(true, "25")))
        text = f"%YAML:1.0\n---\na: !!opencv-nd-matrix\n   sizes: [ 1, 25, 3 ]\n   dt: f\n   data: [ {data} ]\n"
        (folder / "yaml" / f"{index:03d}_pose.yml").write_text(text)
    return sorted(folder.iterdir())


def damaged_bytes(data: bytes, chance: random.Random) -> tuple[str, bytes]:
    """The bytes with a damage of some kind, and its name. Half of them hit the head or the tail, where indices are."""
    whole = bytearray(data)

    def somewhere(length: int = 1) -> int:
        last = max(len(whole) - length, 0)
        near = round(chance.expovariate(1 / 200)) % (last + 1)
        return chance.choice((near, last - near, chance.randint(0, last), chance.randint(0, last)))

    kind = chance.choice(("flips", "cut", "hole", "zeros", "noise", "swap", "twice", "header", "empty"))
    length = min(len(whole), round(2 ** chance.uniform(0, 13)))
    at = somewhere(length)
    if kind == "flips":
        for _ in range(round(2 ** chance.uniform(0, 8))):
            whole[somewhere()] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        del whole[at:]
    elif kind == "hole":
        del whole[at : at + length]
    elif kind == "zeros":
        whole[at : at + length] = bytes(length)
    elif kind == "noise":
        whole[at : at + length] = chance.randbytes(length)
    elif kind == "swap":
        other = somewhere(length)
        whole[at : at + length], whole[other : other + length] = whole[other : other + length], whole[at : at + length]
    elif kind == "twice":
        whole[at:at] = whole[at : at + length]
    elif kind == "header":
        head = (
            b"RIFF\xff\xff\xff\xffAVI LIST",
            b"\x1aE\xdf\xa3\x01",
            b"\0\0\0\x18ftypmp42",
            b"\x89PNG\r\n\x1a\n",
            b"{",
            b"\x80\x04",
        )
        first = chance.choice(head)
        whole[: len(first)] = first
    else:
        whole.clear()
    return kind, bytes(whole)


def damaged_json(content: Any, chance: random.Random) -> Any:
    """Parsed JSON with something odd in one or a few places; ``content`` may be changed."""
    for _ in range(chance.choice((1, 1, 3))):
        holder, key = [content], 0
        while isinstance(holder[key], (list, dict)) and holder[key] and chance.random() < 0.8:
            holder = holder[key]
            key = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        if holder[key] is content:
            return chance.choice(ODD)
        how = chance.random()
        if how < 0.6:
            holder[key] = chance.choice(ODD)
        elif how < 0.8:
            del holder[key]
        elif isinstance(holder[key], (int, float)):
            holder[key] *= chance.choice((-1, 0, 0.01, 100, 1e9))
        else:
            holder[key] = [holder[key]] * chance.choice((0, 2, 1000))
        if not holder:
            break
    return content


def damaged_file(path: Path, chance: random.Random) -> str:
    """Damage a file in place; returns what was done."""
    if path.suffix == ".json" and chance.random() < 0.7:
        path.write_text(json.dumps(damaged_json(json.loads(path.read_bytes()), chance)))
        return f"{path.name}: other values"
    kind, data = damaged_bytes(path.read_bytes(), chance)
    path.write_bytes(data)
    return f"{path.name}: {kind}"


def video_case(material: Material, folder: Path, chance: random.Random) -> Case:
    """A damaged video, prepared or danced."""
    video = Path(shutil.copy(chance.choice(material.videos), folder))
    what = damaged_file(video, chance)
    if chance.random() < 0.5:
        return Case(f"prepare {what}", ["prepare", str(video), "--out", str(folder / "s"), "--height", "64"])
    return Case(f"transfer {what}", ["transfer", str(material.subject), str(video), "--out", str(folder / "o.mp4")])


def pose_case(material: Material, folder: Path, chance: random.Random) -> Case:
    """A sound video with damaged poses, danced."""
    poses = chance.choice(material.poses)
    copy = folder / poses.name
    if poses.is_dir():
        shutil.copytree(poses, copy)
        what = damaged_file(chance.choice(sorted(copy.iterdir())), chance)
    else:
        what = damaged_file(Path(shutil.copy(poses, copy)), chance)
    place = ["--out", str(folder / "o.mp4"), "--pose", f"openpose:{copy}"]
    return Case(f"poses {what}", ["transfer", str(material.subject), str(material.videos[0]), *place])


def performer_case(material: Material, folder: Path, chance: random.Random) -> Case:
    """A damaged performer, danced. Most hashes are made to fit, or they alone would be tried."""
    model = Path(shutil.copytree(material.subject / "model", folder / "model"))
    files = sorted(model.iterdir())
    path = chance.choice([*files, *[model / "model.json"] * len(files)])
    what = damaged_file(path, chance)
    if path.name != "model.json" and chance.random() < 0.8:
        manifest = json.loads((model / "model.json").read_bytes())
        name = ".".join(part for i, part in enumerate(path.name.split(".")) if i != 1)
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        manifest["hashes"][name] = content
        path.rename(path.with_name(path.name.replace(path.name.split(".")[1], content[:12])))
        (model / "model.json").write_text(json.dumps(manifest))
        what += ", hash made to fit"
    return Case(f"performer {what}", ["transfer", str(model), str(material.videos[0]), "--out", str(folder / "o.mp4")])


CASES: dict[str, Callable[[Material, Path, random.Random], Case]] = {
    "videos": video_case,
    "poses": pose_case,
    "performers": performer_case,
}


def run(arguments: list[str], log: Path, limit_bytes: int | None = LIMIT_BYTES) -> Outcome:
    """Run a command in a fork of this process, within limits."""
    log.mkdir(exist_ok=True)
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        os._exit(_child(arguments, log, limit_bytes))
    code = None
    while time.monotonic() - began < LIMIT_SECONDS:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            break
        time.sleep(0.01)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    stdout, stderr = ((log / name).read_text(errors="replace") for name in ("stdout", "stderr"))
    return Outcome(code, stdout, stderr, time.monotonic() - began)


def _child(arguments: list[str], log: Path, limit_bytes: int | None) -> int:
    """Never returns to the code that forked: whatever happens becomes an exit code."""
    try:
        with (log / "stdout").open("w") as stdout, (log / "stderr").open("w") as stderr:
            os.dup2(stderr.fileno(), 2)  # what C libraries say
            with redirect_stdout(stdout), redirect_stderr(stderr):
                if limit_bytes is not None:
                    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                    resource.setrlimit(resource.RLIMIT_AS, (used + limit_bytes, used + limit_bytes))
                os.environ["EVERYBODY_DANCE_CACHE"] = str(log / "cache")
                return dance(arguments)
    except BaseException as error:
        (log / "stderr").open("a").write(f"Traceback: {error!r}")
        return 99


def fuzz(
    material: Material, kind: str, count: int, seed: int, keep: Path | None = None, say: Callable[[str], None] = print
) -> list[Outcome]:
    """Run ``count`` cases of a kind; returns how each went.

    Args:
        material: to damage.
        kind: in ``CASES``.
        count: of cases.
        seed: the same seed makes the same damages.
        keep: a folder for the files of the faults.
        say: told each fault.
    """
    outcomes = []
    for number in range(count):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            case = CASES[kind](material, folder, random.Random(f"{seed} {kind} {number}"))
            outcome = run([*case.arguments, "--json"], folder / "log")
            outcomes.append(outcome)
            if outcome.fault is not None:
                say(f"{kind} {number}, {case.name}: {outcome.fault}")
                if keep is not None:
                    shutil.copytree(folder, keep / f"{kind}-{number}")
    return outcomes


def main() -> int:
    """Fuzz, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind, count in (("videos", 500), ("poses", 200), ("performers", 100)):
        parser.add_argument(f"--{kind}", type=int, default=count)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    faults = 0
    with tempfile.TemporaryDirectory() as place:
        material = make_material(Path(place) / "material")
        for kind in CASES:
            began, count = time.monotonic(), getattr(options, kind)
            outcomes = fuzz(material, kind, count, options.seed, options.keep)
            wrong = sum(outcome.fault is not None for outcome in outcomes)
            used = sum(outcome.code == 0 for outcome in outcomes)
            print(f"{count} {kind} in {time.monotonic() - began:.0f} s: {used} used, {wrong} faults", flush=True)
            faults += wrong
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
