"""The resolved configuration of a training: all that its result depends on, by name, and what differs from it."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from everybody_dance import events
from everybody_dance.errors import DanceError
from everybody_dance.training import checkpoint
from everybody_dance.training.presets import Preset

_BATCH = "preset.batch"


def resolved(preset: Preset, *, seed: int, footage: str, perceptual_loss: str, processes: int) -> dict[str, Any]:
    """Everything by name, the most telling first: names of the user's choices, then every field of the preset.

    Args:
        preset: of the whole training.
        seed: of weights and samples.
        footage: identity of the subject.
        perceptual_loss: ``Perceptual.name``.
        processes: that train together.
    """
    row = asdict(preset)
    name, temporal = row.pop("name"), row.pop("previous_frame")
    return {
        "preset": name,
        "seed": seed,
        "footage": footage,
        "perceptual loss": perceptual_loss,
        "choice of --no-temporal": not temporal,
        "number of processes": processes,
        **_flat(row, "preset."),
    }


def _flat(row: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = list(value) if isinstance(value, tuple) else value
    return flat


def check_same(folder: Path, wanted: Mapping[str, Any]) -> int | None:
    """Refuse to go on with a training that differs in anything but its length and its refiners.

    Returns:
        The batch it goes on with, which is half of the preset's where the memory did not suffice; None where there
        is no training yet.

    Raises:
        DanceError: something differs (``other-training``, which names it), or as ``checkpoint.newest``.
    """
    batch: int | None = None
    for stage in dict.fromkeys(path.name.split("-")[0] for path in checkpoint.paths(folder)):
        found = checkpoint.newest(folder, stage)
        if found is None:
            continue
        stored = found[1].config
        for name in (*wanted, *(name for name in stored if name not in wanted)):
            before, after = stored.get(name), wanted.get(name)
            if name == _BATCH and before in (after, wanted[_BATCH] // 2):
                batch = before
            elif before != after:
                raise DanceError(
                    "other-training",
                    f"{folder} holds a training with another {name} ({_shown(before)}, now {_shown(after)}). Use the"
                    " same to go on, or --restart, which removes that training.",
                )
    return batch


def _shown(value: Any) -> str:
    return str(value) if len(str(value)) <= 20 else f"{str(value)[:16]}..."


def restart(folder: Path) -> None:
    """Remove the checkpoints and the log of a training, and say so."""
    removed = [*checkpoint.paths(folder), *(path for path in [folder / "log.jsonl"] if path.exists())]
    if removed:
        events.remark(
            "restart", f"--restart removes the training in {folder}: {', '.join(path.name for path in removed)}."
        )
    for path in removed:
        path.unlink()
