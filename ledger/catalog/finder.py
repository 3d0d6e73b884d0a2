"""Finding: from a filter to the bitmap of the acts that it means.

A term's bitmap is read where a block has one, and made from FTS5 where not. Alternatives that are all rare are asked of
FTS5 in one go.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Sequence
from typing import Any

from ledger.catalog.bits import BLOCK, bits_of, span
from ledger.catalog.blocks import match
from ledger.catalog.filters import FACETS, Filter
from ledger.catalog.folding import ALL
from ledger.catalog.memory import Columns
from ledger.catalog.query import Alternatives, Term, conditions
from ledger.records.entry import parse_time

__all__ = ["Finder"]

_AT_ONCE = 200
_DAY = 86_400


class Finder:
    """Bitmaps of terms and filters among the first ``size`` entries of one snapshot; each bitmap is made once."""

    def __init__(self, connection: Any, size: int, utc_seconds: int, columns: Columns, *, whole: bool = True) -> None:
        """``utc_seconds``: by how much local clocks are ahead of UTC; ``columns``: those of this catalogue's file.

        ``whole``: the catalogue itself has no more than ``size`` entries, so that its totals are theirs.
        """
        self.connection, self.size, self.utc_seconds, self.columns = connection, size, utc_seconds, columns
        self.whole = whole

    def found(self, wanted: Filter, *, without: str = "") -> int:
        """Return the acts that a filter means, ``without`` one of its facets."""
        bits = self.words(wanted.q) if wanted.q else self.every(ALL)
        for name in FACETS:
            values = getattr(wanted, name)
            if values and name != without:
                bits &= _any(self.facet(name, value) for value in values)
        return bits & self.days(wanted.since, wanted.until) if wanted.since or wanted.until else bits

    def words(self, q: str) -> int:
        """Return the acts in which all words of a query are found; a query without any word finds none."""
        return self.columns.bitmap(f"?{self.size}?{q}", self.size, lambda _: self._words(q))

    def facet(self, name: str, value: str) -> int:
        """Return the acts with a value of a facet."""
        row = self.connection.execute("SELECT code FROM facets WHERE facet = ? AND value = ?", (name, value)).fetchone()
        return 0 if row is None else self.coded(row[0])

    def coded(self, code: int) -> int:
        """Return the acts with the value of a facet that has this code."""
        return self.every(f"={code}")

    def trimmed(self, code: int) -> tuple[int, int]:
        """Return how many entries lie before the first act with the value of a facet, and the bitmap from there on."""
        return self.columns.trimmed_bitmap(f"={code}", self.size, lambda start: self._term(f"={code}", start))

    def every(self, term: str) -> int:
        """Return the acts with a term that many have, a facet's value, ``ALL`` or ``VALUED``; kept in memory."""
        return self.columns.bitmap(term, self.size, lambda start: self._term(term, start))

    def joined(self, word: str) -> bool:
        """Tell whether ``word`` is two neighbouring words of an act, joined."""
        return bool(match(self.connection, f'"+{word}"', 0, self.size, most=1))

    def days(self, since: str, until: str) -> int:
        """Return the entries recorded from one local date to another, both included; empty dates are open."""
        start = self._first_from(parse_time(f"{since}T00:00:00Z")) if since else 0
        end = self._first_from(parse_time(f"{until}T00:00:00Z") + _DAY) if until else self.size
        return span(start, min(end, self.size))

    def has(self, word: str) -> bool:
        """Tell whether an act has ``word``."""
        return self.connection.execute("SELECT 1 FROM words WHERE word = ?", (word,)).fetchone() is not None

    def beginning(self, start: str) -> list[str]:
        """Return the words of letters that begin with ``start``."""
        query = "SELECT word FROM words WHERE word >= ? AND word < ? ORDER BY word"
        return [row[0] for row in self.connection.execute(query, (start, start[:-1] + chr(ord(start[-1]) + 1))).fetchall()]

    def _first_from(self, local: int) -> int:
        """Return the first entry at or after a local time; times never run backwards, so halving finds it."""
        low, high = 0, self.size
        while low < high:
            middle = (low + high) // 2
            row = self.connection.execute("SELECT idx, time FROM acts WHERE idx >= ? ORDER BY idx LIMIT 1", (middle,)).fetchone()
            if row is None or row[0] >= high or row[1] + self.utc_seconds >= local:
                high = middle
            else:
                low = row[0] + 1
        return low

    def _words(self, q: str) -> int:
        wanted = conditions(q, self)
        hot = self._hot({term.text for one in wanted for terms in one for term in terms if not term.open})
        bits = span(0, self.size) if wanted else 0
        rare = [one for one in wanted if not any(term.text in hot for terms in one for term in terms)]
        if rare:
            bits &= self._rare(rare)
        for one in wanted:
            if one not in rare and bits:
                bits &= self._condition(one, hot)
        return bits

    def _condition(self, alternatives: Alternatives, hot: set[str]) -> int:
        rare = [terms for terms in alternatives if not any(term.text in hot for term in terms)]
        bits = self._rare([rare]) if rare else 0
        for terms in alternatives:
            if terms not in rare:
                bits |= _all(self._term_bits(term) for term in terms)
        return bits

    def _term_bits(self, term: Term) -> int:
        return self._rare([[(term,)]]) if term.open else self.every(term.text)

    def _rare(self, wanted: Sequence[Alternatives]) -> int:
        """Ask FTS5 for the acts in which all conditions hold; long lists of alternatives in parts."""
        if len(wanted) == 1 and len(wanted[0]) > _AT_ONCE:
            parts = [wanted[0][at : at + _AT_ONCE] for at in range(0, len(wanted[0]), _AT_ONCE)]
            return _any(self._rare([part]) for part in parts)
        if any(len(one) > _AT_ONCE for one in wanted):
            return _all(self._rare([one]) for one in wanted)
        return bits_of(match(self.connection, _expression(wanted), 0, self.size), self.size)

    def _hot(self, terms: set[str]) -> set[str]:
        """Return those terms that have a bitmap for any block."""
        query = "SELECT 1 FROM hot WHERE term = ? LIMIT 1"
        return {term for term in terms if self.connection.execute(query, (term,)).fetchone()}

    def _term(self, term: str, start: int = 0) -> int:
        """Return the acts that have a term, at least those from the entry ``start`` on."""
        at, found = start // BLOCK, []
        query = "SELECT block, bits FROM hot WHERE term = ? AND block >= ? ORDER BY block"
        rows = self.connection.execute(query, (term, at)).fetchall()
        pieces = [bytes(at * BLOCK >> 3)]
        for block, bits in rows:
            if block > at:
                found += match(self.connection, f'"{term}"', at * BLOCK, block * BLOCK)
                pieces.append(bytes((block - at) * BLOCK >> 3))
            pieces.append(bits)
            at = block + 1
        found += match(self.connection, f'"{term}"', at * BLOCK, self.size)
        frequent = int.from_bytes(b"".join(pieces), "little")
        return (frequent | bits_of(found, self.size) if found else frequent) & span(0, self.size)


def _any(bits: Iterable[int]) -> int:
    return functools.reduce(operator.or_, bits, 0)


def _all(bits: Iterable[int]) -> int:
    return functools.reduce(operator.and_, bits)


def _expression(wanted: Sequence[Alternatives]) -> str:
    """Return the conditions in FTS5's language; terms hold letters, digits and our own marks only."""
    together = [[" AND ".join(map(_quoted, terms)) for terms in one] for one in wanted]
    return " AND ".join("(" + " OR ".join(f"({one})" for one in alternatives) + ")" for alternatives in together)


def _quoted(term: Term) -> str:
    return f'"{term.text}"*' if term.open else f'"{term.text}"'
