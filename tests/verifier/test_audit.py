"""The audit: an honest ledger passes whole and in parts, and each lie is told apart from the others and from bad luck."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import FetchError, LedgerError, StoreError
from ledger.records import canonical
from ledger.records.entry import Entry, dump_entry, format_time, parse_entry, parse_time
from ledger.records.envelope import Envelope, Signature
from ledger.records.events import ROSTER_TYPE
from ledger.records.record import RECORD_TYPE, parse_record
from ledger.tlog.policy import parse_policy
from ledger.tlog.tiles import parse_bundle
from ledger.verifier import auditfiles
from ledger.verifier.audit import AuditReport, audit, render
from ledger.verifier.auditstate import open_state
from ledger.verifier.client import FolderSource
from ledger.words import say
from tests.city import City


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditfiles, "PATIENCE", 0)


@pytest.fixture
def city(tmp_path: Path) -> City:
    """A city with a few acts and one witness."""
    city = City(tmp_path / "kota", witnesses=("kpk",))
    for _ in range(4):
        city.publish()
    city.write()
    return city


class Watched(FolderSource):
    """A folder that notes what is read, and can refuse."""

    def __init__(self, folder: Path, refuse: Callable[[str, int], BaseException | None] = lambda path, n: None) -> None:
        super().__init__(folder)
        self.read: list[str] = []
        self.refuse = refuse

    def fetch(self, path: str, *, limit: int) -> bytes:
        """Return the file, unless it is refused."""
        return b"".join(self.stream(path, limit=limit))

    def stream(self, path: str, *, limit: int) -> Iterator[bytes]:
        """Yield the file, unless it is refused."""
        self.read.append(path)
        error = self.refuse(path, len(self.read))
        if error is not None:
            raise error
        yield from super().stream(path, limit=limit)


def run(city: City, *, source: Any = None, **options: Any) -> AuditReport:
    settings = {"state_dir": city.path.parent / "state", "founding": city.founding, "policy": parse_policy(city.policy)} | options
    policy, founding = settings.pop("policy"), settings.pop("founding")
    return audit(source or FolderSource(city.path), policy, founding, **settings)


def outcome(report: AuditReport) -> dict[str, tuple[str, str]]:
    return {one.name: (one.state, one.code) for one in report.verdict.checks if one.code != "not-reached"}


def failed(report: AuditReport) -> list[tuple[str, str]]:
    return [(one.name, one.code) for one in report.verdict.checks if one.state == "failed"]


def push(city: City, envelope: Envelope, **changes: str) -> None:
    """Append an entry as a lying or a newer publisher would."""
    city.now += 60
    entry = Entry(envelope, city._prev(), city.roster.hash, format_time(city.now))
    city.entries.append(dump_entry(replace(entry, **changes)))
    city._envelopes_before = lambda count: city.envelopes  # type: ignore[method-assign]
    if envelope.payload_type == RECORD_TYPE:
        with contextlib.suppress(LedgerError):
            city.records[len(city.entries) - 1] = parse_record(envelope.payload)


# -- honest


def test_an_honest_ledger(city: City) -> None:
    """Everything is checked, nothing is false, nothing is left open."""
    report = run(city)
    assert report.exit_status() == 0
    assert {state for state, _ in outcome(report).values()} == {"passed"}
    assert set(outcome(report)) >= {
        "checkpoint", "history", "inclusion", "chain", "founding", "signature", "authority",
        "log-key", "roster", "policy", "look-up", "document",
    }  # fmt: skip
    assert (report.size, report.new_entries) == (len(city.entries), len(city.entries))
    assert outcome(report)["checkpoint"] == ("passed", "checkpoint-witnessed")


def test_resuming_reads_only_what_is_new(city: City) -> None:
    """The second run reads no entry again, sees whether files are still there, and says how far the list grew."""
    run(city)
    source = Watched(city.path)
    report = run(city, source=source)
    assert (report.exit_status(), report.new_entries) == (0, 0)
    assert outcome(report)["history"] == ("passed", "history-same")
    outside = {path for path in source.read if not path.startswith(("documents/", "lookup/"))}
    assert outside == {"checkpoint", "policy", "policy-ed25519", "roster.jsonl"}
    assert outcome(report)["document"] == ("passed", "documents-again")
    _, index = city.publish()
    city.write()
    source = Watched(city.path)
    report = run(city, source=source)
    assert (report.exit_status(), report.new_entries, report.size) == (0, 1, index + 1)
    assert outcome(report)["history"] == ("passed", "history-grown")
    document = report.verdict.check("document")
    assert document is not None
    assert (document.values["new"], document.values["earlier"]) == (1, len(city.documents) - 1)


def test_many_bundles_in_any_steps(tmp_path: Path) -> None:
    """Around the borders of bundles, read at once or step by step, the audit keeps the same facts."""
    city, sizes = City(tmp_path / "kota"), (1, 3, 255, 256, 257, 512, 530)
    while len(city.entries) < sizes[-1]:
        city.publish(documents={"same.pdf": b"same"})
    for size in sizes:
        city.write(size=size)
        assert run(city).exit_status() == 0, size
    assert run(city, state_dir=tmp_path / "at once").exit_status() == 0
    assert kept(tmp_path / "state") == kept(tmp_path / "at once")


def kept(folder: Path) -> dict[str, list[Any]]:
    """Everything that a state holds, but for the number of runs, and which of them has seen a file last."""
    with contextlib.closing(sqlite3.connect(folder / "audit.db")) as connection:
        connection.execute("UPDATE buckets SET seen = 0")
        connection.execute("UPDATE papers SET seen = 0")
        connection.execute("DELETE FROM marks WHERE name = 'runs'")
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in sorted(tables)}


def test_a_life_of_a_city(tmp_path: Path) -> None:
    """Corrections, revocations, enrolments, retirements, withdrawal, new log keys: all honest."""
    city = City(tmp_path / "kota")
    record, _ = city.publish(documents={"daftar.pdf": b"names"})
    city.publish(relations=[{"type": "corrects", "ref": record.ref, "reason": "salah ketik"}])
    second = city.enrol("Sekda", ["setda"])
    city.publish(signers=[city.clerk, second])
    city.roster_event({"event": "retire", "key": second})
    sha256 = record.documents[0]["sha256"]
    city.roster_event({"event": "withdraw", "sha256": sha256, "law": "UU 27/2022", "reason": "data pribadi"})
    city.rotate_log_keys("second")
    city.publish()
    city.publish()
    city.write()
    report = run(city)
    assert report.exit_status() == 0, failed(report)
    (document,) = [one for one in report.verdict.checks if one.name == "document"]
    assert document.values["withdrawn"] == 1


def test_without_documents(city: City) -> None:
    """Left out as asked: said so, no failure; a later run with documents checks them all."""
    source = Watched(city.path)
    report = run(city, source=source, documents=False)
    assert report.exit_status() == 0
    assert outcome(report)["document"] == ("not_checked", "documents-left-out")
    assert not any(path.startswith("documents/") for path in source.read)
    source = Watched(city.path)
    assert run(city, source=source).exit_status() == 0
    assert len([path for path in source.read if path.startswith("documents/")]) == len(city.documents)


def test_progress(city: City) -> None:
    """Whoever waits is told how far it is."""
    told: list[tuple[str, int, int]] = []
    run(city, progress=lambda what, done, total: told.append((what, done, total)))
    assert ("entries", len(city.entries), len(city.entries)) in told
    assert ("documents", len(city.documents), len(city.documents)) in told


# -- history


def test_rolled_back(city: City) -> None:
    """Fewer entries than before: false; said again until the entries are back, then healed."""
    run(city)
    city.write(size=4)
    for _ in range(2):
        assert failed(run(city)) == [("history", "rolled-back")]
        assert run(city).exit_status() == 1
    city.write()
    assert run(city).exit_status() == 0


@pytest.mark.parametrize("more", [-1, 0, 3])
def test_forked(city: City, more: int) -> None:
    """Another history under the same keys, shorter, as long or longer: both checkpoints are kept, for ever."""
    other = city.fork(city.path.parent / "lain")
    for count, branch in ((2, city), (2 + more, other)):
        for number in range(count):
            branch.publish(title=f"{branch.path.name} {number}")
    city.write()
    run(city)
    kept_note = (city.path / "checkpoint").read_bytes()
    other.write()
    report = run(city, source=FolderSource(other.path))
    assert failed(report) == [("history", "forked-convicted")]
    files = [Path(name) for name in str(report.verdict.check("history").values["files"]).split(", ")]  # type: ignore[union-attr]
    assert [path.read_bytes() for path in files] == [kept_note, (other.path / "checkpoint").read_bytes()]
    again = run(city)
    assert failed(again) == [("history", "forked-before")]
    assert again.exit_status() == 1
    assert outcome(again)["document"][0] == "passed"


def test_another_policys_checkpoint(city: City, tmp_path: Path) -> None:
    """Another log, another key, too few witnesses: each by its own name, and nothing else is said."""
    run(city)
    stranger = City(tmp_path / "palsu", seed="stolen", witnesses=("kpk",))
    elsewhere = City(tmp_path / "lain", origin="bening.example/lain")
    unwitnessed = City(tmp_path / "sepi")
    for other, code in ((stranger, "wrong-key"), (elsewhere, "other-origin"), (unwitnessed, "no-quorum")):
        other.write()
        report = run(city, source=FolderSource(other.path))
        assert failed(report) == [("checkpoint", code)]
        assert (report.exit_status(), report.new_entries) == (1, 0)
    assert run(city).exit_status() == 0


def test_another_founding(city: City, tmp_path: Path) -> None:
    """A ledger founded again under the same name and keys is another ledger."""
    again = City(tmp_path / "ulang", name="Kota Baru", witnesses=("kpk",))
    again.write()
    report = run(city, source=FolderSource(again.path))
    assert failed(report) == [("founding", "other-founding")]


def test_a_checkpoint_that_cannot_be_read(city: City) -> None:
    """No checkpoint, or none that can be read: nobody's evidence."""
    (city.path / "checkpoint").unlink()
    report = run(city)
    assert outcome(report)["checkpoint"] == ("not_checked", "fetch-missing")
    assert report.exit_status() == 3
    (city.path / "checkpoint").write_bytes(b"<html>")
    assert failed(run(city))[0][0] == "checkpoint"


