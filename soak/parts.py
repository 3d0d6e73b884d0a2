"""What a soak consists of: each part a command of its own, with a count that grows with the scale, and a seed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PARTS", "Part", "Result", "play"]

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Part:
    """One part: what it does, how much of it is the whole (``None``: always all), and its command for a count and a seed."""

    what: str
    full: int | None
    words: Callable[[int | None, int], Sequence[str]]
    variables: Callable[[int | None, int], dict[str, str]] = lambda count, seed: {}

    def count(self, scale: float) -> int | None:
        """Return how much is played at a scale: 1 is the whole."""
        return None if self.full is None or (self.full < 0 and scale >= 1) else max(1, round(abs(self.full) * scale))


@dataclass(frozen=True, slots=True)
class Result:
    """How a part went: ``told`` is the last line it printed; ``seconds`` of wall clock."""

    name: str
    part: Part
    seed: int
    passed: bool
    seconds: float
    told: str

    def row(self) -> str:
        """Return this result as a row of the table in ``docs/reliability.md``."""
        minutes = f"{self.seconds / 60:.0f} min" if self.seconds >= 90 else f"{self.seconds:.0f} s"
        held = "held" if self.passed else "**FAILED**"
        return f"| {self.name} | {self.part.what} | {self.told} | {self.seed} | {minutes} | {held} |"


def _table(kind: str, *more: str) -> Callable[[int | None, int], Sequence[str]]:
    def words(count: int | None, seed: int) -> list[str]:
        sample = [] if count is None else ["--sample", str(count)]
        return ["tests.faults.table", kind, "--seed", str(seed), *sample, *more]

    return words


def _life(runs: int | None, seed: int) -> dict[str, str]:
    return {"BENING_MACHINE_RUNS": str(runs), "BENING_MACHINE_STEPS": "30", "BENING_TEST_SEED": str(seed)}


# A negative number: at full scale everything there is, below it a sample of so many at most.
PARTS: dict[str, Part] = {
    "kills": Part(
        "SIGKILL of sequencer, web and parent under load", 2000,
        lambda count, seed: ["tests.faults.kills", "--count", str(count), "--seed", str(seed)],
    ),
    "faults": Part("every call of a publication fails, in every way", -1100, _table("singles")),
    "power": Part("the same, and then the power", -1100, _table("power")),
    "pairs": Part("every pair of a call and one of the restart", -7000, _table("pairs")),
    "tiles": Part("faults while a tile becomes full", 300, _table("singles", "--size", "254")),
    "machine": Part(
        "a ledger's life at random, 30 steps each", 150,
        lambda runs, seed: ["pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "tests/faults/test_machine.py"], _life,
    ),
    "flips": Part(
        "one byte of public/ or of the store is flipped", 100_000,
        lambda count, seed: ["tests.flips", "--count", str(count), "--seed", str(seed)],
    ),
    "fuzz": Part(
        "coverage-guided fuzzing of the parsers, seconds", 3600, lambda count, seed: ["fuzz", "--seconds", str(count)],
    ),
}  # fmt: skip


def play(name: str, scale: float, seed: int, log: Path) -> Result:
    """Play a part to its end, its output in ``log``, and return how it went."""
    part = PARTS[name]
    count = part.count(scale)
    words = [sys.executable, "-m", *part.words(count, seed)]
    began = time.monotonic()
    with open(log, "wb") as out:
        environment = {**os.environ, **part.variables(count, seed)}
        done = subprocess.run(words, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT, check=False)
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    told = f"{count} runs" if name == "machine" else lines[-1].strip() if lines else "said nothing"
    return Result(name, part, seed, done.returncode == 0, time.monotonic() - began, told.replace("|", "/")[:200])
