"""Number books: what is published, explained, and not published here, year by year; silent where nobody can know."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ledger.records.books import BookYear, Gap, ranges_of, years_of

BOOK: dict[str, Any] = {"id": "sk", "start": 1, "resets": "yearly", "complete_from": "2026-01-01"}


def papers(*serials: int, day: str = "2026-03-{:02}") -> list[tuple[int, str]]:
    """The serial 3 is dated 3 March, and so on."""
    return [(serial, day.format(serial)) for serial in serials]


def test_a_year_of_a_book():
    """Gaps between the start and the last published serial; what a void act names is explained, within the span only."""
    (year,) = years_of(BOOK, papers(2, 3, 6, 9), [([7, 8], "2026-03-20"), ([40], "2026-03-20"), ([4], "2025-12-31")])
    assert year == BookYear("2026", 1, 9, (2, 3, 6, 9), (7, 8), (Gap(1, 1, "2026-03-02"), Gap(4, 5, "2026-03-06")))
    assert [gap.count for gap in year.gaps] == [1, 2]


def test_years_before_the_book_is_complete_are_left_out():
    """Nothing is said about earlier years, and in the first year nothing before the first paper from that day on."""
    book = {**BOOK, "complete_from": "2026-03-05"}
    early = papers(1, day="2025-03-{:02}")
    (year,) = years_of(book, early + papers(2, 6, 8), [])
    assert (year.year, year.low, year.high, year.gaps) == ("2026", 6, 8, (Gap(7, 7, "2026-03-08"),))
    (silent,) = years_of(book, papers(1, 4), [])
    assert (silent.low, silent.high, silent.gaps) == (0, -1, ())


def test_a_book_that_never_starts_again_has_one_year():
    """Its serials run on over the turn of the year."""
    book = {**BOOK, "resets": "never", "complete_from": "2025-01-01"}
    (year,) = years_of(book, papers(1, 2, day="2025-03-{:02}") + papers(4), [([3], "2024-01-01")])
    assert (year.year, year.published, year.explained, year.gaps) == ("", (1, 2, 4), (3,), ())


def test_a_gap_stands_open_since_the_earliest_paper_of_the_next_serial():
    """One serial on two papers: the earlier date counts."""
    (year,) = years_of(BOOK, [(1, "2026-01-01"), (3, "2026-02-01"), (3, "2026-04-01")], [])
    assert year.gaps == (Gap(2, 2, "2026-02-01"),)


@given(st.sets(st.integers(1, 60), min_size=1), st.sets(st.integers(1, 80)))
def test_every_serial_of_the_span_is_published_explained_or_in_a_gap(published, explained):
    """And in exactly one of them, a serial that is both published and explained apart."""
    (year,) = years_of(BOOK, [(serial, "2026-05-01") for serial in sorted(published)], [(sorted(explained), "2026-05-01")])
    open_serials = [n for gap in year.gaps for n in range(gap.first, gap.last + 1)]
    assert sorted({*year.published, *year.explained, *open_serials}) == list(range(1, max(published) + 1))
    assert not set(open_serials) & (published | explained)


def test_serials_as_people_list_them():
    """Runs become ranges, order and repetition do not matter."""
    assert ranges_of([9, 3, 2, 1, 3, 11, 12]) == ["1–3", "9", "11–12"]
    assert ranges_of([]) == []
