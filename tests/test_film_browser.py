"""Filming oneself in the studio, with Chromium's camera that plays a file. Skipped without Chromium."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest

from everybody_dance.dancers.choreography import CHOREOGRAPHIES
from everybody_dance.dancers.render import DANCERS, render_clip
from studios import RENDERED_RATE, RENDERED_SIZE, Client, serving_studio

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (extra 'test')")
from playwright.sync_api import Browser, ConsoleMessage, Page, expect  # noqa: E402

from test_web_browser import ARGUMENTS, CHROMIUM, DESKTOP, PHONE  # noqa: E402

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium or Chrome here")

LONG = 120_000
"""Milliseconds that work may take on a slow machine."""

COUNTDOWN = 15_000
"""Milliseconds within which a countdown of five seconds has surely ended."""

TRACKS = """
    const devices = navigator.mediaDevices, ask = devices.getUserMedia.bind(devices);
    window.tracks = [];
    devices.getUserMedia = async (wanted) => {
      const stream = await ask(wanted);
      window.tracks.push(...stream.getTracks());
      return stream;
    };
"""
"""The page remembers every track that it was given."""


@pytest.fixture(scope="module")
def filming(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser whose camera shows a dancer."""
    file = tmp_path_factory.mktemp("camera") / "ada.y4m"
    with av.open(str(file), "w", format="yuv4mpegpipe") as container:
        stream = container.add_stream("wrapped_avframe", rate=RENDERED_RATE)
        stream.width, stream.height = RENDERED_SIZE
        stream.pix_fmt = "yuv420p"
        for frame in render_clip(DANCERS["ada"], CHOREOGRAPHIES["varied"], 3, RENDERED_RATE, RENDERED_SIZE):
            picture = av.VideoFrame.from_ndarray(frame.image, "rgb24").reformat(format="yuv420p")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    alone = ["--no-sandbox"] if os.geteuid() == 0 else []
    camera = f"--use-file-for-fake-video-capture={file}"
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, camera, *alone])
        yield browser
        browser.close()


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Client]:
    with serving_studio(tmp_path / "dance-studio") as client:
        yield client


@contextmanager
def _dialog(browser: Browser, studio: Client, script: str = TRACKS, size: tuple[int, int] = DESKTOP) -> Iterator[Page]:
    """A page of the studio with the dialog opened; ``script`` runs before the page does."""
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.add_init_script(script)
    page.goto(studio.address)
    page.get_by_role("button", name="Film with this camera").click()
    yield page
    context.close()
    assert complaints == []


def _record(page: Page, milliseconds: int) -> None:
    """Start, and wait until so much was recorded."""
    page.get_by_role("button", name="Start in 5 seconds").click()
    expect(page.get_by_role("button", name="Stop recording")).to_be_focused(timeout=COUNTDOWN)
    page.wait_for_timeout(milliseconds)


def _camera_is_off(page: Page) -> None:
    assert page.evaluate("tracks.length > 0 && tracks.every((track) => track.readyState === 'ended')")


@pytest.mark.parametrize("coding", ["", "vp8"])
def test_a_person_is_filmed_watched_and_prepared(filming: Browser, studio: Client, coding: str) -> None:
    only = f"MediaRecorder.isTypeSupported = (type) => type.includes({coding!r});" if coding else ""
    with _dialog(filming, studio, TRACKS + only) as page:
        dialog = page.get_by_role("dialog", name="Film with this camera")
        expect(dialog).to_contain_text("Step aside once")
        expect(dialog.locator(".film-guide")).to_be_visible()
        start = page.get_by_role("button", name="Start in 5 seconds")
        expect(start).to_be_focused()
        assert page.evaluate("getComputedStyle(document.querySelector('.finder video')).transform").startswith(
            "matrix(-1"
        )
        page.keyboard.press("Enter")
        expect(dialog.get_by_role("status")).to_have_text("Recording begins in 5 seconds")
        expect(dialog.locator(".film-number")).to_have_text("2")
        expect(dialog.get_by_role("status")).to_have_text("2")
        expect(page.get_by_role("button", name="Stop recording")).to_be_focused(timeout=COUNTDOWN)
        expect(dialog.get_by_role("status")).to_contain_text("Recording. Go on for a minute")
        expect(dialog.get_by_role("timer")).to_have_text("0:03")
        page.keyboard.press("Enter")
        expect(dialog).to_contain_text("which is short")
        _camera_is_off(page)
        watched = page.get_by_label("What was recorded")
        page.wait_for_timeout(500)
        watched.evaluate("video => video.play()")
        expect(watched).to_have_js_property("error", None)
        page.get_by_role("button", name="Use this").click()
        expect(dialog).to_be_hidden()
        name = page.get_by_label("Name")
        expect(name).to_be_focused()
        expect(name).to_have_value("")
        name.fill("Me")
        page.get_by_role("button", name="Upload and prepare").click()
        expect(page.locator(".report")).to_contain_text("more would help", timeout=LONG)
        page.get_by_role("button", name="New person").click()
        expect(page.get_by_role("button", name="Film with this camera")).to_be_visible()  # nothing is left to use
    (footage,) = (studio.root / "people" / "Me").glob("footage.*")
    with av.open(str(footage)) as container:
        assert (container.duration is None) == (footage.suffix == ".webm") == bool(coding)
        assert not container.streams.audio
    prepared = studio.state()["people"]["Me"]["prepared"]
    assert 2 <= prepared["seconds"] <= 5
    assert (prepared["width"], prepared["height"]) == RENDERED_SIZE


