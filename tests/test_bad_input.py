"""What users bring and what happens on the way: one or two plain sentences, an exit code, and nothing lost."""

import errno
import json
import os
import signal
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from everybody_dance import files
from everybody_dance.subject.folder import PREPARING, locked
from everybody_dance.training.checkpoint import newest
from everybody_dance.video.reader import VideoReader
from subjects import picture, swaying, wall
from worlds import (
    SOURCE_FRAMES,
    TARGET_FRAMES,
    LittleWorld,
    Outcome,
    dance,
    finish,
    start,
    write_openpose,
    write_person,
    write_video,
)

pytestmark = pytest.mark.usefixtures("detected_once")


def failed(outcome: Outcome, code: str) -> str:
    """The message of a command that must have failed with ``code``; it is short and also on stderr."""
    assert outcome.code == 1, outcome.stderr
    assert outcome.error[0] == code, outcome.error
    message = outcome.error[1]
    assert message in outcome.stderr
    assert len(message) < 300
    assert "\n" not in message
    return message


def truncated(path: Path, cut: Path, share: float) -> Path:
    data = path.read_bytes()
    cut.write_bytes(data[: round(len(data) * share)])
    return cut


@pytest.mark.parametrize("missing", ["footage", "source", "subject"])
def test_missing_file(little_world: LittleWorld, tmp_path: Path, missing: str) -> None:
    nowhere = tmp_path / "nowhere.mp4"
    if missing == "footage":
        outcome = dance("prepare", nowhere, "--out", tmp_path / "s", "--json")
        also = dance("run", little_world.source, nowhere, "--out", tmp_path / "o.mp4", "--json")
        assert str(nowhere) in failed(also, "file-not-found")
    elif missing == "source":
        outcome = dance("transfer", little_world.subject, nowhere, "--out", tmp_path / "o.mp4", "--json")
        also = dance("run", nowhere, little_world.target, "--out", tmp_path / "o.mp4", "--json")
        assert str(nowhere) in failed(also, "file-not-found")
    else:
        failed(dance("train", nowhere, "--json"), "no-subject")
        failed(dance("transfer", nowhere, little_world.source, "--out", tmp_path / "o.mp4", "--json"), "no-model")
        return
    assert str(nowhere) in failed(outcome, "file-not-found")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"just words\n" * 100, "not-a-video"),
        (b"", "not-a-video"),
        (None, "no-frames"),  # a whole index, and no picture behind it
    ],
)
def test_what_is_no_video(little_world: LittleWorld, tmp_path: Path, content: bytes | None, code: str) -> None:
    bad = tmp_path / "bad.mp4"
    if content is None:
        data = little_world.source.read_bytes()
        content = data[: data.index(b"mdat") + 4]
    bad.write_bytes(content)
    failed(dance("prepare", bad, "--out", tmp_path / "s", "--json"), code)
    failed(dance("transfer", little_world.subject, bad, "--out", tmp_path / "o.mp4", "--json"), code)
    failed(dance("run", bad, little_world.target, "--out", tmp_path / "o.mp4", "--json"), code)
    failed(dance("run", little_world.source, bad, "--out", tmp_path / "o.mp4", "--json"), code)
    assert list(tmp_path.iterdir()) == [bad]


def test_nobody_anywhere(little_world: LittleWorld, tmp_path: Path) -> None:
    empty, pose = write_person(tmp_path / "empty.mp4", TARGET_FRAMES, seen=lambda index: False)
    failed(dance("prepare", empty, "--out", tmp_path / "s", "--pose", pose, "--json"), "no-person")
    outcome = dance("transfer", little_world.subject, empty, "--out", tmp_path / "o.mp4", "--pose", pose, "--json")
    failed(outcome, "no-person")
    assert not (tmp_path / "s").exists()
    assert not (tmp_path / "o.mp4").exists()


@pytest.mark.slow
def test_nobody_for_the_real_detector(tmp_path: Path) -> None:
    empty = write_video(tmp_path / "empty.mp4", [wall()] * 5)
    failed(dance("prepare", empty, "--out", tmp_path / "s", "--json"), "no-person")


