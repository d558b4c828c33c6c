"""OpenPose's older output: a YAML file of OpenCV for each part of the people in a frame."""

import re
from pathlib import Path

import cv2
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
    """(people, joints, 3). OpenCV's own reader flattens arrays of three dimensions, so sizes are read as text."""
    try:
        text = path.read_text(errors="replace")
        sizes = re.search(r"sizes:\s*\[([^\]]*)\]", text)
        data = re.search(r"data:\s*\[([^\]]*)\]", text)
        if sizes is None or data is None:
            storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
            matrix = storage.getFirstTopLevelNode().mat()
            array = np.zeros(0, np.float32) if matrix is None else np.asarray(matrix, np.float32)
        else:
            shape = [int(side) for side in sizes[1].split(",")]
            array = np.array([float(value) for value in data[1].split(",")], np.float32).reshape(shape)
        return array.reshape(len(array), -1, 3) if array.size else np.zeros((0, 0, 3), np.float32)
    except (ValueError, OverflowError, OSError, cv2.error) as error:
        raise unreadable(path) from error
