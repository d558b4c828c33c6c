"""Exported painters in OpenVINO. Nothing here needs PyTorch."""

import io
import sys
from collections import Counter
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from everybody_dance.images import Image
from everybody_dance.machine import optional, usable_cores

if TYPE_CHECKING:
    from everybody_dance.performer.runtime import Colours

INPUTS, OUTPUTS = ("pose", "plate", "shown", "previous", "has_previous"), ("colours", "mask")
"""Of an exported painter, as in ``Runtime.paint``; without inputs that it makes no use of."""

SIZES = 16
"""How many sizes of pictures stay compiled."""

PATIENCE = 16
"""After so many pictures of a size the network is compiled for it: the time that this takes is then won again."""


class OpenVinoRuntime:
    """A painter in OpenVINO on the CPU; a ``Runtime``.

    A network that is compiled for one size of picture takes three quarters of the time of one for all sizes, but to
    compile it takes half a second. So a size has to come up ``PATIENCE`` times first, or be announced by ``expect``.

    Args:
        model: an exported painter: a file, ONNX or OpenVINO's (.xml, with the weights in .bin beside it), the bytes of
            an ONNX file, or a model that OpenVINO has read.
        stride: as in ``Runtime``.
        over_plate: whether the painter makes a mask; otherwise the colours are the whole picture.
        threads: to compute with; by default the cores that this process may use.
        float32: compute in it throughout; otherwise in bfloat16 where the processor does so natively, as PyTorch does.

    Raises:
        UsageError: the package openvino is not installed (``not-installed``).
    """

    def __init__(
        self,
        model: Path | bytes | Any,
        stride: int,
        over_plate: bool = True,
        threads: int | None = None,
        float32: bool = False,
    ) -> None:
        self.stride = stride
        self._model = read_model(model) if isinstance(model, Path | bytes) else model
        self._over_plate = over_plate
        self._options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": usable_cores() if threads is None else threads,
            **({"INFERENCE_PRECISION_HINT": "f32"} if float32 else {}),
        }
        self._painting = Lock()  # a compiled network paints one frame at a time
        self._inputs = {each.any_name for each in self._model.inputs}
        self._painted = Counter[tuple[int, int]]()
        self._compiled = lru_cache(SIZES)(self._compile)

    def paint(
        self, pose: Image, plate: Image, shown: Image, previous: Image, has_previous: bool
    ) -> "tuple[Colours, Colours | None]":
        """As ``Runtime.paint``."""
        pictures = [np.ascontiguousarray(picture) for picture in (pose, plate, shown, previous)]
        inputs = dict(zip(INPUTS, [*pictures, np.array(has_previous)], strict=True))
        inputs = {name: value for name, value in inputs.items() if name in self._inputs}
        size = pose.shape[0], pose.shape[1]
        with self._painting:
            self._painted[size] += 1
            network = self._compiled(size if self._painted[size] > PATIENCE else None)
            colours, mask = network.infer(inputs, share_inputs=True).values()
        return colours, mask if self._over_plate else None

    def expect(self, size: tuple[int, int]) -> None:
        """Compile for pictures of this size, (H, W), now."""
        self._painted[size] = PATIENCE
        self._compiled(size)

    def _compile(self, size: tuple[int, int] | None) -> Any:
        """The network for pictures of one size; None: of any."""
        model = self._model.clone()
        if size is not None:
            model.reshape({name: [*size, 3] for name in INPUTS[:-1] if name in self._inputs})
        return openvino().Core().compile_model(model, "CPU", self._options).create_infer_request()


def openvino() -> Any:
    """The package openvino, without its telemetry: this program tells nobody what it does.

    Raises:
        UsageError: it is not installed (``not-installed``).
    """
    # OpenVINO and NNCF would send events as soon as they are imported; both do without the package that sends them.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return optional("openvino", "openvino")


def read_model(model: Path | bytes) -> Any:
    """An exported network, read by OpenVINO: a file, or the bytes of an ONNX file."""
    return openvino().Core().read_model(model if isinstance(model, Path) else io.BytesIO(model))