# -- tree and files of the tree


def change(path: Path, at: int = 20) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def big(tmp_path: Path) -> City:
    city = City(tmp_path / "besar")
    while len(city.entries) < 300:
        city.publish(documents={"same.pdf": b"same"})
    city.write()
    return city


def test_damaged_tree_files(tmp_path: Path) -> None:
    """A changed, cut or missing tile or bundle is named by its path; put back, the audit passes."""
    city = big(tmp_path)
    tiles = sorted(path for path in (city.path / "tile").rglob("*") if path.is_file())
    assert len(tiles) == 5
    for number, path in enumerate(tiles):
        good, state = path.read_bytes(), tmp_path / str(number)
        change(path)
        code = "entry-differs" if "entries" in path.parts else "tile-differs"
        assert failed(run(city, state_dir=state)) == [("inclusion", code)], path
        for cut in (good[:-1], good[:-32], b""):
            path.write_bytes(cut)
            assert failed(run(city, state_dir=state)) == [("inclusion", "truncated")], path
        path.write_bytes(good + b"\0")
        assert run(city, state_dir=state).exit_status() in (1, 3)
        path.unlink()
        report = run(city, state_dir=state)
        assert failed(report) == [("inclusion", "truncated")], path
        assert report.exit_status() == 1
        path.write_bytes(good)
        assert run(city, state_dir=state).exit_status() == 0


