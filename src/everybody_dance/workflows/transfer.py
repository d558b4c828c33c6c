"""The trained person dances what somebody else danced."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from everybody_dance import events
from everybody_dance.errors import DanceError, UsageError
from everybody_dance.events import Cancellation, Listener, listening
from everybody_dance.files import check_inputs, check_outputs, names_folder
from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.performer.model_files import Model
from everybody_dance.performer.performer import Performer
from everybody_dance.pose.detection import pose_place
from everybody_dance.pose.options import ALL, check_person
from everybody_dance.retarget.landing import Outline, landed
from everybody_dance.retarget.likeness import some_poses
from everybody_dance.retarget.options import AS_FITTED, Landing
from everybody_dance.retarget.statistics import PoseStatistics
from everybody_dance.retarget.together import can_join
from everybody_dance.subject.folder import MANIFEST, needed
from everybody_dance.subject.subject import Subject
from everybody_dance.synthesis.backdrop import NONE, check_background
from everybody_dance.synthesis.config import TransferConfig
from everybody_dance.synthesis.preview import preview_normalization
from everybody_dance.synthesis.source import Dance, read_dance, unlike_share
from everybody_dance.synthesis.transfer import Transfer, check_mattes, transfer_dance
from everybody_dance.video.frames import check_folder_writable
from everybody_dance.video.reader import probe
from everybody_dance.video.writer import check_writable
from everybody_dance.workflows.loaded import LoadedPerformers
from everybody_dance.workflows.requests import PreviewRequest, TransferRequest


@dataclass(frozen=True)
class PreviewResult:
    """Where a dance will land.

    Attributes:
        out: the video.
        clamped_share, unlike_share, bones: as in ``Transfer``.
        fitted: where it was fitted, before it was moved; None where nobody is seen there.
        pictures: beside each other in the video; in all but the first the dance is where it will land.
    """

    out: Path
    clamped_share: float
    unlike_share: float
    bones: Mapping[str, float]
    fitted: Outline | None
    pictures: int

    def figures(self) -> dict[str, Any]:
        """What is known of it, for a report."""
        return {
            "clamped_share": self.clamped_share,
            "unlike_share": self.unlike_share,
            "bones": dict(self.bones),
            "fitted": None if self.fitted is None else asdict(self.fitted),
            "pictures": self.pictures,
        }


def transfer(
    request: TransferRequest,
    listener: Listener | None = None,
    cancellation: Cancellation | None = None,
    *,
    performers: LoadedPerformers | None = None,
) -> Transfer:
    """Make the trained person dance the source's dance.

    Args:
        request: who dances what.
        listener: told findings, progress and artifacts.
        cancellation: lets another thread stop it; then nothing is written.
        performers: where performers are kept loaded from one transfer to the next; None: they are loaded for this one.

    Raises:
        DanceError, UsageError: something cannot be read or written, which is found out before the work begins.
        Cancelled: it was stopped.
    """
    with listening(listener, cancellation):
        config = request.config
        folders = [request.performer, *(folder for folder, _ in request.members)]
        check_transfer(request.source, [request.out, request.comparison], folders, config)
        if request.members and config.person == ALL:
            raise UsageError("all-with-others", "--person all leaves nobody to dance --with: choose one of both.")
        for _, person in request.members:
            check_person(person)
        loaded = (performers or LoadedPerformers()).those_in(folders, request.device, request.runtime)
        performer = loaded[0]
        others = [(member, person) for member, (_, person) in zip(loaded[1:], request.members, strict=True)]
        everybody = config.person == ALL
        check_mattes([performer, *(member for member, _ in others)], config.background, together=everybody)

        def theirs(dancer: Performer, person: str) -> Dance:
            manifest = dancer.manifest
            return find_dance(request.source, manifest.statistics, manifest.size, replace(config, person=person))

        dance = theirs(performer, "1" if everybody else config.person)
        members = [(member, theirs(member, person)) for member, person in others]
        for number in range(2, dance.detection.people + 1) if everybody else ():
            try:
                member = theirs(performer, str(number))
            except DanceError as error:
                if error.code != "no-person":
                    raise
            else:
                if can_join(member.still, member.detection.cuts):
                    members.append((performer, member))
                    continue
            name = request.source.name
            events.warn(
                "left-out", f"Too little is seen of person {number} in {name}: they are left out.", person=number
            )
        _check_different([dance, *(other for _, other in members)], request.source)
        return paint(
            performer,
            dance,
            request.out,
            members=members,
            comparison=request.comparison,
            background=config.background,
            shadow=config.shadow,
            landing=config.landing,
        )


def preview(
    request: PreviewRequest, listener: Listener | None = None, cancellation: Cancellation | None = None
) -> PreviewResult:
    """Draw where the dance will land: over the clean plate, and over a true frame where the subject is at hand.

    Args, Raises: as ``transfer``.
    """
    with listening(listener, cancellation):
        check_transfer(request.source, [None, request.out], [request.subject], request.config)
        place = _place_of(request.subject)
        dance = find_dance(request.source, place.statistics, place.size, request.config)
        cuts = dance.detection.cuts
        moved = replace(dance, placed=landed(dance.placed, request.config.landing, cuts))
        with events.stage("Drawing") as stage:
            preview_normalization(moved, place.backgrounds, place.statistics, request.out, on_progress=stage)
        events.wrote("preview", request.out)
        return PreviewResult(
            request.out,
            dance.clamped_share,
            unlike_share(dance, place.filmed),
            dance.bones,
            Outline.of(dance.placed, cuts),
            len(place.backgrounds) + 1,
        )


def check_transfer(
    source: Path, outputs: list[Path | None], subjects: Sequence[Path], config: TransferConfig, *inputs: Path
) -> None:
    """Find out before the work what would stop a transfer after it: names, folders, codecs, sound.

    Args:
        source: the video that is danced.
        outputs: what will be written: the result first, a video or a folder of frames, and then only videos.
        subjects: folders of the subjects or performers, nothing of which may be overwritten.
        config: of the transfer.
        inputs: more files that are read.
    """
    check_inputs(source, *inputs)
    written = [out for out in outputs if out is not None]
    owned = [file for subject in subjects for file in needed(subject)]
    poses = pose_place(config.pose)
    behind = [] if config.background is None else check_background(config.background)
    check_outputs(written, [source, *inputs, *behind, *owned, *([] if poses is None else [poses])])
    info = probe(source)
    result, *videos = outputs
    if result is not None and names_folder(result):
        check_folder_writable(result)
        if info.has_sound:
            events.remark("frames-without-sound", f"PNG frames have no sound: that of {source.name} is left out.")
    elif result is not None:
        check_writable(result, (64, 64), info.fps, sound_of=source, transparent=config.background == NONE)
    for video in filter(None, videos):
        check_writable(video, (64, 64), info.fps, sound_of=source)


def find_dance(source: Path, statistics: PoseStatistics, size: tuple[int, int], config: TransferConfig) -> Dance:
    """The source's movement in a target's place; the detector remembers what it found.

    Args:
        source: the video.
        statistics, size: of the target.
        config: how it is read and placed.
    """
    with events.stage("Finding the dance in the source") as stage:
        return read_dance(
            source,
            statistics,
            size,
            pose=config.pose,
            person=config.person,
            smoothing=config.smoothing,
            normalized=config.normalize,
            bones=config.bones,
            on_progress=stage,
        )


def paint(
    performer: Performer,
    dance: Dance,
    out: Path,
    *,
    members: Sequence[tuple[Performer, Dance]] = (),
    comparison: Path | None = None,
    truth: Path | None = None,
    background: str | None = None,
    shadow: bool = True,
    landing: Landing = AS_FITTED,
) -> Transfer:
    """Let ``performer`` dance ``dance``; as ``transfer_dance``."""
    with events.stage("Dancing") as stage:
        done = transfer_dance(
            performer,
            dance,
            out,
            members=members,
            comparison=comparison,
            truth=truth,
            background=background,
            shadow=shadow,
            landing=landing,
            on_progress=stage,
        )
    events.wrote("result", done.out)
    if done.comparison is not None:
        events.wrote("comparison", done.comparison)
    return done


def _check_different(dances: Sequence[Dance], source: Path) -> None:
    """Refuse two performers who would dance as one person (``same-person``)."""
    for one, other in combinations(dances, 2):
        if np.array_equal(one.source.xy, other.source.xy):
            raise UsageError(
                "same-person",
                f"Two performers would follow the same person of {source.name}. `dance people` shows who is in it.",
            )


@dataclass(frozen=True)
class _Place:
    """Where a dance lands."""

    statistics: PoseStatistics
    size: tuple[int, int]
    backgrounds: list[Image]
    filmed: Keypoints


def _place_of(folder: Path) -> _Place:
    if not (folder / MANIFEST).is_file():
        model = Model(folder)
        return _Place(model.manifest.statistics, model.manifest.size, [model.plate], model.poses)
    subject = Subject.open(folder)
    with_person = subject.frames_with_person
    backgrounds = [subject.plate]
    if len(with_person):
        backgrounds.append(subject.frame(int(with_person[len(with_person) // 2])))
    filmed = some_poses(subject.keypoints, with_person)
    return _Place(subject.manifest.statistics, subject.manifest.size, backgrounds, filmed)
