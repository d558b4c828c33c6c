"""The house: who may import whom, and what a machine without video and pose libraries can still load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "everybody_dance"

# What a machine that only trains and paints needs; it may have neither PyAV nor MediaPipe.
WITHOUT_VIDEO = [
    "appearance",
    "drawing",
    "evaluation",
    "losses",
    "networks",
    "performer",
    "retarget",
    "subject",
    "training",
    "synthesis.clip",
]
# These read videos and find poses: that is what they are for.
EXCEPT = {
    f"everybody_dance.subject.prepare.{name}" for name in ("prepare", "request", "decode", "find_place", "complete")
}


def _modules(name: str) -> list[str]:
    """The module ``everybody_dance.name``, or all modules of the package of that name."""
    place = PACKAGE.joinpath(*name.split("."))
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    names = (".".join(["everybody_dance", *file.relative_to(PACKAGE).with_suffix("").parts]) for file in files)
    return [module.removesuffix(".__init__") for module in names if module not in EXCEPT]


def _python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)


def test_training_and_painting_load_neither_pyav_nor_mediapipe() -> None:
    modules = [module for name in WITHOUT_VIDEO for module in _modules(name)]
    assert "everybody_dance.training.loop" in modules
    # None in sys.modules makes an import fail, so the culprit shows in the traceback.
    program = (
        "import importlib, sys\n"
        "sys.modules['av'] = sys.modules['mediapipe'] = None\n"
        f"for name in {modules}: importlib.import_module(name)\n"
    )
    result = _python(program)
    assert result.returncode == 0, result.stderr


def test_the_command_line_answers_without_loading_pytorch() -> None:
    program = (
        "import sys\n"
        "import everybody_dance.commands.main\n"
        "heavy = {'torch', 'mediapipe', 'av', 'fastapi', 'uvicorn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result = _python(program)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    "file", sorted(PACKAGE.rglob("*/__init__.py")), ids=lambda file: str(file.parent.relative_to(PACKAGE))
)
def test_packages_hold_only_their_docstring(file: Path) -> None:
    body = ast.parse(file.read_text()).body
    assert [type(node) for node in body] == [ast.Expr]
    assert ast.get_docstring(ast.Module(body, []))


def test_imports_point_down_the_house() -> None:
    program = (
        "import sys\n"
        "from importlinter.cli import lint_imports\n"
        f"sys.exit(lint_imports(config_filename={str(PACKAGE.parents[1] / 'pyproject.toml')!r}, no_cache=True))\n"
    )
    result = _python(program)
    assert result.returncode == 0, result.stdout + result.stderr
