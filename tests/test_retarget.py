"""Global pose normalization: hand-computed numbers, what is not depth, degenerate sources, and its properties."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from everybody_dance import keypoints as keypoints_module
from everybody_dance.drawing.pose_image import draw_pose
from everybody_dance.errors import DanceError
from everybody_dance.events import Finding
from everybody_dance.images import Box
from everybody_dance.keypoints import Keypoints
from everybody_dance.pose.detection import Detection
from everybody_dance.retarget import statistics as statistics_module
from everybody_dance.retarget.likeness import pose_distances, unlike_frames
from everybody_dance.retarget.normalize import Normalized, Retargeting, normalize, place_unchanged
from everybody_dance.retarget.statistics import (
    DepthRange,
    PoseStatistics,
    ground_line,
    hip_line,
    measure,
    pose_statistics,
    root,
)
from everybody_dance.skeleton import ANKLES, BODY, FACE, JOINT_COUNT, Joint
from everybody_dance.synthesis import source as source_module
from figures import FPS, clip, standing

SIZE = (640, 480)
TARGET_SIZE = (512, 256)
LEGS = [Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE, Joint.LEFT_KNEE, Joint.LEFT_ANKLE, *range(19, 25)]


def _range(far: float, median: float, close: float, far_height: float, close_height: float) -> DepthRange:
    return DepthRange(far=far, median=median, close=close, far_height=far_height, close_height=close_height)


TARGET = PoseStatistics(center_x=250, ground=_range(190, 205, 220, 130, 160), hips=_range(120, 130, 140, 130, 160))


def _walk_in_depth(seconds: float = 20.0) -> Keypoints:
    """From far (ankles at 300, 150 tall) to close (420, 270 tall), held at both ends, half the time halfway."""
    frames = round(seconds * 30)
    depth = np.interp(np.arange(frames) / frames, [0, 0.15, 0.25, 0.7, 0.8, 1], [0, 0, 0.5, 0.5, 1, 1])
    return clip([standing(320, 300 + 120 * d, 150 + 120 * d) for d in depth], SIZE)


def _without(keypoints: Keypoints, joints: list[int], frames: slice = slice(None)) -> Keypoints:
    confidence = keypoints.confidence.copy()
    confidence[frames, joints] = 0
    return Keypoints(keypoints.xy, confidence, keypoints.size, keypoints.fps)


def _jumping(height: float = 60.0) -> Keypoints:
    """Standing, with a jump of 0.6 s every two seconds."""
    time = np.arange(300) / 30
    phase = (time % 2) / 0.6
    up = np.where(phase < 1, 4 * phase * (1 - phase), 0) * height
    return clip([standing(320, 400 - rise, 200) for rise in up], SIZE)


# Statistics.


def test_statistics_of_a_walk_in_depth() -> None:
    statistics = pose_statistics(_walk_in_depth())
    ground = statistics.ground
    assert ground is not None
    assert statistics.feet_seen
    assert statistics.center_x == pytest.approx(320)
    assert ground.close == pytest.approx(420, abs=0.5)
    assert ground.median == pytest.approx(360, abs=0.5)
    # The largest level about as far below the median as close is above it: within a tenth of 60.
    assert 300 <= ground.far <= 306
    assert ground.close_height == pytest.approx(270, abs=1)
    assert 150 <= ground.far_height <= 170
    hips = statistics.hips
    assert hips is not None
    assert hips.close == pytest.approx(420 - 0.56 * 270, abs=1)


def test_far_is_the_fifth_percentile_where_nothing_lies_opposite_of_close() -> None:
    """Median 400, close 460, nothing near 340: the far level comes from the percentile."""
    levels = np.repeat([395.0, 400.0, 460.0], [300, 400, 300])
    ground = pose_statistics(clip([standing(320, level, 200) for level in levels], SIZE)).ground
    assert ground is not None
    assert ground.median == pytest.approx(400, abs=0.1)
    assert ground.close == pytest.approx(460, abs=0.1)
    assert ground.far == pytest.approx(395, abs=0.1)


def test_a_still_person_has_no_range() -> None:
    ground = pose_statistics(clip([standing(320, 400, 200)] * 30, SIZE)).ground
    assert ground is not None
    assert (ground.far, ground.median, ground.close) == pytest.approx((400, 400, 400))
    assert (ground.far_height, ground.close_height) == pytest.approx((200, 200))


def test_a_jump_does_not_lift_the_ground() -> None:
    line = ground_line(_jumping())
    assert line is not None
    np.testing.assert_allclose(line, 400, atol=1)


def test_a_jump_adds_nothing_to_the_height() -> None:
    ground = pose_statistics(_jumping()).ground
    assert ground is not None
    assert ground.close_height == pytest.approx(200, abs=3)
    assert ground.extent < 2


def test_a_lifted_leg_is_not_ground() -> None:
    frames = [standing(320, 400, 200) for _ in range(120)]
    for xy in frames[30:90]:
        xy[[Joint.LEFT_ANKLE, Joint.LEFT_KNEE, Joint.LEFT_HEEL, Joint.LEFT_BIG_TOE]] -= np.float32([0, 120])
    line = ground_line(clip(frames, SIZE))
    assert line is not None
    np.testing.assert_allclose(line, 400, atol=1e-3)


def test_the_supporting_ankle_may_be_unsure_for_a_while() -> None:
    frames = [standing(320, 400, 200) for _ in range(120)]
    for xy in frames[50:65]:
        xy[Joint.LEFT_ANKLE] -= np.float32([0, 120])
    keypoints = clip(frames, SIZE)
    confidence = keypoints.confidence.copy()
    confidence[50:65, Joint.RIGHT_ANKLE] = 0.1  # not sure enough to be the ground
    line = ground_line(Keypoints(keypoints.xy, confidence, SIZE, FPS))
    assert line is not None
    np.testing.assert_allclose(line, 400, atol=1)


def test_a_handstand_is_not_depth() -> None:
    upside_down = standing(320, 400, 200)
    upside_down[:, 1] = 580 - upside_down[:, 1]  # feet at 180, above the hips
    line = ground_line(clip([standing(320, 400, 200)] * 60 + [upside_down] * 60 + [standing(320, 400, 200)] * 60, SIZE))
    assert line is not None
    np.testing.assert_allclose(line, 400, atol=1e-3)


def test_the_ground_line_does_not_run_ahead_of_a_walk() -> None:
    keypoints = clip([standing(320, 300 + t / 2, 150) for t in range(240)], SIZE)
    line = ground_line(keypoints)
    assert line is not None
    np.testing.assert_allclose(line[30:-30], keypoints.xy[30:-30, Joint.LEFT_ANKLE, 1], atol=1)


def test_the_ground_line_starts_anew_at_a_cut() -> None:
    keypoints = clip([standing(320, 300, 150)] * 40 + [standing(320, 400, 200)] * 40, SIZE)
    blurred, sharp = ground_line(keypoints), ground_line(keypoints, cuts=[40])
    assert blurred is not None
    assert sharp is not None
    assert (sharp == np.repeat([300.0, 400.0], 40)).all()
    assert (blurred != sharp).any()


# The formula.


def test_level_feet_inside_the_range_follow_the_mission_documents_formula() -> None:
    """Walking, so that the source's own levels come from percentiles; halfway through, with the formula written out."""
    source = _walk_in_depth()
    own = pose_statistics(source).ground
    assert own is not None
    normalized = normalize(source, TARGET, TARGET_SIZE)
    far_scale, close_scale = 130 / own.far_height, 160 / own.close_height
    p = (360 - own.far) / (own.close - own.far)
    scale = far_scale + p * (close_scale - far_scale)
    assert p == pytest.approx(0.5, abs=0.03)
    assert scale == pytest.approx(0.72963, rel=0.05)

    middle = 300  # ankles at 360, 210 tall
    ground = 190 + p * 30
    xy = normalized.keypoints.xy[middle]
    assert normalized.scale[middle] == pytest.approx(scale, rel=1e-4)
    assert normalized.ground[middle] == pytest.approx(ground, rel=1e-4)
    assert xy[Joint.LEFT_ANKLE, 1] == pytest.approx(ground, abs=0.01)
    assert xy[Joint.NOSE, 1] == pytest.approx(ground - 210 * scale, abs=0.01)
    assert xy[Joint.MID_HIP, 0] == pytest.approx(250, abs=0.01)
    wrist = source.xy[middle, Joint.LEFT_WRIST, 0]
    assert xy[Joint.LEFT_WRIST, 0] == pytest.approx(250 + scale * (wrist - 320), abs=0.01)


