"""From frames and keypoints to a whole subject: camera, clean plate, statistics, footage report."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from everybody_dance import events
from everybody_dance.errors import DanceError
from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.pose.detection import Detection
from everybody_dance.pose.detection_report import DetectionReport, report
from everybody_dance.pose.filtering import clean
from everybody_dance.retarget.statistics import pose_statistics
from everybody_dance.subject.manifest import Clip, SubjectManifest
from everybody_dance.subject.prepare.camera import measure_stillness
from everybody_dance.subject.prepare.decode import read_frame
from everybody_dance.subject.prepare.footage import advice, look_over
from everybody_dance.subject.prepare.plate import Plate, clean_plate
from everybody_dance.subject.prepare.request import Request
from everybody_dance.subject.subject import Subject

FEWEST_FRAMES = 30
"""Training frames with a person, below which there is nothing to learn from."""

LARGEST_DIFFERENCE = 25.0
"""Median difference between two clips' empty places, of 255 and after their brightness is made equal."""


def complete(
    request: Request, folder: Path, detections: list[Detection], clips: tuple[Clip, ...], identity: str
) -> None:
    """Make a whole subject of the frames in ``folder`` and the keypoints of its clips.

    Args:
        request: what is prepared.
        folder: of the new subject.
        detections: of each video.
        clips: how the frames are divided.
        identity: of the new subject.

    Raises:
        DanceError: the footage shows nobody (``no-person``), is too short (``too-short``), or was filmed in different
            places (``different-places``).
    """
    size = request.size
    detected = [detection.keypoints.scaled_to(size) for detection in detections]
    keypoints = _joined([clean(part, detection.cuts) for part, detection in zip(detected, detections, strict=True)])
    cuts = tuple(clip.first + cut for clip, detection in zip(clips, detections, strict=True) for cut in detection.cuts)
    training = np.concatenate([np.arange(clip.first, clip.holdout) for clip in clips])
    _check_people(keypoints, training)
    found = report(_joined(detected), detections[0].supplied)
    _advise(found)

    def frame(index: int) -> Image:
        events.check_cancelled()
        return read_frame(folder, index)

    stillness = measure_stillness(frame, keypoints, training)
    _check_one_place(frame, keypoints, clips)
    if stillness.camera_moves:
        events.warn(
            "camera-moves",
            f"The camera moves (by {stillness.motion:.1f} % of the picture's height): there is no clean plate, and the"
            " whole picture is painted. A camera that stands still gives much better results.",
            motion=stillness.motion,
        )
    plate = clean_plate(frame, keypoints, training)
    # To a moving camera everything differs from the empty place.
    known = plate.known & (not stillness.camera_moves)
    footage = look_over(frame, keypoints, training, plate.image, known)
    # The ground line starts anew at the edge of a clip, as it does at a cut.
    edges = sorted({*(clip.first for clip in clips if clip.first), *cuts})
    manifest = SubjectManifest(
        identity=identity,
        sources=request.sources,
        size=size,
        fps=keypoints.fps,
        detector=detections[0].detector,
        detection=found,
        statistics=pose_statistics(keypoints[training], _renumbered(edges, training)),
        clips=clips,
        cuts=cuts,
        camera_moves=stillness.camera_moves,
        camera_motion=stillness.motion,
        exposure_change=stillness.exposure_change,
        plate_unknown_share=plate.unknown_share,
        footage=footage,
        options=request.options,
    )
    _report_plate(plate)
    for finding in advice(footage, exposure_change=stillness.exposure_change):
        events.emit(finding)
    Subject.create(folder, manifest, keypoints, plate.image, plate.known)


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


def _check_one_place(frame: Callable[[int], Image], keypoints: Keypoints, clips: tuple[Clip, ...]) -> None:
    """Refuse clips that show different places (``different-places``)."""
    plates = []
    for clip in clips if len(clips) > 1 else ():
        frames = np.unique(np.linspace(clip.first, max(clip.holdout - 1, clip.first), 24).astype(int))
        plates.append(clean_plate(frame, keypoints, frames.tolist()))
    for plate in plates[1:]:
        both = plates[0].known & plate.known
        if not both.any():
            events.warn(
                "places-not-compared",
                "Two of the videos show no part of the background in common, so it could not be checked that they show"
                " the same place.",
            )
            continue
        one, other = (picture.image[both].astype(np.float32) for picture in (plates[0], plate))
        if np.median(np.abs(one - one.mean(axis=0) - other + other.mean(axis=0))) > LARGEST_DIFFERENCE:
            raise DanceError(
                "different-places",
                "The videos show different places or camera positions. Prepare each place as a subject of its own.",
            )


def _renumbered(cuts: Sequence[int], frames: NDArray[np.int64]) -> list[int]:
    """Cuts, renumbered to count only the chosen frames."""
    return sorted({int(np.searchsorted(frames, cut)) for cut in cuts} - {0, len(frames)})
