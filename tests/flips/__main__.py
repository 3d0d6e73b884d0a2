"""``python -m tests.flips --count N --seed S``: damage a home so often, print who found it, and fail on what nobody names."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.flips.run import Run
from tests.flips.village import build


def main() -> int:
    """Run, and return 1 if any damage went unnamed."""
    parser = argparse.ArgumentParser(prog="python -m tests.flips", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how often (1000)")
    parser.add_argument("--seed", type=int, default=None, help="to do the same again (drawn and printed otherwise)")
    chosen = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if chosen.seed is None else chosen.seed
    _say(f"seed {seed}, {chosen.count} damages")
    with tempfile.TemporaryDirectory() as folder:
        run = Run(build(Path(folder)), seed)
        begun = time.monotonic()
        told: list[str] = []

        def tell(done: int) -> None:
            for miss in run.misses[len(told) :]:
                told.append(miss)
                _say(f"MISSED {miss}")
            if done % 10000 == 0:
                _say("\n".join(run.lines()))
            if done % 2000 == 0:
                _say(f"{done} in {time.monotonic() - begun:.0f} s, {len(run.misses)} missed")

        run.go(chosen.count, tell)
    _say("\n".join([*run.lines(), *run.misses]))
    _say(f"{run.done} damages in {time.monotonic() - begun:.0f} s, seed {seed}, {len(run.misses)} missed")
    return 1 if run.misses else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
