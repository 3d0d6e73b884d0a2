"""The look-up files of an audited ledger: each act stands where people will look for it.

Of each file is kept how long it was and what it hashed to when it was last in order. A file that begins with those bytes
and goes on with the lines of the acts that are new is in order, at the cost of reading it; any other is read line by line,
against the index. New files, and those that were not in order, are read in every run; of the others a slice, the ones
first that were not seen for longest: a small ledger's all, a large one's in turn.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ledger.errors import FetchError
from ledger.records.numbers import folded_hash
from ledger.verifier.auditbuckets import Measure, fetch_bucket, measure
from ledger.verifier.auditread import Children
from ledger.verifier.auditrun import REF, Run
from ledger.verifier.auditstate import AuditState
from ledger.verifier.client import Source

__all__ = ["SLICE", "LookUps"]

SLICE = 512
_TOGETHER = 10_000  # acts
_KEPT = 10_000
_ASKED = 256  # files in one task of a child

_NONE = hashlib.sha256().digest()


@dataclass(slots=True)
class _Lines:
    """The lines that a file must have gained: their length, and their hash in the order in which a ledger writes them."""

    length: int = 0
    hash: Any = field(default_factory=hashlib.sha256)


class LookUps:
    """One run over the look-up files: ``lacking`` holds, for each file that lacks lines, the acts that it lacks."""

    def __init__(self, state: AuditState, source: Source, run: int, children: Children) -> None:
        self.state, self.source, self.run, self.children = state, source, run, children
        self.lacking: dict[str, list[int]] = {}
        self.read = 0
        self._new: dict[str, _Lines] = {}
        self._waiting, self._taken = defaultdict[str, list[str]](list), 0
        self._gathered = int(state.mark("look-ups") or 0)
        self._unsure = {name for (name,) in state.rows("SELECT name FROM buckets WHERE stale = 1")}
        self._results: list[tuple[int, bytes, int, int, str]] = []

    def gather(self) -> None:
        """Gather the lines of the acts that are new since the last run that came to this, or since it was called before."""
        self._take_lines()
        for lines in _lines(self.state, self._gathered):
            self._waiting = lines
            self._take_lines()
        self._gathered = self.state.head.size

    def take(self, run: Run) -> None:
        """Gather the lines of a run at once, if it is the next; otherwise ``gather`` finds its acts."""
        if run.acts[0][0] != self._gathered:
            return
        found = self._waiting
        for index, code, _ in sorted(run.documents):
            found["sha256/" + code[:3]].append(f"{code} {index}\n")
        for act, number in zip(run.acts, run.numbers, strict=True):
            end = f" {act[0]}\n"
            ref = act[REF]
            found["ref/" + ref[:2]].append(ref + end)
            if number is not None:
                found["number/" + number[:3]].append(number + end)
        self._gathered = run.acts[-1][0] + 1
        self._taken += len(run.acts)
        if self._taken > _TOGETHER:
            self._take_lines()

    def _take_lines(self) -> None:
        """Add the lines that wait to those of their files."""
        for name, some in self._waiting.items():
            data = "".join(some).encode("ascii")
            new = self._new.get(name)
            if new is None:
                new = self._new[name] = _Lines()
            new.length += len(data)
            new.hash.update(data)
        self._waiting, self._taken = defaultdict(list), 0

    def take_in(self) -> None:
        """Note the files in which acts stand that are new."""
        self.gather()
        with self.state.transaction():
            self.state.connection.executemany(
                "INSERT INTO buckets VALUES (?, 0, ?, 1, 0) ON CONFLICT (name) DO UPDATE SET stale = 1",
                [(name, _NONE) for name in sorted(self._new)],
            )
            self.state.set_mark("look-ups", self._gathered)

    def read_all(self) -> None:
        """Read the files whose turn it is.

        Raises:
            FetchError: one could not be read, for another reason than that it is not there.
        """
        columns = "SELECT name, length, digest FROM buckets WHERE stale"
        rows = self.state.rows(f"{columns} = 1 ORDER BY name")
        rows += self.state.rows(f"{columns} = 0 ORDER BY seen, name LIMIT ?", SLICE)
        self._read_rows(rows)

    def read_lacking(self) -> None:
        """Read those again that lacked something: a checkpoint is out a moment before its look-ups."""
        again = sorted(self.lacking)
        self.lacking = {}
        self._unsure.update(again)
        self._read_rows([(name, 0, _NONE) for name in again])

    def _read_rows(self, rows: list[Any]) -> None:
        name = ""
        try:
            for (name, length, digest), found in zip(rows, self._measured(rows), strict=True):
                self._read_one(name, length, digest, found)
                if len(self._results) >= _KEPT:
                    self._keep()
        except FetchError:
            self._note(name, 0, _NONE, stale=True)
            raise
        finally:
            self._keep()

    def _measured(self, rows: list[Any]) -> Iterator[Measure | None]:
        """Yield the measure of each file, by the children where there are many."""
        asked = [(name, length, length + self._lines(name).length) for name, length, _ in rows]
        if not self.children.are_worth(len(rows)):
            yield from (measure(self.source, *one) for one in asked)
            return
        tasks = (("look-ups", asked[at : at + _ASKED]) for at in range(0, len(asked), _ASKED))
        for some in self.children.map(tasks, -(-len(asked) // _ASKED)):
            yield from (None if one is None else Measure(*one) for one in some)

    def _lines(self, name: str) -> _Lines:
        return self._new.get(name) or _Lines()

    def _read_one(self, name: str, length: int, digest: bytes, found: Measure | None) -> None:
        new = self._lines(name)
        end = length + new.length
        is_as_known = found is not None and found.size >= end and (found.before, found.new) == (digest, new.hash.digest())
        if found is not None and is_as_known and name not in self._unsure:
            self.read += 1
            self._note(name, end, found.both, stale=False)
            return
        data = fetch_bucket(self.source, name)
        self.read += 1
        lacking = self._lacking(name, data)
        if lacking:
            self.lacking[name] = lacking
        self._note(name, len(data), hashlib.sha256(data).digest(), stale=bool(lacking))

    def _lacking(self, name: str, data: bytes) -> list[int]:
        """Return the acts whose lines are not in ``data``, in whatever order it has them; one that does not end may be cut."""
        kind, _, prefix = name.partition("/")
        lines = set(data.split(b"\n")[:-1])
        wanted = self.state.index.bucket(kind, prefix)
        return [index for value, index in wanted if f"{value} {index}".encode("ascii") not in lines]

    def _note(self, name: str, length: int, digest: bytes, *, stale: bool) -> None:
        self._results.append((length, digest, stale, self.run, name))

    def _keep(self) -> None:
        with self.state.transaction():
            query = "UPDATE buckets SET length = ?, digest = ?, stale = ?, seen = ? WHERE name = ?"
            self.state.connection.executemany(query, self._results)
        self._results = []


def _lines(state: AuditState, start: int) -> Iterator[defaultdict[str, list[str]]]:
    """Yield, for some thousands of the acts from ``start`` on at once, the lines of each file, as a ledger orders them.

    As ``index.look_up_values`` does from records; a test holds them against each other.
    """
    documents = state.connection.execute("SELECT idx, sha256 FROM documents WHERE idx >= ? ORDER BY idx, sha256", (start,))
    acts = state.connection.execute("SELECT idx, ref, relations, folded FROM acts WHERE idx >= ? ORDER BY idx", (start,))
    following = documents.fetchone()
    while some := acts.fetchmany(_TOGETHER):
        found = defaultdict[str, list[str]](list)
        for index, ref, relations, folded in some:
            end = f" {index}\n"
            while following is not None and following[0] == index:
                code = following[1]
                found["sha256/" + code[:3]].append(code + end)
                following = documents.fetchone()
            for one in sorted({ref, *(part.partition("=")[2] for part in relations.split())}) if relations else (ref,):
                found["ref/" + one[:2]].append(one + end)
            if folded is not None:
                code = folded_hash(folded)
                found["number/" + code[:3]].append(code + end)
        yield found