def test_exact_numbers_with_exact_statistics() -> None:
    """A source that stands long at three levels only, so that its statistics are exact.

    s: far 300 (150 tall), median 360, close 420 (270 tall). t: far 190 (130), close 220 (160), median 205.
    far: scale 130/150 = .866667, ankles at 190; median: .729630 at 205; close: 160/270 = .592593 at 220.
    """
    levels = np.repeat([300.0, 360.0, 420.0], [300, 400, 300])
    heights = np.repeat([150.0, 210.0, 270.0], [300, 400, 300])
    source = clip([standing(320, level, height) for level, height in zip(levels, heights, strict=True)], SIZE)
    normalized = normalize(source, TARGET, TARGET_SIZE, cuts=[300, 700])
    assert normalized.by_feet
    assert normalized.sideways == 1
    assert normalized.clamped_share == 0
    for frame, scale, ankle, nose in (
        (100, 0.866667, 190, 60),
        (500, 0.729630, 205, 51.777778),
        (900, 0.592593, 220, 60),
    ):
        assert normalized.scale[frame] == pytest.approx(scale, abs=1e-5)
        assert normalized.keypoints.xy[frame, Joint.RIGHT_ANKLE, 1] == pytest.approx(ankle, abs=1e-3)
        assert normalized.keypoints.xy[frame, Joint.NOSE, 1] == pytest.approx(nose, abs=1e-3)


