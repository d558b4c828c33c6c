"""The paper's ablation on one subject: frame by frame, with temporal smoothing, with the face GAN (section 5.2).

All are trained for the same number of generator steps. The face GAN is trained on top of the second, as in the paper,
so the last two share one generator.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from everybody_dance.evaluation.compare import Scores, Watcher
from everybody_dance.evaluation.gallery import POSE, TRUTH, Gallery
from everybody_dance.evaluation.held_out import TITLES, HeldOutDance
from everybody_dance.evaluation.held_out_report import full_scores
from everybody_dance.evaluation.metrics import ABOUT, METRICS, Metric
from everybody_dance.evaluation.pose_distance import FrameDetector
from everybody_dance.evaluation.report import Report as Page
from everybody_dance.evaluation.report import Table
from everybody_dance.evaluation.results import Provenance
from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.performer.performer import Performer
from everybody_dance.subject.subject import Subject
from everybody_dance.training.config import TrainConfig
from everybody_dance.training.loop import OnTraining, train
from everybody_dance.training.presets import stages

VARIANTS = ("frame by frame", "+ temporal smoothing", "+ face GAN")

# Tables 1 to 3 of the paper (arXiv version 1), by region and metric, in the order of VARIANTS. Other data, another
# detector: beside ours for the pattern, not for the values.
PUBLISHED: dict[tuple[str, str], tuple[float, float, float]] = {
    ("body", "ssim"): (0.89564, 0.89597, 0.89807),
    ("face", "ssim"): (0.81374, 0.81770, 0.83046),
    ("body", "lpips"): (0.03189, 0.03137, 0.03066),
    ("face", "lpips"): (0.03731, 0.03662, 0.03304),
    ("pose_body", "pixels"): (2.39352, 2.63446, 2.56743),
    ("pose_face", "pixels"): (1.1872, 1.14348, 0.91636),
    ("pose_hands", "pixels"): (3.86359, 3.76056, 3.29771),
    ("pose_all", "pixels"): (2.0781, 2.06884, 1.92704),
    ("pose_body", "missed"): (0.17864, 0.15989, 0.15578),
    ("pose_face", "missed"): (0.77796, 0.56318, 0.47392),
    ("pose_hands", "missed"): (1.67584, 1.76016, 1.66366),
    ("pose_all", "missed"): (2.63244, 2.48323, 2.29336),
}

RESAMPLES = 2000


@dataclass(frozen=True)
class Ablation:
    """What came of the trainings.

    Attributes:
        scores: of each of ``VARIANTS``, and of both baselines, by seed, on the same held-out frames.
        performers: of every training the folder and what it made, by seed and variant.
    """

    scores: dict[str, list[Scores]]
    performers: dict[str, tuple[Path, Performer]]


def ablate(
    subject: Subject,
    config: TrainConfig,
    seeds: Sequence[int],
    dance: HeldOutDance,
    *,
    metrics: Mapping[str, Metric] = METRICS,
    detector: Callable[[], FrameDetector] | None = None,
    watchers: Sequence[Watcher] = (),
    on_training: OnTraining = lambda progress: None,
    on_progress: OnProgress = ignore_progress,
) -> Ablation:
    """Train and measure the three variants, going on where an earlier run stopped.

    Args:
        subject: trained in ``ablation/`` in its folder; its own performer is left alone.
        config: the full method; its steps are those of the generator, in each variant.
        seeds: one training of each variant for each.
        dance, metrics, detector: as in ``full_scores``.
        watchers: shown the first seed's frames.
        on_training: told the steps of each training.
        on_progress: told the frames measured, of each seed.
    """
    assert config.steps is not None
    share = next(stage.share for stage in stages(config.row, ["face"]) if stage.makes == "performer")
    scores: dict[str, list[Scores]] = {}
    performers: dict[str, tuple[Path, Performer]] = {}

    def trained(name: str, variant: TrainConfig) -> Performer:
        folder = subject.folder / "ablation" / f"seed-{variant.seed}" / name
        performer = train(subject, variant, folder=folder, on_progress=on_training)
        performers[f"seed {variant.seed}, {name}"] = folder, performer
        return performer

    for seed in seeds:
        whole = replace(config, seed=seed, steps=round(config.steps / share), refine=("face",))
        generator = round(round(config.steps / share) * share)
        alone = trained("frame-by-frame", replace(whole, temporal=False, steps=generator, refine=()))
        full = trained("full", whole)
        found = full_scores(
            subject,
            dict(zip(VARIANTS, (alone, full.unrefined(), full), strict=True)),
            dance,
            metrics=metrics,
            detector=detector,
            watchers=() if scores else watchers,
            on_progress=on_progress,
        )
        for name, of_result in found.items():
            scores.setdefault(name, []).append(of_result)
    return Ablation(scores, performers)


def difference_interval(
    scores: Sequence[NDArray[np.float64]], others: Sequence[NDArray[np.float64]], block: int, seed: int = 0
) -> tuple[float, float, float]:
    """How much larger ``scores`` are than ``others``, and a 95 % interval by a block bootstrap over time.

    Neighbouring frames are alike, so whole blocks are drawn, the same for every training. The spread between trainings
    is in the interval only as far as they are many: with one it is that of the frames alone.

    Args:
        scores, others: for each training (T,), on the same frames; NaN where there is none.
        block: frames in a block.
        seed: of the draws.

    Returns:
        Mean difference, lower and upper end; NaN where nothing can be compared.
    """
    apart = np.stack(scores) - np.stack(others)  # (trainings, T)
    trainings, frames = apart.shape
    if not np.isfinite(apart).any():
        return float("nan"), float("nan"), float("nan")
    block = min(block, frames)
    random = np.random.default_rng(seed)
    count = -(-frames // block)
    # From the last frame a block goes on with the first, or those at the ends would hardly ever be drawn.
    starts = random.integers(0, frames, (RESAMPLES, count))
    index = (starts[..., None] + np.arange(block)).reshape(RESAMPLES, -1)[:, :frames] % frames
    which = random.integers(0, trainings, (RESAMPLES, trainings))
    drawn = apart[which[:, :, None], index[:, None, :]].reshape(RESAMPLES, -1)
    seen = np.isfinite(drawn)
    means = np.where(seen, drawn, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    low, high = np.percentile(means[seen.any(axis=1)], (2.5, 97.5))
    return float(np.nanmean(apart)), float(low), float(high)


@dataclass(frozen=True)
class Row:
    """One line of the ablation's table.

    Attributes:
        region, metric: as in ``full_scores``.
        ours: mean of each of ``VARIANTS`` and of both baselines, by name; NaN where nothing was measured.
        changes: for the second and third variant, the difference to the one before, and its interval.
        published: the paper's figures, if it has them.
    """

    region: str
    metric: str
    ours: dict[str, float]
    changes: tuple[tuple[float, float, float], ...]
    published: tuple[float, ...] | None


def rows(scores: Mapping[str, list[Scores]], block: int) -> list[Row]:
    """The two tables of the paper for this subject, and what else was measured.

    Args:
        scores: from ``ablate``.
        block: frames in a block of the bootstrap; about a second.
    """
    found = []
    for region, by_metric in scores[VARIANTS[0]][0].items():
        for metric in by_metric:
            values = {
                name: [trained[region][metric] for trained in of_variant if region in trained]
                for name, of_variant in scores.items()
            }
            means = {name: _mean(of_variant) for name, of_variant in values.items()}
            if not all(np.isfinite(means[name]) for name in VARIANTS):
                continue
            changes = tuple(difference_interval(values[b], values[a], block) for a, b in pairwise(VARIANTS))
            found.append(Row(region, metric, means, changes, PUBLISHED.get((region, metric))))
    return found


def report(found: Sequence[Row], gallery: Gallery, made: Provenance, *, steps: int, seeds: int, frames: int) -> Page:
    """The ablation as a page: the paper's two tables for this subject beside the paper's, and pictures."""
    names = {POSE: "pose", TRUTH: "truth", **dict(zip(VARIANTS, VARIANTS, strict=True)), **TITLES}
    page = Page(
        "Ablation: frame by frame, temporal smoothing, face GAN",
        [
            f"Three variants, each trained for {steps} steps of the generator, {_times(seeds)}, and measured on"
            f" {frames} frames that none of them saw. The face GAN is trained on top of the second, as in the paper.",
            "Beside each change stands its 95 % interval, from a block bootstrap over seconds of footage (and over "
            "trainings, where there are several). An interval that holds 0 is no difference found.",
        ],
        gallery.sections(names),
        made,
    )
    likeness = [row for row in found if not row.region.startswith("pose_")]
    poses = [row for row in found if row.region.startswith("pose_")]
    for title, of_table in (("Likeness to the truth", likeness), ("The pose found again", poses)):
        if of_table:
            page.sections += [_values(title, of_table), _changes(f"{title}: what each part changes", of_table)]
    return page


def _values(title: str, found: Sequence[Row]) -> Table:
    names = [name for name in (*VARIANTS, *TITLES) if any(name in row.ours for row in found)]
    cells, best = [], []
    for row in found:
        about = ABOUT[row.metric]
        values = [row.ours.get(name, float("nan")) for name in names]
        published = "" if row.published is None else " / ".join(f"{value:g}" for value in row.published)
        shown = ["" if np.isnan(value) else f"{value:.{about.digits}f}" for value in values]
        cells.append([f"{_region(row.region)}, {about.title}", *shown, published])
        of_variants = values[: len(VARIANTS)]
        best.append(1 + of_variants.index(max(of_variants, key=about.merit)))
    columns = ["", *(TITLES.get(name, name) for name in names), "published"]
    note = (
        "Published: Tables 1 to 3 of the paper (arXiv version 1), the same three variants, measured on other people"
        " with another detector: compare the pattern, not the values."
    )
    return Table(title, columns, cells, best, note)


def _changes(title: str, found: Sequence[Row]) -> Table:
    cells = []
    for row in found:
        about = ABOUT[row.metric]
        merits = [about.merit(row.ours[name]) for name in VARIANTS]
        shown = [
            _change(change, about.digits, after > before)
            for change, (before, after) in zip(row.changes, pairwise(merits), strict=True)
        ]
        published = ["", ""]
        if row.published is not None:
            published = [f"{after - before:+.5f}" for before, after in pairwise(row.published)]
        cells.append([f"{_region(row.region)}, {about.title}", shown[0], published[0], shown[1], published[1]])
    return Table(title, ["", "by smoothing", "published", "by face GAN", "published"], cells)


def _change(change: tuple[float, float, float], digits: int, better: bool) -> str:
    middle, low, high = change
    figures = f"{middle:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"
    if low <= 0 <= high:
        return f"{figures}, none found"
    return f"{figures}, {'better' if better else 'worse'}"


def _mean(values: Sequence[NDArray[np.float64]]) -> float:
    every = np.concatenate(values) if values else np.empty(0)
    return float(np.nanmean(every)) if np.isfinite(every).any() else float("nan")


def _region(region: str) -> str:
    return region.replace("pose_", "pose of ").replace("of all", "of all joints")


def _times(seeds: int) -> str:
    return "once" if seeds == 1 else f"with {seeds} seeds"