def test_reordered_bundle(city: City) -> None:
    """Entries exchanged in the served bundle, under an honest tree."""
    (path,) = (path for path in (city.path / "tile" / "entries").rglob("*") if path.is_file())
    entries = parse_bundle(path.read_bytes(), len(city.entries))
    entries[4], entries[5] = entries[5], entries[4]
    path.write_bytes(b"".join(len(one).to_bytes(2, "big") + one for one in entries))
    assert failed(run(city)) == [("inclusion", "entries-reordered")]


def test_tree_files_that_cannot_be_read(city: City) -> None:
    """A server in trouble is nobody's evidence; what was read is kept."""

    def refuse(path: str, n: int) -> BaseException | None:
        return FetchError(path, code="fetch", where=path, problem="HTTP 503") if path.startswith("tile/entries") else None

    report = run(city, source=Watched(city.path, refuse))
    assert outcome(report)["inclusion"] == ("not_checked", "fetch")
    assert report.exit_status() == 3
    assert run(city).exit_status() == 0


# -- what the log itself signed, wrongly


def seal(city: City) -> AuditReport:
    city.write()
    return run(city)


def test_entries_that_the_log_itself_reordered(city: City) -> None:
    """An honest tree over re-ordered, removed or inserted entries: the chain tells."""
    honest = list(city.entries)
    for changed in (
        [*honest[:4], honest[5], honest[4], *honest[6:]],
        [*honest[:4], *honest[5:]],
        [*honest[:4], honest[4], honest[4], *honest[5:]],
    ):
        city.entries = changed
        city.write()
        report = run(city, state_dir=city.path.parent / f"state {len(changed)} {changed[5] == honest[4]}")
        assert failed(report) == [("chain", "chain-broken")]


