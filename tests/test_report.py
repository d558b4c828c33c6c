"""Reports: what is in them, that they need nothing else, and that the same figures give the same file."""

import base64
import json
import re
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from everybody_dance.evaluation import results
from everybody_dance.evaluation.compare import Spread, compare_all
from everybody_dance.evaluation.gallery import SHOWN, Gallery, difference
from everybody_dance.evaluation.report import Clip, Report, Strip, Table, figure_table, plot
from everybody_dance.performer.model_files import load_performer
from everybody_dance.video.reader import VideoReader
from subjects import SIZE, picture, swaying
from worlds import LittleWorld, dance

pytestmark = pytest.mark.usefixtures("detected_once")


def spread(mean: float) -> Spread:
    return Spread(mean, 0.01, 5)


class TestTables:
    def test_the_best_is_marked_by_what_is_better(self) -> None:
        figures = {
            "ours": {"body": {"ssim": spread(0.9), "psnr": spread(20), "flicker": spread(2)}},
            "theirs": {"body": {"ssim": spread(0.8), "psnr": spread(30), "flicker": spread(1)}},
            "frozen": {"body": {"ssim": spread(0.1), "flicker": spread(0.5)}},
        }
        names = {"ours": "we", "theirs": "they", "frozen": "nobody", "absent": "no one"}
        table = figure_table("Body", figures, "body", names, still={"frozen"})
        assert table.columns == ["", "we", "they", "nobody"]
        assert [row[0] for row in table.rows] == ["SSIM", "PSNR (dB)", "flicker (of 255)"]
        assert list(table.best) == [1, 2, 2]
        assert table.rows[0][1] == "0.900 ± 0.010"
        assert table.rows[1][3] == ""

    def test_markdown(self) -> None:
        table = Table("T", ["", "a", "b"], [["x", "1", "2"]], [2], note="said")
        assert table.markdown().splitlines() == [
            "### T",
            "",
            "|  | a | b |",
            "|---|---|---|",
            "| x | 1 | **2** |",
            "",
            "said",
        ]


class TestPage:
    def test_it_needs_no_network_and_hides_no_markup(self) -> None:
        image = cv2.imencode(".jpg", np.zeros((4, 4, 3), np.uint8))[1].tobytes()
        page = Report(
            "A <b>title",
            ["First & foremost."],
            [
                Table("Figures", ["", "a"], [["x", "1"]], [1]),
                plot("Curve", [1, 2, 3], {"a": [0.1, 0.2, float("nan")], "b": [3, 2, 1]}, x_label="x", y_label="y"),
                Strip("Strip", {"row": [image, image]}),
                Clip("Clip", ["one", "two"], b"mp4", note="moving"),
            ],
            {"command": "dance", "performers": {"result": {"seed": 3}}},
        )
        html = page.html()
        assert "A &lt;b&gt;title" in html
        assert "First &amp; foremost." in html
        assert not re.search(r'(src|href)="(?!data:|#)', html)
        assert "<script" not in html
        assert html.count('<img src="data:image/jpeg;base64,') == 2
        assert base64.b64encode(b"mp4").decode() in html
        assert "performers.result.seed" in html
        assert html.count("<svg") == 1
        assert page.html() == html

    def test_the_same_curves_are_the_same_drawing(self) -> None:
        one, two = (plot("p", [1, 2, 4], {"a": [1, 2, 3]}, x_label="x", y_label="y", log=True).svg for _ in range(2))
        assert one == two


class TestGallery:
    def test_crops_and_a_clip(self, tmp_path: Path) -> None:
        keypoints = swaying(10)
        truth = [picture(keypoints, index) for index in range(10)]
        with Gallery(keypoints) as gallery:
            compare_all({"result": [255 - frame for frame in truth]}, truth, keypoints, watchers=[gallery])
        assert list(gallery.bodies) == list(gallery.faces) == ["pose", "truth", "result", "differs"]
        assert {len(row) for row in gallery.bodies.values()} == {SHOWN}
        shapes = {
            cv2.imdecode(np.frombuffer(image, np.uint8), 1).shape for row in gallery.bodies.values() for image in row
        }
        assert len(shapes) == 1
        assert gallery.clip is not None
        (tmp_path / "clip.mp4").write_bytes(gallery.clip)
        with VideoReader(tmp_path / "clip.mp4") as reader:
            frames = list(reader)
        assert len(frames) == 10
        assert reader.fps == Fraction(25)
        third = frames[0].shape[1] // 3
        left, right = frames[0][:, third : 2 * third].astype(int), frames[0][:, 2 * third :].astype(int)
        assert np.abs(left + right - 255).mean() < 6

    def test_where_a_result_differs(self) -> None:
        truth = np.full((8, 8, 3), 100, np.uint8)
        result = truth.copy()
        result[:4] += 60
        shown = difference(result, truth).sum(axis=2)
        assert shown[:4].min() > 300 > 20 > shown[4:].max()
        assert np.array_equal(difference(result, truth), difference(truth, result))

    def test_nobody_seen_leaves_nothing_to_show(self) -> None:
        keypoints = swaying(3)[np.zeros(0, np.int64)]
        with Gallery(keypoints) as gallery:
            pass
        assert gallery.sections({}) == []
        assert gallery.clip is None


