"""Several processes train as one: the same gradients, one writer, and a killed worker costs a minute at most."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from everybody_dance.performer.model_files import load_performer
from everybody_dance.training import checkpoint
from subjects import make_subject

ONE_STEP = """
import dataclasses, os, sys
from pathlib import Path
import safetensors.torch, torch
from everybody_dance.performer.engine import Engine, using
from everybody_dance.performer.painter import Painter
from everybody_dance.training.samples import PairDataset
from everybody_dance.subject.subject import Subject
from everybody_dance.training.perceptual import PYRAMID
from everybody_dance.training.presets import PRESETS
from everybody_dance.training.processes import together
from everybody_dance.training.generator_steps import Trainer

torch.set_num_threads(1)
# What would make much of rounding is left out: the signs in the gradient of L1, and Adam's first step.
preset = dataclasses.replace(
    PRESETS["paper-512"],
    arguments={"width": 8, "downsamplings": 2, "blocks": 1},
    discriminator_width=4, discriminator_scales=2, judged=2, discriminator_rate=0.0,
    pyramid=0.0, feature_matching=0.0,
)
with together(torch.device("cpu")) as group:
    data = PairDataset(
        Subject.open(Path(sys.argv[1])), dataclasses.replace(preset, frame_area=64 * 64), batch=2, seed=0,
        shard=(group.rank, group.count),
    )
    arguments = preset.arguments
    painter = Painter("pix2pixhd", previous_frame=True, over_plate=False, arguments=arguments)
    trainer = Trainer(preset, painter, data, PYRAMID, torch.device("cpu"), 0)
    with using(Engine(mixed_precision=False)):
        trainer.step(trainer.sample(3, 10), 3, 10)
    if group.first:
        networks = {"generator": trainer.painter, "discriminator": trainer.adversary.network}
        gradients = {
            f"{name}.{key}": parameter.grad.contiguous()
            for name, network in networks.items() for key, parameter in network.named_parameters()
        }
        safetensors.torch.save_file(gradients, sys.argv[2])
"""


def torchrun(*arguments: object, processes: int = 2) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_two_processes_have_the_gradients_of_one(tmp_path: Path) -> None:
    make_subject(tmp_path / "subject")
    script = tmp_path / "one_step.py"
    # bfloat16 rounds a batch of two otherwise than two of one; in float32 nothing does.
    script.write_text(ONE_STEP)
    gradients = []
    for processes in (1, 2):
        out = tmp_path / f"{processes}.safetensors"
        process = torchrun(script, tmp_path / "subject", out, processes=processes)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        gradients.append(safetensors.torch.load_file(out))
    alone, shared = gradients
    assert alone.keys() == shared.keys()
    for network in ("generator", "discriminator"):
        names = [name for name in alone if name.startswith(network)]
        one, other = (torch.cat([found[name].flatten() for name in names]) for found in (alone, shared))
        assert one.norm() > 0
        assert (one - other).abs().max() < 1e-5 * one.norm()


AN_OPTIMIZER = """
import sys
from pathlib import Path
import torch
from everybody_dance.training.processes import average_gradients, together

with together(torch.device("cpu")) as group:
    weight = torch.nn.Parameter(torch.zeros(3))
    weight.grad = torch.ones(3)
    torch.optim.Adam([weight]).step()
    average_gradients([weight])
threads = [(task / "comm").read_text() for task in Path("/proc/self/task").iterdir()]
sys.exit(any("gloo" in name for name in threads))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are listed under /proc")
def test_no_thread_outlives_the_group(tmp_path: Path) -> None:
    """One that does aborts the process now and then when Python exits."""
    script = tmp_path / "an_optimizer.py"
    script.write_text(AN_OPTIMIZER)
    process = torchrun(script)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors


def test_only_the_first_writes_and_speaks(tmp_path: Path) -> None:
    subject = make_subject(tmp_path / "subject")
    process = torchrun("-m", "everybody_dance", "train", subject.folder, "--preset", "debug", "--steps", 20, "--json")
    stdout, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    assert stdout.count('"command": "train"') == 1
    assert errors.count("Likeness to frames") == 1
    log = [json.loads(line) for line in (subject.folder / "training" / "log.jsonl").read_text().splitlines()]
    assert len(log) == len({(line["stage"], line["step"], *sorted(line)) for line in log})  # each line once
    assert np.isfinite(load_performer(subject.folder, "cpu").plate).all()


def test_a_killed_worker_starts_again_from_the_checkpoint(tmp_path: Path) -> None:
    subject = make_subject(tmp_path / "subject")
    folder = subject.folder / "training"
    shim = tmp_path / "often.py"
    shim.write_text(
        "import os, sys\n"
        "from everybody_dance.training import loop\n"
        "loop.CHECKPOINT_SECONDS = 0.0\n"
        f"open(r'{tmp_path}' + f'/pid-{{os.environ[\"RANK\"]}}-{{os.getpid()}}', 'w').close()\n"
        "from everybody_dance.commands.main import main\n"
        "sys.exit(main())\n"
    )
    process = torchrun("--max-restarts=2", shim, "train", subject.folder, "--preset", "debug", "--steps", 60)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if (found := checkpoint.newest(folder, "main")) is not None and found[1].step >= 5:
            break
        time.sleep(0.05)
    workers = [int(path.name.rpartition("-")[2]) for path in tmp_path.glob("pid-1-*")]
    os.kill(workers[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    assert len(list(tmp_path.glob("pid-1-*"))) == 2
    assert checkpoint.newest(folder, "face") is not None


def test_one_alone_needs_nothing() -> None:
    from everybody_dance.training.processes import Group, together

    with together(torch.device("cpu")) as group:
        assert group == Group(0, 1)
        assert group.first
        assert group.agree(7) == 7
