"""Losses against values worked out by hand, and against an independent computation where there is one."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor

from everybody_dance import losses


def judgement(scales: list[list[list[float]]]) -> list[list[Tensor]]:
    """For each scale, layers given as flat lists."""
    return [[torch.tensor(layer).view(1, 1, 1, -1) for layer in layers] for layers in scales]


def logits(*scales: list[float]) -> list[list[Tensor]]:
    return judgement([[[99.0], scale] for scale in scales])


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def test_least_squares_by_hand():
    # 1/2 (3 - 1)^2 + 1/2 (2)^2 = 4
    assert losses.least_squares_discriminator(logits([3.0]), logits([2.0])).item() == pytest.approx(4)
    # scales add up, patches are averaged: 1/2 ((0 + 4) / 2 + 0.25) + 1/2 ((1 + 9) / 2 + 1)
    real, generated = logits([1.0, -1.0], [0.5]), logits([1.0, 3.0], [-1.0])
    assert losses.least_squares_discriminator(real, generated).item() == pytest.approx(1.125 + 3)
    # (0 + 4) / 2 + 4
    assert losses.least_squares_generator(generated).item() == pytest.approx(6)
    # a perfect discriminator, a perfect generator
    assert losses.least_squares_discriminator(logits([1.0]), logits([0.0])).item() == 0
    assert losses.least_squares_generator(logits([1.0], [1.0])).item() == 0


def test_log_form_by_hand():
    real, generated = logits([1.0, -1.0], [0.5]), logits([0.0], [2.0])
    expected = (softplus(-1) + softplus(1)) / 2 + softplus(-0.5) + softplus(0) + softplus(2)
    assert losses.log_discriminator(real, generated).item() == pytest.approx(expected)
    assert losses.log_generator(generated).item() == pytest.approx(softplus(0) + softplus(-2))
    assert losses.log_generator(generated, saturating=True).item() == pytest.approx(-softplus(0) - softplus(2))
    # D knows nothing: log 2 for each of the two terms
    assert losses.log_discriminator(logits([0.0]), logits([0.0])).item() == pytest.approx(2 * math.log(2))


def test_log_form_is_binary_cross_entropy():
    torch.manual_seed(0)
    real, generated = torch.randn(2, 1, 3, 4), torch.randn(2, 1, 3, 4)
    entropy = torch.nn.functional.binary_cross_entropy
    expected = entropy(real.sigmoid(), torch.ones_like(real)) + entropy(
        generated.sigmoid(), torch.zeros_like(generated)
    )
    torch.testing.assert_close(losses.log_discriminator([[real]], [[generated]]), expected)


def test_log_form_is_finite_where_the_discriminator_is_sure():
    sure = logits([1e4])
    assert losses.log_discriminator(sure, sure).item() == pytest.approx(1e4)
    assert losses.log_generator(logits([-1e4])).item() == pytest.approx(1e4)


def test_the_default_log_form_has_a_gradient_where_the_saturating_one_has_none():
    def gradient(saturating: bool) -> float:
        score = torch.tensor([[[[-20.0]]]], requires_grad=True)
        losses.log_generator([[score]], saturating).backward()
        assert score.grad is not None
        return score.grad.item()

    assert gradient(saturating=False) == pytest.approx(-1)
    assert abs(gradient(saturating=True)) < 1e-6


def test_feature_matching_by_hand():
    # the last layer (logits) does not count; layers by their means: (1 + 3) / 2 + 5, and 0.5 from the second scale
    real = judgement([[[0.0, 0.0], [1.0], [7.0]], [[0.0, 0.0, 0.0, 0.0], [2.0], [0.0]]])
    generated = judgement([[[1.0, -3.0], [6.0], [9.0]], [[1.0, 1.0, 0.0, 0.0], [2.0], [4.0]]])
    assert losses.feature_matching(real=real, generated=generated).item() == pytest.approx(2 + 5 + 0.5)


def test_perceptual_by_hand():
    real = [torch.zeros(1, 2, 1, 2), torch.zeros(1, 1, 1, 1)]
    generated = [torch.tensor([1.0, -1.0, 2.0, 0.0]).view(1, 2, 1, 2), torch.tensor([3.0]).view(1, 1, 1, 1)]
    # pix2pixHD's weights of the first two layers: 1/32 and 1/16
    assert losses.perceptual(generated=generated, real=real).item() == pytest.approx(1 / 32 + 3 / 16)
    # ||.||_2^2 / (C H W): (1 + 1 + 4 + 0) / 4 and 9
    assert losses.perceptual_squared(generated, real, (1.0, 0.5)).item() == pytest.approx(1.5 + 4.5)


def test_weighted_l1_by_hand():
    generated = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).view(1, 2, 1, 2)  # two channels, two pixels
    real = torch.zeros(1, 2, 1, 2)
    # mean over channels per pixel: 2 and 3
    weigh = lambda *weights: torch.tensor(weights).view(1, 1, 1, 2)  # noqa: E731
    assert losses.weighted_l1(generated, real, weigh(1.0, 1.0)).item() == pytest.approx(2.5)
    assert losses.weighted_l1(generated, real, weigh(1.0, 3.0)).item() == pytest.approx((2 + 9) / 4)
    assert losses.weighted_l1(generated, real, weigh(5.0, 0.0)).item() == pytest.approx(2)
    assert losses.weighted_l1(generated, real, weigh(0.0, 0.0)).item() == 0
    with pytest.raises(ValueError, match="does not fit"):
        losses.weighted_l1(generated, real, torch.ones(1, 2, 1, 2))


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), levels=st.integers(1, 7), value=st.floats(-1, 1))
def test_a_flat_picture_has_only_the_last_band(height: int, width: int, levels: int, value: float):
    bands = losses.laplacian_pyramid(torch.full((1, 3, height, width), value), levels)
    assert 1 <= len(bands) <= levels
    assert bands[0].shape[-2:] == (height, width)
    for band in bands[:-1]:
        torch.testing.assert_close(band, torch.zeros_like(band), atol=1e-6, rtol=0)
    torch.testing.assert_close(bands[-1], torch.full_like(bands[-1], value))


def test_the_pyramid_puts_the_picture_together_again():
    torch.manual_seed(0)
    picture = torch.randn(2, 3, 37, 22)
    bands = losses.laplacian_pyramid(picture, 4)
    assert [tuple(band.shape[-2:]) for band in bands] == [(37, 22), (19, 11), (10, 6), (5, 3)]
    again = bands[-1]
    for band in reversed(bands[:-1]):
        again = (
            band
            + torch.nn.functional.interpolate(again, scale_factor=2, mode="bilinear")[
                ..., : band.shape[-2], : band.shape[-1]
            ]
        )
    torch.testing.assert_close(again, picture, atol=1e-5, rtol=1e-5)


def test_halving_agrees_with_scipy():
    rng = np.random.default_rng(0)
    picture = rng.standard_normal((12, 18)).astype(np.float32)
    kernel = np.array([1, 3, 3, 1]) / 8
    blurred = ndimage.correlate1d(picture, kernel, axis=0, mode="nearest", origin=-1)
    blurred = ndimage.correlate1d(blurred, kernel, axis=1, mode="nearest", origin=-1)
    coarse = losses.laplacian_pyramid(torch.from_numpy(picture)[None, None], 2)[1][0, 0].numpy()
    np.testing.assert_allclose(coarse, blurred[::2, ::2], atol=1e-6)


def test_laplacian_by_hand():
    # one level: the mean absolute difference; a constant difference is seen by the last band alone
    generated, real = torch.full((1, 3, 16, 16), 0.5), torch.full((1, 3, 16, 16), 0.2)
    assert losses.laplacian(generated, real, levels=1).item() == pytest.approx(0.3)
    assert losses.laplacian(generated, real, levels=4).item() == pytest.approx(0.3)
    assert losses.laplacian(real, real).item() == 0


def test_laplacian_minds_sharpness_more_than_a_constant_error():
    checkers = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(8, 8)[None, None].expand(1, 3, 16, 16)
    blurred = losses.laplacian(torch.zeros_like(checkers), 0.1 * checkers)
    shifted = losses.laplacian(torch.zeros_like(checkers) + 0.1, torch.zeros_like(checkers))
    assert blurred.item() == pytest.approx(0.1, abs=0.02)
    assert shifted.item() == pytest.approx(0.1, abs=1e-6)


PAIRWISE = {
    "perceptual": lambda x, y: losses.perceptual(generated=[x, x[..., ::2]], real=[y, y[..., ::2]]),
    "perceptual squared": lambda x, y: losses.perceptual_squared([x], [y]),
    "feature matching": lambda x, y: losses.feature_matching(real=[[y, y]], generated=[[x, x]]),
    "weighted l1": lambda x, y: losses.weighted_l1(x, y, torch.ones_like(x[:, :1])),
    "laplacian": lambda x, y: losses.laplacian(x, y, 3),
}


@pytest.mark.parametrize("loss", PAIRWISE.values(), ids=PAIRWISE.keys())
def test_only_what_is_generated_gets_a_gradient_and_following_it_helps(loss):
    torch.manual_seed(0)
    x, y = torch.randn(2, 3, 9, 12, requires_grad=True), torch.randn(2, 3, 9, 12, requires_grad=True)
    before = loss(x, y)
    before.backward()
    assert before.shape == ()
    assert y.grad is None
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    with torch.no_grad():
        assert loss(x - 0.05 * x.grad / x.grad.abs().max(), y) < before


@pytest.mark.parametrize("loss", PAIRWISE.values(), ids=PAIRWISE.keys())
def test_the_same_under_mixed_precision(loss):
    torch.manual_seed(0)
    x, y = torch.randn(2, 3, 9, 12).bfloat16(), torch.randn(2, 3, 9, 12).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        mixed = loss(x, y)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, loss(x.float(), y.float()))


def test_adversarial_losses_under_mixed_precision():
    score = torch.tensor([[[[0.3, -2.0]]]]).bfloat16()
    for loss in (losses.least_squares_generator, losses.log_generator):
        with torch.autocast("cpu", torch.bfloat16):
            mixed = loss([[score]])
        assert mixed.dtype == torch.float32
        torch.testing.assert_close(mixed, loss([[score.float()]]))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="differ"):
        losses.laplacian(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 1, 1))
    with pytest.raises(ValueError, match="only 5 weights"):
        losses.perceptual(generated=[torch.zeros(1)] * 6, real=[torch.zeros(1)] * 6)
    with pytest.raises(ValueError, match="zip"):
        losses.feature_matching(real=[[torch.zeros(1)] * 2], generated=[[torch.zeros(1)] * 2] * 2)