def lies(city: City) -> dict[str, Callable[[], Any]]:
    record = city.record()
    good = city.sign(RECORD_TYPE, record.data, [city.clerk])
    earlier = parse_entry(city.entries[-2]).time
    stolen = Envelope(RECORD_TYPE, record.payload, (Signature(city.clerk, bytes(64)),))
    return {
        "time-backwards": lambda: push(city, good, time=earlier),
        "chain-broken": lambda: push(city, good, prev="0" * 64),
        "roster-not-newest": lambda: push(city, good, roster="0" * 64),
        "bad-signature": lambda: push(city, stolen),
        "unknown-office": lambda: city.publish(office="nowhere", check=False),
        "ref-used": lambda: city.publish(ref=next(iter(city.records.values())).ref, check=False),
        "unknown-target": lambda: city.publish(relations=[{"type": "follows", "ref": city.draw_ref()}], check=False),
        "too-few-authority-signatures": lambda: push(
            city, city.sign(ROSTER_TYPE, {"v": 1, "n": 3, "prev_roster": city.roster.hash, "founding": city.founding,
                                          "events": [{"event": "reaffirm", "acts": ["0" * 64]}]}, city.authority[:1]),
        ),
        "entry-malformed": lambda: city.entries.append(b'{"v":1}'),
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["time-backwards", "chain-broken", "roster-not-newest", "bad-signature", "unknown-office", "ref-used",
     "unknown-target", "too-few-authority-signatures", "entry-malformed"],
)  # fmt: skip
@pytest.mark.parametrize("resumed", [False, True])
def test_a_false_entry(city: City, name: str, resumed: bool) -> None:
    """A false entry stops the audit there, is named, and is said again by every later run."""
    if resumed:
        run(city)
    index = len(city.entries)
    lies(city)[name]()
    city._envelopes_before = lambda count: city.envelopes  # type: ignore[method-assign]
    report = seal(city)
    (check,) = [one for one in report.verdict.checks if one.state == "failed"]
    assert name == check.code or name in [reason.code for reason in report.reasons]
    assert (check.values["index"], report.size, report.exit_status()) == (index, index, 1)
    again = run(city)
    assert (failed(again), again.size, again.new_entries) == (failed(report), index, 0)


def test_entries_before_a_false_one_are_kept(city: City) -> None:
    """What holds before the false entry, in the same bundle, is kept with its position."""
    index = city.publish()[1] + 1
    city.publish(office="nowhere", check=False)
    city.publish()
    report = seal(city)
    assert (report.size, report.new_entries) == (index, index)
    assert report.verdict.check("signature") is not None


# -- a later version


def newer(city: City) -> dict[str, Callable[[], Any]]:
    data = city.record().data
    value = canonical.parse(city.entries[-1], limit=100_000)
    event = {"v": 1, "n": city.roster.n + 1, "prev_roster": city.roster.hash, "founding": city.founding}
    return {
        "payload type": lambda: push(city, city.sign("application/vnd.bening.poem+json", {}, [city.clerk])),
        "record version": lambda: push(city, city.sign(RECORD_TYPE, {**data, "v": 2}, [city.clerk])),
        "record key": lambda: push(city, city.sign(RECORD_TYPE, {**data, "mood": "x"}, [city.clerk])),
        "record kind": lambda: push(city, city.sign(RECORD_TYPE, {**data, "kind": "poem"}, [city.clerk])),
        "entry version": lambda: city.entries.append(canonical.dump({**value, "prev": city._prev(), "v": 2})),
        "roster event": lambda: _push_roster(city, {**event, "events": [{"event": "anthem"}]}),
        "roster version": lambda: _push_roster(city, {**event, "v": 2, "events": []}),
    }


def _push_roster(city: City, payload: dict[str, Any]) -> None:
    envelope = city.sign(ROSTER_TYPE, payload, city.authority)
    push(city, envelope)
    city.roster = replace(city.roster, hash=envelope.id, n=city.roster.n + 1)


@pytest.mark.parametrize("name", ["payload type", "record version", "record key", "record kind", "entry version",
                                  "roster event", "roster version"])  # fmt: skip
