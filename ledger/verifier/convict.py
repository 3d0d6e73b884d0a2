"""Making a conviction from two signed heads of a log, and judging one that somebody hands over.

``tlog.conviction`` says what convicts. Here is what it needs from this side of the wall: the tree of the larger head, read
from tiles or from an audit's own leaves; and the reader's pins, which alone say whose keys those in a file are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from ledger.errors import FetchError, LedgerError, NewerFormatError, PolicyError, SignatureError
from ledger.records.roster import Roster, replay_roster
from ledger.tlog.conviction import (
    LOG_TYPES,
    MAGIC,
    MAX_CONVICTION,
    OTHER_HISTORY,
    SAME_SIZE,
    TIME_ORDER,
    Conviction,
    Counts,
    Head,
    check_conviction,
    format_conviction,
    open_heads,
    parse_conviction,
)
from ledger.tlog.cosignature import open_checkpoint
from ledger.tlog.merkle import ReadHashes, fold, prove_consistency, subtrees
from ledger.tlog.note import Note, VerifierKey, format_vkey, parse_note, parse_vkey
from ledger.tlog.policy import Policy
from ledger.verifier.case import Trusted
from ledger.verifier.logkeys import names_keys_of, size_of
from ledger.verifier.pins import vkeys_of
from ledger.verifier.unbundle import open_regular
from ledger.verifier.verdict import Check, Verdict, check_of

__all__ = ["is_conviction", "judge_conviction", "log_keys_of", "make_conviction", "read_conviction"]

_REQUIRED = ("conviction", "keys")


def make_conviction(
    first: bytes, second: bytes, keys: Iterable[VerifierKey], read: ReadHashes | None = None
) -> Conviction | None:
    """Return the strongest conviction by two heads of one log, in whichever order they are given; None if there is none.

    ``keys`` are the log's, of whatever time; ``read`` reads the tree of the larger head, without which a longer history
    is not told from another one. Costs two proofs' hashes. Raises nothing: what cannot be read convicts nobody.
    """
    try:
        small, large = sorted((first, second), key=size_of)
        signers = _signers((parse_note(small), parse_note(large)), keys)
        sizes = size_of(small), size_of(large)
    except LedgerError:
        return None
    found = [Conviction(SAME_SIZE, signers, (), first, second)]
    if read is not None and 1 <= sizes[0] < sizes[1]:
        with contextlib.suppress(LedgerError):
            found.append(Conviction(OTHER_HISTORY, signers, _growth(*sizes, read), small, large))
    found.append(Conviction(TIME_ORDER, signers, (), large, small))
    return next((one for one in found if _convicts(one) and _can_be_written(one)), None)


def log_keys_of(policy: Policy, roster: Roster | None = None) -> list[VerifierKey]:
    """Return the log's keys: those of ``policy``, then those that ``roster`` names for whatever size."""
    named = [] if roster is None else [vkey for keys in roster.log_keys for vkey in keys.vkeys]
    found = []
    for vkey in dict.fromkeys([*vkeys_of(policy), *named]):
        with contextlib.suppress(NewerFormatError):
            found.append(parse_vkey(vkey))
    return [key for key in found if key.algorithm in LOG_TYPES]


def is_conviction(path: Path) -> bool:
    """Tell whether the file at ``path`` begins as a conviction, of this version or a later one.

    Raises:
        FetchError: it cannot be read.
    """
    begin = MAGIC.rpartition("@")[0].encode("ascii") + b"@"
    return read_conviction(path, len(begin)) == begin


def read_conviction(path: Path, limit: int = MAX_CONVICTION + 1) -> bytes:
    """Return the bytes of a file, ``limit`` of them at most.

    Raises:
        FetchError: it cannot be read.
    """
    try:
        with open_regular(path) as file:
            return file.read(limit)
    except OSError as error:
        raise FetchError(f"{path}: {error}", code="file-unreadable", path=str(path), problem=str(error.strerror)) from None


