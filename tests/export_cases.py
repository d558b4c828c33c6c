"""Exported networks paint what PyTorch paints, and a runtime is only used where it does."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.events import Finding
from everybody_dance.images import Image
from everybody_dance.networks.generators import Architecture
from everybody_dance.performer import runtimes
from everybody_dance.performer.engine import Engine, using
from everybody_dance.performer.model_files import load_performer
from everybody_dance.performer.onnx_files import painter_onnx, refiner_onnx
from everybody_dance.performer.openvino_runtime import INPUTS, OpenVinoRuntime, openvino
from everybody_dance.performer.options import AUTO, INT8, OPENVINO, TORCH
from everybody_dance.performer.own_dance import Inputs, own_inputs
from everybody_dance.performer.painter import Painter
from everybody_dance.performer.performer import Performer
from everybody_dance.performer.runtime import Colours, Runtime, TorchRuntime
from everybody_dance.performer.runtimes import LARGEST_LOSS, Trial, compare, use_runtime
from everybody_dance.performer.tensors import to_tensor
from everybody_dance.video.reader import VideoReader
from worlds import LittleWorld, dance

NEEDED = "the packages of the extra openvino, and onnxruntime, are not installed (pip install 'everybody-dance[test]')"
onnxruntime = pytest.importorskip("onnxruntime", reason=NEEDED)
if not all(map(find_spec, ("nncf", "onnx", "openvino"))):
    pytest.skip(NEEDED, allow_module_level=True)

FOLDER = Path(__file__).parent / "data" / "629d904" / "subject"
"""A small performer with everything: a puppet, a face and hands."""

CPU = torch.device("cpu")
TINY = {"width": 4, "shrink": 2, "levels": 2}
PAPER = {"width": 4, "downsamplings": 1, "blocks": 1}


@pytest.fixture
def performer() -> Performer:
    return load_performer(FOLDER, "cpu")


def pictures(height: int, width: int, has_previous: bool, puppet: bool = True) -> Inputs:
    pose, plate, shown, previous = np.random.default_rng(height).integers(0, 256, (4, height, width, 3), np.uint8)
    return pose, plate, shown if puppet else plate, previous if has_previous else plate, has_previous


def in_onnx(file: bytes, inputs: dict[str, Image]) -> list[Colours]:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(None, {each.name: inputs[each.name] for each in session.get_inputs()})


@pytest.mark.parametrize(
    ("architecture", "previous_frame", "over_plate", "puppet"),
    [
        ("fast", True, True, True),
        ("fast", True, True, False),
        ("fast", False, True, True),
        ("fast", True, False, False),
        ("pix2pixhd", True, False, False),
        ("pix2pixhd", False, False, False),
        ("pix2pixhd-local", True, False, False),
    ],
)
def test_every_painter_paints_the_same(
    architecture: Architecture, previous_frame: bool, over_plate: bool, puppet: bool
) -> None:
    torch.manual_seed(0)
    arguments = {"fast": TINY, "pix2pixhd": PAPER}.get(
        architecture, {"width": 2, "blocks": 1, "global_downsamplings": 1, "global_blocks": 1}
    )
    painter = Painter(
        architecture, previous_frame=previous_frame, over_plate=over_plate, puppet=puppet, arguments=arguments
    )
    with torch.no_grad():
        for parameter in painter.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    reference, file = TorchRuntime(painter.eval(), CPU), painter_onnx(painter)
    runtime = OpenVinoRuntime(file, painter.stride, over_plate, threads=1, float32=True)
    for height, width in ((32, 48), (48, 40)):
        painted = {}
        for has_previous in (True, False):
            frame = pictures(height, width, has_previous, puppet)
            with using(Engine(mixed_precision=False)):
                colours, mask = painted[has_previous] = reference.paint(*frame)
            whole = np.ones((height, width, 1), np.float32)
            # Whatever lies in a previous frame that there is not, does not count.
            junk = (*frame[:3], pictures(height, width, True)[3], has_previous)
            names = dict(zip(INPUTS, (*junk[:4], np.array(has_previous)), strict=True))
            for others in (in_onnx(file, names), runtime.paint(*junk)):
                assert np.allclose(others[0], colours, atol=1e-3)
                if mask is None:
                    assert others[1] is None or np.array_equal(others[1], whole)
                else:
                    assert np.allclose(others[1], mask, atol=1e-3)
        assert np.allclose(painted[True][0], painted[False][0], atol=1e-3) is not previous_frame


def test_refiners_refine_the_same(performer: Performer) -> None:
    torch.manual_seed(0)
    refiner, side = performer.refiners["face"], performer.manifest.refiners["face"].side
    torch.nn.init.normal_(refiner.generator.layers[-1].weight, 0, 0.1)
    images = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), np.uint8)
    inputs = dict(zip(("pose", "picture", "reference"), images, strict=True))
    (refined,) = in_onnx(refiner_onnx(refiner, side), inputs)
    with torch.no_grad():
        expected = refiner(*(to_tensor(image[None], CPU) for image in images))[0].permute(1, 2, 0).numpy()
    assert np.allclose(refined, expected, atol=1e-3)
    assert not np.allclose(expected, images[1] / 127.5 - 1, atol=0.1)


def test_an_export_is_used_without_pytorch(performer: Performer, tmp_path: Path) -> None:
    for to in ("onnx", "openvino"):
        done = dance("export", FOLDER, "--out", tmp_path / to, "--to", to, "--json")
        assert done.code == 0, done.stderr
        assert done.report["outputs"] == {"export": str(tmp_path / to)}
    manifest = json.loads((tmp_path / "onnx" / "export.json").read_text())
    assert manifest["size"] == [128, 128]
    assert manifest["puppet"]
    assert "likeness" in manifest["licence"]
    networks = manifest["networks"]
    files = {"export.json", "plate.png", *(network["file"] for network in networks.values())}
    assert {path.name for path in (tmp_path / "onnx").iterdir()} == files
    for network in networks.values():
        session = onnxruntime.InferenceSession(tmp_path / "onnx" / network["file"])
        assert [each.name for each in session.get_inputs()] == list(network["inputs"])
        assert [each.name for each in session.get_outputs()] == list(network["outputs"])
    frame = own_inputs(performer, 2)[1]
    with using(Engine(mixed_precision=False)):
        colours, mask = performer.runtime.paint(*frame)
    np.savez(tmp_path / "frame.npz", *frame[:4], colours=colours, mask=mask)
    program = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from everybody_dance.performer.openvino_runtime import OpenVinoRuntime\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "frame = np.load(folder / 'frame.npz')\n"
        "pictures = [frame[f'arr_{index}'] for index in range(4)]\n"
        f"runtime = OpenVinoRuntime(folder / 'openvino' / 'painter.xml', {performer.runtime.stride}, float32=True)\n"
        "colours, mask = runtime.paint(*pictures, True)\n"
        "assert np.allclose(colours, frame['colours'], atol=1e-3), 'colours'\n"
        "assert np.allclose(mask, frame['mask'], atol=1e-3), 'mask'\n"
        "assert sys.modules['openvino_telemetry'] is None, 'telemetry'\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_integers_but_for_the_outermost_convolutions(performer: Performer, tmp_path: Path) -> None:
    done = dance("export", FOLDER, "--out", tmp_path / "int8", "--to", "openvino", "--int8", "--json")
    assert done.code == 0, done.stderr
    assert done.stdout.count("\n") == 1, "NNCF prints into the report"
    manifest = json.loads((tmp_path / "int8" / "export.json").read_text())
    beside = manifest["networks"]["painter"]["beside_pytorch"]
    assert beside == done.report["metrics"]["beside_pytorch"]
    assert 0.9 < beside["ssim"] < 1
    model = openvino().Core().read_model(tmp_path / "int8" / "painter.xml")
    in_integers = {
        convolution.get_friendly_name()
        for convolution in model.get_ops()
        if convolution.get_type_name() == "Convolution"
        if convolution.input_value(0).get_node().get_type_name() == "FakeQuantize"
    }
    assert any("/encode.0/first/" in name for name in in_integers)
    assert not [name for name in in_integers if "/stem/" in name or "/head/" in name or "/previous/" in name]


@pytest.mark.parametrize(
    ("out", "more", "code"),
    [
        ("x", ["--int8"], "int8-alone"),
        ("x.onnx", [], "bad-name"),
        ("full", [], "not-empty"),
        ("subject/model/x", [], "overwrites-input"),
    ],
)
def test_what_cannot_be_exported_is_refused_at_once(out: str, more: list[str], code: str, tmp_path: Path) -> None:
    for folder in ("full", "subject/model"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "mine.txt").write_text("mine")
    done = dance("export", tmp_path / "subject", "--out", tmp_path / out, *more, "--json")
    assert (done.code, done.report["error"]["code"]) == (2, code)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"mine.txt"}


def test_without_the_extras(performer: Performer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(runtimes, "_version", lambda package: "")
    with pytest.raises(UsageError, match=r"'\.\[openvino\]'"):
        use_runtime(performer, OPENVINO)
    use_runtime(performer, AUTO)
    assert isinstance(performer.runtime, TorchRuntime)
    with pytest.raises(UsageError, match="one of auto, torch"):
        use_runtime(performer, "tpu")


@pytest.mark.parametrize(
    ("float_trial", "int8_trial", "expected"),
    [
        (Trial(1.2, 0.9999), Trial(1.7, 0.999), INT8),
        (Trial(1.2, 0.9999), Trial(1.7, 0.99), OPENVINO),
        (Trial(0.9, 0.9999), Trial(1.05, 0.9999), TORCH),
        (Trial(1.2, 0.9), Trial(1.7, 0.9), TORCH),
    ],
)
def test_the_fastest_that_paints_the_same(
    performer: Performer,
    monkeypatch: pytest.MonkeyPatch,
    findings: list[Finding],
    float_trial: Trial,
    int8_trial: Trial,
    expected: str,
) -> None:
    trials = iter([float_trial, int8_trial])
    monkeypatch.setattr(runtimes, "compare", lambda *arguments: next(trials))
    monkeypatch.setattr(runtimes, "int8_model", lambda performer: runtimes.read_model(painter_onnx(performer.painter)))
    use_runtime(performer, AUTO)
    assert isinstance(performer.runtime, TorchRuntime) is (expected == TORCH)
    assert [finding.values["runtime"] for finding in findings] == [expected]
    # What was found is remembered: there is no third trial.
    again = load_performer(FOLDER, "cpu")
    use_runtime(again, AUTO)
    assert [finding.values["runtime"] for finding in findings] == [expected, expected]


def test_a_runtime_that_paints_something_else_is_told(
    performer: Performer, monkeypatch: pytest.MonkeyPatch, findings: list[Finding]
) -> None:
    with torch.no_grad():
        other = load_performer(FOLDER, "cpu").painter
        other.generator.head.bias += 5
    monkeypatch.setattr(runtimes, "painter_onnx", lambda painter: painter_onnx(other))
    use_runtime(performer, OPENVINO)
    assert [finding.code for finding in findings] == ["runtime", "unlike-runtime"]


def test_integers_are_kept_and_damage_is_noticed(
    performer: Performer, monkeypatch: pytest.MonkeyPatch, own_cache: None, tmp_path: Path
) -> None:
    monkeypatch.setenv("EVERYBODY_DANCE_CACHE", str(tmp_path))
    made = []
    monkeypatch.setattr(
        runtimes, "int8_model", lambda who: made.append(who) or runtimes.read_model(painter_onnx(who.painter))
    )
    frame = own_inputs(performer, 2)[1]
    use_runtime(performer, INT8)
    expected = performer.runtime.paint(*frame)
    (kept,) = tmp_path.rglob("int8.zip")
    for times, damage in ((1, lambda data: data), (2, lambda data: data[:5000] + b"\0" * 99 + data[5099:])):
        kept.write_bytes(damage(kept.read_bytes()))
        again = load_performer(FOLDER, "cpu")
        use_runtime(again, INT8)
        assert np.allclose(again.runtime.paint(*frame)[0], expected[0], atol=0.02)
        assert len(made) == times


class Timed:
    """A runtime that takes so many seconds of a clock, and paints so much brighter."""

    def __init__(self, runtime: Runtime, clock: list[float], seconds: float, brighter: float = 0.0) -> None:
        self.stride = runtime.stride
        self.runtime, self.clock, self.seconds, self.brighter = runtime, clock, seconds, brighter

    def paint(self, *frame: Any) -> tuple[Colours, Colours | None]:
        colours, mask = self.runtime.paint(*frame)
        self.clock[0] += self.seconds
        return colours + np.float32(self.brighter), mask


def test_the_comparison_sees_time_and_likeness(performer: Performer, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, inputs = [0.0], own_inputs(performer, 6)
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    slow = Timed(performer.runtime, clock, seconds=3)
    trial = compare(slow, Timed(performer.runtime, clock, seconds=2), inputs)
    assert trial == Trial(pytest.approx(1.5), pytest.approx(1))
    assert compare(slow, Timed(performer.runtime, clock, 2, brighter=0.3), inputs).ssim < 1 - LARGEST_LOSS


def test_own_inputs(performer: Performer) -> None:
    inputs = own_inputs(performer, 4)
    assert [has_previous for *_, has_previous in inputs] == [False, True, False, True]
    assert not np.array_equal(inputs[0][0], inputs[2][0])
    assert not np.array_equal(inputs[1][1], inputs[1][3])
    assert isinstance(performer.runtime, TorchRuntime)
    performer.poses = replace(performer.poses, confidence=np.zeros_like(performer.poses.confidence))
    with pytest.raises(DanceError, match="no poses"):
        own_inputs(performer, 4)


def test_a_transfer_paints_with_it(little_world: LittleWorld, tmp_path: Path) -> None:
    shown = []
    for name in ("torch", "openvino"):
        out = tmp_path / f"{name}.mp4"
        pose = ("--pose", little_world.source_pose)
        done = dance(
            "transfer", little_world.subject, little_world.source, "--out", out, *pose, "--runtime", name, "--json"
        )
        assert done.code == 0, done.stderr
        codes = [finding["code"] for finding in done.report["findings"]]
        assert ("runtime" in codes) is (name == "openvino")
        with VideoReader(out) as reader:
            shown.append(np.stack(list(reader)).astype(int))
    assert np.abs(shown[0] - shown[1]).mean() < 3
