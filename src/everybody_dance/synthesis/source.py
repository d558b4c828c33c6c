"""A source video to the poses that a performer is to dance: detected, cleaned, placed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from everybody_dance import events
from everybody_dance.errors import DanceError
from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.keypoints import Keypoints, is_inside
from everybody_dance.pose.camera import stood_still
from everybody_dance.pose.detection import Detection, detect_video
from everybody_dance.pose.filtering import clean
from everybody_dance.pose.options import DEFAULT_DETECTOR, LARGEST
from everybody_dance.retarget.likeness import unlike_frames
from everybody_dance.retarget.normalize import fit_whole, normalize, place_unchanged
from everybody_dance.retarget.statistics import PoseStatistics
from everybody_dance.skeleton import KNEES

UNLIKE_WORTH_SAYING = 0.03
"""The user is told when more than this share of a dance is unlike the footage."""

LEGLESS_WORTH_SAYING = 0.3
"""The user is told when no knee is found in more than this share of a dance."""


@dataclass(frozen=True)
class Dance:
    """A source's movement, ready for a target.

    Attributes:
        video: the source.
        detection: as found in the source.
        source: cleaned and smoothed, in the source's frame.
        still: the same as a camera sees it that stands still.
        placed: retargeted, in the target's frame.
        scale: float64 (T,), by which each frame was scaled to be placed.
        clamped_share: share of frames in which the source is nearer or farther than the target may be shown.
        bones: how many times as long as the source's each bone was made, by name; empty where they were left as they
            are.
        normalized: whether ``placed`` is fitted to the target's place; otherwise the source's frame is.
    """

    video: Path
    detection: Detection
    source: Keypoints
    still: Keypoints
    placed: Keypoints
    scale: NDArray[np.float64]
    clamped_share: float
    bones: Mapping[str, float] = field(default_factory=dict)
    normalized: bool = True


def read_dance(
    source: Path,
    statistics: PoseStatistics,
    size: tuple[int, int],
    *,
    pose: str = DEFAULT_DETECTOR,
    person: str = LARGEST,
    smoothing: str = "both",
    normalized: bool = True,
    bones: str = "target",
    on_progress: OnProgress = ignore_progress,
) -> Dance:
    """Find the source's movement and move it to the target's place.

    Args:
        source: the video.
        statistics: where the target stands, in frames of ``size`` (W, H).
        size: of the target's frames.
        pose, person: as in ``detect_video``.
        smoothing: one of ``filtering.SMOOTHINGS``.
        normalized: apply global pose normalization; otherwise the source's frame is only fitted into the target's.
        bones: one of ``BONES``: whose proportions a normalized dance gets.
        on_progress: told the frames of the source that are read.

    Raises:
        DanceError: the source cannot be read, or shows nobody (``no-person``).
    """
    detection = detect_video(source, pose, person=person, follow_camera=normalized, on_progress=on_progress)
    keypoints = clean(detection.keypoints, detection.cuts, smoothing)
    if not keypoints.person_seen.any():
        alone = detection.alone
        whom = "No person was found" if alone is None else f"Too little is seen of person {alone.who + 1}"
        raise DanceError("no-person", f"{whom} in {source}.")
    _warn_of_legs(keypoints)
    if not normalized:
        scale = np.full(len(keypoints), fit_whole(keypoints.size, size)[0])
        placed = place_unchanged(keypoints, size)
        return Dance(source, detection, keypoints, keypoints, placed, scale, 0.0, normalized=False)
    still = None if detection.camera is None else stood_still(detection.keypoints, detection.camera)
    if still is not None:
        events.remark("source-steadied", "The source's camera moves: its motion is taken out of the dance.")
        # Not what is smoothed already: that no longer moves with the camera.
        still = clean(still, detection.cuts, smoothing)
    else:
        still = keypoints
    result = normalize(still, statistics, size, detection.cuts, bones)
    if bones == "target" and not result.bones:
        events.remark(
            "bones-unknown",
            "Too little is seen of the source or of the target to know their proportions (or the target was prepared by"
            " an older version): the dance keeps the source's.",
        )
    return Dance(
        source, detection, keypoints, still, result.keypoints, result.scale, result.clamped_share, result.bones
    )


def _warn_of_legs(source: Keypoints) -> None:
    """Tell the user of a source in which hardly any legs are found."""
    seen = source.person_seen
    share = float((~source.found[seen][:, KNEES].any(axis=1)).mean())
    if share > LEGLESS_WORTH_SAYING:
        events.warn(
            "no-legs",
            f"In {100 * share:.0f} % of the dance no legs are known, so the result has none there. The source should"
            " show the dancer from the waist up at least.",
            share=share,
        )


def unlike_share(dance: Dance, filmed: Keypoints) -> float:
    """Share of the frames whose pose is unlike every pose that was ``filmed``; the user is told if it is large."""
    if not len(filmed):
        return 0.0
    # What is only guessed, outside the source's picture, is no movement that could be filmed.
    guessed = dance.source.found & ~is_inside(dance.source.xy, dance.source.size)
    unlike = unlike_frames(dance.placed, filmed, ~guessed)
    share = float(unlike.mean())
    if share > UNLIKE_WORTH_SAYING:
        first = unlike.argmax() / float(dance.placed.fps)
        events.warn(
            "unlike-footage",
            f"In {100 * share:.0f} % of the dance the pose is unlike any in the footage, first at {first:.1f} s: film"
            " such movement too, or expect faults there.",
            share=share,
            first_second=first,
        )
    return share
