"""Several performers in one place: where they stand, who is in front, and what the command refuses."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from everybody_dance.commands.options import member
from everybody_dance.errors import DanceError
from everybody_dance.keypoints import Keypoints
from everybody_dance.retarget.normalize import normalize, place_unchanged
from everybody_dance.retarget.statistics import PoseStatistics, measure, pose_statistics
from everybody_dance.retarget.together import place_together, stay_together
from everybody_dance.skeleton import ANKLES, Joint
from everybody_dance.synthesis.config import TransferConfig
from everybody_dance.synthesis.source import Dance
from everybody_dance.synthesis.together import Layer, with_others
from everybody_dance.video.reader import VideoReader
from everybody_dance.workflows.transfer import find_dance
from figures import clip, standing
from subjects import swaying
from worlds import LittleWorld, dance, write_openpose, write_video

SOURCE, PLACE = (640, 480), (400, 300)


def dancer(x: float, ground: float, height: float, size: tuple[int, int] = SOURCE) -> Keypoints:
    """Somebody who sways by a fifth of their height."""
    frames = [standing(x + 0.2 * height * np.sin(index / 9), ground, height) for index in range(90)]
    return clip(frames, size)


def together(sources: list[Keypoints], target: Keypoints) -> list[Keypoints]:
    """Where each of the dancers comes to stand; the others' own places are four times as large as the first one's."""
    there = pose_statistics(target)
    large = pose_statistics(dancer(700, 1100, 900, (1600, 1200)))
    own: list[tuple[PoseStatistics, tuple[int, int]]] = [(there, PLACE), *[(large, (1600, 1200))] * (len(sources) - 1)]
    normalized = [normalize(source, *theirs, bones="source") for source, theirs in zip(sources, own, strict=True)]
    moved = place_together(
        sources, [each.keypoints for each in normalized], [each.scale for each in normalized], there, PLACE
    )
    return [each.keypoints(one.keypoints, PLACE) for each, one in zip(moved, normalized, strict=True)]


def test_distances_sizes_and_depth_are_the_sources() -> None:
    """At half of the source's size: the second one is to the right, nearer, and smaller."""
    sources = [dancer(280, 400, 200), dancer(380, 420, 150)]
    first, second = together(sources, dancer(200, 250, 100, PLACE))
    apart = [measure(two[1]).root[:, 0] - measure(two[0]).root[:, 0] for two in (sources, (first, second))]
    assert apart[1] == pytest.approx(0.5 * apart[0], abs=0.5)
    assert first.xy[45, ANKLES, 1].mean() == pytest.approx(250, abs=1)
    assert second.xy[45, ANKLES, 1].mean() == pytest.approx(260, abs=1)
    heights = [np.ptp(placed.xy[45, [Joint.NOSE, Joint.LEFT_ANKLE], 1]) for placed in (first, second)]
    assert heights[1] / heights[0] == pytest.approx(0.75, abs=0.01)


def test_all_of_them_stay_in_the_picture() -> None:
    """Too far apart, too near and too tall for the place."""
    sources = [dancer(320, 300, 120), dancer(60, 310, 120), dancer(590, 470, 330)]
    for placed in together(sources, dancer(200, 250, 140, PLACE)):
        assert (placed.found.mean(axis=1) > 0.99).mean() > 0.9
        assert measure(placed).root[:, 0].min() > 10
        assert measure(placed).root[:, 0].max() < PLACE[0] - 10


def test_alone_nothing_changes() -> None:
    source, target = dancer(280, 400, 200), dancer(200, 250, 100, PLACE)
    (placed,) = together([source], target)
    expected = normalize(source, pose_statistics(target), PLACE, bones="source").keypoints
    assert placed.xy == pytest.approx(expected.xy, abs=0.5)


def test_somebody_of_whom_too_little_is_seen_is_refused() -> None:
    source = dancer(280, 400, 200)
    hidden = Keypoints(source.xy, source.confidence * (np.arange(137) < 3), source.size, source.fps)
    there = pose_statistics(dancer(200, 250, 100, PLACE))
    with pytest.raises(DanceError) as error:
        place_together([source, hidden], [source, hidden], [np.ones(90)] * 2, there, PLACE)
    assert error.value.code == "too-little-seen"


def test_not_normalized_all_stay_where_they_are() -> None:
    """However large the others' own frames are."""
    sources, sizes = [dancer(280, 400, 200), dancer(380, 420, 150)], [PLACE, (1600, 900)]
    moved = stay_together(sources, sizes)
    for source, size, one in zip(sources, sizes, moved, strict=True):
        found, expected = one.keypoints(place_unchanged(source, size), PLACE), place_unchanged(source, PLACE)
        assert found.xy == pytest.approx(expected.xy, abs=0.01)
    assert (moved[0].place[:, 1] < moved[1].place[:, 1]).all()


RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def layer(colour: tuple[int, int, int], columns: slice, level: float, alpha: int = 255) -> Layer:
    person = np.zeros((4, 8, 4), np.uint8)
    person[:, columns] = (*colour, alpha)
    return Layer(person, level)


def test_who_stands_lower_is_in_front() -> None:
    picture, first = np.full((4, 8, 3), RED, np.uint8), np.zeros((4, 8), np.uint8)
    first[:, 2:6] = 255
    behind, before = layer(GREEN, slice(0, 4), 10), layer(BLUE, slice(5, 8), 30)
    found = with_others(picture, first, 20, [behind, before])
    assert found[0].tolist() == [list(colour) for colour in (GREEN, GREEN, RED, RED, RED, BLUE, BLUE, BLUE)]


def test_edges_are_mixed_and_what_is_transparent_stays_so() -> None:
    empty, nobody = np.zeros((4, 8, 4), np.uint8), np.zeros((4, 8), np.uint8)
    found = with_others(empty, nobody, 20, [layer(GREEN, slice(0, 2), 10, 128), layer(BLUE, slice(1, 3), 30, 128)])
    assert found[0, 0].tolist() == [*GREEN, 128]
    assert found[0, 2].tolist() == [*BLUE, 128]
    assert found[0, 4, 3] == 0
    # Blue over green: half of the light is blue, a quarter green, a quarter nothing.
    assert found[0, 1, 3] == pytest.approx(192, abs=1)
    assert found[0, 1, 2] / found[0, 1, 1] == pytest.approx(2, abs=0.03)
    opaque = with_others(np.full((4, 8, 3), RED, np.uint8), nobody, 20, [layer(GREEN, slice(0, 2), 10, 128)])
    assert opaque[0, 0].tolist() == pytest.approx([127, 128, 0], abs=1)


@pytest.mark.parametrize(("text", "folder", "who"), [("ben:2", "ben", "2"), ("a:b/c:left", "a:b/c", "left")])
def test_a_member_is_a_folder_and_a_person(text: str, folder: str, who: str) -> None:
    assert member(text) == (Path(folder), who)


def test_what_is_refused_before_the_work(little_world: LittleWorld, tmp_path: Path) -> None:
    world, out = little_world, tmp_path / "o.mp4"
    for more, code in (
        (("--with", "ben"), "usage"),
        (("--with", "ben:0"), "usage"),
        (("--person", "nobody"), "usage"),
        (("--with", tmp_path / "nothing:2"), "no-model"),
        (("--person", "all", "--with", f"{world.subject}:2"), "all-with-others"),
        (("--person", "all", "--preview-normalization"), "preview-alone"),
    ):
        outcome = dance("transfer", world.subject, world.source, "--out", out, *more, "--json")
        assert outcome.error[0] == code, more
        assert not out.exists()


