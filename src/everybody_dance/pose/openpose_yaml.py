"""OpenPose's older output: a YAML file of OpenCV for each part of the people in a frame."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from everybody_dance.pose.openpose_json import RawFrame, RawPerson, unreadable
from everybody_dance.pose.openpose_layouts import PARTS


def read_yaml(path: Path) -> list[RawFrame]:
    """The one frame of ``*_pose.yml`` and of the files of the other parts beside it.

    Raises:
        DanceError: it cannot be read (``bad-poses``).
    """
    arrays = {"pose": _array(path)}
    for part in PARTS:
        file = path.with_name(path.name.replace("_pose.yml", f"_{part}.yml"))
        if file.is_file():
            arrays[part] = _array(file)
    count = max(len(array) for array in arrays.values())
    people: list[RawPerson] = [
        {part: array[index] for part, array in arrays.items() if index < len(array)} for index in range(count)
    ]
    return [RawFrame(people, path)]


def _array(path: Path) -> NDArray[np.float32]:
    """(people, joints, 3). Read as text: OpenCV's own reader flattens arrays of three dimensions."""
    try:
        text = path.read_text(errors="replace")
        people = re.search(r"(?:sizes:\s*\[|rows:)\s*(\d+)", text)
        data = re.search(r"data:\s*\[([^\]]*)\]", text)
        if people is None or data is None:
            raise unreadable(path)
        # OpenCV writes .Nan and .Inf.
        numbers = [float(re.sub(r"\.(?=[NI])", "", value)) for value in data[1].split(",") if value.strip()]
        if not numbers:
            return np.zeros((0, 0, 3), np.float32)
        return np.array(numbers, np.float32).reshape(int(people[1]), -1, 3)
    except (ValueError, OSError) as error:
        raise unreadable(path) from error
