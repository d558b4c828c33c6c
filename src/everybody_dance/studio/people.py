"""People of the studio: each is a subject's folder, and what is known of them is read from there."""

import json
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self

from everybody_dance.errors import DanceError
from everybody_dance.skeleton import PARTS
from everybody_dance.studio.archives import PORTRAIT
from everybody_dance.subject.folder import MANIFEST, SHEET
from everybody_dance.subject.manifest import SubjectManifest
from everybody_dance.subject.prepare.footage import advice
from everybody_dance.subject.subject import read_manifest

STUDIO_FILE = "studio.json"
"""Names the files that the studio put into a person's folder."""

_LONGEST_HEADER = 1 << 20


@dataclass(frozen=True)
class Sentence:
    """Something the footage report says.

    Attributes:
        severity, message: as of ``events.Finding``.
        moment: seconds in the prepared footage at which it is seen; None where it is about no moment.
    """

    severity: Literal["remark", "warning"]
    message: str
    moment: float | None = None

    @classmethod
    def of(cls, severity: Literal["remark", "warning"], message: str, values: Mapping[str, Any]) -> Self:
        """The sentence of a finding."""
        moment = values.get("moment")
        return cls(severity, message, float(moment) if isinstance(moment, int | float) else None)


@dataclass(frozen=True)
class Prepared:
    """A person's prepared footage.

    Attributes:
        seconds: in which the person is seen.
        frames, held_out: frames in all, and of them those kept from training.
        width, height: pixels.
        poses: by aspect (from behind, arms crossed, ...), the seconds in which it is seen.
        report: what is worth knowing of it, and worth filming as well.
    """

    seconds: float
    frames: int
    held_out: int
    width: int
    height: int
    poses: dict[str, float]
    report: list[Sentence]


@dataclass(frozen=True)
class Quality:
    """Likeness to held-out frames (SSIM in the person's box, 1 is equal), and what it has to beat."""

    result: float
    nearest: float
    place: float


@dataclass(frozen=True)
class Trained:
    """How far a person is trained.

    Attributes:
        minutes: asked for in all; None where steps were asked for.
        steps: taken by the performer who can dance; 0 where there is none yet.
        likeness: of the last preview (SSIM); None where there is none.
        quality: measured at the end of the last training.
        can_dance: whether there is a performer.
        can_be_cut_out: whether it can dance in front of another background.
    """

    minutes: float | None
    steps: int
    likeness: float | None
    quality: Quality | None
    can_dance: bool
    can_be_cut_out: bool


@dataclass(frozen=True)
class PersonSummary:
    """A person as the page shows them. The numbers of pictures change whenever the picture does; 0: there is none.

    Attributes:
        id: the folder's name, which is the person's.
        footage: names of the videos that the studio put there.
        prepared: the footage report; None before it is prepared.
        trained: None before any training.
        problem: why the folder cannot be used, if it cannot.
        portrait, sheet, preview, evaluation: numbers of pictures and of the evaluation report.
    """

    id: str
    footage: list[str]
    prepared: Prepared | None
    trained: Trained | None
    problem: str | None
    portrait: int
    sheet: int
    preview: int
    evaluation: int


def summary(folder: Path) -> PersonSummary:
    """What is known of the person in ``folder``."""
    prepared, problem = None, None
    if (folder / MANIFEST).exists():
        try:
            prepared = _prepared(folder, stamp(folder / MANIFEST))
        except DanceError as error:
            problem = error.message
    preview = newest_preview(folder)
    return PersonSummary(
        id=folder.name,
        footage=own_files(folder),
        prepared=prepared,
        trained=_trained(folder),
        problem=problem,
        portrait=stamp(folder / MANIFEST) or stamp(folder / PORTRAIT),
        sheet=stamp(folder / SHEET),
        preview=0 if preview is None else stamp(preview),
        evaluation=stamp(folder / "evaluation" / "report.html"),
    )


def own_files(folder: Path) -> list[str]:
    """Names of the files that the studio put into a person's folder."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        names = json.loads((folder / STUDIO_FILE).read_bytes())["footage"]
        return [name for name in names if isinstance(name, str) and Path(name).name == name]
    return []


def newest_preview(folder: Path) -> Path | None:
    """The last preview of a person's training that shows all of them, not the face or hands alone."""
    previews = (folder / "training" / "previews").glob("*.jpg")
    return max((path for path in previews if path.name.partition("-")[0] not in PARTS), key=stamp, default=None)


def stamp(path: Path) -> int:
    """When a file was changed, in milliseconds (nanoseconds are too long for JavaScript); 0 where there is none."""
    try:
        return path.stat().st_mtime_ns // 1_000_000
    except OSError:
        return 0


@lru_cache(maxsize=256)
def _prepared(folder: Path, _stamp: int) -> Prepared:
    manifest = read_manifest(folder)
    usable = manifest.usable
    return Prepared(
        seconds=manifest.footage.seconds,
        frames=len(usable),
        held_out=sum(int(usable[clip.holdout : clip.stop].sum()) for clip in manifest.clips),
        width=manifest.size[0],
        height=manifest.size[1],
        poses=manifest.footage.poses,
        report=_report(manifest),
    )


def _report(manifest: SubjectManifest) -> list[Sentence]:
    lacks = advice(manifest.footage, exposure_change=manifest.exposure_change)
    return [Sentence.of(finding.severity, finding.message, finding.values) for finding in lacks]


def _trained(folder: Path) -> Trained | None:
    model = _fields(folder / "model" / "model.json", stamp(folder / "model" / "model.json"))
    minutes = _minutes(folder / "training")
    if not model and minutes is None:
        return None
    return Trained(
        minutes=minutes or None,
        steps=int(model.get("steps", 0)),
        likeness=_likeness(folder / "training" / "log.jsonl"),
        quality=_quality(folder / "training" / "metrics.json"),
        can_dance=bool(model),
        can_be_cut_out=bool(model.get("over_plate")),
    )


def _minutes(training: Path) -> float | None:
    """The minutes of all stages, 0 where steps were asked for; None where nothing was trained."""
    newest = {path.name.partition("-")[0]: path for path in sorted(training.glob("*-*.safetensors"))}
    if not newest:
        return None
    return round(sum(_position(path, stamp(path)).get("minutes") or 0.0 for path in newest.values()), 3)


@lru_cache(maxsize=256)
def _position(checkpoint: Path, _stamp: int) -> dict[str, Any]:
    """Where a checkpoint stands, from its header alone: PyTorch is not needed for that."""
    with suppress(OSError, ValueError, KeyError, TypeError, struct.error), checkpoint.open("rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(min(length, _LONGEST_HEADER)))
        return dict(json.loads(header["__metadata__"]["position"]))
    return {}


def _likeness(log: Path) -> float | None:
    return _last_likeness(log, stamp(log))


@lru_cache(maxsize=256)
def _last_likeness(log: Path, _stamp: int) -> float | None:
    try:
        lines = log.read_text().splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        with suppress(ValueError, KeyError, TypeError):
            entry = json.loads(line)
            if entry["stage"] not in PARTS:
                return float(entry["likeness"])
    return None


def _quality(metrics: Path) -> Quality | None:
    found = _fields(metrics, stamp(metrics))
    with suppress(KeyError, TypeError, ValueError):
        names = ("result", "nearest_neighbor", "background")
        return Quality(*(float(found[name]["body"]["ssim"]) for name in names))
    return None


@lru_cache(maxsize=512)
def _fields(path: Path, _stamp: int) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        fields = json.loads(path.read_bytes())
        return fields if isinstance(fields, dict) else {}
    return {}
