"""A dance moved from where it was fitted: about its feet, by shares of the picture, the same painted and previewed."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from everybody_dance.errors import UsageError
from everybody_dance.jobs.batch.rows import read_rows
from everybody_dance.keypoints import Keypoints
from everybody_dance.retarget.landing import Outline, feet, landed
from everybody_dance.retarget.options import AS_FITTED, Landing
from everybody_dance.retarget.statistics import measure
from everybody_dance.skeleton import ANKLES, Joint
from everybody_dance.synthesis import preview as preview_module
from everybody_dance.synthesis import transfer as transfer_module
from everybody_dance.video.reader import VideoReader
from figures import clip, standing
from worlds import SOURCE_FRAMES, LittleWorld, dance, write_openpose, write_video

SIZE = (640, 480)


def swaying(x: float = 300) -> Keypoints:
    """Somebody 150 tall on the ground at 400, who sways by 30 to either side."""
    return clip([standing(x + 30 * np.sin(index / 9), 400, 150) for index in range(114)], SIZE)


def test_as_fitted_nothing_changes() -> None:
    fitted = swaying()
    assert landed(fitted, AS_FITTED) is fitted


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.5])
def test_scaled_the_feet_stay_on_the_floor(scale: float) -> None:
    fitted = swaying()
    moved = landed(fitted, Landing(scale=scale))
    assert measure(moved).ground == pytest.approx(measure(fitted).ground, abs=0.5)
    heights = [np.ptp(each.xy[:, [Joint.NOSE, Joint.LEFT_ANKLE], 1], axis=1) for each in (fitted, moved)]
    assert heights[1] == pytest.approx(scale * heights[0], rel=1e-3)
    # Steps and the way that they cover grow alike: feet do not slide.
    way = [np.ptp(each.xy[:, Joint.LEFT_ANKLE, 0]) for each in (fitted, moved)]
    assert way[1] == pytest.approx(scale * way[0], rel=1e-3)
    assert measure(moved).statistics.center_x == pytest.approx(measure(fitted).statistics.center_x, abs=0.5)


def test_shares_are_of_the_pictures_width_and_height() -> None:
    fitted = swaying()
    moved = landed(fitted, Landing(shift=0.25, floor=-0.1))
    found = fitted.found
    assert (moved.xy - fitted.xy)[found] == pytest.approx(np.broadcast_to([160, -48], (found.sum(), 2)), abs=1e-3)


def test_all_three_together() -> None:
    fitted = swaying()
    x, y = feet(fitted)
    moved = landed(fitted, Landing(scale=0.5, shift=-0.1, floor=0.05))
    assert feet(moved) == pytest.approx([x - 64, y + 24], abs=0.5)


def test_who_is_moved_out_of_the_picture_is_not_seen() -> None:
    assert not landed(swaying(), Landing(shift=-1)).person_seen.any()


def test_nobody_stays_nobody() -> None:
    nobody = replace(swaying(), confidence=np.zeros((114, 137), np.float32))
    assert landed(nobody, Landing(scale=2)) is nobody
    assert Outline.of(nobody) is None


def test_without_feet_the_hips_stay() -> None:
    fitted = swaying()
    confidence = fitted.confidence.copy()
    confidence[:, [*ANKLES, Joint.LEFT_KNEE, Joint.RIGHT_KNEE, *range(19, 25)]] = 0
    seated = replace(fitted, confidence=confidence)
    moved = landed(seated, Landing(scale=0.5))
    assert moved.xy[:, Joint.MID_HIP, 1] == pytest.approx(seated.xy[:, Joint.MID_HIP, 1], abs=1)


def test_the_outline_of_a_dance() -> None:
    outline = Outline.of(swaying())
    assert outline is not None
    left, top, right, bottom = outline.box
    assert left < 275
    assert right > 325
    assert top < 300
    assert bottom >= 400
    assert outline.feet == pytest.approx((300, 400), abs=3)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"scale": 3.0}, "--scale is from 0.5 to 2, not 3."),
        ({"scale": float("nan")}, "--scale is from 0.5 to 2, not nan."),
        ({"shift": -1.5}, "--shift is from -1 to 1, not -1.5."),
        ({"floor": float("inf")}, "--floor is from -1 to 1, not inf."),
    ],
)
def test_values_out_of_range_are_refused_in_a_sentence(values: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError) as refused:
        Landing(**values)
    assert (refused.value.code, refused.value.message) == ("bad-landing", words)


@pytest.mark.parametrize("command", [("transfer", "s", "v.mp4"), ("run", "a.mp4", "b.mp4")], ids=lambda words: words[0])
@pytest.mark.parametrize("option", [("--scale", "3"), ("--scale", "tall"), ("--shift", "nan"), ("--floor", "-2")])
def test_wrong_options_exit_with_2_before_any_work(
    command: tuple[str, ...], option: tuple[str, str], tmp_path: Path
) -> None:
    outcome = dance(*command, "--out", tmp_path / "o.mp4", *option)
    assert outcome.code == 2
    assert outcome.stderr.startswith("Error: ")
    assert option[0] in outcome.stderr
    assert not list(tmp_path.iterdir())


def test_rows_of_a_batch(tmp_path: Path) -> None:
    table = tmp_path / "jobs.csv"
    table.write_text("performer,source,out,scale,shift,floor\na,b,c.mp4,0.8,-0.1,\na,b,d.mp4,,,\n")
    one, other = read_rows(table, {"floor": "0.05"})
    assert one.request.config.landing == Landing(scale=0.8, shift=-0.1, floor=0.05)
    assert other.request.config.landing == Landing(floor=0.05)
    for cell, code in (("3", "bad-landing"), ("tall", "bad-value")):
        table.write_text(f"performer,source,out,scale\na,b,c.mp4,{cell}\n")
        with pytest.raises(UsageError, match="line 2") as refused:
            read_rows(table, {})
        assert refused.value.code == code


@pytest.mark.parametrize("more", [(), ("--no-normalize",)], ids=["fitted", "as it stands"])
def test_painted_where_it_was_previewed(
    little_world: LittleWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    painted: list[Keypoints] = []
    drawn: list[Keypoints] = []
    dance_clip, preview = transfer_module.dance_clip, preview_module.preview_normalization

    def painting(performer, placed, cuts):  # type: ignore[no-untyped-def]
        painted.append(placed)
        return dance_clip(performer, placed, cuts)

    def drawing(dance, *rest, **options):  # type: ignore[no-untyped-def]
        drawn.append(dance.placed)
        return preview(dance, *rest, **options)

    monkeypatch.setattr(transfer_module, "dance_clip", painting)
    monkeypatch.setattr("everybody_dance.workflows.transfer.preview_normalization", drawing)
    start = ("transfer", little_world.subject, little_world.source, "--pose", little_world.source_pose, *more)
    moved = ("--scale", "0.8", "--shift", "-0.1", "--floor", "0.05")
    for number, options in enumerate(((), moved)):
        outcome = dance(*start, *options, "--out", tmp_path / f"{number}.mp4", "--json")
        assert outcome.code == 0, outcome.stderr
    x, y = feet(painted[0])
    width, height = painted[0].size
    assert feet(painted[1]) == pytest.approx([x - 0.1 * width, y + 0.05 * height], abs=1)
    if not more:
        outcome = dance(*start, *moved, "--preview-normalization", "--out", tmp_path / "2.mp4", "--json")
        assert outcome.code == 0, outcome.stderr
        assert np.array_equal(drawn[0].xy, painted[1].xy)
        assert outcome.report["metrics"]["fitted"]["feet"] == pytest.approx([x, y], abs=1)
        with VideoReader(tmp_path / "2.normalization.mp4") as reader:
            assert reader.size[0] == width * outcome.report["metrics"]["pictures"]


def test_who_is_moved_out_of_the_picture_is_said_to_be(little_world: LittleWorld, tmp_path: Path) -> None:
    """It is not the source that lacks somebody, of one dancer or of several."""
    start = ("transfer", little_world.subject, little_world.source, "--pose", little_world.source_pose, "--json")
    alone = dance(*start, "--shift", "1", "--out", tmp_path / "alone.mp4")
    assert alone.code == 0, alone.stderr
    (told,) = (each for each in alone.report["findings"] if each["code"] in ("moved-out", "person-not-seen"))
    assert (told["code"], told["values"]) == ("moved-out", {"frames": SOURCE_FRAMES, "total": SOURCE_FRAMES})
    size = (160, 120)
    video = write_video(tmp_path / "black.mp4", [np.zeros((120, 160, 3), np.uint8)] * 6)
    left, right = (clip([standing(x, 110, 60)] * 6, size) for x in (50, 110))
    both = ("transfer", little_world.subject, video, "--pose", write_openpose(tmp_path / "poses", left, also=right))
    both += ("--person", "left", "--with", f"{little_world.subject}:right", "--json")
    for shift, codes in (("1", ["moved-out"]), ("0.2", [])):
        several = dance(*both, "--shift", shift, "--out", tmp_path / f"{shift}.mp4")
        assert several.code == 0, several.stderr
        found = [each["code"] for each in several.report["findings"]]
        assert [code for code in found if code in ("moved-out", "person-not-seen")] == codes


def test_several_are_moved_together(little_world: LittleWorld, tmp_path: Path) -> None:
    """Two performers, moved to the right by a fifth of the picture."""
    size = (160, 120)
    video = write_video(tmp_path / "black.mp4", [np.zeros((120, 160, 3), np.uint8)] * 12)
    left, right = (clip([standing(x, 110, 60)] * 12, size) for x in (50, 110))
    pose = write_openpose(tmp_path / "poses", left, also=right)
    start = ("transfer", little_world.subject, video, "--pose", pose, "--person", "left")
    start += ("--with", f"{little_world.subject}:right", "--background", "none")
    shares = []
    for name, options in (("a", ()), ("b", ("--shift", "0.2"))):
        outcome = dance(*start, *options, "--out", tmp_path / name, "--json")
        assert outcome.code == 0, outcome.stderr
        picture = cv2.imread(str(tmp_path / name / "frame-000006.png"), cv2.IMREAD_UNCHANGED)
        shares.append(picture[..., 3].astype(float) / 255)
    way = round(0.2 * shares[0].shape[1])
    assert np.abs(shares[1][:, way:] - shares[0][:, :-way])[:, : -way // 2].mean() < 0.1
    assert np.abs(shares[1] - shares[0]).mean() > 0.1
