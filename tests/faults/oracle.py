"""What must hold after anything: the read side's own audit, fsck, every promise kept once, one history, nothing left lying."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ledger.publisher.fsck import check_home
from ledger.publisher.home import Home
from ledger.publisher.store import Store
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.merkle import Frontier
from ledger.tlog.note import parse_note
from ledger.tlog.policy import parse_policy
from ledger.tlog.proof import parse_proof
from ledger.verifier.audit import audit
from ledger.verifier.client import open_source

__all__ = ["Outside", "check_audit", "check_everything", "leftovers"]


@dataclass
class Outside:
    """What the world has seen of one ledger: signed checkpoints as they were served, and promises by act id."""

    notes: dict[int, bytes] = field(default_factory=dict)
    promised: dict[str, int] = field(default_factory=dict)

    def see(self, note: bytes) -> None:
        """Keep a checkpoint; a second one of the same size must be the same note, to the byte: none is signed twice."""
        checkpoint = parse_checkpoint(parse_note(note).text)
        known = self.notes.setdefault(checkpoint.size, note)
        assert known == note, f"two signed heads of size {checkpoint.size}"

    def promise(self, act_id: str, index: int, proof: bytes | None) -> None:
        """Keep a promise: this act, at this index, under the checkpoint of its proof."""
        assert proof, "a promise without its proof"
        assert self.promised.setdefault(act_id, index) == index, "promised at two places"
        self.see(parse_proof(proof).checkpoint)

    def look(self, public: Path) -> None:
        """See the checkpoint that is out."""
        if (public / "checkpoint").exists():
            self.see((public / "checkpoint").read_bytes())


def check_everything(home: Home, outside: Outside, *, states: Iterable[Path] = (), documents: bool = True) -> None:
    """Require every invariant of a home at rest; ``states`` are audits' memories, older ones and new ones."""
    assert check_home(home) == []
    for state in states:
        check_audit(home, state)
    check_promises(home, outside.promised)
    check_history(home, outside.notes)
    assert leftovers(home) == []
    if documents:
        assert [path.name for path in home.staging.iterdir()] == []


def check_audit(home: Home, state: Path, *, interrupted: bool = False) -> None:
    """Require that a stranger with the pinned policy and founding finds nothing false, and nothing unchecked.

    ``interrupted``: the sequencer has died, perhaps after a checkpoint and before its look-ups, which nobody relies on.
    """
    policy = parse_policy((home.public / "policy").read_bytes())
    report = audit(open_source(str(home.public)), policy, home.founding, state_dir=state)
    wrong = {one.code for one in report.verdict.checks if one.state != "passed"}
    assert wrong <= ({"look-up-behind"} if interrupted else set()), wrong
    assert wrong or report.exit_status() == 0, report.verdict


def check_promises(home: Home, promised: Mapping[str, int]) -> None:
    """Require each promised act at its index, and no act twice."""
    with Store(home, read_only=True) as store:
        assert {act_id: store.index_of(act_id) for act_id in promised} == dict(promised)
        count, distinct = store.connection.execute("SELECT count(*), count(DISTINCT id) FROM entries").fetchone()
        assert count == distinct


def check_history(home: Home, notes: Mapping[int, bytes]) -> None:
    """Require that every checkpoint ever seen is of the one history that stands now, so that no two contradict."""
    with Store(home, read_only=True) as store:
        assert not notes or max(notes) <= store.published_size()
        frontier = Frontier.empty()
        for size in sorted(notes):
            frontier = frontier.extend(store.leaves(frontier.size, size))
            assert parse_checkpoint(parse_note(notes[size]).text).root == frontier.root(), f"another history at size {size}"


def leftovers(home: Home) -> list[str]:
    """Return the files of the home that nobody knows: half-written ones and those of dead processes."""
    known = {"ledger.db", "inbox.db", "search.db", "bening.toml", "lock", "public", "staging", "backup.json"}
    top = [one.name for one in home.path.iterdir() if one.name.removesuffix("-wal").removesuffix("-shm") not in known]
    hidden = [str(one.relative_to(home.path)) for one in home.path.rglob(".*")]
    return sorted({*top, *hidden})
