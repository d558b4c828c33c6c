"""VGG-19 features for the perceptual loss, and where their weights come from.

Johnson et al., "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", ECCV 2016; the layers are
pix2pixHD's: relu1_1, relu2_1, relu3_1, relu4_1, relu5_1.

The weights are not part of this package. They are read from a file (safetensors, or torchvision's own ``.pth``,
which is loaded with ``weights_only=True``, so that nothing in it is executed).
"""

import hashlib
import http.client
import pickle
import re
import tempfile
import urllib.request
import zipfile
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from everybody_dance.errors import DanceError
from everybody_dance.files import cache_folder, explain_write_failure, write_bytes
from everybody_dance.progress import Progress, ignore_progress

# Channels of the convolutions up to conv5_1; 0 halves the picture.
LAYOUT = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512)

OUTPUTS = (1, 6, 11, 20, 29)
"""Where relu1_1 ... relu5_1 stand in torchvision's ``vgg19().features``."""

CALIBRATION_MEANS = (1.443, 1.577, 1.425, 1.564, 1.052)
"""Mean activations on ``calibration_images`` of a VGG-19 whose every ReLU output has mean 1 on real footage."""

URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
"""torchvision's ImageNet weights; the digits in the name are the first of the file's SHA-256."""

CACHED_NAME = "vgg19-features.safetensors"


