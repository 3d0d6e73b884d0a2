"""The one place where an error becomes an HTTP status."""

from __future__ import annotations

from ledger.errors import (
    AdmissionError,
    ConflictError,
    FetchError,
    FormatError,
    LedgerError,
    NewerFormatError,
    PolicyError,
    SignatureError,
    StoreError,
    UsageError,
    VerificationError,
)

__all__ = ["STATUSES", "status_of", "status_of_witness"]

# By code first, where one kind of error means different things to a client.
CODES: dict[str, int] = {
    "not-found": 404,
    "act-not-found": 404,
    "no-such-entry": 404,
    "not-an-act": 404,
    "unknown-act": 404,
    "find-too-much": 422,
    "bundle-too-large": 422,
    "too-many-rows": 422,
    "no-entry": 404,
    "gone": 410,
    "too-long": 413,
    "too-large": 413,
    "unsupported-type": 415,
    "not-shown": 415,
    "body-too-slow": 408,
    "too-many-requests": 429,
    "busy": 503,
}
STATUSES: tuple[tuple[type[LedgerError], int], ...] = (
    (AdmissionError, 422),
    (ConflictError, 409),
    (NewerFormatError, 422),
    (VerificationError, 422),
    (FormatError, 400),
    (UsageError, 400),
    (FetchError, 404),
    (StoreError, 503),
    (LedgerError, 500),
)


def status_of(error: LedgerError) -> int:
    """Return the HTTP status for ``error``: 4xx is the request's fault, 503 this machine's, for a while."""
    return CODES.get(error.code) or next(status for kind, status in STATUSES if isinstance(error, kind))


# What C2SP tlog-witness asks of ``add-checkpoint``, where that differs.
WITNESS: tuple[tuple[type[LedgerError], int], ...] = (
    (SignatureError, 403),
    (PolicyError, 403),
    (NewerFormatError, 503),
)


def status_of_witness(error: LedgerError) -> int:
    """Return the HTTP status with which a witness answers ``error``."""
    if error.code == "unknown-origin":
        return 404
    return next((status for kind, status in WITNESS if isinstance(error, kind)), None) or status_of(error)
