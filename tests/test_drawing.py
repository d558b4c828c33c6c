"""Pose images, overlays, and the region of the person."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from everybody_dance.body_height import body_height
from everybody_dance.drawing.overlay import overlay_pose
from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.drawing.pose_image import DIMMEST, draw_pose
from everybody_dance.images import Box
from everybody_dance.keypoints import Pose
from everybody_dance.skeleton import BODY, FACE, JOINT_COUNT, LEFT_HAND, RIGHT_HAND, Joint
from figures import TEMPLATE, standing

FRAME = Box(0, 0, 512, 256)
FOUND = np.ones(JOINT_COUNT, np.float32)


def _only(*joints: int, level: float = 1.0) -> NDArray[np.float32]:
    confidence = np.zeros(JOINT_COUNT, np.float32)
    confidence[list(joints)] = level
    return confidence


def _one_limb(first: Joint, second: Joint, height: int = 256, level: float = 1.0) -> NDArray[np.uint8]:
    xy = np.zeros((JOINT_COUNT, 2), np.float32)
    xy[first], xy[second] = (20, 40), (60, 40)
    return draw_pose(Pose(xy, _only(first, second, level=level)), Box(0, 0, 80, 80), height)


# Pose images.


def test_nobody_is_black() -> None:
    picture = draw_pose(Pose(standing(100, 200, 150), np.zeros(JOINT_COUNT, np.float32)), FRAME, 256)
    assert picture.shape == (256, 512, 3)
    assert picture.dtype == np.uint8
    assert not picture.any()


def test_a_limb_lies_where_its_joints_are() -> None:
    """Edges are at 0 and W: a line along y = 40 is symmetric about the border of rows 39 and 40."""
    picture = _one_limb(Joint.RIGHT_ANKLE, Joint.RIGHT_HEEL).astype(int)
    profile = picture[36:44, 40].max(axis=1)
    assert profile[3] > 0
    assert np.array_equal(profile, profile[::-1])
    rows, columns = np.nonzero(picture.any(axis=2))
    assert rows.min() >= 36
    assert rows.max() <= 43
    assert 16 <= columns.min() <= 20
    assert 59 <= columns.max() <= 63


def test_drawing_is_sub_pixel() -> None:
    xy = standing(100, 200, 150)
    assert not np.array_equal(
        draw_pose(Pose(xy, FOUND), FRAME, 256), draw_pose(Pose(xy + np.float32(0.25), FOUND), FRAME, 256)
    )


def test_drawing_is_deterministic() -> None:
    xy = standing(100.3, 200.7, 150)
    assert np.array_equal(draw_pose(Pose(xy, FOUND), FRAME, 256), draw_pose(Pose(xy.copy(), FOUND.copy()), FRAME, 256))


@settings(max_examples=60)
@given(
    x=st.integers(-300, 700),
    y=st.integers(-300, 400),
    width=st.integers(1, 200),
    height=st.integers(1, 200),
    seed=st.integers(0, 999),
)
def test_a_shifted_box_shows_exactly_the_shifted_picture(x: int, y: int, width: int, height: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    xy = standing(200.37, 220.81, 170) + rng.normal(0, 20, (JOINT_COUNT, 2)).astype(np.float32)
    confidence = rng.choice(np.array([0, 0.2, 0.9], np.float32), JOINT_COUNT)
    around = Box(-400, -400, 1400, 1400)
    whole = draw_pose(Pose(xy, confidence), around, 256)
    box = Box(x, y, width, height)
    expected = whole[y + 400 : y + 400 + height, x + 400 : x + 400 + width]
    assert np.array_equal(draw_pose(Pose(xy, confidence), box, 256), expected)


def test_little_confidence_is_dimmer_and_none_is_not_drawn() -> None:
    bright, dim = (int(_one_limb(Joint.LEFT_ELBOW, Joint.LEFT_WRIST, level=level).max()) for level in (1.0, 0.01))
    assert bright == 255
    assert dim == pytest.approx(255 * DIMMEST, abs=1)
    assert not _one_limb(Joint.LEFT_ELBOW, Joint.LEFT_WRIST, level=0.0).any()


def test_a_missing_joint_takes_only_its_own_limbs_away() -> None:
    xy = standing(128, 220, 180)
    confidence = FOUND.copy()
    confidence[Joint.RIGHT_KNEE] = 0
    missing = np.abs(
        draw_pose(Pose(xy, FOUND), FRAME, 256).astype(int) - draw_pose(Pose(xy, confidence), FRAME, 256)
    ).any(axis=2)
    rows, columns = np.nonzero(missing)
    assert rows.min() > xy[Joint.RIGHT_HIP, 1] - 6
    assert rows.max() < xy[Joint.RIGHT_ANKLE, 1] + 6
    assert columns.max() < xy[Joint.MID_HIP, 0]


def test_a_missing_finger_joint_leaves_the_rest_of_the_finger() -> None:
    xy = standing(128, 220, 180)
    tip = LEFT_HAND.start + 8
    confidence = FOUND.copy()
    confidence[tip] = 0
    with_tip, without = draw_pose(Pose(xy, FOUND), FRAME, 256), draw_pose(Pose(xy, confidence), FRAME, 256)
    assert 1 <= (with_tip != without).any(axis=2).sum() < 30


@pytest.mark.parametrize("height", [128, 256, 512, 1024])
def test_widths_follow_the_frame_height_and_fingers_stay_visible(height: int) -> None:
    thigh = _one_limb(Joint.RIGHT_HIP, Joint.RIGHT_KNEE, height)[:, 30].max(axis=1) > 127
    assert thigh.sum() == pytest.approx(0.028 * height, abs=2)
    xy = np.zeros((JOINT_COUNT, 2), np.float32)
    first = LEFT_HAND.start + 5
    xy[first], xy[first + 1] = (20, 40.3), (60, 40.3)
    finger = draw_pose(Pose(xy, _only(first, first + 1)), Box(0, 0, 80, 80), height)[:, 30].max(axis=1).astype(int)
    assert finger.sum() > 200  # at least a pixel's worth
    assert finger.max() > 120


def test_left_is_cool_and_right_is_warm() -> None:
    for first, second, warm in (
        (Joint.RIGHT_HIP, Joint.RIGHT_KNEE, True),
        (Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST, True),
        (Joint.RIGHT_ANKLE, Joint.RIGHT_BIG_TOE, True),
        (Joint.LEFT_HIP, Joint.LEFT_KNEE, False),
        (Joint.LEFT_ELBOW, Joint.LEFT_WRIST, False),
        (Joint.LEFT_ANKLE, Joint.LEFT_BIG_TOE, False),
    ):
        red, green, blue = _one_limb(first, second)[40, 30].astype(int)
        assert (red == 255) == warm, first.name
        assert (max(green, blue) > red) != warm, first.name


LIMB_PAIRS = [(2, 3), (3, 4), (5, 6), (6, 7), (9, 10), (10, 11), (12, 13), (13, 14), (11, 22), (14, 19), (1, 0)]
FINGER_PAIRS = [
    (hand.start + finger, hand.start + finger + 1) for hand in (LEFT_HAND, RIGHT_HAND) for finger in (1, 5, 9, 13, 17)
]


@pytest.mark.parametrize("pairs", [LIMB_PAIRS, FINGER_PAIRS])
def test_every_limb_and_every_finger_has_a_colour_of_its_own(pairs: list[tuple[int, int]]) -> None:
    colours = []
    for first, second in pairs:
        xy = np.zeros((JOINT_COUNT, 2), np.float32)
        xy[first], xy[second] = (20, 40.5), (60, 40.5)
        colours.append(draw_pose(Pose(xy, _only(first, second)), Box(0, 0, 80, 80), 256)[40, 40].astype(int))
    distance = np.abs(np.array(colours)[:, None] - np.array(colours)).max(axis=2)
    assert distance[np.triu_indices(len(pairs), 1)].min() >= 80


def test_front_and_back_differ() -> None:
    xy = standing(128, 220, 180)
    away = FOUND.copy()
    away[[Joint.NOSE, Joint.RIGHT_EYE, Joint.LEFT_EYE]] = 0
    away[FACE] = 0
    front, back = draw_pose(Pose(xy, FOUND), FRAME, 256), draw_pose(Pose(xy, away), FRAME, 256)
    head = (slice(int(xy[Joint.NOSE, 1]) - 20, int(xy[Joint.NECK, 1]) - 4), slice(110, 146))
    assert front[head].any(axis=2).sum() > 50
    assert back[head].any(axis=2).sum() > 50  # the back of the head is drawn, in colours of its own
    assert (np.abs(front[head].astype(int) - back[head]).max(axis=2) > 100).sum() > 50


@settings(max_examples=40, deadline=None)
@given(
    scale=st.sampled_from([0.0, 1e-30, 1.0, 300.0, 1e4, 1e9, 1e38]),
    height=st.sampled_from([16, 256, 512]),
    seed=st.integers(0, 999),
)
def test_any_coordinates_draw(scale: float, height: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-1, 1, (JOINT_COUNT, 2)) * scale
    confidence = rng.choice(np.array([0, 1], np.float32), JOINT_COUNT)
    picture = draw_pose(Pose(xy.astype(np.float32), confidence), Box(-16, 0, 64, 48), height)
    assert picture.shape == (48, 64, 3)
    assert overlay_pose(picture, Pose(xy.astype(np.float32), confidence)).shape == picture.shape
    assert person_mask(Pose(xy.astype(np.float32), confidence), (64, 48), 0.1).shape == (48, 64)


def test_places_that_mean_nothing_are_not_read() -> None:
    xy = standing(128, 220, 180)
    confidence = FOUND.copy()
    confidence[50:80] = 0
    expected = draw_pose(Pose(xy, confidence), FRAME, 256)
    xy[50:80] = np.nan
    assert np.array_equal(draw_pose(Pose(xy, confidence), FRAME, 256), expected)


# Overlay.


def test_overlay_draws_over_a_copy() -> None:
    frame = np.full((256, 512, 3), 200, np.uint8)
    picture = overlay_pose(frame, Pose(standing(128, 220, 180), FOUND))
    assert (frame == 200).all()
    assert (picture[:, 300:] == 120).all()
    assert (picture[:, 60:200] != 120).any(axis=2).sum() > 1000


def test_overlay_of_nobody_is_the_dimmed_frame() -> None:
    frame = np.full((20, 30, 3), 100, np.uint8)
    xy = np.zeros((JOINT_COUNT, 2), np.float32)
    assert (overlay_pose(frame, Pose(xy, _only()), dim=1.0) == 100).all()


# The person's region and height.


def _inside(region: NDArray[np.bool_], xy: NDArray[np.float32]) -> bool:
    columns, rows = np.floor(xy).astype(int).T
    return bool(region[rows, columns].all())


def test_region_holds_every_joint_and_the_hair() -> None:
    xy = standing(200, 230, 190)
    region = person_mask(Pose(xy, FOUND), (512, 256), 0.0)
    assert _inside(region, xy)
    crown = xy[Joint.NOSE] - [0, 0.095 * 190 / 0.866]
    assert _inside(region, crown[None])
    assert region.mean() < 0.2


@pytest.mark.parametrize(
    ("missing", "where"),
    [
        ([*range(95, 137)], list(range(95, 137))),  # no hands found: they lie beyond the wrists
        ([19, 20, 21, 22, 23, 24], [19, 21, 22, 24]),  # no toes
        ([0, 15, 16, 17, 18, *range(25, 95)], [0, 15, 16]),  # no head
        ([3], [3, 4]),  # a straight arm without its elbow
        ([13], [13, 14]),
    ],
)
def test_region_covers_what_was_not_found(missing: list[int], where: list[int]) -> None:
    xy = standing(200, 230, 190)
    confidence = FOUND.copy()
    confidence[missing] = 0
    region = person_mask(Pose(xy, confidence), (512, 256), 0.03)
    assert _inside(region, xy[where])


def test_region_grows_by_fractions_of_body_height() -> None:
    xy = standing(256, 450, 346.4)  # 400 pixels tall
    small, grown = (person_mask(Pose(xy, FOUND), (512, 512), grow) for grow in (0.0, 0.05))
    assert (grown | ~small).all()
    distance = cv2.distanceTransform((~small).astype(np.uint8), cv2.DIST_L2, 5)
    assert distance[grown].max() == pytest.approx(20, abs=3)
    assert not (grown & (distance > 24)).any()
    assert grown[distance < 14].mean() > 0.99


def test_region_of_nobody_is_empty() -> None:
    assert not person_mask(Pose(standing(200, 230, 190), _only()), (512, 256), 0.2).any()


def test_region_of_a_single_joint_is_small() -> None:
    assert person_mask(Pose(standing(200, 230, 190), _only(Joint.RIGHT_WRIST)), (512, 256), 0.1).sum() <= 25


def test_body_height_of_a_standing_person() -> None:
    xy = np.stack([standing(200, 230, 86.6), standing(200, 230, 173.2)])
    height = body_height(xy, np.ones((2, JOINT_COUNT), np.float32))
    np.testing.assert_allclose(height[1], 2 * height[0], rtol=1e-5)
    assert height[0] == pytest.approx(100, rel=0.2)


def test_body_height_is_known_without_head_or_feet() -> None:
    xy = standing(200, 230, 173.2)[None]
    whole = body_height(xy, FOUND[None])[0]
    for visible in ([1, 2, 3, 4, 5, 6, 7, 8], [8, 9, 10, 11, 12, 13, 14]):
        assert body_height(xy, _only(*visible)[None])[0] == pytest.approx(whole, rel=0.25)


def test_body_height_forgives_one_misplaced_joint() -> None:
    xy = standing(200, 230, 173.2)[None]
    whole = body_height(xy, FOUND[None])[0]
    for joint in range(BODY.stop):
        wrong = xy.copy()
        wrong[0, joint] += 300
        assert body_height(wrong, FOUND[None])[0] == pytest.approx(whole, rel=0.35), Joint(joint).name


def test_body_height_of_nobody_is_zero() -> None:
    assert body_height(TEMPLATE[None].astype(np.float32), _only()[None]).tolist() == [0]
    assert body_height(np.zeros((0, JOINT_COUNT, 2), np.float32), np.zeros((0, JOINT_COUNT), np.float32)).shape == (0,)
