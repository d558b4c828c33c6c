"""What the page shows, and its changes on a WebSocket.

A page asks (``{"next": true}``) when it has drawn the last message, and is then told what has changed since: at most
twenty times a second, and never with anything waiting in line.
"""

import time
from contextlib import suppress
from dataclasses import asdict
from threading import Lock
from typing import Any

import anyio
from anyio.to_thread import run_sync
from fastapi import WebSocket, WebSocketDisconnect

from everybody_dance.jsonio import dumps
from everybody_dance.studio.disk import disk_of
from everybody_dance.studio.jobs_board import JobSummary
from everybody_dance.studio.live_show import LiveShow
from everybody_dance.studio.studio import Studio
from everybody_dance.web.answers import MESSAGE_TOO_BIG, TOO_MANY

INTERVAL = 0.05
"""Seconds between messages at least."""

QUIET = 3.0
"""Seconds after which a page is told that nothing has changed, so that it knows that the program is there."""

LOOK_AGAIN = 2.0
"""Seconds after which folders are read anew, since the command line may have changed them; half when work goes on."""

MAX_PAGES = 16
MAX_LENGTH = 100

Sections = dict[str, dict[str, Any]]


class State:
    """What the page shows: by section (people, dances, results, jobs, disk, live), and by id in each."""

    def __init__(self, studio: Studio, live: LiveShow) -> None:
        self._studio = studio
        self._live = live
        self._lock = Lock()
        self._library: Sections = {}
        self._seen = -1
        self._looked = 0.0
        self._jobs: dict[str, tuple[JobSummary, dict[str, Any]]] = {}

    def version(self) -> object:
        """Something that differs when ``now`` may have changed; it costs next to nothing to ask."""
        desk = self._studio.desk
        return desk.board.changes, desk.changes, self._live.state, time.monotonic() // (LOOK_AGAIN / 2)

    def now(self, *, anew: bool = False) -> Sections:
        """Everything, as JSON can say it; with ``anew`` the folders are read again in any case."""
        studio = self._studio
        live = self._live.state
        with self._lock:
            jobs = self._as_json(studio.desk.board.jobs())
            wait = LOOK_AGAIN / 2 if any(job["state"] == "running" for job in jobs.values()) else LOOK_AGAIN
            changes, now = studio.desk.changes, time.monotonic()
            if anew or changes != self._seen or now - self._looked > wait:
                self._seen, self._looked = changes, now
                self._library = {
                    "people": {person.id: asdict(person) for person in studio.cast.all()},
                    "dances": {dance.id: asdict(dance) for dance in studio.dances.all()},
                    "results": {result.id: asdict(result) for result in studio.results.all()},
                    "disk": {"disk": self._disk()},
                }
            return {**self._library, "jobs": jobs, "live": {} if live is None else {"live": asdict(live)}}

    def _disk(self) -> dict[str, Any]:
        """The disk; its free bytes are rounded, or they would always have changed."""
        disk = disk_of(self._studio.folder.root)
        return {"free": round(disk.free, -8), "low": disk.low, "folder": str(self._studio.folder.root)}

    def _as_json(self, jobs: list[JobSummary]) -> dict[str, dict[str, Any]]:
        """Each job is turned into JSON's values once, as long as it stays the same."""
        known, self._jobs = self._jobs, {}
        for job in jobs:
            before = known.get(str(job.id))
            self._jobs[str(job.id)] = before if before is not None and before[0] is job else (job, asdict(job))
        return {number: values for number, (_, values) in self._jobs.items()}


def changed(before: Sections, now: Sections) -> Sections:
    """What has to be told: by section and id, the new value, or None for what has gone."""
    found: Sections = {}
    for section, values in now.items():
        old = before.get(section, {})
        told = {key: value for key, value in values.items() if old.get(key) != value}
        told |= {key: None for key in old if key not in values}
        if told:
            found[section] = told
    return found


class Feed:
    """Serves ``/api/events``."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._pages = anyio.Semaphore(MAX_PAGES)

    async def serve(self, socket: WebSocket) -> None:
        """Until the page leaves."""
        await socket.accept()
        try:
            self._pages.acquire_nowait()
        except anyio.WouldBlock:
            await socket.close(TOO_MANY)
            return
        try:
            async with anyio.create_task_group() as tasks:
                questions = [anyio.Event()]  # what is asked while an answer is on its way is one question
                tasks.start_soon(self._tell, socket, questions)
                await self._listen(socket, questions)
                tasks.cancel_scope.cancel()
        finally:
            self._pages.release()

    async def _listen(self, socket: WebSocket, questions: list[anyio.Event]) -> None:
        """Until the page leaves, so that no answer is waited for in vain."""
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if len(message.get("text") or "") > MAX_LENGTH:
                await socket.close(MESSAGE_TOO_BIG)
                return
            questions[0].set()

    async def _tell(self, socket: WebSocket, questions: list[anyio.Event]) -> None:
        known: Sections = {}
        seen: object = None
        first = True
        with suppress(WebSocketDisconnect):
            while True:
                await questions[0].wait()
                questions[0] = anyio.Event()
                until = time.monotonic() + QUIET
                told: Sections = {}
                while True:
                    version = self._state.version()
                    if version != seen:
                        now = await run_sync(self._state.now)
                        told, seen, known = changed(known, now), version, now
                    if told or first or time.monotonic() > until:
                        break
                    await anyio.sleep(INTERVAL)
                await socket.send_text(dumps({"whole": first, "changed": told}))
                first = False
                await anyio.sleep(INTERVAL)
