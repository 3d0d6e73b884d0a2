"""``rebuild``: make everything derived again from the entries: index of acts, tiles, bundles, look-ups, policies, catalogue."""

from __future__ import annotations

from ledger.durable import remove, write_files, write_over
from ledger.errors import StoreError
from ledger.index import SCHEMA, Batch
from ledger.publisher.catalogue import rebuild_catalogue
from ledger.publisher.home import Home
from ledger.publisher.outbox import lookup_files, policy_files, published_checkpoint, roster_file
from ledger.publisher.store import Store
from ledger.publisher.tiles import check_tiles, tile_files
from ledger.records.entry import parse_entry
from ledger.records.record import RECORD_TYPE, parse_record
from ledger.sqlite import transaction

__all__ = ["rebuild", "rebuild_files", "rebuild_index"]

_BATCH = 1000
_TABLES = ("acts", "relations", "documents", "keys", "keys_new")


def rebuild(home: Home) -> int:
    """Make index and files again under the lock, and return the size of the checkpoint that is out.

    Where ``public/`` is gone, nothing shows whether this database is the newest: the home is then marked as restored.

    Raises:
        StoreError: a sequencer is running, or the entries themselves are damaged.
    """
    with home.lock() as ours:
        if not ours:
            raise StoreError("a sequencer is running", code="sequencer-running", path=str(home.path))
        if published_checkpoint(home) is None:
            write_over(home.restore_mark, b"public/ was missing. Run: bening recover --from URL|DIR\n")
        with Store(home) as store:
            rebuild_index(store)
            rebuild_files(store)
            rebuild_catalogue(home)
            return store.published_size()


def rebuild_index(store: Store) -> None:
    """Make the index of acts again from the entries."""
    head = store.head()
    with transaction(store.connection):
        for table in _TABLES:
            store.connection.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in SCHEMA.split(";"):
            if statement.strip():
                store.connection.execute(statement)
        for start in range(0, head.size if head else 0, _BATCH):
            batch = Batch(store.index)
            for index, data in enumerate(store.entries(start, min(start + _BATCH, head.size if head else 0)), start):
                entry = parse_entry(data)
                if entry.envelope.payload_type == RECORD_TYPE:
                    batch.add(parse_record(entry.envelope.payload), index=index, time=entry.time)
                else:
                    batch.add_id(entry.envelope.id, index)
            batch.write()


def rebuild_files(store: Store) -> None:
    """Write every file of ``public/`` again but the documents, which cannot be made from anything else."""
    home, size = store.home, store.published_size()
    if not size:
        return
    for name in ("tile", "lookup"):
        remove(home.public / name)
    write_files(tile_files(store, 0, size), once=False)
    check_tiles(store, size)
    write_over(home.public / "roster.jsonl", roster_file(store, size))
    write_files(policy_files(home, store.roster(size), size), once=False)
    write_over(home.public / "checkpoint", store.checkpoint_note(size))
    write_files(lookup_files(store, store.index.buckets(0, size)), once=False)
