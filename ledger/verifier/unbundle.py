"""Reading an evidence bundle from somebody else (RFC 8493): nothing is written to the disk, and nothing is trusted.

The files (``bag_zip``) are exactly those of the manifest, which anybody can write; so each of them is also held against the
proofs (``bag_content``), whose own truth is judged afterwards. ``bundle`` draws the layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ledger.errors import FormatError
from ledger.records.envelope import Envelope
from ledger.tlog.encoding import parse_decimal
from ledger.tlog.note import parse_note
from ledger.verifier.bag_content import chain_facts, check_act, check_policies, sha256_of
from ledger.verifier.bag_readme import BAGIT, bag_info, readme
from ledger.verifier.bag_zip import BagFiles, is_bundle, open_regular, read_zip
from ledger.verifier.client import roster_lines

__all__ = ["Bundle", "BundledAct", "is_bundle", "open_regular", "read_bundle"]

_TAGS = ("bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt")
_OWN_WORDS = ("data/README.txt", "bagit.txt", "bag-info.txt")


@dataclass(frozen=True, slots=True)
class BundledAct:
    """One act of a bundle: its proof (which holds the entry) and the SHA-256 of each document's bytes, by file name."""

    index: int
    proof: bytes
    documents: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose files are those that its proofs, chain and checkpoint ask for; those are still to be judged.

    ``unread`` names the files of fixed words (README, tags) that are not the ones of this version: nobody has read them.
    """

    acts: tuple[BundledAct, ...]
    roster: tuple[Envelope, ...]
    policy: bytes
    checkpoint: bytes
    files: int
    unread: tuple[str, ...] = ()


def read_bundle(path: Path) -> Bundle:
    """Return the bundle at ``path``; its files are exactly those that its proofs ask for, and stand in its manifest.

    Raises:
        FormatError: unsafe, incomplete, not a bundle of this layout, or a file that does not follow from the proofs.
        NewerFormatError: a later version's proof, entry or key.
        FetchError: it cannot be read.
    """
    files = read_zip(path)
    _check_manifest(files.hashes, files.kept)
    return _held(files)


def _check_manifest(hashes: Mapping[str, str], kept: Mapping[str, bytes]) -> None:
    """Accept a manifest of exactly these files, and a manifest of the tag files where there is one."""
    if "manifest-sha256.txt" not in kept or "bagit.txt" not in hashes:
        raise FormatError("not a bag", code="bundle-incomplete", name="manifest-sha256.txt")
    listed = dict[str, str]()
    payload = {name: code for name, code in hashes.items() if name not in _TAGS}
    *lines, rest = kept["manifest-sha256.txt"].decode("utf-8", "replace").split("\n")
    for line in lines:
        code, gap, name = line.partition("  ")
        if not gap or name in listed or rest:
            raise FormatError("the manifest is not in order", code="bundle-incomplete", name="manifest-sha256.txt")
        listed[name] = code
    for name in listed.keys() ^ payload.keys():
        raise FormatError(f"{name} is not both in the manifest and in the bag", code="bundle-incomplete", name=name)
    for name, code in listed.items():
        if payload[name] != code:
            raise FormatError(f"{name} is not the file of the manifest", code="bundle-differs", name=name)
    tags = "".join(f"{hashes[name]}  {name}\n" for name in sorted(_TAGS[:3]) if name in hashes)
    if hashes.get(_TAGS[3], sha256_of(tags.encode())) != sha256_of(tags.encode()):
        raise FormatError("the tag manifest is another one", code="bundle-differs", name=_TAGS[3])


def _held(files: BagFiles) -> Bundle:
    """Return the bundle, each of its files held against what it must be."""
    hashes, kept = files.hashes, files.kept
    for name in ("data/README.txt", "data/roster.jsonl", "data/policy", "data/policy-ed25519", "data/checkpoint"):
        if name not in hashes:
            raise FormatError(f"{name} is missing", code="bundle-incomplete", name=name)
    policy, checkpoint = kept["data/policy"], kept["data/checkpoint"]
    roster = tuple(roster_lines(kept["data/roster.jsonl"]))
    acts = tuple(_acts(files, roster, checkpoint))
    check_policies(policy, kept["data/policy-ed25519"], checkpoint, roster)
    payload = [size for name, size in files.sizes.items() if name not in _TAGS]
    origin = parse_note(checkpoint).text.partition(b"\n")[0].decode("utf-8")
    words = (readme(origin, len(acts)), BAGIT, bag_info(len(acts), sum(payload), len(payload)))
    unread = tuple(name for name, text in zip(_OWN_WORDS, words, strict=True) if hashes.get(name) != sha256_of(text))
    return Bundle(acts, roster, policy, checkpoint, len(payload), unread)


def _acts(files: BagFiles, roster: tuple[Envelope, ...], checkpoint: bytes) -> Iterator[BundledAct]:
    """Yield the acts in their order, each folder held against its proof."""
    folders: dict[int, dict[str, str]] = {}
    for name, code in files.hashes.items():
        if name.startswith("data/acts/"):
            number, _, inner = name.removeprefix("data/acts/").partition("/")
            folders.setdefault(parse_decimal(number), {})[inner] = code
    chain = chain_facts(roster)
    for index, folder in sorted(folders.items()):
        place = f"data/acts/{index}/"
        proof = files.kept.get(f"{place}proof.tlog-proof")
        if proof is None:
            raise FormatError("no proof", code="bundle-unknown-file", name=place + min(folder))
        keys = {one: files.kept[place + one] for one in folder if one.startswith("key-")}
        check_act(index, proof, folder, keys, chain, checkpoint)
        documents = {one.removeprefix("documents/"): code for one, code in folder.items() if one.startswith("documents/")}
        yield BundledAct(index, proof, documents)
