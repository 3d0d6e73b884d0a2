"""An audit in many steps ends where one in a single step does; what it does not read now, it reads in its turn."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import StoreError
from ledger.records.entry import parse_time
from ledger.verifier import auditdocuments, auditfiles, auditlookups, auditschema, auditstate, findings_acts, findings_numbers
from ledger.verifier.audit import AuditReport
from ledger.verifier.client import FolderSource
from tests.city import City
from tests.verifier.test_audit import Watched, damage, failed, kept, outcome, run

BOOKS: list[dict[str, Any]] = [
    {"event": "series", "id": "sk-setda", "office": "setda", "forms": ["sk"], "pattern": "188/{serial} Tahun {year}",
     "start": 1, "resets": "yearly", "complete_from": "2025-01-01"},
    {"event": "series", "id": "dinas", "office": "dinas", "forms": ["sk"], "pattern": "D/{serial}/*",
     "start": 3, "resets": "never", "complete_from": "2025-06-01"},
]  # fmt: skip
PEOPLE = ("Siti", "siti", "Budi", "Contoh")
SITI = ("Siti", "SITI", "siti", "SiTi", "sItI")  # one holder, each time with another key


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditfiles, "PATIENCE", 0)


@pytest.fixture
def city(tmp_path: Path) -> City:
    """A city with a few acts."""
    city = City(tmp_path / "kota", witnesses=("kpk",))
    for _ in range(6):
        city.publish()
    city.write()
    return city


# -- the same findings


class Life:
    """A city by chance: numbers used again, corrected and annulled, books with holes, people out of term, keys in doubt."""

    def __init__(self, path: Path, chance: random.Random) -> None:
        self.city, self.chance, self.terms = City(path), chance, 0
        self.city.office("dinas")
        self.city.roster_event({"event": "form", "id": "void", "kind": "void", "name": "Catatan nomor", "law": None})
        self.keys = {"setda": self.city.clerk, "dinas": self.city.enrol("Dinas", ["dinas"])}
        self.books = list(BOOKS)

    def step(self) -> None:
        """Do one thing."""
        chance = self.chance
        if self.books and chance.random() < 0.08:
            self.city.roster_event(self.books.pop())
        elif self.terms < len(SITI) and chance.random() < 0.05:
            self.terms += 1
            self.city.enrol(SITI[self.terms - 1], ["setda"], position="Sekda", begins=f"2026-0{chance.randrange(1, 4)}-01", until="2026-05-01")
            self.city.now += chance.randrange(5) * 86_400
        elif self.city.records and chance.random() < 0.05:
            self._doubt()
        else:
            self._publish()

    def _doubt(self) -> None:
        office, city = self.chance.choice(("setda", "dinas")), self.city
        disputed = [one.id for one in city.records.values() if one.data["signers"] == [self.keys[office]]]
        city.roster_event({"event": "revoke", "key": self.keys[office], "suspect_from": self.chance.randrange(len(city.entries))})
        if disputed and self.chance.random() < 0.5:
            city.roster_event({"event": "reaffirm", "acts": sorted(set(self.chance.sample(disputed, min(5, len(disputed)))))})
        self.keys[office] = city.enrol(f"{office} {len(city.entries)}", [office])

    def _publish(self) -> None:
        chance, city = self.chance, self.city
        office = chance.choice(("setda", "dinas"))
        more: dict[str, Any] = {"office": office, "signers": [self.keys[office]]}
        more["signed_on"] = f"{chance.choice((2025, 2026))}-0{chance.randrange(1, 4)}-0{chance.randrange(1, 9)}"
        more["signatories"] = [{"position": "Sekda", "name": chance.choice(PEOPLE), "capacity": "definitive"}]
        more |= chance.choice((self._numbered, self._serial, self._contract, self._void))(office, more["signed_on"])
        record = city.record(**more)
        envelope = city.sign("application/vnd.bening.record+json", record.data, record.data["signers"])
        with contextlib.suppress(AssertionError):  # what may not stand there is left out
            city.append(envelope)

    def _numbered(self, office: str, day: str) -> dict[str, Any]:
        number = self.chance.choice(("1", "2", "3", "BAST/4", "tanpa angka", "5/IIX"))
        key = (office, number, day[:4])
        earlier = [(one, one.data) for one in self.city.records.values()]
        same = [one for one, data in earlier if (data["office"], data["number"], data["signed_on"][:4]) == key]
        how = self.chance.choice(("same_number_as", "same_number_as", "corrects", "annuls"))
        relations = [{"type": how, "ref": self.chance.choice(same).ref, "reason": "x"}] if same else []
        return {"number": number, "relations": relations}

    def _serial(self, office: str, day: str) -> dict[str, Any]:
        serial = self.chance.randrange(1, 12)
        if office == "setda":
            return {"series": "sk-setda", "serial": serial, "number": f"188/{serial} Tahun {day[:4]}"}
        return {"series": "dinas", "serial": serial + 2, "number": f"D/{serial + 2}/{self.chance.randrange(99)}"}

    def _contract(self, office: str, day: str) -> dict[str, Any]:
        fields = {"value": self.chance.choice(("195000000", "5")), "currency": "IDR", "supplier": {"name": "CV"}}
        fields |= self.chance.choice(({"method": "Pengadaan Langsung"}, {"ceiling": "4"}, {"start_on": day, "end_on": "2024-01-01"}))
        old = [one for one in self.city.records.values() if one.data["kind"] == "contract" and one.data["office"] == office]
        relations = [{"type": "corrects", "ref": self.chance.choice(old).ref, "reason": "x"}] if old and self.chance.random() < 0.3 else []
        return {"kind": "contract", "form": "spk", "number": f"K/{len(self.city.entries)}", "fields": fields, "relations": relations}

    def _void(self, office: str, day: str) -> dict[str, Any]:
        series = "sk-setda" if office == "setda" else "dinas"
        fields = {"series": series, "serials": sorted(self.chance.sample(range(3, 14), 2)), "reason": "unused"}
        return {"kind": "void", "form": "void", "documents": {}, "number": None, "unnumbered_reason": "x", "fields": fields}


def told(report: AuditReport) -> tuple[Any, ...]:
    """What does not depend on the steps."""
    apart = ("history", "document", "look-up")
    checks = [one for one in report.verdict.checks if one.name not in apart]
    return checks, [outcome(report)[name][0] for name in apart], report.findings, report.disputed, report.size


@pytest.mark.parametrize("seed", range(6))
def test_in_steps_and_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Findings, disputes and checks are those of a fresh audit after every step, whatever the steps were."""
    monkeypatch.setattr(findings_numbers, "RENEWED_IN_STEPS", 0 if seed % 3 else 10)
    chance = random.Random(seed)
    life, codes = Life(tmp_path / "kota", chance), set[str]()
    for number in range(12):
        for _ in range(chance.randrange(1, 16)):
            life.step()
        life.city.write()
        now = life.city.now - chance.choice((0, 1000))
        report = run(life.city, state_dir=tmp_path / "steps", now=now)
        assert told(report) == told(run(life.city, state_dir=tmp_path / f"at once {number}", now=now))
        assert not failed(report), failed(report)
        codes |= {one.code for one in report.findings}
    assert codes >= {"gap", "same-number", "order", "no-method", "number-without-digit", "just-under-limit", "entered-late"}


