"""Checking one thing in hand: a document, a proof, an evidence bundle, or what was typed from a paper.

The plan:

    1 see what was given                  a bundle, a ``.tlog-proof``, or a document (with a proof beside it or not)
    2 open the ledger, where one is named  its newest checkpoint, under the pinned policy
    3 find the acts                        from the proof, the bundle, or by the file code in the look-up
    4 judge each act                       ``case``: one verdict an act

A document that no look-up knows is *not checked*: absence is never falsehood.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
from dataclasses import replace
from pathlib import Path

from ledger.errors import FetchError, FormatError, LedgerError, NewerFormatError, ProofError
from ledger.records.entry import parse_entry
from ledger.records.numbers import fold_number
from ledger.tlog.proof import MAGIC, MAX_PROOF, Proof, parse_proof
from ledger.verifier.acts import indexes_of_number, indexes_of_ref, record_at
from ledger.verifier.bundle import Bundle, read_bundle
from ledger.verifier.case import Document, Trusted, judge_case
from ledger.verifier.client import Source, look_up
from ledger.verifier.reader import View, open_ledger
from ledger.verifier.trust import changed_keys
from ledger.verifier.unbundle import is_bundle, open_regular
from ledger.verifier.verdict import Check, Verdict, check_of, copy_check

__all__ = ["Trusted", "hash_file", "proof_origin", "read_given", "verify_file", "verify_typed"]

_SUFFIX = ".tlog-proof"


def verify_file(path: Path, *, trusted: Trusted, source: Source | None = None, proof: bytes | None = None,
                salt: Path | None = None) -> list[Verdict]:  # fmt: skip
    """Return one verdict for each act that the file at ``path`` is or belongs to, never none.

    ``proof`` is one given explicitly; otherwise ``<path>.tlog-proof`` counts, if it is there, and likewise ``salt``.

    Raises:
        FetchError: the file itself cannot be read.
        FormatError: the salt is none.
    """
    given = read_given(path, proof)  # 1
    view, before, trusted = _opened(trusted, source)  # 2
    if isinstance(given, Bundle):
        return _verify_bundle(given, path.name, trusted, view, before)
    is_proof = proof is None and (path.name.endswith(_SUFFIX) or _is_proof(path))
    document = None if is_proof else Document(path.name, hash_file(path), _read_salts(path, salt))
    if given is not None or document is None:
        return [_add_itself(_verify_proof(given or b"", path.name, trusted, view, before, document), view, document)]
    return _verify_by_code(document, trusted, view, before)


def verify_typed(view: View, trusted: Trusted, *, ref: str | None = None, number: str | None = None) -> list[Verdict]:
    """Return a verdict for each act that carries the typed reference or number, to be compared with the paper.

    Raises:
        FetchError: the look-up could not be read.
    """
    hints = indexes_of_ref(view, ref) if ref is not None else indexes_of_number(view, number or "")
    subject, verdicts = ref or number or "", []
    for index in hints:
        found = record_at(view, index)
        if found is None or (ref is not None and found[1].ref != ref):
            continue
        if number is not None and fold_number(found[1].data["number"] or "") != fold_number(number):
            continue
        verdicts.append(_verify_index(index, subject, trusted, view, (), None))
    return verdicts or [_not_found(subject, trusted, "typed-not-found", {"typed": subject})]


def read_given(path: Path, proof: bytes | None = None) -> Bundle | bytes | None:
    """Return the bundle or the proof's bytes that belong to ``path``; None for a bare document.

    Raises:
        FetchError: the file cannot be read.
        FormatError, VerificationError: a bundle that is not in order.
    """
    if proof is not None:
        return proof
    try:
        if _is_proof(path):
            return _read_small(path)
        beside = path.with_name(path.name + _SUFFIX)
        if beside.is_file():
            return _read_small(beside)
        return read_bundle(path) if _is_bundle(path) else None
    except OSError as error:
        raise FetchError(f"{path}: {error}", code="file-unreadable", path=str(path), problem=str(error.strerror)) from None


def proof_origin(given: Bundle | bytes | None) -> str | None:
    """Return the origin that a proof's or bundle's checkpoint claims, unchecked: it only chooses which pin to try."""
    note = given.checkpoint if isinstance(given, Bundle) else None
    if isinstance(given, bytes):
        try:
            note = parse_proof(given).checkpoint
        except LedgerError:
            return None
    return None if note is None else note.partition(b"\n")[0].decode("utf-8", "replace")


def hash_file(path: Path) -> str:
    """Return the hex SHA-256 of a file, read as a stream.

    Raises:
        FetchError: it cannot be read.
    """
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FetchError(f"{path}: {error}", code="file-unreadable", path=str(path), problem=str(error.strerror)) from None


def _opened(trusted: Trusted, source: Source | None) -> tuple[View | None, tuple[Check, ...], Trusted]:
    """Open the ledger, or say what kept it closed; if its keys are not the pinned ones, its roster may say since when."""
    if source is None:
        return None, (), trusted
    try:
        return open_ledger(source, trusted.policy, trusted.founding or ""), (), trusted
    except LedgerError as error:
        found = check_of("ledger", error)
        failure = replace(found, values={**found.values, "location": source.location})
        if isinstance(error, FormatError):  # nobody has signed it: a log-in page, a cut copy
            failure = replace(failure, state="not_checked", code="source-is-no-ledger")
        if error.code != "wrong-key":
            return None, (failure,), trusted
    try:
        chain, changed = changed_keys(source, trusted.policy, trusted.founding or "")
    except LedgerError:
        return None, (failure,), trusted
    name = trusted.pin.name if trusted.pin else trusted.policy.logs[0].name
    changes = Check("ledger", "not_checked", "log-keys-changed", {"n": changed, "name": name})
    return None, (changes,), replace(trusted, served=chain)


def _verify_proof(data: bytes, subject: str, trusted: Trusted, view: View | None, before: tuple[Check, ...],
                  document: Document | None) -> Verdict:  # fmt: skip
    try:
        proof = parse_proof(data)
        if proof.extra is None and view is not None:
            proof = Proof(proof.index, proof.hashes, proof.checkpoint, view.entry(proof.index))
    except LedgerError as error:
        return _stopped(subject, trusted, (*before, check_of("inclusion", error)))
    told = tuple(copy_check(one, str(one.values["location"])) if one.name == "ledger" and "location" in one.values else one
                 for one in before)  # fmt: skip
    return judge_case(trusted, proof, subject=subject, view=view, document=document, before=told, given=True)


def _add_itself(verdict: Verdict, view: View | None, document: Document | None) -> Verdict:
    """Where the proof is about another act, say which act the file itself was published with, if it is found."""
    compared = verdict.check("document")
    if view is None or document is None or compared is None or compared.state != "failed":
        return verdict
    with contextlib.suppress(LedgerError):
        for index in look_up(view.source, "sha256", document.sha256[:3], document.sha256):
            found = record_at(view, index) if index < view.size else None
            if found is not None and any(one["sha256"] == document.sha256 for one in found[1].documents):
                itself = Check("itself", "passed", "document-itself", {"index": index, "ref": found[1].ref})
                return replace(verdict, notices=(itself, *verdict.notices))
    return verdict


def _read_salts(path: Path, given: Path | None) -> tuple[bytes, ...]:
    """Return the salts of a withheld document, from the file named or all ``FILE.<ref>.salt`` beside it (docs/formats.md).

    Raises:
        FormatError: the named file holds no salt. One that lies beside by chance is passed over.
    """
    places = [given] if given else sorted(path.parent.glob(f"{glob.escape(path.name)}.*.salt"))
    found = []
    for place in places:
        try:
            salt = bytes.fromhex(json.loads(_read_small(place))["salt"])
        except OSError as error:
            problem = str(error.strerror)
            raise FetchError(f"{place}: {error}", code="file-unreadable", path=str(place), problem=problem) from None
        except (ValueError, KeyError, TypeError):
            salt = b""
        if len(salt) == 16:
            found.append(salt)
        elif given:
            raise FormatError(f"{place} is no salt", code="salt-damaged", path=str(place))
    return tuple(found)


def _verify_index(index: int, subject: str, trusted: Trusted, view: View, before: tuple[Check, ...],
                  document: Document | None) -> Verdict:  # fmt: skip
    try:
        proof = parse_proof(view.proof(index))
    except LedgerError as error:
        return _stopped(subject, trusted, (*before, check_of("inclusion", error)))
    return judge_case(trusted, proof, subject=subject, view=view, document=document, before=before)


def _verify_by_code(document: Document, trusted: Trusted, view: View | None, before: tuple[Check, ...]) -> list[Verdict]:
    """Ask the look-up for the file code; a hint that does not name the document is no evidence of anything."""
    if view is None:
        if before:
            return [_stopped(document.name, trusted, before)]
        return [_not_found(document.name, trusted, "nothing-to-check-against", {"sha256": document.sha256})]
    try:
        hints = [one for one in look_up(view.source, "sha256", document.sha256[:3], document.sha256) if one < view.size]
        found = [one for one in hints if _names(view, one, document.sha256)]
    except ProofError as error:
        return [_stopped(document.name, trusted, (check_of("inclusion", error),))]
    except FetchError as error:
        return [_stopped(document.name, trusted, (check_of("document", error),))]
    if not found:
        return [_not_found(document.name, trusted, "document-not-found", {"sha256": document.sha256})]
    return [_verify_index(one, document.name, trusted, view, before, document) for one in found]


def _names(view: View, index: int, sha256: str) -> bool:
    """Tell whether the act at ``index`` names the document; one of a later version may, and is judged as such."""
    found = record_at(view, index)
    if found is not None:
        return any(one["sha256"] == sha256 for one in found[1].documents)
    try:
        return sha256.encode("ascii") in parse_entry(view.entry(index)).envelope.payload
    except NewerFormatError:
        return True
    except FormatError:
        return False


def _verify_bundle(bundle: Bundle, subject: str, trusted: Trusted, view: View | None, before: tuple[Check, ...]) -> list[Verdict]:
    known = trusted if trusted.roster else replace(trusted, roster=bundle.roster)
    verdicts = []
    unread = (Check("bag", "not_checked", "bag-unread", {"name": name}) for name in bundle.unread)
    checks = (*before, Check("bag", "passed", "bag-holds", {"count": bundle.files}), *unread)
    for act in bundle.acts:
        name = f"{subject}: {act.index}"
        documents: list[Document | None] = [Document(one, code) for one, code in act.documents.items()]
        for document in documents or [None]:
            verdicts.append(_verify_proof(act.proof, name, known, view, checks, document))
    return verdicts or [_stopped(subject, trusted, before)]


def _not_found(subject: str, trusted: Trusted, code: str, values: dict[str, object]) -> Verdict:
    return _stopped(subject, trusted, (Check("document", "not_checked", code, values),))


def _stopped(subject: str, trusted: Trusted, checks: tuple[Check, ...]) -> Verdict:
    origin = trusted.policy.logs[0].name if trusted.policy.logs else ""
    return Verdict(subject, checks, origin=origin, founding=trusted.founding or "")


def _is_proof(path: Path) -> bool:
    with open_regular(path) as file:
        return file.read(len(MAGIC) + 1) == MAGIC.encode("ascii") + b"\n"


def _is_bundle(path: Path) -> bool:
    """A file that begins otherwise, with a bundle somewhere in it, is a document: so readers of that format see it."""
    with open_regular(path) as file:
        return is_bundle(file)


def _read_small(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read(MAX_PROOF + 1)

