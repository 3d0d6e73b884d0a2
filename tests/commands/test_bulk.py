"""Bulk import through the real entry point: nothing twice, nothing lost, also when the process is killed in the middle."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ledger.sqlite import connect
from tests.commands.bening import SECRET, Bening

ROOT = Path(__file__).parents[2]
MAP = """
[constants]
kind = "contract"
form = "spk"
office = "hukum"
language = "id"
"fields.currency" = "IDR"
[columns]
number = "no"
title = "nama"
signed_on = "tgl"
"fields.value" = { column = "nilai", money = "rupiah" }
"fields.supplier.name" = "penyedia"
[[signatories]]
position = "PPK"
"""

ROSTER = """
[[office]]
id = "hukum"
name = "Bagian Hukum"
[[form]]
id = "spk"
kind = "contract"
name = "SPK"
[[enrol]]
pub = "head.pem.pub"
holder = "H"
position = "P"
offices = ["hukum"]
kinds = ["contract"]
from = "2020-01-01"
"""

KILLER = """
import os, signal, sys
import ledger.commands.bulk as bulk
import ledger.publisher.handover as handover
import ledger.publisher.sequencer as sequencer
from ledger.desk.journal import Journal
bulk.BATCH = 5
where, calls = {where!r}, [0]
def die_at(name, function):
    def wrapped(*args, **kwargs):
        calls[0] += name == "reserve"
        if where == "before " + name and calls[0] == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        found = function(*args, **kwargs)
        if where == "after " + name and calls[0] == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return found
    return wrapped
