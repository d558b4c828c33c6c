"""The trained person: give it a pose and the frame before, and it paints the next frame."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Self

import cv2
import numpy as np
import pydantic
import safetensors.torch
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError
from torch import nn

from everybody_dance import __version__
from everybody_dance.appearance.crop_bank import References, ReferenceTrack
from everybody_dance.appearance.limb_bank import Puppet, PuppetTrack
from everybody_dance.drawing.crops import PARTS, Part, part_crops
from everybody_dance.drawing.pose_image import draw_pose
from everybody_dance.drawing.window import person_windows, whole_frame
from everybody_dance.errors import DanceError, UsageError
from everybody_dance.files import write_bytes, write_text
from everybody_dance.images import Box
from everybody_dance.keypoints import Keypoints
from everybody_dance.networks.face_gan import Refiner
from everybody_dance.performer.engine import mixed_precision, place, to_images, to_tensor
from everybody_dance.performer.painter import Architecture, Painted, Painter, choose_device
from everybody_dance.retarget.statistics import PoseStatistics

FORMAT_VERSION = 4
"""2: hidden joints, profiles and the skull are drawn. 3: refiners are shown references. 4: generators a puppet."""

OLDEST_VERSION = 3
"""That is read as well."""

MANIFEST_NAME = "model.json"
POSES = "poses.safetensors"
PUPPET = "puppet.safetensors"


class RefinerManifest(BaseModel):
    """A refiner of a part: the side of its crops in pixels, and its network's arguments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    side: int
    arguments: dict[str, int]


