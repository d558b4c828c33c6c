"""Files that are either whole or not there: written beside, flushed to disk, then renamed into place."""

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from everybody_dance.errors import DanceError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; move it onto ``path`` when the block ends without an exception.

    The temporary file keeps the suffix, so that writers which choose a format by name still do.
    On an exception the temporary file is removed and ``path`` stays as it was.

    Raises:
        DanceError: the disk is full (code ``disk-full``), or the place cannot be written (``cannot-write``).
    """
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except OSError as error:
        raise explain_write_failure(error, path) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` atomically, as UTF-8."""
    write_bytes(path, text.encode())


def explain_write_failure(error: OSError, path: Path) -> OSError | DanceError:
    """The same failure in the user's words, where it is about writing; other errors come back unchanged."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DanceError("disk-full", f"The disk is full: {path} could not be written. What was there before is kept.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
        return DanceError("cannot-write", f"{path} cannot be written: {os.strerror(error.errno)}.")
    return error


def content_hash(path: Path) -> str:
    """SHA-256 of the file's content, as hexadecimal digits, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where results that can be made again, and downloaded weights, are kept."""
    return Path(os.environ.get("EVERYBODY_DANCE_CACHE") or Path.home() / ".cache" / "everybody-dance")
