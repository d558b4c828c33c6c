"""scripts/gpu_day.py on the CPU, with small numbers: every part writes its figures, a slow one costs no other."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from subjects import make_subject

SCRIPT = Path(__file__).parents[1] / "scripts" / "gpu_day.py"


def run(subject: Path, out: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    # On a CPU, perhaps a busy one, a part may take as long as it needs, unless a test says otherwise.
    command = [sys.executable, str(SCRIPT), str(subject), "--out", str(out), "--patience", "10", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=580, check=False)


@pytest.mark.timeout(600)
def test_a_day_without_a_gpu(tmp_path: Path) -> None:
    subject = make_subject(tmp_path / "s")
    parts = ("tests", "engine fast", "generators", "train fast")
    done = run(
        subject.folder,
        tmp_path / "out",
        "--minutes",
        0.03,
        "--steps",
        1,
        "--frames",
        2,
        "--held-out",
        3,
        "--parts",
        *parts,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "out" / "gpu_day.json").read_text())
    assert list(report["parts"]) == list(parts)
    assert "skipped" in report["parts"]["tests"]["said"] or "passed" in report["parts"]["tests"]["said"]
    assert report["parts"]["engine fast"]["reference"]["ratio"] == 1
    assert report["parts"]["generators"]["fast"]["eager"] > report["parts"]["generators"]["paper-512"]["eager"]
    trained = report["parts"]["train fast"]
    assert trained["steps"] > 0
    assert set(trained["held out"]) == {"result", "nearest_neighbor", "background"}
    sheet = cv2.imdecode(np.fromfile(tmp_path / "out" / "fast.jpg", np.uint8), cv2.IMREAD_COLOR)
    assert sheet.shape[0] == 900
    assert sheet.std() > 10
    assert not (subject.folder / "model").exists()


def test_a_part_that_fails_is_said_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    done = run(tmp_path / "nothing", tmp_path / "out", "--frames", 1, "--parts", "engine fast", "generators")
    assert done.returncode == 1
    report = json.loads((tmp_path / "out" / "gpu_day.json").read_text())
    assert "no prepared subject" in report["parts"]["engine fast"]["failed"]
    assert "eager" in report["parts"]["generators"]["fast"]


def test_a_part_that_is_too_slow_is_stopped_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    done = run(tmp_path / "nothing", tmp_path / "out", "--patience", 0.001, "--parts", "engine fast", "generators")
    assert done.returncode == 1
    report = json.loads((tmp_path / "out" / "gpu_day.json").read_text())
    assert [found["failed"] for found in report["parts"].values()] == ["it took longer than 0 s"] * 2
