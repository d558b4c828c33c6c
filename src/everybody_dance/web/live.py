"""The page of ``dance live``: the show's pictures to the browser, the browser's wishes and its camera to the show.

A page asks for the next picture when it has drawn the last, so none ever waits in line. Two sockets: ``/show``, and
``/camera``, on which a page may bring the frames of its own camera.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anyio
from anyio.to_thread import run_sync
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.jsonio import dumps
from everybody_dance.web.answers import MESSAGE_TOO_BIG, STATIC, TOO_MANY, error_body
from everybody_dance.web.controls import MAX_LENGTH, Next, follow_control, parsed
from everybody_dance.web.pictures import Encoded, Encoder, decoded
from everybody_dance.web.server import check_can_serve, is_loopback, serving
from everybody_dance.web.show import FrameTaker, Show

PATIENCE = 0.5
"""Seconds after which a page gets the status alone, where there is no new picture."""

MAX_PAGES = 8
"""Pages at once."""

MAX_UPLOAD, MAX_UPLOAD_PIXELS, LONGEST_BACKGROUND = 25 << 20, 60_000_000, 2560
"""Largest background picture, in bytes and pixels, and the side to which a longer one is shrunk."""

MAX_FRAME_PIXELS, LONGEST_FRAME = 1920 * 1080, 1280
"""Largest frame of a page's camera, and the side to which a longer one is shrunk."""

ELSEWHERE = 4001
"""Code with which a socket is closed when another page brings its camera."""


def check_serving(host: str, port: int, certificate: Path | None, key: Path | None, *, with_camera: bool) -> None:
    """Find out before the work whether ``serve`` could serve.

    Args:
        host, port, certificate, key: as ``serving``.
        with_camera: a page's own camera is to be used.

    Raises:
        UsageError, DanceError: as ``serving``; and a page's camera is to be used over a network without a certificate
            (``camera-needs-https``).
    """
    if with_camera and certificate is None and not is_loopback(host):
        raise UsageError(
            "camera-needs-https",
            f"Browsers give their camera to pages on localhost and over HTTPS only: --host {host} needs --certificate "
            "and --key.",
        )
    check_can_serve(host, port, certificate, key)


@contextmanager
def serve(
    show: Show,
    *,
    camera: FrameTaker | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    certificate: Path | None = None,
    key: Path | None = None,
    open_browser: bool = True,
) -> Iterator[str]:
    """Serve the page while the block runs; yields its address.

    Args:
        show: what is shown.
        camera: takes the frames of a page's own camera; None where the show has a camera of its own.
        host, port, certificate, key, open_browser: as ``serving``.

    Raises:
        UsageError, DanceError: as ``serving``; ``check_serving`` finds them out before there is a show.
    """
    with serving(
        live_app(show, camera), host=host, port=port, certificate=certificate, key=key, open_browser=open_browser
    ) as address:
        yield address


