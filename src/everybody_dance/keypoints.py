"""Keypoints: the poses of one person over a clip; the data type that all packages share.

137 joints in OpenPose's order, as in ``skeleton``. Left and right are the person's own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from everybody_dance.body_height import body_height
from everybody_dance.files import replacing
from everybody_dance.skeleton import BODY, EARS, JOINT_COUNT, MIRROR

Array = NDArray[np.float32]

FEWEST_JOINTS = 3
"""A person is seen in a frame in which at least this many body joints were found."""

CONFIDENT = 0.3
"""Joints with less confidence than this may be guesses, hidden behind the body or outside the picture. Measured on
MediaPipe, whose visibility is the scale that every detector's confidences should be on."""

FULL_CONFIDENCE = 0.6
"""Good detections have at least this confidence, and vary above it. Measured on MediaPipe."""

BLOCK = 1024
"""Frames that are worked on at a time, so that what the work needs besides its result does not grow with a clip."""


@dataclass(frozen=True, eq=False)
class Pose:
    """The joints of one person in one frame; its arrays are read-only.

    Attributes:
        xy: float32 (137, 2), pixels; 0 for joints that were not found.
        confidence: float32 (137,) in [0, 1]; 0 means not found.
    """

    xy: Array
    confidence: Array

    def __post_init__(self) -> None:
        for name, shape in (("xy", (JOINT_COUNT, 2)), ("confidence", (JOINT_COUNT,))):
            array = np.asarray(getattr(self, name), np.float32).view()
            if array.shape != shape:
                raise ValueError(f"{name} of a pose must be {shape}, not {array.shape}")
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __reduce__(self) -> tuple[type["Pose"], tuple[Array, Array]]:
        # Unpickled arrays are writeable; only the constructor makes them read-only.
        return Pose, (self.xy, self.confidence)

    @property
    def found(self) -> NDArray[np.bool_]:
        """bool (137,): which joints were found."""
        return self.confidence > 0

    @property
    def person_seen(self) -> bool:
        """Whether at least three body joints were found."""
        return int(self.found[BODY].sum()) >= FEWEST_JOINTS

    @property
    def height(self) -> float:
        """How tall the body stands, in pixels, as ``body_height``; 0 where no bone was found."""
        return float(body_height(self.xy[None], self.confidence[None])[0])

    def shifted(self, x: float, y: float) -> "Pose":
        """The pose moved by (x, y) pixels."""
        return Pose(self.xy + np.array((x, y), np.float32), self.confidence)

    def inside(self, size: tuple[int, int]) -> "Pose":
        """The pose without the joints that lie outside a frame of ``size`` (W, H)."""
        confidence = np.where(is_inside(self.xy, size), self.confidence, np.float32(0))
        return Pose(np.where(confidence[:, None] > 0, self.xy, np.float32(0)), confidence)

    def mirrored(self, width: int) -> "Pose":
        """The pose in a mirror, in a frame of this width: left becomes right."""
        joints = list(MIRROR)
        xy = self.xy[joints] * np.array([-1, 1], np.float32) + np.array([width, 0], np.float32)
        return Pose(xy, self.confidence[joints])

    def without(self, joints: NDArray[np.bool_]) -> "Pose":
        """The pose with some joints, bool (137,), not found. Their ``xy`` stay as they were."""
        return Pose(self.xy, np.where(joints, np.float32(0), self.confidence))


NOBODY = Pose(np.zeros((JOINT_COUNT, 2), np.float32), np.zeros(JOINT_COUNT, np.float32))
"""The pose in which no joint is found."""