def test_two_dance_as_one_only_once(little_world: LittleWorld, tmp_path: Path) -> None:
    outcome = dance(
        *("transfer", little_world.subject, little_world.source, "--pose", little_world.source_pose),
        *("--out", tmp_path / "o.mp4", "--with", f"{little_world.subject}:1", "--json"),
    )
    assert outcome.error[0] == "same-person"


@pytest.fixture
def duet(tmp_path: Path) -> tuple[Path, str]:
    """A video, and OpenPose's two people in it."""
    frames = 12
    left, right = (
        Keypoints(one.xy * 0.8 + np.float32(way), one.confidence, one.size, one.fps)
        for one, way in ((swaying(frames, (160, 120)), (-30, 20)), (swaying(frames, (160, 120)), (60, 20)))
    )
    video = write_video(tmp_path / "v.mp4", [np.zeros((120, 160, 3), np.uint8)] * frames)
    return video, write_openpose(tmp_path / "poses", left, also=right)


def test_a_duet_is_painted(little_world: LittleWorld, duet: tuple[Path, str], tmp_path: Path) -> None:
    """The same performer twice, as the two people that OpenPose saw; with a background, and before nothing as well."""
    video, pose = duet
    arguments = ("transfer", little_world.subject, video, "--pose", pose, "--person", "left")
    for name, more in (("a.mp4", ()), ("b.mp4", ("--background", "#00B140")), ("c", ("--background", "none"))):
        out = tmp_path / name
        outcome = dance(*arguments, "--with", f"{little_world.subject}:right", "--out", out, *more, "--json")
        assert outcome.code == 0, outcome.stderr
        if name != "c":
            assert len(list(VideoReader(out))) == 12
        else:
            assert len(list(out.glob("*.png"))) == 12


def test_a_comparison_shows_all_of_them(little_world: LittleWorld, duet: tuple[Path, str], tmp_path: Path) -> None:
    """Where the result is transparent as well."""
    arguments = ("transfer", little_world.subject, duet[0], "--pose", duet[1], "--person", "left", "--compare")
    shown = []
    for name, more in (("a.mp4", ()), ("b.mov", ("--background", "none"))):
        out = tmp_path / name
        outcome = dance(*arguments, "--with", f"{little_world.subject}:right", "--out", out, *more, "--json")
        assert outcome.code == 0, outcome.stderr
        shown.append(np.stack(list(VideoReader(out.with_suffix(".comparison.mp4")))).astype(float))
    assert np.abs(shown[0] - shown[1]).max() < 60  # they are compressed


