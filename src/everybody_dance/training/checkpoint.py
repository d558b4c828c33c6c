"""Checkpoints: the whole state of a training, as safetensors with the numbers in its header; never a pickle.

Each says what it must go on with (the resolved configuration), what it builds on, and the hash of its own content.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from everybody_dance import events
from everybody_dance.errors import DanceError
from everybody_dance.files import replacing

FORMAT_VERSION = 3
"""3: with the whole configuration, the hash of what it builds on, and its own."""

KEPT = 2
"""Checkpoints of a stage that are kept; older ones of the same run are removed."""

_NAME = re.compile(r"[a-z]+-\d{7}\.safetensors")


@dataclass(frozen=True)
class Position:
    """Where a training stands and what it must go on with.

    Attributes:
        stage: its name, as in ``presets.Stage``.
        step: steps taken in it.
        total_steps: steps of the stage in all.
        minutes: the minutes that ``total_steps`` came from; None where steps were asked for.
        config: everything else that the result depends on, by name (``configuration.resolved``).
        base: ``weights_hash`` of what this stage builds on; empty where it builds on nothing.
        version: of this format.
    """

    stage: str
    step: int
    total_steps: int
    minutes: float | None
    config: dict[str, Any] = field(default_factory=dict)
    base: str = ""
    version: int = FORMAT_VERSION


Modules = dict[str, nn.Module]
Optimizers = dict[str, torch.optim.Optimizer]


def save(folder: Path, position: Position, modules: Modules, optimizers: Optimizers) -> Path:
    """Write a checkpoint atomically and remove all but the newest two of the same run of its stage.

    Raises:
        DanceError: weights are not finite (``diverged``); nothing was written.
    """
    tensors: dict[str, Tensor] = {}
    for name, module in modules.items():
        tensors |= {f"{name}/{key}": value for key, value in module.state_dict().items()}
    if not torch.stack([value.isfinite().all() for value in tensors.values()]).all():
        raise DanceError(
            "diverged", f"Training broke down before step {position.step}; the last good checkpoint is kept."
        )
    for name, optimizer in optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{name}/{index}/{key}": torch.as_tensor(value) for key, value in state.items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    path = folder / f"{position.stage}-{position.step:07d}.safetensors"
    header = {"position": json.dumps(asdict(position)), "sha256": _hash(tensors)}
    with replacing(path) as temporary:
        safetensors.torch.save_file(tensors, temporary, header)
    for old, _ in list(_readable(folder, position.stage, position.base))[KEPT:]:
        old.unlink()
    return path


def newest(folder: Path, stage: str, base: str | None = None) -> tuple[Path, Position] | None:
    """The newest checkpoint of a stage whose header can be read, and where it stands.

    Args:
        folder: ``training/``.
        stage: its name.
        base: only of those that build on this; None: on anything.

    Raises:
        DanceError: every checkpoint is damaged (``bad-checkpoint``), or one is of a newer or older version
            (``newer-version``, ``older-version``).
    """
    found = next(_readable(folder, stage, base, tell=True), None)
    if found is None and base is None and paths(folder, stage):
        raise _unreadable(folder)
    return found


def resume(folder: Path, stage: str, base: str, modules: Modules, optimizers: Optimizers) -> Position | None:
    """Put the newest whole checkpoint of a stage into ``modules`` and ``optimizers``.

    A damaged one is passed over with a warning.

    Returns:
        Where it stands; None where there is none that builds on ``base``.

    Raises:
        DanceError: as ``newest``, or it does not fit (``bad-checkpoint``).
    """
    damaged = False
    for path, position in _readable(folder, stage, base, tell=True):
        try:
            with safetensors.safe_open(path, "pt") as file:
                wanted = (file.metadata() or {})["sha256"]
            tensors = safetensors.torch.load_file(path)
        except (SafetensorError, KeyError, OSError):
            wanted, tensors = "", {}
        if _hash(tensors) == wanted:
            _restore(path, tensors, modules, optimizers)
            return position
        damaged = True
        _tell_damaged(path)
    if damaged or (base == "" and paths(folder, stage)):
        raise _unreadable(folder)
    return None


def weights_hash(network: nn.Module) -> str:
    """SHA-256 of a network's weights: what a later stage builds on."""
    return _hash({name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()})


def paths(folder: Path, stage: str = "*") -> list[Path]:
    """The checkpoints of a stage (by default of all), the oldest first."""
    return sorted(path for path in folder.glob(f"{stage}-*.safetensors") if _NAME.fullmatch(path.name))


def remove_superseded(folder: Path, stage: str, base: str) -> None:
    """Remove checkpoints of a stage that build on something else than ``base``: their successor is complete."""
    kept = {path for path, _ in _readable(folder, stage, base)}
    for path in paths(folder, stage):
        if path not in kept:
            path.unlink()


def _readable(folder: Path, stage: str, base: str | None, tell: bool = False) -> Iterator[tuple[Path, Position]]:
    """Checkpoints whose header is whole, the newest first."""
    for path in reversed(paths(folder, stage)):
        try:
            with safetensors.safe_open(path, "pt") as file:
                fields = json.loads((file.metadata() or {})["position"])
            version = fields["version"]
            if version != FORMAT_VERSION:
                age, cure = (
                    ("newer", "Update it to go on.")
                    if version > FORMAT_VERSION
                    else ("older", "The trained person still dances; `dance train --restart` trains anew.")
                )
                raise DanceError(
                    f"{age}-version", f"{path} was made by {_article(age)} version of this program. {cure}"
                )
            position = Position(**fields)
        except (SafetensorError, KeyError, TypeError, ValueError, OSError):
            if tell:
                _tell_damaged(path)
            continue
        if base is None or position.base == base:
            yield path, position


def _article(age: str) -> str:
    return f"an {age}" if age == "older" else f"a {age}"


def _tell_damaged(path: Path) -> None:
    events.warn("damaged-checkpoint", f"The checkpoint {path.name} is damaged; an older one takes its place.")


def _unreadable(folder: Path) -> DanceError:
    return DanceError(
        "bad-checkpoint", f"The checkpoints in {folder} cannot be read. `dance train --restart` begins again."
    )


def _hash(tensors: Mapping[str, Tensor]) -> str:
    whole = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        whole.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()


def _restore(path: Path, tensors: dict[str, Tensor], modules: Modules, optimizers: Optimizers) -> None:
    try:
        for name, module in modules.items():
            module.load_state_dict(_below(tensors, name), strict=True)
        for name, optimizer in optimizers.items():
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in _below(tensors, name).items():
                index, entry = key.split("/")
                if value.ndim:
                    # The fused step goes through memory, so moments must lie there as their parameters do.
                    value = torch.empty_like(parameters[int(index)], requires_grad=False).copy_(value)
                state.setdefault(int(index), {})[entry] = value
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    except (RuntimeError, KeyError, ValueError, IndexError) as error:
        raise DanceError(
            "bad-checkpoint", f"{path} does not fit this training. `dance train --restart` begins again."
        ) from error


def _below(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key[len(name) + 1 :]: value for key, value in tensors.items() if key.startswith(f"{name}/")}
