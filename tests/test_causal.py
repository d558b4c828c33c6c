"""Filters and retargeting that know the past alone: the same as for whole clips, a little later."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from everybody_dance.events import Finding
from everybody_dance.keypoints import Keypoints, Pose
from everybody_dance.pose.causal_filter import CausalFilter
from everybody_dance.pose.filtering import clean
from everybody_dance.pose.options import SMOOTHINGS
from everybody_dance.retarget.causal import CausalLine, CausalRetargeting
from everybody_dance.retarget.normalize import normalize, place_unchanged
from everybody_dance.retarget.statistics import DepthRange, PoseStatistics, pose_statistics
from everybody_dance.skeleton import BODY, JOINT_COUNT, Joint
from figures import clip, standing

SIZE = (640, 480)
WRIST = Joint.LEFT_WRIST


def still(frames: int = 40, fps: int = 30) -> Keypoints:
    return clip([standing(320, 400, 200)] * frames, SIZE, Fraction(fps))


def filtered(keypoints: Keypoints, smoothing: str = "both", cuts: tuple[int, ...] = ()) -> Keypoints:
    causal = CausalFilter(float(keypoints.fps), smoothing)
    poses = [causal.step(keypoints.pose(index), index in cuts) for index in range(len(keypoints))]
    xy, confidence = np.stack([pose.xy for pose in poses]), np.stack([pose.confidence for pose in poses])
    return replace(keypoints, xy=xy, confidence=confidence)


class TestFilter:
    @pytest.mark.parametrize("smoothing", SMOOTHINGS)
    def test_who_stands_still_stays_as_they_are(self, smoothing: str) -> None:
        keypoints = still()
        result = filtered(keypoints, smoothing)
        np.testing.assert_allclose(result.xy, keypoints.xy, atol=1e-3)
        assert np.array_equal(result.confidence, keypoints.confidence)

    @pytest.mark.parametrize("fps", [30, 120])
    def test_a_joint_astray_for_a_moment_is_held_back(self, fps: int) -> None:
        keypoints = still(fps, fps)
        lasts = fps // 30
        keypoints.xy[fps // 2 : fps // 2 + lasts, WRIST] += 120
        moved = np.abs(filtered(keypoints, "none").xy[:, WRIST] - keypoints.xy[0, WRIST]).max()
        assert moved == 0

    def test_a_joint_that_stays_elsewhere_is_believed(self) -> None:
        keypoints = still()
        keypoints.xy[20:, WRIST] += 120
        result = filtered(keypoints)
        assert np.abs(result.xy[20, WRIST] - keypoints.xy[0, WRIST]).max() < 1
        assert np.abs(result.xy[30, WRIST] - keypoints.xy[30, WRIST]).max() < 5

    @pytest.mark.parametrize("fps", [30, 120])
    def test_a_gap_is_held_for_a_while(self, fps: int) -> None:
        keypoints = still(2 * fps, fps)
        keypoints.confidence[fps:, WRIST] = 0
        confidence = filtered(keypoints).confidence[fps:, WRIST]
        held = int((confidence > 0).sum())
        assert held == pytest.approx(0.4 * fps, abs=1)
        assert (confidence[:held] == 0.5).all()
        assert not confidence[held:].any()

    def test_nobody_is_nobody_after_that(self) -> None:
        causal = CausalFilter(30)
        causal.step(still().pose(0))
        poses = [causal.step(None) for _ in range(20)]
        assert poses[0].person_seen
        assert not poses[-1].person_seen

    def test_a_cut_begins_anew(self) -> None:
        keypoints = still()
        keypoints.xy[20:] += np.float32(100)
        result = filtered(keypoints, cuts=(20,))
        np.testing.assert_allclose(result.xy, keypoints.xy, atol=1e-3)

    @pytest.mark.parametrize("fps", [30, 120])
    def test_jitter_is_halved_and_the_delay_is_short(self, fps: int) -> None:
        keypoints = still(4 * fps, fps)
        noise = np.random.default_rng(0).normal(0, 1, keypoints.xy.shape).astype(np.float32)
        jittery = replace(keypoints, xy=keypoints.xy + noise)
        left = np.diff(filtered(jittery).xy[fps:], axis=0).std()
        assert left < 0.5 * np.diff(noise, axis=0).std()
        walk = replace(keypoints, xy=keypoints.xy + np.arange(4 * fps, dtype=np.float32)[:, None, None] * (60 / fps))
        behind = (walk.xy - filtered(walk).xy)[fps:, WRIST, 0].mean() / 60
        assert 0 < behind < 0.1


def test_a_whole_clip_is_filtered_by_seconds() -> None:
    """A misplaced joint of a thirtieth of a second goes at 120 frames a second too, and jitter is smoothed as much."""
    left = []
    for fps in (30, 120):
        keypoints = still(4 * fps, fps)
        keypoints.xy[2 * fps : 2 * fps + fps // 30, WRIST] += 120
        assert np.abs(clean(keypoints).xy - keypoints.xy[0]).max() < 1e-3
        slow = np.cumsum(np.random.default_rng(0).normal(0, 1, (4 * fps, 1, 1)), axis=0)
        wobble = (slow - np.convolve(slow[:, 0, 0], np.ones(fps // 3) / (fps // 3), "same")[:, None, None]) / fps**0.5
        moved = replace(still(4 * fps, fps), xy=(still(4 * fps, fps).xy + wobble).astype(np.float32))
        kept = clean(moved, smoothing="both").xy[fps:-fps, WRIST, 0].std() / moved.xy[fps:-fps, WRIST, 0].std()
        left.append(float(kept))
    assert left[1] == pytest.approx(left[0], rel=0.25)


class TestRetargeting:
    def walk(self, frames: int = 240) -> Keypoints:
        """To the camera and back, slowly."""
        depth = 0.5 - 0.5 * np.cos(np.arange(frames) / frames * 2 * np.pi)
        return clip([standing(320 + 60 * d, 380 + 60 * d, 180 + 60 * d) for d in depth], SIZE)

    def test_onto_oneself_nothing_moves(self) -> None:
        keypoints = still()
        causal = CausalRetargeting(pose_statistics(keypoints), SIZE, SIZE, 30)
        for index in range(len(keypoints)):
            placed = causal.step(keypoints.pose(index))
            assert placed is not None
            np.testing.assert_allclose(placed.xy, keypoints.xy[index], atol=0.5)

    def test_after_a_refit_it_is_where_the_whole_clip_is_placed(self) -> None:
        source = self.walk()
        target = pose_statistics(clip([standing(250, 300 + d, 150 + d) for d in np.linspace(0, 40, 90)], SIZE))
        expected = normalize(source, target, SIZE).keypoints
        causal = CausalRetargeting(target, SIZE, SIZE, 30)
        for index in range(len(source)):
            causal.step(source.pose(index))
        causal.refit()
        apart = []
        for index in range(len(source)):
            placed = causal.step(source.pose(index))
            assert placed is not None
            apart.append(np.abs(placed.xy - expected.xy[index]).max())
        # Half a second late on a walk of eight seconds.
        assert np.max(apart[30:]) < 0.05 * 190
        assert np.mean(apart[30:]) < 0.025 * 190

    def test_nobody_has_no_place(self) -> None:
        causal = CausalRetargeting(pose_statistics(still()), SIZE, SIZE, 30)
        assert causal.step(None) is None
        assert causal.step(Pose(np.zeros((137, 2), np.float32), np.zeros(137, np.float32))) is None
        assert causal.retargeting is None
        causal.refit()
        assert causal.retargeting is None


def depth(far: float, median: float, close: float, far_height: float, close_height: float) -> DepthRange:
    return DepthRange(far=far, median=median, close=close, far_height=far_height, close_height=close_height)


TARGET = PoseStatistics(center_x=250, ground=depth(190, 205, 220, 130, 160), hips=depth(120, 130, 140, 130, 160))
TARGET_SIZE = (512, 256)
LEGS = [Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE, Joint.LEFT_KNEE, Joint.LEFT_ANKLE, *range(19, 25)]


def walking(seconds: float, fps: int, crossing: float) -> Keypoints:
    """To and from the camera (each way ``crossing`` seconds) and to both sides, one foot lifted."""
    frames = []
    for time in np.arange(round(seconds * fps)) / fps:
        near = 1 - abs((time / crossing) % 2 - 1)
        height = 150 + 120 * near
        xy = standing(320 + 80 * np.sin(time), 300 + 120 * near, height)
        for feet, side in (([14, 19, 20, 21], 1), ([11, 22, 23, 24], -1)):
            xy[feet, 1] -= 0.1 * height * max(0, side * np.sin(2 * np.pi * time))
        frames.append(xy)
    return clip(frames, SIZE, Fraction(fps))


def without(keypoints: Keypoints, joints: list[int]) -> Keypoints:
    confidence = keypoints.confidence.copy()
    confidence[:, joints] = 0
    return replace(keypoints, confidence=confidence)


def fitted(
    source: Keypoints, target: PoseStatistics = TARGET, size: tuple[int, int] = TARGET_SIZE
) -> CausalRetargeting:
    """Fitted to all of ``source``."""
    causal = CausalRetargeting(target, size, source.size, float(source.fps))
    for index in range(len(source)):
        causal.step(source.pose(index))
    causal.refit()
    return causal


def stepped(causal: CausalRetargeting, source: Keypoints, size: tuple[int, int] = TARGET_SIZE) -> Keypoints:
    poses = [causal.step(source.pose(index), cut=index == 0) for index in range(len(source))]
    return Keypoints.of([pose for pose in poses if pose is not None], size, source.fps)


class TestPlacedLive:
    @pytest.mark.parametrize("fps", [30, 120])
    def test_a_steady_walker_is_placed_as_from_the_whole_clip(self, fps: int) -> None:
        """Crossing the whole depth in ten seconds: within 4 % of the body's height, 2 % on average, after a second."""
        source = walking(30, fps, 10)
        whole = normalize(source, TARGET, TARGET_SIZE).keypoints
        placed = stepped(fitted(source), source)
        apart = np.linalg.norm(placed.xy[:, BODY] - whole.xy[:, BODY], axis=2).mean(axis=1)[fps:] / 145
        assert apart.max() < 0.04
        assert apart.mean() < 0.02

    def test_onto_oneself_is_the_identity(self) -> None:
        for source in (walking(8, 30, 3), without(walking(8, 30, 3), LEGS)):
            placed = stepped(fitted(source, pose_statistics(source), SIZE), source, SIZE)
            np.testing.assert_allclose(placed.xy, source.xy, atol=1e-3)
            assert np.array_equal(placed.confidence, source.confidence)

    def test_a_jump_stays_a_jump_even_when_it_is_fitted_anew_in_the_air(self) -> None:
        time = np.arange(200) / 30
        up = 60 * np.clip(4 * (time % 2 / 0.6) * (1 - time % 2 / 0.6), 0, None)
        frames = [standing(320, 300, 150)] * 100 + [standing(320, 420 - rise, 270) for rise in up]
        source = clip(frames, SIZE)
        whole = normalize(source, TARGET, TARGET_SIZE, (100,)).keypoints.xy[:, Joint.LEFT_ANKLE, 1]
        causal = CausalRetargeting(TARGET, TARGET_SIZE, SIZE, 30)
        for again in range(2):
            for index in range(len(source)):
                if again and index == 169:  # the highest point of a jump
                    causal.refit()
                placed = causal.step(source.pose(index), cut=index in (0, 100))
                assert placed is not None
                assert not again or placed.xy[Joint.LEFT_ANKLE, 1] == pytest.approx(whole[index], abs=0.5)
            causal.refit()

    def test_who_shows_no_hips_and_turns_sideways_stays_in_place(self) -> None:
        """Head and shoulders before a desk camera: the torso is known from all poses, not from each."""
        below = [Joint.MID_HIP, Joint.RIGHT_HIP, Joint.LEFT_HIP, *LEGS]
        frames = [standing(320, 640, 400)] * 60 + [standing(320, 760, 500) for _ in range(90)]
        for xy in frames[100:]:
            xy[[Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER], 0] = (310, 330)
        source = without(clip(frames, SIZE), below)
        causal = CausalRetargeting(TARGET, TARGET_SIZE, SIZE, 30)
        for index in range(100):
            causal.step(source.pose(index), cut=index == 60)
        causal.refit()
        placed = stepped(causal, source[slice(70, 150)])
        assert np.ptp(placed.xy[:, Joint.NOSE, 1]) < 0.1

    def test_a_fit_does_not_smooth_across_cuts(self) -> None:
        levels = np.repeat([300.0, 400.0, 300.0, 400.0], 40)
        source = clip([standing(320, level, 200) for level in levels], SIZE)
        causal = CausalRetargeting(TARGET, TARGET_SIZE, SIZE, 30)
        for index in range(len(source)):
            if index == 40:  # a cut comes with a frame in which nobody is seen
                causal.step(None, cut=True)
            causal.step(source.pose(index), cut=index in (80, 120))
        causal.refit()
        assert causal.retargeting is not None
        assert causal.retargeting.here == pose_statistics(source, (40, 80, 120)).ground

    def test_unseen_feet_in_between(self) -> None:
        source = walking(8, 30, 3)
        causal = fitted(source)
        before = causal.step(source.pose(200))
        hidden = without(source, LEGS).pose(200)
        after = causal.step(hidden)
        assert before is not None
        assert after is not None
        assert np.allclose(after.xy[Joint.NOSE], before.xy[Joint.NOSE], atol=2)
        unknown = causal.step(hidden, cut=True)  # the usual distance
        assert unknown is not None
        assert np.isfinite(unknown.xy).all()
        assert unknown.found.any()

    def test_each_finding_is_said_once(self, findings: list[Finding]) -> None:
        causal = fitted(without(walking(4, 30, 2), LEGS))
        causal.refit()
        assert [finding.code for finding in findings] == ["feet-not-seen"]

    def test_too_little_seen_stays_as_it_is(self) -> None:
        source = without(still(1), [joint for joint in range(25) if joint not in (0, 15, 16)])
        causal = CausalRetargeting(TARGET, TARGET_SIZE, SIZE, 30)
        placed = causal.step(source.pose(0))
        assert placed is not None
        assert np.array_equal(placed.xy, place_unchanged(source, TARGET_SIZE).xy[0])

    def test_only_the_last_minute_is_remembered(self) -> None:
        causal = CausalRetargeting(TARGET, TARGET_SIZE, SIZE, 2)
        for ankle in [300.0] * 130 + [400.0] * 130:
            causal.step(Pose(standing(320, ankle, 200), np.ones(JOINT_COUNT, np.float32)))
        causal.refit()
        assert causal.retargeting is not None
        assert causal.retargeting.here is not None
        assert causal.retargeting.here.far == pytest.approx(400)


class TestCausalLine:
    @pytest.mark.parametrize("fps", [24, 30, 60, 120])
    @pytest.mark.parametrize(("speed", "lag"), [(40.0, 0.25), (-40.0, 1.05)])
    def test_it_follows_depth_late(self, fps: int, speed: float, lag: float) -> None:
        line = CausalLine(fps)
        for frame in range(4 * fps):
            level = line.step(400 + speed * frame / fps)
        behind = (400 + speed * (4 * fps - 1) / fps - level) / speed
        assert behind == pytest.approx(lag, abs=0.06)

    def test_a_jump_is_bridged_and_a_gap_is_held(self) -> None:
        line = CausalLine(30)
        heights = [400.0] * 10 + [300.0] * 20 + [400.0] * 10 + [float("nan")] * 60
        assert [line.step(height) for height in heights] == [400.0] * len(heights)

    def test_nothing_is_known_before_a_height_is(self) -> None:
        line = CausalLine(30)
        assert np.isnan(line.step(float("nan")))
        assert line.step(400) == 400
        assert np.isnan(line.step(float("nan"), cut=True))
        assert line.step(300) == 300
