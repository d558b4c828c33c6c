"""Footage whose light changes, brought to one light."""

import numpy as np
import pytest

from everybody_dance.subject.prepare.light import exposure_change, gain_to, gains_to, multiplied

SIZE = 64, 96


@pytest.fixture
def place() -> np.ndarray:
    return np.random.default_rng(0).integers(40, 200, (*SIZE, 3), np.uint8)


def test_each_channel_has_its_gain(place: np.ndarray) -> None:
    frame = multiplied(place, np.array([0.8, 0.9, 1.1]))
    frame[:20] = 255  # somebody's lamp says nothing
    gain = gain_to(place, frame, np.ones(SIZE, bool))
    assert gain == pytest.approx([1 / 0.8, 1 / 0.9, 1 / 1.1], rel=0.01)
    assert np.abs(multiplied(frame, gain).astype(int) - place)[20:].max() <= 2  # type: ignore[arg-type]


def test_too_little_to_compare(place: np.ndarray) -> None:
    clear = np.zeros(SIZE, bool)
    clear[0, :60] = True
    assert gain_to(place, place, clear) is None
    assert gain_to(place, np.zeros_like(place), np.ones(SIZE, bool)) is None


def test_a_frame_that_cannot_be_compared_is_between_its_neighbours(place: np.ndarray) -> None:
    frames = {3: place, 4: np.zeros_like(place), 5: multiplied(place, np.full(3, 0.8))}
    gains = gains_to(place, frames.__getitem__, lambda index: np.ones(SIZE, bool), np.array([3, 4, 5]))
    assert gains[:, 0] == pytest.approx([1, 1.125, 1.25], abs=0.01)
    assert exposure_change(gains) == pytest.approx(0.25, abs=0.01)
    assert exposure_change(np.ones((0, 3))) == 0
