"""Damage to any byte of a ledger's home: a flipped bit, a cut end, a block of zeros."""
