"""Who may do what: the browser judges roster events and records for the same reasons as Python, one by one and in order."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ledger.errors import LedgerError
from ledger.records import canonical
from ledger.records.entry import Entry, dump_entry, parse_entry
from ledger.records.envelope import Envelope, Signature, dump_envelope, load_envelope
from ledger.records.events import ROSTER_TYPE
from ledger.records.record import RECORD_TYPE
from ledger.records.replay import judge_record
from ledger.records.roster import judge_roster
from ledger.verifier.signers import _NoActs
from tests.city import City, Keys, spki_of
from tests.web.browser import local_site, new_page
from tests.web.verifying import Checker

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from ledger.publisher.home import Home


@pytest.fixture(scope="module")
def js(browser: Browser, plain_home: Home) -> Iterator[Checker]:
    """The modules, loaded once."""
    with local_site(plain_home) as site:
        yield Checker(new_page(browser), site)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    """A city with offices in a line, rules, number books, and keys that are retired, revoked, over or of another kind."""
    city = City(tmp_path_factory.mktemp("city") / "kota")
    city.office("dinas", parent="setda")
    city.office("seksi", parent="dinas")
    city.office("lain")
    city.roster_event({"event": "form", "id": "batal", "kind": "void", "name": "Batal"})
    city.keys_by_name = {  # type: ignore[attr-defined]
        "clerk": city.clerk,
        "dinas": city.enrol("Dinas", ["dinas"], position="Kepala Dinas"),
        "two": city.enrol("Dua", ["setda"], position="Sekretaris"),
        "retired": city.enrol("Pensiun", ["setda"]),
        "revoked": city.enrol("Cabut", ["setda"]),
        "over": city.enrol("Lewat", ["setda"], until="2026-01-05"),
        "ahead": city.enrol("Nanti", ["setda"], begins="2027-01-01"),
        "contracts": city.enrol("Kontrak", ["setda"], kinds=["contract"]),
    }
    same = city._new_key("another key of the first holder")
    event = {"event": "enrol", "key": spki_of(city.signing[same]), "holder": "Bagian Hukum", "position": "Sekretaris", "from": "2026-01-01"}
    city.roster_event({**event, "offices": ["setda"], "kinds": ["decision"]}, signers=[same])
    city.keys_by_name["same"] = same  # type: ignore[attr-defined]
    city.roster_event({"event": "retire", "key": city.keys_by_name["retired"]})  # type: ignore[attr-defined]
    city.roster_event({"event": "revoke", "key": city.keys_by_name["revoked"], "suspect_from": 3})  # type: ignore[attr-defined]
    city.roster_event({"event": "rule", "kind": "decision", "signatures": 2, "positions": ["Kepala Bagian", "Sekretaris"]})
    book = {"event": "series", "id": "sk", "office": "setda", "forms": ["sk"], "pattern": "188/{serial}*{year}", "start": 5}
    city.roster_event({**book, "resets": "yearly", "complete_from": "2026-01-01"})
    city.roster_event({"event": "withdraw", "sha256": "0" * 64, "law": "UU", "reason": "x"})
    return city


def ask(js: Checker, city: City, expression: str, cases: list[Any]) -> list[Any]:
    """Evaluate for each case, with the replayed roster as ``r``."""
    lines = b"".join(dump_envelope(one) + b"\n" for one in city.envelopes)
    body = f"""await (async () => {{
      const load = (name) => import(`/static/verify/${{name}}.js`);
      const [source, envelope, replay, acts, entry] = await Promise.all(["source", "envelope", "replay", "acts", "entry"].map(load));
      const r = (await m.replayRoster(source.rosterLines(b.parseBase64(a.lines)), a.founding)).at(-1); const out = [];
      for (const c of a.cases) {{ try {{ out.push(await (async () => ({expression}))()); }} catch (error) {{ if (!error.kind) throw error; out.push({{ no: error.kind }}); }} }}
      return out; }})()"""
    return list(js.run("roster", body, {"lines": b64(lines), "founding": city.founding, "cases": cases}))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# ---- roster events


def _events(city: City) -> Iterator[tuple[list[dict[str, Any]], list[str]]]:
    """Events with the new keys that sign them: allowed ones, and each way in which one is not."""
    fresh = [city._new_key(f"fresh {n}") for n in range(3)]
    key, other = (spki_of(city.signing[one]) for one in fresh[:2])
    keys = city.keys_by_name  # type: ignore[attr-defined]
    enrol = {"event": "enrol", "key": key, "holder": "H", "position": "P", "offices": ["setda"], "kinds": ["decision"], "from": "2026-01-01"}
    authority = [spki_of(city.signing[one]) for one in city.authority]
    vkeys, size = Keys(city.origin, "log2").vkeys, len(city.entries)
    office = {"event": "office", "id": "baru", "name": "Baru"}
    series = {"event": "series", "id": "b2", "office": "setda", "forms": ["sk"], "pattern": "{serial}", "start": 1, "resets": "never", "complete_from": "2026-01-01"}
    plain: list[dict[str, Any]] = [
        office, {**office, "parent": "setda"}, {**office, "parent": "none"}, {**office, "id": "setda", "parent": "seksi"}, {**office, "id": "setda", "parent": "setda"},
        {"event": "form", "id": "sk", "kind": "contract", "name": "x"}, {"event": "form", "id": "sk", "kind": "decision", "name": "x", "law": None},
        {"event": "retire", "key": keys["clerk"]}, {"event": "retire", "key": keys["retired"]}, {"event": "retire", "key": "0" * 64},
        {"event": "revoke", "key": keys["clerk"], "suspect_from": 99}, {"event": "revoke", "key": keys["revoked"], "suspect_from": 1}, {"event": "revoke", "key": "0" * 64, "suspect_from": 1},
        {"event": "rule", "office": "setda", "over": "none"}, {"event": "rule", "office": "lain", "over": "setda"}, {"event": "rule", "kind": "award", "signatures": 1},
        series, {**series, "id": "sk"}, {**series, "pattern": "x"}, {**series, "office": "none"}, {**series, "forms": ["none"]},
        {"event": "duty", "office": "none", "forms": ["sk", "none"], "from": "2026-01-01"}, {"event": "withdraw", "sha256": "1" * 64, "law": "UU", "reason": "y"},
        {"event": "reaffirm", "acts": ["0" * 64]}, {"event": "log_key", "vkeys": vkeys, "from_size": size + 1, "overlap_until_size": size + 2},
        {"event": "log_key", "vkeys": vkeys, "from_size": size, "overlap_until_size": size + 2}, {"event": "log_key", "vkeys": vkeys, "from_size": size + 3, "overlap_until_size": size + 2},
        {"event": "log_key", "vkeys": vkeys[::-1], "from_size": size + 1, "overlap_until_size": size + 2}, {"event": "log_key", "vkeys": city.keys.vkeys, "from_size": size + 1, "overlap_until_size": size + 2},
        {"event": "log_key", "vkeys": Keys("other.example", "x").vkeys, "from_size": size + 1, "overlap_until_size": size + 2},
        canonical.parse(city.envelopes[0].payload, limit=50_000)["events"][0],
    ]  # fmt: skip
    yield from (([one], []) for one in plain)
    yield [office, {**enrol, "offices": ["baru"]}], [fresh[0]]
    yield [{**enrol, "offices": ["baru"]}, office], [fresh[0]]
    for change in ({}, {"offices": ["setda", "setda"]}, {"kinds": ["void", "void"]}, {"until": "2025-12-31"}, {"until": None}, {"offices": ["none"]}):
        yield [{**enrol, **change}], [fresh[0]]
    yield [enrol], []
    yield [enrol], [fresh[1]]
    yield [enrol, {**enrol, "key": other}], [fresh[0]]
    yield [enrol, enrol], [fresh[0]]
    yield [{**enrol, "key": spki_of(city.signing[city.clerk])}], [city.clerk]
    yield [{**enrol, "key": authority[0]}], []
    for threshold, chosen, signing in ((1, [key], [fresh[0]]), (2, [*authority, key], [fresh[0]]), (3, authority, []), (1, [key, key], [fresh[0]]), (1, [key], [])):
        yield [{"event": "authority", "keys": chosen, "threshold": threshold}], signing


def _envelopes(city: City) -> Iterator[Envelope]:
    head = {"v": 1, "n": city.roster.n + 1, "prev_roster": city.roster.hash, "founding": city.founding}
    stranger = city._new_key("stranger")
    for events, extra in _events(city):
        payload = {**head, "events": events}
        whole = city.sign(ROSTER_TYPE, payload, [*city.authority, *extra])
        yield whole
        yield city.sign(ROSTER_TYPE, payload, [city.authority[0], *extra])
    payload = {**head, "events": [{"event": "office", "id": "baru", "name": "Baru"}]}
    for change in ({"n": city.roster.n}, {"n": city.roster.n + 2}, {"n": 0}, {"prev_roster": "0" * 64}, {"founding": "0" * 64}, {"v": 2}, {"events": []}, {"seal": 1}):
        yield city.sign(ROSTER_TYPE, {**payload, **change}, city.authority)
    yield city.sign(ROSTER_TYPE, payload, [*city.authority, stranger])
    yield city.sign(ROSTER_TYPE, payload, [stranger])
    whole = city.sign(ROSTER_TYPE, payload, city.authority)
    first = whole.signatures[0]
    yield Envelope(ROSTER_TYPE, whole.payload, (Signature(first.keyid, first.sig[:-1] + bytes([first.sig[-1] ^ 1])), *whole.signatures[1:]))
    yield Envelope(RECORD_TYPE, whole.payload, whole.signatures)


def test_roster_events(js: Checker, city: City) -> None:
    """The same reasons, in the same order, whether its place is known or not."""
    envelopes = [*_envelopes(city)]
    for index in (len(city.entries), None):
        found = ask(js, city, "(await m.judgeRoster(r, envelope.loadEnvelope(b.parseBase64(c[0])), c[1])).map((one) => [one.code, one.path, one.unknown])",
                    [[b64(dump_envelope(one)), index] for one in envelopes])  # fmt: skip
        for one, ours in zip(envelopes, found, strict=True):
            theirs = judge_roster(city.roster, one, index=index)
            assert ours == [[reason.code, reason.path, reason.unknown] for reason in theirs], one.payload
    reasons = {reason.code for one in envelopes for reason in judge_roster(city.roster, one, index=len(city.entries))}
    assert len(reasons) >= 22


# ---- records


def _records(city: City) -> Iterator[Envelope]:
    """Records by every set of signers, for every office and kind, with and without their number book."""
    keys = city.keys_by_name  # type: ignore[attr-defined]
    for names in (["clerk"], ["clerk", "two"], ["clerk", "same"], ["two", "dinas"], ["retired", "two"], ["revoked", "two"], ["over", "two"], ["ahead", "two"], ["contracts", "two"],
                  ["contracts"], ["dinas"], ["clerk", "two", "dinas"]):  # fmt: skip
        yield _signed(city, [keys[name] for name in names])
        yield _signed(city, [keys[name] for name in names], office="dinas")
    both = [keys["clerk"], keys["two"]]
    changes: list[dict[str, Any]] = [
        {"office": "none"}, {"form": "none"}, {"form": "spk"}, {"series": "sk", "serial": 12, "number": "188/12/2026"}, {"series": "sk", "serial": 13, "number": "188/12/2026"},
        {"series": "sk", "serial": 4, "number": "188/4/2026"}, {"series": "none", "serial": 1}, {"series": "sk", "serial": 7, "number": "other"}, {"founding": "0" * 64},
        {"relations": [{"type": "amends", "ref": "19JVNJXPQJS"}]}, {"title": "x" * 2000}, {"v": 2}, {"kind": "treaty"}, {"signed_on": "2026-13-01"},
        {"documents": [{"sha256": "0" * 64, "size": 1, "media_type": "a/b", "name": "x", "role": "signed"}]},
    ]  # fmt: skip
    yield from (_signed(city, both, **one) for one in changes)
    void = {"kind": "void", "form": "batal", "number": None, "unnumbered_reason": "x", "documents": [], "signatories": []}
    for series, serials in (("sk", [5, 6]), ("sk", [4]), ("none", [5])):
        yield _signed(city, both, **void, fields={"series": series, "serials": serials, "reason": "unused"})
    whole = _signed(city, both)
    first, second = whole.signatures
    yield Envelope(whole.payload_type, whole.payload, (first,))
    yield Envelope(whole.payload_type, whole.payload, (Signature(first.keyid, second.sig), second))
    yield Envelope(whole.payload_type, canonical.dump({**canonical.parse(whole.payload, limit=50_000), "title": "lain"}), whole.signatures)
    yield Envelope(ROSTER_TYPE, whole.payload, whole.signatures)
    yield Envelope(whole.payload_type, b"{}", whole.signatures)
    yield Envelope(whole.payload_type, b'{"v":1.5}', whole.signatures)


def _signed(city: City, signers: list[str], **changes: Any) -> Envelope:
    data = {**city.record(signers=signers).data, **changes}
    return city.sign(RECORD_TYPE, data, data["signers"])


def test_records(js: Checker, city: City) -> None:
    """The same reasons, in the same order, at times on both sides of a local midnight."""
    envelopes = [*_records(city)]
    for time in ("2026-01-05T16:59:59Z", "2026-01-05T17:00:00Z"):
        found = ask(js, city, "(await replay.judgeRecord(r, acts.NO_ACTS, envelope.loadEnvelope(b.parseBase64(c[0])), c[1])).map((one) => [one.code, one.path, one.unknown])",
                    [[b64(dump_envelope(one)), time] for one in envelopes])  # fmt: skip
        for one, ours in zip(envelopes, found, strict=True):
            theirs = judge_record(city.roster, _NoActs(), one, time=time)
            assert ours == [[reason.code, reason.path, reason.unknown] for reason in theirs], one.payload
    reasons = {reason.code for one in envelopes for reason in judge_record(city.roster, _NoActs(), one, time="2026-01-05T17:00:00Z")}
    assert len(reasons) >= 18


# ---- envelopes and entries


def test_envelopes_and_entries(js: Checker, city: City) -> None:
    """What is exactly an envelope or an entry, and what is not: order, repetition, keys, spellings, lengths."""
    whole = canonical.parse(dump_envelope(city.envelopes[1]), limit=50_000)
    first, second = whole["signatures"]
    many = [{"keyid": f"{n:064x}", "sig": first["sig"]} for n in range(17)]
    changes: list[dict[str, Any]] = [
        {}, {"signatures": [second, first]}, {"signatures": [first, first]}, {"signatures": []}, {"signatures": many}, {"signatures": many[:16]}, {"extra": 1},
        {"payload": whole["payload"].rstrip("=") + "!"}, {"payload": 1}, {"payloadType": None}, {"signatures": [{**first, "keyid": first["keyid"].upper()}]},
        {"signatures": [{**first, "keyid": first["keyid"][:-1]}]}, {"signatures": [{**first, "sig": first["sig"][:-4]}]}, {"signatures": [{**first, "x": 1}]},
        {"signatures": [{"keyid": first["keyid"]}]}, {"signatures": [1]}, {"signatures": {}}, {"payload": "AA==", "signatures": [first]}, {"payload": "AB=="},
    ]  # fmt: skip
    cases = [canonical.dump({**whole, **one}) for one in changes] + [canonical.dump({key: value for key, value in whole.items() if key != one}) for one in whole]
    found = ask(js, city, "envelope.loadEnvelope(b.parseBase64(c)).id", [b64(one) for one in cases])
    assert found == [_or_no(lambda one=one: load_envelope(one).id) for one in cases]  # type: ignore[misc]
    entry = canonical.parse(dump_entry(Entry(city.envelopes[1], "0" * 64, "1" * 64, "2026-01-01T00:00:00Z")), limit=50_000)
    changes = [{}, {"v": 2}, {"v": 0}, {"v": "1"}, {"v": True}, {"prev": "0" * 63}, {"prev": "A" * 64}, {"roster": 1}, {"time": "2026-02-30T00:00:00Z"}, {"time": "2026-01-01T24:00:00Z"},
               {"time": "2026-01-01T00:00:00"}, {"time": 1}, {"x": 1}, {"envelope": {}}, {"envelope": None}]  # fmt: skip
    cases = [canonical.dump({**entry, **one}) for one in changes] + [canonical.dump({key: value for key, value in entry.items() if key != one}) for one in entry] + [b"[]", b"1"]
    found = ask(js, city, "entry.parseEntry(b.parseBase64(c)).time", [b64(one) for one in cases])
    assert found == [_or_no(lambda one=one: parse_entry(one).time) for one in cases]  # type: ignore[misc]


def _or_no(action: Any) -> Any:
    """What Python returns, or the kind of its refusal."""
    try:
        return action()
    except LedgerError as error:
        return {"no": {"FormatError": "format", "NewerFormatError": "newer"}[type(error).__name__]}
