"""Files of poses as JSON, in all the shapes in which OpenPose and those after it write them.

However a file is built, it holds frames, they hold people, and each of these has rows of (x, y, confidence).
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from everybody_dance.errors import DanceError

JOINTS = "joints"
"""The part of people who are written as one list, body first, as COCO, MMPose and AlphaPose do."""

_BODIES = ("people", "bodies", "instances")
_FRAMES = ("frames", "instance_info")
_NAMES = {"pose": ("pose_keypoints_2d", "pose_keypoints", "joints")} | {
    part: (f"{part}_keypoints_2d", f"{part}_keypoints") for part in ("face", "hand_left", "hand_right")
}

RawPerson = dict[str, NDArray[np.float32]]
"""A person's joints, (N, 3) of x, y and confidence, by part: ``pose``, ``face``, ``hand_left``, ``hand_right`` or
``JOINTS``. What is no number is NaN."""


@dataclass(frozen=True)
class RawFrame:
    """The people in a frame, as a file tells.

    Attributes:
        people: in the file's order.
        file: where they stand, for messages.
        canvas: (W, H) of the picture in which they were found, where the file tells.
        number: of the frame, where those without people are left out.
    """

    people: list[RawPerson]
    file: Path
    canvas: tuple[float, float] | None = None
    number: int | None = None


def read_json(path: Path) -> list[RawFrame]:
    """The frames in a file: one, or those of a whole video.

    Raises:
        DanceError: it cannot be read (``bad-poses``).
    """
    try:
        return _frames(json.loads(path.read_bytes()), path)
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError, OSError) as error:
        raise unreadable(path) from error


def unreadable(path: Path, why: str = "is not an OpenPose file") -> DanceError:
    """The error for a file that cannot be used."""
    return DanceError("bad-poses", f"{path} {why}.")


def _frames(content: Any, file: Path) -> list[RawFrame]:
    match content:
        case list() if content and all(_is_person(entry) for entry in content):
            if all("image_id" in person for person in content):
                return _by_image(content, file)
            return [_frame({"people": content}, file)]
        case list():
            return [_frame(entry, file) for entry in content] or [RawFrame([], file)]
        case dict() if any(name in content for name in _BODIES):
            return [_frame(content, file)]
        case dict() if any(name in content for name in _FRAMES):
            _check_order(content, file)
            frames = _first(content, _FRAMES)
            canvas = {name: content[name] for name in ("canvas_width", "canvas_height") if name in content}
            return _frames([canvas | entry if canvas else entry for entry in frames], file)
        case dict() if content and all(isinstance(entry, dict) for entry in content.values()):
            return [_frame(entry, file, _number(image)) for image, entry in content.items()]
    raise unreadable(file)


def _first(entry: Mapping[str, Any], names: Iterable[str]) -> Any:
    """What stands under the first of the names that is there."""
    return entry[next((name for name in names if name in entry), "people")]


def _is_person(entry: Any) -> bool:
    return isinstance(entry, dict) and "keypoints" in entry


def _by_image(people: Iterable[Mapping[str, Any]], file: Path) -> list[RawFrame]:
    """AlphaPose's list of the people in all pictures."""
    frames: dict[int, list[RawPerson]] = {}
    for person in people:
        frames.setdefault(_number(person["image_id"]), []).append(_person(person, file))
    return [RawFrame(frames[number], file, number=number) for number in sorted(frames)]


def _number(image: Any) -> int:
    """The last number in a picture's name, or the number that it is known by."""
    return int(re.findall(r"\d+", PurePath(str(image)).stem)[-1])


def _check_order(content: Mapping[str, Any], file: Path) -> None:
    """Refuse bodies of another skeleton, where MMPose says so: their number of joints may be the same."""
    names = (content.get("meta_info") or {}).get("keypoint_id2name") or {}
    first = names.get("0", "nose")
    if first != "nose":
        raise unreadable(file, f"has bodies whose first joint is {first!r}, not the nose, which is not known")


def _frame(entry: Any, file: Path, number: int | None = None) -> RawFrame:
    if entry is None:
        return RawFrame([], file, number=number)
    people = _first(entry, _BODIES) or []
    if not isinstance(people, list):
        raise unreadable(file)
    width, height = entry.get("canvas_width"), entry.get("canvas_height")
    canvas = None if width is None or height is None else (float(width), float(height))
    if canvas is not None and not all(np.isfinite(side) and side >= 1 for side in canvas):
        raise unreadable(file, "has a canvas without size")
    return RawFrame([_person(person, file) for person in people if person is not None], file, canvas, number)


def _person(person: Mapping[str, Any], file: Path) -> RawPerson:
    if "keypoints" in person:
        return {JOINTS: _rows(person["keypoints"], person.get("keypoint_scores"), file)}
    return {
        part: _rows(next((person[name] for name in names if person.get(name)), []), None, file)
        for part, names in _NAMES.items()
    }


def _rows(values: Any, scores: Any, file: Path) -> NDArray[np.float32]:
    """(N, 3) of x, y and confidence."""
    with np.errstate(over="ignore"):
        array = np.array(_whole(values or []), np.float32)
        if scores is not None:
            if array.ndim != 2 or array.shape[1] != 2:
                raise unreadable(file, "does not have two numbers (x, y) for each joint beside its score")
            array = np.column_stack([array, np.array(scores, np.float32)])
    if array.ndim == 2 and array.shape[1] == 3:
        return array
    if array.ndim != 1 or array.size % 3:
        raise unreadable(file, "does not have three numbers (x, y, confidence) for each joint")
    return array.reshape(-1, 3)


def _whole(values: list[Any]) -> list[Any]:
    """Lists of joints in which those that were not found may be null."""
    lengths = {len(row) for row in values if isinstance(row, list)}
    return [[np.nan] * max(lengths) if row is None else row for row in values] if lengths else values
