"""PNG frames in a folder: complete or absent, with alpha and the statement that an AI made them."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.events import Finding
from everybody_dance.synthesis.config import TransferConfig
from everybody_dance.video.frames import frames_into
from everybody_dance.video.provenance import AI_COMMENT, AI_SOURCE_TYPE
from everybody_dance.video.reader import probe
from everybody_dance.workflows.run import RunRequest
from everybody_dance.workflows.transfer import PreviewRequest, check_transfer, preview
from test_video import encode, flat
from worlds import SOURCE_FRAMES, LittleWorld, Outcome, dance


@pytest.mark.parametrize("channels", [3, 4])
def test_frames_are_kept_and_say_who_made_them(tmp_path: Path, channels: int) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 20, 30, channels), np.uint8)
    (tmp_path / "f").mkdir()
    with frames_into(tmp_path / "f") as write:
        for frame in frames:
            write(frame)
        assert not any((tmp_path / "f").iterdir())
    paths = sorted((tmp_path / "f").iterdir())
    assert [path.name for path in paths] == [f"frame-00000{number}.png" for number in (1, 2, 3)]
    for path, frame in zip(paths, frames, strict=True):
        with Pillow.open(path) as image:  # which checks the chunks' sums
            assert np.array_equal(np.asarray(image), frame)
            assert AI_SOURCE_TYPE in image.text["XML:com.adobe.xmp"]  # type: ignore[attr-defined]
            assert image.text["Comment"] == AI_COMMENT  # type: ignore[attr-defined]
            assert AI_SOURCE_TYPE.encode() in image.info["xmp"]
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_nothing_is_left_of_a_failure(tmp_path: Path) -> None:
    def stop() -> None:
        with frames_into(tmp_path / "f") as write:
            write(np.zeros((8, 8, 3), np.uint8))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stop()
    assert not any(tmp_path.iterdir())


def test_what_came_meanwhile_is_kept(tmp_path: Path) -> None:
    def write_late() -> None:
        with frames_into(tmp_path / "f") as write:
            write(np.zeros((8, 8, 3), np.uint8))
            (tmp_path / "f").mkdir()
            (tmp_path / "f" / "mine").write_text("kept")

    with pytest.raises(DanceError) as caught:
        write_late()
    assert caught.value.code == "cannot-write"
    assert [path.name for path in tmp_path.rglob("*")] == ["f", "mine"]


def test_where_no_folder_can_be_made_is_known_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every file system says so to ``access``: network drives and /proc do not."""
    quiet = encode(tmp_path / "quiet.mp4", [flat(90)] * 3)

    def refuse(folder: Path, *_: object) -> None:
        raise PermissionError(errno.EPERM, "not permitted", str(folder))

    before = sorted(tmp_path.iterdir())
    check_transfer(quiet, [tmp_path / "frames"], [tmp_path / "s"], TransferConfig())
    assert sorted(tmp_path.iterdir()) == before
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(DanceError) as caught:
        check_transfer(quiet, [tmp_path / "frames"], [tmp_path / "s"], TransferConfig())
    assert caught.value.code == "cannot-write"
    assert sorted(tmp_path.iterdir()) == before


class TestCommand:
    def run(self, world: LittleWorld, out: str, *more: str) -> Outcome:
        return dance(
            "transfer", world.subject, world.source, "--pose", world.source_pose, "--out", out, "--json", *more
        )

    def test_frames_and_a_comparison(self, little_world: LittleWorld, tmp_path: Path) -> None:
        done = self.run(little_world, f"{tmp_path}/frames/", "--compare")
        assert done.code == 0, done.stderr
        out = tmp_path / "frames"
        assert done.report["outputs"] == {"result": str(out), "comparison": f"{out}.comparison.mp4"}
        assert len(list(out.glob("frame-*.png"))) == SOURCE_FRAMES
        with Pillow.open(out / "frame-000001.png") as image:
            assert image.mode == "RGB"
        assert probe(tmp_path / "frames.comparison.mp4").size[1] == image.height
        again = self.run(little_world, str(out))
        assert again.error[0] == "not-empty"
        assert len(list(out.iterdir())) == SOURCE_FRAMES

    def test_transparent(self, little_world: LittleWorld, tmp_path: Path) -> None:
        done = self.run(little_world, str(tmp_path / "frames"), "--background", "none")
        assert done.code == 0, done.stderr
        with Pillow.open(tmp_path / "frames" / "frame-000001.png") as image:
            assert image.mode == "RGBA"
            assert image.getchannel("A").getextrema()[0] == 0

    @pytest.mark.parametrize("name", ["frames.png", ".", "..", "new/.."])
    def test_no_folders_name(self, little_world: LittleWorld, name: str) -> None:
        assert self.run(little_world, name).error[0] == "usage"


def test_the_subject_may_not_lie_within(little_world: LittleWorld, tmp_path: Path) -> None:
    request = RunRequest(source=little_world.source, target=little_world.target, out=tmp_path / "frames")
    assert request.folder == tmp_path / "frames.subject"
    for subject in (request.out, request.out / "s"):
        with pytest.raises(UsageError) as caught:
            check_transfer(request.source, [request.out], [subject], TransferConfig())
        assert caught.value.code == "overwrites-input"


def test_sound_is_left_out_and_said(tmp_path: Path, findings: list[Finding]) -> None:
    loud = encode(tmp_path / "loud.mp4", [flat(90)] * 25, click_at=0.2, seconds_of_sound=1)
    quiet = encode(tmp_path / "quiet.mp4", [flat(90)] * 3)
    for source, codes in ((quiet, []), (loud, ["frames-without-sound"])):
        check_transfer(source, [tmp_path / "frames"], [tmp_path / "s"], TransferConfig())
        assert [finding.code for finding in findings] == codes


def test_a_preview_is_a_video(little_world: LittleWorld, tmp_path: Path) -> None:
    request = PreviewRequest(subject=little_world.subject, source=little_world.source, out=tmp_path / "frames")
    with pytest.raises(UsageError) as caught:
        preview(request)
    assert caught.value.code == "bad-suffix"
