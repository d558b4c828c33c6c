"""``dance batch``: rows, what is whole, and nights in which something goes wrong."""

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.jobs.batch import local
from everybody_dance.jobs.batch.local import default_workers, shares_of_cores
from everybody_dance.jobs.batch.rows import Part, Row, read_rows
from everybody_dance.jobs.batch.turns import Turns
from everybody_dance.video.reader import VideoReader
from everybody_dance.workflows.requests import TransferRequest
from worlds import SOURCE_FRAMES, LittleWorld, Outcome, dance, finish, start


@pytest.fixture
def night(little_world: LittleWorld, tmp_path: Path) -> Path:
    """A folder with a performer and three sources, and a table of three rows."""
    shutil.copytree(little_world.subject / "model", tmp_path / "anna" / "model")
    shutil.copytree(Path(little_world.source_pose.removeprefix("openpose:")), tmp_path / "poses")
    for name in "abc":
        shutil.copyfile(little_world.source, tmp_path / f"{name}.mp4")
    write_table(tmp_path / "jobs.csv", *(row(name) for name in "abc"))
    return tmp_path


def row(name: str, **cells: str) -> dict[str, str]:
    given = {"performer": "anna", "source": f"{name}.mp4", "out": f"out/{name}.mp4", "pose": "openpose:poses"}
    return given | {key.replace("_", "-"): text for key, text in cells.items()}


