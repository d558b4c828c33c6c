"""Work beside the painting: in order, few items at a time, and no error is lost."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from everybody_dance import events
from everybody_dance.errors import DanceError
from everybody_dance.events import Cancellation, Cancelled, Event, Finding, Progress, listening
from everybody_dance.synthesis.beside import MOST_WAITING, beside
from everybody_dance.synthesis.config import TransferConfig
from everybody_dance.video.writer import VideoWriter
from everybody_dance.workflows.transfer import TransferRequest, transfer
from worlds import LittleWorld


def test_in_order_in_another_thread_and_all_of_it() -> None:
    done: list[tuple[int, int]] = []
    with beside(lambda item: done.append((item, threading.get_ident()))) as hand_over:
        for item in range(20):
            hand_over(item)
    assert [item for item, _ in done] == list(range(20))
    assert len({thread for _, thread in done} | {threading.get_ident()}) == 2


def test_few_items_wait() -> None:
    handed, done, most = 0, 0, 0

    def work(_: int) -> None:
        nonlocal done, most
        time.sleep(0.002)
        most = max(most, handed - done)
        done += 1

    with beside(work) as hand_over:
        for item in range(30):
            hand_over(item)
            handed += 1
    assert done == 30
    assert 2 <= most <= MOST_WAITING + 1


@pytest.mark.parametrize("last", [3, 30])
def test_what_it_raises_is_raised(last: int) -> None:
    """While there are more items, and at the end."""
    done = []

    def work(item: int) -> None:
        if item == 3:
            raise ValueError("of three")
        done.append(item)

    handed: list[int] = []

    def hand_all() -> None:
        with beside(work) as hand_over:
            for item in range(last + 1):
                hand_over(item)
                handed.append(item)

    with pytest.raises(ValueError, match="of three"):
        hand_all()
    assert len(handed) <= 3 + MOST_WAITING + 1
    assert done[:3] == [0, 1, 2]


def test_what_waits_is_dropped_when_the_block_raises() -> None:
    started, go_on, done = threading.Event(), threading.Event(), []

    def work(item: int) -> None:
        started.set()
        go_on.wait(10)
        done.append(item)

    def stop(hand_over: Any) -> None:
        hand_over(0)
        hand_over(1)
        started.wait(10)
        threading.Timer(0.05, go_on.set).start()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), beside(work) as hand_over:
        stop(hand_over)
    assert done == [0]


def test_its_events_are_heard() -> None:
    heard: list[Event] = []
    with listening(heard.append), beside(lambda item: events.remark("here", f"{item}")) as hand_over:
        hand_over(7)
    assert [event.message for event in heard if isinstance(event, Finding)] == ["7"]


def request_of(world: LittleWorld, out: Path) -> TransferRequest:
    config = TransferConfig(pose=world.source_pose)
    return TransferRequest(performer=world.subject, source=world.source, out=out, config=config, compare=True)


@pytest.mark.parametrize("name", ["out.mp4", "frames"])
def test_an_error_of_the_encoder_reaches_the_user(
    little_world: LittleWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write, written = VideoWriter.write, 0

    def full(writer: VideoWriter, frame: Any) -> None:
        nonlocal written
        if writer.size[0] > 64:  # not the trial before the work
            written += 1
            if written == 5:
                raise OSError(28, "No space left on device")
        write(writer, frame)

    monkeypatch.setattr(VideoWriter, "write", full)
    with pytest.raises(DanceError) as caught:
        transfer(request_of(little_world, tmp_path / name))
    assert caught.value.code == "disk-full"
    assert list(tmp_path.iterdir()) == []


def test_cancelled_nothing_is_left(little_world: LittleWorld, tmp_path: Path) -> None:
    cancellation = Cancellation()

    def listen(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == "Dancing" and event.done == 3:
            cancellation.request()

    with pytest.raises(Cancelled):
        transfer(request_of(little_world, tmp_path / "out.mp4"), listen, cancellation)
    assert list(tmp_path.iterdir()) == []