def judge_conviction(data: bytes, subject: str, readers: Sequence[Trusted]) -> Verdict:
    """Return the verdict on a conviction: whether it convicts (check ``conviction``), and the keys of whom (check ``keys``).

    ``readers`` are the pins or policies that the reader trusts: of one of them a key must be that signed each head.
    """
    try:
        conviction = parse_conviction(data)
        check_conviction(conviction)
        heads = open_heads(conviction)
    except LedgerError as error:
        return Verdict(subject, (check_of("conviction", error),), required=_REQUIRED)
    name, sizes = heads[0].checkpoint.origin, [one.checkpoint.size for one in heads]
    values: dict[str, object] = {"name": name, "first": sizes[0], "second": sizes[1]}
    checks = [Check("conviction", "passed", f"convicts-{conviction.kind}", values), *map(_signed, heads)]
    known = next((one for one in readers if _convicts(conviction, _counting(one))), None)
    if known is None:
        keys = ", ".join(map(_short, conviction.keys))
        checks.append(Check("keys", "not_checked", "convicted-unpinned", {"name": name, "keys": keys}))
    else:
        checks.append(Check("keys", "passed", "convicted-pinned", {"name": known.pin.name if known.pin else name}))
    founding = (known.founding or "") if known else ""
    return Verdict(subject, tuple(checks), origin=name, founding=founding, required=_REQUIRED)


def _signers(notes: Sequence[Note], keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Return the keys that signed one of the notes; one under whose name a note carries something else proves nothing."""
    found = []
    for key in keys:
        held = [_held(note, key) for note in notes]
        if True in held and None not in held:
            found.append(key)
    return tuple(found)


def _held(note: Note, key: VerifierKey) -> bool | None:
    """Tell whether ``key`` signed ``note``; None where its line there does not hold or cannot be judged."""
    try:
        open_checkpoint(note, [key])
    except PolicyError:
        return False
    except (SignatureError, NewerFormatError):
        return None
    return True


def _growth(old: int, new: int, read: ReadHashes) -> tuple[bytes, ...]:
    """Return the root of the first ``old`` leaves of the tree of ``new``, and the consistency proof from there."""
    return fold(read(subtrees(0, old))), *prove_consistency(old, new, read)


def _convicts(conviction: Conviction, counts: Counts | None = None) -> bool:
    try:
        check_conviction(conviction, counts)
    except LedgerError:
        return False
    return True


def _can_be_written(conviction: Conviction) -> bool:
    try:
        format_conviction(conviction)
    except LedgerError:
        return False
    return True


def _counting(trusted: Trusted) -> Counts:
    """Return which keys are those of a reader's ledger: by the roster that names them at a size, else by the policy alone."""
    mine, rosters = set(vkeys_of(trusted.policy)), _rosters(trusted)
    if not rosters:
        return lambda key, size: format_vkey(key) in mine
    return lambda key, size: any(format_vkey(key) in keys.vkeys for keys in rosters[-1].log_keys_at(size))


def _rosters(trusted: Trusted) -> list[Roster]:
    """Return the longest known chain that the founding's authority signed and that knows the policy's keys; or none."""
    found: list[Roster] = []
    for chain in (trusted.roster, trusted.pin.roster if trusted.pin else ()):
        with contextlib.suppress(LedgerError):
            rosters = replay_roster(list(chain), founding=trusted.founding or "") if chain else []
            if len(rosters) > len(found) and names_keys_of(trusted.policy, rosters):
                found = rosters
    return found


def _signed(head: Head) -> Check:
    keys = ", ".join(map(_short, head.signed))
    return Check("signed", "passed", "convicted-signed", {"size": head.checkpoint.size, "keys": keys})


def _short(key: VerifierKey) -> str:
    """Return name, id and kind of a key: a whole ML-DSA-44 key would fill a screen."""
    return f"{key.name}+{key.key_id.hex()} ({'Ed25519' if key.algorithm == LOG_TYPES[0] else 'ML-DSA-44'})"
