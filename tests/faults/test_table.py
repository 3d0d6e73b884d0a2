"""The fault table in its short form; ``python -m soak faults pairs power`` plays all of it."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

from tests.faults.disk import Crash, Plan
from tests.faults.story import Base
from tests.faults.table import Table

SEED = int(os.environ.get("BENING_TEST_SEED", "0")) or random.SystemRandom().randrange(2**32)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return Base.made(tmp_path_factory.mktemp("base"), 5)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """A ledger of 254 entries: the next publication fills its first tile and bundle, and their partial ones go."""
    return Base.made(tmp_path_factory.mktemp("wide"), 254)


@pytest.fixture
def table(base: Base, tmp_path: Path) -> Table:
    sys.stderr.write(f"BENING_TEST_SEED={SEED}\n")
    return Table(base, tmp_path, SEED)


def test_any_call_may_fail(table: Table) -> None:
    """Before, after, half-way, or with the process: restarted and sent again, each act stands once, and all audits agree."""
    assert table.singles(110) == 110
    assert {"crash", "disk-full", "cannot-write"} <= table.told.keys()


def test_the_restart_may_fail_as_well(table: Table) -> None:
    """A second fault, in the recovery from the first one, changes nothing."""
    assert table.pairs(50) == 50


def test_the_power_may_go_when_all_seems_done(table: Table) -> None:
    """What was promised is durable, also where an earlier process had died between a rename and its sync."""
    assert table.power(60) == 60


def test_a_tile_that_becomes_full_may_fail(wide: Base, tmp_path: Path) -> None:
    """Crossing a boundary of 256 with a fault: the partial files are gone at the end, and everything is sound."""
    table = Table(wide, tmp_path, SEED)
    assert table.singles(8) == 8
    case = wide.copied(tmp_path / "last")
    case.check()
    assert not [name for name in ("0", "entries") if (case.town.home.public / "tile" / name / "000.p").exists()]


def test_a_dead_process_writes_nothing(base: Base, tmp_path: Path) -> None:
    """The fault injector itself: after a crash not even a ``finally`` reaches the disk, and an unplanned run succeeds."""
    case = base.copied(tmp_path / "dead")
    assert case.under(Plan(5, "crash-before"), case.submit) == "crash"
    assert len(case.disk.calls) == 5
    with case.disk.installed(Plan(1, "crash-after")), pytest.raises(Crash):
        (case.town.home.path / "x").mkdir()
    assert (case.town.home.path / "x").exists()
    (case.town.home.path / "x").rmdir()
    assert case.under(None, case.submit) is None
    case.check()
