"""Training samples: a pure function of the seed and the step, so that resuming needs no state of its own."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.drawing.pose_image import draw_pose
from everybody_dance.drawing.region import person_region
from everybody_dance.drawing.window import STRIDE, Box, person_windows, whole_frame
from everybody_dance.errors import DanceError
from everybody_dance.keypoints import BODY, FACE, LEFT_HAND, RIGHT_HAND
from everybody_dance.subject.subject import Subject

Images = NDArray[np.uint8]

CACHE_BYTES = 1 << 30
"""Decoded frames kept in memory, at most; longer footage is decoded again when it is drawn."""

REGION = 0.06
"""How far the person's region reaches past the limbs, in shares of the body's height."""

REACH = 0.2
"""The same for where the mask may open."""


@dataclass(frozen=True)
class Sample:
    """A batch: everything cut with the box of each sample's last frame t.

    Attributes:
        poses: uint8 (B, N, h, w, 3), pose images of frames t-N+1 ... t, N at least 2.
        start: uint8 (B, h, w, 3), the true frame before the first pose.
        before: uint8 (B, h, w, 3), the true frame t-1.
        frames: uint8 (B, h, w, 3), the true frame t.
        plate: uint8 (B, h, w, 3).
        region: float32 (B, 1, h, w), 1 within reach of the person, 2 at face and hands, 0 elsewhere.
        reach: float32 (B, 1, h, w), 1 where the mask may open: the region, shadows and loose clothes.
        patch: (y, x) of the discriminator's crop.
    """

    poses: Images
    start: Images
    before: Images
    frames: Images
    plate: Images
    region: NDArray[np.float32]
    reach: NDArray[np.float32]
    patch: tuple[int, int]


class PairDataset:
    """Draws samples from a subject's training frames; ``dataset.sample(step, history)`` is deterministic.

    Args:
        subject: where the frames are.
        size: (W, H) of the frames the networks work on.
        person_window: paint the person window rather than the whole frame.
        crop: side of the square that is cut around a random joint, at a multiple of the stride; 0: the whole box.
            Most of a window is plate, and convolutions do not mind where it ends.
        batch: samples in a batch.
        patch: side of the discriminator's crop.
        seed: of everything that is drawn.

    Raises:
        DanceError: no two consecutive training frames show a person (code ``too-short``).
    """

    def __init__(
        self,
        subject: Subject,
        size: tuple[int, int],
        *,
        person_window: bool,
        crop: int,
        batch: int,
        patch: int,
        seed: int,
    ) -> None:
        self.subject = subject
        self.size = size
        self.batch = batch
        self.patch = patch
        self.seed = seed
        self.keypoints = subject.keypoints.scaled_to(size)
        self.plate = _resized(subject.plate, size)
        self.statistics = subject.manifest.statistics.scaled(size[1] / subject.manifest.size[1])
        cuts = subject.manifest.cuts
        if person_window:
            # Held-out frames do not shape the window either.
            training = np.zeros(len(self.keypoints), bool)
            training[subject.training_frames] = True
            boxes = person_windows(self.keypoints[training])
            self.boxes = person_windows(self.keypoints, cuts, at_least=(boxes[0].width, boxes[0].height))
            self.boxes = [Box(box.x, box.y, boxes[0].width, boxes[0].height) for box in self.boxes]
        else:
            self.boxes = [whole_frame(size)] * len(self.keypoints)
        self.crop = crop
        self.history = _run_lengths(subject)
        self.usable = np.flatnonzero(self.history >= 1)
        if not len(self.usable):
            raise DanceError("too-short", "There are no two training frames in a row that show a person. Film more.")
        self._decoded: dict[int, Images] = {}

    @property
    def window(self) -> tuple[int, int]:
        """(W, H) of what is cut."""
        return self.boxes[0].width, self.boxes[0].height

    def sample(self, step: int, history: int) -> Sample:
        """The batch of ``step``.

        Args:
            step: counts from 0.
            history: frames of rollout before the last one; pose images of ``max(history, 1) + 1`` frames come back.
        """
        random = np.random.default_rng([self.seed, step])
        enough = self.usable[self.history[self.usable] >= history + 1]
        if not len(enough):
            enough = self.usable
            history = int(self.history[enough].min()) - 1
        last = random.choice(enough, self.batch, replace=len(enough) < self.batch)
        boxes = [self._cropped(random, int(t)) for t in last]
        count = max(history, 1) + 1

        def cut(offset: int) -> Images:
            return np.stack([box.cut(self.frame(int(t) - offset)) for t, box in zip(last, boxes, strict=True)])

        return Sample(
            poses=np.stack(
                [
                    [self.pose(int(t) - back, box) for back in range(count - 1, -1, -1)]
                    for t, box in zip(last, boxes, strict=True)
                ]
            ),
            start=cut(history + 1),
            before=cut(1),
            frames=cut(0),
            plate=np.stack([box.cut(self.plate) for box in boxes]),
            region=np.stack([self.region(int(t), box) for t, box in zip(last, boxes, strict=True)]),
            reach=np.stack([self.reach(int(t), box, REACH) for t, box in zip(last, boxes, strict=True)]),
            patch=self._patch_place(random, int(last[0]), boxes[0]),
        )

    def frame(self, index: int) -> Images:
        """The true frame at the size the networks work on; recently used ones are kept."""
        image = self._decoded.get(index)
        if image is None:
            image = _resized(self.subject.frame(index), self.size)
            if (len(self._decoded) + 1) * image.nbytes <= CACHE_BYTES:
                self._decoded[index] = image
        return image

    def pose(self, index: int, box: Box) -> Images:
        """The pose image of a frame, drawn straight into ``box``."""
        return draw_pose(self.keypoints.xy[index], self.keypoints.confidence[index], box, self.size[1])

    def region(self, index: int, box: Box) -> NDArray[np.float32]:
        """(1, h, w): 1 within reach of the person, 2 at face and hands, where the eye looks first."""
        xy, confidence = self.keypoints.xy[index], self.keypoints.confidence[index]
        weight = self.reach(index, box, REGION)[0].astype(np.uint8)
        for part in (FACE, LEFT_HAND, RIGHT_HAND):
            points = xy[part][confidence[part] > 0] - (box.x, box.y)
            if len(points) > 2:
                center, radius = cv2.minEnclosingCircle(points.astype(np.float32))
                cv2.circle(weight, (round(center[0]), round(center[1])), round(1.3 * radius), (2,), -1)
        return np.asarray(weight[None], np.float32)

    def reach(self, index: int, box: Box, grow: float) -> NDArray[np.float32]:
        """(1, h, w): 1 within the person's region, grown by a share of the body's height."""
        xy, confidence = self.keypoints.xy[index], self.keypoints.confidence[index]
        region = person_region(xy, confidence, self.size, grow).astype(np.uint8)
        return box.cut(region)[None].astype(np.float32)

    def _cropped(self, random: np.random.Generator, index: int) -> Box:
        """What is cut for a frame: its box, or a square in the frame around one of its joints."""
        whole = self.boxes[index]
        if not self.crop:
            return whole
        width, height = min(self.crop, whole.width), min(self.crop, whole.height)
        x, y = self._joint(random, index)
        x, y = random.normal((x - width / 2, y - height / 2), (width / 8, height / 8))
        most = self.size[0] - width, self.size[1] - height
        x, y = (
            int(np.clip(place, 0, max(last, 0))) // STRIDE * STRIDE for place, last in zip((x, y), most, strict=True)
        )
        return Box(x, y, width, height)

    def _joint(self, random: np.random.Generator, index: int) -> NDArray[np.float32]:
        """(2,): where a random joint is, of the body as often as of face and hands together, which have most joints."""
        found = np.flatnonzero(self.keypoints.found[index])
        body = found < BODY.stop
        if body.any() and not body.all():
            found = found[body == (random.random() < 0.5)]
        return np.asarray(self.keypoints.xy[index, random.choice(found)])

    def _patch_place(self, random: np.random.Generator, index: int, box: Box) -> tuple[int, int]:
        """Top left corner of a crop around a random joint of the batch's first sample."""
        x, y = self._joint(random, index) - (box.x, box.y) - self.patch / 2
        return (
            int(np.clip(y, 0, max(box.height - self.patch, 0))),
            int(np.clip(x, 0, max(box.width - self.patch, 0))),
        )


def prefetch(dataset: PairDataset, steps: Sequence[int], histories: Sequence[int]) -> Iterator[Sample]:
    """Samples of ``steps`` in order, made one or two ahead in a thread beside the training."""
    with ThreadPoolExecutor(1) as pool:
        ahead: deque[Future[Sample]] = deque()
        try:
            for step, history in zip(steps, histories, strict=True):
                ahead.append(pool.submit(dataset.sample, step, history))
                if len(ahead) > 2:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


def _run_lengths(subject: Subject) -> NDArray[np.int64]:
    """For each frame, how many training frames with a person stand before it without a break; -1 where unusable."""
    usable = np.zeros(len(subject.keypoints), bool)
    usable[subject.training_frames] = True
    usable &= subject.keypoints.person_seen
    starts = {clip.first for clip in subject.manifest.clips} | set(subject.manifest.cuts)
    lengths = np.full(len(usable), -1, np.int64)
    run = -1
    for index, good in enumerate(usable):
        run = -1 if not good else 0 if index in starts else run + 1
        lengths[index] = run
    return lengths


def _resized(image: Images, size: tuple[int, int]) -> Images:
    if (image.shape[1], image.shape[0]) == size:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
