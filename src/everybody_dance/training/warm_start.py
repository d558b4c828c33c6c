"""What the preset ``fast`` already knows before it meets a person: weights that we trained on rendered dancers.

With a puppet to mend and a reference to keep, a generator hardly needs to know the person: what it has learnt on people
who were rendered carries over to people who were filmed. ``scripts/pretrain.py`` makes the weights.
"""

from pathlib import Path
from typing import Literal

import safetensors.torch
from torch import nn

PRETRAINED = Path(__file__).with_name("pretrained")


def begin_warm(network: nn.Module, preset: str, what: Literal["generator", "refiner"]) -> None:
    """Give ``network`` the pretrained weights, of ``{preset}.{what}.safetensors``.

    A generator that takes no previous frame has no layer for it, and takes over all the others.

    Raises:
        ValueError: the network has other layers than the one that was trained.
    """
    stored = safetensors.torch.load_file(PRETRAINED / f"{preset}.{what}.safetensors")
    own = network.state_dict()
    if not own.keys() <= stored.keys() or any(stored[name].shape != value.shape for name, value in own.items()):
        raise ValueError(f"the pretrained {what} of {preset} has other layers")
    network.load_state_dict({name: stored[name].to(value.dtype) for name, value in own.items()})
