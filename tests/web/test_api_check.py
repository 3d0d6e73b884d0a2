"""What a treasury asks before it pays: right, or said otherwise, in one line; the worst is said first."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import UsageError
from ledger.publisher.handover import Outcome
from ledger.publisher.store import Store
from ledger.records.refs import format_ref
from tests.web.api_ledger import Served, ServedTown
from web.api.comparing import amount_of, compare_amount, compare_supplier


@pytest.fixture
def town(tmp_path: Any) -> ServedTown:
    return ServedTown(tmp_path)


def ref_of(town: ServedTown, outcome: Outcome) -> str:
    """Return the reference of what was published."""
    with Store(town.home, read_only=True) as store:
        act = store.index.by_index(outcome.index if outcome.index is not None else -1)
    assert act is not None
    return act.ref


def test_what_matches_is_said_with_its_time(town: ServedTown):
    """Supplier and value as in the record: PUBLISHED, where, since when, and up to when nothing else is recorded."""
    ref = ref_of(town, town.contract(b"%PDF-1 a", number="1/SPK/2026"))
    found = town.serve().check(ref=format_ref(ref).lower(), supplier="CV Karya Contoh", value="187500000.00")
    assert (found["verdict"], found["published"], found["carries"]) == ("published", True, True)
    assert found["matches"] == {"number": None, "supplier": True, "supplier_exact": True, "value": True, "amended_value": False}
    assert found["line"].startswith(f"PUBLISHED {format_ref(ref)}, entry {found['index']}, recorded here {found['recorded_on']}: ")
    assert "No revocation or change recorded here up to entry" in found["line"]
    assert (found["value"], found["currency"], found["supplier"]) == ("187500000", "IDR", "CV Karya Contoh")
    assert found["status"]["state"] == "unchanged"


@pytest.mark.parametrize(
    ("asked", "differs"),
    [
        ({"value": "187500000.01"}, "value in the record is IDR 187500000, asked was 187500000.01"),
        ({"value": "1875000000"}, "value in the record is IDR 187500000, asked was 1875000000"),
        ({"supplier": "PT Karya Contoh"}, "supplier in the record is CV Karya Contoh, asked was PT Karya Contoh"),
        ({"supplier": "CV Karya"}, "supplier in the record is CV Karya Contoh, asked was CV Karya"),
        ({"number": "2/SPK/2026"}, "number in the record is 1/SPK/2026"),
    ],
)
def test_what_differs_is_said_first(town: ServedTown, asked: dict[str, str], differs: str):
    """Any one difference makes it DIFFERS, whatever else matches; the record's own is shown beside it."""
    ref = ref_of(town, town.contract(b"%PDF-1 a", number="1/SPK/2026"))
    usual = {"ref": ref, "supplier": "CV Karya Contoh", "value": "187500000", "number": "1/SPK/2026"}
    found = town.serve().check(**{**usual, **asked})
    assert found["line"].startswith("DIFFERS: ")
    assert found["line"].partition(": ")[2].partition(": ")[2].startswith(differs)
    assert (found["verdict"], found["published"], found["carries"]) == ("differs", True, False)


def test_nothing_published_is_said_without_a_word_about_forgery(town: ServedTown):
    """Unknown reference or number: NOT PUBLISHED HERE, up to when, and that this says nothing about right or wrong."""
    served = town.serve()
    for query in ({"ref": "0000-0000-000"}, {"number": "9/x", "supplier": "CV", "value": "1"}):
        found = served.check(**query)
        assert found["line"].startswith("NOT PUBLISHED HERE: ")
        assert "says nothing about right or wrong" in found["line"]
        assert (found["verdict"], found["published"], found["carries"], found["acts"]) == ("not-published", False, False, [])


@pytest.mark.parametrize(
    ("relation", "first"),
    [("annuls", "ANNULLED"), ("revokes", "REVOKED"), ("corrects", "CORRECTED")],
)
def test_an_act_that_is_undone_is_called_so_first(town: ServedTown, relation: str, first: str):
    """Whatever matches: the first word says what became of it, and by which act; it carries nothing for a payer."""
    ref = ref_of(town, town.contract(b"%PDF-1 a", number="1/SPK/2026"))
    later = town.contract(b"%PDF-1 b", number="9/SPK/2026", relations=[{"type": relation, "ref": ref, "reason": "salah"}])
    found = town.serve().check(ref=ref, supplier="CV Karya Contoh", value="187500000")
    assert found["line"].startswith(f"{first}")
    assert f"by 9/SPK/2026, reference {format_ref(ref_of(town, later))}, entry {later.index}." in found["line"]
    assert "No revocation" not in found["line"]
    assert (found["published"], found["carries"], found["matches"]["value"]) == (True, False, True)
    assert found["changes"][0]["type"] == relation


