"""What people see first: whether the person is as sharp as the footage, and whether the person alone flickers."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.evaluation.boxes import body_boxes, face_boxes, hand_boxes
from everybody_dance.evaluation.compare import Scores
from everybody_dance.evaluation.flicker import apart, change
from everybody_dance.evaluation.metrics import PERSON
from everybody_dance.images import Box, Image
from everybody_dance.keypoints import Keypoints

EDGE = 1 / 256
"""Half the width of the silhouette's edge, in frame heights: it stands out so much that little else would count."""


class WithinPerson:
    """A watcher of ``compare_all``: measures inside the person's silhouette, face and hands, one pass for all results.

    Args:
        keypoints: of the true frames; they give the boxes.
        matte: gives the true matte of a frame, uint8 (H, W).
        cuts: frames that do not follow the one before; they have no flicker.
    """

    def __init__(self, keypoints: Keypoints, matte: Callable[[int], Image], cuts: Sequence[int] = ()) -> None:
        self._matte = matte
        self._cuts = {0, *cuts}
        self._boxes: dict[str, list[tuple[Box | None, ...]]] = {
            "body": [(box,) for box in body_boxes(keypoints)],
            "face": [(box,) for box in face_boxes(keypoints)],
            "hands": hand_boxes(keypoints),
        }
        self._energies = {region: np.full(len(keypoints), np.nan) for region in self._boxes}
        self._scores: dict[str, Scores] = defaultdict(
            lambda: (
                {region: {"sharpness": np.full(len(keypoints), np.nan)} for region in self._boxes}
                | {"body": {name: np.full(len(keypoints), np.nan) for name in ("sharpness", "flicker_person")}}
            )
        )
        self._before: tuple[Image, Mapping[str, Image]] | None = None

    def __call__(self, index: int, truth: Image, results: Mapping[str, Image]) -> None:
        masks = {region: _mask(boxes[index], truth.shape[:2]) for region, boxes in self._boxes.items()}
        inside = np.where(self._matte(index) >= PERSON, np.uint8(255), np.uint8(0))
        side = 1 + 2 * round(EDGE * len(inside))
        inside = np.asarray(cv2.erode(inside, np.ones((side, side), np.uint8)), np.uint8)
        masks = {region: mask & inside for region, mask in masks.items() if (mask & inside).any()}
        true_energy = laplacian_energy(truth)
        for region, mask in masks.items():
            self._energies[region][index] = cv2.mean(true_energy, mask)[0]
        for name, result in results.items():
            energy, scores = laplacian_energy(result), self._scores[name]
            for region, mask in masks.items():
                scores[region]["sharpness"][index] = cv2.mean(energy, mask)[0]
            if self._before is not None and index not in self._cuts and "body" in masks:
                truth_before, before = self._before
                error = apart(change(result, before[name]), change(truth, truth_before))
                scores["body"]["flicker_person"][index] = cv2.mean(error, masks["body"])[0] / 3
        self._before = truth, results

    def scores(self) -> dict[str, Scores]:
        """By result's name: ``sharpness`` of body, face and hands, and the body's ``flicker_person``.

        Sharpness is the mean square of the Laplacian inside the silhouette without its edge (and inside the box of the
        face or hands), over the truth's average in all frames: so its mean is the ratio of the sums, which a frame
        whose truth is blurred by motion cannot blow up. 1 is as sharp as the footage; below it is blurred, above it is
        noise or seams.
        ``flicker_person`` is ``flicker`` inside the silhouette.
        """
        # Where the truth has no detail at all there is nothing to compare with.
        average = {
            region: np.nansum(of) / (np.isfinite(of).sum() or 1) or np.nan for region, of in self._energies.items()
        }
        return {
            name: {
                region: found | {"sharpness": found["sharpness"] / average[region]} for region, found in scores.items()
            }
            for name, scores in self._scores.items()
        }


def laplacian_energy(image: Image) -> NDArray[np.float32]:
    """The squared Laplacian of the luminance of ``image``, uint8 (H, W, 3): float32 (H, W)."""
    return np.square(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_32F), dtype=np.float32)


def _mask(boxes: Sequence[Box | None], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    mask = np.zeros(shape, np.uint8)
    for box in boxes:
        if box is not None:
            mask[box.y : box.y + box.height, box.x : box.x + box.width] = 255
    return mask
