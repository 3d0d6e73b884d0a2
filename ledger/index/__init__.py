"""The index of acts: derived from the entries, in SQLite, made again whenever it is in doubt.

The publisher keeps it beside its entries (in the same transaction), an audit keeps it in its state folder, and ``fsck``
builds a fresh one in memory. It holds no truth of its own.
"""

from ledger.index.batch import Batch
from ledger.index.index import Index, KnownActs, Void
from ledger.index.rows import MERGE_EVERY, SCHEMA, TABLES, Rows, act_row, key_of, keys_of, look_up_values, packed

__all__ = [
    "MERGE_EVERY", "SCHEMA", "TABLES", "Batch", "Index", "KnownActs", "Rows", "Void", "act_row", "key_of", "keys_of",
    "look_up_values", "packed",
]  # fmt: skip