def test_a_later_version_is_not_false(city: City, name: str) -> None:
    """What this version does not know is counted as not checked, and so is what follows a roster that it does not know."""
    newer(city)[name]()
    city._envelopes_before = lambda count: city.envelopes  # type: ignore[method-assign]
    city.publish(check=False)
    city.publish(check=False)
    report = seal(city)
    assert failed(report) == []
    assert report.exit_status() == 3
    assert report.size == len(city.entries)
    (check,) = [one for one in report.verdict.checks if one.name == "authority"]
    assert (check.state, check.values["count"]) == ("not_checked", 3 if name.startswith("roster") else 1)
    assert outcome(report)["chain"] == ("passed", "chain-holds")
    assert run(city).exit_status() == 3


def test_an_act_that_leans_on_a_newer_one(city: City) -> None:
    """Pointing at an act that could not be read here is not pointing at nothing."""
    data = {**city.record().data, "mood": "x"}
    push(city, city.sign(RECORD_TYPE, data, [city.clerk]))
    city.publish(relations=[{"type": "amends", "ref": data["ref"]}], check=False)
    report = seal(city)
    assert (failed(report), report.exit_status()) == ([], 3)
    assert report.verdict.check("authority").values["count"] == 2  # type: ignore[union-attr]


def test_chain_still_counts_after_a_newer_entry(city: City) -> None:
    """A newer entry is no hiding place: the link after it must hold."""
    newer(city)["entry version"]()
    city._envelopes_before = lambda count: city.envelopes  # type: ignore[method-assign]
    push(city, city.sign(RECORD_TYPE, city.record().data, [city.clerk]), prev="0" * 64)
    assert ("chain", "chain-broken") in failed(seal(city))


def test_a_newer_entry_may_have_changed_the_roster(city: City) -> None:
    """If the next entry names a roster that is not known, the entries after it are not checked rather than false."""
    newer(city)["entry version"]()
    city._envelopes_before = lambda count: city.envelopes  # type: ignore[method-assign]
    push(city, city.sign(RECORD_TYPE, city.record().data, [city.clerk]), roster="1" * 64)
    push(city, city.sign(RECORD_TYPE, city.record().data, [city.clerk]), roster="1" * 64)
    report = seal(city)
    assert (failed(report), report.exit_status()) == ([], 3)


# -- the files beside the tree


def test_roster_file(city: City) -> None:
    """roster.jsonl cut, changed or missing is false; ahead of the checkpoint it is only growing."""
    path = city.path / "roster.jsonl"
    good = path.read_bytes()
    for bad in (b"", good[: good.index(b"\n") + 1], good.replace(b"a", b"b", 1), good[:-1]):
        path.write_bytes(bad)
        assert failed(run(city)) == [("roster", "roster-file-differs")]
    path.unlink()
    assert failed(run(city)) == [("roster", "file-missing")]
    path.write_bytes(good + b"{}\n")
    assert run(city).exit_status() == 0


@pytest.mark.parametrize("name", ["policy", "policy-ed25519"])
def test_a_policy_with_a_newer_key(city: City, name: str) -> None:
    """A policy with a key of a type that is not known here is not checked; the audit goes on to its end."""
    path = city.path / name
    lines = path.read_text("utf-8").split("\n")
    at = next(n for n, line in enumerate(lines) if line.startswith("log "))
    name_of_key, key_id, material = lines[at].split("+", 2)
    newer = base64.b64encode(b"\x41" + base64.b64decode(material)[1:]).decode()
    path.write_text("\n".join([*lines[:at], f"{name_of_key}+{key_id}+{newer}", *lines[at + 1 :]]), "utf-8")
    report = run(city)
    assert report.exit_status() == 3
    assert [(one.state, one.code) for one in report.verdict.checks if one.name == "policy"] == [("not_checked", "newer-format")]


def test_policy_file(city: City, tmp_path: Path) -> None:
    """The policy that newcomers would pin must be this ledger's."""
    path, good = city.path / "policy", city.policy
    other = City(tmp_path / "lain", seed="other")
    for bad, code in (
        (b"log x\n", "policy-file-malformed"),
        (good.replace(city.founding.encode(), b"0" * 64), "policy-file-other-founding"),
        (other.policy.replace(other.founding.encode(), city.founding.encode()), "policy-file-other-keys"),
    ):
        path.write_bytes(bad)
        assert failed(run(city)) == [("policy", code)]
    path.unlink()
    assert failed(run(city)) == [("policy", "file-missing")]


