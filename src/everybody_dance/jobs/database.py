"""A SQLite database whose schema has a version: a newer one is refused, an older one migrated after a backup."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from everybody_dance.errors import DanceError
from everybody_dance.files import replacing


def open_database(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    """Open a database, made if it is not there, with the newest schema.

    The connection may be used by several threads, one at a time. Every statement is a transaction of its own unless
    ``BEGIN`` says otherwise. Rows are ``sqlite3.Row``.

    Args:
        path: the file. Before it is migrated it is copied to ``NAME.version-N``, N being its version.
        migrations: SQL scripts; the first makes version 1 of an empty database, the next version 2 of that, and so on.

    Raises:
        DanceError: it was made by a newer version of this program (``newer-version``), it is damaged or not a database
            (``bad-database``), or it cannot be opened or written (``cannot-write``).
    """
    try:
        connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    except sqlite3.Error as error:
        raise DanceError("cannot-write", f"{path} cannot be opened: {error}.") from error
    try:
        connection.row_factory = sqlite3.Row
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > len(migrations):
            raise DanceError(
                "newer-version", f"{path} was made by a newer version of Everybody Dance. Update it to open this."
            )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        if 0 < version < len(migrations):
            _back_up(connection, path.with_name(f"{path.name}.version-{version}"))
        for number, script in enumerate(migrations[version:], version + 1):
            # The version changes in the same transaction: a kill leaves the one schema or the other.
            connection.executescript(f"BEGIN; {script}; PRAGMA user_version = {number}; COMMIT;")
    except sqlite3.DatabaseError as error:
        connection.close()
        if "readonly" in str(error) or "unable to open" in str(error):
            raise DanceError("cannot-write", f"{path} cannot be written: {error}.") from error
        raise DanceError(
            "bad-database", f"{path} is damaged or was not made by this program ({error}). Move it away to begin anew."
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _back_up(connection: sqlite3.Connection, path: Path) -> None:
    """Copy the database as it stands to ``path``."""
    with replacing(path) as temporary, closing(sqlite3.connect(temporary)) as copy:
        connection.backup(copy)
