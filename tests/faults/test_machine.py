"""A ledger's life at random: submit, sequence, crash, restart, back up, restore and recover, rotate, withdraw, wrong clocks.

After every step the ledger is brought to rest and the read side's audit and fsck are the oracle. ``BENING_TEST_SEED``
repeats a run; ``BENING_MACHINE_STEPS`` and ``BENING_MACHINE_RUNS`` make it longer (``python -m soak machine``).
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from ledger.clock import Clock
from ledger.errors import LedgerError
from ledger.keyfile import load_log_keys, new_log_keys
from ledger.publisher.backup import back_up
from ledger.publisher.handover import Submission, hand_over, sequence_once
from ledger.publisher.home import Home, add_log_key
from ledger.publisher.inbox import Inbox
from ledger.publisher.recover import recover
from ledger.publisher.restore import restore
from ledger.publisher.staging import stage
from ledger.publisher.store import Store
from tests.faults.disk import MODES, Crash, Disk, Plan
from tests.faults.oracle import Outside, check_everything
from tests.publisher.test_recovery import mirror_of
from tests.publisher.town import ORIGIN, Town, no_passphrase

SEED = int(os.environ.get("BENING_TEST_SEED", "0")) or random.SystemRandom().randrange(2**32)
STEPS = int(os.environ.get("BENING_MACHINE_STEPS", "10"))
RUNS = int(os.environ.get("BENING_MACHINE_RUNS", "6"))

PLANS = st.one_of(st.none(), st.builds(Plan, st.integers(1, 110), st.sampled_from(MODES), st.booleans()))


class Life(RuleBasedStateMachine):
    """One ledger, from its founding on."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="bening-life-"))
        self.town = Town(self.folder)
        self.town.settle_in()
        self.outside = Outside()
        self.count, self.homes, self.log_keys = 0, 0, 1
        self.skew = 0.0
        self.sent: list[Submission] = []
        self.documents: list[str] = []
        self.backups: list[Path] = []

    def teardown(self) -> None:
        """Forget the ledger."""
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- what happens

    @rule(plan=PLANS, many=st.integers(1, 3), by_inbox=st.booleans())
    def submit(self, plan: Plan | None, many: int, by_inbox: bool) -> None:
        """Acts are submitted, perhaps on a failing disk; whoever has no promise will send them again."""
        acts = [self._act() for _ in range(many)]
        self.sent += acts
        self._under(plan, lambda: self._send(acts, by_inbox=by_inbox))

    @rule(plan=PLANS)
    def sequence(self, plan: Plan | None) -> None:
        """A sequencer starts, perhaps on a failing disk."""
        self._under(plan, lambda: sequence_once(self._home(), no_passphrase, self._clock()))

    @precondition(lambda self: self.documents)
    @rule(plan=PLANS, chosen=st.randoms(use_true_random=False))
    def withdraw(self, plan: Plan | None, chosen: random.Random) -> None:
        """A published document is withdrawn."""
        self._finish()
        sha256 = self.documents.pop(chosen.randrange(len(self.documents)))
        self._event({"event": "withdraw", "sha256": sha256, "law": "UU 27/2022", "reason": "data pribadi"}, plan)

    @rule(plan=PLANS)
    def rotate_the_officials_key(self, plan: Plan | None) -> None:
        """The head gets a new key, and the old one retires."""
        self._finish()
        self.count += 1
        old = self.town.keys["head"]
        self.town.keys.pop("head")
        (self.folder / "head.pem").rename(self.folder / f"head-{self.count}.pem")
        (self.folder / "head.pem.pub").unlink(missing_ok=True)
        enrol = self.town.enrolment("head")
        self._event(enrol, plan)
        self._event({"event": "retire", "key": old.public.keyid}, None)

    @rule(plan=PLANS)
    def rotate_the_authority(self, plan: Plan | None) -> None:
        """Another authority takes over."""
        self._finish()
        self.count += 1
        heir = self.town.key(f"authority-of-{self.count}")
        self._event({"event": "authority", "keys": [heir.public.spki_base64()], "threshold": 1}, plan)
        self.town.authority = [heir]

    @rule(plan=PLANS, overlap=st.integers(1, 3))
    def rotate_the_logs_keys(self, plan: Plan | None, overlap: int) -> None:
        """The log's keys change, announced and with an overlap."""
        self._finish()
        self.log_keys += 1
        file = self.folder / f"log-{self.log_keys}.pem"
        new_log_keys(file, None, unencrypted=True)
        add_log_key(self._home(), file)
        with Store(self._home(), read_only=True) as store:
            size = store.published_size()
        vkeys = list(load_log_keys(file, None).vkeys(ORIGIN))
        start = max(size + 2, getattr(self, "overlap_ends", 0))
        self.overlap_ends = start + overlap
        self._event({"event": "log_key", "vkeys": vkeys, "from_size": start, "overlap_until_size": start + overlap}, plan)

    @rule()
    def back_up(self) -> None:
        """A backup is made, of whatever state there is."""
        with contextlib.suppress(LedgerError):  # a document between two folders is seen in the next backup
            back_up(self._home(), self.folder / "backup")
            self.backups = [self.folder / "backup"]

    @precondition(lambda self: self.backups)
    @rule()
    def lose_the_machine(self) -> None:
        """Everything is lost but a backup and a mirror: restored, refused until recovered, and brought back whole."""
        self._finish()
        self.homes += 1
        mirror, scratch = self.folder / f"mirror-{self.homes}", self.folder / f"scratch-{self.homes}"
        shutil.copytree(self.town.home.public, mirror)
        scratch.mkdir()
        keys = self._home().log_keys
        self.town.home = restore(self.backups[0], self.folder / f"home-{self.homes}")
        with pytest.raises(LedgerError) as error:
            sequence_once(self._home(), no_passphrase, self._clock())
        assert error.value.code == "restored"
        for file in keys:
            add_log_key(self._home(), file)
        recover(self._home(), mirror_of(mirror, scratch))

    @rule(minutes=st.sampled_from([-4, -2, 3, 9, 60]))
    def step_the_clock(self, minutes: int) -> None:
        """The machine's clock is off from now on; only ever as far as a restart accepts it."""
        self.skew = minutes * 60.0

    # -- how it is done

    def _act(self) -> Submission:
        self.count += 1
        return self.town.act(f"%PDF-1.4 {self.count}".encode(), number=f"{self.count}/2026")

    def _home(self) -> Home:
        return Home.open(self.town.home.path)

    def _clock(self) -> Clock:
        with Store(self._home(), read_only=True) as store:
            head = store.head()
        last = head.time if head else ""
        behind = time.time() + self.skew < _seconds(last) - 240
        return Clock(wall=lambda: time.time() + (0 if behind else self.skew), accepted=behind)

    def _send(self, acts: list[Submission], *, by_inbox: bool = False) -> None:
        home = self._home()
        if by_inbox:
            stage(home, {sha256: path for act in acts for sha256, path in act.documents.items()})
            with contextlib.closing(Inbox(home)) as inbox:
                inbox.submit([act.envelope for act in acts])
            sequence_once(home, no_passphrase, self._clock())
        for outcome in hand_over(home, acts, keys=no_passphrase, clock=self._clock()):
            assert outcome.index is not None, outcome.reasons
            self.outside.promise(outcome.id, outcome.index, outcome.proof)

    def _event(self, event: dict[str, object], plan: Plan | None) -> None:
        self.town.home = self._home()
        events = [Submission(one) for one in self.town.roster_envelopes(event)]
        self.sent += events
        self._under(plan, lambda: self._send(events))
        self._finish()

    def _under(self, plan: Plan | None, work: object) -> None:
        disk = Disk(self.town.home.path)
        with disk.installed(plan), contextlib.suppress(LedgerError, Crash):
            work()  # type: ignore[operator]
        self.outside.look(self.town.home.public)

    def _finish(self) -> None:
        """Send again, in the old order, whatever has no promise yet."""
        unpromised = [act for act in self.sent if act.envelope.id not in self.outside.promised]
        self._send(unpromised)
        self.documents += [sha256 for act in unpromised for sha256 in act.documents]
        self.sent = []

    @invariant()
    def nothing_is_lost(self) -> None:
        """At rest every invariant holds, for an audit that has seen it all along and for a new one."""
        self._finish()
        shutil.rmtree(self.folder / "audit-anew", ignore_errors=True)
        states = [self.folder / "audit-all-along", self.folder / "audit-anew"]
        check_everything(self.town.home, self.outside, states=states)


def _seconds(time_: str) -> int:
    from ledger.records.entry import parse_time

    return parse_time(time_) if time_ else 0


def test_a_ledgers_life() -> None:
    """Whatever happens in whatever order, nothing is lost, doubled, contradicted or left lying."""
    sys.stderr.write(f"BENING_TEST_SEED={SEED} (give the same seed, steps and runs to repeat)\n")
    from hypothesis import seed

    wanted = settings(
        max_examples=RUNS, stateful_step_count=STEPS, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), print_blob=True,
    )  # fmt: skip
    run_state_machine_as_test(seed(SEED)(Life), settings=wanted)
