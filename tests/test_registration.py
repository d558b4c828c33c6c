"""A camera in somebody's hand is stood still; one that travels is told apart."""

import cv2
import numpy as np
import pytest

from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.subject.prepare.registration import Registration, _largest_rectangle, register
from subjects import matte, picture, swaying, wall

SIZE = (320, 240)
FRAMES = 12
MIDDLE = FRAMES // 2


def place(seed: int = 0, size: tuple[int, int] = SIZE) -> Image:
    """A wall with something to see everywhere."""
    random = np.random.default_rng(seed)
    small = random.integers(30, 225, (size[1] // 6, size[0] // 6, 3), np.uint8)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def shakes(seed: int = 1) -> np.ndarray:
    """(T, 3, 3): from the place to each frame: turned by a degree, moved by pixels, a little nearer or farther."""
    random, matrices = np.random.default_rng(seed), []
    for _ in range(FRAMES):
        matrix = np.eye(3)
        matrix[:2] = cv2.getRotationMatrix2D((160, 120), random.uniform(-1, 1), random.uniform(0.98, 1.02))
        matrix[:2, 2] += random.uniform(-4, 4, 2)
        matrices.append(matrix)
    return np.stack(matrices)


def filmed(keypoints: Keypoints, matrices: np.ndarray) -> tuple[list[Image], list[Image]]:
    """Frames and mattes."""
    frames, mattes = [], []
    for index, matrix in enumerate(matrices):
        shown, person = picture(keypoints, index), matte(keypoints, index)
        shown = np.where(person[..., None] > 0, shown, place())
        frames.append(cv2.warpPerspective(shown, matrix, SIZE, borderMode=cv2.BORDER_REFLECT))
        mattes.append(cv2.warpPerspective(person, matrix, SIZE))
    return frames, mattes


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    moved = np.concatenate([points, np.ones((len(points), 1))], 1) @ matrix.T
    return np.asarray(moved[:, :2] / moved[:, 2:])


@pytest.fixture(scope="module")
def shaken() -> tuple[Keypoints, np.ndarray, list[Image], Registration]:
    keypoints, matrices = swaying(FRAMES, SIZE), shakes()
    frames, mattes = filmed(keypoints, matrices)
    found = register(frames.__getitem__, mattes.__getitem__, np.arange(FRAMES), FRAMES, SIZE)
    assert found is not None
    return keypoints, matrices, frames, found


def test_every_frame_is_moved_to_the_middle_one(
    shaken: tuple[Keypoints, np.ndarray, list[Image], Registration],
) -> None:
    _, matrices, frames, found = shaken
    grid = np.stack(np.meshgrid(np.linspace(20, 300, 8), np.linspace(20, 220, 6)), -1).reshape(-1, 2)
    assert found.found.all()
    for index in range(FRAMES):
        truth = apply(matrices[MIDDLE] @ np.linalg.inv(matrices[index]), grid)
        assert np.linalg.norm(apply(found.matrices[index], grid) - truth, axis=1).max() < 0.5
    still, before = (
        np.mean(
            [np.abs(shown(i)[40:60, 40:280].astype(int) - frames[MIDDLE][40:60, 40:280]).mean() for i in range(FRAMES)]
        )
        for shown in (lambda i: found.moved(frames[i], i), lambda i: frames[i])
    )
    assert still < 0.3 * before


def test_joints_move_with_their_frame(shaken: tuple[Keypoints, np.ndarray, list[Image], Registration]) -> None:
    keypoints, matrices, _, found = shaken
    xy = np.stack([apply(matrix, frame - 0.5) + 0.5 for matrix, frame in zip(matrices, keypoints.xy, strict=True)])
    moved = found.keypoints_moved(Keypoints(xy.astype(np.float32), keypoints.confidence, SIZE, keypoints.fps))
    truth = np.stack([apply(matrices[MIDDLE], frame - 0.5) + 0.5 for frame in keypoints.xy])
    assert np.linalg.norm(moved.xy - truth, axis=2).max() < 0.5
    lost = Registration(found.matrices, np.arange(FRAMES) != 3, SIZE).keypoints_moved(keypoints)
    assert lost.person_seen.tolist() == [index != 3 for index in range(FRAMES)]


def test_joints_that_are_moved_out_of_the_picture_are_not_found() -> None:
    """A camera that pans farther than the picture of the place is wide shows the person outside it."""
    keypoints = swaying(3, SIZE)
    matrices = np.tile(np.eye(3), (3, 1, 1))
    matrices[1, 0, 2], matrices[2, 1, 2] = 400, 60  # outside, and the feet alone
    moved = Registration(matrices, np.ones(3, bool), SIZE).keypoints_moved(keypoints)
    assert moved.person_seen.tolist() == [True, False, True]
    assert np.array_equal(moved.found[0], keypoints.found[0])
    assert not moved.found[2, [11, 14]].any()
    assert moved.found[2, 1]


def test_what_a_frame_did_not_show_is_known(shaken: tuple[Keypoints, np.ndarray, list[Image], Registration]) -> None:
    *_, found = shaken
    assert found.unseen(SIZE, MIDDLE)[2:-2, 2:-2].sum() == 0
    unseen = found.unseen(SIZE, 0)
    assert 0 < unseen.mean() < 0.2
    white = found.moved(np.full((SIZE[1], SIZE[0]), 255, np.uint8), 0)
    assert (white[~unseen] > 250).all()


def test_a_camera_that_pans_gets_one_wide_place() -> None:
    """There and back, so that what drifts would show."""
    wide, nobody = place(4, (640, 240)), np.zeros(SIZE[::-1], np.uint8)
    lefts = np.round(300 * np.abs(np.linspace(-1, 1, 31))).astype(int)
    frames = [wide[:, left : left + SIZE[0]] for left in lefts]
    found = register(frames.__getitem__, lambda index: nobody, np.arange(len(lefts)), len(lefts), SIZE)
    assert found is not None
    assert found.found.all()
    assert 560 <= found.size[0] <= 640
    assert abs(found.size[1] - 240) <= 8
    ways = found.matrices[:, :2, 2]
    assert np.abs(ways - ways[0] - np.stack([lefts - lefts[0], 0 * lefts], 1)).max() < 1
    corner = np.round(-ways[lefts.argmin()]).astype(int)
    for index in (0, 8, 15):
        seen = ~found.unseen(SIZE, index)
        expected = np.zeros((*found.size[::-1], 3), int)
        shown = wide[max(corner[1], 0) :, max(corner[0], 0) :][: found.size[1], : found.size[0]]
        expected[: len(shown), : shown.shape[1]] = shown
        assert np.abs(found.moved(frames[index], index)[seen] - expected[seen]).mean() < 3


def test_the_place_is_the_largest_rectangle_that_is_seen() -> None:
    known = np.zeros((12, 20), bool)
    known[2:9, 3:15] = True
    known[:, 17:] = True
    known[4, 5] = False
    assert _largest_rectangle(known, 20) == (6, 2, 9, 7)
    assert _largest_rectangle(known, 4) == (17, 0, 3, 12)
    assert _largest_rectangle(np.zeros((3, 3), bool), 3) == (0, 0, 0, 0)


def test_a_bare_wall_cannot_be_registered() -> None:
    keypoints = swaying(FRAMES, SIZE)
    frames = [picture(keypoints, index) for index in range(FRAMES)]
    assert register(frames.__getitem__, lambda index: matte(keypoints, index), np.arange(FRAMES), FRAMES, SIZE) is None
    assert wall(SIZE).shape == frames[0].shape


def test_a_camera_that_travels_is_told_apart() -> None:
    """Near things move over far ones: no homography fits both."""
    near, far = place(2, (640, 240)), place(3, (640, 240))
    near_rows = (np.arange(SIZE[1]) // 24 % 2 == 0)[:, None, None]
    frames = [
        np.where(near_rows, near[:, 9 * index : 9 * index + SIZE[0]], far[:, 2 * index : 2 * index + SIZE[0]])
        for index in range(FRAMES)
    ]
    nobody = np.zeros(SIZE[::-1], np.uint8)
    found = register(frames.__getitem__, lambda index: nobody, np.arange(FRAMES), FRAMES, SIZE)
    assert found is None
