"""No lie ends in 0: the whole ledger before ``audit``."""

from __future__ import annotations

import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import ledger.verifier.auditfiles
from tests.adversary.attack import Scene, trouble
from tests.city import City
from tests.commands.bening import Bening


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.fixture
def bening(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bening:
    return Bening(tmp_path, capsys, monkeypatch)


class _TwoFaced(http.server.SimpleHTTPRequestHandler):
    """Serves ``faces[0]`` until the checkpoint has been asked for twice, then ``faces[1]``."""

    protocol_version = "HTTP/1.1"
    faces: tuple[Path, Path]
    asked: list[int]

    def do_GET(self) -> None:
        self.asked[0] += self.path == "/checkpoint"
        self.directory = str(self.faces[self.asked[0] > 2])
        super().do_GET()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def two_faced(scene: Scene) -> Iterator[str]:
    fork = scene.city.fork(scene.path / "fork", size=scene.index + 1)
    for _ in range(3):
        fork.publish()
    fork.write()
    handler = type("Handler", (_TwoFaced,), {"faces": (fork.path, scene.city.path), "asked": [0]})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_server_with_two_faces(scene: Scene, bening: Bening, two_faced: str) -> None:
    """What was audited is what is compared with the pin: a fork is not hidden by showing the pin another checkpoint."""
    bening("trust", "add", scene.city.path)
    bening("audit", two_faced, status=1)


def test_a_fork_in_an_audit_whose_evidence_cannot_be_kept(scene: Scene, bening: Bening) -> None:
    """A full disk does not turn the audit of a fork into 0."""
    bening("trust", "add", scene.city.path)
    fork = scene.city.fork(scene.path / "fork", size=scene.index + 1)
    for _ in range(3):
        fork.publish()
    fork.write()
    for one in (scene.path / "settings").rglob("checkpoint"):
        (one.parent / "evidence").symlink_to("/proc")
    bening("audit", fork.path, status=1)


@pytest.mark.parametrize("name", ["lookup", "documents"])
def test_what_vanishes_after_the_first_audit(scene: Scene, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A resumed audit does not say that every document and look-up is served when none is."""
    monkeypatch.setattr(ledger.verifier.auditfiles, "PATIENCE", 0)
    assert scene.audit().exit_status() == 0
    shutil.rmtree(scene.city.path / name)
    assert scene.audit().exit_status() != 0


@pytest.mark.parametrize("lie", ["foreign keys", "no post-quantum key", "no witness"])
def test_policies_for_other_readers(tmp_path: Path, lie: str) -> None:
    """A policy file that offers attackers' keys, or less than the pinned policy asks, is named by the audit."""
    scene = Scene(tmp_path, witnesses=("kpk",))
    city, path = scene.city, scene.city.path
    if lie == "foreign keys":
        evil = City(tmp_path / "evil", seed="evil", origin=city.origin)
        (path / "policy-ed25519").write_bytes(evil.policy_file(post_quantum=False))
    elif lie == "no post-quantum key":
        (path / "policy").write_bytes(city.policy_file(post_quantum=False))
    else:
        city.witnesses = {}
        (path / "policy").write_bytes(city.policy)
    assert scene.audit().exit_status() != 0


def test_an_entry_that_names_an_old_or_a_future_roster(scene: Scene) -> None:
    """The audit requires the newest roster before each entry."""
    old = scene.city.roster
    scene.city.roster_event({"event": "rule", "kind": "decision", "signatures": 2, "positions": []})
    scene.slip_record(b"x", old)
    scene.city.write()
    assert trouble(scene.audit().verdict) == [("authority", "roster-not-newest")]


def test_time_turned_back(scene: Scene) -> None:
    """Time does not run backwards."""
    scene.slip_record(b"x", scene.city.roster, "2026-01-01T00:00:00Z")
    scene.city.write()
    assert trouble(scene.audit().verdict) == [("chain", "time-backwards")]
