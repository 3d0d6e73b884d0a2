"""The look before publishing: everything that becomes public, who is named, and what looks odd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ledger.desk.drafting import Request, draft, with_defaults
from ledger.desk.preview import preview, warnings_about
from ledger.words import LANGUAGES, say
from tests.city import City
from tests.desk.test_drafting import TIME, Desk


def codes(desk: Desk, today: str = "2026-02-01", **said: Any) -> set[str]:
    made = desk.draft(**said)
    found = warnings_about(made.data, desk.city.roster, desk.city.acts, today=today, documents=made.documents)
    for one in found:
        for lang in LANGUAGES:
            assert "…" not in say(f"warning.{one.code}", lang, **one.values), one
            assert one.code not in say(f"warning.{one.code}", lang, **one.values).split()
    return {one.code for one in found}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_preview_holds_everything_that_becomes_public(desk: Desk, lang: str) -> None:
    """Each text of the record stands in the preview, in both languages, and it begins with: for ever."""
    made = desk.draft(fields=("subjects=taman",), extra=("catatan=lima",), signatories=("Wali Kota;name=Sri Contoh;capacity=pj",))
    shown = "\n".join(preview(made, desk.city.roster, desk.city.acts, say=lambda key, **v: say(key, lang, **v), today="2026-02-01"))
    assert ("SELAMANYA" if lang == "id" else "FOR EVER") in shown.split("\n")[0]
    for text in ("188/99 Tahun 2026", "Penetapan", "2026-01-30", "sk.pdf", "taman", "lima", "Sri Contoh", "pj", "Sekretariat Daerah"):
        assert text in shown, text
    assert made.documents[0].sha256 in shown
    assert "Bagian Hukum" in shown


def test_natural_persons_are_pointed_out(desk: Desk) -> None:
    """Names of signatories, and of a supplier without a legal form, are listed on their own."""
    made = desk.draft(form="spk", fields=("value=1", "currency=IDR", "supplier.name=Budi"), signatories=("PPK;name=Sri",))
    lines = preview(made, desk.city.roster, desk.city.acts, say=lambda key, **v: f"{key} {v}", today="2026-02-01")
    persons = next(line for line in lines if line.startswith("preview.persons"))
    assert "Budi" in persons
    assert "Sri" in persons


def test_odd_amounts_and_dates_are_warned_of(desk: Desk) -> None:
    """Above the ceiling, ahead of today, older than 90 days, an end before its start."""
    money = ("value=1000", "currency=IDR", "supplier.name=CV A", "supplier.form=CV")
    assert "above-ceiling" in codes(desk, form="spk", fields=(*money, "ceiling=100"))
    assert "above-estimate" in codes(desk, form="spk", fields=(*money, "ceiling=1000", "owner_estimate=999.99"))
    assert "ends-before-start" in codes(desk, form="spk", fields=(*money, "start_on=2026-02-01", "end_on=2026-01-01"))
    assert "date-ahead" in codes(desk, today="2026-01-29")
    assert "date-old" in codes(desk, today="2026-05-01")
    assert "usual-fields" in codes(desk)
    assert not codes(desk, fields=("subjects=x",))


def test_files_that_look_wrong_are_warned_of(desk: Desk) -> None:
    """A certified PDF, a text called signed, a suffix that lies, an empty file, a certified file called a draft."""
    folder = desk.folder
    (folder / "c.pdf").write_bytes(b"%PDF-1.7 /ByteRange [0 1 2 3]")
    (folder / "t.txt").write_bytes(b"halo")
    (folder / "l.pdf").write_bytes(b"<html>")
    (folder / "e.txt").write_bytes(b"")
    assert "certified" in codes(desk, documents=(str(folder / "c.pdf"),))
    assert "signed-role" in codes(desk, documents=(str(folder / "t.txt"),))
    assert "mistyped" in codes(desk, documents=(str(folder / "l.pdf"),))
    assert "empty-file" in codes(desk, documents=(str(desk.paper), f"annex:{folder / 'e.txt'}"))
    assert "certified-draft" in codes(desk, documents=(str(desk.paper), f"draft:{folder / 'c.pdf'}"))


def test_earlier_acts_are_pointed_out(tmp_path: Path) -> None:
    """The same file, or the same number in another year or form, is warned of with the act that has it."""
    desk = Desk(tmp_path)
    body = desk.paper.read_bytes()
    desk.city.publish(documents={"sk.pdf": body}, number="188/99 Tahun 2026", signed_on="2025-01-30")
    assert codes(desk, fields=("subjects=x",)) == {"document-before", "number-before"}


def test_a_target_is_no_surprise(tmp_path: Path) -> None:
    """An act that corrects another shares its file and number: no warning."""
    city = City(tmp_path / "city")
    target, _ = city.publish(fields={"subjects": ["x"]})
    request = with_defaults(Request(corrects=target.ref, reason="r", signers=(city.clerk,)), city.roster, {})
    made = draft(request, city.roster, city.acts, time=TIME)
    assert not warnings_about(made.data, city.roster, city.acts, today="2026-02-01")


def correction(city: City, ref: str, **said: Any) -> Any:
    request = with_defaults(Request(corrects=ref, reason="r", signers=(city.clerk,), **said), city.roster, {})
    return draft(request, city.roster, city.acts, time=TIME)


def test_a_second_correction_of_the_same_act_is_warned_of(tmp_path: Path) -> None:
    """With the one that came before; its number and file are no surprise, for it is the same act."""
    city = City(tmp_path / "city")
    target, _ = city.publish(fields={"subjects": ["x"]})
    first = correction(city, target.ref, title="Satu")
    city.append(city.sign(first.envelope.payload_type, first.data, [city.clerk]))
    assert not warnings_about(first.data, city.roster, city.acts, today="2026-02-01")
    second = correction(city, target.ref, title="Dua")
    found = warnings_about(second.data, city.roster, city.acts, today="2026-02-01")
    assert [(one.code, one.values["title"]) for one in found] == [("corrected-before", "Satu")]
    for lang in LANGUAGES:
        assert "…" not in say("warning.corrected-before", lang, **found[0].values)
    onward = correction(city, first.data["ref"], title="Tiga")
    assert not warnings_about(onward.data, city.roster, city.acts, today="2026-02-01")
    city.append(city.sign(onward.envelope.payload_type, onward.data, [city.clerk]))
    last = correction(city, onward.data["ref"], title="Empat")
    assert not warnings_about(last.data, city.roster, city.acts, today="2026-02-01")
