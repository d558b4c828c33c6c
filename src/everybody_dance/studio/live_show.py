"""``dance live`` as a process of its own, with a page of its own, started from the studio."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from everybody_dance.errors import DanceError

_ADDRESS = re.compile(r"https?://\S+\?token=\S+")

SECONDS_TO_STOP = 8.0
"""A recording is finished first."""


@dataclass(frozen=True)
class LiveState:
    """A live show.

    Attributes:
        person: who dances.
        state: ``starting``, ``running``, ``ended`` or ``failed``.
        address: of its page, while it runs.
        error: why it failed.
    """

    person: str
    state: Literal["starting", "running", "ended", "failed"]
    address: str | None = None
    error: str | None = None


class LiveShow:
    """At most one live show.

    Args:
        recordings: folder for what is recorded in it.
        serving: options for where its page is served.
    """

    def __init__(self, recordings: Path, serving: Sequence[str] = ()) -> None:
        self._recordings = recordings
        self._serving = list(serving)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._state: LiveState | None = None

    @property
    def state(self) -> LiveState | None:
        """The show that was started last; None before the first."""
        return self._state

    def start(self, person: Path, camera: str) -> None:
        """Start a show of the performer in ``person``; one that runs is ended first.

        Args:
            person: the folder.
            camera: ``browser``, or the number of a camera of this machine.

        Raises:
            DanceError: it cannot be started (``cannot-start``).
        """
        self.stop()
        command = [sys.executable, "-u", "-m", "everybody_dance", "live", str(person.resolve()), "--no-browser"]
        with self._lock:
            try:
                self._process = subprocess.Popen(
                    [*command, "--camera", camera, *self._serving],
                    cwd=self._recordings,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    start_new_session=True,
                )
            except OSError as error:
                raise DanceError("cannot-start", f"The live show cannot be started: {error.strerror}.") from error
            self._state = LiveState(person.name, "starting")
            threading.Thread(target=self._watch, args=(self._process, person.name), daemon=True).start()

    def stop(self) -> None:
        """End the show, if one runs; its recordings are kept."""
        with self._lock:
            process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(SECONDS_TO_STOP)
                return

    def _watch(self, process: subprocess.Popen[str], person: str) -> None:
        """Until it ends."""
        said: list[str] = []

        def listen() -> None:
            assert process.stderr is not None
            said.extend(process.stderr)

        listening = threading.Thread(target=listen, daemon=True)
        listening.start()
        assert process.stdout is not None
        for line in process.stdout:
            found = _ADDRESS.search(line)
            if found is not None and process is self._process:
                self._state = LiveState(person, "running", found[0])
        code = process.wait()
        listening.join(1)
        if process is not self._process:
            if self._process is None:
                self._state = LiveState(person, "ended")
            return
        if code == 0:
            self._state = LiveState(person, "ended")
        else:
            errors = [line.removeprefix("Error: ").strip() for line in said if line.startswith("Error: ")]
            self._state = LiveState(
                person, "failed", error=errors[-1] if errors else "The live show ended unexpectedly."
            )