def test_onto_oneself_is_the_identity() -> None:
    for source in (_walk_in_depth(), _jumping(), clip([standing(200, 400, 200)], SIZE)):
        normalized = normalize(source, pose_statistics(source), SIZE)
        np.testing.assert_allclose(normalized.keypoints.xy, source.xy, atol=1e-3)
        assert np.array_equal(normalized.keypoints.confidence, source.confidence)
        assert normalized.keypoints.fps == source.fps


def test_a_jump_stays_a_jump() -> None:
    normalized = normalize(_jumping(), TARGET, TARGET_SIZE)
    scale = 145 / 200  # halfway: the target's height at its median over the source's
    np.testing.assert_allclose(normalized.scale, scale, rtol=0.02)
    ankle = normalized.keypoints.xy[:, Joint.LEFT_ANKLE, 1]
    assert ankle.max() == pytest.approx(205, abs=1)
    assert ankle.max() - ankle.min() == pytest.approx(60 * scale, rel=0.05)


def test_a_kick_changes_neither_place_nor_size() -> None:
    frames = [standing(320, 400, 200) for _ in range(120)]
    for xy in frames[30:70]:
        xy[[Joint.LEFT_ANKLE, Joint.LEFT_HEEL, Joint.LEFT_BIG_TOE]] += np.float32([70, -150])
    normalized = normalize(clip(frames, SIZE), TARGET, TARGET_SIZE)
    standing_foot = normalized.keypoints.xy[:, Joint.RIGHT_ANKLE]
    np.testing.assert_allclose(standing_foot, np.broadcast_to(standing_foot[:1], standing_foot.shape), atol=0.01)


def test_a_small_sway_does_not_become_the_targets_whole_depth() -> None:
    """The source moves 10 pixels at a height of 200: 5 %. The target's range of 30 at 145 is shrunk to 7.25."""
    levels = np.repeat([395.0, 400.0, 405.0], [300, 400, 300])
    source = clip([standing(320, level, 200) for level in levels], SIZE)
    normalized = normalize(source, TARGET, TARGET_SIZE, cuts=[300, 700])
    ankle = normalized.keypoints.xy[:, Joint.LEFT_ANKLE, 1]
    assert ankle[100] == pytest.approx(205 - 3.625, abs=0.01)
    assert ankle[500] == pytest.approx(205, abs=0.01)
    assert ankle[900] == pytest.approx(205 + 3.625, abs=0.01)
    # Heights at 201.375 and 208.625 between 130 at 190 and 160 at 220: 141.375 and 148.625, over 200.
    assert normalized.scale[100] == pytest.approx(0.706875, abs=1e-4)
    assert normalized.scale[900] == pytest.approx(0.743125, abs=1e-4)


def test_a_range_under_two_percent_of_the_height_stays_halfway() -> None:
    levels = np.repeat([399.0, 400.0, 401.0], [300, 400, 300])
    source = clip([standing(320, level, 200) for level in levels], SIZE)
    normalized = normalize(source, TARGET, TARGET_SIZE, cuts=[300, 700])
    assert np.ptp(normalized.scale) == 0
    assert np.ptp(normalized.ground) == 0
    ankle = normalized.keypoints.xy[:, Joint.LEFT_ANKLE, 1]
    assert ankle[900] - ankle[100] == pytest.approx(2 * normalized.scale[0], abs=1e-3)  # the sway itself is kept