Journal.reserve = die_at("reserve", Journal.reserve)
Journal.settle = die_at("settle", Journal.settle)
handover.hand_over = die_at("hand_over", handover.hand_over)
sequencer.flush = die_at("flush", sequencer.flush)
sequencer.Sequencer._commit = die_at("commit", sequencer.Sequencer._commit)
import cli
cli.main(sys.argv[1:])
"""


def row(number: int, **changes: Any) -> dict[str, Any]:
    return {"no": f"{number}/SPK/2026", "nama": "Meja", "tgl": "2026-01-20", "nilai": 1000 + number, "penyedia": "CV A", **changes}


@pytest.fixture
def city(bening: Bening, tmp_path_factory: pytest.TempPathFactory) -> Bening:
    """A ledger whose head may sign contracts, and a map; founded once, then copied."""
    ready = tmp_path_factory.getbasetemp() / "bulk-city"
    if ready.exists():
        shutil.copytree(ready, ".", dirs_exist_ok=True)
    else:
        bening.found()
        Path("roster.toml").write_text(ROSTER)
        bening("roster", "apply", "roster.toml", "-L", "city", "--key", "a0.pem", "--key", "head.pem")
        Path("map.toml").write_text(MAP)
        shutil.copytree(".", ready)
    bening("setup", "-L", "city", "--key", "head.pem")
    return bening


def write(rows: list[dict[str, Any]], name: str = "rows.jsonl") -> str:
    Path(name).write_text("".join(json.dumps(one) + "\n" for one in rows))
    return name


def run(bening: Bening, file: str, *options: str, status: int = 0) -> Any:
    return bening.json("import", file, "--map", "map.toml", *options, status=status)


def test_a_dry_run_publishes_nothing(city: Bening) -> None:
    """Counts and reasons are told; neither ledger nor journal changes."""
    write([row(1), row(2, nilai="1,5,0"), row(1)])
    found = run(city, "rows.jsonl", status=4)
    assert found["counts"] == {"publish": 1, "already": 1, "refused": 1}
    assert found["rows_twins"][0]["first"] == 1
    assert [one["code"] for one in found["rows_refused"][0]["reasons"]] == ["unreadable-money"]
    assert city.json("status")["size"] == 2
    assert not Path("rows.jsonl.bening-import.jsonl").exists()


def test_what_a_dry_run_shows_is_what_is_published(city: Bening) -> None:
    """The same references, ids and places; and once more, everything is already published."""
    write([row(number) for number in range(12)])
    planned, published = run(city, "rows.jsonl"), run(city, "rows.jsonl", "--yes")
    assert planned["rows_published"] == published["rows_published"]
    again = run(city, "rows.jsonl", "--yes")
    assert again["counts"] == {"publish": 0, "already": 12, "refused": 0}
    assert [one["id"] for one in again["rows_already"]] == [one["id"] for one in published["rows_published"]]
    city("fsck")


@pytest.mark.parametrize("step", ["reserve", "hand_over", "flush", "commit", "settle"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_killed_import_goes_on(city: Bening, when: str, step: str) -> None:
    """kill -9 in the second batch of two, at each step: afterwards every row is published once, in its order."""
    write([row(number) for number in range(10)])
    env = {**os.environ, "PYTHONPATH": str(ROOT), "BENING_PASSPHRASE": SECRET}
    words = [sys.executable, "-c", KILLER.format(where=f"{when} {step}"), "import", "rows.jsonl", "--map", "map.toml", "--yes"]
    assert subprocess.run(words, env=env, capture_output=True, check=False).returncode == -signal.SIGKILL
    assert 7 <= city.json("status")["size"] <= 12
    found = run(city, "rows.jsonl", "--yes")
    assert found["counts"]["refused"] == 0
    placed = found["rows_published"] + found["rows_already"]
    assert sorted(one["row"] for one in placed) == list(range(1, 11))
    assert sorted(one["index"] for one in placed) == list(range(2, 12))
    assert city.json("status")["size"] == 12
    city("fsck")


def test_refused_rows_come_back_mended(city: Bening) -> None:
    """CSV, refused, mended in its own file, imported with the same map; cells that look like formulas survive."""
    Path("rows.csv").write_text('no;nama;tgl;nilai;penyedia\n1/SPK;"=HYPERLINK(""x"")";2026-01-20;"Rp 1.000,00";-CV A\n'
                                "2/SPK;Kursi;2026-13-20;5;CV B\n3/SPK;@Lampu;2026-01-20;x;'CV C\n", "utf-8")  # fmt: skip
    found = run(city, "rows.csv", "--yes", status=4)
    assert found["counts"] == {"publish": 1, "already": 0, "refused": 2}
    refused = Path(found["refused_file"])
    text = refused.read_text("utf-8-sig")
    assert "'@Lampu" in text
    assert "''CV C" in text
    refused.write_text(text.replace("2026-13-20", "2026-12-20").replace(",x,", ",7,"), "utf-8-sig")
    again = run(city, refused.name, "--yes")
    assert again["counts"] == {"publish": 2, "already": 0, "refused": 0}


def test_a_guess_is_written_once(city: Bening) -> None:
    """--guess writes a map that can be read, and never over one that somebody has worked on."""
    write([row(1)])
    city("import", "rows.jsonl", "--guess", "--map", "guess.toml")
    assert "nilai" in Path("guess.toml").read_text()
    assert city.json("import", "rows.jsonl", "--guess", "--map", "guess.toml", status=2)["error"] == "file-unwritable"
    assert "[columns]" in city("import", "rows.jsonl", "--guess")
    assert city.json("import", "rows.jsonl", status=2)["error"] == "missing-options"


def test_the_example_publishes_it(bening: Bening, shared: Path) -> None:
    """948 lines, 940 different: 935 acts, 5 refusals; numbers and amounts exactly as in the source; then all are known."""
    bening.found()
    for name in ("kab-bandung-roster.toml", "kab-bandung-contracts.toml"):
        shutil.copy(ROOT / "examples" / name, name)
    shutil.copyfile(shared / "data" / "contracts-bandung-2025.jsonl", "c.jsonl")
    bening("key", "new", "import.pem")
    bening("setup", "-L", "city", "--key", "import.pem")
    bening("roster", "apply", "kab-bandung-roster.toml", "--key", "a0.pem", "--key", "import.pem")
    words = ("import", "c.jsonl", "--map", "kab-bandung-contracts.toml", "--yes")
    found = bening.json(*words, status=4)
    assert found["counts"] == {"publish": 935, "already": 8, "refused": 5}
    why = Counter(one["code"] for refused in found["rows_refused"] for one in refused["reasons"])
    assert why == {"number-used": 3, "by-rule": 2}
    assert bening.json(*words, status=4)["counts"] == {"publish": 0, "already": 943, "refused": 5}
    _nothing_is_bent(Path("c.jsonl"), Path("city/ledger.db"))


def _nothing_is_bent(source: Path, database: Path) -> None:
    connection = connect(database, read_only=True)
    acts = {row["documents"][0]["sha256"]: row for (body,) in connection.execute("SELECT body FROM acts") for row in [json.loads(body)]}
    connection.close()
    lines = {hashlib.sha256(line).hexdigest(): line for line in source.read_bytes().split(b"\n")}
    assert len(acts) == 935
    for sha256, act in acts.items():
        line = json.loads(lines[sha256], parse_float=str, parse_int=str)
        assert (act["number"], act["title"], act["signed_on"]) == (line["contract_number"], line["title"], line["contract_date"])
        assert act["fields"]["value"] == line["value"]
        assert act["fields"].get("ceiling") == line["budget_ceiling"]
        assert act["fields"]["supplier"].get("name") == line["supplier"]["name"]
        assert "scope" not in act["extra"]
        assert not {"start_on", "end_on"} & act["fields"].keys()
    assert sum("unknown" in act["fields"]["supplier"] for act in acts.values()) == 3
    assert [one["type"] for act in acts.values() for one in act["relations"]] == ["amends"]
    assert any(json.loads(lines[sha256])["scope"] and len(lines[sha256]) > 14_000 for sha256 in acts)
