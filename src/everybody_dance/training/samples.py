"""Training samples: a pure function of the seed and the step, so that resuming needs no state of its own."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.appearance.crop_bank import CropBank
from everybody_dance.appearance.crop_cutting import RANKS, TrainingCrops
from everybody_dance.appearance.limb_bank import LimbBank
from everybody_dance.appearance.limb_cutting import TrainingLimbs
from everybody_dance.drawing.crops import PART_JOINTS, Crop, Part, crop_side, part_crops
from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.drawing.pose_image import draw_pose
from everybody_dance.drawing.window import SIZE_STEP, person_windows, whole_frame
from everybody_dance.errors import DanceError
from everybody_dance.images import Box, resized
from everybody_dance.keypoints import Pose
from everybody_dance.skeleton import BODY, FACE, LEFT_HAND, RIGHT_HAND
from everybody_dance.subject.subject import Subject

Images = NDArray[np.uint8]

STRIDE = 16
"""Crop origins are multiples of this many pixels."""

CACHE_BYTES = 1 << 30
"""Decoded frames kept in memory, at most; longer footage is decoded again when it is drawn."""

REGION = 0.06
"""How far the person's region reaches past the limbs, in shares of the body's height."""

REACH = 0.2
"""The same for where the mask may open."""


@dataclass(frozen=True)
class Variety:
    """What is changed about a sample, so that more is learnt than was filmed.

    Attributes:
        mirrored: share of samples shown in a mirror.
        longest_gap: frames between two frames of a sample, at most; a video may be slower or faster than the footage.
            0 stands for a pose that is held.
        missing: share of samples in which a face, a hand or a joint of the body is missing, as detectors miss them.
        elsewhere: share of samples for which the generator is shown the plate of another place. It would read from the
            plate's light where in the frame it paints, and paint no head where the footage had none.
    """

    mirrored: float = 0.0
    longest_gap: int = 1
    missing: float = 0.0
    elsewhere: float = 0.0


AS_FILMED = Variety()


@dataclass(frozen=True)
class _View:
    """How one sample looks at the footage: its last frame, what is cut, and what is changed about it."""

    last: int
    box: Box
    gap: int
    mirrored: bool
    missing: NDArray[np.bool_]
    shown: Box
    corner: tuple[int, int]
    group: int
    rank: int

    def frame(self, back: int) -> int:
        """The frame ``back`` places before the last."""
        return self.last - back * self.gap


@dataclass(frozen=True)
class Sample:
    """A batch: everything cut with the box of each sample's last frame t.

    Attributes:
        poses: uint8 (B, N, h, w, 3), pose images of N successive frames, the last of frame t; N at least 2.
        start: uint8 (B, h, w, 3), the true frame before the first pose.
        before: uint8 (B, h, w, 3), the true frame before t.
        frames: uint8 (B, h, w, 3), the true frame t.
        plate: uint8 (B, h, w, 3).
        shown: uint8 (B, N, h, w, 3), what the generator is shown of the place, with each pose: perhaps the plate of
            another place, perhaps with a puppet in it.
        region: float32 (B, 1, h, w), 1 within reach of the person, 2 at face and hands, 0 elsewhere.
        reach: float32 (B, 1, h, w), 1 where the mask may open: the region, shadows and loose clothes.
        patch: (y, x) of the discriminator's crop.
        corners: int (B, 2), (x, y) of the crop of a part in each sample, where a part was asked for.
        references: uint8 (B, side, side, 3), another true picture of that part in nearly the same pose, laid on it;
            None where none were asked for.
    """

    poses: Images
    start: Images
    before: Images
    frames: Images
    plate: Images
    shown: Images
    region: NDArray[np.float32]
    reach: NDArray[np.float32]
    patch: tuple[int, int]
    corners: NDArray[np.int64]
    references: Images | None = None


class PairDataset:
    """Draws samples from a subject's training frames; ``dataset.sample(step, history)`` is deterministic.

    Args:
        subject: where the frames are.
        size: (W, H) of the frames the networks work on.
        person_window: paint the person window rather than the whole frame.
        crop: side of the square that is cut around a random joint, at a multiple of the stride; 0: the whole box.
            Most of a window is plate, and convolutions do not mind where it ends.
        batch: samples in a batch, of all processes together.
        patch: side of the discriminator's crop.
        variety: what is changed about samples.
        puppet: pictures kept of each limb, with which the generator is shown a puppet; 0: it is shown none.
        held_out: draw from the frames that were held out, where there are any, instead of those for training.
        seed: of everything that is drawn.
        shard: (i, n): of each batch only the i-th of n equal parts is made; the others are other processes'.

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
        variety: Variety = AS_FILMED,
        puppet: int = 0,
        held_out: bool = False,
        shard: tuple[int, int] = (0, 1),
    ) -> None:
        self.subject = subject
        self.size = size
        self.batch = batch
        self.patch = patch
        self.seed = seed
        self.variety = variety
        self.shard = shard
        self.keypoints = subject.keypoints.scaled_to(size)
        self.mirrored_keypoints = self.keypoints.mirrored()
        self.plate = resized(subject.plate, size)
        self.statistics = subject.manifest.statistics.scaled(size[1] / subject.manifest.size[1])
        cuts = subject.manifest.cuts
        if person_window:
            # Held-out frames do not shape the window either.
            training = np.zeros(len(self.keypoints), bool)
            training[subject.training_frames] = True
            boxes = person_windows(self.keypoints[training], STRIDE)
            self.boxes = person_windows(self.keypoints, STRIDE, cuts, at_least=(boxes[0].width, boxes[0].height))
            self.boxes = [Box(box.x, box.y, boxes[0].width, boxes[0].height) for box in self.boxes]
        else:
            self.boxes = [whole_frame(size)] * len(self.keypoints)
        self.crop = crop
        self.history = _run_lengths(subject, subject.holdout_frames if held_out else subject.training_frames)
        if held_out and self.history.max(initial=-1) < 1:
            self.history = _run_lengths(subject, subject.training_frames)
        self.usable = np.flatnonzero(self.history >= 1)
        if not len(self.usable):
            raise DanceError("too-short", "There are no two training frames in a row that show a person. Film more.")
        self._decoded: dict[int, Images] = {}
        self._sides: dict[Part, int] = {}
        self._parts: dict[Part, dict[int, list[Crop]]] = {}
        self._references: dict[Part, TrainingCrops] = {}
        self._limbs = puppet

    @property
    def window(self) -> tuple[int, int]:
        """(W, H) of what is cut."""
        return self.boxes[0].width, self.boxes[0].height

    def sample(self, step: int, history: int, part: Part | None = None, references: int = 0) -> Sample:
        """The batch of ``step``.

        Args:
            step: counts from 0.
            history: frames of rollout before the last one; pose images of ``max(history, 1) + 1`` frames come back.
            part: show this part of the person, whole, in frames where it is seen; there must be some (``shows``).
            references: of how many kept crops one comes with each sample; 0: none.
        """
        random = np.random.default_rng([self.seed, step])
        usable = self.usable if part is None else np.array(list(self._crops_of(part)), np.int64)
        enough = usable[self.history[usable] >= history + 1]
        if not len(enough):
            enough = usable
            history = int(self.history[enough].min()) - 1
        last = random.choice(enough, self.batch, replace=len(enough) < self.batch)
        views = [self._view(random, int(t), history, part) for t in last]
        share = len(views) // self.shard[1]
        views = views[self.shard[0] * share : (self.shard[0] + 1) * share]
        count = max(history, 1) + 1

        def cut(back: int) -> Images:
            return np.stack([self._cut(view, self.frame(view.frame(back))) for view in views])

        return Sample(
            poses=np.stack([[self._pose(view, back) for back in range(count - 1, -1, -1)] for view in views]),
            start=cut(history + 1),
            before=cut(1),
            frames=cut(0),
            plate=np.stack([self._cut(view, self.plate) for view in views]),
            shown=np.stack([[self._shown(view, back) for back in range(count - 1, -1, -1)] for view in views]),
            region=np.stack([self._region(view) for view in views]),
            reach=np.stack([self._reach(view, REACH) for view in views]).astype(np.float32),
            patch=self._patch_place(random, views[0]),
            corners=np.array([view.corner for view in views], np.int64),
            references=np.stack([self._reference(view, part, references) for view in views])
            if part is not None and references
            else None,
        )

    def shows(self, part: Part) -> bool:
        """Whether a part is ever seen."""
        return bool(self._crops_of(part))

    def part_side(self, part: Part) -> int:
        """The side of a part's crops in this footage, in pixels."""
        if part not in self._sides:
            self._sides[part] = crop_side(self.keypoints[self.subject.training_frames], part)
        return self._sides[part]

    def references(self, part: Part, count: int) -> CropBank:
        """At most ``count`` crops of a part in training frames, which stand for all the others."""
        return self._kept(part, count).bank

    @property
    def puppet(self) -> LimbBank | None:
        """The one that the generator is shown, of training frames."""
        return self._puppet.bank if self._limbs else None

    def share(self, other: "PairDataset") -> None:
        """Use the frames that ``other``, of the same footage at the same size, has decoded, and its puppet."""
        self._decoded = other._decoded
        if self._limbs and other._limbs == self._limbs:
            self.__dict__["_puppet"] = other._puppet

    def frame(self, index: int) -> Images:
        """The true frame at the size the networks work on; recently used ones are kept."""
        image = self._decoded.get(index)
        if image is None:
            image = resized(self.subject.frame(index), self.size)
            if (len(self._decoded) + 1) * image.nbytes <= CACHE_BYTES:
                self._decoded[index] = image
        return image

    def _view(self, random: np.random.Generator, last: int, history: int, part: Part | None) -> _View:
        """Look at the footage up to frame ``last``, with variety."""
        if part is None:
            box, crop = self._cropped(random, last), None
        else:
            crops = self._crops_of(part)[last]
            crop = crops[int(random.integers(len(crops)))]
            box = self._around(random, crop.box)
        # Half of the samples move as the person did.
        reachable = min(self.variety.longest_gap, int(self.history[last]) // (history + 1))
        gap = int(random.integers(0, reachable + 1)) if self.variety.longest_gap > 1 and random.random() < 0.5 else 1
        missing = np.zeros(len(self.keypoints.xy[last]), bool)
        if random.random() < self.variety.missing:
            if random.random() < 0.5:
                missing[random.integers(BODY.stop)] = True
            else:
                missing[(FACE, LEFT_HAND, RIGHT_HAND)[random.integers(3)]] = True
        mirrored = bool(random.random() < self.variety.mirrored)
        corner = (0, 0)
        if crop is not None:
            x = crop.box.x - box.x
            corner = (box.width - crop.box.width - x if mirrored else x, crop.box.y - box.y)
        shown = box
        if random.random() < self.variety.elsewhere and part is None:
            most = np.maximum(np.array(self.size) - (box.width, box.height), 0)
            x, y = random.integers(0, most + 1).tolist()
            shown = Box(x, y, box.width, box.height)
        group, rank = (0, 0) if crop is None else (crop.group, int(random.choice(len(RANKS), p=RANKS)))
        return _View(last, box, gap, mirrored, missing, shown, corner, group, rank)

    def _crops_of(self, part: Part) -> dict[int, list[Crop]]:
        """The crops of a part in the usable frames in which it is seen."""
        if part not in self._parts:
            self._parts[part] = self._crops(part, self.usable)
        return self._parts[part]

    def _crops(self, part: Part, frames: NDArray[np.int64]) -> dict[int, list[Crop]]:
        side, keypoints = self.part_side(part), self.keypoints
        crops = {index: part_crops(keypoints.pose(index), part, side, self.size) for index in frames.tolist()}
        return {index: found for index, found in crops.items() if found}

    def _kept(self, part: Part, count: int) -> TrainingCrops:
        if part not in self._references:
            # Of the training's frames even where samples show held-out ones.
            crops = self._crops(part, self.subject.frames_with_person)
            side = self.part_side(part)
            self._references[part] = TrainingCrops.choose(part, side, crops, self.keypoints, self.frame, count)
        return self._references[part]

    def _reference(self, view: _View, part: Part, count: int) -> Images:
        """One of the references nearest to a view, laid on it."""
        box, keypoints, group = view.box, self.keypoints, view.group
        if view.mirrored:
            box, keypoints = self._mirrored_box(box), self.mirrored_keypoints
            group = len(PART_JOINTS[part]) - 1 - group
        pose = keypoints.pose(view.last).without(view.missing)
        pose = pose.shifted(-(box.x + view.corner[0]), -(box.y + view.corner[1]))
        return self._kept(part, count).near(view.last, pose, group, view.rank, view.mirrored)

    def _mirrored_box(self, box: Box) -> Box:
        return Box(self.size[0] - box.x - box.width, box.y, box.width, box.height)

    def _cut(self, view: _View, image: Images) -> Images:
        """What ``view`` shows of a frame (H, W, C) or a map (H, W)."""
        part = view.box.cut(image)
        return part[:, ::-1] if view.mirrored else part

    def _pose(self, view: _View, back: int) -> Images:
        """The pose image, drawn straight into the view's box."""
        return draw_pose(*self._figure(view, back), self.size[1])

    def _figure(self, view: _View, back: int) -> tuple[Pose, Box]:
        """The pose asked for, and the box in which it lies."""
        box, keypoints = view.box, self.keypoints
        if view.mirrored:
            # The figure is drawn anew, not flipped: in a mirror the left hand is a right hand.
            box, keypoints = self._mirrored_box(box), self.mirrored_keypoints
        return keypoints.pose(view.frame(back)).without(view.missing), box

    def _shown(self, view: _View, back: int) -> Images:
        """What the generator is shown of the place, ``back`` places before the view's last frame."""
        behind = self._cut(replace(view, box=view.shown), self.plate)
        if not self._limbs:
            return behind
        pose, box = self._figure(view, back)
        return self._puppet.lay(view.last, behind, pose, box, view.mirrored)

    @cached_property
    def _puppet(self) -> TrainingLimbs:
        # Of the training's frames even where samples show held-out ones.
        frames = self.subject.frames_with_person
        known = resized(self.subject.plate_known.astype(np.uint8), self.size) > 0
        return TrainingLimbs.choose(self.keypoints, frames, self.frame, self.plate, known, self._limbs)

    def _region(self, view: _View) -> NDArray[np.float32]:
        """(1, h, w): 1 within reach of the person, 2 at face and hands, where the eye looks first."""
        xy, confidence = self.keypoints.xy[view.last], self.keypoints.confidence[view.last]
        weight = person_mask(self.keypoints.pose(view.last), self.size, REGION).astype(np.uint8)
        for part in (FACE, LEFT_HAND, RIGHT_HAND):
            points = xy[part][confidence[part] > 0]
            if len(points) > 2:
                center, radius = cv2.minEnclosingCircle(points.astype(np.float32))
                cv2.circle(weight, (round(center[0]), round(center[1])), round(1.3 * radius), (2,), -1)
        return np.asarray(self._cut(view, weight)[None], np.float32)

    def _reach(self, view: _View, grow: float) -> Images:
        """(1, h, w): 1 within the person's region, grown by a share of the body's height."""
        pose = self.keypoints.pose(view.last)
        return self._cut(view, person_mask(pose, self.size, grow).astype(np.uint8))[None]

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

    def _around(self, random: np.random.Generator, inner: Box) -> Box:
        """What is cut around the crop of a part: the whole frame, or a square that holds the crop somewhere."""
        whole = whole_frame(self.size)
        if not self.crop:
            return whole
        sides = [min(max(self.crop, inner.width + SIZE_STEP), side) for side in (whole.width, whole.height)]
        corner = []
        for first, side, frame in zip((inner.x, inner.y), sides, self.size, strict=True):
            # The origin is rounded down to the stride, so the crop must have that much room at its far end.
            low = min(first + inner.width + STRIDE - side, first)
            origin = int(random.integers(low, first + 1)) // STRIDE * STRIDE
            corner.append(min(max(origin, 0), max(-(-(frame - side) // STRIDE) * STRIDE, 0)))
        return Box(corner[0], corner[1], sides[0], sides[1])

    def _joint(self, random: np.random.Generator, index: int) -> NDArray[np.float32]:
        """(2,): where a random joint is, of the body as often as of face and hands together, which have most joints."""
        found = np.flatnonzero(self.keypoints.found[index])
        body = found < BODY.stop
        if body.any() and not body.all():
            found = found[body == (random.random() < 0.5)]
        return np.asarray(self.keypoints.xy[index, random.choice(found)])

    def _patch_place(self, random: np.random.Generator, view: _View) -> tuple[int, int]:
        """Top left corner of a crop around a random joint of the batch's first sample."""
        box = view.box
        x, y = self._joint(random, view.last) - (box.x, box.y)
        x, y = (box.width - x if view.mirrored else x) - self.patch / 2, y - self.patch / 2
        return (
            int(np.clip(y, 0, max(box.height - self.patch, 0))),
            int(np.clip(x, 0, max(box.width - self.patch, 0))),
        )


def prefetch(draw: Callable[[int], Sample], steps: Sequence[int]) -> Iterator[Sample]:
    """``draw(step)`` for ``steps`` in order, made one or two ahead in a thread beside the training."""
    with ThreadPoolExecutor(1) as pool:
        ahead: deque[Future[Sample]] = deque()
        try:
            for step in steps:
                ahead.append(pool.submit(draw, step))
                if len(ahead) > 2:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


def _run_lengths(subject: Subject, frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each frame, how many of ``frames`` with a person stand before it without a break; -1 where unusable."""
    usable = np.zeros(len(subject.keypoints), bool)
    usable[frames] = True
    usable &= subject.keypoints.person_seen
    starts = {clip.first for clip in subject.manifest.clips} | set(subject.manifest.cuts)
    lengths = np.full(len(usable), -1, np.int64)
    run = -1
    for index, good in enumerate(usable):
        run = -1 if not good else 0 if index in starts else run + 1
        lengths[index] = run
    return lengths