def test_outside_the_range_is_clamped_and_reported() -> None:
    levels = np.repeat([340.0, 400.0, 460.0, 300.0], [150, 500, 300, 50])
    source = clip([standing(320, level, 200) for level in levels], SIZE)
    normalized = normalize(source, TARGET, TARGET_SIZE, cuts=[150, 650, 950])
    assert normalized.clamped_share == pytest.approx(0.05)
    assert normalized.ground[-1] == pytest.approx(normalized.ground[0])
    assert normalized.scale[-1] == pytest.approx(normalized.scale[0])


def test_the_user_is_told_of_a_source_that_is_often_outside_its_range(findings: list[Finding]) -> None:
    """A quarter of the time at 300; the far level is the one that lies opposite of close, 390."""
    levels, cuts = np.repeat([300.0, 390.0, 400.0, 410.0], [250, 100, 450, 200]), [250, 350, 800]
    source = clip([standing(320, level, 200) for level in levels], SIZE)
    normalized = normalize(source, TARGET, TARGET_SIZE, cuts)
    assert normalized.clamped_share == 0.25
    (finding,) = findings
    assert (finding.code, finding.values) == ("often-clamped", {"share": 0.25})
    assert "25 %" in finding.message


@pytest.mark.parametrize(("target_range", "factor"), [(30, 0.5), (0, 0.5), (30, 0.0), (30, 1.0)])
def test_shrinking_a_range_about_its_median(target_range: float, factor: float) -> None:
    full = _range(200, 200 + target_range / 3, 200 + target_range, 100, 100 + target_range)
    small = full.shrunk(factor)
    assert small.median == full.median
    assert small.extent == pytest.approx(factor * full.extent)
    assert small.far_height == pytest.approx(full.height_at(small.far))
    assert full.far <= small.far <= small.close <= full.close


# Sideways.


def test_travel_that_fits_is_kept() -> None:
    source = clip([standing(220 + 2 * t, 400, 200) for t in range(100)], SIZE)
    normalized = normalize(source, TARGET, TARGET_SIZE)
    assert normalized.sideways == 1
    x = normalized.keypoints.xy[:, Joint.MID_HIP, 0]
    np.testing.assert_allclose(x, 250 + normalized.scale * (root(source)[:, 0] - 319), atol=0.01)


def test_travel_for_which_there_is_no_room_is_not_told_in_percent(findings: list[Finding]) -> None:
    source = clip([standing(100 + 4.4 * t, 400, 200) for t in range(100)], SIZE)
    narrow = PoseStatistics(center_x=10, ground=_range(200, 200, 200, 150, 150), hips=None)
    assert normalize(source, narrow, (20, 256)).sideways == 0
    assert "stays in one place" in findings[0].message


def test_travel_that_does_not_fit_is_shrunk_by_one_constant(findings: list[Finding]) -> None:
    source = clip([standing(100 + 4.4 * t, 400, 200) for t in range(100)], SIZE)
    narrow = PoseStatistics(center_x=100, ground=_range(200, 200, 200, 150, 150), hips=None)
    normalized = normalize(source, narrow, (200, 256))
    assert 0.1 < normalized.sideways < 0.4
    assert "sideways" in findings[0].message
    keypoints = normalized.keypoints
    assert keypoints.found[1:-1].all()
    travel = root(source)[:, 0] - pose_statistics(source).center_x
    np.testing.assert_allclose(
        keypoints.xy[2:-2, Joint.MID_HIP, 0], (100 + 0.75 * normalized.sideways * travel)[2:-2], atol=0.05
    )
    # The body itself is not squeezed.
    width = np.ptp(keypoints.xy[50, [Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER], 0])
    assert width == pytest.approx(0.75 * 0.24 * 200, abs=0.05)


# What is not there.


def test_nobody_is_an_error() -> None:
    nobody = Keypoints.empty(5, SIZE, FPS)
    for attempt in (lambda: pose_statistics(nobody), lambda: normalize(nobody, TARGET, TARGET_SIZE)):
        with pytest.raises(DanceError) as error:
            attempt()
        assert error.value.code == "no-person"
    with pytest.raises(DanceError):
        normalize(Keypoints.empty(0, SIZE, FPS), TARGET, TARGET_SIZE)