def test_somebody_in_some_frames(little_world: LittleWorld, tmp_path: Path) -> None:
    clip, pose = write_person(tmp_path / "clip.mp4", 90, seen=lambda index: not 30 <= index < 60)
    outcome = dance("prepare", clip, "--out", tmp_path / "s", "--pose", pose, "--json")
    assert outcome.code == 0, outcome.stderr
    assert any("30 of 90 frames" in warning for warning in outcome.report["warnings"])
    trained = dance("train", tmp_path / "s", "--preset", "debug", "--steps", 3, "--json")
    assert trained.code == 0, trained.stderr
    out = tmp_path / "out.mp4"
    outcome = dance("transfer", little_world.subject, clip, "--out", out, "--pose", pose, "--json")
    assert outcome.code == 0, outcome.stderr
    counted = outcome.report["metrics"]["transfer"]
    assert (counted["frames"], counted["without_person"], counted["unlike_share"]) == (90, 30, 0)
    with VideoReader(out) as reader:
        frames = list(reader)
    # The empty place is shown where nobody dances.
    assert np.abs(frames[45].astype(int) - wall()).mean() < 4


def test_one_frame(little_world: LittleWorld, tmp_path: Path) -> None:
    clip, pose = write_person(tmp_path / "one.mp4", 1)
    failed(dance("prepare", clip, "--out", tmp_path / "s", "--pose", pose, "--json"), "too-short")
    out = tmp_path / "out.mp4"
    outcome = dance("transfer", little_world.subject, clip, "--out", out, "--pose", pose, "--json")
    assert outcome.code == 0, outcome.stderr
    assert outcome.report["metrics"]["transfer"]["frames"] == 1


def test_longer_than_an_hour(little_world: LittleWorld, tmp_path: Path) -> None:
    """At two frames a minute, so that the test is not."""
    frames, fps = 130, Fraction(1, 30)
    clip, pose = write_person(tmp_path / "long.mp4", frames)
    with VideoReader(clip) as reader:
        clip = write_video(tmp_path / "longer.mp4", reader, fps)
    out = tmp_path / "out.mp4"
    outcome = dance("transfer", little_world.subject, clip, "--out", out, "--pose", pose, "--json")
    assert outcome.code == 0, outcome.stderr
    with VideoReader(out) as reader:
        assert reader.info.duration > 3600
        assert outcome.report["metrics"]["transfer"]["frames"] == frames


@pytest.mark.slow
def test_4k_portrait(little_world: LittleWorld, tmp_path: Path) -> None:
    keypoints = swaying(31, (270, 480))
    pose = write_openpose(tmp_path / "poses", keypoints.scaled_to((2160, 3840)))
    small = [picture(keypoints, index) for index in range(4)]
    clip = write_video(tmp_path / "phone.mp4", (small[index % 4].repeat(8, 0).repeat(8, 1) for index in range(31)))
    outcome = dance("prepare", clip, "--out", tmp_path / "s", "--pose", pose, "--holdout", 0, "--json")
    assert outcome.code == 0, outcome.stderr
    shape = outcome.report["metrics"]["subject"]
    assert (shape["width"], shape["height"]) == (288, 512)
    out = tmp_path / "out.mp4"
    outcome = dance("transfer", little_world.subject, clip, "--out", out, "--pose", pose, "--json")
    assert outcome.code == 0, outcome.stderr


