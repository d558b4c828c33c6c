"""What becomes of a camera's motion when footage is prepared."""

from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.pose.mattes import MatteReader, MatteWriter
from everybody_dance.subject.folder import MATTES
from everybody_dance.subject.manifest import Clip
from everybody_dance.subject.prepare.bystanders import Bystanders
from everybody_dance.subject.prepare.decode import Decoded
from everybody_dance.subject.prepare.find_place import Place, find_place
from everybody_dance.subject.subject import read_frame, write_frame
from subjects import matte, picture, swaying
from test_registration import place

SIZE = (320, 240)
FRAMES = 36


def find(folder: Path, behind: list[Image]) -> tuple[Keypoints, Place]:
    """The place of a person who sways in front of these pictures."""
    keypoints = swaying(FRAMES, SIZE)
    (folder / "frames").mkdir(parents=True)
    with closing(MatteWriter(folder / MATTES)) as mattes:
        for index, background in enumerate(behind):
            person = matte(keypoints, index)
            write_frame(folder, index, np.where(person[..., None] > 0, picture(keypoints, index), background))
            mattes.write(person)
    clips = (Clip(first=0, holdout=FRAMES, stop=FRAMES),)
    decoded = Decoded([], clips, np.zeros(FRAMES, bool), Bystanders(clips, [None], SIZE))
    return keypoints, find_place(folder, decoded, keypoints, np.arange(FRAMES))


def travelling() -> list[Image]:
    """Near things move over far ones, in pieces so large that either layer could be taken for the place."""
    near, far = place(2, (1280, 240)), place(3, (640, 240))
    rows = (np.arange(SIZE[1]) // 80 % 2 == 0)[:, None, None]
    return [
        np.where(rows, near[:, 12 * index : 12 * index + SIZE[0]], far[:, 3 * index : 3 * index + SIZE[0]])
        for index in range(FRAMES)
    ]


def test_a_camera_that_pans_shows_one_wide_place(tmp_path: Path) -> None:
    wide = place(4, (480, 240))
    _, found = find(tmp_path, [wide[:, 4 * index : 4 * index + SIZE[0]] for index in range(FRAMES)])
    assert found.camera == "steadied"
    assert found.plate.image.shape[1] > 400
    assert found.keypoints.size == found.plate.image.shape[1::-1]
    assert np.ptp(found.keypoints.xy[:, 8, 0]) > 120  # the person went along
    with closing(MatteReader(tmp_path / MATTES)) as mattes:
        for index in (0, FRAMES - 1):
            frame, person = read_frame(tmp_path, index), mattes.matte(index)
            assert frame.shape == found.plate.image.shape
            assert person.shape == frame.shape[:2]
            away = cv2.dilate(person, np.ones((31, 31), np.uint8)) == 0
            assert np.abs(frame.astype(int) - found.plate.image)[away & found.plate.known].mean() < 6


def test_a_camera_that_travels_leaves_the_person_cut_out(tmp_path: Path) -> None:
    keypoints, found = find(tmp_path, travelling())
    assert found.camera == "cut-out"
    assert np.array_equal(found.keypoints.xy, keypoints.xy)
    middle = travelling()[FRAMES // 2]
    sure = found.plate.known
    assert sure.mean() > 0.5
    assert np.abs(found.plate.image.astype(int) - middle)[sure].mean() < 25  # the place of one moment, no mixture
    for index in range(0, FRAMES, 7):
        frame, person = read_frame(tmp_path, index).astype(int), matte(keypoints, index) > 0
        assert np.abs(frame - picture(keypoints, index))[person].mean() < 8
        away = cv2.dilate(person.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
        assert np.abs(frame - found.plate.image)[away].mean() < 4


def test_a_bare_wall_needs_nothing_to_be_matched(tmp_path: Path) -> None:
    _, found = find(tmp_path, [np.full((240, 320, 3), 150, np.uint8)] * FRAMES)
    assert found.camera == "still"
    assert np.abs(found.plate.image.astype(int) - 150)[found.plate.known].mean() < 4