class VGG19Features(nn.Module):
    """The first convolutions of VGG-19, frozen: layer outputs with a mean of about 1 on photographs.

    VGG-19 files differ in the scale of their activations. ``calibrate`` measures the mean activation of each layer
    on fixed pictures and divides by it, so that any rescaling of the same network gives the same features, and the
    weights of the perceptual loss mean the same with each.

    Args:
        depth: how many of relu1_1, relu2_1, relu3_1, relu4_1, relu5_1 to compute.
    """

    mean: Tensor
    deviation: Tensor
    scales: Tensor

    def __init__(self, depth: int = 5) -> None:
        super().__init__()
        if not 1 <= depth <= len(OUTPUTS):
            raise ValueError(f"depth must be 1 to {len(OUTPUTS)}, not {depth}")
        layers: list[nn.Module] = []
        channels = 3
        for width in LAYOUT:
            if width:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers[: OUTPUTS[depth - 1] + 1])
        self.outputs = OUTPUTS[:depth]
        # torchvision's normalization, for pictures in [-1, 1] instead of [0, 1].
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        self.register_buffer("mean", (2 * mean - 1).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", (2 * deviation).view(3, 1, 1), persistent=False)
        self.register_buffer("scales", torch.ones(depth), persistent=False)
        self.requires_grad_(False).eval()

    def forward(self, images: Tensor) -> list[Tensor]:
        """
        Args:
            images: (B, 3, H, W) in [-1, 1], sides of at least ``2 ** (depth - 1)`` pixels.

        Returns:
            For each of the layers asked for (B, C, H / 2**i, W / 2**i), not negative.
        """
        outputs = self._activations(images)
        return [output * scale for output, scale in zip(outputs, self.scales, strict=True)]

    @torch.no_grad()
    def calibrate(self) -> None:
        """Measure the activations of the weights as they are now, and scale the outputs accordingly."""
        measured = torch.stack([output.mean() for output in self._activations(calibration_images())])
        if not (measured > 0).all():
            raise ValueError("a layer of these weights never responds")
        self.scales.copy_(torch.tensor(CALIBRATION_MEANS[: len(measured)]) / measured)

    def _activations(self, images: Tensor) -> list[Tensor]:
        x = (images - self.mean) / self.deviation
        outputs = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.outputs:
                outputs.append(x)
        return outputs


def calibration_images() -> Tensor:
    """(2, 3, 128, 128) in [-1, 1]: fixed random textures whose octaves are equally strong, as in photographs."""
    random = torch.Generator().manual_seed(0)
    images = torch.zeros(2, 3, 128, 128)
    for side in (2, 4, 8, 16, 32, 64, 128):
        noise = torch.randn(2, 3, side, side, generator=random)
        grey = noise.mean(1, keepdim=True)
        octave = 0.25 * noise + grey
        images += nn.functional.interpolate(octave, size=(128, 128), mode="bilinear", align_corners=False)
    return torch.tanh(0.4 * images)


def load_vgg19(path: Path, depth: int = 5) -> VGG19Features:
    """VGG-19 features from a file of weights.

    Args:
        path: safetensors or ``.pth``, with torchvision's names: ``features.0.weight`` or ``0.weight`` and so on. What
            else the file holds (the classifier, deeper layers) is left alone. float16 is fine.
        depth: how many layer outputs to compute; the file need not hold more than they take.

    Raises:
        DanceError: there is no such file (``file-not-found``), or it is not a VGG-19 (``bad-vgg-weights``).
    """
    network = VGG19Features(depth)
    wanted = {name: value.shape for name, value in network.state_dict().items()}
    found = _read_features(path)
    missing = [name for name in wanted if name not in found]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise _unfit(path, f"it has no {missing[0]}{more}")
    for name, shape in wanted.items():
        if found[name].shape != shape:
            raise _unfit(path, f"{name} is {tuple(found[name].shape)} instead of {tuple(shape)}")
    network.load_state_dict({name: found[name].float() for name in wanted})
    try:
        network.calibrate()
    except ValueError as error:
        raise _unfit(path, str(error)) from error
    return network


def find_vgg19_weights(explicit: Path | None = None) -> Path | None:
    """The file of VGG-19 weights to use; None where there is none.

    Looked for in this order: ``explicit``; ``vgg19*.safetensors`` and ``vgg19*.pth`` in the cache folder
    (``EVERYBODY_DANCE_CACHE``, by default ``~/.cache/everybody-dance``); the file that torchvision has downloaded.

    Raises:
        DanceError: ``explicit`` is given and is not there (``file-not-found``).
    """
    if explicit is not None:
        if not explicit.is_file():
            raise DanceError("file-not-found", f"There is no file of VGG-19 weights at {explicit}.")
        return explicit
    folder = cache_folder()
    candidates = [*sorted(folder.glob("vgg19*.safetensors")), *sorted(folder.glob("vgg19*.pth"))]
    candidates.append(Path(torch.hub.get_dir()) / "checkpoints" / URL.rpartition("/")[2])
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def download_vgg19(url: str = URL, on_progress: Progress = ignore_progress) -> Path:
    """Download torchvision's VGG-19 (548 MB), keep the layers that are used (52 MB) in the cache folder.

    Args:
        url: a ``.pth`` file whose name ends in the first digits of its SHA-256, as torchvision's do.
        on_progress: told the bytes done and in all.

    Returns:
        The file in the cache folder, which ``find_vgg19_weights`` finds from then on.

    Raises:
        DanceError: it cannot be reached (``download-failed``), arrived damaged (``download-damaged``), is not a
            VGG-19 (``bad-vgg-weights``), or the disk is full (``disk-full``).
    """
    digest = re.search(r"-([0-9a-f]{8,64})\.pth$", url)
    if digest is None:
        raise ValueError(f"the name in {url} has no hash")
    kept = cache_folder() / CACHED_NAME
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        # A file without a name: gone whatever happens.
        with tempfile.TemporaryFile(dir=kept.parent) as file:
            hasher = hashlib.sha256()
            with urllib.request.urlopen(url, timeout=30) as response:
                total = int(response.headers.get("Content-Length", 0)) or None
                while piece := response.read(1 << 20):
                    file.write(piece)
                    hasher.update(piece)
                    on_progress(file.tell(), total)
            if not hasher.hexdigest().startswith(digest[1]):
                raise DanceError(
                    "download-damaged",
                    f"What came from {url} is not what was expected (its SHA-256 differs). Try again later.",
                )
            file.seek(0)
            features = _only_features(torch.load(file, map_location="cpu", weights_only=True))
    except (OSError, http.client.HTTPException) as error:
        explained = explain_write_failure(error, kept) if isinstance(error, OSError) else error
        if isinstance(explained, DanceError):
            raise explained from error
        raise DanceError(
            "download-failed",
            f"The VGG-19 weights could not be downloaded from {url} ({error}). Training works without them, with a "
            "simpler loss; or give a file of them with --vgg-weights.",
        ) from error
    wanted = VGG19Features().state_dict()
    write_bytes(kept, safetensors.torch.save({name: features[name] for name in wanted if name in features}))
    return kept


def _read_features(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return _only_features(safetensors.torch.load_file(path))
        return _only_features(torch.load(path, map_location="cpu", weights_only=True))
    except FileNotFoundError as error:
        raise DanceError("file-not-found", f"There is no file of VGG-19 weights at {path}.") from error
    except (SafetensorError, pickle.UnpicklingError, zipfile.BadZipFile, EOFError, OSError, RuntimeError) as error:
        raise _unfit(path, "it cannot be read as safetensors or as a plain PyTorch state") from error


def _only_features(state: object) -> dict[str, Tensor]:
    """The tensors of the convolutional part, under their names in torchvision's whole network."""
    if not isinstance(state, dict):
        return {}
    named = {f"features.{name}" if name[:1].isdigit() else name: value for name, value in state.items()}
    return {name: value for name, value in named.items() if name.startswith("features.") and torch.is_tensor(value)}


def _unfit(path: Path, reason: str) -> DanceError:
    return DanceError("bad-vgg-weights", f"{path} is not a file of VGG-19 weights: {reason}.")
