"""Errors put into a dance on purpose, to see how the result suffers: the limits that the paper admits (section 5)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from everybody_dance.body_height import body_height
from everybody_dance.evaluation.compare import compare_all, summary
from everybody_dance.evaluation.gallery import POSE, TRUTH, Gallery
from everybody_dance.evaluation.held_out import danced
from everybody_dance.evaluation.metrics import ssim
from everybody_dance.evaluation.report import Report, Section, Table, plot
from everybody_dance.evaluation.results import Provenance
from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.performer.performer import Performer
from everybody_dance.pose.filtering import clean
from everybody_dance.retarget.normalize import normalize

Kind = Literal["noise", "missing", "speed"]
LEVELS: dict[Kind, tuple[float, ...]] = {
    "noise": (0.0, 0.005, 0.01, 0.02, 0.04),
    "missing": (0.0, 0.05, 0.1, 0.2, 0.4),
    "speed": (0.25, 0.5, 1.0, 2.0, 4.0),
}
"""Standard deviation of each joint's error in body heights; share of joints lost; times as fast."""


SHOWN: dict[tuple[Kind, float], str] = {
    ("noise", 0.02): "Noise of 2 % of body height",
    ("missing", 0.4): "40 % of joints missed",
    ("speed", 4.0): "Four times as fast",
}
"""What is worth looking at."""


@dataclass(frozen=True)
class Treatment:
    """One way to meet errors.

    Attributes:
        smoothing: of the source, as in ``pose.filtering.clean``; None: the keypoints stay as they were found, gaps and
            all.
        varied: whether the performer was trained on varied samples.
    """

    smoothing: str | None
    varied: bool = True


TREATMENTS: dict[str, Treatment] = {
    "all remedies": Treatment("both"),
    "median alone": Treatment("median"),
    "Gaussian alone": Treatment("gaussian"),
    "no smoothing": Treatment("none"),
    "no remedies": Treatment(None, varied=False),
}


def shaken(keypoints: Keypoints, deviation: float = 0.0, missing: float = 0.0, seed: int = 0) -> Keypoints:
    """Keypoints as a worse detector would give them.

    Args:
        keypoints: as detected.
        deviation: standard deviation of each coordinate's error, in body heights.
        missing: share of the found joints that are lost, each by itself.
        seed: of what is drawn.
    """
    random = np.random.default_rng(seed)
    heights = body_height(keypoints.xy, keypoints.confidence)
    height = float(np.median(heights[heights > 0])) if heights.any() else 0.0
    noise = random.normal(0, 1, keypoints.xy.shape).astype(np.float32) * np.float32(deviation * height)
    lost = random.random(keypoints.confidence.shape) < missing
    return replace(keypoints, xy=keypoints.xy + noise, confidence=np.where(lost, np.float32(0), keypoints.confidence))


def at_speed(keypoints: Keypoints, speed: float) -> tuple[Keypoints, NDArray[np.int64], NDArray[np.int64]]:
    """The same dance faster or slower, at the same frame rate.

    Args:
        keypoints: the dance, without cuts.
        speed: 2 takes every second pose, 0.5 puts one between each two.

    Returns:
        The keypoints, and which of their frames are whole poses of the dance, and of which frames of it.
    """
    if speed <= 0:
        raise ValueError(f"the speed must be more than 0, not {speed}")
    times = np.arange(0, len(keypoints) - 1 + 1e-9, speed)
    before = np.floor(times + 1e-9).astype(np.int64)
    after = np.minimum(before + 1, len(keypoints) - 1)
    part = np.clip(times - before, 0, 1).astype(np.float32)
    part[part < 1e-6] = 0
    weight = part[:, None, None]
    xy = (1 - weight) * keypoints.xy[before] + weight * keypoints.xy[after]
    # Between two poses a joint is known where both know it.
    both = np.minimum(keypoints.confidence[before], keypoints.confidence[after])
    confidence = np.where(part[:, None] == 0, keypoints.confidence[before], both)
    whole = np.flatnonzero(part == 0)
    return replace(keypoints, xy=xy, confidence=confidence), whole, before[whole]


@dataclass(frozen=True)
class Measured:
    """How a treatment does against an error of one kind and level.

    Attributes:
        ssim: in the body box, against the truth.
        flicker: in the body box, of 255; NaN at other speeds, where frames that follow each other do not in the truth.
    """

    kind: Kind
    level: float
    treatment: str
    ssim: float
    flicker: float


