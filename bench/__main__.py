"""``python -m bench [PART …]``: all measurements, one table; under 15 minutes, and nothing else should run beside it.

Parts: writing, growth, serving, pages, witness; and ``million``, which is not among all: pages of 1,000,000 acts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.auditing import audits, verify_offline
from bench.importing import cost_at_size, imports, public_size, whole_imports
from bench.reading import reading
from bench.serving import files_against_nginx, submissions
from bench.table import Row, print_head, print_rows
from bench.witnessing import witnessing
from tests.publisher.town import Town


def _writing() -> Iterator[Row]:
    yield imports()
    with tempfile.TemporaryDirectory(prefix="bening-bench-") as folder:
        town = Town(Path(folder))
        town.settle_in()
        yield verify_offline(town)
        yield whole_imports(town)
        yield from public_size(town.home)
        yield from audits(town)


def _serving() -> Iterator[Row]:
    yield from files_against_nginx()
    yield from submissions()


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "writing": _writing,
    "growth": lambda: iter([cost_at_size()]),
    "serving": _serving,
    "pages": lambda: iter(reading((10_000, 100_000))),
    "witness": lambda: iter(witnessing()),
    "million": lambda: iter(reading((1_000_000,))),
}


def main() -> None:
    """Print the rows of the parts that are asked for, each as soon as it is known."""
    if sys.dont_write_bytecode:  # programs are installed with their modules compiled, and so are those that are measured
        with tempfile.TemporaryDirectory(prefix="bening-bench-") as folder:
            environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
            words = [sys.executable, "-m", "bench", *sys.argv[1:]]
            raise SystemExit(subprocess.run(words, env=environment, check=False).returncode)
    asked = sys.argv[1:] or [part for part in PARTS if part != "million"]
    print_head()
    for part in asked:
        for row in PARTS[part]():
            print_rows([row])


if __name__ == "__main__":
    main()
