"""Checkpoints: the whole state of a training, as safetensors with the numbers in its header; never a pickle."""

import json
import logging
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

FORMAT_VERSION = 2
KEPT = 2
_NAME = re.compile(r"[a-z]+-\d{7}\.safetensors")


@dataclass(frozen=True)
class Position:
    """Where a training stands and what it must go on with.

    Attributes:
        stage: its name, as in ``presets.Stage``.
        step: steps taken in it.
        total_steps: steps of the stage in all.
        minutes: the minutes that ``total_steps`` came from; None where steps were asked for.
        seed: of sample order and fresh weights.
        preset: its name.
        previous_frame: whether it trains with temporal smoothing.
        subject: identity of the prepared footage.
        perceptual_loss: ``vgg19`` or ``laplacian``.
        version: of this format.
    """

    stage: str
    step: int
    total_steps: int
    minutes: float | None
    seed: int
    preset: str
    previous_frame: bool
    subject: str
    perceptual_loss: str
    version: int = FORMAT_VERSION


logger = logging.getLogger(__name__)

Modules = dict[str, nn.Module]
Optimizers = dict[str, torch.optim.Optimizer]


def save(folder: Path, position: Position, modules: Modules, optimizers: Optimizers) -> Path:
    """Write a checkpoint atomically and remove all but the newest two of its stage."""
    tensors: dict[str, Tensor] = {}
    for name, module in modules.items():
        tensors |= {f"{name}/{key}": value for key, value in module.state_dict().items()}
    for name, optimizer in optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{name}/{index}/{key}": torch.as_tensor(value) for key, value in state.items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    path = folder / f"{position.stage}-{position.step:07d}.safetensors"
    write_bytes(path, safetensors.torch.save(tensors, {"position": json.dumps(asdict(position))}))
    for old in _checkpoints(folder, position.stage)[:-KEPT]:
        old.unlink()
    return path


def newest(folder: Path, stage: str) -> tuple[Path, Position] | None:
    """The newest checkpoint of a stage that can be read whole, and where it stands; damaged newer ones are passed over.

    Raises:
        DanceError: every checkpoint is damaged (``bad-checkpoint``), or one is of a newer version (``newer-version``).
    """
    checkpoints = _checkpoints(folder, stage)
    for path in reversed(checkpoints):
        try:
            with safetensors.safe_open(path, "pt") as file:
                fields = json.loads((file.metadata() or {})["position"])
            if fields["version"] > FORMAT_VERSION:
                raise DanceError("newer-version", f"{path} was made by a newer version of Everybody Dance.")
            position = Position(**fields)
        except (SafetensorError, KeyError, TypeError, ValueError, OSError):
            logger.warning("The checkpoint %s is damaged; an older one takes its place.", path.name)
            continue
        return path, position
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
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in _below(tensors, name).items():
                index, field = key.split("/")
                if value.ndim:
                    # The fused step goes through memory, so moments must lie there as their parameters do.
                    value = torch.empty_like(parameters[int(index)], requires_grad=False).copy_(value)
                state.setdefault(int(index), {})[field] = value
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    except (SafetensorError, RuntimeError, KeyError, ValueError, IndexError) as error:
        raise DanceError(
            "bad-checkpoint", f"{path} does not fit this training. `dance train --restart` begins again."
        ) from error


def _below(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key[len(name) + 1 :]: value for key, value in tensors.items() if key.startswith(f"{name}/")}


def remove(folder: Path, stage: str = "*") -> None:
    """Remove the checkpoints of a stage; of all stages unless one is named."""
    for path in _checkpoints(folder, stage):
        path.unlink()


def _checkpoints(folder: Path, stage: str) -> list[Path]:
    return sorted(path for path in folder.glob(f"{stage}-*.safetensors") if _NAME.fullmatch(path.name))
