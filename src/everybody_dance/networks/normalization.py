"""Instance normalization whose gradient can be trusted."""

from torch import Tensor, nn


class InstanceNorm(nn.GroupNorm):
    """Each channel of each picture to mean 0 and variance 1, without parameters.

    ``nn.InstanceNorm2d`` has a wrong gradient on the CPU for a batch of one whose gradient lies channels last (PyTorch
    2.13: it does not compare equal to the same layer in the usual layout). One group for each channel is the same
    normalization, right in every layout.

    Args:
        channels: of the input.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W), the same out."""
        # The CPU's kernel for channels last is several times slower than turning the tensor around.
        return super().forward(x.contiguous() if x.device.type == "cpu" else x)