def test_feet_never_seen_in_the_source(findings: list[Finding]) -> None:
    source = _without(_walk_in_depth(), LEGS)
    normalized = normalize(source, TARGET, TARGET_SIZE)
    assert "feet are never seen in the source" in findings[0].message
    assert not normalized.by_feet
    hips = normalized.keypoints.xy[:, Joint.MID_HIP, 1]
    assert hips[0] == pytest.approx(120, abs=3)
    assert hips[-1] == pytest.approx(140, abs=1)


@pytest.mark.parametrize("long", [0.75, 1.2])
def test_legs_guessed_below_the_picture_end_on_the_floor(long: float) -> None:
    source = _walk_in_depth()
    xy, confidence = source.xy.copy(), source.confidence.copy()
    hips = xy[:, [Joint.MID_HIP]]
    xy[:, LEGS] = hips + long * (xy[:, LEGS] - hips)
    confidence[:, LEGS] = 0.25
    placed = normalize(replace(source, xy=xy, confidence=confidence), TARGET, TARGET_SIZE)
    assert not placed.by_feet
    assert TARGET.ground is not None
    lower = placed.keypoints.xy[:, ANKLES, 1].max(axis=1)
    assert np.median(lower) == pytest.approx(TARGET.ground.median, abs=3)


def test_feet_never_seen_in_the_target(findings: list[Finding]) -> None:
    target = pose_statistics(_without(_walk_in_depth(), LEGS))
    assert target.ground is None
    assert not target.feet_seen
    normalized = normalize(_walk_in_depth(), target, SIZE)
    assert "feet are never seen in the target" in findings[0].message
    np.testing.assert_allclose(normalized.keypoints.xy, _walk_in_depth().xy, atol=0.01)


def test_only_head_and_shoulders() -> None:
    below = [Joint.MID_HIP, Joint.RIGHT_HIP, Joint.LEFT_HIP, *LEGS]
    source = _without(clip([standing(320, 700, 500)] * 20, SIZE), below)
    normalized = normalize(source, TARGET, TARGET_SIZE)
    neck = normalized.keypoints.xy[:, Joint.NECK]
    assert np.array_equal(normalized.keypoints.found, source.found)
    np.testing.assert_allclose(neck[:, 0], 250, atol=0.1)
    assert 60 < neck[0, 1] < 120  # about a torso above the target's hips at 130


def test_too_little_to_measure_stays_as_it_is(findings: list[Finding]) -> None:
    source = clip([standing(320, 400, 200)] * 5, SIZE)
    only_face = _without(source, [joint for joint in range(BODY.stop) if joint not in (0, 15, 16)])
    normalized = normalize(only_face, TARGET, TARGET_SIZE)
    assert "Too little of the body" in findings[-1].message
    assert np.array_equal(normalized.keypoints.xy, place_unchanged(only_face, TARGET_SIZE).xy)


def test_frames_with_missing_joints_are_placed_like_their_neighbours() -> None:
    whole = _walk_in_depth()
    expected = normalize(whole, TARGET, TARGET_SIZE).keypoints
    holes = _without(whole, LEGS, slice(310, 325))
    holes = _without(holes, [Joint.MID_HIP, Joint.NOSE], slice(320, 330))
    holes = _without(holes, list(range(JOINT_COUNT)), slice(330, 345))
    placed = normalize(holes, TARGET, TARGET_SIZE).keypoints
    assert np.array_equal(placed.found, expected.found & holes.found)
    both = placed.found
    np.testing.assert_allclose(placed.xy[both], expected.xy[both], atol=0.05)


def test_a_dancer_seen_from_behind_has_a_height() -> None:
    source = _without(_walk_in_depth(), [Joint.NOSE, Joint.RIGHT_EYE, Joint.LEFT_EYE, *range(FACE.start, FACE.stop)])
    ground = pose_statistics(source).ground
    assert ground is not None
    assert ground.close_height == pytest.approx(270 * 1.02, rel=0.01)


def test_joints_that_land_outside_the_target_frame_stay() -> None:
    """Where a hand is outside the picture, its forearm still reaches to the edge."""
    tall = PoseStatistics(center_x=250, ground=_range(240, 240, 240, 400, 400), hips=None)
    placed = normalize(clip([standing(320, 400, 200)] * 3, SIZE), tall, TARGET_SIZE).keypoints
    assert placed.found[:, Joint.NOSE].all()
    assert (placed.xy[:, Joint.NOSE, 1] < 0).all()
    assert placed.found[:, Joint.LEFT_ANKLE].all()
    assert draw_pose(placed.pose(0), Box(0, 0, *TARGET_SIZE), TARGET_SIZE[1])[0].any()


