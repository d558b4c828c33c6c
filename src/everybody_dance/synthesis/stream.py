"""The loop body of every dance: one pose in, one picture out.

Transfers, held-out evaluation, benchmarks and live use all step through a ``Stream``.
"""

from dataclasses import dataclass

import numpy as np

from everybody_dance.drawing.pose_image import PoseImage
from everybody_dance.drawing.window import TightWindow, Window
from everybody_dance.images import Box, Image
from everybody_dance.keypoints import Pose
from everybody_dance.performer.performer import Performer
from everybody_dance.performer.runtime import Colours


@dataclass(frozen=True, eq=False)
class Picture:
    """What a stream shows for one pose.

    Attributes:
        frame: uint8 (H, W, 3), the picture.
        box: the part of it that was painted; the rest is the clean plate.
        drawn: the pose, drawn; None where nobody is seen.
    """

    frame: Image
    box: Box
    drawn: PoseImage | None
    _mask: Colours | None

    @property
    def matte(self) -> Image:
        """uint8 (H, W): how much of each pixel is the person, 255 for all of it. A whole painted picture is all 255."""
        matte = np.zeros(self.frame.shape[:2], np.uint8)
        if self.drawn is not None:
            whole = np.full((self.box.height, self.box.width), 255, np.uint8)
            mask = whole if self._mask is None else np.asarray(np.round(255 * self._mask[..., 0]), np.uint8)
            self.box.paste(mask, matte)
        return matte


class Stream:
    """A performer dancing, pose by pose; it holds the previous frame, the true pictures shown, and the window.

    Args:
        performer: who dances.
        fps: poses a second.
        window: what to paint in; by default the performer's own, for a dance that is not known yet.
        previous: uint8 (H, W, 3), the frame before the first, where there is one.
    """

    def __init__(
        self,
        performer: Performer,
        fps: float,
        window: Window | TightWindow | None = None,
        previous: Image | None = None,
    ) -> None:
        self.performer = performer
        self.fps = float(fps)
        self._window = (performer.window() if window is None else window).follower()
        self._painted: Box | None = None
        self._previous = previous
        self._tracks = performer.tracks(self.fps)

    def step(self, pose: Pose | None, cut: bool = False) -> Picture:
        """Paint the next frame.

        There is no previous frame at a cut and after a frame in which nobody is seen; such a frame shows the
        performer's empty place.

        Args:
            pose: filtered and retargeted, in pixels of the performer's frame; None where nobody is seen.
            cut: whether the frame begins a new shot.
        """
        seen = pose is not None and pose.person_seen
        if cut or not seen:
            self._previous, self._painted, self._tracks = None, None, self.performer.tracks(self.fps)
        box = self._window.step(pose, cut, self._painted)
        if pose is None or not seen:
            return Picture(self.performer.plate.copy(), box, None, None)
        drawn = PoseImage(pose, self.performer.manifest.size[1])
        painting = self.performer.step(drawn, box, self._previous, self._tracks)
        # The generator sees its own picture again, not the refined one, nor what a consumer draws on it.
        self._previous, self._painted = painting.frame, painting.extent
        frame = self.performer.refine(painting.frame, drawn, self._tracks)
        return Picture(frame, box, drawn, painting.mask)
