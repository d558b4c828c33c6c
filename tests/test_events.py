"""The time that a stage says is left."""

from unittest.mock import patch

import pytest

from everybody_dance.events import Event, Progress, listening, stage


def left(reports: list[tuple[float, int]], total: int) -> float | None:
    """Seconds left at the last of ``reports``: (seconds since the stage began, how much is done)."""
    heard: list[Event] = []
    with patch("everybody_dance.events.time.monotonic") as clock, listening(heard.append):
        clock.return_value = 0.0
        with stage("Work") as progress:
            for seconds, done in reports:
                clock.return_value = seconds
                progress(done, total)
            last = heard[-1]
    assert isinstance(last, Progress)
    return last.seconds_left


def test_nothing_is_estimated_from_the_first_report() -> None:
    assert left([(11.0, 1)], 900) is None


def test_a_slow_start_does_not_count() -> None:
    assert left([(10.0, 1), (20.0, 101)], 901) == pytest.approx(80.0)


def test_what_was_done_before_does_not_count() -> None:
    assert left([(0.0, 800), (10.0, 810)], 900) == pytest.approx(90.0)