def test_somebody_who_lands_outside_the_target_frame_is_not_seen() -> None:
    source = clip([standing(x, 400, 200) for x in (100, 320, 540)] * 20, SIZE)
    fitted = Retargeting.fit(source, measure(source), pose_statistics(source), SIZE)
    beside = fitted.place(source.pose(0).shifted(-300, 0), 400, -200)
    assert not beside.found.any()
    assert not beside.xy.any()


@pytest.mark.parametrize("missing", [LEGS, [Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE]])
def test_the_user_is_told_of_a_source_without_legs(
    findings: list[Finding], monkeypatch: pytest.MonkeyPatch, missing: list[Joint]
) -> None:
    source = _without(_walk_in_depth(), missing)
    detected = Detection(source, (), "a detector", np.ones(JOINT_COUNT, bool))
    monkeypatch.setattr(source_module, "detect_video", lambda *_, **__: detected)
    source_module.read_dance(Path("source.mp4"), TARGET, TARGET_SIZE)
    assert ("no-legs" in [finding.code for finding in findings]) == (missing is LEGS)


def test_place_unchanged_letterboxes() -> None:
    """640x480 into 512x256: factor 256/480, 341.33 wide, 85.33 at either side."""
    xy = np.zeros((1, JOINT_COUNT, 2), np.float32)
    xy[0, 1] = SIZE
    placed = place_unchanged(clip(xy, SIZE), TARGET_SIZE)
    assert placed.size == TARGET_SIZE
    np.testing.assert_allclose(placed.xy[0, 0], [85.3333, 0], atol=1e-3)
    np.testing.assert_allclose(placed.xy[0, 1], [426.6667, 256], atol=1e-3)


# Properties.


@st.composite
def sources(draw: st.DrawFn) -> Keypoints:
    """Noisy dancers anywhere, with joints, feet or whole frames missing; sometimes pure noise."""
    frames = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    size = draw(st.sampled_from([(640, 480), (360, 640), (64, 64), (3840, 2160)]))
    unit = size[1]
    drift = rng.normal(0, draw(st.sampled_from([0.0, 0.002, 0.03])), (frames, 2)).cumsum(axis=0)
    tall = draw(st.floats(0.001, 0.9))
    xy = np.stack([standing(size[0] / 2 + unit * x, unit * (0.9 + y), unit * tall) for x, y in drift])
    xy += rng.normal(0, draw(st.sampled_from([0.0, 0.01, 10.0])) * unit, xy.shape).astype(np.float32)
    confidence = np.ones(xy.shape[:2], np.float32)
    confidence[rng.uniform(size=confidence.shape) < draw(st.sampled_from([0.0, 0.3, 0.9]))] = 0
    confidence[:, draw(st.sampled_from([[], LEGS, list(range(8, 25)), [Joint.NECK]]))] = 0
    confidence *= rng.uniform(0, 1, confidence.shape) ** draw(st.sampled_from([0, 1]))
    confidence[0, [0, 1, 2]] = 1
    outside = ((xy < 0) | (xy > size)).any(axis=2) & draw(st.booleans())
    outside[0, [0, 1, 2]] = False
    confidence[outside] = 0
    return Keypoints(xy, confidence.astype(np.float32), size, draw(st.sampled_from([Fraction(30), Fraction(1), FPS])))


def _lengths(xy: NDArray[np.float32]) -> NDArray[np.float64]:
    place = xy.astype(np.float64)
    return np.linalg.norm(place[:, None] - place[None], axis=-1)


