"""The one replay: every reason against a record, and what the acts before mean now."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ledger.records import canonical
from ledger.records.entry import format_time
from ledger.records.envelope import Envelope, Signature
from ledger.records.record import RECORD_TYPE, Record, parse_record
from ledger.records.replay import act_of, changes_to, judge, number_key
from tests.city import City, keyid_of, signing_key, spki_of

FORMS = [
    {"event": "form", "id": "void", "kind": "void", "name": "Catatan nomor", "law": None},
    {"event": "form", "id": "izin", "kind": "permit", "name": "Izin", "law": None},
]
SERIES = {
    "event": "series", "id": "sk-setda", "office": "setda", "forms": ["sk"], "pattern": "188/{serial} Tahun {year}",
    "start": 5, "resets": "yearly", "complete_from": "2026-01-01",
}  # fmt: skip


@pytest.fixture
def city(tmp_path: Path) -> City:
    """A city with an office below the secretariat and one beside it."""
    city = City(tmp_path / "kota")
    city.office("hukum", parent="setda")
    city.office("pu")
    city.roster_event(*FORMS, SERIES)
    return city


def reasons(city: City, record: Record, *, time: str | None = None, envelope: Envelope | None = None) -> list[Any]:
    sealed = envelope or city.sign(RECORD_TYPE, record.data, record.data["signers"])
    return judge(city.roster, city.acts, sealed, index=len(city.entries), time=time or format_time(city.now + 60))


def codes(city: City, *, time: str | None = None, **overrides: Any) -> list[str]:
    return [reason.code for reason in reasons(city, city.record(**overrides), time=time)]


def relates(kind: str, record: Record, **more: str) -> list[dict[str, Any]]:
    return [{"type": kind, "ref": record.ref, **more}]


def test_an_ordinary_act_is_accepted(city: City) -> None:
    """Nothing speaks against the ordinary."""
    assert codes(city) == []


# -- bytes and signatures


def test_every_fault_of_the_record_is_told(city: City) -> None:
    """The record's own faults come back as they are."""
    envelope = city.sign(RECORD_TYPE, {**city.record().data, "title": "", "form": "S K"}, [city.clerk])
    assert sorted(one.code for one in reasons(city, city.record(), envelope=envelope)) == ["bad-identifier", "empty-or-padded"]


def test_bytes_that_are_not_canonical(city: City) -> None:
    """One plain reason for bytes that are no canonical JSON."""
    envelope = Envelope(RECORD_TYPE, b"{} ", (Signature(city.clerk, bytes(64)),))
    assert [one.code for one in reasons(city, city.record(), envelope=envelope)] == ["not-canonical"]


def test_a_later_version_is_unknown_not_false(city: City) -> None:
    """An unknown payload type, version or key is marked unknown."""
    data = city.record().data
    for envelope in (
        city.sign("application/vnd.bening.poem+json", data, [city.clerk]),
        city.sign(RECORD_TYPE, {**data, "v": 2}, [city.clerk]),
        city.sign(RECORD_TYPE, {**data, "mood": "x"}, [city.clerk]),
    ):
        assert any(one.unknown for one in reasons(city, city.record(), envelope=envelope))


def test_unknown_payload_type(city: City) -> None:
    """The code of another payload type."""
    envelope = city.sign("text/plain", {}, [city.clerk])
    assert [one.code for one in reasons(city, city.record(), envelope=envelope)] == ["unknown-payload-type"]


def test_another_ledgers_record(city: City, tmp_path: Path) -> None:
    """A record signed for a staging or re-founded ledger is refused here."""
    other = City(tmp_path / "lain", origin="bening.example/lain")
    envelope = other.sign(RECORD_TYPE, other.record().data, [other.clerk])
    assert [one.code for one in reasons(city, city.record(), envelope=envelope)] == ["other-founding"]


