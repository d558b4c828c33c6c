"""Rendered dancers: what is said of them is what is seen."""

from fractions import Fraction

import numpy as np
import pytest

from everybody_dance.dancers.body import Build, pose_body
from everybody_dance.dancers.choreography import CHOREOGRAPHIES, PARAMETERS
from everybody_dance.dancers.raster import Camera, Canvas, Solid
from everybody_dance.dancers.render import DANCERS, empty_room, render, true_keypoints
from everybody_dance.skeleton import BODY, FACE, LEFT_HAND, RIGHT_HAND, Joint

SIZE = (160, 120)


def test_projection_by_hand() -> None:
    camera = Camera((200, 100), focal=2.0, distance=4.0, height=1.0, horizon=0.5)
    # 2 x 100 / 4 = 50 pixels a metre at the dancer's spot.
    assert camera.project(np.array([1.0, 1.5, 0.0])).tolist() == [150.0, 25.0]
    assert camera.project(np.array([0.0, 0.0, 4.0])).tolist() == [100.0, 75.0]


def test_a_ball_is_round_and_as_far_as_it_is() -> None:
    camera = Camera((200, 200), focal=1.0, distance=5.0, height=0.0)
    canvas = Canvas(camera)
    canvas.draw(Solid(np.zeros(3), np.zeros(3), 1.0, 1.0, 3))
    inside = canvas.material == 3
    # The outline of a ball of radius r at distance d is seen under tan = r / sqrt(d^2 - r^2).
    assert np.sqrt(inside.sum() / np.pi) == pytest.approx(200 / np.sqrt(24), rel=0.01)
    assert canvas.depth[90, 100] == pytest.approx(4.0, abs=0.01)
    assert canvas.normal[90, 100] == pytest.approx([0, 0, -1], abs=0.05)


def test_a_capsule_lies_between_its_ends_and_a_flat_one_is_thin() -> None:
    camera = Camera((200, 200), focal=1.0, distance=5.0, height=0.0, horizon=0.5)
    ends = np.array([-1.0, 0, 0]), np.array([1.0, 0, 0])
    for thin in (1.0, 0.5):
        canvas = Canvas(camera)
        canvas.draw(Solid(*ends, 0.4, 0.4, 0, np.array([0.0, 1.0, 0.0]), thin))
        rows = np.flatnonzero((canvas.material >= 0)[:, 100])
        assert len(rows) == pytest.approx(2 * 0.4 * thin * 200 / 5, abs=2)
        columns = np.flatnonzero((canvas.material >= 0)[100])
        assert len(columns) == pytest.approx(2 * 1.4 * 200 / 5, abs=4)


@pytest.mark.parametrize("name", sorted(CHOREOGRAPHIES))
def test_dances_are_smooth(name: str) -> None:
    dance = CHOREOGRAPHIES[name]
    times = np.arange(0, dance.seconds, 0.02)
    values = np.array([[dance.pose(float(time))[parameter] for parameter in PARAMETERS] for time in times])
    assert np.isfinite(values).all()
    assert np.abs(np.diff(values, axis=0)).max() < 0.12


def test_a_dance_is_the_same_for_every_body() -> None:
    pose = CHOREOGRAPHIES["kicks"].pose(0.8)
    tall, small = (pose_body(Build(height), pose).joints for height in (1.9, 1.52))
    assert np.allclose(tall * 1.52 / 1.9, small, atol=0.02)


def test_bones_keep_their_length() -> None:
    build = Build(1.7)
    for seconds in np.arange(0, 30, 0.7):
        joints = pose_body(build, CHOREOGRAPHIES["varied"].pose(float(seconds))).joints
        for start, end, length in (
            (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, build.upper_arm),
            (Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST, build.forearm),
            (Joint.LEFT_HIP, Joint.LEFT_KNEE, build.thigh),
            (Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE, build.shin),
        ):
            assert np.linalg.norm(joints[end] - joints[start]) == pytest.approx(length, rel=1e-3)


def test_left_is_left_and_faces_turn_away() -> None:
    dancer, dance = DANCERS["ada"], CHOREOGRAPHIES["spins"]
    front = render(dancer, dance, 0.0, SIZE)
    assert front.xy[Joint.LEFT_SHOULDER, 0] > front.xy[Joint.RIGHT_SHOULDER, 0]
    assert front.xy[LEFT_HAND, 0].mean() > front.xy[RIGHT_HAND, 0].mean()
    assert front.confidence[FACE].all()
    back = render(dancer, dance, 1.4, SIZE)  # half a turn
    assert back.xy[Joint.LEFT_SHOULDER, 0] < back.xy[Joint.RIGHT_SHOULDER, 0]
    assert not back.confidence[FACE].any()
    assert back.confidence[Joint.NECK] == 1


@pytest.mark.parametrize("name", sorted(DANCERS))
def test_joints_lie_on_the_person(name: str) -> None:
    on_person = []
    for dance in ("waves", "varied", "kneel"):
        shown = render(DANCERS[name], CHOREOGRAPHIES[dance], 2.6, (256, 192))
        sure = shown.confidence > 0
        sure[[Joint.LEFT_SMALL_TOE, Joint.RIGHT_SMALL_TOE, Joint.LEFT_HEEL, Joint.RIGHT_HEEL]] = False
        place = shown.xy[BODY][sure[BODY]].astype(int)
        on_person.append(shown.mask[place[:, 1], place[:, 0]])
    assert np.concatenate(on_person).mean() > 0.95


def test_rendering_is_repeatable_and_the_room_is_empty_elsewhere() -> None:
    dancer, dance = DANCERS["chiyo"], CHOREOGRAPHIES["bow"]
    one, other = (render(dancer, dance, 1.0, SIZE) for _ in range(2))
    assert np.array_equal(one.image, other.image)
    room = empty_room(dancer, SIZE).astype(int)
    wall = ~one.mask
    wall[90:] = False  # the floor carries the shadow
    different = np.abs(one.image.astype(int) - room).max(axis=-1)
    assert (different[wall] > 40).mean() < 0.02  # the person's soft outline
    assert (different[one.mask] > 20).mean() > 0.8


def test_true_keypoints_are_those_of_the_pictures() -> None:
    dancer, dance = DANCERS["bruno"], CHOREOGRAPHIES["steps"]
    keypoints = true_keypoints(dancer, dance, 3, Fraction(2), SIZE)
    shown = render(dancer, dance, 1.0, SIZE)
    assert np.allclose(keypoints.xy[2], np.where(shown.confidence[:, None] > 0, shown.xy, 0), atol=1e-4)


@pytest.mark.slow
def test_the_detector_agrees(tmp_path: object) -> None:
    from everybody_dance.pose.mediapipe_holistic import MediaPipeDetector

    detector = MediaPipeDetector()
    errors, faces = [], []
    for name, seconds in (("ada", 0.6), ("bruno", 1.2), ("chiyo", 0.3), ("dmitri", 2.0)):
        shown = render(DANCERS[name], CHOREOGRAPHIES["bow"], seconds, (512, 384))
        for _ in range(2):
            (person,) = detector.people(shown.image)
        xy, confidence = person.pose.xy, person.pose.confidence
        both = (confidence[BODY] > 0) & (shown.confidence[BODY] > 0)
        height = np.ptp(shown.xy[BODY, 1])
        errors.append(np.linalg.norm(xy[BODY] - shown.xy[BODY], axis=-1)[both] / height)
        faces.append(confidence[FACE].any())
    detector.close()
    assert np.median(np.concatenate(errors)) < 0.03
    assert sum(faces) >= 3
