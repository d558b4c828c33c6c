"""The public API: the examples of docs/api.md run, and importing it is light."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import everybody_dance
from everybody_dance.training import config
from everybody_dance.workflows import prepare, train, transfer
from worlds import LittleWorld

pytestmark = pytest.mark.usefixtures("detected_once")

PAGE = Path(__file__).parents[1] / "docs" / "api.md"


def test_the_examples_run(little_world: LittleWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, as one program, with the stick people's poses and the smallest preset."""
    for request, name, pose in (
        (prepare.PrepareRequest, "pose", little_world.target_pose),
        (transfer.TransferConfig, "pose", little_world.source_pose),
        (config.TrainConfig, "preset", "debug"),
    ):
        monkeypatch.setattr(request.__init__, "__kwdefaults__", {**request.__init__.__kwdefaults__, name: pose})
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    if not all(map(find_spec, ("onnx", "onnxruntime"))):
        examples = [example for example in examples if "onnx" not in example]
    program = "\n".join(examples)
    # Steps in place of minutes, and more of them where it goes on.
    program = program.replace("minutes=20", "steps=4").replace("minutes=30", "steps=400")
    names = {"target": little_world.target, "source": little_world.source, "folder": tmp_path}
    exec(compile(program, str(PAGE), "exec"), names)
    assert (tmp_path / "out.mp4").is_file()
    assert (tmp_path / "frame.png").is_file() is ("onnxruntime" in program)
    assert train.TrainRequest.__name__ in everybody_dance.__all__


def test_every_name_is_there_and_sorted() -> None:
    assert everybody_dance.__all__ == sorted(everybody_dance.__all__)
    for name in everybody_dance.__all__:
        assert getattr(everybody_dance, name) is not None
    with pytest.raises(AttributeError):
        everybody_dance.nonsense  # noqa: B018


def test_importing_it_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "import everybody_dance as dance\n"
        "dance.TrainConfig(minutes=3), dance.TransferConfig(), dance.DanceError, dance.Cancellation\n"
        "heavy = {'torch', 'numpy', 'cv2', 'scipy', 'mediapipe', 'av', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
