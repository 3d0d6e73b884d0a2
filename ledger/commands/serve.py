"""``bening serve`` and ``bening web``: the site, with the sequencer beside it or alone."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.commands.common import Session, ledger_option, passphrase_option, session
from ledger.commands.ledgers import home_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.publisher.home import Home

__all__ = ["serve", "web"]

_listen = click.option(
    "--listen", metavar="HOST:PORT|unix:PATH", help="Where to answer. Default: bening.toml, else 127.0.0.1:8000."
)


_url = click.option("--url", help="The address that the public uses, for QR codes and citations. Default: bening.toml.")


@click.command()
@_listen
@_url
@click.option("--accept-clock", is_flag=True, help="Go on although the clock looks wrong; the ledger keeps that you said so.")
@ledger_option
@passphrase_option
@session
def serve(here: Session, listen: str | None, url: str | None, accept_clock: bool) -> int:
    """Run everything: the sequencer and the site. Whichever dies is started again."""
    from ledger.supervise import Child, Stop, supervise

    home = home_of(here)
    where = _where(home, listen)
    secrets = {path: here.passphrase_of(path) for path in home.log_keys}
    secret = next((one for one in secrets.values() if one is not None), None)
    options = ["--accept-clock"] if accept_clock else []
    children = [
        Child("sequence", lambda: _start(here, home, "sequence", options, secret)),
        Child("web", lambda: _start(here, home, "web", ["--listen", where, *(["--url", url] if url else [])]), must=True),
    ]
    stopping = Stop()

    def tell(name: str, status: int, pause: float) -> None:
        here.note(here.say("serve.again", name=name, status=status, seconds=f"{pause:.1f}"))

    status = supervise(children, stopping, tell=tell)
    here.note(here.say("serve.stopped"))
    return status


@click.command()
@_listen
@_url
@ledger_option
@session
def web(here: Session, listen: str | None, url: str | None) -> int:
    """Answer HTTP only: readers, and submissions that a running sequencer takes up. Reads no key."""
    from web.server import serve as answer

    os.environ.pop("BENING_PASSPHRASE", None)
    home = home_of(here)
    home = replace(home, url=url.rstrip("/") if url else home.url)
    answer(home, _where(home, listen), started=lambda where: here.note(here.say("serve.listening", where=_shown(where))))
    return 0


def _where(home: Home, listen: str | None) -> str:
    from web.server import parse_listen
    from web.settings import WebSettings

    where = listen or WebSettings.of(home).listen
    parse_listen(where)
    return where


def _shown(where: str) -> str:
    return where if where.startswith("unix:") else f"http://{where}/"


def _start(
    here: Session, home: Home, command: str, options: Sequence[str], secret: bytes | None = None
) -> subprocess.Popen[bytes]:
    """Start one of our own commands. A passphrase goes to it through a pipe, never by environment or command line."""
    from ledger.supervise import end_with

    words = [sys.executable, "-m", "cli", "--lang", here.lang, command, "-L", str(home.path.absolute()), *options]
    environment = {key: value for key, value in os.environ.items() if key != "BENING_PASSPHRASE"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    if secret is None:
        return subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, preexec_fn=end_with(os.getpid()))
    reading, writing = os.pipe()
    try:
        os.write(writing, secret)
        os.close(writing)
        words += ["--passphrase-file", f"/dev/fd/{reading}"]
        return subprocess.Popen(
            words, env=environment, stdin=subprocess.DEVNULL, pass_fds=(reading,), preexec_fn=end_with(os.getpid())
        )
    finally:
        os.close(reading)
