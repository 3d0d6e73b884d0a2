"""Old copies: the database alone, public/ alone, both. Refused or mended, and ``recover`` brings the tail back, proven."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest

from ledger.commands.keep import _mirror
from ledger.errors import LedgerError, ProofError, StoreError
from ledger.keyfile import load_log_keys, new_log_keys
from ledger.publisher import recover as recovering
from ledger.publisher.backup import back_up, restore
from ledger.publisher.fsck import check_home
from ledger.publisher.handover import sequence_once
from ledger.publisher.home import Home, add_log_key
from ledger.publisher.recover import Mirror, accept_loss, recover
from ledger.publisher.store import Store
from tests.publisher.town import ORIGIN, Town, no_passphrase, reopened

DATABASE = ("ledger.db", "ledger.db-wal", "ledger.db-shm")


def proven_mirror(home: Home, place: Path, scratch: Path) -> Mirror:
    """The mirror as the command reads it: every entry proven."""
    scratch.mkdir(exist_ok=True)
    return _mirror(home, str(place), scratch)


def put_back(town: Town, old: Path, *names: str) -> None:
    """Put files or folders of an old copy of the home in place of today's."""
    for name in names:
        now = town.home.path / name
        if now.is_dir():
            shutil.rmtree(now)
        else:
            now.unlink(missing_ok=True)
        if (old / name).is_dir():
            shutil.copytree(old / name, now)
        elif (old / name).exists():
            shutil.copy(old / name, now)


def refused(town: Town) -> str:
    """Publish one more act and return the code of the refusal."""
    with pytest.raises(StoreError) as error:
        sequence_once(town.home, no_passphrase)
    return error.value.code


@pytest.fixture
def grown(town: Town, tmp_path: Path) -> Town:
    """A town of five acts; ``old`` is a copy of its home from when there were two, ``mirror`` one of today's public/."""
    for n in range(2):
        town.published(b"%%PDF early %d" % n)
    back_up(town.home, tmp_path / "bk")
    shutil.copytree(town.home.path, tmp_path / "old")
    for n in range(3):
        town.published(b"%%PDF late %d" % n)
    shutil.copytree(town.home.public, tmp_path / "mirror")
    return town


def test_an_old_database_alone_is_refused_and_recovers_from_its_own_public_folder(grown: Town, tmp_path: Path) -> None:
    """public/ shows more: nothing is signed; public/ itself holds all that is needed."""
    put_back(grown, tmp_path / "old", *DATABASE)
    assert refused(grown) == "rolled-back"
    before = (grown.home.public / "checkpoint").read_bytes()
    assert recover(grown.home, proven_mirror(grown.home, grown.home.public, tmp_path / "s")) == 3
    assert (grown.home.public / "checkpoint").read_bytes() == before
    assert check_home(grown.home) == []
    assert grown.submit(grown.act(b"%PDF next"))[0].index == 7


def test_an_old_public_folder_alone_is_brought_forward(grown: Town, tmp_path: Path) -> None:
    """The database knows the rest: the next start writes what is missing; documents that are lost are named, and recovered."""
    documents = tmp_path / "mirror" / "documents"
    put_back(grown, tmp_path / "old", "public")
    assert refused(grown) == "document-lost"
    assert recover(grown.home, proven_mirror(grown.home, tmp_path / "mirror", tmp_path / "s")) == 0
    assert sequence_once(grown.home, no_passphrase)
    assert check_home(grown.home) == []
    assert {one.name for one in grown.home.public.glob("documents/??/*")} == {one.name for one in documents.glob("??/*")}


def test_an_old_public_folder_with_its_documents_needs_no_hand(grown: Town, tmp_path: Path) -> None:
    """Tiles, bundles, look-ups and checkpoint are made again from the database alone, to the same bytes."""
    put_back(grown, tmp_path / "old", "public")
    shutil.copytree(tmp_path / "mirror" / "documents", grown.home.public / "documents", dirs_exist_ok=True)
    assert sequence_once(grown.home, no_passphrase)
    assert check_home(grown.home) == []
    for path in (one for one in (tmp_path / "mirror").rglob("*") if one.is_file() and ".p" not in str(one)):
        assert (grown.home.public / path.relative_to(tmp_path / "mirror")).read_bytes() == path.read_bytes()


