"""Admission decides the same whether submissions come examined in children or one by one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ledger.errors import Reason
from ledger.index import Batch
from ledger.index.examined import Clear, Examined, examine, examine_chunk, examined_of
from ledger.publisher import admission, staging
from ledger.publisher.admission import Admission, examine_all, tip_of
from ledger.publisher.store import Store
from ledger.records.envelope import Envelope, Signature, dump_envelope
from ledger.records.roster import Roster
from tests.publisher.town import Town

TIME = "2026-11-30T03:00:00Z"
WITHHELD = {"media_type": "application/pdf", "role": "signed", "reason": "Dikecualikan", "law": "UU 14/2008"}


@pytest.fixture
def busy(town: Town) -> Town:
    """The town with a number book, a rule, ended and foreign signers, and acts that stand already."""
    town.roster(
        {"event": "form", "id": "sk2", "kind": "decision", "name": "Keputusan lain"},
        {"event": "form", "id": "spk", "kind": "contract", "name": "Kontrak"},
        {"event": "series", "id": "buku", "office": "hukum", "forms": ["sk"], "pattern": "188/{serial} Tahun {year}",
         "start": 5, "resets": "yearly", "complete_from": "2026-01-01"},
        town.enrolment("farmer", offices=["tani"], kinds=["decision", "contract"]),
        town.enrolment("late", **{"from": "2027-01-01"}),
        town.enrolment("gone"), town.enrolment("second", holder="head"), town.enrolment("third"),
        {"event": "rule", "kind": "contract", "signatures": 2},
    )  # fmt: skip
    town.roster({"event": "retire", "key": town.key("gone").public.keyid})
    town.published(b"stands", number="1/2026", ref="00000000000")
    town.published(b"goes", number="2/2026")
    sha256 = town.file(b"goes")["sha256"]
    town.roster({"event": "withdraw", "sha256": sha256, "reason": "r", "law": "l"})
    return town


def some(town: Town, chance: random.Random, count: int) -> list[bytes]:
    """Submissions of every kind, mostly ones that are in order; documents are staged but for those that are missing."""
    made: list[Envelope] = []
    for n in range(count):
        act = town.act(None, **changes(town, chance, n))
        envelope = act.envelope
        files = dict(act.documents)
        if chance.random() < 0.05 and files:
            files.clear()
        staging.stage(town.home, files)
        if chance.random() < 0.04:
            first, *others = envelope.signatures
            envelope = replace(envelope, signatures=(Signature(first.keyid, bytes(64)), *others))
        made.append(envelope)
        if chance.random() < 0.06:
            made.append(chance.choice(made))
    middle = town.roster_envelopes({"event": "form", "id": "baru", "kind": "decision", "name": "Baru"})
    made[count // 2 : count // 2] = middle
    return [*map(dump_envelope, made), b"{}", b'{"payload":"e30=","payloadType":"x","signatures":[]}']


def changes(town: Town, chance: random.Random, n: int) -> dict[str, Any]:
    """What sets one record apart from the usual one."""
    document: dict[str, Any] = {"withheld": f"{chance.getrandbits(256):064x}", **WITHHELD}
    if chance.random() < 0.3:
        content = chance.choice((b"stands", b"goes", b"%d" % n, b"%d" % n))
        document = {**town.file(content), "media_type": "application/pdf", "name": "sk.pdf", "role": "signed"}
        if chance.random() < 0.1:
            document["size"] += 1
    usual: dict[str, Any] = {"number": f"{chance.randrange(50, 5000)}/2026", "documents": [document]}
    target = {"ref": "00000000000", "reason": "sebab"}
    odd: list[dict[str, Any]] = [
        {"number": chance.choice(("1/2026", "Nomor 1 / 2026", "00000000000"))}, {"number": "1/2026", "form": "sk2"},
        {"number": "1/2026", "relations": [{"type": "same_number_as", **target}]}, {"ref": "00000000000"},
        {"number": None, "unnumbered_reason": "tanpa nomor"},
        {"relations": [{"type": chance.choice(("amends", "follows")), **target}]},
        {"series": "buku", "serial": chance.randrange(3, 9), "number": f"188/{chance.randrange(3, 9)} Tahun 2026"},
        {"office": "tani", "by": ["farmer"]}, {"office": "tani"}, {"by": ["late"]}, {"by": ["gone"]}, {"by": ["stranger"]},
        {"form": "baru"}, {"form": "none"}, {"founding": "1" * 64}, {"by": ["head", "second"]}, {"by": ["head", "third"]},
        {"by": ["head"], "signers": sorted(town.key(name).public.keyid for name in ("head", "third"))},
        {"kind": "contract", "form": "spk", "office": "tani", "by": ["farmer"]},
        {"kind": "void", "form": "void", "fields": {"series": "buku", "serials": [chance.randrange(3, 9)], "reason": "unused"},
         "number": None, "unnumbered_reason": "r", "documents": []},
    ]  # fmt: skip
    return usual if chance.random() < 0.5 else {**usual, **chance.choice(odd)}


def admitted(town: Town, found: Sequence[Examined | Clear], roster: Roster) -> tuple[Any, ...]:
    """What admission makes of submissions: the reasons against each, the rows, and the tip after them."""
    with Store(town.home, read_only=True) as store:
        before = tip_of(store)
        work, reasons = Admission(store, before, Batch(store.index)), list[tuple[Reason, ...]]()
        for part in (found[at : at + 16] for at in range(0, len(found), 16)):
            work.expect(part)
            reasons += [tuple(work.admit(one, TIME)) for one in part]
        rows, tip = work.batch.rows, work.tip
        assert before.roster == roster
        assert before.size == tip.size - len(work.entries)
        asked = [work.batch.by_id(entry_id) for _, entry_id, _, _ in work.entries]
        kept = rows.acts, rows.documents, rows.relations, sorted(rows.keys), rows.last
        return reasons, work.entries, work.rosters, kept, tip.size, tip.prev, tip.time, tip.roster, asked


@pytest.mark.parametrize("seed", range(8))
def test_what_is_clear_is_judged_as_by_itself(busy: Town, seed: int) -> None:
    """Rows made in children and judged by what was allowed before: the same reasons, entries and index as one by one."""
    chance = random.Random(seed)
    data = some(busy, chance, 150)
    with Store(busy.home, read_only=True) as store:
        roster = store.roster()
    keys = {keyid: one.key for keyid, one in roster.enrolments.items()}
    raw = {keyid: one.raw for keyid, one in keys.items()}
    plain = [examined_of(one, found) for one, found in zip(data, examine_chunk(raw, data), strict=True)]
    clear = sum(isinstance(one, Clear) for one in plain)
    assert len(data) // 3 < clear < len(data)
    one_by_one = admitted(busy, [examine(one, {}) for one in data], roster)
    assert admitted(busy, plain, roster) == one_by_one
    assert len({reason.code for reasons in one_by_one[0] for reason in reasons}) > 8


def test_children_find_the_same(busy: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes from child processes, in their chunks, is what this process finds."""
    monkeypatch.setattr(admission, "WORTH_WORKERS", 1)
    monkeypatch.setattr(admission, "cores", lambda: 2)
    data = some(busy, random.Random(1), 300)
    with Store(busy.home, read_only=True) as store:
        roster = store.roster()
    raw = {keyid: one.key.raw for keyid, one in roster.enrolments.items()}
    found = list(examine_all(data, len(data), roster))
    assert found == [examined_of(one, plain) for one, plain in zip(data, examine_chunk(raw, data), strict=True)]
    assert [one.data for one in found] == data


