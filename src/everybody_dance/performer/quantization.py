"""A painter in 8-bit integers: OpenVINO's post-training quantization, calibrated on the performer's own poses."""

import contextlib
import io
import logging
from collections.abc import Sequence
from typing import Any

from everybody_dance.machine import optional
from everybody_dance.performer.openvino_runtime import INPUTS, openvino
from everybody_dance.performer.own_dance import Inputs

CALIBRATION = 10
"""Frames on which the ranges of the values are measured. With 30 the pictures are no nearer to those in float."""

FLOATING = ["Add", "Subtract", "Multiply", "Divide", "Power", "Sigmoid", "ReduceMean", "AvgPool", "Concat", "MVN"]
"""Operations that stay in floating point: around the convolutions integers save nothing and cost likeness."""


def quantized(model: Any, calibration: Sequence[Inputs]) -> Any:
    """An exported painter whose convolutions compute in 8-bit integers, all but the first and the last ones.

    Args:
        model: as OpenVINO read it.
        calibration: typical inputs.

    Raises:
        UsageError: openvino or nncf is not installed (``not-installed``).
    """
    openvino()
    nncf = optional("nncf", "openvino")
    nncf.set_log_level(logging.ERROR)
    frames = [dict(zip(INPUTS, inputs, strict=True)) for inputs in calibration]
    ignored = nncf.IgnoredScope(names=_outermost_convolutions(model), types=FLOATING, validate=False)
    with contextlib.redirect_stdout(io.StringIO()):  # a bar of its own
        return nncf.quantize(model, nncf.Dataset(frames), subset_size=len(frames), ignored_scope=ignored)


def _outermost_convolutions(model: Any) -> list[str]:
    """Names of the convolutions that no other one comes before, or none after."""
    operations = model.get_ordered_ops()
    convolutions = [one for one in operations if "Convolution" in one.get_type_name()]
    names = {one.get_friendly_name() for one in convolutions}
    after, before = set[str](), set[str]()  # names of operations that some convolution comes before, or after
    for one in operations:
        sources = {value.get_node().get_friendly_name() for value in one.input_values()}
        if sources & (names | after):
            after.add(one.get_friendly_name())
    for one in reversed(operations):
        targets = {port.get_node().get_friendly_name() for value in one.outputs() for port in value.get_target_inputs()}
        if targets & (names | before):
            before.add(one.get_friendly_name())
    return sorted(names - (after & before))
