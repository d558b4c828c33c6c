"""A short run of scripts/fuzz_inputs.py: whatever is wrong with a file, it is used or refused in a plain sentence."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from everybody_dance.pose import detection

SCRIPT = Path(__file__).parents[1] / "scripts" / "fuzz_inputs.py"
EACH = 20


@pytest.fixture(scope="module")
def fuzzer() -> Iterator[ModuleType]:
    """The script; its stand-in for the detector and its one thread end with these tests."""
    spec = importlib.util.spec_from_file_location("fuzz_inputs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detection, "DetectorPool", detection.DetectorPool)
        yield module
    torch.set_num_threads(threads)
    del sys.modules[spec.name]


@pytest.mark.slow
def test_damaged_files_of_each_kind(fuzzer: ModuleType, tmp_path: Path) -> None:
    material = fuzzer.make_material(tmp_path / "material")
    said: list[str] = []
    for kind in fuzzer.CASES:
        fuzzer.fuzz(material, kind, EACH, seed=0, say=said.append)
    assert not said


def test_what_a_fault_is(fuzzer: ModuleType, tmp_path: Path) -> None:
    def fault(code: int | None, stdout: str, stderr: str = "") -> str | None:
        reason: str | None = fuzzer.Outcome(code, stdout, stderr, 0.0).fault
        return reason

    refused = '{"error": {"code": "bad-poses", "message": "A plain sentence."}}'
    assert fault(0, "{}") is fault(1, refused) is fault(2, refused) is None
    assert fault(None, "") == "it did not end"
    assert fault(-11, "") == "it ended with -11"
    assert fault(1, refused, "Traceback (most recent call last)") == "a traceback"
    assert fault(1, "") == "no report"
    assert "unexpected" in str(fault(1, refused.replace("bad-poses", "unexpected")))
    assert "sentence" in str(fault(1, refused.replace("plain", "plain\\n")))
