"""The poses in OpenPose's files, and in those that other programs write like them."""

import hashlib
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.files import check_name
from everybody_dance.keypoints import Pose
from everybody_dance.pose.openpose_json import JOINTS, RawFrame, RawPerson, read_json, unreadable
from everybody_dance.pose.openpose_layouts import COCO_23, LATER_23, LAYOUTS, NOWHERE, PARTS
from everybody_dance.pose.openpose_people import People
from everybody_dance.pose.openpose_yaml import read_yaml
from everybody_dance.pose.people import Person
from everybody_dance.skeleton import JOINT_COUNT, MIDPOINTS

IN_SHARES = 2.0
"""Where no joint in any frame has a coordinate beyond this, they are no pixels but shares of the picture, which go a
little beyond 1 where a limb leaves it."""

LOWEST_SHARE = -0.25
"""A share below this is counted from the middle of the picture (-1 to 1)."""

FARTHEST = 1e6
"""A joint farther away than this, in pixels or shares, was not found."""


def split_place(place: str) -> tuple[Path, str]:
    """The folder or file and the order of joints in ``PLACE?body=ORDER``; no order where none is named.

    Raises:
        UsageError: the order is not known (``unknown-body``).
        DanceError: there is no such folder or file (``file-not-found``).
    """
    name, _, option = place.partition("?body=")
    if option and option not in LAYOUTS:
        raise UsageError("unknown-body", f"body={option} is not known; it is one of {', '.join(LAYOUTS)}.")
    path = Path(name)
    check_name(path)
    if not path.exists():
        raise DanceError("file-not-found", f"There is no folder or file {name}.")
    return path, option


def content_of_files(place: str) -> str:
    """SHA-256 over the files that ``read_people`` reads, in order, and the order of joints that is assumed.

    Raises:
        DanceError, UsageError: as ``read_people``.
    """
    where, option = split_place(place)
    # Every other order is the one that follows from the number of joints, or is refused when the files are read.
    whole = hashlib.sha256(option.encode() if option in (LATER_23, COCO_23) else b"")
    files = _files(where)
    for file in files:
        for path in (file, *sorted(file.parent.glob(file.name.replace("_pose.yml", "_*.yml")))):
            # Names tell the order and the part: that of a single file tells nothing.
            name = path.name if len(files) > 1 or file.suffix == ".yml" else ""
            whole.update(name.encode("utf-8", "surrogateescape") + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()


def read_people(place: str) -> People:
    """Read all files of poses in a folder, or one file with all frames of a video.

    Args:
        place: the folder or file; ``PLACE?body=23-later`` for bodies of 23 joints in the later order.

    Raises:
        DanceError: there is no such place (``file-not-found``), or its files cannot be read (``bad-poses``).
        UsageError: the order is not known (``unknown-body``).
    """
    where, option = split_place(place)
    files = _files(where)
    raw: list[RawFrame] = []
    for file in files:
        frames = read_yaml(file) if file.suffix == ".yml" else read_json(file)
        if len(files) > 1 and len(frames) != 1:
            raise unreadable(
                file, f"holds {len(frames)} frames, and is not the only file; name one file that holds all"
            )
        raw += frames
    supplied = np.zeros(JOINT_COUNT, bool)
    people = [[_person(person, option, frame.file, supplied) for person in frame.people] for frame in raw]
    for middle, ends in MIDPOINTS.items():
        supplied[middle] |= supplied[list(ends)].all()
    numbers = tuple(frame.number for frame in raw if frame.number is not None) if len(files) == 1 else ()
    return People(
        people,
        f"openpose/{option or 'auto'}",
        supplied,
        in_shares=_in_shares(people, where),
        canvases=[frame.canvas for frame in raw],
        numbers=numbers,
        where=where,
    )


def _files(where: Path) -> list[Path]:
    """The files to read, in the order of their frames."""
    if where.is_file():
        return [where]
    for pattern in ("*_keypoints.json", "*_pose.yml", "*.json"):
        if files := [path for path in where.glob(pattern) if path.is_file()]:
            return sorted(files, key=_number)
    raise DanceError("bad-poses", f"{where} holds no OpenPose files (*_keypoints.json, *_pose.yml or *.json).")


def _number(path: Path) -> tuple[int, str]:
    digits = re.findall(r"\d+", path.stem)
    return (int(digits[-1]) if digits else 0, path.name)


def _in_shares(people: list[list[Person]], where: Path) -> bool:
    """Whether places are shares of the picture; those that are not counted from its corner are refused."""
    found = [person.pose.xy[person.pose.found] for frame in people for person in frame if person.pose.found.any()]
    if max((float(places.max()) for places in found), default=np.inf) > IN_SHARES:
        return False
    if min(float(places.min()) for places in found) < LOWEST_SHARE:
        raise DanceError(
            "bad-poses",
            f"The OpenPose files in {where} tell places in shares from the picture's middle, not in pixels. Write them"
            " with --keypoint_scale 0.",
        )
    return True


def _person(parts: RawPerson, option: str, file: Path, supplied: NDArray[np.bool_]) -> Person:
    """One person's joints, in the file's units; ``supplied`` learns which there can be."""
    xy, confidence = np.zeros((JOINT_COUNT, 2), np.float32), np.zeros(JOINT_COUNT, np.float32)
    told = np.zeros(JOINT_COUNT, bool)
    for part, rows in parts.items():
        if not len(rows):
            continue
        if part in PARTS:
            layout = PARTS[part].get(len(rows))
        else:
            layout = LAYOUTS.get(option or (COCO_23 if part == JOINTS and len(rows) == 23 else str(len(rows))))
        if layout is None or len(layout.order) != len(rows):
            what = f"a {part.replace('_', ' ')}" if part in PARTS else "bodies"
            raise unreadable(file, f"has {what} of {len(rows)} joints, which is not known")
        order = np.array(layout.order)
        there = np.isfinite(rows).all(axis=1) & (np.abs(rows[:, :2]) < FARTHEST).all(axis=1)
        # A joint in the picture's very corner is one that was not found, whatever its confidence.
        there &= (rows[:, 2] > layout.lowest) & rows[:, :2].any(axis=1) & (order != NOWHERE)
        xy[order[there]], confidence[order[there]] = rows[there, :2], np.minimum(rows[there, 2], 1)
        told[order[order != NOWHERE]] = True
    supplied |= told
    for middle, (one, other) in MIDPOINTS.items():
        if not told[middle] and confidence[one] > 0 and confidence[other] > 0:
            xy[middle], confidence[middle] = (xy[one] + xy[other]) / 2, min(confidence[one], confidence[other])
    return Person(Pose(xy, confidence))
