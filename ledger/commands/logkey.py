"""``bening roster log-key``: the log's next keys. They lie on the ledger's own machine, so this works there only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click

from ledger.commands.common import Session, printable
from ledger.commands.events import event_options, prepare_events, send_events, write_events
from ledger.commands.folder import FolderLedger
from ledger.commands.ledgers import home_of, ledger_of
from ledger.errors import AdmissionError

__all__ = ["log_key"]

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("log-key")
@click.argument("file", type=_FILE)
@click.option("--from-size", type=int, required=True, help="Checkpoints from this size on carry the new keys.")
@click.option("--overlap-until-size", type=int, required=True, help="Up to before this size the old keys sign as well.")
@event_options
def log_key(
    here: Session, file: Path, from_size: int, overlap_until_size: int, key_files: tuple[Path, ...], output: Path | None
) -> int:
    """Announce new keys of the log (made in FILE if absent). Once the event is accepted they are named in bening.toml."""
    from ledger.durable import write_over
    from ledger.keyfile import load_log_keys
    from ledger.publisher.home import add_log_key

    home = home_of(here)
    ledger = FolderLedger(home, here.passphrase_of)
    settings = home.path / "bening.toml"
    with _made_log_keys(here, file) as made:
        vkeys = load_log_keys(file, here.passphrase_of(file)).vkeys(home.origin)
        event = {"event": "log_key", "vkeys": list(vkeys), "from_size": from_size, "overlap_until_size": overlap_until_size}
        ready = prepare_events(here, ledger, [event], key_files)
    told = {"file": printable(file.absolute()), "settings": printable(settings), "size": from_size}
    if output is not None or not ready.enough:
        return write_events(here, ready, output, [here.say("roster.log-key-later", **told)])
    before = settings.read_bytes()
    add_log_key(home, file)  # at once: the checkpoint over the event itself may have to carry the new signatures
    try:
        return send_events(here, ledger_of(here), ready, [here.say("roster.log-key-named", **told)])
    except AdmissionError:
        write_over(settings, before)
        for path in made:
            path.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _made_log_keys(here: Session, file: Path) -> Iterator[list[Path]]:
    """Make the log's two key files if they are absent; what was made goes again if the block fails."""
    from ledger.keyfile import new_log_keys

    made: list[Path] = []
    if not file.exists():
        new_log_keys(file, here.new_passphrase(file))
        made = [file, file.with_name(file.name + ".mldsa44")]
    try:
        yield made
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise
