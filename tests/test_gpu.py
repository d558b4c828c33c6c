"""What differs on a GPU: run with `pytest -m gpu` where there is one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from everybody_dance.networks.pix2pixhd import GlobalGenerator
from everybody_dance.performer.model_files import load_performer
from everybody_dance.performer.tensors import to_images, to_tensor
from everybody_dance.synthesis.clip import dance_clip, frames
from everybody_dance.training import checkpoint
from everybody_dance.training.config import TrainConfig
from everybody_dance.training.loop import train
from subjects import make_subject

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


def test_trained_on_the_gpu_it_dances_on_both(tmp_path: Path) -> None:
    subject = make_subject(tmp_path / "s")
    train(
        subject,
        TrainConfig(
            preset="debug",
            steps=150,
            device="cuda",
            refine=(
                "face",
                "hands",
            ),
        ),
    )
    dances = [
        np.stack(list(frames(dance_clip(load_performer(subject.folder, device), subject.keypoints[:5]))))
        for device in ("cuda", "cpu")
    ]
    difference = np.abs(dances[0].astype(float) - dances[1])
    assert difference.mean() < 1
    assert np.percentile(difference, 99.9) < 16


def test_a_training_that_is_interrupted_goes_on(tmp_path: Path) -> None:
    subject = make_subject(tmp_path / "s")

    def stop(progress: object) -> None:
        if progress.step == 4:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(subject, TrainConfig(preset="debug", steps=12, device="cuda"), on_progress=stop)
    performer = train(subject, TrainConfig(preset="debug", steps=12, device="cuda"))
    assert performer.device.type == "cuda"
    assert checkpoint.newest(subject.folder / "training", "face") is not None
    assert all(torch.isfinite(value).all() for value in performer.painter.parameters())


def test_gradients_are_those_of_the_cpu() -> None:
    torch.manual_seed(0)
    generator = GlobalGenerator(6, width=8, downsamplings=2, blocks=1)
    x = torch.rand(1, 6, 64, 64)
    gradients = []
    # PyTorch lets convolutions round to 10 bits (TF32) on a GPU: that alone moved this gradient by .7 %.
    with torch.backends.cudnn.flags(allow_tf32=False):
        for device in ("cpu", "cuda"):
            generator = generator.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            generator.zero_grad()
            generator(x.to(device, memory_format=torch.channels_last)).square().mean().backward()
            gradients.append(torch.cat([parameter.grad.flatten().cpu() for parameter in generator.parameters()]))
    assert (gradients[0] - gradients[1]).norm() < 1e-3 * gradients[0].norm()


def test_pictures_survive_the_way_to_the_gpu_and_back() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    assert np.array_equal(to_images(to_tensor(images, torch.device("cuda"))), images)
