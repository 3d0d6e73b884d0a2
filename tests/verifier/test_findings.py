"""Findings: each rule finds what it is for, stays silent where it cannot know, and never changes the verdict."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.records.books import gaps_between
from ledger.records.entry import parse_time
from ledger.records.refs import format_ref
from ledger.tlog.policy import parse_policy
from ledger.verifier import auditfiles, findings
from ledger.verifier.audit import AuditReport, audit
from ledger.verifier.client import FolderSource
from ledger.verifier.findings import Finding
from ledger.words import say
from tests.city import City

CONTRACT: dict[str, Any] = {
    "value": "150000000", "currency": "IDR", "supplier": {"name": "CV Contoh"}, "method": "Pengadaan Langsung",
    "category": "Pengadaan Barang", "plan_codes": ["54321098"], "start_on": "2026-01-05", "end_on": "2026-03-05",
}  # fmt: skip
BOOK: dict[str, Any] = {
    "event": "series", "id": "sk-setda", "office": "setda", "forms": ["sk"], "pattern": "188/{serial} Tahun {year}",
    "start": 1, "resets": "yearly", "complete_from": "2026-01-01",
}  # fmt: skip


@pytest.fixture
def city(tmp_path: Path) -> City:
    """A city that has declared a form for void numbers."""
    city = City(tmp_path / "kota")
    city.roster_event({"event": "form", "id": "void", "kind": "void", "name": "Catatan nomor", "law": None})
    return city


def report_of(city: City, now: int | None = None) -> AuditReport:
    city.write()
    state = city.path.parent / f"state {len(city.entries)}"
    report = audit(FolderSource(city.path), parse_policy(city.policy), city.founding, state_dir=state, now=now or city.now)
    assert report.verdict.exit_status() == 0
    return report


def found(city: City, code: str, now: int | None = None) -> list[Finding]:
    return [one for one in report_of(city, now).findings if one.code == code]


def contract(city: City, **fields: Any) -> str:
    overrides = {key: fields.pop(key) for key in ("number", "signed_on", "relations") if key in fields}
    merged = {key: value for key, value in (CONTRACT | fields).items() if value is not None}
    return city.publish(kind="contract", form="spk", fields=merged, **overrides)[0].ref


def serial(city: City, number: int, **more: Any) -> str:
    more.setdefault("signed_on", "2026-01-04")
    return city.publish(series="sk-setda", serial=number, number=f"188/{number} Tahun {more['signed_on'][:4]}", **more)[0].ref


# -- gaps


def test_gaps_only_in_declared_books(city: City) -> None:
    """Without a declared number book nothing is said but that nothing can be said."""
    city.publish(number="188/1 Tahun 2026")
    city.publish(number="188/900 Tahun 2026")
    assert found(city, "gap") == []
    (remark,) = found(city, "no-number-book")
    assert (remark.remark, remark.values["count"], remark.values["acts"]) == (True, 1, 2)


def test_gaps_and_void(city: City) -> None:
    """Serials that no act and no void act names, from the book's start."""
    city.roster_event(BOOK)
    for number in (2, 3, 6, 10):
        serial(city, number)
    fields = {"series": "sk-setda", "serials": [7, 8], "reason": "unused"}
    city.publish(kind="void", form="void", documents={}, number=None, unnumbered_reason="catatan", fields=fields)
    (gap,) = found(city, "gap")
    assert gap.values["serials"] == "1, 4–5, 9"
    assert (gap.values["count"], gap.values["year"], gap.values["office"]) == (4, "2026", "setda")
    assert found(city, "no-number-book") == []


def test_a_book_is_whole_only_from_its_day_on(city: City) -> None:
    """A book complete since May says nothing of the numbers before, nor of earlier years."""
    city.roster_event({**BOOK, "complete_from": "2026-05-01"})
    serial(city, 3, signed_on="2025-02-01")
    serial(city, 10, signed_on="2026-02-01")
    assert found(city, "gap") == []
    serial(city, 40, signed_on="2026-05-02")
    serial(city, 42, signed_on="2026-06-02")
    (gap,) = found(city, "gap")
    assert gap.values["serials"] == "41"


