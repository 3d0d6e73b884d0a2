"""SIGKILL of sequencer, web and parent at random moments, while clients submit by real HTTP and readers look.

    python -m tests.faults.kills --count 200 --seed 1
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from ledger.publisher.handover import Submission
from ledger.publisher.store import Store
from tests.faults.oracle import Outside, check_audit, check_everything
from tests.publisher.town import Town
from tests.web.serving import Served, children_of, kill, serving

__all__ = ["Kills", "wait_until_free"]

_CLIENTS, _EACH = 3, 100
_PAUSE = 0.2  # seconds between two submissions of one client
_READ_EVERY = 0.05


@dataclass
class Load:
    """Clients that submit one act after the other, and a reader who keeps every checkpoint."""

    town: Town
    outside: Outside
    url: str = ""
    sent: set[str] = field(default_factory=set)
    unanswered: list[Submission] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        runs = [*((self._submit, n) for n in range(_CLIENTS)), (self._read, 0)]
        self.threads = [threading.Thread(target=self._guarded, args=one, daemon=True) for one in runs]
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        """End all threads."""
        self.stopping.set()
        for thread in self.threads:
            thread.join(40)

    def keep(self, reply: urllib3.BaseHTTPResponse, act: Submission) -> bool:
        """Keep the promise of an answer; False where there is none yet."""
        found = reply.json()["acts"][0] if reply.status in (201, 202) else {}
        if found.get("state") != "published":
            return False
        with self.lock:
            self.outside.promise(found["id"], found["index"], found["proof"].encode())
        return True

    def _guarded(self, work: object, n: int) -> None:
        try:
            work(n)  # type: ignore[operator]
        except Exception as error:  # noqa: BLE001 (told by the one who waits for the end)
            self.faults.append(repr(error))

    def _submit(self, n: int) -> None:
        """Submit acts; one without an answer is sent again like any client's, and now and then left for the very end."""
        count, act = 0, None
        while not self.stopping.wait(_PAUSE):
            if not self.url:
                continue
            if act is None:
                act = self.town.act(f"%PDF-1.4 load {n} {count}".encode(), number=f"{n}/{count}")
                count += 1
                self.sent.add(act.envelope.id)
            with contextlib.suppress(urllib3.exceptions.HTTPError, OSError, ValueError):
                if self.keep(asking(self.url).submit(act), act):
                    act = None
            if act is not None and count % 5 == 0:
                self.unanswered.append(act)
                act = None
        self.unanswered += [act] if act is not None else []

    def _read(self, _: int) -> None:
        while not self.stopping.wait(_READ_EVERY):
            with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
                found = asking(self.url).get("/checkpoint") if self.url else None
                if found is not None and found.status == 200:
                    with self.lock:
                        self.outside.see(found.data)


class Kills:
    """One ledger under load and under fire; ``counts`` says who was killed how often."""

    def __init__(self, town: Town, seed: int) -> None:
        self.town, self.chance = town, random.Random(seed)
        self.outside = Outside()
        self.counts = {"sequence": 0, "web": 0, "parent": 0}
        self.acts = 0

    def run(self, count: int) -> None:
        """Kill ``count`` processes, then let everything come to rest, and require that nothing is lost or doubled."""
        load = Load(self.town, self.outside)
        try:
            while (left := count - sum(self.counts.values())) > 0:
                self._round(load, left)
                check_audit(self.town.home, self.town.folder / "audit-all-along", interrupted=True)
        finally:
            load.url = ""
            load.stop()
        assert load.faults == []
        self._rest(load)

    def _round(self, load: Load, left: int) -> None:
        """Start everything as an operator does, kill its parts at random moments, and at last the parent."""
        with serving(self.town.home) as served:
            load.url = served.url
            for victim in self.chance.sample(["sequence", "web"] * 2, 4)[: left - 1]:
                self._moment(served)
                self._kill(served, victim)
            self._moment(served)
            together = [pid for pid in children_of(served.process.pid).values() if left > 6 and self.chance.random() < 0.3]
            kill([served.process.pid, *together])
            self.counts["parent"] += 1
            served.process.wait()
            wait_until_free(self.town)

    def _moment(self, served: Served) -> None:
        """Wait for a moment: in a quarter of the cases at work, else anywhere, also while a process still starts."""
        if self.chance.random() < 0.25:
            served.wait()
        time.sleep(self.chance.uniform(0.0, 0.5))

    def _kill(self, served: Served, victim: str) -> None:
        until = time.monotonic() + 30
        while (pid := children_of(served.process.pid).get(victim)) is None:
            assert time.monotonic() < until, served.log.read_text()
            time.sleep(0.01)
        kill([pid])
        self.counts[victim] += 1
        while Path(f"/proc/{pid}").exists() and children_of(served.process.pid).get(victim) == pid:
            time.sleep(0.005)

    def _rest(self, load: Load) -> None:
        """Start once more, without a hand on anything; send again what was not answered; stop; look at everything."""
        with serving(self.town.home) as served:
            last = self.town.act(b"%PDF-1.4 last")
            for act in [*load.unanswered, last]:
                load.sent.add(act.envelope.id)
                _send_until_kept(load, served, act)
            assert served.stop() == 0
        assert load.outside.promised.keys() == load.sent
        states = [self.town.folder / "audit-all-along", self.town.folder / "audit-anew"]
        check_everything(self.town.home, self.outside, states=states)
        with Store(self.town.home, read_only=True) as store:
            self.acts = len(load.sent)
            rosters = len(list(store.roster_entries()))
            assert store.published_size() == self.acts + rosters, "an act that nobody has sent"


def _send_until_kept(load: Load, served: Served, act: Submission) -> None:
    """Send an act again as the site asks for it: while it is busy, or has not yet published what waits."""
    until = time.monotonic() + 60
    while not load.keep(reply := served.submit(act), act):
        assert reply.status in (202, 503), (reply.status, reply.data, served.log.read_text()[-3000:])
        assert time.monotonic() < until, (reply.status, reply.data, served.log.read_text()[-3000:])
        time.sleep(0.5)


def asking(url: str) -> Served:
    """Return a client of its own for the site at ``url``."""
    served = Served.__new__(Served)
    served.url, served.http = url, urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=1, read=15))
    return served


def wait_until_free(town: Town) -> None:
    """Wait until the children of a killed parent have ended."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with town.home.lock() as free:
            if free:
                return
        time.sleep(0.02)
    raise AssertionError("the sequencer outlived its parent")


def main() -> int:
    """Run on demand; a ledger takes a hundred kills, then it is the turn of the next one."""
    options = argparse.ArgumentParser()
    options.add_argument("--count", type=int, default=200)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    seed = given.seed or random.SystemRandom().randrange(2**32)
    began, total, acts, heads = time.monotonic(), Counter[str](), 0, 0
    print(f"BENING_TEST_SEED={seed}", flush=True)
    while (done := total.total()) < given.count:
        folder = Path(tempfile.mkdtemp(prefix="bening-kills-"))  # it stays where something is lost
        town = Town(folder)
        town.settle_in()
        kills = Kills(town, seed + done)
        kills.run(min(_EACH, given.count - done))
        total.update(kills.counts)
        acts, heads = acts + kills.acts, heads + len(kills.outside.notes)
        told = ", ".join(f"{count} {name}" for name, count in total.items())
        seconds = time.monotonic() - began
        print(f"{total.total()} kills ({told}), {acts} acts, {heads} signed heads seen, {seconds:.0f} s, nothing lost", flush=True)
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    os.environ.pop("BENING_PASSPHRASE", None)
    sys.exit(main())
