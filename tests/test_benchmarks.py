"""The benchmarks on rendered dancers: small ones, the whole way."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from everybody_dance.evaluation import known_truth, limits
from everybody_dance.evaluation.known_truth import PAIRS, Pair, Studio
from everybody_dance.evaluation.limits import LEVELS, TREATMENTS
from everybody_dance.training.config import TrainConfig
from everybody_dance.training.loop import train
from everybody_dance.video.reader import VideoReader
from subjects import make_subject, picture, swaying
from worlds import dance


class TestLimits:
    def test_every_treatment_of_an_error(self, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "s")
        performer = train(subject, TrainConfig(preset="debug", refine=(), steps=2))
        found = swaying(12)
        truth = [picture(found, index) for index in range(12)]
        performers = {True: performer, False: performer}
        entries = []
        for kind, level in (("noise", 0.0), ("noise", 0.04), ("missing", 0.4), ("speed", 4.0), ("speed", 0.5)):
            measured, gallery = limits.measure(kind, level, found, truth, found, performers)
            assert [entry.treatment for entry in measured] == list(TREATMENTS)
            assert list(gallery.bodies) == ["pose", "truth", *TREATMENTS, "differs"]
            assert all(np.isfinite(entry.ssim) for entry in measured)
            assert all(np.isfinite(entry.flicker) == (level < 1) for entry in measured)
            entries += measured
        jitter = {entry.treatment: entry.flicker for entry in entries if entry.level == 0.04}
        assert jitter["all remedies"] < jitter["no smoothing"]
        page = limits.report(entries, {"Noise": gallery}, {}, frames=12, steps=2)
        text = page.markdown()
        assert "Jitter" in text
        assert text.count("nan") > 0  # what was not measured is not made up
        assert page.html().count("<svg") == 4

    def test_levels_begin_where_nothing_is_wrong(self) -> None:
        assert LEVELS["noise"][0] == LEVELS["missing"][0] == 0
        assert 1.0 in LEVELS["speed"]


class TestPairs:
    def test_they_are_what_they_promise(self) -> None:
        usual = {(pair.source, pair.target) for pair in PAIRS[:6] if pair.far == 1}
        assert len(usual) == 6
        assert all(pair.source != pair.target and pair.dance != "varied" for pair in PAIRS)
        assert {pair.far for pair in PAIRS[:8]} >= {1.0, 1.5}
        assert len(set(map(str, PAIRS))) == len(PAIRS)

    def test_videos_are_rendered_once(self, tmp_path: Path) -> None:
        studio = Studio(tmp_path, seconds=0.12, size=(64, 48))
        video = studio.dance("ada", "waves")
        first = video.stat().st_mtime_ns
        assert studio.dance("ada", "waves").stat().st_mtime_ns == first
        assert studio.dance("ada", "waves", far=2) != video
        with VideoReader(video) as reader:
            assert (reader.size, sum(1 for _ in reader)) == ((64, 48), 3)
        assert len(studio.exact("ada", "waves")) == 3

    def test_the_whole_way(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(known_truth, "PAIRS", (Pair("bruno", "ada", "waves"),))
        monkeypatch.setattr(known_truth, "Studio", partial(Studio, training_seconds=2.0, size=(192, 144)))
        arguments = ("benchmark", "transfer", "--out", tmp_path, "--pairs", 1, "--seconds", 0.5)
        outcome = dance(*arguments, "--preset", "debug", "--steps", 4, "--json")
        assert outcome.code == 0, outcome.stderr
        (pair,) = outcome.report["metrics"]["pairs"]
        assert (pair["source"], pair["target"]) == ("bruno", "ada")
        assert set(pair["figures"]) == {"result", "true_pose", "not_normalized", "nearest_neighbor", "background"}
        assert 0 < pair["placement"]["detected"] < 10
        assert {"ssim", "psnr", "flicker"} <= set(pair["figures"]["result"]["body"])
        assert "missed" in pair["figures"]["result"]["pose_all"]
        ssim = {name: figures["body"]["ssim"]["mean"] for name, figures in pair["figures"].items()}
        assert pair["lost_by_place"] == pytest.approx(ssim["true_pose"] - ssim["result"])
        assert pair["lost_by_look"] == pytest.approx(1 - ssim["true_pose"])
        html = (tmp_path / "transfer.html").read_text()
        assert "Where, and how it looks" in html
        assert "bruno to ada, waves: in motion" in html

    def test_either_minutes_or_steps(self, tmp_path: Path) -> None:
        for benchmark in ("transfer", "limits"):
            outcome = dance("benchmark", benchmark, "--out", tmp_path, "--steps", 4, "--minutes", 1, "--json")
            assert (outcome.code, outcome.error[0]) == (2, "steps-and-minutes")


def test_a_treatment_without_remedies_takes_the_poses_as_they_were_found() -> None:
    assert TREATMENTS["no remedies"].smoothing is None
    assert replace(TREATMENTS["all remedies"], smoothing=None, varied=False) == TREATMENTS["no remedies"]