def test_the_worst_of_several_comes_first(town: ServedTown):
    """Amended, then revoked: REVOKED is said first, and both are named."""
    ref = ref_of(town, town.contract(b"%PDF-1 a", number="1/SPK/2026"))
    for number, relation in (("2/ADD", "amends"), ("3/CABUT", "revokes")):
        town.contract(number.encode(), number=number, relations=[{"type": relation, "ref": ref}])
    line = town.serve().line(ref=ref)
    assert line.startswith("REVOKED: ")
    assert line.index("REVOKED by 3/CABUT") < line.index("AMENDED by 2/ADD")


def test_an_amended_value_is_shown_beside_the_first(town: ServedTown):
    """The first value still matches, the newest amendment's matches as such; one between does not."""
    ref = ref_of(town, town.contract(b"%PDF-1 a", number="1/SPK/2026"))
    for n, value in ((1, "190000000"), (2, "196000000")):
        changes = {"value": value, "changes": [{"field": "value", "was": "187500000", "becomes": value}]}
        town.contract(b"%%PDF-1 add %d" % n, number=f"1/ADD-{n}/2026", relations=[{"type": "amends", "ref": ref}], fields=changes)
    served = town.serve()
    first, newest, between = (served.check(ref=ref, value=value) for value in ("187500000", "196000000.00", "190000000"))
    assert (first["verdict"], first["carries"], first["matches"]["value"]) == ("amended", True, True)
    assert "AMENDED by 1/ADD-2/2026" in first["line"]
    assert "Its value there: IDR 196000000." in first["line"]
    assert (newest["verdict"], newest["carries"]) == ("amended", True)
    assert (newest["matches"]["value"], newest["matches"]["amended_value"]) == (False, True)
    assert "what was asked, 196000000.00, is the value after the newest amendment" in newest["line"]
    assert (between["verdict"], between["carries"]) == ("differs", False)
    assert [one["value"] for one in first["changes"]] == ["190000000", "196000000"]


def test_a_change_that_was_undone_changes_nothing(town: ServedTown):
    """A revocation that was annulled: the act is PUBLISHED again, and the JSON shows both."""
    ref = ref_of(town, town.contract(b"%PDF-1 a", number="1/SPK/2026"))
    revoked = ref_of(town, town.contract(b"%PDF-1 b", number="2/CABUT", relations=[{"type": "revokes", "ref": ref}]))
    town.contract(b"%PDF-1 c", number="3/BATAL", relations=[{"type": "annuls", "ref": revoked}])
    found = town.serve().check(ref=ref)
    assert found["verdict"] == "published"
    assert [(one["type"], one["undone"]) for one in found["changes"]] == [("revokes", True)]


def test_a_key_that_is_no_longer_trusted_disputes_its_acts(town: ServedTown):
    """Revoked from before the act on: DISPUTED first, with the key; reaffirmed by the authority, it is published again."""
    ref = ref_of(town, town.contract(b"%PDF-1 a", number="1/SPK/2026"))
    town.roster({"event": "revoke", "key": town.key("buyer").public.keyid, "suspect_from": 1})
    served = town.serve()
    found = served.check(ref=ref, supplier="CV Karya Contoh", value="187500000")
    assert found["line"].startswith("DISPUTED, ")
    assert "was revoked as not to be trusted from entry 1 on" in found["line"]
    assert (found["verdict"], found["carries"]) == ("disputed", False)
    assert found["status"]["suspects"][0]["holder"] == "buyer"
    town.roster({"event": "reaffirm", "acts": [found["id"]]})
    assert served.check(ref=ref)["verdict"] == "published"


