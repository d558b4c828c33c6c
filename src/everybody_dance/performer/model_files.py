"""A performer on disk: ``model.json``, weights as safetensors, the plate as PNG; written and read as a set.

Every file but the manifest is named by its content, so the files of a new performer lie beside those of the old one
until ``model.json``, which is replaced in one step, names them. Whoever reads meanwhile gets one of them whole.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import pydantic
import safetensors.torch
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import nn

from everybody_dance.appearance.crop_bank import CropBank
from everybody_dance.appearance.limb_bank import LimbBank
from everybody_dance.errors import DanceError
from everybody_dance.files import write_bytes, write_text
from everybody_dance.images import Image, decoded
from everybody_dance.keypoints import Keypoints
from everybody_dance.networks.face_gan import Refiner
from everybody_dance.performer.device import usable_device
from everybody_dance.performer.engine import place
from everybody_dance.performer.manifest import FORMAT_VERSION, MANIFEST_NAME, OLDEST_VERSION, PerformerManifest
from everybody_dance.performer.painter import Painter
from everybody_dance.performer.performer import Performer
from everybody_dance.skeleton import Part

PLATE = "plate.png"
POSES = "poses.safetensors"
LIMBS = "puppet.safetensors"

_OURS = re.compile(r"(generator|(face|hands)(-references)?|poses|puppet|plate)(\.[0-9a-f]{12})?\.(safetensors|png)")

ATTEMPTS = 5
"""How often a performer is read anew that was replaced while it was read."""


class Model:
    """A performer's folder, checked but not loaded: its parts are read when they are asked for.

    Args:
        folder: a subject's folder, or a bare ``model`` folder.

    Raises:
        DanceError: there is no trained performer (``no-model``), it comes from a newer or an older version
            (``newer-version``, ``older-version``), or it is damaged or not one of ours (``bad-model``). Reading a part
            raises ``bad-model`` too.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / MANIFEST_NAME).is_file():
            folder = folder / "model"
        if not (folder / MANIFEST_NAME).is_file():
            raise DanceError("no-model", f"There is no trained performer in {folder.parent}. `dance train` makes one.")
        self.folder = folder
        self._text = (folder / MANIFEST_NAME).read_bytes()
        self.manifest = _manifest(self._text, folder)

    @cached_property
    def plate(self) -> Image:
        """uint8 (H, W, 3), the empty place."""
        plate = decoded(self._read(PLATE), cv2.IMREAD_COLOR)
        if plate is None or (plate.shape[1], plate.shape[0]) != self.manifest.size:
            raise _damaged(self.folder)
        return np.array(plate[..., ::-1], np.uint8)

    @cached_property
    def poses(self) -> Keypoints:
        """Some of the poses it was trained on, in its frame."""
        try:
            arrays = _arrays(self._read(POSES))
            xy, confidence = (np.asarray(arrays[name], np.float32) for name in ("xy", "confidence"))
            return Keypoints(xy, confidence, self.manifest.size, self.manifest.fps)
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise _damaged(self.folder) from error

    def load(self, device: str = "auto") -> Performer:
        """The performer, on the device called so. One that is replaced meanwhile is read anew."""
        model = self
        for _ in range(ATTEMPTS - 1):
            try:
                return model._load(device)
            except _ReplacedError:
                model = Model(self.folder)
        return model._load(device)

    def _load(self, device: str) -> Performer:
        manifest = self.manifest
        weights = {name: self._read(_weights(name)) for name in ("generator", *manifest.refiners)}
        with_references = [part for part, how in manifest.refiners.items() if how.arguments.get("references")]
        crop_files = {part: self._read(_references(part)) for part in with_references}
        limb_file = self._read(LIMBS) if manifest.puppet else None
        chosen = usable_device(device)
        try:
            painter = build_painter(manifest)
            refiners = {part: Refiner(**how.arguments) for part, how in manifest.refiners.items()}
            for name, network in _networks(painter, refiners).items():
                network.load_state_dict(safetensors.torch.load(weights[name]), strict=True)
                place(network, chosen).eval()
            crop_banks = {part: CropBank.from_arrays(part, _arrays(file)) for part, file in crop_files.items()}
            limb_bank = None if limb_file is None else LimbBank.from_arrays(_arrays(limb_file))
            return Performer(manifest, painter, self.plate, chosen, refiners, crop_banks, self.poses, limb_bank)
        except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
            raise _damaged(self.folder) from error

    def _read(self, name: str) -> bytes:
        expected = self.manifest.hashes.get(name, "")
        for path in (self.folder / _stored(name, expected), self.folder / name):  # the second: up to version 4
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            if hashlib.sha256(data).hexdigest() == expected:
                return data
        if (self.folder / MANIFEST_NAME).read_bytes() != self._text:
            raise _ReplacedError(
                "bad-model", f"The performer in {self.folder} was replaced while it was read. Try again."
            )
        raise _damaged(self.folder)


class _ReplacedError(DanceError):
    """The performer was replaced while it was read."""


def load_performer(folder: Path, device: str = "auto") -> Performer:
    """Load a performer; as ``Model`` and ``Model.load``."""
    return Model(folder).load(device)


def save_performer(performer: Performer, folder: Path) -> None:
    """Write a performer to ``folder``, in place of the one that is there; a kill at any moment leaves one or the other.

    Args:
        performer: to write.
        folder: ``model/``; files of other names in it are left alone.
    """
    _, plate = cv2.imencode(".png", performer.plate[..., ::-1])
    files = {
        PLATE: plate.tobytes(),
        POSES: _packed({"xy": performer.poses.xy, "confidence": performer.poses.confidence}),
    }
    for name, network in _networks(performer.painter, performer.refiners).items():
        state = {key: value.cpu().contiguous() for key, value in network.state_dict().items()}
        files[_weights(name)] = safetensors.torch.save(state)
    for part, bank in performer.crop_banks.items():
        files[_references(part)] = _packed(bank.arrays())
    if performer.limb_bank is not None:
        files[LIMBS] = _packed(performer.limb_bank.arrays())
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    names = {_stored(name, hashes[name]): data for name, data in files.items()}
    for stored, data in names.items():
        if not (folder / stored).exists():
            write_bytes(folder / stored, data)
    manifest = performer.manifest.model_copy(update={"version": FORMAT_VERSION, "hashes": hashes})
    write_text(folder / MANIFEST_NAME, manifest.model_dump_json(indent=2) + "\n")
    # From here on the new performer stands; what belonged to the one before is not named any more.
    for path in folder.iterdir():
        if _OURS.fullmatch(path.name) and path.name not in names:
            path.unlink()


def build_painter(manifest: PerformerManifest) -> Painter:
    """The networks that ``manifest`` describes, with fresh weights."""
    return Painter(
        manifest.architecture,
        previous_frame=manifest.previous_frame,
        over_plate=manifest.over_plate,
        puppet=manifest.puppet,
        arguments=manifest.arguments,
    )


def _stored(name: str, content: str) -> str:
    """The name of a file on disk: its own and the beginning of its content's hash."""
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}.{content[:12]}{dot}{suffix}"


def _manifest(text: bytes, folder: Path) -> PerformerManifest:
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


def _packed(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
    return safetensors.torch.save(tensors)


def _arrays(file: bytes) -> dict[str, NDArray[np.generic]]:
    return {name: value.numpy() for name, value in safetensors.torch.load(file).items()}


def _damaged(folder: Path) -> DanceError:
    return DanceError(
        "bad-model",
        f"The performer in {folder} is damaged or was not made by this program. Train it again, or copy it again.",
    )
