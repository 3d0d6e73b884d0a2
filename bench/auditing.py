"""Reading: the audit of a whole ledger in a folder, a second one after a few more acts, and ``verify`` of one document.

Each audit runs in a process of its own (``python -m bench.auditing HOME STATE``), so that its memory can be watched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.limits import verify_limit
from bench.table import Row, ratio_row
from tests.publisher.town import Town

__all__ = ["audits", "verify_offline"]

ROUNDS = 5


def audits(town: Town) -> list[Row]:
    """The first audit without documents, documents apart, and the cost of a hundred more acts."""
    work, limits, peak = [], [], 0.0
    with tempfile.TemporaryDirectory(prefix="bening-bench-") as folder:
        for number in range(ROUNDS):
            state = Path(folder) / str(number)
            before = verify_limit()
            found, memory = _audit(town, state, "--no-documents")
            limits.append((before + verify_limit()) / 2)
            work.append(found["new"] / found["seconds"])
            peak = max(peak, memory)
        again, _ = _audit(town, state, "--no-documents")
        town.submit(*[town.act(b"%PDF-1.4 more " + os.urandom(8), number=os.urandom(6).hex()) for _ in range(100)])
        more, _ = _audit(town, state, "--no-documents")
        whole, _ = _audit(town, Path(folder) / "whole")
        fresh, _ = _audit(_small_town(Path(folder)), Path(folder) / "small-state", "--no-documents")
    name = f"audit of {found['new']:,} entries, documents not hashed / verify limit"
    count = more["new"]
    return [
        ratio_row(name, work, limits, "/s", ">= 0.5"),
        Row("its memory, all processes", f"{peak:,.0f} MiB", "200 MiB", peak / 200, "", "<= 1.0"),
        Row("the same with every document read and hashed", f"{whole['seconds']:.2f} s", f"{found['seconds']:.2f} s",
            whole["seconds"] / found["seconds"]),
        Row(f"a second audit after {count} more / a first audit of {fresh['new']}", f"{more['seconds']:.3f} s",
            f"{fresh['seconds']:.3f} s", more["seconds"] / fresh["seconds"]),
        Row("an audit where nothing is new", f"{again['seconds']:.3f} s", "", None),
    ]  # fmt: skip


def _small_town(folder: Path) -> Town:
    (folder / "small").mkdir()
    town = Town(folder / "small")
    town.settle_in()
    town.submit(*[town.act(b"%PDF-1.4 few " + os.urandom(8), number=os.urandom(6).hex()) for _ in range(100)])
    return town


def _audit(town: Town, state: Path, *flags: str) -> tuple[dict[str, float], float]:
    """Return what one audit says of itself, and the most memory that it and its children held together, in MiB."""
    words = [sys.executable, "-m", "bench.auditing", str(town.home.path), str(state), *flags]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    most = 0.0
    while process.poll() is None:
        most = max(most, _proportional(process.pid))
        time.sleep(0.05)
    output = process.communicate()[0]
    if process.returncode:
        raise RuntimeError(output)
    found: dict[str, float] = json.loads(output)
    return found, most


def _proportional(pid: int) -> float:
    """Return the memory of a process and its children in MiB, each shared page counted once (PSS)."""
    total = 0.0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total = int(line.split()[1]) / 1024
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            total += _proportional(int(child))
    except OSError:
        pass
    return total


def verify_offline(town: Town) -> Row:
    """``bening verify`` of one document with its proof, as a whole process, beside Python with two imports."""
    with tempfile.TemporaryDirectory(prefix="bening-bench-") as folder:
        document = Path(folder) / "act.pdf"
        document.write_bytes(b"%PDF-1.4 verify " + os.urandom(8))
        outcome = town.published(document.read_bytes())
        proof = document.with_name("act.pdf.tlog-proof")
        proof.write_bytes(outcome.proof or b"")
        shutil.copy(town.home.public / "policy", folder)
        words = [sys.executable, "-m", "cli", "verify", str(document), "--policy", f"{folder}/policy", "--offline"]
        ours, theirs = [], []
        for _ in range(15):
            theirs.append(_process([sys.executable, "-c", "import nacl.signing, click"], {0}))
            ours.append(_process(words, {3}))  # without roster, signer and authority stay unchecked
    return ratio_row("verify of one document, offline, whole process / python with nacl and click", ours, theirs, "ms", "<= 3")


def _process(words: list[str], expected: set[int]) -> float:
    began = time.perf_counter()
    done = subprocess.run(words, capture_output=True, check=False, env={**os.environ, "XDG_CONFIG_HOME": "/nonexistent"})
    if done.returncode not in expected:
        raise RuntimeError(done.stdout.decode() + done.stderr.decode())
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Audit one home, and say how long it took."""
    from ledger.publisher.home import Home
    from ledger.tlog.policy import parse_policy
    from ledger.verifier.audit import audit
    from ledger.verifier.client import open_source

    home, state = Home.open(Path(sys.argv[1])), Path(sys.argv[2])
    policy = parse_policy((home.public / "policy").read_bytes())
    began = time.perf_counter()
    documents = "--no-documents" not in sys.argv
    report = audit(open_source(str(home.path)), policy, home.founding, state_dir=state, documents=documents)
    seconds = time.perf_counter() - began
    if report.reasons or report.size == 0 or any(one.state == "failed" for one in report.verdict.checks):
        raise SystemExit(f"the audit failed: {report.verdict.checks}")
    print(json.dumps({"seconds": seconds, "new": report.new_entries}))


if __name__ == "__main__":
    main()
