"""Kill a studio at random moments, over and over: no job may be lost or done twice, and the database stays whole.

    python scripts/kill_studio.py [--kills 20] [--seed 0]

A studio is served in a temporary folder, and asked over its API for what a user asks for: a rendered dancer is sent,
prepared and trained, and dances. The server is killed (SIGKILL) again and again, in the middle of all of this, and
started again; once a person has danced, the next one begins. In the end every job must be there once and be done, those
that were done must not have run again, and every person and result must be whole.
"""

import argparse
import json
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from everybody_dance.dancers.choreography import CHOREOGRAPHIES
from everybody_dance.dancers.render import DANCERS, render_clip
from everybody_dance.subject.subject import Subject
from everybody_dance.video.reader import VideoReader
from everybody_dance.video.writer import VideoWriter

SIZE, RATE = (192, 144), Fraction(20)
MINUTES = 0.02
LONGEST = 9.0
"""Seconds that the server lives at most, once it answers."""
PIECE = 8 << 10
"""Bytes of a piece of an upload."""
DANCE = "dance.mp4"


class GoneError(Exception):
    """The server was killed."""


@dataclass
class Server:
    """A ``dance studio`` that is told when to die."""

    root: Path
    lives: float | None
    process: subprocess.Popen[str] = field(init=False)
    base: str = field(init=False)
    cookie: str = field(init=False)

    def __post_init__(self) -> None:
        command = [sys.executable, "-u", "-m", "everybody_dance", "studio", "--folder", str(self.root), "--no-browser"]
        self.process = subprocess.Popen(
            [*command, "--preset", "debug", "--device", "cpu"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = re.search(r"(http://\S+:(\d+))/\?token=(\S+)", line)
            if found:
                self.base, self.cookie = found[1], f"dance-{found[2]}={found[3]}"
                break
        else:
            assert self.process.stderr is not None
            raise SystemExit(f"The studio did not start: {self.process.stderr.read()}")
        self._dies = None if self.lives is None else time.monotonic() + self.lives

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request of a page; the server may be killed before, after or in the middle of it.

        Raises:
            GoneError: it has been.
        """
        self.live_on(0)
        headers = {"Cookie": self.cookie, "Origin": self.base}
        if body is not None and not isinstance(body, bytes):
            body, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(f"{self.base}/api{path}", body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{method} {path}: {error.read().decode()}") from error
        return json.loads(text) if text else None

    def live_on(self, seconds: float) -> None:
        """Let time pass, or die."""
        now = time.monotonic()
        if self._dies is not None and now + seconds >= self._dies:
            time.sleep(max(self._dies - now, 0))
            self.kill(signal.SIGKILL)
            raise GoneError
        time.sleep(seconds)

    def kill(self, number: signal.Signals) -> None:
        """End it."""
        self.process.send_signal(number)
        self.process.communicate()


class User:
    """Asks for one thing after another, and remembers what it has seen.

    Args:
        folder: holds the videos.
    """

    def __init__(self, folder: Path) -> None:
        self.footage, self.dance = folder / "ada.mp4", folder / DANCE
        for path, dancer, seconds in ((self.footage, "ada", 2), (self.dance, "bruno", 0.6)):
            with VideoWriter(path, SIZE, RATE) as writer:
                for frame in render_clip(DANCERS[dancer], CHOREOGRAPHIES["varied"], seconds, RATE, SIZE):
                    writer.write(frame.image)
        self.people = 1
        self.uploads: dict[Path, str] = {}
        self.seen: dict[str, dict[str, Any]] = {}

    def go_on(self, server: Server) -> bool:
        """Do the next thing that is not done yet; whether somebody has just finished their dance."""
        state = server.ask("GET", "/state")
        self.look(state["jobs"])
        name = f"ada-{self.people}"
        if DANCE not in state["dances"]:
            server.ask("POST", "/dances", {"upload": self.upload(server, self.dance)})
            return False
        if name not in state["people"]:
            server.ask("POST", "/people", {"name": name, "upload": self.upload(server, self.footage)})
            return False
        jobs = {job["kind"]: job for job in state["jobs"].values() if job["person"] == name}
        for kind, path, body in (
            ("prepare", f"/people/{name}/prepare", {}),
            ("train", f"/people/{name}/train", {"minutes": MINUTES}),
            ("transfer", "/results", {"person": name, "dance": DANCE}),
        ):
            if kind not in jobs:
                server.ask("POST", path, body)
                return False
            if jobs[kind]["state"] != "done":
                server.live_on(0.1)
                return False
        self.people += 1
        return True

    def upload(self, server: Server, path: Path) -> str:
        """Upload a file, from where the last server had it."""
        data = path.read_bytes()
        if path not in self.uploads:
            self.uploads[path] = server.ask("POST", "/uploads", {"name": path.name, "size": len(data)})["id"]
        upload = self.uploads[path]
        offset = server.ask("GET", f"/uploads/{upload}")["offset"]
        while offset < len(data):
            piece = data[offset : offset + PIECE]
            offset = server.ask("PATCH", f"/uploads/{upload}?offset={offset}", piece)["offset"]
        return self.uploads.pop(path)

    def look(self, jobs: dict[str, dict[str, Any]]) -> None:
        """Insist that every job that was seen is there, and that what was done has not been done again."""
        for number, before in self.seen.items():
            now = jobs.get(number)
            if now is None or (now["kind"], now["person"]) != (before["kind"], before["person"]):
                raise SystemExit(f"Job {number} ({before['title']}) is lost.")
            if now["state"] in ("failed", "cancelled", "paused"):
                raise SystemExit(f"Job {number} ({before['title']}) is {now['state']}: {now['error']}")
            if before["state"] == "done" and now != before:
                changed = {name: (before[name], now[name]) for name in now if now[name] != before[name]}
                raise SystemExit(f"Job {number} ({before['title']}) was done, and changed: {changed}")
        self.seen = dict(jobs)


def check_whole(root: Path, user: User) -> None:
    """Insist that database, people and results are whole, and each is there once."""
    with sqlite3.connect(root / "jobs" / "jobs.sqlite") as database:
        if (told := database.execute("PRAGMA integrity_check").fetchall()) != [("ok",)]:
            raise SystemExit(f"The database is damaged: {told}")
        jobs = database.execute("SELECT kind, request FROM jobs").fetchall()
    if len(set(jobs)) != len(jobs):
        raise SystemExit("A job is there twice.")
    names = [f"ada-{number}" for number in range(1, user.people)]
    people = sorted(path.name for path in (root / "people").iterdir())
    results = sorted(path.name for path in (root / "results").glob("*.mp4"))
    if people != sorted(names) or results != sorted(f"{name}-dance.mp4" for name in names):
        raise SystemExit(f"Something is missing or there twice: {people}, {results}")
    for name in names:
        folder = root / "people" / name
        Subject.open(folder).check()
        if set_aside := [path.name for path in folder.iterdir() if ".old-" in path.name]:
            raise SystemExit(f"{name} was prepared again: {set_aside}")
        for path, frames in ((root / "results" / f"{name}-dance.mp4", 12), (folder / "footage.mp4", 40)):
            with VideoReader(path) as reader:
                if (count := sum(1 for _ in reader)) != frames:
                    raise SystemExit(f"{path.name} has {count} frames.")


def main() -> None:
    """Kill, look, start again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as place:
        root, user = Path(place) / "dance-studio", User(Path(place))
        for kill in range(1, options.kills + 1):
            server = Server(root, chance.uniform(0.05, LONGEST))
            try:
                while True:
                    user.go_on(server)
            except SystemExit:
                server.kill(signal.SIGKILL)
                raise
            except GoneError:
                at = [f"{job['title']} {job['state']}" for job in user.seen.values() if job["state"] != "done"]
                print(f"kill {kill}: {', '.join(at) or 'between jobs'}", flush=True)
        server = Server(root, None)
        while not user.go_on(server):
            pass
        server.kill(signal.SIGINT)
        check_whole(root, user)
        print(f"{options.kills} kills; {len(user.seen)} jobs, each done once, and everything is whole.")


if __name__ == "__main__":
    main()