def test_signers_stripped_or_added(city: City) -> None:
    """Exactly those whom the record names have signed it: nobody takes a name off, nobody adds one."""
    second = city.enrol("Sekda", ["setda"])
    record = city.record(signers=[city.clerk, second])
    alone = city.sign(RECORD_TYPE, record.data, [city.clerk])
    assert "signatures-are-not-the-signers" in [one.code for one in reasons(city, record, envelope=alone)]
    single = city.record()
    both = city.sign(RECORD_TYPE, single.data, [city.clerk, second])
    assert "signatures-are-not-the-signers" in [one.code for one in reasons(city, single, envelope=both)]
    assert codes(city, signers=[city.clerk, second]) == []


def test_a_signature_over_other_bytes(city: City) -> None:
    """A signature moved from another record does not hold, and the record then has no signer."""
    record = city.record()
    signatures = city.sign(RECORD_TYPE, city.record().data, [city.clerk]).signatures
    found = [one.code for one in reasons(city, record, envelope=Envelope(RECORD_TYPE, record.payload, signatures))]
    assert found == ["bad-signature", "no-signer-for-office-and-kind"]


def test_keys_that_do_not_count(city: City) -> None:
    """A stranger, one too early, one too late, one retired, one revoked: each is named as what it is."""
    stranger = keyid_of(signing_key("stranger"))
    city.signing[stranger] = signing_key("stranger")
    early = city.enrol("Camat", ["setda"], begins="2026-02-01")
    late = city.enrol("Lurah", ["setda"], begins="2025-01-01", until="2025-12-31")
    retired, revoked = city.enrol("Asisten", ["setda"]), city.enrol("Staf", ["setda"])
    city.roster_event({"event": "retire", "key": retired})
    city.roster_event({"event": "revoke", "key": revoked, "suspect_from": 0})
    expected = {
        stranger: "key-not-enrolled",
        early: "key-outside-term",
        late: "key-outside-term",
        retired: "key-retired",
        revoked: "key-revoked",
    }
    for keyid, code in expected.items():
        assert codes(city, signers=[keyid]) == [code, "no-signer-for-office-and-kind"]
        assert code in codes(city, signers=[city.clerk, keyid])


def test_terms_follow_the_local_day(city: City) -> None:
    """A term that ends today ends at midnight in the city, not in Greenwich."""
    keyid = city.enrol("Pj. Sekda", ["setda"], until="2026-01-09")
    assert codes(city, signers=[keyid], time="2026-01-09T16:59:59Z") == []
    assert "key-outside-term" in codes(city, signers=[keyid], time="2026-01-09T17:00:00Z")


def test_the_key_must_be_for_this_office_and_kind(city: City) -> None:
    """Another office's key, or one for other kinds, signs nothing here."""
    works = city.enrol("Dinas PU", ["pu"])
    contracts = city.enrol("PPK", ["setda"], kinds=["contract"])
    assert codes(city, signers=[works]) == ["no-signer-for-office-and-kind"]
    assert codes(city, signers=[contracts]) == ["no-signer-for-office-and-kind"]
    assert codes(city, signers=[works], office="pu") == []


# -- rules


def test_a_rule_counts_holders_not_keys(city: City) -> None:
    """Two keys of one holder are one signature; two holders are two."""
    city.roster_event({"event": "rule", "kind": "decision", "signatures": 2})
    spare = signing_key("spare key")
    city.signing[keyid_of(spare)] = spare
    again = _enrol_key(city, spare, holder="Bagian Hukum", position="Kepala Bagian")
    other = city.enrol("Sekda", ["setda"])
    assert codes(city) == ["rule-not-met"]
    assert codes(city, signers=[city.clerk, again]) == ["rule-not-met"]
    assert codes(city, signers=[city.clerk, other]) == []


def test_a_rule_names_positions(city: City) -> None:
    """Only signers in the positions of the rule count."""
    mayor = city.enrol("Wali Kota", ["setda"], position="Wali Kota")
    city.roster_event({"event": "rule", "kind": "decision", "signatures": 1, "positions": ["Wali Kota"]})
    assert codes(city) == ["rule-not-met"]
    assert codes(city, signers=[mayor]) == []


