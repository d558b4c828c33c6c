"""Keypoints: checked on the way in, the same after a round trip, tables that name real joints."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everybody_dance.keypoints import Keypoints, Pose, blocks, in_blocks, shots
from everybody_dance.skeleton import (
    BODY,
    BODY_BONES,
    FACE,
    FACE_LINES,
    FINGERS,
    GROUPS,
    JOINT_COUNT,
    LEFT_HAND,
    MIRROR,
    PUPILS,
    RIGHT_HAND,
    Joint,
)

SIZE, FPS = (320, 240), Fraction(30000, 1001)


def _some(frames: int = 4) -> Keypoints:
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 240, (frames, JOINT_COUNT, 2)).astype(np.float32)
    confidence = rng.uniform(0, 1, (frames, JOINT_COUNT)).astype(np.float32)
    confidence[confidence < 0.3] = 0
    return Keypoints(xy, confidence, SIZE, FPS)


def test_groups_cover_every_joint_once() -> None:
    covered = np.concatenate([np.arange(JOINT_COUNT)[group] for group in GROUPS.values()])
    assert covered.tolist() == list(range(137))
    assert len(Joint) == BODY.stop


@pytest.mark.parametrize(
    ("limb", "first", "second"),
    [
        ("right thigh", Joint.RIGHT_HIP, Joint.RIGHT_KNEE),
        ("right shin", Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE),
        ("left thigh", Joint.LEFT_HIP, Joint.LEFT_KNEE),
        ("left foot", Joint.LEFT_ANKLE, Joint.LEFT_BIG_TOE),
        ("right foot", Joint.RIGHT_ANKLE, Joint.RIGHT_BIG_TOE),
        ("right forearm", Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST),
        ("left upper arm", Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW),
        ("spine", Joint.NECK, Joint.MID_HIP),
        ("neck", Joint.NECK, Joint.NOSE),
    ],
)
def test_limbs_join_the_joints_they_are_named_after(limb: str, first: Joint, second: Joint) -> None:
    assert BODY_BONES[limb] == (first, second)


def test_no_limb_joins_left_and_right() -> None:
    for name, ends in BODY_BONES.items():
        sides = {Joint(end).name.split("_")[0] for end in ends} & {"LEFT", "RIGHT"}
        assert len(sides) <= 1, name
        if sides:
            assert name.split()[0].upper() in sides


def test_fingers_and_face_lines_use_every_point() -> None:
    assert {joint for chain in FINGERS.values() for joint in chain} == set(range(21))
    face = {point for line in FACE_LINES.values() for point in line} | set(PUPILS)
    assert face == set(range(FACE.stop - FACE.start))


def test_a_joint_that_was_not_found_has_no_place() -> None:
    xy = np.full((1, JOINT_COUNT, 2), np.nan, np.float32)
    confidence = np.zeros((1, JOINT_COUNT), np.float32)
    xy[0, 0], confidence[0, 0] = (3, 4), 1
    keypoints = Keypoints(xy, confidence, SIZE, FPS)
    assert np.isfinite(keypoints.xy).all()
    assert keypoints.xy[0, 0].tolist() == [3, 4]
    assert not keypoints.xy[0, 1:].any()


def test_three_body_joints_make_a_person() -> None:
    confidence = np.zeros((3, JOINT_COUNT), np.float32)
    confidence[0, [0, 1]] = 1
    confidence[1, [0, 1, 8]] = 0.1
    confidence[2, FACE] = 1
    keypoints = Keypoints(np.ones((3, JOINT_COUNT, 2), np.float32), confidence, SIZE, FPS)
    assert keypoints.person_seen.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("xy_shape", "confidence_shape", "level", "size"),
    [
        ((2, 136, 2), (2, 136), 1.0, SIZE),  # a joint is missing
        ((2, 137, 3), (2, 137), 1.0, SIZE),  # three coordinates
        ((2, 137, 2), (3, 137), 1.0, SIZE),  # another number of frames
        ((2, 137, 2), (2, 137), 1.1, SIZE),  # confidence above 1
        ((2, 137, 2), (2, 137), -0.1, SIZE),
        ((2, 137, 2), (2, 137), np.nan, SIZE),
        ((2, 137, 2), (2, 137), 1.0, (0, 240)),
    ],
)
def test_refuses_what_does_not_fit(
    xy_shape: tuple[int, ...], confidence_shape: tuple[int, ...], level: float, size: tuple[int, int]
) -> None:
    with pytest.raises(ValueError):
        Keypoints(np.zeros(xy_shape, np.float32), np.full(confidence_shape, level, np.float32), size, FPS)


def test_refuses_a_found_joint_without_a_place() -> None:
    xy = np.zeros((1, JOINT_COUNT, 2), np.float32)
    xy[0, 5] = np.inf
    with pytest.raises(ValueError, match="finite"):
        Keypoints(xy, np.ones((1, JOINT_COUNT), np.float32), SIZE, FPS)


def test_round_trip_through_a_file(tmp_path: Path) -> None:
    keypoints = _some()
    keypoints.save(tmp_path / "keypoints.npz")
    read = Keypoints.load(tmp_path / "keypoints.npz")
    assert np.array_equal(read.xy, keypoints.xy)
    assert np.array_equal(read.confidence, keypoints.confidence)
    assert (read.size, read.fps) == (SIZE, FPS)


@pytest.mark.parametrize("length", [0, 1, 100, 1000, -20])
def test_a_damaged_file_is_a_value_error(tmp_path: Path, length: int) -> None:
    file = tmp_path / "keypoints.npz"
    _some(40).save(file)
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(ValueError):
        Keypoints.load(file)


def test_whatever_is_in_the_file_nothing_else_is_raised(tmp_path: Path) -> None:
    """Any bytes may be wrong; then it is a ValueError or an OSError, or nothing that matters was hit."""
    random = np.random.default_rng(0)
    file = tmp_path / "keypoints.npz"
    _some(3).save(file)
    whole = file.read_bytes()
    for _ in range(400):
        damaged = bytearray(whole)
        for place in random.integers(0, len(whole), int(random.integers(1, 6))):
            damaged[place] = int(random.integers(256))
        file.write_bytes(damaged)
        try:
            assert np.array_equal(Keypoints.load(file).xy, _some(3).xy)
        except (ValueError, OSError):
            continue


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"size": np.zeros((2, 2))},
        {"size": np.array([320, 240, 3])},
        {"fps": np.array([30, 0])},
        {"xy": np.zeros((2, 3))},
        {"confidence": np.full((1, JOINT_COUNT), 2.0)},
        {"size": np.array(["a", "b"])},
    ],
)
def test_a_file_with_other_arrays_is_a_value_error(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    whole = {
        "xy": np.zeros((1, JOINT_COUNT, 2)),
        "confidence": np.zeros((1, JOINT_COUNT)),
        "size": np.array([320, 240]),
        "fps": np.array([30, 1]),
    }
    np.savez(tmp_path / "keypoints.npz", **(whole | arrays if arrays else {"xy": whole["xy"]}))
    with pytest.raises(ValueError):
        Keypoints.load(tmp_path / "keypoints.npz")


def test_poses_make_a_clip_and_a_clip_has_poses() -> None:
    keypoints = _some(3)
    again = Keypoints.of([keypoints.pose(index) for index in range(3)], SIZE, FPS)
    assert np.array_equal(again.xy, keypoints.xy)
    assert np.array_equal(again.confidence, keypoints.confidence)
    assert len(Keypoints.of([], SIZE, FPS)) == 0


def test_arrays_that_are_given_stay_as_they_are() -> None:
    xy = np.full((2, JOINT_COUNT, 2), 7, np.float32)
    confidence = np.ones((2, JOINT_COUNT), np.float32)
    confidence[1, 5] = 0
    assert Keypoints(xy, confidence, SIZE, FPS).xy[1, 5].tolist() == [0, 0]
    assert xy[1, 5].tolist() == [7, 7]


def test_equal_keypoints_are_equal_bytes() -> None:
    confidence = np.zeros((1, JOINT_COUNT), np.float32)
    made = [
        Keypoints(np.full((1, JOINT_COUNT, 2), nothing, np.float32), confidence, SIZE, FPS)
        for nothing in (0.0, -0.0, 3)
    ]
    assert len({keypoints.xy.tobytes() for keypoints in made}) == 1


def test_a_pose_is_read_only() -> None:
    pose = Pose(np.zeros((JOINT_COUNT, 2)), np.ones(JOINT_COUNT))
    with pytest.raises(ValueError, match="read-only"):
        pose.xy[0] = 1


def test_shots_and_blocks() -> None:
    assert shots(10, (7, 3, 3, 0, 10, 12)) == [slice(0, 3), slice(3, 7), slice(7, 10)]
    assert shots(0, ()) == []
    assert list(blocks(2500)) == [slice(0, 1024), slice(1024, 2048), slice(2048, 2500)]
    assert list(blocks(12, 10)) == [slice(10, 12)]
    assert list(blocks(0)) == []
    for frames in (0, 3, 1025):
        keypoints = Keypoints(np.ones((frames, JOINT_COUNT, 2)), np.ones((frames, JOINT_COUNT)), SIZE, FPS)
        assert in_blocks(lambda xy, _: xy.sum(axis=(1, 2)), keypoints).tolist() == [2.0 * JOINT_COUNT] * frames


def test_frames_can_be_chosen() -> None:
    keypoints = _some(6)
    assert len(keypoints[1:3]) == 2
    assert np.array_equal(keypoints[np.array([5, 0])].xy, keypoints.xy[[5, 0]])
    assert len(keypoints[np.zeros(6, bool)]) == 0


@given(width=st.integers(1, 4000), height=st.integers(1, 4000))
def test_resizing_is_multiplication_of_edges(width: int, height: int) -> None:
    xy = np.full((1, JOINT_COUNT, 2), SIZE, np.float32)
    resized = Keypoints(xy, np.ones((1, JOINT_COUNT), np.float32), SIZE, FPS).scaled_to((width, height))
    assert resized.size == (width, height)
    np.testing.assert_allclose(resized.xy[0, 0], [width, height], rtol=1e-5)


def test_empty_has_nobody() -> None:
    assert not Keypoints.empty(3, SIZE, FPS).person_seen.any()
    assert len(Keypoints.empty(0, SIZE, FPS)) == 0


class TestMirror:
    def test_every_joint_changes_places_with_one(self) -> None:
        assert sorted(MIRROR) == list(range(JOINT_COUNT))
        assert all(MIRROR[MIRROR[joint]] == joint for joint in range(JOINT_COUNT))

    def test_sides_by_name(self) -> None:
        assert MIRROR[Joint.LEFT_SMALL_TOE] == Joint.RIGHT_SMALL_TOE
        assert MIRROR[Joint.NOSE] == Joint.NOSE
        assert MIRROR[LEFT_HAND.start + 5] == RIGHT_HAND.start + 5
        # The face's lines become each other, read backwards where they run from side to side.
        lines = {name: [MIRROR[FACE.start + joint] - FACE.start for joint in line] for name, line in FACE_LINES.items()}
        assert lines["jaw"] == list(FACE_LINES["jaw"])[::-1]
        assert lines["right eyebrow"] == list(FACE_LINES["left eyebrow"])[::-1]
        assert lines["nose bridge"] == list(FACE_LINES["nose bridge"])
        assert lines["nose base"] == list(FACE_LINES["nose base"])[::-1]
        assert set(lines["right eye"]) == set(FACE_LINES["left eye"])
        assert set(lines["outer lips"]) == set(FACE_LINES["outer lips"])
        assert [MIRROR[FACE.start + pupil] - FACE.start for pupil in PUPILS] == list(PUPILS)[::-1]

    def test_an_eye_keeps_its_order(self) -> None:
        # Outer corner, upper lid, inner corner, lower lid: 36-41 on the right, 45, 44, 43, 42, 47, 46 on the left.
        assert [MIRROR[FACE.start + joint] - FACE.start for joint in range(36, 42)] == [45, 44, 43, 42, 47, 46]

    def test_twice_is_the_same_and_once_is_flipped(self) -> None:
        keypoints = _some()
        mirrored = keypoints.mirrored()
        assert np.allclose(mirrored.mirrored().xy, keypoints.xy, atol=1e-3)
        assert np.array_equal(mirrored.mirrored().confidence, keypoints.confidence)
        found = keypoints.found[:, Joint.LEFT_KNEE]
        left, right = keypoints.xy[found, Joint.LEFT_KNEE], mirrored.xy[found, Joint.RIGHT_KNEE]
        assert np.allclose(right, np.stack([SIZE[0] - left[:, 0], left[:, 1]], -1), atol=1e-4)
