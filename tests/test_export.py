"""Networks for other programs and machines, and the runtimes that paint with them: ``export_cases.py`` has the tests.

They run in a process of their own: in one of pytest's that had loaded OpenVINO, a signal that another test sent to its
own process ended in a segmentation fault. (In the commands Ctrl-C is heard as ever.)
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from conftest import SHARED

CASES = Path(__file__).with_name("export_cases.py")


@pytest.mark.timeout(600)
def test_in_a_process_of_its_own(shared: Path) -> None:
    for package in ("onnx", "onnxruntime", "openvino", "nncf"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed (extra 'test')")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", str(CASES)]
    environment = os.environ | {SHARED: str(shared)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stdout + done.stderr
