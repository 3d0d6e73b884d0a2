"""A flipped bit, a cut end or a block of zeros anywhere in a home is named: the file, and what is wrong with it."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
from pathlib import Path

import pytest

from ledger.publisher.fsck import check_home
from ledger.publisher.home import Home
from ledger.sqlite import connect
from tests.flips.damage import WEIGHTS, Damage, choose
from tests.flips.run import Run
from tests.flips.village import Village, build

COUNT = 2000


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Village:
    """One home for all tests here: each mends what it has damaged."""
    return build(tmp_path_factory.mktemp("village"))


def test_the_home_is_sound(village: Village) -> None:
    """Before any damage nothing is said, with and without write-ahead logs."""
    assert check_home(village.quiet) == []
    assert check_home(village.busy) == []


def test_damage_is_named(village: Village) -> None:
    """Every kind of file, any byte: fsck names it, audit as well where it reads it; what stays unnamed changes nothing."""
    run = Run(village, int(os.environ.get("BENING_TEST_SEED", "0")) or 20261125)  # ``make soak`` draws others
    run.go(COUNT)
    shown = "\n".join([f"seed {run.seed}", *run.lines(), *run.misses])
    print(shown)  # noqa: T201  # the seed, by which a run can be done again
    assert not run.misses, shown
    for kind in WEIGHTS:
        assert run.counts[kind, "fsck"] + run.counts[kind, "both"], f"{kind} was never named\n{shown}"


def test_a_home_is_mended_by_the_runs_themselves(village: Village) -> None:
    """The runs leave the home as it was: what they found was their own damage."""
    run = Run(village, 1)
    run.go(40)
    assert check_home(village.quiet) == []
    assert check_home(village.busy) == []


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_flip_in_the_log_is_not_an_older_moment(village: Village, share: float) -> None:
    """SQLite reads a log up to a frame that does not hold; what waited behind it is missed by fsck, not by chance only."""
    run = Run(village, 1)
    (path,) = run.files["inbox.db-wal"]
    at = int(path.stat().st_size * share)
    assert run.one(Damage("inbox.db-wal", path, at, bit=3)) == "fsck", run.misses
    assert run.codes["journal"] == 1


def test_an_entry_is_named_by_its_index(village: Village) -> None:
    """A flipped bit in the bytes of a stored entry is told with the entry's index."""
    path = village.quiet.ledger_db
    whole = path.read_bytes()
    known = Run(village, 1).known["quiet"]
    index = 200
    entry = known.entries[index]
    at = whole.find(entry[entry.index(b'"prev"') :][:80])
    assert at > 0
    try:
        path.write_bytes(Damage("ledger.db", path, at + 20, bit=0).of(whole))
        found = check_home(village.quiet)
    finally:
        path.write_bytes(whole)
    assert {("leaf", index)} <= {(one.code, one.values.get("index")) for one in found}
    assert all(one.values.get("path") for one in found)


def test_a_flip_in_an_index_alone_is_named(village: Village) -> None:
    """What stands in a table and, once more, in its index is damage in either of them."""
    run, path = Run(village, 1), village.quiet.search_db
    whole = path.read_bytes()
    with contextlib.closing(connect(path, read_only=True)) as connection:
        (code,) = connection.execute("SELECT sha256 FROM texts ORDER BY idx LIMIT 1").fetchone()
    places = [found.start() for found in re.finditer(code.encode("ascii"), whole)]
    assert len(places) > 1
    for at in places:
        for bit in (3, 7):  # another digit; no UTF-8
            assert run.one(Damage("search.db", path, at + 30, bit=bit)) in ("fsck", "same"), run.misses
    assert run.codes["catalogue-damaged"]  # whose sentence asks for `bening rebuild`, not for a backup
    assert not run.codes["database"]


def test_every_flip_in_the_settings(village: Village) -> None:
    """Each bit of ``bening.toml``: the file is named, or an operator might have written so."""
    run, path = Run(village, 1), village.quiet.path / "bening.toml"
    outcomes = {run.one(Damage("bening.toml", path, at, bit=bit)) for at in range(path.stat().st_size) for bit in range(8)}
    assert run.misses == []
    assert {"fsck", "start"} <= outcomes <= {"fsck", "start", "edit", "same"}


def test_a_submission_in_no_state_is_named(village: Village) -> None:
    """What waits cannot be hidden from the sequencer by a flip in the word for it."""
    run, path = Run(village, 1), village.quiet.inbox_db
    with contextlib.closing(connect(path, read_only=True)) as connection:
        (envelope,) = connection.execute("SELECT envelope FROM submissions WHERE state = 'pending'").fetchone()
    at = path.read_bytes().index(bytes(envelope)[-40:] + b"pending") + 40
    for bit in range(7):
        assert run.one(Damage("inbox.db", path, at, bit=bit)) == "fsck", run.misses


def test_what_changes_nothing_can_be_lived_with(village: Village, tmp_path: Path) -> None:
    """Damage in bytes that carry nothing stays unnamed; the ledger goes on with it, and is sound after more acts."""
    run, copies = Run(village, random.SystemRandom().randrange(2**32)), 0
    for damage in choose(run.rng, {kind: run.files[kind] for kind in ("ledger.db", "inbox.db", "search.db")}, 200, whole=0):
        if copies == 4:
            break
        if run.one(damage) == "same":
            copies += 1
            home = tmp_path / str(copies)
            shutil.copytree(village.quiet.path, home, ignore=shutil.ignore_patterns("*-shm", "*-wal"))
            path = home / damage.path.relative_to(village.quiet.path)
            path.write_bytes(damage.of(path.read_bytes()))
            village.town.home = Home.open(home)
            assert village.town.submit(village.town.act(b"%PDF-1.4 goes on"))[0].index is not None, damage
            assert check_home(village.town.home) == [], damage
    assert copies == 4
