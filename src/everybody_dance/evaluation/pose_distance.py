"""How well a result dances what it was given: its pose found again and compared (the paper, section 5.1).

    d(p, p') = 1/n sum_k ||p_k - p'_k||_2

over the n joints that were found in both, and the joints that were asked for and not found again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from everybody_dance.body_height import body_height
from everybody_dance.evaluation.compare import Scores
from everybody_dance.evaluation.metrics import silhouette_iou
from everybody_dance.images import Image
from everybody_dance.keypoints import NOBODY, Keypoints, Pose, is_inside
from everybody_dance.pose.people import Person
from everybody_dance.skeleton import BODY, FACE, JOINT_COUNT, LEFT_HAND, RIGHT_HAND, Joint

# The paper counts 23 joints of the body, without heels.
_HEELS = (Joint.LEFT_HEEL, Joint.RIGHT_HEEL)
PARTS: dict[str, NDArray[np.int64]] = {
    "body": np.array([joint for joint in range(BODY.stop) if joint not in _HEELS]),
    "face": np.arange(FACE.start, FACE.stop),
    "hands": np.arange(LEFT_HAND.start, RIGHT_HAND.stop),
    "all": np.array([joint for joint in range(JOINT_COUNT) if joint not in _HEELS]),
}


class FrameDetector(Protocol):
    """Finds people in frames that come in order: ``pose.detector_process.FollowingDetector``."""

    def people(self, image: Image, /) -> list[Person]: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class PoseScores:
    """For each frame, NaN where there is nothing to compare.

    Attributes:
        pixels: float64 (T,), d(p, p').
        percent: the same in percent of the body height.
        missed: joints that were asked for and not found again.
    """

    pixels: NDArray[np.float64]
    percent: NDArray[np.float64]
    missed: NDArray[np.float64]


class Redetection:
    """A watcher of ``compare_all``: finds the person in every frame of some results as they pass by.

    Args:
        detectors: one for each result that is looked at, by its name; closed when the ``with`` block ends.
        true_matte: gives the true matte of a frame, uint8 (H, W), where silhouettes are to be compared.
    """

    def __init__(
        self, detectors: Mapping[str, FrameDetector], true_matte: Callable[[int], Image] | None = None
    ) -> None:
        self.detectors = detectors
        self._true_matte = true_matte
        self._overlaps: dict[str, list[float]] = {name: [] for name in detectors}
        self._found: dict[str, list[Pose]] = {name: [] for name in detectors}

    def __call__(self, index: int, truth: Image, results: Mapping[str, Image]) -> None:
        true_matte = None if self._true_matte is None else self._true_matte(index)
        for name, detector in self.detectors.items():
            people = detector.people(results[name])
            person = people[0] if people else Person(NOBODY)
            self._found[name].append(person.pose)
            if true_matte is not None:
                matte = np.zeros_like(true_matte) if person.matte is None else person.matte
                self._overlaps[name].append(silhouette_iou(matte, true_matte))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for detector in self.detectors.values():
            detector.close()

    def scores(self, wanted: Keypoints) -> dict[str, Scores]:
        """The ``pose_distance`` from ``wanted`` of each result that was looked at, by part: ``pose_body`` and so on.

        Where silhouettes were compared also ``silhouette``, with their ``iou``.
        """
        scores: dict[str, Scores] = {}
        for name, found in self._found.items():
            xy, confidence = np.stack([pose.xy for pose in found]), np.stack([pose.confidence for pose in found])
            parts = pose_distance(Keypoints(xy, confidence, wanted.size, wanted.fps), wanted)
            scores[name] = {f"pose_{part}": dict(vars(distances)) for part, distances in parts.items()}
            if self._true_matte is not None:
                scores[name]["silhouette"] = {"iou": np.array(self._overlaps[name])}
        return scores


def pose_distance(found: Keypoints, wanted: Keypoints) -> dict[str, PoseScores]:
    """Compare poses frame by frame.

    Args:
        found: in the result.
        wanted: what it was to dance, in the same frame of reference; joints outside the picture are not asked for.

    Returns:
        Scores by part: body, face, hands, all.

    Raises:
        ValueError: they differ in length or size.
    """
    if len(found) != len(wanted) or found.size != wanted.size:
        raise ValueError(f"{len(found)} frames of {found.size} against {len(wanted)} of {wanted.size}")
    apart = np.linalg.norm(found.xy.astype(np.float64) - wanted.xy, axis=2)
    asked = wanted.found & is_inside(wanted.xy, wanted.size)
    both, lost = found.found & asked, asked & ~found.found
    heights = body_height(wanted.xy, wanted.confidence)
    height = np.median(heights[heights > 0]) if (heights > 0).any() else np.nan
    scores = {}
    for part, joints in PARTS.items():
        count = both[:, joints].sum(axis=1)
        total = np.where(both[:, joints], apart[:, joints], 0).sum(axis=1)
        pixels = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        missed = np.where(asked[:, joints].any(axis=1), lost[:, joints].sum(axis=1), np.nan)
        scores[part] = PoseScores(pixels, 100 * pixels / height, missed)
    return scores
