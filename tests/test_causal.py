"""Filters and retargeting that know the past alone: the same as for whole clips, a little later."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from everybody_dance.keypoints import Keypoints, Pose
from everybody_dance.pose.filtering import SMOOTHINGS, CausalFilter, clean
from everybody_dance.retarget.causal import CausalRetargeting
from everybody_dance.retarget.normalize import normalize
from everybody_dance.retarget.statistics import pose_statistics
from everybody_dance.skeleton import Joint
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
