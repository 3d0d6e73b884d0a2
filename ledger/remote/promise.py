"""A promise held against what was sent: only what is proven here is ever told to be published.

    1 the proof's checkpoint is signed as the trusted policy asks        C2SP tlog-policy
    2 the entry's bytes stand in it, at the index that is told           inclusion proof; only now are they parsed
    3 the entry holds the very envelope that was sent                    its bytes, or the same payload and good signatures

Whoever submits gives the proof on; a site that tells a place without it, or with another act's, has promised nothing.
"""

from __future__ import annotations

from ledger.errors import LedgerError, NewerFormatError, ProofError, SignatureError
from ledger.records.entry import parse_entry
from ledger.records.envelope import Envelope, check_signature
from ledger.records.events import ROSTER_TYPE
from ledger.records.roster import Roster
from ledger.remote.answers import Told
from ledger.remote.state import RemoteState, Trust
from ledger.tlog.merkle import check_inclusion, leaf_hash
from ledger.tlog.proof import parse_proof
from ledger.words import explain

__all__ = ["check_promise"]


def check_promise(sent: Envelope, told: Told, trust: Trust, state: RemoteState, lang: str) -> None:
    """Accept that ``sent`` is published at the told index, with the told proof.

    Raises:
        ProofError: ``site-unproven``: it was not shown to be; what was told counts for nothing.
        NewerFormatError: a later version's proof or entry; it cannot be judged here.
        FetchError: the roster that would tell could not be read.
    """
    try:
        envelope = _proven(told, trust)
        _check_same(sent, envelope, state)
    except NewerFormatError:
        raise
    except LedgerError as error:
        if error.code.startswith(("site-", "fetch")):
            raise
        values: dict[str, object] = {"where": state.client.url, "id": sent.id[:16], "problem": explain(error, lang)}
        raise ProofError(f"{sent.id}: {error}", code="site-unproven", **values) from None


def _proven(told: Told, trust: Trust) -> Envelope:
    """Return the envelope of the entry that the proof leads to."""
    if told.proof is None or told.index is None:
        raise ProofError("no proof", code="promise-empty")
    proof = parse_proof(told.proof)
    opened = trust.check(proof.checkpoint)
    if proof.extra is None:
        raise ProofError("no entry in the proof", code="promise-empty")
    size, root = opened.checkpoint.size, opened.checkpoint.root
    check_inclusion(proof.hashes, index=proof.index, size=size, leaf=leaf_hash(proof.extra), root=root)
    if proof.index != told.index:
        values = {"told": told.index, "index": proof.index}
        raise ProofError(f"{told.index} told, {proof.index} proven", code="promise-other-place", **values)
    return parse_entry(proof.extra).envelope


def _check_same(sent: Envelope, found: Envelope, state: RemoteState) -> None:
    """Accept ``found`` as the envelope that was sent.

    The same payload may have been published before with other signature bytes (a roster event also by other keys): then
    those must hold.

    Raises:
        ProofError: ``promise-other-act``.
        SignatureError: the signatures that were published do not hold.
    """
    if found == sent:
        return
    if (found.payload_type, found.payload) != (sent.payload_type, sent.payload):
        raise ProofError(f"{found.id}, not {sent.id}", code="promise-other-act", id=found.id[:16], expected=sent.id[:16])
    if sent.payload_type == ROSTER_TYPE:
        state.roster  # noqa: B018 (replayed, with every signature; only then is its chain believed)
        if found not in state.chain:
            raise SignatureError("not as in the roster")
        return
    _check_signed(sent, found, state.roster)


def _check_signed(sent: Envelope, found: Envelope, roster: Roster) -> None:
    if [one.keyid for one in found.signatures] != [one.keyid for one in sent.signatures]:
        raise SignatureError("signed by others")
    for one in found.signatures:
        enrolment = roster.enrolments.get(one.keyid)
        if enrolment is None:
            raise SignatureError(f"key {one.keyid} is not enrolled")
        check_signature(found, one, enrolment.key)


