"""Names for the results of every performer with every source: readable, and each pair's own."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count, product
from pathlib import Path


def short_names(paths: Sequence[Path]) -> list[str]:
    """A name for each entry of one folder, all different: that of a file is without its suffix where that is its own.

    Args:
        paths: files and folders that lie in one folder.
    """
    stems = [path.name if path.is_dir() else path.stem for path in paths]
    taken = Counter(stems) + Counter(path.name for path in paths if path.suffix and not path.is_dir())
    return [stem if taken[stem] == 1 else path.name for path, stem in zip(paths, stems, strict=True)]


def pair_names(performers: Sequence[str], sources: Sequence[str]) -> list[list[str]]:
    """``PERFORMER-SOURCE`` for every pair, by performer and then source; all different.

    Where two pairs would have that name (``a-b`` with ``c``, and ``a`` with ``b-c``), both have another sign between
    performer and source. What it is stands in none of the names, does not begin as it ends, and holds no hyphen: so a
    name in which it stands can be read in one way only, and is no other pair's ``PERFORMER-SOURCE``.

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
    """``+``, and longer ones for names that have it."""
    yield "+"
    for length in count(1):
        yield "+" * length + "="
