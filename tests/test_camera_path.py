"""How a source's camera moves, followed frame by frame, and taken out of the dance."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.pose import detection
from everybody_dance.pose.cache import Entry
from everybody_dance.pose.camera import CameraTracker, stood_still
from everybody_dance.pose.detection import detect_video
from everybody_dance.skeleton import Joint
from subjects import matte, picture, swaying
from test_registration import place
from worlds import write_video

SIZE = (320, 240)
FRAMES = 40


def filmed(matrices: np.ndarray, world: Image | None = None) -> tuple[list[Image], Keypoints, Keypoints]:
    """Frames of somebody who sways in a place, their joints as filmed, and as a camera that stands still films them."""
    keypoints = swaying(len(matrices), SIZE)
    world = place(5, (640, 240)) if world is None else world
    frames = []
    for index, matrix in enumerate(matrices):
        shown = world.copy()
        person = matte(keypoints, index)[..., None] > 0
        shown[:, : SIZE[0]] = np.where(person, picture(keypoints, index), shown[:, : SIZE[0]])
        frames.append(cv2.warpPerspective(shown, matrix, SIZE, borderMode=cv2.BORDER_REFLECT))
    xy = np.einsum("tij,tkj->tki", matrices[:, :2, :2], keypoints.xy - 0.5) + matrices[:, None, :2, 2] + 0.5
    return frames, Keypoints(xy.astype(np.float32), keypoints.confidence, SIZE, Fraction(25)), keypoints


def followed(frames: list[Image], keypoints: Keypoints, cuts: tuple[int, ...] = ()) -> np.ndarray:
    tracker = CameraTracker()
    for index, frame in enumerate(frames):
        tracker.see(frame)
        if index >= 5:  # poses come later than frames
            tracker.locate([keypoints.pose(index - 5)], SIZE[1])
    for index in range(len(frames) - 5, len(frames)):
        tracker.locate([keypoints.pose(index)], SIZE[1])
    return tracker.path(cuts)


def panning(pixels: float) -> np.ndarray:
    """(T, 3, 3): turns to the right, by as many pixels a frame, and trembles."""
    matrices = np.tile(np.eye(3), (FRAMES, 1, 1))
    matrices[:, 0, 2] = -pixels * np.arange(FRAMES)
    matrices[:, 1, 2] = 4 * np.sin(np.arange(FRAMES))
    return matrices


def test_a_pan_is_taken_out() -> None:
    frames, moving, still = filmed(panning(4.0))
    path = followed(frames, moving)
    found = stood_still(moving, path)
    assert found is not None
    assert np.linalg.norm(found.xy - still.xy, axis=2).max() < 1.5
    assert np.ptp(moving.xy[:, Joint.MID_HIP, 0]) > 100


def test_a_camera_that_stands_still_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    follow = cv2.calcOpticalFlowPyrLK
    monkeypatch.setattr(cv2, "calcOpticalFlowPyrLK", lambda *a, **k: looks.append(1) or follow(*a, **k))
    frames, joints, _ = filmed(np.tile(np.eye(3), (FRAMES, 1, 1)))
    assert stood_still(joints, followed(frames, joints)) is None
    assert len(looks) < FRAMES


def test_light_that_changes_is_no_motion() -> None:
    plain = np.asarray(cv2.resize(cv2.resize(place(5, (640, 240)), (40, 15)), (640, 240)), np.uint8)

    def lit(frames: list[Image]) -> list[Image]:
        light = np.linspace(0.75, 1.2, len(frames))
        return [(frame * share).clip(0, 255).astype(np.uint8) for frame, share in zip(frames, light, strict=True)]

    frames, joints, _ = filmed(np.tile(np.eye(3), (FRAMES, 1, 1)), plain)
    assert stood_still(joints, followed(lit(frames), joints)) is None
    frames, moving, still = filmed(panning(4.0), plain)
    found = stood_still(moving, followed(lit(frames), moving))
    assert found is not None
    assert np.linalg.norm(found.xy - still.xy, axis=2).max() < 1


def test_each_shot_begins_anew() -> None:
    matrices = panning(3.0)
    frames, moving, _ = filmed(matrices)
    elsewhere, _, _ = filmed(matrices, place(9, (640, 240)))
    cut = FRAMES // 2
    path = followed(frames[:cut] + elsewhere[cut:], moving, (cut,))
    assert np.allclose(path[cut], np.eye(3))
    ways = path[cut:, :2, 2]
    assert np.abs(ways - (matrices[cut, :2, 2] - matrices[cut:, :2, 2])).max() < 2


def test_where_there_is_nothing_to_see_the_camera_is_left_alone() -> None:
    frames, moving, _ = filmed(panning(4.0), np.full((240, 640, 3), 128, np.uint8))
    assert stood_still(moving, followed(frames, moving)) is None


def test_what_cannot_be_is_no_motion() -> None:
    _, joints, _ = filmed(panning(0.0))
    path = np.tile(np.eye(3), (FRAMES, 1, 1))
    path[20:, 0, 2] = 5000
    assert stood_still(joints, path) is None
    path = np.tile(np.diag((9.0, 9.0, 1.0)), (FRAMES, 1, 1))
    assert stood_still(joints, path) is None


def test_what_was_remembered_and_is_damaged_is_found_anew(tmp_path: Path) -> None:
    """An empty file, a cut one, archives, and headers that NumPy trips over in other ways."""
    entry = Entry("a", "mediapipe", Fraction(30))
    entry.keep_camera(np.tile(np.eye(3), (5, 1, 1)))
    assert entry.camera(5) is not None
    kept = entry.camera_path
    whole, shape = kept.read_bytes(), b"(5, 3, 3), }"
    damaged = [b"", whole[:60], whole[:-9], b"PK\x03\x04", b"PK\x05\x06" + bytes(18)]
    damaged += [whole.replace(shape, wrong) for wrong in (b"(5, 3, 39, }", b"(5, 3,,3), }", b"(9**9**9,), ")]
    for content in damaged:
        kept.write_bytes(content)
        assert entry.camera(5) is None


def test_it_is_remembered_with_the_poses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, _, _ = filmed(panning(4.0))
    video = write_video(tmp_path / "a.mp4", frames)
    first = detect_video(video, follow_camera=True).camera
    assert first is not None
    assert first[-1, 0, 2] > 100
    monkeypatch.setattr(detection, "CameraTracker", None)
    again = detect_video(video, follow_camera=True).camera
    assert again is not None
    assert np.array_equal(again, first)
