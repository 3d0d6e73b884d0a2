"""Children of an audit: what they examine is judged as without them, and nothing is taken as done that they did not say."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import StoreError
from ledger.records.entry import dump_entry, parse_entry
from ledger.records.envelope import Envelope, Signature
from ledger.records.record import RECORD_TYPE, Record
from ledger.records.replay import judge
from ledger.verifier import auditclear, auditentries, auditfiles, auditread, auditrun
from ledger.verifier.audit import AuditReport
from ledger.verifier.auditclear import Clearing
from ledger.verifier.auditrun import CLEAR
from ledger.verifier.client import UrlSource
from tests.city import City, serve
from tests.verifier.test_audit import Watched, kept, lies, newer, push, run

BOOK: dict[str, Any] = {
    "event": "series", "id": "sk-setda", "office": "setda", "forms": ["sk"], "pattern": "188/{serial} Tahun {year}",
    "start": 1, "resets": "yearly", "complete_from": "2026-01-01",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _few_and_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditfiles, "PATIENCE", 0)
    monkeypatch.setattr(auditread, "MOST_CHILDREN", 1)


@pytest.fixture
def city(tmp_path: Path) -> City:
    """A city with acts of all sorts: relations within an office and across, a number book, a void number, a second signer."""
    city = City(tmp_path / "kota", witnesses=("kpk",))
    city.office("dinas", parent="setda")
    city.roster_event(BOOK, {"event": "form", "id": "void", "kind": "void", "name": "Catatan nomor", "law": None})
    other = city.enrol("Dinas", ["dinas"])
    record, _ = city.publish()
    city.publish(relations=[{"type": "amends", "ref": record.ref}])
    city.publish(relations=[{"type": "corrects", "ref": record.ref, "reason": "salah ketik"}], number=record.data["number"])
    theirs, _ = city.publish(office="dinas", signers=[other])
    city.publish(relations=[{"type": "revokes", "ref": theirs.ref}, {"type": "implements", "ref": record.ref}])
    city.publish(series="sk-setda", serial=7, number="188/7 Tahun 2026")
    fields = {"series": "sk-setda", "serials": [1, 2], "reason": "unused"}
    city.publish(kind="void", form="void", documents={}, number=None, unnumbered_reason="catatan", fields=fields)
    city.publish(number=None, unnumbered_reason="tanpa nomor", documents={"same.pdf": b"same"})
    city.publish(number=None, unnumbered_reason="tanpa nomor", documents={"same.pdf": b"same"}, signers=[city.clerk, other])
    city.write()
    return city


def both(
    city: City, monkeypatch: pytest.MonkeyPatch, name: str = "", *, write: bool = True
) -> tuple[AuditReport, AuditReport]:
    """Audit without and with children, each into a state of its own; return both reports, their states being alike."""
    if write:
        city.write()
    reports, states = [], []
    for way, least in (("alone", 10**9), ("children", 1)):
        monkeypatch.setattr(auditread, "PARALLEL_FROM", least)
        states.append(city.path.parent / f"{way} {name}")
        reports.append(run(city, state_dir=states[-1]))
    assert kept(states[0]) == kept(states[1])
    return reports[0], reports[1]


def test_an_honest_ledger(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """With children the report and all that is kept are the same, and the children have said most of it."""
    said: list[Any] = []
    monkeypatch.setattr(auditread, "_counted", lambda found, count: said.extend(found) or found)
    alone, children = both(city, monkeypatch)
    assert alone == children
    assert alone.exit_status() == 0
    clear = [one for one in said if type(one) is tuple and one[0] == CLEAR]
    assert sum(map(auditread.count_of, clear)) == len(city.records)
    assert max(map(auditread.count_of, clear)) > 1


def test_whole_bundles_of_clear_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle that is one run is kept as a whole, its look-ups included; the state is the same as without children."""
    city = City(tmp_path / "kota", witnesses=("kpk",))
    city.publish(documents={"a.pdf": b"a", "b.pdf": b"b", "c.pdf": b"c"})
    while len(city.entries) < 600:
        n = len(city.entries)
        city.publish(**({"number": f"1/{n}"} if n % 7 else {"number": None, "unnumbered_reason": "x"}))
    said: list[Any] = []
    monkeypatch.setattr(auditread, "_counted", lambda found, count: said.append(found) or found)
    alone, children = both(city, monkeypatch)
    assert alone == children
    assert alone.exit_status() == 0
    assert [len(found) for found in said[1:]] == [1, 1]


