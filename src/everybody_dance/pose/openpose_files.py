"""OpenPose's own output: JSON, and the older OpenCV YAML; bodies of 18, 23 (two orders) or 25 joints."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.files import check_name
from everybody_dance.keypoints import Keypoints, Pose
from everybody_dance.pose.everybody import Everybody
from everybody_dance.pose.people import Person
from everybody_dance.pose.tracks import follow_everybody
from everybody_dance.skeleton import BODY, FACE, JOINT_COUNT, LEFT_HAND, MIDPOINTS, RIGHT_HAND

# Where each joint of a body goes in BODY_25.
_COCO_18 = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)
# The order of the authors' files: neck, right arm, left arm, lower abdomen, right leg, left leg, head.
_OLDER_23 = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 22, 23, 12, 13, 14, 19, 20, 0, 15, 17, 16, 18)
# The later one: nose first, heels, neither neck nor middle of the hips.
_LATER_23 = (0, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24)
_BODY_25 = tuple(range(25))
LATER_23 = "23-later"
ORDERS: dict[str, tuple[int, ...]] = {"18": _COCO_18, "23": _OLDER_23, LATER_23: _LATER_23, "25": _BODY_25}

_PARTS = {"pose": BODY, "face": FACE, "hand_left": LEFT_HAND, "hand_right": RIGHT_HAND}


IN_SHARES = 2.0
"""Where no joint in any frame has a coordinate beyond this, in pixels, they are no pixels: half a pixel is added, and
shares of the picture go a little beyond 1."""


@dataclass(frozen=True)
class People:
    """The people in every file of a folder.

    Attributes:
        frames: for each file, in order, the people in it.
        name: of the detector, for manifests.
        supplied: bool (137,), joints that these files can hold.
    """

    frames: list[list[Person]]
    name: str
    supplied: NDArray[np.bool_]

    def follow(
        self, person: str, source_indices: Sequence[int], size: tuple[int, int], fps: Fraction, video: str
    ) -> Keypoints:
        """Follow one person, at the rate of a reader.

        Args:
            person: which of several, as in ``detect_video``.
            source_indices: for each frame wanted, the number of the decoded frame.
            size: (W, H) of the decoded frames.
            fps: of the frames wanted.
            video: its name, for messages.

        Raises:
            DanceError: there is not one file for each decoded frame (``bad-poses``).
            UsageError: there is no such person (``no-such-person``).
        """
        decoded = max(source_indices, default=-1) + 1
        if decoded != len(self.frames):
            raise DanceError(
                "bad-poses",
                f"The video has {decoded} frames, but there are OpenPose files for {len(self.frames)}. "
                "There must be one for each frame, in order.",
            )
        rate = float(fps) * decoded / max(len(source_indices), 1)
        tracks = tuple(follow_everybody(self.frames, rate))
        who = Everybody(tracks, size, 1, rate).choose(person, video)
        xy, confidence = np.zeros((decoded, JOINT_COUNT, 2), np.float32), np.zeros((decoded, JOINT_COUNT), np.float32)
        for track in tracks[who : who + 1]:  # none where nobody is ever seen
            for frame, place in zip(track.frames, track.places, strict=True):
                pose = self.frames[frame][place].pose
                xy[frame], confidence[frame] = pose.xy, pose.confidence
        outside = ((xy < 0) | (xy >= np.array(size))).any(axis=-1)
        confidence = np.where(outside, 0, confidence)
        index = np.array(source_indices, int)
        return Keypoints(xy[index], confidence[index], size, fps)


def split_place(place: str) -> tuple[Path, str]:
    """The folder and the order of bodies of 23 joints in ``FOLDER?body=ORDER``; no order where none is named.

    Raises:
        UsageError: the order is not known (``unknown-body``).
        DanceError: there is no such folder (``file-not-found``).
    """
    folder, _, option = place.partition("?body=")
    if option and option not in ORDERS:
        raise UsageError("unknown-body", f"body={option} is not known; it is one of {', '.join(ORDERS)}.")
    path = Path(folder)
    check_name(path)
    if not path.is_dir():
        raise DanceError("file-not-found", f"There is no folder {folder}.")
    return path, option


def content_of_folder(place: str) -> str:
    """SHA-256 over the files that ``read_folder`` reads, in order, and the order of joints that is assumed.

    Raises:
        DanceError, UsageError: as ``read_folder``.
    """
    folder, option = split_place(place)
    # Every other order is the one that follows from the number of joints, or is refused when the files are read.
    whole = hashlib.sha256(option.encode() if option == LATER_23 else b"")
    for file in _files(folder):
        for path in (file, *sorted(folder.glob(file.name.replace("_pose.yml", "_*.yml")))):
            whole.update(path.name.encode("utf-8", "surrogateescape") + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()


def read_folder(place: str) -> People:
    """Read all of OpenPose's files in a folder.

    Args:
        place: the folder; ``FOLDER?body=23-later`` for bodies of 23 joints in the later order.

    Raises:
        DanceError: there is no such folder (``file-not-found``), or its files cannot be read (``bad-poses``).
        UsageError: the order is not known (``unknown-body``).
    """
    path, option = split_place(place)
    files = _files(path)
    frames, supplied = [], np.zeros(JOINT_COUNT, bool)
    for file in files:
        people = _read_json(file) if file.suffix == ".json" else _read_yaml(file)
        frames.append([_person(parts, option, file, supplied) for parts in people])
    found = [person.pose.xy[person.pose.found] for people in frames for person in people]
    farthest = max((float(places.max()) for places in found if len(places)), default=np.inf)
    if farthest <= IN_SHARES:
        raise DanceError(
            "bad-poses",
            f"The OpenPose files in {path} tell places in shares of the picture, not in pixels. Write them with"
            " --keypoint_scale 0.",
        )
    return People(frames, f"openpose/{option or 'auto'}", supplied)


def _files(folder: Path) -> list[Path]:
    """The files of a folder in the order of their frames."""
    files = sorted(folder.glob("*_keypoints.json"), key=_number) or sorted(folder.glob("*_pose.yml"), key=_number)
    if not files:
        raise DanceError("bad-poses", f"{folder} holds no OpenPose files (*_keypoints.json or *_pose.yml).")
    return files


def _number(path: Path) -> tuple[int, str]:
    digits = re.findall(r"\d+", path.stem)
    return (int(digits[-1]) if digits else 0, path.name)


def _read_json(path: Path) -> list[dict[str, NDArray[np.float32]]]:
    try:
        people = json.loads(path.read_text())["people"]
        return [
            {
                part: np.array(person.get(f"{part}_keypoints_2d") or person.get(f"{part}_keypoints") or [], np.float32)
                for part in _PARTS
            }
            for person in people
        ]
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise DanceError("bad-poses", f"{path} is not an OpenPose file.") from error


def _read_yaml(path: Path) -> list[dict[str, NDArray[np.float32]]]:
    arrays: dict[str, NDArray[np.float32]] = {}
    for part in _PARTS:
        file = path.with_name(path.name.replace("_pose.yml", f"_{part}.yml"))
        if file.is_file():
            arrays[part] = _yaml_array(file)
    count = max((len(array) for array in arrays.values()), default=0)
    return [
        {part: array[index].ravel() for part, array in arrays.items() if index < len(array)} for index in range(count)
    ]


def _yaml_array(path: Path) -> NDArray[np.float32]:
    """(people, joints, 3). OpenCV's own reader flattens arrays of three dimensions, so sizes are read as text."""
    text = path.read_text(errors="replace")
    sizes = re.search(r"sizes:\s*\[([^\]]*)\]", text)
    data = re.search(r"data:\s*\[([^\]]*)\]", text)
    try:
        if sizes is None or data is None:
            storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
            matrix = storage.getFirstTopLevelNode().mat()
            return np.zeros((0, 0, 3), np.float32) if matrix is None else np.asarray(matrix, np.float32)
        shape = [int(side) for side in sizes[1].split(",")]
        return np.array([float(value) for value in data[1].split(",")], np.float32).reshape(shape)
    except (ValueError, cv2.error) as error:
        raise DanceError("bad-poses", f"{path} is not an OpenPose file.") from error