class PerformerManifest(BaseModel):
    """Everything about a performer but its weights and its plate: ``model/model.json``.

    Attributes:
        size: (W, H) of the frames it paints, in pixels.
        fps: rate of the footage it was trained on, as a fraction.
        window: (W, H) of the person window it was trained with; None: it paints the whole frame.
        statistics: where the person stands in the frame, for global pose normalization.
        perceptual_loss: what it was trained with, ``vgg19`` or ``laplacian``.
        steps: training steps taken.
        seed: of the training.
        refiners: what is refined, and how.
        puppet: whether the generator is shown one.
        hashes: SHA-256 of each file beside this one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    made_with: str
    preset: str
    subject: str
    detector: str
    size: tuple[int, int]
    fps: Fraction
    window: tuple[int, int] | None
    statistics: PoseStatistics
    architecture: Architecture
    arguments: dict[str, int]
    previous_frame: bool
    over_plate: bool
    perceptual_loss: str
    steps: int
    seed: int = 0
    refiners: dict[Part, RefinerManifest] = {}
    puppet: bool = False
    hashes: dict[str, str] = {}


@dataclass(frozen=True)
class Tracks:
    """What is kept in mind from frame to frame of a dance, beside the frame before.

    Attributes:
        puppet: which true limbs are laid on the pose; None for performers without a puppet.
        references: by the part, which true crops are shown.
    """

    puppet: PuppetTrack | None
    references: Mapping[Part, ReferenceTrack]


class Performer:
    """Networks, clean plate and window of one person.

    Args:
        manifest: what it is.
        painter: its networks, on the device where they are to run.
        plate: uint8 (H, W, 3), the empty place.
        device: where ``painter`` is.
        refiners: the networks of ``manifest.refiners``, on the same device.
        references: true crops for those refiners that are shown one.
        poses: some of the poses it was trained on, in its frame.
        puppet: true limbs, where its generator is shown a puppet.
    """

    def __init__(
        self,
        manifest: PerformerManifest,
        painter: Painter,
        plate: NDArray[np.uint8],
        device: torch.device,
        refiners: Mapping[Part, Refiner] = MappingProxyType({}),
        references: Mapping[Part, References] = MappingProxyType({}),
        poses: Keypoints | None = None,
        puppet: Puppet | None = None,
    ) -> None:
        if plate.shape != (manifest.size[1], manifest.size[0], 3):
            raise ValueError(f"a plate of shape {plate.shape} does not fit frames of {manifest.size}")
        self.manifest = manifest
        self.painter = painter
        self.plate = plate
        self.device = device
        self.refiners = dict(refiners)
        self.references = dict(references)
        self.poses = Keypoints.empty(0, manifest.size, manifest.fps) if poses is None else poses
        self.puppet = puppet

    def unrefined(self) -> "Performer":
        """The same performer without its refiners."""
        manifest = self.manifest.model_copy(update={"refiners": {}})
        return Performer(manifest, self.painter, self.plate, self.device, poses=self.poses, puppet=self.puppet)

    def refined(
        self, part: Part, manifest: RefinerManifest, refiner: Refiner, references: References | None = None
    ) -> "Performer":
        """The same performer with a refiner more."""
        refiners = {**self.manifest.refiners, part: manifest}
        return Performer(
            self.manifest.model_copy(update={"refiners": refiners}),
            self.painter,
            self.plate,
            self.device,
            {**self.refiners, part: refiner},
            self.references if references is None else {**self.references, part: references},
            self.poses,
            self.puppet,
        )

    def windows(self, keypoints: Keypoints, cuts: Sequence[int] = ()) -> list[Box]:
        """The box that is painted in each frame; ``keypoints`` are in this performer's frame."""
        if self.manifest.window is None:
            return [whole_frame(self.manifest.size)] * len(keypoints)
        return person_windows(keypoints, cuts, at_least=self.manifest.window)

    @torch.inference_mode()
    def step(
        self,
        xy: NDArray[np.float32],
        confidence: NDArray[np.float32],
        box: Box,
        previous: NDArray[np.uint8] | None,
        tracks: Tracks,
    ) -> NDArray[np.uint8]:
        """Paint one frame.

        Args:
            xy: (137, 2), pixels of this performer's frame.
            confidence: (137,) in [0, 1].
            box: what to paint; the rest of the frame is the plate.
            previous: uint8 (H, W, 3), the whole frame before; None at the start and after a cut.
            tracks: of this dance, up to the frame before.

        Returns:
            uint8 (H, W, 3).
        """
        pose = draw_pose(xy, confidence, box, self.manifest.size[1])
        plate = box.cut(self.plate)
        shown = None if tracks.puppet is None else tracks.puppet.follow(plate, xy, confidence, box)
        images = pose, plate, None if previous is None else box.cut(previous), shown
        tensors = [None if image is None else to_tensor(image[None], self.device) for image in images]
        with mixed_precision(self.device):
            painted: Painted = self.painter(*tensors)
        frame = self.plate.copy()
        box.paste(to_images(painted.frame)[0], frame)
        return frame

    def tracks(self, fps: float) -> Tracks:
        """What ``step`` and ``refine`` keep in mind from frame to frame of a dance with ``fps`` frames a second.

        New ones for each dance, and after each cut.
        """
        puppet = None if self.puppet is None else PuppetTrack(self.puppet, fps)
        return Tracks(puppet, {part: ReferenceTrack(shown, fps) for part, shown in self.references.items()})

    @torch.inference_mode()
    def refine(
        self,
        frame: NDArray[np.uint8],
        xy: NDArray[np.float32],
        confidence: NDArray[np.float32],
        tracks: Tracks,
    ) -> NDArray[np.uint8]:
        """What ``step`` painted, with face and hands refined where they are seen: a new frame, the same size.

        Args:
            frame: as ``step`` returned it.
            xy, confidence: as ``step`` took them.
            tracks: of this dance, up to the frame before.
        """
        frame = frame.copy()
        for part, refiner in self.refiners.items():
            track = tracks.references.get(part)
            crops = part_crops(xy, confidence, part, self.manifest.refiners[part].side, self.manifest.size)
            for crop in crops:
                pose, picture = draw_pose(xy, confidence, crop.box, self.manifest.size[1]), crop.box.cut(frame)
                images = [pose, picture]
                if track is not None:
                    inside = xy - np.array((crop.box.x, crop.box.y), np.float32)
                    reference = track.follow(inside, confidence, crop.group)
                    # Where no reference can be laid on it, the picture is its own.
                    images.append(picture if reference is None else reference)
                with mixed_precision(self.device):
                    better = refiner(*(to_tensor(image[None], self.device) for image in images))
                crop.box.paste(to_images(better)[0], frame)
            if track is not None:
                track.keep({crop.group for crop in crops})
        return frame

    def save(self, folder: Path) -> None:
        """Write ``folder``: weights as safetensors, the plate as PNG, and last the manifest with their hashes."""
        _, plate = cv2.imencode(".png", self.plate[..., ::-1])
        networks = _networks(self.painter, self.refiners)
        arrays = {"xy": torch.from_numpy(self.poses.xy), "confidence": torch.from_numpy(self.poses.confidence)}
        files = {"plate.png": plate.tobytes(), POSES: safetensors.torch.save(arrays)} | {
            _weights(name): _packed(net) for name, net in networks.items()
        }
        for part, references in self.references.items():
            tensors = {name: torch.from_numpy(array) for name, array in references.arrays().items()}
            files[_references(part)] = safetensors.torch.save(tensors)
        if self.puppet is not None:
            limbs = {name: torch.from_numpy(array) for name, array in self.puppet.arrays().items()}
            files[PUPPET] = safetensors.torch.save(limbs)
        for name, data in files.items():
            write_bytes(folder / name, data)
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        manifest = self.manifest.model_copy(update={"hashes": hashes})
        write_text(folder / MANIFEST_NAME, manifest.model_dump_json(indent=2) + "\n")
        optional = {PUPPET} | {name for part in PARTS for name in (_weights(part), _references(part))}
        for name in optional - set(files):
            (folder / name).unlink(missing_ok=True)

    @classmethod
    def load(cls, folder: Path, device: str = "auto") -> Self:
        """Load a performer from a subject's folder or from a bare ``model`` folder.

        Raises:
            DanceError: there is no trained performer (``no-model``), it comes from a newer or an older version
                (``newer-version``, ``older-version``), or it is damaged or not one of ours (``bad-model``).
        """
        if not (folder / MANIFEST_NAME).is_file():
            folder = folder / "model"
        if not (folder / MANIFEST_NAME).is_file():
            raise DanceError("no-model", f"There is no trained performer in {folder.parent}. `dance train` makes one.")
        manifest = _read_manifest(folder)
        weights = {name: _read_checked(folder, _weights(name), manifest) for name in ("generator", *manifest.refiners)}
        with_references = [part for part, how in manifest.refiners.items() if how.arguments.get("references")]
        references_files = {part: _read_checked(folder, _references(part), manifest) for part in with_references}
        poses_file = _read_checked(folder, POSES, manifest)
        puppet_file = _read_checked(folder, PUPPET, manifest) if manifest.puppet else None
        plate_file = _read_checked(folder, "plate.png", manifest)
        chosen = usable_device(device)
        try:
            painter = build_painter(manifest)
            refiners = {part: Refiner(**how.arguments) for part, how in manifest.refiners.items()}
            for name, network in _networks(painter, refiners).items():
                network.load_state_dict(safetensors.torch.load(weights[name]), strict=True)
                place(network, chosen).eval()
            plate = np.array(cv2.imdecode(np.frombuffer(plate_file, np.uint8), cv2.IMREAD_COLOR)[..., ::-1], np.uint8)
            arrays = safetensors.torch.load(poses_file)
            poses = Keypoints(arrays["xy"].numpy(), arrays["confidence"].numpy(), manifest.size, manifest.fps)
            references = {part: References.from_arrays(part, _arrays(file)) for part, file in references_files.items()}
            puppet = None if puppet_file is None else Puppet.from_arrays(_arrays(puppet_file))
            return cls(manifest, painter, plate, chosen, refiners, references, poses, puppet)
        except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
            raise _damaged(folder) from error


