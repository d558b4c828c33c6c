"""Does a performer that sees its own previous frame stay steady? The contraction tests, as numbers.

A performer without previous-frame conditioning passes all of them by construction.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.evaluation.boxes import body_boxes
from everybody_dance.evaluation.metrics import ssim
from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.images import Box, Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.performer.performer import Performer
from everybody_dance.subject.subject import Subject
from everybody_dance.synthesis.clip import dance_clip, frames
from everybody_dance.synthesis.stream import Picture

FORGET_WITHIN = 30
"""After this many frames a different beginning must be forgotten."""

MOST_DIFFERENCE = 1.0
"""Allowed mean difference then, in units of 1/255."""

LEAST_SIMILARITY = 0.99
"""Allowed SSIM between frames 30 and 300 of a pose that is held."""

MOST_DRIFT = 0.005
"""Allowed SSIM lost from the second pass of a clip to the sixth."""


def memory_of_first_frame(
    performer: Performer, keypoints: Keypoints, first: Image, other: Image, after: int = FORGET_WITHIN
) -> float:
    """How far two dances of the same poses still differ that began after different frames.

    Args:
        keypoints: more than ``after`` frames without a cut, in the performer's frame.
        first, other: uint8 (H, W, 3), what each dance takes for the frame before its first.
        after: frames painted before they are compared.

    Returns:
        Mean absolute difference in units of 1/255, over the window (the rest is plate in both).

    Raises:
        ValueError: there are too few frames, or nobody is seen in one of them: that would forget by itself.
    """
    if len(keypoints) <= after:
        raise ValueError(f"{len(keypoints)} frames are too few to compare after {after}")
    keypoints = keypoints[: after + 1]
    if not keypoints.person_seen.all():
        raise ValueError("the person must be seen in all frames")
    one, two = (_last(dance_clip(performer, keypoints, previous=previous)) for previous in (first, other))
    return float(np.abs(one.box.cut(one.frame).astype(int) - two.box.cut(two.frame)).mean())


def held_pose_similarity(
    performer: Performer, keypoints: Keypoints, frame: int, early: int = FORGET_WITHIN, late: int = 300
) -> float:
    """SSIM in the body box between the ``early`` th and the ``late`` th frame of a pose that is held still.

    Args:
        keypoints: in the performer's frame.
        frame: which of them is held.

    Raises:
        ValueError: nobody is seen in that frame.
    """
    held = keypoints[np.full(late, frame)]
    box = body_boxes(held[:1])[0]
    if box is None:
        raise ValueError(f"nobody is seen in frame {frame}")
    wanted = (early, late)
    seen = {index: image for index, image in enumerate(frames(dance_clip(performer, held)), 1) if index in wanted}
    return ssim(seen[late], seen[early], [box])[0]


def repeated_passes(
    performer: Performer,
    keypoints: Keypoints,
    truth: Callable[[int], Image],
    passes: int = 6,
) -> NDArray[np.float64]:
    """A clip danced several times without a pause: mean SSIM of each pass against the truth, in the body box.

    Args:
        keypoints: the clip, in the performer's frame. From its end the dance goes on with its beginning, and the
            previous frame is kept.
        truth: gives the true frame, uint8 (H, W, 3), by its index in ``keypoints``.
        passes: how many times.

    Returns:
        float64 (passes,).
    """
    boxes: list[Box | None] = body_boxes(keypoints)
    scores = np.full((passes, len(keypoints)), np.nan)
    repeated = keypoints[np.tile(np.arange(len(keypoints)), passes)]
    for index, frame in enumerate(frames(dance_clip(performer, repeated))):
        nth, within = divmod(index, len(keypoints))
        if boxes[within] is not None:
            scores[nth, within] = ssim(frame, truth(within), [boxes[within]])[0]
    return np.asarray(np.nanmean(scores, axis=1), np.float64)


@dataclass(frozen=True)
class Steadiness:
    """What came of the tests.

    Attributes:
        memory: how far dances that began after another moment, and after noise, still differ after ``FORGET_WITHIN``
            frames, in units of 1/255.
        held: SSIM of frames 30 and 300, for each pose that was held.
        passes: SSIM of each pass against the truth.
        frames: in a pass.
    """

    memory: tuple[float, ...]
    held: tuple[float, ...]
    passes: tuple[float, ...]
    frames: int

    @property
    def drift(self) -> float:
        """SSIM gained (or lost) from the second pass to the last."""
        return self.passes[-1] - self.passes[1]

    @property
    def passed(self) -> bool:
        """Whether all is as it should be."""
        forgets, holds = max(self.memory) < MOST_DIFFERENCE, min(self.held) > LEAST_SIMILARITY
        return forgets and holds and abs(self.drift) <= MOST_DRIFT


def steadiness(
    subject: Subject,
    performer: Performer,
    *,
    seconds: float = 2.0,
    poses: int = 1,
    passes: int = 6,
    on_progress: OnProgress = ignore_progress,
) -> Steadiness | None:
    """All tests, on a stretch of training footage; None where the person is not seen long enough without a break.

    Args:
        subject, performer: whose, and who.
        seconds: of footage that is danced, at most.
        poses: that are held.
        passes: of the clip.
        on_progress: told the tests done.
    """
    usable = np.isin(np.arange(len(subject.keypoints)), subject.training_frames)
    usable &= subject.keypoints.person_seen
    first, stop = _longest_run(usable)
    length = min(round(seconds * subject.manifest.fps), stop - first)
    if length <= FORGET_WITHIN:
        return None
    size = performer.manifest.size
    clip = subject.keypoints[first : first + length].scaled_to(size)

    def frame(index: int) -> Image:
        image = subject.frame(first + index)
        return (
            image
            if size == subject.manifest.size
            else np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        )

    done, total = 0, 3 + poses

    def tick() -> None:
        nonlocal done
        done += 1
        on_progress(done, total)

    noise = np.random.default_rng(0).integers(0, 256, performer.plate.shape, np.uint8)
    memory = []
    for other in (frame(length // 2), noise):
        memory.append(memory_of_first_frame(performer, clip, frame(0), other))
        tick()
    held = []
    for pose in np.linspace(0, length - 1, poses).astype(int):
        held.append(held_pose_similarity(performer, clip, int(pose)))
        tick()
    scores = repeated_passes(performer, clip, frame, passes)
    tick()
    return Steadiness(tuple(memory), tuple(held), tuple(scores.tolist()), length)


def _longest_run(good: NDArray[np.bool_]) -> tuple[int, int]:
    """First frame of the longest run, and the first after it."""
    edges = np.flatnonzero(np.diff(np.r_[False, good, False].astype(int)))
    starts, stops = edges[::2], edges[1::2]
    if not len(starts):
        return 0, 0
    longest = int(np.argmax(stops - starts))
    return int(starts[longest]), int(stops[longest])


def _last(pictures: Iterator[Picture]) -> Picture:
    return deque(pictures, maxlen=1)[0]
