"""What an evidence bundle must hold: each file that a person may open there follows, byte for byte, from the proven bytes.

A bundle's manifest can be written by anybody. So every file is derived again: an act's folder from its proof (``extra`` is
the entry: record, signatures, document hashes) and from the withdrawals of the roster chain, the rest from the checkpoint.
Whether those proofs and that chain hold is judged afterwards, by ``case``; nothing here is trusted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.errors import AdmissionError, FormatError, LedgerError, NewerFormatError
from ledger.keys import PublicKey
from ledger.records import canonical
from ledger.records.entry import Entry, parse_entry
from ledger.records.envelope import Envelope
from ledger.records.events import MAX_ROSTER, ROSTER_TYPE
from ledger.records.record import parse_record
from ledger.tlog.encoding import parse_base64
from ledger.tlog.policy import Policy, parse_policy, policy_founding
from ledger.tlog.proof import Proof, parse_proof
from ledger.verifier.pins import vkeys_of

__all__ = ["ChainFacts", "chain_facts", "check_act", "check_policies", "document_name", "left_out", "sha256_of", "withdrawals"]

_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/=]{60})\n-----END PUBLIC KEY-----\n")


def sha256_of(data: bytes) -> str:
    """Return the hex SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def document_name(document: Mapping[str, Any]) -> str:
    """Return the name that a record's document has in a bundle."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", document["name"])[-100:]
    return f"{document['sha256'][:8]}-{plain}"


def left_out(documents: Iterable[dict[str, Any]], withdrawn: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what ``not-included.json`` says: the withheld documents, and the withdrawn ones with law and reason."""
    found = []
    for document in documents:
        event = withdrawn.get(document.get("sha256", ""))
        if "withheld" in document:
            found.append(document)
        elif event is not None:
            found.append({**document, "withdrawn": {"law": event["law"], "reason": event["reason"]}})
    return found


def withdrawals(roster: Iterable[Envelope]) -> dict[str, dict[str, Any]]:
    """Return the ``withdraw`` events of an unjudged chain by document hash, the last one of each.

    Raises:
        FormatError: a payload is no canonical JSON.
    """
    whole = (one for one in _events(roster, "withdraw") if all(type(one.get(key)) is str for key in ("sha256", "law", "reason")))
    return {event["sha256"]: event for event in whole}


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """What an act's files depend on in an unjudged roster chain; ``enrolled``: key ids after each payload, by its hash."""

    withdrawn: Mapping[str, Mapping[str, Any]]
    enrolled: Mapping[str, frozenset[str]]

    def enrolled_by(self, roster: str) -> frozenset[str]:
        """Return the key ids enrolled up to the payload of that hash, or in the whole chain where it is not there."""
        if roster in self.enrolled:
            return self.enrolled[roster]
        return frozenset().union(*self.enrolled.values())


def chain_facts(roster: Sequence[Envelope]) -> ChainFacts:
    """Return what the files of acts depend on in ``roster``.

    Raises:
        FormatError: a payload is no canonical JSON, or a key is no base64.
    """
    enrolled: dict[str, frozenset[str]] = {}
    known: frozenset[str] = frozenset()
    for envelope in roster:
        keys = [event["key"] for event in _events([envelope], "enrol") if type(event.get("key")) is str]
        known = enrolled[envelope.id] = known | {sha256_of(parse_base64(key)) for key in keys}
    return ChainFacts(withdrawals(roster), enrolled)


def check_act(index: int, proof_file: bytes, hashes: Mapping[str, str], keys: Mapping[str, bytes],
              chain: ChainFacts, checkpoint: bytes) -> None:  # fmt: skip
    """Accept the folder of one act: ``hashes`` are the SHA-256 of its files by name, ``keys`` the bytes of the key files.

    Raises:
        FormatError: a file that does not follow from the proof, or one that is missing.
        NewerFormatError: a later version's proof or entry.
    """
    folder = f"data/acts/{index}"
    proof = parse_proof(proof_file)
    entry = _entry_of(proof, index, checkpoint, folder)
    wanted = {"proof.tlog-proof": sha256_of(proof_file), "entry.json": sha256_of(proof.extra or b"")}
    wanted["record.json"] = sha256_of(entry.envelope.payload)
    wanted |= _documents(entry, hashes, chain.withdrawn)
    wanted |= _signatures(entry, keys, hashes, folder, chain.enrolled_by(entry.roster))
    for name in hashes.keys() - wanted.keys():
        raise _unknown(f"{folder}/{name}")
    for name, code in wanted.items():
        if name not in hashes and name.startswith("documents/"):
            raise FormatError(f"{folder}/{name} is missing", code="bundle-document-missing", name=name, index=index)
        if name not in hashes:
            raise FormatError(f"{folder}/{name} is missing", code="bundle-incomplete", name=f"{folder}/{name}")
        if hashes[name] != code:
            raise _not_proven(f"{folder}/{name}")