def test_a_refused_kind_is_asked_about_each_time(busy: Town) -> None:
    """What is alike a refused record is refused with its own reasons; nothing of it is remembered as allowed."""
    data = [dump_envelope(busy.act(b"%d" % n, number=f"{n}/2026", form="none").envelope) for n in range(10, 14)]
    with Store(busy.home, read_only=True) as store:
        roster, work = store.roster(), Admission(store, tip_of(store), Batch(store.index))
        raw = {keyid: one.key.raw for keyid, one in roster.enrolments.items()}
        found = [examined_of(one, plain) for one, plain in zip(data, examine_chunk(raw, data), strict=True)]
        assert all(isinstance(one, Clear) for one in found)
        work.expect(found)
        codes = [{reason.code for reason in work.admit(one, TIME)} for one in found]
    assert codes == [{"unknown-form"}] * 4
    assert not work.allowed
    assert not work.entries


def test_a_batch_answers_for_what_was_clear(busy: Town) -> None:
    """An act that was added as a row is found by reference, id and number, as one that was added as a record."""
    data = dump_envelope(busy.act(b"row", number="77/2026").envelope)
    with Store(busy.home, read_only=True) as store:
        raw = {keyid: one.key.raw for keyid, one in store.roster().enrolments.items()}
        (clear,) = [examined_of(data, plain) for plain in examine_chunk(raw, [data])]
        assert isinstance(clear, Clear)
        record = clear.opened().record
        assert record is not None
        act = Batch(store.index).add(record, index=5, time=TIME)
        asked = lambda one: one.by_ref(act.ref), lambda one: one.by_id(act.id), lambda one: one.by_number(act.number_key)[0]
        for ask in asked:
            batch = Batch(store.index)
            assert not batch.is_new(clear)  # nobody has asked the index
            batch.expect_clear([clear])
            assert batch.is_new(clear)
            batch.add_clear(clear, index=5, time=TIME)
            assert not batch.is_new(clear)
            assert ask(batch) == act
