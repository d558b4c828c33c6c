"""Files that are either whole or not there: written beside, flushed to disk, then renamed into place.

Temporaries have names of one form, ``.dance-HOST-PROCESS-TOKEN.suffix``, by which leftovers of a killed process are
known and swept.
"""

import errno
import hashlib
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from everybody_dance.errors import DanceError, UsageError

_HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]
_TEMPORARY = re.compile(r"\.dance-([0-9a-f]{6})-(\d+)-[0-9a-f]{8}(\.[^.]*)?")

FOLDER = ".folder"
"""Suffix of temporary folders that are made without a lock."""

LOCK = ".dance-lock"


@contextmanager
def replacing(path: Path, *, folder: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; move it onto ``path`` when the block ends without an exception.

    The temporary file keeps the suffix, so that writers which choose a format by name still do.
    On an exception the temporary file is removed and ``path`` stays as it was.

    Args:
        path: what is written.
        folder: a folder is: the temporary one is made, and takes no other place than that of an empty folder.

    Raises:
        DanceError: the disk is full (``disk-full``), or the place cannot be written (``cannot-write``).
    """
    temporary = temporary_path(path.parent, FOLDER if folder else path.suffix)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if folder:
            temporary.mkdir()
        yield temporary
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except OSError as error:
        if _is_reading(error):
            raise explain_failure(error) from error
        raise explain_write_failure(error, path) from error
    finally:
        if folder:
            shutil.rmtree(temporary, ignore_errors=True)
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def temporary_path(folder: Path, suffix: str = "") -> Path:
    """A fresh name in ``folder`` that ``sweep`` knows, no longer than any name the disk allows."""
    return folder / f".dance-{_HOST}-{os.getpid()}-{secrets.token_hex(4)}{suffix[:16]}"


def sweep(folder: Path, *, locked: bool = False) -> None:
    """Remove temporaries that a killed process left in ``folder``.

    Args:
        folder: where to look, not below.
        locked: the caller holds the folder's lock. Temporary folders without a suffix are made under it alone, so all
            of them go. The rest goes only when its process on this machine has ended: a result may be written here
            without the lock.
    """
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            name = _TEMPORARY.fullmatch(entry.name)
            if name is None:
                continue
            is_folder = entry.is_dir(follow_symlinks=False)
            if not (locked and is_folder and name[3] is None) and (name[1] != _HOST or _running(int(name[2]))):
                continue
            if is_folder:
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                Path(entry.path).unlink(missing_ok=True)


@contextmanager
def only_one(folder: Path, code: str, message: str) -> Iterator[None]:
    """Hold the lock of a folder, and sweep it. The lock goes with the process, however that ends.

    Raises:
        DanceError: another process holds it (``code``, with ``message``); or the folder cannot be written.
    """
    try:
        folder.resolve().mkdir(parents=True, exist_ok=True)  # a dangling link leads to where the folder is to be
        with FileLock(folder / LOCK, timeout=0):
            sweep(folder, locked=True)
            yield
    except Timeout as error:
        raise DanceError(code, message) from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` atomically, as UTF-8."""
    write_bytes(path, text.encode())


def explain_write_failure(error: OSError, path: Path) -> OSError | DanceError:
    """A failure to write ``path`` in the user's words; errors of other kinds come back unchanged."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DanceError("disk-full", f"The disk is full: {path} could not be written. What was there before is kept.")
    if error.errno == errno.ENAMETOOLONG:
        return UsageError("name-too-long", f"The name {path.name[:40]}... is too long for this disk.")
    if error.errno in (
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ENOENT,
        errno.ENOTEMPTY,
    ):
        return DanceError("cannot-write", f"{path} cannot be written: {os.strerror(error.errno)}.")
    return error


def explain_failure(error: OSError) -> OSError | DanceError:
    """A failure to read or write in the user's words, by the file that the error names."""
    named = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else Path("a file")
    if _is_reading(error):
        return DanceError("cannot-read", f"{named} may not be read by you.")
    return explain_write_failure(error, named)


def _is_reading(error: OSError) -> bool:
    """Whether an error is about a file that is there but may not be read."""
    if error.errno not in (errno.EACCES, errno.EPERM) or not isinstance(error.filename, str | bytes):
        return False
    return os.path.isfile(error.filename) and not os.access(error.filename, os.R_OK)


def content_hash(path: Path) -> str:
    """SHA-256 of the file's content, as hexadecimal digits, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where results that can be made again, and downloaded weights, are kept."""
    return Path(os.environ.get("EVERYBODY_DANCE_CACHE") or Path.home() / ".cache" / "everybody-dance")


def check_name(path: Path) -> None:
    """Refuse a name that the video and picture libraries cannot take.

    Raises:
        UsageError: it is not valid UTF-8 (``bad-name``), or too long for the disk (``name-too-long``).
    """
    try:
        os.fsencode(path).decode("utf-8")
    except UnicodeDecodeError as error:
        shown = os.fsencode(path).decode("utf-8", "replace")
        raise UsageError("bad-name", f"The name {shown} is not valid UTF-8. Rename it first.") from error
    try:
        os.lstat(path)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise explain_write_failure(error, path) from error


def check_inputs(*paths: Path) -> None:
    """Refuse files that are not there or may not be read, before anything else is done.

    Raises:
        DanceError: ``file-not-found`` or ``cannot-read``.
        UsageError: as ``check_name``.
    """
    for path in paths:
        check_name(path)
        if not path.is_file():
            what = "is a folder, not a video" if path.is_dir() else "does not exist"
            raise DanceError("file-not-found", f"{path} {what}.")
        if not os.access(path, os.R_OK):
            raise DanceError("cannot-read", f"{path} may not be read by you.")


def make_folder(path: Path) -> None:
    """Make a folder, and those that it lies in, where they are not there.

    Raises:
        DanceError: it cannot be made, or is a file (``cannot-write``, ``disk-full``).
        UsageError: its name is too long (``name-too-long``).
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise DanceError("cannot-write", f"{path} is a file, not a folder.") from error
    except OSError as error:
        raise explain_write_failure(error, path) from error


def check_outputs(outputs: Sequence[Path], inputs: Sequence[Path] = ()) -> None:
    """Refuse outputs that cannot be written, or would overwrite what is read, before hours of work.

    Args:
        outputs: everything that will be written, derived names included: files, and folders (``names_folder``).
        inputs: files, and folders nothing in which may be overwritten.

    Raises:
        UsageError: an output is an input or lies in a folder of ``inputs`` (``overwrites-input``), is another output
            (``same-output``), or has a name as in ``check_name``; a file's name is a folder's (``is-a-folder``), or a
            folder is neither new nor empty (``not-empty``).
        DanceError: its folder cannot be made or written (``cannot-write``, ``disk-full``).
    """
    for index, out in enumerate(outputs):
        check_name(out)
        for path in inputs:
            inside = path.is_dir() and path.resolve() in out.resolve().parents
            if _same(out, path) or inside or (names_folder(out) and out.resolve() in path.resolve().parents):
                raise UsageError(
                    "overwrites-input", f"{out} is an input, or belongs to one or holds one; choose another name."
                )
        if any(_same(out, other) for other in outputs[:index]):
            raise UsageError("same-output", f"{out} would be written twice; choose another name.")
        if names_folder(out):
            _check_replaceable(out)
        elif out.is_dir():
            raise UsageError("is-a-folder", f"{out} is a folder; give the name of a file.")
        make_folder(out.parent)
        if not os.access(out.parent, os.W_OK | os.X_OK):
            raise DanceError("cannot-write", f"Nothing can be written to {out.parent}.")
        sweep(out.parent)


def names_folder(out: Path) -> bool:
    """Whether a result of this name is a folder of pictures and not a video: it has no suffix."""
    return not out.suffix


def _check_replaceable(folder: Path) -> None:
    """Refuse a folder whose place a new one cannot take."""
    if os.path.lexists(folder) and (
        folder.is_symlink()
        or not folder.is_dir()
        or folder.is_mount()
        or folder.samefile(Path.cwd())
        or any(folder.iterdir())
    ):
        raise UsageError(
            "not-empty",
            f"{folder} must be new or an empty folder (no link, mount point or current folder); choose another name.",
        )


def _same(one: Path, other: Path) -> bool:
    """Whether two paths are one file, there or not."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def _running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True
