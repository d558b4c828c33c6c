"""Files of poses, as OpenPose and those after it write them: each is read right, or refused in a sentence."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from everybody_dance.errors import DanceError
from everybody_dance.keypoints import Keypoints
from everybody_dance.pose.detection import source_identity
from everybody_dance.pose.openpose_files import content_of_files, read_people
from everybody_dance.pose.openpose_layouts import LAYOUTS, NOWHERE
from everybody_dance.pose.options import LARGEST
from everybody_dance.skeleton import BODY, FACE, JOINT_COUNT, LEFT_HAND, MIDPOINTS, RIGHT_HAND, Joint
from subjects import swaying

SIZE, FPS, FRAMES = (128, 128), Fraction(25), 4
TRUE = swaying(FRAMES, SIZE)
MIDDLES = [int(joint) for joint in MIDPOINTS]


def rows(frame: int, layout: str, score: float = 0.9) -> list[list[float]]:
    """The person in a frame as x, y, score for each joint; in files' pixels, from the first one's centre."""
    places = [[0.0, 0.0] if joint == NOWHERE else TRUE.xy[frame, joint] - 0.5 for joint in LAYOUTS[layout].order]
    return [[float(x), float(y), score] for x, y in places]


def flat(joints: list[list[float]]) -> list[float]:
    return [value for joint in joints for value in joint]


def scaled(joints: list[list[float]], x: float, y: float, offset: float = 0.0) -> list[list[float]]:
    return [[(joint[0] + offset) * x, (joint[1] + offset) * y, joint[2]] for joint in joints]


def part(frame: int, where: slice) -> list[float]:
    return flat([[float(x) - 0.5, float(y) - 0.5, 0.9] for x, y in TRUE.xy[frame, where]])


def openpose(frame: int, layout: str = "25") -> dict[str, Any]:
    return {"people": [{"pose_keypoints_2d": flat(rows(frame, layout))}]}


def dwpose(frame: int, width: int, height: int, *, shares: bool) -> dict[str, Any]:
    """As controlnet_aux and the web editors write a frame."""
    x, y = (1 / SIZE[0], 1 / SIZE[1]) if shares else (width / SIZE[0], height / SIZE[1])
    body = [*scaled(rows(frame, "18", 1.0), x, y, 0.5)]
    if not shares:
        body = [[place[0] - 0.5, place[1] - 0.5, place[2]] for place in body]
    person = {
        "pose_keypoints_2d": flat(body),
        "face_keypoints_2d": None,
        "hand_left_keypoints_2d": None,
        "hand_right_keypoints_2d": None,
    }
    return {"people": [person], "animals": [], "canvas_height": height, "canvas_width": width}


def mmpose(frame: int, layout: str = "17") -> list[dict[str, Any]]:
    joints = rows(frame, layout)
    return [
        {
            "keypoints": [joint[:2] for joint in joints],
            "keypoint_scores": [joint[2] + 0.3 for joint in joints],  # they may exceed 1
            "bbox": [[0.0, 0.0, 9.0, 9.0]],
            "bbox_score": 0.9,
        }
    ]


def alphapose(frames: list[int], layout: str = "17", first: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "image_id": f"{frame + first}.jpg",
            "category_id": 1,
            "keypoints": flat(rows(frame, layout)),
            "score": 2.9,
            "box": [0, 0, 9, 9],
        }
        for frame in frames
    ]


@dataclass(frozen=True)
class Written:
    """What a program writes.

    Attributes:
        content: of one file with all frames.
        layout: of the bodies.
    """

    content: Any
    layout: str


every = range(FRAMES)
ONE_FILE: dict[str, Written] = {
    "DWPose, shares": Written([dwpose(frame, 512, 512, shares=True) for frame in every], "18"),
    "DWPose, shares of the video": Written([dwpose(frame, 128, 128, shares=True) for frame in every], "18"),
    "DWPose, a canvas of another size": Written([dwpose(frame, 512, 512, shares=False) for frame in every], "18"),
    "frames under a common canvas": Written(
        {
            "canvas_width": 256,
            "canvas_height": 256,
            "frames": [{"people": dwpose(f, 256, 256, shares=False)["people"]} for f in every],
        },
        "18",
    ),
    "OpenPose, a list of triples": Written(
        [{"people": [{"pose_keypoints_2d": rows(frame, "25")}]} for frame in every], "25"
    ),
    "OpenPose with COCO's bodies": Written([openpose(frame, "17") for frame in every], "17"),
    "OpenPose with Halpe's bodies": Written([openpose(frame, "26") for frame in every], "26"),
    "OpenPose with COCO-WholeBody": Written([openpose(frame, "133") for frame in every], "133"),
    "MMPose's inferencer": Written([{"frame_id": f, "instances": mmpose(f)} for f in every], "17"),
    "MMPose's inferencer, whole body": Written([{"frame_id": f, "instances": mmpose(f, "133")} for f in every], "133"),
    "MMPose's inferencer, body and feet": Written(
        [{"frame_id": f, "instances": mmpose(f, "23-coco")} for f in every], "23-coco"
    ),
    "MMPose's demo": Written(
        {
            "meta_info": {"dataset_name": "coco", "keypoint_id2name": {"0": "nose", "1": "left_eye"}},
            "instance_info": [{"frame_id": f + 1, "instances": mmpose(f)} for f in every],
        },
        "17",
    ),
    "AlphaPose": Written(alphapose(list(every)), "17"),
    "AlphaPose, Halpe's 136": Written(alphapose(list(every), "136"), "136"),
    "AlphaPose, pictures named from 17": Written(alphapose(list(every), first=17), "17"),
    "AlphaPose as CMU's": Written({f"{f}.jpg": {"bodies": [{"joints": flat(rows(f, "18"))}]} for f in every}, "18"),
    "AlphaPose as OpenPose's": Written({f"{f}.jpg": openpose(f, "18") for f in every}, "18"),
}


def write(path: Path, content: Any) -> str:
    path.write_text(json.dumps(content))
    return str(path)


def read(place: str, size: tuple[int, int] = SIZE) -> Keypoints:
    return read_people(place).follow(LARGEST, list(every), size, FPS, "a.mp4")[0]


@pytest.mark.parametrize("name", ONE_FILE)
def test_each_joint_is_found_where_it_was(tmp_path: Path, name: str) -> None:
    written = ONE_FILE[name]
    place = write(tmp_path / "poses.json", written.content)
    found = read(place)
    told = np.zeros(JOINT_COUNT, bool)
    told[[joint for joint in LAYOUTS[written.layout].order if joint != NOWHERE]] = True
    told[MIDDLES] = True
    assert np.array_equal(found.found, np.broadcast_to(told, found.found.shape))
    # The middles of shoulders and hips are not quite where the neck and the hips' middle are.
    tolerance = np.where(np.isin(np.arange(JOINT_COUNT), MIDDLES), 3.0, 0.01)[:, None]
    assert (np.abs(found.xy - TRUE.xy) <= tolerance)[:, told].all()
    assert np.array_equal(read_people(place).supplied, told)


@pytest.mark.parametrize("name", ["DWPose, shares", "MMPose's inferencer", "AlphaPose"])
def test_a_folder_with_one_file_is_that_file(tmp_path: Path, name: str) -> None:
    write(tmp_path / "results.json", ONE_FILE[name].content)
    assert np.array_equal(read(str(tmp_path)).xy, read(str(tmp_path / "results.json")).xy)


def test_mmpose_of_a_folder_of_pictures(tmp_path: Path) -> None:
    for frame in every:
        write(tmp_path / f"{frame:06d}.json", mmpose(frame, "26") if frame != 2 else [])
    assert read(str(tmp_path)).person_seen.tolist() == [True, True, False, True]


def test_parts_that_were_not_found_are_null(tmp_path: Path) -> None:
    person = {
        "pose_keypoints_2d": flat(rows(0, "18")),
        "face_keypoints_2d": part(0, slice(FACE.start, FACE.start + 68)),
        "hand_left_keypoints_2d": part(0, LEFT_HAND),
        "hand_right_keypoints_2d": None,
    }
    nobody = {"people": [None]}
    found = read(write(tmp_path / "poses.json", [{"people": [person, None]}, {"people": None}, nobody, None]))
    assert found.person_seen.tolist() == [True, False, False, False]
    assert found.found[0, LEFT_HAND].all()
    assert found.found[0, FACE].sum() == 68
    assert not found.found[0, RIGHT_HAND].any()


def test_joints_may_be_null_and_lie_beyond_the_edge(tmp_path: Path) -> None:
    joints: list[Any] = [*rows(0, "25")]
    joints[Joint.RIGHT_HEEL] = None
    joints[Joint.LEFT_HEEL] = [0.0, 0.0, 1.0]  # as some write what they did not find
    joints[Joint.LEFT_BIG_TOE] = [5.0, 900.0, 1.0]
    joints[Joint.NOSE] = [1e30, 1e300, 1.0]
    found = read(write(tmp_path / "poses.json", [{"people": [{"pose_keypoints_2d": joints}]}] * FRAMES)).found[0, BODY]
    assert np.flatnonzero(~found).tolist() == [Joint.NOSE, Joint.LEFT_BIG_TOE, Joint.LEFT_HEEL, Joint.RIGHT_HEEL]


def test_guesses_of_what_places_every_joint_are_left_out(tmp_path: Path) -> None:
    frames = [{"instances": mmpose(frame)} for frame in every]
    for frame in frames:
        frame["instances"][0]["keypoint_scores"][13] = 0.2  # the left knee, behind the other
    found = read(write(tmp_path / "poses.json", frames))
    assert not found.found[:, Joint.LEFT_KNEE].any()
    assert (found.confidence[:, Joint.RIGHT_KNEE] == 1).all()


class TestFramesThatAreLeftOut:
    def test_nobody_is_in_them(self, tmp_path: Path) -> None:
        found = read(write(tmp_path / "poses.json", alphapose([1, 3])))
        assert found.person_seen.tolist() == [False, True, False, True]

    def test_those_that_are_counted_from_1(self, tmp_path: Path) -> None:
        found = read(write(tmp_path / "poses.json", alphapose([0, 1, 3], first=1)))
        assert found.person_seen.tolist() == [True, True, False, True]

    def test_of_a_longer_video(self, tmp_path: Path) -> None:
        with pytest.raises(DanceError, match="from 0 to 40"):
            read(write(tmp_path / "poses.json", alphapose([0]) + alphapose([0], first=40)))


def _spoilt(change: Callable[[dict[str, Any]], None]) -> list[dict[str, Any]]:
    frames = [{"frame_id": frame, "instances": mmpose(frame)} for frame in every]
    for frame in frames:
        change(frame["instances"][0])
    return frames


REFUSED: dict[str, tuple[Any, str]] = {
    "animals": ([{"version": "ap10k", "animals": [], "canvas_height": 9, "canvas_width": 9}], "not an OpenPose file"),
    "another shape": ([dwpose(0, 512, 288, shares=True)] * FRAMES, "512x288"),
    "no size": ([dwpose(0, 0, 0, shares=True)] * FRAMES, "canvas without size"),
    "too few frames": ([openpose(0)] * 3, "for 3"),
    "a larger video": (
        [{"people": [{"pose_keypoints_2d": flat(scaled(rows(f, "25"), 5, 5))}]} for f in every],
        "larger picture",
    ),
    "another skeleton": (
        {"meta_info": {"keypoint_id2name": {"0": "root"}}, "instance_info": _spoilt(lambda person: None)},
        "'root'",
    ),
    "in space": (_spoilt(lambda person: person.update(keypoints=[[1, 2, 3]] * 17)), "two numbers"),
    "no scores": (_spoilt(lambda person: person.pop("keypoint_scores") and None), "three numbers"),
    "too few scores": (_spoilt(lambda person: person.update(keypoint_scores=[1.0])), "not an OpenPose file"),
    "20 joints": ([{"people": [{"pose_keypoints_2d": [1.0] * 60}]}], "bodies of 20 joints"),
    "hands of 20": ([{"people": [{"hand_left_keypoints_2d": [1.0] * 60}]}], "a hand left of 20 joints"),
    "words": (["left", "right"], "not an OpenPose file"),
    "a number": (7, "not an OpenPose file"),
    "no people": ({"people": 7}, "not an OpenPose file"),
    "words for places": ([{"people": [{"pose_keypoints_2d": "left"}]}], "not an OpenPose file"),
    "too large": ([{"people": [{"pose_keypoints_2d": [10**400] * 75}]}], "not an OpenPose file"),
    "a picture without number": ([{"image_id": "a.jpg", "keypoints": []}], "not an OpenPose file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_told_for_sure_is_refused(tmp_path: Path, name: str) -> None:
    content, why = REFUSED[name]
    place = write(tmp_path / "poses.json", content)
    with pytest.raises(DanceError, match=why) as caught:
        read(place)
    assert caught.value.code == "bad-poses"
    assert place in caught.value.message
    assert "\n" not in caught.value.message


def test_lists_in_lists_in_lists(tmp_path: Path) -> None:
    (tmp_path / "poses.json").write_text("[" * 100_000)
    with pytest.raises(DanceError, match="not an OpenPose file"):
        read(str(tmp_path / "poses.json"))


def test_several_files_of_several_frames(tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path / f"{name}.json", [openpose(0), openpose(1)])
    with pytest.raises(DanceError, match="holds 2 frames"):
        read_people(str(tmp_path))


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "poses.json", alphapose([0]))
    place = f"openpose:{tmp_path / 'a' / 'poses.json'}"
    known = source_identity(place)
    assert source_identity(f"openpose:{tmp_path}/./b/poses.json") == known
    assert content_of_files(str(tmp_path / "a")) == content_of_files(str(tmp_path / "b"))
    assert source_identity(f"{place}?body=23-coco") != known
    (tmp_path / "a" / "poses.json").rename(tmp_path / "a" / "dance.json")
    assert source_identity(f"openpose:{tmp_path}/a/dance.json") == known
    write(tmp_path / "a" / "poses.json", alphapose([1]))
    assert source_identity(place) != known


class TestDamagedYaml:
    """OpenCV's own reader raised a ``SystemError`` for some."""

    def write(self, folder: Path, old: str, new: str) -> str:
        data = ", ".join(["1.0", ".Nan", "0.5"] * 25)
        whole = f"%YAML:1.0\n---\na: !!opencv-nd-matrix\n   sizes: [ 1, 25, 3 ]\n   dt: f\n   data: [ {data} ]\n"
        (folder / "a_0_pose.yml").write_text(whole.replace(old, new))
        return str(folder)

    @pytest.mark.parametrize(
        ("old", "new"), [("%YAML:1.0", "%YAML:"), ("a: !!opencv-nd-matrix", "\xff: ["), ("dt: f", "")]
    )
    def test_what_does_not_matter(self, tmp_path: Path, old: str, new: str) -> None:
        ((person,),) = read_people(self.write(tmp_path, old, new)).frames
        assert not person.pose.found.any()  # .Nan is not found

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("sizes: [ 1, 25, 3 ]", ""),
            ("sizes: [ 1,", "sizes: [ 7,"),
            ("sizes: [ 1,", "sizes: [ 3,"),
            ("data: [", "data: [ x"),
            ("1.0", "1.0.0"),
            ("]", ""),
        ],
    )
    def test_what_cannot_be_read(self, tmp_path: Path, old: str, new: str) -> None:
        with pytest.raises(DanceError) as caught:
            read_people(self.write(tmp_path, old, new))
        assert caught.value.code == "bad-poses"
        assert "a_0_pose.yml" in caught.value.message
