"""The fields of each kind: the design's tables, each with a full example, the least that is needed, and faults."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.records.kinds import FIELDS, KINDS

SUPPLIER = {"name": "CV Contoh", "form": "CV", "id": "01.234.567.8-423.000"}
LEAST: dict[str, dict[str, Any]] = {
    "regulation": {"subjects": ["Pajak daerah"]},
    "decision": {},
    "instruction": {},
    "circular": {},
    "personnel": {"action": "appoint"},
    "permit": {"permit_type": "PBG"},
    "contract": {"value": "199750000", "currency": "IDR", "supplier": {"unknown": "tidak tercantum"}},
    "award": {"supplier": {"name": "CV Contoh"}, "value": "1", "currency": "IDR"},
    "order": {"starts_on": "2025-03-01"},
    "handover": {"stage": "final"},
    "minutes": {"parties": ["Dinas A"]},
    "agreement": {"parties": ["Kota", "Universitas"]},
    "notice": {},
    "void": {"series": "sk-2022", "serials": [12, 13], "reason": "unused"},
    "other": {},
}
MORE: dict[str, dict[str, Any]] = {
    "regulation": {"gazette": {"name": "Berita Daerah", "year": 2021, "number": "11"}, "legal_basis": ["UU 23/2014"]},
    "decision": {"subjects": ["Tim"], "legal_basis": ["UU 23/2014"], "proposer": "Bagian Hukum"},
    "personnel": {"positions": [{"from": "Camat", "to": "Kepala Dinas", "unit": "Dinas A"}], "people_count": 1, "names": ["A"]},
    "permit": {"applicant": {"withheld": "orang pribadi"}, "fee": "0", "currency": "IDR", "service_standard_days": 14},
    "contract": {
        "supplier": SUPPLIER,
        "method": "Pengadaan Langsung",
        "plan_codes": ["54321098"],
        "procurement_code": "10045678",
        "ceiling": "200000000.00",
        "owner_estimate": "199900000",
        "start_on": "2025-03-01",
        "end_on": "2025-06-01",
        "funding": ["APBD 2025"],
        "budget_year": 2025,
        "registered_bidders": 3,
        "priced_bids": 1,
        "changes": [{"field": "value", "was": "1", "becomes": "2"}],
        "sequence": 1,
    },
    "award": {"supplier": SUPPLIER, "plan_codes": ["1"]},
    "order": {"duration_days": 90, "ends_on": "2025-06-01"},
    "handover": {"percent": 100, "accepted_value": "5", "currency": "IDR", "delay_days": 3, "penalty": "0.5"},
    "minutes": {"subject": "Rapat", "start_on": "2025-01-01", "end_on": "2025-01-02"},
    "agreement": {"subject": "Kerja sama"},
    "notice": {"subject": "Rancangan", "agenda_number": "12", "draft_sha256": "0" * 64},
    "void": {"law": "UU 14/2008"},
    "other": {"subject": "Lain"},
}


def codes(kind: str, fields: Any) -> list[str]:
    return [reason.code for reason in FIELDS[kind](fields, "fields")]


def test_the_kinds_of_the_design() -> None:
    """Exactly the fifteen kinds of section 3.1."""
    named = "regulation decision instruction circular personnel permit contract award order handover minutes agreement notice void other"
    assert tuple(named.split()) == KINDS
    assert set(LEAST) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_least_and_full(kind: str) -> None:
    """The bold fields alone are enough, all others may stand beside them."""
    assert codes(kind, LEAST[kind]) == []
    found = codes(kind, {**LEAST[kind], **MORE.get(kind, {})})
    assert found == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if LEAST[kind]])
def test_bold_fields_are_required(kind: str) -> None:
    """Each bold field that is left out is named."""
    assert codes(kind, {}) == ["missing"] * len(LEAST[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_field(kind: str) -> None:
    """A field that this version does not know is refused, and marked as perhaps a later version's."""
    (reason,) = FIELDS[kind]({**LEAST[kind], "new_field": 1}, "fields")
    assert (reason.code, reason.path, reason.unknown) == ("unknown-key", "fields.new_field", True)


@pytest.mark.parametrize(
    ("kind", "change", "code"),
    [
        ("contract", {"value": "1,000"}, "bad-money"),
        ("contract", {"value": 1000}, "bad-money"),
        ("contract", {"supplier": {"name": "A", "unknown": "x"}}, "unknown-key"),
        ("contract", {"supplier": {}}, "missing"),
        ("contract", {"supplier": {"name": "A", "id": "3273010101900001"}}, "citizen-number"),
        ("contract", {"start_on": "2025-13-01"}, "bad-date"),
        ("contract", {"plan_codes": []}, "bad-count"),
        ("contract", {"changes": []}, "bad-count"),
        ("contract", {"budget_year": 25}, "bad-number"),
        ("personnel", {"names": ["A"] * 201}, "bad-count"),
        ("personnel", {"names": ["3273010101900001"]}, "citizen-number"),
        ("handover", {"stage": "first"}, "not-a-choice"),
        ("handover", {"percent": 101}, "bad-number"),
        ("void", {"serials": []}, "bad-count"),
        ("void", {"reason": "lost"}, "not-a-choice"),
        ("order", {"starts_on": "tomorrow"}, "bad-date"),
        ("notice", {"draft_sha256": "abc"}, "bad-digest"),
    ],
)
def test_faults(kind: str, change: dict[str, Any], code: str) -> None:
    """A wrong value of a typed field is named."""
    assert codes(kind, {**LEAST[kind], **change}) == [code]
