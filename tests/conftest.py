"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest

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