def test_a_camera_that_ends_leaves_what_was_recorded(filming: Browser, studio: Client) -> None:
    with _dialog(filming, studio) as page:
        _record(page, 1500)
        page.evaluate("tracks[0].stop(), tracks[0].dispatchEvent(new Event('ended'))")
        expect(page.get_by_role("dialog")).to_contain_text("What was recorded until then is kept")
        expect(page.get_by_role("button", name="Use this")).to_be_focused()
        # Closed by mistake, it is still there.
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Watch what you filmed").click()
        expect(page.get_by_role("button", name="Use this")).to_be_visible()
        page.get_by_role("button", name="Film again").click()
        expect(page.get_by_role("button", name="Start in 5 seconds")).to_be_focused()
        page.evaluate("tracks.at(-1).dispatchEvent(new Event('ended'))")
        expect(page.get_by_role("dialog")).to_contain_text("The camera is gone")
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("button", name="Start in 5 seconds")).to_be_focused()


def test_the_camera_is_off_when_the_dialog_closes(filming: Browser, studio: Client) -> None:
    with _dialog(filming, studio) as page:
        page.get_by_role("button", name="Start in 5 seconds").click()
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("button", name="Start in 5 seconds")).to_be_focused()
        page.get_by_role("button", name="Close").click()
        _camera_is_off(page)
        # While it records, Escape ends the recording, and Close does so too; nothing is lost.
        page.get_by_role("button", name="Film with this camera").click()
        _record(page, 1200)
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Use this")).to_be_focused()
        page.get_by_role("button", name="Film again").click()
        _record(page, 1200)
        page.get_by_role("button", name="Close").click()
        expect(page.get_by_role("button", name="Watch what you filmed")).to_be_visible()
        _camera_is_off(page)
        page.get_by_role("button", name="Watch what you filmed").click()  # the take of the second recording
        page.get_by_role("button", name="Use this").click()
        expect(page.get_by_label("Name")).to_be_focused()


def test_opened_again_while_the_recording_is_finished_nothing_is_lost(filming: Browser, studio: Client) -> None:
    slow = """
        const stop = MediaRecorder.prototype.stop;
        MediaRecorder.prototype.stop = function () { setTimeout(() => stop.call(this), 1500); };
    """
    with _dialog(filming, studio, TRACKS + slow) as page:
        _record(page, 1200)
        page.get_by_role("button", name="Close").click()
        page.get_by_role("button", name="Film with this camera").click()
        expect(page.get_by_role("button", name="Use this")).to_be_focused()
        _camera_is_off(page)
        page.get_by_role("button", name="Use this").click()
        expect(page.get_by_label("Name")).to_be_focused()


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })", "localhost and over HTTPS only"),
        ("delete window.MediaRecorder", "This browser cannot record"),
        *(
            (f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('', '{name}'); }}", sentence)
            for name, sentence in (
                ("NotAllowedError", "allow it for this page"),
                ("NotFoundError", "no camera"),
                ("NotReadableError", "in use by another program"),
            )
        ),
    ],
)
def test_why_there_is_no_camera_is_said(filming: Browser, studio: Client, script: str, sentence: str) -> None:
    with _dialog(filming, studio, script) as page:
        expect(page.get_by_role("dialog").locator(".failed")).to_contain_text(sentence)
        expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text(sentence)
        expect(page.get_by_role("button", name="Try again")).to_be_focused()


@pytest.mark.parametrize("size", [PHONE, (320, 568)], ids=str)
def test_the_dialog_fits_a_phone(filming: Browser, studio: Client, size: tuple[int, int]) -> None:
    with _dialog(filming, studio, size=size) as page:
        start = page.get_by_role("button", name="Start in 5 seconds")
        expect(start).to_be_in_viewport()
        assert page.evaluate(
            "document.querySelector('dialog').scrollWidth <= document.querySelector('dialog').clientWidth"
        )
        finder = page.locator(".finder").bounding_box()
        assert finder is not None
        assert finder["x"] >= 0
        assert finder["x"] + finder["width"] <= size[0]
