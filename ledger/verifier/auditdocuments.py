"""The documents of an audited ledger: each is served, and is the one that the acts name.

New documents, and those that were not in order, are read in whole; of the others each run looks at a slice, the ones first
that were not seen for longest. The sentence says what was done now and what in earlier runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from ledger.errors import FetchError
from ledger.verifier.auditstate import AuditState
from ledger.verifier.client import FolderSource, fetch_document
from ledger.verifier.reader import View
from ledger.verifier.verdict import Check

__all__ = ["SLICE", "Documents"]

SLICE = 512
_PAGE, _SECONDS = 1024, 5.0
_GLANCE = 1 << 16
_OF_DOCUMENTS = {
    "fetch-missing": "document-not-served",
    "document-differs": "document-differs",
    "fetch-too-large": "document-differs",
}
_SHOWN = 5

Progress = Callable[[str, int, int], None]
_Paper = tuple[str, int]


@dataclass(slots=True)
class Documents:
    """One run over the documents: how many were read in whole and looked at, and what was wrong with which."""

    state: AuditState
    view: View
    run: int
    progress: Progress
    new: int = 0
    looked: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    unread: list[FetchError] = field(default_factory=list)

    def read_all(self) -> None:
        """Read the documents whose turn it is."""
        self._take_in()
        (waiting,) = self.state.rows("SELECT count(*) FROM papers WHERE stale = 1")[0]
        older = self.state.rows("SELECT sha256, size FROM papers WHERE stale = 0 ORDER BY seen LIMIT ?", SLICE)
        total = waiting + len(older)
        self._read(self._waiting(), total, whole=True)
        self._read(iter(older), total, whole=False)

    def _take_in(self) -> None:
        """Note the documents that acts name which are new since the last run that came to this; forget withdrawn ones."""
        with self.state.transaction():
            self.state.connection.execute(
                "INSERT OR IGNORE INTO papers SELECT sha256, size, 1, 0 FROM documents WHERE idx >= ?",
                (int(self.state.mark("documents") or 0),),
            )
            gone = [(sha256,) for sha256 in self.state.roster.withdrawn]
            self.state.connection.executemany("DELETE FROM papers WHERE sha256 = ?", gone)
            self.state.set_mark("documents", self.state.head.size)

    def _waiting(self) -> Iterator[_Paper]:
        """Yield what is to be read in whole, page by page: each document once, whatever becomes of it."""
        query = "SELECT sha256, size FROM papers WHERE stale = 1 AND (sha256, size) > (?, ?) ORDER BY sha256, size LIMIT ?"
        last: _Paper = ("", -1)
        while page := self.state.rows(query, *last, _PAGE):
            yield from page
            last = page[-1]

    def _read(self, papers: Iterator[_Paper], total: int, *, whole: bool) -> None:
        results: list[tuple[bool, int, str, int]] = []
        since = time.monotonic()
        for sha256, size in papers:
            problem = (_problem if whole else _glance)(self.view, sha256, size)
            self.new, self.looked = self.new + whole, self.looked + (not whole)
            results.append((not self._accepts(sha256, problem), self.run, sha256, size))
            if len(results) >= _PAGE or time.monotonic() - since > _SECONDS:
                self._keep(results, total)
                since = time.monotonic()
        self._keep(results, total)

    def _keep(self, results: list[tuple[bool, int, str, int]], total: int) -> None:
        if results:
            with self.state.transaction():
                query = "UPDATE papers SET stale = ?, seen = ? WHERE sha256 = ? AND size = ?"
                self.state.connection.executemany(query, results)
            results.clear()
            self.progress("documents", self.new + self.looked, total)

    def _accepts(self, sha256: str, problem: str | FetchError | None) -> bool:
        """Keep a problem; tell whether there is none."""
        if isinstance(problem, FetchError):
            self.unread.append(problem)
        elif problem is not None:
            self.failed.append((sha256, problem))
        return problem is None

    def checks(self, withdrawn: Callable[[], Any]) -> Iterator[Check]:
        """Yield what came of it; ``withdrawn`` tells what the newest roster of all has withdrawn."""
        gone = [sha256 for sha256, code in self.failed if code == "document-not-served"]
        known = withdrawn() if gone else {}
        ahead = [one for one in gone if one in known]
        others = {
            "document-not-served": [one for one in gone if one not in known],
            "document-differs": [sha256 for sha256, code in self.failed if code == "document-differs"],
        }
        for code, some in others.items():
            if some:
                yield Check("document", "failed", code, {"count": len(some), "examples": self._examples(some)})
        if ahead:
            values: dict[str, object] = {"count": len(ahead), "examples": self._examples(ahead)}
            yield Check("document", "not_checked", "documents-withdrawn-ahead", values)
        if self.unread:
            values = {"count": len(self.unread), "detail": str(self.unread[0])}
            yield Check("document", "not_checked", "documents-unread", values)
        if not self.failed and not self.unread:
            yield self._served()

    def _served(self) -> Check:
        withdrawn = sum(1 for sha256 in self.state.roster.withdrawn if self.state.index.by_document(sha256))
        (count,) = self.state.rows("SELECT count(*) FROM papers")[0]
        values: dict[str, object] = {"count": count, "withdrawn": withdrawn}
        if self.new == count:
            return Check("document", "passed", "documents", values)
        values |= {"new": self.new, "earlier": count - self.new, "looked": self.looked}
        return Check("document", "passed", "documents-again", values)

    def _examples(self, hashes: list[str]) -> str:
        shown = []
        for sha256 in hashes[:_SHOWN]:
            acts = self.state.index.by_document(sha256)
            shown.append(f"{acts[0].ref} ({sha256[:12]}…)" if acts else sha256[:12])
        return ", ".join(shown) + (" …" if len(hashes) > _SHOWN else "")


def _glance(view: View, sha256: str, size: int) -> str | FetchError | None:
    """Look whether a document is still there, without reading much of it: its beginning, and its size where that is cheap."""
    path, begun, digest = f"documents/{sha256[:2]}/{sha256}", 0, hashlib.sha256()
    source = view.source
    try:
        with contextlib.closing(_generator(source.stream(path, limit=size))) as chunks:
            for chunk in chunks:
                begun += len(chunk)
                digest.update(chunk)
                if begun >= _GLANCE and begun < size:
                    break
            else:
                return None if digest.hexdigest() == sha256 and begun == size else "document-differs"
        if isinstance(source, FolderSource) and (source.root / path).stat().st_size != size:
            return "document-differs"
    except FetchError as error:
        return _OF_DOCUMENTS.get(error.code, error)
    except OSError:
        return "document-not-served"
    return None


def _generator(chunks: Iterator[bytes]) -> Generator[bytes]:
    """Yield ``chunks``; closed with the caller's, so that nothing stays open."""
    yield from chunks


def _problem(view: View, sha256: str, size: int) -> str | FetchError | None:
    counter: Any = _Counter()
    try:
        fetch_document(view.source, sha256, size, counter)
    except FetchError as error:
        return _OF_DOCUMENTS.get(error.code, error)
    return None if counter.size == size else "document-differs"


class _Counter:
    """A place to write to that only counts."""

    size = 0

    def write(self, data: bytes) -> int:
        """Count."""
        self.size += len(data)
        return len(data)
