"""LPIPS against an independent forward pass, and where its weights may come from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from everybody_dance.errors import DanceError
from everybody_dance.evaluation import features
from everybody_dance.files import content_hash
from everybody_dance.images import Box
from everybody_dance.networks import lpips
from everybody_dance.networks.lpips import HEADS, LPIPS, download_lpips, find_lpips_weights, load_lpips
from subjects import picture, swaying


def convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """(C, H, W) to (K, h, w)."""
    side = weight.shape[-1]
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("chwij,kcij->khw", windows, weight, optimize=True) + bias[:, None, None]


def pooled(x: np.ndarray, side: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))[:, ::2, ::2]
    return windows.max(axis=(-2, -1))


# (kernel, stride, padding) of each convolution, None for a pooling, and after which rectifiers (from 0) is measured.
PLANS = {
    "alex": ([(11, 4, 2), None, (5, 1, 2), None, (3, 1, 1), (3, 1, 1), (3, 1, 1)], (0, 1, 2, 3, 4), 3),
    "vgg": (
        [(3, 1, 1)] * 2 + [None] + [(3, 1, 1)] * 2 + ([None] + [(3, 1, 1)] * 3) * 3,
        (1, 3, 6, 9, 12),
        2,
    ),
}


def by_hand(backbone: str, state: dict[str, np.ndarray], one: np.ndarray, other: np.ndarray) -> float:
    """The paper's formula: sum over layers of the mean over places of w . (y - y0)^2, y of unit length."""
    plan, measured, pooling = PLANS[backbone]
    heads = safetensors.torch.load_file(HEADS)

    def described(image: np.ndarray) -> list[np.ndarray]:
        x = (image - np.array([-0.030, -0.088, -0.188])[:, None, None]) / np.array([0.458, 0.448, 0.450])[:, None, None]
        weights = [state[name] for name in state if name.endswith("weight")]
        biases = [state[name] for name in state if name.endswith("bias")]
        found, number = [], 0
        for step in plan:
            if step is None:
                x = pooled(x, pooling)
                continue
            _, stride, padding = step
            x = np.maximum(convolved(x, weights[number], biases[number], stride, padding), 0)
            if number in measured:
                found.append(x / (np.sqrt(np.square(x).sum(axis=0)) + 1e-10))
            number += 1
        return found

    total = 0.0
    for layer, (a, b) in enumerate(zip(described(one), described(other), strict=True)):
        weight = heads[f"{backbone}.{layer}"].double().numpy()
        total += float((weight[:, None, None] * np.square(a - b)).sum(axis=0).mean())
    return total


@pytest.mark.parametrize("backbone", ["alex", "vgg"])
def test_it_is_the_formula(backbone: lpips.Backbone) -> None:
    torch.manual_seed(0)
    network = LPIPS(backbone)
    state = {name: value.double().numpy() for name, value in network.state_dict().items()}
    one, other = torch.rand(2, 1, 3, 48, 64) * 2 - 1
    found = float(network(one, other))
    assert found == pytest.approx(
        by_hand(backbone, state, one[0].double().numpy(), other[0].double().numpy()), rel=1e-4
    )
    assert found > 0.01
    assert float(network(one, one)) == 0


def test_the_heads_are_weights_of_judgement() -> None:
    heads = safetensors.torch.load_file(HEADS)
    assert {name: len(value) for name, value in heads.items()} == {
        **{f"alex.{layer}": width for layer, width in enumerate((64, 192, 384, 256, 256))},
        **{f"vgg.{layer}": width for layer, width in enumerate((64, 128, 256, 512, 512))},
    }
    assert all(float(value.min()) >= 0 and float(value.max()) > 0 for value in heads.values())
    assert "Redistribution" in HEADS.with_suffix(".LICENSE").read_text()


class TestWeights:
    def test_only_the_published_files_will_do(self, tmp_path: Path) -> None:
        state = LPIPS("alex").state_dict()
        torch.save(state, tmp_path / "alexnet-owt-7be5be79.pth")
        safetensors.torch.save_file(state, tmp_path / "mine.safetensors")
        for name in ("alexnet-owt-7be5be79.pth", "mine.safetensors"):
            with pytest.raises(DanceError, match="SHA-256") as caught:
                load_lpips(tmp_path / name)
            assert caught.value.code == "bad-lpips-weights"
        with pytest.raises(DanceError) as caught:
            load_lpips(tmp_path / "nowhere.pth")
        assert caught.value.code == "file-not-found"

    @pytest.mark.parametrize("backbone", ["alex", "vgg"])
    def test_a_published_file(self, backbone: lpips.Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        torch.manual_seed(1)
        network = LPIPS(backbone)
        path = published(tmp_path, backbone, network, monkeypatch)
        loaded = load_lpips(path)
        images = torch.rand(2, 1, 3, 40, 40)
        assert torch.equal(loaded(*images), network(*images))

    def test_a_download_is_kept_and_found(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert find_lpips_weights() is None
        network = LPIPS("alex")
        published(tmp_path, "alex", network, monkeypatch)
        kept = download_lpips()
        assert kept.suffix == ".safetensors"
        assert find_lpips_weights() == kept
        images = torch.rand(2, 1, 3, 40, 40)
        assert torch.equal(load_lpips(kept)(*images), network(*images))


def test_as_a_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(2)
    path = published(tmp_path, "alex", LPIPS("alex"), monkeypatch)
    metric = features.lpips(path, torch.device("cpu"))
    keypoints = swaying(8)
    truth, other = picture(keypoints, 0), picture(keypoints, 7)
    boxes = [Box(20, 20, 64, 80), Box(0, 0, 128, 128), None, Box(0, 0, 12, 40)]
    assert metric(truth, truth, boxes)[:2] == [0, 0]
    different = metric(other, truth, boxes)
    assert min(different[:2]) > 0
    assert np.isnan(different[2:]).all()


def published(folder: Path, backbone: lpips.Backbone, network: LPIPS, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that passes for torchvision's, with what else it holds."""
    state = {**network.state_dict(), "classifier.1.weight": torch.zeros(3, 3)}
    torch.save(state, folder / "weights.pth")
    path = folder / f"{backbone}-{content_hash(folder / 'weights.pth')[:8]}.pth"
    (folder / "weights.pth").rename(path)
    monkeypatch.setitem(lpips.PUBLISHED, backbone, replace(lpips.PUBLISHED[backbone], url=path.as_uri()))
    return path
