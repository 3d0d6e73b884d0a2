"""Whether a published act carries what a payer holds: its reference or number, supplier, value; and what became of it.

    PUBLISHED 19JV-NJXP-QJS, entry 12, recorded here 2026-11-24: supplier as in the record; value as in the record …
    DIFFERS: 19JV-NJXP-QJS, …: value in the record is IDR 187500000.00, asked was 200000000; …

An act that was annulled, revoked, corrected or is disputed is called so first, whatever else matches. A later act's value
is shown beside the first one's. Everything is said of one published size; what is not published does not exist here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ledger.index import Index
from ledger.records.numbers import fold_number
from ledger.records.replay import Act, Change
from web.api.comparing import Match, compare_amount, compare_supplier
from web.api.standing import BROKEN, Standing, standing_of, suspects_of
from web.site import Reading

__all__ = ["Amendment", "Answer", "Asked", "Compared", "answer_of"]

MOST_SAME = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked; ``ref`` in stored form, ``number`` as typed, at least one of them."""

    ref: str | None = None
    number: str | None = None
    supplier: str | None = None
    value: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Amendment:
    """A later act that amends this one and is not undone: the value that it states, or that its ``changes`` name.

    ``disputed``: a key that signed it is no longer trusted, so that its value is shown and matches nothing.
    """

    change: Change
    value: str | None
    currency: str | None
    disputed: bool


@dataclass(frozen=True, slots=True)
class Compared:
    """One act held against what was asked; what was not asked is None."""

    act: Act
    number: bool | None
    supplier: Match | None
    value: Match | None
    currency: str | None
    amendments: tuple[Amendment, ...]
    standing: Standing
    unknown_supplier: str | None
    asked: Asked

    @property
    def amended_value(self) -> bool:
        """Whether the value asked is that of the newest amendment that states one."""
        stated = [one for one in self.amendments if one.value is not None]
        asked = self.asked.value
        return asked is not None and bool(stated) and not stated[-1].disputed and compare_amount(asked, stated[-1].value).holds

    @property
    def carries(self) -> bool:
        """Whether the act carries all that was asked, its value perhaps by its newest amendment."""
        value = self.value is None or self.value.holds or self.amended_value
        return self.number is not False and (self.supplier is None or self.supplier.holds) and value


@dataclass(frozen=True, slots=True)
class Answer:
    """The act that was meant, if one was; else those that could be meant (``several``), or none."""

    asked: Asked
    one: Compared | None
    several: tuple[Compared, ...]

    @property
    def verdict(self) -> str:
        """The word that everything begins with."""
        if self.one is None:
            return "ambiguous" if self.several else "not-published"
        if self.one.standing.state in BROKEN:
            return self.one.standing.state
        if not self.one.carries:
            return "differs"
        return "amended" if self.one.standing.state == "amended" else "published"

    @property
    def carries(self) -> bool:
        """Whether an act that nothing has undone carries all that was asked."""
        found = (self.one,) if self.one else self.several
        return any(one.carries and one.standing.state not in BROKEN for one in found)


def answer_of(reading: Reading, asked: Asked) -> Answer:
    """Return what the published acts say to ``asked``; of several under one number, the only one that carries it all.

    One that another of them has replaced is not meant by the number any more.
    """
    acts = _found(reading, asked)
    compared = tuple(_compare(reading, act, asked) for act in acts[:MOST_SAME])
    current = [one for one in compared if not _is_replaced_within(one, compared)]
    if len(acts) == 1 or (len(current) == 1 and len(acts) <= MOST_SAME):
        return Answer(asked, (current or compared)[0], compared)
    full = [one for one in compared if one.carries]
    told = asked.supplier is not None or asked.value is not None
    sure = told and len(full) == 1 and len(acts) <= MOST_SAME
    return Answer(asked, full[0] if sure else None, compared)


def _is_replaced_within(one: Compared, others: Sequence[Compared]) -> bool:
    """Tell whether an act was corrected by another one under the same number: then that one is what the number means."""
    refs = {other.act.ref for other in others}
    return any(change.type == "corrects" and change.act.ref in refs for change in one.standing.that_count())


def _found(reading: Reading, asked: Asked) -> Sequence[Act]:
    if asked.ref is not None:
        act = reading.acts.by_ref(asked.ref)
        return [act] if act else []
    return reading.acts.by_number_alone(asked.number or "")[: MOST_SAME + 1]


def _compare(reading: Reading, act: Act, asked: Asked) -> Compared:
    fields = _fields(reading.acts, act.ref)
    standing, party = standing_of(reading, act), fields.get("supplier")
    counting = [one for one in standing.that_count() if one.type == "amends"]
    return Compared(
        act=act,
        number=None if asked.number is None else fold_number(asked.number) == fold_number(act.number or ""),
        supplier=None if asked.supplier is None else compare_supplier(asked.supplier, party),
        value=None if asked.value is None else compare_amount(asked.value, fields.get("value")),
        currency=fields.get("currency"),
        amendments=tuple(_amendment(reading, one) for one in sorted(counting, key=lambda one: one.act.index)),
        standing=standing,
        unknown_supplier=party.get("unknown") if isinstance(party, dict) else None,
        asked=asked,
    )


def _amendment(reading: Reading, change: Change) -> Amendment:
    fields = _fields(reading.acts, change.act.ref)
    becomes = [one["becomes"] for one in fields.get("changes", ()) if one["field"] == "value"]
    disputed = bool(suspects_of(reading.roster, change.act))
    return Amendment(change, becomes[-1] if becomes else fields.get("value"), fields.get("currency"), disputed)


def _fields(acts: Index, ref: str) -> dict[str, Any]:
    body = acts.body(ref)
    return dict(body["fields"]) if body else {}