def test_an_older_public_folder_of_another_history_is_refused(grown: Town, tmp_path: Path) -> None:
    """Bringing it forward needs the same entries so far."""
    (tmp_path / "else").mkdir()
    other = Town(tmp_path / "else")
    put_back(grown, other.home.path, "public")
    assert refused(grown) == "rolled-back"


def test_both_old_from_a_backup_are_refused_until_the_mirror_is_shown(grown: Town, tmp_path: Path) -> None:
    """The restored home signs nothing; the mirror's tail comes back with every document."""
    grown.home = restore(tmp_path / "bk", tmp_path / "again")
    assert refused(grown) == "restored"
    assert recover(grown.home, proven_mirror(grown.home, tmp_path / "mirror", tmp_path / "s")) == 3
    assert check_home(grown.home) == []
    assert list((tmp_path / "s").iterdir()) == []
    assert grown.submit(grown.act(b"%PDF next"))[0].index == 7


def test_a_lost_database_comes_back_from_a_backup_and_the_old_disks_public_folder(grown: Town, tmp_path: Path) -> None:
    """What is left of the machine is public/: an older backup and that are the whole ledger again."""
    for name in DATABASE:
        (grown.home.path / name).unlink(missing_ok=True)
    lost = grown.home.public
    grown.home = restore(tmp_path / "bk", tmp_path / "again")
    assert recover(grown.home, proven_mirror(grown.home, lost, tmp_path / "s")) == 3
    assert check_home(grown.home) == []