def test_a_truncated_video_is_used_as_far_as_it_goes(little_world: LittleWorld, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 40, (80, *wall().shape), np.uint8)
    whole = write_video(tmp_path / "whole.mp4", (wall() // 2 + grain for grain in noise))
    cut = truncated(whole, tmp_path / "cut.mp4", 0.7)
    with VideoReader(cut) as reader:
        readable = sum(1 for _ in reader)
    assert 40 < readable < 70
    _, pose = write_person(tmp_path / "poses.mp4", readable)
    outcome = dance("prepare", cut, "--out", tmp_path / "s", "--pose", pose, "--json")
    assert outcome.code == 0, outcome.stderr
    assert any(f"{readable} of its 80 frames" in warning for warning in outcome.report["warnings"])
    assert outcome.report["metrics"]["subject"]["frames"] == readable


@pytest.mark.parametrize("damage", ["weights", "manifest", "missing", "foreign", "pickle"])
def test_a_corrupt_or_foreign_performer(little_world: LittleWorld, tmp_path: Path, damage: str) -> None:
    model = little_world.copy_of_subject(tmp_path / "s") / "model"
    (weights,), manifest = model.glob("generator.*.safetensors"), model / "model.json"
    if damage == "weights":
        data = bytearray(weights.read_bytes())
        data[len(data) // 2] ^= 1
        weights.write_bytes(data)
    elif damage == "manifest":
        manifest.write_text(manifest.read_text()[:-40])
    elif damage == "missing":
        weights.unlink()
    elif damage == "foreign":
        manifest.write_text('{"name": "another program\'s model"}')
    else:
        weights.write_bytes(b"\x80\x04cposix\nsystem\n.")
    outcome = dance("transfer", tmp_path / "s", little_world.source, "--out", tmp_path / "o.mp4", "--json")
    failed(outcome, "bad-model")


def test_a_corrupt_checkpoint(little_world: LittleWorld, tmp_path: Path) -> None:
    """The one before is taken; with none left, the user is told what to do, and it works."""
    subject = little_world.copy_of_subject(tmp_path / "s")
    arguments = ["train", subject, "--preset", "debug", "--json", "--steps"]
    assert dance(*arguments, 6).code == 0
    checkpoints = sorted((subject / "training").glob("main-*.safetensors"))
    assert len(checkpoints) == 2
    truncated(checkpoints[1], checkpoints[1], 0.5)
    assert dance(*arguments, 6).code == 0
    for path in (subject / "training").glob("main-*.safetensors"):
        path.write_bytes(b"nothing of ours")
    assert "--restart" in failed(dance(*arguments, 6), "bad-checkpoint")
    assert dance(*arguments, 2, "--restart").code == 0


@pytest.mark.parametrize("content", ["", "{}", "[1, 2]", '{"version": "one"}'])
def test_a_corrupt_subject(little_world: LittleWorld, tmp_path: Path, content: str) -> None:
    subject = little_world.copy_of_subject(tmp_path / "s")
    (subject / "subject.json").write_text(content)
    failed(dance("train", subject, "--json"), "bad-subject")


def test_missing_frames_of_a_subject(little_world: LittleWorld, tmp_path: Path) -> None:
    subject = little_world.copy_of_subject(tmp_path / "s")
    for path in (subject / "frames").iterdir():
        path.unlink()
    failed(dance("train", subject, "--preset", "debug", "--steps", 5, "--restart", "--json"), "bad-subject")


def test_a_subject_of_a_newer_version(little_world: LittleWorld, tmp_path: Path) -> None:
    subject = little_world.copy_of_subject(tmp_path / "s")
    manifest: dict[str, Any] = json.loads((subject / "subject.json").read_text())
    manifest |= {"version": 99, "unheard_of": True}
    (subject / "subject.json").write_text(json.dumps(manifest))
    arguments = [little_world.target, "--out", subject, "--pose", little_world.target_pose, "--json"]
    for outcome in (dance("train", subject, "--json"), dance("prepare", *arguments)):
        assert "newer version" in failed(outcome, "newer-version")
    assert json.loads((subject / "subject.json").read_text()) == manifest


def test_a_performer_of_a_newer_version(little_world: LittleWorld, tmp_path: Path) -> None:
    subject = little_world.copy_of_subject(tmp_path / "s")
    manifest: dict[str, Any] = json.loads((subject / "model" / "model.json").read_text())
    (subject / "model" / "model.json").write_text(json.dumps(manifest | {"version": 99, "unheard_of": True}))
    outcome = dance("transfer", subject, little_world.source, "--out", tmp_path / "o.mp4", "--json")
    failed(outcome, "newer-version")


@pytest.mark.parametrize("command", ["prepare", "train", "transfer"])
def test_a_full_disk(little_world: LittleWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """What was there before is whole, nothing half-written stays, and once there is room the same command works."""
    subject = little_world.copy_of_subject(tmp_path / "s")
    out = tmp_path / "out.mp4"
    out.write_bytes(b"the result of yesterday")
    before = {path: path.read_bytes() for path in (*(subject / "model").iterdir(), out)}
    arguments: list[Any] = {
        "prepare": [little_world.target, "--out", subject, "--pose", little_world.target_pose, "--height", 96],
        "train": [subject, "--preset", "debug", "--steps", 6],
        "transfer": [subject, little_world.source, "--out", out, "--pose", little_world.source_pose],
    }[command]

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        patch.setattr(files.os, "fsync", full)
        message = failed(dance(command, *arguments, "--json"), "disk-full")
    assert "disk is full" in message
    assert {path: path.read_bytes() for path in before} == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert [path.name for path in subject.rglob(".*")] == [files.LOCK]
    again = dance(command, *arguments, "--json")
    assert again.code == 0, again.stderr


def test_two_trainings_on_one_folder(little_world: LittleWorld, tmp_path: Path) -> None:
    subject = little_world.copy_of_subject(tmp_path / "s")
    log = subject / "training" / "log.jsonl"
    log.unlink(missing_ok=True)  # written by the training that the copied subject has had
    first = start("train", subject, "--preset", "debug", "--steps", 100_000)
    try:
        while first.poll() is None and not log.exists():
            time.sleep(0.05)
        failed(dance("train", subject, "--preset", "debug", "--json"), "already-training")
        failed(dance("train", subject, "--preset", "debug", "--restart", "--json"), "already-training")
        assert first.poll() is None
    finally:
        first.send_signal(signal.SIGINT)
        assert finish(first).code == 130


def test_a_killed_training_leaves_no_lock_behind(little_world: LittleWorld, tmp_path: Path) -> None:
    subject = little_world.copy_of_subject(tmp_path / "s")
    with locked(subject):
        failed(dance("train", subject, "--preset", "debug", "--steps", 5, "--json"), "already-training")
    assert dance("train", subject, "--preset", "debug", "--steps", 5, "--json").code == 0
    assert newest(subject / "training", "main") is not None


def test_interrupted_transfer_leaves_the_old_result(little_world: LittleWorld, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"the result of yesterday")
    clip, pose = write_person(tmp_path / "clip.mp4", 3)
    with VideoReader(clip) as reader:
        pictures = list(reader)
    clip = write_video(tmp_path / "long.mp4", (pictures[index % 3] for index in range(400)))
    pose = _long_poses(tmp_path / "poses", Path(pose.removeprefix("openpose:")), 400)
    process = start("transfer", little_world.subject, clip, "--out", out, "--pose", pose, "--json")
    while process.poll() is None and not any(path.name.startswith(".dance-") for path in tmp_path.iterdir()):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    outcome = finish(process)
    assert outcome.code == 130, outcome.stderr
    assert outcome.error[0] == "interrupted"
    assert out.read_bytes() == b"the result of yesterday"
    assert not any(path.name.startswith(".dance-") for path in tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_interrupted_preparation(tmp_path: Path, seconds: float) -> None:
    """As a terminal does it: every process of the group gets the signal, at whatever point."""
    clip = write_video(tmp_path / "clip.mp4", (wall((640, 480)) for _ in range(200)))
    process = start("prepare", clip, "--out", tmp_path / "s", "--json")
    while process.poll() is None and not (tmp_path / "s" / PREPARING).exists():
        time.sleep(0.02)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    outcome = finish(process)
    assert outcome.code == 130, outcome.stderr
    assert outcome.error[0] == "interrupted"
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_writing_over_the_source_is_refused(little_world: LittleWorld, tmp_path: Path) -> None:
    before = little_world.source.read_bytes()
    outcome = dance("transfer", little_world.subject, little_world.source, "--out", little_world.source, "--json")
    assert outcome.code == 2
    assert outcome.error[0] == "overwrites-input"
    assert little_world.source.read_bytes() == before


def test_openpose_files_that_do_not_fit(little_world: LittleWorld, tmp_path: Path) -> None:
    clip, _ = write_person(tmp_path / "clip.mp4", SOURCE_FRAMES - 1)
    arguments = [clip, "--out", tmp_path / "o.mp4", "--pose", little_world.source_pose, "--json"]
    failed(dance("transfer", little_world.subject, *arguments), "bad-poses")
    arguments[4] = f"openpose:{tmp_path / 'nowhere'}"
    outcome = dance("transfer", little_world.subject, *arguments)
    assert outcome.code in (1, 2)
    assert str(tmp_path / "nowhere") in outcome.error[1]


def test_what_else_is_in_a_folder_is_not_touched(little_world: LittleWorld, tmp_path: Path) -> None:
    (tmp_path / "holiday" / "frames").mkdir(parents=True)
    (tmp_path / "holiday" / "photo.jpg").write_bytes(b"precious")
    arguments = [little_world.target, "--out", tmp_path / "holiday", "--pose", little_world.target_pose, "--json"]
    failed(dance("prepare", *arguments), "not-a-subject")
    assert (tmp_path / "holiday" / "photo.jpg").read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == ["holiday"]


def _long_poses(folder: Path, few: Path, count: int) -> str:
    folder.mkdir()
    files_ = sorted(few.iterdir())
    for index in range(count):
        os.link(files_[index % len(files_)], folder / f"clip_{index:012d}_keypoints.json")
    return f"openpose:{folder}"
