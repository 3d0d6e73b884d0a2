"""Trust policies: C2SP tlog-policy, and the one form of it that a Bening ledger publishes.

    # bening founding 9b1d…                    the ledger's identity; a comment for other readers
    log ledger.example/city+1f0c…+AQ…          exactly one log line, Ed25519, as other readers refuse another type
    witness log-pq ledger.example/city+…+Bg…   the log's post-quantum key: *and*, not *or*, so it stands as a witness
    witness kpk kpk.example/w+…+BA…
    group witnesses 1 kpk
    group quorum all log-pq witnesses
    quorum quorum

A checkpoint is good if a listed log has signed it and the quorum has cosigned it. ``log-pq`` is never shown as a witness.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from ledger.errors import FormatError, NewerFormatError, PolicyError
from ledger.tlog.checkpoint import Checkpoint, parse_checkpoint
from ledger.tlog.cosignature import open_checkpoint
from ledger.tlog.encoding import parse_decimal
from ledger.tlog.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    Note,
    VerifierKey,
    format_vkey,
    parse_note,
    parse_vkey,
)

__all__ = [
    "LOG_PQ",
    "Group",
    "Opened",
    "Policy",
    "Witness",
    "format_policy",
    "format_policy_ed25519",
    "parse_policy",
    "policy_founding",
]

LOG_PQ = "log-pq"
MAX_POLICY = 256 * 1024  # 64 logs and witnesses with ML-DSA-44 keys, which tlog-policy wants to be possible, take half of it
_LOG_TYPES = (ED25519, COSIGNATURE_MLDSA44)
_WITNESS_TYPES = (COSIGNATURE_ED25519, COSIGNATURE_MLDSA44)
_FOUNDING = re.compile(rb"^# bening founding ([0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness of a policy; ``key`` is None where its signature type is not known here, so that it can never count."""

    name: str
    key: VerifierKey | None
    url: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """``needed`` of ``members``, each a witness or an earlier group."""

    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """A checkpoint that a policy accepts: who signed (``log_key``), and which witnesses cosigned when (POSIX seconds)."""

    checkpoint: Checkpoint
    note: Note
    log_key: VerifierKey
    cosigned: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Policy:
    """Logs, witnesses and the quorum: a name of a witness or group, or None for none."""

    logs: tuple[VerifierKey, ...]
    witnesses: Mapping[str, Witness]
    groups: Mapping[str, Group]
    quorum: str | None
    urls: Mapping[str, str] = field(default_factory=dict)

    def check(self, data: bytes) -> Opened:
        """Return the checkpoint in the signed note ``data`` if this policy accepts it.

        Raises:
            FormatError: not a checkpoint.
            SignatureError: a known key's signature does not hold.
            PolicyError: another log (``other-origin``), not signed by its key (``wrong-key``), or no quorum (``no-quorum``).
            NewerFormatError: the quorum hangs on witnesses whose signature type is not known here.
        """
        note = parse_note(data)
        checkpoint = parse_checkpoint(note.text)
        logs = [key for key in self.logs if key.name == checkpoint.origin]
        if not logs:
            raise PolicyError(
                f"a checkpoint of {checkpoint.origin}",
                code="other-origin", origin=checkpoint.origin, expected=", ".join(key.name for key in self.logs),
            )  # fmt: skip
        witnesses = {one.key: name for name, one in self.witnesses.items() if one.key is not None}
        opened = open_checkpoint(note, [*logs, *witnesses])
        log_key = next((key for key in logs if key in opened), None)
        if log_key is None:
            raise PolicyError(f"not signed by {checkpoint.origin}", code="wrong-key", origin=checkpoint.origin)
        cosigned = {witnesses[key]: time for key, time in opened.items() if key in witnesses}
        if not self.is_quorum(cosigned):
            self._refuse(cosigned)
        return Opened(checkpoint, note, log_key, cosigned)

    def is_quorum(self, cosigned: Iterable[str]) -> bool:
        """Tell whether these witnesses are a quorum. Groups name only earlier ones: one pass in their order is enough."""
        witnessed = set(cosigned)
        for name, group in self.groups.items():
            if sum(member in witnessed for member in group.members) >= group.needed:
                witnessed.add(name)
        return self.quorum is None or self.quorum in witnessed

    def _refuse(self, cosigned: Mapping[str, int | None]) -> NoReturn:
        """Raise what keeps the quorum from being reached."""
        unknown = [name for name, one in self.witnesses.items() if one.key is None]
        if unknown and self.is_quorum([*cosigned, *unknown]):
            raise NewerFormatError(f"the quorum needs keys of a newer type: {', '.join(unknown)}")
        if LOG_PQ in self.witnesses and LOG_PQ not in cosigned:
            raise PolicyError("the log's post-quantum signature is missing", code="wrong-key")
        raise PolicyError(f"cosigned by {', '.join(cosigned) or 'nobody'}", code="no-quorum", count=len(cosigned))


