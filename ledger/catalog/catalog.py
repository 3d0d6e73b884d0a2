"""The catalogue of published acts: search, facets, rows for lists, exports and feeds; derived, made anew when in doubt."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ledger.catalog.filters import FACETS, Filter
from ledger.sqlite import connect, driver, transaction

__all__ = ["Catalog", "Page", "Row", "mark_hits"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS acts (idx INTEGER PRIMARY KEY, row TEXT NOT NULL, words TEXT NOT NULL, text TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One act as lists, exports and feeds show it."""

    index: int
    time: str
    recorded_on: str
    id: str
    ref: str
    kind: str
    form: str
    office: str
    number: str | None
    title: str
    signed_on: str
    lag_days: int
    currency: str | None
    value: str | None
    supplier: str | None
    method: str | None
    documents: int


@dataclass(frozen=True, slots=True)
class Page:
    """One page of hits: ``exact`` False means more than ``count``."""

    rows: list[Row]
    count: int
    exact: bool
    facets: dict[str, list[tuple[str, int | None]]]


class Catalog:
    """The open ``search.db``."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path, self.read_only = path, read_only
        if not read_only:
            self.connection = connect(path)
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.executescript(_SCHEMA)

    @property
    def size(self) -> int:
        """Entries it covers."""
        found = self._select("SELECT value FROM meta WHERE key = 'size'")
        return int(found[0][0]) if found else 0

    def add(self, rows: Iterable[tuple[Row, str, str]], size: int) -> None:
        """Add acts with their words and texts; the catalogue then covers ``size`` entries."""
        with transaction(self.connection):
            values = [(row.index, json.dumps(asdict(row)), _fold(words), text) for row, words, text in rows]
            self.connection.executemany("INSERT OR REPLACE INTO acts VALUES (?, ?, ?, ?)", values)
            self.connection.execute("INSERT OR REPLACE INTO meta VALUES ('size', ?)", (str(size),))

    def search(self, wanted: Filter, *, page: int = 1, per_page: int = 20) -> Page:
        """Return one page of what is wanted."""
        rows = list(self.each(wanted, self.size))
        facets: dict[str, list[tuple[str, int | None]]] = {}
        for name in FACETS:
            counts = Counter(value for row in rows if (value := _facet(row, name)) is not None)
            facets[name] = list(counts.most_common())
        return Page(rows[(page - 1) * per_page : page * per_page], len(rows), True, facets)

    def each(self, wanted: Filter, size: int) -> Iterator[Row]:
        """Yield all rows below entry ``size`` in the filter's order."""
        rows = [row for row, words in self._all(size) if _matches(row, words, wanted)]
        name = wanted.sort.lstrip("-")
        if name != "recorded":
            key = {"signed": lambda row: row.signed_on, "value": lambda row: float(row.value or 0)}[name]
            rows.sort(key=key)  # type: ignore[arg-type]
        yield from reversed(rows) if wanted.sort.startswith("-") else rows

    def count(self, wanted: Filter, size: int) -> int:
        """Return how many rows ``each`` yields."""
        return sum(1 for _ in self.each(wanted, size))

    def newest(self, count: int) -> list[Row]:
        """Return the newest acts."""
        return [_row(one[0]) for one in self._select("SELECT row FROM acts ORDER BY idx DESC LIMIT ?", count)]

    def row(self, index: int) -> Row | None:
        """Return the act at ``index``."""
        found = self._select("SELECT row FROM acts WHERE idx = ?", index)
        return _row(found[0][0]) if found else None

    def snippet(self, index: int, q: str) -> list[tuple[str, bool]] | None:
        """Return pieces of a text document around a hit."""
        found = self._select("SELECT text FROM acts WHERE idx = ?", index)
        marked = mark_hits(found[0][0][:400], q) if found and found[0][0] else []
        return marked if any(hit for _, hit in marked) else None

    def _all(self, size: int) -> Iterator[tuple[Row, str]]:
        for row, words in self._select("SELECT row, words FROM acts WHERE idx < ? ORDER BY idx", size):
            yield _row(row), words

    def _select(self, query: str, *values: Any) -> list[Any]:
        if not self.read_only:
            return list(self.connection.execute(query, values).fetchall())
        try:
            connection = connect(self.path, read_only=True)
            try:
                return list(connection.execute(query, values).fetchall())
            finally:
                connection.close()
        except Exception as error:  # noqa: BLE001
            if isinstance(error, driver().Error) or "database" in str(getattr(error, "code", "")):
                return []
            raise


def _row(text: str) -> Row:
    return Row(**json.loads(text))


def _facet(row: Row, name: str) -> str | None:
    return row.signed_on[:4] if name == "year" else getattr(row, name)


def _fold(text: str) -> str:
    plain = "".join(one for one in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(one))
    return re.sub(r"[\W_]+", " ", plain)


def _matches(row: Row, words: str, wanted: Filter) -> bool:
    chosen = all(not getattr(wanted, name) or _facet(row, name) in getattr(wanted, name) for name in FACETS)
    dated = (wanted.since or "0") <= row.recorded_on <= (wanted.until or "9")
    close = words.replace(" ", "")
    return chosen and dated and all(word in words or word in close for word in _fold(wanted.q).split())


def mark_hits(text: str, q: str) -> list[tuple[str, bool]]:
    """Split a displayed text into (piece, is hit)."""
    words = _fold(q).split()
    pieces = [one for one in re.split(r"(\w+)", text) if one]
    return [(one, any(_fold(one).strip().startswith(word) for word in words)) for one in pieces]