def measure(
    kind: Kind,
    level: float,
    found: Keypoints,
    truth: Sequence[Image],
    true_keypoints: Keypoints,
    performers: Mapping[bool, Performer],
    on_progress: OnProgress = ignore_progress,
) -> tuple[list[Measured], Gallery]:
    """All treatments of one error.

    Args:
        kind, level: of the error, as in ``LEVELS``.
        found: the source's keypoints as detected.
        truth: the target really dancing it, uint8 (H, W, 3), frame by frame.
        true_keypoints: of ``truth``, in the performers' frame.
        performers: of the same footage, by whether it was trained on varied samples.
        on_progress: told the frames compared.

    Returns:
        The figures, and pictures of them.
    """
    every = np.arange(len(found))
    if kind == "speed":
        dance, frames, of = at_speed(found, level)
    else:
        noise, missing = (level, 0.0) if kind == "noise" else (0.0, level)
        dance, frames, of = shaken(found, noise, missing), every, every
    results, placed = {}, dance
    for name, treatment in TREATMENTS.items():
        performer = performers[treatment.varied]
        treated = dance if treatment.smoothing is None else clean(dance, smoothing=treatment.smoothing)
        placed = normalize(treated, performer.manifest.statistics, performer.manifest.size).keypoints
        results[name] = _only(danced(performer, placed), frames)
    # Shown are the poses as the last treatment has them: as they were found.
    with Gallery(true_keypoints[of], poses=placed[frames], clip=False) as gallery:
        scores = compare_all(
            results,
            (truth[index] for index in of.tolist()),
            true_keypoints[of],
            {"ssim": ssim},
            on_progress,
            watchers=[gallery],
        )
    means = {name: summary(found)["body"] for name, found in scores.items()}
    usual = len(of) == len(every)
    measured = [
        Measured(kind, level, name, body["ssim"], body["flicker"] if usual else float("nan"))
        for name, body in means.items()
    ]
    return measured, gallery


def report(
    found: Sequence[Measured], galleries: Mapping[str, Gallery], made: Provenance, *, frames: int, steps: int
) -> Report:
    """The limits as curves.

    Args:
        found: all that was measured.
        galleries: by title.
    """
    sections: list[Section] = []
    labels: dict[Kind, tuple[str, str]] = {
        "noise": ("Noisy joints", "standard deviation of a joint's error, % of body height"),
        "missing": ("Missed joints", "joints missed, %"),
        "speed": ("Another speed", "times as fast as filmed"),
    }
    for kind, (title, label) in labels.items():
        scale = 1 if kind == "speed" else 100
        levels = [scale * level for level in LEVELS[kind]]
        curves = {name: _curve(found, kind, name, "ssim") for name in TREATMENTS}
        sections.append(plot(title, levels, curves, x_label=label, y_label="SSIM, body", log=kind == "speed"))
        rows = [[name, *(f"{value:.3f}" for value in values)] for name, values in curves.items()]
        sections.append(Table(f"{title}: SSIM", ["", *(f"{level:g}" for level in levels)], rows, note=f"{label}."))
    levels = [100 * level for level in LEVELS["noise"]]
    curves = {name: _curve(found, "noise", name, "flicker") for name in TREATMENTS}
    label = labels["noise"][1]
    sections.append(plot("Jitter", levels, curves, x_label=label, y_label="flicker, body, of 255"))
    rows = [[name, *(f"{value:.2f}" for value in values)] for name, values in curves.items()]
    sections.append(Table("Jitter: flicker", ["", *(f"{level:g}" for level in levels)], rows, note=f"{label}."))
    for title, gallery in galleries.items():
        names = {POSE: "pose", TRUTH: "truth", **{name: name for name in TREATMENTS}}
        sections += [replace(section, title=f"{title}: {section.title.lower()}") for section in gallery.sections(names)]
    return Report(
        "The limits that the paper admits",
        [
            f"A rendered dance of {frames} frames is transferred and compared with the truth, with errors put into the"
            " poses found in the source: noise, missed joints, another speed.",
            "Remedies: gaps are filled, the source is smoothed (median, then Gaussian), and training shows the"
            " generator mirrored samples, other times between frames, and missing joints. Without any: a performer"
            f" trained as long ({steps} steps) on the footage as filmed, and the poses as they were found.",
        ],
        sections,
        made,
    )


def _curve(found: Sequence[Measured], kind: Kind, treatment: str, what: Literal["ssim", "flicker"]) -> list[float]:
    by_level = {
        entry.level: getattr(entry, what) for entry in found if (entry.kind, entry.treatment) == (kind, treatment)
    }
    return [by_level.get(level, float("nan")) for level in LEVELS[kind]]


def _only(pictures: Iterable[Image], frames: NDArray[np.int64]) -> Iterator[Image]:
    wanted = set(frames.tolist())
    return (picture for index, picture in enumerate(pictures) if index in wanted)
