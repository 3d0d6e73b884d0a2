"""Whatever a stranger writes is read or refused: no foreign exception, no hang, no memory without bound.

``python -m fuzz`` is guided by coverage and needs atheris; here are all inputs that ever failed, and a short run of seeded
mutations, everywhere.
"""

from __future__ import annotations

import os
import random
import resource
import time
from pathlib import Path

import pytest

from fuzz.examples import examples
from fuzz.targets import TARGETS, run

SEEDS = Path(__file__).parent / "seeds"
SEED = int(os.environ.get("BENING_TEST_SEED", "0")) or 20261125  # the same in every run of the tests; ``make soak`` draws others
MOST_SECONDS = 5.0  # for one input, on a machine that is busy
MOST_MEMORY = 300 * 1024  # KiB more than before, after thousands of inputs
_PIECES = (b"", b"\n", b"\x00", b"\xff", b"=", b'"', b"\\", b"{", b"[", b"\xe2\x80\xa8", b"9" * 20, b"-1", b"null", b"1e999")


@pytest.fixture(scope="module")
def begin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[bytes]]:
    """True examples by target."""
    return examples(tmp_path_factory.mktemp("examples"))


def mutated(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Return ``data`` with one to four changes: bits, pieces cut out, doubled, put in, or taken from ``other``."""
    for _ in range(rng.randrange(1, 5)):
        at, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        end = min(end, at + rng.choice((1, 8, 200)))
        choice = rng.randrange(6)
        if choice == 0 and data:
            place = rng.randrange(len(data))
            data = data[:place] + bytes([data[place] ^ (1 << rng.randrange(8))]) + data[place + 1 :]
        elif choice == 1:
            data = data[:at] + data[end:]
        elif choice == 2:
            data = data[:end] + data[at:end] * rng.choice((1, 3, 50)) + data[end:]
        elif choice == 3:
            data = data[:at] + rng.choice(_PIECES) + data[at:]
        elif choice == 4:
            data = data[:at] + rng.choice(_PIECES) + data[end:]
        else:
            data = data[:at] + other[at:end] + data[end:]
    return data[:100_000]


def judged(name: str, data: bytes) -> bool:
    """Give an input to a target; tell whether it was accepted."""
    begun = time.process_time()
    try:
        accepted = run(name, data)
    except Exception as error:  # whatever leaks out is what is looked for
        raise AssertionError(f"{name}: {type(error).__name__}: {error}: {data!r}") from error
    assert time.process_time() - begun < MOST_SECONDS, f"{name} hangs on {data!r}"
    return accepted


def test_every_target_has_examples(begin: dict[str, list[bytes]]) -> None:
    """Each target begins with true inputs, and accepts them; a policy alone is held against a note that is not its own."""
    assert begin.keys() == TARGETS.keys()
    for name, some in begin.items():
        assert all(judged(name, data) for data in some) != (name == "policy"), name


@pytest.mark.parametrize("name", TARGETS)
def test_what_failed_once_is_read(name: str) -> None:
    """Every input that ever failed is kept, and read or refused now."""
    for path in sorted((SEEDS / name).glob("*")):
        judged(name, path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_mutations_are_read_or_refused(name: str, begin: dict[str, list[bytes]]) -> None:
    """Seeded mutations of true inputs, for two seconds at most: nothing of another kind is raised, nothing grows."""
    seed = SEED
    rng, some = random.Random(seed), begin[name] + [path.read_bytes() for path in sorted((SEEDS / name).glob("*"))]
    before, until, count = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic() + 2, 0
    while time.monotonic() < until and count < 3000:
        data = mutated(rng, rng.choice(some), rng.choice(some))
        count += 1
        try:
            judged(name, data)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, input {count}: {error}") from error
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MEMORY, f"seed {seed}: {name} grows"


def test_guided_runs_say_when_they_cannot_be() -> None:
    """Without atheris this test is skipped and says so; with it, a run of one second executes and finds nothing."""
    pytest.importorskip("atheris", reason="atheris is not installed: no coverage-guided run, only mutations")
    import subprocess
    import sys

    command = [sys.executable, "-m", "fuzz", "--seconds", "2", "tile-path"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    executions = int(done.stdout.split("\n")[1].split()[1])
    assert executions > 1000, done.stdout
