"""``bening init``: found a ledger, in one go or with the authority's keys on different machines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.commands.common import Session, json_option, passphrase_option, printable, session
from ledger.errors import UsageError

if TYPE_CHECKING:
    from ledger.keyfile import PrivateKey
    from ledger.records.envelope import Envelope

__all__ = ["init"]

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--origin", help="The ledger's lasting name, like ledger.semarang.example/2026. Not an address.")
@click.option("--name", help="The name that people read, like 'Kota Semarang'.")
@click.option("--authority", "authority", type=_FILE, multiple=True, help="Public key of the authority; repeat.")
@click.option("--threshold", type=click.IntRange(1, 16), help="How many of them must sign a roster event. Default: all.")
@click.option("--utc-offset", default="+07:00", show_default=True, help="Local time of the city.")
@click.option("--language", "languages", multiple=True, default=("id", "en"), show_default=True)
@click.option("--key", "key_files", type=_FILE, multiple=True, help="Private key of the authority; every one must sign.")
@click.option("--log-key", type=_FILE, help="The log's own key file; made if absent. Default: DIR-keys/log.pem.")
@click.option("--draft", type=_FILE, help="Write the unsigned founding here, for others to sign, and stop.")
@click.option("--from", "source", type=_FILE, help="Found the ledger from this signed founding.")
@click.option("--url", help="Where the public will find it.")
@passphrase_option
@json_option
@session
def init(
    here: Session,
    directory: Path,
    origin: str | None,
    name: str | None,
    authority: tuple[Path, ...],
    threshold: int | None,
    utc_offset: str,
    languages: tuple[str, ...],
    key_files: tuple[Path, ...],
    log_key: Path | None,
    draft: Path | None,
    source: Path | None,
    url: str | None,
) -> int:
    """Found a new ledger in DIRECTORY."""
    from ledger.publisher.founding import found
    from ledger.records.envelope import add_signature, load_envelope

    log_key = log_key or directory.absolute().parent / f"{directory.name}-keys" / "log.pem"
    if source is not None:
        envelope = load_envelope(_read(source), drafts=True)
    else:
        envelope = _drafted(here, origin, name, authority, threshold, utc_offset, languages, log_key)
        for file in key_files:
            signer = _private(here, file)
            envelope = add_signature(envelope, signer.public.keyid, signer.sign)
    if draft is not None:
        return _write_draft(here, draft, envelope, log_key)
    home = found(directory, envelope, log_keys=[log_key], keys=here.passphrase_of, url=url)
    shown = {"home": str(home.path), "origin": home.origin, "founding": home.founding, "log_key": str(log_key)}
    here.report(
        shown,
        [
            here.say("init.done", home=printable(home.path), origin=home.origin, log_key=printable(log_key)),
            here.say("init.founding", founding=home.founding),
        ],
    )
    return 0


def _write_draft(here: Session, draft: Path, envelope: Envelope, log_key: Path) -> int:
    from ledger.durable import write_over
    from ledger.records.envelope import dump_envelope

    write_over(draft.absolute(), dump_envelope(envelope))
    shown = {"draft": str(draft), "founding": envelope.id, "log_key": str(log_key)}
    here.report(shown, [here.say("init.drafted", file=printable(draft), founding=envelope.id, log_key=printable(log_key))])
    return 0


def _drafted(
    here: Session,
    origin: str | None,
    name: str | None,
    authority: tuple[Path, ...],
    threshold: int | None,
    utc_offset: str,
    languages: tuple[str, ...],
    log_key: Path,
) -> Envelope:
    from ledger.keyfile import load_log_keys, load_public, new_log_keys
    from ledger.publisher.founding import draft_founding

    missing = [flag for flag, value in (("--origin", origin), ("--name", name), ("--authority", authority)) if not value]
    if missing or origin is None or name is None:
        raise UsageError(f"missing: {', '.join(missing)}", code="missing-options", options=", ".join(missing))
    if not log_key.exists():
        log_key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new_log_keys(log_key, here.new_passphrase(log_key))
    keys = load_log_keys(log_key, here.passphrase_of(log_key))
    publics = [load_public(file) for file in authority]
    return draft_founding(
        origin=origin,
        name=name,
        utc_offset=utc_offset,
        languages=languages,
        authority=[one.spki_base64() for one in publics],
        threshold=threshold or len(publics),
        vkeys=keys.vkeys(origin),
    )


def _private(here: Session, file: Path) -> PrivateKey:
    from ledger.keyfile import load_private

    return load_private(file, here.passphrase_of(file))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error}", code="file-unreadable", path=str(path), problem=str(error.strerror)) from None
