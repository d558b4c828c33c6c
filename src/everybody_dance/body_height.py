"""How tall a person stands, from the joints of each frame alone.

Lengths of limbs are fractions of a standing person's height (Drillis and Contini 1966, as in Winter, *Biomechanics
and Motor Control of Human Movement*, figure 4.1).
"""

import numpy as np
from numpy.typing import NDArray

from everybody_dance.skeleton import ANKLES, BODY, BONES, HEAD_JOINTS

HEAD_TO_ANKLE = 0.866
"""From the nose (0.905 of the height) down to the ankle (0.039)."""

TORSO = 0.288
"""From the shoulders' height (0.818) down to the hips' (0.530)."""

# Bones by the fraction of body height that they measure. Of several the longest counts: it is foreshortened least.
_MEASURED: tuple[tuple[float, tuple[str, ...]], ...] = (
    (TORSO, ("spine",)),
    (0.245, ("right thigh", "left thigh")),
    (0.246, ("right shin", "left shin")),
    (0.186, ("right upper arm", "left upper arm")),
    (0.146, ("right forearm", "left forearm")),
    (0.22, ("shoulders",)),
)


def body_height(xy: NDArray[np.float32], confidence: NDArray[np.float32]) -> NDArray[np.float64]:
    """The person's standing height, crown to sole, estimated from each frame by itself.

    Every visible bone gives an estimate. Foreshortening only makes it too short, so the third quartile is taken: a
    crouch, raised arms or one misplaced joint hardly change it.

    Args:
        xy: (T, 137, 2) in pixels.
        confidence: (T, 137) in [0, 1].

    Returns:
        float64 (T,), in pixels; 0 where no bone was found.
    """
    found = confidence[:, BODY] > 0
    place = xy[:, BODY].astype(np.float64)
    estimates = [_head_to_ankle(place, found) / HEAD_TO_ANKLE]
    for fraction, bones in _MEASURED:
        first, second = np.array([BONES[bone] for bone in bones]).T
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
