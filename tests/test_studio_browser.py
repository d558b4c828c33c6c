"""The studio in a real browser, from the first visit to a result: Chromium without a window. Skipped without one."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from studios import Client, rendered, serving_studio
from test_studio_api import with_a_moment
from worlds import LittleWorld

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (extra 'test')")
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect  # noqa: E402

from test_web_browser import CHROMIUM, DESKTOP, PHONE, chromium  # noqa: E402, F401

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium or Chrome here")

TEXT_OF_LANDING = "Where it will land: the pose in the source, over the empty place, over a true frame"

LONG = 120_000
"""Milliseconds that work may take on a slow machine."""


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Client]:
    with serving_studio(tmp_path / "dance-studio") as client:
        yield client


@contextlib.contextmanager
def visiting(
    browser: Browser,
    studio: Client,
    size: tuple[int, int] = DESKTOP,
    complaint: str | None = None,
    gone: Sequence[str] = (),
) -> Iterator[Page]:
    """A page of the studio; it may complain of ``complaint`` alone, and that files at addresses ``gone`` are not there.

    The page may ask for a picture in the moment in which its file is deleted or gets another name.
    """
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        expected = complaint is not None and complaint in message.text
        address = unquote(urlsplit(message.location["url"]).path)
        missing = "404" in message.text and address.startswith(tuple(gone))
        if message.type in ("error", "warning") and not expected and not missing:
            complaints.append(f"{message.text} ({address})")

    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    context.set_default_timeout(LONG)
    page = context.new_page()
    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(studio.address)
    yield page
    context.close()
    assert complaints == []


def _section(page: Page, name: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=name).click()


def _plays(page: Page, label: str) -> None:
    """The video of that name has pictures."""
    video = page.get_by_label(label, exact=True).first
    until = time.monotonic() + 60
    while video.evaluate("video => video.readyState") < 2:
        assert time.monotonic() < until, video.evaluate("video => video.error?.message")
        page.wait_for_timeout(50)


def _drawn(outline: Locator) -> dict[str, float]:
    """Where the outline is, in pixels of the preview, wherever the page has scrolled."""
    found = {name: float(outline.get_attribute(name) or "nan") for name in ("x", "y", "width", "height")}
    return found | {"bottom": found["y"] + found["height"]}


def test_from_the_first_visit_to_a_result(chromium: Browser, studio: Client, tmp_path: Path) -> None:  # noqa: F811
    ada, bruno = rendered(tmp_path / "ada.mp4", "ada", 2), rendered(tmp_path / "a dance.mp4", "bruno", 1)
    with visiting(chromium, studio, gone=["/api/people/Ada-B/"]) as page:
        # The first visit
        expect(page.get_by_role("heading", name="Film a person for a minute or two")).to_be_visible()
        page.get_by_role("button", name="How to film").click()
        expect(page.get_by_role("dialog")).to_contain_text("Step aside once")
        page.keyboard.press("Escape")
        for section, sentence in (("Dance", "Nobody can dance yet"), ("Live", "Nobody can dance yet")):
            _section(page, section)
            expect(page.get_by_text(sentence).locator("visible=true")).to_be_visible()

        # Drop and prepare
        _section(page, "People")
        page.locator("#section-people input[type=file]").set_input_files(ada)
        name = page.get_by_label("Name")
        expect(name).to_have_value("ada")
        name.fill("Ada / B.")
        page.get_by_role("button", name="Upload and prepare").click()
        expect(page.get_by_role("heading", name="Ada-B")).to_be_visible(timeout=LONG)
        expect(page.locator(".report li").first).to_be_visible(timeout=LONG)
        expect(page.locator(".report")).to_contain_text("more would help")
        expect(page.locator(".detail .picture img").last).to_have_js_property("complete", True)
        page.get_by_text("Seconds seen of each movement").click()
        expect(page.locator(".poses")).to_contain_text("from behind")

        # Train; the page that is closed meanwhile changes nothing
        page.get_by_label("Minutes").fill("0.02")
        page.get_by_role("button", name="Train", exact=True).click()
        expect(page.get_by_role("button", name="Pause").first).to_be_visible()
        expect(page.locator("#work-text")).to_contain_text("1 job")
        page.reload()
        expect(page.get_by_role("heading", name="What now?")).to_be_visible(timeout=LONG)
        expect(page.locator(".bars")).to_contain_text("Nearest frame", timeout=LONG)
        expect(page.locator(".preview img")).to_be_visible()

        # Dance
        page.get_by_role("button", name="Let them dance").click()
        page.locator("#section-dance input[type=file]").set_input_files(bruno)
        expect(page.get_by_role("radio", name="a dance")).to_be_checked(timeout=LONG)
        page.get_by_text("The same on the command line").click()
        expect(page.locator(".command code")).to_contain_text("dance transfer")
        page.get_by_label("Smoothing").select_option("none")
        expect(page.locator(".command code")).to_contain_text("--smooth none")
        page.get_by_role("button", name="See where it lands").click()
        page.get_by_role("button", name="Make it dance").click()
        expect(page.locator(".landing")).to_be_visible(timeout=LONG)
        expect(page.locator(".player")).to_be_visible(timeout=LONG)
        _plays(page, "Result")
        _plays(page, "Source")
        page.get_by_role("button", name="Play both").click()
        result = page.get_by_label("Result", exact=True).first
        until = time.monotonic() + 60
        while not result.evaluate("video => video.ended"):
            assert time.monotonic() < until
            page.wait_for_timeout(50)
        with page.expect_download() as download:
            page.get_by_role("link", name="Download", exact=True).click()
        assert download.value.suggested_filename == "Ada-B-a dance.mp4"

        # Delete
        _section(page, "Library")
        page.get_by_role("button", name="More about Ada-B", exact=True).click()
        page.get_by_role("button", name="Delete").click()
        expect(page.get_by_role("dialog")).to_contain_text("This cannot be undone")
        expect(page.get_by_role("dialog").get_by_role("button", name="Cancel")).to_be_focused()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.locator("#section-library .people li")).to_have_count(0)
        expect(page.locator("#section-library .results li")).to_have_count(1)
    assert not list((studio.root / "people").iterdir())
    assert (studio.root / "results" / "Ada-B-a dance.mp4").exists()


@pytest.fixture
def filled(studio: Client, little_world: LittleWorld) -> Client:
    """A studio with somebody who can dance, and a dance."""
    little_world.copy_of_subject(studio.root / "people" / "Ada with quite a long name")
    (studio.root / "dances" / "waltz.mp4").write_bytes(little_world.source.read_bytes())
    (studio.root / "results" / "Ada-waltz.mp4").write_bytes(little_world.target.read_bytes())
    return studio


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=str)
def test_where_a_dance_lands_can_be_moved(chromium: Browser, filled: Client, size: tuple[int, int]) -> None:  # noqa: F811
    """By sliders, which say so in words, and by dragging the outline of what was fitted."""
    with visiting(chromium, filled, size) as page:
        _section(page, "Dance")
        bigger, sideways, floor = (page.get_by_label(name, exact=True) for name in ("Size", "Sideways", "Floor"))
        command = page.locator("#section-dance .command code")
        page.get_by_text("The same on the command line").click()
        expect(command).to_contain_text("dance transfer")
        expect(command).not_to_contain_text("--scale")

        # Sliders, by the keyboard
        bigger.focus()
        for _ in range(3):
            page.keyboard.press("ArrowLeft")
        expect(bigger).to_have_attribute("aria-valuetext", "97 % of the fitted size")
        floor.fill("5")
        expect(floor).to_have_attribute("aria-valuetext", "5 % of the height lower")
        expect(command).to_contain_text("--scale 0.97 --floor 0.05")
        page.get_by_role("button", name="Reset").click()
        expect(bigger).to_have_value("100")
        expect(command).not_to_contain_text("--scale")
        expect(command).not_to_contain_text("--floor")

        # The outline, by the pointer
        page.get_by_role("button", name="See where it lands").click()
        outline = page.locator(".outline rect").first
        expect(outline).to_be_visible(timeout=LONG)
        _plays(page, TEXT_OF_LANDING)
        page.evaluate("document.activeElement.blur()")
        outline.scroll_into_view_if_needed()
        picture = page.locator(".outline").bounding_box()
        before, drawn = outline.bounding_box(), _drawn(outline)
        assert before is not None
        assert picture is not None
        # The pose in the source, over the empty place, over a true frame
        width, height = picture["width"] / 3, picture["height"]
        x, y = before["x"] + before["width"] / 2, before["y"] + before["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x - 0.1 * width, y - 0.05 * height, steps=4)
        expect(sideways).to_have_value("-10")
        expect(floor).to_have_value("-5")
        page.mouse.up()
        moved = _drawn(outline)
        shown = width / 128  # the prepared frames' width
        assert moved["x"] == pytest.approx(drawn["x"] - 12.8, abs=0.2)
        assert moved["bottom"] == pytest.approx(drawn["bottom"] - 0.05 * height / shown, abs=0.2)
        expect(sideways).to_have_attribute("aria-valuetext", "10 % of the width to the left")
        expect(command).to_contain_text("--shift -0.1 --floor -0.05")

        # A smaller dance stands on the same floor.
        bigger.fill("50")
        smaller = _drawn(outline)
        assert smaller["height"] == pytest.approx(moved["height"] / 2, abs=0.2)
        assert smaller["bottom"] == pytest.approx(moved["bottom"], abs=0.06 * moved["height"])
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        page.get_by_role("button", name="See where it lands").click()
        until = time.monotonic() + 20
        while not any("--scale 0.5" in job["command"] for job in filled.state()["jobs"].values()):
            assert time.monotonic() < until
            page.wait_for_timeout(50)


@pytest.mark.parametrize("size", [PHONE, (320, 568), DESKTOP], ids=str)
def test_everything_fits_and_has_a_name(
    chromium: Browser,  # noqa: F811
    filled: Client,
    size: tuple[int, int],
) -> None:
    names = """() => Array.from(document.querySelectorAll("button, select, input, a, video, section"))
        .filter((one) => one.checkVisibility() && one.ariaHidden !== "true")
        .filter((one) => !(one.ariaLabel || one.textContent.trim() || one.labels?.length))
        .map((one) => one.outerHTML)"""
    with visiting(chromium, filled, size) as page:
        for section in ("People", "Dance", "Live", "Library"):
            _section(page, section)
            expect(page.locator(f"#section-{section.lower()}")).to_contain_text("Ada with quite")
            page.wait_for_timeout(100)
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0], section
            assert page.evaluate(names) == [], section
        for button in page.locator("nav a").all():
            box = button.bounding_box()
            assert box is not None
            assert box["height"] >= 34
            assert box["x"] + box["width"] <= size[0]


def test_the_keyboard_reaches_everything(chromium: Browser, filled: Client) -> None:  # noqa: F811
    with visiting(chromium, filled) as page:
        expect(page.get_by_role("heading", name="Ada with quite a long name")).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        for _ in range(2):
            page.keyboard.press("Tab")
        expect(page.get_by_role("navigation").get_by_role("link", name="Dance")).to_be_focused()
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Make it dance")).to_be_visible()
        assert page.title().startswith("Dance")
        assert page.evaluate("document.activeElement.id") == "main"


def test_failures_are_said_in_a_sentence(
    chromium: Browser,  # noqa: F811
    filled: Client,
    tmp_path: Path,
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video" * 1000)
    with visiting(chromium, filled, complaint="422") as page:
        page.get_by_role("button", name="New person").click()
        page.locator("#section-people input[type=file]").set_input_files(bad)
        page.get_by_role("button", name="Upload and prepare").click()
        expect(page.locator("#notice")).to_contain_text("bad.mp4 is not a video", timeout=LONG)
        # What was typed is still there, for another try.
        expect(page.get_by_label("Name")).to_have_value("bad")
        assert not list((filled.root / "uploads").iterdir())


@pytest.mark.parametrize("size", [DESKTOP, (320, 568)], ids=str)
def test_a_finding_shows_its_moment(chromium: Browser, filled: Client, size: tuple[int, int]) -> None:  # noqa: F811
    with_a_moment(filled.root / "people" / "Ada with quite a long name", 0.4)
    with visiting(chromium, filled, size) as page:
        finding = page.locator(".report li", has_text="is missing from the person's outline")
        picture = finding.get_by_role("img", name="The footage at 0:00")
        picture.scroll_into_view_if_needed()
        expect(picture).to_be_visible()
        expect(picture).not_to_have_js_property("naturalWidth", 0)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        # The other findings are about no moment.
        expect(page.locator(".report img").locator("visible=true")).to_have_count(1)
        expect(page.locator(".report li", has_text="takes in something else")).to_be_visible()
        button = finding.get_by_role("button")
        button.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog", name="The footage at 0:00")).to_be_visible()
        page.keyboard.press("Escape")
        expect(button).to_be_focused()


def test_what_others_change_is_shown_at_once(chromium: Browser, filled: Client) -> None:  # noqa: F811
    with visiting(chromium, filled, gone=["/api/results/Ada-waltz.mp4", "/api/dances/waltz.mp4"]) as page:
        _section(page, "Library")
        expect(page.locator("#section-library .results li")).to_have_count(1)
        filled.done("PATCH", "/api/results/Ada-waltz.mp4", {"name": "renamed"})
        expect(page.locator("#section-library .results")).to_contain_text("renamed")
        page.get_by_role("button", name="More about waltz.mp4").click()
        page.get_by_role("button", name="Rename", exact=True).click()
        page.get_by_label("New name").fill("tango")
        page.keyboard.press("Enter")
        expect(page.locator("#section-library .dances")).to_contain_text("tango")
        assert (filled.root / "dances" / "tango.mp4").exists()


def test_the_page_says_that_the_program_has_ended(chromium: Browser, tmp_path: Path) -> None:  # noqa: F811
    with serving_studio(tmp_path / "s") as studio:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(studio.address)
        expect(page.get_by_role("heading", name="Film a person")).to_be_visible()
    expect(page.locator("#connection")).to_contain_text("The program has ended")
    context.close()
