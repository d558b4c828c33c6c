"""Losses: pure functions of tensors.

The contract, for all of them:

- They return one float32 number (a tensor of no dimensions) which is differentiable, and averaged over the batch.
- They compute in float32 whatever they are given, under mixed precision too.
- What is called ``real`` in a generator's loss is a constant: no gradient flows into it.
- A discriminator's output is what ``networks.discriminator.MultiscaleDiscriminator`` gives: for each scale the
  outputs of all layers, the last of which are logits.
- Weights (the paper's lambdas) are the caller's: the functions return what stands behind them.

Sources: pix2pixHD (Wang et al., CVPR 2018), "Everybody Dance Now" (Chan et al., ICCV 2019), Johnson et al. (ECCV
2016), least-squares GAN (Mao et al., ICCV 2017).
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

Judgement = Sequence[Sequence[Tensor]]
"""For each scale of the discriminator, the outputs of its layers; the last are logits."""

PERCEPTUAL_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
"""pix2pixHD's weights of relu1_1, relu2_1, relu3_1, relu4_1, relu5_1."""


def least_squares_discriminator(real: Judgement, generated: Judgement) -> Tensor:
    """sum over scales of 1/2 E[(D(real) - 1)^2] + 1/2 E[D(generated)^2]; the caller detaches what was generated."""
    return 0.5 * (
        _sum([(logits - 1).square().mean() for logits in _logits(real)])
        + _sum([logits.square().mean() for logits in _logits(generated)])
    )


def least_squares_generator(generated: Judgement) -> Tensor:
    """sum over scales of E[(D(generated) - 1)^2]."""
    return _sum([(logits - 1).square().mean() for logits in _logits(generated)])


def log_discriminator(real: Judgement, generated: Judgement) -> Tensor:
    """sum over scales of -E[log D(real)] - E[log(1 - D(generated))], D being the sigmoid of the logits.

    The negative of the paper's L_GAN (and of L_smooth, when D is given pairs), which D maximizes.
    """
    return _sum([functional.softplus(-logits).mean() for logits in _logits(real)]) + _sum(
        [functional.softplus(logits).mean() for logits in _logits(generated)]
    )


def log_generator(generated: Judgement, saturating: bool = False) -> Tensor:
    """sum over scales of -E[log D(generated)].

    Args:
        generated: D's judgement of what G made.
        saturating: E[log(1 - D(generated))] instead, the formula to the letter. Its gradient vanishes where D is
            sure, which is where G needs it; so the form above, with the same fixed point, is the default.
    """
    if saturating:
        return -_sum([functional.softplus(logits).mean() for logits in _logits(generated)])
    return _sum([functional.softplus(-logits).mean() for logits in _logits(generated)])


def feature_matching(*, real: Judgement, generated: Judgement) -> Tensor:
    """sum over scales and over all layers but the last of 1/N_i ||D^(i)(real) - D^(i)(generated)||_1."""
    terms = []
    for real_layers, generated_layers in zip(real, generated, strict=True):
        for real_layer, generated_layer in zip(real_layers[:-1], generated_layers[:-1], strict=True):
            terms.append(_difference(generated_layer, real_layer).abs().mean())
    return _sum(terms)


def perceptual(
    *, generated: Sequence[Tensor], real: Sequence[Tensor], weights: Sequence[float] = PERCEPTUAL_WEIGHTS
) -> Tensor:
    """sum over layers of weight_j / (C_j H_j W_j) ||phi_j(generated) - phi_j(real)||_1, pix2pixHD's form.

    Args:
        generated, real: features by layer, from ``networks.vgg.VGG19Features``; fewer layers than weights are fine.
        weights: of the layers, shallowest first.
    """
    differences = _layer_differences(generated, real, weights)
    return _sum([weight * difference.abs().mean() for weight, difference in differences])