def write_table(path: Path, *rows: dict[str, str]) -> Path:
    names = list(dict.fromkeys(name for cells in rows for name in cells))
    lines = [",".join(names), *(",".join(cells.get(name, "") for name in names) for cells in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def batch(night: Path, *more: str | int | Path) -> Outcome:
    return dance("batch", night / "jobs.csv", *more, "--json")


def states(outcome: Outcome) -> list[str]:
    return [each["state"] for each in outcome.report["metrics"]["rows"]]


def errors(outcome: Outcome) -> list[Any]:
    return [each["error"] and each["error"]["code"] for each in outcome.report["metrics"]["rows"]]


def record(night: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((night / "batch.json").read_text())["results"]
    return read


def frames(video: Path) -> list[np.ndarray]:
    with VideoReader(video) as reader:
        return list(reader)


class TestRows:
    def test_paths_are_relative_to_the_table(self, tmp_path: Path) -> None:
        table = write_table(tmp_path / "jobs.csv", row("a", background="place.png", **{"with": "ben:2;eve:left"}))
        (tmp_path / "place.png").write_bytes(_png())
        (read,) = read_rows(table, {})
        assert read.request.performer == tmp_path / "anna"
        assert read.request.source == tmp_path / "a.mp4"
        assert read.request.out == tmp_path / "out" / "a.mp4"
        assert read.request.members == ((tmp_path / "ben", "2"), (tmp_path / "eve", "left"))
        assert read.request.config.background == str(tmp_path / "place.png")
        assert read.request.config.pose == f"openpose:{tmp_path / 'poses'}"

    def test_options_and_defaults(self, tmp_path: Path) -> None:
        cells = {"person": "2", "smooth": "none", "compare": "yes", "no_normalize": "true", "bones": "source"}
        more = {"background": "#00B140", "shadow": "none", "device": "cpu", "runtime": "auto"}
        table = write_table(tmp_path / "jobs.csv", row("a", **cells, **more), row("b"))
        one, other = read_rows(table, {"person": "left", "compare": "yes"})
        config = one.request.config
        assert (config.person, config.smoothing, config.normalize, config.bones) == ("2", "none", False, "source")
        assert (config.background, config.shadow) == ("#00B140", False)
        assert (one.request.compare, one.request.device, one.request.runtime) == (True, "cpu", "auto")
        assert (other.request.config.person, other.request.compare) == ("left", True)
        assert other.request.config.smoothing == "both"

    def test_as_spreadsheets_write_it(self, tmp_path: Path) -> None:
        table = tmp_path / "jobs.csv"
        table.write_bytes("\ufeffperformer; source;out\r\nanna;a.mp4;a out.mp4\r\n;;\r\n".encode())
        (read,) = read_rows(table, {})
        assert read.request.out == tmp_path / "a out.mp4"
        # With empty lines at the top, old line ends, a path in quotes and a comma in a number.
        table.write_bytes(b'\r\r"performer";source;out;scale\ranna;"a;1.mp4";.\\x.mp4;"0,8"\r')
        (read,) = read_rows(table, {})
        assert read.request.source == tmp_path / "a;1.mp4"
        assert read.request.config.landing.scale == 0.8

    @pytest.mark.parametrize(
        ("text", "code", "words"),
        [
            ("performer,source,out,colour\na,b,c.mp4,red\n", "bad-column", "'colour'"),
            ("performer,source\na,b\n", "bad-column", "'out'"),
            ("performer,source,out,out\na,b,c.mp4,d.mp4\n", "bad-column", "twice"),
            ("performer,source,out\n", "no-rows", "no rows"),
            ("performer,source,out\na,b,c.mp4\na,,c.mp4\n", "bad-value", "line 3: the cell of 'source' is empty"),
            ("performer,source,out\na,b,c.gif\n", "bad-suffix", "line 2"),
            ("performer,source,out,background\na,b,c.mp4,none\n", "bad-suffix", "transparent"),
            ("performer,source,out,smooth\na,b,c.mp4,much\n", "unknown-smoothing", "line 2"),
            ("performer,source,out,person\na,b,c.mp4,nobody\n", "unknown-person", "line 2"),
            ("performer,source,out,runtime\na,b,c.mp4,magic\n", "unknown-runtime", "line 2"),
            ("performer,source,out,pose\na,b,c.mp4,magic\n", "unknown-pose", "line 2"),
            ("performer,source,out,compare\na,b,c.mp4,perhaps\n", "bad-value", "line 2"),
            ("performer,source,out,with\na,b,c.mp4,ben\n", "bad-value", "whom they follow"),
            ("performer,source,out\na,b,c.mp4,d\n", "bad-csv", "more cells"),
        ],
    )
    def test_what_is_wrong_is_named_with_its_line(self, tmp_path: Path, text: str, code: str, words: str) -> None:
        table = tmp_path / "jobs.csv"
        table.write_text(text)
        with pytest.raises(UsageError, match=words) as refused:
            read_rows(table, {})
        assert refused.value.code == code

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (None, "file-not-found"),
            (b"performer,source,out\n\xff\xfe,b,c\n", "bad-csv"),
            (b"performer,source,out\na,b,c\0.mp4\n", "bad-csv"),
            (b"x" * 200_000, "bad-csv"),
            (b"performer,source,out\n" + b"x" * 200_000, "bad-csv"),
            ("performer,source,out\n".encode("utf-16"), "bad-csv"),
            (b"", "bad-column"),
            (b"performer\tsource\tout\n", "bad-column"),
        ],
        ids=lambda value: str(value)[:30],
    )
    def test_what_cannot_be_read(self, tmp_path: Path, content: bytes | None, code: str) -> None:
        table = tmp_path / "jobs.csv"
        if content is not None:
            table.write_bytes(content)
        with pytest.raises(DanceError) as refused:
            read_rows(table, {})
        assert refused.value.code == code
        assert str(table) in refused.value.message

    def test_a_folder_is_no_table(self, tmp_path: Path) -> None:
        with pytest.raises(DanceError, match="is a folder") as refused:
            read_rows(tmp_path, {})
        assert refused.value.code == "bad-csv"

    def test_a_part_is_every_nth_row(self) -> None:
        rows = [_row(number, "anna") for number in range(1, 8)]
        parts = [[each.number for each in Part.read(f"{which}/3").of(rows)] for which in (1, 2, 3)]
        assert parts == [[1, 4, 7], [2, 5], [3, 6]]
        assert Part.read("02/03") == Part(2, 3)

    @pytest.mark.parametrize(
        "text", ["0/3", "4/3", "1", "a/b", "1/2/3", "/", "-1/2", "1/2 ", "1/0", "1/" + "9" * 5000, "a/../../x"]
    )
    def test_parts_that_cannot_be(self, tmp_path: Path, text: str) -> None:
        table = write_table(tmp_path / "jobs.csv", row("a"))
        assert dance("batch", table, "--part", text, "--json").error[0] == "bad-value"
        assert list(tmp_path.iterdir()) == [table]


class TestTurns:
    def test_a_process_stays_with_its_performer(self) -> None:
        turns = Turns([_row(number, name) for number, name in enumerate("ababab", 1)])
        first, second = turns.take("one"), turns.take("other")
        assert first is not None
        assert second is not None
        assert {_name(first), _name(second)} == {"a", "b"}
        rest = [turns.take("one") for _ in range(2)]
        assert {_name(each) for each in rest if each} == {_name(first)}
        assert [each.number for each in rest if each] == sorted(each.number for each in rest if each)
        # It has danced all of its own, and helps.
        helped = turns.take("one")
        assert helped is not None
        assert _name(helped) == _name(second)

    def test_each_row_once(self) -> None:
        turns = Turns([_row(number, "a") for number in range(1, 6)])
        taken = [turns.take(number % 2) for number in range(5)]
        assert sorted(each.number for each in taken if each) == [1, 2, 3, 4, 5]
        assert turns.take(0) is None
        assert taken[0] is not None
        turns.give_back(taken[0])
        assert turns.take(1) == taken[0]


class TestMachine:
    def test_cores_are_shared_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: {2, 3, 5, 7, 11}, raising=False)
        assert shares_of_cores(1) == [None]
        assert shares_of_cores(2) == [[2, 3], [5, 7, 11]]
        assert shares_of_cores(6) == [None] * 6

    @pytest.mark.parametrize(("cores", "memory", "workers"), [(8, 64, 4), (8, 5, 2), (1, 64, 1), (16, 1, 1)])
    def test_as_many_as_cores_and_memory_carry(
        self, monkeypatch: pytest.MonkeyPatch, cores: int, memory: int, workers: int
    ) -> None:
        monkeypatch.setattr(local, "usable_cores", lambda: cores)
        monkeypatch.setattr(local, "usable_memory", lambda: memory << 30)
        assert default_workers() == workers


