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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
MAX_POLICY = 256 * 1024
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
            PolicyError: another log (``other-origin``), not signed by its key (``wrong-key``), or no quorum.
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
        if self.quorum is not None and not self._holds(self.quorum, cosigned):
            self._explain(cosigned)
        return Opened(checkpoint, note, log_key, cosigned)

    def _holds(self, name: str, cosigned: Mapping[str, int | None]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in cosigned
        return sum(self._holds(member, cosigned) for member in group.members) >= group.needed

    def _explain(self, cosigned: Mapping[str, int | None]) -> None:
        """Raise what keeps the quorum from being reached."""
        unknown = [name for name, one in self.witnesses.items() if one.key is None]
        if unknown and self._holds(str(self.quorum), {**cosigned, **dict.fromkeys(unknown)}):
            raise NewerFormatError(f"the quorum needs keys of a newer type: {', '.join(unknown)}")
        if LOG_PQ in self.witnesses and LOG_PQ not in cosigned:
            raise PolicyError("the log's post-quantum signature is missing", code="wrong-key")
        raise PolicyError(f"cosigned by {', '.join(cosigned) or 'nobody'}", code="no-quorum", count=len(cosigned))


def parse_policy(data: bytes) -> Policy:
    """Return the policy in ``data``.

    Raises:
        FormatError: not a policy, or one that could be read in two ways.
    """
    if len(data) > MAX_POLICY or any(byte < 0x20 and byte not in b"\t\n" or byte == 0x7F for byte in data):
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
    """Return a ledger's policy: both of its keys, and ``k`` of ``witnesses``."""
    lines = [f"witness {LOG_PQ} {format_vkey(post_quantum)}", *_witness_lines(witnesses, k)]
    members = f"{LOG_PQ} witnesses" if witnesses else LOG_PQ
    return _assembled(log, founding, [*lines, f"group quorum all {members}", "quorum quorum"])


def format_policy_ed25519(log: VerifierKey, founding: str, witnesses: Sequence[Witness] = (), k: int = 0) -> bytes:
    """Return the same policy for readers that do not know ML-DSA-44."""
    quorum = "quorum witnesses" if witnesses else "quorum none"
    return _assembled(log, founding, [*_witness_lines(witnesses, k), quorum])


def _witness_lines(witnesses: Sequence[Witness], k: int) -> list[str]:
    lines = [
        f"witness {one.name} {format_vkey(one.key)}" + (f" {one.url}" if one.url else "")
        for one in witnesses
        if one.key is not None
    ]
    return [*lines, f"group witnesses {k} {' '.join(one.name for one in witnesses)}"] if witnesses else []


def _assembled(log: VerifierKey, founding: str, lines: Sequence[str]) -> bytes:
    return "\n".join([f"# bening founding {founding}", f"log {format_vkey(log)}", *lines, ""]).encode("utf-8")


class _Reading:
    """A policy as far as it has been read."""

    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: dict[str, Witness] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: list[str | None] = []
        self.urls: dict[str, str] = {}

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
        try:
            key: VerifierKey | None = parse_vkey(words[1])
        except NewerFormatError:
            key = None
        if key is not None and key.algorithm not in _WITNESS_TYPES:
            raise FormatError("a key that cannot cosign")
        if key is not None and any(one.key is not None and one.key.key == key.key for one in self.witnesses.values()):
            raise FormatError("the same witness key twice")
        self.witnesses[words[0]] = Witness(words[0], key, words[2] if len(words) == 3 else None)

    def _group(self, words: list[str]) -> None:
        if len(words) < 3:
            raise FormatError("group <name> all|any|<k> <name>...")
        name, needed, members = words[0], words[1], words[2:]
        self._new_name(name)
        if len(set(members)) != len(members):
            raise FormatError("a member twice in a group")
        for member in members:
            self._known_name(member)
            if any(member in group.members for group in self.groups.values()):
                raise FormatError(f"{member} is a member of two groups")
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
