"""The acts of a published ledger, asked for one by one: look-up buckets give hints, each hinted entry is proven first.

Implements ``replay.Acts`` for whoever checks one act without replaying the ledger. What a bucket leaves out is not
found here: that nothing was left out is what a full audit proves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ledger.errors import AdmissionError, FetchError, FormatError, NewerFormatError
from ledger.records.entry import Entry, parse_entry
from ledger.records.numbers import number_hash
from ledger.records.record import RECORD_TYPE, Record, parse_record
from ledger.records.replay import Act, NumberKey, act_of
from ledger.verifier.client import look_up
from ledger.verifier.reader import View

__all__ = ["LookedUpActs", "index_of_ref", "indexes_of_number", "indexes_of_ref", "record_at"]


def record_at(view: View, index: int) -> tuple[Entry, Record] | None:
    """Return the proven entry and record at ``index``; None if it is no record, or one of a later version.

    Raises:
        ProofError, FetchError: as ``View.entry``.
    """
    try:
        entry = parse_entry(view.entry(index))
        if entry.envelope.payload_type != RECORD_TYPE:
            return None
        return entry, parse_record(entry.envelope.payload)
    except (FormatError, NewerFormatError, AdmissionError):
        return None


def indexes_of_ref(view: View, ref: str) -> list[int]:
    """Return the hinted indexes, inside this view, of the act of ``ref`` and of those that name it."""
    return [index for index in look_up(view.source, "ref", ref[:2], ref) if index < view.size]


def index_of_ref(view: View, ref: str) -> int:
    """Return the index of the act that carries ``ref``.

    Raises:
        FetchError: no act is found under it (``act-not-found``), or the look-up could not be read.
    """
    for index in indexes_of_ref(view, ref):
        found = record_at(view, index)
        if found is not None and found[1].ref == ref:
            return index
    raise FetchError(f"no act {ref}", code="act-not-found", ref=ref)


def indexes_of_number(view: View, number: str) -> list[int]:
    """Return the hinted indexes, inside this view, of the acts that carry ``number`` in any spelling."""
    value = number_hash(number)
    return [index for index in look_up(view.source, "number", value[:3], value) if index < view.size]


class LookedUpActs:
    """The acts before entry ``before`` (all of the view's if None); keeps what it has read."""

    def __init__(self, view: View, before: int | None = None) -> None:
        self.view = view
        self.before = view.size if before is None else before
        self._read: dict[int, Act | None] = {}

    def by_ref(self, ref: str) -> Act | None:
        """Return the act that carries ``ref``."""
        return next((act for act in self._acts(indexes_of_ref(self.view, ref)) if act.ref == ref), None)

    def by_number(self, key: NumberKey) -> Sequence[Act]:
        """Return the acts under one number key, oldest first."""
        value = hashlib.sha256(key[2].encode("utf-8")).hexdigest()
        hints = look_up(self.view.source, "number", value[:3], value)
        return [act for act in self._acts(hints) if act.number_key == key]

    def relating_to(self, ref: str) -> Sequence[tuple[str, Act]]:
        """Return (relation type, act) of each act that names ``ref``, oldest first."""
        found = self._acts(indexes_of_ref(self.view, ref))
        return [(kind, act) for act in found for kind, target in act.relations if target == ref]

    def _acts(self, hints: list[int]) -> list[Act]:
        return [act for index in hints if index < self.before and (act := self._act(index)) is not None]

    def _act(self, index: int) -> Act | None:
        if index not in self._read:
            found = record_at(self.view, index)
            self._read[index] = None if found is None else act_of(found[1], index=index, time=found[0].time)
        return self._read[index]

