"""From detectors' output to 137 joints."""

import json
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.keypoints import CONFIDENT, Keypoints
from everybody_dance.pose import detection, openpose_files, who_is_there
from everybody_dance.pose.cache import Entry
from everybody_dance.pose.cuts import CutFinder
from everybody_dance.pose.detection import detect_video, source_identity
from everybody_dance.pose.detection_report import report
from everybody_dance.pose.detectors import DETECTORS
from everybody_dance.pose.mediapipe_holistic import FACE_LANDMARKS, NAME, SUPPLIED, joints
from everybody_dance.pose.options import LARGEST
from everybody_dance.pose.people import jumps
from everybody_dance.skeleton import BODY, FACE, JOINT_COUNT, LEFT_HAND, RIGHT_HAND, Joint
from everybody_dance.video.identity import content_identity
from figures import clip, standing
from subjects import wall
from worlds import write_openpose, write_video

SIZE = (200, 100)
FPS = Fraction(25)


def body(facing: bool = True) -> np.ndarray:
    """33 landmarks of somebody in the middle, facing the camera or turned from it."""
    points = np.full((33, 4), [0.5, 0.5, 0.0, 0.9], np.float32)
    side = 0.1 if facing else -0.1
    points[11, 0], points[12, 0] = 0.5 + side, 0.5 - side  # left shoulder on the picture's right
    points[23, 0], points[24, 0] = 0.5 + side / 2, 0.5 - side / 2
    points[0, 2] = -0.2 if facing else 0.2
    points[15], points[16] = [0.7, 0.6, 0, 0.9], [0.3, 0.6, 0, 0.9]
    points[27:33, 1] = 0.9
    points[0:11, 1] = 0.1
    return points


class TestMediaPipe:
    def test_pixels_midpoints_and_sides(self) -> None:
        pose = joints(body(), None, None, None, SIZE)
        xy, confidence = pose.xy, pose.confidence
        assert np.allclose(xy[Joint.LEFT_SHOULDER], (120, 50))
        assert np.allclose(xy[Joint.RIGHT_SHOULDER], (80, 50))
        assert np.allclose(xy[Joint.NECK], (100, 50))
        assert np.allclose(xy[Joint.MID_HIP], (100, 50))
        assert confidence[Joint.NECK] == np.float32(0.9)
        assert not confidence[[Joint.LEFT_SMALL_TOE, Joint.RIGHT_SMALL_TOE]].any()
        assert not SUPPLIED[[Joint.LEFT_SMALL_TOE, Joint.RIGHT_SMALL_TOE]].any()

    def test_nobody(self) -> None:
        assert not joints(None, None, None, None, SIZE).confidence.any()

    def test_hardly_visible_is_not_found(self) -> None:
        landmarks = body()
        landmarks[25, 3] = 0.04
        assert joints(landmarks, None, None, None, SIZE).confidence[Joint.LEFT_KNEE] == 0

    def test_outside_the_picture_is_a_guess(self) -> None:
        """However little is seen of it: nothing can be."""
        landmarks = body()
        landmarks[28, 1] = 1.01
        landmarks[27, 0], landmarks[27, 3] = -0.01, 0.0
        pose = joints(landmarks, None, None, None, SIZE)
        for joint in (Joint.RIGHT_ANKLE, Joint.LEFT_ANKLE):
            assert 0 < pose.confidence[joint] < CONFIDENT
        assert pose.xy[Joint.RIGHT_ANKLE, 1] > SIZE[1]
        assert pose.inside(SIZE).found.sum() == pose.found.sum() - 2

    @pytest.mark.parametrize(("hips", "legs"), [(0.95, True), (1.15, True), (1.4, False)])
    def test_legs_are_guessed_from_the_waist_up_and_not_from_the_chest_up(self, hips: float, legs: bool) -> None:
        """The shoulders at .8 of the picture's height, the hips at ``hips`` of it, all else below."""
        landmarks = body()
        landmarks[:, 1] = 1.5
        landmarks[[11, 12], :2] = (0.6, 0.8), (0.4, 0.8)
        landmarks[[23, 24], :2] = (0.55, hips), (0.45, hips)
        found = joints(landmarks, None, None, None, (100, 100)).found
        assert found[Joint.MID_HIP]
        assert found[[Joint.LEFT_KNEE, Joint.RIGHT_ANKLE, Joint.LEFT_HEEL]].all() == legs

    def test_a_face_that_looks_away_is_not_there(self) -> None:
        face = np.full((478, 3), 0.5, np.float32)
        assert joints(body(), face, None, None, SIZE).confidence[FACE].all()
        confidence = joints(body(facing=False), face, None, None, SIZE).confidence
        assert not confidence[FACE].any()
        assert not confidence[[Joint.NOSE, Joint.LEFT_EYE, Joint.RIGHT_EYE]].any()
        assert confidence[Joint.LEFT_EAR] > 0

    @pytest.mark.parametrize(
        ("nose", "has_nose", "has_face"),
        [
            ((0.0, -0.1), True, True),  # to the camera
            ((0.1, 0.0), True, False),  # a profile: the mesh is a front view pressed onto it
            ((0.1, -0.02), True, True),
            ((-0.1, 0.15), True, False),  # past the profile, the nose still shows
            ((-0.1, 0.25), False, False),  # the back of a head
        ],
    )
    def test_how_far_a_head_is_turned(self, nose: tuple[float, float], has_nose: bool, has_face: bool) -> None:
        landmarks = body()
        landmarks[0, 0] += nose[0]
        landmarks[0, 2] = nose[1]
        confidence = joints(landmarks, np.full((478, 3), 0.5, np.float32), None, None, SIZE).confidence
        assert bool(confidence[Joint.NOSE]) == has_nose
        assert bool(confidence[FACE].all()) == has_face

    def test_each_face_point_is_its_own_landmark(self) -> None:
        assert len(FACE_LANDMARKS) == len(set(FACE_LANDMARKS)) == 70

    def test_a_hand_far_from_its_arm_is_another_hand(self) -> None:
        near, far = (np.full((21, 3), place, np.float32) for place in (0.6, 0.1))
        near[:, 0] = 0.7
        confidence = joints(body(), None, near, far, SIZE).confidence
        assert confidence[LEFT_HAND].all()
        assert not confidence[RIGHT_HAND].any()


