"""Performers, or results of one dance, beside each other and the truth: one page with pictures and all figures."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from everybody_dance import events
from everybody_dance.errors import DanceError, UsageError
from everybody_dance.evaluation import comparison
from everybody_dance.evaluation.compare import Scores, add, compare_all
from everybody_dance.evaluation.gallery import POSE, TRUTH, Gallery
from everybody_dance.evaluation.held_out import HeldOutDance
from everybody_dance.evaluation.held_out_report import figures, full_scores, metrics_at_hand
from everybody_dance.evaluation.metrics import Metric
from everybody_dance.evaluation.person import WithinPerson
from everybody_dance.evaluation.results import RECORDS, Provenance, plain, provenance
from everybody_dance.events import Cancellation, Listener, listening
from everybody_dance.files import check_inputs, check_name, check_outputs
from everybody_dance.images import Image, resized
from everybody_dance.performer.device import usable_device
from everybody_dance.performer.model_files import Model
from everybody_dance.pose.detection import detect_video
from everybody_dance.pose.filtering import clean
from everybody_dance.pose.mattes import MatteReader, MatteWriter
from everybody_dance.subject.subject import Subject
from everybody_dance.video.reader import VideoInfo, VideoReader, probe
from everybody_dance.workflows.evaluate import Measured, same_detector, weights_at_hand, write_report

NAME = "compare"
WRITTEN = (f"{NAME}.html", f"{NAME}.json", f"{NAME}.md", RECORDS)


@dataclass(frozen=True, kw_only=True)
class CompareRequest:
    """A comparison.

    Attributes:
        candidates: two or more: folders of performers trained on the same preparation, the first of them with its
            footage; or videos.
        truth: of videos, what they are to look like.
        out: folder for the page and the figures: new, empty, or of an earlier comparison.
        frames: of performers, the held-out frames that are painted, at most.
        device: where to compute.
        command: how the user asked for it, for the page.
    """

    candidates: tuple[Path, ...]
    truth: Path | None = None
    out: Path = Path("comparison")
    frames: int = 300
    device: str = "auto"
    command: tuple[str, ...] = ()


def compare(
    request: CompareRequest, listener: Listener | None = None, cancellation: Cancellation | None = None
) -> Measured:
    """Measure performers on the footage that all of them never saw, or videos against a true one, side by side.

    Performers are measured as ``evaluate`` does, but for the baselines and the steadiness; videos in the boxes and the
    silhouette of the person found in the truth.

    Args:
        request: what to compare.
        listener: told findings, progress and artifacts.
        cancellation: lets another thread stop it.

    Raises:
        DanceError, UsageError: something cannot be compared, read or written, which is found out before the work.
        Cancelled: it was stopped.
    """
    with listening(listener, cancellation):
        names = _names(request.candidates)
        folders = [path.is_dir() for path in names.values()]
        if any(folders) and not all(folders):
            raise UsageError("mixed", "Compare either performers (folders) or videos, not one with the other.")
        return _performers(request, names) if all(folders) else _videos(request, names)


def _performers(request: CompareRequest, names: dict[str, Path]) -> Measured:
    if request.truth is not None:
        raise UsageError("no-use", "--truth is for videos: performers are measured on their held-out footage.")
    first, *others = names.values()
    subject = Subject.open(first)
    for folder in (first, *others):
        if Model(folder).manifest.subject != subject.manifest.identity:
            raise DanceError(
                "other-footage",
                f"{folder} was not trained on the footage as it is prepared in {first}: what is held out there it may"
                " have seen.",
            )
    dance = HeldOutDance.of(subject, request.frames)
    if not dance.keypoints.person_seen.any():
        raise DanceError(
            "nothing-held-out", "No footage with a person was held out, so there is nothing to measure on."
        )
    _check_out(request.out, [*names.values()])
    metrics = _metrics(request)
    performers = {name: Model(folder).load(request.device) for name, folder in names.items()}
    with (
        comparison.gallery_of(dance.keypoints, names) as gallery,
        events.stage("Measuring on held-out frames") as stage,
    ):
        scores = full_scores(
            subject,
            performers,
            dance,
            metrics=metrics,
            detector=same_detector(subject),
            watchers=[gallery],
            on_progress=stage,
            baselines=False,
        )
    made = provenance(request.command, {name: (folder, performers[name]) for name, folder in names.items()})
    return _write(request.out, scores, gallery, made, f"{len(dance.frames)} frames that training never saw")


def _videos(request: CompareRequest, names: dict[str, Path]) -> Measured:
    if request.truth is None:
        raise UsageError("no-truth", "Videos are compared with the truth: give the true video with --truth.")
    check_inputs(request.truth, *names.values())
    info = probe(request.truth)
    for path in names.values():
        _check_alike(probe(path), info)
    _check_out(request.out, [request.truth, *names.values()])
    metrics = _metrics(request)
    with ExitStack() as stack:
        mattes_path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "mattes.zip"
        with closing(MatteWriter(mattes_path)) as writer, events.stage("Finding the person in the truth") as stage:
            found = detect_video(request.truth, on_matte=writer.write, on_progress=stage)
        mattes = stack.enter_context(closing(MatteReader(mattes_path)))
        keypoints = clean(found.keypoints, found.cuts)
        if not keypoints.person_seen.any():
            raise DanceError("no-person", f"Nobody is seen in {request.truth.name}, so there is nothing to measure.")
        person = WithinPerson(keypoints, lambda index: resized(mattes.matte(index), info.size), found.cuts)
        with comparison.gallery_of(keypoints, names) as gallery, events.stage("Measuring the videos") as stage:
            scores = compare_all(
                {name: _exactly(path, len(keypoints)) for name, path in names.items()},
                _exactly(request.truth, len(keypoints)),
                keypoints,
                metrics,
                stage,
                found.cuts,
                [person, gallery],
            )
    add(scores, person.scores())
    made = provenance(request.command, {})
    return _write(request.out, scores, gallery, made, f"the {len(keypoints)} frames of {request.truth.name}")


def _write(out: Path, scores: dict[str, Scores], gallery: Gallery, made: Provenance, measured_on: str) -> Measured:
    page = comparison.report(scores, gallery, made, measured_on=measured_on)
    return write_report(out, NAME, page, {"compared": plain(figures(scores))}, made)


def _metrics(request: CompareRequest) -> dict[str, Metric]:
    return metrics_at_hand(usable_device(request.device), *weights_at_hand())


def _names(candidates: Sequence[Path]) -> dict[str, Path]:
    """What each candidate is called: by its own name, or by its whole path where that is another's as well."""
    for path in candidates:
        check_name(path)
        if not path.exists():
            raise DanceError("file-not-found", f"{path} does not exist.")
    if len({path.resolve() for path in candidates}) < max(len(candidates), 2):
        raise UsageError("nothing-to-compare", "Give two or more different performers or videos to compare.")
    taken = Counter([POSE, TRUTH, *(path.resolve().name for path in candidates)])
    resolved = [path.resolve() for path in candidates]
    return {
        absolute.name if taken[absolute.name] == 1 else str(absolute): path
        for absolute, path in zip(resolved, candidates, strict=True)
    }