@pytest.mark.parametrize("known", [0, 300], ids=["at once", "in two runs"])
@pytest.mark.parametrize("lie", ["number", "ref", "both in one run", "time", "an honest one"])
def test_lies_across_bundles(lie: str, known: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was used in a bundle before is known, whether its keys are written yet or not, and in the run after it."""
    city = City(tmp_path / "kota", witnesses=("kpk",))
    first, _ = city.publish(number="1/first")
    for n in range(540):
        if n == 310:
            city.publish(number="2/second")
        city.now -= 3600 * (lie == "time" and n == 500)
        city.publish(check=False, **{"number": f"3/{n}", **_lie_at(lie, n, first)})
    if known:
        city.write(size=known)
        for least in (10**9, 1):
            monkeypatch.setattr(auditread, "PARALLEL_FROM", least)
            assert run(city, state_dir=tmp_path / ("alone " if least > 1 else "children ")).exit_status() == 0
    alone, children = both(city, monkeypatch)
    assert alone == children
    expected = {"number": "number-used", "both in one run": "number-used", "ref": "ref-used"}.get(lie)
    assert [reason.code for reason in children.reasons] == ([expected] if expected else [])
    assert children.exit_status() == (0 if lie == "an honest one" else 1)


def _lie_at(lie: str, n: int, first: Record) -> dict[str, Any]:
    """What is said at act ``n``: 350 and 520 lie in other bundles than what they repeat."""
    if lie == "number" and n == 520:
        return {"number": first.data["number"]}
    if lie == "ref" and n == 350:
        return {"ref": first.ref}
    if lie == "both in one run" and n in (400, 401):
        return {"number": "4/twice"}
    return {}


def test_over_the_network(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children read from a URL by themselves; a source that only their parent knows is read without them."""
    with serve(city.path) as url:
        reports = []
        for least in (10**9, 1):
            monkeypatch.setattr(auditread, "PARALLEL_FROM", least)
            reports.append(run(city, source=UrlSource(url), state_dir=city.path.parent / f"url {least}"))
        assert reports[0] == reports[1]
        assert reports[0].exit_status() == 0
    monkeypatch.setattr(auditread, "Workers", None)
    assert run(city, source=Watched(city.path)).exit_status() == 0


def more_lies(city: City) -> dict[str, Callable[[], Any]]:
    """Lies that only the acts before, or only the roster, can tell."""
    first = next(iter(city.records.values()))
    other = city.enrol("Lurah", ["dinas"], until="2026-01-03")
    strange = City(city.path.parent / "asing", origin=city.origin, name="Kota Lain").record()
    return {
        "number-used": lambda: city.publish(number=first.data["number"], check=False),
        "number used twice in one bundle": lambda: [city.publish(number="9/9", check=False) for _ in range(2)],
        "ref used twice in one bundle": lambda: [city.publish(ref="19JVNJXPQJS", check=False) for _ in range(2)],
        "not-competent": lambda: city.publish(
            office="dinas", signers=[city.enrol("Camat", ["dinas"])], relations=[{"type": "annuls", "ref": first.ref}], check=False
        ),
        "key-outside-term": lambda: city.publish(office="dinas", signers=[other], check=False),
        "no-signer-for-office-and-kind": lambda: city.publish(office="dinas", check=False),
        "unknown-form": lambda: city.publish(form="nota", check=False),
        "unknown-series": lambda: city.publish(series="lain", serial=3, check=False),
        "other-founding": lambda: city.publish(founding=strange.data["founding"], check=False),
        "a signature too many": lambda: push(city, city.sign(RECORD_TYPE, city.record().data, [city.clerk, other])),
        "another's signature": lambda: push(city, _stolen(city)),
        "an act twice": lambda: city.append(parse_entry(city.entries[-1]).envelope, check=False),
    }


def _stolen(city: City) -> Envelope:
    earlier = parse_entry(city.entries[-1]).envelope
    return Envelope(RECORD_TYPE, city.record().payload, tuple(Signature(city.clerk, one.sig) for one in earlier.signatures))


@pytest.mark.parametrize("several", [1, 2, 3, 4])
def test_every_lie_is_told_the_same(city: City, monkeypatch: pytest.MonkeyPatch, several: int) -> None:
    """Each false entry, and each of a later version, with honest ones after it: the same report, word for word."""
    for kinds in (lies, more_lies, newer):
        for number, name in enumerate(list(kinds(city.fork(city.path)))):
            if number % 4 != several - 1:
                continue
            other = city.fork(city.path.parent / f"{kinds.__name__} {number}")
            kinds(other)[name]()
            other._envelopes_before = lambda count, other=other: other.envelopes  # type: ignore[method-assign, misc]
            for _ in range(2):
                other.publish(check=False)
            alone, children = both(other, monkeypatch, other.path.name)
            assert alone == children, name
            assert alone.exit_status() != 0, name


def test_damaged_files_are_told_the_same(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle, a tile or a roster.jsonl that is cut, changed or missing."""
    for path in sorted([*(city.path / "tile").rglob("*"), city.path / "roster.jsonl"]):
        good = path.read_bytes() if path.is_file() else b""
        for number, bad in enumerate((good[:-1], b"", good[:300] + b"?" + good[301:])):
            if good:
                path.write_bytes(bad)
                reports = []
                for least in (10**9, 1):
                    monkeypatch.setattr(auditread, "PARALLEL_FROM", least)
                    reports.append(run(city, state_dir=city.path.parent / f"{path.name} {number} {least}"))
                assert reports[0] == reports[1], path
                assert reports[0].exit_status() == 1, path
                path.write_bytes(good)


class _Answers:
    """Children whose answers a test makes up."""

    def __init__(self, answer: Callable[[Any, Any], Any], context: Any) -> None:
        self.answer, self.context = answer, context

    def close(self) -> None:
        """End."""

    def map(self, tasks: Iterator[Any], count: int) -> Iterator[Any]:
        """Yield what the test says of bundles."""
        for task in tasks:
            yield self.answer(self.context, task[1:]) if task[0] == "bundle" else auditclear.answer(self.context, task)


def answered(monkeypatch: pytest.MonkeyPatch, answer: Callable[[Any, Any], Any]) -> None:
    monkeypatch.setattr(auditread, "PARALLEL_FROM", 1)
    monkeypatch.setattr(auditread, "Workers", lambda function, context, count, *, helping: _Answers(answer, context))


def test_look_ups_that_children_cannot_read(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up file that a child cannot read is read by its parent, who says why; one that is short or cut is incomplete."""
    monkeypatch.setattr(auditread, "PARALLEL_FROM", 1)
    path = next((city.path / "lookup" / "ref").iterdir())
    good = path.read_bytes()
    for bad in (b"", good[:-1], good + good, good.swapcase()):
        path.write_bytes(bad)
        alone, children = both(city, monkeypatch, f"look-up {len(bad)} {bad[:1]!r}", write=False)
        assert alone == children, bad
    path.unlink()
    path.mkdir()
    alone, children = both(city, monkeypatch, "look-up folder", write=False)
    assert alone == children
    assert [one.code for one in children.verdict.checks if one.name == "look-up"] == ["look-up-incomplete"]


def test_what_children_leave_is_read_by_their_parent(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children that say nothing, or give every entry back: the same report as without them."""
    alone = run(city, state_dir=city.path.parent / "alone")
    answered(monkeypatch, lambda context, task: None)
    assert run(city, state_dir=city.path.parent / "silent") == alone
    answered(monkeypatch, lambda context, task: city.entries[task[0] :])
    assert run(city, state_dir=city.path.parent / "raw") == alone


def test_clear_counts_only_in_its_place(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear by an older roster, or where the chain is broken, is not clear: the parent reads such an entry itself."""
    old = city.roster.hash
    city.enrol("Baru", ["dinas"])
    push(city, city.sign(RECORD_TYPE, city.record().data, [city.clerk]), roster=old)
    alone, children = both(city, monkeypatch, "roster")
    assert (alone, [one.code for one in alone.verdict.checks if one.state == "failed"]) == (children, ["roster-not-newest"])
    city.entries[-1] = dump_entry(replace(parse_entry(city.entries[-1]), roster=city.roster.hash, prev="0" * 64))
    alone, children = both(city, monkeypatch, "chain")
    assert (alone, [one.code for one in alone.verdict.checks if one.state == "failed"]) == (children, ["chain-broken"])


def test_children_that_fail(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that answers for another number of entries, or dies, ends the run; the next one starts where it stood."""
    answered(monkeypatch, lambda context, task: auditclear.examine(context, task)[:-1])
    with pytest.raises(StoreError) as caught:
        run(city)
    assert caught.value.code == "worker-failed"
    monkeypatch.undo()
    monkeypatch.setattr(auditread, "PARALLEL_FROM", 1)
    monkeypatch.setattr(auditread, "MOST_CHILDREN", 1)
    real = auditread.Workers
    monkeypatch.setattr(auditread, "Workers", lambda function, context, count, *, helping: real("os:abort", context, count))
    with pytest.raises(StoreError) as caught:
        run(city)
    assert caught.value.code == "worker-failed"
    monkeypatch.setattr(auditread, "Workers", real)
    assert run(city).exit_status() == 0


_KINDS = (("decision", "sk"), ("contract", "spk"), ("decision", "spk"), ("void", "void"))


def _chances(city: City, chance: random.Random) -> Iterator[bytes]:
    """Yield entries that differ in all that a roster decides, right and wrong."""
    keys = [city.clerk, city.enrol("A", ["dinas"]), city.enrol("B", ["setda", "dinas"], kinds=["decision"], until="2026-01-20")]
    city.roster_event({"event": "rule", "kind": "contract", "signatures": 2, "positions": []})
    city.roster_event({"event": "retire", "key": city.enrol("C", ["setda"])})
    withdrawn = city.record(documents={"x.pdf": b"x"}).documents[0]["sha256"]
    city.roster_event({"event": "withdraw", "sha256": withdrawn, "law": "UU 27/2022", "reason": "data pribadi"})
    for _ in range(400):
        kind, form = chance.choices(_KINDS, (8, 4, 1, 1))[0]
        fields = {"contract": {"value": "1", "currency": "IDR", "supplier": {"name": "CV"}}}.get(kind, {})
        fields |= {"series": "sk-setda", "serials": [1], "reason": "unused"} if kind == "void" else {}
        more: dict[str, Any] = {"series": chance.choice(("sk-setda", "lain")), "serial": 3} if chance.random() < 0.1 else {}
        record = city.record(
            documents={"x.pdf": chance.choices((b"x", b"y"), (1, 9))[0]}, kind=kind, form=form, fields=fields, office=chance.choices(("setda", "dinas", "lain"), (9, 4, 1))[0],
            signers=sorted(chance.sample(keys, chance.choice((1, 2, 3)))), **more,
        )  # fmt: skip
        signers = record.data["signers"] if chance.random() < 0.9 else [chance.choice(keys)]
        envelope = city.sign(RECORD_TYPE, record.data, signers)
        if chance.random() < 0.1:
            envelope = replace(envelope, signatures=tuple(replace(one, sig=bytes(64)) for one in envelope.signatures))
        push(city, envelope, time=f"2026-01-{chance.randrange(6, 30):02}T12:00:00Z")
        yield city.entries[-1]


@pytest.mark.parametrize("seed", range(3))
def test_what_was_allowed_once(city: City, seed: int) -> None:
    """Whatever was judged before, an entry is clear exactly if nothing speaks against it by its roster and no act before."""
    clearing = Clearing({})
    counts = [0, 0]
    for data in _chances(city, random.Random(seed)):
        clearing.rosters = {city.roster.hash: city.roster}
        entry = parse_entry(data)
        acts = auditclear._Supposed(city.record())
        reasons = judge(city.roster, acts, entry.envelope, index=9, time=entry.time)
        found = clearing.examine(9, data)
        assert isinstance(found, auditrun.ClearEntry) == (not reasons), (reasons, entry)
        counts[bool(reasons)] += 1
    assert min(counts) > 40
    assert clearing._allowed


def test_whoever_helps_forgets(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that audits again later reads the rosters again: what it had kept would know none of the new ones."""
    monkeypatch.setattr(auditread, "PARALLEL_FROM", 1)
    monkeypatch.setattr(auditread, "MOST_CHILDREN", 0)
    assert run(city).exit_status() == 0
    assert auditclear._clearing.cache_info().currsize == auditclear._source.cache_info().currsize == 0
    city.enrol("Baru", ["dinas"])
    city.publish()
    city.write()
    parsed: list[bytes] = []
    real = auditentries.parsed
    monkeypatch.setattr(auditentries, "parsed", lambda data: parsed.append(data) or real(data))
    assert run(city).exit_status() == 0
    assert len(parsed) == 1  # the roster payload; the act was clear by the new roster