@dataclass(frozen=True, eq=False)
class Keypoints:
    """The joints of one person over a clip.

    Attributes:
        xy: float32 (T, 137, 2), pixels of the upright frame; 0 for joints that were not found. The frame's edges are at
            0 and W (or H), so the first pixel's centre is 0.5 and resizing is multiplication.
        confidence: float32 (T, 137) in [0, 1]. 0 means not found.
        size: (W, H) of the frame in pixels.
        fps: frames a second, exact.
    """

    xy: Array
    confidence: Array
    size: tuple[int, int]
    fps: Fraction

    def __post_init__(self) -> None:
        xy = np.ascontiguousarray(self.xy, np.float32)
        confidence = np.ascontiguousarray(self.confidence, np.float32)
        if xy.ndim != 3 or xy.shape[1:] != (JOINT_COUNT, 2):
            raise ValueError(f"xy must be (T, {JOINT_COUNT}, 2), not {xy.shape}")
        if confidence.shape != xy.shape[:2]:
            raise ValueError(f"confidence must be {xy.shape[:2]}, not {confidence.shape}")
        if confidence.size and not (confidence.min() >= 0 and confidence.max() <= 1):
            raise ValueError("confidence must lie in [0, 1]")
        if min(self.size) < 1 or self.fps <= 0:
            raise ValueError(f"size {self.size} and fps {self.fps} must be positive")
        # Joints that were not found get one canonical place, so that equal keypoints are equal bytes.
        own = False
        for block in blocks(len(xy)):
            canonical = np.where(confidence[block, :, None] > 0, xy[block], np.float32(0))
            if not np.isfinite(canonical).all():
                raise ValueError("xy of a joint that was found must be finite")
            if not np.array_equal(canonical.view(np.uint32), xy[block].view(np.uint32)):
                xy, own = (xy if own else xy.copy()), True
                xy[block] = canonical
        object.__setattr__(self, "xy", xy)
        object.__setattr__(self, "confidence", confidence)

    def __len__(self) -> int:
        return len(self.xy)

    def __getitem__(self, frames: slice | NDArray[np.integer[Any]] | NDArray[np.bool_]) -> Self:
        """The same clip with some of its frames."""
        return replace(self, xy=self.xy[frames], confidence=self.confidence[frames])

    def pose(self, index: int) -> Pose:
        """The pose of one frame."""
        return Pose(self.xy[index], self.confidence[index])

    @property
    def found(self) -> NDArray[np.bool_]:
        """bool (T, 137): which joints were found."""
        return self.confidence > 0

    @property
    def person_seen(self) -> NDArray[np.bool_]:
        """bool (T,): frames in which at least three body joints were found."""
        return np.asarray(self.found[:, BODY].sum(axis=1) >= FEWEST_JOINTS)

    def scaled_to(self, size: tuple[int, int]) -> Self:
        """The keypoints of the same clip resized to ``size`` (W, H)."""
        factor = np.array(size, np.float32) / np.array(self.size, np.float32)
        return replace(self, xy=self.xy * factor, size=size)

    def inside(self) -> Self:
        """The keypoints without the joints that lie outside the frame."""
        return replace(self, confidence=np.where(is_inside(self.xy, self.size), self.confidence, np.float32(0)))

    def mirrored(self) -> Self:
        """The keypoints of the same clip in a mirror: left becomes right."""
        xy = self.xy[:, MIRROR] * np.array([-1, 1], np.float32) + np.array([self.size[0], 0], np.float32)
        return replace(self, xy=xy, confidence=self.confidence[:, MIRROR])

    def save(self, path: Path) -> None:
        """Write to ``path`` (.npz), atomically."""
        with replacing(path) as temporary:
            np.savez_compressed(
                temporary,
                xy=self.xy,
                confidence=self.confidence,
                size=np.array(self.size, np.int64),
                fps=np.array([self.fps.numerator, self.fps.denominator], np.int64),
            )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote.

        Raises:
            OSError: there is no such file, or it may not be read.
            ValueError: it is not a keypoints file, or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                width, height = (int(value) for value in arrays["size"])
                numerator, denominator = (int(value) for value in arrays["fps"])
                fps = Fraction(numerator, denominator)
                return cls(arrays["xy"], arrays["confidence"], (width, height), fps)
        except (OSError, ValueError):
            raise
        except Exception as error:  # a damaged archive makes zipfile, zlib and NumPy raise a dozen others
            raise ValueError(f"{path} is not a whole keypoints file") from error

    @classmethod
    def of(cls, poses: Sequence[Pose], size: tuple[int, int], fps: Fraction) -> Self:
        """The clip of ``poses``, one for each frame."""
        xy = np.array([pose.xy for pose in poses], np.float32).reshape(-1, JOINT_COUNT, 2)
        confidence = np.array([pose.confidence for pose in poses], np.float32).reshape(-1, JOINT_COUNT)
        return cls(xy, confidence, size, fps)

    @classmethod
    def empty(cls, frames: int, size: tuple[int, int], fps: Fraction) -> Self:
        """``frames`` frames in which nobody was found."""
        xy = np.zeros((frames, JOINT_COUNT, 2), np.float32)
        return cls(xy, np.zeros((frames, JOINT_COUNT), np.float32), size, fps)


def shots(frames: int, cuts: Sequence[int]) -> list[slice]:
    """The shots of a clip of ``frames`` frames, given the first frame of each shot after the first."""
    edges = sorted({0, frames, *(cut for cut in cuts if 0 < cut < frames)})
    return [slice(first, stop) for first, stop in pairwise(edges)]


def blocks(frames: int, first: int = 0) -> Iterator[slice]:
    """The frames from ``first`` up to ``frames`` in blocks of at most ``BLOCK``."""
    return (slice(start, min(start + BLOCK, frames)) for start in range(first, frames, BLOCK))


def in_blocks(function: Callable[[Array, Array], NDArray[Any]], keypoints: Keypoints) -> NDArray[Any]:
    """``function`` of (xy, confidence), which gives a row for each frame, applied to a block of frames at a time."""
    parts = [slice(0, 0), *blocks(len(keypoints))]  # the empty one, for clips without frames
    return np.concatenate([function(keypoints.xy[part], keypoints.confidence[part]) for part in parts])


def is_inside(xy: NDArray[np.floating[Any]], size: tuple[int, int]) -> NDArray[np.bool_]:
    """bool (...): which of the places xy (..., 2) lie in a frame of ``size`` (W, H), its edges included."""
    return np.asarray(((xy >= 0) & (xy <= np.array(size))).all(axis=-1))


def with_skull(xy: Array, confidence: Array) -> tuple[Array, Array]:
    """Add ``skeleton.SKULL``, the middle of those ears that were found, as sure as the surer of them.

    Args:
        xy: (..., 137, 2).
        confidence: (..., 137).

    Returns:
        float32 (..., 138, 2) and (..., 138).
    """
    found = (confidence[..., EARS] > 0)[..., None]
    skull = np.where(found, xy[..., EARS, :], 0).sum(axis=-2) / np.maximum(found.sum(axis=-2), 1)
    sure = confidence[..., EARS].max(axis=-1, keepdims=True)
    extended = np.concatenate([xy, skull[..., None, :]], axis=-2, dtype=np.float32)
    return extended, np.concatenate([confidence, sure], axis=-1, dtype=np.float32)