@settings(max_examples=80, deadline=None)
@given(source=sources(), target=sources(), cut=st.integers(0, 70))
def test_always_finite_and_one_similarity_for_each_frame(source: Keypoints, target: Keypoints, cut: int) -> None:
    statistics = pose_statistics(target)
    for measured in (statistics.ground, statistics.hips):
        if measured is not None:
            assert measured.far <= measured.median <= measured.close
            assert min(measured.far_height, measured.close_height) > 0
    assert np.isfinite(normalize(source, statistics, target.size, cuts=[cut]).keypoints.xy).all()
    # With the target's bones it is one similarity no more.
    normalized = normalize(source, statistics, target.size, cuts=[cut], bones="source")
    placed = normalized.keypoints
    assert len(placed) == len(source)
    assert placed.size == target.size
    assert np.isfinite(placed.xy).all()
    assert np.isfinite(normalized.scale).all()
    assert (normalized.scale > 0).all()
    assert np.isfinite(normalized.ground).all()
    assert 0 <= normalized.clamped_share <= 1
    assert 0 <= normalized.sideways <= 1
    assert not (placed.found & ~source.found).any()
    for frame in range(len(source)):
        found = placed.found[frame]
        before, after = _lengths(source.xy[frame, found]), _lengths(placed.xy[frame, found])
        np.testing.assert_allclose(
            after, normalized.scale[frame] * before, rtol=1e-3, atol=1e-4 * (max(target.size) + normalized.scale[frame])
        )


@settings(max_examples=80, deadline=None)
@given(source=sources())
def test_any_source_onto_itself_is_the_identity(source: Keypoints) -> None:
    placed = normalize(source, pose_statistics(source), source.size).keypoints
    inside = ((source.xy > 1e-2) & (source.xy < np.array(source.size) - 1e-2)).all(axis=2) & source.found
    assert placed.found[inside].all()
    np.testing.assert_allclose(placed.xy[inside], source.xy[inside], atol=1e-3 * max(source.size))


@pytest.mark.parametrize("factor", [0.5, 2.0, 4.0])
def test_the_sources_resolution_does_not_matter(factor: float) -> None:
    for source in (_walk_in_depth(), _jumping(), _without(_walk_in_depth(), LEGS)):
        resized = source.scaled_to((round(SIZE[0] * factor), round(SIZE[1] * factor)))
        first, second = (normalize(clip_, TARGET, TARGET_SIZE).keypoints for clip_ in (source, resized))
        np.testing.assert_allclose(second.xy, first.xy, atol=0.5)


def test_statistics_survive_json() -> None:
    statistics = pose_statistics(_walk_in_depth())
    assert PoseStatistics.model_validate_json(statistics.model_dump_json()) == statistics
    without_feet = pose_statistics(_without(_walk_in_depth(), LEGS))
    assert PoseStatistics.model_validate_json(without_feet.model_dump_json()) == without_feet


def test_the_frame_rate_does_not_matter() -> None:
    slow = _walk_in_depth()
    fast = Keypoints(np.repeat(slow.xy, 2, axis=0), np.repeat(slow.confidence, 2, axis=0), SIZE, Fraction(60))
    first, second = pose_statistics(slow).ground, pose_statistics(fast).ground
    assert first is not None
    assert second is not None
    assert second.close == pytest.approx(first.close, abs=1)
    assert second.far == pytest.approx(first.far, abs=2)
    assert second.far_height == pytest.approx(first.far_height, rel=0.02)


# Fitted once, placed pose by pose.


def _far_and_wide(seconds: float, fps: int, crossing: float) -> Keypoints:
    """Somebody who walks to and from the camera (each way ``crossing`` seconds), to both sides, one foot lifted."""
    frames = []
    for time in np.arange(round(seconds * fps)) / fps:
        depth = 1 - abs((time / crossing) % 2 - 1)
        height = 150 + 120 * depth
        xy = standing(320 + 80 * np.sin(time), 300 + 120 * depth, height)
        for feet, side in (([14, 19, 20, 21], 1), ([11, 22, 23, 24], -1)):
            xy[feet, 1] -= 0.1 * height * max(0, side * np.sin(2 * np.pi * time))
        frames.append(xy)
    return clip(frames, SIZE, Fraction(fps))


@pytest.mark.parametrize(
    "missing", [[], LEGS, [Joint.MID_HIP, Joint.RIGHT_HIP, Joint.LEFT_HIP, *LEGS], [*range(1, 15)]]
)
def test_placing_pose_by_pose_is_placing_the_clip(missing: list[int]) -> None:
    source = _without(_far_and_wide(4, 30, 2), missing)
    source = _without(source, list(range(JOINT_COUNT)), slice(10, 20))
    cuts = (50,)
    fit = Retargeting.fit(source, measure(source, cuts), TARGET, TARGET_SIZE)
    x = root(source)[:, 0]
    levels = ground_line(source, cuts) if fit.by_feet else hip_line(source, cuts)
    levels = np.zeros(len(source)) if levels is None else levels
    poses = [fit.place(source.pose(index), levels[index], x[index]) for index in range(len(source))]
    placed = Keypoints.of(poses, TARGET_SIZE, FPS)
    expected = normalize(source, TARGET, TARGET_SIZE, cuts).keypoints
    assert placed.xy.tobytes() == expected.xy.tobytes()
    assert placed.confidence.tobytes() == expected.confidence.tobytes()
    assert all(pose.xy.tobytes() == expected.xy[index].tobytes() for index, pose in enumerate(poses))