def _check_out(out: Path, inputs: Sequence[Path]) -> None:
    """Refuse a folder that holds anything but an earlier comparison."""
    if out.is_dir() and any(not path.name.startswith(".dance-") and path.name not in WRITTEN for path in out.iterdir()):
        raise UsageError(
            "not-empty", f"{out} must be new, empty or of an earlier comparison; choose another name with --out."
        )
    check_outputs([out / name for name in WRITTEN], inputs)


def _check_alike(info: VideoInfo, truth: VideoInfo) -> None:
    """Refuse a video of another size, rate or length."""
    for what, one, other in (
        ("size", *("x".join(map(str, video.size)) for video in (info, truth))),
        ("rate", *(f"{float(video.fps):.5g} frames a second" for video in (info, truth))),
    ):
        if one != other:
            raise DanceError(
                "not-alike", f"{info.path} has another {what} ({one}) than {truth.path} ({other}): frames must match."
            )
    # Files may be one off in what they announce; what is really there is counted as it is read.
    if info.announced_frames and truth.announced_frames and abs(info.announced_frames - truth.announced_frames) > 1:
        raise _other_length(info.path, truth.announced_frames)


def _exactly(path: Path, frames: int) -> Iterator[Image]:
    """The frames of a video, as many as the truth has."""
    count = 0
    with VideoReader(path) as reader:
        for count, frame in enumerate(reader, 1):
            if count > frames:
                break
            yield frame
    if count != frames:
        raise _other_length(path, frames)


def _other_length(path: Path, frames: int) -> DanceError:
    return DanceError("not-alike", f"{path} does not have {frames} frames, as the truth has: frames must match.")
