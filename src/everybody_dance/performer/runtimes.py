"""The choice of what paints: PyTorch, or OpenVINO where it is faster here and its pictures are the same."""

import hashlib
import json
import time
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from everybody_dance import events
from everybody_dance.errors import DanceError, UsageError
from everybody_dance.files import cache_folder, replacing, write_text
from everybody_dance.performer.onnx_files import painter_onnx
from everybody_dance.performer.openvino_runtime import OpenVinoRuntime, openvino, read_model
from everybody_dance.performer.options import AUTO, INT8, OPENVINO, RUNTIMES, TORCH
from everybody_dance.performer.own_dance import Inputs, own_inputs
from everybody_dance.performer.performer import Performer, composite
from everybody_dance.performer.quantization import CALIBRATION, quantized
from everybody_dance.performer.runtime import Runtime, TorchRuntime
from everybody_dance.similarity import RADIUS, ssim_map
from everybody_dance.version import VERSION

FRAMES = 6
"""Frames on which a runtime is tried; the first does not count, since networks are compiled for it."""

LARGEST_LOSS = 0.005
"""Of SSIM: how far a runtime's pictures may be from PyTorch's."""

FASTER = 1.1
"""What is less than a tenth faster is not worth another runtime, nor told from chance."""

PACKAGES = ("openvino", "nncf", "onnx", "torch")


@dataclass(frozen=True)
class Trial:
    """How a runtime paints beside PyTorch.

    Attributes:
        speedup: PyTorch's time for a frame over the runtime's; the median of frames painted by turns.
        ssim: of the runtime's pictures and PyTorch's, where the person is; 1 is equal.
    """

    speedup: float
    ssim: float

    @property
    def like(self) -> bool:
        """Whether its pictures can stand for PyTorch's."""
        return self.ssim >= 1 - LARGEST_LOSS


def use_runtime(performer: Performer, name: str) -> None:
    """Let ``performer`` paint with the runtime called so, which the user is told.

    A runtime other than PyTorch is first tried on a few of the performer's own poses, beside PyTorch. The result is
    remembered for this performer on this machine.

    Args:
        performer: as it was loaded.
        name: one of ``RUNTIMES``. ``auto`` is the fastest whose pictures differ from PyTorch's by no more than
            ``LARGEST_LOSS`` of SSIM; it is PyTorch where nothing else can be tried: on a GPU, without the extra
            ``openvino``, and for a performer without poses.

    Raises:
        UsageError: there is no such runtime (``unknown-runtime``), or it is not installed (``not-installed``).
        DanceError: the performer has no poses to try it on (``no-poses``).
    """
    if name not in RUNTIMES:
        raise UsageError("unknown-runtime", f"--runtime is one of {', '.join(RUNTIMES)}.")
    if name == TORCH:
        return
    if name == AUTO and not (performer.device.type == "cpu" and _installed() and performer.poses.person_seen.sum() > 1):
        return
    with events.stage("Comparing runtimes") as stage:
        others = _Others(performer)
        names = [OPENVINO, INT8] if name == AUTO else [name]
        trials = {}
        for index, each in enumerate(names):
            trials[each] = others.trial(each)
            stage(index + 1, len(names))
        if name == AUTO:
            worth = {each: trial.speedup for each, trial in trials.items() if trial.like and trial.speedup > FASTER}
            name = max(worth, key=lambda each: worth[each], default=TORCH)
        if name == TORCH:
            events.remark("runtime", "PyTorch paints: nothing else is faster here.", runtime=name)
            return
        performer.runtime = others.runtime(name)
    trial = trials[name]
    events.remark(
        "runtime",
        f"OpenVINO paints{' in 8-bit integers' if name == INT8 else ''}, {trial.speedup:.1f} times as fast as PyTorch"
        f" here. SSIM of its pictures and PyTorch's is {trial.ssim:.4f}.",
        runtime=name,
        **asdict(trial),
    )
    if not trial.like:
        events.warn(
            "unlike-runtime",
            "Its pictures are not quite PyTorch's, which --runtime torch makes.",
            ssim=trial.ssim,
        )


