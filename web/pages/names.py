"""The names that the roster gives to ids: offices, forms, holders of keys. An id that it does not know stands for itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.records.roster import Roster

__all__ = ["Names"]


class Names:
    """Ids in the words of one roster."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster

    def office(self, identifier: str) -> str:
        """Return an office's name."""
        return _name(self.roster.offices, identifier)

    def form(self, identifier: str) -> str:
        """Return the city's own name for a kind of paper."""
        return _name(self.roster.forms, identifier)

    def forms(self, identifiers: list[str]) -> str:
        """Return the names of several forms in a line."""
        return ", ".join(map(self.form, identifiers))

    def signer(self, keyid: str) -> str:
        """Return who holds a key, and in which position; the beginning of its id where the roster does not know it."""
        enrolment = self.roster.enrolments.get(keyid)
        return ", ".join(dict.fromkeys((enrolment.holder, enrolment.position))) if enrolment else f"{keyid[:16]}…"


def _name(table: Mapping[str, Mapping[str, Any]], identifier: str) -> str:
    return str(table[identifier]["name"]) if identifier in table else identifier
