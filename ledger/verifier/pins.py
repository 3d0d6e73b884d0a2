"""The files of pinned ledgers: read back as they were written, written in one step, and damage told as damage.

``trust`` says what they are and decides what gets into them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import FormatError, LedgerError, PolicyError, StoreError
from ledger.records.envelope import Envelope
from ledger.records.roster import replay_roster
from ledger.tlog.checkpoint import Checkpoint, parse_checkpoint
from ledger.tlog.cosignature import open_checkpoint
from ledger.tlog.note import format_vkey, parse_note, parse_vkey
from ledger.tlog.policy import LOG_PQ, Policy, parse_policy
from ledger.verifier.client import roster_lines

__all__ = ["FOUNDING", "NAME", "Pin", "cannot_write", "keep_evidence", "load_pin", "load_pins", "origin_of", "sync_folder",
           "vkeys_of", "write_file"]  # fmt: skip

FOUNDING = re.compile(r"[0-9a-f]{64}", re.ASCII)
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Pin:
    """A pinned ledger in its ``folder``; ``roster`` and ``note`` (a checkpoint) are what was seen last, if anything."""

    name: str
    folder: Path
    policy_file: bytes
    policy: Policy
    founding: str
    location: str | None = None
    roster: tuple[Envelope, ...] = ()
    note: bytes | None = None

    @property
    def origin(self) -> str:
        """The log's name."""
        return origin_of(self.policy)

    @property
    def vkeys(self) -> tuple[str, ...]:
        """The log's keys: Ed25519, then ML-DSA-44 where the policy has it."""
        return vkeys_of(self.policy)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest checkpoint seen."""
        return None if self.note is None else parse_checkpoint(parse_note(self.note).text)


def load_pins(trust: Path) -> list[Pin]:
    """Return the pinned ledgers, by name."""
    if not trust.is_dir():
        return []
    folders = sorted(path for path in trust.iterdir() if path.is_dir() and NAME.fullmatch(path.name))
    return [load_pin(folder) for folder in folders]


def load_pin(folder: Path) -> Pin:
    """Return one pinned ledger.

    Raises:
        StoreError: code ``trust-damaged``: a file here cannot be read as what was written.
    """
    try:
        data = (folder / "policy").read_bytes()
        policy, founding = parse_policy(data), (folder / "founding").read_text("ascii").removesuffix("\n")
        location, roster, note = (_read(folder / name) for name in ("location", "roster.jsonl", "checkpoint"))
        place = None if location is None else location.decode("utf-8").removesuffix("\n")
        if not FOUNDING.fullmatch(founding) or (place is not None and not place.isprintable()):
            raise FormatError("the founding is not 64 hex digits, or the location no text")
        envelopes = tuple(roster_lines(roster)) if roster is not None else ()
        pin = Pin(folder.name, folder, data, policy, founding, place, envelopes, note)
        _ = pin.origin, pin.checkpoint
        _check_note(pin)
    except (OSError, UnicodeDecodeError, LedgerError) as error:
        raise StoreError(f"{folder}: {error}", code="trust-damaged", path=str(folder), problem=str(error)) from None
    return pin


def origin_of(policy: Policy) -> str:
    """Return the name of the policy's one log.

    Raises:
        PolicyError: it has none, or several.
    """
    names = {key.name for key in policy.logs}
    if len(names) != 1:
        raise PolicyError("a policy of a ledger names exactly one log", code="not-one-log")
    return names.pop()


def vkeys_of(policy: Policy) -> tuple[str, ...]:
    """Return the vkeys of the policy's log: Ed25519, then ML-DSA-44 where it is named."""
    post_quantum = policy.witnesses.get(LOG_PQ)
    keys = [*policy.logs, *([post_quantum.key] if post_quantum is not None and post_quantum.key is not None else [])]
    return tuple(format_vkey(key) for key in keys)


def keep_evidence(pin: Pin, *notes: bytes) -> bool:
    """Keep signed checkpoints that contradict the newest one seen, together with it; return whether all are kept.

    Raises nothing where they cannot be written: that must never take the place of the contradiction itself.
    """
    folder, kept = pin.folder / "evidence", 0
    wanted = [one for one in (pin.note, *notes) if one is not None]
    for one in wanted:
        with contextlib.suppress(OSError, StoreError):
            folder.mkdir(exist_ok=True)
            size = parse_checkpoint(parse_note(one).text).size
            write_file(folder / f"{size}-{hashlib.sha256(one).hexdigest()[:16]}.checkpoint", one)
            kept += 1
    return kept == len(wanted)


def _check_note(pin: Pin) -> None:
    """Require the log's signature on the checkpoint that was kept, by the pinned keys or others that the kept roster names.

    Witnesses are not asked for: the policy may have got them since. Without this a flipped bit here would accuse the log.

    Raises:
        LedgerError: it is not signed, or the roster that would name its keys is damaged.
    """
    if pin.note is None:
        return
    note = parse_note(pin.note)
    try:
        open_checkpoint(note, list(map(parse_vkey, pin.vkeys)))
    except PolicyError:
        if not pin.roster:
            raise
        named = replay_roster(list(pin.roster), founding=pin.founding)[-1].log_keys
        open_checkpoint(note, [parse_vkey(one) for keys in named for one in keys.vkeys])


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def write_file(path: Path, data: bytes) -> None:
    """Replace a file in one step. The name beside it is drawn at random: two checks may run at once, under no lock."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(beside, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise cannot_write(path, error) from None


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cannot_write(path: Path, error: OSError) -> StoreError:
    """Return the error of a file that this machine does not let us write."""
    return StoreError(f"{path}: {error}", code="cannot-write", path=str(path), problem=str(error.strerror))
