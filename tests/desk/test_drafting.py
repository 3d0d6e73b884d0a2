"""Drafting: facts from flags, settings and the roster; nothing guessed; every fault at once, before anybody signs."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.desk.drafting import Draft, Request, draft, missing_facts, ref_in_name, with_defaults
from ledger.desk.judging import judge_known
from ledger.errors import AdmissionError, UsageError
from ledger.records.record import parse_record
from ledger.records.refs import draw_ref, format_ref
from ledger.words import explain
from tests.city import City

TIME = "2026-02-01T02:00:00Z"


class Desk:
    """A clerk's table in a city."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.city = folder, City(folder / "city")
        self.paper = folder / "sk.pdf"
        self.paper.write_bytes(b"%PDF-1.7 sk")

    def request(self, **said: Any) -> Request:
        usual: dict[str, Any] = {
            "documents": (str(self.paper),), "form": "sk", "office": "setda", "number": "188/99 Tahun 2026", "title": "Penetapan",
            "dates": {"signed_on": "2026-01-30"}, "signatories": ("Wali Kota",), "signers": (self.city.clerk,), "language": "id",
        }  # fmt: skip
        return with_defaults(Request(**{**usual, **said}), self.city.roster, {})

    def draft(self, **said: Any) -> Draft:
        return draft(self.request(**said), self.city.roster, self.city.acts, time=TIME)

    def refused(self, **said: Any) -> set[str]:
        with pytest.raises(AdmissionError) as error:
            self.draft(**said)
        return {one.code for one in error.value.reasons}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_draft_is_a_record_that_admission_would_take(desk: Desk) -> None:
    """Signed by its signer, the draft is judged by the replay itself without a reason against it."""
    made = desk.draft()
    record = parse_record(made.envelope.payload)
    assert record.data["documents"][0]["sha256"] == hashlib.sha256(desk.paper.read_bytes()).hexdigest()
    assert record.data["founding"] == desk.city.founding
    desk.city.append(desk.city.sign(made.envelope.payload_type, record.data, [desk.city.clerk]))


def test_every_fault_is_told_at_once(desk: Desk) -> None:
    """One refusal with all its reasons, not one after the other."""
    assert desk.refused(title=" x", fields=("nonsense=1", "proposer=3204321212120001")) >= {
        "empty-or-padded", "unknown-key", "citizen-number",
    }  # fmt: skip
    assert desk.refused(office="nowhere", form="nothing", kind="decision") >= {"unknown-office", "no-such-form"}


def test_missing_facts_are_named_together() -> None:
    """Everything that a script forgot, in one answer."""
    assert missing_facts(Request()) == ["--form", "--office", "--number", "--title", "--signed-on", "--signatory", "DOCUMENT"]


def test_a_stranger_is_refused_before_signing(desk: Desk) -> None:
    """A key that is not enrolled, or not for this office and kind, is told at the desk already."""
    assert "key-not-enrolled" in desk.refused(signers=("0" * 64,))
    other = desk.city.enrol("Orang Lain", ["setda"], kinds=["permit"])
    assert "key-not-for-this" in desk.refused(signers=(other,))
    with pytest.raises(AdmissionError) as error:
        desk.draft(signers=(other,))
    told = explain(error.value, "en")
    assert all(text in told for text in (other[:16], "Orang Lain", "permit", "decision")), told


def test_an_unknown_form_is_named_with_the_known_ones(desk: Desk) -> None:
    """Not "kind: required": the kind would have come with the form."""
    with pytest.raises(AdmissionError) as error:
        desk.draft(form="zzz")
    assert [one.code for one in error.value.reasons] == ["no-such-form"]
    assert all(form in explain(error.value, "en") for form in ("zzz", *desk.city.roster.forms))


