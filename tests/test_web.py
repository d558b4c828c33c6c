"""The page's server: what it answers, whom it refuses, and that nothing waits in line."""

import io
import json
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import PIL.Image
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.web.answers import STATIC
from everybody_dance.web.live import MAX_FRAME_PIXELS, MAX_PAGES, PATIENCE, check_serving, serve
from everybody_dance.web.pictures import Encoder, decoded
from everybody_dance.web.server import MAX_MESSAGE
from shows import FakeShow

LONG = 60.0
"""Seconds in which whatever must happen has happened, however busy the machine is."""

STATUS_KEYS = {"rate", "latency", "stages", "dropped", "state", "calibrating", "mirror", "frozen", "recording"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Browser:
    """A client that knows the address; every part of a request can be forged."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.host = parts.netloc
        self.port = int(parts.port or 0)
        self.token = parts.query.removeprefix("token=")

    def ask(
        self, path: str = "/", *, token: str | None = "", host: str = "", origin: str = "", data: bytes | None = None
    ) -> Answer:
        headers = {"Host": host or self.host}
        if data is not None:
            headers |= {"Origin": origin or f"http://{headers['Host']}", "Content-Type": "application/octet-stream"}
        if token is not None:
            headers["Cookie"] = f"dance-{self.port}={token or self.token}"
        request = urllib.request.Request(f"http://{self.host}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=LONG) as response:
                return Answer(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, dict(error.headers), error.read())

    def open(self, path: str = "/show", *, token: str = "", host: str = "", origin: str = "") -> ClientConnection:
        headers = {"Cookie": f"dance-{self.port}={token or self.token}"}
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=LONG)
        return connect(
            f"ws://{host or self.host}{path}",
            sock=sock,
            origin=origin or f"http://{host or self.host}",  # type: ignore[arg-type]
            additional_headers=headers,
            compression=None,
            proxy=None,
            max_size=1 << 26,
        )


@pytest.fixture
def show(tmp_path: Path) -> FakeShow:
    return FakeShow(tmp_path)


@pytest.fixture
def browser(show: FakeShow) -> Iterator[Browser]:
    with serve(show, camera=show, open_browser=False) as address:
        yield Browser(address)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, FakeShow]]:
    """A server for all tests that are refused: nothing may ever reach its show."""
    show = FakeShow(tmp_path_factory.mktemp("standing"))
    with serve(show, camera=show, open_browser=False) as address:
        yield Browser(address), show


def _next(page: ClientConnection, after: int) -> tuple[dict[str, Any], list[bytes]]:
    page.send(json.dumps({"next": after}))
    return _unpacked(page.recv(timeout=LONG))


def _unpacked(message: str | bytes) -> tuple[dict[str, Any], list[bytes]]:
    assert isinstance(message, bytes)
    length = int.from_bytes(message[:4], "big")
    header = json.loads(message[4 : 4 + length])
    first, second = header["sizes"]
    assert len(message) == 4 + length + first + second
    return header, [message[4 + length :][:first], message[4 + length + first :]]


def _told(page: ClientConnection, message: object) -> dict[str, Any]:
    """The answer to a message that is not for a picture."""
    page.send(message if isinstance(message, str | bytes) else json.dumps(message))
    answer = page.recv(timeout=LONG)
    assert isinstance(answer, str)
    return dict(json.loads(answer))


def _heard(page: ClientConnection) -> int:
    """How many messages come, the first at some time, until there is a second of silence."""
    page.recv(timeout=LONG)
    count = 1
    with suppress(TimeoutError):
        while True:
            page.recv(timeout=1)
            count += 1
    return count


def _picture(size: tuple[int, int], kind: str = "JPEG") -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", size, (200, 30, 40)).save(file, kind)
    return file.getvalue()


# What it shows


def test_the_page_and_its_files_are_served(browser: Browser) -> None:
    page = browser.ask()
    assert page.status == 200
    assert b"<canvas" in page.body
    for name in ("live.js", "live.css", "texts.js", "icon.svg"):
        assert browser.ask(f"/static/{name}").status == 200


def test_the_page_loads_nothing_from_elsewhere_and_has_no_inline_code() -> None:
    for file in filter(Path.is_file, STATIC.rglob("*")):
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text.replace('"https:"', "")
        assert "//cdn" not in text
        assert " style=" not in text
        assert " onclick=" not in text


def test_every_text_of_the_page_is_there_and_used() -> None:
    texts = (STATIC / "texts.js").read_text().partition("STAGES")[0]
    have = set(re.findall(r"^  (\w+):", texts, re.MULTILINE))
    scripts = "".join(file.read_text() for file in STATIC.glob("*.js"))
    used = set(re.findall(r'data-(?:text|label)="(\w+)"', (STATIC / "live.html").read_text()))
    used |= set(re.findall(r"TEXTS\.(\w+)", scripts))
    used |= set(re.findall(r"document\.title = texts\.(\w+)", scripts))
    # Why there is no camera: NoCamera carries the text's name.
    reasons = (STATIC / "devices.js").read_text().partition("export")[2]
    used |= set(re.findall(r'"(camera[A-Z]\w+)"', reasons))
    used |= {f"state{state}" for state in ("Working", "Connecting", "Waiting", "Lost", "Ended", "Frozen")}
    assert have == used


def test_a_picture_comes_with_its_header(browser: Browser, show: FakeShow) -> None:
    with browser.open() as page:
        header, (picture, camera) = _next(page, 0)
    assert header["number"] >= 1
    assert header["seen"] is True
    assert header["asks_camera"] is True
    assert set(header["status"]) >= STATUS_KEYS
    assert PIL.Image.open(io.BytesIO(picture)).size == (640, 320)
    assert PIL.Image.open(io.BytesIO(camera)).size == (160, 90)
    # Red and blue in their places: the wall behind the figure is (188, 196, 206).
    corner = np.asarray(PIL.Image.open(io.BytesIO(picture)))[5, 5].astype(int)
    assert np.abs(corner - (188, 196, 206)).max() <= 4


def test_pictures_are_new_and_come_one_for_each_request(browser: Browser, show: FakeShow) -> None:
    with browser.open() as page:
        numbers = [0]
        for _ in range(5):
            numbers.append(_next(page, numbers[-1])[0]["number"])
        assert numbers == sorted(set(numbers))
        with pytest.raises(TimeoutError):  # nothing comes unasked
            page.recv(timeout=0.3)


def test_a_slow_page_gets_the_newest_picture_and_no_backlog(browser: Browser, show: FakeShow) -> None:
    with browser.open() as page:
        first = _next(page, 0)[0]["number"]
        taken = show.taken
        time.sleep(0.5)
        assert show.taken == taken  # nobody drew in the meantime, so nothing was taken or encoded
        assert _next(page, first)[0]["number"] >= first + 10


def test_many_requests_at_once_are_one_or_two(browser: Browser, show: FakeShow) -> None:
    with browser.open() as page:
        number = _next(page, 0)[0]["number"]
        show.running.clear()
        for _ in range(50):
            page.send(json.dumps({"next": number + 1000}))
        show.running.set()
        assert 1 <= _heard(page) <= 2


def test_without_new_pictures_the_status_still_comes(browser: Browser, show: FakeShow) -> None:
    show.running.clear()
    show.state = replace(show.state, state="lost", message="Camera 0 is gone.", rate=float("nan"))
    with browser.open() as page:
        header, pictures = _next(page, 0)
    assert header["number"] is None
    assert pictures == [b"", b""]
    assert header["status"]["message"] == "Camera 0 is gone."
    assert header["status"]["rate"] is None  # browsers do not read NaN


def test_a_show_that_is_over_is_not_asked_all_the_time(browser: Browser, show: FakeShow) -> None:
    asked: list[int] = []
    show.newest = lambda after, timeout: asked.append(after)  # type: ignore[method-assign, assignment]
    began = time.monotonic()
    with browser.open() as page:
        for _ in range(2):
            assert _next(page, 7)[0]["number"] is None
    assert time.monotonic() - began >= 2 * PATIENCE
    assert asked == [7, 7]


def test_a_picture_is_encoded_once_for_all_pages(show: FakeShow) -> None:
    shown = show.newest(0, 1)
    assert shown is not None
    show.newest = lambda after, timeout: shown  # type: ignore[method-assign]
    encoder = Encoder(show)
    first = encoder.newest(0, 1)
    assert first is not None
    assert encoder.newest(0, 1) is first


def test_two_pages_see_the_same_show(browser: Browser, show: FakeShow) -> None:
    with browser.open() as one, browser.open() as two:
        assert _told(one, {"do": "mirror", "on": True})["status"]["mirror"] is True
        header, _ = _next(two, 0)
        assert header["status"]["mirror"] is True
        assert _next(one, 0)[0]["number"] >= header["number"]


def test_a_page_that_comes_back_goes_on(browser: Browser, show: FakeShow) -> None:
    with browser.open() as page:
        number = _next(page, 0)[0]["number"]
        page.send(json.dumps({"next": number}))  # and it leaves while the answer is on its way
    with browser.open() as page:
        assert _next(page, 0)[0]["number"] >= number


def test_too_many_pages_are_turned_away_and_a_place_becomes_free(browser: Browser) -> None:
    with ExitStack() as pages:
        for _ in range(MAX_PAGES):
            _next(pages.enter_context(browser.open()), 0)
        with browser.open() as page, pytest.raises(ConnectionClosed) as closed:
            page.recv(timeout=LONG)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013

    def has_a_place() -> bool:
        with browser.open() as page, suppress(ConnectionClosed):
            _next(page, 0)
            return True
        return False

    until = time.monotonic() + LONG  # the server hears a moment later that the others have left
    while not has_a_place():
        assert time.monotonic() < until


# What it may be asked for


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        ({"do": "calibrate"}, ("calibrate", None)),
        ({"do": "mirror", "on": True}, ("mirror", True)),
        ({"do": "freeze", "on": False}, ("freeze", False)),
        ({"do": "record", "on": True}, ("record", True)),
        ({"do": "background", "colour": "#00b140"}, ("background", "#00b140")),
        ({"do": "background", "colour": None}, ("background", None)),
        ({"do": "follow", "who": "centre"}, ("follow", "centre")),
    ],
)
def test_controls_reach_the_show(browser: Browser, show: FakeShow, message: object, asked: object) -> None:
    with browser.open() as page:
        answer = _told(page, message)
    assert "error" not in answer
    assert set(answer["status"]) >= STATUS_KEYS
    assert show.asked == [asked]


@pytest.mark.parametrize(
    "message",
    [
        "",
        "{",
        "[" * 900,
        "null",
        '"calibrate"',
        {"do": "stop"},
        {"do": "mirror"},
        {"do": "mirror", "on": 1},
        {"do": "calibrate", "extra": 1},
        {"do": "background", "colour": "red"},
        {"do": "background", "colour": "/etc/passwd"},
        {"do": "background", "colour": "#00b140\n"},
        {"do": "follow", "who": "me"},
        {"do": "record", "on": True, "path": "/tmp/x.mp4"},
        {"next": -1},
        {"next": "1"},
        {"next": 1e400},
        b"\x00\x01",
    ],
)
def test_what_is_not_known_is_answered_and_changes_nothing(standing: tuple[Browser, FakeShow], message: object) -> None:
    browser, show = standing
    with browser.open() as page:
        assert _told(page, message)["error"]["code"] == "bad-message"
        assert show.asked == []
        assert _next(page, 0)[0]["number"] >= 1  # the connection is as good as before


def test_a_long_message_ends_the_connection(browser: Browser, show: FakeShow) -> None:
    with browser.open() as page, pytest.raises(ConnectionClosed) as closed:
        _told(page, json.dumps({"do": "calibrate"}) + " " * 2000)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    assert show.asked == []


def test_the_page_is_told_why_a_control_was_not_followed(browser: Browser, show: FakeShow) -> None:
    show.fails = DanceError("disk-full", "The disk is full.")
    with browser.open() as page:
        answer = _told(page, {"do": "record", "on": True})
    assert answer["error"] == {"code": "disk-full", "message": "The disk is full."}
    assert answer["status"]["recording"] is None


def test_a_slow_control_does_not_hold_up_the_pictures(browser: Browser, show: FakeShow) -> None:
    waiting, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        waiting.set()
        go_on.wait(LONG)

    show.calibrate = slow  # type: ignore[method-assign]
    with browser.open() as one, browser.open() as two:
        one.send(json.dumps({"do": "calibrate"}))
        assert waiting.wait(LONG)
        assert _next(two, 0)[0]["number"] >= 1
        go_on.set()
        assert "status" in json.loads(one.recv(timeout=LONG))


def test_a_recording_can_be_fetched_by_its_number(browser: Browser, show: FakeShow) -> None:
    with browser.open() as page:
        assert _told(page, {"do": "record", "on": True})["recordings"] == []
        assert browser.ask("/recordings/0").status == 404  # it is not finished
        assert _told(page, {"do": "record", "on": False})["recordings"] == ["live-1.mp4"]
    answer = browser.ask("/recordings/0")
    assert answer.body == b"a recording"
    assert "attachment" in answer.headers["content-disposition"]
    assert "live-1.mp4" in answer.headers["content-disposition"]


@pytest.mark.parametrize(
    "path",
    [
        "/recordings/1",
        "/recordings/-1",
        "/recordings/live-1.mp4",
        "/recordings/..%2F..%2Fetc%2Fpasswd",
        "/static/../live.py",
        "/static/%2e%2e/live.py",
        "/static/..%2flive.py",
        "/static//etc/passwd",
        "/static/",
        "/docs",
        "/openapi.json",
    ],
)
def test_paths_lead_nowhere_else(browser: Browser, show: FakeShow, path: str) -> None:
    show.record(True)
    show.record(False)
    answer = browser.ask(path)
    assert answer.status in (404, 422)
    assert b"root:" not in answer.body
    assert b"import" not in answer.body


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_background_is_uploaded(browser: Browser, show: FakeShow, kind: str) -> None:
    assert browser.ask("/background", data=_picture((300, 200), kind)).status == 200
    [(what, picture)] = show.asked
    assert what == "background"
    assert isinstance(picture, np.ndarray)
    assert picture.shape == (200, 300, 3)
    assert np.abs(picture[100, 150].astype(int) - (200, 30, 40)).max() < 4


def test_a_background_that_is_no_picture_is_refused(browser: Browser, show: FakeShow) -> None:
    whole = _picture((300, 200))
    for data in (b"", b"GIF89a", whole[: len(whole) // 2], b"<svg xmlns='http://www.w3.org/2000/svg'/>"):
        answer = browser.ask("/background", data=data)
        assert answer.status == 422
        assert json.loads(answer.body)["error"]["code"] == "bad-picture"
    assert show.asked == []


def test_a_background_of_too_many_bytes_or_pixels_is_refused(browser: Browser, show: FakeShow) -> None:
    for side in (8000, 20000):  # a file of a few bytes that speaks of 64 or 400 million pixels
        small = _picture((9, 9), "PNG")
        header = b"IHDR" + struct.pack(">II", side, side) + small[24:29]
        bomb = small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[33:]
        answer = browser.ask("/background", data=bomb)
        assert json.loads(answer.body)["error"]["code"] == "picture-too-large"
    answer = browser.ask("/background", data=bytes((25 << 20) + 1))
    assert answer.status == 413
    assert show.asked == []


def test_a_picture_is_turned_upright_and_shrunk() -> None:
    file, exif = io.BytesIO(), PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    PIL.Image.new("RGB", (400, 200)).save(file, "JPEG", exif=exif)
    image = decoded(file.getvalue(), formats=("JPEG",), max_pixels=10**6, longest=100)
    assert image.shape == (100, 50, 3)


# The page's own camera


def test_frames_of_a_pages_camera_reach_the_show(browser: Browser, show: FakeShow) -> None:
    with browser.open("/camera") as page:
        for count in (1, 2):
            assert _told(page, _picture((320, 240))) == {"taken": True}
            assert len(show.pushed) == count
    assert show.pushed[0].shape == (240, 320, 3)
    assert np.abs(show.pushed[0][9, 9].astype(int) - (200, 30, 40)).max() < 4


def test_frames_that_are_none_or_too_large_are_refused(browser: Browser, show: FakeShow) -> None:
    side = int(MAX_FRAME_PIXELS**0.5) + 1
    with browser.open("/camera") as page:
        assert _told(page, b"nothing")["error"]["code"] == "bad-picture"
        assert _told(page, "text")["error"]["code"] == "bad-picture"
        assert _told(page, _picture((20, 20), "PNG"))["error"]["code"] == "bad-picture"
        assert _told(page, _picture((side, side)))["error"]["code"] == "picture-too-large"
        assert show.pushed == []
        assert _told(page, _picture((20, 20))) == {"taken": True}
    with browser.open("/camera") as page, pytest.raises(ConnectionClosed):
        _told(page, bytes(MAX_MESSAGE + 1))
    assert len(show.pushed) == 1


def test_the_last_page_to_bring_its_camera_is_the_one(browser: Browser, show: FakeShow) -> None:
    with browser.open("/camera") as one:
        _told(one, _picture((20, 20)))
        with browser.open("/camera") as two:
            assert _told(two, _picture((40, 40))) == {"taken": True}
            with pytest.raises(ConnectionClosed) as closed:
                one.recv(timeout=LONG)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4001
            assert _told(two, _picture((40, 40))) == {"taken": True}


def test_a_show_with_its_own_camera_takes_no_frames(show: FakeShow) -> None:
    with serve(show, open_browser=False) as address:
        browser = Browser(address)
        with pytest.raises(InvalidStatus):
            browser.open("/camera")
        with browser.open() as page:
            assert _next(page, 0)[0]["asks_camera"] is False


# Whom it refuses


def test_the_token_in_the_address_becomes_a_cookie(browser: Browser) -> None:
    answer = browser.ask(f"/?token={browser.token}", token=None)
    assert answer.status == 200
    cookie = answer.headers["set-cookie"]
    assert f"dance-{browser.port}={browser.token}" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "set-cookie" not in browser.ask().headers


@pytest.mark.parametrize("path", ["/", "/static/live.js", "/recordings/0", "/nothing"])
@pytest.mark.parametrize("token", [None, "wrong", "é"])
def test_without_the_token_there_is_nothing(standing: tuple[Browser, FakeShow], path: str, token: str | None) -> None:
    browser, _ = standing
    answer = browser.ask(path, token=None if token is None else token.encode().decode("latin-1"))
    assert answer.status == 403
    assert "set-cookie" not in answer.headers
    assert browser.ask(f"{path}?token=wrong", token=None).status == 403


def test_tokens_differ_from_run_to_run(show: FakeShow) -> None:
    with serve(show, open_browser=False) as one, serve(show, open_browser=False) as two:
        assert Browser(one).token != Browser(two).token
        assert len(Browser(one).token) >= 40
        assert Browser(two).ask(f"/?token={Browser(one).token}", token=None).status == 403


@pytest.mark.parametrize("path", ["/show", "/camera"])
@pytest.mark.parametrize(
    "forged",
    [
        {"token": "wrong"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"host": "evil.example"},
    ],
)
def test_sockets_refuse_strangers(standing: tuple[Browser, FakeShow], path: str, forged: dict[str, str]) -> None:
    browser, _ = standing
    with pytest.raises(InvalidStatus) as refused:
        browser.open(path, **forged)
    assert refused.value.response.status_code == 403


def test_posts_of_other_pages_are_refused(browser: Browser, show: FakeShow) -> None:
    assert browser.ask("/background", data=_picture((9, 9)), origin="http://evil.example").status == 403
    assert browser.ask("/background", data=_picture((9, 9)), token="wrong").status == 403
    assert show.asked == []


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[", "a b"])
def test_other_names_for_this_machine_are_refused(standing: tuple[Browser, FakeShow], host: str) -> None:
    browser, _ = standing
    assert browser.ask(host=f"{host}:{browser.port}").status in (400, 403)


def test_this_machines_names_are_taken(browser: Browser) -> None:
    # Behind a tunnel the port is another one.
    for host in (f"localhost:{browser.port}", "LOCALHOST:9", f"[::1]:{browser.port}"):
        assert browser.ask(host=host).status == 200


def test_every_answer_has_the_headers(browser: Browser) -> None:
    for answer in (browser.ask(), browser.ask("/nothing"), browser.ask(token="wrong")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


# How it starts and ends


def test_it_speaks_https_where_it_has_a_certificate(show: FakeShow, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here to make a certificate")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=x -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    trust = ssl.create_default_context(cafile=certificate)
    with serve(show, camera=show, certificate=certificate, key=key, open_browser=False) as address:
        assert address.startswith("https://")
        with urllib.request.urlopen(address, context=trust, timeout=LONG) as response:
            assert "; Secure" in response.headers["set-cookie"]
        socket_address = address.replace("https", "wss").replace("/?", "/show?")
        origin = address.partition("/?")[0]
        with connect(socket_address, ssl=trust, origin=origin, proxy=None) as page:  # type: ignore[arg-type]
            assert _next(page, 0)[0]["number"] >= 1
        with (
            pytest.raises(InvalidStatus),
            connect(
                socket_address,
                ssl=trust,
                origin=origin.replace("https", "http"),
                proxy=None,  # type: ignore[arg-type]
            ),
        ):
            pass


def test_it_listens_on_this_machine_only(browser: Browser) -> None:
    assert browser.host.startswith("127.0.0.1:")


def test_it_ends_while_pages_are_open_and_tells_them(show: FakeShow) -> None:
    def servers() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name == "page"]

    before = servers()
    with ExitStack() as pages:
        with serve(show, open_browser=False) as address:
            browser = Browser(address)
            both = [pages.enter_context(browser.open()) for _ in range(2)]
            _next(both[0], 0)
            both[0].send(json.dumps({"next": 10**6}))  # it is waiting for a picture
        # Both pages are still open: it waited neither for them nor for the picture.
        assert servers() == before
        for page in both:
            with pytest.raises(ConnectionClosed) as closed:
                _heard(page)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", browser.port), timeout=LONG)


def test_its_port_can_be_used_again_at_once(show: FakeShow) -> None:
    with serve(show, open_browser=False) as address:
        port = Browser(address).port
        with Browser(address).open() as page:
            _next(page, 0)
    with serve(show, port=port, open_browser=False) as address:
        assert Browser(address).ask().status == 200


@contextmanager
def _taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


def test_what_does_not_work_is_said_in_a_sentence(show: FakeShow, tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")

    def code(**options: Any) -> str:
        with pytest.raises(DanceError) as raised, serve(show, open_browser=False, **options):
            pass
        return raised.value.code

    with _taken_port() as port:
        assert code(port=port) == "port-taken"
    assert code(host="no.such.host.invalid") == "bad-host"
    assert code(host="192.0.2.1") == "bad-host"
    assert code(certificate=nonsense) == "certificate-and-key"
    assert code(certificate=nonsense, key=nonsense) == "bad-certificate"
    assert code(certificate=tmp_path / "none.pem", key=nonsense) == "bad-certificate"


def test_a_camera_over_the_network_needs_a_certificate() -> None:
    with pytest.raises(UsageError, match="localhost and over HTTPS only"):
        check_serving("0.0.0.0", 0, None, None, with_camera=True)
    check_serving("0.0.0.0", 0, None, None, with_camera=False)


def test_the_browser_is_opened_where_it_is_wanted(show: FakeShow, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    with serve(show, open_browser=True) as address:
        until = time.monotonic() + LONG
        while not opened and time.monotonic() < until:
            time.sleep(0.01)
        assert opened == [address]
