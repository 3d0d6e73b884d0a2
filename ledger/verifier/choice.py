"""Which ledger to check against: a policy file, a named source, or the pinned ledgers, in this order.

A source that is not pinned is checked by its own policy, and the verdict says so and is never complete.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from ledger.errors import FetchError, PolicyError, UsageError
from ledger.records.envelope import Envelope
from ledger.tlog.policy import parse_policy, policy_founding
from ledger.verifier.bundle import Bundle
from ledger.verifier.case import Trusted
from ledger.verifier.client import Source, fetch_checkpoint, fetch_policy, open_source
from ledger.verifier.trust import Pin, load_pins
from ledger.verifier.verdict import Verdict
from ledger.verifier.verify import proof_origin, verify_file

__all__ = ["Choice", "choose", "choose_source", "readers", "verify_choices"]

Choice = tuple[Trusted, Source | None]


def choose(trust: Path, given: Bundle | bytes | None, *, policy: bytes | None, founding: str | None,
           location: str | None, roster: tuple[Envelope, ...] = (), offline: bool = False) -> list[Choice]:  # fmt: skip
    """Return what to check against, the likeliest first; never empty.

    Raises:
        UsageError: nothing is trusted and nothing was named (``nothing-pinned``).
        FetchError: what was named cannot be read, or the proof's ledger is not among the pinned (``origin-not-pinned``).
        FormatError, StoreError: what was named, or what is pinned, is damaged.
        PolicyError: ``founding`` is not the pinned one (``other-founding``), or not the policy's (``founding-differs``).
    """
    if policy is not None:
        source = None if location is None or offline else open_source(location)
        return [(Trusted(parse_policy(policy), _founding_of(policy, founding), None, roster), source)]
    if location is not None and not offline:
        return [choose_source(trust, location, founding, roster)]
    origin, pins = proof_origin(given), load_pins(trust)
    pins = [pin for pin in pins if location in (pin.name, pin.location)] or pins  # offline, a name still chooses a pin
    chosen = [pin for pin in pins if origin is None or pin.origin == origin]
    if chosen:
        chosen = [pin for pin in chosen if founding in (None, pin.founding)] or [_same(chosen[0], founding)]
        return [(_trusted(pin, roster), None if offline else _source_of(pin)) for pin in chosen]
    if isinstance(given, Bundle):
        known = _founding_of(given.policy, founding)
        return [(Trusted(parse_policy(given.policy), known, None, roster, pinned=False), None)]
    if pins:
        raise FetchError(f"{origin} is not pinned", code="origin-not-pinned", origin=origin)
    raise UsageError("nothing is pinned", code="nothing-pinned")


def readers(trust: Path, *, policy: bytes | None, founding: str | None, location: str | None,
            roster: tuple[Envelope, ...] = ()) -> list[Trusted]:  # fmt: skip
    """Return what is trusted here, for a file that proves something by itself: no ledger is asked. Perhaps nothing.

    ``policy`` goes before the pins; ``location`` chooses among these if it is that of one, ``founding`` always.

    Raises:
        StoreError, FormatError: what is pinned, or ``policy``, is damaged.
        PolicyError: ``founding`` is not the policy's.
    """
    if policy is not None:
        return [Trusted(parse_policy(policy), _founding_of(policy, founding), None, roster)]
    pins = load_pins(trust)
    pins = [pin for pin in pins if location in (pin.name, pin.location)] or pins
    return [_trusted(pin, roster) for pin in pins if founding in (None, pin.founding)]


def choose_source(trust: Path, location: str, founding: str | None = None, roster: tuple[Envelope, ...] = ()) -> Choice:
    """Return the pin that goes with a location (a pin's name, a folder or a URL), else the location's own policy.

    Raises:
        FetchError, FormatError: it cannot be read.
        PolicyError: ``founding`` is not the pinned one, or not the policy's.
    """
    pins = load_pins(trust)
    named = next((pin for pin in pins if pin.name == location), None)
    if named is not None:
        return _trusted(_same(named, founding), roster), _source_of(named)
    source = open_source(location)
    claimed = fetch_checkpoint(source).partition(b"\n")[0].decode("utf-8", "replace")
    pin = next((one for one in pins if claimed == one.origin or one.location == source.location), None)
    if pin is not None:
        return _trusted(_same(pin, founding), roster), source
    data = fetch_policy(source)
    return Trusted(parse_policy(data), _founding_of(data, founding), None, roster, pinned=False), source


def verify_choices(path: Path, choices: Sequence[Choice], proof: bytes | None = None,
                   salt: Path | None = None) -> list[Verdict]:  # fmt: skip
    """Return the verdicts of the first choice that knows the file; if none does, those of the likeliest.

    Raises:
        FetchError: the file cannot be read.
    """
    found = []
    for trusted, source in choices:
        verdicts = verify_file(path, trusted=trusted, source=source, proof=proof, salt=salt)
        if any(one.facts is not None or one.exit_status() == 1 for one in verdicts):
            return verdicts
        found.append(verdicts)
    return found[0]


def _same(pin: Pin, founding: str | None) -> Pin:
    """Return ``pin``: whoever names a founding is never answered by another one."""
    if founding not in (None, pin.founding):
        values = {"name": pin.name, "pinned": pin.founding[:16], "given": str(founding)[:16]}
        raise PolicyError(f"{pin.name} is pinned with another founding", code="other-founding", **values)
    return pin


def _founding_of(policy: bytes, founding: str | None) -> str | None:
    """Return the founding that was given or that ``policy`` names; if both, they must agree."""
    named = policy_founding(policy)
    if founding is not None and named not in (None, founding):
        values = {"given": founding[:16], "named": str(named)[:16]}
        raise PolicyError("the policy names another founding", code="founding-differs", **values)
    return founding or named


def _trusted(pin: Pin, roster: tuple[Envelope, ...]) -> Trusted:
    return Trusted(pin.policy, pin.founding, pin, roster)


def _source_of(pin: Pin) -> Source | None:
    if pin.location is None:
        return None
    with contextlib.suppress(FetchError):
        return open_source(pin.location)
    return None
