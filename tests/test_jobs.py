"""Jobs: what they do as JSON, their database, their processes, and the queue that outlives the program."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.events import Artifact, Finding, Progress
from everybody_dance.jobs import database, process, queue, store
from everybody_dance.jobs.messages import LAST, Message, to_event, to_message
from everybody_dance.jobs.process import WorkerProcess, why_it_ended
from everybody_dance.jobs.queue import JobQueue
from everybody_dance.jobs.requests import KINDS, Request, from_json, to_json
from everybody_dance.jobs.store import Job, JobStore
from everybody_dance.retarget.options import Landing
from everybody_dance.synthesis.config import TransferConfig
from everybody_dance.training import checkpoint
from everybody_dance.training.config import TrainConfig
from everybody_dance.video.reader import VideoReader
from everybody_dance.workflows.requests import (
    EvaluateRequest,
    PrepareRequest,
    PreviewRequest,
    TrainRequest,
    TransferRequest,
)
from subjects import make_subject
from worlds import SOURCE_FRAMES, LittleWorld

REQUESTS: dict[str, Request] = {
    "prepare": PrepareRequest(footage=(Path("a.mp4"), Path("b.mp4")), subject=Path("anna"), fps=Fraction(30000, 1001)),
    "train": TrainRequest(subject=Path("anna"), config=TrainConfig(minutes=3, refine=("face",), vgg_weights=Path("v"))),
    "transfer": TransferRequest(
        performer=Path("anna"),
        source=Path("s.mp4"),
        out=Path("o.mp4"),
        members=((Path("ben"), "2"),),
        config=TransferConfig(
            background="#00B140", shadow=False, bones="source", landing=Landing(scale=0.8, shift=-0.1, floor=0.05)
        ),
    ),
    "preview": PreviewRequest(
        subject=Path("anna"),
        source=Path("s.mp4"),
        out=Path("o.mp4"),
        config=TransferConfig(landing=Landing(shift=0.2)),
    ),
    "evaluate": EvaluateRequest(subject=Path("anna"), frames=20, command=("dance", "evaluate")),
}


def long_training(folder: Path) -> TrainRequest:
    """A training that takes longer than any test."""
    return TrainRequest(subject=folder, config=TrainConfig(preset="debug", steps=100_000, device="cpu", refine=()))


def short_training(folder: Path, steps: int = 3) -> TrainRequest:
    return TrainRequest(subject=folder, config=TrainConfig(preset="debug", steps=steps, device="cpu", refine=()))


def dance_of(world: LittleWorld, out: Path) -> TransferRequest:
    return TransferRequest(
        performer=world.subject, source=world.source, out=out, config=TransferConfig(pose=world.source_pose)
    )


def soon(happens: Callable[[], object], seconds: float = 90) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.02)


def served(program: str) -> tuple[list[dict[str, Any]], str]:
    """The messages of a worker that is started by ``program`` and asked for one job, and what it wrote to stderr."""
    asked = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert asked.stdin is not None
    assert asked.stdout is not None
    asked.stdin.write(json.dumps({"kind": "evaluate", "request": {"subject": "anna"}}) + "\n")
    asked.stdin.flush()
    said = []
    for line in asked.stdout:
        said.append(json.loads(line))
        if said[-1]["event"] in LAST:
            break
    rest, errors = asked.communicate(timeout=60)
    assert rest == ""
    return said, errors


class TestRequests:
    @pytest.mark.parametrize("kind", KINDS)
    def test_there_and_back(self, kind: str) -> None:
        text = to_json(kind, REQUESTS[kind])
        assert from_json(kind, text) == REQUESTS[kind]
        assert "\n" not in text

    @pytest.mark.parametrize(
        ("text", "where"),
        [
            ('{"performer": "a", "source": "b", "out": "c", "nonsense": 1}', "nonsense"),
            ('{"performer": "a", "source": "b", "out": "c", "config": {"nonsense": 1}}', "config.nonsense"),
            ('{"performer": "a", "source": "b"}', "out"),
            ('{"performer": "a", "source": "b", "out": "c", "compare": "yes"}', "compare"),
            ("{", "JSON"),
        ],
    )
    def test_what_is_no_request_is_refused_with_the_place(self, text: str, where: str) -> None:
        with pytest.raises(UsageError, match=where) as refused:
            from_json("transfer", text)
        assert refused.value.code == "bad-request"

    def test_a_value_is_refused_as_on_the_command_line(self) -> None:
        with pytest.raises(UsageError) as refused:
            from_json("train", '{"subject": "a", "config": {"preset": "nonsense"}}')
        assert refused.value.code == "unknown-preset"

    def test_a_kind_that_there_is_not(self) -> None:
        with pytest.raises(UsageError) as refused:
            from_json("dream", "{}")
        assert refused.value.code == "unknown-job"

    @pytest.mark.parametrize(
        "event",
        [
            Finding("camera-moves", "warning", "It moves.", {"percent": 2.5}),
            Progress("Dancing", 3, None, 1.5, "well"),
            Artifact("result", Path("out.mp4")),
        ],
    )
    def test_events_there_and_back(self, event: Finding | Progress | Artifact) -> None:
        assert to_event(json.loads(json.dumps(to_message(event)))) == event

    def test_a_server_needs_no_pytorch(self) -> None:
        program = (
            "import sys\nimport everybody_dance.jobs.queue\n"
            "assert not {'torch', 'mediapipe', 'av', 'cv2'} & set(sys.modules), sys.modules.keys()"
        )
        assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0


class TestDatabase:
    OLD = ("CREATE TABLE people (name TEXT); INSERT INTO people VALUES ('anna')",)
    NEW = (*OLD, "ALTER TABLE people ADD COLUMN age INTEGER DEFAULT 7")

    def test_an_older_one_is_migrated_after_a_backup(self, tmp_path: Path) -> None:
        path = tmp_path / "people.sqlite"
        database.open_database(path, self.OLD).close()
        with closing(database.open_database(path, self.NEW)) as migrated:
            assert tuple(migrated.execute("SELECT * FROM people").fetchone()) == ("anna", 7)
            assert migrated.execute("PRAGMA user_version").fetchone()[0] == 2
        with closing(sqlite3.connect(tmp_path / "people.sqlite.version-1")) as backup:
            assert backup.execute("SELECT * FROM people").fetchall() == [("anna",)]
            assert backup.execute("PRAGMA user_version").fetchone()[0] == 1

    def test_a_migration_that_fails_changes_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "people.sqlite"
        database.open_database(path, self.OLD).close()
        with pytest.raises(DanceError):
            database.open_database(path, (*self.OLD, "DELETE FROM people; NONSENSE"))
        with closing(database.open_database(path, self.OLD)) as kept:
            assert kept.execute("SELECT count(*) FROM people").fetchone()[0] == 1

    def test_a_newer_one_is_refused_and_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "people.sqlite"
        database.open_database(path, self.NEW).close()
        before = path.read_bytes()
        with pytest.raises(DanceError, match="newer version") as refused:
            database.open_database(path, self.OLD)
        assert refused.value.code == "newer-version"
        assert path.read_bytes() == before

    def test_what_is_no_database_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "people.sqlite"
        path.write_bytes(b"no database at all, but long enough to be looked at" * 100)
        with pytest.raises(DanceError) as refused:
            database.open_database(path, self.OLD)
        assert refused.value.code == "bad-database"

    def test_jobs_of_an_older_version_are_all_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with JobStore(tmp_path) as jobs:
            jobs.add("evaluate", REQUESTS["evaluate"], "Anna")
        with monkeypatch.context() as patch:
            patch.setattr(store, "MIGRATIONS", (*store.MIGRATIONS, "CREATE TABLE more (what TEXT)"))
            with JobStore(tmp_path) as jobs:
                assert [job.title for job in jobs.all()] == ["Anna"]
        assert (tmp_path / "jobs.sqlite.version-1").is_file()
        with pytest.raises(DanceError) as refused:
            JobStore(tmp_path)
        assert refused.value.code == "newer-version"


class TestStore:
    def test_one_program_at_a_time(self, tmp_path: Path) -> None:
        with JobStore(tmp_path), pytest.raises(DanceError) as refused:
            JobStore(tmp_path)
        assert refused.value.code == "already-open"
        JobStore(tmp_path).close()

    def test_numbers_are_not_used_twice(self, tmp_path: Path) -> None:
        with JobStore(tmp_path) as jobs:
            first = jobs.add("evaluate", REQUESTS["evaluate"], "Anna")
            jobs.tell(first.id, {"event": "finding"})
            jobs.remove(first.id)
            assert jobs.events() == []
            assert jobs.add("evaluate", REQUESTS["evaluate"], "Anna").id > first.id

    def test_events_after_a_number(self, tmp_path: Path) -> None:
        with JobStore(tmp_path) as jobs:
            one, other = (jobs.add("evaluate", REQUESTS["evaluate"], name) for name in ("Anna", "Ben"))
            first = jobs.tell(one.id, {"event": "state", "state": "running"})
            second = jobs.tell(other.id, {"event": "finding", "value": float("nan")})
            assert [event.message for event in jobs.events(first.sequence)] == [{"event": "finding", "value": None}]
            assert [event.sequence for event in jobs.events(job=other.id)] == [second.sequence]


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    with WorkerProcess() as started:
        yield started


class TestWorker:
    def test_two_transfers_in_one_process_are_equal(
        self, worker: WorkerProcess, little_world: LittleWorld, tmp_path: Path
    ) -> None:
        said: list[dict[str, object]] = []
        outs = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
        first = worker.run("transfer", dance_of(little_world, outs[0]), lambda message: said.append(dict(message)))
        number = worker.number
        second = worker.run("transfer", dance_of(little_world, outs[1]))
        assert (first.state, first.outputs) == ("done", {"result": str(outs[0])})
        assert worker.number == number
        assert first.figures == second.figures
        assert first.figures["frames"] == SOURCE_FRAMES
        with VideoReader(outs[0]) as one, VideoReader(outs[1]) as other:
            assert all((left == right).all() for left, right in zip(one, other, strict=True))
        assert {"progress", "artifact"} <= {str(message["event"]) for message in said}
        assert said[-1]["event"] == "artifact"

    def test_a_failure_has_the_words_of_the_command_line(
        self, worker: WorkerProcess, little_world: LittleWorld, tmp_path: Path
    ) -> None:
        outcome = worker.run("train", short_training(tmp_path / "nobody"))
        assert outcome.state == "failed"
        assert outcome.code == "no-subject"
        assert "dance prepare" in outcome.message
        # The process is there for the next one.
        assert worker.run("transfer", dance_of(little_world, tmp_path / "a.mp4")).state == "done"

    def test_cancelled_it_keeps_what_it_did(
        self, worker: WorkerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(process, "SECONDS_TO_STOP", 1000)  # it stops of its own accord
        subject = make_subject(tmp_path / "subject").folder

        def hear(message: object) -> None:
            if isinstance(message, dict) and message.get("stage") == "Training" and message["done"] > 2:
                worker.cancel()

        assert worker.run("train", long_training(subject), hear).state == "cancelled"
        assert checkpoint.newest(subject / "training", "main")[1].step > 2  # type: ignore[index]

    def test_a_process_that_is_deaf_is_killed(
        self, worker: WorkerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(process, "SECONDS_TO_STOP", 0.2)
        monkeypatch.setattr(process, "SECONDS_TO_END", 0.2)
        subject = make_subject(tmp_path / "subject").folder

        def hear(message: object) -> None:
            if isinstance(message, dict) and message.get("stage") == "Training" and message["done"] > 2:
                assert worker.number is not None
                os.kill(worker.number, signal.SIGSTOP)
                worker.cancel()

        assert worker.run("train", long_training(subject), hear).state == "cancelled"
        assert not worker.alive

    def test_a_deaf_process_has_ten_seconds_at_most(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each second is the test's own: it passes when the process has done what it does until then."""
        deadlines: list[tuple[float, Callable[[], None]]] = []

        def after(seconds: float, work: Callable[[], None]) -> threading.Timer:
            deadlines.append((seconds, work))
            return threading.Timer(seconds, work)

        monkeypatch.setattr(process, "_after", after)
        deaf = """
            import signal, time
            signal.signal(signal.SIGTERM, lambda number, frame: print('{"event": "asked again"}', flush=True))
            print('{"event": "begun"}', flush=True)
            while True:
                time.sleep(1)
        """
        worker = WorkerProcess()
        worker._command = [sys.executable, "-c", textwrap.dedent(deaf)]

        def hear(message: Message) -> None:
            if message["event"] == "begun":
                worker.cancel()
            deadlines[-1][1]()

        worker.begin("train", long_training(tmp_path))
        asked = worker._process
        assert asked is not None
        try:
            assert worker.wait(hear).state == "cancelled"
            assert [seconds for seconds, _ in deadlines] == [process.SECONDS_TO_STOP, process.SECONDS_TO_END]
            assert process.SECONDS_TO_STOP + process.SECONDS_TO_END <= 10
            assert asked.wait(90) == -signal.SIGKILL
        finally:
            asked.kill()
            worker.close()

    def test_a_kill_is_explained_and_the_next_job_gets_a_new_process(
        self, worker: WorkerProcess, tmp_path: Path
    ) -> None:
        subject = make_subject(tmp_path / "subject").folder

        def hear(message: object) -> None:
            if isinstance(message, dict) and message.get("stage") == "Training" and worker.number is not None:
                os.kill(worker.number, signal.SIGKILL)

        outcome = worker.run("train", long_training(subject), hear)
        assert (outcome.state, outcome.code) == ("failed", "process-ended")
        assert "probably because memory ran out" in outcome.message
        assert worker.run("train", short_training(subject)).state == "done"

    def test_sigterm_stops_at_a_safe_point(self, worker: WorkerProcess, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "subject").folder
        asked: list[int] = []

        def hear(message: object) -> None:
            if isinstance(message, dict) and message.get("stage") == "Training" and message["done"] > 2 and not asked:
                assert worker.number is not None
                asked.append(worker.number)
                os.kill(worker.number, signal.SIGTERM)

        assert worker.run("train", long_training(subject), hear).state == "cancelled"
        assert checkpoint.newest(subject / "training", "main")[1].step > 2  # type: ignore[index]

    def test_other_ends_are_explained_by_the_last_words(self) -> None:
        assert "with exit code 3 (No module named nonsense)" in why_it_ended(3, [b"x\n", b"No module named nonsense\n"])
        assert "by SIGSEGV" in why_it_ended(-signal.SIGSEGV, [])

    def test_without_whoever_asked_it_stops_and_keeps_everything(self, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "subject").folder
        asking = subprocess.Popen(
            [sys.executable, "-m", "everybody_dance.jobs.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert asking.stdin is not None
        assert asking.stdout is not None
        request = json.loads(to_json("train", long_training(subject)))
        asking.stdin.write(json.dumps({"kind": "train", "request": request}).encode() + b"\n")
        asking.stdin.flush()
        for line in asking.stdout:
            message = json.loads(line)
            if message.get("stage") == "Training" and message["done"] > 2:
                asking.stdin.close()
                break
        *_, last = asking.stdout
        assert json.loads(last) == {"event": "cancelled"}
        assert asking.wait(90) == 0
        assert checkpoint.newest(subject / "training", "main")[1].step > 2  # type: ignore[index]

    def test_prints_do_not_disturb(self, tmp_path: Path) -> None:
        program = textwrap.dedent(
            """
            import os
            from everybody_dance.jobs import work, worker
            def run(self, request, hear, cancellation):
                print("a stray print")
                os.system("echo one of a child")
                os.write(1, b"and a native one")
                return {"figure": float("nan")}
            work.Work.run = run
            worker.main([])
            """
        )
        said, errors = served(program)
        assert said == [{"event": "done", "figures": {"figure": None}, "outputs": {}}]
        assert all(words in errors for words in ("a stray print", "one of a child", "and a native one"))

    def test_progress_comes_at_most_twenty_times_a_second(self, tmp_path: Path) -> None:
        program = textwrap.dedent(
            """
            from everybody_dance.events import Progress
            from everybody_dance.jobs import work, worker
            def run(self, request, hear, cancellation):
                for done in range(1001):
                    worker.time.monotonic = lambda: 50 + done / 1024
                    hear(Progress("Work", done, None))
                hear(Progress("Work", done, None, finished=True))
                return {}
            work.Work.run = run
            worker.main([])
            """
        )
        said, _ = served(program)
        *progress, last = said
        assert last["event"] == "done"
        assert [one["done"] for one in progress] == [*range(0, 1001, 52), 1000]
        assert [one["finished"] for one in progress] == [False] * 20 + [True]


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[JobQueue]:
    with JobStore(tmp_path / "jobs") as opened, JobQueue(opened) as started:
        yield started


def trains(job: Job) -> bool:
    """It is in the middle of its training."""
    return job.progress is not None and job.progress["stage"] == "Training" and job.progress["done"] > 2


class TestQueue:
    def test_one_after_the_other(self, jobs: JobQueue, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "subject").folder
        heard: list[tuple[int, object]] = []
        end = jobs.listen(lambda job, message: heard.append((job.id, message.get("state") or message["event"])))
        first = jobs.submit("train", short_training(subject), "Anna")
        second = jobs.submit("train", short_training(tmp_path / "nobody"), "Nobody")
        failed = jobs.wait(second, 100)
        done = jobs.job(first)
        assert done.state == "done"
        assert done.result is not None
        assert done.result["figures"]["steps"] == 3
        assert done.result["outputs"]["model"] == str(subject / "model")
        assert done.finished is not None
        assert failed.started is not None
        assert done.finished <= failed.started
        assert (failed.state, failed.error_code, failed.attempts) == ("failed", "no-subject", 1)
        states = [state for job, state in heard if job == first and state != "progress"]
        assert states == ["waiting", "running", "artifact", "artifact", "done"]
        kept = [event.message for event in jobs.events(job=first)]
        assert [message.get("state") or message["event"] for message in kept] == states
        end()
        before = len(heard)
        jobs.remove(first)
        assert len(heard) == before
        assert [job.id for job in jobs.jobs()] == [second]

    def test_paused_and_gone_on_with(self, jobs: JobQueue, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "subject").folder
        number = jobs.submit("train", long_training(subject), "Anna")
        other = jobs.submit("train", short_training(tmp_path / "nobody"), "Nobody")
        soon(lambda: trains(jobs.job(number)))
        jobs.pause(number)
        assert jobs.wait(number, 90).state == "paused"
        step = checkpoint.newest(subject / "training", "main")[1].step  # type: ignore[index]
        assert jobs.wait(other, 90).state == "failed"
        jobs.go_on(number)
        soon(lambda: (jobs.job(number).progress or {}).get("done", 0) > step)
        jobs.cancel(number)
        cancelled = jobs.wait(number, 90)
        assert (cancelled.state, cancelled.attempts) == ("cancelled", 2)
        jobs.retry(number)
        assert jobs.job(number).state in ("waiting", "running")

    def test_what_waits_is_stopped_at_once(self, jobs: JobQueue, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "subject").folder
        first, second = (jobs.submit("train", long_training(subject), "Anna") for _ in range(2))
        jobs.pause(second)
        assert jobs.job(second).state == "paused"
        jobs.cancel(second)
        assert jobs.job(second).state == "cancelled"
        for call, number in ((jobs.go_on, second), (jobs.pause, second), (jobs.remove, first), (jobs.retry, first)):
            with pytest.raises(UsageError) as refused:
                call(number)
            assert refused.value.code == "wrong-state"
        with pytest.raises(DanceError) as refused_too:
            jobs.job(17)
        assert refused_too.value.code == "no-job"

    def test_cancelled_at_once_after_it_began(
        self, jobs: JobQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        after = process._after
        deadlines: list[float] = []

        def at_once(seconds: float, work: Callable[[], None]) -> threading.Timer:
            deadlines.append(seconds)
            return after(0, work)

        monkeypatch.setattr(process, "_after", at_once)  # no time passes: whatever it does by itself, it is stopped
        subject = make_subject(tmp_path / "subject").folder
        running = threading.Event()
        jobs.listen(lambda job, message: running.set() if message.get("state") == "running" else None)
        number = jobs.submit("train", long_training(subject), "Anna")
        assert running.wait(90)
        jobs.cancel(number)
        assert jobs.wait(number, 90).state == "cancelled"
        assert deadlines[0] == process.SECONDS_TO_STOP
        assert sum(deadlines) <= 10

    def test_a_job_whose_process_is_killed_can_be_tried_again(self, jobs: JobQueue, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "subject").folder
        number = jobs.submit("train", long_training(subject), "Anna")
        soon(lambda: trains(jobs.job(number)))
        (running,) = jobs._running.values()
        assert running.process.number is not None
        os.kill(running.process.number, signal.SIGKILL)
        failed = jobs.wait(number, 90)
        assert (failed.state, failed.error_code) == ("failed", "process-ended")
        jobs.retry(number)
        again = jobs.job(number)
        assert (again.error_code, again.error_message) == (None, None)

    def test_closed_it_goes_on_next_time(self, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "subject").folder
        with JobStore(tmp_path / "jobs") as opened:
            with JobQueue(opened) as jobs:
                number = jobs.submit("train", long_training(subject), "Anna")
                soon(lambda: trains(jobs.job(number)))
            assert opened.get(number).state == "waiting"
        step = checkpoint.newest(subject / "training", "main")[1].step  # type: ignore[index]
        assert step > 2
        with JobStore(tmp_path / "jobs") as opened, JobQueue(opened) as jobs:
            soon(lambda: (jobs.job(number).progress or {}).get("done", 0) > step)
            assert jobs.job(number).attempts == 2

    def test_killed_it_finds_its_jobs_again(self, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "subject").folder
        program = textwrap.dedent(
            f"""
            import time
            from pathlib import Path
            from everybody_dance.jobs.queue import JobQueue
            from everybody_dance.jobs.requests import from_json
            from everybody_dance.jobs.store import JobStore
            queue = JobQueue(JobStore(Path({str(tmp_path / "jobs")!r})))
            queue.submit("train", from_json("train", {to_json("train", long_training(subject))!r}), "Anna")
            def trains(job):
                return job.progress is not None and job.progress["stage"] == "Training" and job.progress["done"] > 2
            while not trains(queue.job(1)):
                time.sleep(0.01)
            print("running", flush=True)
            time.sleep(600)
            """
        )
        server = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        assert server.stdout.readline() == "running\n"
        server.kill()
        server.wait()
        server.stdout.close()
        # At once: its worker may still be at work.
        with JobStore(tmp_path / "jobs") as opened, JobQueue(opened) as jobs:
            (found,) = jobs.jobs()
            assert found.state == "waiting"

            def goes_on() -> bool:
                job = jobs.job(found.id)  # its progress before the kill is kept, and says nothing
                return job.attempts == 2 and (job.state == "failed" or trains(job))

            soon(goes_on)
            again = jobs.job(found.id)
            assert (again.state, again.attempts) == ("running", 2)

    def test_a_transfer_runs_beside_a_training_with_two_workers(
        self, little_world: LittleWorld, tmp_path: Path
    ) -> None:
        one, other = (make_subject(tmp_path / name).folder for name in ("one", "other"))
        with JobStore(tmp_path / "jobs") as opened, JobQueue(opened, workers=2) as jobs:
            first, second = (jobs.submit("train", long_training(subject), "Anna") for subject in (one, other))
            dance = jobs.submit("transfer", dance_of(little_world, tmp_path / "a.mp4"), "Ben")
            assert jobs.wait(dance, 100).state == "done"
            assert (jobs.job(first).state, jobs.job(second).state) == ("running", "waiting")

    def test_an_idle_process_goes(self, jobs: JobQueue, little_world: LittleWorld, tmp_path: Path) -> None:
        idle = queue.SECONDS_IDLE
        queue.SECONDS_IDLE = 0.1
        try:
            number = jobs.submit("transfer", dance_of(little_world, tmp_path / "a.mp4"), "Ben")
            soon(lambda: jobs._running)
            (running,) = jobs._running.values()
            assert jobs.wait(number, 100).state == "done"
            soon(lambda: not running.process.alive)
        finally:
            queue.SECONDS_IDLE = idle

    def test_a_request_that_is_understood_no_more_fails_alone(self, tmp_path: Path) -> None:
        with JobStore(tmp_path / "jobs") as opened:
            number = opened.add("evaluate", REQUESTS["evaluate"], "Anna").id
            opened.change(number, request='{"person": "anna"}')
            with JobQueue(opened) as jobs:
                failed = jobs.wait(number, 90)
                assert (failed.state, failed.error_code) == ("failed", "bad-request")
