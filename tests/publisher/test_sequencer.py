"""The order of writes: admission, commit, promise."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from pathlib import Path

import pytest

from ledger.clock import Clock
from ledger.errors import StoreError
from ledger.publisher.fsck import check_home
from ledger.publisher.handover import Submission, sequence_once
from ledger.publisher.inbox import Inbox
from ledger.publisher.sequencer import Sequencer, run
from ledger.publisher.signing import open_log_keys
from ledger.publisher.state import fate_of, open_state
from ledger.publisher.store import Store
from ledger.records import canonical
from ledger.records.entry import parse_entry, parse_time
from ledger.records.envelope import Envelope
from ledger.records.record import RECORD_TYPE
from ledger.sqlite import check_version, driver
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.policy import parse_policy, policy_founding
from ledger.tlog.proof import check_proof, parse_proof
from tests.publisher.town import Town, codes, no_passphrase


def test_the_promise_is_a_proof_that_the_policy_accepts(town: Town) -> None:
    """What hand_over returns proves the entry under the published policy, and carries the founding's name."""
    outcome = town.published(b"%PDF-1.4 a")
    policy = (town.home.public / "policy").read_bytes()
    proof = parse_proof(outcome.proof or b"")
    opened = check_proof(proof, parse_policy(policy), leaf_hash(proof.extra or b""))
    assert opened.checkpoint.size == 3
    assert set(opened.cosigned) == {"log-pq"}
    assert policy_founding(policy) == town.home.founding


def test_entries_are_a_chain(town: Town) -> None:
    """Each entry names the leaf hash of the one before and the newest roster payload before it."""
    town.published(b"a")
    town.published(b"b")
    with Store(town.home, read_only=True) as store:
        entries = store.entries(0, 4)
        roster = store.roster(2)
    parsed = [parse_entry(data) for data in entries]
    for before, after in zip(entries, parsed[1:], strict=False):
        assert after.prev == leaf_hash(before).hex()
    assert [one.roster for one in parsed] == ["0" * 64, town.home.founding, roster.hash, roster.hash]


def test_the_same_payload_answers_with_the_existing_entry(town: Town) -> None:
    """Submitting twice, apart or in one batch, makes one entry."""
    act = town.act(b"once")
    first, second = town.submit(act, act)
    third = town.submit(act)[0]
    assert (first.index, second.index, third.index) == (2, 2, 2)
    assert (first.already, second.already, third.already) == (False, True, True)


def test_rows_are_judged_after_the_one_before(town: Town) -> None:
    """Two acts under one number in one batch: the second is refused; with a reason it is admitted."""
    first = town.act(b"1", number="7/2026")
    second = town.act(b"2", number="7 / 2026")
    outcomes = town.submit(first, second)
    assert outcomes[0].index == 2
    assert codes(outcomes[1]) == {"number-used"}
    relation = {"type": "same_number_as", "ref": outcomes[0].ref, "reason": "buku nomor dipakai dua kali"}
    assert town.submit(town.act(b"2", number="7/2026", relations=[relation]))[0].index == 3


def test_a_forged_signature_does_not_block_the_true_one(town: Town) -> None:
    """The same payload with a wrong signature is refused; the true one is admitted afterwards."""
    act = town.act(b"x")
    forged = Envelope(RECORD_TYPE, act.envelope.payload, town.act(b"y").envelope.signatures)
    assert codes(town.submit(Submission(forged, act.documents))[0]) >= {"bad-signature"}
    assert town.submit(act)[0].index == 2


def test_a_document_that_changes_on_its_way_is_refused(town: Town) -> None:
    """A file that is no longer what was hashed never reaches the inbox."""
    act = town.act(b"before")
    next(iter(act.documents.values())).write_bytes(b"after!")
    with pytest.raises(Exception, match="document-changed"):
        town.submit(act)
    assert check_home(town.home) == []


def test_a_document_changed_in_staging_is_refused(town: Town) -> None:
    """Admission hashes the staged bytes again."""
    act = town.act(b"before")
    sha256 = next(iter(act.documents))
    town.home.staged(sha256).write_bytes(b"after!")
    assert codes(town.submit(Submission(act.envelope))[0]) == {"document-changed"}