def live_app(show: Show, camera: FrameTaker | None) -> FastAPI:
    """The application, to be put behind a ``Guard``."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    encoder = Encoder(show)
    pages = anyio.Semaphore(MAX_PAGES)
    bringing: list[WebSocket] = []  # the socket that brings a page's camera, at most one

    @app.get("/")
    async def page() -> Response:
        return FileResponse(STATIC / "live.html")

    app.mount("/static", StaticFiles(directory=STATIC))

    @app.post("/background")
    async def background(request: Request) -> Response:
        data = bytearray()
        async for piece in request.stream():
            data += piece
            if len(data) > MAX_UPLOAD:
                message = f"The picture's file is larger than {MAX_UPLOAD >> 20} MB; choose a smaller one."
                return JSONResponse(error_body(UsageError("file-too-large", message)), 413)
        try:
            await run_sync(_show_over_picture, show, bytes(data))
        except DanceError as error:
            return JSONResponse(error_body(error), 422)
        return JSONResponse({})

    @app.get("/recordings/{number}")
    async def recording(number: int) -> Response:
        files = await run_sync(show.recordings)
        if not 0 <= number < len(files) or not files[number].is_file():
            return JSONResponse(error_body(UsageError("no-recording", "There is no such recording.")), 404)
        return FileResponse(files[number], filename=files[number].name)

    @app.websocket("/show")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        try:
            pages.acquire_nowait()
        except anyio.WouldBlock:
            await socket.close(TOO_MANY)
            return
        try:
            await _Visit(socket, show, encoder, asks_camera=camera is not None).talk()
        finally:
            pages.release()

    if camera is None:
        return app

    @app.websocket("/camera")
    async def bring(socket: WebSocket) -> None:
        await socket.accept()
        others, bringing[:] = bringing[:], [socket]
        for other in others:
            with suppress(RuntimeError, WebSocketDisconnect):  # it has left already
                await other.close(ELSEWHERE)
        with suppress(WebSocketDisconnect, RuntimeError):  # it left, or was closed in favour of another
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    break
                try:
                    await run_sync(_push, camera, message.get("bytes") or b"")
                except UsageError as error:
                    await socket.send_json(error_body(error))
                else:
                    await socket.send_json({"taken": True})

    return app


class _Visit:
    """One page's connection."""

    def __init__(self, socket: WebSocket, show: Show, encoder: Encoder, *, asks_camera: bool) -> None:
        self._socket = socket
        self._show = show
        self._encoder = encoder
        self._asks_camera = asks_camera
        self._after = 0
        self._asked = anyio.Event()
        # The status is read and sent under it, so that no page ever gets an older status after a newer one.
        self._sending = anyio.Lock()

    async def talk(self) -> None:
        """Until the page leaves."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._show_pictures)
            await self._listen()
            tasks.cancel_scope.cancel()

    async def _listen(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text") or ""
            if len(text) > MAX_LENGTH:
                await self._socket.close(MESSAGE_TOO_BIG)
                return
            try:
                wish = parsed(text)
                if isinstance(wish, Next):
                    self._after = wish.next
                    self._asked.set()
                    continue
                await run_sync(follow_control, wish, self._show)
            except DanceError as error:
                answer = error_body(error)
            else:
                answer = {}
            with suppress(WebSocketDisconnect):
                async with self._sending:
                    await self._socket.send_text(dumps({**answer, **await self._status()}))

    async def _show_pictures(self) -> None:
        """Answer requests for pictures, one at a time; what is asked for meanwhile is one request."""
        with suppress(WebSocketDisconnect):
            while True:
                await self._asked.wait()
                self._asked = anyio.Event()
                began = anyio.current_time()
                encoded = await run_sync(self._encoder.newest, self._after, PATIENCE, abandon_on_cancel=True)
                if encoded is None:  # A show that is over does not wait.
                    await anyio.sleep_until(began + PATIENCE)
                async with self._sending:
                    await self._socket.send_bytes(_packed(encoded, await self._status()))

    async def _status(self) -> dict[str, Any]:
        def read() -> dict[str, Any]:
            names = [path.name for path in self._show.recordings()]
            return {"status": asdict(self._show.status()), "recordings": names, "asks_camera": self._asks_camera}

        return await run_sync(read)


def _packed(encoded: Encoded | None, status: dict[str, Any]) -> bytes:
    """One binary message: 4 bytes with the length of the header (big-endian), the header (JSON), the two JPEGs."""
    pictures = (b"", b"") if encoded is None else (encoded.picture, encoded.camera)
    header = {
        **status,
        "number": None if encoded is None else encoded.number,
        "seen": None if encoded is None else encoded.seen,
        "sizes": [len(data) for data in pictures],
    }
    text = dumps(header).encode()
    return b"".join((len(text).to_bytes(4, "big"), text, *pictures))


def _show_over_picture(show: Show, data: bytes) -> None:
    picture = decoded(data, formats=("JPEG", "PNG", "WEBP"), max_pixels=MAX_UPLOAD_PIXELS, longest=LONGEST_BACKGROUND)
    show.show_over(picture)


def _push(camera: FrameTaker, data: bytes) -> None:
    camera.push(decoded(data, formats=("JPEG",), max_pixels=MAX_FRAME_PIXELS, longest=LONGEST_FRAME))
