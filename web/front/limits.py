"""How much anybody may ask for: requests by address, work at once, and waiting room. Kept in memory only, and forgotten.

A bucket holds a number of tokens and refills at a rate; who finds it empty is told how long to wait. Addresses are not
written anywhere. Files of the log are never limited.
"""

from __future__ import annotations

import contextlib
import ipaddress
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator

from ledger.errors import StoreError, UsageError

__all__ = ["Buckets", "Gate", "whose"]


class Buckets:
    """A token bucket for each address: ``burst`` at once, ``rate`` a second after that; the latest ``most`` addresses."""

    def __init__(self, rate: float, burst: float, *, most: int = 50_000, now: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self.most, self.now = rate, burst, most, now
        self._found: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, whose: str) -> None:
        """Take one token.

        Raises:
            UsageError: ``too-many-requests``, with ``retry_after`` in seconds.
        """
        self.check(whose)
        self.charge(whose, 1)

    def check(self, whose: str) -> None:
        """Accept whoever has a token left.

        Raises:
            UsageError: ``too-many-requests``.
        """
        tokens = self._tokens(whose)
        if tokens < 1:
            wait = int((1 - tokens) / self.rate) + 1
            raise UsageError("too many requests", code="too-many-requests", retry_after=wait)

    def charge(self, whose: str, cost: float) -> None:
        """Take ``cost`` tokens for what has been done already, as far as there are any."""
        self._keep(whose, max(0.0, self._tokens(whose) - cost))

    def _tokens(self, whose: str) -> float:
        tokens, then = self._found.get(whose, (self.burst, self.now()))
        return min(self.burst, tokens + (self.now() - then) * self.rate)

    def _keep(self, whose: str, tokens: float) -> None:
        self._found[whose] = (tokens, self.now())
        self._found.move_to_end(whose)
        while len(self._found) > self.most:
            self._found.popitem(last=False)


class Gate:
    """At most ``most`` at once, half of them from one address; who comes then is told to come back, and does not wait here."""

    def __init__(self, most: int, *, retry_after: int = 2) -> None:
        self.most, self.inside, self.retry_after = most, Counter[str](), retry_after

    @contextlib.contextmanager
    def enter(self, whose: str) -> Iterator[None]:
        """Be inside until the block ends.

        Raises:
            StoreError: ``busy``.
        """
        if self.inside.total() >= self.most or self.inside[whose] > self.most // 2:
            raise StoreError("too much at once", code="busy", retry_after=self.retry_after)
        self.inside[whose] += 1
        try:
            yield
        finally:
            self.inside[whose] -= 1
            if not self.inside[whose]:
                del self.inside[whose]


def whose(address: str) -> str:
    """Return the name of the bucket of an address: all of an IPv6 /64 belongs to one."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network(f"{parsed}/64", strict=False).network_address)
