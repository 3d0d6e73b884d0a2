"""Checking one document offline loads what that takes, and nothing for sites, databases or networks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.city import City

ROOT = Path(__file__).parents[2]
HEAVY = (
    "asyncio", "flask", "granian", "httpx", "jinja2", "multiprocessing", "openpyxl", "pydantic", "pysqlite3", "segno", "sqlite3",
    "sqlite_utils", "ssl", "urllib3", "werkzeug", "ledger.catalog", "ledger.desk", "ledger.index", "ledger.publisher",
    "ledger.sqlite", "ledger.verifier.audit", "ledger.workers", "web",
)  # fmt: skip
PROGRAM = """
import json, sys, cli
try:
    cli.main()
except SystemExit as end:
    print(json.dumps([end.code, [name for name in {heavy!r} if name in sys.modules]]), file=sys.stderr)
"""


def test_verify_offline_is_light(tmp_path: Path) -> None:
    """The whole process of ``verify FILE --offline`` ends well without any of the heavy modules."""
    city = City(tmp_path / "kota", witnesses=("kpk",))
    _, index = city.publish(documents={"sk.pdf": b"%PDF-1.7 SK"})
    city.write()
    file = tmp_path / "sk.pdf"
    file.write_bytes(b"%PDF-1.7 SK")
    file.with_name("sk.pdf.tlog-proof").write_bytes(city.proof(index))
    found: list[list[object]] = []
    for command in (["trust", "add", str(city.path)], ["verify", str(file), "--offline"]):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(heavy=HEAVY), *command],
            cwd=ROOT, env={**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}, capture_output=True, text=True,
        )  # fmt: skip
        found.append(json.loads(done.stderr.splitlines()[-1]))
    assert found[-1] == [0, []], done.stderr