class TestBatch:
    def test_a_night(self, night: Path, little_world: LittleWorld) -> None:
        outcome = batch(night)
        assert outcome.code == 0, outcome.stderr
        assert states(outcome) == ["done"] * 3
        assert outcome.report["outputs"] == {"report": str(night / "batch.json")}
        assert outcome.report["metrics"]["rows"][0]["figures"]["frames"] == SOURCE_FRAMES
        kept = record(night)
        assert list(kept) == ["out/a.mp4", "out/b.mp4", "out/c.mp4"]
        assert kept["out/a.mp4"]["performer"] == "anna"
        assert kept["out/a.mp4"]["sizes"] == {"out/a.mp4": (night / "out" / "a.mp4").stat().st_size}
        alone = dance(
            *("transfer", little_world.subject, little_world.source, "--pose", little_world.source_pose),
            *("--out", night / "alone.mp4"),
        )
        assert alone.code == 0, alone.stderr
        for name in "abc":
            made, expected = frames(night / "out" / f"{name}.mp4"), frames(night / "alone.mp4")
            assert all((one == other).all() for one, other in zip(made, expected, strict=True))

        # Again: nothing is danced twice, wherever the folder is.
        before = {file: file.stat().st_mtime_ns for file in (night / "out").iterdir()}
        assert states(batch(night)) == ["kept"] * 3
        assert {file: file.stat().st_mtime_ns for file in (night / "out").iterdir()} == before
        moved = night.rename(night.with_name("moved"))
        assert states(batch(moved)) == ["kept"] * 3

        # What changed is danced anew, and nothing else.
        write_table(moved / "jobs.csv", row("a"), row("b", smooth="none"), row("c", device="cpu"))
        again = batch(moved)
        assert states(again) == ["kept", "done", "kept"]
        shutil.copyfile(moved / "a.mp4", moved / "c.mp4")  # another time, the same content
        assert states(batch(moved)) == ["kept", "kept", "kept"]
        with (moved / "c.mp4").open("ab") as file:
            file.write(b"\0\0\0\x08free")
        assert states(batch(moved)) == ["kept", "kept", "done"]

    def test_where_it_lands_is_part_of_what_a_result_is(self, night: Path) -> None:
        """Dances again what was moved, and only that; as fitted a result is what it was before it could be moved."""
        plain = [row("a"), row("b"), row("c")]
        write_table(night / "jobs.csv", *plain)
        assert batch(night).code == 0
        before = {out: entry["identity"] for out, entry in record(night).items()}
        write_table(night / "jobs.csv", row("a", scale="1.0"), row("b", shift="-0"), row("c", floor='"0,0"'))
        assert states(batch(night)) == ["kept"] * 3
        assert {out: entry["identity"] for out, entry in record(night).items()} == before
        write_table(night / "jobs.csv", row("a", scale="0.8"), row("b", shift="0.1"), row("c"))
        assert states(batch(night)) == ["done", "done", "kept"]
        write_table(night / "jobs.csv", row("a", scale="0.80", shift="-0"), row("b", shift="1e-1"), row("c"))
        assert states(batch(night)) == ["kept"] * 3
        # The same value elsewhere, and a default of the command line.
        write_table(night / "jobs.csv", row("a", scale="0.8"), row("b", floor="0.1"), row("c"))
        assert states(batch(night)) == ["kept", "done", "kept"]
        assert states(batch(night, "--floor", "0.1")) == ["done", "kept", "done"]
        assert states(batch(night, "--floor", "0.1")) == ["kept"] * 3

    def test_parts_have_a_record_each(self, night: Path) -> None:
        assert states(batch(night, "--part", "2/2")) == ["done"]
        assert states(batch(night, "--part", "1/2")) == ["done", "done"]
        assert states(batch(night, "--part", "01/2")) == ["kept", "kept"]
        records = {file.name: list(json.loads(file.read_text())["results"]) for file in night.glob("batch.*.json")}
        assert records == {"batch.1-of-2.json": ["out/a.mp4", "out/c.mp4"], "batch.2-of-2.json": ["out/b.mp4"]}

    def test_one_bad_video_fails_its_row(self, night: Path) -> None:
        (night / "b.mp4").write_bytes(b"no video at all")
        outcome = batch(night)
        assert outcome.code == 1
        assert outcome.error[0] == "rows-failed"
        assert states(outcome) == ["done", "failed", "done"]
        assert errors(outcome) == [None, "not-a-video", None]
        assert record(night)["out/b.mp4"]["error"]["code"] == "not-a-video"
        plain = dance("batch", night / "jobs.csv")
        assert plain.code == 1
        assert [line.split()[3] for line in plain.stdout.splitlines()[:3]] == ["kept", "failed", "kept"]
        assert "b.mp4" in plain.stdout
        assert plain.stderr.splitlines()[-1].startswith("Error: 1 of 3 rows failed.")
        # It is tried again, and alone.
        shutil.copyfile(night / "a.mp4", night / "b.mp4")
        assert states(batch(night)) == ["kept", "done", "kept"]

    def test_what_is_not_ours_is_never_overwritten(self, night: Path) -> None:
        (night / "out").mkdir()
        (night / "out" / "a.mp4").write_text("somebody's own")
        outcome = batch(night)
        assert (states(outcome), errors(outcome)) == (["failed", "done", "done"], ["not-ours", None, None])
        assert (night / "out" / "a.mp4").read_text() == "somebody's own"
        # What was made here and changed since is not ours any more.
        (night / "out" / "b.mp4").write_text("cut by hand")
        for more in ((), ("--begin-again",)):
            again = batch(night, *more)
            assert errors(again) == ["not-ours", "not-ours", None]
            assert (night / "out" / "b.mp4").read_text() == "cut by hand"
        assert states(again)[2] == "done"
        # Without its record a batch knows nothing of its own.
        (night / "batch.json").unlink()
        assert errors(batch(night)) == ["not-ours"] * 3

    def test_begin_again_dances_what_is_whole(self, night: Path) -> None:
        write_table(night / "jobs.csv", row("a", compare="yes"))
        assert states(batch(night)) == ["done"]
        sizes = record(night)["out/a.mp4"]["sizes"]
        assert set(sizes) == {"out/a.mp4", "out/a.comparison.mp4"}
        assert states(batch(night)) == ["kept"]
        assert states(batch(night, "--begin-again")) == ["done"]
        (night / "out" / "a.comparison.mp4").unlink()
        assert states(batch(night)) == ["done"]
        assert (night / "out" / "a.comparison.mp4").is_file()

    def test_frames_in_a_folder(self, night: Path) -> None:
        write_table(night / "jobs.csv", row("a", out="out/a"))
        assert states(batch(night)) == ["done"]
        assert len(list((night / "out" / "a").iterdir())) == SOURCE_FRAMES
        assert states(batch(night)) == ["kept"]
        next((night / "out" / "a").iterdir()).unlink()
        assert errors(batch(night)) == ["not-ours"]

    @pytest.mark.parametrize(
        ("rows", "code"),
        [
            ([row("a"), row("b", out="out/a.mp4")], "same-output"),
            ([row("a", compare="yes"), row("b", out="out/a.comparison.mp4")], "same-output"),
            ([row("a"), row("b", out="out/../a.mp4")], "overwrites-input"),
            ([row("a", out="anna/model/plate.mp4")], "overwrites-input"),
            ([row("a"), row("nothing")], "file-not-found"),
            ([row("a"), row("b", performer="ben")], "no-model"),
            ([row("a", background="nothing.png")], "file-not-found"),
            ([row("a", out="out/x"), row("b", out="out/x/b.mp4")], "same-output"),
            ([row("b", out="out/x/y/b.mp4"), row("a", out="out/x")], "same-output"),
            ([row("a", out=".")], "overwrites-input"),
            ([row("a", out="poses/a.mp4")], "overwrites-input"),
            ([row("a", out="poses")], "overwrites-input"),
            ([row("a", out="a.mp4/b.mp4")], "overwrites-input"),
            ([row("a", pose="openpose:nothing")], "file-not-found"),
            ([row("a", out="jobs.csv/a.mp4")], "cannot-write"),
        ],
    )
    def test_what_is_wrong_is_known_before_the_first_row(
        self, night: Path, rows: list[dict[str, str]], code: str
    ) -> None:
        write_table(night / "jobs.csv", *rows)
        outcome = batch(night)
        assert outcome.code in (1, 2)
        assert outcome.error[0] == code
        assert not (night / "out").exists()
        assert not (night / "batch.json").exists()

    def test_every_performer_with_every_source(self, night: Path) -> None:
        shutil.copytree(night / "anna", night / "people" / "anna")
        shutil.copytree(night / "anna", night / "people" / "ben")
        (night / "people" / "nobody").mkdir()
        (night / "sources").mkdir()
        for name in ("a.mp4", "b.MOV", "notes.txt"):
            (night / "sources" / name).write_bytes((night / "a.mp4").read_bytes())
        given = ["--performers", night / "people", "--sources", night / "sources"]
        outcome = dance("batch", *given, "--out", night / "results", "--json", "--smooth", "none")
        assert states(outcome) == ["done"] * 4
        outs = [Path(each["out"]).name for each in outcome.report["metrics"]["rows"]]
        assert outs == ["anna-a.mp4", "anna-b.mp4", "ben-a.mp4", "ben-b.mp4"]
        assert [finding["code"] for finding in outcome.report["findings"]] == ["not-videos"]
        assert (night / "results" / "batch.json").is_file()
        refused = dance("batch", *given, "--out", night / "sources", "--json")
        assert refused.error[0] == "overwrites-input"
        for wrong in (given, [night / "jobs.csv", *given], []):
            assert dance("batch", *wrong, "--json").error[0] == "table-or-folders"

    def test_a_report_that_is_something_else_is_left_alone(self, night: Path) -> None:
        (night / "batch.json").write_text('{"mine": true}')
        assert batch(night).error[0] == "not-a-record"
        (night / "batch.json").write_text('{"version": 99}')
        assert batch(night).error[0] == "newer-version"
        assert (night / "batch.json").read_text() == '{"version": 99}'
        (night / "batch.json").write_text("[]")
        assert batch(night, "--report", night / "other.json").code == 0

    def test_with_two_processes(self, night: Path) -> None:
        outcome = batch(night, "--workers", 2)
        assert states(outcome) == ["done"] * 3
        assert [each["row"] for each in outcome.report["metrics"]["rows"]] == [1, 2, 3]

    def test_a_process_that_is_killed_fails_its_row(self, night: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        wait = local.WorkerProcess.wait
        killed: list[int] = []

        def murderous(process: local.WorkerProcess, hear: Any) -> Any:
            def first_killed(message: Any) -> None:
                if not killed and process.number is not None:
                    killed.append(process.number)
                    os.kill(process.number, signal.SIGKILL)
                hear(message)

            return wait(process, first_killed)

        monkeypatch.setattr(local.WorkerProcess, "wait", murderous)
        outcome = batch(night)
        assert (states(outcome), errors(outcome)) == (["failed", "done", "done"], ["process-ended", None, None])
        assert states(batch(night)) == ["done", "kept", "kept"]


class TestInterrupted:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    def test_the_same_command_goes_on(self, night: Path, number: int) -> None:
        process = start("batch", night / "jobs.csv", "--json")
        first = night / "out" / "a.mp4"
        end = time.monotonic() + 90
        while not first.exists():
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.communicate()
        else:
            outcome = finish(process, 90)
            assert outcome.code == 130
            assert outcome.error[0] == "interrupted"
        changed = first.stat().st_mtime_ns
        again = batch(night)
        assert again.code == 0, again.stderr
        assert set(states(again)) <= {"kept", "done"}
        assert states(again)[0] == "kept"
        assert first.stat().st_mtime_ns == changed
        assert sorted(file.name for file in (night / "out").iterdir()) == ["a.mp4", "b.mp4", "c.mp4"]
        assert all(len(frames(night / "out" / f"{name}.mp4")) == SOURCE_FRAMES for name in "abc")

    def test_killed_before_it_was_written_down_a_whole_result_is_kept(self, night: Path) -> None:
        assert batch(night).code == 0
        text = json.loads((night / "batch.json").read_text())
        for name, state in (("out/a.mp4", {}), ("out/b.mp4", {"out/b.mp4": (night / "out" / "b.mp4").stat().st_size})):
            # As it was when the row had been begun: nothing there, or an older result.
            text["results"][name] |= {"state": "begun", "sizes": state, "before": state}
        (night / "batch.json").write_text(json.dumps(text))
        assert states(batch(night)) == ["kept", "done", "kept"]

    def test_two_at_once_do_not_share_a_record(self, night: Path) -> None:
        process = start("batch", night / "jobs.csv", "--json")
        end = time.monotonic() + 120
        while not (night / "batch.json").exists():
            assert time.monotonic() < end
            time.sleep(0.01)
        assert batch(night).error[0] == "already-open"
        assert finish(process).code == 0


def _row(number: int, name: str) -> Row:
    return Row(number, TransferRequest(performer=Path(name), source=Path("s.mp4"), out=Path(f"{number}.mp4")))


def _name(row: Row) -> str:
    return row.request.performer.name


def _png() -> bytes:
    import cv2

    return bytes(cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes())
