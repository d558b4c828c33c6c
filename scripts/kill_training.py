"""Kill a training at random moments, over and over: it must resume cleanly, and end as if nothing had happened.

    python scripts/kill_training.py SUBJECT [--kills 50] [--steps 400]

SUBJECT is a prepared folder; a copy of it is trained with the ``debug`` preset, killed (SIGKILL) and started again.
Checkpoints are saved far more often than usual, so that many kills fall into a save. In the end the weights must equal,
bit for bit, those of a training that ran through.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from everybody_dance.performer.model_files import load_performer
from everybody_dance.training import checkpoint

OFTEN = """
import sys
from everybody_dance.training import loop
loop.CHECKPOINT_SECONDS = 0.05
from everybody_dance.commands.main import main
sys.exit(main())
"""


def start(subject: Path, steps: int) -> subprocess.Popen[str]:
    """`dance train` with checkpoints twenty times a second."""
    arguments = ["train", str(subject), "--preset", "debug", "--steps", str(steps), "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", OFTEN, *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)


def copied(subject: Path, folder: Path) -> Path:
    """The prepared footage without what was trained on it."""
    return Path(shutil.copytree(subject, folder, ignore=shutil.ignore_patterns("training", "model")))


def finished(process: subprocess.Popen[str]) -> None:
    """Wait for the end and insist on success."""
    _, errors = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"A training that was not killed failed:\n{errors}")


def reached(folder: Path) -> tuple[str, int]:
    """The stage and step that the next run goes on from."""
    for stage in ("face", "main"):
        found = checkpoint.newest(folder, stage)
        if found is not None:
            return stage, found[1].step
    return "main", 0


def main() -> None:
    """Kill, look, start again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("subject", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)

    with tempfile.TemporaryDirectory() as place:
        whole, killed = copied(options.subject, Path(place) / "whole"), copied(options.subject, Path(place) / "killed")
        began = time.monotonic()
        finished(start(whole, options.steps))
        seconds = time.monotonic() - began
        kills = 0
        while kills < options.kills:
            process = start(killed, options.steps)
            try:
                process.wait(chance.uniform(0.3, 1.2) * seconds / 2)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
                print(f"kill {kills}: goes on from", *reached(killed / "training"), flush=True)
            else:
                finished(process)
                # It got to the end between two kills: once more from the beginning.
                shutil.rmtree(killed)
                copied(options.subject, killed)
        finished(start(killed, options.steps))
        one, other = (load_performer(folder, "cpu") for folder in (whole, killed))
        networks = [
            (one.painter, other.painter),
            *((one.refiners[part], other.refiners[part]) for part in one.refiners),
        ]
        for ours, theirs in networks:
            for name, value in ours.state_dict().items():
                if not torch.equal(value, theirs.state_dict()[name]):
                    raise SystemExit(f"{name} differs from a training that ran through.")
        print(f"{kills} kills; every weight equals that of a training that ran through.")


if __name__ == "__main__":
    main()
