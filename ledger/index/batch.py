"""Many acts at once: what the index knows of them is asked in one query, and what they become is written in one go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger.index.examined import Clear
from ledger.index.index import Index
from ledger.index.rows import Rows, key_of, keys_of, packed
from ledger.records.numbers import fold_number
from ledger.records.record import Record
from ledger.records.replay import Act, NumberKey, act_of

__all__ = ["Batch"]

_NAMES = 3  # keys of an act that no other act may have: of its id and reference, and of its number where it has one


class Batch:
    """The acts of an index and, after them, those added here; implements ``replay.Acts``.

    What was not asked for beforehand is asked of the index, so a batch answers as the index would, only faster.
    """

    def __init__(self, index: Index, records: Sequence[Record] = (), *, whole: bool = True) -> None:
        """``records`` are those that are going to be judged, where they are known already; see ``expect``, and ``Rows``."""
        self.index, self.rows = index, Rows(whole=whole)
        self._late: list[tuple[Any, ...]] = []  # rows of acts that nobody has asked for yet
        self._by_ref: dict[str, Act] = {}
        self._by_id: dict[str, Act] = {}
        self._by_number: dict[NumberKey, list[Act]] = {}
        self._ids: set[str] = set()
        self._new_ids: set[str] = set()  # of these the index knows nothing; apart, as a number may be spelled like a reference
        self._new_refs: set[str] = set()
        self._new_numbers: set[str] = set()
        self._unknown: set[int] = set()  # names of which the index knows nothing
        self._taken: set[int] = set()  # keys of what was added here
        self._keys: dict[str, Sequence[int]] = {}
        if records:
            self.expect(records)

    def expect(self, records: Sequence[Record], keys: Sequence[Sequence[int]] | None = None) -> None:
        """Look up now, all together, what judging ``records`` is going to ask for; ``keys`` are ``keys_of`` each."""
        found = keys or [keys_of(record) for record in records]
        self._keys = {record.id: some for record, some in zip(records, found, strict=True)}
        known = self.index.known([key for keys in self._keys.values() for key in keys])
        for record in records:
            of_id, of_ref, *others = self._keys[record.id]
            number = record.data["number"]
            if of_id not in known:
                self._new_ids.add(record.id)
            if of_ref not in known:
                self._new_refs.add(record.ref)
            if number is not None and others[0] not in known:
                self._new_numbers.add(fold_number(number))

    def expect_clear(self, clear: Sequence[Clear]) -> None:
        """Look up now, all together, which names of ``clear`` acts the index knows."""
        names = [key for one in clear for key in one.keys[:_NAMES]]
        self._unknown = set(names).difference(self.index.known(names))

    def is_new(self, one: Clear) -> bool:
        """Tell whether no other act can have the id, the reference or the number of one that was expected; True is certain."""
        names = one.keys[:_NAMES]
        return self._unknown.issuperset(names) and self._taken.isdisjoint(names)

    def add_clear(self, one: Clear, *, index: int, time: str) -> None:
        """Add the act at ``index``; it is written by ``write``."""
        row = (index, time, *one.row)
        self.rows.acts.append(row)
        self.rows.keys += packed(one.keys, index)
        self.rows.documents += [(index, sha256, size) for sha256, size in one.documents]
        self.rows.last = index
        self._taken.update(one.keys)
        self._late.append(row)

    def add(self, record: Record, *, index: int, time: str) -> Act:
        """Add the act at ``index``; it is written by ``write``."""
        self._settle()
        act, keys = act_of(record, index=index, time=time), self._keys.get(record.id) or keys_of(record)
        self.rows.add(record, act, keys)
        self._taken.update(keys)
        self._keep(act)
        return act

    def add_id(self, entry_id: str, index: int) -> None:
        """Add an entry that is no act."""
        self.rows.add_id(entry_id, index)
        self._taken.add(key_of("id", entry_id))
        self._ids.add(entry_id)

    def has(self, entry_id: str) -> bool:
        """Tell whether an entry of this id was added here."""
        self._settle()
        return entry_id in self._ids or entry_id in self._by_id

    def write(self) -> None:
        """Write what was added into the index; inside the caller's transaction."""
        self.rows.write(self.index.connection)

    def may_know(self, entry_id: str) -> bool:
        """Tell whether an entry of this id may be in the index; False is certain."""
        return entry_id not in self._new_ids

    def by_ref(self, ref: str) -> Act | None:
        """Return the act that carries ``ref``."""
        self._settle()
        here = self._by_ref.get(ref)
        if here is not None:
            return here
        return None if ref in self._new_refs else self.index.by_ref(ref)

    def by_id(self, act_id: str) -> Act | None:
        """Return the act of that id."""
        self._settle()
        here = self._by_id.get(act_id)
        return here or (self.index.by_id(act_id) if self.may_know(act_id) else None)

    def by_number(self, key: NumberKey) -> Sequence[Act]:
        """Return the acts under one number key, oldest first."""
        self._settle()
        here = self._by_number.get(key, [])
        return here if key[2] in self._new_numbers else [*self.index.by_number(key), *here]

    def relating_to(self, ref: str) -> Sequence[tuple[str, Act]]:
        """Return (relation type, act) of each act that names ``ref``, oldest first."""
        here = [(kind, act) for act in self._by_ref.values() for kind, target in sorted(act.relations) if target == ref]
        return [*self.index.relating_to(ref), *here]

    def _settle(self) -> None:
        """Make acts of the rows that were added as such; what is clear has no relations."""
        for index, time, act_id, ref, kind, form, office, number, _, _, title, signed_on, signers, *_ in self._late:
            signed_by = tuple(signers.split())
            self._keep(Act(index, time, act_id, ref, kind, form, office, number, title, signed_on, signed_by, ()))
        self._late.clear()

    def _keep(self, act: Act) -> None:
        self._by_ref[act.ref] = self._by_id[act.id] = act
        key = act.number_key
        if key is not None:
            self._by_number.setdefault(key, []).append(act)
