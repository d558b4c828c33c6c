"""A studio that is served, and a client that can forge every part of a request."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from everybody_dance.dancers.choreography import CHOREOGRAPHIES
from everybody_dance.dancers.render import DANCERS, render_clip
from everybody_dance.training.config import TrainConfig
from everybody_dance.web.studio.serve import serve_studio
from worlds import write_video

TRAINING = TrainConfig(preset="debug", device="cpu")
RENDERED_SIZE, RENDERED_RATE = (256, 192), Fraction(20)


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code."""
        return str(self.json["error"]["code"])


class Client:
    """A page of the studio, without a browser."""

    def __init__(self, address: str, root: Path) -> None:
        parts = urlsplit(address)
        self.address = address
        self.root = root
        self.host = parts.netloc
        self.port = int(parts.port or 0)
        self.token = parts.query.removeprefix("token=")

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = "",
        origin: str = "",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request; ``body`` is bytes, or becomes JSON."""
        sent = {"Origin": origin or f"http://{self.host}", **(headers or {})}
        if token is not None:
            sent["Cookie"] = f"dance-{self.port}={token or self.token}"
        if body is not None and not isinstance(body, bytes):
            body, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(f"http://{self.host}{path}", body, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return Answer(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, dict(error.headers), error.read())

    def done(self, method: str, path: str, body: Any = None) -> Any:
        """The answer to a request that must succeed."""
        answer = self.ask(method, path, body)
        assert answer.status < 300, answer.body
        return answer.json if answer.body and answer.headers.get("content-type") == "application/json" else answer.body

    def upload(self, data: bytes, name: str = "clip.mp4", piece: int = 1 << 20) -> str:
        """Upload a file whole; returns its id."""
        begun = self.done("POST", "/api/uploads", {"name": name, "size": len(data)})
        for offset in range(0, len(data), piece):
            self.done("PATCH", f"/api/uploads/{begun['id']}?offset={offset}", data[offset : offset + piece])
        return str(begun["id"])

    def state(self) -> dict[str, dict[str, Any]]:
        """All that the page shows."""
        return dict(self.done("GET", "/api/state"))

    def wait(self, job: int, *states: str, seconds: float = 150) -> dict[str, Any]:
        """Wait until a job has one of the states."""
        until = time.monotonic() + seconds
        while True:
            found = dict(self.state()["jobs"][str(job)])
            if found["state"] in states:
                return found
            assert found["state"] not in ("done", "failed", "cancelled"), found
            assert time.monotonic() < until, found
            time.sleep(0.1)


def named(name: str) -> str:
    """A name as it stands in an address."""
    return quote(name, safe="")


@contextmanager
def serving_studio(root: Path) -> Iterator[Client]:
    """A studio in ``root``, whose trainings are tiny."""
    with serve_studio(root, training=TRAINING, open_browser=False) as address:
        yield Client(address, root)


def rendered(path: Path, dancer: str, seconds: float) -> Path:
    """A tiny video of a rendered dancer whom the detector can see."""
    frames = render_clip(DANCERS[dancer], CHOREOGRAPHIES["varied"], seconds, RENDERED_RATE, RENDERED_SIZE)
    return write_video(path, (frame.image for frame in frames), RENDERED_RATE)
