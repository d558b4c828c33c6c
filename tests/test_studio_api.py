"""The studio's API: whatever a page or a forger asks for, nothing but what belongs to the studio is read or changed."""

import io
import json
import os
import re
import shutil
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from everybody_dance.errors import DanceError
from everybody_dance.jobs.store import JobStore
from everybody_dance.studio import archives, disk, limited, portraits, uploads
from everybody_dance.studio.folder import StudioFolder, clean
from everybody_dance.studio.removal import removal_of_person
from everybody_dance.studio.studio import Studio
from everybody_dance.subject.subject import Subject
from everybody_dance.web.answers import STATIC
from everybody_dance.web.studio import feed
from everybody_dance.workflows.requests import EvaluateRequest
from studios import TRAINING, Client, named, serving_studio
from subjects import wall
from worlds import LittleWorld, dance, write_video

PAGE = STATIC / "studio"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A studio that the tests of this file share, each with people and dances of its own."""
    with serving_studio(tmp_path_factory.mktemp("studio") / "dance-studio") as client:
        yield client


@pytest.fixture
def person(studio: Client, little_world: LittleWorld, request: pytest.FixtureRequest) -> Iterator[str]:
    """Somebody who is trained."""
    name = clean(request.node.name, "somebody")
    folder = little_world.copy_of_subject(studio.root / "people" / name)
    yield name
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def video(little_world: LittleWorld) -> bytes:
    return little_world.source.read_bytes()


# Who may talk to it


@pytest.mark.parametrize("path", ["/", "/api/state", "/api/openapi.json", "/static/studio/studio.js"])
def test_without_the_token_nothing_is_answered(studio: Client, path: str) -> None:
    assert studio.ask("GET", path).status == 200
    for token in (None, "wrong"):
        assert studio.ask("GET", path, token=token).status == 403


def test_other_pages_may_change_nothing(studio: Client) -> None:
    for method, path in (("POST", "/api/uploads"), ("DELETE", "/api/live"), ("PATCH", "/api/people/x")):
        assert studio.ask(method, path, {"name": "x", "size": 1}, origin="http://elsewhere.example").status == 403
    with pytest.raises(InvalidStatus):
        connect(f"ws://{studio.host}/api/events", origin="http://elsewhere.example", proxy=None)  # type: ignore[arg-type]


def test_the_page_loads_only_its_own_files(studio: Client) -> None:
    page = studio.ask("GET", "/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "media-src 'self' blob:;" in page.headers["content-security-policy"]  # what was just filmed
    assert page.headers["permissions-policy"].startswith("camera=(self)")
    assert "media-src 'self';" in studio.ask("GET", "/api/state").headers["content-security-policy"]
    for name in ("studio.js", "studio.css", "texts.js", "api.js"):
        assert studio.ask("GET", f"/static/studio/{name}").status == 200


def test_the_api_describes_itself(studio: Client) -> None:
    paths = studio.done("GET", "/api/openapi.json")["paths"]
    assert {"/api/uploads", "/api/people", "/api/dances", "/api/results", "/api/jobs", "/api/state"} <= paths.keys()
    for path, methods in paths.items():
        for what in methods.values():
            assert what["description"], path


# Paths from outside

OUTSIDE = [
    "..",
    "../studio",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f%2e%2e%2fsecret.mp4",
    "%2fetc%2fpasswd",
    "..%5csecret.mp4",
    ".hidden.mp4",
    "secret.mp4%00.jpg",
    "link.mp4/..",
]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("place", ["people/{}/sheet", "dances/{}/video", "results/{}/video", "results/{}/picture"])
def test_no_path_from_outside_is_opened(studio: Client, place: str, name: str) -> None:
    (studio.root.parent / "secret.mp4").write_bytes(b"secret")
    (studio.root / "dances" / ".hidden.mp4").write_bytes(b"secret")
    answer = studio.ask("GET", f"/api/{place.format(name)}")
    assert answer.status == 404, answer
    assert answer.body != b"secret"


@pytest.mark.parametrize("name", OUTSIDE)
def test_nothing_outside_is_deleted_or_renamed(studio: Client, name: str) -> None:
    secret = studio.root.parent / "secret.mp4"
    secret.write_bytes(b"secret")
    for kind in ("people", "dances", "results"):
        assert studio.ask("DELETE", f"/api/{kind}/{name}").status in (404, 405)
        assert studio.ask("PATCH", f"/api/{kind}/{name}", {"name": "taken"}).status in (404, 405)
    assert secret.read_bytes() == b"secret"
    assert studio.root.is_dir()


@pytest.mark.parametrize("name", ["../../x.mp4", "/etc/x.mp4", "..\\..\\x.mp4", "x\x00.mp4", "..", ".", "", "-rf.mp4"])
def test_names_of_uploads_are_made_safe(studio: Client, name: str) -> None:
    begun = studio.done("POST", "/api/uploads", {"name": name, "size": 10})
    place = studio.root / "uploads" / begun["id"]
    assert {path.name for path in place.iterdir()} == {"upload.json", begun["name"]}
    assert not set(begun["name"]) & set("/\\\0")
    assert not begun["name"].startswith(("-", "."))
    studio.done("DELETE", f"/api/uploads/{begun['id']}")
    assert not place.exists()


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("Ada ../x", "Ada-x"),
        ("  Zoë & Jürgen  ", "Zoë-Jürgen"),
        ("..", "person"),
        ("-rf /", "rf"),
        ("a" * 300, "a" * 80),
        ("日" * 60, "日" * 26),
        ("a\nb", "a-b"),
    ],
)
def test_names_are_made_safe(given: str, safe: str) -> None:
    assert clean(given, "person") == safe


# Uploads


def test_an_upload_goes_on_where_it_was(studio: Client, video: bytes) -> None:
    begun = studio.done("POST", "/api/uploads", {"name": "dance.mp4", "size": len(video)})
    at = f"/api/uploads/{begun['id']}"
    half = len(video) // 2
    assert studio.done("PATCH", f"{at}?offset=0", video[:half])["offset"] == half
    for wrong in (0, half - 1, half + 1, len(video)):
        refused = studio.ask("PATCH", f"{at}?offset={wrong}", video[half:])
        assert (refused.status, refused.code) == (409, "wrong-offset")
    assert studio.ask("POST", "/api/dances", {"upload": begun["id"]}).code == "not-complete"
    assert studio.done("GET", at)["offset"] == half
    assert studio.done("PATCH", f"{at}?offset={half}", video[half:])["offset"] == len(video)
    made = studio.done("POST", "/api/dances", {"upload": begun["id"]})["id"]
    assert (studio.root / "dances" / made).read_bytes() == video
    assert studio.ask("GET", at).code == "no-upload"
    known = studio.state()["dances"][made]
    assert (known["width"], known["height"], known["has_sound"]) == (160, 120, False)
    assert studio.ask("GET", f"/api/dances/{named(made)}/picture").headers["content-type"] == "image/jpeg"


def test_uploads_outlive_the_program(tmp_path: Path, video: bytes) -> None:
    with serving_studio(tmp_path / "s") as client:
        begun = client.done("POST", "/api/uploads", {"name": "dance.mp4", "size": len(video)})
        client.done("PATCH", f"/api/uploads/{begun['id']}?offset=0", video[:1000])
    with serving_studio(tmp_path / "s") as client:
        assert client.done("GET", f"/api/uploads/{begun['id']}")["offset"] == 1000
        client.done("PATCH", f"/api/uploads/{begun['id']}?offset=1000", video[1000:])
        client.done("POST", "/api/dances", {"upload": begun["id"]})


def test_more_than_was_announced_is_refused(studio: Client) -> None:
    begun = studio.done("POST", "/api/uploads", {"name": "x.mp4", "size": 10})
    refused = studio.ask("PATCH", f"/api/uploads/{begun['id']}?offset=0", b"x" * 11)
    assert (refused.status, refused.code) == (413, "file-too-large")
    assert studio.done("GET", f"/api/uploads/{begun['id']}")["offset"] == 0


@pytest.mark.parametrize(
    ("size", "code"), [(0, "empty-file"), (-1, "empty-file"), (uploads.LARGEST + 1, "file-too-large")]
)
def test_sizes_are_checked_before_anything_comes(studio: Client, size: int, code: str) -> None:
    assert studio.ask("POST", "/api/uploads", {"name": "x.mp4", "size": size}).code == code


def test_a_full_disk_is_found_out_before_the_upload(studio: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(studio.root).free
    monkeypatch.setattr(disk, "KEPT_FREE", free - 1000)
    studio.done("POST", "/api/uploads", {"name": "x.mp4", "size": 10})
    monkeypatch.setattr(disk, "KEPT_FREE", free + (1 << 30))
    refused = studio.ask("POST", "/api/uploads", {"name": "x.mp4", "size": 10})
    assert (refused.status, refused.code) == (507, "disk-nearly-full")


@pytest.mark.parametrize("upload", ["0" * 16, "../people", "x", "0" * 15 + "G"])
def test_uploads_that_never_were(studio: Client, upload: str) -> None:
    for method, path in (("GET", ""), ("PATCH", "?offset=0")):
        assert (
            studio.ask(method, f"/api/uploads/{named(upload)}{path}", b"" if method == "PATCH" else None).status == 404
        )
    assert studio.ask("POST", "/api/people", {"name": "x", "upload": upload}).status == 404


def test_old_uploads_are_swept_and_nothing_else(tmp_path: Path) -> None:
    found = uploads.Uploads(tmp_path)
    old, young = found.begin("old.mp4", 10), found.begin("young.mp4", 10)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    os.utime(tmp_path / old.id / "old.mp4", (0, 0))
    found.sweep()
    assert {path.name for path in tmp_path.iterdir()} == {young.id, "mine"}


BAD: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("text.mp4", lambda video: b"no video at all" * 100),
    ("page.html", lambda video: b"<html><script>alert(1)</script></html>"),
    ("cut.mp4", lambda video: video[: len(video) // 10]),
]


@pytest.mark.parametrize(("name", "make"), BAD, ids=[name for name, _ in BAD])
def test_bad_videos_are_refused_as_on_the_command_line(
    studio: Client, tmp_path: Path, video: bytes, name: str, make: Callable[[bytes], bytes]
) -> None:
    data = make(video)
    (tmp_path / name).write_bytes(data)
    code, message = dance("prepare", tmp_path / name, "--out", tmp_path / "s", "--json").error
    for path, body in (("/api/people", {"name": "bad"}), ("/api/dances", {})):
        refused = studio.ask("POST", path, {**body, "upload": studio.upload(data, name)})
        assert refused.code == code
        assert refused.json["error"]["message"] == message.replace(f"{tmp_path}/", "")
    assert not (studio.root / "people" / "bad").exists()


def test_a_video_that_needs_too_much_memory_breaks_only_its_own_process(
    studio: Client, little_world: LittleWorld, tmp_path: Path
) -> None:
    with pytest.raises(DanceError) as refused:
        limited.examined(little_world.source, tmp_path / "x.jpg", memory=1 << 20)
    assert refused.value.code == "too-demanding"
    assert not (tmp_path / "x.jpg").exists()


# Deleting


def test_deleting_a_person_takes_what_the_program_made_and_nothing_else(studio: Client, person: str) -> None:
    folder = studio.root / "people" / person
    (folder / "footage.mp4").write_bytes(b"footage")
    (folder / "studio.json").write_text(json.dumps({"footage": ["footage.mp4", "../../secret.mp4"]}))
    secret = studio.root / "secret.mp4"
    mine = [folder / name for name in ("notes.txt", "model/my.onnx", "frames/mine.png", "keep/me.txt", "other.mp4")]
    for path in (secret, *mine):
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    (folder / "link").symlink_to(studio.root.parent)
    said = studio.done("GET", f"/api/people/{named(person)}/deletion")
    assert sorted(said["stays"]) == sorted([*(path.relative_to(folder).as_posix() for path in mine), "link"])
    assert said["files"] > 50
    studio.done("DELETE", f"/api/people/{named(person)}")
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or path.is_file()}
    assert left == {*(path.relative_to(folder).as_posix() for path in mine), "link"}
    assert secret.exists()


def test_a_person_of_whom_nothing_is_the_users_goes_wholly(studio: Client, person: str) -> None:
    found = removal_of_person(studio.root / "people" / person)
    assert found.stays == []
    studio.done("DELETE", f"/api/people/{named(person)}")
    assert not (studio.root / "people" / person).exists()


def test_a_linked_person_is_unlinked(studio: Client, little_world: LittleWorld, tmp_path: Path) -> None:
    subject = little_world.copy_of_subject(tmp_path / "subject")
    (studio.root / "people" / "linked").symlink_to(subject)
    assert studio.state()["people"]["linked"]["trained"]["can_dance"]
    studio.done("DELETE", "/api/people/linked")
    assert (subject / "subject.json").exists()
    assert not (studio.root / "people" / "linked").is_symlink()


def test_a_result_goes_with_its_comparison(studio: Client, video: bytes) -> None:
    results = studio.root / "results"
    for name in ("a.mp4", "a.comparison.mp4", "ab.mp4", "notes.txt"):
        (results / name).write_bytes(video)
    assert studio.done("PATCH", "/api/results/a.mp4", {"name": "../b"})["id"] == "b.mp4"
    assert (results / "b.comparison.mp4").exists()
    assert studio.done("GET", "/api/results/b.mp4/deletion")["files"] == 2
    studio.done("DELETE", "/api/results/b.mp4")
    assert {path.name for path in results.iterdir()} >= {"ab.mp4", "notes.txt"}
    assert not any(path.name.startswith(("a.", "b.")) for path in results.iterdir())


# People


def test_renaming_takes_no_place_that_is_taken(studio: Client, person: str) -> None:
    (studio.root / "people" / "Taken").mkdir()
    assert studio.done("PATCH", f"/api/people/{named(person)}", {"name": "taken"})["id"] == "taken-2"
    assert (studio.root / "people" / "taken-2" / "subject.json").exists()
    shutil.rmtree(studio.root / "people" / "taken-2")


def test_what_is_known_of_a_person(studio: Client, person: str) -> None:
    known = studio.state()["people"][person]
    assert known["prepared"]["frames"] == 50
    assert known["prepared"]["held_out"] == 5
    assert any("more would help" in sentence["message"] for sentence in known["prepared"]["report"])
    assert known["trained"]["steps"] > 0
    assert known["trained"]["can_dance"]
    assert 0 < known["trained"]["quality"]["result"] <= 1
    for picture in ("portrait", "sheet", "preview"):
        answer = studio.ask("GET", f"/api/people/{named(person)}/{picture}")
        image = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        assert known[picture] > 0


def with_a_moment(folder: Path, seconds: float) -> None:
    """Rewrites the footage report of a person: their outline is said to be incomplete, then."""
    manifest = json.loads((folder / "subject.json").read_bytes())
    manifest["footage"] |= {"incomplete": 0.5, "crowded": 0.5, "moments": {"outline-incomplete": seconds}}
    (folder / "subject.json").write_text(json.dumps(manifest))


def test_a_moment_of_a_finding_is_shown(studio: Client, person: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = studio.root / "people" / person
    with_a_moment(folder, 0.4)
    report = studio.state()["people"][person]["prepared"]["report"]
    assert [one["moment"] for one in report if "is missing from" in one["message"]] == [0.4]
    assert {one["moment"] for one in report if "is missing from" not in one["message"]} == {None}

    path = f"/api/people/{named(person)}/moments"
    answer = studio.ask("GET", f"{path}/0.4")
    assert answer.headers["content-type"] == "image/jpeg"
    subject = Subject.open(folder)
    true = subject.frame(round(0.4 * subject.manifest.fps))[..., ::-1].astype(int)
    shown = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == true.shape  # it is smaller than such a picture may be
    assert np.abs(shown - true).mean() < 4

    # It is kept: no frame is read again.
    monkeypatch.setattr(portraits, "_moment", None)
    assert studio.ask("GET", f"{path}/0.4").body == answer.body
    for seconds, status in (("1000", 404), ("-1", 422), ("nan", 422), ("1e999", 422), ("1e9", 422), ("x", 422)):
        assert studio.ask("GET", f"{path}/{seconds}").status == status, seconds


def test_of_whom_there_is_no_footage_there_are_no_moments(studio: Client, person: str) -> None:
    folder, path = studio.root / "people" / person, f"/api/people/{named(person)}/moments/0"
    manifest = json.loads((folder / "subject.json").read_bytes())
    (folder / "subject.json").write_text(json.dumps({**manifest, "clips": []}))
    assert studio.ask("GET", path).code == "no-picture"
    (folder / "subject.json").unlink()
    assert studio.ask("GET", path).code == "no-subject"


def test_no_small_picture_outlives_what_it_shows(tmp_path: Path, little_world: LittleWorld, video: bytes) -> None:
    with serving_studio(tmp_path / "dance-studio") as studio:
        pictures = studio.root / "pictures"
        little_world.copy_of_subject(studio.root / "people" / "Ada")

        def look(person: str) -> None:
            for picture in ("portrait", "moments/0", "moments/0.4"):
                assert studio.ask("GET", f"/api/people/{person}/{picture}").status == 200
            assert len(list(pictures.iterdir())) == 3

        look("Ada")
        studio.done("PATCH", "/api/people/Ada", {"name": "Eve"})
        assert not list(pictures.iterdir())
        look("Eve")
        studio.done("DELETE", "/api/people/Eve")
        assert not list(pictures.iterdir())
        dance = studio.done("POST", "/api/dances", {"upload": studio.upload(video)})["id"]
        studio.done("GET", f"/api/dances/{dance}/picture")
        assert {path.suffix for path in pictures.iterdir()} == {".jpg", ".json"}
        assert len(list(pictures.iterdir())) == 2
        studio.done("DELETE", f"/api/dances/{dance}")
        (studio.root / "results" / "old.mp4").write_bytes(video)
        studio.done("GET", "/api/results/old.mp4/picture")
        studio.done("DELETE", "/api/results/old.mp4")
        assert not list(pictures.iterdir())


def test_a_name_that_is_no_text_hides_nothing_else(studio: Client, person: str, video: bytes) -> None:
    strange = studio.root / "dances" / os.fsdecode(b"waltz-\xff.mp4")
    strange.write_bytes(video)
    (studio.root / "people" / person / strange.name).write_bytes(video)
    try:
        assert person in studio.state()["people"]
        assert studio.done("GET", f"/api/people/{named(person)}/deletion")["stays"][-1] == "waltz-?.mp4"
    finally:
        strange.unlink()


def test_a_damaged_subject_is_said_to_be(studio: Client, person: str) -> None:
    (studio.root / "people" / person / "subject.json").write_text("{")
    known = studio.state()["people"][person]
    assert known["prepared"] is None
    assert "damaged" in known["problem"]


def test_the_evaluation_report_may_do_nothing_but_show_itself(studio: Client, person: str) -> None:
    assert studio.ask("GET", f"/api/people/{named(person)}/evaluation").status == 404
    place = studio.root / "people" / person / "evaluation"
    place.mkdir()
    (place / "report.html").write_text("<h1>Report</h1>")
    policy = studio.ask("GET", f"/api/people/{named(person)}/evaluation").headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")


# Export and import


def _archive(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return data.getvalue()


def test_a_performer_is_exported_and_imported(studio: Client, person: str, little_world: LittleWorld) -> None:
    archive = studio.ask("GET", f"/api/people/{named(person)}/export")
    assert "performer.zip" in archive.headers["content-disposition"]
    names = zipfile.ZipFile(io.BytesIO(archive.body)).namelist()
    assert all(name.startswith((f"{person}/model/", f"{person}/portrait.jpg")) for name in names)
    until = time.monotonic() + 60
    while any(path.suffix == ".zip" for path in (studio.root / "pictures").iterdir()):
        assert time.monotonic() < until  # it is removed when it has been sent
    made = studio.done("POST", "/api/people/import", {"upload": studio.upload(archive.body, "p.zip"), "name": "Copy"})
    known = studio.state()["people"][made["id"]]
    assert known["trained"]["can_dance"]
    assert known["prepared"] is None
    assert studio.ask("GET", f"/api/people/{made['id']}/portrait").status == 200
    folder = studio.root / "people" / made["id"]
    weights = {path.name: path.read_bytes() for path in (folder / "model").iterdir()}
    assert weights == {path.name: path.read_bytes() for path in (little_world.subject / "model").iterdir()}
    assert removal_of_person(folder).stays == []
    refused = studio.ask("POST", f"/api/people/{made['id']}/train", {"minutes": 1})
    assert refused.code == "no-subject"


def test_an_archive_puts_nothing_elsewhere(studio: Client, person: str) -> None:
    model = {path.name: path.read_bytes() for path in (studio.root / "people" / person / "model").iterdir()}
    good = {f"x/model/{name}": data for name, data in model.items()}
    before = sorted(path for path in studio.root.parent.rglob("*") if "uploads" not in path.parts)
    for name in (
        "../evil.txt",
        "x/../../evil.txt",
        "/tmp/evil.txt",
        "x/model/../../evil.png",
        "x/model/evil.py",
        "x\\model\\..\\plate.png",
        "x/model/sub/plate.png",
        "model.json",
    ):
        upload = studio.upload(_archive({**good, name: b"evil"}), "p.zip")
        refused = studio.ask("POST", "/api/people/import", {"upload": upload, "name": "evil"})
        assert refused.code == "not-a-performer", name
    assert sorted(path for path in studio.root.parent.rglob("*") if "uploads" not in path.parts) == before


def test_archives_that_are_none_or_broken(studio: Client, person: str) -> None:
    model = {path.name: path.read_bytes() for path in (studio.root / "people" / person / "model").iterdir()}
    weights = next(name for name in model if name.startswith("generator"))
    cases = {
        "not-a-performer": [b"no archive", _archive({}), _archive({f"x/model/{i:07d}.png": b"" for i in range(3)})],
        "bad-model": [
            _archive({f"x/model/{name}": data for name, data in model.items()} | {f"x/model/{weights}": b"other"}),
            _archive({"x/model/model.json": b"{}"}),
        ],
        "no-model": [_archive({f"x/model/{weights}": model[weights]})],
    }
    for code, refused in cases.items():
        for archive in refused:
            body = {"upload": studio.upload(archive, "p.zip"), "name": "broken"}
            assert studio.ask("POST", "/api/people/import", body).code == code
    assert not [path for path in (studio.root / "people").iterdir() if path.name.startswith((".", "broken"))]


def test_an_archive_that_swells_is_refused(studio: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(archives, "MOST_BYTES", 1000)
    bomb = tmp_path / "p.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x/model/plate.png", b"\0" * 2000)
    (tmp_path / "out").mkdir()
    with pytest.raises(DanceError, match="not a performer"):
        archives.unpack(bomb, tmp_path / "out")


# Jobs


def test_what_is_asked_for_wrongly_is_refused_in_a_sentence(studio: Client, person: str) -> None:
    person = named(person)
    for path, body in (
        (f"people/{person}/train", {"minutes": 0}),
        (f"people/{person}/train", {"minutes": 1, "extra": 1}),
        (f"people/{person}/train", {}),
        (f"people/{person}/live", {"camera": "/etc/passwd"}),
        ("results", {"person": "x", "dance": "y", "background": "/etc/passwd"}),
        ("results", {"person": "x", "dance": "y", "who": "1; rm -rf /"}),
        ("results", {"person": "x", "dance": "y", "scale": "tall"}),
        ("results/landing", {"person": "x", "dance": "y", "shift": None}),
        ("results", {"person": "\ud800", "dance": "y"}),
        ("people", {"name": "x", "upload": "\ud800"}),
        ("people", {"name": "", "upload": "x"}),
    ):
        refused = studio.ask("POST", f"/api/{path}", body)
        assert refused.status == 422, path
        assert refused.code == "bad-request"
        assert refused.json["error"]["message"]
    for job in ("999/pause", "999/retry", f"{1 << 70}/pause"):
        assert studio.ask("POST", f"/api/jobs/{job}").code == "no-job"
    assert studio.ask("POST", "/api/results", {"person": "nobody", "dance": "x"}).code == "no-person-here"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("scale", "3", "--scale is from 0.5 to 2, not 3."),
        ("scale", "NaN", "--scale is from 0.5 to 2, not nan."),
        ("shift", "-1.5", "--shift is from -1 to 1, not -1.5."),
        ("floor", "1e999", "--floor is from -1 to 1, not inf."),
    ],
)
def test_where_nothing_can_land_is_said_as_on_the_command_line(
    studio: Client, name: str, value: str, words: str
) -> None:
    body = f'{{"person": "x", "dance": "y", "{name}": {value}}}'.encode()
    for path in ("results", "results/landing", "results/command"):
        refused = studio.ask("POST", f"/api/{path}", body, headers={"Content-Type": "application/json"})
        assert (refused.status, refused.json) == (422, {"error": {"code": "bad-landing", "message": words}})


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "nothing", None, 404, "not-found"),
        ("PUT", "state", None, 405, "bad-request"),
        ("POST", "uploads", b"\xff", 400, "bad-request"),
        ("POST", "uploads", b"[" * 20_000, 400, "bad-request"),
    ],
)
def test_every_error_has_a_code_and_a_sentence(
    studio: Client, method: str, path: str, body: bytes | None, status: int, code: str
) -> None:
    refused = studio.ask(method, f"/api/{path}", body, headers={"Content-Type": "application/json"})
    assert (refused.status, refused.code) == (status, code)
    assert refused.json["error"]["message"]


def test_the_command_line_does_the_same(studio: Client, person: str, video: bytes) -> None:
    made = studio.done("POST", "/api/dances", {"upload": studio.upload(video, "It's a waltz.mp4")})["id"]
    body = {"person": person, "dance": made, "background": "#00B140", "compare": True, "who": "left"}
    command = studio.done("POST", "/api/results/command", body)["command"]
    assert command == (
        f"dance transfer {studio.root}/people/{person} '{studio.root}/dances/It-s a waltz.mp4'"
        f" --out '{studio.root}/results/{person}-It-s a waltz.mp4' --person left --background '#00B140'"
        " --device cpu --compare"
    )
    transparent = studio.done("POST", "/api/results/command", {**body, "background": "none"})["command"]
    assert "waltz.webm' " in transparent
    moved = {"person": person, "dance": made, "scale": 0.8, "shift": -0.1, "floor": 0}
    assert "--scale 0.8 --shift -0.1 --device" in studio.done("POST", "/api/results/command", moved)["command"]


def test_a_job_trains_and_is_told_of_as_it_goes(studio: Client, person: str, monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[float] = []  # when it was told: how late that is heard is the machine's affair

    def telling(what: object) -> str:
        times.append(time.monotonic())
        return dumps(what)

    dumps = feed.dumps
    monkeypatch.setattr(feed, "dumps", telling)
    headers = {"Cookie": f"dance-{studio.port}={studio.token}"}
    address, origin = f"ws://{studio.host}/api/events", f"http://{studio.host}"
    with connect(address, origin=origin, additional_headers=headers, proxy=None) as page:  # type: ignore[arg-type]
        page.send('{"next": true}')
        first = json.loads(page.recv(timeout=60))
        assert first["whole"]
        assert person in first["changed"]["people"]
        job = studio.done("POST", f"/api/people/{named(person)}/train", {"minutes": 0.02})["job"]
        assert studio.ask("DELETE", f"/api/people/{named(person)}").code == "busy"
        assert studio.ask("PATCH", f"/api/people/{named(person)}", {"name": "x"}).code == "busy"
        state, stages = "", set()
        while state not in ("done", "failed"):
            page.send('{"next": true}')
            told = json.loads(page.recv(timeout=120))["changed"]
            found = told.get("jobs", {}).get(str(job))
            if found:
                state = found["state"]
                stages.add((found["progress"] or {}).get("stage"))
        with pytest.raises(TimeoutError):  # nothing comes unasked
            page.recv(timeout=0.3)
    assert state == "done", found
    assert "Training" in stages
    assert min(np.diff(times)) > 0.04
    assert studio.done("GET", f"/api/people/{named(person)}/deletion")["stays"] == []


def test_a_job_that_fails_says_why_and_can_be_tried_again(studio: Client, person: str) -> None:
    made = write_video(studio.root / "dances" / "nobody.mp4", [wall()] * 8).name
    job = studio.done("POST", "/api/results/landing", {"person": person, "dance": made})["job"]
    found = studio.wait(job, "failed")
    assert "No person was found" in found["error"]
    studio.done("POST", f"/api/jobs/{job}/retry")
    assert studio.wait(job, "failed")["error"] == found["error"]
    assert studio.ask("GET", f"/api/jobs/{job}/landing").status == 404
    studio.done("DELETE", f"/api/jobs/{job}")
    assert str(job) not in studio.state()["jobs"]


def test_jobs_are_paused_and_go_on_after_a_restart(tmp_path: Path, little_world: LittleWorld) -> None:
    root = tmp_path / "s"
    little_world.copy_of_subject(root / "people" / "Ada")
    with serving_studio(root) as client:
        job = client.done("POST", "/api/people/Ada/train", {"minutes": 30})["job"]
        waiting = client.done("POST", "/api/results/landing", {"person": "Ada", "dance": _copied(little_world, root)})
        client.wait(job, "running")
        client.done("POST", f"/api/jobs/{job}/pause")
        client.wait(job, "paused")
        client.done("DELETE", "/api/live")
    with serving_studio(root) as client:
        assert client.state()["jobs"][str(job)]["state"] == "paused"
        client.done("POST", f"/api/jobs/{job}/continue")
        client.wait(job, "running")
        client.done("POST", f"/api/jobs/{job}/cancel")
        assert client.wait(job, "cancelled")
        assert str(waiting["job"]) in client.state()["jobs"]


def _copied(world: LittleWorld, root: Path) -> str:
    (root / "dances").mkdir(exist_ok=True)
    return Path(shutil.copy(world.source, root / "dances")).name


def test_a_live_show_is_started_and_ended(studio: Client, person: str) -> None:
    def live(*states: str) -> dict[str, str]:
        until = time.monotonic() + 60
        while True:
            found = studio.state()["live"].get("live", {})
            if found.get("state") in states:
                return dict(found)
            assert time.monotonic() < until, found
            time.sleep(0.1)

    studio.done("POST", f"/api/people/{named(person)}/live", {"camera": "browser"})
    assert live("starting", "running")["person"] == person
    address = live("running")["address"]
    with urllib.request.urlopen(address, timeout=60) as page:
        assert b"live.js" in page.read()
    studio.done("DELETE", "/api/live")
    assert live("ended")["address"] is None
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=10)
    studio.done("POST", f"/api/people/{named(person)}/live", {"camera": "97"})
    assert "camera" in live("failed")["error"].lower()


def test_a_finding_that_is_told_twice_is_shown_once(tmp_path: Path) -> None:
    values = {"moment": 2.5}
    finding = {"event": "finding", "code": "x", "severity": "warning", "message": "Film longer.", "values": values}
    folder = StudioFolder.open(tmp_path / "s")
    request = EvaluateRequest(subject=folder.whole(folder.people / "Ada"))
    with JobStore(folder.jobs) as store:
        job = store.add("evaluate", request, "Evaluate Ada").id
        for _ in range(2):  # a job that was killed and went on says it again
            store.tell(job, finding)
        store.change(job, state="paused")
    with Studio.opened(folder.root, TRAINING) as studio:
        (shown,) = studio.desk.board.jobs()
    assert [(sentence.message, sentence.moment) for sentence in shown.findings] == [("Film longer.", 2.5)]
    assert (shown.person, shown.command) == ("Ada", f"dance evaluate {folder.root}/people/Ada")


def test_only_one_program_opens_a_studio(studio: Client) -> None:
    with pytest.raises(DanceError) as refused, Studio.opened(studio.root, TRAINING):
        pass
    assert refused.value.code == "already-open"


def test_a_folder_of_the_users_is_no_studio(tmp_path: Path) -> None:
    (tmp_path / "people").write_text("mine")
    with pytest.raises(DanceError, match="people is a file"), Studio.opened(tmp_path, TRAINING):
        pass
    assert (tmp_path / "people").read_text() == "mine"


# The page's texts


def test_every_text_of_the_page_is_there_and_used() -> None:
    texts = (PAGE / "texts.js").read_text().partition("export function")[0]
    have = set(re.findall(r"^  (\w+):", texts, re.MULTILINE))
    scripts = "".join(file.read_text() for file in PAGE.glob("*.js") if file.name != "texts.js")
    used = set(re.findall(r'data-(?:text|label)="(\w+)"', (PAGE / "index.html").read_text()))
    used |= set(re.findall(r"TEXTS\.(\w+)", scripts))
    used |= {"title", "again", "silent", "full", "ended"}  # by the connection's state
    used |= {"cameraInsecure", "cameraRefused", "cameraBusy", "cameraMissing"}  # by what NoCamera says
    used |= {"pose", "painted", "real"}
    used |= {"largest", "left", "centre", "right"}
    used |= {"people", "dance", "live", "library"}
    assert have == used