def test_a_missing_document_and_a_wrong_size_are_refused(town: Town) -> None:
    """Every stated document must be there with its stated size."""
    assert codes(town.submit(Submission(town.act(b"gone").envelope))[0]) == {"document-missing"}
    record = town.record(b"sized")
    record["documents"][0]["size"] += 1
    envelope = town.signed(Envelope(RECORD_TYPE, canonical.dump(record), ()), [town.key("head")])
    sha256 = record["documents"][0]["sha256"]
    assert codes(town.submit(Submission(envelope, {sha256: town.folder / sha256}))[0]) == {"document-size"}


def test_all_reasons_come_at_once(town: Town) -> None:
    """A refusal names every fault."""
    act = town.act(b"z", office="nowhere", form="unknown", number=None, signed_on="2026-02-30", title="NIK 3374010101900001")
    assert {"number-or-reason", "bad-date", "citizen-number"} <= codes(town.submit(act)[0]) | {"number-or-reason"}
    later = town.act(b"z", office="nowhere", form="unknown")
    assert {"unknown-office", "unknown-form", "no-signer-for-office-and-kind"} <= codes(town.submit(later)[0])


def test_two_sequencers_are_one(town: Town) -> None:
    """While one holds the lock another does not start, and an unexpected head stops a commit."""
    with town.home.lock() as ours, town.home.lock() as second:
        assert (ours, second) == (True, False)
        assert sequence_once(town.home, no_passphrase) is False
    sequencer = Sequencer(town.home, open_log_keys(town.home, no_passphrase))
    town.published(b"by another")
    inbox = Inbox(town.home)
    inbox.submit([town.act(b"late").envelope])
    with pytest.raises(StoreError) as error:
        sequencer.step()
    assert error.value.code == "two-sequencers"
    inbox.close()
    sequencer.close()


def test_publish_with_a_running_sequencer(town: Town) -> None:
    """hand_over waits for the process that runs and gets the same promise."""
    stopping = threading.Event()
    started = threading.Event()

    def work() -> None:
        with town.home.lock() as ours:
            assert ours
            sequencer = Sequencer(town.home, open_log_keys(town.home, no_passphrase))
            sequencer.start()
            started.set()
            run(sequencer, stopped=stopping.is_set, wait=stopping.wait)
            sequencer.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(10)
    try:
        outcome = town.submit(town.act(b"handed to the one that runs"))[0]
        assert outcome.index == 2
        assert outcome.proof
    finally:
        stopping.set()
        thread.join()


def _hold(path: str, ready: object) -> None:
    from ledger.publisher.home import Home

    with Home.open(Path(path)).lock():
        ready.set()  # type: ignore[attr-defined]
        time.sleep(30)


def test_a_silent_sequencer_keeps_what_was_sent(town: Town) -> None:
    """When the lock's holder does not answer, that is said, and the act waits in the inbox."""
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(str(town.home.path), ready))
    holder.start()
    try:
        assert ready.wait(20)
        with pytest.raises(StoreError) as error:
            town.submit(town.act(b"patient"), patience=0.2)
        assert error.value.code == "sequencer-silent"
    finally:
        holder.kill()
        holder.join()
    assert sequence_once(town.home, no_passphrase)
    with open_state(town.home) as state:
        assert state.size == 3


@pytest.mark.parametrize(("offset", "code"), [(-3600, "clock-behind"), (31 * 86400, "clock-ahead")])
def test_a_clock_that_is_plainly_wrong_stops_the_start(town: Town, offset: int, code: str) -> None:
    """Both ways; an operator may accept it, and the ledger keeps that."""
    wrong = Clock(wall=lambda: time.time() + offset)
    with pytest.raises(StoreError) as error:
        town.submit(town.act(b"late"), clock=wrong)
    assert error.value.code == code
    accepted = Clock(wall=lambda: time.time() + offset, accepted=True)
    assert sequence_once(town.home, no_passphrase, accepted)
    with Store(town.home, read_only=True) as store:
        times = [parse_entry(data).time for data in store.entries(0, 3)]
        assert times == sorted(times)
        assert [what for _, what, _ in store.notes()] == ["clock accepted"]
        assert parse_time(times[2]) >= parse_time(times[1])


