"""Keeps a detector that sees one person on one of several, picture by picture: the causal twin of ``Alone``."""

from collections.abc import Sequence

import numpy as np

from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.images import Image
from everybody_dance.keypoints import Pose
from everybody_dance.pose.everybody import AROUND, CLOSE, SOMEBODY_ELSE, WITH_CLOTHES, alone_in, nearest_to
from everybody_dance.pose.options import LARGEST
from everybody_dance.pose.people import FASTEST, Person, apart, body_centre
from everybody_dance.pose.who_is_there import BESIDES

LOOK_ALONE, LOOK_SEVERAL = 3.0, 0.4
"""Seconds between looks for everybody: while one person is seen, and while there are several."""

HOLD = 1.0
"""Seconds after which somebody who is gone is given up, and whoever is there is followed."""


class Follower:
    """Knows who is followed and where the others are.

    Args:
        who: of several people: ``largest``, ``left``, ``right`` or ``centre``.
    """

    def __init__(self, who: str = LARGEST) -> None:
        self.who = who
        self.forget()

    def forget(self) -> None:
        """Forget everybody, as at a cut: the next look chooses anew."""
        self._pose: Pose | None = None  # of the one who is followed, as seen last
        self._seen = -np.inf  # when that was
        self._others: list[Pose] = []
        self._look = -np.inf  # when the next one is due

    def mirror(self, width: int) -> None:
        """Expect whoever is followed where a mirror shows them, in pictures of this width, and look for everybody."""
        self._pose = None if self._pose is None else self._pose.mirrored(width)
        self._others = []
        self._look = -np.inf

    def due(self, at: float) -> bool:
        """Whether it is time to look for everybody."""
        return at >= self._look

    def look(self, people: Sequence[Person], size: tuple[int, int], at: float) -> bool:
        """Take in everybody who is seen in a picture of ``size`` (W, H).

        Returns:
            Whether somebody else is followed from here on, so that the detector has to begin anew.
        """
        poses = [person.pose for person in people if person.pose.person_seen]
        tallest = max((pose.height for pose in poses), default=0.0)
        poses = [pose for pose in poses if pose.height > BESIDES * tallest]
        before = self._pose if at - self._seen <= HOLD else None
        chosen = None if before is None else _nearest(poses, before)
        anew = before is None and len(poses) > 1
        if before is None and poses:
            chosen = self._chosen(poses, size)
        if chosen is not None:
            self._pose, self._seen = chosen, at
        self._others = [pose for pose in poses if pose is not chosen]
        self._look = at + (LOOK_SEVERAL if self._others else LOOK_ALONE)
        return anew

    def picture(self, image: Image) -> Image:
        """``image`` (H, W, 3) with the others in one colour, and all that is far from the one who is followed."""
        if not self._others or self._pose is None:
            return image
        size = image.shape[1], image.shape[0]
        others = np.any([person_mask(pose, size, WITH_CLOTHES) for pose in self._others], axis=0)
        shown = person_mask(self._pose, size, AROUND) & (~others | person_mask(self._pose, size, CLOSE))
        return alone_in(image, shown)

    def recognized(self, people: Sequence[Person], at: float) -> Pose | None:
        """The pose of the one who is followed; None where somebody else was found: then it is time to look."""
        pose = people[0].pose if people and people[0].pose.person_seen else None
        if pose is None:
            return None
        if self._pose is not None and at - self._seen <= HOLD:
            far = max(SOMEBODY_ELSE, FASTEST * (at - self._seen)) * max(self._pose.height, pose.height, 1.0)
            if apart(self._pose, pose) > far:
                self._look = at
                return None
        self._pose, self._seen = pose, at
        return pose

    def _chosen(self, poses: Sequence[Pose], size: tuple[int, int]) -> Pose:
        if self.who == LARGEST:
            return max(poses, key=lambda pose: pose.height)
        return poses[nearest_to(self.who, [float(body_centre(pose)[0]) for pose in poses], size[0])]


def _nearest(poses: Sequence[Pose], before: Pose) -> Pose | None:
    """Who of ``poses`` is the person seen ``before``; None where they are not among them."""
    nearest = min(poses, key=lambda pose: apart(pose, before), default=None)
    if nearest is None or apart(nearest, before) > SOMEBODY_ELSE * max(before.height, 1.0):
        return None
    return nearest
