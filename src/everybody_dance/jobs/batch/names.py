"""Names for the results of every performer with every source: readable, and each pair's own."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count, product
from pathlib import Path


def short_names(paths: Sequence[Path]) -> list[str]:
    """A different name for each entry of one folder; a file loses its suffix unless another entry then has its name.

    Args:
        paths: files and folders that lie in one folder.
    """
    stems = [path.name if path.is_dir() else path.stem for path in paths]
    taken = Counter(stems) + Counter(path.name for path in paths if path.suffix and not path.is_dir())
    return [stem if taken[stem] == 1 else path.name for path, stem in zip(paths, stems, strict=True)]


def pair_names(performers: Sequence[str], sources: Sequence[str]) -> list[list[str]]:
    """``PERFORMER-SOURCE`` for every pair, by performer and then source; all different.

    Where two pairs would share that name (``a-b`` with ``c``, and ``a`` with ``b-c``), both get another sign in place
    of the hyphen. The sign is not part of any performer's or source's name, so it shows where the performer's name
    ends, and no other pair can have the same result.

    Args:
        performers, sources: names, each once.
    """
    usual = Counter(f"{one}-{other}" for one, other in product(performers, sources))
    sign = next(sign for sign in _signs() if not any(sign in name for name in (*performers, *sources)))
    return [
        [f"{one}-{other}" if usual[f"{one}-{other}"] == 1 else f"{one}{sign}{other}" for other in sources]
        for one in performers
    ]


def _signs() -> Iterator[str]:
    """``+``, and longer ones in case a name contains it.

    None begins as it ends or holds a hyphen: otherwise it could overlap with a name, and be read in two ways.
    """
    yield "+"
    for length in count(1):
        yield "+" * length + "="