class TestResults:
    def test_a_line_more_unless_it_is_there(self, tmp_path: Path) -> None:
        for figures in ({"a": 1}, {"a": 2}, {"a": 1}):
            results.append(tmp_path, "report", {"command": "dance"}, figures)
        lines = (tmp_path / results.RECORDS).read_text().splitlines()
        assert [json.loads(line)["figures"]["a"] for line in lines] == [1, 2]

    def test_provenance_says_what_but_not_when(self, little_world: LittleWorld) -> None:
        performer = load_performer(little_world.subject, "cpu")
        one, two = (results.provenance(["dance"], {"p": (little_world.subject, performer)}) for _ in range(2))
        assert one == two
        assert one["performers"]["p"]["seed"] == 0
        assert len(one["performers"]["p"]["sha256"]) == 64


class TestEvaluate:
    def test_a_report_figures_and_a_record(self, little_world: LittleWorld, tmp_path: Path) -> None:
        subject = little_world.copy_of_subject(tmp_path / "s")
        outcome = dance("evaluate", subject, "--json")
        assert outcome.code == 0, outcome.stderr
        metrics = outcome.report["metrics"]
        assert set(metrics) == {"result", "nearest_neighbor", "background", "steadiness"}
        assert metrics["result"]["body"]["ssim"]["count"] == 5
        assert len(metrics["steadiness"]["passes"]) == 6
        folder = subject / "evaluation"
        assert outcome.report["outputs"] == {"report": str(folder / "report.html")}
        assert json.loads((folder / "report.json").read_text()) == metrics
        assert "video/mp4" in (folder / "report.html").read_text()
        told = (folder / "report.md").read_text()
        assert "### Body" in told
        assert dance("evaluate", subject, "--json").code == 0
        assert (folder / "report.md").read_text() == told
        assert len((folder / results.RECORDS).read_text().splitlines()) == 1

    def test_the_ablation(self, little_world: LittleWorld, tmp_path: Path) -> None:
        subject = little_world.copy_of_subject(tmp_path / "s")
        outcome = dance("evaluate", subject, "--ablation", "--preset", "debug", "--steps", 4, "--seeds", 2, "--json")
        assert outcome.code == 0, outcome.stderr
        rows = outcome.report["metrics"]["ablation"]
        assert {"frame by frame", "+ face GAN", "nearest_neighbor"} <= set(rows[0]["ours"])
        assert (subject / "evaluation" / "ablation.html").stat().st_size > 20_000

    def test_nothing_held_out(self, little_world: LittleWorld, tmp_path: Path) -> None:
        prepared = dance(
            "prepare", little_world.target, "--out", tmp_path / "s", "--pose", little_world.target_pose, "--holdout", 0
        )
        assert prepared.code == 0, prepared.stderr
        outcome = dance("evaluate", tmp_path / "s", "--json")
        assert (outcome.code, outcome.error[0]) == (1, "nothing-held-out")

    def test_weights_that_are_not(self, little_world: LittleWorld, tmp_path: Path) -> None:
        (tmp_path / "weights.pth").write_bytes(b"nothing")
        outcome = dance("evaluate", little_world.subject, "--lpips-weights", tmp_path / "weights.pth", "--json")
        assert (outcome.code, outcome.error[0]) == (1, "bad-lpips-weights")
        both = dance(
            "evaluate", little_world.subject, "--lpips-weights", tmp_path / "weights.pth", "--download-lpips", "--json"
        )
        assert (both.code, both.error[0]) == (2, "two-weights")


def test_sizes_are_said() -> None:
    with pytest.raises(ValueError, match="expected"):
        compare_all({"result": [np.zeros((9, 9, 3), np.uint8)]}, [np.zeros((*SIZE, 3), np.uint8)], swaying(1))
