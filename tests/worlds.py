"""The command line in a little world: videos of the swaying stick person, and OpenPose's files for them."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from everybody_dance.commands.main import main
from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.pose.people import Person
from everybody_dance.skeleton import BODY, FACE, LEFT_HAND, RIGHT_HAND
from everybody_dance.video.writer import VideoWriter
from subjects import FPS, SIZE, picture, swaying, wall

TARGET_FRAMES, SOURCE_FRAMES = 50, 12


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        lines = self.stdout.strip().splitlines()
        assert len(lines) == 1, self.stdout
        report: dict[str, Any] = json.loads(lines[0])
        return report

    @property
    def error(self) -> tuple[str, str]:
        """Code and message of a failure."""
        report = self.report
        assert report["ok"] is False
        return report["error"]["code"], report["error"]["message"]


@dataclass(frozen=True)
class LittleWorld:
    """Files that no test changes.

    Attributes:
        folder: holds them all.
    """

    folder: Path

    @property
    def target(self) -> Path:
        """A video."""
        return self.folder / "target.mp4"

    @property
    def target_pose(self) -> str:
        """What ``--pose`` takes for it."""
        return f"openpose:{self.folder / 'target.openpose'}"

    @property
    def source(self) -> Path:
        """A shorter video, of another size."""
        return self.folder / "source.mp4"

    @property
    def source_pose(self) -> str:
        """What ``--pose`` takes for it."""
        return f"openpose:{self.folder / 'source.openpose'}"

    @property
    def subject(self) -> Path:
        """Of ``target``, trained."""
        return self.folder / "subject"

    def copy_of_subject(self, folder: Path) -> Path:
        """A subject to change."""
        return Path(shutil.copytree(self.subject, folder))


def dance(*arguments: str | int | float | Path) -> Outcome:
    """Run a command in this process; no traceback may come out of it."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr):
        code = main([str(argument) for argument in arguments])
    outcome = Outcome(code, stdout.getvalue(), stderr.getvalue())
    assert "Traceback" not in outcome.stderr + outcome.stdout, outcome.stderr
    return outcome


def start(*arguments: str | int | float | Path) -> subprocess.Popen[str]:
    """Start a command as a user does, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "everybody_dance", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"},
    )


def finish(process: subprocess.Popen[str], seconds: float = 120) -> Outcome:
    """Wait for its end; no traceback may come out of it. One that does not end is ended, and says where it was."""
    try:
        stdout, stderr = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        process.wait()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it started, which may hold its pipes
        _, where = process.communicate()
        raise AssertionError(f"It went on for more than {seconds} s, at:\n{where}") from None
    assert "Traceback" not in stderr + stdout, stderr
    return Outcome(process.returncode, stdout, stderr)


def write_video(path: Path, frames: Iterable[NDArray[np.uint8]], fps: Fraction = FPS) -> Path:
    """A video of ``frames``."""
    frames = iter(frames)
    first = next(frames)
    with VideoWriter(path, (first.shape[1], first.shape[0]), fps) as writer:
        writer.write(first)
        for frame in frames:
            writer.write(frame)
    return path


def write_openpose(
    folder: Path,
    keypoints: Keypoints,
    seen: Callable[[int], bool] = lambda index: True,
    also: Keypoints | None = None,
) -> str:
    """OpenPose's files for ``keypoints``, nobody in frames that are not ``seen``; what ``--pose`` takes for them.

    ``also`` is somebody else in every frame.
    """
    folder.mkdir(parents=True)
    parts = {"pose": BODY, "face": FACE, "hand_left": LEFT_HAND, "hand_right": RIGHT_HAND}
    for index in range(len(keypoints)):
        people = []
        for one in (keypoints, also) if also is not None else (keypoints,):
            joints = np.concatenate([one.xy[index], one.confidence[index, :, None]], 1)
            people.append({f"{name}_keypoints_2d": joints[part].ravel().tolist() for name, part in parts.items()})
        content = {"version": 1.3, "people": people if seen(index) else []}
        (folder / f"clip_{index:012d}_keypoints.json").write_text(json.dumps(content))
    return f"openpose:{folder}"


def write_person(
    path: Path, frames: int, size: tuple[int, int] = SIZE, seen: Callable[[int], bool] = lambda index: True
) -> tuple[Path, str]:
    """A video of the swaying person, who is only there in frames that are ``seen``; and what ``--pose`` takes."""
    keypoints = swaying(frames, size)
    pictures = (picture(keypoints, index) if seen(index) else wall(size) for index in range(frames))
    return write_video(path, pictures), write_openpose(path.with_suffix(".openpose"), keypoints, seen)


def make_world(world: LittleWorld) -> None:
    """Make all of its files."""
    world.folder.mkdir()
    write_person(world.target, TARGET_FRAMES)
    write_person(world.source, SOURCE_FRAMES, (160, 120))
    prepared = dance("prepare", world.target, "--out", world.subject, "--pose", world.target_pose)
    assert prepared.code == 0, prepared.stderr
    trained = dance("train", world.subject, "--preset", "debug", "--steps", 4)
    assert trained.code == 0, trained.stderr


PeopleIn: TypeAlias = Callable[[Iterable[Image], bool], Iterator[list[Person]]]
"""The people in frames, with mattes or without."""


class StandInPool:
    """Stands in for ``DetectorPool``; nobody is seen besides the people of ``answer``."""

    def __init__(self, answer: PeopleIn, name: str, workers: int, mattes: bool = False) -> None:
        self._answer, self._mattes = answer, mattes

    def people(self, frames: Iterable[Image]) -> Iterator[list[Person]]:
        return self._answer(frames, self._mattes)

    def everybody(self, frames: Iterable[Image]) -> Iterator[list[Person]]:
        return ([] for _ in frames)

    def __enter__(self) -> "StandInPool":
        return self

    def __exit__(self, *_: object) -> None:
        pass


def answering(people: list[list[Person]]) -> PeopleIn:
    """The same people whatever the frames show, for each frame in turn."""
    return lambda frames, _: (found for _, found in zip(frames, people, strict=True))