def test_an_amendment_by_a_stolen_key_raises_no_value(town: ServedTown):
    """Its value is shown, with the warning, and is not carried; the first value still is."""
    ref = ref_of(town, town.contract(b"%PDF-1 a", number="1/SPK/2026"))
    add = town.contract(b"%PDF-1 b", number="1/ADD", fields={"value": "900000000"}, relations=[{"type": "amends", "ref": ref}])
    town.roster({"event": "revoke", "key": town.key("buyer").public.keyid, "suspect_from": add.index})
    served = town.serve()
    raised, first = served.check(ref=ref, value="900000000"), served.check(ref=ref, value="187500000")
    assert (raised["verdict"], raised["carries"]) == ("differs", False)
    assert (first["verdict"], first["carries"]) == ("amended", True)
    assert all(f"A key that published that entry {add.index} is no longer trusted" in one["line"] for one in (raised, first))


def test_a_number_of_several_acts_is_not_decided_by_chance(town: ServedTown):
    """Two contracts under one number: the one that carries what is asked is told, with the count; otherwise NOT CLEAR."""
    first = ref_of(town, town.contract(b"%PDF-1 a", number="1/SPK/2026"))
    same = [{"type": "same_number_as", "ref": first, "reason": "dua paket"}]
    second = ref_of(town, town.contract(b"%PDF-1 b", number="1 / SPK / 2026", relations=same, fields={"value": "5000000"}))
    served = town.serve()
    one = served.check(number="Nomor 1/spk/2026", value="5000000")
    assert (one["verdict"], one["ref"], one["carries"]) == ("published", second, True)
    assert "Other acts with the same number: 1." in one["line"]
    for query, carrying in (({}, 2), ({"value": "7"}, 0), ({"supplier": "CV Karya Contoh"}, 2)):
        found = served.check(number="1/SPK/2026", **query)
        assert found["line"].startswith("NOT CLEAR: acts that carry the number 1/SPK/2026: 2; ")
        assert f"with all that was asked: {carrying}." in found["line"]
        assert (found["verdict"], found["carries"]) == ("ambiguous", bool(carrying))
        assert [head["ref"] for head in found["acts"]] == [first, second]


def test_a_number_means_the_record_that_replaced_the_other(town: ServedTown):
    """A correction keeps its number: whoever asks by number hears of the newest record, not of an ambiguity."""
    first = ref_of(town, town.contract(b"%PDF-1 a", number="1/SPK/2026"))
    corrects = [{"type": "corrects", "ref": first, "reason": "salah ketik"}]
    second = ref_of(town, town.contract(b"%PDF-1 b", number="1/SPK/2026", fields={"value": "190000000"}, relations=corrects))
    served = town.serve()
    found = served.check(number="1/spk/2026", value="190000000")
    assert (found["verdict"], found["ref"], found["carries"]) == ("published", second, True)
    assert served.check(number="1/SPK/2026")["ref"] == second
    assert served.check(number="1/SPK/2026", value="187500000")["verdict"] == "differs"
    assert served.check(ref=first)["verdict"] == "corrected"


def test_what_a_record_does_not_state_is_said(town: ServedTown):
    """No supplier, an unnamed one, no value: said as such, and a difference."""
    decision = ref_of(town, town.published(b"%PDF-1 d"))
    unknown = ref_of(town, town.contract(b"%PDF-1 e", number="7", fields={"supplier": {"unknown": "perorangan"}}))
    served = town.serve()
    assert "the record names no supplier; the record states no value" in served.line(ref=decision, supplier="CV A", value="1")
    assert "the record leaves the supplier unnamed: perorangan" in served.line(ref=unknown, supplier="CV A")
    assert served.check(ref=decision, value="0")["verdict"] == "differs"


def test_hostile_texts_stay_on_one_line(town: ServedTown):
    """Right-to-left overrides, newlines and escapes in what is asked, markup and ten thousand characters in what is stored."""
    name = "<script>alert(1)</script> =cmd|' /C calc'!A0 " + "x" * 240
    ref = ref_of(town, town.contract(b"%PDF-1 a", number="<b>" + "9" * 15 + "</b>", title="T" * 1000, fields={"supplier": {"name": name}}))
    served = town.serve()
    for supplier in ("a\nPUBLISHED b", "a\r\x1b[2J", "\u202egnp.exe", "\u2028x", "\x00", "x" * 400):
        assert served.line(ref=ref, supplier=supplier).startswith("DIFFERS: ")
        assert served.line(number=f"n{supplier}"[:400]).startswith("NOT PUBLISHED HERE: ")
    assert served.json("/check", 400, ref=ref, supplier="x" * 401)["error"] == "bad-filter"


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({}, "check-what"), ({"supplier": "CV A"}, "check-what"), ({"number": "Nomor"}, "check-what"), ({"number": " "}, "empty-parameter"),
        ({"ref": "0000-0000-001"}, "bad-ref"), ({"ref": "0000-0000-000", "value": "187.500.000"}, "bad-amount"),
        ({"ref": "0000-0000-000", "value": "187.500"}, "bad-amount"), ({"ref": "0000-0000-000", "value": "1e9"}, "bad-amount"),
        ({"ref": "0000-0000-000", "value": "-1"}, "bad-amount"), ({"ref": "0000-0000-000", "value": "٤٢"}, "bad-amount"),
        ({"ref": "0000-0000-000", "suplier": "CV A"}, "unknown-parameter"),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_meant_is_refused(town: ServedTown, query: dict[str, str], error: str):
    """400 with the reason, never an answer to another question."""
    assert town.serve().json("/check", 400, **query)["error"] == error


