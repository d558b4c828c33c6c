"""``dance batch --engine ray``, on a cluster of several nodes that are all on this machine."""

import secrets
import shutil
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from test_batch import errors, frames, record, row, states, write_table
from worlds import SOURCE_FRAMES, LittleWorld, Outcome, dance, finish, start

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (the extra ray)")

TOKEN = secrets.token_hex(32)
"""One for the whole process: Ray reads it, and whether there has to be one, when it is imported."""

NODE = {"num_cpus": 2, "object_store_memory": 100 << 20}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head that computes nothing; nodes are added by the tests."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 0, "include_dashboard": False})
    monkeypatch.setenv("RAY_ADDRESS", made.address)
    yield made
    made.shutdown()


@pytest.fixture
def night(little_world: LittleWorld, tmp_path: Path) -> Path:
    """A folder with two performers and three sources, and a table of every pair."""
    for name in ("anna", "ben"):
        shutil.copytree(little_world.subject / "model", tmp_path / name / "model")
    shutil.copytree(Path(little_world.source_pose.removeprefix("openpose:")), tmp_path / "poses")
    for name in "abc":
        shutil.copyfile(little_world.source, tmp_path / f"{name}.mp4")
    rows = [row(source, performer=who, out=f"out/{who}-{source}.mp4") for source in "abc" for who in ("anna", "ben")]
    write_table(tmp_path / "jobs.csv", *rows)
    return tmp_path


def batch(night: Path, *more: str | int | Path) -> Outcome:
    return dance("batch", night / "jobs.csv", "--engine", "ray", *more, "--json")


def test_a_machine_is_lost_and_another_joins(cluster: Any, night: Path) -> None:
    lost = cluster.add_node(**NODE)
    process = start("batch", night / "jobs.csv", "--engine", "ray", "--json")
    end = time.monotonic() + 120
    while not list((night / "out").glob("[!.]*.mp4")):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.01)
    cluster.remove_node(lost, allow_graceful=False)
    done_before = sorted(file.name for file in (night / "out").glob("[!.]*.mp4"))
    cluster.add_node(**NODE)
    outcome = finish(process, 150)
    assert len(done_before) < 6
    assert outcome.code == 0, outcome.stderr
    assert states(outcome) == ["done"] * 6
    outs = sorted(file.name for file in (night / "out").glob("[!.]*"))
    assert outs == sorted(f"{who}-{source}.mp4" for who in ("anna", "ben") for source in "abc")
    # The local engine makes the same pictures.
    shutil.move(night / "out", night / "elsewhere")
    (night / "batch.json").unlink()
    here = dance("batch", night / "jobs.csv", "--json")
    assert states(here) == ["done"] * 6
    for name in outs:
        made, expected = frames(night / "elsewhere" / name), frames(night / "out" / name)
        assert len(made) == SOURCE_FRAMES
        assert all((one == other).all() for one, other in zip(made, expected, strict=True))


def test_one_bad_video_fails_its_row_and_what_is_whole_is_kept(cluster: Any, night: Path) -> None:
    for _ in range(2):
        cluster.add_node(**NODE)
    (night / "b.mp4").write_bytes(b"no video at all")
    (night / "out").mkdir()
    (night / "out" / "ben-c.mp4").write_text("somebody's own")
    outcome = batch(night)
    assert outcome.code == 1
    assert errors(outcome) == [None, None, "not-a-video", "not-a-video", None, "not-ours"]
    assert record(night)["out/anna-a.mp4"]["figures"]["frames"] == SOURCE_FRAMES
    (night / "out" / "ben-c.mp4").unlink()
    shutil.copyfile(night / "a.mp4", night / "b.mp4")
    # What one engine made, the other knows.
    assert states(dance("batch", night / "jobs.csv", "--json")) == ["kept", "kept", "done", "done", "kept", "done"]
    assert states(batch(night)) == ["kept"] * 6