def parse_policy(data: bytes) -> Policy:
    """Return the policy in ``data``.

    Raises:
        FormatError: not a policy, or one that could be read in two ways.
        NewerFormatError: a log key of a signature type that is not known here.
    """
    if len(data) > MAX_POLICY:
        raise FormatError(f"a policy of {len(data)} bytes", code="too-long", size=len(data), limit=MAX_POLICY)
    if any((byte < 0x20 and byte not in b"\t\n") or byte == 0x7F for byte in data):
        raise FormatError("a policy holds no control characters but tab and newline", code="bad-policy")
    if data and not data.endswith(b"\n"):
        raise FormatError("a policy ends in a newline", code="bad-policy")
    reading = _Reading()
    for number, line in enumerate(data.split(b"\n"), 1):
        words = [word.decode("utf-8", "surrogateescape") for word in re.split(rb"[ \t]+", line.strip(b" \t")) if word]
        if words and not words[0].startswith("#"):
            reading.line(words, number)
    return reading.done()


def policy_founding(data: bytes) -> str | None:
    """Return the founding that a policy of a Bening ledger names in its comment; None without exactly one."""
    found = _FOUNDING.findall(data)
    return found[0].decode("ascii") if len(found) == 1 else None


def format_policy(
    log: VerifierKey, post_quantum: VerifierKey, founding: str, witnesses: Sequence[Witness] = (), k: int = 0
) -> bytes:
    """Return a ledger's policy: both of its keys, and ``k`` of ``witnesses``.

    Raises:
        FormatError: ``parse_policy`` would refuse it: a wrong ``k``, a name or a key twice, a founding that is none.
    """
    lines = [f"witness {LOG_PQ} {format_vkey(post_quantum)}", *_witness_lines(witnesses, k)]
    members = f"{LOG_PQ} witnesses" if witnesses else LOG_PQ
    return _assembled(log, founding, [*lines, f"group quorum all {members}", "quorum quorum"])


def format_policy_ed25519(log: VerifierKey, founding: str, witnesses: Sequence[Witness] = (), k: int = 0) -> bytes:
    """Return the same policy for readers that do not know ML-DSA-44.

    Raises:
        FormatError: as ``format_policy``.
    """
    quorum = "quorum witnesses" if witnesses else "quorum none"
    return _assembled(log, founding, [*_witness_lines(witnesses, k), quorum])


def _witness_lines(witnesses: Sequence[Witness], k: int) -> list[str]:
    if not witnesses:
        return []
    lines = []
    for one in witnesses:
        if one.key is None:
            raise FormatError(f"the key of {one.name!r} is of a newer type", code="bad-policy")
        lines.append(" ".join(["witness", one.name, format_vkey(one.key), *filter(None, [one.url])]))
    return [*lines, " ".join(["group witnesses", str(k), *(one.name for one in witnesses)])]


