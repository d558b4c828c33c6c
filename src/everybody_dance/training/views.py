"""How a training sample looks at the footage: which frame, what is cut, and what is changed about it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everybody_dance.appearance.crop_cutting import RANKS
from everybody_dance.drawing.crops import Crop
from everybody_dance.drawing.window import SIZE_STEP, whole_frame
from everybody_dance.images import Box
from everybody_dance.keypoints import Keypoints
from everybody_dance.skeleton import BODY, FACE, JOINT_COUNT, LEFT_HAND, RIGHT_HAND
from everybody_dance.training.presets import Variety

STRIDE = 16
"""Crop origins are multiples of this many pixels."""


@dataclass(frozen=True)
class View:
    """How one sample looks at the footage.

    Attributes:
        last: its last frame.
        gap: frames from one of its frames to the next.
        box: what is cut.
        shown: the box from which the generator is shown the plate: perhaps another place.
        mirrored: whether it is shown in a mirror.
        missing: bool (137,), joints that are taken away.
        corner: (x, y) of a part's crop in the box, as shown.
        group: of that crop, as in ``Crop``.
        rank: of the reference that is shown: 0 is the nearest.
    """

    last: int
    gap: int
    box: Box
    shown: Box
    mirrored: bool
    missing: NDArray[np.bool_]
    corner: tuple[int, int] = (0, 0)
    group: int = 0
    rank: int = 0

    def frame(self, back: int) -> int:
        """The frame ``back`` places before the last."""
        return self.last - back * self.gap


class ViewDrawer:
    """Draws views at random; every draw comes from the generator that is passed in.

    Args:
        keypoints: of the footage, at the working size.
        boxes: the window of each frame.
        crop: side of the square that is cut around a random joint; 0: the whole window.
        variety: what is changed about samples.
    """

    def __init__(self, keypoints: Keypoints, boxes: list[Box], crop: int, variety: Variety) -> None:
        self._keypoints, self._boxes, self._crop, self._variety = keypoints, boxes, crop, variety

    def of_person(self, random: np.random.Generator, last: int, run: int, history: int) -> View:
        """A view of the person up to frame ``last``, before which ``run`` frames are usable."""
        return self._varied(random, last, run, history, self._around_joint(random, last), None)

    def of_part(self, random: np.random.Generator, last: int, run: int, history: int, crops: list[Crop]) -> View:
        """A view that holds one of the ``crops`` of a part whole."""
        crop = crops[int(random.integers(len(crops)))]
        return self._varied(random, last, run, history, self._around(random, crop.box), crop)

    def joint(self, random: np.random.Generator, index: int) -> NDArray[np.float32]:
        """(2,): where a random joint is, of the body as often as of face and hands together, which have most joints."""
        found = np.flatnonzero(self._keypoints.found[index])
        body = found < BODY.stop
        if body.any() and not body.all():
            found = found[body == (random.random() < 0.5)]
        return np.asarray(self._keypoints.xy[index, random.choice(found)])

    def _varied(
        self, random: np.random.Generator, last: int, run: int, history: int, box: Box, crop: Crop | None
    ) -> View:
        variety = self._variety
        # Half of the samples move as the person did.
        reachable = min(variety.longest_gap, run // (history + 1))
        gap = int(random.integers(0, reachable + 1)) if variety.longest_gap > 1 and random.random() < 0.5 else 1
        missing = np.zeros(JOINT_COUNT, bool)
        if random.random() < variety.missing:
            if random.random() < 0.5:
                missing[random.integers(BODY.stop)] = True
            else:
                missing[(FACE, LEFT_HAND, RIGHT_HAND)[random.integers(3)]] = True
        mirrored = bool(random.random() < variety.mirrored)
        elsewhere = random.random() < variety.elsewhere
        if crop is not None:
            x = crop.box.x - box.x
            corner = (box.width - crop.box.width - x if mirrored else x, crop.box.y - box.y)
            rank = int(random.choice(len(RANKS), p=RANKS))
            return View(last, gap, box, box, mirrored, missing, corner, crop.group, rank)
        shown = box
        if elsewhere:
            most = np.maximum(np.array(self._keypoints.size) - (box.width, box.height), 0)
            x, y = random.integers(0, most + 1).tolist()
            shown = Box(x, y, box.width, box.height)
        return View(last, gap, box, shown, mirrored, missing)

    def _around_joint(self, random: np.random.Generator, index: int) -> Box:
        """What is cut for a frame: its window, or a square in the frame around one of its joints."""
        whole = self._boxes[index]
        if not self._crop:
            return whole
        width, height = min(self._crop, whole.width), min(self._crop, whole.height)
        x, y = self.joint(random, index)
        places = random.normal((x - width / 2, y - height / 2), (width / 8, height / 8))
        frame = self._keypoints.size
        x, y = (
            _origin(place, side, extent) for place, side, extent in zip(places, (width, height), frame, strict=True)
        )
        return Box(x, y, width, height)

    def _around(self, random: np.random.Generator, inner: Box) -> Box:
        """What is cut around the crop of a part: the whole frame, or a square that holds the crop somewhere."""
        size = self._keypoints.size
        whole = whole_frame(size)
        if not self._crop:
            return whole
        sides = [min(max(self._crop, inner.width + SIZE_STEP), side) for side in (whole.width, whole.height)]
        corner = []
        for first, side, frame in zip((inner.x, inner.y), sides, size, strict=True):
            # The origin is rounded down to the stride, so the crop must have that much room at its far end.
            low = min(first + inner.width + STRIDE - side, first)
            origin = int(random.integers(low, first + 1)) // STRIDE * STRIDE
            corner.append(min(max(origin, 0), max(-(-(frame - side) // STRIDE) * STRIDE, 0)))
        return Box(corner[0], corner[1], sides[0], sides[1])


def _origin(place: float, side: int, frame: int) -> int:
    """A multiple of the stride near ``place``, so that the crops together cover the frame to its last pixel.

    At the far end the crop reaches over the frame's edge by less than a stride.
    """
    last = max(frame - side, 0)
    if place >= last:
        return -(-last // STRIDE) * STRIDE
    return int(max(place, 0)) // STRIDE * STRIDE
