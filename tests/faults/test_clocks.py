"""Clocks that are wrong: jumps both ways, while running and across a restart, on either side of the ledger's midnight."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from itertools import chain, repeat
from pathlib import Path

import pytest

from ledger.clock import Clock
from ledger.errors import StoreError
from ledger.publisher.handover import Outcome, Submission, sequence_once
from ledger.publisher.home import Home
from ledger.publisher.inbox import Inbox
from ledger.publisher.sequencer import Sequencer
from ledger.publisher.signing import last_time, open_log_keys
from ledger.publisher.store import Store
from ledger.records.entry import format_time, parse_entry, parse_time
from ledger.records.envelope import Envelope
from tests.faults.oracle import Outside, check_everything
from tests.publisher.town import Town, codes, no_passphrase
from tests.web.serving import ROOT

MINUTE, DAY = 60, 86400
# 17:00 UTC, when in a ledger at +07:00 a day begins; the one nearest to now, as staged files carry this machine's time.
MIDNIGHT = round((time.time() - 17 * 3600) / DAY) * DAY + 17 * 3600
THE_DAY_BEFORE, THE_DAY_AFTER = format_time(MIDNIGHT - DAY + 7 * 3600)[:10], format_time(MIDNIGHT + 7 * 3600)[:10]


SERIES = {
    "event": "series", "id": "sk-hukum", "office": "hukum", "forms": ["sk"], "pattern": "*/{serial} Tahun {year}",
    "start": 1, "resets": "yearly", "complete_from": "2026-01-01",
}  # fmt: skip


class Hands:
    """The hands of a machine's clocks: the wall clock, which may jump, and the monotonic one, which cannot."""

    def __init__(self, wall: float) -> None:
        self.wall, self.monotonic = wall, 1000.0

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += seconds
        self.monotonic += seconds

    def clock(self, *, accepted: bool = False) -> Clock:
        """Return the clock of a process that starts now."""
        return Clock(wall=lambda: self.wall, monotonic=lambda: self.monotonic, accepted=accepted)


class Timed(Town):
    """A town on a machine whose clocks are ours."""

    def __init__(self, folder: Path, start: float) -> None:
        self.hands = Hands(start)
        super().__init__(folder, clock=self.hands.clock())
        self.settle_in()
        self.roster(SERIES)
        self.serial = 0

    def submit(self, *acts: Submission | Envelope, **options: object) -> list[Outcome]:
        """Hand acts over in a process that starts now."""
        return super().submit(*acts, **{"clock": self.hands.clock(), **options})

    def void(self) -> Submission:
        """Return an act without a document: it explains a number that was never used."""
        self.serial += 1
        fields = {"series": "sk-hukum", "serials": [self.serial], "reason": "cancelled"}
        reason = {"number": None, "unnumbered_reason": "menjelaskan nomor"}
        return self.act(None, kind="void", form="void", signatories=[], fields=fields, **reason)

    def times(self) -> list[str]:
        """Return the time of each entry."""
        with Store(self.home, read_only=True) as store:
            return [parse_entry(data).time for data in store.entries(0, store.published_size())]


@pytest.fixture
def town(tmp_path: Path) -> Timed:
    return Timed(tmp_path, MIDNIGHT - 3600)


def is_sound(town: Timed) -> None:
    """Require the oracle, and that time never ran backwards."""
    outside = Outside()
    outside.look(town.home.public)
    check_everything(town.home, outside, states=[town.folder / "audit"], documents=False)
    assert town.times() == sorted(town.times())


def test_a_term_ends_at_the_ledgers_midnight(town: Timed) -> None:
    """Its last day counts to its last second in the ledger's zone, not in UTC; the next term begins with the next second."""
    town.roster(town.enrolment("leaving", until=THE_DAY_BEFORE), town.enrolment("coming", **{"from": THE_DAY_AFTER}))
    town.hands.run(3599)
    assert town.hands.wall == MIDNIGHT - 1
    assert codes(town.submit(town.act(b"early", by=["coming"]))[0]) >= {"key-outside-term"}
    assert town.submit(town.act(b"last second", by=["leaving"]))[0].index is not None
    town.hands.run(1)
    assert codes(town.submit(town.act(b"too late", by=["leaving"]))[0]) >= {"key-outside-term"}
    assert town.submit(town.act(b"first second", by=["coming"]))[0].index is not None
    is_sound(town)


def test_a_clock_that_falls_back_over_midnight_brings_no_day_back(town: Timed) -> None:
    """Four minutes are taken: the last time is repeated, and with it the day; a term that had ended stays ended."""
    town.roster(town.enrolment("leaving", until=THE_DAY_BEFORE))
    town.hands.run(3600 + 2 * MINUTE)
    assert town.submit(town.act(b"on the 11th"))[0].index is not None
    town.hands.wall -= 4 * MINUTE
    assert codes(town.submit(town.act(b"on the 10th?", by=["leaving"]))[0]) >= {"key-outside-term"}
    assert town.submit(town.act(b"repeated"))[0].index is not None
    assert town.times()[-1] == town.times()[-2] == format_time(MIDNIGHT + 2 * MINUTE)
    is_sound(town)


