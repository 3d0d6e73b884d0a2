"""``python -m fuzz --seconds N [TARGET ...]``: fuzz all targets for N seconds in total; tell executions, coverage, crashes."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from fuzz.examples import examples
from fuzz.targets import TARGETS

SEEDS = Path(__file__).parents[1] / "tests" / "fuzz" / "seeds"
MOST_MEMORY = 1024  # MiB
MOST_TIME = 10  # seconds for one input


def main() -> int:
    """Run, and return 1 if a target crashed, 2 where atheris is not installed."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="in total (60)")
    parser.add_argument("--seed", type=int, default=1, help="of libFuzzer (1)")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    chosen = parser.parse_args()
    try:
        import atheris  # noqa: F401
    except ImportError:
        print("atheris is not installed (pip install '.[soak]'); tests/fuzz mutates without it", file=sys.stderr)
        return 2
    names = chosen.targets or list(TARGETS)
    crashes = 0
    print(f"{'target':<14}{'executions':>12}{'coverage':>10}{'new':>6}{'crashes':>9}   seed {chosen.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        begin = examples(Path(folder))
        for name in names:
            crashes += _one(name, max(1, chosen.seconds // len(names)), chosen.seed, begin[name], Path(folder))
    print(f"{crashes} crashes", flush=True)
    return 1 if crashes else 0


def _one(name: str, seconds: int, seed: int, begin: list[bytes], folder: Path) -> int:
    """Fuzz one target, keep every input that fails as a seed, print a line, and return how many there were."""
    corpus, kept, found = folder / f"{name}-corpus", SEEDS / name, folder / f"{name}-found"
    for one in (corpus, kept, found):
        one.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(begin):
        (corpus / f"example-{number}").write_bytes(data)
    options = [
        f"-max_total_time={seconds}", f"-seed={seed}", f"-timeout={MOST_TIME}", f"-rss_limit_mb={MOST_MEMORY}",
        f"-artifact_prefix={found}/", "-print_final_stats=1", "-max_len=65536", "-len_control=0",
    ]  # fmt: skip
    command = [sys.executable, "-m", "fuzz.one", name, *options, str(corpus), str(kept)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    crashes = [path for path in found.iterdir() if path.name.startswith(("crash-", "timeout-", "oom-"))]
    for path in crashes:
        (kept / path.name).write_bytes(path.read_bytes())
    coverage = [int(one) for one in re.findall(r"cov: (\d+)", done.stderr)] or [0]
    runs = re.findall(r"number_of_executed_units: (\d+)|#(\d+)\s+DONE", done.stderr)
    count = max((int(one or other) for one, other in runs), default=0)
    print(f"{name:<14}{count:>12}{coverage[-1]:>10}{coverage[-1] - coverage[0]:>6}{len(crashes):>9}", flush=True)
    failed = bool(crashes) or done.returncode not in (0,)
    if failed:
        print(_told(done.stdout + done.stderr), flush=True)
    return max(len(crashes), int(failed))


def _told(output: str) -> str:
    """Return what is said about a crash: the traceback without libFuzzer's own lines."""
    start = output.find("Uncaught Python exception")
    return output[start if start >= 0 else -1500 :][:2500]


if __name__ == "__main__":
    sys.exit(main())