def test_what_is_known_is_judged_before_the_rest_is_asked(desk: Desk) -> None:
    """Form, office and key alone can be enough for a refusal; what is not said yet speaks against nothing."""
    roster = desk.city.roster
    other = desk.city.enrol("Orang Lain", ["setda"], kinds=["permit"])

    def codes(**said: Any) -> list[str]:
        return [one.code for one in judge_known(Request(**said), roster)]

    roster = desk.city.roster
    assert codes(form="zzz", office="nowhere") == ["no-such-form", "unknown-office"]
    assert codes(office="setda", kind="decision", signers=(other,)) == ["key-not-for-this"]
    assert codes(office="setda", kind="decision", signers=(desk.city.clerk,)) == []
    assert codes(signers=("0" * 64,)) == []


def test_a_rule_of_two_is_known_before_signing(desk: Desk) -> None:
    """Two signatures of one holder are not two holders."""
    desk.city.roster_event({"event": "rule", "kind": "decision", "signatures": 2})
    assert desk.refused() == {"rule-not-met"}
    second = desk.city.enrol("Sekretaris", ["setda"])
    assert desk.draft(signers=(desk.city.clerk, second)).data["signers"] == sorted([desk.city.clerk, second])


def test_defaults_come_from_roster_and_settings_and_never_replace_what_was_said(desk: Desk) -> None:
    """Kind from the form, office from the key's only one, the signatory from settings."""
    person = {"form": "spk", "signatory": "Sekretaris", "capacity": "plt", "language": "en"}
    request = with_defaults(Request(signers=(desk.city.clerk,)), desk.city.roster, person)
    assert (request.form, request.kind, request.office, request.language) == ("spk", "contract", "setda", "en")
    assert request.signatories == ("Sekretaris;capacity=plt",)
    said = with_defaults(Request(form="sk", office="x", signatories=("Y",)), desk.city.roster, person)
    assert (said.form, said.kind, said.office, said.signatories) == ("sk", "decision", "x", ("Y",))


def test_only_a_label_s_name_gives_the_reference(desk: Desk) -> None:
    """SK-728.pdf says nothing certain; a file that bears its label's name does, if the check symbol agrees."""
    ref = next(one for one in iter(draw_ref, None) if not one.isdigit())
    printed = format_ref(ref)
    assert ref_in_name(f"{printed.lower()}.pdf") == ref
    assert ref_in_name(f"sk-{printed}.signed.pdf", "sk") == ref
    wrong = printed[:-1] + ("0" if ref[-1] != "0" else "1")
    for name in ("SK-728.pdf", f"SK {printed}.pdf", f"spk-{printed}.pdf", f"{wrong}.pdf", f"{ref}.pdf"):
        assert ref_in_name(name, "sk") is None, name
    assert all(ref_in_name(f"2025-0001-{number:03d}.pdf") is None for number in range(200))
    assert with_defaults(Request(documents=(f"a/{printed}.pdf",)), desk.city.roster, {}).ref == ref


def test_relations_inside_and_outside(desk: Desk) -> None:
    """TYPE=REF must be known here; outside papers carry what is known of them; a reason goes with them."""
    target, _ = desk.city.publish()
    outside = "implements=outside:Peraturan 7/2020;year=2020;title=Pasar;kind=regulation"
    relations = desk.draft(relates=(f"amends={format_ref(target.ref)}", outside), reason="karena").data["relations"]
    assert relations[0] == {"type": "amends", "ref": target.ref, "reason": "karena"}
    assert relations[1]["outside"] == {"number": "Peraturan 7/2020", "year": 2020, "title": "Pasar", "kind": "regulation"}
    assert desk.refused(relates=(f"revokes={draw_ref()}",)) == {"unknown-target"}
    for text in ("likes=x", "amends", "amends=short", "amends=outside:1;foo=2"):
        with pytest.raises(UsageError):
            desk.draft(relates=(text,))


