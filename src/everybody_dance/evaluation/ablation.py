"""The paper's ablation on one subject: frame by frame, with temporal smoothing, with the face GAN (section 5.2).

All are trained for the same number of generator steps. The face GAN is trained on top of the second, as in the paper,
so the last two share one generator.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from everybody_dance.evaluation.full import full_scores
from everybody_dance.evaluation.metrics import Scores
from everybody_dance.evaluation.pose_distance import FrameDetector
from everybody_dance.evaluation.self_reenactment import RESULT
from everybody_dance.subject.subject import Subject
from everybody_dance.training.loop import Report, train
from everybody_dance.training.presets import Preset, frame_by_frame, stages

VARIANTS = ("frame by frame", "+ temporal smoothing", "+ face GAN")

# Tables 1 to 3 of the paper (arXiv version 1), by region and metric, in the order of VARIANTS. Other data, another
# detector: beside ours for the pattern, not for the values. LPIPS is not ours to compare with.
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


def ablate(
    subject: Subject,
    preset: Preset,
    steps: int,
    seeds: Sequence[int],
    *,
    device: str = "auto",
    limit: int = 300,
    vgg_weights: Path | None = None,
    detector: Callable[[], FrameDetector] | None = None,
    on_progress: Report = lambda progress: None,
) -> dict[str, list[Scores]]:
    """Train and measure the three variants, going on where an earlier run stopped.

    Args:
        subject: trained in ``ablation/`` in its folder; its own performer is left alone.
        preset: the full method.
        steps: of the generator, in each variant.
        seeds: one training of each variant for each.
        device, vgg_weights: as in ``train``; the weights are also for the metric.
        limit, detector: as in ``full_scores``.
        on_progress: told the steps of each training.

    Returns:
        For each of ``VARIANTS`` the scores by seed, on the same held-out frames.
    """
    share = next(stage.share for stage in stages(preset, ["face"]) if stage.name == "main")
    whole = round(steps / share)
    scores: dict[str, list[Scores]] = {name: [] for name in VARIANTS}
    for seed in seeds:
        place = subject.folder / "ablation" / f"seed-{seed}"
        alone = train(
            subject,
            frame_by_frame(preset),
            refined=[],
            steps=round(whole * share),
            device=device,
            seed=seed,
            vgg_weights=vgg_weights,
            folder=place / "frame-by-frame",
            on_progress=on_progress,
        )
        full = train(
            subject,
            preset,
            refined=["face"],
            steps=whole,
            device=device,
            seed=seed,
            vgg_weights=vgg_weights,
            folder=place / "full",
            on_progress=on_progress,
        )
        for name, performer in zip(VARIANTS, (alone, full.unrefined(), full), strict=True):
            found = full_scores(subject, performer, limit=limit, vgg_weights=vgg_weights, detector=detector)
            scores[name].append(found[RESULT])
    return scores


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
    starts = random.integers(0, frames - block + 1, (RESAMPLES, count))
    index = (starts[..., None] + np.arange(block)).reshape(RESAMPLES, -1)[:, :frames]
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
        region, metric: as in ``full.Figures``.
        ours: mean of each of ``VARIANTS``; NaN where nothing was measured.
        changes: for the second and third variant, the difference to the one before, and its interval.
        published: the paper's figures, if it has them.
    """

    region: str
    metric: str
    ours: tuple[float, ...]
    changes: tuple[tuple[float, float, float], ...]
    published: tuple[float, ...] | None


def table(scores: dict[str, list[Scores]], block: int) -> list[Row]:
    """The two tables of the paper for this subject, and what else was measured.

    Args:
        scores: from ``ablate``.
        block: frames in a block of the bootstrap; about a second.
    """
    first = scores[VARIANTS[0]][0]
    rows = []
    for region, by_metric in first.items():
        for metric in by_metric:
            values = [[trained[region][metric] for trained in scores[name]] for name in VARIANTS]
            if not all(np.isfinite(np.stack(of_variant)).any() for of_variant in values):
                continue
            changes = tuple(difference_interval(after, before, block) for before, after in pairwise(values))
            means = tuple(float(np.nanmean(np.stack(of_variant))) for of_variant in values)
            rows.append(Row(region, metric, means, changes, PUBLISHED.get((region, metric))))
    return rows


def markdown(rows: Sequence[Row]) -> str:
    """``table`` as Markdown. A change whose interval holds 0 is no difference found, and is said to be none."""
    lines = [
        f"| region, metric | {' | '.join(VARIANTS)} | change by smoothing | change by face GAN | published |",
        "|---" * 7 + "|",
    ]
    for row in rows:
        ours = " | ".join(f"{value:.4f}" for value in row.ours)
        changes = " | ".join(
            f"{change:+.4f} ({low:+.4f} to {high:+.4f})" + ("" if low > 0 or high < 0 else ", none found")
            for change, low, high in row.changes
        )
        published = "" if row.published is None else ", ".join(f"{value:g}" for value in row.published)
        lines.append(f"| {row.region.replace('_', ' ')}, {row.metric} | {ours} | {changes} | {published} |")
    return "\n".join(lines) + "\n"