def test_yearly_and_endless_books(city: City) -> None:
    """A yearly book begins again each January, another goes on."""
    city.roster_event({**BOOK, "start": 5})
    for number, year in ((5, 2026), (7, 2026), (6, 2027)):
        serial(city, number, signed_on=f"{year}-03-01")
    assert [(one.values["year"], one.values["serials"]) for one in found(city, "gap")] == [("2026", "6"), ("2027", "5")]


def test_an_endless_book(city: City) -> None:
    """A book that never resets is one book over the years."""
    city.roster_event({**BOOK, "resets": "never", "pattern": "188/{serial} Tahun {year}"})
    serial(city, 1, signed_on="2026-03-01")
    serial(city, 3, signed_on="2027-03-01")
    assert [(one.values["year"], one.values["serials"]) for one in found(city, "gap")] == [("", "2")]


def test_a_huge_serial_is_no_work(city: City) -> None:
    """A serial of nine digits gives one range, not a thousand million numbers."""
    city.roster_event(BOOK)
    serial(city, 999_999_999)
    (gap,) = found(city, "gap")
    assert gap.values["count"] == 999_999_998


@given(st.sets(st.integers(0, 30)), st.integers(0, 30), st.integers(0, 30))
def test_ranges(used: set[int], low: int, high: int) -> None:
    """The ranges hold exactly the numbers between the borders that are not used."""
    ranges = gaps_between(used, low, high)
    assert [n for start, end in ranges for n in range(start, end + 1)] == [n for n in range(low, high + 1) if n not in used]


# -- numbers twice, out of order, at odds


def test_same_number(city: City) -> None:
    """A number on two acts is found; where one corrects the other it is not."""
    first, _ = city.publish(number="188/1")
    again, _ = city.publish(number="188 / 1", relations=[{"type": "same_number_as", "ref": first.ref, "reason": "nomor ganda"}])
    base, _ = city.publish(number="188/2")
    city.publish(number="188/2", relations=[{"type": "corrects", "ref": base.ref, "reason": "salah ketik"}])
    (twice,) = found(city, "same-number")
    assert twice.acts == (first.ref, again.ref)


def test_same_serial_and_order(city: City) -> None:
    """One serial twice; a higher serial with an earlier date."""
    city.roster_event(BOOK)
    one = serial(city, 1, signed_on="2026-01-03")
    city.publish(series="sk-setda", serial=1, number="A/1", signed_on="2026-01-03")
    late = serial(city, 2, signed_on="2026-01-02")
    (twice,) = found(city, "same-serial")
    assert (twice.acts[0], twice.values["serial"]) == (one, 1)
    (order,) = found(city, "order")
    assert order.acts[0] == late
    assert (order.values["signed_on"], order.values["before"]) == ("2026-01-02", "2026-01-03")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("Belanja Alat Tulis Kantor", "number-without-digit"),
        ("027/12/SPPBJ/DISDIK/2025", "number-names-other-paper"),
        ("BAST-12/2025", "number-names-other-paper"),
        ("027/12/SPK/IIX/2025", "month-malformed"),
        ("027/12/SPK/VIIII/2025", "month-malformed"),
        ("027/12/SPK/XIII/2025", "month-malformed"),
        ("027/12/SPK/VIII/2025", None),
        ("027/12/SPK/BAST/2025", None),
        ("12/MIX/2025", None),
        ("12/BASTIAN/2025", None),
        ("027/007/08.0004/SPK/SEKRET/2025", None),
    ],
)
def test_number_at_odds(city: City, number: str, code: str | None) -> None:
    """A title in the number field, another paper's name, a month that does not exist; and no false alarm."""
    ref = contract(city, number=number)
    codes = {"number-without-digit", "number-names-other-paper", "month-malformed"}
    seen = [(one.code, one.acts) for one in report_of(city).findings if one.code in codes]
    assert seen == ([(code, (ref,))] if code else [])


# -- time


def test_date_ahead(city: City) -> None:
    """A paper dated after the local day of its entry; the day of the entry itself is in order."""
    city.publish(signed_on="2026-01-05")
    ahead, _ = city.publish(signed_on="2026-01-06")
    assert [one.acts for one in found(city, "date-ahead")] == [(ahead.ref,)]
    city.now = parse_time("2026-01-06T17:30:00Z")
    city.publish(signed_on="2026-01-07")
    assert [one.acts for one in found(city, "date-ahead")] == [(ahead.ref,)]