@pytest.mark.parametrize("midnight", [-3600, 3600], ids=["before-midnight", "after-midnight"])
@pytest.mark.parametrize(
    ("jump", "code"),
    [(-4 * MINUTE, None), (-6 * MINUTE, "clock-behind"), (29 * DAY, None), (31 * DAY, "clock-ahead")],
    ids=["4-min-back", "6-min-back", "29-days-ahead", "31-days-ahead"],
)
def test_a_restart_with_another_time(tmp_path: Path, midnight: int, jump: int, code: str | None) -> None:
    """Small ones are taken, plain errors refused before anything is written; with the clock put right it goes on by itself."""
    town = Timed(tmp_path, MIDNIGHT + midnight)
    town.hands.wall += jump
    act = town.void()
    if code is None:
        assert town.submit(act)[0].index == 3
    else:
        with pytest.raises(StoreError) as error:
            town.submit(act)
        assert error.value.code == code
        assert len(town.times()) == 3
        town.hands.wall -= jump
        assert town.submit(act)[0].index == 3
    is_sound(town)


@pytest.mark.parametrize("jump", [-3600, -6 * MINUTE, 6 * MINUTE, 90 * DAY])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_jump_while_running_stops_before_it_is_written(town: Timed, jump: int, at: int) -> None:
    """Seen against the monotonic clock at any look: the process ends; the next one, with a right clock, loses nothing."""
    jumps = iter([])

    def wall() -> float:
        return town.hands.wall + next(jumps, 0)

    sequencer = Sequencer(town.home, open_log_keys(town.home, no_passphrase), Clock(wall, lambda: town.hands.monotonic))
    sequencer.start()
    acts = [town.void(), town.void()]
    jumps = chain([0] * (at - 1), repeat(jump))
    with pytest.raises(StoreError) as error:
        _step_with_each(sequencer, town, acts)
    sequencer.close()
    assert error.value.code == "clock-jumped"
    assert sequence_once(Home.open(town.home.path), no_passphrase, town.hands.clock())
    assert [one.index for one in town.submit(*acts)] == [3, 4]
    assert all(parse_time(one) <= town.hands.wall for one in town.times())
    is_sound(town)


def _step_with_each(sequencer: Sequencer, town: Timed, acts: list[Submission]) -> None:
    for act in acts:
        waits(town, act)
        sequencer.step()


def waits(town: Timed, act: Submission) -> None:
    """Put an act into the inbox, as the site does."""
    with contextlib.closing(Inbox(town.home)) as inbox:
        inbox.submit([act.envelope])


def test_a_slow_drift_is_no_jump(town: Timed) -> None:
    """Four minutes against the monotonic clock, either way, are taken while it runs."""
    sequencer = Sequencer(town.home, open_log_keys(town.home, no_passphrase), town.hands.clock())
    sequencer.start()
    for drift in (4 * MINUTE, -8 * MINUTE):
        town.hands.wall += drift
        waits(town, town.void())
        assert sequencer.step() == 1
    sequencer.close()
    is_sound(town)


def test_an_accepted_clock_is_kept_and_shown(town: Timed) -> None:
    """Whoever says that a clock is right is on record for ever: in the store, and in what `status` shows."""
    town.hands.wall += 31 * DAY
    assert sequence_once(town.home, no_passphrase, town.hands.clock(accepted=True))
    assert town.submit(town.void(), clock=town.hands.clock(accepted=True))[0].index == 3
    with Store(town.home, read_only=True) as store:
        assert {what for _, what, _ in store.notes()} == {"clock accepted"}
    words = [sys.executable, "-m", "cli", "--lang", "en", "status", "-L", str(town.home.path), "--json"]
    shown = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60).stdout
    assert any("clock accepted" in str(note) for note in json.loads(shown)["notes"])
    is_sound(town)


def test_a_larger_head_is_never_signed_earlier(town: Timed) -> None:
    """Two heads of which the smaller one seems to be signed later would convict an honest log: the time is repeated."""
    town.hands.run(90)
    assert town.submit(town.void())[0].index is not None
    town.hands.wall -= 4 * MINUTE
    assert town.submit(town.void())[0].index is not None
    town.hands.run(10 * MINUTE)
    assert town.submit(town.void())[0].index is not None
    with Store(town.home, read_only=True) as store:
        sizes = [size for (size,) in store.connection.execute("SELECT size FROM frontiers ORDER BY size")]
        times = [last_time(store.signature_lines(size)) for size in sizes]
    assert times[0] > MIDNIGHT - DAY
    assert times == sorted(times)
    assert times[-3] == times[-2] < times[-1]
    is_sound(town)
