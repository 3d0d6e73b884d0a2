"""The limit of the machine: how many Ed25519 signatures PyNaCl alone verifies a second on all cores."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

from nacl.signing import SigningKey

__all__ = ["verify_limit"]


def verify_limit(seconds: float = 1.0) -> float:
    """Return verifications a second, of a message as long as a record, in one thread for each core."""
    key = SigningKey.generate()
    message = os.urandom(950)
    signature, verifier = key.sign(message).signature, key.verify_key
    until = time.perf_counter() + seconds

    def run() -> int:
        count = 0
        while time.perf_counter() < until:
            for _ in range(100):
                verifier.verify(message, signature)
            count += 100
        return count

    cores = os.cpu_count() or 1
    began = time.perf_counter()
    with ThreadPoolExecutor(cores) as pool:
        total = sum(pool.map(lambda _: run(), range(cores)))
    return total / (time.perf_counter() - began)