def _enrol_key(city: City, key: Any, *, holder: str, position: str) -> str:
    event = {"event": "enrol", "key": spki_of(key), "holder": holder, "position": position, "offices": ["setda"]}
    city.roster_event(event | {"kinds": ["decision"], "from": "2026-01-01", "until": None}, signers=[keyid_of(key)])
    return keyid_of(key)


# -- office, form, series, documents


def test_office_and_form(city: City) -> None:
    """Offices and forms come from the roster, and a form has one kind."""
    assert codes(city, office="nowhere") == ["no-signer-for-office-and-kind", "unknown-office"]
    assert codes(city, form="perwal") == ["unknown-form"]
    assert codes(city, form="spk") == ["form-of-other-kind"]


@pytest.mark.parametrize(
    ("overrides", "found"),
    [
        ({"series": "sk-setda", "serial": 7, "number": "188/7 Tahun 2026"}, []),
        ({"series": "sk-setda", "serial": 7, "number": "A/7"}, []),
        ({"series": "sk-setda", "serial": 7, "number": None, "unnumbered_reason": "belum"}, []),
        ({"series": "sk-setda", "serial": 8, "number": "188/7 Tahun 2026"}, ["serial-differs"]),
        ({"series": "sk-setda", "serial": 4, "number": "188/4 Tahun 2026"}, ["serial-before-start"]),
        ({"series": "nowhere", "serial": 7}, ["unknown-series"]),
    ],
)
def test_series(city: City, overrides: dict[str, Any], found: list[str]) -> None:
    """A serial belongs to a declared book, begins at its start, and is the one that the number shows."""
    assert codes(city, **overrides) == found


def test_a_series_is_for_its_forms_and_office(city: City) -> None:
    """Another form, or another office's book, is refused."""
    city.roster_event({"event": "form", "id": "sk-lain", "kind": "decision", "name": "Lain", "law": None})
    assert codes(city, form="sk-lain", series="sk-setda", serial=7, number="x 7") == ["form-not-in-series"]
    works = city.enrol("Dinas PU", ["pu"])
    assert codes(city, office="pu", signers=[works], series="sk-setda", serial=7, number="x 7") == ["unknown-series"]


def test_void(city: City) -> None:
    """A void act explains numbers of its office's book, not before its start."""
    void: dict[str, Any] = {"kind": "void", "form": "void", "documents": {}, "number": None, "unnumbered_reason": "catatan"}
    fields = {"series": "sk-setda", "serials": [9, 10], "reason": "unused"}
    assert codes(city, **void, fields=fields) == []
    assert codes(city, **void, fields={**fields, "serials": [4, 9]}) == ["serial-before-start"]
    assert codes(city, **void, fields={**fields, "series": "nowhere"}) == ["unknown-series"]


def test_a_withdrawn_document_does_not_come_back(city: City) -> None:
    """A file that was withdrawn by law cannot be published again by another act."""
    record, _ = city.publish(documents={"daftar.pdf": b"names"})
    (document,) = record.documents
    city.roster_event({"event": "withdraw", "sha256": document["sha256"], "law": "UU 27/2022", "reason": "data pribadi"})
    assert codes(city, documents={"daftar.pdf": b"names"}) == ["document-withdrawn"]


# -- relations


def test_targets_are_known(city: City) -> None:
    """A relation leads to an act that is already here."""
    ahead = city.record()
    assert codes(city, relations=relates("amends", ahead)) == ["unknown-target"]
    assert codes(city, relations=relates("follows", ahead)) == ["unknown-target"]


