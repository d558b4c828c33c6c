"""Training samples: a pure function of the seed and the step, so that resuming needs no state of its own."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance import events
from everybody_dance.appearance.crop_bank import CropBank
from everybody_dance.appearance.limb_bank import LimbBank
from everybody_dance.appearance.limb_cutting import typical_height
from everybody_dance.drawing.crops import PART_JOINTS
from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.drawing.pose_image import draw_pose
from everybody_dance.drawing.window import person_windows, whole_frame
from everybody_dance.errors import DanceError
from everybody_dance.images import Box, Image
from everybody_dance.keypoints import Pose
from everybody_dance.pose.mattes import COVERED
from everybody_dance.skeleton import FACE, LEFT_HAND, RIGHT_HAND, Part
from everybody_dance.subject.subject import Subject
from everybody_dance.training.material import Material
from everybody_dance.training.presets import Preset
from everybody_dance.training.views import STRIDE, View, ViewDrawer

REGION = 0.03
"""Margin of the person's region around the matte, in fractions of the body's height."""

REACH = 0.2
"""Margin within which the mask may open, in fractions of the body's height."""


@dataclass(frozen=True)
class Sample:
    """A batch: everything cut with the box of each sample's last frame t.

    Attributes:
        history: frames of rollout before t that it has room for.
        poses: uint8 (B, N, h, w, 3), pose images of N successive frames, the last of frame t; N at least 2.
        start: uint8 (B, h, w, 3), the true frame before the first pose.
        before: uint8 (B, h, w, 3), the true frame before t.
        frames: uint8 (B, h, w, 3), the true frame t.
        plate: uint8 (B, h, w, 3).
        shown: uint8 (B, N, h, w, 3), what the generator is shown of the place, with each pose: perhaps the plate of
            another place, perhaps with a puppet in it.
        region: float32 (B, 1, h, w), 1 within reach of the person, 2 at face and hands, 0 elsewhere.
        matte: float32 (B, 1, h, w) in [0, 1], how much of each pixel of ``frames`` is the person.
        reach: float32 (B, 1, h, w), 1 where the mask may open: the region, shadows and loose clothes.
        patch: (y, x) of the discriminator's crop.
        corners: int (B, 2), (x, y) of the crop of a part in each sample, where a part was asked for.
        references: uint8 (B, side, side, 3), another true picture of that part in nearly the same pose, laid on it;
            None where none were asked for.
    """

    history: int
    poses: Image
    start: Image
    before: Image
    frames: Image
    plate: Image
    shown: Image
    region: NDArray[np.float32]
    matte: NDArray[np.float32]
    reach: NDArray[np.float32]
    patch: tuple[int, int]
    corners: NDArray[np.int64]
    references: Image | None = None


