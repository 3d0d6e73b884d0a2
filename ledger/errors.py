"""The error tree: every way in which a part of Bening says no.

    LedgerError
    ├── FormatError           bytes are not in the canonical form
    ├── NewerFormatError      a later version wrote this: it cannot be judged here
    ├── VerificationError     well formed, but not true
    │   ├── SignatureError
    │   ├── ProofError
    │   └── PolicyError
    ├── AdmissionError        refused, with every reason
    ├── ConflictError         a stale old size; carries the known one
    ├── StoreError            this machine's disk, database, lock or clock
    ├── KeyFileError          a private key that cannot be read or used
    ├── FetchError            could not be read; nobody's evidence
    └── UsageError            the request itself makes no sense

Errors carry a ``code`` and ``values``; the sentence a person reads is in ``words.toml`` under ``[error.<code>]``.
``str(error)`` is the engineer's English. Each edge has one table: the command line maps errors to exit statuses,
the site maps them to HTTP statuses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = [
    "AdmissionError",
    "ConflictError",
    "FetchError",
    "FormatError",
    "KeyFileError",
    "LedgerError",
    "NewerFormatError",
    "PolicyError",
    "ProofError",
    "Reason",
    "SignatureError",
    "StoreError",
    "UsageError",
    "VerificationError",
]


class LedgerError(Exception):
    """Base of all errors that Bening raises on purpose."""

    code = "ledger"

    def __init__(self, detail: str = "", *, code: str | None = None, **values: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.values = values
        if code is not None:
            self.code = code


class FormatError(LedgerError):
    """Bytes are not in the canonical form that a specification prescribes."""

    code = "format"


class NewerFormatError(LedgerError):
    """A payload type, version, kind, key, event or algorithm that this version does not know."""

    code = "newer-format"


class VerificationError(LedgerError):
    """Well formed, but not true."""

    code = "verification"


class SignatureError(VerificationError):
    """A signature does not match its key and text."""

    code = "signature"


class ProofError(VerificationError):
    """A Merkle proof, tile or chain link does not lead to the signed root."""

    code = "proof"


class PolicyError(VerificationError):
    """A checkpoint does not satisfy the policy: wrong log, or too few cosignatures."""

    code = "policy"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of a refusal: a glossary code under ``[reason.<code>]``, where it applies, and the values of its sentence.

    ``unknown`` marks what a later version may have introduced: refused at admission, *not checked* for a reader.
    """

    code: str
    path: str = ""
    values: dict[str, object] = field(default_factory=dict)
    unknown: bool = False

    def __str__(self) -> str:
        shown = ", ".join(f"{key}={value}" for key, value in self.values.items())
        return self.code + (f" at {self.path}" if self.path else "") + (f" ({shown})" if shown else "")


class AdmissionError(LedgerError):
    """An act is refused; ``reasons`` holds all of them, never empty."""

    code = "admission"

    def __init__(self, reasons: Iterable[Reason]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("; ".join(map(str, self.reasons)))


class ConflictError(LedgerError):
    """Somebody else was first; ``known_size`` is the size that the other side holds."""

    code = "conflict"

    def __init__(self, detail: str, *, known_size: int) -> None:
        super().__init__(detail, known_size=known_size)
        self.known_size = known_size


class StoreError(LedgerError):
    """Trouble of this machine's own: disk, database, lock, clock, or a folder that is not ours."""

    code = "store"


class KeyFileError(LedgerError):
    """A private or public key file that cannot be read, opened or used for this."""

    code = "key-file"


class FetchError(LedgerError):
    """Something could not be read. Says nothing about anybody's honesty."""

    code = "fetch"


class UsageError(LedgerError):
    """The request itself makes no sense."""

    code = "usage"
