"""Two users for real: one sequences and owns everything, the other answers HTTP and can change nothing that is published."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from ledger.errors import StoreError
from ledger.publisher.fsck import check_home
from ledger.publisher.home import Home
from ledger.publisher.sharing import share
from tests.apart import SEQUENCER, WEB, WEB_GROUP, Apart, why_not
from tests.publisher.town import Town
from tests.web.asgi import form_of
from tests.web.serving import free_port

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


class TwoUsers:
    """A town whose home two users work on."""

    def __init__(self, scratch: Path) -> None:
        self.scratch, self.apart = scratch, Apart(scratch)
        (scratch / "town").mkdir()
        self.town = Town(scratch / "town")
        self.town.settle_in()
        settings = self.home / "bening.toml"
        settings.write_text(settings.read_text() + f'\n[operate]\nweb_group = "{WEB_GROUP}"\n')
        for path in (scratch / "town", *(scratch / "town").rglob("*")):
            os.chown(path, SEQUENCER, SEQUENCER)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes: list[subprocess.Popen[str]] = []

    @property
    def home(self) -> Path:
        return self.town.home.path

    def sequence(self) -> subprocess.Popen[str]:
        """Start the sequencer; the first one gives the web's user its access before it says that it runs."""
        log = self.scratch / "log"
        before = log.read_text().count("runs;") if log.exists() else 0
        process = self._started(self.apart.bening(SEQUENCER, "sequence", "-L", str(self.home), log=log))
        until = time.monotonic() + 40
        while log.read_text().count("runs;") == before:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        return process

    def web(self) -> subprocess.Popen[str]:
        words = ("web", "-L", str(self.home), "--listen", f"127.0.0.1:{self.port}")
        return self._started(self.apart.bening(WEB, *words, umask=0o027, log=self.scratch / "log"))

    def _started(self, process: subprocess.Popen[str]) -> subprocess.Popen[str]:
        self.processes.append(process)
        return process

    def get(self, path: str) -> urllib3.BaseHTTPResponse:
        return urllib3.request("GET", self.url + path, retries=False, timeout=20)

    def submit(self, document: bytes) -> int:
        body, content_type = form_of([self.town.act(document)])
        reply = urllib3.request(
            "POST", f"{self.url}/api/v1/acts", body=body, headers={"content-type": content_type}, retries=False, timeout=60
        )
        return reply.status

    def until(self, *, publishing: bool) -> None:
        until = time.monotonic() + 40
        while time.monotonic() < until:
            with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
                found = self.get("/healthz")
                if found.status == 200 and found.json()["publishing"] is publishing:
                    return
            time.sleep(0.1)
        raise AssertionError((self.scratch / "log").read_text())


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
    process.send_signal(number)
    return process.wait(30)


@pytest.fixture
def two() -> Iterator[TwoUsers]:
    scratch = Path(tempfile.mkdtemp(prefix="bening-two-"))
    scratch.chmod(0o755)
    made = TwoUsers(scratch)
    try:
        yield made
    finally:
        for process in made.processes:
            if process.poll() is None:
                end(process, signal.SIGKILL)
        shutil.rmtree(scratch)


def test_both_work_on_one_home(two: TwoUsers) -> None:
    """An act goes in through the one and comes out through the other; each may be away, killed or started first."""
    sequencer, web = two.sequence(), two.web()
    two.until(publishing=True)
    assert two.submit(b"%PDF by two users") == 201
    documents = list((two.home / "public" / "documents").glob("??/*"))
    assert [(one.stat().st_uid, one.stat().st_mode & 0o777) for one in documents] == [(SEQUENCER, 0o644)]
    assert end(sequencer) == 0
    assert two.get("/checkpoint").status == two.get("/records").status == 200
    assert end(web) == 0
    web = two.web()  # while no sequencer runs
    two.until(publishing=False)
    assert two.get("/records/2").status == 200
    assert two.get("/records?q=Penetapan").status == 200
    assert two.submit(b"%PDF waits for the sequencer") == 202
    sequencer = two.sequence()
    two.until(publishing=True)
    assert two.submit(b"%PDF after it") == 201
    end(sequencer, signal.SIGKILL)
    end(web, signal.SIGKILL)
    sequencer, web = two.sequence(), two.web()
    two.until(publishing=True)
    assert two.submit(b"%PDF after a power cut") == 201
    end(sequencer)
    end(web)
    assert check_home(Home.open(two.home)) == []
    assert len(list((two.home / "public" / "documents").glob("??/*"))) == 4


