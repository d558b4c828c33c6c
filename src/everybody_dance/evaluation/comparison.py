"""Performers or results of one dance beside each other: all that is measured of them, and what they look like."""

from collections.abc import Iterable, Mapping

from everybody_dance.evaluation.compare import Scores
from everybody_dance.evaluation.gallery import POSE, TRUTH, Gallery
from everybody_dance.evaluation.held_out_report import figures, over_time, tables
from everybody_dance.evaluation.report import Report
from everybody_dance.evaluation.results import Provenance
from everybody_dance.keypoints import Keypoints


def gallery_of(keypoints: Keypoints, names: Iterable[str]) -> Gallery:
    """Pictures of the results called so, and of where each differs from the truth."""
    return Gallery(keypoints, differing={f"{name}, difference": name for name in names})


def report(scores: Mapping[str, Scores], gallery: Gallery, made: Provenance, *, measured_on: str) -> Report:
    """All of it as a page; ``measured_on`` says what, after "on"."""
    names = {name: name for name in scores}
    rows = {name: name for name in gallery.bodies} | {POSE: "pose", TRUTH: "truth"}
    found = figures(dict(scores))
    likeness = ", ".join(f"{name} {found[name]['body']['ssim'].mean:.3f}" for name in names)
    return Report(
        "Side by side",
        [
            f"Measured on {measured_on}. Of each measure the best is marked.",
            f"Likeness in the person's box (SSIM, 1 is equal): {likeness}.",
        ],
        [*gallery.sections(rows), *tables(found, names), over_time(scores, names)],
        made,
    )