def write_json(folder: Path, index: int, joints: int) -> None:
    flat = [value for joint in range(joints) for value in (joint + 1, joint + 2, 0.5)]
    people = [{"pose_keypoints_2d": flat, "face_keypoints_2d": [], "hand_left_keypoints_2d": [1, 2, 0.5] * 21}]
    (folder / f"clip_{index:012d}_keypoints.json").write_text(json.dumps({"people": people}))


class TestOpenPose:
    @pytest.mark.parametrize(
        ("count", "option", "joint", "number"),
        [
            (25, "", Joint.RIGHT_HEEL, 24),
            (18, "", Joint.RIGHT_HIP, 8),
            (18, "", Joint.LEFT_EAR, 17),
            (23, "", Joint.NECK, 0),
            (23, "", Joint.MID_HIP, 7),
            (23, "", Joint.NOSE, 18),
            (23, "?body=23-later", Joint.NOSE, 0),
            (23, "?body=23-later", Joint.RIGHT_HEEL, 22),
        ],
    )
    def test_orders(self, tmp_path: Path, count: int, option: str, joint: Joint, number: int) -> None:
        write_json(tmp_path, 0, count)
        people = openpose_files.read_people(f"{tmp_path}{option}")
        keypoints, _ = people.follow(LARGEST, [0], SIZE, FPS, "a.mp4")
        assert keypoints.xy[0, joint].tolist() == [number + 1.5, number + 2.5]
        assert people.supplied[joint]
        assert keypoints.confidence[0, LEFT_HAND].all()
        assert not people.supplied[FACE].any()

    def test_one_file_for_each_decoded_frame(self, tmp_path: Path) -> None:
        for index in range(3):
            write_json(tmp_path, index, 25)
        people = openpose_files.read_people(str(tmp_path))
        assert len(people.follow(LARGEST, [0, 0, 1, 2, 2], SIZE, FPS, "a.mp4")[0]) == 5
        with pytest.raises(DanceError, match="3") as caught:
            people.follow(LARGEST, [0, 1, 2, 3], SIZE, FPS, "a.mp4")
        assert caught.value.code == "bad-poses"

    def test_what_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(DanceError):
            openpose_files.read_people(str(tmp_path / "nowhere"))
        with pytest.raises(DanceError):
            openpose_files.read_people(str(tmp_path))
        with pytest.raises(UsageError):
            openpose_files.read_people(f"{tmp_path}?body=7")
        write_json(tmp_path, 0, 7)
        with pytest.raises(DanceError, match="7 joints"):
            openpose_files.read_people(str(tmp_path))
        (tmp_path / "clip_000000000000_keypoints.json").write_text("{")
        with pytest.raises(DanceError, match="not an OpenPose file"):
            openpose_files.read_people(str(tmp_path))

    def test_pairs_of_numbers_are_refused(self, tmp_path: Path) -> None:
        people = [{"pose_keypoints_2d": [1.0] * 17 * 2}]
        (tmp_path / "clip_0_keypoints.json").write_text(json.dumps({"people": people}))
        with pytest.raises(DanceError, match="three numbers") as caught:
            openpose_files.read_people(str(tmp_path))
        assert caught.value.code == "bad-poses"

    def test_shares_from_the_middle_are_refused(self, tmp_path: Path) -> None:
        for index in range(3):
            flat = [value for share in np.linspace(-1, 1, 25).tolist() for value in (share, 0.5, 0.9)]
            people = [{"pose_keypoints_2d": flat if index else [0.0] * 75}]
            (tmp_path / f"clip_{index}_keypoints.json").write_text(json.dumps({"people": people}))
        with pytest.raises(DanceError, match="keypoint_scale") as caught:
            openpose_files.read_people(str(tmp_path))
        assert caught.value.code == "bad-poses"

    def test_nobody_in_any_file(self, tmp_path: Path) -> None:
        (tmp_path / "clip_0_keypoints.json").write_text(json.dumps({"people": []}))
        assert not openpose_files.read_people(str(tmp_path)).frames[0]

    @pytest.mark.parametrize("missing", [None, float("nan")])
    def test_what_is_no_number_was_not_found(self, tmp_path: Path, missing: float | None) -> None:
        flat = [1.0, 2.0, 0.5] * 24 + [missing, 2.0, 0.5]
        (tmp_path / "clip_0_keypoints.json").write_text(json.dumps({"people": [{"pose_keypoints_2d": flat}]}))
        (pose,) = openpose_files.read_people(str(tmp_path)).frames[0]
        assert pose.pose.found[BODY].tolist() == [True] * 24 + [False]

    def test_yaml_of_two_and_of_three_dimensions(self, tmp_path: Path) -> None:
        numbers = ", ".join(f"{joint}., {joint + 1}., 0.5" for joint in range(25))
        head = "%YAML:1.0\n---\n"
        three = f"{head}a: !!opencv-nd-matrix\n   sizes: [ 1, 25, 3 ]\n   dt: f\n   data: [ {numbers} ]\n"
        empty = f"{head}a: !!opencv-matrix\n   rows: 0\n   cols: 0\n   dt: f\n   data: []\n"
        (tmp_path / "clip_0_pose.yml").write_text(three)
        (tmp_path / "clip_1_pose.yml").write_text(empty)
        frames = openpose_files.read_people(str(tmp_path)).frames
        assert [len(people) for people in frames] == [1, 0]
        assert frames[0][0].pose.xy[Joint.RIGHT_HEEL].tolist() == [24, 25]

    def test_the_authors_own_files(self, footage: Path) -> None:
        people = openpose_files.read_people(str(footage / "openpose"))
        keypoints, _ = people.follow(LARGEST, [0, 1, 2], (1920, 1080), FPS, "a.mp4")
        # Standing: the nose above the neck above the hips above the ankles.
        heights = keypoints.xy[0, [Joint.NOSE, Joint.NECK, Joint.MID_HIP, Joint.RIGHT_ANKLE], 1]
        assert (np.diff(heights) > 50).all()


