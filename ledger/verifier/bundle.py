"""Evidence bundles: one ``.zip`` in BagIt layout (RFC 8493) for one act or many, which a court can check without Bening.

    bening/bagit.txt  bag-info.txt  manifest-sha256.txt  tagmanifest-sha256.txt
    bening/data/README.txt  policy  policy-ed25519  checkpoint  roster.jsonl
    bening/data/acts/<index>/entry.json  record.json  proof.tlog-proof  signature-<keyid8>.bin  key-<keyid8>.pem
                             documents/<file code 8>-<name>  not-included.json

The same acts of the same checkpoint make the same bytes (stored, not packed; times fixed). A bundle from somebody else is
read by ``unbundle`` without writing anything to the disk, and each of its files is held against the proofs (``bag_content``).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from ledger.errors import StoreError, UsageError
from ledger.records import canonical
from ledger.records.envelope import dump_envelope
from ledger.records.record import Record
from ledger.records.roster import Roster
from ledger.verifier.acts import indexes_of_ref, record_at
from ledger.verifier.bag_content import document_name, left_out
from ledger.verifier.bag_readme import BAGIT, bag_info, readme
from ledger.verifier.client import MAX_POLICY, fetch_document, fetch_policy
from ledger.verifier.reader import View
from ledger.verifier.unbundle import Bundle, BundledAct, read_bundle

__all__ = ["Bundle", "BundledAct", "make_bundle", "read_bundle", "related"]

ROOT = "bening"
MAX_RELATED = 2_000
_EPOCH = (1980, 1, 1, 0, 0, 0)
_CHUNK = 1 << 20


def make_bundle(view: View, indexes: Iterable[int], out: Path) -> list[int]:
    """Write the evidence for the acts at ``indexes`` to ``out``, in one step; return the indexes, ascending.

    Raises:
        UsageError: an index that is no act.
        ProofError, FetchError: the ledger could not be read, or does not hold.
        StoreError: ``out`` cannot be written.
    """
    chosen = sorted(set(indexes))
    beside = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    try:
        with open(beside, "xb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                _write_bag(_Bag(archive), view, chosen)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, out)
    except OSError as error:
        raise StoreError(f"{out}: {error}", code="cannot-write", path=str(out), problem=str(error.strerror)) from None
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
    return chosen


def related(view: View, indexes: Iterable[int]) -> list[int]:
    """Return ``indexes`` and the acts that they name or that name them, and so on.

    Raises:
        UsageError: more than ``MAX_RELATED`` acts hang together.
        FetchError: the look-up could not be read.
    """
    waiting, found, asked = sorted(set(indexes)), set[int](), set[str]()
    while waiting:
        index = waiting.pop()
        act = record_at(view, index)
        if index in found or act is None:
            continue
        found.add(index)
        if len(found) > MAX_RELATED:
            raise UsageError(f"more than {MAX_RELATED} acts", code="too-many-related", limit=MAX_RELATED)
        for ref in {act[1].ref, *(one["ref"] for one in act[1].relations if "ref" in one)} - asked:
            asked.add(ref)
            waiting += [hint for hint in indexes_of_ref(view, ref) if hint not in found and _concerns(view, hint, ref)]
    return sorted(found)


def _concerns(view: View, index: int, ref: str) -> bool:
    act = record_at(view, index)
    return act is not None and (act[1].ref == ref or any(one.get("ref") == ref for one in act[1].relations))


class _Bag:
    """A bag being written: every payload file's hash is kept for the manifest."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive, self.hashes, self.size = archive, dict[str, str](), 0

    def put(self, path: str, data: bytes) -> None:
        """Write a small file."""
        self.archive.writestr(_info(path), data)
        self._note(path, hashlib.sha256(data).hexdigest(), len(data))

    def copy(self, path: str, file: IO[bytes], sha256: str, size: int) -> None:
        """Write a file of any size whose hash is known."""
        info = _info(path)
        info.file_size = size
        with self.archive.open(info, "w") as member:
            while chunk := file.read(_CHUNK):
                member.write(chunk)
        self._note(path, sha256, size)

    def _note(self, path: str, sha256: str, size: int) -> None:
        self.hashes[path], self.size = sha256, self.size + size

    def manifest(self, *, of_data: bool) -> bytes:
        """Return the manifest of the payload, or of the tag files."""
        chosen = (path for path in sorted(self.hashes) if path.startswith("data/") == of_data)
        return "".join(f"{self.hashes[path]}  {path}\n" for path in chosen).encode("utf-8")


def _info(path: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(f"{ROOT}/{path}", _EPOCH)
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    info.create_system = 3
    return info


def _write_bag(bag: _Bag, view: View, indexes: list[int]) -> None:
    rosters = view.rosters()
    bag.put("data/README.txt", readme(view.checkpoint.origin, len(indexes)))
    bag.put("data/policy", fetch_policy(view.source))
    bag.put("data/policy-ed25519", view.source.fetch("policy-ed25519", limit=MAX_POLICY))
    bag.put("data/checkpoint", view.note)
    bag.put("data/roster.jsonl", b"".join(dump_envelope(one) + b"\n" for one in view.envelopes()))
    for index in indexes:
        _put_act(bag, view, rosters, index)
    _put_tags(bag, len(indexes))


def _put_tags(bag: _Bag, count: int) -> None:
    files = sum(path.startswith("data/") for path in bag.hashes)
    size = bag.size
    bag.put("bagit.txt", BAGIT)
    bag.put("bag-info.txt", bag_info(count, size, files))
    bag.put("manifest-sha256.txt", bag.manifest(of_data=True))
    bag.put("tagmanifest-sha256.txt", bag.manifest(of_data=False))


def _put_act(bag: _Bag, view: View, rosters: list[Roster], index: int) -> None:
    found = record_at(view, index)
    if found is None:
        raise UsageError(f"entry {index} is no act", code="not-an-act", index=index)
    entry, record = found
    folder = f"data/acts/{index}"
    bag.put(f"{folder}/entry.json", view.entry(index))
    bag.put(f"{folder}/record.json", record.payload)
    bag.put(f"{folder}/proof.tlog-proof", view.proof(index))
    roster = next((one for one in rosters if one.hash == entry.roster), rosters[-1])
    for signature in entry.envelope.signatures:
        enrolment = roster.enrolments.get(signature.keyid)
        if enrolment is not None:
            bag.put(f"{folder}/signature-{signature.keyid[:8]}.bin", signature.sig)
            bag.put(f"{folder}/key-{signature.keyid[:8]}.pem", enrolment.key.pem().encode("ascii"))
    _put_documents(bag, view, rosters[-1], record, folder)


def _put_documents(bag: _Bag, view: View, newest: Roster, record: Record, folder: str) -> None:
    for document in record.documents:
        if document["sha256"] not in newest.withdrawn:
            _put_document(bag, view, document, folder)
    missing = left_out(record.data["documents"], newest.withdrawn)
    if missing:
        bag.put(f"{folder}/not-included.json", canonical.dump(missing) + b"\n")


def _put_document(bag: _Bag, view: View, document: dict[str, Any], folder: str) -> None:
    sha256, size = document["sha256"], document["size"]
    with tempfile.SpooledTemporaryFile(max_size=_CHUNK) as file:
        fetch_document(view.source, sha256, size, file)  # type: ignore[arg-type]
        file.seek(0)
        bag.copy(f"{folder}/documents/{document_name(document)}", file, sha256, size)
