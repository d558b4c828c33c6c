"""A performer on disk: replaced as a set or not at all, and nothing absurd is believed."""

import json
import shutil
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from everybody_dance.appearance.limb_bank import LimbBank
from everybody_dance.errors import DanceError
from everybody_dance.performer import model_files
from everybody_dance.performer.manifest import FORMAT_VERSION
from everybody_dance.performer.model_files import Model, load_performer, save_performer
from everybody_dance.performer.performer import Performer
from golden import GREY

FOLDER = Path(__file__).parent / "data" / "629d904" / "subject"


def other(performer: Performer, value: int) -> Performer:
    """The same performer in another place."""
    return Performer(
        performer.manifest.model_copy(update={"steps": value}),
        performer.painter,
        np.full_like(performer.plate, value),
        performer.device,
        performer.refiners,
        performer.crop_banks,
        performer.poses,
        performer.limb_bank,
    )


@pytest.fixture(scope="module")
def performer() -> Performer:
    return load_performer(FOLDER, "cpu")


def test_an_old_one_saved_anew_is_the_same(performer: Performer, tmp_path: Path) -> None:
    model = Path(shutil.copytree(FOLDER / "model", tmp_path / "model"))
    (model / "notes.txt").write_text("mine")
    save_performer(performer, model)
    again = load_performer(model, "cpu")
    assert again.manifest.version == FORMAT_VERSION
    assert again.manifest.hashes == performer.manifest.hashes
    assert (model / "notes.txt").read_text() == "mine"
    assert len(list(model.iterdir())) == 2 + len(again.manifest.hashes)


@pytest.mark.parametrize("at", range(1, 5))
def test_killed_while_it_is_written_the_old_one_stands(
    performer: Performer, tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_performer(other(performer, 1), tmp_path / "model")
    count = 0

    def dying(write: Callable[..., None]) -> Callable[..., None]:
        def step(*arguments: object) -> None:
            nonlocal count
            count += 1
            if count == at:
                raise KeyboardInterrupt
            write(*arguments)

        return step

    with monkeypatch.context() as patch:
        for name in ("write_bytes", "write_text"):
            patch.setattr(model_files, name, dying(getattr(model_files, name)))
        # A new performer has a new plate and, here, nothing else: two files are written.
        if at <= 2:
            with pytest.raises(KeyboardInterrupt):
                save_performer(other(performer, 2), tmp_path / "model")
        else:
            save_performer(other(performer, 2), tmp_path / "model")
    loaded = load_performer(tmp_path / "model", "cpu")
    expected = 1 if at <= 2 else 2
    assert loaded.manifest.steps == expected
    assert (loaded.plate == expected).all()


def test_read_while_it_is_replaced_it_is_whole(performer: Performer, tmp_path: Path) -> None:
    save_performer(other(performer, 0), tmp_path / "model")
    done = threading.Event()

    def replace() -> None:
        value = 0
        while not done.is_set():
            value = (value + 1) % 250
            save_performer(other(performer, value), tmp_path / "model")
            done.wait(0.1)  # far faster than any training

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        for _ in range(15):
            loaded = load_performer(tmp_path, "cpu")
            assert (loaded.plate == loaded.manifest.steps).all()
    finally:
        done.set()
        writer.join()


@pytest.mark.parametrize(
    "change",
    [
        {"size": [100000, 100000]},
        {"window": [0, 64]},
        {"fps": "0"},
        {"arguments": {"width": 100000, "shrink": 1, "levels": 4}},
        {"refiners": {"face": {"side": 0, "arguments": {}}}},
        {"refiners": {"face": {"side": 32, "arguments": {"width": 1 << 20}}}},
        {"arguments": {"colour": 3}},
    ],
)
def test_a_foreign_manifest_cannot_fill_the_memory(tmp_path: Path, change: dict[str, object]) -> None:
    model = Path(shutil.copytree(FOLDER / "model", tmp_path / "model"))
    fields = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps(fields | change))
    with pytest.raises(DanceError) as caught:
        load_performer(model, "cpu")
    assert caught.value.code == "bad-model"


@pytest.mark.parametrize("height", [float("inf"), float("nan"), 0.0, -3.0, 1e9])
def test_a_limb_bank_of_no_height_is_not_believed(performer: Performer, height: float) -> None:
    assert performer.limb_bank is not None
    arrays = performer.limb_bank.arrays()
    with pytest.raises(ValueError, match="limb bank"):
        LimbBank.from_arrays(arrays | {"height": np.array([height])})
    with pytest.raises(ValueError, match="limb bank"):
        LimbBank.from_arrays(arrays | {"lengths": arrays["lengths"].astype(np.float64)})


# OpenCV raises for no bytes, and for a header that speaks of more pixels than it reads.
HUGE = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 1 << 20, 1 << 20, 8, 2, 0, 0, 0)


@pytest.mark.parametrize(
    "data", [bytes([GREY]) * 100, b"", HUGE + struct.pack(">I", zlib.crc32(HUGE[12:]))], ids=["grey", "empty", "huge"]
)
def test_a_plate_that_is_no_picture(tmp_path: Path, data: bytes) -> None:
    model = Path(shutil.copytree(FOLDER / "model", tmp_path / "model"))
    fields = json.loads((model / "model.json").read_text())
    (model / "plate.png").write_bytes(data)
    fields["hashes"]["plate.png"] = model_files.hashlib.sha256((model / "plate.png").read_bytes()).hexdigest()
    (model / "model.json").write_text(json.dumps(fields))
    with pytest.raises(DanceError) as caught:
        _ = Model(model).plate
    assert caught.value.code == "bad-model"