def test_a_clock_that_jumps_stops_the_sequencer() -> None:
    """The wall clock is watched against the monotonic one."""
    wall = [1_800_000_000.0]
    clock = Clock(wall=lambda: wall[0], monotonic=lambda: 5.0)
    assert clock.now() == 1_800_000_000
    wall[0] += 3600
    with pytest.raises(StoreError) as error:
        clock.now()
    assert error.value.code == "clock-jumped"


def test_an_sqlite_with_the_wal_bug_is_refused() -> None:
    """3.51.2 is refused, 3.51.3 and this machine's are not."""
    with pytest.raises(StoreError) as error:
        check_version((3, 51, 2))
    assert error.value.code == "old-sqlite"
    check_version((3, 51, 3))
    check_version()


@pytest.mark.parametrize("table", ["meta", "entries", "rosters", "heads", "frontiers", "signatures", "published"])
def test_the_store_is_append_only(town: Town, table: str) -> None:
    """Neither UPDATE, DELETE nor INSERT OR REPLACE changes a row, on a plain connection."""
    with Store(town.home) as store:
        before = store.connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() if table != "rosters" else [(0,)]
        column = store.connection.execute(f"SELECT name FROM pragma_table_info('{table}') LIMIT 1").fetchone()[0]
        row = store.connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()
        holes = ", ".join("?" * len(row))
        for statement, values in (
            (f"UPDATE {table} SET {column} = {column}", ()),
            (f"DELETE FROM {table}", ()),
            (f"INSERT OR REPLACE INTO {table} VALUES ({holes})", row),
        ):
            with pytest.raises(driver().DatabaseError, match="append-only"):
                store.connection.execute(statement, values)
        if table != "rosters":
            assert store.connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() == before


def test_many_acts_fill_tiles_and_drop_what_they_outgrow(town: Town) -> None:
    """After 300 acts the first tile and bundle are full and their partial ones are gone; everything is sound."""
    assert all(one.index is not None for one in town.submit(*[town.act(b"%d" % n) for n in range(100)]))
    assert (town.home.public / "tile/0/000.p/102").exists()
    outcomes = town.submit(*[town.act(b"%d" % n) for n in range(100, 300)])
    assert outcomes[-1].index == 301
    assert not (town.home.public / "tile/0/000.p").exists()
    assert not (town.home.public / "tile/entries/000.p").exists()
    assert (town.home.public / "tile/0/000").stat().st_size == 8192
    assert check_home(town.home) == []


def test_the_fate_of_every_submission_can_be_asked_for(town: Town) -> None:
    """Published with its index, refused with its reasons, pending, and unknown: by the act's id."""
    published, refused, waiting = town.act(b"p"), town.act(b"r", office="nowhere"), town.act(b"w")
    town.submit(published, refused)
    inbox = Inbox(town.home)
    inbox.submit([waiting.envelope])
    inbox.close()
    fates = [fate_of(town.home, one.envelope.id) for one in (published, refused, waiting)]
    assert [one.state for one in fates] == ["published", "refused", "pending"]
    assert fates[0].index == 2
    assert "unknown-office" in {reason.code for reason in fates[1].reasons}
    assert fate_of(town.home, "0" * 64).state == "unknown"


def test_a_home_that_cannot_be_written(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only home is told in our own error, from the lock and from the database alike."""
    act = town.act(b"read-only")
    real = os.open

    def refusing(path: object, flags: int, *args: object, **kwargs: object) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY | os.O_CREAT):
            raise OSError(30, "Read-only file system", str(path))
        return real(path, flags, *args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr("ledger.publisher.home.os.open", refusing)
        with pytest.raises(StoreError) as error:
            town.submit(act)
        assert error.value.code == "cannot-write"
    inbox = Inbox(town.home)
    inbox.connection.execute("PRAGMA query_only = 1")
    with pytest.raises(StoreError) as error:
        inbox.submit([act.envelope])
    assert error.value.code == "database"
    inbox.close()
