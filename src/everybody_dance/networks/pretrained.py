"""Weights that torchvision publishes: found on this machine, downloaded on request, checked, read.

They are no part of this package. Files are safetensors or torchvision's own ``.pth``, which is loaded with
``weights_only=True``, so that nothing in it is executed.
"""

import hashlib
import http.client
import pickle
import re
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from everybody_dance.errors import DanceError
from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.files import cache_folder, content_hash, explain_write_failure, write_bytes

_PUBLISHED_AS = "published as"


@dataclass(frozen=True)
class Published:
    """A network whose convolutional part is used.

    Attributes:
        title: as users know it.
        url: of the file; the digits in its name are the first of its SHA-256.
        stem: what the names of its files begin with.
        option: of the command line, which takes a file of these weights.
        code: of the error that a file is something else.
        without: what happens where there are none, as a sentence.
    """

    title: str
    url: str
    stem: str
    option: str
    code: str
    without: str

    @property
    def name(self) -> str:
        """Of the published file."""
        return self.url.rpartition("/")[2]

    def find(self, explicit: Path | None = None) -> Path | None:
        """The file of weights to use; None where there is none.

        Looked for in this order: ``explicit``; files of this name in the cache folder (``EVERYBODY_DANCE_CACHE``, by
        default ``~/.cache/everybody-dance``); the file that torchvision has downloaded.

        Raises:
            DanceError: ``explicit`` is given and is not there (``file-not-found``).
        """
        if explicit is not None:
            if not explicit.is_file():
                raise self._nowhere(explicit)
            return explicit
        folder = cache_folder()
        candidates = [*sorted(folder.glob(f"{self.stem}*.safetensors")), *sorted(folder.glob(f"{self.stem}*.pth"))]
        candidates.append(Path(torch.hub.get_dir()) / "checkpoints" / self.name)
        return next((candidate for candidate in candidates if candidate.is_file()), None)

    def download(
        self, wanted: Iterable[str], url: str | None = None, on_progress: OnProgress = ignore_progress
    ) -> Path:
        """Download the published file and keep what is used of it in the cache folder.

        Args:
            wanted: names of the tensors that are used.
            url: another place of such a file, whose name must end in the first digits of its SHA-256 as well.
            on_progress: told the bytes done and in all.

        Returns:
            The file in the cache folder, which ``find`` finds from then on.

        Raises:
            DanceError: it cannot be reached (``download-failed``), arrived damaged (``download-damaged``), is another
                network (``code``), or the disk is full (``disk-full``).
        """
        url = url or self.url
        digest = _digest(url)
        kept = cache_folder() / f"{self.stem}-features.safetensors"
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
                if not hasher.hexdigest().startswith(digest):
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
                f"The {self.title} weights could not be downloaded from {url} ({error}). {self.without}; or give a file"
                f" of them with {self.option}.",
            ) from error
        tensors = {name: features[name] for name in wanted if name in features}
        write_bytes(kept, safetensors.torch.save(tensors, {_PUBLISHED_AS: url.rpartition("/")[2]}))
        return kept

    def is_genuine(self, path: Path) -> bool:
        """Whether ``path`` is the published file, by its SHA-256, or what ``download`` kept of it."""
        try:
            if path.suffix == ".safetensors":
                with safetensors.safe_open(path, "pt") as file:
                    return (file.metadata() or {}).get(_PUBLISHED_AS) == self.name
            return content_hash(path).startswith(_digest(self.url))
        except (SafetensorError, OSError):
            return False

    def read(self, path: Path, wanted: Mapping[str, torch.Size]) -> dict[str, Tensor]:
        """The tensors that are ``wanted``, float32, from a file that may hold more.

        Args:
            path: safetensors or ``.pth``, with torchvision's names: ``features.0.weight`` or ``0.weight`` and so on;
                float16 is fine.
            wanted: shapes by name.

        Raises:
            DanceError: there is no such file (``file-not-found``), or it is another network (``code``).
        """
        found = self._features(path)
        missing = [name for name in wanted if name not in found]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise self.unfit(path, f"it has no {missing[0]}{more}")
        for name, shape in wanted.items():
            if found[name].shape != shape:
                raise self.unfit(path, f"{name} is {tuple(found[name].shape)} instead of {tuple(shape)}")
        return {name: found[name].float() for name in wanted}

    def unfit(self, path: Path, reason: str) -> DanceError:
        """The error that ``path`` is something else."""
        return DanceError(self.code, f"{path} is not a file of {self.title} weights: {reason}.")

    def _features(self, path: Path) -> dict[str, Tensor]:
        try:
            if path.suffix == ".safetensors":
                return _only_features(safetensors.torch.load_file(path))
            return _only_features(torch.load(path, map_location="cpu", weights_only=True))
        except FileNotFoundError as error:
            raise self._nowhere(path) from error
        except (SafetensorError, pickle.UnpicklingError, zipfile.BadZipFile, EOFError, OSError, RuntimeError) as error:
            raise self.unfit(path, "it cannot be read as safetensors or as a plain PyTorch state") from error

    def _nowhere(self, path: Path) -> DanceError:
        return DanceError("file-not-found", f"There is no file of {self.title} weights at {path}.")


def _digest(url: str) -> str:
    found = re.search(r"-([0-9a-f]{8,64})\.pth$", url)
    if found is None:
        raise ValueError(f"the name in {url} has no hash")
    return found[1]


def _only_features(state: object) -> dict[str, Tensor]:
    """The tensors of the convolutional part, under their names in torchvision's whole network."""
    if not isinstance(state, dict):
        return {}
    named = {f"features.{name}" if name[:1].isdigit() else name: value for name, value in state.items()}
    return {name: value for name, value in named.items() if name.startswith("features.") and torch.is_tensor(value)}