def build_painter(manifest: PerformerManifest) -> Painter:
    """The networks that ``manifest`` describes, with fresh weights."""
    return Painter(
        manifest.architecture,
        previous_frame=manifest.previous_frame,
        over_plate=manifest.over_plate,
        puppet=manifest.puppet,
        arguments=manifest.arguments,
    )


def new_manifest(**fields: object) -> PerformerManifest:
    """A manifest of this version of the format."""
    return PerformerManifest.model_validate({"version": FORMAT_VERSION, "made_with": __version__, **fields})


def usable_device(name: str) -> torch.device:
    """The device called ``name``.

    Raises:
        UsageError: this machine has no such device.
    """
    try:
        device = choose_device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError("no-device", f"This machine has no device {name!r}. Use --device auto or cpu.") from error
    return device


def _read_manifest(folder: Path) -> PerformerManifest:
    text = (folder / MANIFEST_NAME).read_bytes()
    try:
        version = pydantic.TypeAdapter(dict[str, object]).validate_json(text).get("version")
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise DanceError(
                "newer-version",
                f"{folder} was made by a newer version of Everybody Dance. Update it to use this performer.",
            )
        if isinstance(version, int) and version < OLDEST_VERSION:
            raise DanceError(
                "older-version",
                f"{folder} was made by an older version of Everybody Dance, which drew poses differently. Prepare and"
                " train it again.",
            )
        return PerformerManifest.model_validate_json(text)
    except pydantic.ValidationError as error:
        raise _damaged(folder) from error


def _networks(painter: Painter, refiners: Mapping[Part, Refiner]) -> dict[str, nn.Module]:
    return {"generator": painter, **{str(part): refiner for part, refiner in refiners.items()}}


def _weights(name: str) -> str:
    return f"{name}.safetensors"


def _references(part: Part) -> str:
    return f"{part}-references.safetensors"


def _packed(network: nn.Module) -> bytes:
    return safetensors.torch.save({name: value.cpu().contiguous() for name, value in network.state_dict().items()})


def _arrays(file: bytes) -> dict[str, NDArray[np.generic]]:
    return {name: value.numpy() for name, value in safetensors.torch.load(file).items()}


def _read_checked(folder: Path, name: str, manifest: PerformerManifest) -> bytes:
    try:
        data = (folder / name).read_bytes()
    except FileNotFoundError as error:
        raise _damaged(folder) from error
    if hashlib.sha256(data).hexdigest() != manifest.hashes.get(name):
        raise _damaged(folder)
    return data


def _damaged(folder: Path) -> DanceError:
    return DanceError(
        "bad-model",
        f"The performer in {folder} is damaged or was not made by this program. Train it again, or copy it again.",
    )
