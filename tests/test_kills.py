"""Short runs of the scripts that kill: a training, and a studio, go on cleanly and end as if nothing had happened."""

import subprocess
import sys
from pathlib import Path

from subjects import make_subject

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
