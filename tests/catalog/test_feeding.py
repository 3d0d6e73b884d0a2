"""Feeding: whole batches or nothing, withdrawn texts gone for good, and a damaged file made anew."""

from __future__ import annotations

import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.catalog import feeding
from ledger.catalog.catalog import Catalog
from ledger.catalog.feeding import Feeder
from ledger.catalog.filters import Filter
from ledger.errors import LedgerError, StoreError
from tests.catalog.shelf import FACTS, feed, fill, small_blocks, some_acts

SECRET, OTHER = ("a" * 64, "Rahasia Tersembunyi nomor 4711 biasa"), ("b" * 64, "Terbuka untuk umum")


def dump(path: Path) -> list[tuple[Any, ...]]:
    """Everything that a catalogue holds, but in FTS5's own order."""
    connection = feeding.open_existing(path, read_only=True)
    tables = ("acts", "profiles", "facets", "words", "hot", "columns", "samples", "texts", "fed", "meta")
    rows = [row for table in tables for row in sorted(connection.execute(f"SELECT * FROM {table}").fetchall())]
    connection.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, terms, instance)")
    rows += connection.execute("SELECT term, doc FROM temp.vocabulary ORDER BY 1, 2").fetchall()
    connection.close()
    return rows


@pytest.fixture(params=["fts", "blocks"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a catalogue is to be, with usual or with small blocks."""
    if request.param == "blocks":
        small_blocks(monkeypatch)
    return tmp_path / "search.db"


def test_batches_do_not_matter(path: Path) -> None:
    """However acts are cut into batches, whatever is found is the same."""
    acts = some_acts(300)
    one, other = fill(path, acts, 300, batch=300), fill(path.with_name("other.db"), acts, 300, batch=7)
    for wanted in (Filter(), Filter(q="wali kota"), Filter(q="jal", office=("pu",)), Filter(sort="-value", year=("2025",))):
        found, same = one.search(wanted), other.search(wanted)
        assert (found.rows, found.count) == (same.rows, same.count)
        assert {name: dict(values) for name, values in found.facets.items()} == {name: dict(values) for name, values in same.facets.items()}


def test_a_withdrawn_text_leaves_no_trace(path: Path) -> None:
    """Its words are not found, its snippet is gone, its bytes are in no file, and all else is as if it had never been fed."""
    acts = [*(feed(index, "biasa", "rahasia umum" if index == 5 else "") for index in range(150)), feed(150, "Izin", documents=[SECRET, OTHER])]
    acts += [feed(index, "biasa") for index in range(151, 200)]
    catalog = fill(path, acts, 200)
    assert catalog.count(Filter(q='"rahasia tersembunyi"'), 200) == 1
    assert catalog.snippet(150, "tersembunyi") is not None
    assert catalog.count(Filter(q="rahasia"), 200) == 2
    assert catalog.count(Filter(q="biasa"), 200) == 200  # a word that all others have, too
    feeder = Feeder(path, **FACTS)
    assert feeder.withdraw([SECRET[0], "c" * 64]) == 1
    assert feeder.withdraw([SECRET[0]]) == 0
    feeder.close()
    for q in ("tersembunyi", "terse", "ters", "4711", '"rahasia tersembunyi"', "rahasiatersembunyi", "izin rahasia"):
        assert catalog.count(Filter(q=q), 200) == 0, q
        assert catalog.snippet(150, q) is None
    assert [one.index for one in catalog.each(Filter(q="rahasia"), 200)] == [5]
    assert {one.index for one in catalog.each(Filter(q="biasa"), 200)} == {*range(200)} - {150}
    assert [one.index for one in catalog.each(Filter(q="izin terbuka"), 200)] == [150]
    assert catalog.snippet(150, "umum") == [("Terbuka untuk ", False), ("umum", True)]
    catalog.close()
    for file in path.parent.iterdir():
        data = file.read_bytes().lower()
        assert b"tersembunyi" not in data, file
        assert b"4711" not in data, file
        assert zlib.compress(SECRET[1].encode(), 6) not in file.read_bytes()


def test_a_text_in_two_acts_is_withdrawn_from_both(path: Path) -> None:
    """A document can be in many acts; withdrawn, it is in none."""
    catalog = fill(path, [feed(0, documents=[SECRET]), feed(1, documents=[SECRET]), feed(2, "tersembunyi")], 3)
    feeder = Feeder(path, **FACTS)
    assert feeder.withdraw([SECRET[0]]) == 2
    feeder.close()
    assert [one.index for one in catalog.each(Filter(q="tersembunyi"), 3)] == [2]


class Stop(BaseException):
    """A process that ends here."""


class Dying:
    """A connection whose process ends at its ``at``-th statement, before or after it is executed."""

    def __init__(self, real: Any, at: int, *, after: bool) -> None:
        self.real, self.at, self.after = real, at, after

    def _count(self, run: Any, *values: Any) -> Any:
        self.at -= 1
        if self.at == 0 and not self.after:
            raise Stop
        done = run(*values)
        if self.at == 0:
            raise Stop
        return done

    def execute(self, *values: Any) -> Any:
        return self._count(self.real.execute, *values)

    def executemany(self, *values: Any) -> Any:
        return self._count(self.real.executemany, *values)

    def close(self) -> None:
        self.real.close()


def _deaths() -> Iterator[tuple[int, bool]]:
    yield from ((at, after) for at in (*range(1, 40), 60, 80, 120, 200, 230, 260, 300, 400) for after in (False, True))


def test_a_process_that_ends_anywhere_leaves_whole_batches(path: Path, tmp_path: Path) -> None:
    """Ended at any statement of a batch, of a block or of a withdrawal, and fed again, the catalogue is the same."""
    acts = [*some_acts(128), feed(128, "akhir", documents=[SECRET, OTHER])]
    first, second = acts[:100], acts[100:]
    start = max(act.row.index for act in first) + 1
    fill(path, first, start, batch=200)
    whole = tmp_path / "whole.db"
    shutil.copy(path, whole)
    _rest(whole, second, start)
    expected = dump(whole)
    for at, after in _deaths():
        broken = tmp_path / f"{at}-{after}.db"
        shutil.copy(path, broken)
        feeder = Feeder(broken, **FACTS)
        real = feeder.connection
        feeder.connection = Dying(real, at, after=after)
        try:
            feeder.add(second, start=start, size=129, leaf="1" * 64)
            feeder.seal()
            feeder.withdraw([SECRET[0]])
        except Stop:
            pass
        real.close()
        _rest(broken, second, start)
        assert dump(broken) == expected, (at, after)


def _rest(path: Path, acts: list[feeding.Feed], start: int) -> None:
    feeder = Feeder(path, **FACTS)
    if feeder.size == start:
        feeder.add(acts, start=start, size=129, leaf="1" * 64)
    feeder.seal()
    feeder.withdraw([SECRET[0]])
    feeder.close()


def test_nothing_is_fed_twice_or_with_a_gap(path: Path) -> None:
    """A batch that does not begin where the catalogue ends is refused whole."""
    fill(path, some_acts(50), 50)
    feeder = Feeder(path, **FACTS)
    for start in (0, 49, 51):
        with pytest.raises(StoreError):
            feeder.add([feed(60, "neu")], start=start, size=70, leaf="")
    assert feeder.size == 50
    feeder.close()
    assert Catalog(path).count(Filter(q="neu"), 50) == 0


@pytest.mark.parametrize("damage", ["nothing", "empty", "text", "zeros", "cut", "version", "founding", "offset", "table"])
def test_what_cannot_be_used_is_made_anew(path: Path, damage: str) -> None:
    """A catalogue that is missing, damaged, of another version or ledger becomes an empty one that can be fed."""
    acts = some_acts(200)
    fill(path, acts, 200)
    facts = dict(FACTS)
    if damage == "nothing":
        path.unlink()
    elif damage in ("empty", "text", "zeros", "cut"):
        data = path.read_bytes()
        path.write_bytes({"empty": b"", "text": b"hello" * 1000, "zeros": bytes(len(data)), "cut": data[: 8192 * 2 + 100]}[damage])
    elif damage in ("founding", "offset"):
        facts["founding" if damage == "founding" else "utc_offset"] = "+08:00"
    else:
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version = 99" if damage == "version" else "DROP TABLE meta")
        connection.close()
    feeder = Feeder(path, **facts)
    assert feeder.size == 0
    feeder.add(acts, start=0, size=200, leaf="2" * 64)
    feeder.close()
    assert Catalog(path).count(Filter(), 200) == len(acts)


def test_damage_while_reading_is_an_error_of_ours(path: Path) -> None:
    """No exception of SQLite's gets out, and damaged pages never become an answer."""
    fill(path, some_acts(400), 400)
    data = bytearray(path.read_bytes())
    for page in range(1, len(data) // 8192):
        data[page * 8192 : page * 8192 + 200] = b"\xff" * 200
    path.write_bytes(data)
    catalog = Catalog(path)
    for ask in (lambda: catalog.size, lambda: catalog.search(Filter(q="wali")), lambda: catalog.newest(3), lambda: catalog.row(1)):
        with pytest.raises(LedgerError) as caught:
            ask()
        assert caught.value.code in ("catalogue-damaged", "database")


def test_money_of_any_length_sorts(path: Path) -> None:
    """Eighteen digits before the point and cents behind it are neither rounded nor refused."""
    values = ["999999999999999999.99", "999999999999999999.98", "0", "0.01", "10", "9.5", "100000000000000000"]
    acts = [replace(one, row=replace(one.row, value=value, currency="IDR")) for one, value in zip(map(feed, range(7)), values, strict=True)]
    rows = fill(path, acts, 7).search(Filter(sort="-value")).rows
    assert [one.value for one in rows] == [values[place] for place in (0, 1, 6, 4, 5, 3, 2)]