_TRY = """
import os
from pathlib import Path
home, done = Path({home!r}), []
tries = {{
  "key": lambda: Path({key!r}).read_bytes(),
  "ledger": lambda: open(home / "ledger.db", "ab"),
  "log": lambda: open(home / "ledger.db-wal", "ab"),
  "index": lambda: open(home / "ledger.db-shm", "ab"),
  "catalogue": lambda: open(home / "search.db", "ab"),
  "settings": lambda: open(home / "bening.toml", "ab"),
  "lock": lambda: open(home / "lock", "ab"),
  "mark": lambda: open(home / "RESTORED", "wb"),
  "checkpoint": lambda: open(home / "public" / "checkpoint", "ab"),
  "public": lambda: open(home / "public" / "new", "wb"),
  "document": lambda: open(next((home / "public" / "documents").glob("??/*")), "ab"),
  "rename": lambda: os.rename(home / "inbox.db", home / "ledger.db"),
  "remove": lambda: os.unlink(home / "bening.toml"),
  "planted": lambda: open(home / "search.db-journal", "wb"),
}}
for name, one in tries.items():
    try:
        one(); print("DONE", name)
    except PermissionError:
        pass
open(home / "staging" / "own", "wb"); open(home / "inbox.db", "ab"); print("tried", len(tries))
"""


def test_the_webs_user_can_change_nothing(two: TwoUsers) -> None:
    """Not the entries nor their logs, not what is published (not even what came in through it), and it sees no key."""
    sequencer, web = two.sequence(), two.web()
    two.until(publishing=True)
    assert two.submit(b"%PDF mine") == 201
    said = two.apart.python(WEB, _TRY.format(home=str(two.home), key=str(two.town.home.log_keys[0])))
    assert said == "tried 14\n"
    assert end(sequencer) == end(web) == 0
    said = two.apart.python(WEB, _TRY.format(home=str(two.home), key=str(two.town.home.log_keys[0])))
    assert said == "tried 14\n"


def test_a_staged_file_that_leads_elsewhere_is_not_published(two: TwoUsers) -> None:
    """The web's user puts a link to the key where a document is expected: nothing of it comes out."""
    from ledger.publisher.inbox import Inbox
    from tests.publisher.town import no_passphrase

    act = two.town.act(b"%PDF swapped")
    (sha256,) = act.documents
    share_as_root(two)
    (two.home / "staging" / sha256).symlink_to(two.town.home.log_keys[0])
    inbox = Inbox(two.town.home)
    inbox.submit([act.envelope])
    inbox.close()
    from ledger.publisher.handover import sequence_once

    sequence_once(two.town.home, no_passphrase)
    assert not list((two.home / "public" / "documents").glob("??/*"))


def share_as_root(two: TwoUsers) -> None:
    """Give the web's group its access by number, as ``share`` does by name."""
    os.chown(two.home / "staging", SEQUENCER, WEB)
    (two.home / "staging").chmod(0o2770)


def test_a_group_that_is_not_there_stops_with_a_sentence(two: TwoUsers) -> None:
    """A name in bening.toml that no group has: the sequencer says so instead of leaving the site without access."""
    settings = two.home / "bening.toml"
    settings.write_text(settings.read_text().replace(WEB_GROUP, "no-such-group"))
    with pytest.raises(StoreError) as error:
        share(Home.open(two.home))
    assert error.value.code == "cannot-share"
