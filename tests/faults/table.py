"""The fault table: every call of one publication fails, in every way, alone, in pairs, and with a power cut afterwards.

    python -m tests.faults.table singles|pairs|power [--sample N] [--seed S] [--size 5|255]

Pairs are a fault in the publication and one in the restart after it. Which ways of failing a pair has, and how a sample
is drawn, follows from the seed.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.disk import MODES, Disk, Plan
from tests.faults.story import Base, play

__all__ = ["Table"]


@dataclass
class Table:
    """The cases over one ``base``, each played in a folder of its own; ``told`` counts what operators were told."""

    base: Base
    folder: Path
    seed: int
    told: Counter[str] = field(default_factory=Counter)
    played: int = 0

    def singles(self, sample: int | None = None) -> int:
        """Play every call with every way of failing, by hand-over and by inbox."""
        return self._play_all(self._every(), sample)

    def power(self, sample: int | None = None) -> int:
        """The same, and when all is promised the power goes: what was not made durable is lost."""
        return self._play_all(self._every(), sample, power=True)

    def pairs(self, sample: int | None = None) -> int:
        """Play every pair of a call of the publication and one of the restart, with a way of failing drawn for each."""
        chance, began = random.Random(self.seed), self.played
        firsts = [(at, by_inbox) for by_inbox in (False, True) for at in range(1, self._count(by_inbox) + 1)]
        while sample is not None and self.played < began + sample:
            at, by_inbox = chance.choice(firsts)
            self._pair(chance, at, chance.randint(1, 90), by_inbox)
        for at, by_inbox in firsts if sample is None else ():
            second = 1
            while self._pair(chance, at, second, by_inbox):
                second += 1
        return self.played - began

    def _pair(self, chance: random.Random, at: int, second: int, by_inbox: bool) -> bool:
        """Play one pair; False where the restart had no such call any more."""
        plans = [Plan(n, chance.choice(MODES), chance.random() < 0.5) for n in (at, second)]
        return self._play(plans[0], plans[1], by_inbox=by_inbox)

    def _every(self) -> Iterator[tuple[Plan, bool]]:
        for by_inbox in (False, True):
            for at in range(1, self._count(by_inbox) + 1):
                yield from ((Plan(at, mode, at % 2 == 0), by_inbox) for mode in MODES)

    def _count(self, by_inbox: bool) -> int:
        def ask(number: int) -> int:
            case = self.base.copied(self.folder / f"count-{number}", by_inbox=by_inbox)
            assert case.under(None, case.submit) is None
            return len(case.disk.calls)

        try:
            return max(ask(n) for n in range(3))  # references share a look-up bucket now and then
        finally:
            for n in range(3):
                shutil.rmtree(self.folder / f"count-{n}")

    def _play_all(self, cases: Iterator[tuple[Plan, bool]], sample: int | None, *, power: bool = False) -> int:
        found = list(cases)
        if sample is not None and sample < len(found):
            found = random.Random(self.seed).sample(found, sample)
        for plan, by_inbox in found:
            self._play(plan, by_inbox=by_inbox, power=power)
        return len(found)

    def _play(self, first: Plan, second: Plan | None = None, *, by_inbox: bool, power: bool = False) -> bool:
        here = self.folder / f"case-{self.played}"
        case = self.base.copied(here, by_inbox=by_inbox, small=power)
        try:
            self.told[str(play(case, first, second, power=power))] += 1
        except BaseException as error:
            error.add_note(f"seed {self.seed}: {first}, {second}, by_inbox={by_inbox}, power={power}, {_last(case.disk)}; kept: {here}")
            raise
        shutil.rmtree(here)
        self.played += 1
        return case.second_struck


def _last(disk: Disk) -> str:
    return f"last call: {disk.calls[-1]}" if disk.calls else "no call"


def main() -> int:
    """Run on demand."""
    options = argparse.ArgumentParser()
    options.add_argument("part", choices=["singles", "pairs", "power"])
    options.add_argument("--sample", type=int)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--size", type=int, default=5)
    given = options.parse_args()
    seed = given.seed or random.SystemRandom().randrange(2**32)
    print(f"BENING_TEST_SEED={seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="bening-faults-"))
    (folder / "base").mkdir()
    began = time.monotonic()
    table = Table(Base.made(folder / "base", given.size), folder, seed)
    parts: dict[str, Callable[[int | None], int]] = {"singles": table.singles, "pairs": table.pairs, "power": table.power}
    count = parts[given.part](given.sample)
    print(f"{count} {given.part} at size {given.size}: {dict(table.told)}, {time.monotonic() - began:.0f} s, nothing lost", flush=True)
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
