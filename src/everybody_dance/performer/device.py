"""Where networks run."""

import torch

from everybody_dance.errors import UsageError


def usable_device(name: str) -> torch.device:
    """The device called ``name``; ``auto`` is the GPU where there is one.

    Raises:
        UsageError: this machine has no such device (``no-device``).
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError("no-device", f"This machine has no device {name!r}. Use --device auto or cpu.") from error
    return device
