"""The person window: an integer box that follows the person.

Its size is fitted once, to a clip or to the footage a performer was trained on, or anew as the person moves (a *tight*
window), for generators that paint a place alike in any window. The box moves in whole steps of the generator's stride,
and only when it must, so that what stands still in the frame stands still in the window and meets the network's grid in
the same phase.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from everybody_dance.images import Box
from everybody_dance.keypoints import Array, Keypoints, Pose
from everybody_dance.skeleton import BODY

SIZE_STEP = 32
"""Box sides are multiples of this, which every generator's stride divides."""

MARGIN = 0.1
"""Room around the keypoints in fractions of the person's height: hair, shoes and clothes reach past the joints."""

NEAR, FAR = 0.05, 0.35
"""What a person reaches past their joints, and the farthest that anything of theirs does (a shadow on the floor), in
body heights."""

ROOM = 3
"""Strides around the person, at most: nearer to the edge of its window a generator paints a little differently."""

LEAST_ROOM = 1
"""Strides around everything that is painted, at least."""

LARGER, PATIENCE = 1.1, 10
"""A tight window becomes smaller when it was so many times as large as it need be for so many frames in a row."""


@dataclass(frozen=True)
class Window:
    """A window of fixed size, ready to follow a person.

    Attributes:
        size: (W, H) of the box in pixels, multiples of ``SIZE_STEP``.
        margin: room around the joints in pixels.
        frame: (W, H) of the frame.
        stride: box origins are multiples of this many pixels.
    """

    size: tuple[int, int]
    margin: float
    frame: tuple[int, int]
    stride: int

    def follower(self) -> "WindowFollower":
        """Begin to follow a person."""
        return WindowFollower(self)