def check_policies(policy: bytes, ed25519: bytes, checkpoint: bytes, roster: Sequence[Envelope]) -> None:
    """Accept both policies: of this chain's founding, with log keys that it announced, and satisfied by the checkpoint.

    Raises:
        FormatError: another founding, other keys, or the checkpoint is not accepted (code ``bundle-other-policy``).
        NewerFormatError: keys of a type that is not known here.
    """
    announced = _announced(roster)
    for name, data in (("data/policy", policy), ("data/policy-ed25519", ed25519)):
        try:
            found = parse_policy(data)
            found.check(checkpoint)
        except NewerFormatError:
            raise
        except LedgerError as error:
            raise _other_policy(name, str(error)) from None
        if not roster or policy_founding(data) != roster[0].id:
            raise _other_policy(name, "another founding")
        if not any(set(vkeys_of(found)) <= keys for keys in announced):
            raise _other_policy(name, "log keys that the roster does not name")
    if _logs(parse_policy(policy)) != _logs(parse_policy(ed25519)):
        raise _other_policy("data/policy-ed25519", "another log key than in policy")


def _entry_of(proof: Proof, index: int, checkpoint: bytes, folder: str) -> Entry:
    """Return the entry that the proof carries, if the proof stands where it belongs."""
    if proof.extra is None:
        raise FormatError("a proof without its entry", code="bundle-incomplete", name=f"{folder}/entry.json")
    if proof.index != index:
        raise _not_proven(folder)
    if proof.checkpoint != checkpoint:
        raise _not_proven("data/checkpoint")
    entry = parse_entry(proof.extra)
    if entry.envelope.payload_type == ROSTER_TYPE:
        raise _unknown(folder)
    return entry


def _documents(entry: Entry, hashes: Mapping[str, str], withdrawn: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the documents that belong to the record; one that cannot be read here is never judged true, so any will do."""
    try:
        record = parse_record(entry.envelope.payload)
    except (FormatError, NewerFormatError, AdmissionError):
        return {name: code for name, code in hashes.items() if name.startswith("documents/") or name == "not-included.json"}
    missing = left_out(record.data["documents"], withdrawn)
    found = {"not-included.json": sha256_of(canonical.dump(missing) + b"\n")} if missing else {}
    there = (one for one in record.documents if one["sha256"] not in withdrawn)
    return found | {f"documents/{document_name(one)}": one["sha256"] for one in there}


def _signatures(entry: Entry, keys: Mapping[str, bytes], hashes: Mapping[str, str], folder: str,
                enrolled: frozenset[str]) -> dict[str, str]:  # fmt: skip
    """Return signature and key of each signer; a key that was never enrolled has neither, which ``case`` tells."""
    found: dict[str, str] = {}
    for one in entry.envelope.signatures:
        signature, key = f"signature-{one.keyid[:8]}.bin", f"key-{one.keyid[:8]}.pem"
        if signature not in hashes and key not in hashes and one.keyid not in enrolled:
            continue
        found[signature] = sha256_of(one.sig)
        found[key] = hashes.get(key, "")
        if key in hashes and _keyid(keys[key]) != one.keyid:
            raise _not_proven(f"{folder}/{key}")
    return found


def _keyid(pem: bytes) -> str | None:
    """Return the keyid of a key in exactly the form that ``PublicKey.pem`` writes."""
    found = _PEM.fullmatch(pem)
    try:
        return PublicKey.from_spki(parse_base64(found[1])).keyid if found else None
    except FormatError:
        return None


def _announced(roster: Iterable[Envelope]) -> list[set[str]]:
    """Return each pair of log keys that the chain names."""
    logs = [*_events(roster, "log_key"), *(event.get("log") for event in _events(roster, "founding"))]
    pairs = [one.get("vkeys") for one in logs if type(one) is dict]
    return [set(pair) for pair in pairs if type(pair) is list and all(type(one) is str for one in pair)]


def _events(roster: Iterable[Envelope], kind: str) -> Iterator[dict[str, Any]]:
    for envelope in roster:
        payload = canonical.parse(envelope.payload, limit=MAX_ROSTER)
        events = payload.get("events") if type(payload) is dict else None
        for event in events if type(events) is list else ():
            if type(event) is dict and event.get("event") == kind:
                yield event


def _logs(policy: Policy) -> set[bytes]:
    return {key.key for key in policy.logs}


def _unknown(name: str) -> FormatError:
    return FormatError(f"{name} belongs to no proof", code="bundle-unknown-file", name=name[:200])


def _not_proven(name: str) -> FormatError:
    return FormatError(f"{name} is not what the proof proves", code="bundle-not-proven", name=name[:200])


def _other_policy(name: str, why: str) -> FormatError:
    return FormatError(f"{name}: {why}", code="bundle-other-policy", name=name, problem=why)
