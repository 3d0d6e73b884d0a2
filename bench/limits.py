"""The limit of the machine: how many Ed25519 signatures PyNaCl alone verifies a second on all cores."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

from nacl.signing import SigningKey

__all__ = ["verify_limit"]


def verify_limit(seconds: float = 1.0) -> float:
    """Return verifications a second, of messages as long as a record, in one thread for each core.

    The messages differ, as those of a ledger do: a processor learns its way through one signature, which then costs 6 % less.
    """
    key = SigningKey.generate()
    signed = [(message, key.sign(message).signature) for message in (os.urandom(950) for _ in range(1000))]
    verifier = key.verify_key

    def run() -> int:
        count = 0
        while time.perf_counter() < until:
            for message, signature in signed[count % 1000 : count % 1000 + 100]:
                verifier.verify(message, signature)
            count += 100
        return count

    cores, began = os.cpu_count() or 1, time.perf_counter()
    until = began + seconds
    with ThreadPoolExecutor(cores) as pool:
        total = sum(pool.map(lambda _: run(), range(cores)))
    return total / (time.perf_counter() - began)
