"""From frames and keypoints to a whole subject: camera, clean plate, statistics, footage report."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance import events
from everybody_dance.errors import DanceError
from everybody_dance.files import write_bytes
from everybody_dance.keypoints import Keypoints
from everybody_dance.pose.detection_report import DetectionReport, report
from everybody_dance.pose.filtering import clean
from everybody_dance.pose.mattes import MatteReader
from everybody_dance.retarget.statistics import pose_statistics
from everybody_dance.subject.folder import MATTES, SHEET
from everybody_dance.subject.manifest import Clip, SubjectManifest
from everybody_dance.subject.prepare.captions import Captions
from everybody_dance.subject.prepare.decode import Decoded
from everybody_dance.subject.prepare.find_place import find_place
from everybody_dance.subject.prepare.footage import advice, look_over
from everybody_dance.subject.prepare.plate import Plate
from everybody_dance.subject.prepare.request import Request
from everybody_dance.subject.prepare.sheet import contact_sheet
from everybody_dance.subject.subject import Subject, read_frame

FEWEST_FRAMES = 30
"""Training frames with a person, below which there is nothing to learn from."""


def complete(request: Request, folder: Path, decoded: Decoded, identity: str) -> None:
    """Make a whole subject of the frames in ``folder`` and the keypoints of its clips.

    Args:
        request: what is prepared.
        folder: of the new subject.
        decoded: what was found in the footage.
        identity: of the new subject.

    Raises:
        DanceError: the footage shows nobody (``no-person``), is too short (``too-short``), or was filmed in different
            places (``different-places``).
    """
    size, detections, clips = request.size, decoded.detections, decoded.clips
    left_out = _left_out(request, decoded)
    # What was never filmed teaches nothing, so guesses outside the picture are left out.
    detected = [detection.keypoints.inside().scaled_to(size) for detection in detections]
    keypoints = _joined([clean(part, detection.cuts) for part, detection in zip(detected, detections, strict=True)])
    cuts = tuple(clip.first + cut for clip, detection in zip(clips, detections, strict=True) for cut in detection.cuts)
    training = np.concatenate([np.arange(clip.first, clip.holdout) for clip in clips])
    crossed = _crossed(request, decoded)
    training = training[~(decoded.elsewhere | crossed)[training]]
    _check_people(keypoints, training)
    found = report(_joined(detected), detections[0].supplied)
    _advise(found)

    place = find_place(folder, decoded, keypoints, training)
    keypoints, training, plate = place.keypoints, place.training, place.plate
    _report_captions(request, decoded, place.captions)
    with closing(MatteReader(folder / MATTES)) as mattes:
        footage = look_over(partial(read_frame, folder), mattes.matte, keypoints, training, plate.image, plate.known)
    # The ground line starts anew at the edge of a clip, as it does at a cut.
    edges = sorted({*(clip.first for clip in clips if clip.first), *cuts})
    manifest = SubjectManifest(
        identity=identity,
        sources=request.sources,
        size=keypoints.size,
        filmed_size=size,
        fps=keypoints.fps,
        detector=detections[0].detector,
        detection=found,
        statistics=pose_statistics(keypoints[training], _renumbered(edges, training)),
        clips=clips,
        cuts=cuts,
        left_out=left_out,
        covered=_stretches(place.captions.over | crossed, clips),
        camera=place.camera,
        camera_motion=place.motion,
        exposure_change=place.exposure_change,
        plate_unknown_share=plate.unknown_share,
        footage=footage,
        options=request.options,
    )
    _report_plate(plate)
    for finding in advice(footage, exposure_change=place.exposure_change):
        events.emit(finding)
    subject = Subject.create(folder, manifest, keypoints, plate.image, plate.known)
    sheet = cv2.imencode(".jpg", contact_sheet(subject)[..., ::-1])[1]
    write_bytes(folder / SHEET, sheet.tobytes())


def _left_out(request: Request, decoded: Decoded) -> tuple[tuple[int, int], ...]:
    """Stretches [first, stop) of frames that do not show the place; the user is told their times in each video."""
    for path, seconds, moment in _times(request, decoded, decoded.elsewhere):
        events.warn(
            "left-out",
            f"{path.name} does not show the place where the person dances at {_told(seconds)}: such titles, fades and"
            " other places are left out.",
            video=path.name,
            seconds=seconds,
            moment=moment,
        )
    return _stretches(decoded.elsewhere, decoded.clips)


def _crossed(request: Request, decoded: Decoded) -> NDArray[np.bool_]:
    """bool, for every frame: it is left out since somebody else crosses the person; the user is told when."""
    crossed, often = decoded.bystanders.crossed()
    for path, seconds, moment in _times(request, decoded, crossed):
        events.remark(
            "crossed",
            f"{path.name} shows somebody else in front of or behind the person at {_told(seconds)}: this is left out.",
            video=path.name,
            seconds=seconds,
            moment=moment,
        )
    if often and not crossed.any():
        events.warn(
            "others-in-the-way",
            f"Somebody else is in front of or behind the person in {often:.0%} of the frames, too many to leave them"
            " out: film the person alone.",
            share=often,
        )
    return crossed


def _report_captions(request: Request, decoded: Decoded, captions: Captions) -> None:
    for path, seconds, moment in _times(request, decoded, captions.shown):
        events.remark(
            "captions",
            f"{path.name} shows captions at {_told(seconds)}: they were taken out of the frames and the empty place.",
            video=path.name,
            seconds=seconds,
            moment=moment,
        )
    for path, seconds, moment in _times(request, decoded, captions.over):
        events.warn(
            "captions-left-out",
            f"{path.name} shows captions over the person at {_told(seconds)}: this is left out.",
            video=path.name,
            seconds=seconds,
            moment=moment,
        )
    if captions.hiding and not captions.over.any():
        events.warn(
            "captions-over-person",
            f"Captions lie over the person in {captions.hiding:.0%} of the frames, too many to leave them out, and are"
            " painted as a part of them: use footage without captions.",
            share=captions.hiding,
        )


def _stretches(frames: NDArray[np.bool_], clips: Sequence[Clip]) -> tuple[tuple[int, int], ...]:
    """Stretches [first, stop) of the frames (T,) that are true, each within a clip."""
    found: list[tuple[int, int]] = []
    for clip in clips:
        inside = np.concatenate([[False], frames[clip.first : clip.stop], [False]])
        edges = clip.first + np.flatnonzero(np.diff(inside)).reshape(-1, 2)
        found += [(first, stop) for first, stop in edges.tolist()]
    return tuple(found)


def _times(
    request: Request, decoded: Decoded, frames: NDArray[np.bool_]
) -> Iterator[tuple[Path, list[tuple[float, float]], float]]:
    """For each video with frames (T,) that are true, when they begin and end in it, in seconds.

    The last is the middle of the longest of these stretches, in seconds of all videos one after the other.
    """
    rate = float(request.rate)
    for path, clip in zip(request.footage, decoded.clips, strict=True):
        found = _stretches(frames, [clip])
        if found:
            first, stop = max(found, key=lambda stretch: stretch[1] - stretch[0])
            seconds = [((first - clip.first) / rate, (stop - clip.first) / rate) for first, stop in found]
            yield path, seconds, (first + stop) // 2 / rate


def _told(seconds: Sequence[tuple[float, float]]) -> str:
    times = ", ".join(f"{first:.1f} to {stop:.1f} s" for first, stop in seconds[:5])
    return times + (f" and {len(seconds) - 5} more" if len(seconds) > 5 else "")


def _joined(parts: Sequence[Keypoints]) -> Keypoints:
    """The keypoints of clips, one after the other."""
    if len(parts) == 1:  # an hour's are 180 MB
        return parts[0]
    xy, confidence = ([getattr(part, name) for part in parts] for name in ("xy", "confidence"))
    return replace(parts[0], xy=np.concatenate(xy), confidence=np.concatenate(confidence))


def _check_people(keypoints: Keypoints, training: NDArray[np.int64]) -> None:
    seen = int(keypoints.person_seen[training].sum())
    if not keypoints.person_seen.any():
        raise DanceError("no-person", "No person was found in any frame of the footage.")
    if seen < FEWEST_FRAMES:
        raise DanceError(
            "too-short",
            f"A person is seen in only {seen} frames that training may use; at least {FEWEST_FRAMES} are needed, and a "
            "minute or more is better. Film longer footage.",
        )


def _advise(found: DetectionReport) -> None:
    if found.without_person:
        events.warn(
            "person-missing",
            f"No person was found in {found.without_person} of {found.frames} frames; they are left out.",
            frames=found.without_person,
        )
    if found.feet_outside > 0.5:
        events.warn(
            "feet-out-of-sight", "The feet are hardly ever in the picture: the dance is placed by the hips instead."
        )


def _report_plate(plate: Plate) -> None:
    if plate.unknown_share > 0.002:
        events.warn(
            "plate-guessed",
            f"{100 * plate.unknown_share:.1f} % of the background is never uncovered and had to be guessed: step aside"
            " once while filming.",
            share=plate.unknown_share,
        )


def _renumbered(cuts: Sequence[int], frames: NDArray[np.int64]) -> list[int]:
    """Cuts, renumbered to count only the chosen frames."""
    return sorted({int(np.searchsorted(frames, cut)) for cut in cuts} - {0, len(frames)})
