"""A run: damage, ask who finds it, mend; count by kind of file and outcome."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger.errors import LedgerError
from ledger.keyfile import load_log_keys
from ledger.publisher.fault import Fault
from ledger.publisher.home import Home
from tests.flips.damage import AUDITED, WEIGHTS, Damage, choose, kinds_of
from tests.flips.oracle import Known, audit_finds, dump, faults_of, own_faults
from tests.flips.village import Village

__all__ = ["OUTCOMES", "Run"]

OUTCOMES = ("fsck", "both", "start", "same", "older", "edit", "unproven", "miss")
_WHOLE_EVERY = 25  # how often everything is asked, where the part that reads the file has said it already
_AUDIT_EVERY = 12


@dataclass
class Run:
    """One home, damaged again and again. ``misses`` tell of damage that nobody named."""

    village: Village
    seed: int
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        homes = {"quiet": self.village.quiet, "busy": self.village.busy}
        self.known = {name: Known(home) for name, home in homes.items()}
        self.homes, self.rng = homes, random.Random(self.seed)
        self.files = kinds_of(self.village.quiet, self.village.busy)
        self.whole = {path: path.read_bytes() for paths in self.files.values() for path in paths}
        self.policy = (self.village.quiet.public / "policy").read_bytes()
        self.dumps: dict[Path, object] = {}
        self.done = 0

    def go(self, count: int, progress: Callable[[int], None] = lambda done: None) -> None:
        """Do ``count`` damages."""
        for damage in choose(self.rng, self.files, count):
            self.one(damage)
            progress(self.done)

    def one(self, damage: Damage) -> str:
        """Do one damage, count and return its outcome, and mend it."""
        whole = self.whole[damage.path]
        damaged = damage.of(whole)
        if damaged == whole:
            return "same"
        self.done += 1
        try:
            damage.path.write_bytes(damaged)
            outcome = self._outcome(damage)
        except Exception as error:  # noqa: BLE001  # whatever leaks out is what is looked for
            outcome = "miss"
            self.misses.append(f"{damage}: {type(error).__name__} leaks out: {error}")
        finally:
            damage.path.write_bytes(whole)
            self._tidy(damage)
        self.counts[damage.kind, outcome] += 1
        return outcome

    def _outcome(self, damage: Damage) -> str:
        home, known = self._of(damage)
        is_public = home.public in damage.path.parents
        if damage.kind == "bening.toml" or self.done % _WHOLE_EVERY == 0:
            named = self._named(damage, faults_of(home, known), all_of_them=self.done % _WHOLE_EVERY == 0)
        else:
            named = self._named(damage, own_faults(home, known, damage.path))
        if is_public and damage.kind.startswith(AUDITED) and self.done % _AUDIT_EVERY == 0:
            return self._audited(damage, home, named)
        return "fsck" if named else self._unnamed(damage, home)

    def _audited(self, damage: Damage, home: Home, named: bool) -> str:
        status = audit_finds(home, self.policy)
        if named and status == 0 and damage.kind != "bundle, partial":
            self.misses.append(f"{damage}: fsck names it, audit finds nothing")
            return "miss"
        return "both" if named and status else "fsck" if named else "miss"

    def _of(self, damage: Damage) -> tuple[Home, Known]:
        which = WEIGHTS[damage.kind][1]
        return self.homes[which], self.known[which]

    def _named(self, damage: Damage, faults: Iterable[Fault], *, all_of_them: bool = False) -> bool:
        """Tell whether one of ``faults`` names the damaged file; for a log also its database, or what it no longer explains."""
        paths = {str(damage.path)}
        if damage.path.name.endswith("-wal"):
            paths |= {str(damage.path).removesuffix("-wal"), str(self._of(damage)[0].public / "checkpoint")}
        found = False
        for fault in faults:
            if str(fault.values.get("path")) in paths:
                self.codes[fault.code] += not found
                found = True
                if not all_of_them:
                    break
        return found

    def _unnamed(self, damage: Damage, home: Home) -> str:
        """Say what damage does that nothing names."""
        if damage.kind == "bening.toml":
            return self._settings(damage)
        if damage.path.suffix.startswith(".db"):
            same = self._same(damage)
            if same:
                return "same"
            if damage.length and damage.path.name.endswith("-wal"):
                return "older"
            problem = self._tables(damage)
            if self._is_unproven(damage):
                return "unproven"
            self.misses.append(f"{damage}: {problem} say otherwise")
            return "miss"
        self.misses.append(f"{damage}: not named")
        return "miss"

    def _settings(self, damage: Damage) -> str:
        """A changed comment or address cannot be told from an operator's edit; a key file's path is found at the start."""
        try:
            home = Home.open(damage.path.parent)
        except LedgerError as error:
            if str(error.values.get("path")) == str(damage.path):
                return "start"
            self.misses.append(f"{damage}: {error}, which names another file")
            return "miss"
        if home == self.village.quiet:
            return "same"
        try:
            for path in home.log_keys:
                load_log_keys(path, None)
        except LedgerError:
            return "start"
        return "edit"

    def _database(self, damage: Damage) -> Path:
        return damage.path.with_name(damage.path.name.removesuffix("-wal"))

    def _same(self, damage: Damage) -> bool:
        """Tell whether the database still says the same."""
        path, damaged = self._database(damage), damage.path.read_bytes()
        if path not in self.dumps:
            damage.path.write_bytes(self.whole[damage.path])
            self._tidy(damage)
            self.dumps[path] = dump(path)
            damage.path.write_bytes(damaged)
            self._tidy(damage)
        return dump(path) == self.dumps[path]

    def _tables(self, damage: Damage) -> str:
        """Return what differs, for whoever looks into a miss."""
        before, after = dict(self.dumps[self._database(damage)]), dict(dump(self._database(damage)))  # type: ignore[call-overload]
        rows = [(name, one) for name in before for one in before[name] if one not in after.get(name, [])]
        return f"rows such as {str(rows[:1])[:400]}"

    def _is_unproven(self, damage: Damage) -> bool:
        """Tell whether only such fields differ as nothing else in the home repeats."""
        kept: list[tuple[str, list[Any]]] = self.dumps[self._database(damage)]  # type: ignore[assignment]
        before, after = ({name.lower(): rows for name, rows in some} for some in (kept, dump(self._database(damage))))
        return before.keys() == after.keys() and all(
            _proven(table, before[table]) == _proven(table, after[table]) for table in before
        )

    def _tidy(self, damage: Damage) -> None:
        """The shared memory of a log belongs to the log as it was."""
        if damage.path.suffix.startswith(".db"):
            with contextlib.suppress(FileNotFoundError):
                self._database(damage).with_name(f"{self._database(damage).name}-shm").unlink()

    def lines(self) -> Iterator[str]:
        """Yield the table of counts."""
        yield f"{'file':<20}" + "".join(f"{name:>10}" for name in OUTCOMES)
        for kind in WEIGHTS:
            yield f"{kind:<20}" + "".join(f"{self.counts[kind, name]:>10}" for name in OUTCOMES)
        yield f"{'all':<20}" + "".join(f"{sum(n for (_, one), n in self.counts.items() if one == name):>10}" for name in OUTCOMES)
        yield "codes: " + ", ".join(f"{code} {count}" for code, count in self.codes.most_common())


# Columns of which nothing else in the home holds a copy: when a submission came, whether its signatures were true when it
# came, the words of a refusal, an operator's note, when a schema was made, and how far beyond the last row submissions were
# counted.
_ALONE = {"submissions": (2, 3, 5), "notes": (1, 2, 3), "_sqlite_migrations": (2, 3), "sqlite_sequence": (1,)}


def _proven(table: str, rows: list[Any]) -> list[Any]:
    """Return ``rows`` without what stands in this place only."""
    if not table:  # the schema itself: how migrations are counted is the library's matter, and its own tables SQLite's
        return [row for row in rows if row[2].lower() not in ("_sqlite_migrations", "sqlite_sequence")]
    alone = _ALONE.get(table, ())
    return [tuple(value for at, value in enumerate(row) if at not in alone) for row in rows]