def test_both_languages_and_both_forms(town: ServedTown):
    """Indonesian by wish; JSON where Accept prefers it, text otherwise."""
    ref = ref_of(town, town.contract(b"%PDF-1 a", number="1/SPK/2026"))
    served: Served = town.serve()
    assert served.get("/check", ref=ref, lang="id").text.startswith("TERBIT ")
    for accept, kind in (("", "text/plain"), ("*/*", "text/plain"), ("application/json", "application/json"), ("text/*", "text/plain"),
                         ("application/json, text/plain;q=0.5", "application/json"), ("image/png", "text/plain")):  # fmt: skip
        assert served.get("/check", headers={"Accept": accept}, ref=ref).mimetype == kind


ALIKE = ["CV Karya Contoh", "CV. Karya Contoh", "cv karya  contoh", "Karya Contoh, CV", "C.V. KARYA CONTOH", "Karya Contoh", "CV.Karya Contoh",
         "Ｃ Ｖ".replace(" ", "") + " Karya Contoh", "CV Karya-Contoh", "“Karya Contoh” CV"]  # fmt: skip
OTHER = ["PT Karya Contoh", "CV Karya", "CV Karya Contoh Jaya", "CV Contoh Karya", "CV", "", "CV KaryaContoh"]


@pytest.mark.parametrize("asked", ALIKE)
def test_spellings_of_one_supplier_are_the_same(asked: str):
    """Case, spaces, punctuation and the place of the legal form do not matter; only the very same text is exact."""
    found = compare_supplier(asked, {"name": "CV Karya Contoh", "form": "CV"})
    assert found.holds
    assert found.exact == (asked == "CV Karya Contoh")


@pytest.mark.parametrize("asked", OTHER)
def test_other_suppliers_are_not_the_same(asked: str):
    """Another legal form, fewer or more or other words."""
    assert not compare_supplier(asked, {"name": "CV Karya Contoh", "form": "CV"}).holds


def test_the_legal_form_may_stand_apart():
    """As the import of real contracts writes it: the name without, the form in words."""
    party = {"name": "BINI MULTI GUNA", "form": "Persekutuan Komanditer (CV / Commanditer Venoschaap )"}
    assert compare_supplier("CV. Bini Multi Guna", party).holds
    assert not compare_supplier("PT. Bini Multi Guna", party).holds
    assert not compare_supplier("", {"name": "…"}).holds
    for party in (None, {}, {"unknown": "x"}, "CV A", []):
        assert not compare_supplier("CV A", party).holds


@given(st.decimals(0, 10**17, places=2))
def test_amounts_are_compared_as_decimals(amount: Decimal):
    """187500000, 187500000.0 and 187500000.00 are one amount; a cent more is another."""
    text = f"{amount:f}"
    assert compare_amount(amount_of(text), text).holds
    assert compare_amount(amount_of(text), text.rstrip("0").rstrip(".") or "0").holds == (Decimal(text) == amount)
    assert not compare_amount(amount_of(text) + Decimal("0.01"), text).holds
    for stated in (None, 5, "x", "1,5", ""):
        assert not compare_amount(amount, stated).holds


@given(st.text(max_size=30))
def test_an_amount_is_plain_or_refused(text: str):
    """What is accepted is digits with a point; nothing else is guessed at."""
    try:
        found = amount_of(text)
    except UsageError:
        return
    assert text.isascii()
    assert text.replace(".", "").isdigit()
    assert Decimal(text) == found