def _person(parts: dict[str, NDArray[np.float32]], option: str, path: Path, supplied: NDArray[np.bool_]) -> Person:
    """One person's joints; ``supplied`` learns which there can be."""
    xy, confidence = np.zeros((JOINT_COUNT, 2), np.float32), np.zeros(JOINT_COUNT, np.float32)
    for part, flat in parts.items():
        if flat.size == 0:
            continue
        if flat.size % 3:
            raise DanceError("bad-poses", f"{path} does not have three numbers (x, y, confidence) for each joint.")
        triples = flat.reshape(-1, 3)
        triples[~np.isfinite(triples).all(axis=1)] = 0  # not found
        place = np.arange(JOINT_COUNT)[_PARTS[part]]
        if part == "pose":
            order = ORDERS.get(option or str(len(triples)))
            if order is None or len(order) != len(triples):
                raise DanceError("bad-poses", f"{path} has bodies of {len(triples)} joints, which is not known.")
            place = place[list(order)]
        elif len(triples) != len(place):
            raise DanceError("bad-poses", f"{path} has {len(triples)} joints where there should be {len(place)}.")
        xy[place], confidence[place] = triples[:, :2] + 0.5, np.clip(triples[:, 2], 0, 1)
        supplied[place] = True
    for middle, (one, other) in MIDPOINTS.items():
        if not supplied[middle] and confidence[one] > 0 and confidence[other] > 0:
            xy[middle], confidence[middle] = (xy[one] + xy[other]) / 2, min(confidence[one], confidence[other])
    return Person(Pose(xy, confidence))
