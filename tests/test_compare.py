"""``dance compare``: performers of the same footage, and videos against a true one."""

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from everybody_dance.pose.detection import Detection
from everybody_dance.workflows import compare
from subjects import make_subject, matte, picture, swaying
from worlds import LittleWorld, dance, write_video

FRAMES = 8


@pytest.fixture
def truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A video of the stick person, whom the detector finds."""
    keypoints = swaying(FRAMES)

    def detect(path: Path, on_matte, on_progress) -> Detection:  # type: ignore[no-untyped-def]
        for index in range(FRAMES):
            on_matte(matte(keypoints, index))
        return Detection(keypoints, (), "exact", np.ones(137, bool))

    monkeypatch.setattr(compare, "detect_video", detect)
    return write_video(tmp_path / "truth.mp4", frames())


def frames(blur: float = 0.0, count: int = FRAMES) -> list[np.ndarray]:
    found = [picture(swaying(count), index) for index in range(count)]
    return [cv2.GaussianBlur(frame, (0, 0), blur) for frame in found] if blur else found


class TestPerformers:
    def test_the_page_has_both_beside_the_truth(self, little_world: LittleWorld, tmp_path: Path) -> None:
        other = little_world.copy_of_subject(tmp_path / "other")
        model = little_world.copy_of_subject(tmp_path / "alone") / "model"
        assert dance("train", other, "--preset", "debug", "--steps", 6).code == 0
        out = tmp_path / "beside"
        done = dance("compare", little_world.subject, other, model, "--out", out, "--json")
        assert done.code == 0, done.stderr
        compared = done.report["metrics"]["compared"]
        assert list(compared) == ["subject", "other", "model"]
        assert compared["subject"] == compared["model"] != compared["other"]
        assert compared["other"]["body"]["sharpness"]["count"] == compared["other"]["body"]["ssim"]["count"] > 0
        assert json.loads((out / "compare.json").read_text())["compared"].keys() == compared.keys()
        assert done.report["outputs"]["compare"] == str(out / "compare.html")
        html = (out / "compare.html").read_text()
        assert not re.search(r'(src|href)="(?!data:|#)', html)
        for row in ("truth", "subject", "other", "subject, difference", "other, difference"):
            assert f"<th>{row}</th>" in html
        # The same again replaces what is ours.
        assert dance("compare", little_world.subject, other, "--out", out).code == 0
        (out / "mine.txt").touch()
        again = dance("compare", little_world.subject, other, "--out", out, "--json")
        assert (again.code, again.error[0]) == (2, "not-empty")

    def test_what_cannot_be_compared(self, little_world: LittleWorld, tmp_path: Path) -> None:
        stranger = make_subject(tmp_path / "stranger").folder
        shutil.copytree(little_world.subject / "model", stranger / "model")
        out = ("--out", tmp_path / "out", "--json")

        def error(*arguments: Path | str) -> tuple[int, str]:
            done = dance("compare", *arguments, *out)
            return done.code, done.error[0]

        one = little_world.subject
        assert error(stranger, one) == (1, "other-footage")
        assert error(one) == error(one, one) == (2, "nothing-to-compare")
        assert error(one, tmp_path / "nothing") == (1, "file-not-found")
        assert error(one, little_world.target) == (2, "mixed")
        assert error(one, stranger, "--truth", little_world.target) == (2, "no-use")
        assert not (tmp_path / "out").exists()


class TestVideos:
    def test_the_sharper_one_is_marked(self, truth: Path, tmp_path: Path) -> None:
        sharp = write_video(tmp_path / "a" / "v.mp4", frames(0.7))
        soft = write_video(tmp_path / "b" / "v.mp4", frames(2))
        done = dance("compare", soft, sharp, "--truth", truth, "--out", tmp_path / "out", "--json")
        assert done.code == 0, done.stderr
        compared = done.report["metrics"]["compared"]
        assert list(compared) == [str(soft), str(sharp)]  # both are called v.mp4
        for measure in ("ssim", "psnr", "sharpness"):
            worse, better = (compared[str(path)]["body"][measure]["mean"] for path in (soft, sharp))
            assert worse < better
        assert compared[str(sharp)]["body"]["flicker_person"]["count"] == FRAMES - 1
        body = (tmp_path / "out" / "compare.md").read_text().split("### Body")[1].split("###")[0]
        marked = [line.split("|")[3] for line in body.splitlines() if "SSIM" in line or "sharpness" in line]
        assert len(marked) == 2
        assert all("**" in cell for cell in marked)

    def test_they_must_match_the_truth(self, truth: Path, tmp_path: Path) -> None:
        good = write_video(tmp_path / "good.mp4", frames())
        longer = write_video(tmp_path / "longer.mp4", frames(count=FRAMES + 3))
        one_more = write_video(tmp_path / "one-more.mp4", frames(count=FRAMES + 1))
        one_less = write_video(tmp_path / "one-less.mp4", frames(count=FRAMES - 1))
        small = write_video(tmp_path / "small.mp4", (frame[:64] for frame in frames()))
        slow = write_video(tmp_path / "slow.mp4", frames(), 10)
        for bad in (longer, one_more, one_less, small, slow):
            done = dance("compare", good, bad, "--truth", truth, "--out", tmp_path / "out", "--json")
            assert (done.code, done.error[0]) == (1, "not-alike"), bad
            assert bad.name in done.error[1]
        done = dance("compare", good, longer, "--json")
        assert (done.code, done.error[0]) == (2, "no-truth")