def test_corrected_under_another_number(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number stands on one act only, once the other has been corrected to another number."""
    monkeypatch.setattr(findings_numbers, "RENEWED_IN_STEPS", 0)
    first, _ = city.publish(number="1")
    city.publish(number="1", relations=[{"type": "same_number_as", "ref": first.ref, "reason": "ganda"}])
    city.write()
    assert "same-number" in {one.code for one in run(city).findings}
    city.publish(number="2", relations=[{"type": "corrects", "ref": first.ref, "reason": "salah"}])
    city.write()
    assert "same-number" not in {one.code for one in run(city).findings}


def test_terms_that_come_later(city: City) -> None:
    """Terms that the roster gives later make all acts be asked again."""
    siti = {"position": "Sekda", "name": "Siti", "capacity": "definitive"}
    record, _ = city.publish(signatories=[siti], signed_on="2025-12-31")
    city.write()
    assert "signatory-outside-term" not in {one.code for one in run(city).findings}
    city.enrol("SITI", ["setda"], position="sekda")
    city.write()
    assert [one.acts for one in run(city).findings if one.code == "signatory-outside-term"] == [(record.ref,)]


def test_other_rules(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found by other rules is found anew."""
    city.publish(number="tanpa angka")
    city.write()
    before = run(city)
    damage(city.path.parent / "state", "DELETE FROM findings")
    assert run(city).findings != before.findings
    monkeypatch.setattr(findings_acts, "_version", lambda: "another")
    assert run(city).findings == before.findings


# -- files in turn


def seen(source: Watched, top: str) -> set[str]:
    return {path for path in source.read if path.startswith(top)}


def test_files_have_their_turn(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run sees some of the older files, the longest unseen first, until all have been seen; and says how many."""
    monkeypatch.setattr(auditlookups, "SLICE", 5)
    monkeypatch.setattr(auditdocuments, "SLICE", 2)
    run(city)
    buckets = {str(path.relative_to(city.path)) for path in (city.path / "lookup").rglob("*") if path.is_file()}
    found: list[str] = []
    documents: list[str] = []
    for _ in range(-(-len(buckets) // 5)):
        source = Watched(city.path)
        report = run(city, source=source)
        values = [one.values for one in report.verdict.checks if one.code == "look-ups-again"]
        assert values == [{"count": len(buckets), "read": 5}]
        found += seen(source, "lookup/")
        documents += seen(source, "documents/")
        document = report.verdict.check("document")
        assert document is not None
        assert (document.values["new"], document.values["earlier"], document.values["looked"]) == (0, 6, 2)
    assert set(found) == buckets
    assert len(found) - len(buckets) < 5
    assert len(documents) >= 6
    assert len(set(documents[:6])) == 6


@pytest.mark.parametrize("top", ["lookup", "documents"])
def test_damage_is_found_in_its_turn_and_not_forgotten(city: City, monkeypatch: pytest.MonkeyPatch, top: str) -> None:
    """A file that changes after it was seen is found when its turn comes, at once with ``again``, and said until it is mended."""
    monkeypatch.setattr(auditlookups, "SLICE", 2)
    monkeypatch.setattr(auditdocuments, "SLICE", 1)
    run(city)
    path = next(path for path in sorted((city.path / top).rglob("*"), reverse=True) if path.is_file())
    good = path.read_bytes()
    path.write_bytes(good[:-3] + b"??\n")
    assert run(city, again=True, state_dir=city.path.parent / "state").exit_status() == 1
    shutil.rmtree(city.path.parent / "state")
    path.write_bytes(good)
    run(city)
    path.write_bytes(good[:-3] + b"??\n")
    runs = [run(city).exit_status() for _ in range(12)]
    assert runs == sorted(runs)
    assert runs[-1] == 1
    path.write_bytes(good)
    assert run(city).exit_status() == 0


def test_look_ups_in_another_order(city: City) -> None:
    """Lines may stand in any order, and others' between them; that is read line by line, and is in order."""
    for path in [path for path in (city.path / "lookup").rglob("*") if path.is_file()]:
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([b"0" * 64 + b" 99\n", *reversed(lines)]))
    assert run(city).exit_status() == 0
    record, _ = city.publish()
    city.write()
    assert run(city).exit_status() == 0
    path = city.path / "lookup" / "ref" / record.ref[:2]
    path.write_bytes(path.read_bytes().replace(record.ref.encode(), b"00000000000"))
    assert failed(run(city)) == [("look-up", "look-up-incomplete")]


def test_look_ups_are_those_of_the_index(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines that are expected of the files are those that ``index.look_up_values`` names, in a ledger's order."""
    monkeypatch.setattr(auditlookups, "_TOGETHER", 2)
    base = next(iter(city.records.values()))
    city.publish(documents={f"{n}.pdf": b"%d" % n for n in range(20)})
    city.publish(number=None, unnumbered_reason="x", relations=[{"type": kind, "ref": base.ref} for kind in ("follows", "amends")])
    city.write()
    run(city)
    with auditstate.open_state(city.path.parent / "state", city.founding) as state:
        files: dict[str, bytes] = {}
        for some in auditlookups._lines(state, 0):
            for name, lines in some.items():
                files[f"lookup/{name}"] = files.get(f"lookup/{name}", b"") + "".join(lines).encode()
    assert files == city._buckets(len(city.entries))


# -- the state folder


def older(city: City, size: int) -> Path:
    """A state as the version before left it: its head, and tables of another shape."""
    city.write(size=size)
    folder = city.path.parent / "older"
    run(city, state_dir=folder)
    with contextlib.closing(sqlite3.connect(folder / "audit.db")) as connection, connection:
        connection.execute("DROP TABLE leaves")
        connection.execute("DROP TABLE buckets")
        connection.execute("CREATE TABLE entries (idx INTEGER PRIMARY KEY, leaf BLOB NOT NULL, time TEXT NOT NULL)")
        connection.execute("CREATE TABLE todo (kind TEXT NOT NULL, name TEXT NOT NULL)")
        connection.execute("INSERT INTO evidence VALUES (x'6b', x'73')")
        connection.execute("PRAGMA user_version = 0")
    city.write()
    return folder


def test_an_older_state_is_read_anew(city: City) -> None:
    """All entries are read again; the checkpoint that it had accepted still counts, and so does its evidence."""
    folder = older(city, 6)
    report = run(city, state_dir=folder)
    assert (report.new_entries, outcome(report)["history"][1]) == (len(city.entries), "history-grown")
    assert ("history", "forked-before") in failed(report)
    assert kept(folder)["evidence"] == [(b"k", b"s")]
    folder.rename(city.path.parent / "done")
    folder = older(city, len(city.entries))
    city.write(size=5)
    assert ("history", "rolled-back") in failed(run(city, state_dir=folder))


def test_a_later_versions_state_is_left_alone(city: City) -> None:
    """It is neither read nor changed."""
    run(city)
    damage(city.path.parent / "state", f"PRAGMA user_version = {auditschema.VERSION + 1}")
    before = (city.path.parent / "state" / "audit.db").read_bytes()
    with pytest.raises(StoreError) as caught:
        run(city)
    assert caught.value.code == "audit-state-newer"
    assert (city.path.parent / "state" / "audit.db").read_bytes() == before


def lies_about_this_machine() -> Iterator[tuple[str, str]]:
    yield "UPDATE leaves SET hashes = zeroblob(length(hashes))", "rolled back"
    yield "UPDATE documents SET sha256 = replace(sha256, 'a', 'b')", "document"
    yield "UPDATE acts SET signers = '{key}' WHERE idx = 8", "revoked"
    yield "UPDATE keys_new SET key = key + 1", "amended"


@pytest.mark.parametrize(("query", "then"), list(lies_about_this_machine()))
def test_a_large_state_is_checked_before_anybody_is_accused(
    city: City, monkeypatch: pytest.MonkeyPatch, query: str, then: str
) -> None:
    """What is not checked whenever the state is opened is checked before an accusation, and when asked for."""
    monkeypatch.setattr(auditstate, "SMALL", 0)
    other = city.enrol("Lain", ["setda"])
    record, _ = city.publish()
    city.write()
    assert run(city).exit_status() == 0
    damage(city.path.parent / "state", query.format(key=other))
    if then == "rolled back":
        city.write(size=5)
    elif then == "revoked":
        city.roster_event({"event": "revoke", "key": other, "suspect_from": 8})
        city.write()
    elif then == "amended":
        city.publish(relations=[{"type": "amends", "ref": record.ref}])
        city.write()
    else:
        for path in (city.path / "documents").rglob("*"):
            if path.is_file():
                path.unlink()
    with pytest.raises(StoreError) as caught:
        run(city)
    assert caught.value.code == "audit-state-damaged"
    city.write()
    with pytest.raises(StoreError) as caught:
        run(city, again=True)
    assert caught.value.code == "audit-state-damaged"


def test_opening_reads_little(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state above the small ones is opened without reading its leaves or acts; a small one is checked."""
    run(city)
    for small, checked in ((4096, 1), (0, 0)):
        monkeypatch.setattr(auditstate, "SMALL", small)
        with auditstate.open_state(city.path.parent / "state", city.founding) as state:
            asked: list[str] = []
            state.connection.set_trace_callback(asked.append)
        with contextlib.closing(sqlite3.connect(city.path.parent / "state" / "audit.db")) as connection, connection:
            (good,) = connection.execute("SELECT hashes FROM leaves").fetchone()
            connection.execute("UPDATE leaves SET hashes = zeroblob(length(hashes))")
        with contextlib.ExitStack() as stack:
            if checked:
                stack.enter_context(pytest.raises(StoreError))
            with auditstate.open_state(city.path.parent / "state", city.founding):
                pass
        with contextlib.closing(sqlite3.connect(city.path.parent / "state" / "audit.db")) as connection, connection:
            connection.execute("UPDATE leaves SET hashes = ?", (good,))


def test_findings_do_not_hide_a_fork_when_the_disk_is_full(city: City, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where findings cannot be kept, what is worse is still said."""
    run(city)
    fork = city.fork(tmp_path / "fork", size=len(city.entries) - 1)
    fork.publish()
    fork.publish()
    fork.write()

    def full(state: Any, *, now: int) -> Any:
        raise StoreError("full", code="disk-full", path="", problem="full")

    monkeypatch.setattr("ledger.verifier.audit.find", full)
    assert failed(run(city, source=FolderSource(fork.path))) == [("history", "forked-convicted")]
    with pytest.raises(StoreError):
        run(city, state_dir=tmp_path / "sound")


def test_time_ahead_across_bundles(tmp_path: Path) -> None:
    """The first entry ahead of now is found wherever it stands, and all after it are counted."""
    city = City(tmp_path / "kota")
    while len(city.entries) < 300:
        city.publish(documents={"same.pdf": b"same"})
    city.write()
    times = [city.now - 60 * (299 - index) for index in range(300)]
    for index in (0, 1, 254, 255, 256, 299):
        report = run(city, now=times[index] - 1)
        (ahead,) = [one for one in report.findings if one.code == "time-ahead"]
        assert (ahead.values["count"], ahead.values["index"]) == (300 - index, index)
    assert parse_time(str(ahead.values["time"])) == times[-1]
    assert json.dumps(ahead.values)
