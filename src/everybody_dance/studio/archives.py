"""A performer as one file: a zip archive of ``model/``, all that a dance needs; the footage stays where it is."""

import re
import zipfile
from pathlib import Path

from everybody_dance.errors import DanceError
from everybody_dance.files import replacing

MODEL_FILE = re.compile(
    r"model\.json|(generator|(face|hands)(-references)?|poses|puppet|plate)(\.[0-9a-f]{12})?\.(safetensors|png)"
)
"""Names of a performer's files."""

PORTRAIT = "portrait.jpg"
"""A picture of the performer, whose footage stays where it is."""

MOST_FILES, MOST_BYTES = 32, 2 << 30
"""Of an archive that is unpacked."""

_PIECE = 1 << 20


def pack(model: Path, portrait: Path | None, archive: Path, name: str) -> None:
    """Write the performer in ``model``, and a picture of them, to ``archive``, in a folder ``name``.

    Raises:
        DanceError: it cannot be written (``disk-full``, ``cannot-write``).
    """
    files = [path for path in sorted(model.iterdir()) if MODEL_FILE.fullmatch(path.name) and path.is_file()]
    # Weights and pictures do not get smaller.
    with replacing(archive) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as file:
        for path in files:
            file.write(path, f"{name}/model/{path.name}")
        if portrait is not None:
            file.write(portrait, f"{name}/{PORTRAIT}")


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive that ``pack`` made: ``model/`` and, where there is one, the picture into ``folder``.

    Names in the archive choose nothing but a file's name, and that among those that a performer has.

    Raises:
        DanceError: it is no such archive (``not-a-performer``).
    """
    try:
        with zipfile.ZipFile(archive) as file:
            left = MOST_BYTES
            (folder / "model").mkdir()
            for member in _members(file, archive):
                name = member.filename.rpartition("/")[2]
                place = folder if name == PORTRAIT else folder / "model"
                with file.open(member) as source, (place / name).open("xb") as target:
                    while piece := source.read(_PIECE):
                        left -= len(piece)  # what the archive announces need not be true
                        if left < 0:
                            raise _not_a_performer(archive)
                        target.write(piece)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise _not_a_performer(archive) from error
    except (OSError, UnicodeError) as error:
        if isinstance(error, FileExistsError | UnicodeError):
            raise _not_a_performer(archive) from error
        raise


def _members(file: zipfile.ZipFile, archive: Path) -> list[zipfile.ZipInfo]:
    members = [member for member in file.infolist() if not member.is_dir()]
    for member in members:
        top, _, inside = member.filename.partition("/")
        of_model = inside.startswith("model/") and MODEL_FILE.fullmatch(inside.removeprefix("model/"))
        if not top or not (of_model or inside == PORTRAIT):
            raise _not_a_performer(archive)
    if not 0 < len(members) <= MOST_FILES or sum(member.file_size for member in members) > MOST_BYTES:
        raise _not_a_performer(archive)
    return members


def _not_a_performer(archive: Path) -> DanceError:
    return DanceError("not-a-performer", f"{archive.name} is not a performer that the studio exported.")
