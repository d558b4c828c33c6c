"""Trainings, jobs and a studio that are killed go on cleanly: short runs of the scripts that kill them."""

import subprocess
import sys
from pathlib import Path

from subjects import make_subject
from worlds import LittleWorld

SCRIPT = Path(__file__).parent.parent / "scripts" / "kill_training.py"


def test_four_kills(tmp_path: Path) -> None:
    subject = make_subject(tmp_path / "subject")
    command = [sys.executable, str(SCRIPT), str(subject.folder), "--kills", "4", "--steps", "60"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("4 kills; every weight equals that of a training that ran through.\n")


def test_three_kills_of_a_studio() -> None:
    command = [sys.executable, str(SCRIPT.with_name("kill_studio.py")), "--kills", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("3 kills; ")
    assert done.stdout.endswith("each done once, and everything is whole.\n")


def test_jobs_survive_kills_of_the_program(little_world: LittleWorld) -> None:
    """A short run of scripts/kill_jobs.py."""
    videos = [str(little_world.target), str(little_world.source)]
    poses = ["--pose", little_world.target_pose, "--source-pose", little_world.source_pose]
    command = [sys.executable, str(SCRIPT.with_name("kill_jobs.py")), *videos, *poses, "--kills", "4", "--steps", "30"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("every job was done, once.\n")
