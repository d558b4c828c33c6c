"""Figures on disk, with what they are figures of."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from everybody_dance.evaluation.compare import Figures
from everybody_dance.files import write_text
from everybody_dance.jsonio import dumps
from everybody_dance.performer.manifest import MANIFEST_NAME
from everybody_dance.performer.model_files import Model
from everybody_dance.performer.performer import Performer
from everybody_dance.version import VERSION

RECORDS = "results.jsonl"

Provenance = dict[str, Any]


def provenance(command: Sequence[str], performers: Mapping[str, tuple[Path, Performer]]) -> Provenance:
    """What figures depend on: nothing of when, so that the same measurement is the same record.

    Args:
        command: as given.
        performers: by name the folder of each, as ``Model`` takes it, and the performer.
    """
    return {
        "command": " ".join(command),
        "everybody_dance": VERSION,
        "torch": torch.__version__,
        "machine": platform.machine(),
        "performers": {
            name: {
                "sha256": hashlib.sha256((Model(folder).folder / MANIFEST_NAME).read_bytes()).hexdigest(),
                "device": performer.device.type,
                **performer.manifest.model_dump(
                    mode="json", include={"subject", "preset", "steps", "seed", "perceptual_loss"}
                ),
            }
            for name, (folder, performer) in performers.items()
        },
    }


def plain(figures: Figures) -> dict[str, Any]:
    """``figures`` for JSON: ``[result][region][metric]`` with ``mean``, ``std`` and ``count``."""
    return {
        name: {
            region: {metric: dict(vars(value)) for metric, value in by_metric.items()}
            for region, by_metric in regions.items()
        }
        for name, regions in figures.items()
    }


def append(folder: Path, kind: str, made: Provenance, found: Mapping[str, Any]) -> None:
    """Add a line to the folder's ``results.jsonl``, unless the very same is there already.

    Args:
        folder: of the results.
        kind: of measurement.
        made: from ``provenance``.
        found: the figures.
    """
    path = folder / RECORDS
    lines = path.read_text().splitlines() if path.is_file() else []
    line = dumps({"kind": kind, "provenance": made, "figures": found}, sort_keys=True)
    if line not in lines:
        write_text(path, "\n".join([*lines, line]) + "\n")
