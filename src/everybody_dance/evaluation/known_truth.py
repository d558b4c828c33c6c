"""A transfer with a known right answer: rendered dancers of other build, in other rooms, doing the very same dance.

What is wrong with a transfer is split in two. *Where*: how far the normalized pose lies from where the target's joints
really would be. *How it looks*: what is left when the performer is given the true pose.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from everybody_dance.dancers.choreography import CHOREOGRAPHIES
from everybody_dance.dancers.clips import RATE, SIZE, TRAINING, TRAINING_SECONDS
from everybody_dance.dancers.render import DANCERS, Dancer, render, true_keypoints
from everybody_dance.evaluation.baselines import background
from everybody_dance.evaluation.compare import Figures, add, compare_all, spread
from everybody_dance.evaluation.gallery import POSE, TRUTH, Gallery
from everybody_dance.evaluation.held_out import (
    BACKGROUND,
    NEAREST_NEIGHBOR,
    RESULT,
    TITLES,
    danced,
    nearest_neighbor,
)
from everybody_dance.evaluation.metrics import METRICS, Metric
from everybody_dance.evaluation.placement import placement_error
from everybody_dance.evaluation.pose_distance import FrameDetector, Redetection
from everybody_dance.evaluation.report import Report, Table, figure_table
from everybody_dance.evaluation.results import Provenance
from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.machine import usable_cores
from everybody_dance.performer.performer import Performer
from everybody_dance.retarget.normalize import place_unchanged
from everybody_dance.subject.subject import Subject

TRUE_POSE, NOT_NORMALIZED = "true_pose", "not_normalized"
NAMES = {
    POSE: "pose",
    TRUTH: "truth",
    RESULT: "transfer",
    TRUE_POSE: "given the true pose",
    NOT_NORMALIZED: "without normalization",
    NEAREST_NEIGHBOR: TITLES[NEAREST_NEIGHBOR],
    BACKGROUND: TITLES[BACKGROUND],
}


@dataclass(frozen=True)
class Pair:
    """One transfer.

    Attributes:
        source, target: names of dancers.
        dance: name of a choreography that is not the training's.
        far: how many times as far as usual the source's camera stands.
    """

    source: str
    target: str
    dance: str
    far: float = 1.0

    def __str__(self) -> str:
        view = "" if self.far == 1 else f", camera {self.far:g} times as far"
        return f"{self.source} to {self.target}, {self.dance}{view}"


# All ordered pairs of three dancers, two from farther away, then those with a fourth.
PAIRS = (
    Pair("bruno", "ada", "waves"),
    Pair("ada", "bruno", "kicks"),
    Pair("chiyo", "ada", "spins"),
    Pair("bruno", "chiyo", "steps"),
    Pair("chiyo", "bruno", "steps"),
    Pair("ada", "chiyo", "waves"),
    Pair("bruno", "ada", "steps", far=1.5),
    Pair("ada", "chiyo", "kicks", far=2.5),
    Pair("dmitri", "ada", "kicks"),
    Pair("ada", "dmitri", "steps"),
    Pair("bruno", "dmitri", "spins"),
    Pair("chiyo", "dmitri", "waves"),
    Pair("dmitri", "bruno", "waves"),
    Pair("dmitri", "chiyo", "kicks", far=1.5),
)


@dataclass(frozen=True)
class Placement:
    """Mean distance of a body joint from the target's true one, in percent of the target's height.

    Attributes:
        normalized: of the source's pose after global pose normalization.
        unchanged: of the same without it.
        detected: of the pose found in the truth itself: the detector's own share.
    """

    normalized: float
    unchanged: float
    detected: float


@dataclass(frozen=True)
class Outcome:
    """What came of a pair: figures of each of ``NAMES`` but pose and truth, and its placement."""

    pair: Pair
    figures: Figures
    placement: Placement

    @property
    def lost_by_place(self) -> float:
        """SSIM in the body box that is lost because the pose is not the true one."""
        return self._ssim(TRUE_POSE) - self._ssim(RESULT)

    @property
    def lost_by_look(self) -> float:
        """SSIM in the body box that is missing even with the true pose."""
        return 1 - self._ssim(TRUE_POSE)

    def _ssim(self, name: str) -> float:
        return self.figures[name]["body"]["ssim"].mean


@dataclass(frozen=True)
class Studio:
    """Where the videos are rendered; what is there already is not rendered again.

    Attributes:
        folder: of the videos.
        seconds: of each dance.
        training_seconds: of what a target is trained on.
        size: (W, H) of all videos, in pixels.
    """

    folder: Path
    seconds: float
    training_seconds: float = TRAINING_SECONDS
    size: tuple[int, int] = SIZE

    def training(self, dancer: str, on_progress: OnProgress = ignore_progress) -> Path:
        """The video that ``dancer`` is trained on."""
        return self._video(f"{dancer}-{TRAINING}", DANCERS[dancer], TRAINING, self.training_seconds, on_progress)

    def dance(self, dancer: str, dance: str, far: float = 1.0, on_progress: OnProgress = ignore_progress) -> Path:
        """The video of ``dancer`` in ``dance``."""
        name = f"{dancer}-{dance}-{self.seconds:g}s" + ("" if far == 1 else f"-{far:g}")
        return self._video(name, filmed_from(DANCERS[dancer], far), dance, self.seconds, on_progress)

    def exact(self, dancer: str, dance: str) -> Keypoints:
        """Where the joints of ``dancer`` really are in ``dance``."""
        rate = Fraction(RATE)
        return true_keypoints(DANCERS[dancer], CHOREOGRAPHIES[dance], round(self.seconds * rate), rate, self.size)

    def _video(self, name: str, dancer: Dancer, dance: str, seconds: float, on_progress: OnProgress) -> Path:
        from everybody_dance.pose.detector_process import deaf_to_ctrl_c
        from everybody_dance.video.writer import VideoWriter

        path = self.folder / f"{name}.mp4"
        count = round(seconds * RATE)
        if not path.exists():
            with (
                VideoWriter(path, self.size, Fraction(RATE)) as writer,
                ProcessPoolExecutor(usable_cores(), get_context("spawn")) as pool,
            ):
                with deaf_to_ctrl_c():  # this starts processes
                    frames = pool.map(partial(_picture, dancer, dance, self.size), range(count), chunksize=8)
                for done, image in enumerate(frames, 1):
                    writer.write(image)
                    on_progress(done, count)
        return path


def filmed_from(dancer: Dancer, far: float) -> Dancer:
    """The same dancer and room, the camera ``far`` times as far away."""
    return replace(dancer, room=replace(dancer.room, camera_distance=far * dancer.room.camera_distance))


def measure(
    pair: Pair,
    studio: Studio,
    subject: Subject,
    performer: Performer,
    *,
    metrics: Mapping[str, Metric] = METRICS,
    detector: Callable[[], FrameDetector] | None = None,
    on_progress: OnProgress = ignore_progress,
) -> tuple[Outcome, Gallery]:
    """Transfer a pair and compare with the truth.

    Args:
        pair: what to do.
        studio: where its videos are.
        subject, performer: the target's.
        metrics: of single pictures.
        detector: makes the detector for the pose distance, of the transfer from what it was given.
        on_progress: told the frames compared.
    """
    from everybody_dance.pose.detection import detect_video
    from everybody_dance.pose.filtering import clean
    from everybody_dance.synthesis.source import read_dance
    from everybody_dance.video.reader import VideoReader

    manifest = subject.manifest
    true_video = studio.dance(pair.target, pair.dance)
    dance = read_dance(studio.dance(pair.source, pair.dance, pair.far), manifest.statistics, manifest.size)
    detected = clean(detect_video(true_video).keypoints).scaled_to(manifest.size)
    exact = studio.exact(pair.target, pair.dance).scaled_to(manifest.size)
    unchanged = place_unchanged(dance.source, manifest.size)
    results: dict[str, Iterable[Image]] = {
        RESULT: danced(performer, dance.placed),
        TRUE_POSE: danced(performer, detected),
        NOT_NORMALIZED: danced(performer, unchanged),
        NEAREST_NEIGHBOR: nearest_neighbor(subject, dance.placed),
        BACKGROUND: background(subject.plate, len(exact)),
    }
    with (
        Gallery(exact, poses=dance.placed) as pictures,
        Redetection({} if detector is None else {RESULT: detector()}) as redetection,
        VideoReader(true_video, size=manifest.size) as truth,
    ):
        true_frames, watchers = islice(truth, len(exact)), (pictures, redetection)
        scores = compare_all(results, true_frames, exact, metrics, on_progress, watchers=watchers)
        add(scores, redetection.scores(dance.placed))
    placement = Placement(*(_mean(placement_error(pose, exact)) for pose in (dance.placed, unchanged, detected)))
    return Outcome(pair, {name: spread(found) for name, found in scores.items()}, placement), pictures


def report(found: Sequence[tuple[Outcome, Gallery]], made: Provenance, *, steps: Mapping[str, int]) -> Report:
    """All pairs as a page."""
    outcomes = [outcome for outcome, _ in found]
    shown = [name for name in NAMES if name in outcomes[0].figures]
    rows, best = [], []
    for outcome in outcomes:
        values = [outcome.figures[name]["body"]["ssim"].mean for name in shown]
        rows.append([str(outcome.pair), *(f"{value:.3f}" for value in values)])
        best.append(1 + values.index(max(values)))
    means = [float(np.mean([outcome.figures[name]["body"]["ssim"].mean for outcome in outcomes])) for name in shown]
    rows.append(["mean", *(f"{value:.3f}" for value in means)])
    best.append(1 + means.index(max(means)))
    splits = [
        [
            str(outcome.pair),
            f"{outcome.placement.normalized:.1f}",
            f"{outcome.placement.unchanged:.1f}",
            f"{outcome.placement.detected:.1f}",
            f"{outcome.lost_by_place:.3f}",
            f"{outcome.lost_by_look:.3f}",
        ]
        for outcome in outcomes
    ]
    splits.append(
        [
            "mean",
            *(
                f"{np.mean([getattr(outcome.placement, name) for outcome in outcomes]):.1f}"
                for name in ("normalized", "unchanged", "detected")
            ),
            f"{np.mean([outcome.lost_by_place for outcome in outcomes]):.3f}",
            f"{np.mean([outcome.lost_by_look for outcome in outcomes]):.3f}",
        ]
    )
    trained = ", ".join(f"{name} {count}" for name, count in steps.items())
    page = Report(
        "Transfer, against the truth",
        [
            f"{len(outcomes)} transfers between rendered dancers, each compared with the target really dancing that"
            " dance, which no footage has. The dances are not in the training footage.",
            f"Steps of training: {trained}.",
        ],
        [
            Table("Likeness in the person's box (SSIM)", ["", *(NAMES[name] for name in shown)], rows, best),
            Table(
                "Where, and how it looks",
                [
                    "",
                    "lands off, % of height",
                    "without normalization",
                    "detector's share",
                    "SSIM lost by place",
                    "SSIM lost by look",
                ],
                splits,
                note="Lands off: mean distance of a body joint from the target's true one. The detector's share is"
                " the same for the pose found in the true video. Lost by place: how much better it is given that pose."
                " Lost by look: what is missing even so.",
            ),
        ],
        provenance=made,
    )
    for outcome, gallery in found:
        for section in gallery.sections(NAMES):
            page.sections.append(replace(section, title=f"{outcome.pair}: {section.title.lower()}"))
        for region in outcome.figures[RESULT]:
            title = f"{outcome.pair}: {region.replace('pose_', 'the pose found again, ')}"
            page.sections.append(figure_table(title, outcome.figures, region, NAMES, {BACKGROUND}))
    return page


def _picture(dancer: Dancer, dance: str, size: tuple[int, int], frame: int) -> NDArray[np.uint8]:
    return render(dancer, CHOREOGRAPHIES[dance], frame / RATE, size).image


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
