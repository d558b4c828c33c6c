"""What is missing of a place goes on as the rest of it does."""

import cv2
import numpy as np
import pytest

from everybody_dance.subject.prepare.inpainting import inpainted


def stripes() -> np.ndarray:
    """uint8 (120, 160, 3): upright stripes, on a wall that gets lighter to the right."""
    column = np.arange(160)
    shade = 90 + 40 * ((column // 8) % 2) + column // 4
    return np.repeat(np.broadcast_to(shade, (120, 160))[..., None], 3, 2).astype(np.uint8)


def test_a_pattern_goes_on() -> None:
    truth, known = stripes(), np.ones((120, 160), bool)
    known[30:110, 60:100] = False
    found = inpainted(truth * known[..., None], known)
    assert np.array_equal(found[known], truth[known])
    missing = ~known
    assert np.abs(found.astype(int) - truth)[missing].mean() < 12
    # Colours that flow in from both sides have no stripes.
    assert found[60:80, 60:100].astype(float).mean(axis=(0, 2)).std() > 12


@pytest.mark.parametrize("share", [0.0, 0.001, 0.6, 1.0])
def test_any_share_may_be_missing(share: float) -> None:
    truth = stripes()
    known = np.ones((120, 160), bool)
    known[:, : round(160 * share)] = False
    known[:2, :8] &= share != 0.001
    found = inpainted(truth * known[..., None], known)
    assert found.shape == truth.shape
    assert np.array_equal(found[known], truth[known])
    if 0 < share < 1:
        assert (found[~known] > 40).all()


def test_what_is_missing_may_touch_every_edge() -> None:
    truth, known = stripes(), np.ones((120, 160), bool)
    known[50:70] = False
    known[:, 70:90] = False
    found = inpainted(truth * known[..., None], known)
    assert np.array_equal(found[known], truth[known])
    assert cv2.absdiff(found, truth).mean() < 20
