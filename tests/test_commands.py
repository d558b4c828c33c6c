"""The command line: exit codes, the JSON report, picking up what is done, no tracebacks."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from everybody_dance.commands.bars import clock, figures
from everybody_dance.commands.main import COMMANDS, app
from everybody_dance.commands.options import PresetName, Smoothing
from everybody_dance.events import Progress
from everybody_dance.pose.filtering import SMOOTHINGS
from everybody_dance.training.presets import PRESETS
from everybody_dance.video.provenance import made_by_ai
from everybody_dance.video.reader import VideoReader
from worlds import SOURCE_FRAMES, TARGET_FRAMES, LittleWorld, dance, finish, start

pytestmark = pytest.mark.usefixtures("detected_once")

KEYS = {"command", "ok", "outputs", "metrics", "warnings", "findings", "seconds"}


def test_help_is_quick() -> None:
    """Nothing heavy is loaded to show help."""
    code = (
        "import sys; from everybody_dance.commands.main import main; assert main(['--help']) == 0; "
        "heavy = {'torch', 'av', 'mediapipe', 'cv2', 'numpy', 'scipy', 'skimage'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [command.__name__ for command in COMMANDS])
def test_every_command_has_help_json_and_debug(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "--json" in result.output
    assert "--debug" in result.output


def test_no_arguments_show_the_help() -> None:
    outcome = dance()
    assert outcome.code == 0
    assert "prepare" in outcome.stdout


def test_version() -> None:
    assert dance("--version").stdout.startswith("everybody-dance ")


def test_names_agree_with_what_they_name() -> None:
    assert {name.value for name in PresetName} == set(PRESETS)
    assert tuple(name.value for name in Smoothing) == SMOOTHINGS


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["train"],
        ["train", "s", "--minutes", "0"],
        ["train", "s", "--minutes", "nan"],
        ["train", "s", "--steps", "0"],
        ["train", "s", "--steps", "3", "--minutes", "3"],
        ["train", "s", "--preset", "huge"],
        ["train", "s", "--vgg-weights", "f", "--download-vgg"],
        ["prepare", "v.mp4"],
        ["prepare", "v.mp4", "--out", "s", "--fps", "0"],
        ["prepare", "v.mp4", "--out", "s", "--fps", "fast"],
        ["prepare", "v.mp4", "--out", "s", "--pose", "openpose:"],
        ["prepare", "v.mp4", "--out", "s", "--pose", "magic"],
        ["prepare", "v.mp4", "--out", "s", "--height", "1"],
        ["prepare", "v.mp4", "--out", "s", "--holdout", "-1"],
        ["transfer", "s", "v.mp4", "--out", "result.gif"],
        ["transfer", "s", "v.mp4", "--out", "r.mp4", "--smooth", "much"],
        ["run", "a.mp4", "b.mp4"],
    ],
)
def test_wrong_usage_exits_with_2_before_any_work(arguments: list[str]) -> None:
    plain = dance(*arguments)
    assert plain.code == 2
    assert plain.stdout == ""
    assert plain.stderr.startswith("Error: ")
    assert len(plain.stderr.strip().splitlines()) <= 2
    outcome = dance(*arguments, "--json")
    assert outcome.code == 2
    assert outcome.report.keys() == KEYS | {"error"}
    assert outcome.report["command"] == (arguments[0] if arguments[0] != "nonsense" else "")
    assert outcome.error[1]


def test_doctor_finds_what_the_package_needs() -> None:
    outcome = dance("doctor", "--json")
    assert outcome.code == 0, outcome.stderr
    assert outcome.report.keys() == KEYS
    metrics = outcome.report["metrics"]
    assert metrics["cores"] >= 1
    assert metrics["video_writes"] == ["h264"]
    assert metrics["pose"].startswith("mediapipe")
    assert "cores" in dance("doctor").stdout


def test_prepare_reports_and_does_nothing_twice(little_world: LittleWorld, tmp_path: Path) -> None:
    arguments = ["prepare", little_world.target, "--out", tmp_path / "s", "--pose", little_world.target_pose, "--json"]
    first = dance(*arguments)
    assert first.code == 0, first.stderr
    assert first.report.keys() == KEYS
    assert first.report["ok"] is True
    assert first.report["outputs"] == {"subject": str(tmp_path / "s")}
    assert first.report["metrics"]["subject"]["frames"] == TARGET_FRAMES
    assert first.report["metrics"]["subject"]["held_out"] == TARGET_FRAMES // 10
    before = (tmp_path / "s" / "subject.json").stat().st_mtime_ns
    second = dance(*arguments)
    assert second.report["metrics"] == first.report["metrics"]
    assert (tmp_path / "s" / "subject.json").stat().st_mtime_ns == before


def test_train_measures_what_was_held_out(little_world: LittleWorld, tmp_path: Path) -> None:
    subject = little_world.copy_of_subject(tmp_path / "s")
    outcome = dance("train", subject, "--preset", "debug", "--steps", 4, "--no-face", "--json")
    assert outcome.code == 0, outcome.stderr
    report = outcome.report
    assert set(report["outputs"]) == {"model", "metrics"}
    assert report["metrics"]["steps"] == 4
    written = json.loads((subject / "training" / "metrics.json").read_text())
    assert set(written) == {"result", "nearest_neighbor", "background"}
    for name, scores in written.items():
        assert report["metrics"][name] == scores
        assert -1 <= scores["body"]["ssim"] <= 1
    more = dance("train", subject, "--preset", "debug", "--steps", 6, "--refine", "none")
    assert more.code == 0, more.stderr
    assert "nearest training frame" in more.stdout
    assert json.loads((subject / "model" / "model.json").read_text())["steps"] == 6


def test_training_with_another_seed_is_refused_unless_restarted(little_world: LittleWorld, tmp_path: Path) -> None:
    subject = little_world.copy_of_subject(tmp_path / "s")
    arguments = ["train", subject, "--preset", "debug", "--steps", 4, "--seed", 1]
    outcome = dance(*arguments, "--json")
    assert outcome.code == 1
    assert outcome.error[0] == "other-training"
    assert dance(*arguments, "--restart").code == 0


def test_a_training_that_is_done_says_so(little_world: LittleWorld, tmp_path: Path) -> None:
    subject = little_world.copy_of_subject(tmp_path / "s")
    outcome = dance("train", subject, "--preset", "debug", "--steps", 4)
    assert outcome.code == 0, outcome.stderr
    assert "Nothing was left to train" in outcome.stderr


def test_a_device_that_is_not_there(little_world: LittleWorld, tmp_path: Path) -> None:
    subject = little_world.copy_of_subject(tmp_path / "s")
    for arguments in (["train", subject], ["transfer", subject, little_world.source, "--out", tmp_path / "o.mp4"]):
        outcome = dance(*arguments, "--device", "abacus", "--json")
        assert outcome.code == 2
        assert outcome.error[0] == "no-device"


def test_transfer_gives_one_frame_for_each_of_the_source(little_world: LittleWorld, tmp_path: Path) -> None:
    out = tmp_path / "new folder" / "out.mp4"
    arguments = [little_world.source, "--out", out, "--pose", little_world.source_pose, "--compare", "--json"]
    outcome = dance("transfer", little_world.subject, *arguments)
    assert outcome.code == 0, outcome.stderr
    assert outcome.report["outputs"] == {"result": str(out), "comparison": str(out.with_suffix(".comparison.mp4"))}
    assert outcome.report["metrics"]["transfer"]["frames"] == SOURCE_FRAMES
    for path in outcome.report["outputs"].values():
        assert made_by_ai(Path(path))
        with VideoReader(Path(path)) as reader:
            assert sum(1 for _ in reader) == SOURCE_FRAMES


@pytest.mark.parametrize("trained", [True, False])
def test_the_preview_of_the_normalization_needs_no_training(
    little_world: LittleWorld, tmp_path: Path, trained: bool
) -> None:
    folder = little_world.subject / "model"
    if not trained:
        folder = little_world.copy_of_subject(tmp_path / "s")
        for path in (folder / "model").iterdir():
            path.unlink()
    out = tmp_path / "out.mp4"
    outcome = dance(
        *("transfer", folder, little_world.source, "--out", out, "--pose", little_world.source_pose),
        *("--preview-normalization", "--json"),
    )
    assert outcome.code == 0, outcome.stderr
    assert outcome.report["outputs"] == {"preview": str(tmp_path / "out.normalization.mp4")}
    assert not out.exists()
    with VideoReader(tmp_path / "out.normalization.mp4") as reader:
        assert reader.size[0] == 128 * (2 if trained else 3)


def test_warnings_are_shown_and_collected(little_world: LittleWorld, tmp_path: Path) -> None:
    outcome = dance(
        *("prepare", little_world.target, "--out", tmp_path / "s", "--pose", little_world.target_pose, "--json")
    )
    warnings = outcome.report["warnings"]
    assert any("more would help" in warning for warning in warnings)
    for warning in warnings:
        assert outcome.stderr.count(warning) == 1


def test_debug_shows_where(tmp_path: Path) -> None:
    process = start("train", tmp_path / "nowhere", "--debug", "--json")
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" in stderr
    assert json.loads(stdout)["error"]["code"] == "no-subject"


def test_the_unexpected_is_one_plain_line(little_world: LittleWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a fault\nof ours")

    monkeypatch.setattr("everybody_dance.workflows.train.train_performer", fails)
    outcome = dance("train", little_world.subject, "--json")
    assert outcome.code == 1
    assert outcome.error[0] == "unexpected"
    assert "\n" not in outcome.error[1]
    assert "ZeroDivisionError: a fault" in outcome.error[1]


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_training_is_kept_and_continues(
    little_world: LittleWorld, tmp_path: Path, name: signal.Signals
) -> None:
    subject = little_world.copy_of_subject(tmp_path / "s")
    process = start("train", subject, "--preset", "debug", "--refine", "none", "--steps", 100_000, "--json")
    log = subject / "training" / "log.jsonl"
    first = log.read_text() if log.exists() else ""
    while process.poll() is None and (log.read_text() if log.exists() else "") == first:
        time.sleep(0.05)
    process.send_signal(name)
    outcome = finish(process)
    assert outcome.code == 130, outcome.stderr
    assert outcome.error == ("interrupted", "Interrupted. What was done is kept; the same command continues.")
    reached = max(int(path.stem.rpartition("-")[2]) for path in (subject / "training").glob("main-*.safetensors"))
    assert reached > 4
    again = dance("train", subject, "--preset", "debug", "--refine", "none", "--steps", reached + 1, "--json")
    assert again.code == 0, again.stderr
    assert again.report["metrics"]["steps"] == reached + 1


def test_progress_in_words() -> None:
    assert figures(Progress("", 0, None)) == "0"
    assert figures(Progress("", 120, 480, 90)) == "120 of 480, 1:30 left"
    assert figures(Progress("", 120, 480)) == "120 of 480"
    assert figures(Progress("", 5, 4)) == "5 of 5"
    assert figures(Progress("", 1, 2, 7, "loss 0.1")) == "1 of 2, 0:07 left, loss 0.1"
    assert clock(3723) == "1:02:03"


def test_evaluate_says_what_it_leaves_out(little_world: LittleWorld, tmp_path: Path) -> None:
    subject = little_world.copy_of_subject(tmp_path / "s")
    outcome = dance("evaluate", subject, "--frames", 4, "--json")
    assert outcome.code == 0, outcome.stderr
    assert "not from the built-in detector" in outcome.stderr
    assert "--download-lpips` gets them" in outcome.stderr


def test_evaluate_needs_a_trained_subject(little_world: LittleWorld, tmp_path: Path) -> None:
    subject = little_world.copy_of_subject(tmp_path / "s")
    shutil.rmtree(subject / "model")
    outcome = dance("evaluate", subject, "--json")
    assert outcome.code == 1
    assert outcome.error[0] == "no-model"


def test_benchmark_of_training(little_world: LittleWorld) -> None:
    outcome = dance("benchmark", "train", little_world.subject, "--preset", "debug", "--steps", 1, "--json")
    assert outcome.code == 0, outcome.stderr
    engines = outcome.report["metrics"]["engines"]
    assert list(engines) == ["reference", "+ bfloat16", "+ channels last", "+ fused optimizer", "+ kept memory"]
    assert engines["reference"]["ratio"] == 1
    assert all(engine["pairs_per_second"] > 0 and 0 <= engine["waiting"] <= 1 for engine in engines.values())


@pytest.mark.parametrize("refine", ["nose", "face,face", ""])
def test_refine_names_what_there_is(refine: str) -> None:
    outcome = dance("train", "nowhere", "--refine", refine, "--json")
    assert outcome.code == 2
    assert "face,hands" in outcome.error[1]
