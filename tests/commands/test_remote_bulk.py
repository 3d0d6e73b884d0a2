"""``import`` over HTTP: the same rows, places and refusals as on a folder, also when it is killed in the middle."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.publisher.home import Home
from tests.commands.bening import SECRET, Bening
from tests.commands.test_bulk import MAP, ROOT, ROSTER, row, run, write
from tests.remote.site import CUT, Answer, Request, Site

KILLER = """
import os, signal, sys
import ledger.commands.bulk as bulk
import ledger.remote.handover as handover
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
handover._Delivery._send = die_at("send", handover._Delivery._send)
import cli
cli.main(sys.argv[1:])
"""


@pytest.fixture
def site(bening: Bening, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A ledger whose head may sign contracts, its site, and a map; founded once, then copied."""
    ready = tmp_path_factory.getbasetemp() / "remote-bulk-city"
    if ready.exists():
        shutil.copytree(ready, ".", dirs_exist_ok=True)
    else:
        bening.found()
        Path("roster.toml").write_text(ROSTER)
        bening("roster", "apply", "roster.toml", "-L", "city", "--key", "a0.pem", "--key", "head.pem")
        Path("map.toml").write_text(MAP)
        shutil.copytree(".", ready)
    site = Site(Home.open(Path("city")), lambda _: SECRET.encode())
    bening("setup", "-L", site.url, "--name", "kota", "--key", "head.pem")
    bening("trust", "add", "kota")
    yield site
    site.close()


def test_what_a_dry_run_shows_is_what_is_published(bening: Bening, site: Site) -> None:
    """The same as on a folder: references, ids, places, twins and refusals; and few questions for many rows."""
    write([row(number) for number in range(120)] + [row(3), row(200, nilai="1,5,0"), row(201, no="7/SPK/2026")])
    shutil.copytree("city", "twin")
    here = run(bening, "rows.jsonl", "-L", "twin", status=4)
    site.asked.clear()
    there = run(bening, "rows.jsonl", status=4)
    here.pop("refused_file"), there.pop("refused_file")
    assert there == here
    assert site.count("GET", "/api/v1/find") < 12
    assert not Path("rows.jsonl.bening-import.jsonl").exists()
    published = run(bening, "rows.jsonl", "--yes", status=4)
    assert published["rows_published"] == there["rows_published"]
    assert published["counts"] == {"publish": 120, "already": 1, "refused": 2}
    assert site.count("POST", "/api/v1/acts") == 2
    assert run(bening, "rows.jsonl", "--yes", status=4)["counts"] == {"publish": 0, "already": 121, "refused": 2}
    bening("fsck", "-L", "city")


@pytest.mark.parametrize("step", ["reserve", "send", "settle"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_killed_import_goes_on(bening: Bening, site: Site, when: str, step: str) -> None:
    """kill -9 in the second batch of two, at each step: afterwards every row is published once, in its order."""
    write([row(number) for number in range(10)])
    env = {**os.environ, "PYTHONPATH": str(ROOT), "BENING_PASSPHRASE": SECRET}
    words = [sys.executable, "-c", KILLER.format(where=f"{when} {step}"), "import", "rows.jsonl", "--map", "map.toml", "--yes"]
    assert subprocess.run(words, env=env, capture_output=True, check=False).returncode == -signal.SIGKILL
    found = run(bening, "rows.jsonl", "--yes")
    placed = found["rows_published"] + found["rows_already"]
    assert sorted(one["row"] for one in placed) == list(range(1, 11))
    assert sorted(one["index"] for one in placed) == list(range(2, 12))
    assert bening.json("status")["size"] == 12
    bening("fsck", "-L", "city")


def test_a_site_that_fails_in_the_middle_loses_nothing(bening: Bening, site: Site) -> None:
    """Busy, then cut, then gone: the command ends with its status, and the next run goes on from there."""
    write([row(number) for number in range(150)])

    def fails(request: Request) -> Answer | None:
        if request.method != "POST":
            return None
        n = site.count("POST", "/api/v1/acts")
        if n == 1:
            site.truth(request)
            return CUT
        return Answer.json(503, {"error": "busy", "sentence": "Penuh."}, Retry_After="900") if n == 3 else None

    site.lies.append(fails)
    assert run(bening, "rows.jsonl", "--yes", status=4)["error"] == "site-busy"
    assert bening.json("status")["size"] == 102
    found = run(bening, "rows.jsonl", "--yes")
    assert found["counts"] == {"publish": 50, "already": 100, "refused": 0}
    assert bening.json("status")["size"] == 152
