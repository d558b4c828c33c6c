"""Filtering: what it repairs, and what it leaves alone."""

import tracemalloc
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everybody_dance.keypoints import Keypoints
from everybody_dance.pose.filtering import SMOOTHINGS, clean, fill_gaps, remove_outliers, smooth
from everybody_dance.skeleton import Joint
from figures import clip, standing


def walking(frames: int = 40) -> Keypoints:
    return clip([standing(100 + 2 * index, 400, 300) for index in range(frames)], fps=Fraction(25))


def without(keypoints: Keypoints, frames: slice, joint: int) -> Keypoints:
    confidence = keypoints.confidence.copy()
    confidence[frames, joint] = 0
    return replace(keypoints, confidence=confidence)


def test_a_short_gap_is_filled_on_the_line_with_less_confidence() -> None:
    whole = walking()
    filled = fill_gaps(without(whole, slice(10, 14), Joint.LEFT_WRIST))
    assert np.allclose(filled.xy, whole.xy, atol=1e-3)
    assert (filled.confidence[10:14, Joint.LEFT_WRIST] == 0.5).all()


def test_a_long_gap_and_the_ends_stay_open() -> None:
    gap = without(walking(), slice(10, 30), Joint.LEFT_WRIST)
    assert not fill_gaps(gap).found[10:30, Joint.LEFT_WRIST].any()
    assert not fill_gaps(without(walking(), slice(0, 3), 4)).found[:3, 4].any()


def test_a_gap_is_not_filled_across_a_cut() -> None:
    gap = without(walking(), slice(10, 14), Joint.LEFT_WRIST)
    assert not fill_gaps(gap, cuts=(12,)).found[10:14, Joint.LEFT_WRIST].any()


def test_a_joint_that_jumps_and_comes_back_was_not_there() -> None:
    whole = walking()
    xy = whole.xy.copy()
    xy[20, Joint.RIGHT_KNEE] += (90, 0)
    removed = remove_outliers(replace(whole, xy=xy))
    assert removed.confidence[20, Joint.RIGHT_KNEE] == 0
    assert removed.found.sum() == whole.found.sum() - 1
    assert np.allclose(clean(replace(whole, xy=xy)).xy, whole.xy, atol=1e-2)


def test_a_fast_kick_is_no_outlier() -> None:
    whole = walking()
    xy = whole.xy.copy()
    xy[20:, Joint.RIGHT_KNEE] += (90, 0)
    assert remove_outliers(replace(whole, xy=xy)).found.all()


def test_smoothing_takes_jitter_and_keeps_cuts_sharp() -> None:
    random = np.random.default_rng(0)
    still = clip([standing(200, 400, 300)] * 40)
    shaky = replace(still, xy=still.xy + random.normal(0, 2, still.xy.shape).astype(np.float32))
    assert np.abs(smooth(shaky).xy - still.xy).mean() < 0.55 * np.abs(shaky.xy - still.xy).mean()
    jump = clip([standing(100, 400, 300)] * 20 + [standing(500, 400, 300)] * 20)
    assert np.allclose(smooth(jump, cuts=(20,)).xy, jump.xy, atol=1e-3)
    assert not np.allclose(smooth(jump).xy, jump.xy, atol=1)


def test_what_was_not_found_takes_no_part() -> None:
    whole = walking()
    gap = without(whole, slice(10, 25), Joint.LEFT_WRIST)
    smoothed = smooth(gap)
    assert (smoothed.found == gap.found).all()
    near = smoothed.xy[[9, 25], Joint.LEFT_WRIST] - whole.xy[[9, 25], Joint.LEFT_WRIST]
    assert np.abs(near).max() < 8  # zeros of the gap would pull it away by a hundred


@given(
    frames=st.integers(1, 30),
    cuts=st.lists(st.integers(0, 30), max_size=3),
    missing=st.floats(0, 1),
    smoothing=st.sampled_from(SMOOTHINGS),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_always_finite_and_never_outside_of_what_was_seen(
    frames: int, cuts: list[int], missing: float, smoothing: str, seed: int
) -> None:
    random = np.random.default_rng(seed)
    xy = random.uniform(0, 200, (frames, 137, 2)).astype(np.float32)
    confidence = (random.random((frames, 137)) >= missing).astype(np.float32)
    cleaned = clean(Keypoints(xy, confidence, (200, 200), Fraction(25)), cuts, smoothing)
    assert np.isfinite(cleaned.xy).all()
    assert len(cleaned) == frames
    assert (cleaned.xy >= -1e-2).all()
    assert (cleaned.xy <= 200.01).all()


def test_unknown_smoothing() -> None:
    with pytest.raises(ValueError, match="smoothing"):
        clean(walking(), smoothing="much")


def test_memory_does_not_grow_with_the_clip() -> None:
    """Beside the keypoints themselves, which are copied a few times."""
    extra = []
    for frames in (2000, 8000):
        random = np.random.default_rng(0)
        keypoints = Keypoints(
            random.uniform(0, 400, (frames, 137, 2)).astype(np.float32),
            np.ones((frames, 137), np.float32),
            (640, 480),
            Fraction(30),
        )
        size = keypoints.xy.nbytes + keypoints.confidence.nbytes
        tracemalloc.start()
        clean(keypoints, (), "both")
        extra.append(tracemalloc.get_traced_memory()[1] / size)
        tracemalloc.stop()
    assert max(extra) < 6
