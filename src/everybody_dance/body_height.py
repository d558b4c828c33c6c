"""How tall a person stands, from the joints of each frame alone.

Lengths of limbs are fractions of a standing person's height (Drillis and Contini 1966, as in Winter, *Biomechanics
and Motor Control of Human Movement*, figure 4.1).
"""

import numpy as np
from numpy.typing import NDArray

from everybody_dance.skeleton import ANKLES, HEAD_JOINTS, Joint

HEAD_TO_ANKLE = 0.866
"""From the nose (0.905 of the height) down to the ankle (0.039)."""

TORSO = 0.288
"""From the shoulders' height (0.818) down to the hips' (0.530)."""

# Bones by the fraction of body height that they measure; of several the longest counts, it is foreshortened least.
_BONES: tuple[tuple[float, tuple[tuple[Joint, Joint], ...]], ...] = (
    (TORSO, ((Joint.NECK, Joint.MID_HIP),)),
    (0.245, ((Joint.RIGHT_HIP, Joint.RIGHT_KNEE), (Joint.LEFT_HIP, Joint.LEFT_KNEE))),
    (0.246, ((Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE), (Joint.LEFT_KNEE, Joint.LEFT_ANKLE))),
    (0.186, ((Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW), (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW))),
    (0.146, ((Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST), (Joint.LEFT_ELBOW, Joint.LEFT_WRIST))),
    (0.22, ((Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER),)),
)


def body_height(xy: NDArray[np.float32], confidence: NDArray[np.float32]) -> NDArray[np.float64]:
    """How tall the person would stand, crown to sole, in pixels, from each frame alone.

    Every visible bone gives an estimate, and foreshortening only ever makes it too short, so the third quartile of
    them is taken: a crouch or raised arms hardly change it, one misplaced joint neither.

    Args:
        xy: (T, 137, 2) in pixels.
        confidence: (T, 137) in [0, 1].

    Returns:
        (T,), 0 where no bone was found.
    """
    found = confidence > 0
    place = xy.astype(np.float64)
    estimates = [_head_to_ankle(place, found) / HEAD_TO_ANKLE]
    for fraction, bones in _BONES:
        first, second = np.array(bones).T
        length = np.linalg.norm(place[:, first] - place[:, second], axis=2)
        estimates.append(np.where(found[:, first] & found[:, second], length, 0).max(axis=1) / fraction)
    known = np.sort(np.stack(estimates, axis=1), axis=1)  # (T, E), what is not known first, as 0
    count = (known > 0).sum(axis=1)
    index = known.shape[1] - 1 - np.rint(0.25 * np.maximum(count - 1, 0)).astype(np.int64)
    return np.asarray(np.take_along_axis(known, index[:, None], axis=1)[:, 0])


def _head_to_ankle(place: NDArray[np.float64], found: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(T,) from the head's joints down to the lower ankle; 0 where either is unknown or the head is not above."""
    head = np.where(found[:, HEAD_JOINTS], place[:, HEAD_JOINTS, 1], np.inf).min(axis=1)
    ankle = np.where(found[:, ANKLES], place[:, ANKLES, 1], -np.inf).max(axis=1)
    return np.where(np.isfinite(head) & np.isfinite(ankle) & (ankle > head), ankle - head, 0)
