"""The trained person: given a pose and the frame before, it paints the next frame."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
import torch

from everybody_dance.appearance.crop_bank import CropBank, CropTrack
from everybody_dance.appearance.limb_bank import LimbBank, LimbTrack
from everybody_dance.drawing.crops import part_crops
from everybody_dance.drawing.pose_image import PoseImage
from everybody_dance.drawing.window import TightWindow, Window, fit_window, whole_frame
from everybody_dance.images import Box, Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.networks.face_gan import Refiner
from everybody_dance.networks.generators import GENERATORS
from everybody_dance.performer.engine import mixed_precision
from everybody_dance.performer.manifest import PerformerManifest, RefinerManifest
from everybody_dance.performer.painter import Painter
from everybody_dance.performer.runtime import Colours, Runtime, TorchRuntime
from everybody_dance.performer.tensors import to_images, to_tensor
from everybody_dance.skeleton import Part

VISIBLE, SOME = 3, 4
"""A difference of so many levels of 255 is one, on average over squares of so many pixels: single ones are not seen."""


@dataclass(frozen=True)
class Tracks:
    """Per-sequence state besides the previous frame: which true pictures are shown.

    Attributes:
        limbs: the puppet's pictures; None for performers without a puppet.
        crops: the references, by part.
    """

    limbs: LimbTrack | None
    crops: Mapping[Part, CropTrack]


@dataclass(frozen=True)
class Painting:
    """A frame as the generator painted it.

    Attributes:
        frame: uint8 (H, W, 3), the composited frame.
        mask: float32 (h, w, 1) in [0, 1], where the person covers the plate within the box; None: everywhere.
        extent: the part of the frame that is not the plate; None where all of it is.
    """

    frame: Image
    mask: Colours | None
    extent: Box | None = None


class Performer:
    """The networks, the clean plate and the true pictures of one person.

    Args:
        manifest: what it is.
        painter: its generator, on the device where it is to run.
        plate: uint8 (H, W, 3), the empty place.
        device: where ``painter`` is.
        refiners: the networks of ``manifest.refiners``, on the same device.
        crop_banks: true crops for those refiners that are shown a reference.
        poses: some of the poses it was trained on, in its frame.
        limb_bank: true pictures of limbs, where its generator is shown a puppet.
    """

    def __init__(
        self,
        manifest: PerformerManifest,
        painter: Painter,
        plate: Image,
        device: torch.device,
        refiners: Mapping[Part, Refiner] = MappingProxyType({}),
        crop_banks: Mapping[Part, CropBank] = MappingProxyType({}),
        poses: Keypoints | None = None,
        limb_bank: LimbBank | None = None,
    ) -> None:
        if plate.shape != (manifest.size[1], manifest.size[0], 3):
            raise ValueError(f"a plate of shape {plate.shape} does not fit frames of {manifest.size}")
        self.manifest = manifest
        self.painter = painter
        self.runtime: Runtime = TorchRuntime(painter, device)
        self.plate = plate
        self.device = device
        self.refiners = dict(refiners)
        self.crop_banks = dict(crop_banks)
        self.poses = Keypoints.empty(0, manifest.size, manifest.fps) if poses is None else poses
        self.limb_bank = limb_bank

    def unrefined(self) -> "Performer":
        """The same performer without its refiners."""
        manifest = self.manifest.model_copy(update={"refiners": {}})
        return Performer(manifest, self.painter, self.plate, self.device, poses=self.poses, limb_bank=self.limb_bank)

    def refined(
        self, part: Part, manifest: RefinerManifest, refiner: Refiner, crop_bank: CropBank | None = None
    ) -> "Performer":
        """The same performer with one more refiner."""
        refiners = {**self.manifest.refiners, part: manifest}
        return Performer(
            self.manifest.model_copy(update={"refiners": refiners}),
            self.painter,
            self.plate,
            self.device,
            {**self.refiners, part: refiner},
            self.crop_banks if crop_bank is None else {**self.crop_banks, part: crop_bank},
            self.poses,
            self.limb_bank,
        )

    def window(self, keypoints: Keypoints | None = None) -> Window | TightWindow:
        """The window to paint in.

        Where the generator minds how large it is, it has one size, never smaller than that of the training.

        Args:
            keypoints: of the dance, in this performer's frame, which such a window is fitted to; None: the dance is not
                known yet, and the window fits the training footage.
        """
        if self.manifest.window is None:
            box = whole_frame(self.manifest.size)
            return Window((box.width, box.height), 0.0, self.manifest.size, self.runtime.stride)
        if GENERATORS[self.manifest.architecture].local:
            return TightWindow(self.manifest.window, self.manifest.size, self.runtime.stride)
        keypoints = self.poses if keypoints is None else keypoints
        return fit_window(keypoints, self.runtime.stride, self.manifest.window)

    def tracks(self, fps: float) -> Tracks:
        """Fresh per-sequence state, for each dance and after each cut; ``fps`` is the dance's rate."""
        limbs = None if self.limb_bank is None else LimbTrack(self.limb_bank, fps)
        return Tracks(limbs, {part: CropTrack(bank, fps) for part, bank in self.crop_banks.items()})

    def step(self, drawn: PoseImage, box: Box, previous: Image | None, tracks: Tracks) -> Painting:
        """Paint one frame.

        Args:
            drawn: the pose, in pixels of this performer's frame.
            box: what to paint; the rest of the frame is the plate.
            previous: uint8 (H, W, 3), the whole frame before; None at the start and after a cut.
            tracks: of this dance, up to the frame before.
        """
        plate = box.cut(self.plate)
        shown = plate if tracks.limbs is None else tracks.limbs.follow(plate, drawn.pose, box)
        before = plate if previous is None else box.cut(previous)
        colours, mask = self.runtime.paint(drawn.cut(box), plate, shown, before, previous is not None)
        frame = self.plate.copy()
        painted = composite(plate, colours, mask)
        box.paste(painted, frame)
        return Painting(frame, mask, box if mask is None else changed(plate, painted, box))

    @torch.inference_mode()
    def refine(self, frame: Image, drawn: PoseImage, tracks: Tracks) -> Image:
        """Refine face and hands where they are seen.

        Args:
            frame: as ``step`` returned it.
            drawn: as ``step`` took it.
            tracks: of this dance, up to the frame before.

        Returns:
            uint8 (H, W, 3), a new frame.
        """
        frame, pose = frame.copy(), drawn.pose
        for part, refiner in self.refiners.items():
            track = tracks.crops.get(part)
            crops = part_crops(pose, part, self.manifest.refiners[part].side, self.manifest.size)
            for crop in crops:
                picture = crop.box.cut(frame)
                images = [drawn.cut(crop.box), picture]
                if track is not None:
                    reference = track.follow(pose.shifted(-crop.box.x, -crop.box.y), crop.group)
                    # Where no reference can be laid on it, the picture is its own.
                    images.append(picture if reference is None else reference)
                with mixed_precision(self.device):
                    better = refiner(*(to_tensor(image[None], self.device) for image in images))
                crop.box.paste(to_images(better)[0], frame)
            if track is not None:
                track.keep({crop.group for crop in crops})
        return frame


