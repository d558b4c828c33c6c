"""The slim generator of the ``fast`` preset: a U-Net that paints a person over a clean plate."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.1
"""Of the leaky rectifier below zero."""


def _activate(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, SLOPE)


class ResidualBlock(nn.Module):
    """x + f(x), f a normalization and two 3x3 convolutions; starts as the identity.

    The normalization is over the channels of each pixel. One over the picture would make a pixel depend on everything
    else in the window, which shows as flicker; with none, a large learning rate sends the loss off now and then.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        normalized = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        change: Tensor = self.second(_activate(self.first(_activate(normalized))))
        return x + change


class FastGenerator(nn.Module):
    """Pose image, plate and, if wanted, the previous frame to a picture of the person and a soft mask.

    The picture is folded by ``shrink`` at the entry (space to depth) and unfolded at the exit, so that a window of
    512 pixels costs what a U-Net of 256 does and still comes out at full resolution. The previous frame enters at an
    eighth of the resolution only: it should say where things were, not how they were drawn.

    Args:
        width: channels of the first level; they double with each of the first three halvings.
        shrink: folding factor at the entry, 1 or more.
        levels: halvings inside. Sides of the input must be multiples of ``shrink * 2 ** levels``.
        previous_frame: whether the generator is given the frame before.
        puppet: whether there is a puppet in what it is shown. It then also paints a mask by which that is kept.
    """

    def __init__(
        self, width: int = 24, shrink: int = 2, levels: int = 4, previous_frame: bool = True, puppet: bool = False
    ) -> None:
        super().__init__()
        self.stride = shrink * 2**levels
        self.previous_shrink = 4 * shrink
        channels = [width * 2 ** min(level, 3) for level in range(levels + 1)]
        self.fold = nn.PixelUnshuffle(shrink)
        self.unfold = nn.PixelShuffle(shrink)
        self.stem = nn.Conv2d(6 * shrink**2, width, 3, padding=1)
        self.down = nn.ModuleList(
            nn.Conv2d(fine, coarse, 4, stride=2, padding=1) for fine, coarse in pairwise(channels)
        )
        self.encode = nn.ModuleList(ResidualBlock(count) for count in channels[1:])
        self.previous = nn.Conv2d(4, channels[2], 3, padding=1) if previous_frame else None
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairwise(channels))
        self.decode = nn.ModuleList(ResidualBlock(count) for count in channels[:-1])
        self.puppet = puppet
        self.head = nn.Conv2d(width, (5 if puppet else 4) * shrink**2, 3, padding=1)
        self._initialize()

    def _initialize(self) -> None:
        """Without normalization layers the signal's size is the initialization's to keep."""
        # It begins with nothing painted and a mask half open.
        nn.init.normal_(self.head.weight, 0.0, 0.01)
        for name, layer in self.named_modules():
            if not isinstance(layer, nn.Conv2d):
                continue
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
            if name.startswith("up."):
                # Two signals are added after this: each brings half of the variance.
                nn.init.normal_(layer.weight, 0.0, (2 * layer.in_channels) ** -0.5)
            elif not name.endswith(("second", "head")):
                nn.init.kaiming_normal_(layer.weight, a=SLOPE)

    def paint(
        self,
        pose: Tensor,
        plate: Tensor,
        previous: Tensor | None,
        shown: Tensor | None,
        present: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """As ``networks.generators.Generator.paint``."""
        colours, logits = self(pose, plate, previous, shown, present)
        return colours, logits

    def forward(
        self,
        pose: Tensor,
        plate: Tensor,
        previous: Tensor | None,
        shown: Tensor | None = None,
        present: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """
        Args:
            pose: (B, 3, H, W) in [-1, 1].
            plate: (B, 3, H, W) in [-1, 1].
            previous: (B, 3, H, W) in [-1, 1], or None at the start of a video, after a cut, and for a generator
                that takes no previous frame.
            shown: another picture of the place to look at; ``plate`` is then only what the previous frame is compared
                with.
            present: as in ``networks.generators.Generator.paint``.

        Returns:
            The person's colours (B, 3, H, W), meant for [-1, 1] but not bounded, so that no colour can get stuck at
            an end, and the logits of the mask (B, 1, H, W).
        """
        height, width = pose.shape[-2:]
        if height % self.stride or width % self.stride:
            raise ValueError(f"sides must be multiples of {self.stride}, not {width} x {height}")
        x = self.stem(torch.cat([self.fold(pose), self.fold(plate if shown is None else shown)], 1))
        skips = []
        for level, (down, encode) in enumerate(zip(self.down, self.encode, strict=True)):
            skips.append(x)
            x = down(_activate(x))
            if level == 1 and self.previous is not None:
                x = x + self.previous(self._seen_before(plate, previous, present))
            x = encode(x)
        for up, decode, skip in reversed(list(zip(self.up, self.decode, skips, strict=True))):
            x = decode(functional.interpolate(up(x), scale_factor=2, mode="nearest") + skip)
        painted = self.unfold(self.head(_activate(x))).float()
        colours = painted[:, :3]
        if self.puppet:
            colours = torch.lerp(colours, plate if shown is None else shown, painted[:, 4:].sigmoid())
        return colours, painted[:, 3:4]

    def _seen_before(self, plate: Tensor, previous: Tensor | None, present: Tensor | None) -> Tensor:
        """(B, 4, h, w): how the previous frame differs from the plate, coarsely, and whether there is one."""
        if previous is None:
            previous, flag = plate, plate.new_zeros(())
        else:
            flag = plate.new_ones(())
        difference = functional.avg_pool2d(previous - plate, self.previous_shrink)
        seen = torch.cat([difference, flag.expand_as(difference[:, :1])], 1)
        return seen if present is None else present * seen
