"""What a training shows of itself on the way."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everybody_dance.similarity import RADIUS, ssim_map


@dataclass(frozen=True)
class Preview:
    """Some moments that the training does not see, as far as it has come.

    Attributes:
        picture: uint8 (H, W, 3), what was asked for, what is painted and what is true side by side, a row for each.
        likeness: SSIM of what is painted and what is true, 1 for equal; None for pictures too small for it.
    """

    picture: NDArray[np.uint8]
    likeness: float | None

    @classmethod
    def of(cls, *columns: NDArray[np.uint8]) -> "Preview":
        """Pictures (B, H, W, 3) side by side, the last two painted and true."""
        sheet = np.concatenate(columns, 2)
        painted, true = columns[-2:]
        likeness = None
        if min(true.shape[1:3]) > 2 * RADIUS:
            likeness = float(np.mean([ssim_map(*pair).mean() for pair in zip(painted, true, strict=True)]))
        return cls(np.asarray(sheet.reshape(-1, *sheet.shape[2:]), np.uint8), likeness)