def changed(plate: Image, painted: Image, box: Box) -> Box | None:
    """The part of ``box`` in which a picture visibly differs from the plate; None where it does nowhere.

    Args:
        plate, painted: uint8 (h, w, 3), what ``box`` shows; its sides are multiples of ``SOME``.
        box: in the frame.
    """
    size = box.width // SOME, box.height // SOME
    difference = cv2.resize(cv2.absdiff(plate, painted), size, interpolation=cv2.INTER_AREA)
    x, y, width, height = (SOME * side for side in cv2.boundingRect(difference.max(axis=2) // VISIBLE))
    return Box(box.x + x, box.y + y, width, height) if width else None


def composite(plate: Image, colours: Colours, mask: Colours | None) -> Image:
    """``colours`` laid over ``plate`` by ``mask``.

    Args:
        plate: uint8 (H, W, 3).
        colours: float32 (H, W, 3), meant for [-1, 1].
        mask: float32 (H, W, 1) in [0, 1]; None: the colours are the whole picture.

    Returns:
        uint8 (H, W, 3).
    """
    if mask is None:
        frame = colours.clip(-1, 1)
    else:
        # In place where it can be: the pictures are large.
        behind = plate / np.float32(127.5)
        behind -= 1
        frame = colours - behind
        frame *= mask
        frame += behind
        frame.clip(-1, 1, out=frame)
    frame += 1
    frame *= np.float32(127.5)
    return np.asarray(frame.round(out=frame), np.uint8)
