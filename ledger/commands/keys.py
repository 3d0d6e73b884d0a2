"""``bening key``: keys of officials and of the authority."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.commands.common import Session, json_option, passphrase_option, printable, session

__all__ = ["key"]

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def key() -> None:
    """Make and show key files (Ed25519, encrypted)."""


@key.command("new")
@click.argument("file", type=_FILE)
@click.option("--name", help="Whose key this is; written into FILE.pub as a comment.")
@click.option("--unencrypted", is_flag=True, help="Without a passphrase. Only for tests and samples.")
@passphrase_option
@json_option
@session
def new(here: Session, file: Path, name: str | None, unencrypted: bool) -> int:
    """Make a new key: FILE (private, encrypted) and FILE.pub (to give away)."""
    from ledger.keyfile import new_key

    public = new_key(file, None if unencrypted else here.new_passphrase(file), name, unencrypted=unencrypted)
    shown = {"file": str(file), "public": f"{file}.pub", "keyid": public.keyid}
    here.report(shown, [here.say("key.made", file=printable(file), keyid=public.keyid)])
    return 0


@key.command("show")
@click.argument("file", type=_FILE)
@passphrase_option
@json_option
@session
def show(here: Session, file: Path) -> int:
    """Show the key id of FILE.pub, or of the private FILE."""
    from ledger.keyfile import is_private, load_private, load_public

    public = load_private(file, here.passphrase_of(file)).public if is_private(file) else load_public(file)
    shown = {"keyid": public.keyid, "spki": public.spki_base64()}
    here.report(shown, [here.say("key.show", keyid=public.keyid, spki=public.spki_base64())])
    return 0