@pytest.mark.parametrize("kind", ["amends", "corrects", "revokes", "annuls", "completes"])
def test_who_may_change_an_act(city: City, kind: str) -> None:
    """The act's own office and one above it may; one below, one beside, and a stranger may not; a rule can name a pair."""
    below, beside = city.enrol("Kabag Hukum", ["hukum"]), city.enrol("Dinas PU", ["pu"])
    target, _ = city.publish(office="hukum", signers=[below])
    above, _ = city.publish()
    to_target = relates(kind, target, reason="x")
    assert codes(city, office="hukum", signers=[below], relations=to_target) == []
    assert codes(city, relations=to_target) == []
    assert codes(city, office="pu", signers=[beside], relations=to_target) == ["not-competent"]
    assert codes(city, office="hukum", signers=[below], relations=relates(kind, above, reason="x")) == ["not-competent"]
    city.roster_event({"event": "rule", "office": "pu", "over": "hukum"})
    assert codes(city, office="pu", signers=[beside], relations=to_target) == []
    assert codes(city, office="pu", signers=[beside], relations=relates(kind, above, reason="x")) == ["not-competent"]


@pytest.mark.parametrize("kind", ["implements", "follows", "annex_of", "same_number_as"])
def test_anyone_may_point(city: City, kind: str) -> None:
    """Relations that do nothing to the target need no competence."""
    beside = city.enrol("Dinas PU", ["pu"])
    target, _ = city.publish()
    assert codes(city, office="pu", signers=[beside], relations=relates(kind, target, reason="x")) == []


def test_a_cosigner_for_other_kinds_lends_no_competence(city: City) -> None:
    """A key enrolled for contracts only does not let another office revoke a decision by signing along."""
    works = city.enrol("Dinas PU", ["pu"])
    contracts = city.enrol("PPK", ["setda"], kinds=["contract"])
    target, _ = city.publish()
    found = codes(city, office="pu", signers=[works, contracts], relations=relates("revokes", target))
    assert found == ["not-competent"]


def test_outside_targets_are_claims(city: City) -> None:
    """A relation to a paper outside this ledger is not judged."""
    outside = {"type": "revokes", "outside": {"number": "11", "year": 2021, "kind": "regulation"}}
    assert codes(city, relations=[outside]) == []


# -- names


def test_a_reference_is_used_once(city: City) -> None:
    """A second act cannot carry a printed reference."""
    record, index = city.publish()
    (reason,) = reasons(city, city.record(ref=record.ref))
    assert (reason.code, reason.values["index"]) == ("ref-used", index)


def test_a_number_is_not_silently_used_twice(city: City) -> None:
    """The same number, however spelt, is refused unless the record says so and why."""
    first, _ = city.publish(number="188/40 Tahun 2026")
    again = "NOMOR: 188 / 40 tahun 2026"
    assert codes(city, number=again) == ["number-used"]
    for kind in ("same_number_as", "corrects", "amends"):
        assert codes(city, number=again, relations=relates(kind, first, reason="nomor ganda")) == []
    assert codes(city, number=again, relations=relates("follows", first)) == ["number-used"]


def test_a_number_belongs_to_form_office_and_year(city: City) -> None:
    """The next year, another form or another office may use it again."""
    city.publish(number="40")
    works = city.enrol("Dinas PU", ["pu"])
    assert codes(city, number="40", signed_on="2025-12-31") == []
    assert codes(city, number="40", office="pu", signers=[works]) == []
    fields = {"value": "1", "currency": "IDR", "supplier": {"name": "A"}}
    assert codes(city, number="40", kind="contract", form="spk", fields=fields) == []


def test_all_reasons_at_once(city: City) -> None:
    """A clerk learns of everything in one answer."""
    record, _ = city.publish(number="40")
    found = codes(city, ref=record.ref, number="40", series="x", serial=1, relations=relates("amends", city.record()))
    assert found == ["unknown-series", "unknown-target", "ref-used", "number-used"]


def test_an_act_remembers_its_head(city: City) -> None:
    """``act_of`` and ``number_key`` keep what later judgements need."""
    record = city.record(number="No. 40", relations=[{"type": "follows", "outside": {"number": "1"}}])
    act = act_of(record, index=9, time="2026-01-05T02:00:00Z")
    assert act.number_key == number_key("sk", "setda", "40", "2026-05-01") == ("sk", "setda", "40", "2026")
    assert (act.index, act.id, act.ref, act.relations) == (9, record.id, record.ref, ())
    unnumbered = city.record(number=None, unnumbered_reason="belum")
    assert act_of(unnumbered, index=1, time="x").number_key is None


