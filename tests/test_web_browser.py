"""The page in a real browser: Chromium without a window. Skipped where there is none."""

import contextlib
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from everybody_dance.web.live import serve
from shows import FakeShow

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (extra 'test')")
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect  # noqa: E402

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = [
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
DESKTOP, PHONE = (1280, 760), (390, 844)

LONG = 30_000
"""Milliseconds in which whatever must happen on a page has happened, however busy the machine is."""
expect.set_options(timeout=LONG)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium or Chrome here")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    alone = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *alone])
        yield browser
        browser.close()


@pytest.fixture
def show(tmp_path: Path) -> FakeShow:
    return FakeShow(tmp_path)


@pytest.fixture
def address(show: FakeShow) -> Iterator[str]:
    with serve(show, open_browser=False) as address:
        yield address


@contextlib.contextmanager
def visiting(
    chromium: Browser, address: str, size: tuple[int, int] = DESKTOP, complaint: str | None = None
) -> Iterator[Page]:
    """A page at ``address``, in a browser that has never been there; it may complain of ``complaint`` alone."""
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not (complaint and complaint in message.text):
            complaints.append(message.text)

    context: BrowserContext = chromium.new_context(viewport={"width": size[0], "height": size[1]})
    context.set_default_timeout(LONG)
    page = context.new_page()
    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    yield page
    context.close()
    assert complaints == []


def _number(page: Page) -> int:
    """The number of the picture on the page; waits for one."""
    page.wait_for_selector("#picture[data-number]")
    return int(page.get_attribute("#picture", "data-number") or 0)


def _wait_for_newer(page: Page, number: int) -> None:
    _wait_until(page, f"Number(document.getElementById('picture').dataset.number) > {number}")


def _wait_until(page: Page, true: str) -> None:
    """As ``wait_for_function``, which the page's own security policy stops."""
    until = time.monotonic() + LONG / 1000
    while not page.evaluate(true):
        assert time.monotonic() < until, true
        page.wait_for_timeout(20)


def _drawn(page: Page, canvas: str = "picture") -> str:
    return str(page.evaluate("name => document.getElementById(name).toDataURL()", canvas))


def _corner(page: Page) -> list[int]:
    script = "Array.from(document.getElementById('picture').getContext('2d').getImageData(5, 5, 1, 1).data)"
    return list(page.evaluate(script))


def _wait_until_asked(show: FakeShow, what: str, value: object) -> None:
    until = time.monotonic() + LONG / 1000
    while not any(name == what and type(have) is type(value) and have == value for name, have in show.asked):
        assert time.monotonic() < until, f"{what} never reached the show, which heard {show.asked}"
        time.sleep(0.01)


def test_pictures_are_drawn_and_change(chromium: Browser, address: str) -> None:
    with visiting(chromium, address) as page:
        first = _number(page)
        pictures = _drawn(page), _drawn(page, "camera")
        assert max(abs(have - wall) for have, wall in zip(_corner(page), (188, 196, 206, 255), strict=True)) <= 4
        _wait_for_newer(page, first + 10)
        assert _drawn(page) != pictures[0]
        assert _drawn(page, "camera") != pictures[1]
        expect(page.locator("#state")).to_have_text("Live")
        expect(page.locator("#veil")).to_be_hidden()
        expect(page.locator("#number-rate")).to_have_text("24.7")
        expect(page.locator("#number-latency")).to_have_text("61 ms")
        expect(page.locator("#number-dropped")).to_contain_text("of")
        expect(page.locator("#stages li")).to_have_count(4)
        assert page.title() == "Live · Everybody Dance"


def test_buttons_reach_the_show_and_say_what_holds(chromium: Browser, address: str, show: FakeShow) -> None:
    with visiting(chromium, address) as page:
        _number(page)
        for name, what in (("Mirror", "mirror"), ("Freeze", "freeze")):
            button = page.get_by_role("button", name=name, exact=True)
            for on in (True, False):
                button.click()
                _wait_until_asked(show, what, on)
                expect(button).to_have_attribute("aria-pressed", str(on).lower())
        page.get_by_role("button", name="Person").click()
        page.get_by_role("button", name="On the left").click()
        _wait_until_asked(show, "follow", "left")
        expect(page.locator("#person-menu")).to_be_hidden()
        expect(page.locator("#follow-left")).to_have_attribute("aria-pressed", "true")


def test_keys_do_what_buttons_do(chromium: Browser, address: str, show: FakeShow) -> None:
    with visiting(chromium, address) as page:
        _number(page)
        for key, what, value in (
            ("m", "mirror", True),
            ("f", "freeze", True),
            ("c", "calibrate", None),
            ("p", "follow", "left"),
        ):
            page.keyboard.press(key)
            _wait_until_asked(show, what, value)
        page.keyboard.press("Control+m")
        page.keyboard.press("v")
        expect(page.locator("#inset")).to_be_hidden()
        page.keyboard.press("n")
        expect(page.locator("#numbers")).to_be_hidden()
        page.keyboard.press("x")
        _wait_until(page, "document.fullscreenElement?.id === 'stage'")
        page.keyboard.press("x")
        _wait_until(page, "document.fullscreenElement === null")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("m")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        assert [what for what, _ in show.asked].count("mirror") == 1


def test_calibrating_counts_down_on_the_page(chromium: Browser, address: str, show: FakeShow) -> None:
    with visiting(chromium, address) as page:
        _number(page)
        page.get_by_role("button", name="Calibrate").click()
        _wait_until_asked(show, "calibrate", None)
        show.counted = 2.6
        expect(page.locator("#count")).to_have_text("3")
        expect(page.get_by_text("Stand upright, the whole body in the picture").last).to_be_visible()
        expect(page.locator("#announcer")).to_have_text("Stand upright, the whole body in the picture")
        show.counted = 0.4
        expect(page.locator("#count")).to_have_text("1")
        show.counted = 0.0
        expect(page.locator("#count")).to_have_text("Hold still")
        show.counted = None
        expect(page.locator("#countdown")).to_be_hidden()


def test_backgrounds(chromium: Browser, address: str, show: FakeShow, tmp_path: Path) -> None:
    own = tmp_path / "own.png"
    cv2.imwrite(str(own), np.full((60, 80, 3), (0, 0, 255), np.uint8))
    with visiting(chromium, address, complaint="422") as page:
        _number(page)
        page.keyboard.press("b")
        page.get_by_role("button", name="Green").click()
        _wait_until_asked(show, "background", "#00B140")
        expect(page.locator("#over-green")).to_have_attribute("aria-pressed", "true")
        page.locator("#colour").fill("#123456")
        _wait_until_asked(show, "background", "#123456")
        page.locator("#background").click()
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="A picture from your disk").click()
        chooser.value.set_files(own)
        expect(page.locator("#over-picture")).to_have_attribute("aria-pressed", "true")
        picture = show.asked[-1][1]
        assert isinstance(picture, np.ndarray)
        assert picture.shape == (60, 80, 3)
        assert picture[0, 0].tolist() == [255, 0, 0]
        page.locator("#file").set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"no picture"})
        expect(page.locator("#notice")).to_contain_text("cannot be read")
        page.locator("#background").click()
        page.get_by_role("button", name="Their own place").click()
        _wait_until_asked(show, "background", None)