class PairDataset:
    """Draws samples from a subject's training frames; ``dataset.sample(step, history)`` is deterministic.

    Args:
        subject: where the frames are.
        preset: what samples show: size, window, crops and variety.
        batch: samples in a batch, of all processes together.
        seed: of everything that is drawn.
        puppet: pictures kept of each limb, with which the generator is shown a puppet; 0: it is shown none.
        held_out: draw from the frames that were held out, where there are any, instead of those for training.
        shard: (i, n): of each batch only the i-th of n equal parts is made; the others are other processes'.
        shared: a dataset whose decoded frames, crops and limbs are used again, if it is of the same subject and size.

    Raises:
        DanceError: no two consecutive training frames show a person (code ``too-short``).
    """

    def __init__(
        self,
        subject: Subject,
        preset: Preset,
        *,
        batch: int,
        seed: int,
        puppet: int = 0,
        held_out: bool = False,
        shard: tuple[int, int] = (0, 1),
        shared: "PairDataset | None" = None,
    ) -> None:
        self.subject = subject
        self.size = working_size(subject.manifest.size, preset.frame_area)
        self.batch = batch
        self.limbs_kept = puppet
        self._patch, self._seed, self._shard = preset.patch, seed, shard
        reused = shared is not None and shared.subject is subject and shared.size == self.size
        self._material: Material = shared._material if shared is not None and reused else Material(subject, self.size)
        self.keypoints, self.plate = self._material.keypoints, self._material.plate
        self.statistics = subject.manifest.statistics.scaled(self.size[1] / subject.manifest.size[1])
        boxes = self._windows() if preset.person_window else [whole_frame(self.size)] * len(self.keypoints)
        self.window = boxes[0].width, boxes[0].height
        self._views = ViewDrawer(self.keypoints, boxes, preset.crop, preset.variety)
        runs = _run_lengths(subject, subject.holdout_frames if held_out else subject.training_frames)
        if held_out and runs.max(initial=-1) < 1:
            runs = _run_lengths(subject, subject.training_frames)
            events.remark("nothing-held-out", "No footage was held out, so the previews show training frames.")
        self._runs = runs
        self.usable = np.flatnonzero(runs >= 1)
        if not len(self.usable):
            raise DanceError("too-short", "There are no two training frames in a row that show a person. Film more.")
        self._height = typical_height(self.keypoints[subject.frames_with_person])

    def sample(self, step: int, history: int, part: Part | None = None, references: int = 0) -> Sample:
        """The batch of ``step``.

        Args:
            step: counts from 0.
            history: frames of rollout before the last one; fewer where no run of the person is that long. Pose images
                of ``max(history, 1) + 1`` frames come back.
            part: show this part of the person, whole, in frames where it is seen; there must be some (``shows``).
            references: size of the crop bank from which each sample is shown a reference; 0: none.
        """
        random = np.random.default_rng([self._seed, step])
        usable = self.usable if part is None else self._showing(part)
        enough = usable[self._runs[usable] >= history + 1]
        if not len(enough):
            enough = usable
            history = int(self._runs[enough].min()) - 1
        last = random.choice(enough, self.batch, replace=len(enough) < self.batch)
        views = [self._view(random, int(t), history, part) for t in last]
        share = len(views) // self._shard[1]
        views = views[self._shard[0] * share : (self._shard[0] + 1) * share]
        back = range(max(history, 1), -1, -1)

        mattes = [self._material.matte(view.last) for view in views]

        def cut(back: int) -> Image:
            return np.stack([_cut(view, self.frame(view.frame(back))) for view in views])

        return Sample(
            history=history,
            poses=np.stack([[draw_pose(*self._posed(view, b), self.size[1]) for b in back] for view in views]),
            start=cut(history + 1),
            before=cut(1),
            frames=cut(0),
            plate=np.stack([_cut(view, self.plate) for view in views]),
            shown=np.stack([[self._shown(view, b) for b in back] for view in views]),
            region=np.stack([self._region(view, matte) for view, matte in zip(views, mattes, strict=True)]),
            matte=np.stack([_cut(view, matte)[None] for view, matte in zip(views, mattes, strict=True)])
            / np.float32(255),
            reach=np.stack([self._reach(view) for view in views]),
            patch=self._patch_place(random, views[0]),
            corners=np.array([view.corner for view in views], np.int64),
            references=np.stack([self._reference(view, part, references) for view in views])
            if part is not None and references
            else None,
        )

    def shows(self, part: Part) -> bool:
        """Whether a part is ever seen."""
        return bool(len(self._showing(part)))

    def part_side(self, part: Part) -> int:
        """The side of a part's crops in this footage, in pixels."""
        return self._material.part_side(part)

    def crop_bank(self, part: Part, count: int) -> CropBank:
        """At most ``count`` crops of a part in training frames, which stand for all the others."""
        return self._material.crop_bank(part, count).bank

    @property
    def limb_bank(self) -> LimbBank | None:
        """The pictures of limbs in training frames that the generator is shown; None where it is shown none."""
        return self._material.limbs(self.limbs_kept).bank if self.limbs_kept else None

    def frame(self, index: int) -> Image:
        """The true frame at the size the networks work on."""
        return self._material.frame(index)

    def _windows(self) -> list[Box]:
        """A window for each frame, of one size that the training frames alone decide."""
        training = np.zeros(len(self.keypoints), bool)
        training[self.subject.training_frames] = True
        first = person_windows(self.keypoints[training], STRIDE)[0]
        size = first.width, first.height
        boxes = person_windows(self.keypoints, STRIDE, self.subject.manifest.cuts, at_least=size)
        return [Box(box.x, box.y, *size) for box in boxes]

    def _showing(self, part: Part) -> NDArray[np.int64]:
        """The usable frames in which a part is seen."""
        return self.usable[np.isin(self.usable, list(self._material.crops(part)))]

    def _view(self, random: np.random.Generator, last: int, history: int, part: Part | None) -> View:
        run = int(self._runs[last])
        if part is None:
            return self._views.of_person(random, last, run, history)
        return self._views.of_part(random, last, run, history, self._material.crops(part)[last])

    def _posed(self, view: View, back: int) -> tuple[Pose, Box]:
        """The pose asked for, ``back`` places before the view's last frame, and the box in which it is drawn."""
        box, keypoints = view.box, self.keypoints
        if view.mirrored:
            # The figure is drawn anew, not flipped: in a mirror the left hand is a right hand.
            keypoints = self._material.mirrored_keypoints
            box = Box(self.size[0] - box.x - box.width, box.y, box.width, box.height)
        return keypoints.pose(view.frame(back)).without(view.missing), box

    def _shown(self, view: View, back: int) -> Image:
        """What the generator is shown of the place, ``back`` places before the view's last frame."""
        behind = _cut(replace(view, box=view.shown), self.plate)
        if not self.limbs_kept:
            return behind
        pose, box = self._posed(view, back)
        return self._material.limbs(self.limbs_kept).lay(view.last, behind, pose, box, view.mirrored)

    def _reference(self, view: View, part: Part, count: int) -> Image:
        """One of the references nearest to a view, laid on it."""
        pose, box = self._posed(view, 0)
        group = len(PART_JOINTS[part]) - 1 - view.group if view.mirrored else view.group
        pose = pose.shifted(-(box.x + view.corner[0]), -(box.y + view.corner[1]))
        return self._material.crop_bank(part, count).near(view.last, pose, group, view.rank, view.mirrored)

    def _region(self, view: View, matte: Image) -> NDArray[np.float32]:
        """(1, h, w): 1 within reach of the person, 2 at face and hands, where the eye looks first."""
        pose = self.keypoints.pose(view.last)
        margin = max(round(REGION * self._height), 1)
        around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1))
        weight = np.asarray(cv2.dilate((matte >= COVERED).astype(np.uint8), around), np.uint8)
        for part in (FACE, LEFT_HAND, RIGHT_HAND):
            points = pose.xy[part][pose.found[part]]
            if len(points) > 2:
                center, radius = cv2.minEnclosingCircle(points.astype(np.float32))
                cv2.circle(weight, (round(center[0]), round(center[1])), round(1.3 * radius), (2,), -1)
        return np.asarray(_cut(view, weight)[None], np.float32)

    def _reach(self, view: View) -> NDArray[np.float32]:
        """(1, h, w): 1 where the mask may open."""
        mask = person_mask(self.keypoints.pose(view.last), self.size, REACH)
        return np.asarray(_cut(view, mask.astype(np.uint8))[None], np.float32)

    def _patch_place(self, random: np.random.Generator, view: View) -> tuple[int, int]:
        """Top left corner of a crop around a random joint of the batch's first sample."""
        box, side = view.box, self._patch
        x, y = self._views.joint(random, view.last) - (box.x, box.y)
        x, y = (box.width - x if view.mirrored else x) - side / 2, y - side / 2
        return int(np.clip(y, 0, max(box.height - side, 0))), int(np.clip(x, 0, max(box.width - side, 0)))


def working_size(size: tuple[int, int], area: int | None) -> tuple[int, int]:
    """Even sides of about ``area`` pixels in the same proportion; the size itself where it is no larger."""
    factor = 1.0 if area is None else min(1.0, (area / (size[0] * size[1])) ** 0.5)
    width, height = (max(2 * round(side * factor / 2), 2) for side in size)
    return width, height


def _cut(view: View, image: Image) -> Image:
    """What ``view`` shows of a frame (H, W, C) or a map (H, W)."""
    part = view.box.cut(image)
    return part[:, ::-1] if view.mirrored else part


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
