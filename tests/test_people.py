"""Several people in a video: followed, numbered, chosen, and told apart."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from everybody_dance.body_height import body_height
from everybody_dance.dancers.choreography import CHOREOGRAPHIES
from everybody_dance.dancers.render import DANCERS, clip_keypoints, render
from everybody_dance.errors import UsageError
from everybody_dance.events import Finding
from everybody_dance.files import cache_folder
from everybody_dance.images import Image
from everybody_dance.keypoints import Array, Pose
from everybody_dance.pose.detection import detect_video
from everybody_dance.pose.everybody import Alone, Everybody
from everybody_dance.pose.mediapipe_people import clothes, once, squares
from everybody_dance.pose.options import check_person
from everybody_dance.pose.people import Person
from everybody_dance.pose.tracks import Track, follow_everybody, unlikeness
from everybody_dance.skeleton import BODY, LEFT_HAND, Joint
from everybody_dance.subject.prepare.prepare import prepare
from everybody_dance.video.reader import VideoReader
from figures import clip, standing
from worlds import dance, write_openpose, write_video

FPS = 10.0
RED, BLUE = np.full((2, 3), (50, 60, 40), np.float32), np.full((2, 3), (40, 10, -50), np.float32)


def person(x: float, height: float = 60.0, worn: Array | None = None) -> Person:
    confidence = np.zeros(137, np.float32)
    confidence[BODY] = 0.9
    found = Pose(standing(x, 110.0, height), confidence)
    return Person(found) if worn is None else Person(found, clothes=worn)


def places(track: Track) -> list[int]:
    return track.xy[:, Joint.NECK, 0].round().astype(int).tolist()


class TestTracks:
    def test_two_who_cross_keep_who_they_are(self) -> None:
        """In the middle one hides the other, and they are found in the other order afterwards."""
        frames = []
        for index in range(21):
            ada, ben = person(20 + 8 * index, worn=RED), person(180 - 8 * index, 64, worn=BLUE)
            frames.append([ben] if index in (9, 10, 11) else [ada, ben] if index < 9 else [ben, ada])
        ben_, ada_ = follow_everybody(frames, FPS)
        assert places(ben_) == [180 - 8 * index for index in range(21)]
        assert places(ada_) == [20 + 8 * index for index in range(21) if index not in (9, 10, 11)]
        assert ada_.places.tolist() == [0] * 9 + [1] * 9

    def test_in_the_same_clothes_they_go_on_as_they_went(self) -> None:
        frames = [[person(20 + 8 * index), person(180 - 8 * index)] if index != 10 else [] for index in range(21)]
        one, other = follow_everybody(frames, FPS)
        for track in (one, other):
            steps = np.diff(places(track))
            assert (np.sign(steps) == np.sign(steps[0])).all()

    def test_who_comes_back_is_known_by_the_clothes(self) -> None:
        frames = [[person(100, worn=RED)]] * 10 + [[]] * 30 + [[person(20, worn=BLUE), person(180, worn=RED)]] * 10
        red, blue = follow_everybody(frames, FPS)
        assert (len(red), len(blue)) == (20, 10)

    def test_a_cut_may_change_all_places(self) -> None:
        frames = [[person(40, worn=RED), person(160, worn=BLUE)]] * 10 + [
            [person(40, 70, BLUE), person(160, 70, RED)]
        ] * 10
        tracks = follow_everybody(frames, FPS, cuts=(10,))
        assert sorted(places(track)[0] for track in tracks) == [40, 160]
        assert all(places(track)[0] + places(track)[-1] == 200 for track in tracks)

    def test_in_the_same_frame_one_cannot_be_two(self) -> None:
        frames = [[person(40, worn=RED), person(160, worn=RED)]] * 10
        assert [len(track) for track in follow_everybody(frames, FPS)] == [10, 10]

    @pytest.mark.parametrize("fps", [10, 30, 60])
    def test_nobody_is_suddenly_elsewhere(self, fps: int) -> None:
        """Who moves by more than three heights a second, and what a pose changes by, is somebody else."""
        for heights, people in ((0.35 + 2.9 / fps, 1), (0.35 + 3.2 / fps, 2)):
            body = float(body_height(person(20).pose.xy[None], person(20).pose.confidence[None])[0])
            frames = [[person(20)]] * fps + [[person(20 + body * heights)]] * fps
            assert len(follow_everybody(frames, fps)) == people

    def test_what_flickers_up_is_nobody(self) -> None:
        frames = [[person(40), person(160)] if index in (5, 17) else [person(40)] for index in range(30)]
        assert [len(track) for track in follow_everybody(frames, FPS)] == [30]

    def test_nobody_at_all(self) -> None:
        assert follow_everybody([], FPS) == []
        assert follow_everybody([[], []], FPS) == []

    def test_between_frames_a_body_is_between_its_places(self) -> None:
        (track,) = follow_everybody([[person(20)], [person(24)], [], [person(32)], *[[]] * 20, [person(32)]], FPS)
        for frame, x in ((0.5, 22), (1, 24), (2, 28), (3.5, 32)):
            assert track.at(frame, FPS).xy[Joint.NECK, 0] == pytest.approx(x, abs=1e-4)
        assert track.at(4.5, FPS).xy[Joint.NECK, 0] == pytest.approx(32, abs=1e-4)  # held for a moment
        assert not track.at(12, FPS).person_seen
        assert not track.at(-3, FPS).person_seen
        assert track.at(-3, FPS, hold=4).person_seen

    def test_nothing_is_held_across_a_cut(self) -> None:
        """Who is elsewhere after it was not on the way there, and who is gone leaves nothing behind."""
        frames = [[person(20, worn=RED), person(100, worn=BLUE)]] * 10 + [[person(160, worn=RED)]] * 10
        tracks = follow_everybody(frames, FPS, cuts=(10,))
        (red,) = (who for who, track in enumerate(tracks) if len(track) == 20)
        seen = Everybody(tuple(tracks), (200, 120), FPS, (10,))
        necks = [seen.pose(red, second).xy[Joint.NECK, 0] for second in (0.9, 0.92, 0.98, 1.0)]
        assert necks == pytest.approx([20, 20, 160, 160], abs=1e-4)
        assert seen.about(1 - red, 0.92).person_seen
        assert not any(seen.about(1 - red, second).person_seen for second in (0.98, 1.0, 1.1))


def everybody(*tracks: list[Person]) -> Everybody:
    """People who are seen in every frame."""
    frames = [list(people) for people in zip(*tracks, strict=True)]
    return Everybody(tuple(follow_everybody(frames, FPS)), (200, 120), FPS)


class TestChoice:
    def test_by_size_and_by_place(self) -> None:
        seen = everybody(*[[person(x, height)] * 9 for x, height in ((160, 90), (30, 60), (90, 70), (10, 12))])
        for name, x in (("largest", 160), ("1", 160), ("2", 90), ("left", 30), ("centre", 90), ("right", 160)):
            assert places(seen.tracks[seen.choose(name, "a.mp4")])[0] == x

    def test_there_must_be_so_many(self) -> None:
        seen = everybody([person(30)] * 9, [person(90)] * 9)
        with pytest.raises(UsageError, match=r"no person 3 in a\.mp4: 2 people are seen"):
            seen.choose("3", "a.mp4")

    @pytest.mark.parametrize("name", ["0", "-1", "1.5", "two", "", "²"])
    def test_it_must_mean_somebody(self, name: str) -> None:
        with pytest.raises(UsageError) as error:
            check_person(name)
        assert error.value.code == "unknown-person"

    def test_it_is_kept_and_what_is_damaged_is_none(self, tmp_path: Path) -> None:
        seen, path = everybody([person(30, worn=RED)] * 9, [person(90)] * 9), tmp_path / "a.npz"
        seen.save(path)
        again = Everybody.load(path)
        assert again is not None
        assert (again.size, again.rate) == (seen.size, seen.rate)
        assert [places(track) for track in again.tracks] == [places(track) for track in seen.tracks]
        assert np.array_equal(again.tracks[0].clothes, seen.tracks[0].clothes, equal_nan=True)
        whole = path.read_bytes()
        for damaged in (b"", whole[:200], whole.replace(b"clothes", b"closets")):
            path.write_bytes(damaged)
            assert Everybody.load(path) is None
        everybody([], []).save(path)
        assert Everybody.load(path).tracks == ()  # type: ignore[union-attr]


VIDEO = Fraction(30)  # frames a second, of which every third is looked at


class TestAlone:
    def test_others_are_hidden_and_the_person_is_not(self) -> None:
        alone = Alone(everybody([person(40, 70)] * 9, [person(110)] * 9), 0, VIDEO)
        image = np.random.default_rng(0).integers(0, 255, (120, 200, 3)).astype(np.uint8)
        shown = alone.picture(4, image)
        them, other = person(40, 70).pose.xy[BODY].astype(int), person(110).pose.xy[BODY].astype(int)
        assert np.array_equal(shown[them[:, 1], them[:, 0]], image[them[:, 1], them[:, 0]])
        assert len(np.unique(shown[other[:, 1], other[:, 0]], axis=0)) == 1
        assert (alone.others(4)[other[:, 1], other[:, 0]] == 255).all()
        assert (alone.others(4)[them[:, 1], them[:, 0]] == 0).all()
        assert alone.crossed(4) == 0
        assert Alone(everybody([person(40, 70)] * 9, [person(45)] * 9), 0, VIDEO).crossed(4) > 0.5

    def test_somebody_else_is_not_recognized(self) -> None:
        alone = Alone(everybody([person(40, 70)] * 9, [person(110)] * 9), 0, VIDEO)
        assert alone.recognized(4, person(110)) is None
        found = alone.recognized(4, person(43, 70))
        assert found is not None
        assert found.pose.person_seen
        assert alone.recognized(90, person(40, 70)) is None  # they are not there any more

    def test_a_pose_that_is_much_too_small_is_not_theirs(self) -> None:
        alone = Alone(everybody([person(40, 70)] * 9, [person(110)] * 9), 0, VIDEO)
        whole = person(40, 70).pose
        for scale, recognized in ((0.4, False), (0.8, True), (1.3, True), (2.0, False)):
            middle = whole.xy[BODY].mean(axis=0)
            found = Person(Pose(middle + np.float32(scale) * (whole.xy - middle), whole.confidence))
            assert (alone.recognized(4, found) is not None) == recognized

    def test_an_arm_of_somebody_else_is_not_theirs(self) -> None:
        alone = Alone(everybody([person(60, 70)] * 9, [person(90, 70)] * 9), 0, VIDEO)
        mixed, theirs = person(60, 70), person(90, 70)
        xy, confidence = mixed.pose.xy.copy(), mixed.pose.confidence.copy()
        xy[Joint.LEFT_WRIST], xy[LEFT_HAND] = theirs.pose.xy[Joint.LEFT_WRIST], theirs.pose.xy[LEFT_HAND]
        confidence[LEFT_HAND] = 1
        found = alone.recognized(4, replace(mixed, pose=Pose(xy, confidence)))
        assert found is not None
        lost = found.pose.found != Pose(xy, confidence).found
        assert lost[Joint.LEFT_WRIST]
        assert lost[LEFT_HAND].all()
        assert lost.sum() == 22


class TestPicture:
    @pytest.mark.parametrize(("size", "count"), [((1280, 720), 3), ((720, 1280), 3), ((640, 640), 1), ((1280, 320), 7)])
    def test_squares_cover_it_and_overlap_by_half(self, size: tuple[int, int], count: int) -> None:
        boxes, along = squares(*size), int(size[1] > size[0])
        starts = [(box.x, box.y)[along] for box in boxes]
        assert len(boxes) == count
        assert starts[0] == 0
        assert starts[-1] == max(size) - min(size)
        assert max(np.diff(starts), default=0) <= min(size) / 2 + 1

    def test_who_was_found_twice_is_put_together(self) -> None:
        whole = person(100, 80).pose
        cut = whole.without(np.arange(137) == Joint.LEFT_WRIST)
        other = Pose(whole.xy + 1, whole.confidence * np.float32(0.5))
        (kept,) = once([other, cut])
        assert kept.found[BODY].all()
        assert np.array_equal(kept.xy[Joint.LEFT_WRIST], other.xy[Joint.LEFT_WRIST])
        assert np.array_equal(kept.xy[Joint.NECK], whole.xy[Joint.NECK])
        assert len(once([whole, person(160, 80).pose])) == 2

    def test_clothes_have_their_colours(self) -> None:
        image = np.zeros((120, 200, 3), np.uint8)
        pose = person(100, 90).pose
        hips = int(pose.xy[Joint.MID_HIP, 1])
        image[:hips], image[hips:] = (200, 30, 30), (30, 30, 200)
        upper, lower = clothes(image, pose)
        expected = cv2.cvtColor(np.array([[(200, 30, 30), (30, 30, 200)]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
        assert np.abs(upper - expected[0]).max() < 1
        assert np.abs(lower - expected[1]).max() < 1
        nowhere = clothes(image, pose.shifted(900, 0))
        assert np.isnan(nowhere).all()
        assert np.isnan(unlikeness(nowhere, clothes(image, pose)))


SIZE, RATE, FRAMES = (512, 288), Fraction(10), 50
PEOPLE = (("ada", "waves"), ("bruno", "steps"))


def way(second: float) -> float:
    """Pixels to the right of Ada: Bruno stands there, walks past her, before her, and stays on the other side."""
    return float(np.interp(second, (1.5, 3.0), (150, -150)))


@pytest.fixture(scope="module")
def duo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Image]]:
    """A video of Ada in her room with Bruno, and the pictures of her alone."""
    alone, both = [], []
    for index in range(FRAMES):
        ada, bruno = (render(DANCERS[name], CHOREOGRAPHIES[steps], index / 10, SIZE) for name, steps in PEOPLE)
        shift = np.array([[1, 0, way(index / 10)], [0, 1, 0]], np.float32)
        covers = cv2.warpAffine(bruno.mask.astype(np.uint8), shift, SIZE) > 0
        alone.append(ada.image)
        both.append(np.where(covers[..., None], cv2.warpAffine(bruno.image, shift, SIZE), ada.image))
    return write_video(tmp_path_factory.mktemp("duo") / "duo.mp4", both, RATE), alone


@pytest.mark.slow
class TestWholeVideos:
    @pytest.fixture(autouse=True)
    def shared_cache(self, duo: tuple[Path, list[Image]], monkeypatch: pytest.MonkeyPatch) -> None:
        """Who is in the duo is found out once for all of these tests."""
        monkeypatch.setenv("EVERYBODY_DANCE_CACHE", str(duo[0].with_name("cache")))

    def test_each_of_two_is_found_as_if_alone(self, duo: tuple[Path, list[Image]], findings: list[Finding]) -> None:
        video, _ = duo
        truth = {name: clip_keypoints(name, steps, FRAMES, RATE, SIZE) for name, steps in PEOPLE}
        walk = np.array([[(way(index / 10), 0)] for index in range(FRAMES)], np.float32)
        truth["bruno"] = replace(truth["bruno"], xy=truth["bruno"].xy + walk)
        found = {"ada": detect_video(video, person="centre").keypoints}
        found["bruno"] = detect_video(video, person="left").keypoints
        for name, keypoints in found.items():
            apart = np.linalg.norm(keypoints.xy - truth[name].xy, axis=2)[:, 1:15]
            seen = keypoints.found[:, 1:15] & truth[name].found[:, 1:15]
            assert seen.mean() > 0.8, name
            assert np.median(apart[seen]) < 0.03 * SIZE[1], name
            # Never somebody else, from one end of the walk to the other.
            assert (np.median(apart[seen.any(axis=1)], axis=1) < 0.15 * SIZE[1]).mean() > 0.9, name
        assert [finding.code for finding in findings].count("several-people") == 2

    def test_one_alone_costs_no_second_look(
        self, duo: tuple[Path, list[Image]], tmp_path: Path, findings: list[Finding]
    ) -> None:
        video = write_video(tmp_path / "one.mp4", duo[1][:12], RATE)
        assert detect_video(video).alone is None
        assert not findings
        with pytest.raises(UsageError, match="no person 2"):
            detect_video(video, person="2")

    def test_others_are_taken_out_of_the_footage(
        self, duo: tuple[Path, list[Image]], tmp_path: Path, findings: list[Finding]
    ) -> None:
        video, alone = duo
        subject = prepare([video], tmp_path / "s", person="centre", holdout=0.5)
        assert {"several-people", "crossed"} <= {finding.code for finding in findings}
        for index in (3, 45):
            error = np.abs(subject.frame(index) - alone[index].astype(int)).max(axis=2)
            assert (error > 60).mean() < 0.01
        usable = subject.manifest.usable
        assert usable[:6].all()
        assert not usable[21:25].any()
        assert usable[38:].mean() > 0.7  # their arms touch now and then
        assert subject.manifest.shows_place.all()
        # What was left out does not make the same preparation another one.
        prepare([video], tmp_path / "s", person="centre", holdout=0.5)
        assert findings[-1].code == "prepared-already"

    def test_the_command_shows_who_is_who(self, duo: tuple[Path, list[Image]], tmp_path: Path) -> None:
        video, _ = duo
        outcome = dance("people", video, "--out", tmp_path / "who.png", "--json")
        assert outcome.code == 0, outcome.stderr
        first, second = outcome.report["metrics"]["people"]
        assert (first["number"], second["number"]) == (1, 2)
        assert 0.3 < min(first["place"], second["place"]) < max(first["place"], second["place"]) < 0.7
        assert first["seconds"] > 3
        sheet = cv2.imread(str(tmp_path / "who.png"))
        assert sheet is not None
        assert sheet.shape[1] == 3 * 480
        for wrong in (tmp_path / "who.gif", video):
            assert dance("people", video, "--out", wrong).code == 2

    def test_what_was_remembered_and_is_damaged_is_found_anew(self, tmp_path: Path) -> None:
        video = write_video(tmp_path / "v.mp4", [np.zeros((64, 64, 3), np.uint8)] * 3)
        for content in (b"", b"\x93NUMPY", b"\x93NUMPY\x01\0\x10\0{'descr': [}       \n", b"x" * 99):
            detect_video(video)
            kept = list((cache_folder() / "keypoints").iterdir())
            assert any(path.name.endswith(".glances.npy") for path in kept)
            for path in kept:
                path.write_bytes(content)
            assert len(detect_video(video).keypoints) == 3


def test_openpose_people_are_followed_through_cuts(tmp_path: Path) -> None:
    """Who stands elsewhere after one is known by their size; without it they would be two."""
    pictures = [np.full((120, 200, 3), 250 * (index >= 12), np.uint8) for index in range(24)]
    for picture in pictures[12:]:
        picture[:, ::2] = 90
    video = write_video(tmp_path / "v.mp4", pictures)
    early, late = clip([standing(40, 110, 70)] * 24, (200, 120)), clip([standing(160, 110, 70)] * 24, (200, 120))
    early.xy[12:] = late.xy[12:]
    pose = write_openpose(tmp_path / "poses", early)
    assert detect_video(video, pose).cuts == (12,)
    assert detect_video(video, pose).keypoints.person_seen.all()


def test_with_openpose_somebody_is_chosen_too(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", [np.zeros((120, 200, 3), np.uint8)] * 12)
    small, tall = (clip([standing(x, 110, height)] * 12, (200, 120)) for x, height in ((30, 60), (150, 80)))
    pose = write_openpose(tmp_path / "poses", small, also=tall)
    for who, x in (("1", 150), ("2", 30), ("left", 30)):
        found = detect_video(video, pose, person=who).keypoints
        assert found.xy[0, Joint.NECK, 0] == pytest.approx(x + 0.5)
    with pytest.raises(UsageError):
        detect_video(video, pose, person="3")


class TestGlimpses:
    def test_a_few_frames_from_all_over(self, tmp_path: Path) -> None:
        """Where there are many key frames they are taken, and otherwise frames one after the other."""
        frames = [np.full((64, 64, 3), 2 * index, np.uint8) for index in range(100)]
        video = write_video(tmp_path / "v.mp4", frames, Fraction(25))
        seen = [int(image.mean()) for image in VideoReader(video).glimpses(5)]
        assert 2 <= len(seen) <= 5
        assert seen == sorted(set(seen))
        assert seen[-1] > 60

    def test_a_single_frame(self, tmp_path: Path) -> None:
        video = write_video(tmp_path / "v.mp4", [np.zeros((64, 64, 3), np.uint8)], Fraction(25))
        assert len(list(VideoReader(video).glimpses(5))) == 1