# -- status


def test_changes_to_an_act(city: City) -> None:
    """What later acts did to one, oldest first; a change that was annulled or replaced is undone."""
    base, _ = city.publish()
    addendum, _ = city.publish(relations=relates("amends", base))
    revocation, _ = city.publish(relations=relates("revokes", base))
    assert [(one.type, one.act.ref, one.undone) for one in changes_to(city.acts, base.ref)] == [
        ("amends", addendum.ref, False),
        ("revokes", revocation.ref, False),
    ]
    city.publish(relations=relates("annuls", revocation))
    assert [one.undone for one in changes_to(city.acts, base.ref)] == [False, True]
    assert changes_to(city.acts, "00000000000") == []


def test_an_annulment_that_was_annulled(city: City) -> None:
    """When the annulment itself falls, the change stands again."""
    base, _ = city.publish()
    revocation, _ = city.publish(relations=relates("revokes", base))
    annulment, _ = city.publish(relations=relates("annuls", revocation))
    correction, _ = city.publish(relations=relates("corrects", annulment, reason="salah"))
    assert [one.undone for one in changes_to(city.acts, base.ref)] == [False]
    city.publish(relations=relates("annuls", correction))
    assert [one.undone for one in changes_to(city.acts, base.ref)] == [True]


def test_a_replacement_that_was_replaced(city: City) -> None:
    """Whoever was replaced stays replaced when the replacement is replaced too, and until it is annulled."""
    base, _ = city.publish()
    first, _ = city.publish(relations=relates("corrects", base, reason="salah"))
    second, _ = city.publish(relations=relates("corrects", first, reason="salah lagi"))
    assert [one.undone for one in changes_to(city.acts, base.ref)] == [False]
    city.publish(relations=relates("annuls", second))
    assert [one.undone for one in changes_to(city.acts, base.ref)] == [False]
    city.publish(relations=relates("annuls", first))
    assert [one.undone for one in changes_to(city.acts, base.ref)] == [True]


def test_a_change_whose_correction_was_corrected(city: City) -> None:
    """A revocation that was replaced does not come back when the replacement is replaced once more."""
    base, _ = city.publish()
    revocation, _ = city.publish(relations=relates("revokes", base))
    first, _ = city.publish(relations=relates("corrects", revocation, reason="salah"))
    city.publish(relations=relates("corrects", first, reason="salah lagi"))
    assert [one.undone for one in changes_to(city.acts, base.ref)] == [True]


def test_a_web_of_annulments_ends(city: City) -> None:
    """Annulments of annulments, each of all before: answered at once, not in two to the power of their number."""
    base, _ = city.publish()
    web = [base]
    for _ in range(40):
        web.append(city.publish(relations=[one for record in web for one in relates("annuls", record)])[0])
    assert [one.undone for one in changes_to(city.acts, base.ref)] == [True] * 39 + [False]


def test_a_long_chain_of_annulments_ends(city: City) -> None:
    """A chain longer than Python's stack."""
    first, _ = city.publish()
    change, _ = city.publish(relations=relates("revokes", first))
    data, last = change.data, change.ref
    for index in range(1200):
        ref = city.draw_ref()
        record = parse_record(canonical.dump({**data, "ref": ref, "number": str(index), "relations": [{"type": "annuls", "ref": last}]}))
        city.acts.add(record, index=1000 + index, time="2026-01-05T02:00:00Z")
        last = ref
    assert [one.undone for one in changes_to(city.acts, first.ref)] == [False]


def test_every_reason_is_named_in_the_tests() -> None:
    """No reason that the replay can give goes without a test of it."""
    room = Path(__file__).parents[2] / "ledger" / "records"
    given = set()
    for name in ("replay.py", "roster.py", "events.py", "record.py"):
        given |= set(re.findall(r'Reason\("([a-z-]+)"', (room / name).read_text()))
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert {code for code in given if f'"{code}"' not in tests} == set()