def test_look_ups_of_acts_entered_just_now_are_not_yet_missing(city: City) -> None:
    """Ten minutes around the entry's own time they are not checked; before and after, and beside an old act, they are missing."""
    path = city.path / "lookup" / "ref" / city.records[5].ref[:2]
    path.unlink()
    entered = parse_time(city.acts.by_ref(city.records[5].ref).time)  # type: ignore[union-attr]
    for now in (entered - 600, entered, entered + 600):
        report = run(city, now=now)
        assert failed(report) == []
        assert outcome(report)["look-up"] == ("not_checked", "look-up-behind")
        assert report.exit_status() == 3
    for now in (entered - 601, entered + 601):
        assert failed(run(city, now=now)) == [("look-up", "look-up-incomplete")]


def test_a_log_key_that_the_roster_does_not_know(city: City, tmp_path: Path) -> None:
    """A checkpoint by another key, even one that somebody pinned, is not this ledger's."""
    other = City(tmp_path / "lain", seed="other")
    city.all_keys[city.keys.vkeys[0]] = other.keys
    city.notes.clear()
    (city.path / "checkpoint").write_bytes(city.checkpoint())
    report = run(city, policy=parse_policy(other.policy))
    assert failed(report) == [("log-key", "log-key-not-in-roster")]


def test_look_ups(city: City) -> None:
    """A missing line or bucket is named, said again, and healed; lines of later acts are only growth."""
    record = city.records[5]
    path = city.path / "lookup" / "ref" / record.ref[:2]
    good = path.read_bytes()
    assert f"{record.ref} 5\n".encode() in good
    path.write_bytes(good.replace(f"{record.ref} 5\n".encode(), b""))
    for _ in range(2):
        report = run(city)
        assert failed(report) == [("look-up", "look-up-incomplete")]
        assert report.verdict.check("look-up").values["index"] == 5  # type: ignore[union-attr]
    path.unlink()
    assert failed(run(city)) == [("look-up", "look-up-incomplete")]
    path.write_bytes(good[:-1])
    assert failed(run(city)) == [("look-up", "look-up-incomplete")]
    path.write_bytes(good + b"00000000000 999\n")
    assert run(city).exit_status() == 0


def test_look_ups_that_cannot_be_read(city: City) -> None:
    """A bucket that a server in trouble does not give is not checked, which the status says."""

    def refuse(path: str, n: int) -> BaseException | None:
        return FetchError(path, code="fetch", where=path, problem="HTTP 503") if path.startswith("lookup/") else None

    report = run(city, source=Watched(city.path, refuse))
    assert outcome(report)["look-up"] == ("not_checked", "fetch")
    assert report.exit_status() == 3
    assert run(city).exit_status() == 0


def test_documents(city: City) -> None:
    """A document missing, changed, longer or shorter is false until it is served as recorded."""
    sha256, body = next(iter(city.documents.items()))
    path = city.path / "documents" / sha256[:2] / sha256
    for bad in (b"x" * len(body), body + b"x", body[:-1], b""):
        path.write_bytes(bad)
        assert failed(run(city)) == [("document", "document-differs")]
    path.unlink()
    for _ in range(2):
        report = run(city)
        assert failed(report) == [("document", "document-not-served")]
        assert report.exit_status() == 1
    path.write_bytes(body)
    assert run(city).exit_status() == 0


def test_a_document_of_another_size(city: City) -> None:
    """The right bytes under a wrong size are not what the record says."""
    record = city.record()
    documents = [{**record.documents[0], "size": record.documents[0]["size"] + 1}]
    data = {**record.data, "documents": documents}
    city.append(city.sign(RECORD_TYPE, data, [city.clerk]))
    assert failed(seal(city)) == [("document", "document-differs")]


def test_documents_that_cannot_be_read(city: City) -> None:
    """A server in trouble is nobody's evidence, and the rest is still checked."""
    unlucky = next(iter(city.documents))

    def refuse(path: str, n: int) -> BaseException | None:
        return FetchError(path, code="fetch", where=path, problem="HTTP 503") if path.endswith(unlucky) else None

    report = run(city, source=Watched(city.path, refuse))
    assert outcome(report)["document"] == ("not_checked", "documents-unread")
    assert report.exit_status() == 3
    document = run(city).verdict.check("document")
    assert document is not None
    assert (document.state, document.values["new"]) == ("passed", 1)


