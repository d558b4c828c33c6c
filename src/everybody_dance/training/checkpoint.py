"""Checkpoints: the whole state of a training, as safetensors with the numbers in its header; never a pickle."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from everybody_dance.errors import DanceError
from everybody_dance.files import write_bytes

FORMAT_VERSION = 1
KEPT = 2
_NAME = re.compile(r"checkpoint-(\d{7})\.safetensors")


@dataclass(frozen=True)
class Position:
    """Where a training stands and what it must go on with.

    Attributes:
        step: steps taken.
        total_steps: steps in all.
        minutes: the minutes that ``total_steps`` came from; None where steps were asked for.
        seed: of sample order and fresh weights.
        preset: its name.
        subject: identity of the prepared footage.
        perceptual_loss: ``vgg19`` or ``laplacian``.
        version: of this format.
    """

    step: int
    total_steps: int
    minutes: float | None
    seed: int
    preset: str
    subject: str
    perceptual_loss: str
    version: int = FORMAT_VERSION


Modules = dict[str, nn.Module]
Optimizers = dict[str, torch.optim.Optimizer]


def save(folder: Path, position: Position, modules: Modules, optimizers: Optimizers) -> Path:
    """Write a checkpoint atomically and remove all but the newest two."""
    tensors: dict[str, Tensor] = {}
    for name, module in modules.items():
        tensors |= {f"{name}/{key}": value for key, value in module.state_dict().items()}
    for name, optimizer in optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{name}/{index}/{key}": torch.as_tensor(value) for key, value in state.items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    path = folder / f"checkpoint-{position.step:07d}.safetensors"
    write_bytes(path, safetensors.torch.save(tensors, {"position": json.dumps(asdict(position))}))
    for old in _checkpoints(folder)[:-KEPT]:
        old.unlink()
    return path


def newest(folder: Path) -> tuple[Path, Position] | None:
    """The newest checkpoint that can be read whole, and where it stands; damaged newer ones are passed over.

    Raises:
        DanceError: every checkpoint is damaged (``bad-checkpoint``), or one is of a newer version (``newer-version``).
    """
    checkpoints = _checkpoints(folder)
    for path in reversed(checkpoints):
        try:
            with safetensors.safe_open(path, "pt") as file:
                fields = json.loads((file.metadata() or {})["position"])
            if fields["version"] > FORMAT_VERSION:
                raise DanceError("newer-version", f"{path} was made by a newer version of Everybody Dance.")
            return path, Position(**fields)
        except (SafetensorError, KeyError, TypeError, ValueError, OSError):
            continue
    if checkpoints:
        raise DanceError(
            "bad-checkpoint", f"The checkpoints in {folder} cannot be read. `dance train --restart` begins again."
        )
    return None


def restore(path: Path, modules: Modules, optimizers: Optimizers) -> None:
    """Put the state in ``path`` into ``modules`` and ``optimizers``.

    Raises:
        DanceError: it does not fit them (``bad-checkpoint``).
    """
    try:
        tensors = safetensors.torch.load_file(path)
        for name, module in modules.items():
            module.load_state_dict(_below(tensors, name), strict=True)
        for name, optimizer in optimizers.items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in _below(tensors, name).items():
                index, field = key.split("/")
                state.setdefault(int(index), {})[field] = value
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    except (SafetensorError, RuntimeError, KeyError, ValueError) as error:
        raise DanceError(
            "bad-checkpoint", f"{path} does not fit this training. `dance train --restart` begins again."
        ) from error


def _below(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key[len(name) + 1 :]: value for key, value in tensors.items() if key.startswith(f"{name}/")}


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("checkpoint-*.safetensors") if _NAME.fullmatch(path.name))