def test_entered_late(city: City) -> None:
    """Per office: how many took longer than thirty days, the median and the longest."""
    for day in ("2026-01-05", "2026-01-03", "2025-12-06", "2025-12-05", "2025-11-05"):
        city.publish(signed_on=day)
    (late,) = found(city, "entered-late")
    assert {key: late.values[key] for key in ("office", "count", "all", "median", "longest")} == {
        "office": "setda", "count": 2, "all": 5, "median": 30, "longest": 61,
    }  # fmt: skip
    assert len(late.acts) == 2


def test_time_ahead(city: City) -> None:
    """Entries of a clock that ran ahead are counted against now; in time they pass."""
    city.publish()
    index = len(city.entries)
    city.now += 1_000_000
    city.publish()
    (ahead,) = found(city, "time-ahead", now=city.now - 500_000)
    assert (ahead.values["count"], ahead.values["index"]) == (1, index)
    city.publish()
    assert found(city, "time-ahead", now=city.now) == []


def test_signatory_outside_term(city: City) -> None:
    """A paper signed in a position that its holder has here for another time only."""
    city.enrol("Siti", ["setda"], position="Sekda", begins="2026-01-01", until="2026-06-30")
    siti = {"position": "Sekda", "name": "Siti", "capacity": "definitive"}
    early, _ = city.publish(signed_on="2025-12-31", signatories=[siti])
    city.publish(signed_on="2026-01-02", signatories=[siti])
    city.publish(signed_on="2025-12-31", signatories=[{**siti, "capacity": "plt"}])
    city.publish(signed_on="2025-12-31", signatories=[{**siti, "name": "Budi"}])
    assert [one.acts for one in found(city, "signatory-outside-term")] == [(early.ref,)]


# -- contracts


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ({}, set()),
        ({"start_on": None}, {"no-period"}),
        ({"end_on": None}, {"no-period"}),
        ({"start_on": "2026-01-04", "end_on": "2026-01-04"}, {"period-repeats-date"}),
        ({"method": None}, {"no-method"}),
        ({"plan_codes": None}, {"no-plan-code"}),
        ({"supplier": {"unknown": "tidak tercantum"}}, {"supplier-unknown"}),
        ({"ceiling": "149999999.99"}, {"above-ceiling"}),
        ({"ceiling": "150000000.00"}, set()),
        ({"owner_estimate": "15000000"}, {"above-estimate"}),
        ({"start_on": "2026-03-06"}, {"ends-before-start"}),
    ],
)
def test_contracts(city: City, fields: dict[str, Any], codes: set[str]) -> None:
    """What a contract leaves out, and values at odds with each other, each alone."""
    ref = contract(city, **fields)
    seen = {one.code: one.acts for one in report_of(city).findings if not one.remark}
    assert set(seen) == codes
    assert all(acts == (ref,) for acts in seen.values())


def test_addenda_and_corrected_contracts(city: City) -> None:
    """An addendum need not repeat the period; a contract that was corrected is judged by its correction."""
    base = contract(city, start_on=None, ceiling="1")
    addendum = {"type": "amends", "ref": base}
    contract(city, start_on=None, method=None, plan_codes=None, relations=[addendum])
    contract(city, relations=[{"type": "corrects", "ref": base, "reason": "salah"}])
    assert not [one for one in report_of(city).findings if not one.remark]


def test_money_is_exact(city: City) -> None:
    """Eighteen digits and cents are compared as money, not as floating point."""
    ref = contract(city, value="999999999999999999.99", ceiling="999999999999999999.98")
    assert [one.acts for one in found(city, "above-ceiling")] == [(ref,)]


