"""Acts in lists: the catalogue's rows, hits marked, and whether something later changed them, asked once for all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.catalog.catalog import Row, mark_hits
from ledger.records.replay import Act
from web.site import Reading

__all__ = ["Listed", "Marked", "acts_as_rows", "rows_of"]

Marked = list[tuple[str, bool]]
_CHANGING = ("annuls", "corrects", "revokes", "amends")


@dataclass(frozen=True, slots=True)
class Listed:
    """One act of a list: the row, its title and number with hits marked, a piece of its text, and whether later acts touch it."""

    row: Row
    title: Marked
    number: Marked
    snippet: Marked | None
    touched: bool


def rows_of(reading: Reading, rows: Sequence[Row], q: str = "") -> list[Listed]:
    """Return rows as lists show them; ``q`` are the words whose hits are marked."""
    touched = _touched(reading, [row.ref for row in rows])
    snippets = reading.catalog.snippets([row.index for row in rows], q) if q else {}
    return [_listed(row, q, snippets.get(row.index), row.ref in touched) for row in rows]


def acts_as_rows(reading: Reading, acts: Sequence[Act]) -> list[Listed]:
    """Return acts of the index as lists show them; where the catalogue is behind, without money and supplier."""
    rows = [reading.catalog.row(act.index) or _bare(act) for act in acts]
    return rows_of(reading, rows)


def _listed(row: Row, q: str, snippet: Marked | None, touched: bool) -> Listed:
    if not q:
        return Listed(row, [(row.title, False)], [(row.number or "", False)], None, touched)
    return Listed(row, mark_hits(row.title, q), mark_hits(row.number or "", q), snippet, touched)


def _bare(act: Act) -> Row:
    return Row(
        act.index, act.time, act.time[:10], act.id, act.ref, act.kind, act.form, act.office, act.number, act.title, act.signed_on,
        lag_days=0, currency=None, value=None, supplier=None, method=None, documents=0,
    )  # fmt: skip


def _touched(reading: Reading, refs: Sequence[str]) -> set[str]:
    """Return those ``refs`` that some published act amends, replaces, revokes or annuls; the act's own page says what holds."""
    if not refs:
        return set()
    marks, kinds = ", ".join("?" * len(refs)), ", ".join("?" * len(_CHANGING))
    query = f"SELECT DISTINCT target FROM relations WHERE target IN ({marks}) AND type IN ({kinds}) AND idx < ?"
    return {row[0] for row in reading.acts.connection.execute(query, (*refs, *_CHANGING, reading.size)).fetchall()}