def test_lines_and_roots_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counted(name: str) -> None:
        original = getattr(statistics_module, name)

        def call(*arguments: Any) -> Any:
            calls.append(name)
            return original(*arguments)

        monkeypatch.setattr(statistics_module, name, call)

    for name in ("ground_line", "hip_line", "root"):
        counted(name)
    normalize(_walk_in_depth(4), TARGET, TARGET_SIZE)
    assert sorted(calls) == ["ground_line", "hip_line", "root"]


def test_a_measurement_is_its_parts() -> None:
    source = _far_and_wide(3, 30, 2)
    measured = measure(source, (40,))
    for line, expected in ((measured.ground, ground_line(source, (40,))), (measured.hips, hip_line(source, (40,)))):
        assert line is not None
        assert expected is not None
        assert np.array_equal(line, expected)
    assert np.array_equal(measured.root, root(source))
    assert measured.statistics == pose_statistics(source, (40,))
    assert measured.torso == pytest.approx(0.32 * 270, rel=0.05)


# An hour.


def _noisy_walk(frames: int) -> Keypoints:
    random = np.random.default_rng(0)
    time = np.arange(frames)[:, None, None] / 30
    way = np.concatenate([100 * np.sin(time), 20 * np.cos(time / 2)], axis=2)
    xy = standing(300, 420, 230) + way + random.normal(0, 3, (frames, 1, 2))
    return clip(xy.astype(np.float32), SIZE)


def _besides(work: Callable[[Keypoints], Any], frames: int) -> int:
    """Bytes at most in use during ``work``, without the keypoints that it takes and gives."""
    source = _noisy_walk(frames)
    tracemalloc.start()
    result = work(source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    given = result.keypoints if isinstance(result, Normalized) else result
    return peak - (given.xy.nbytes + given.confidence.nbytes if isinstance(given, Keypoints) else 0)


@pytest.mark.parametrize(
    "work",
    [
        lambda source: normalize(source, TARGET, TARGET_SIZE),
        lambda source: place_unchanged(source, TARGET_SIZE),
        lambda source: pose_statistics(source),
        lambda source: unlike_frames(source, _noisy_walk(500)),
    ],
    ids=["normalize", "place_unchanged", "pose_statistics", "unlike_frames"],
)
def test_memory_besides_the_result_does_not_grow_with_the_clip(work: Callable[[Keypoints], Any]) -> None:
    # Some numbers for each frame are needed, but none for each of its 137 joints: at most 30 MB in an hour.
    short, long = _besides(work, 3000), _besides(work, 9000)
    assert long - short < 6000 * 280
    assert long < 40e6


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    source, few = _noisy_walk(300), _noisy_walk(40)
    found: list[list[bytes]] = []
    for block in (1024, 64, 1):
        monkeypatch.setattr(keypoints_module, "BLOCK", block)
        normalized = normalize(source, TARGET, TARGET_SIZE, (100,))
        unchanged = place_unchanged(source, TARGET_SIZE)
        arrays = [normalized.keypoints.xy, normalized.keypoints.confidence, normalized.scale, normalized.ground]
        arrays += [unchanged.xy, root(source), unlike_frames(source, few)]
        found.append([array.tobytes() for array in arrays])
        assert pose_statistics(source) == pose_statistics(Keypoints(source.xy, source.confidence, SIZE, FPS))
    assert found[0] == found[1] == found[2]


def test_unlike_frames_are_those_far_from_all() -> None:
    source, few = _noisy_walk(3000), _noisy_walk(40)
    bent = source.xy.copy()
    bent[1500:, [Joint.LEFT_WRIST, Joint.RIGHT_WRIST, Joint.LEFT_ELBOW], 1] -= 200
    dance = Keypoints(bent, source.confidence, SIZE, FPS)
    unlike = unlike_frames(dance, few)
    assert np.array_equal(unlike, pose_distances(dance, few).min(axis=1) > 0.1)
    assert unlike[1500:].all()
    assert not unlike[:1500].any()
    assert unlike_frames(dance, few[slice(0, 0)]).all()