def test_documents_that_change_after_they_were_read(city: City) -> None:
    """What an earlier run has read is looked at again, and stays to be read in whole once it was not in order."""
    large = b"x" * 200_000
    record, _ = city.publish(documents={"large.pdf": large, "small.pdf": b"small"})
    city.write()
    assert run(city).exit_status() == 0
    for document, body in zip(record.documents, (large, b"small"), strict=True):
        path = city.path / "documents" / document["sha256"][:2] / document["sha256"]
        for bad in (body[:-1], body + b"x", b""):
            path.write_bytes(bad)
            assert failed(run(city)) == [("document", "document-differs")]
        path.write_bytes(body[:-1] + b"?")
        assert failed(run(city)) == [("document", "document-differs")]
        path.write_bytes(body)
        assert run(city).exit_status() == 0


def test_a_fork_whose_evidence_cannot_be_written(city: City, tmp_path: Path) -> None:
    """The fork is still told, with a sentence that says that the evidence is not kept."""
    run(city)
    fork = city.fork(tmp_path / "fork", size=len(city.entries) - 1)
    fork.publish()
    fork.publish()
    fork.write()
    (tmp_path / "state" / "evidence").write_bytes(b"")
    assert failed(run(fork)) == [("history", "forked-not-kept")]


# -- disputed


def test_disputed_until_reaffirmed(city: City) -> None:
    """Acts after the day from which a key is suspect are disputed, by name, until the authority reaffirms each."""
    acts = list(city.records.values())
    city.roster_event({"event": "revoke", "key": city.clerk, "suspect_from": min(city.records) + 2})
    report = seal(city)
    assert report.disputed == tuple(record.ref for record in acts[2:])
    assert outcome(report)["disputed"] == ("disputed", "acts-disputed")
    assert report.exit_status() == 1
    assert failed(report) == []
    city.roster_event({"event": "reaffirm", "acts": [record.id for record in acts[2:3]]})
    assert seal(city).disputed == tuple(record.ref for record in acts[3:])
    city.roster_event({"event": "reaffirm", "acts": [record.id for record in acts[3:]]})
    assert seal(city).exit_status() == 0


# -- the state folder


def damage(path: Path, query: str) -> None:
    connection = sqlite3.connect(path / "audit.db")
    with connection:
        connection.execute(query)
    connection.close()


@pytest.mark.parametrize(
    "query",
    [
        "UPDATE leaves SET hashes = zeroblob(224)",
        "UPDATE leaves SET hashes = substr(hashes, 33)",
        "UPDATE leaves SET newest = '2026-01-05T02:00:00Z'",
        "UPDATE leaves SET bundle = 1",
        "DELETE FROM leaves",
        "DELETE FROM rosters WHERE idx = 1",
        "UPDATE rosters SET envelope = x'7b7d' WHERE idx = 1",
        "UPDATE head SET value = replace(value, '\"size\": 7', '\"size\": 6')",
        "UPDATE head SET value = '{}'",
        "UPDATE head SET digest = ''",
        "DROP TABLE rosters",
    ],
)
def test_a_damaged_state_accuses_nobody(city: City, query: str) -> None:
    """Whatever happened to the state's rows, the answer is this machine's damage, not a verdict."""
    run(city)
    damage(city.path.parent / "state", query)
    with pytest.raises(StoreError) as caught:
        run(city)
    assert caught.value.code == "audit-state-damaged"


@pytest.mark.parametrize("data", [b"\0" * 187, b"not a database" * 100, None])
def test_a_damaged_state_file(city: City, data: bytes | None) -> None:
    """Zeros after a power cut, another file, a file cut in half."""
    run(city)
    path = city.path.parent / "state" / "audit.db"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if data is None else data)
    with pytest.raises(StoreError) as caught:
        run(city)
    assert caught.value.code == "audit-state-damaged"


@pytest.mark.parametrize("query", ["UPDATE acts SET ref = '00000000000' WHERE idx = 3", "DELETE FROM acts WHERE idx = 3"])
def test_a_damaged_index_accuses_nobody(city: City, query: str) -> None:
    """An act that points at one that the damaged index lost is not called false."""
    record, index = city.publish()
    city.write()
    run(city)
    damage(city.path.parent / "state", query.replace("idx = 3", f"idx = {index}"))
    city.publish(relations=[{"type": "amends", "ref": record.ref}])
    city.write()
    with pytest.raises(StoreError) as caught:
        run(city)
    assert caught.value.code == "audit-state-damaged"


