"""Footage report: whether the footage is good enough to train on, and what else should be filmed.

Poses that were never filmed are painted badly, so most of the report is about poses; the rest is about the pictures.
"""

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from everybody_dance.body_height import body_height
from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.events import Finding
from everybody_dance.images import Box, Image
from everybody_dance.keypoints import CONFIDENT, Keypoints, Pose
from everybody_dance.pose.mattes import COVERED
from everybody_dance.skeleton import BODY, Joint

LOOKS = 48
"""How many pictures are examined, evenly over the footage."""

RARE_SECONDS = 1.0
"""An aspect that is seen for less than this in all counts as missing."""

ADVISED_SECONDS = 60.0
"""Recommended length of footage with the person in it."""

SECONDS_FOR_EACH = 5.0
"""Extra seconds recommended per missing aspect."""

MOTION_BLUR = 0.6
"""A person counts as blurred below this share of the detail that they have where they are sharpest."""

SOFT = 0.16
"""Below this detail the lens was out of focus, or the video was enlarged."""

DIFFERENT, DISTURBED = 48.0, 0.004
"""A difference from the empty place that counts, of 255; and the share of the picture that may differ by as much."""

BESIDE, TAKEN_IN = 0.1, 0.05
"""What lies farther from every limb than this, in body heights, is no person; the share of a matte that may."""

NEAR_JOINT = 0.03
"""A matte lacks a joint that has nothing of it nearer than this, in body heights."""

DISAGREE = 0.1
"""Share of the pictures in which matte and pose may disagree."""

_OUTER = [
    Joint.NOSE,
    Joint.LEFT_ELBOW,
    Joint.RIGHT_ELBOW,
    Joint.LEFT_WRIST,
    Joint.RIGHT_WRIST,
    Joint.LEFT_KNEE,
    Joint.RIGHT_KNEE,
    Joint.LEFT_ANKLE,
    Joint.RIGHT_ANKLE,
]

EXPOSURE = 0.15
"""From this on (brightest background over darkest, minus 1) the light is said to change."""

# What to film where an aspect is missing.
_FILM: dict[str, str] = {
    "from the front": "face the camera",
    "from the left": "turn your left side to the camera",
    "from the right": "turn your right side to the camera",
    "from behind": "turn your back to the camera",
    "hands above the head": "raise both hands above the head",
    "arms stretched out": "stretch the arms out to the sides",
    "arms crossed": "cross the arms in front of the body",
    "knees bent": "bend the knees deeply",
    "legs apart": "stand with the legs wide apart",
    "a foot lifted": "lift one foot and then the other",
    "bent over": "bend forward and to the sides",
}