def compare(reference: Runtime, runtime: Runtime, inputs: Sequence[Inputs]) -> Trial:
    """Paint the same frames with both by turns.

    Args:
        reference: PyTorch's.
        runtime: the other one.
        inputs: at least two frames; the time of the first does not count.
    """
    ratios, likeness = [], []
    for frame in inputs:
        began = time.perf_counter()
        colours, mask = reference.paint(*frame)
        between = time.perf_counter()
        others_colours, others_mask = runtime.paint(*frame)
        ratios.append((between - began) / (time.perf_counter() - between))
        similarity = ssim_map(composite(frame[1], others_colours, others_mask), composite(frame[1], colours, mask))
        if mask is not None:
            person = mask[RADIUS:-RADIUS, RADIUS:-RADIUS, 0] > 0.5
            similarity = similarity[person] if person.any() else similarity
        likeness.append(float(similarity.mean()))
    return Trial(median(ratios[1:]), float(np.mean(likeness)))


def int8_model(performer: Performer) -> Any:
    """The performer's painter in 8-bit integers, as OpenVINO reads it.

    Raises:
        UsageError: the extra ``openvino`` is not installed (``not-installed``).
        DanceError: the performer has no poses to calibrate it on (``no-poses``).
    """
    return quantized(read_model(painter_onnx(performer.painter)), own_inputs(performer, CALIBRATION))


class _Others:
    """A performer's runtimes other than PyTorch, and what was kept of them in the cache folder."""

    def __init__(self, performer: Performer) -> None:
        self.performer = performer
        self._reference = TorchRuntime(performer.painter, performer.device)
        core = openvino().Core()
        self._runtimes: dict[str, OpenVinoRuntime] = {}
        self._threads = torch.get_num_threads()
        made = [performer.manifest.model_dump_json(), VERSION, *(_version(package) for package in PACKAGES)]
        self._folder = cache_folder() / "runtimes" / _hash(*made)
        machine = _hash(core.get_property("CPU", "FULL_DEVICE_NAME"), str(self._threads))
        self._trials = self._folder / f"{machine}.json"
        # A performer that was never saved has no hashes by which it could be known again.
        self._kept = bool(performer.manifest.hashes)

    @cached_property
    def _inputs(self) -> list[Inputs]:
        # Between the moments on which the integers are calibrated.
        return own_inputs(self.performer, FRAMES, offset=0.5)

    def runtime(self, name: str) -> OpenVinoRuntime:
        if name not in self._runtimes:
            model = self._int8() if name == INT8 else painter_onnx(self.performer.painter)
            over_plate = self.performer.manifest.over_plate
            self._runtimes[name] = OpenVinoRuntime(model, self._reference.stride, over_plate, self._threads)
        return self._runtimes[name]

    def trial(self, name: str) -> Trial:
        trials = self._kept_trials()
        if name not in trials:
            runtime = self.runtime(name)
            height, width = self._inputs[0][0].shape[:2]
            runtime.expect((height, width))
            trials[name] = compare(self._reference, runtime, self._inputs)
            if self._kept:
                with suppress(OSError, DanceError):
                    write_text(self._trials, json.dumps({each: asdict(trial) for each, trial in trials.items()}))
        return trials[name]

    def _kept_trials(self) -> dict[str, Trial]:
        with suppress(OSError, ValueError, TypeError, AttributeError):
            kept = json.loads(self._trials.read_bytes())
            return {name: Trial(**values) for name, values in kept.items()}
        return {}

    def _int8(self) -> Any:
        path = self._folder / "int8.zip"
        with suppress(OSError, KeyError, RuntimeError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
            # Reading checks each file's checksum.
            return openvino().Core().read_model(*map(archive.read, _STORED))
        model = int8_model(self.performer)
        if self._kept:
            with suppress(OSError, DanceError), replacing(path) as temporary, TemporaryDirectory() as made:
                openvino().save_model(model, Path(made) / _STORED[0], compress_to_fp16=False)
                with zipfile.ZipFile(temporary, "w") as archive:
                    for name in _STORED:
                        archive.write(Path(made) / name, name)
        return model


_STORED = ("painter.xml", "painter.bin")


def _installed() -> bool:
    return all(_version(package) for package in PACKAGES)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:32]