def test_a_book_gives_series_and_serial(desk: Desk) -> None:
    """A number that follows the pattern of the office's book takes its place there; another one does not."""
    desk.city.roster_event({"event": "series", "id": "keputusan", "office": "setda", "forms": ["sk"], "start": 1, "resets": "yearly",
                            "pattern": "*/{serial} Tahun {year}", "complete_from": "2026-01-01"})  # fmt: skip
    assert (desk.draft().data["series"], desk.draft().data["serial"]) == ("keputusan", 99)
    assert "series" not in desk.draft(number="tanpa pola").data
    assert desk.refused(series="keputusan", serial=5) == {"serial-differs"}


def test_a_correction_replaces_the_whole_record(desk: Desk) -> None:
    """What is not said again is taken from the corrected act, its documents too; a reason is required."""
    target, _ = desk.city.publish(fields={"subjects": ["taman"]})
    request = with_defaults(Request(corrects=target.ref, signers=(desk.city.clerk,)), desk.city.roster, {})
    assert missing_facts(request) == ["--reason"]
    request = replace(request, reason="salah judul", title="Judul yang benar", form=None, kind=None, office=None, language=None)
    data = draft(request, desk.city.roster, desk.city.acts, time=TIME).data
    assert data["title"] == "Judul yang benar"
    assert data["relations"] == [{"type": "corrects", "ref": target.ref, "reason": "salah judul"}]
    assert (data["number"], data["documents"], data["fields"]) == tuple(target.data[k] for k in ("number", "documents", "fields"))
    assert data["ref"] != target.ref
    with pytest.raises(UsageError):
        draft(replace(request, corrects=draw_ref()), desk.city.roster, desk.city.acts, time=TIME)


def test_a_void_explains_numbers_without_a_paper(desk: Desk) -> None:
    """It needs no document, title or number of its own."""
    desk.city.roster_event(
        {"event": "form", "id": "penjelasan", "kind": "void", "name": "Penjelasan", "law": None},
        {"event": "series", "id": "keputusan", "office": "setda", "forms": ["sk"], "start": 1, "resets": "yearly",
         "pattern": "*/{serial} Tahun {year}", "complete_from": "2026-01-01"},
    )  # fmt: skip
    said = Request(kind="void", dates={"signed_on": "2026-01-30"}, signers=(desk.city.clerk,),
                   fields=("series=keputusan", "serials=4", "serials=5", "reason=cancelled"))  # fmt: skip
    request = with_defaults(said, desk.city.roster, {})
    data = draft(request, desk.city.roster, desk.city.acts, time=TIME).data
    assert data["form"] == "penjelasan"
    assert data["fields"] == {"series": "keputusan", "serials": [4, 5], "reason": "cancelled"}
    assert (data["number"], data["documents"], data["signatories"]) == (None, [], [])


def test_a_used_number_is_told_before_signing(desk: Desk) -> None:
    """The duplicate is refused with the act that holds the number, unless the record says why."""
    target, _ = desk.city.publish()
    number = target.data["number"]
    assert desk.refused(number=number) == {"number-used"}
    assert desk.draft(number=number, relates=(f"same_number_as={target.ref}",), reason="dua naskah").data["number"] == number


@pytest.mark.parametrize("said", [{"ref": "7K3Q"}, {"dates": {"signed_on": "kemarin"}}, {"fields": ("x",)}, {"extra": ("=1",)}])
def test_a_mistyped_flag_is_a_usage_error(desk: Desk, said: dict[str, Any]) -> None:
    """The request makes no sense; nothing was found false."""
    with pytest.raises(UsageError):
        desk.draft(**said)


def test_withheld_documents_stand_beside_published_ones(desk: Desk) -> None:
    """The commitment is in the record, the bytes are not among what is handed over."""
    secret = desk.folder / "nama.pdf"
    secret.write_bytes(b"%PDF-1.7 nama")
    made = desk.draft(withheld=(f"{secret};reason=nama;law=UU 27/2022",))
    assert "withheld" in made.data["documents"][1]
    assert list(made.paths.values()) == [desk.paper]
