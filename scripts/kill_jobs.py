"""Kill a queue of jobs at random moments, over and over: no job may be lost or done twice, whatever it was doing.

    python scripts/kill_jobs.py FOOTAGE SOURCE [--pose ...] [--source-pose ...] [--kills 20] [--steps 60]

FOOTAGE is prepared, trained with the ``debug`` preset and made to dance SOURCE, by a program that only runs the queue
and is killed (SIGKILL) and started again, while its workers are left to themselves. In the end every job must be done,
once, the database sound, and the result whole.
"""

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

from everybody_dance.jobs.queue import JobQueue
from everybody_dance.jobs.store import FILE, JobStore
from everybody_dance.synthesis.config import TransferConfig
from everybody_dance.training.config import TrainConfig
from everybody_dance.video.reader import VideoReader
from everybody_dance.workflows.requests import PrepareRequest, TrainRequest, TransferRequest

SERVER = """
import sys
from pathlib import Path
from everybody_dance.jobs.queue import JobQueue
from everybody_dance.jobs.store import JobStore
with JobStore(Path(sys.argv[1])) as store, JobQueue(store) as queue:
    for job in queue.jobs():
        queue.wait(job.id)
"""


def submit(jobs: Path, options: argparse.Namespace, subject: Path, out: Path) -> None:
    """The three jobs, waiting."""
    config = TrainConfig(preset="debug", steps=options.steps, device="cpu")
    with JobStore(jobs) as store:
        footage = (options.footage.absolute(),)
        store.add("prepare", PrepareRequest(footage=footage, subject=subject, pose=options.pose), "Prepare")
        store.add("train", TrainRequest(subject=subject, config=config), "Train")
        dance = TransferConfig(pose=options.source_pose)
        source = options.source.absolute()
        store.add("transfer", TransferRequest(performer=subject, source=source, out=out, config=dance), "Dance")


def check(jobs: Path, out: Path, source: Path) -> None:
    """Insist on every job being done once, on a sound database, and on a whole result."""
    with JobStore(jobs) as store, JobQueue(store) as queue:
        for job in queue.jobs():
            if job.state != "done":
                raise SystemExit(f"{job.title} is {job.state}: {job.error_message}")
        states = Counter(
            (event.job, event.message["state"]) for event in queue.events() if event.message["event"] == "state"
        )
        if any(states[job.id, "done"] != 1 for job in queue.jobs()):
            raise SystemExit("A job was done twice.")
    with closing(sqlite3.connect(jobs / FILE)) as database:
        sound = database.execute("PRAGMA integrity_check").fetchone()[0]
        if sound != "ok":
            raise SystemExit(f"The database is damaged: {sound}")
    with VideoReader(out) as made, VideoReader(source) as danced:
        if sum(1 for _ in made) != sum(1 for _ in danced):
            raise SystemExit("The result is not whole.")


def main() -> None:
    """Kill, start again, look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("footage", type=Path)
    parser.add_argument("source", type=Path)
    parser.add_argument("--pose", default="mediapipe")
    parser.add_argument("--source-pose", default="mediapipe")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--most", type=float, default=6.0, help="Seconds between two kills, at most.")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    kills = rounds = 0
    while kills < options.kills:
        with tempfile.TemporaryDirectory() as place:
            jobs, subject, out = (Path(place) / name for name in ("jobs", "subject", "out.mp4"))
            submit(jobs, options, subject, out)
            ended = False
            while not ended:
                server = subprocess.Popen([sys.executable, "-c", SERVER, str(jobs)], env={**os.environ})
                try:
                    ended = server.wait(chance.uniform(0.2, options.most) if kills < options.kills else None) == 0
                except subprocess.TimeoutExpired:
                    server.send_signal(signal.SIGKILL)
                    server.wait()
                    kills += 1
                    with closing(sqlite3.connect(f"file:{jobs / FILE}?mode=ro", uri=True)) as database:
                        print(f"kill {kills}:", dict(database.execute("SELECT title, state FROM jobs")), flush=True)
            check(jobs, out, options.source)
            rounds += 1
    print(f"{kills} kills in {rounds} rounds; every job was done, once.")


if __name__ == "__main__":
    main()
