"""A source video to a result video: the target person dances the source's dance."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.drawing.pose_image import draw_pose
from everybody_dance.errors import DanceError
from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.images import Box
from everybody_dance.keypoints import Keypoints
from everybody_dance.performer.performer import Performer
from everybody_dance.pose.detection import Detection, detect_video
from everybody_dance.pose.filtering import clean
from everybody_dance.retarget.likeness import unlike_frames
from everybody_dance.retarget.normalize import normalize, place_unchanged
from everybody_dance.retarget.statistics import PoseStatistics
from everybody_dance.synthesis.clip import Synthesizer
from everybody_dance.video import VideoReader, VideoWriter

logger = logging.getLogger(__name__)

Frame = NDArray[np.uint8]

UNLIKE_WORTH_SAYING = 0.03
"""Share of a dance that is unlike the footage from which on the user is told."""

OTHER_SPEED = 1.6
"""A source this many times faster or slower than the training footage is worth a word."""


@dataclass(frozen=True)
class Dance:
    """A source's movement, ready for a target.

    Attributes:
        detection: as found in the source.
        source: cleaned and smoothed, in the source's frame.
        placed: normalized, in the target's frame.
        clamped_share: share of frames in which the source is nearer or farther than anything it may show.
    """

    detection: Detection
    source: Keypoints
    placed: Keypoints
    clamped_share: float


@dataclass(frozen=True)
class Transfer:
    """What a transfer did.

    Attributes:
        out: the result.
        comparison: source, pose and result side by side; None where not asked for.
        frames: in the result, exactly one for each of the source.
        without_person: of them, frames that show the empty place.
        clamped_share: as in ``Dance``.
        unlike_share: of the frames, those whose pose is unlike any in the target's footage.
    """

    out: Path
    comparison: Path | None
    frames: int
    without_person: int
    clamped_share: float
    unlike_share: float


def read_dance(
    source: Path,
    statistics: PoseStatistics,
    size: tuple[int, int],
    *,
    pose: str = "mediapipe",
    smoothing: str = "both",
    normalized: bool = True,
    on_progress: OnProgress = ignore_progress,
) -> Dance:
    """Find the source's movement and move it to the target's place.

    Args:
        source: the video.
        statistics: where the target stands, in frames of ``size`` (W, H).
        size: of the target's frames.
        pose: as in ``detect_video``.
        smoothing: one of ``filtering.SMOOTHINGS``.
        normalized: apply global pose normalization; otherwise the source's frame is only fitted into the target's.
        on_progress: told the frames of the source that are read.

    Raises:
        DanceError: the source cannot be read, or shows nobody (``no-person``).
    """
    detection = detect_video(source, pose, on_progress=on_progress)
    keypoints = clean(detection.keypoints, detection.cuts, smoothing)
    if not keypoints.person_seen.any():
        raise DanceError("no-person", f"No person was found in {source}.")
    if normalized:
        result = normalize(keypoints, statistics, size, detection.cuts)
        placed, clamped = result.keypoints, result.clamped_share
    else:
        placed, clamped = place_unchanged(keypoints, size), 0.0
    return Dance(detection, keypoints, placed, clamped)


def transfer_video(
    performer: Performer,
    source: Path,
    out: Path,
    *,
    pose: str = "mediapipe",
    smoothing: str = "both",
    normalized: bool = True,
    compare: bool = False,
    truth: Path | None = None,
    on_progress: OnProgress = ignore_progress,
    on_detection: OnProgress = ignore_progress,
) -> Transfer:
    """Let ``performer`` dance what ``source`` dances.

    Args:
        performer: the target.
        source: any video of a person.
        out: the result, H.264 with the source's sound, at the source's rate; written whole or not at all.
        pose, smoothing, normalized: as in ``read_dance``.
        compare: also write ``OUT.comparison.mp4``: source, its pose and the result side by side.
        truth: a video of the target really dancing it, to stand beside the result in the comparison.
        on_progress: told the frames painted.
        on_detection: told the frames read.

    Raises:
        DanceError: as ``read_dance``, or the result cannot be written.
    """
    manifest = performer.manifest
    dance = read_dance(
        source,
        manifest.statistics,
        manifest.size,
        pose=pose,
        smoothing=smoothing,
        normalized=normalized,
        on_progress=on_detection,
    )
    rate, own = dance.placed.fps, manifest.fps
    if not 1 / OTHER_SPEED < rate / own < OTHER_SPEED:
        logger.warning(
            "The source has %.0f frames a second, the performer was trained at %.0f: fast movements may look off.",
            float(rate),
            float(own),
        )
    seen = dance.placed.person_seen
    if not seen.all():
        logger.warning(
            "In %d of %d frames of the source nobody is seen; they show the empty place.", (~seen).sum(), len(seen)
        )
    unlike = unlike_share(dance, performer.poses)
    comparison = out.with_suffix(".comparison.mp4") if compare else None
    with ExitStack() as stack:
        writer = stack.enter_context(VideoWriter(out, manifest.size, rate, sound_of=source))
        side_by_side = None
        if comparison is not None:
            side_by_side = stack.enter_context(_SideBySide(comparison, source, truth, dance.placed, manifest.size))
        for done, frame in enumerate(Synthesizer(performer, dance.placed, dance.detection.cuts), 1):
            writer.write(frame)
            if side_by_side is not None:
                side_by_side.write(frame)
            on_progress(done, len(seen))
    return Transfer(out, comparison, len(seen), int((~seen).sum()), dance.clamped_share, unlike)


def unlike_share(dance: Dance, filmed: Keypoints) -> float:
    """How much of a dance is unlike every pose that was ``filmed``; where that is worth a word, the user is told."""
    if not len(filmed):
        return 0.0
    unlike = unlike_frames(dance.placed, filmed)
    share = float(unlike.mean())
    if share > UNLIKE_WORTH_SAYING:
        logger.warning(
            "In %.0f %% of the dance the pose is unlike any in the footage, first at %.1f s: film such movement too, or"
            " expect faults there.",
            100 * share,
            unlike.argmax() / float(dance.placed.fps),
        )
    return share


class _SideBySide(ExitStack):
    """Writes source | pose | result (| truth), as high as the result; the source is read again in step."""

    def __init__(self, path: Path, source: Path, truth: Path | None, poses: Keypoints, size: tuple[int, int]) -> None:
        super().__init__()
        self._poses, self._size = poses, size
        self._videos: list[Iterator[Frame]] = []
        width = 2 * size[0]
        for video in (source, truth):
            if video is not None:
                reader = self.enter_context(VideoReader(video, fps=poses.fps))
                shape = max(round(reader.info.size[0] * size[1] / reader.info.size[1]), 1), size[1]
                self._videos.append(_endless(reader, shape))
                width += shape[0]
        self._labels = ["source", "pose", "result", "truth"][: 2 + len(self._videos)]
        self._writer = self.enter_context(VideoWriter(path, (width, size[1]), poses.fps, sound_of=source))
        self._index = 0

    def write(self, result: Frame) -> None:
        """Add the next frame."""
        width, height = self._size
        xy, confidence = self._poses.xy[self._index], self._poses.confidence[self._index]
        pose = draw_pose(xy, confidence, Box(0, 0, width, height), height)
        self._index += 1
        source, *truth = (next(video) for video in self._videos)
        panels = [source, pose, result, *truth]
        self._writer.write(np.concatenate([_labelled(*pair) for pair in zip(panels, self._labels, strict=True)], 1))


def _endless(reader: VideoReader, size: tuple[int, int]) -> Iterator[Frame]:
    """The reader's frames at ``size``; the last one goes on."""
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    for image in reader:
        frame = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        yield frame
    while True:
        yield frame


def _labelled(image: Frame, label: str) -> Frame:
    """A copy of the picture with its name in the corner."""
    image = image.copy()
    scale = image.shape[0] / 700
    place = (round(12 * scale) + 2, round(34 * scale) + 4)
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(image, label, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA)
    return image
