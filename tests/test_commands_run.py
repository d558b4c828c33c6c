"""``dance run``: two videos in, one out, and what is done is picked up by content."""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from everybody_dance.keypoints import Keypoints
from everybody_dance.pose import mediapipe_holistic
from everybody_dance.pose.cache import Entry
from everybody_dance.video.identity import content_identity
from everybody_dance.video.provenance import made_by_ai
from everybody_dance.video.reader import VideoReader
from subjects import swaying
from worlds import SOURCE_FRAMES, TARGET_FRAMES, LittleWorld, Outcome, dance, write_person

pytestmark = pytest.mark.usefixtures("detected_once")


def remember(video: Path, keypoints: Keypoints) -> None:
    """Let the pose detector know the answer: it does not take the stick person for a person."""
    Entry(content_identity(video), mediapipe_holistic.NAME, keypoints.fps).keep(keypoints, ())


@pytest.fixture
def known(little_world: LittleWorld) -> LittleWorld:
    remember(little_world.target, swaying(TARGET_FRAMES))
    remember(little_world.source, swaying(SOURCE_FRAMES, (160, 120)))
    return little_world


def run(world: LittleWorld, out: Path, *more: str | float) -> Outcome:
    return dance("run", world.source, world.target, "--out", out, "--preset", "debug", *more, "--json")


def test_two_videos_make_a_third(known: LittleWorld, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    outcome = run(known, out, "--minutes", 0.01)
    assert outcome.code == 0, outcome.stderr
    subject = tmp_path / "out.subject"
    assert outcome.report["outputs"] == {
        "subject": str(subject),
        "model": str(subject / "model"),
        "metrics": str(subject / "training" / "metrics.json"),
        "result": str(out),
    }
    assert {"subject", "steps", "transfer", "result", "nearest_neighbor", "background"} <= set(
        outcome.report["metrics"]
    )
    assert made_by_ai(out)
    with VideoReader(out) as reader:
        assert sum(1 for _ in reader) == SOURCE_FRAMES
    # Half a second tells nothing of proportions, which is said where the target's are wanted.
    again = run(known, tmp_path / "again.mp4", "--minutes", 0.01, "--subject", str(subject), "--bones", "source")
    said = [{finding["code"] for finding in each.report["findings"]} for each in (outcome, again)]
    assert ["bones-unknown" in codes for codes in said] == [True, False]


def test_frames_and_their_subject_beside_them(known: LittleWorld, tmp_path: Path) -> None:
    outcome = run(known, tmp_path / "frames", "--minutes", 0.01, "--background", "none", "--shadow", "none")
    assert outcome.code == 0, outcome.stderr
    assert outcome.report["outputs"]["subject"] == str(tmp_path / "frames.subject")
    assert len(list((tmp_path / "frames").iterdir())) == SOURCE_FRAMES


@pytest.mark.slow
def test_what_is_done_is_picked_up_by_content(known: LittleWorld, tmp_path: Path) -> None:
    first = run(known, tmp_path / "a.mp4", "--minutes", 0.01, "--subject", str(tmp_path / "s"))
    assert first.code == 0, first.stderr
    prepared = (tmp_path / "s" / "subject.json").read_bytes()
    (weights,) = (tmp_path / "s" / "model").glob("generator.*.safetensors")

    renamed = Path(shutil.copy(known.target, tmp_path / "renamed.mp4"))
    arguments = ["--preset", "debug", "--minutes", 0.01, "--subject", tmp_path / "s", "--json"]
    second = dance("run", known.source, renamed, "--out", tmp_path / "b.mp4", *arguments)
    assert second.code == 0, second.stderr
    assert second.report["metrics"]["steps"] == first.report["metrics"]["steps"]
    assert (tmp_path / "s" / "subject.json").read_bytes() == prepared
    assert weights.is_file()
    assert (tmp_path / "b.mp4").is_file()

    other = tmp_path / "other.mp4"
    other.write_bytes(known.target.read_bytes() + b"\0\0\0\x08free")
    remember(other, swaying(TARGET_FRAMES))
    third = dance("run", known.source, other, "--out", tmp_path / "b.mp4", *arguments)
    assert third.code == 0, third.stderr
    assert any("no longer fits" in warning for warning in third.report["warnings"])
    identities = {json.loads(text)["identity"] for text in (prepared, (tmp_path / "s" / "subject.json").read_bytes())}
    assert len(identities) == 2


def test_a_source_without_a_person_is_refused_before_the_training(known: LittleWorld, tmp_path: Path) -> None:
    remember(known.source, Keypoints.empty(SOURCE_FRAMES, (160, 120), swaying(1).fps))
    outcome = run(known, tmp_path / "out.mp4")
    assert outcome.code == 1
    assert outcome.error[0] == "no-person"
    assert not (tmp_path / "out.subject" / "training").exists()


@pytest.mark.slow
def test_the_demo_with_other_clips(known: LittleWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file and figure; with the little world's clips, because the packaged ones take minutes."""
    truth, _ = write_person(tmp_path / "truth.mp4", SOURCE_FRAMES)
    remember(truth, swaying(SOURCE_FRAMES))
    clips = SimpleNamespace(target=known.target, source=known.source, truth=truth)
    monkeypatch.setitem(sys.modules, "everybody_dance.dancers.clips", SimpleNamespace(CLIPS=clips))
    monkeypatch.chdir(tmp_path)
    outcome = dance("demo", "--minutes", 0.01, "--json")
    assert outcome.code == 0, outcome.stderr
    folder = Path("dance-demo")
    assert {"result", "comparison", "metrics", "subject", "model"} == set(outcome.report["outputs"])
    with VideoReader(folder / "comparison.mp4") as comparison:
        assert sum(1 for _ in comparison) == SOURCE_FRAMES
        assert comparison.size[0] > 3 * 128
    written = json.loads((folder / "metrics.json").read_text())
    for scores in (written, written["held_out"]):
        for name in ("result", "nearest_neighbor", "background"):
            assert -1 <= scores[name]["body"]["ssim"] <= 1
    assert outcome.report["metrics"].items() >= written.items()
    for name in ("result.mp4", "comparison.mp4", "metrics.json"):
        assert name in outcome.stderr
