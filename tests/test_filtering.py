"""Filtering, of whole clips and pose by pose: what it repairs, and what it leaves alone."""

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everybody_dance import keypoints as keypoints_module
from everybody_dance.keypoints import NOBODY, Keypoints, Pose
from everybody_dance.pose.causal_filter import CausalFilter
from everybody_dance.pose.filtering import FILLED_CONFIDENCE, LONGEST_GAP, clean, fill_gaps, remove_outliers, smooth
from everybody_dance.pose.options import SMOOTHINGS
from everybody_dance.skeleton import BODY, FACE, LEFT_HAND, Joint
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


def test_a_long_gap_stays_open() -> None:
    gap = without(walking(), slice(10, 30), Joint.LEFT_WRIST)
    assert not fill_gaps(gap).found[10:30, Joint.LEFT_WRIST].any()


def test_a_joint_that_is_missed_at_a_shots_first_or_last_frames_is_held() -> None:
    whole = walking()
    joint = Joint.LEFT_WRIST
    for gap, beside in ((slice(0, 2), 2), (slice(38, 40), 37)):
        filled = fill_gaps(without(whole, gap, joint))
        assert (filled.xy[gap, joint] == whole.xy[beside, joint]).all()
        assert (filled.confidence[gap, joint] == 0.5 * whole.confidence[beside, joint]).all()
    for longer in (slice(0, 3), slice(37, 40)):
        assert not fill_gaps(without(whole, longer, joint)).found[longer, joint].any()


def test_a_gap_is_not_filled_across_a_cut() -> None:
    gap = without(walking(), slice(10, 18), Joint.LEFT_WRIST)
    assert not fill_gaps(gap, cuts=(14,)).found[10:18, Joint.LEFT_WRIST].any()


@pytest.mark.parametrize(
    ("joint", "same", "part"),
    [(Joint.LEFT_WRIST, LEFT_HAND.start, LEFT_HAND), (Joint.NOSE, FACE.start + 30, FACE)],
)
def test_a_part_is_not_left_behind_by_its_body(joint: Joint, same: int, part: slice) -> None:
    """It is missed while the arm or head goes to the other side; between two places it is at neither."""
    whole = walking()
    xy, confidence = whole.xy.copy(), whole.confidence.copy()
    xy[20:, [joint, *range(part.start, part.stop)]] -= (200, 0)
    confidence[18:24, part] = 0
    cleaned = clean(replace(whole, xy=xy, confidence=confidence))
    found = cleaned.found[:, part].any(axis=1)
    apart = np.linalg.norm(cleaned.xy[:, same] - cleaned.xy[:, joint], axis=1)
    assert (apart[found] < 60).all()
    assert found[:18].all()
    assert found[24:].all()
    assert not found[20:22].any()


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


# In seconds, not in frames.

RATES = [24, 25, 30, 60, 120]


def still(seconds: float, fps: int) -> Keypoints:
    return clip([standing(200, 400, 300)] * round(seconds * fps), fps=Fraction(fps))


def with_wave(hertz: float, fps: int) -> Keypoints:
    """Four seconds of somebody who shakes by 10 pixels."""
    keypoints = still(4, fps)
    wave = 10 * np.sin(2 * np.pi * hertz * np.arange(len(keypoints)) / fps)
    return replace(keypoints, xy=keypoints.xy + wave[:, None, None].astype(np.float32))


def swing(keypoints: Keypoints) -> float:
    """The standard deviation of one coordinate, without the ends."""
    second = round(keypoints.fps)
    return float(keypoints.xy[second:-second, Joint.NOSE, 0].std())


@pytest.mark.parametrize(("fps", "reach"), list(zip(RATES, [3, 3, 3, 7, 13], strict=True)))
def test_the_median_reaches_as_many_seconds_at_any_rate(fps: int, reach: int) -> None:
    for frames, stays in ((reach, False), (reach + 1, True)):
        pulse = still(2, fps)
        xy = pulse.xy.copy()
        xy[fps : fps + frames] += 5
        smoothed = smooth(replace(pulse, xy=xy), gaussian=0)
        assert np.allclose(smoothed.xy, pulse.xy, atol=1e-3) != stays


@pytest.mark.parametrize(
    ("smoothing", "hertz", "left"), [("median", 2, 0.86), ("gaussian", 4, 0.70), ("both", 2, 0.78)]
)
def test_movement_is_smoothed_alike_at_any_rate(smoothing: str, hertz: float, left: float) -> None:
    # A median of 7 frames means more seconds at 24 and 25 frames a second, so there only the Gaussian is alike.
    for fps in RATES if smoothing == "gaussian" else (30, 60, 120):
        wave = with_wave(hertz, fps)
        assert swing(clean(wave, smoothing=smoothing)) / swing(wave) == pytest.approx(left, abs=0.015)