def test_not_normalized_the_first_one_stays_in_place(
    little_world: LittleWorld, duet: tuple[Path, str], tmp_path: Path
) -> None:
    arguments = ("transfer", little_world.subject, duet[0], "--pose", duet[1], "--person", "left", "--no-normalize")
    frames = []
    for name, more in (("a", ()), ("b", ("--with", f"{little_world.subject}:right"))):
        outcome = dance(*arguments, *more, "--out", tmp_path / name, "--json")
        assert outcome.code == 0, outcome.stderr
        frames.append(cv2.imread(str(tmp_path / name / "frame-000006.png")).astype(float))
    left = slice(0, frames[0].shape[1] // 3)
    assert np.abs(frames[0] - frames[1])[:, left].mean() < 1


def test_everybody_is_whom_the_poses_tell_of(little_world: LittleWorld, duet: tuple[Path, str], tmp_path: Path) -> None:
    """The detector would see nobody in this black video."""
    arguments = ("transfer", little_world.subject, duet[0], "--pose", duet[1])
    frames = []
    for name, more in (("a", ("--person", "all")), ("b", ("--person", "1", "--with", f"{little_world.subject}:2"))):
        outcome = dance(*arguments, *more, "--out", tmp_path / name, "--json")
        assert outcome.code == 0, outcome.stderr
        frames.append((tmp_path / name / "frame-000006.png").read_bytes())
    assert frames[0] == frames[1]


def test_of_whom_too_little_is_seen_everybody_dances_without(
    little_world: LittleWorld, duet: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(source: Path, statistics: PoseStatistics, size: tuple[int, int], config: TransferConfig) -> Dance:
        if config.person == "2":
            raise DanceError("no-person", "Too little is seen of person 2.")
        return find_dance(source, statistics, size, config)

    monkeypatch.setattr("everybody_dance.workflows.transfer.find_dance", found)
    arguments = ("transfer", little_world.subject, duet[0], "--pose", duet[1], "--person", "all")
    outcome = dance(*arguments, "--out", tmp_path / "o.mp4", "--json")
    assert outcome.code == 0, outcome.stderr
    assert "left-out" in [finding["code"] for finding in outcome.report["findings"]]
    assert len(list(VideoReader(tmp_path / "o.mp4"))) == 12


def test_everybody_dances_without_one_who_cannot_be_placed(little_world: LittleWorld, tmp_path: Path) -> None:
    """Only a shoulder and the nose of them are ever in the picture."""
    whole, bust = swaying(12, (160, 120)), swaying(12, (160, 120))
    bust.confidence[:, Joint.LEFT_SHOULDER :] = 0
    bust.xy[..., 0] += 40
    video = write_video(tmp_path / "v.mp4", [np.zeros((120, 160, 3), np.uint8)] * 12)
    pose = write_openpose(tmp_path / "poses", whole, also=bust)
    outcome = dance(
        "transfer",
        little_world.subject,
        video,
        "--pose",
        pose,
        "--person",
        "all",
        "--out",
        tmp_path / "o.mp4",
        "--json",
    )
    assert outcome.code == 0, outcome.stderr
    assert "left-out" in [finding["code"] for finding in outcome.report["findings"]]


def test_where_one_of_them_is_seen_the_place_is_not_empty(little_world: LittleWorld, tmp_path: Path) -> None:
    """Each alone in half of the frames."""
    early, late = swaying(12, (160, 120)), swaying(12, (160, 120))
    early.confidence[6:], late.confidence[:6] = 0, 0
    late.xy[..., 0] += 40
    video = write_video(tmp_path / "v.mp4", [np.zeros((120, 160, 3), np.uint8)] * 12)
    pose = write_openpose(tmp_path / "poses", early, also=late)
    arguments = ("transfer", little_world.subject, video, "--pose", pose, "--smooth", "none")
    together = ("--person", "left", "--with", f"{little_world.subject}:right")
    outcome = dance(*arguments, *together, "--out", tmp_path / "o.mp4", "--json")
    assert outcome.code == 0, outcome.stderr
    assert outcome.report["metrics"]["transfer"]["without_person"] == 0
    assert "person-not-seen" not in outcome.stdout


def test_who_cannot_be_cut_out_dances_alone(little_world: LittleWorld, duet: tuple[Path, str], tmp_path: Path) -> None:
    """Neither first, nor along, nor as everybody."""
    whole = little_world.copy_of_subject(tmp_path / "whole")
    manifest = whole / "model" / "model.json"
    manifest.write_text(manifest.read_text().replace('"over_plate": true', '"over_plate": false'))
    for first, more in (
        (whole, ("--person", "1", "--with", f"{little_world.subject}:2")),
        (little_world.subject, ("--person", "1", "--with", f"{whole}:2")),
        (whole, ("--person", "all")),
    ):
        arguments = ("transfer", first, duet[0], "--pose", duet[1], *more)
        outcome = dance(*arguments, "--out", tmp_path / "o.mp4", "--json")
        assert outcome.error[0] == "no-matte", outcome.stderr


def test_nothing_is_written_into_a_member(little_world: LittleWorld, tmp_path: Path) -> None:
    ben = little_world.copy_of_subject(tmp_path / "ben")
    arguments = ("transfer", little_world.subject, little_world.source, "--with", f"{ben}:2")
    outcome = dance(*arguments, "--out", ben / "model" / "o.mp4", "--json")
    assert outcome.error[0] == "overwrites-input"
