"""``python -m soak [PART…]``: play the long tests one after the other, and print the table that ``docs/reliability.md`` keeps.

    python -m soak                       everything, at full scale: some hours
    python -m soak kills pairs           these parts only
    python -m soak --scale 0.01          a hundredth of everything
    python -m soak machine --seed 77     the same again

The status is 1 where anything gave way; its part's log then tells the seed and the case.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from soak.parts import PARTS, play

_HEAD = "| part | what | counts | seed | time | result |\n|---|---|---|---|---|---|"


def main() -> int:
    """Play what is asked for; the status is 1 where anything gave way."""
    options = argparse.ArgumentParser(prog="python -m soak", description=__doc__.split("\n")[0])
    options.add_argument("parts", nargs="*", metavar="PART", help=f"{' '.join(PARTS)}; all of them by default")
    options.add_argument("--scale", type=float, default=1.0, help="how much of each part; 1 is all of it")
    options.add_argument("--seed", type=int, default=0, help="repeats a run; drawn by default, and always printed")
    options.add_argument("--logs", type=Path, help="folder of the parts' output")
    given = options.parse_args()
    if unknown := set(given.parts) - PARTS.keys():
        options.error(f"no such part: {', '.join(sorted(unknown))}")
    seed = given.seed or random.SystemRandom().randrange(1, 2**31)
    logs = given.logs or Path(tempfile.mkdtemp(prefix="bening-soak-"))
    logs.mkdir(parents=True, exist_ok=True)
    print(f"seed {seed}, logs in {logs}\n\n{_HEAD}", flush=True)
    passed = True
    for name in given.parts or PARTS:
        result = play(name, given.scale, seed, logs / f"{name}.log")
        print(result.row(), flush=True)
        passed = passed and result.passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