def test_another_ledgers_state(city: City, tmp_path: Path) -> None:
    """The state of one ledger is never mixed with another's."""
    run(city)
    other = City(tmp_path / "lain", origin="bening.example/lain")
    other.write()
    with pytest.raises(StoreError) as caught:
        run(other)
    assert caught.value.code == "audit-state-other"


def test_one_audit_at_a_time(city: City) -> None:
    """Two runs on one folder do not mix."""
    with open_state(city.path.parent / "state", city.founding), pytest.raises(StoreError) as caught:
        run(city)
    assert caught.value.code == "audit-running"
    assert run(city).exit_status() == 0


def test_a_state_that_cannot_be_written(city: City, tmp_path: Path) -> None:
    """A file where the folder should be is an ordinary error."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError):
        run(city, state_dir=tmp_path / "file")


def test_killed_at_any_moment(tmp_path: Path) -> None:
    """Ended at any read, the next run goes on from there and ends with the same state as one that ran through."""
    city = City(tmp_path / "kota")
    while len(city.entries) < 260:
        city.publish(documents={"same.pdf": b"same"})
    city.publish()
    city.write()
    through = Watched(city.path)
    run(city, source=through, state_dir=tmp_path / "through")
    reads = len(through.read)
    for stop in (1, 3, 5, 7, 20, reads):

        def refuse(path: str, n: int, stop: int = stop) -> BaseException | None:
            return KeyboardInterrupt() if n >= stop else None

        with pytest.raises(KeyboardInterrupt):
            run(city, source=Watched(city.path, refuse), state_dir=tmp_path / str(stop))
        report = run(city, state_dir=tmp_path / str(stop))
        assert report.exit_status() == 0, stop
        assert kept(tmp_path / str(stop)) == kept(tmp_path / "through"), stop


# -- the report


def test_every_code_has_words() -> None:
    """Each check and finding that the audit can give has its sentence in both languages."""
    room = Path(auditfiles.__file__).parent
    text = "".join(path.read_text() for path in room.glob("audit*.py"))
    codes = set(re.findall(r'Check\([\w.]+|"[a-z-]+", "(?:passed|failed|disputed|not_checked)", "([a-z-]+)"', text))
    codes |= set(re.findall(r'EntryFault\("[a-z]+", "([a-z-]+)"', text))
    codes |= {"forked-convicted", "rolled-back-convicted", "forked-before", "shrunk-before", "forked-not-kept"}
    codes |= {"forked", "rolled-back", "history-first", "history-same", "history-grown", "checkpoint-alone", "checkpoint-witnessed"}
    codes |= {"document-not-served", "document-differs", "never", "headline-true", "headline-false", "headline-disputed", "headline-unchecked"}
    for code in codes - {""}:
        for lang in ("id", "en"):
            assert not say(f"audit.{code}", lang).startswith("audit."), code
    for code in ("audit-state-damaged", "audit-state-other", "audit-running"):
        assert not say(f"error.{code}", "id").startswith("error."), code


def test_the_report_is_json_and_lines(city: City) -> None:
    """JSON holds every check with its sentence; lines for people begin with what matters."""
    city.publish(office="nowhere", check=False)
    report = seal(city)

    def english(key: str, **values: object) -> str:
        return say(key, "en", **values)

    value = json.loads(json.dumps(report.to_json(english)))
    assert value["status"] == 1
    assert value["size"] == len(city.entries) - 1
    assert {one["code"] for one in value["reasons"]} == {"unknown-office", "no-signer-for-office-and-kind"}
    lines = render(report, english)
    assert lines[0].startswith("FALSE")
    assert not any("audit." in line or "reason." in line or "…}" in line for line in lines)
    assert any(line.startswith("  x Entry 7") for line in lines)


def test_no_foreign_error_leaks(city: City) -> None:
    """Garbage in any one file gives a report, or one of the ledger's own errors."""
    for path in sorted(city.path.rglob("*")):
        if path.is_file():
            good = path.read_bytes()
            for bad in (b"\xff\xfe\0garbage", good[: len(good) // 2]):
                path.write_bytes(bad)
                try:
                    assert run(city).exit_status() in (0, 1, 3)
                except LedgerError:
                    pytest.fail(f"{path} raised")
            path.write_bytes(good)
    assert run(city).exit_status() == 0
