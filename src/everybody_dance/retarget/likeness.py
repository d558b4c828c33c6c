"""The distance between poses, and how much of a dance is unlike anything that was filmed."""

import numpy as np
from numpy.typing import NDArray

from everybody_dance.body_height import body_height
from everybody_dance.keypoints import Keypoints, blocks
from everybody_dance.skeleton import BODY, Joint

MISSING = 0.25
"""A joint seen in only one of two poses counts as if it were this far away, in body heights."""

KEPT = 500
"""Poses of the footage that a dance is compared with, at most."""

UNLIKE = 0.1
"""A pose farther than this from everything filmed, in body heights, is painted badly: limbs tear, heads break."""


def pose_distances(
    queries: Keypoints, candidates: Keypoints, known: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Distances between poses whose hips are aligned.

    With confidences v and w, positions a and b relative to the hips, body height h and m = ``MISSING``,

        distance^2 = sum_j (v w |a - b|^2 / h^2 + (v - w)^2 m^2) / sum_j (v w + (v - w)^2)

    over the body joints: zero for equal poses, and joints that were missed make nothing closer. h is the median body
    height of the candidates, one for all, so that a pose at the same distance from the camera is closer.

    Args:
        queries: (Q frames).
        candidates: (N frames), at the same scale.
        known: bool (Q, 137), the joints of each query that count at all; None: every joint.

    Returns:
        float64 (Q, N), in body heights; infinite where one of the two has no hips.
    """
    height = max(float(np.median(body_height(candidates.xy, candidates.confidence))), 1.0) if len(candidates) else 1.0
    a, v, a_seen = _aligned(queries, height)
    b, w, b_seen = _aligned(candidates, height)
    counts = np.ones_like(v) if known is None else known[:, BODY].astype(np.float64)
    v = v * counts
    # Expanded, so that every sum over joints is a matrix product and nothing of size (Q, N, joints) is made.
    apart = (v * np.square(a).sum(axis=2)) @ w.T + v @ (w * np.square(b).sum(axis=2)).T
    apart -= 2 * sum((v * a[..., axis]) @ (w * b[..., axis]).T for axis in range(2))
    shared = v @ w.T
    missed = np.square(v).sum(axis=1)[:, None] + counts @ np.square(w).T - 2 * shared
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = np.sqrt(np.maximum(apart + MISSING**2 * missed, 0) / (shared + missed))
    return np.where(a_seen[:, None] & b_seen[None], distance, np.inf)


def _aligned(keypoints: Keypoints, height: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Body joints relative to the hips in body heights (T, 25, 2), their confidence (T, 25), hips seen (T,)."""
    hips = keypoints.xy[:, Joint.MID_HIP, None].astype(np.float64)
    seen = keypoints.found[:, Joint.MID_HIP] & keypoints.person_seen
    confidence = keypoints.confidence[:, BODY].astype(np.float64)
    return np.where(confidence[..., None] > 0, keypoints.xy[:, BODY] - hips, 0) / height, confidence, seen


def unlike_frames(dance: Keypoints, filmed: Keypoints, known: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Which frames show a pose that is unlike everything that was filmed.

    Args:
        dance: (T frames).
        filmed: at the same scale.
        known: bool (T, 137), as in ``pose_distances``.

    Returns:
        bool (T,).
    """
    if not len(filmed):
        return dance.person_seen
    distances = np.empty(len(dance))
    for block in blocks(len(dance)):
        here = None if known is None else known[block]
        distances[block] = pose_distances(dance[block], filmed, here).min(axis=1)
    return np.asarray(np.isfinite(distances) & (distances > UNLIKE) & dance.person_seen)


def some_poses(keypoints: Keypoints, frames: NDArray[np.int64]) -> Keypoints:
    """At most ``KEPT`` of the ``frames``, evenly."""
    return keypoints[frames[np.linspace(0, len(frames) - 1, min(len(frames), KEPT)).astype(int)]]
