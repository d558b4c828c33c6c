"""Uploads in pieces, each at its offset: an interrupted one goes on where it was, today or tomorrow.

``uploads/ID/`` holds ``upload.json`` and the file as far as it has come, whose length is the offset.
"""

import json
import re
import secrets
import shutil
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from anyio.to_thread import run_sync

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.files import explain_write_failure, write_text
from everybody_dance.studio.disk import check_room, size_in_words
from everybody_dance.studio.folder import clean

LARGEST = 16 << 30
"""Bytes of a file."""

KEPT_SECONDS = 7 * 24 * 3600
"""An upload that nothing was added to for so long is removed when the studio starts."""

_PIECE = 1 << 20
"""Bytes that are gathered before they are written."""

_ID = re.compile(r"[0-9a-f]{16}")
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
_DESCRIPTION = "upload.json"


@dataclass(frozen=True)
class Upload:
    """A file on its way.

    Attributes:
        id: 16 hexadecimal digits.
        name: of the file, made safe.
        size: its bytes.
        offset: bytes that are here.
    """

    id: str
    name: str
    size: int
    offset: int

    @property
    def whole(self) -> bool:
        """Whether all of it is here."""
        return self.offset == self.size


class Uploads:
    """The uploads of a studio. Methods may be called from any thread.

    Args:
        folder: ``StudioFolder.uploads``.
        largest: bytes of a file.
    """

    def __init__(self, folder: Path, largest: int = LARGEST) -> None:
        self._folder = folder
        self._largest = largest
        self._lock = threading.Lock()
        self._busy: set[str] = set()

    def begin(self, name: str, size: int) -> Upload:
        """A new upload of ``size`` bytes; ``name`` is what its file is called elsewhere.

        Raises:
            UsageError: the file is empty (``empty-file``) or too large (``file-too-large``).
            DanceError: the disk has no room for it (``disk-nearly-full``).
        """
        if size <= 0:
            raise UsageError("empty-file", "The file is empty.")
        if size > self._largest:
            raise UsageError(
                "file-too-large",
                f"The file has {size_in_words(size)}; {size_in_words(self._largest)} is the most. Make a shorter one.",
            )
        check_room(self._folder, size)
        upload = Upload(secrets.token_hex(8), _safe_name(name), size, 0)
        place = self._folder / upload.id
        try:
            place.mkdir()
            (place / upload.name).touch()
        except OSError as error:
            raise explain_write_failure(error, place) from error
        write_text(place / _DESCRIPTION, json.dumps({"name": upload.name, "size": size}))
        return upload

    def find(self, upload_id: str) -> Upload:
        """How far an upload is.

        Raises:
            UsageError: there is none (``no-upload``).
        """
        with suppress(OSError, ValueError, KeyError, TypeError):
            if _ID.fullmatch(upload_id):
                place = self._folder / upload_id
                description = json.loads((place / _DESCRIPTION).read_bytes())
                name, size = str(description["name"]), int(description["size"])
                return Upload(upload_id, name, size, (place / _safe_name(name)).stat().st_size)
        raise UsageError("no-upload", "There is no such upload; begin again.")

    async def add(self, upload_id: str, offset: int, pieces: AsyncIterator[bytes]) -> Upload:
        """Write what comes at ``offset``, which must be where the upload is. What came before it broke off is kept.

        Raises:
            UsageError: there is no such upload, it is somewhere else or being written (``wrong-offset``), or more comes
                than was announced (``file-too-large``).
            DanceError: it cannot be written (``disk-full``).
        """
        upload = self.find(upload_id)
        with self._lock:
            if upload_id in self._busy or offset != upload.offset:
                raise UsageError("wrong-offset", f"The upload is at {upload.offset}.")
            self._busy.add(upload_id)
        try:
            path = self._folder / upload.id / upload.name
            gathered = bytearray()

            def write() -> None:
                if path.stat().st_size + len(gathered) > upload.size:
                    raise UsageError("file-too-large", "More bytes came than the upload was said to have.")
                try:
                    with path.open("ab") as file:
                        file.write(gathered)
                except OSError as error:
                    raise explain_write_failure(error, path) from error
                gathered.clear()

            async for piece in pieces:
                gathered += piece
                if len(gathered) >= _PIECE:
                    await run_sync(write)
            await run_sync(write)
        finally:
            with self._lock:
                self._busy.discard(upload_id)
        return self.find(upload_id)

    def whole(self, upload_id: str) -> Path:
        """The file of an upload that is complete.

        Raises:
            UsageError: there is no such upload, or it is not complete (``not-complete``).
        """
        upload = self.find(upload_id)
        if not upload.whole:
            raise UsageError("not-complete", f"Only {upload.offset} of {upload.size} bytes have been uploaded.")
        return self._folder / upload.id / upload.name

    def remove(self, upload_id: str) -> None:
        """Forget an upload; one that is not there is forgotten already."""
        if _ID.fullmatch(upload_id) and (self._folder / upload_id / _DESCRIPTION).is_file():
            shutil.rmtree(self._folder / upload_id, ignore_errors=True)

    def sweep(self) -> None:
        """Remove uploads that nobody went on with."""
        for place in self._folder.iterdir():
            with suppress(DanceError, OSError):
                upload = self.find(place.name)
                if time.time() - (place / upload.name).stat().st_mtime > KEPT_SECONDS:
                    self.remove(upload.id)


def _safe_name(name: str) -> str:
    """``name`` made safe, with its suffix. The last part counts, whichever slashes it was written with."""
    path = Path(name.replace("\\", "/")).name
    stem, dot, suffix = path.rpartition(".")
    suffix = f".{suffix.lower()}"
    if not dot or not _SUFFIX.fullmatch(suffix):
        stem, suffix = path, ""
    return clean(stem, "video") + suffix
