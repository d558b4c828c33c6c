"""What a video is known by: its content, that of the files a playlist points to, and how its pictures are read."""

import hashlib
import re
from pathlib import Path

from everybody_dance.files import content_hash
from everybody_dance.video.reader import probe

LARGEST_PLAYLIST = 1 << 20
"""Bytes; larger files are not playlists."""

_HLS_URI = re.compile(r'URI="([^"]+)"')
_CONCAT_FILE = re.compile(r"^\s*file\s+(?:'([^']*)'|(\S+))", re.MULTILINE)


def footage_identity(path: Path) -> str:
    """``content_identity`` and, for footage whose pictures are read otherwise than they once were, how they are.

    So what was made from pictures upside down or washed out is made anew, and what was made from others is not.

    Raises:
        DanceError: as :func:`probe`.
    """
    content, treatment = content_identity(path), probe(path).treatment
    return hashlib.sha256("\n".join([content, *treatment]).encode()).hexdigest() if treatment else content


def content_identity(path: Path) -> str:
    """SHA-256 of the file's content, as hexadecimal digits; of a playlist, with all that it points to.

    HLS playlists (``.m3u8``) and FFmpeg's concat lists are known as such by their first line.
    """
    return _identity(path, frozenset())


def _identity(path: Path, above: frozenset[Path]) -> str:
    whole, above = content_hash(path), above | {path.resolve()}
    parts = [
        _identity(part, above) if part.is_file() and part.resolve() not in above else "missing" for part in _parts(path)
    ]
    return hashlib.sha256("\n".join([whole, *parts]).encode()).hexdigest() if parts else whole


def _parts(path: Path) -> list[Path]:
    """The files that a playlist points to; none for anything else."""
    if path.stat().st_size > LARGEST_PLAYLIST:
        return []
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(b"#EXTM3U"):
        lines = path.read_text("utf-8", "replace").splitlines()
        names = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        names += [uri for line in lines if line.startswith("#") for uri in _HLS_URI.findall(line)]
    elif start.startswith(b"ffconcat"):
        names = [quoted or plain for quoted, plain in _CONCAT_FILE.findall(path.read_text("utf-8", "replace"))]
    else:
        return []
    return [path.parent / name.removeprefix("file:") for name in names]