def _assembled(log: VerifierKey, founding: str, lines: Sequence[str]) -> bytes:
    """Return the policy of these lines, read back once, so that no other policy than the one meant is ever published."""
    text = "\n".join([f"# bening founding {founding}", f"log {format_vkey(log)}", *lines, ""])
    data = text.encode("utf-8", "surrogateescape")
    parse_policy(data)
    if policy_founding(data) != founding or data.count(b"\n") != len(lines) + 2:
        raise FormatError("another policy would be read back", code="bad-policy")
    return data


class _Reading:
    """A policy as far as it has been read."""

    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: dict[str, Witness] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: list[str | None] = []
        self.urls: dict[str, str] = {}
        self.members: set[str] = set()
        self.witness_keys: set[bytes] = set()

    def line(self, words: list[str], number: int) -> None:
        """Read one line that is neither empty nor a comment."""
        kinds = {"log": self._log, "witness": self._witness, "group": self._group, "quorum": self._quorum}
        reader = kinds.get(words[0])
        if reader is None:
            raise FormatError(f"line {number}: {words[0][:40]!r}", code="bad-policy")
        try:
            reader(words[1:])
        except FormatError as error:
            raise FormatError(f"line {number}: {error}", code="bad-policy") from None

    def done(self) -> Policy:
        """Return the whole policy."""
        if len(self.quorum) != 1:
            raise FormatError("a policy has exactly one quorum line", code="bad-policy")
        return Policy(tuple(self.logs), self.witnesses, self.groups, self.quorum[0], self.urls)

    def _log(self, words: list[str]) -> None:
        if len(words) not in (1, 2):
            raise FormatError("log <vkey> [<url>]")
        key = parse_vkey(words[0])
        if key.algorithm not in _LOG_TYPES:
            raise FormatError("a key that cannot sign for a log")
        if any(key.key == other.key for other in self.logs):
            raise FormatError("the same log key twice")
        self.logs.append(key)
        if len(words) == 2:
            self.urls[key.name] = words[1]

    def _witness(self, words: list[str]) -> None:
        if len(words) not in (2, 3):
            raise FormatError("witness <name> <vkey> [<url>]")
        self._new_name(words[0])
        self.witnesses[words[0]] = Witness(words[0], self._witness_key(words[1]), words[2] if len(words) == 3 else None)

    def _witness_key(self, vkey: str) -> VerifierKey | None:
        try:
            key = parse_vkey(vkey)
        except NewerFormatError:
            return None
        if key.algorithm not in _WITNESS_TYPES:
            raise FormatError("a key that cannot cosign")
        if key.key in self.witness_keys:
            raise FormatError("the same witness key twice")
        self.witness_keys.add(key.key)
        return key

    def _group(self, words: list[str]) -> None:
        if len(words) < 3:
            raise FormatError("group <name> all|any|<k> <name>...")
        name, needed, members = words[0], words[1], words[2:]
        self._new_name(name)
        for member in members:
            self._known_name(member)
            if member in self.members:
                raise FormatError(f"{member[:40]!r} is listed as a member twice")
            self.members.add(member)
        count = {"all": len(members), "any": 1}.get(needed) or parse_decimal(needed)
        if not 1 <= count <= len(members):
            raise FormatError(f"{needed} of {len(members)}")
        self.groups[name] = Group(count, tuple(members))

    def _quorum(self, words: list[str]) -> None:
        if len(words) != 1:
            raise FormatError("quorum <name>")
        if words[0] != "none":
            self._known_name(words[0])
        self.quorum.append(None if words[0] == "none" else words[0])

    def _new_name(self, name: str) -> None:
        if name == "none" or name in self.witnesses or name in self.groups:
            raise FormatError(f"the name {name[:40]!r} is taken")

    def _known_name(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise FormatError(f"{name[:40]!r} has not been defined above")