class FootageReport(BaseModel):
    """What the frames that training may use show.

    Attributes:
        seconds: in which the person is seen.
        poses: by aspect, the seconds in which it is seen.
        width: of the picture's width, the share that the person's middle visits.
        depth: between farthest and nearest place of the feet, in body heights; 0 where they are never seen.
        detail: contrast of fine structures of the person over that of coarse ones, where the person is sharpest.
        blurred: share of the examined pictures in which the person is blurred.
        disturbed: share of them in which something besides the person differs from the empty place.
        incomplete: share of them in which the matte lacks a joint of head, arms or legs that was found.
        crowded: share of them in which the matte takes in something far from every limb.
        moments: by a finding's code, when one of its frames is shown, in seconds of the prepared footage; nothing for
            what is in no frame.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float
    poses: dict[str, float]
    width: float
    depth: float
    detail: float
    blurred: float
    disturbed: float
    incomplete: float = 0.0
    crowded: float = 0.0
    moments: dict[str, float] = {}

    @property
    def missing(self) -> list[str]:
        """Aspects that are hardly ever seen."""
        return [aspect for aspect, seconds in self.poses.items() if seconds < RARE_SECONDS]

    @property
    def seconds_worth_adding(self) -> float:
        """Seconds of additional footage that would help."""
        return max(ADVISED_SECONDS - self.seconds, SECONDS_FOR_EACH * len(self.missing), 0.0)


def look_over(
    frame: Callable[[int], Image],
    matte: Callable[[int], Image],
    keypoints: Keypoints,
    usable: Sequence[int] | NDArray[np.int64],
    plate: Image,
    known: NDArray[np.bool_],
) -> FootageReport:
    """Report on footage.

    Args:
        frame, matte: give the picture of a frame, uint8 (H, W, 3), and the person's matte, uint8 (H, W).
        keypoints: of all frames.
        usable: frames that training may use.
        plate: uint8 (H, W, 3), the empty place.
        known: bool (H, W), where the footage shows it.
    """
    frames = np.asarray(usable, np.int64)
    seen = frames[keypoints.person_seen[frames]]
    detail, blurred, disturbed, shown = _look(frame, keypoints, seen, plate, known)
    lacking, taken_in, shown_too = _outlines(matte, keypoints, seen)
    people = keypoints[seen]
    rate = float(keypoints.fps)
    return FootageReport(
        seconds=len(seen) / rate,
        poses={aspect: float(having.sum()) / rate for aspect, having in aspects(people).items()},
        width=_spread(people, Joint.MID_HIP, 0) / keypoints.size[0],
        depth=_depth(people),
        detail=detail,
        blurred=blurred,
        disturbed=disturbed,
        incomplete=lacking,
        crowded=taken_in,
        moments={code: index / rate for code, index in (shown | shown_too).items()},
    )


def advice(found: FootageReport, *, exposure_change: float) -> list[Finding]:
    """Warnings about everything that would be worth filming again, or in addition; none for good footage.

    Args:
        found: from ``look_over``.
        exposure_change: brightest background over darkest, minus 1.
    """
    findings: list[Finding] = []

    def warn(code: str, message: str, **values: Any) -> None:
        if code in found.moments:
            values["moment"] = found.moments[code]
        findings.append(Finding(code, "warning", message, values))

    if found.missing:
        wanted = [_FILM[aspect] for aspect in found.missing]
        warn(
            "poses-missing",
            f"What is never filmed cannot be painted well. If your dances need it, film this too: {'; '.join(wanted)}.",
            missing=found.missing,
        )
    if found.seconds_worth_adding >= SECONDS_FOR_EACH:
        warn(
            "footage-short",
            f"The person is seen for {found.seconds:.0f} seconds; {found.seconds_worth_adding:.0f} more would help.",
            seconds=found.seconds,
            more=found.seconds_worth_adding,
        )
    if found.detail < SOFT:
        warn(
            "out-of-focus",
            "The person is not sharp in any frame: check the focus, wipe the lens, and do not enlarge the video.",
            detail=found.detail,
        )
    elif found.blurred > 0.25:
        warn(
            "motion-blur",
            f"Movement blurs the person in {found.blurred:.0%} of the frames, and they are painted like that: more"
            " light, or a shorter exposure, keeps hands sharp.",
            share=found.blurred,
        )
    if exposure_change > EXPOSURE:
        warn(
            "light-changes",
            f"The light changes by {exposure_change:.0%}. It was evened out, which never works wholly: lock the"
            " exposure, and avoid windows with passing clouds.",
            change=exposure_change,
        )
    if found.disturbed > 0.1:
        warn(
            "something-moves",
            f"Something besides the person moves in {found.disturbed:.0%} of the frames (somebody else, a screen, a"
            " curtain): it may be burned into the empty place.",
            share=found.disturbed,
        )
    if found.incomplete > DISAGREE:
        warn(
            "outline-incomplete",
            f"In {found.incomplete:.0%} of the frames an arm, a leg or the head is missing from the person's outline:"
            " preparation.jpg shows it. Clothes and hair that stand out from the place, and more light, help.",
            share=found.incomplete,
        )
    if found.crowded > DISAGREE:
        warn(
            "outline-crowded",
            f"In {found.crowded:.0%} of the frames the person's outline takes in something else (somebody, a chair,"
            " something in their hands), which is painted as a part of them: preparation.jpg shows it.",
            share=found.crowded,
        )
    return findings


def aspects(people: Keypoints) -> dict[str, NDArray[np.bool_]]:
    """By aspect, bool (T,): whether it is seen in each frame. A joint that was not found shows no aspect."""
    xy, found = people.xy[:, BODY].astype(np.float64), people.found[:, BODY]
    heights = body_height(people.xy, people.confidence)
    height = float(np.median(heights[heights > 0])) if (heights > 0).any() else 1.0

    def both(one: Joint, other: Joint) -> NDArray[np.bool_]:
        return np.asarray(found[:, one] & found[:, other])

    def apart(one: Joint, other: Joint, axis: int) -> NDArray[np.float64]:
        """How far ``one`` lies to the right of ``other`` (axis 0) or below it (axis 1), in body heights."""
        return np.asarray((xy[:, one, axis] - xy[:, other, axis]) / height)

    j = Joint
    # Facing the camera, the person's left is on the right of the picture.
    shoulders = np.where(both(j.LEFT_SHOULDER, j.RIGHT_SHOULDER), apart(j.LEFT_SHOULDER, j.RIGHT_SHOULDER, 0), np.nan)
    side = np.abs(shoulders) < 0.09
    ahead = np.where(both(j.NOSE, j.NECK), apart(j.NOSE, j.NECK, 0), np.nan)
    wrists = {
        "left": both(j.LEFT_WRIST, j.LEFT_SHOULDER),
        "right": both(j.RIGHT_WRIST, j.RIGHT_SHOULDER),
    }
    raised = (wrists["left"] & (apart(j.LEFT_WRIST, j.NOSE, 1) < -0.05)) & found[:, j.NOSE]
    raised &= wrists["right"] & (apart(j.RIGHT_WRIST, j.NOSE, 1) < -0.05)
    out = wrists["left"] & (np.abs(apart(j.LEFT_WRIST, j.LEFT_SHOULDER, 0)) > 0.24)
    out |= wrists["right"] & (np.abs(apart(j.RIGHT_WRIST, j.RIGHT_SHOULDER, 0)) > 0.24)
    crossed = both(j.LEFT_WRIST, j.RIGHT_WRIST) & (apart(j.LEFT_WRIST, j.RIGHT_WRIST, 0) < -0.02) & (shoulders > 0.09)
    leg = np.maximum(
        np.where(both(j.LEFT_HIP, j.LEFT_ANKLE), apart(j.LEFT_ANKLE, j.LEFT_HIP, 1), 0),
        np.where(both(j.RIGHT_HIP, j.RIGHT_ANKLE), apart(j.RIGHT_ANKLE, j.RIGHT_HIP, 1), 0),
    )
    feet = both(j.LEFT_ANKLE, j.RIGHT_ANKLE)
    trunk = both(j.NECK, j.MID_HIP)
    lean = np.degrees(np.arctan2(np.abs(apart(j.NECK, j.MID_HIP, 0)), -apart(j.NECK, j.MID_HIP, 1)))
    upright = np.where(trunk, -apart(j.NECK, j.MID_HIP, 1), np.nan)
    shortened = upright < 0.75 * np.nanpercentile(upright, 90) if trunk.any() else trunk
    return {
        "from the front": shoulders > 0.09,
        "from the left": side & (ahead < 0),
        "from the right": side & (ahead > 0),
        "from behind": shoulders < -0.09,
        "hands above the head": raised,
        "arms stretched out": out,
        "arms crossed": crossed,
        "knees bent": (leg > 0) & (leg < 0.4),
        "legs apart": feet & (np.abs(apart(j.LEFT_ANKLE, j.RIGHT_ANKLE, 0)) > 0.22),
        "a foot lifted": feet & (np.abs(apart(j.LEFT_ANKLE, j.RIGHT_ANKLE, 1)) > 0.1),
        "bent over": trunk & ((lean > 25) | shortened),
    }


def _look(
    frame: Callable[[int], Image],
    keypoints: Keypoints,
    seen: NDArray[np.int64],
    plate: Image,
    known: NDArray[np.bool_],
) -> tuple[float, float, float, dict[str, int]]:
    """Detail, share blurred, share disturbed, as in ``FootageReport``; and by code the frame that shows it most."""
    if not len(seen):
        return 0.0, 0.0, 0.0, {}
    examined = _some(seen)
    details, unlike = [], []
    for index in examined:
        image = frame(int(index))
        pose = keypoints.pose(index)
        details.append(_detail(image, person_mask(pose, keypoints.size, 0.0)))
        outside = known & ~person_mask(pose, keypoints.size, 0.2)
        unlike.append(differs(image, plate, outside))
    sharp = np.array(details)
    best = float(np.percentile(sharp, 90))
    blurred, disturbed = sharp < MOTION_BLUR * best, np.array(unlike) > DISTURBED
    most = {"motion-blur": (blurred, np.argmin(sharp)), "something-moves": (disturbed, np.argmax(unlike))}
    shown = {code: int(examined[place]) for code, (having, place) in most.items() if having.any()}
    return best, float(blurred.mean()), float(disturbed.mean()), shown


def _some(frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """``LOOKS`` of the frames at most, evenly."""
    return np.asarray(frames[np.unique(np.linspace(0, len(frames) - 1, LOOKS).astype(int))])


def _outlines(
    matte: Callable[[int], Image], keypoints: Keypoints, seen: NDArray[np.int64]
) -> tuple[float, float, dict[str, int]]:
    """Share incomplete, share crowded, as in ``FootageReport``; and by code the middle one of the frames that are."""
    if not len(seen):
        return 0.0, 0.0, {}
    examined = _some(seen)
    disagree = np.array([_disagree(matte(int(index)), keypoints.pose(index), keypoints.size) for index in examined])
    incomplete, crowded = disagree.mean(axis=0).tolist()
    shown = {}
    for code, having in zip(("outline-incomplete", "outline-crowded"), disagree.T, strict=True):
        if having.any():
            frames = examined[having]
            shown[code] = int(frames[len(frames) // 2])
    return incomplete, crowded, shown


def _disagree(matte: Image, pose: Pose, size: tuple[int, int]) -> tuple[bool, bool]:
    """Whether a matte lacks a joint, and whether it takes in something else."""
    if not matte.any():  # of a pose that the built-in detector did not see
        return False, False
    height = pose.height
    radius = max(round(NEAR_JOINT * height), 1)
    around = cv2.dilate(matte, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)))
    x, y = np.round(pose.xy[_OUTER]).astype(int).T
    sure = (pose.confidence[_OUTER] >= CONFIDENT) & (x >= 0) & (x < size[0]) & (y >= 0) & (y < size[1])
    person = matte >= 128
    beside = (person & ~person_mask(pose, size, BESIDE)).sum() > TAKEN_IN * person.sum()
    return bool((around[y[sure], x[sure]] < COVERED).any()), bool(beside)


def _detail(image: Image, region: NDArray[np.bool_]) -> float:
    """Contrast of structures of one or two pixels over that of up to ten; small where the lens or movement blurs."""
    if not region.any():
        return 0.0
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    box = Box(int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)
    grey = cv2.cvtColor(np.ascontiguousarray(box.cut(image)), cv2.COLOR_RGB2GRAY).astype(np.float32)
    inside = region[box.y : box.y + box.height, box.x : box.x + box.width]
    fine, coarse = ((grey - cv2.GaussianBlur(grey, (0, 0), sigma))[inside].std() for sigma in (1.0, 5.0))
    return float(fine / max(coarse, 1e-3))


def differs(image: Image, plate: Image, outside: NDArray[np.bool_]) -> float:
    """Share of the picture that lies in ``outside`` and differs from the empty place, exposure aside."""
    if not outside.any():
        return 0.0
    gain = float(np.median(image[outside].mean(axis=1)) / max(np.median(plate[outside].mean(axis=1)), 1.0))
    error = np.abs(image.astype(np.float32) - gain * plate.astype(np.float32)).max(axis=2)
    return float((outside & (cv2.blur(error, (9, 9)) > DIFFERENT)).mean())


def _spread(people: Keypoints, joint: Joint, axis: int) -> float:
    """Distance of the 2nd and the 98th percentile of a joint's coordinate, in pixels."""
    places = people.xy[people.found[:, joint], joint, axis]
    return float(np.ptp(np.percentile(places, (2, 98)))) if len(places) else 0.0


def _depth(people: Keypoints) -> float:
    heights = body_height(people.xy, people.confidence)
    if not (heights > 0).any():
        return 0.0
    spread = max(_spread(people, joint, 1) for joint in (Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE))
    return spread / float(np.median(heights[heights > 0]))