def test_at_thirty_frames_a_second_the_gaussian_is_one_frame() -> None:
    pulse = still(1, 30)
    xy = pulse.xy.copy()
    xy[15] += 1
    around = smooth(replace(pulse, xy=xy), median=0).xy[11:20, Joint.NOSE, 0] - pulse.xy[11:20, Joint.NOSE, 0]
    kernel = np.exp(-0.5 * np.arange(-4, 5) ** 2)
    assert np.allclose(around, kernel / kernel.sum(), atol=1e-4)


@pytest.mark.parametrize(("fps", "longest"), list(zip(RATES, [1, 1, 1, 2, 4], strict=True)))
def test_outliers_last_up_to_a_thirtieth_of_a_second_at_any_rate(fps: int, longest: int) -> None:
    for frames in range(1, 3 * longest + 1):
        jumping = still(1, fps)
        xy = jumping.xy.copy()
        xy[10 : 10 + frames, Joint.RIGHT_KNEE] += (90, 0)
        removed = np.flatnonzero(~remove_outliers(replace(jumping, xy=xy)).found[:, Joint.RIGHT_KNEE])
        assert removed.tolist() == (list(range(10, 10 + frames)) if frames <= longest else [])


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit, with gaps, outliers and cuts at and beside the edges of blocks."""
    random = np.random.default_rng(3)
    for fps in (30, 120):
        xy = np.array([standing(200 + 50 * np.sin(t / 9), 400, 300) for t in range(300)])
        xy += random.normal(0, 2, xy.shape).astype(np.float32)
        xy[random.random(xy.shape[:2]) < 0.03] += 70
        gone = random.random(xy.shape[:2]) < 0.05
        for _ in range(4):
            gone[1:] |= gone[:-1] & (random.random(gone[1:].shape) < 0.7)
        confidence = np.where(gone, 0, random.uniform(0.1, 1, gone.shape)).astype(np.float32)
        noisy = Keypoints(xy, confidence, (640, 480), Fraction(fps))
        for cuts in ((), (64, 65, 127, 200)):
            for smoothing in SMOOTHINGS:
                monkeypatch.setattr(keypoints_module, "BLOCK", 1024)
                whole = clean(noisy, cuts, smoothing)
                for block in (17, 64):
                    monkeypatch.setattr(keypoints_module, "BLOCK", block)
                    parts = clean(noisy, cuts, smoothing)
                    assert parts.xy.tobytes() == whole.xy.tobytes()
                    assert parts.confidence.tobytes() == whole.confidence.tobytes()


def test_memory_besides_the_result_does_not_grow_with_the_clip() -> None:
    random = np.random.default_rng(0)

    def besides(frames: int) -> int:
        """Bytes at most in use while it is cleaned, without what goes in and what comes out."""
        xy = standing(200, 400, 300) + random.normal(0, 3, (frames, 137, 2)).astype(np.float32)
        noisy = Keypoints(xy, np.ones((frames, 137), np.float32), (640, 480), Fraction(30))
        tracemalloc.start()
        cleaned = clean(noisy, (frames // 2,), "both")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak - cleaned.xy.nbytes - cleaned.confidence.nbytes

    short, long = besides(4000), besides(12000)
    assert long < short + 8000 * 100  # 11 MB in an hour
    assert long < 40e6


# Pose by pose.


def stepped(
    keypoints: Keypoints, smoothing: str = "none", cuts: Sequence[int] = (), causal: CausalFilter | None = None
) -> Keypoints:
    """A clip through a causal filter."""
    causal = causal or CausalFilter(float(keypoints.fps), smoothing)
    poses = [causal.step(keypoints.pose(index), index in cuts) for index in range(len(keypoints))]
    return Keypoints.of(poses, keypoints.size, keypoints.fps)


class TestCausal:
    @pytest.mark.parametrize("fps", RATES)
    @pytest.mark.parametrize("smoothing", SMOOTHINGS)
    def test_who_stands_still_stays_as_they_are(self, fps: int, smoothing: str) -> None:
        keypoints = still(1, fps)
        keypoints = replace(keypoints, confidence=np.full_like(keypoints.confidence, 0.7))
        filtered = stepped(keypoints, smoothing)
        assert filtered.xy.tobytes() == keypoints.xy.tobytes()
        assert filtered.confidence.tobytes() == keypoints.confidence.tobytes()

    def test_without_smoothing_ordinary_movement_is_not_changed(self) -> None:
        keypoints = with_wave(1.0, 30)
        assert stepped(keypoints).xy.tobytes() == keypoints.xy.tobytes()

    @pytest.mark.parametrize("smoothing", SMOOTHINGS)
    def test_a_cut_is_never_crossed(self, smoothing: str) -> None:
        first, second = walking(), clip([standing(500, 300, 150)] * 20, fps=Fraction(25))
        gap = without(second, slice(0, 5), Joint.LEFT_WRIST)
        both = Keypoints.of([k.pose(i) for k in (first, gap) for i in range(len(k))], first.size, first.fps)
        after = stepped(both, smoothing, cuts=(len(first),))[len(first) :]
        alone = stepped(gap, smoothing)
        assert after.xy.tobytes() == alone.xy.tobytes()
        assert after.confidence.tobytes() == alone.confidence.tobytes()
        # Without the cut the last shot would shine through.
        assert stepped(both, smoothing)[len(first) :].found[:5, Joint.LEFT_WRIST].all()
        assert not after.found[:5, Joint.LEFT_WRIST].any()

    @pytest.mark.parametrize(("fps", "longest"), list(zip(RATES, [1, 1, 1, 2, 4], strict=True)))
    @pytest.mark.parametrize("smoothing", SMOOTHINGS)
    def test_an_outlier_is_never_seen(self, fps: int, longest: int, smoothing: str) -> None:
        for frames in range(1, longest + 1):
            keypoints = still(1, fps)
            xy = keypoints.xy.copy()
            xy[12 : 12 + frames, Joint.RIGHT_KNEE] += (90, 0)
            filtered = stepped(replace(keypoints, xy=xy), smoothing)
            assert filtered.xy.tobytes() == keypoints.xy.tobytes()
            confidence = filtered.confidence[:, Joint.RIGHT_KNEE]
            assert (confidence[12 : 12 + frames] == 0.5).all()
            assert (np.delete(confidence, np.s_[12 : 12 + frames]) == 1).all()

    @pytest.mark.parametrize("fps", RATES)
    def test_a_jump_that_stays_is_followed_a_thirtieth_of_a_second_late(self, fps: int) -> None:
        keypoints = still(1, fps)
        xy = keypoints.xy.copy()
        xy[12:, Joint.RIGHT_KNEE] += (90, 0)
        moved = np.flatnonzero((stepped(replace(keypoints, xy=xy)).xy != keypoints.xy).any(axis=(1, 2)))
        assert moved.tolist() == list(range(12 + max(1, round(fps / 30)), fps))

    def test_a_fast_kick_that_began_slower_is_not_held(self) -> None:
        keypoints = still(1, 30)
        xy = keypoints.xy.copy()
        # 5, 7, then 10 % of the person's extent a frame, there and back.
        way = np.cumsum([0.05, 0.07, 0.1, 0.1, 0.1]) * np.ptp(xy[0, :, 1])
        xy[10:15, Joint.RIGHT_ANKLE, 0] += way.astype(np.float32)
        xy[15:, Joint.RIGHT_ANKLE, 0] += way[-1].astype(np.float32)
        kicking = replace(keypoints, xy=xy)
        assert np.array_equal(stepped(kicking).xy, kicking.xy)

    @pytest.mark.parametrize("fps", RATES)
    def test_a_short_gap_is_held_and_a_long_one_ends(self, fps: int) -> None:
        gap = without(still(3, fps), slice(fps, 2 * fps), Joint.LEFT_WRIST)
        filtered = stepped(gap, "both")
        held = np.flatnonzero(filtered.confidence[:, Joint.LEFT_WRIST] == 0.5)
        assert held.tolist() == list(range(fps, fps + int(LONGEST_GAP * fps)))
        assert (filtered.xy[held, Joint.LEFT_WRIST] == gap.xy[0, Joint.LEFT_WRIST]).all()
        assert not filtered.found[held[-1] + 1 : 2 * fps, Joint.LEFT_WRIST].any()
        assert (filtered.confidence[2 * fps :, Joint.LEFT_WRIST] == 1).all()

    def test_a_joint_that_comes_back_elsewhere_after_a_long_gap_does_not_glide_there(self) -> None:
        keypoints = still(3, 30)
        xy = keypoints.xy.copy()
        xy[60:, Joint.LEFT_WRIST] += (80, 0)
        gap = without(replace(keypoints, xy=xy), slice(30, 60), Joint.LEFT_WRIST)
        assert (stepped(gap, "both").xy[60:, Joint.LEFT_WRIST] == xy[60:, Joint.LEFT_WRIST]).all()

    def test_nobody(self) -> None:
        causal = CausalFilter(30, "both")
        assert not causal.step(NOBODY).found.any()
        there = still(1, 30).pose(0)
        causal.step(there)
        assert (causal.step(None).confidence == 0.5).all()
        for _ in range(30):
            last = causal.step(NOBODY)
        assert not last.found.any()
        assert not last.xy.any()

    @pytest.mark.parametrize(("smoothing", "least"), [("median", 0.65), ("gaussian", 0.8), ("both", 0.6)])
    def test_noise_is_reduced(self, smoothing: str, least: float) -> None:
        random = np.random.default_rng(0)
        for fps in RATES:
            keypoints = still(3, fps)
            noise = random.normal(0, 2, keypoints.xy.shape).astype(np.float32)
            filtered = stepped(replace(keypoints, xy=keypoints.xy + noise), smoothing)
            assert (filtered.xy - keypoints.xy)[fps:].std() < least * noise.std()

    @pytest.mark.parametrize(
        ("smoothing", "lag"), [("none", 0.0), ("median", 0.055), ("gaussian", 0.023), ("both", 0.078)]
    )
    def test_movement_lags_by_as_many_seconds_at_any_rate(self, smoothing: str, lag: float) -> None:
        for fps in RATES:
            speed = 200.0  # pixels a second
            keypoints = still(2, fps)
            x = speed * np.arange(len(keypoints)) / fps
            moving = replace(keypoints, xy=keypoints.xy + np.stack([x, 0 * x], -1)[:, None].astype(np.float32))
            behind = (moving.xy - stepped(moving, smoothing).xy)[-1, Joint.NOSE, 0] / speed
            assert behind == pytest.approx(lag, abs=0.01)

    def test_it_agrees_with_the_whole_clips_filter_but_for_the_lag(self) -> None:
        moving = with_wave(0.5, 60)
        for smoothing, lag in (("none", 0), ("median", 3), ("gaussian", 2), ("both", 5)):
            offline, online = clean(moving, smoothing=smoothing), stepped(moving, smoothing)
            apart = online.xy[60:] - offline.xy[60 - lag : len(moving) - lag]
            assert np.abs(apart).max() < 0.6  # of 10 pixels

    @pytest.mark.parametrize("astray", [False, True])
    def test_a_hand_that_is_missed_goes_along_with_its_arm(self, astray: bool) -> None:
        """At five poses a second: not found, or found where it was before, which is no longer at the arm."""
        still = standing(200, 400, 300)
        moved = still.copy()
        moved[[Joint.LEFT_WRIST, *range(LEFT_HAND.start, LEFT_HAND.stop)]] += (0, 80)
        filtered, confidence = CausalFilter(5, "none"), np.ones(137, np.float32)
        filtered.step(Pose(still, confidence))
        found = moved.copy()
        found[LEFT_HAND] = still[LEFT_HAND]
        seen = confidence.copy()
        seen[LEFT_HAND] = float(astray)
        for _ in range(2):  # the first jump may be an outlier
            shown = filtered.step(Pose(found, seen))
        assert np.allclose(shown.xy[Joint.LEFT_WRIST], moved[Joint.LEFT_WRIST])
        assert np.allclose(shown.xy[LEFT_HAND], moved[LEFT_HAND])
        assert (shown.confidence[LEFT_HAND] == FILLED_CONFIDENCE).all()

    def test_unknown_smoothing(self) -> None:
        with pytest.raises(ValueError, match="smoothing"):
            CausalFilter(30, "much")

    def test_the_pose_that_is_given_is_not_changed(self) -> None:
        pose = Pose(standing(200, 400, 300), np.ones(137, np.float32))
        CausalFilter(30).step(pose)
        assert np.array_equal(pose.xy, standing(200, 400, 300))


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
    noise = Keypoints(xy, confidence, (200, 200), Fraction(25))
    # Live, a hand that is missed goes along with its arm.
    for cleaned, part in ((clean(noise, cuts, smoothing), slice(None)), (stepped(noise, smoothing, cuts), BODY)):
        assert np.isfinite(cleaned.xy).all()
        assert len(cleaned) == frames
        assert (cleaned.xy[:, part] >= -1e-2).all()
        assert (cleaned.xy[:, part] <= 200.01).all()


def test_unknown_smoothing() -> None:
    with pytest.raises(ValueError, match="smoothing"):
        clean(walking(), smoothing="much")
