"""The journal of an import: ``<file>.bening-import.jsonl``, by which a killed run goes on where it stopped.

    {"founding":"4de1…"}                                     what follows belongs to this ledger
    {"id":"c256…","line":"9b1f…","ref":"19JVNJXPQJS"}        reserved: on disk before the act is submitted
    {"id":"c256…","index":17,"line":"9b1f…"}                 published
    {"id":"c256…","line":"9b1f…","refused":["number-used"]}  refused

``line`` is the SHA-256 of the row. A reference reserved for a row is used for it again, so the same row makes the same
act, and submitting it twice publishes it once. Only the last line can be cut by a power failure; it is dropped.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from ledger.errors import UsageError

__all__ = ["Journal", "journal_path"]


def journal_path(source: Path) -> Path:
    """Return where the journal of ``source`` lies."""
    return source.with_name(source.name + ".bening-import.jsonl")


class Journal:
    """The journal of one source for one ledger: ``refs`` by line. ``write=False`` only reads it."""

    def __init__(self, source: Path, founding: str, *, write: bool) -> None:
        self.path, self.founding = journal_path(source), founding
        self.refs: dict[str, str] = {}
        self._file: int | None = self._opened() if write else None
        self._load()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def reserve(self, acts: Iterable[tuple[str, str, str]]) -> None:
        """Keep (line, ref, id) of acts that are about to be submitted; durable when this returns."""
        self._append({"line": line, "ref": ref, "id": act_id} for line, ref, act_id in acts)

    def settle(self, outcomes: Iterable[tuple[str, str, int | None, Iterable[str]]]) -> None:
        """Keep what became of acts: (line, id, index, refusal codes)."""
        self._append(
            {"line": line, "id": act_id, "index": index} if index is not None
            else {"line": line, "id": act_id, "refused": list(codes)}
            for line, act_id, index, codes in outcomes
        )  # fmt: skip

    def _opened(self) -> int:
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                raise UsageError("another import runs", code="import-running", path=str(self.path)) from None
        except OSError as error:
            raise self._unwritable(error) from None
        return handle

    def _unwritable(self, error: OSError) -> UsageError:
        values = {"path": str(self.path), "problem": str(error.strerror)}
        return UsageError(f"{self.path}: {error}", code="file-unwritable", **values)

    def _load(self) -> None:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            data = b""
        whole = data[: data.rfind(b"\n") + 1]
        if self._file is not None and whole != data:
            os.ftruncate(self._file, len(whole))
        founding = None
        for number, line in enumerate(whole.split(b"\n")[:-1], start=1):
            entry = self._parsed(line, number)
            founding = entry.get("founding", founding)
            if founding == self.founding and "ref" in entry:
                self.refs[str(entry["line"])] = str(entry["ref"])
        if self._file is not None and founding != self.founding:
            self._append([{"founding": self.founding}])

    def _parsed(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            entry = json.loads(line)
            if isinstance(entry, dict):
                return entry
        except ValueError:
            pass
        raise UsageError(f"{self.path}: line {number}", code="journal-damaged", path=str(self.path), line=number)

    def _append(self, entries: Iterable[dict[str, Any]]) -> None:
        lines = []
        for entry in entries:
            lines.append(json.dumps(entry, sort_keys=True, separators=(",", ":")))
            if "ref" in entry:
                self.refs[entry["line"]] = entry["ref"]
        if not lines or self._file is None:
            return
        try:
            data = memoryview("".join(line + "\n" for line in lines).encode("ascii"))
            while data:
                data = data[os.write(self._file, data) :]
            os.fsync(self._file)
        except OSError as error:
            raise self._unwritable(error) from None
