"""A trained person's networks for other programs and machines."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2

from everybody_dance import events
from everybody_dance.errors import UsageError
from everybody_dance.events import Cancellation, Listener, listening
from everybody_dance.files import check_outputs, names_folder, replacing
from everybody_dance.jsonio import dumps
from everybody_dance.machine import optional
from everybody_dance.performer.model_files import Model
from everybody_dance.performer.onnx_files import OPSET, REFINER_INPUTS, REFINER_OUTPUTS, painter_onnx, refiner_onnx
from everybody_dance.performer.openvino_runtime import INPUTS, OUTPUTS, OpenVinoRuntime, openvino, read_model
from everybody_dance.performer.own_dance import own_inputs
from everybody_dance.performer.performer import Performer
from everybody_dance.performer.runtimes import FRAMES, Trial, compare, int8_model
from everybody_dance.subject.folder import needed
from everybody_dance.version import VERSION

ONNX, OPENVINO = "onnx", "openvino"
FORMATS = (ONNX, OPENVINO)

MANIFEST, PLATE = "export.json", "plate.png"

LICENCE = (
    "These networks and the plate hold a person's likeness. They are personal data: use and pass them on only as that"
    " person agreed to, and say of what they paint that it was made by AI."
)
PICTURE = "uint8 (H, W, 3), RGB, rows from the top"


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """An export.

    Attributes:
        performer: folder of a trained subject, or a performer's model folder.
        out: the folder to write, new or empty.
        to: one of ``FORMATS``.
        int8: with OpenVINO: the painter computes in 8-bit integers, calibrated on the performer's own poses.
    """

    performer: Path
    out: Path
    to: str = ONNX
    int8: bool = False


@dataclass(frozen=True)
class ExportResult:
    """What was exported.

    Attributes:
        out: the folder.
        networks: their files' names, by ``painter``, ``face`` and ``hands``.
        trial: how the painter in 8-bit integers paints beside PyTorch; None where it computes in float.
    """

    out: Path
    networks: Mapping[str, str]
    trial: Trial | None


def export(
    request: ExportRequest, listener: Listener | None = None, cancellation: Cancellation | None = None
) -> ExportResult:
    """Write a trained person's networks for ONNX Runtime, OpenVINO and whatever else reads their formats.

    The folder holds the painter, the refiners, the empty place (``plate.png``), and ``export.json``, which says what
    goes into the networks and comes out of them.

    Args:
        request: what is exported, and how.
        listener: told progress and artifacts.
        cancellation: lets another thread stop it; then nothing is written.

    Raises:
        UsageError: a package is missing (``not-installed``), the format is not known (``unknown-format``), 8-bit
            integers are asked of ONNX (``int8-alone``), or ``out`` is no name for a new folder (``bad-name``,
            ``not-empty``, ``overwrites-input``).
        DanceError: there is no trained performer, or the folder cannot be written.
        Cancelled: it was stopped.
    """
    with listening(listener, cancellation):
        _check(request)
        performer = Model(request.performer).load("cpu")
        parts = list(performer.refiners)
        with replacing(request.out, folder=True) as folder, events.stage("Exporting") as stage:
            painter, trial = _painter(performer, request)
            networks = {"painter": _write(painter, folder, "painter", request.to)}
            inputs = _inputs(painter)
            stage(1, 1 + len(parts))
            for done, part in enumerate(parts, 2):
                refiner = refiner_onnx(performer.refiners[part], performer.manifest.refiners[part].side)
                networks[part] = _write(refiner, folder, part, request.to)
                stage(done, 1 + len(parts))
            (folder / PLATE).write_bytes(cv2.imencode(".png", performer.plate[..., ::-1])[1].tobytes())
            manifest = _manifest(performer, request, networks, inputs, trial)
            (folder / MANIFEST).write_text(dumps(manifest, indent=2) + "\n", encoding="utf-8")
        events.wrote("export", request.out)
        return ExportResult(request.out, networks, trial)


def _check(request: ExportRequest) -> None:
    if request.to not in FORMATS:
        raise UsageError("unknown-format", f"--to is one of {', '.join(FORMATS)}.")
    if request.int8 and request.to != OPENVINO:
        raise UsageError("int8-alone", "--int8 goes with --to openvino.")
    if not names_folder(request.out):
        raise UsageError("bad-name", f"{request.out} must be the name of a folder, without a suffix.")
    check_outputs([request.out], needed(request.performer))
    optional("onnx", request.to)
    if request.to == OPENVINO:
        openvino()
    if request.int8:
        optional("nncf", OPENVINO)


def _painter(performer: Performer, request: ExportRequest) -> tuple[Any, Trial | None]:
    """The painter, as ONNX or as OpenVINO reads it, and how it compares in 8-bit integers."""
    if not request.int8:
        return painter_onnx(performer.painter), None
    model = int8_model(performer)
    runtime = OpenVinoRuntime(model, performer.runtime.stride, performer.manifest.over_plate)
    inputs = own_inputs(performer, FRAMES, offset=0.5)
    height, width = inputs[0][0].shape[:2]
    runtime.expect((height, width))
    return model, compare(performer.runtime, runtime, inputs)


def _write(network: Any, folder: Path, name: str, to: str) -> str:
    """Write a network, ONNX or a model of OpenVINO's; its file's name."""
    if to == ONNX:
        (folder / f"{name}.onnx").write_bytes(network)
        return f"{name}.onnx"
    model = read_model(network) if isinstance(network, bytes) else network
    openvino().save_model(model, folder / f"{name}.xml", compress_to_fp16=False)
    return f"{name}.xml"


def _inputs(network: Any) -> list[str]:
    """Names of a network's inputs: of ONNX, or of a model of OpenVINO's."""
    if isinstance(network, bytes):
        return [each.name for each in optional("onnx", ONNX).load_model_from_string(network).graph.input]
    return [each.any_name for each in network.inputs]


def _manifest(
    performer: Performer,
    request: ExportRequest,
    networks: Mapping[str, str],
    inputs: Sequence[str],
    trial: Trial | None,
) -> dict[str, Any]:
    manifest = performer.manifest
    stride = performer.runtime.stride
    shown = "the plate with the puppet laid on it" if manifest.puppet else "the plate again: there is no puppet"
    painter = {
        "file": networks["painter"],
        "sides": f"multiples of {stride}, the same for all pictures",
        "stride": stride,
        "inputs": {
            name: f"{kind}: {what}"
            for name, (kind, what) in zip(
                INPUTS,
                (
                    (PICTURE, "the pose image"),
                    (PICTURE, "the part of plate.png that is painted"),
                    (PICTURE, shown),
                    (PICTURE, "the composited frame before; the plate where there is none"),
                    ("bool ()", "whether previous is a frame"),
                ),
                strict=True,
            )
            if name in inputs
        },
        "outputs": {
            OUTPUTS[0]: "float32 (H, W, 3), meant for [-1, 1]: value / 127.5 - 1",
            OUTPUTS[1]: "float32 (H, W, 1) in [0, 1]: the frame is mask * colours + (1 - mask) * plate",
        },
        "precision": "float32" if trial is None else "8-bit integers, the outermost convolutions in float32",
    }
    if trial is not None:
        painter["beside_pytorch"] = asdict(trial)
    refiners = {
        part: {
            "file": networks[part],
            "inputs": dict.fromkeys(
                REFINER_INPUTS[: 2 + performer.refiners[part].references], f"uint8 ({how.side}, {how.side}, 3), RGB"
            ),
            "outputs": {REFINER_OUTPUTS[0]: f"float32 ({how.side}, {how.side}, 3) in [-1, 1]"},
        }
        for part, how in manifest.refiners.items()
    }
    return {
        "made_with": VERSION,
        "licence": LICENCE,
        "format": f"ONNX, opset {OPSET}" if request.to == ONNX else "OpenVINO IR",
        "size": list(manifest.size),
        "fps": str(manifest.fps),
        "window": None if manifest.window is None else list(manifest.window),
        "plate": PLATE,
        "puppet": manifest.puppet,
        "over_plate": manifest.over_plate,
        "previous_frame": manifest.previous_frame,
        "networks": {"painter": painter, **refiners},
    }
