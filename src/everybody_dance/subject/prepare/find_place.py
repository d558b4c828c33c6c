"""The empty place of the footage, with the camera stood still and the light evened out where they change."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance import events
from everybody_dance.errors import DanceError
from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.pose.mattes import COVERED, MatteReader
from everybody_dance.subject.folder import MATTES
from everybody_dance.subject.manifest import Camera
from everybody_dance.subject.prepare.bystanders import leave_out
from everybody_dance.subject.prepare.camera import Stillness, measure_stillness
from everybody_dance.subject.prepare.captions import Captions, caption_zone, captions, take_out
from everybody_dance.subject.prepare.cut_out import cut_out
from everybody_dance.subject.prepare.decode import Decoded
from everybody_dance.subject.prepare.footage import differs
from everybody_dance.subject.prepare.light import UNEVEN, even_light, exposure_change, gains_to
from everybody_dance.subject.prepare.plate import Plate, clean_plate, uncovered
from everybody_dance.subject.prepare.registration import Registration, register, register_nearby, rewrite
from everybody_dance.subject.subject import read_frame

LARGEST_DIFFERENCE = 25.0
"""Median difference between two clips' empty places, of 255 and after their brightness is made equal."""

LOOKS = 24
"""Frames that are compared with the empty place, evenly."""

GLANCES = 60
"""Frames of which a first empty place is made, evenly, to find captions by."""

UNLIKE = 0.05
"""If half of the frames differ from the empty place in more than this share, the camera travelled."""

ALIKE = 0.02
"""A frame shows the same as another one if it differs in no more than this share."""

AROUND = 120
"""Frames before and after a moment that are compared with it."""

NEAR = 15
"""Pixels around the person that are not compared."""


@dataclass(frozen=True)
class Place:
    """The place, and the footage as it shows it.

    Attributes:
        plate: the empty place.
        camera: what became of its motion.
        motion: of the camera as it filmed, as ``Stillness.motion``.
        exposure_change: the brightest training frame over the darkest as filmed, minus 1; 0 where the camera travelled.
        keypoints: of all frames, moved with them.
        training: frames that training may use.
        captions: what was found of captions that come and go; only where the camera stands still.
    """

    plate: Plate
    camera: Camera
    motion: float
    exposure_change: float
    keypoints: Keypoints
    training: NDArray[np.int64]
    captions: Captions


def find_place(folder: Path, decoded: Decoded, keypoints: Keypoints, training: NDArray[np.int64]) -> Place:
    """Stand the camera still where it moves, even out the light where it changes, and find the empty place.

    Args:
        folder: of the new subject, whose frames and mattes are changed where that is needed.
        decoded: what was found in the footage.
        keypoints: of all frames.
        training: frames that training may use.

    Raises:
        DanceError: the clips show different places (``different-places``).
    """
    edges = [clip.first for clip in decoded.clips]
    others = decoded.bystanders
    stillness = measure_stillness(partial(_frame, folder), keypoints, training, edges, others.mask)
    with closing(MatteReader(folder / MATTES)) as mattes:
        covered = partial(others.covered, mattes.matte) if others else mattes.matte
        filmed = _Footage(partial(_frame, folder), covered, keypoints, training)
        camera, footage, plate, registration, found = _stood_still(filmed, stillness, decoded)
        # What a camera that travels shows cannot be compared.
        change = 0.0 if camera == "cut-out" else exposure_change(footage.gains(_some(footage.training), plate))
        if change > UNEVEN:
            shown = np.flatnonzero(~decoded.elsewhere)
            with events.stage("Evening out the light") as stage:
                even_light(folder, shown, footage.gains(shown, plate, stage))
    if registration is not None:
        rewrite(folder, registration, plate.image)
    elif camera == "cut-out":
        cut_out(folder, keypoints, plate.image)
    if others and camera != "cut-out":
        leave_out(folder, others, registration, plate.image)
    if found.shown.any():
        with closing(MatteReader(folder / MATTES)) as mattes:
            take_out(folder, mattes.matte, keypoints, np.flatnonzero(~decoded.elsewhere), plate.image, found.zone)
    _report(camera, stillness.motion)
    return Place(plate, camera, stillness.motion, change, footage.keypoints, footage.training, found)


