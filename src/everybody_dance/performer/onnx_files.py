"""A performer's networks as ONNX, for other runtimes, programs and machines.

Pictures go in as they lie in memory, uint8 (H, W, 3), and everything that PyTorch computes from them is in the file.
"""

import copy
import io
import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from everybody_dance.machine import optional
from everybody_dance.networks.face_gan import Refiner
from everybody_dance.performer.engine import Network
from everybody_dance.performer.openvino_runtime import INPUTS, OUTPUTS
from everybody_dance.performer.painter import Painter

OPSET = 17
"""Read by ONNX Runtime from 1.12 and OpenVINO from 2022.3 on."""

REFINER_INPUTS, REFINER_OUTPUTS = ("pose", "picture", "reference"), ("refined",)


class _PixelNorm(nn.Module):
    """A normalization over the last axis in elementwise operations: runtimes fuse these with what lies around them."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x: Tensor) -> Tensor:
        # Over the second axis, so that the layers around it need not turn the tensor.
        x = x.permute(0, 3, 1, 2)
        centred = x - x.mean(1, keepdim=True)
        scale = torch.rsqrt((centred * centred).mean(1, keepdim=True) + self.eps)
        y = centred * scale * self.weight[:, None, None] + self.bias[:, None, None]
        return y.permute(0, 2, 3, 1)


class _ExportedPainter(nn.Module):
    """A painter with the inputs and outputs of ``Runtime.paint``; the mask of a whole picture is 1."""

    def __init__(self, painter: Painter) -> None:
        super().__init__()
        self.painter = painter

    def forward(
        self, pose: Tensor, plate: Tensor, shown: Tensor, previous: Tensor, has_previous: Tensor
    ) -> tuple[Tensor, Tensor]:
        pose, plate, shown, previous = (_floating(picture) for picture in (pose, plate, shown, previous))
        colours, logits = self.painter.paint(pose, plate, previous, shown, has_previous.float())
        mask = torch.ones_like(colours[:, :1]) if logits is None else logits.sigmoid()
        return _picture(colours), _picture(mask)


class _ExportedRefiner(nn.Module):
    """A refiner that takes uint8 pictures."""

    def __init__(self, refiner: Refiner) -> None:
        super().__init__()
        self.refiner = refiner

    def forward(self, *pictures: Tensor) -> Tensor:
        return _picture(self.refiner(*map(_floating, pictures)))


def painter_onnx(painter: Painter) -> bytes:
    """A painter as ONNX, for pictures of any size that its stride divides.

    Inputs are ``INPUTS``, less those that the painter makes no use of: four pictures, uint8 (H, W, 3), and whether the
    last is a frame, bool (). Outputs are ``OUTPUTS``: float32 (H, W, 3), meant for [-1, 1], and float32 (H, W, 1) in
    [0, 1].

    Raises:
        UsageError: the package onnx is not installed (``not-installed``).
    """
    network = _ExportedPainter(_on_cpu(painter))
    side = 2 * painter.stride
    pictures = [torch.zeros(side, 2 * side, 3, dtype=torch.uint8) for _ in INPUTS[:-1]]
    sizes = {name: {0: "height", 1: "width"} for name in (*INPUTS[:-1], *OUTPUTS)}
    return _onnx(network, [*pictures, torch.tensor(True)], INPUTS, OUTPUTS, sizes)


def refiner_onnx(refiner: Refiner, side: int) -> bytes:
    """A refiner as ONNX, for crops of one size.

    Inputs are the first two of ``REFINER_INPUTS``, or all three where it is shown a reference: uint8 (side, side, 3).
    The output, ``refined``, is float32 (side, side, 3) in [-1, 1].

    Raises:
        UsageError: the package onnx is not installed (``not-installed``).
    """
    inputs = REFINER_INPUTS[: 2 + refiner.references]
    crops = [torch.zeros(side, side, 3, dtype=torch.uint8) for _ in inputs]
    return _onnx(_ExportedRefiner(_on_cpu(refiner)), crops, inputs, REFINER_OUTPUTS, {})


def _onnx(
    network: nn.Module,
    example: Sequence[Tensor],
    inputs: Sequence[str],
    outputs: Sequence[str],
    sizes: Mapping[str, Mapping[int, str]],
) -> bytes:
    optional("onnx", "onnx")  # PyTorch's exporter needs it
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # Of what may not be traced there are only checks of sizes. The newer exporter needs one more package.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            tuple(example),
            file,  # type: ignore[arg-type]  # what is not dynamo takes it
            dynamo=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=sizes,
        )
    return file.getvalue()


def _on_cpu(network: Network) -> Network:
    """A copy on the CPU with pixels normalized in elementwise operations."""
    network = copy.deepcopy(network).cpu()
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.LayerNorm):
                setattr(module, name, _PixelNorm(child))
    return network


def _floating(picture: Tensor) -> Tensor:
    """uint8 (H, W, 3) to float32 (1, 3, H, W) in [-1, 1]."""
    return picture.permute(2, 0, 1)[None].float() / 127.5 - 1


def _picture(tensor: Tensor) -> Tensor:
    """(1, C, H, W) to (H, W, C)."""
    return tensor[0].permute(1, 2, 0)
