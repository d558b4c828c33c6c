"""A server for one page, in a thread of its own."""

import errno
import secrets
import socket
import ssl
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.web.guard import Guard

MAX_MESSAGE = 4 << 20
"""Largest message on a WebSocket, in bytes; the connection that brings a larger one is closed."""


@contextmanager
def serving(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    certificate: Path | None = None,
    key: Path | None = None,
    open_browser: bool = False,
) -> Iterator[str]:
    """Serve ``app`` behind a ``Guard`` while the block runs; yields the address, which ends with the token.

    Args:
        app: what is served.
        host: name or address to listen on.
        port: 0 for one that is free.
        certificate, key: PEM files, for HTTPS; both or none.
        open_browser: open the address in the user's browser.

    Raises:
        UsageError: the port is taken (``port-taken``), the host is not this machine's (``bad-host``), or one of
            ``certificate`` and ``key`` is missing (``certificate-and-key``).
        DanceError: the certificate or its key cannot be used (``bad-certificate``), or the server did not start
            (``server``).
    """
    if (certificate is None) != (key is None):
        raise UsageError("certificate-and-key", "--certificate and --key belong together: give both or neither.")
    with _listening(host, port) as listening:
        port = listening.getsockname()[1]
        token = secrets.token_urlsafe()
        guard = Guard(app, token=token, cookie=f"dance-{port}", names=_own_names(host), secure=certificate is not None)
        config = uvicorn.Config(
            guard,
            loop="asyncio",
            http="h11",
            ws="websockets-sansio",
            ws_max_size=MAX_MESSAGE,
            ws_max_queue=2,
            ws_per_message_deflate=False,  # JPEGs do not get smaller
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,  # it would show the token
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )
        try:
            config.load()
        except (ssl.SSLError, OSError) as error:
            raise DanceError("bad-certificate", f"{certificate} and {key} are no certificate and its key.") from error
        scheme = "http" if certificate is None else "https"
        address = f"{scheme}://{_reachable(host)}:{port}/?token={token}"
        with _running(uvicorn.Server(config), listening):
            if open_browser:
                # Some browsers, those in a terminal, would not return before they are closed.
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
            yield address


def check_can_serve(host: str, port: int, certificate: Path | None, key: Path | None) -> None:
    """Find out before the work whether ``serving`` could serve; arguments and errors are its own."""
    with serving(Starlette(), host=host, port=port, certificate=certificate, key=key):
        pass


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine reach a server on ``host``."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@contextmanager
def _running(server: uvicorn.Server, listening: socket.socket) -> Iterator[None]:
    """Run ``server`` in a thread; the block begins when it answers, and its connections are closed at the end."""
    thread = threading.Thread(target=server.run, args=([listening],), name="page", daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise DanceError("server", "The page's server did not start.")
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=3)


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError) as error:
        raise UsageError("bad-host", f"{host} is no name or address of this machine.") from error
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        listening.close()
        match error.errno:
            case errno.EADDRINUSE:
                message = f"Port {port} is taken by another program; choose another with --port, or leave it out."
                raise UsageError("port-taken", message) from error
            case errno.EACCES:
                raise UsageError("port-taken", f"Port {port} is kept for the system; use one above 1023.") from error
            case _:
                raise UsageError("bad-host", f"{host} is no name or address of this machine.") from error
    return listening


def _own_names(host: str) -> list[str]:
    """Names under which the server may be asked for."""
    if is_loopback(host):
        return ["localhost"]
    name = socket.gethostname()
    return ["localhost", host, name, f"{name}.local"]


def _reachable(host: str) -> str:
    """``host`` as it stands in an address; this machine's own address where the server listens on all of them."""
    if host in ("0.0.0.0", "::"):
        # No packet is sent: the socket only learns which of the machine's addresses would be used.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way, suppress(OSError):
            way.connect(("192.0.2.1", 9))
            return str(way.getsockname()[0])
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
