"""Fixtures that several test files share."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from everybody_dance.events import Event, Finding, listening

if TYPE_CHECKING:
    from worlds import LittleWorld

if "PYTEST_XDIST_WORKER" in os.environ:
    # Several test processes with a thread for every core each would only wait for each other. Read when PyTorch loads.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED = "EVERYBODY_DANCE_TESTS_SHARED"
"""Names the folder that test processes share to a pytest that a test starts."""

FOOTAGE = Path(os.environ.get("EVERYBODY_DANCE_FOOTAGE", Path(__file__).parents[2] / "shared" / "footage"))


@pytest.fixture
def footage() -> Path:
    """Folder of real footage that is not part of the repository; the test is skipped where it is absent."""
    if not FOOTAGE.is_dir():
        pytest.skip("no real footage here (EVERYBODY_DANCE_FOOTAGE names its folder)")
    return FOOTAGE


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests never read or fill the user's cache."""
    monkeypatch.setenv("EVERYBODY_DANCE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def findings() -> Iterator[list[Finding]]:
    """What the test's own work tells the user, as it comes."""
    found: list[Finding] = []

    def keep(event: Event) -> None:
        if isinstance(event, Finding):
            found.append(event)

    with listening(keep):
        yield found


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Folder that all test processes of a run share: for what is dear to make and only read."""
    if SHARED in os.environ:
        return Path(os.environ[SHARED])
    own = tmp_path_factory.getbasetemp()
    # Every process of pytest-xdist has a folder of its own in that of the run. The environment cannot tell whether this
    # is one: a pytest that a test starts inherits it, and would then share a folder with all runs before it.
    folder = (own.parent if hasattr(request.config, "workerinput") else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def little_world(shared: Path) -> "LittleWorld":
    """Two tiny videos with known poses, and a subject of the first, prepared and trained a little: only to be read."""
    # Here, because tests of training run where there is no PyAV.
    from filelock import FileLock

    from detected_once import detect_once
    from worlds import LittleWorld, make_world

    world, made = LittleWorld(shared / "world"), shared / "world.made"
    with FileLock(shared / "world.lock"), pytest.MonkeyPatch.context() as patch:
        if not made.exists():
            patch.setenv("EVERYBODY_DANCE_CACHE", str(shared / "cache"))
            detect_once(shared / "detected", patch)
            make_world(world)
            made.touch()
    return world


@pytest.fixture
def detected_once(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What detectors see in the frames of a video is found once for all tests that ask for this."""
    from detected_once import detect_once

    detect_once(shared / "detected", monkeypatch)
