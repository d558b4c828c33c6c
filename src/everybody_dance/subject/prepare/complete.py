"""From frames and keypoints to a whole subject: camera, clean plate, statistics, footage report."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance import events
from everybody_dance.errors import DanceError
from everybody_dance.files import write_bytes
from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.pose.detection_report import DetectionReport, report
from everybody_dance.pose.filtering import clean
from everybody_dance.pose.mattes import MatteReader
from everybody_dance.retarget.statistics import pose_statistics
from everybody_dance.subject.folder import MATTES, SHEET
from everybody_dance.subject.manifest import SubjectManifest
from everybody_dance.subject.prepare.camera import Stillness, measure_stillness
from everybody_dance.subject.prepare.decode import Decoded
from everybody_dance.subject.prepare.footage import advice, look_over
from everybody_dance.subject.prepare.plate import Plate, clean_plate
from everybody_dance.subject.prepare.registration import register, rewrite
from everybody_dance.subject.prepare.request import Request
from everybody_dance.subject.prepare.sheet import contact_sheet
from everybody_dance.subject.subject import Subject, read_frame

FEWEST_FRAMES = 30
"""Training frames with a person, below which there is nothing to learn from."""

LARGEST_DIFFERENCE = 25.0
"""Median difference between two clips' empty places, of 255 and after their brightness is made equal."""


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
    detected = [detection.keypoints.scaled_to(size) for detection in detections]
    keypoints = _joined([clean(part, detection.cuts) for part, detection in zip(detected, detections, strict=True)])
    cuts = tuple(clip.first + cut for clip, detection in zip(clips, detections, strict=True) for cut in detection.cuts)
    training = np.concatenate([np.arange(clip.first, clip.holdout) for clip in clips])
    training = training[~decoded.elsewhere[training]]
    _check_people(keypoints, training)
    found = report(_joined(detected), detections[0].supplied)
    _advise(found)

    place = _find_place(folder, decoded, keypoints, training)
    keypoints, training, plate = place.keypoints, place.training, place.plate
    # To a moving camera everything differs from the empty place.
    known = plate.known & (not place.camera_moves)
    with closing(MatteReader(folder / MATTES)) as mattes:
        footage = look_over(partial(_frame, folder), mattes.matte, keypoints, training, plate.image, known)
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
        left_out=left_out,
        camera_moves=place.camera_moves,
        steadied=place.steadied,
        camera_motion=place.stillness.motion,
        exposure_change=place.stillness.exposure_change,
        plate_unknown_share=plate.unknown_share,
        footage=footage,
        options=request.options,
    )
    _report_plate(plate)
    for finding in advice(footage, exposure_change=place.stillness.exposure_change):
        events.emit(finding)
    subject = Subject.create(folder, manifest, keypoints, plate.image, plate.known)
    sheet = cv2.imencode(".jpg", contact_sheet(subject)[..., ::-1])[1]
    write_bytes(folder / SHEET, sheet.tobytes())


@dataclass(frozen=True)
class _Place:
    """The place, and the footage as it shows it.

    Attributes:
        plate: the empty place.
        stillness: of camera and light, before any frame was moved.
        steadied: whether the frames were moved to stand the camera still.
        keypoints: of all frames, moved with them.
        training: frames that training may use.
    """

    plate: Plate
    stillness: Stillness
    steadied: bool
    keypoints: Keypoints
    training: NDArray[np.int64]

    @property
    def camera_moves(self) -> bool:
        """Whether the camera moves even so."""
        return self.stillness.camera_moves and not self.steadied


def _find_place(folder: Path, decoded: Decoded, keypoints: Keypoints, training: NDArray[np.int64]) -> _Place:
    """Stand the camera still where it is held in the hand, and find the empty place.

    Args:
        folder: of the new subject, whose frames and mattes are moved where that is needed.
        decoded: what was found in the footage.
        keypoints: of all frames.
        training: frames that training may use.
    """
    frame: Callable[[int], Image] = partial(_frame, folder)
    stillness = measure_stillness(frame, keypoints, training)
    registration = None
    with closing(MatteReader(folder / MATTES)) as mattes:
        matte: Callable[[int], Image] = mattes.matte
        if stillness.shakes:
            registration = register(frame, matte, np.flatnonzero(~decoded.elsewhere), len(keypoints))
        if registration is not None:
            frame, matte = partial(registration.frame, frame), partial(registration.covered, matte)
            keypoints = registration.keypoints_moved(keypoints)
            training = training[registration.found[training]]
        _check_one_place(frame, matte, keypoints, decoded)
        plate = clean_plate(frame, matte, keypoints, training)
    if registration is not None:
        rewrite(folder, registration, plate.image)
    place = _Place(plate, stillness, registration is not None, keypoints, training)
    if place.steadied:
        events.remark(
            "steadied",
            f"The camera moves (by {stillness.motion:.1f} % of the picture's height): all frames were moved to where a"
            " frame in the middle shows the place, and it stands still in the result.",
            motion=stillness.motion,
        )
    elif place.camera_moves:
        events.warn(
            "camera-moves",
            f"The camera moves (by {stillness.motion:.1f} % of the picture's height), and too much or in too bare a"
            " place to make it stand still: there is no clean plate, and the whole picture is painted. A camera that"
            " stands still gives much better results.",
            motion=stillness.motion,
        )
    return place


def _frame(folder: Path, index: int) -> Image:
    events.check_cancelled()
    return read_frame(folder, index)


def _left_out(request: Request, decoded: Decoded) -> tuple[tuple[int, int], ...]:
    """Stretches [first, stop) of frames that do not show the place; the user is told their times in each video."""
    found = []
    for path, clip in zip(request.footage, decoded.clips, strict=True):
        away = decoded.elsewhere[clip.first : clip.stop]
        edges = np.flatnonzero(np.diff(np.concatenate([[False], away, [False]]))).reshape(-1, 2)
        found += [(clip.first + first, clip.first + stop) for first, stop in edges.tolist()]
        if len(edges):
            times = ", ".join(
                f"{first:.1f} to {stop:.1f} s" for first, stop in (edges / float(request.rate)).tolist()[:5]
            )
            more = f" and {len(edges) - 5} times more" if len(edges) > 5 else ""
            events.warn(
                "left-out",
                f"{path.name} does not show the place where the person dances at {times}{more}: such titles, fades and"
                " other places are left out.",
                video=path.name,
                seconds=(edges / float(request.rate)).tolist(),
            )
    return tuple(found)


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


def _check_one_place(
    frame: Callable[[int], Image], matte: Callable[[int], Image], keypoints: Keypoints, decoded: Decoded
) -> None:
    """Refuse clips that show different places (``different-places``)."""
    plates = []
    for clip in decoded.clips if len(decoded.clips) > 1 else ():
        shown = clip.first + np.flatnonzero(~decoded.elsewhere[clip.first : max(clip.holdout, clip.first + 1)])
        frames = shown[np.unique(np.linspace(0, len(shown) - 1, 24).astype(int))] if len(shown) else shown
        plates.append(clean_plate(frame, matte, keypoints, frames.tolist()))
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