def perceptual_squared(
    generated: Sequence[Tensor], real: Sequence[Tensor], weights: Sequence[float] = PERCEPTUAL_WEIGHTS
) -> Tensor:
    """sum over layers of weight_j / (C_j H_j W_j) ||phi_j(generated) - phi_j(real)||_2^2, Johnson et al.'s form."""
    differences = _layer_differences(generated, real, weights)
    return _sum([weight * difference.square().mean() for weight, difference in differences])


def weighted_l1(generated: Tensor, real: Tensor, weight: Tensor) -> Tensor:
    """The weighted mean of |generated - real|.

    Args:
        generated, real: (B, C, H, W).
        weight: (B, 1, H, W), not negative. Where all of it is zero, so is the loss.
    """
    if weight.shape != (generated.shape[0], 1, *generated.shape[2:]):
        raise ValueError(f"weight {tuple(weight.shape)} does not fit pictures {tuple(generated.shape)}")
    weight = weight.float()
    error = _difference(generated, real).abs().mean(1, keepdim=True)
    return (weight * error).sum() / weight.sum().clamp_min(torch.finfo(torch.float32).tiny)


def laplacian(generated: Tensor, real: Tensor, levels: int = 5) -> Tensor:
    """sum over the bands of a Laplacian pyramid of the mean |band(generated) - band(real)|.

    Edges and texture count at every scale, with no trained network: what training falls back on where there are no
    VGG-19 weights. The last band is what is left, the coarse picture.

    Args:
        generated, real: (B, C, H, W), any sides.
        levels: bands, the coarse picture included. Small pictures have fewer: a side of one pixel is not halved.
    """
    bands = laplacian_pyramid(_difference(generated, real), levels)
    return _sum([band.abs().mean() for band in bands])


def laplacian_pyramid(images: Tensor, levels: int = 5) -> list[Tensor]:
    """The bands of (B, C, H, W), finest first, float32; each but the last is a picture minus its blurred self.

    Halving: the binomial kernel 1 3 3 1 with edges continued; doubling: the same kernel. An odd side is made even
    by repeating its last line, and the doubled picture is cut to it again. The pyramid is linear in its input.
    """
    bands: list[Tensor] = []
    with torch.autocast(images.device.type, enabled=False):
        images = images.float()
        while len(bands) < levels - 1 and min(images.shape[-2:]) >= 2:
            coarse = _halve(images)
            bands.append(images - _double(coarse)[..., : images.shape[-2], : images.shape[-1]])
            images = coarse
    return [*bands, images]


def _halve(images: Tensor) -> Tensor:
    channels, height, width = images.shape[1:]
    line = images.new_tensor([1, 3, 3, 1]) / 8
    kernel = torch.outer(line, line).expand(channels, 1, 4, 4)
    padded = functional.pad(images, (1, 1 + width % 2, 1, 1 + height % 2), mode="replicate")
    return functional.conv2d(padded, kernel, stride=2, groups=channels)


def _double(images: Tensor) -> Tensor:
    # Bilinear doubling weighs its neighbours 1/4 and 3/4: the kernel 1 3 3 1, at the places halving took them from.
    return functional.interpolate(images, scale_factor=2, mode="bilinear", align_corners=False)


def _logits(judgement: Judgement) -> list[Tensor]:
    return [layers[-1].float() for layers in judgement]


def _difference(generated: Tensor, real: Tensor) -> Tensor:
    if generated.shape != real.shape:
        raise ValueError(f"shapes {tuple(generated.shape)} and {tuple(real.shape)} differ")
    return generated.float() - real.detach().float()


def _layer_differences(
    generated: Sequence[Tensor], real: Sequence[Tensor], weights: Sequence[float]
) -> list[tuple[float, Tensor]]:
    if len(generated) > len(weights):
        raise ValueError(f"{len(generated)} layers, but only {len(weights)} weights")
    pairs = zip(generated, real, strict=True)
    return [(weight, _difference(*pair)) for weight, pair in zip(weights, pairs, strict=False)]


def _sum(terms: Sequence[Tensor]) -> Tensor:
    if not terms:
        raise ValueError("nothing to add up")
    return torch.stack(list(terms)).sum()