class TestCuts:
    def see(self, pictures: list[np.ndarray], fps: float = 30) -> tuple[int, ...]:
        finder = CutFinder(fps)
        for picture in pictures:
            finder.see(picture)
        return finder.cuts()

    def test_a_change_of_scene_is_a_cut_and_a_flash_is_not(self) -> None:
        random = np.random.default_rng(0)
        one, other = (random.integers(0, 256, (12, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1) for _ in range(2))
        assert self.see([one] * 12 + [other] * 12) == (12,)
        assert self.see([one] * 12 + [np.full_like(one, 255)] + [one] * 12) == ()

    @pytest.mark.parametrize("fps", [24, 30, 60, 120])
    def test_a_flash_lasts_as_long_at_any_frame_rate(self, fps: int) -> None:
        random = np.random.default_rng(0)
        one, other = (random.integers(0, 256, (12, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1) for _ in range(2))
        flash = [np.full_like(one, 255)] * round(fps / 15)
        assert self.see([one] * 30 + flash + [one] * 30, fps) == ()
        assert self.see([one] * 30 + [other] * fps + [one] * 30, fps) == (30, 30 + fps)

    def test_a_caption_is_none(self) -> None:
        picture = np.full((96, 128, 3), 90, np.uint8)
        titled = picture.copy()
        titled[30:50] = 250
        assert self.see([picture] * 10 + [titled] * 10) == ()


def test_what_a_detection_lacks() -> None:
    confidence = np.ones((4, JOINT_COUNT), np.float32)
    confidence[3] = 0  # nobody
    confidence[:, [Joint.LEFT_SMALL_TOE, Joint.RIGHT_SMALL_TOE]] = 0  # never supplied
    confidence[0, [Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE]] = 0
    confidence[1, Joint.LEFT_WRIST] = 0
    confidence[:2, LEFT_HAND] = 0
    found = report(Keypoints(np.ones((4, JOINT_COUNT, 2), np.float32), confidence, SIZE, FPS), SUPPLIED)
    assert (found.frames, found.without_person) == (4, 1)
    assert found.missed == pytest.approx({"body": 1, "face": 0, "left hand": 14, "right hand": 0})
    assert found.feet_outside == pytest.approx(1 / 3)
    assert found.hands_outside == pytest.approx(1 / 3)


def test_a_person_who_is_suddenly_elsewhere() -> None:
    random = np.random.default_rng(0)
    shape = random.uniform(0, 40, (JOINT_COUNT, 2))
    x = np.array([0, 5, 10, 100, 105, 0, 5], np.float32)  # walks, is another, walks, is the first again
    xy = (shape + np.stack([x, np.zeros(7)], -1)[:, None]).astype(np.float32)
    keypoints = Keypoints(xy, np.ones((7, JOINT_COUNT), np.float32), SIZE, FPS)
    assert jumps(keypoints) == 2
    assert jumps(keypoints, cuts=[3]) == 1


class TestRemembered:
    """What is remembered is remembered by content and meaning."""

    def test_openpose_is_known_by_its_files(self, tmp_path: Path) -> None:
        keypoints = clip([standing(60, 100, 80)] * 3, SIZE)
        write_openpose(tmp_path / "a", keypoints)
        write_openpose(tmp_path / "b", keypoints)
        known = source_identity(f"openpose:{tmp_path / 'a'}")
        assert source_identity(f"openpose:{tmp_path}/./a") == known
        assert source_identity(f"openpose:{tmp_path / 'b'}") == known
        assert source_identity(f"openpose:{tmp_path / 'a'}?body=25") == known  # what their number of joints means
        assert source_identity(f"openpose:{tmp_path / 'a'}?body=23-later") != known
        changed = next((tmp_path / "b").glob("*.json"))
        changed.write_text(changed.read_text().replace("1.3", "1.2"))
        assert source_identity(f"openpose:{tmp_path / 'b'}") != known
        assert source_identity("mediapipe") == NAME
        with pytest.raises(UsageError):
            source_identity("alphapose")

    @pytest.mark.parametrize("damage", ["cut", "empty", "other", "no cuts"])
    def test_a_damaged_entry_is_made_anew(self, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
        video = write_video(tmp_path / "v.mp4", [wall()] * 4)
        kind = DETECTORS["mediapipe"]
        kept = Entry(content_identity(video), kind.name, Fraction(25))
        entry = kept.path
        keypoints = clip([standing(60, 100, 80)] * 4, (128, 128), Fraction(25))
        kept.keep(keypoints, (2,))
        monkeypatch.setattr(who_is_there, "several_people", lambda *_: False)
        asked: list[int] = []

        def detect(frames: Iterable[object], *_: object) -> tuple[np.ndarray, np.ndarray]:
            asked.append(len(list(frames)))
            return keypoints.xy, keypoints.confidence

        monkeypatch.setattr(detection, "_detect", detect)
        assert detect_video(video).cuts == (2,)
        assert not asked
        if damage == "cut":
            entry.write_bytes(entry.read_bytes()[:300])
        elif damage == "empty":
            entry.write_bytes(b"")
        elif damage == "other":
            np.savez(entry, xy=np.zeros(3))
        else:
            entry.with_suffix(".json").write_text("{}")
        assert len(detect_video(video).keypoints) == 4
        assert asked == [4]
        assert detect_video(video).cuts == ()
        assert asked == [4]
