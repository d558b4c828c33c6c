"""Folders belong to the user: a preparation replaces what is its own, whole or not at all, and nothing else."""

import json
import os
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from everybody_dance import files
from everybody_dance.errors import DanceError, UsageError
from everybody_dance.events import Cancellation, Cancelled, Finding, listening
from everybody_dance.files import check_inputs, check_outputs, replacing, sweep, temporary_path
from everybody_dance.subject import folder as folders
from everybody_dance.subject.folder import PREPARED, locked
from everybody_dance.subject.prepare import prepare as preparing
from everybody_dance.subject.prepare.prepare import prepare
from everybody_dance.subject.subject import Subject
from everybody_dance.video.identity import content_identity
from worlds import LittleWorld, write_person

pytestmark = pytest.mark.usefixtures("detected_once")

FPS = Fraction(25)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != files.LOCK
    }


def read_all(folder: Path) -> None:
    """Read something of every file of a subject."""
    subject = Subject.open(folder)
    assert len(subject.frame(3)) == len(subject.matte(3)) == len(subject.plate) == len(subject.plate_known)


@pytest.fixture
def target(tmp_path: Path) -> tuple[Path, str]:
    return write_person(tmp_path / "target.mp4", 50)


class TestPrepare:
    def test_nothing_of_the_users_is_lost(self, tmp_path: Path, target: tuple[Path, str]) -> None:
        place = tmp_path / "S"
        (place / "results").mkdir(parents=True)
        for name in ("target.mp4", "other.mp4", "notes.txt", "results/dance.mp4"):
            shutil.copy(target[0], place / name)
        own = contents(place)
        prepare([place / "target.mp4"], place, pose=target[1])
        prepare([place / "target.mp4"], place, pose=target[1], height=96)
        assert {name: data for name, data in contents(place).items() if name in own} == own
        assert Subject.open(place).manifest.size == (96, 96)
        assert {entry.name for entry in place.iterdir()} == {
            *PREPARED, "results", "target.mp4", "other.mp4", "notes.txt", files.LOCK
        }  # fmt: skip

    def test_what_was_trained_is_set_aside(
        self, little_world: LittleWorld, tmp_path: Path, findings: list[Finding]
    ) -> None:
        place = little_world.copy_of_subject(tmp_path / "S")
        model = contents(place / "model")
        prepare([little_world.target], place, pose=little_world.target_pose, height=96)
        assert contents(place / "model.old-1") == model
        assert not (place / "model").exists()
        assert not (place / "training").exists()
        assert any(finding.code == "set-aside" and "model.old-1" in finding.message for finding in findings)
        (place / "model").mkdir()
        prepare([little_world.target], place, pose=little_world.target_pose)
        assert (place / "model.old-2").is_dir()
        assert contents(place / "model.old-1") == model

    @pytest.mark.parametrize("options", [{"fps": FPS}, {"height": 128}, {"holdout": 0.2}, {"fps": FPS, "height": 128}])
    def test_the_same_spelled_otherwise_is_the_same(
        self, little_world: LittleWorld, tmp_path: Path, options: dict[str, float]
    ) -> None:
        place = little_world.copy_of_subject(tmp_path / "S")
        before = contents(place)
        pose = "openpose:" + os.path.relpath(little_world.target_pose.removeprefix("openpose:"))
        prepare([little_world.target], place, pose=pose, **options)  # type: ignore[arg-type]
        assert contents(place) == before

    def test_other_poses_in_the_same_folder_are_another_preparation(
        self, tmp_path: Path, target: tuple[Path, str]
    ) -> None:
        prepare([target[0]], tmp_path / "S", pose=target[1])
        before = Subject.open(tmp_path / "S").keypoints.xy.copy()
        for path in Path(target[1].removeprefix("openpose:")).glob("*.json"):
            people = json.loads(path.read_text())
            joints = np.array(people["people"][0]["pose_keypoints_2d"]).reshape(-1, 3)
            joints[:, 0] += 3
            people["people"][0]["pose_keypoints_2d"] = joints.ravel().tolist()
            path.write_text(json.dumps(people))
        after = prepare([target[0]], tmp_path / "S", pose=target[1]).keypoints.xy
        assert not np.array_equal(before, after)

    def test_a_link_stays_a_link(self, tmp_path: Path, target: tuple[Path, str]) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "real")
        (tmp_path / "dangling").symlink_to(tmp_path / "later")
        for name in ("link", "dangling"):
            prepare([target[0]], tmp_path / name, pose=target[1])
            assert (tmp_path / name).is_symlink()
            prepare([target[0]], tmp_path / name, pose=target[1], height=96)
            assert Subject.open(tmp_path / name).manifest.size == (96, 96)

    def test_here(self, tmp_path: Path, target: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        prepare([Path("target.mp4")], Path(), pose=target[1])
        assert Subject.open(Path()).manifest.sources[0].name == "target.mp4"
        assert Path("target.mp4").is_file()

    def test_a_folder_whose_path_is_not_utf_8_but_whose_name_is(
        self, tmp_path: Path, target: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "PL\udce9").mkdir()
        monkeypatch.chdir(tmp_path / "PL\udce9")
        (tmp_path / "link").symlink_to(Path("S").absolute())
        for place, height in ((Path("S"), 128), (tmp_path / "link", 96)):
            prepare([target[0]], place, pose=target[1], height=height)
            assert Subject.open(place).frame(49).shape[0] == height

    def test_frames_that_were_moved_to_another_disk(self, little_world: LittleWorld, tmp_path: Path) -> None:
        place = little_world.copy_of_subject(tmp_path / "S")
        shutil.move(place / "frames", tmp_path / "elsewhere")
        (place / "frames").symlink_to(tmp_path / "elsewhere")
        before = contents(tmp_path / "elsewhere")
        prepare([little_world.target], place, pose=little_world.target_pose, height=96)
        assert Subject.open(place).frame(0).shape[:2] == (96, 96)
        assert contents(tmp_path / "elsewhere") == before

    def test_what_the_user_put_among_the_frames_is_kept(
        self, little_world: LittleWorld, tmp_path: Path, findings: list[Finding]
    ) -> None:
        place = little_world.copy_of_subject(tmp_path / "S")
        (place / "frames" / "clip.mp4").write_bytes(b"precious")
        (place / ".dance-a-b-c").mkdir()
        prepare([little_world.target], place, pose=little_world.target_pose, height=96)
        assert (place / "frames.old-1" / "clip.mp4").read_bytes() == b"precious"
        assert (place / ".dance-a-b-c").is_dir()
        assert any(finding.code == "set-aside" and "frames.old-1" in finding.message for finding in findings)

    def test_an_entry_that_is_a_mount_point_is_refused_before_any_work(
        self, little_world: LittleWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = little_world.copy_of_subject(tmp_path / "S")
        before = contents(place)
        monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == place / "model")
        with pytest.raises(DanceError) as caught:
            prepare([little_world.target], place, pose=little_world.target_pose, height=96)
        assert caught.value.code == "cannot-write"
        assert contents(place) == before
        prepare([little_world.target], place, pose=little_world.target_pose)  # where nothing is to be replaced

    def test_a_link_to_itself(self, tmp_path: Path, target: tuple[Path, str]) -> None:
        (tmp_path / "S").symlink_to(tmp_path / "S")
        with pytest.raises(DanceError) as caught:
            prepare([target[0]], tmp_path / "S", pose=target[1])
        assert caught.value.code == "cannot-write"

    def test_a_folder_in_which_it_fails_stays_as_it_was(self, tmp_path: Path) -> None:
        footage, pose = write_person(tmp_path / "videos" / "nobody.mp4", 50, seen=lambda index: False)
        (tmp_path / "dangling").symlink_to(tmp_path / "later")
        for name in ("videos", "dangling", "new"):
            with pytest.raises(DanceError) as caught:
                prepare([footage], tmp_path / name, pose=pose)
            assert caught.value.code == "no-person"
        assert {entry.name for entry in (tmp_path / "videos").iterdir()} == {"nobody.mp4", "nobody.openpose"}
        assert {entry.name for entry in tmp_path.iterdir()} == {"videos", "dangling"}

    def test_long_names(self, tmp_path: Path, target: tuple[Path, str]) -> None:
        place = tmp_path / ("S" * 250)
        prepare([target[0]], place, pose=target[1])
        prepare([target[0]], place, pose=target[1], height=96)
        with pytest.raises(UsageError) as caught:
            prepare([target[0]], tmp_path / ("S" * 256), pose=target[1])
        assert caught.value.code == "name-too-long"

    @pytest.mark.parametrize("name", ["PL\udce9", "PL\udce9/below"])
    def test_names_that_are_not_utf_8_are_refused_before_any_work(
        self, tmp_path: Path, target: tuple[Path, str], name: str
    ) -> None:
        with pytest.raises(UsageError) as caught:
            prepare([target[0]], tmp_path / name, pose=target[1])
        assert caught.value.code == "bad-name"
        assert caught.value.message.isprintable()
        assert not list(tmp_path.glob("PL*"))

    def test_a_name_of_ours_that_is_the_users_is_refused(self, tmp_path: Path, target: tuple[Path, str]) -> None:
        (tmp_path / "S" / "frames").mkdir(parents=True)
        (tmp_path / "S" / "frames" / "holiday.jpg").write_bytes(b"sun")
        (tmp_path / "T").mkdir()
        for name, text in (
            ("S", None),
            *(("T", text) for text in ('{"subject": "English literature"}', "{}", "[1]", "5", '"x"', "null")),
        ):
            if text is not None:
                (tmp_path / name / "subject.json").write_text(text)
            before = contents(tmp_path / name)
            with pytest.raises(DanceError) as caught:
                prepare([target[0]], tmp_path / name, pose=target[1])
            assert caught.value.code == "not-a-subject"
            assert contents(tmp_path / name) == before

    def test_a_file_in_the_way(self, tmp_path: Path, target: tuple[Path, str]) -> None:
        for place in (target[0], target[0] / "below"):
            with pytest.raises(DanceError):
                prepare([target[0]], place, pose=target[1])
        assert target[0].is_file()

    @pytest.mark.parametrize(
        "name", ["keypoints.npz", "frames/000003.jpg", "plate.png", "plate_known.png", "mattes.zip"]
    )
    @pytest.mark.parametrize("damage", ["missing", "empty", "cut off", "zeros"])
    def test_what_is_damaged_is_prepared_again_and_stays_trained(
        self, little_world: LittleWorld, tmp_path: Path, name: str, damage: str
    ) -> None:
        place = little_world.copy_of_subject(tmp_path / "S")
        before = contents(place)
        data = before[name]
        (place / name).unlink()
        if damage != "missing":
            damaged = {"empty": b"", "cut off": data[: len(data) // 2], "zeros": bytes(len(data))}
            (place / name).write_bytes(damaged[damage])
        with pytest.raises(DanceError) as caught:
            read_all(place)
        assert caught.value.code == "bad-subject"
        assert f"subject in {place} is" in caught.value.message
        prepare([little_world.target], place, pose=little_world.target_pose)
        assert contents(place) == before

    def test_a_damaged_manifest_is_made_again(self, little_world: LittleWorld, tmp_path: Path) -> None:
        place = little_world.copy_of_subject(tmp_path / "S")
        before = contents(place)
        (place / "subject.json").write_bytes(before["subject.json"][:200])
        prepare([little_world.target], place, pose=little_world.target_pose)
        assert contents(place)["subject.json"] == before["subject.json"]
        # It could not be told what the model was trained on.
        assert contents(place / "model.old-1") == contents(little_world.subject / "model")

    def test_one_at_a_time(self, tmp_path: Path, target: tuple[Path, str]) -> None:
        with locked(tmp_path / "S"), pytest.raises(DanceError) as caught:
            prepare([target[0]], tmp_path / "S", pose=target[1])
        assert caught.value.code == "already-training"

    def test_stopped_it_leaves_nothing(self, tmp_path: Path, target: tuple[Path, str]) -> None:
        def stop(done: int, total: int | None) -> None:
            if done == 20:
                raise Cancelled

        with pytest.raises(Cancelled):
            prepare([target[0]], tmp_path / "S", pose=target[1], on_progress=stop)
        assert not (tmp_path / "S").exists()

    def test_it_can_be_stopped_after_the_frames_as_well(self, tmp_path: Path, target: tuple[Path, str]) -> None:
        cancellation = Cancellation()

        def request_at_the_end(done: int, total: int | None) -> None:
            if done == 50:
                cancellation.request()

        with listening(lambda event: None, cancellation), pytest.raises(Cancelled):
            prepare([target[0]], tmp_path / "S", pose=target[1], on_progress=request_at_the_end)
        assert not (tmp_path / "S").exists()


class TestKilled:
    """A preparation that is killed at any moment leaves the old subject or the new one."""

    @pytest.mark.parametrize("at", range(13))
    def test_at_each_step_of_the_change(
        self, little_world: LittleWorld, tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = little_world.copy_of_subject(tmp_path / "S")
        model = contents(place / "model")
        count = 0

        def dying(act: Callable[..., None]) -> Callable[..., None]:
            def step(*arguments: object) -> None:
                nonlocal count
                count += 1
                if count > at:
                    raise KeyboardInterrupt
                act(*arguments)

            return step

        with monkeypatch.context() as patch:
            for name in ("rename", "replace"):
                patch.setattr(folders.os, name, dying(getattr(os, name)))
            # A killed process cleans nothing up.
            patch.setattr(folders.shutil, "rmtree", lambda *arguments, **options: None)
            with pytest.raises(KeyboardInterrupt):
                prepare([little_world.target], place, pose=little_world.target_pose, height=96)
        subject = Subject.open(place)
        assert subject.manifest.size in ((128, 128), (96, 96))
        assert subject.frame(0).shape[:2] == subject.manifest.size
        assert subject.plate.shape[:2] == subject.manifest.size
        kept = place / ("model" if subject.manifest.size == (128, 128) else "model.old-1")
        assert contents(kept) == model
        # The next one sweeps.
        prepare([little_world.target], place, pose=little_world.target_pose, height=96)
        assert Subject.open(place).manifest.size == (96, 96)
        assert [entry.name for entry in place.iterdir() if entry.name.startswith(".dance-")] == [files.LOCK]

    def test_a_preparation_that_was_whole_is_not_done_again(
        self, little_world: LittleWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = little_world.copy_of_subject(tmp_path / "S")

        def die(folder: Path) -> None:
            if (folder / folders.WAITING).is_dir():
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(folders, "_finish_replacing", die)
            with pytest.raises(KeyboardInterrupt):
                prepare([little_world.target], place, pose=little_world.target_pose, height=96)
        assert (place / folders.WAITING).is_dir()
        monkeypatch.setattr(preparing, "decode", None)
        assert prepare([little_world.target], place, pose=little_world.target_pose, height=96).manifest.size == (96, 96)
        assert not (place / folders.WAITING).exists()


class TestReading:
    def test_what_may_not_be_read_is_not_damaged(
        self, little_world: LittleWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As root may read everything, the refusals are made up."""
        for place, name in ((Path, "is_dir"), (Path, "is_file"), (Path, "read_bytes"), (np, "load")):
            with monkeypatch.context() as patch:
                patch.setattr(place, name, denied)
                with pytest.raises(DanceError) as caught:
                    read_all(little_world.subject)
            assert caught.value.code == "cannot-read", name

    def test_a_name_that_is_not_utf_8(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError) as caught:
            Subject.open(tmp_path / "PL\udce9")
        assert caught.value.code == "bad-name"


def denied(*arguments: object, **options: object) -> None:
    raise PermissionError(13, "Permission denied")


class TestFiles:
    def test_leftovers_of_the_dead_are_swept(self, tmp_path: Path) -> None:
        dead = tmp_path / temporary_path(tmp_path, ".mp4").name.replace(f"-{os.getpid()}-", "-999999999-")
        alive, other = temporary_path(tmp_path, ".mp4"), tmp_path / ".dance-notes.txt"
        for path in (dead, alive, other):
            path.write_bytes(b"x")
        building = temporary_path(tmp_path)
        building.mkdir()
        frames = temporary_path(tmp_path, files.FOLDER)
        dead_frames = tmp_path / frames.name.replace(f"-{os.getpid()}-", "-999999999-")
        frames.mkdir()
        dead_frames.mkdir()
        sweep(tmp_path)
        assert not dead.exists()
        assert not dead_frames.exists()
        assert building.exists()
        sweep(tmp_path, locked=True)
        assert not building.exists()
        # Results that another process of ours writes into a subject's folder.
        assert alive.exists()
        assert frames.exists()
        assert other.exists()

    def test_every_name_the_disk_allows(self, tmp_path: Path) -> None:
        path = tmp_path / ("n" * 251 + ".mp4")
        with replacing(path) as temporary:
            temporary.write_bytes(b"film")
        assert path.read_bytes() == b"film"

    def test_what_may_not_be_read_is_not_what_cannot_be_written(self, tmp_path: Path) -> None:
        error = files.explain_failure(PermissionError(13, "Permission denied", str(tmp_path / "gone" / "x")))
        assert isinstance(error, DanceError)
        assert error.code == "cannot-write"

    def test_no_output_over_an_input(self, tmp_path: Path) -> None:
        video, folder = tmp_path / "dance.comparison.mp4", tmp_path / "S"
        video.write_bytes(b"film")
        (folder / "model").mkdir(parents=True)
        (tmp_path / "link.mp4").symlink_to(video)
        (tmp_path / "taken").write_bytes(b"notes")
        (tmp_path / "film.mp4").mkdir()
        (tmp_path / "empty").mkdir()
        (tmp_path / "empty link").symlink_to(tmp_path / "empty")
        for out, code in (
            (video, "overwrites-input"),
            (tmp_path / "link.mp4", "overwrites-input"),
            (folder / "model" / "out.mp4", "overwrites-input"),
            (folder, "overwrites-input"),  # frames in its place would be
            (tmp_path / "film.mp4", "is-a-folder"),
            (tmp_path / "taken", "not-empty"),
            (tmp_path / "empty link", "not-empty"),
            (tmp_path / ("n" * 253 + ".mp4"), "name-too-long"),
            (tmp_path / "\udce9.mp4", "bad-name"),
        ):
            with pytest.raises(UsageError) as caught:
                check_outputs([tmp_path / "dance.mp4", out], [video, folder / "model"])
            assert caught.value.code == code
        with pytest.raises(UsageError) as caught:
            check_outputs([tmp_path / "a.mp4", tmp_path / "." / "a.mp4"])
        assert caught.value.code == "same-output"
        with pytest.raises(DanceError):
            check_outputs([video / "out.mp4"])
        check_outputs(
            [folder / "out.mp4", tmp_path / "new" / "out.mp4", tmp_path / "empty", tmp_path / "fresh"],
            [video, folder / "model"],
        )
        assert video.read_bytes() == b"film"

    def test_inputs(self, tmp_path: Path) -> None:
        for path, code in ((tmp_path / "no", "file-not-found"), (tmp_path, "file-not-found")):
            with pytest.raises(DanceError) as caught:
                check_inputs(path)
            assert caught.value.code == code

    def test_a_playlist_is_what_it_points_to(self, tmp_path: Path) -> None:
        (tmp_path / "part.ts").write_bytes(b"one")
        (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:2,\npart.ts\n")
        (tmp_path / "concat.txt").write_text("ffconcat version 1.0\nfile 'part.ts'\nfile list.m3u8\n")
        (tmp_path / "loop.m3u8").write_text("#EXTM3U\nloop.m3u8\n")
        names = ("list.m3u8", "concat.txt")
        before = [content_identity(tmp_path / name) for name in names]
        (tmp_path / "part.ts").write_bytes(b"two")
        after = [content_identity(tmp_path / name) for name in names]
        assert all(one != other for one, other in zip(before, after, strict=True))
        assert content_identity(tmp_path / "part.ts") == files.content_hash(tmp_path / "part.ts")
        assert content_identity(tmp_path / "loop.m3u8")