def test_just_under_the_limit(city: City) -> None:
    """A neutral count by category and date, from the data file; a remark, which is no finding."""
    under = [contract(city, value="199750000"), contract(city, value="190000000"), contract(city, value="200000000")]
    contract(city, value="189999999")
    contract(city, value="200000001")
    contract(city, value="199000000", method="Tender")
    works = contract(city, value="395000000", category="Pekerjaan Konstruksi")
    doubted = contract(city, value="195000000", category="Pekerjaan Konstruksi")
    earlier = contract(city, value="195000000", category="Pekerjaan Konstruksi", signed_on="2025-01-02")
    advice = contract(city, value="99000000", category="Jasa Konsultansi Badan Usaha Konstruksi")
    sure = [one for one in report_of(city).findings if one.code == "just-under-limit"]
    assert [(one.acts, one.values["limit"]) for one in sure] == [((*under, earlier), "200.000.000")]
    doubtful = [one for one in report_of(city).findings if one.code == "just-under-limit-uncertain"]
    assert [one.acts for one in doubtful] == [(advice,), (doubted,), (works,)]
    assert all(one.remark for one in (*sure, *doubtful))


# -- the report


def test_findings_never_change_the_verdict(city: City) -> None:
    """Only who asks for strictness gets another status, and never for a remark."""
    city.publish(number="188/1")
    calm = report_of(city)
    assert all(one.remark for one in calm.findings)
    assert (calm.exit_status(), calm.exit_status(strict_findings=True)) == (0, 0)
    contract(city, end_on="2026-01-01")
    report = report_of(city)
    assert (report.exit_status(), report.exit_status(strict_findings=True)) == (0, 1)


def english(key: str, **values: object) -> str:
    return say(key, "en", **values)


def test_render_groups_and_json_has_all(city: City) -> None:
    """For people by code, the first few and how many more; in JSON every one."""
    refs = [contract(city, method=None) for _ in range(5)]
    report = report_of(city)
    lines = findings.render(report, english)
    assert "Contracts without a procurement method (5)" in lines
    assert sum(any(format_ref(ref) in line for ref in refs) for line in lines) == 3
    assert any("2 more" in line for line in lines)
    value = json.loads(json.dumps(report.to_json(english)))
    assert [one["acts"] for one in value["findings"] if one["code"] == "no-method"] == [[ref] for ref in refs]


def test_the_headline_counts_what_is_listed_as_findings(city: City) -> None:
    """Remarks stand apart, under their own heading, and are not counted."""
    for _ in range(2):
        contract(city, method=None)
    report = report_of(city)
    lines = findings.render(report, english)
    assert any(one.remark for one in report.findings)
    cut = next(number for number, line in enumerate(lines) if line.startswith("Remarks:"))
    listed = sum(int(found[1]) for line in lines[:cut] if (found := re.search(r" \((\d+)\)$", line)))
    assert f"Findings: {listed}." in report.to_json(english)["headline"]
    assert not any("No statement possible" in line for line in lines[:cut])


def test_no_findings_is_said(city: City) -> None:
    """Nothing found is a sentence of its own."""
    assert findings.render(report_of(city), english) == ["No findings."]


def test_every_code_has_words() -> None:
    """Each finding has its sentence and title in both languages, and says all the values that it names."""
    room = Path(auditfiles.__file__).parent
    text = "".join(path.read_text() for path in room.glob("findings*.py"))
    codes = set(re.findall(r'(?:Finding|finding)\("([a-z-]+)"', text)) | {"just-under-limit", "just-under-limit-uncertain"}
    codes |= set(re.findall(r'yield \[?"([a-z-]+)", (?:values|\[)', text)) | {"above-ceiling", "above-estimate"}
    codes |= {"same-number", "date-ahead", "signatory-outside-term"}
    assert len(codes) > 18
    for code in codes:
        for key in (f"finding.{code}", f"finding.title-{code}"):
            for lang in ("id", "en"):
                assert say(key, lang) != key, key


def test_sentences_are_whole(city: City) -> None:
    """No sentence has a place that stays empty."""
    city.roster_event(BOOK)
    contract(city, supplier={"unknown": "x"}, start_on=None, method=None, plan_codes=None, ceiling="1", owner_estimate="1", number="BAST IIX")
    contract(city, start_on="2026-02-01", end_on="2026-01-01", value="199000000", signed_on="2025-01-01", number="a b")
    serial(city, 3)
    serial(city, 5, signed_on="2026-01-01")
    report = report_of(city, now=city.now - 100)
    for one in report.findings:
        for lang in ("id", "en"):
            sentence = one.sentence(lambda key, lang=lang, **values: say(key, lang, **values))
            assert "…" not in sentence, sentence
            assert not sentence.startswith("finding."), sentence
    assert len({one.code for one in report.findings}) >= 12
