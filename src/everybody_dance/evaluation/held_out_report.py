"""Every figure of performers on the footage that was held out, beside what they have to beat."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path

import torch

from everybody_dance.evaluation.compare import Figures, Scores, Watcher, add, spread
from everybody_dance.evaluation.features import efficientnet_distance, lpips, vgg_distance
from everybody_dance.evaluation.gallery import DIFFERS, POSE, TRUTH, Gallery
from everybody_dance.evaluation.held_out import (
    BACKGROUND,
    NEAREST_NEIGHBOR,
    RESULT,
    TITLES,
    HeldOutDance,
    held_out_scores,
)
from everybody_dance.evaluation.metrics import METRICS, Metric
from everybody_dance.evaluation.person import WithinPerson
from everybody_dance.evaluation.pose_distance import FrameDetector, Redetection
from everybody_dance.evaluation.report import Plot, Report, Table, figure_table, plot
from everybody_dance.evaluation.results import Provenance
from everybody_dance.evaluation.steadiness import (
    FORGET_WITHIN,
    LEAST_SIMILARITY,
    MOST_DIFFERENCE,
    MOST_DRIFT,
    Steadiness,
)
from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.performer.performer import Performer
from everybody_dance.subject.subject import Subject

_ROWS = {
    POSE: "pose",
    TRUTH: "truth",
    RESULT: TITLES[RESULT],
    DIFFERS: "where the result differs",
    **TITLES,
}
"""Rows of the strips, in order."""


def metrics_at_hand(device: torch.device, vgg_weights: Path | None, lpips_weights: Path | None) -> dict[str, Metric]:
    """What can be measured of single pictures: ``METRICS``, and those for which there are weights at hand.

    Raises:
        DanceError: the weights are not what they should be (``bad-vgg-weights``, ``bad-lpips-weights``,
            ``bad-package``).
    """
    metrics = dict(METRICS)
    if lpips_weights is not None:
        metrics["lpips"] = lpips(lpips_weights, device)
    if vgg_weights is not None:
        metrics["vgg_distance"] = vgg_distance(vgg_weights, device)
    efficientnet = efficientnet_distance(device)
    if efficientnet is not None:
        metrics["efficientnet_distance"] = efficientnet
    return metrics


def figures(scores: dict[str, Scores]) -> Figures:
    """The figures of ``full_scores``: mean, standard deviation and number of frames; what has none is left out."""
    return {name: spread(of_result) for name, of_result in scores.items()}


def full_scores(
    subject: Subject,
    performers: Mapping[str, Performer],
    dance: HeldOutDance,
    *,
    metrics: Mapping[str, Metric] = METRICS,
    detector: Callable[[], FrameDetector] | None = None,
    watchers: Sequence[Watcher] = (),
    on_progress: OnProgress = ignore_progress,
    baselines: bool = True,
) -> dict[str, Scores]:
    """Let performers dance what their own footage kept back, once, and measure everything on the way.

    Args:
        subject: whose held-out frames.
        performers: by name, trained on the others.
        dance: at least one frame of them.
        metrics: of single pictures.
        detector: makes the detector that found the subject's poses, for the pose distance; one for each result.
        watchers: shown every frame.
        on_progress: told the frames measured.
        baselines: whether they are measured as well.

    Returns:
        ``scores[name | nearest_neighbor | background][region][metric]``, one for each frame. Regions are body, face and
        frame with ``metrics`` and flicker, body, face and hands with what ``WithinPerson`` measures, and, but for the
        background, pose_body, pose_face, pose_hands and pose_all with pixels, percent (of the body height) and missed
        (joints a frame), and silhouette with iou.
    """
    # Several look at the matte of the same frame.
    matte = lru_cache(maxsize=1)(lambda index: subject.matte(int(dance.frames[index])))
    person = WithinPerson(dance.keypoints, matte, dance.cuts)
    with ExitStack() as stack:
        looking: list[Watcher] = [*watchers, person]
        redetection = None
        if detector is not None:
            redetection = Redetection(
                {name: detector() for name in (*performers, *((NEAREST_NEIGHBOR,) if baselines else ()))}, matte
            )
            looking.append(stack.enter_context(redetection))
        scores = held_out_scores(subject, performers, dance, metrics, on_progress, looking, baselines)
        add(scores, person.scores())
        if redetection is not None:
            add(scores, redetection.scores(dance.keypoints))
        return scores


def report(
    figures: Figures,
    scores: Mapping[str, Scores],
    gallery: Gallery,
    steady: Steadiness | None,
    made: Provenance,
    *,
    frames: int,
) -> Report:
    """All of it as a page."""
    result, nearest, place = (figures[name]["body"]["ssim"].mean for name in TITLES)
    page = Report(
        "How good the performer is",
        [
            f"Measured on {frames} frames that training never saw, beside the training frame with the closest pose and"
            " the empty place alone.",
            f"Likeness in the person's box (SSIM, 1 is equal): {result:.3f}, against {nearest:.3f} and {place:.3f}.",
        ],
        gallery.sections(_ROWS),
        made,
    )
    page.sections += tables(figures, TITLES, {BACKGROUND})
    if steady is not None:
        page.sections.append(_steadiness(steady))
    page.sections.append(over_time(scores, TITLES))
    return page


def tables(figures: Figures, names: Mapping[str, str], still: Collection[str] = ()) -> list[Table]:
    """A table for each region that was measured; the arguments are those of ``figure_table``."""
    found = []
    for region in ("body", "face", "hands", "frame", "pose_body", "pose_face", "pose_hands", "pose_all", "silhouette"):
        if region in figures[next(iter(names))]:
            title = region.replace("pose_", "The pose found again: ").replace("frame", "whole frame")
            found.append(figure_table(title[0].upper() + title[1:], figures, region, names, still))
    return found


def over_time(scores: Mapping[str, Scores], names: Mapping[str, str]) -> Plot:
    """The likeness of the body frame by frame; ``names`` are titles of the results, by name."""
    curves = {title: scores[name]["body"]["ssim"].tolist() for name, title in names.items()}
    frames = range(len(next(iter(curves.values()))))
    return plot("Over time", frames, curves, x_label="frame", y_label="SSIM, body", marked=False)


def _steadiness(found: Steadiness) -> Table:
    rows = [
        [
            f"two dances that began after different frames, {FORGET_WITHIN} frames later (of 255)",
            ", ".join(f"{value:.3f}" for value in found.memory),
            f"below {MOST_DIFFERENCE:g}",
        ],
        [
            f"a pose that is held, frame {FORGET_WITHIN} against frame 300 (SSIM)",
            ", ".join(f"{value:.4f}" for value in found.held),
            f"above {LEAST_SIMILARITY}",
        ],
        [
            f"{found.frames} frames danced {len(found.passes)} times, last pass against the second (SSIM)",
            f"{found.drift:+.4f}",
            f"within {MOST_DRIFT}",
        ],
    ]
    return Table("Steadiness", ["", "measured", "wanted"], rows)
