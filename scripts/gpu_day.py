"""Everything that is measured when a GPU is at hand for a few minutes: one command, bounded in time.

    python scripts/gpu_day.py SUBJECT --out DIR

SUBJECT is a prepared subject, made elsewhere (`dance prepare`; half a minute of 1024 x 512 is 65 MB).
Neither PyAV nor MediaPipe is needed, nor is the package installed: Python with PyTorch, NumPy, OpenCV, SciPy, pydantic,
safetensors and filelock will do, and pytest with hypothesis for the first part.

Each part runs in a process of its own with a time limit, and its figures are written to DIR/gpu_day.json as soon as it
ends, so whatever stops the day keeps what was measured. Without a GPU everything runs on the CPU, for trying it out;
`--patience 10` gives it the time.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

NEEDED = ("torch", "numpy", "cv2", "scipy", "pydantic", "safetensors", "filelock")

# Part: seconds it may take with a GPU, of a day of ten minutes. Training parts add their own minutes.
LIMITS = {
    "tests": 90,
    "engine paper-512": 45,
    "engine fast": 30,
    "generators": 45,
    "train fast": 40,
    "train paper-512": 50,
}
SHOWN = 8
"""Frames on a contact sheet."""


def tests(arguments: argparse.Namespace) -> dict[str, Any]:
    """`pytest -m gpu`."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", str(ROOT / "tests")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])}
    files = [str(path) for path in (ROOT / "tests").glob("test_gpu*.py")]
    done = subprocess.run(
        [*command[:-1], *files], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    lines = done.stdout.strip().splitlines()
    failed = [line for line in lines if line.startswith(("FAILED", "E  "))]
    return {"exit": done.returncode, "said": "; ".join([*failed, *lines[-1:]]) if lines else done.stderr.strip()[-500:]}


def engine(preset: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Training pairs a second with our engine against plain PyTorch."""
    from everybody_dance.evaluation.speed import training_speed
    from everybody_dance.performer.device import usable_device
    from everybody_dance.subject.subject import Subject
    from everybody_dance.training.presets import PRESETS

    subject, device = Subject.open(arguments.subject), usable_device("auto")
    speeds = training_speed(subject, PRESETS[preset], device, arguments.steps)
    slowest = speeds[0].pairs_per_second
    return {
        speed.name: {
            "pairs_per_second": round(speed.pairs_per_second, 3),
            "ratio": round(speed.pairs_per_second / slowest, 3),
            "waiting": round(speed.waiting, 3),
        }
        for speed in speeds
    }


def generators(arguments: argparse.Namespace) -> dict[str, Any]:
    """Frames a second of the generators at 512 x 256, one frame at a time: eager, and with CUDA graphs."""
    import torch

    from everybody_dance.performer.device import usable_device
    from everybody_dance.performer.engine import place
    from everybody_dance.performer.painter import Painter
    from everybody_dance.training.presets import PRESETS

    device = usable_device("auto")
    found = {}
    for name in ("fast", "paper-512"):
        preset = PRESETS[name]
        painter = Painter(
            preset.architecture,
            previous_frame=True,
            over_plate=preset.person_window,
            puppet=preset.puppet > 0,
            arguments=preset.arguments,
        )
        place(painter, device).eval().requires_grad_(False)
        images = [torch.rand(1, 3, 256, 512, device=device) for _ in range(4)]
        found[name] = {"eager": _rate(lambda painter=painter, images=images: _paint(painter, images), arguments)}
        if device.type == "cuda":
            found[name]["cuda graph"] = _rate(_graphed(painter, images), arguments)
    return found


def _paint(painter: Any, images: list[Any]) -> Any:
    import torch

    from everybody_dance.performer.engine import mixed_precision

    with torch.no_grad(), mixed_precision(images[0].device):
        return painter(*images).frame


def _graphed(painter: Any, images: list[Any]) -> Callable[[], None]:
    """Painting, captured once and replayed."""
    import torch

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            _paint(painter, images)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        _paint(painter, images)
    return graph.replay


def _rate(paint: Callable[[], Any], arguments: argparse.Namespace) -> float:
    """Frames a second, after a warm-up."""
    import torch

    def finished() -> float:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter()

    for _ in range(min(arguments.frames, 5)):
        paint()
    began = finished()
    for _ in range(arguments.frames):
        paint()
    return round(arguments.frames / (finished() - began), 2)


def train(preset: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """A few minutes of training, measured on held-out frames, with a contact sheet."""
    from everybody_dance.evaluation.held_out import evaluate_held_out
    from everybody_dance.subject.subject import Subject
    from everybody_dance.training.config import TrainConfig
    from everybody_dance.training.loop import train as train_performer

    subject = Subject.open(arguments.subject)
    config = TrainConfig(preset=preset, minutes=arguments.minutes)
    began = time.perf_counter()
    performer = train_performer(subject, config, folder=arguments.out / "trained" / preset)
    seconds = time.perf_counter() - began
    scores = evaluate_held_out(subject, performer, limit=arguments.held_out)
    _contact_sheet(subject, performer, arguments.out / f"{preset}.jpg")
    return {
        "minutes": arguments.minutes,
        "seconds": round(seconds, 1),
        "steps": performer.manifest.steps,
        "held out": {
            name: {region: {metric: round(value, 4) for metric, value in of.items()} for region, of in regions.items()}
            for name, regions in scores.items()
        },
    }


def _contact_sheet(subject: Any, performer: Any, path: Path) -> None:
    """Pose, painted and true, of held-out frames danced one after the other."""
    import cv2
    import numpy as np

    from everybody_dance.evaluation.held_out import HeldOutDance
    from everybody_dance.images import Box, resized
    from everybody_dance.synthesis.clip import dance_clip

    size = performer.manifest.size
    dance = HeldOutDance.of(subject, 60)
    chosen = set(np.linspace(0, len(dance.frames) - 1, SHOWN).astype(int).tolist())
    columns = []
    for index, picture in enumerate(dance_clip(performer, dance.keypoints.scaled_to(size), dance.cuts)):
        if index in chosen:
            pose = np.zeros_like(picture.frame)
            if picture.drawn is not None:
                pose = picture.drawn.cut(Box(0, 0, *size))
            truth = resized(subject.frame(int(dance.frames[index])), size)
            columns.append(np.concatenate([pose, picture.frame, truth], 0))
    sheet = np.concatenate(columns, 1)
    height = 3 * 300
    sheet = cv2.resize(sheet, (round(sheet.shape[1] * height / sheet.shape[0]), height), interpolation=cv2.INTER_AREA)
    path.write_bytes(cv2.imencode(".jpg", sheet[..., ::-1])[1].tobytes())


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "tests": tests,
    "engine paper-512": lambda arguments: engine("paper-512", arguments),
    "engine fast": lambda arguments: engine("fast", arguments),
    "generators": generators,
    "train fast": lambda arguments: train("fast", arguments),
    "train paper-512": lambda arguments: train("paper-512", arguments),
}


def machine() -> dict[str, Any]:
    """The machine, in general words."""
    import torch

    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return {"gpu": gpu, "cores": os.cpu_count(), "torch": torch.__version__, "python": sys.version.split()[0]}


def main() -> int:
    """Run the parts one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subject", type=Path, help="a prepared subject")
    parser.add_argument("--out", type=Path, required=True, help="folder for figures and contact sheets")
    parser.add_argument("--minutes", type=float, default=3.0, help="of each training")
    parser.add_argument("--steps", type=int, default=10, help="that are timed with each engine")
    parser.add_argument("--frames", type=int, default=100, help="that are timed with each generator")
    parser.add_argument("--held-out", type=int, default=60, help="frames that are painted and measured, at most")
    parser.add_argument("--patience", type=float, default=1.0, help="how many times its time limit each part may take")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), help="what to run")
    parser.add_argument("--part", choices=list(PARTS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"Missing: {', '.join(missing)}. Install them, or put them on PYTHONPATH.", file=sys.stderr)
        return 1
    arguments.subject, arguments.out = arguments.subject.resolve(), arguments.out.resolve()
    if arguments.part:
        print(json.dumps(PARTS[arguments.part](arguments)))
        return 0
    arguments.out.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"machine": machine(), "parts": {}}
    for part in arguments.parts:
        limit = LIMITS[part] + (60 * arguments.minutes * 1.3 if part.startswith("train") else 0)
        report["parts"][part] = _in_its_own_process(part, arguments.patience * limit)
        (arguments.out / "gpu_day.json").write_text(json.dumps(report, indent=2) + "\n")
        print(f"{part}: {json.dumps(report['parts'][part])}", flush=True)
    failed = [part for part, found in report["parts"].items() if "failed" in found]
    return 1 if failed else 0


def _in_its_own_process(part: str, limit: float) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, __file__, *sys.argv[1:], "--part", part],
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"it took longer than {limit:.0f} s"}
    if done.returncode != 0:
        return {"failed": done.stderr.strip()[-800:]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return {**found, "took": round(time.perf_counter() - began, 1)}


if __name__ == "__main__":
    sys.exit(main())