def test_a_recording_is_named_and_can_be_fetched(
    chromium: Browser, address: str, show: FakeShow, tmp_path: Path
) -> None:
    with visiting(chromium, address) as page:
        _number(page)
        expect(page.locator("#recording")).to_be_hidden()
        page.get_by_role("button", name="Record").click()
        expect(page.locator("#recording")).to_be_visible()
        show.recorded = 1.2
        expect(page.locator("#recorded")).to_have_text("0:01")
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#notice-text")).to_have_text("Saved as live-1.mp4")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download").click()
        assert download.value.suggested_filename == "live-1.mp4"
        download.value.save_as(tmp_path / "fetched.mp4")
        assert (tmp_path / "fetched.mp4").read_bytes() == b"a recording"
        expect(page.locator("#recordings a")).to_have_text("live-1.mp4")


def test_the_page_says_what_is_wrong(chromium: Browser, address: str, show: FakeShow) -> None:
    with visiting(chromium, address) as page:
        _number(page)
        show.state = replace(show.state, seen=False)
        expect(page.locator("#message")).to_contain_text("Nobody seen")
        show.state = replace(show.state, state="lost", message="Camera 0 is gone.")
        show.running.clear()
        expect(page.locator("#message")).to_have_text("Camera 0 is gone.")
        expect(page.locator("#state")).to_have_text("Camera lost")
        show.state = replace(show.state, state="working", seen=True, message=None)
        show.running.set()
        expect(page.locator("#message")).to_be_hidden()
        expect(page.locator("#state")).to_have_text("Live")