@dataclass(frozen=True)
class _Footage:
    """Frames with the mattes of all people and the person's joints, and those frames that training may use."""

    frame: Callable[[int], Image]
    matte: Callable[[int], Image]
    keypoints: Keypoints
    training: NDArray[np.int64]

    def moved(self, registration: Registration) -> "_Footage":
        """The same, moved."""
        return _Footage(
            partial(registration.frame, self.frame),
            partial(registration.covered, self.matte),
            registration.keypoints_moved(self.keypoints),
            self.training[registration.found[self.training]],
        )

    def plate(self, zone: NDArray[np.bool_] | None = None) -> Plate:
        """The empty place that it shows, without the captions that come and go in ``zone``."""
        return clean_plate(self.frame, self.matte, self.keypoints, self.training, zone)

    def gains(
        self, frames: NDArray[np.int64], plate: Plate, on_progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float64]:
        """(N, 3): what each frame is to be multiplied by, to have the light of the empty place."""
        return gains_to(plate.image, self.frame, lambda index: self.outside(index) & plate.known, frames, on_progress)

    def outside(self, index: int) -> NDArray[np.bool_]:
        """bool (H, W): what lies clearly outside the person."""
        person = (self.matte(index) >= COVERED).astype(np.uint8)
        return np.asarray(cv2.dilate(person, np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8)) == 0)

    def unlike(self, place: Image, known: NDArray[np.bool_], index: int) -> float:
        """Share of what a frame shows of a place that looks different there.

        Args:
            place: uint8 (H, W, 3).
            known: bool (H, W), where it can be compared.
            index: of the frame.
        """
        outside = self.outside(index) & known
        return differs(self.frame(index), place, outside) / max(float(outside.mean()), 1e-6)


def _stood_still(
    filmed: _Footage, stillness: Stillness, decoded: Decoded
) -> tuple[Camera, _Footage, Plate, Registration | None, Captions]:
    """What became of the camera's motion, the footage without it, its empty place, how frames are moved, captions."""
    keypoints, none = filmed.keypoints, Captions.none(filmed.keypoints)
    if stillness.shakes:
        frames = np.flatnonzero(~decoded.elsewhere)
        registration = register(filmed.frame, filmed.matte, frames, len(keypoints), keypoints.size)
        if registration is not None:
            moved = filmed.moved(registration)
            plate = moved.plate()
            some = _some(moved.training).tolist()
            if np.median([moved.unlike(plate.image, plate.known, index) for index in some]) <= UNLIKE:
                _check_one_place(moved, decoded)
                return "steadied", moved, plate, registration, none
    if stillness.camera_moves:
        return "cut-out", filmed, _place_of_moment(filmed), None, none
    _check_one_place(filmed, decoded)
    found = _captions(filmed, np.flatnonzero(~decoded.elsewhere))
    clear = replace(filmed, training=filmed.training[~found.over[filmed.training]])
    return "still", clear, clear.plate(found.zone), None, found


def _captions(filmed: _Footage, frames: NDArray[np.int64]) -> Captions:
    """Captions that come and go in footage of a camera that stands still.

    Args:
        filmed: the footage.
        frames: all that show the place.
    """
    zone = caption_zone(filmed.frame, filmed.matte, filmed.keypoints, frames)
    if not zone.any():
        return Captions.none(filmed.keypoints)
    some = filmed.training[np.unique(np.linspace(0, len(filmed.training) - 1, GLANCES).astype(int))]
    first = uncovered(filmed.frame, filmed.matte, filmed.keypoints, some, zone)
    return captions(filmed.frame, filmed.matte, filmed.keypoints, frames, first.image, first.known, zone)


def _some(frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """``LOOKS`` of the frames at most, evenly."""
    return np.asarray(frames[np.unique(np.linspace(0, len(frames) - 1, LOOKS).astype(int))]) if len(frames) else frames


def _place_of_moment(filmed: _Footage) -> Plate:
    """The empty place of the moment in the middle, from frames around that show the same."""
    middle = len(filmed.training) // 2
    some = filmed.training[max(middle - AROUND, 0) : middle + AROUND]
    moment = int(some[len(some) // 2])
    nearby = register_nearby(filmed.frame, filmed.matte, some, len(filmed.keypoints), filmed.keypoints.size)
    near = filmed.moved(nearby)
    place, known = filmed.frame(moment), filmed.outside(moment)
    alike = [index for index in near.training.tolist() if near.unlike(place, known, index) <= ALIKE]
    # On a bare wall nothing can be matched, and all frames look alike.
    return replace(near, training=np.array(alike)).plate() if alike else filmed.plate()


def _report(camera: Camera, motion: float) -> None:
    if camera == "steadied":
        events.remark(
            "steadied",
            f"The camera moves (by {motion:.1f} % of the picture's height): all frames were moved into one picture of"
            " the place, and it stands still in the result.",
            motion=motion,
        )
    elif camera == "cut-out":
        events.warn(
            "camera-moves",
            f"The camera moves (by {motion:.1f} % of the picture's height), and too much or in too bare a place to make"
            " it stand still: the person is cut out, without their shadow, and laid over the place of one moment. A"
            " camera that stands still gives better results.",
            motion=motion,
        )


def _frame(folder: Path, index: int) -> Image:
    events.check_cancelled()
    return read_frame(folder, index)


def _check_one_place(footage: _Footage, decoded: Decoded) -> None:
    """Refuse clips that show different places (``different-places``)."""
    plates = []
    for clip in decoded.clips if len(decoded.clips) > 1 else ():
        shown = clip.first + np.flatnonzero(~decoded.elsewhere[clip.first : max(clip.holdout, clip.first + 1)])
        frames = shown[np.unique(np.linspace(0, len(shown) - 1, 24).astype(int))] if len(shown) else shown
        plates.append(uncovered(footage.frame, footage.matte, footage.keypoints, frames.tolist()))
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