def whole_frame(size: tuple[int, int]) -> Box:
    """The box of the whole frame, its sides rounded up to what the networks take."""
    width, height = (-(-side // SIZE_STEP) * SIZE_STEP for side in size)
    return Box(0, 0, width, height)


def fit_window(keypoints: Keypoints, stride: int, at_least: tuple[int, int] = (SIZE_STEP, SIZE_STEP)) -> Window:
    """A window that holds the person with some room.

    Its size fits the 99th percentile of the person's extent and is never smaller than ``at_least``, a performer's own
    window, nor larger than the frame needs.

    Args:
        keypoints: of a clip, in the prepared frame.
        stride: of the generator.
        at_least: smallest (W, H) in pixels.
    """
    most = whole_frame(keypoints.size)
    limits = most.width, most.height
    found = _counted(keypoints.confidence)
    seen = found.any(axis=1)
    if not seen.any():
        width, height = (min(side, limit) for side, limit in zip(at_least, limits, strict=True))
        return Window((width, height), 0.0, keypoints.size, stride)
    low, high = _extents(keypoints.xy[seen], found[seen])
    margin = float(MARGIN * np.percentile((high - low)[:, 1], 95))
    low, high = _with_room(low, high, margin, keypoints.size)
    # Room for one step more than the person needs, or no box whose origin is a multiple of the stride might hold them.
    extent = np.percentile(high - low, 99, axis=0) + stride
    width, height = (
        min(max(-(-int(np.ceil(need)) // SIZE_STEP) * SIZE_STEP, least), limit)
        for need, least, limit in zip(extent, at_least, limits, strict=True)
    )
    return Window((width, height), margin, keypoints.size, stride)


@dataclass(frozen=True)
class TightWindow:
    """A window that fits the person in every frame, for generators that paint each place by what is near it.

    Attributes:
        usual: (W, H) of the window of the training; the room around the person does not make the box larger than it.
        frame: (W, H) of the frame.
        stride: box origins and sides are multiples of this many pixels.
    """

    usual: tuple[int, int]
    frame: tuple[int, int]
    stride: int

    def follower(self) -> "TightFollower":
        """Begin to follow a person."""
        return TightFollower(self)


class Follower(Protocol):
    """A window on its way through a dance, one frame at a time."""

    def step(self, pose: Pose | None, cut: bool = False, painted: Box | None = None) -> Box:
        """The box of the next frame.

        Args:
            pose: in pixels of the frame; None where nobody is seen.
            cut: whether the frame begins a new shot, where the box may jump.
            painted: where the frame before differs from the empty place; None where there is none.
        """
        ...


class WindowFollower:
    """A window of fixed size on its way through a dance.

    The box stays where it is while the person is inside, and is centred anew when they are not, and at a cut. Where
    nobody is seen it stays where they were seen last.
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        self._extent: tuple[Array, Array] | None = None
        self._origin: list[int] | None = None

    def step(self, pose: Pose | None, cut: bool = False, painted: Box | None = None) -> Box:
        """As ``Follower.step``."""
        if pose is not None:
            found = _counted(pose.confidence[None])
            if found.any():
                low, high = _extents(pose.xy[None], found)
                low, high = _with_room(low, high, self.window.margin, self.window.frame)
                self._extent = low[0], high[0]
        return self.follow(cut)

    def follow(self, cut: bool) -> Box:
        """The box for the extent that was seen last."""
        width, height = self.window.size
        if self._extent is None:
            return Box(0, 0, width, height)
        low, high = self._extent
        centred = [self._centred(axis, low[axis], high[axis]) for axis in range(2)]
        if self._origin is None:
            self._origin = centred
        for axis, side in enumerate(self.window.size):
            origin = self._origin[axis]
            if cut or low[axis] < origin or high[axis] > origin + side:
                self._origin[axis] = centred[axis]
        return Box(self._origin[0], self._origin[1], width, height)

    def _centred(self, axis: int, low: np.float32, high: np.float32) -> int:
        side, frame, stride = self.window.size[axis], self.window.frame[axis], self.window.stride
        last = max(-(-(frame - side) // stride) * stride, 0)
        return int(np.clip(np.round(((low + high - side) / 2) / stride) * stride, 0, last))


class TightFollower:
    """A window that fits the person in every frame, on its way through a dance.

    It holds the joints, whatever of the frame before was not the empty place (clothes, hair, a shadow on the floor),
    and around both the room that a generator needs to paint as in a larger window. The box stays as it is while it
    holds all that, and is fitted anew when it does not, when it was too large for a while, and at a cut. What was
    painted before is not known in the first frame of a shot, so the box is larger there.
    """

    def __init__(self, window: TightWindow) -> None:
        self.window = window
        self._box: Box | None = None
        self._too_large = 0

    def step(self, pose: Pose | None, cut: bool = False, painted: Box | None = None) -> Box:
        """As ``Follower.step``."""
        found = None if pose is None else _counted(pose.confidence[None])
        if pose is not None and found is not None and found.any():
            need = self._needed(pose, found, painted)
            large = self._box is not None and self._box.area > LARGER * need.area
            self._too_large = self._too_large + 1 if large else 0
            if cut or self._box is None or not self._box.holds(need) or self._too_large == PATIENCE:
                self._box, self._too_large = need, 0
        return Box(0, 0, *2 * [self.window.stride]) if self._box is None else self._box

    def _needed(self, pose: Pose, found: NDArray[np.bool_], painted: Box | None) -> Box:
        window, stride = self.window, self.window.stride
        (low,), (high,) = _with_room(*_extents(pose.xy[None], found), 0, window.frame)
        height = pose.height or float(high[1] - low[1])
        farthest = low - FAR * height, high + FAR * height
        low, high = low - NEAR * height, high + NEAR * height
        # Less a stride, for what is rounded up.
        room = ((np.array(window.usual) - stride - (high - low)) / 2).clip(LEAST_ROOM * stride, ROOM * stride)
        corners = farthest
        if painted is not None:
            corner = np.array((painted.x, painted.y))
            opposite = corner + np.array((painted.width, painted.height))
            corners = np.maximum(corner, farthest[0]), np.minimum(opposite, farthest[1])
        low = np.minimum(low - room, corners[0] - LEAST_ROOM * stride)
        high = np.maximum(high + room, corners[1] + LEAST_ROOM * stride)
        cells = -(-np.array(window.frame) // stride)
        first = np.floor(low / stride).clip(0, cells - 1).astype(int)
        last = np.ceil(high / stride).clip(first + 1, cells).astype(int)
        (x, y), (columns, rows) = (stride * first).tolist(), (stride * (last - first)).tolist()
        return Box(x, y, columns, rows)


def person_windows(
    keypoints: Keypoints, stride: int, cuts: Sequence[int] = (), at_least: tuple[int, int] = (SIZE_STEP, SIZE_STEP)
) -> list[Box]:
    """One box for each frame of a clip: ``fit_window``, then ``WindowFollower`` frame by frame.

    Args:
        keypoints: in the prepared frame.
        stride: of the generator.
        cuts: first frames of new shots.
        at_least: smallest (W, H) of the boxes, in pixels.
    """
    follower = WindowFollower(fit_window(keypoints, stride, at_least))
    starts = frozenset(cuts)
    return [follower.step(keypoints.pose(index), index in starts) for index in range(len(keypoints))]


def _counted(confidence: Array) -> NDArray[np.bool_]:
    """bool (T, 137): the joints that make up the extent; face and hands count only where some of the body is found."""
    found = confidence > 0
    found[:, BODY.stop :] &= found[:, BODY].any(axis=1, keepdims=True)
    return np.asarray(found)


def _extents(xy: Array, found: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Lowest and highest (T, 2) of the joints found; each frame must have some."""
    low = np.where(found[..., None], xy, np.inf).min(axis=1)
    high = np.where(found[..., None], xy, -np.inf).max(axis=1)
    return low.astype(np.float32), high.astype(np.float32)


def _with_room(low: Array, high: Array, margin: float, size: tuple[int, int]) -> tuple[Array, Array]:
    frame = np.array(size, np.float32)
    return np.clip(low - np.float32(margin), 0, frame), np.clip(high + np.float32(margin), 0, frame)