def test_before_the_first_picture_the_page_waits(chromium: Browser, address: str, show: FakeShow) -> None:
    show.running.clear()
    with visiting(chromium, address) as page:
        expect(page.locator("#veil-title")).to_have_text("Waiting for the first picture")
        expect(page.locator("#offer")).to_be_hidden()
        show.running.set()
        _number(page)
        expect(page.locator("#veil")).to_be_hidden()


def test_two_pages_at_once(chromium: Browser, address: str) -> None:
    with visiting(chromium, address) as one, visiting(chromium, address, PHONE) as two:
        _number(one)
        one.keyboard.press("m")
        expect(two.locator("#mirror")).to_have_attribute("aria-pressed", "true")
        for page in (one, two):
            _wait_for_newer(page, _number(page) + 10)


class Relay:
    """A port that leads to another, as a tunnel does, and that can be cut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open: list[socket.socket] = []
        self.up = True
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections, and take no new ones until ``up`` is set."""
        self.up = False
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def _accept(self) -> None:
        while True:
            near, _ = self._listening.accept()
            if not self.up:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._target))
            self._open += [near, far]
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=pair, daemon=True).start()

    @staticmethod
    def _pass(source: socket.socket, drain: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                drain.sendall(data)
        with contextlib.suppress(OSError):
            drain.shutdown(socket.SHUT_RDWR)


def test_a_dropped_connection_comes_back_by_itself(chromium: Browser, address: str, show: FakeShow) -> None:
    port = urlsplit(address).port
    assert port is not None
    relay = Relay(port)
    context = chromium.new_context()
    page = context.new_page()
    page.goto(address.replace(str(port), str(relay.port)))
    number = _number(page)
    relay.cut()
    expect(page.locator("#veil-title")).to_have_text("Connection lost")
    expect(page.locator("#mirror")).to_be_disabled()
    expect(page.locator("#veil-title")).to_have_text("The program does not answer")
    relay.up = True
    expect(page.locator("#veil")).to_be_hidden(timeout=10_000)
    _wait_for_newer(page, number + 5)
    page.keyboard.press("m")
    _wait_until_asked(show, "mirror", True)
    context.close()


def test_the_page_says_that_the_program_has_ended(chromium: Browser, show: FakeShow) -> None:
    with serve(show, open_browser=False) as address:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(address)
        _number(page)
    expect(page.locator("#veil-title")).to_have_text("The program has ended")
    expect(page.locator("#calibrate")).to_be_disabled()
    expect(page.locator("#state")).to_have_text("Ended")
    context.close()


@pytest.mark.parametrize("size", [PHONE, (320, 568), (844, 390), DESKTOP], ids=str)
def test_everything_fits(chromium: Browser, address: str, size: tuple[int, int]) -> None:
    with visiting(chromium, address, size) as page:
        _number(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        stage = page.locator("#stage").bounding_box()
        assert stage is not None
        assert stage["height"] >= 150
        boxes = [tool.bounding_box() for tool in page.locator(".tool:visible").all()]
        assert len(boxes) == 8
        for box in boxes:
            assert box is not None
            assert box["height"] >= 40
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= size[0]


def test_everything_has_a_name(chromium: Browser, address: str) -> None:
    with visiting(chromium, address) as page:
        _number(page)
        names = """() => Array.from(document.querySelectorAll("button, select, canvas, section, [role]"))
            .filter((element) => element.id !== "announcer" && element.id !== "notice-text")
            .filter((element) => !(element.ariaLabel || element.textContent.trim() || element.labels?.length
                                   || element.getAttribute("aria-labelledby")))
            .map((element) => element.outerHTML)"""
        assert page.evaluate(names) == []
        # The first button is reached by the keyboard, and shows that it is.
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "toggle-numbers"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_the_pages_own_camera_reaches_the_show(chromium: Browser, show: FakeShow) -> None:
    show.running.clear()
    with serve(show, camera=show, open_browser=False) as address, visiting(chromium, address) as page:
        page.get_by_role("button", name="Start the camera").click()
        until = time.monotonic() + LONG / 1000
        while len(show.pushed) < 3:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert max(show.pushed[0].shape) <= 1280
        assert show.pushed[0].std() > 10  # Chromium's test picture, not black
        assert any((frame != show.pushed[0]).any() for frame in show.pushed[1:])
        show.running.set()
        _number(page)
        expect(page.locator("#offer")).to_be_hidden()
        stop = page.get_by_role("button", name="Send camera")
        expect(stop).to_have_attribute("aria-pressed", "true")
        stop.click()
        expect(stop).to_have_attribute("aria-pressed", "false")
        page.wait_for_timeout(300)
        count = len(show.pushed)
        page.wait_for_timeout(300)
        assert len(show.pushed) == count
        show.state = replace(show.state, state="lost")
        expect(page.get_by_role("button", name="Start the camera")).to_be_visible()


def test_a_camera_that_never_was_is_waited_for(
    chromium: Browser, show: FakeShow, monkeypatch: pytest.MonkeyPatch
) -> None:
    show.running.clear()
    status = show.status
    monkeypatch.setattr(show, "status", lambda: replace(status(), state="lost", frames=0))
    with serve(show, camera=show, open_browser=False) as address, visiting(chromium, address) as page:
        expect(page.locator("#state")).to_have_text("Waiting")


def test_a_camera_that_is_started_twice_is_opened_once(chromium: Browser, show: FakeShow) -> None:
    """A second click while the browser still asks must not leave a camera on that nothing can switch off."""
    count_open = "window.streams.flatMap(s => s.getTracks()).filter(t => t.readyState === 'live').length"
    show.running.clear()  # no picture yet, so the page offers its camera
    with serve(show, camera=show, open_browser=False) as address, visiting(chromium, address) as page:
        expect(page.get_by_role("button", name="Start the camera")).to_be_visible()
        page.evaluate(
            """() => {
              const devices = navigator.mediaDevices, ask = devices.getUserMedia.bind(devices);
              window.streams = [];
              devices.getUserMedia = async (wanted) => {
                const stream = await ask(wanted);
                window.streams.push(stream);
                return stream;
              };
              const button = document.getElementById("start-camera");
              button.click();
              button.click();
            }"""
        )
        _wait_until(page, "window.streams.length === 2")
        _wait_until(page, f"{count_open} === 1")
        pushed = len(show.pushed)
        until = time.monotonic() + LONG / 1000
        while len(show.pushed) <= pushed + 2:
            assert time.monotonic() < until
            page.wait_for_timeout(20)
        page.get_by_role("button", name="Send camera").click()
        _wait_until(page, f"{count_open} === 0")


def test_a_countdown_does_not_hide_that_the_camera_is_lost(chromium: Browser, address: str, show: FakeShow) -> None:
    with visiting(chromium, address) as page:
        _number(page)
        page.keyboard.press("c")
        _wait_until_asked(show, "calibrate", None)
        show.counted = 2.6  # and it stays there: what follows does not wait for the end of the countdown
        expect(page.locator("#countdown")).to_be_visible()
        show.state = replace(show.state, state="lost", message="There is no picture from camera 0.")
        expect(page.locator("#message")).to_have_text("There is no picture from camera 0.")
        expect(page.locator("#message")).to_be_visible(timeout=1000)
        expect(page.locator("#countdown")).to_be_hidden(timeout=1000)