@pytest.mark.parametrize("at", range(1, 9))
def test_killed_in_the_middle_it_is_run_again(grown: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Each write of a recovery fails in turn; whatever was kept is proven, nothing is signed, and a second run ends it."""
    grown.home = restore(tmp_path / "bk", tmp_path / "again")
    monkeypatch.setattr(recovering, "BATCH", 1)
    calls = [0]
    real = recovering.transaction

    @contextlib.contextmanager
    def failing(connection: object):  # type: ignore[no-untyped-def]
        calls[0] += 1
        with real(connection):
            yield
            if calls[0] == (at + 1) // 2 and at % 2:
                raise StoreError("killed before")
        if calls[0] == (at + 1) // 2 and not at % 2:
            raise StoreError("killed after")

    monkeypatch.setattr(recovering, "transaction", failing)
    with pytest.raises(StoreError, match="killed"):
        recover(grown.home, proven_mirror(grown.home, tmp_path / "mirror", tmp_path / "s"))
    monkeypatch.setattr(recovering, "transaction", real)
    assert refused(grown) == "restored"
    recover(grown.home, proven_mirror(grown.home, tmp_path / "mirror", tmp_path / "s"))
    assert check_home(grown.home) == []
    assert (grown.home.public / "checkpoint").read_bytes() == (tmp_path / "mirror" / "checkpoint").read_bytes()
    assert grown.submit(grown.act(b"%PDF next"))[0].index == 7


def half_recovered(grown: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a home of which one batch has come back."""
    grown.home = restore(tmp_path / "bk", tmp_path / "again")
    monkeypatch.setattr(recovering, "BATCH", 1)
    monkeypatch.setattr(recovering, "_publish", None)
    real = recovering._take_batch

    def once(store: Store, tip: object, mirror: Mirror, end: int, proven: object) -> object:
        if end > 5:
            raise StoreError("killed")
        return real(store, tip, mirror, end, proven)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(recovering, "_take_batch", once)
        with pytest.raises(StoreError, match="killed"):
            recover(grown.home, proven_mirror(grown.home, tmp_path / "mirror", tmp_path / "s"))


def test_half_recovered_it_does_not_go_on_by_less(grown: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror has shown seven entries: one of four, or accepting a loss, would fork the ledger now."""
    with monkeypatch.context() as patch:
        half_recovered(grown, tmp_path, patch)
    with pytest.raises(StoreError) as error:
        recover(grown.home, proven_mirror(grown.home, tmp_path / "old" / "public", tmp_path / "s"))
    assert error.value.code == "mirror-older"
    with pytest.raises(StoreError) as error:
        accept_loss(grown.home, "2026-11-23T00:00:00Z")
    assert error.value.code == "mirror-older"
    assert grown.home.restore_mark.exists()
    assert recover(grown.home, proven_mirror(grown.home, tmp_path / "mirror", tmp_path / "s")) == 2


def test_a_mirror_that_changes_its_mind_is_refused(grown: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries that are other ones when they are taken than when they were proven are not kept."""
    grown.home = restore(tmp_path / "bk", tmp_path / "again")
    mirror = proven_mirror(grown.home, tmp_path / "mirror", tmp_path / "s")
    asked = [0]

    def entries(start: int, end: int) -> list[bytes]:
        asked[0] += 1
        found = list(mirror.entries(start, end))
        return found if asked[0] == 1 else [found[0], *reversed(found[1:])]

    with pytest.raises(ProofError) as error:
        recover(grown.home, Mirror(mirror.checkpoint, entries, mirror.document))
    assert error.value.code == "forked"
    with Store(grown.home, read_only=True) as store:
        assert store.head().size == 4  # type: ignore[union-attr]


def test_a_document_that_was_withdrawn_since_is_not_asked_for(town: Town, tmp_path: Path) -> None:
    """Act and withdrawal both came after the backup: no mirror has the bytes, and the ledger comes back without them."""
    back_up(town.home, tmp_path / "bk")
    town.published(b"%PDF secret")
    sha256 = next(town.home.public.glob("documents/??/*")).name
    town.roster({"event": "withdraw", "sha256": sha256, "law": "UU 27/2022", "reason": "pribadi"})
    shutil.copytree(town.home.public, tmp_path / "mirror")
    town.home = restore(tmp_path / "bk", tmp_path / "again")
    assert recover(town.home, proven_mirror(town.home, tmp_path / "mirror", tmp_path / "s")) == 2
    assert check_home(town.home) == []


def test_keys_that_were_changed_after_the_backup(town: Town, tmp_path: Path) -> None:
    """The mirror's checkpoint is signed by keys that the backup has never heard of: the authority's roster names them."""
    back_up(town.home, tmp_path / "bk")
    new_log_keys(town.folder / "new.pem", None, unencrypted=True)
    vkeys = load_log_keys(town.folder / "new.pem", None).vkeys(ORIGIN)
    add_log_key(town.home, town.folder / "new.pem")
    town.home = reopened(town)
    town.roster({"event": "log_key", "vkeys": list(vkeys), "from_size": 3, "overlap_until_size": 4})
    for n in range(3):
        town.published(b"%%PDF %d" % n)
    shutil.copytree(town.home.public, tmp_path / "mirror")
    town.home = restore(tmp_path / "bk", tmp_path / "again")
    assert recover(town.home, proven_mirror(town.home, tmp_path / "mirror", tmp_path / "s")) == 4
    add_log_key(town.home, town.folder / "new.pem")
    town.home = reopened(town)
    assert check_home(town.home) == []
    assert town.submit(town.act(b"%PDF next"))[0].index == 6


def test_files_in_many_steps_are_those_of_one(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tail whose files are written step by step ends with the same files as the ledger that wrote them act by act."""
    back_up(town.home, tmp_path / "bk")
    acts = [town.act(b"%%PDF %d" % (n % 7), number=f"{n}/2026") for n in range(1100)]
    for at in range(0, len(acts), 300):
        town.submit(*acts[at : at + 300])
    shutil.copytree(town.home.public, tmp_path / "mirror")
    town.home = restore(tmp_path / "bk", tmp_path / "again")
    monkeypatch.setattr(recovering, "_STEP", 256)
    assert recover(town.home, proven_mirror(town.home, tmp_path / "mirror", tmp_path / "s")) == 1100
    assert check_home(town.home) == []
    found = {one.relative_to(town.home.public) for one in town.home.public.rglob("*") if one.is_file()}
    wanted = {one.relative_to(tmp_path / "mirror") for one in (tmp_path / "mirror").rglob("*") if one.is_file()}
    assert found <= wanted
    assert all(".p/" in str(one) for one in wanted - found), "what an earlier checkpoint needed"
    assert all((town.home.public / one).read_bytes() == (tmp_path / "mirror" / one).read_bytes() for one in found)


def test_a_strangers_mirror_is_refused(grown: Town, tmp_path: Path) -> None:
    """Another ledger of the same name, by other keys: its roster does not begin with this founding."""
    (tmp_path / "else").mkdir()
    other = Town(tmp_path / "else")
    grown.home = restore(tmp_path / "bk", tmp_path / "again")
    with pytest.raises(LedgerError):
        recover(grown.home, proven_mirror(grown.home, other.home.public, tmp_path / "s"))
    assert grown.home.restore_mark.exists()
