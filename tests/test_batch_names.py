"""Names of the results of ``dance batch --performers --sources``."""

from itertools import chain
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from everybody_dance.jobs.batch.names import pair_names, short_names
from everybody_dance.jobs.batch.rows import all_pairs, check_rows

NAMES = st.lists(st.text("ab-+=", min_size=1, max_size=6), min_size=1, max_size=5, unique=True)


@given(NAMES, NAMES)
def test_every_pair_has_a_name_of_its_own(performers: list[str], sources: list[str]) -> None:
    names = list(chain(*pair_names(performers, sources)))
    assert len(set(names)) == len(performers) * len(sources)
    usual = [f"{one}-{other}" for one in performers for other in sources]
    for plain, name in zip(usual, names, strict=True):
        assert (name == plain) == (usual.count(plain) == 1)


def test_both_of_two_that_would_be_alike_stay_readable() -> None:
    assert pair_names(["a", "a-b"], ["b-c", "c"]) == [["a+b-c", "a-c"], ["a-b-b-c", "a-b+c"]]
    assert pair_names(["a", "a-b+"], ["b+-c", "c"])[1] == ["a-b+-b+-c", "a-b++=c"]


def test_files_are_called_without_their_suffix_where_that_is_their_own(tmp_path: Path) -> None:
    (tmp_path / "ben").mkdir()
    for name in ("a.mp4", "b.mp4", "b.MOV", "b.mp4.mp4", "ben.mp4", "c.d"):
        (tmp_path / name).touch()
    names = ["a.mp4", "b.MOV", "b.mp4", "b.mp4.mp4", "ben", "ben.mp4", "c.d"]
    expected = ["a", "b.MOV", "b.mp4", "b.mp4.mp4", "ben", "ben.mp4", "c"]
    assert short_names([tmp_path / name for name in names]) == expected


def test_pairs_that_would_have_one_name_are_no_longer_refused(tmp_path: Path) -> None:
    """And names that were their own before are what they were, so that what is whole is found."""
    for name in ("people/a/model.json", "people/a-b/model.json", "dances/b-c.mp4", "dances/c.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    rows = all_pairs(tmp_path / "people", tmp_path / "dances", tmp_path / "out", {})
    check_rows(rows)
    assert [row.request.out.name for row in rows] == ["a+b-c.mp4", "a-c.mp4", "a-b-b-c.mp4", "a-b+c.mp4"]
