"""Key files: what is written can be read back, by openssl too; every failure is a KeyFileError that people can read."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ledger import keyfile
from ledger.errors import FormatError, KeyFileError, SignatureError
from ledger.keys import PublicKey
from ledger.tlog.note import COSIGNATURE_MLDSA44, ED25519, parse_vkey
from ledger.words import LANGUAGES, explain

PASSPHRASE = b"kuda baterai penjepit"
openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A new encrypted key."""
    keyfile.new_key(tmp_path / "head.pem", PASSPHRASE, "Kepala Dinas")
    return tmp_path / "head.pem"


def refused(code: str, function, *args, **options) -> None:
    """The call fails with ``code``, in words of both languages that are more than the code."""
    with pytest.raises(KeyFileError) as caught:
        function(*args, **options)
    assert caught.value.code == code
    said = {explain(caught.value, lang) for lang in LANGUAGES}
    assert len(said) == len(LANGUAGES)
    assert not any(code in one or "…" in one for one in said)


def foreign_key(path: Path, kind: str = "private") -> Path:
    """A P-256 key, which is not ours."""
    made = ec.generate_private_key(ec.SECP256R1())
    if kind == "private":
        path.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    else:
        path.write_bytes(made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def test_a_signature_by_the_loaded_key_holds_for_the_public_file(key):
    """What the private file signs, the public file checks, and nothing else."""
    private, public = keyfile.load_private(key, PASSPHRASE), keyfile.load_public(Path(f"{key}.pub"))
    assert private.public == public
    signature = private.sign(b"akta")
    public.check(b"akta", signature)
    with pytest.raises(SignatureError):
        public.check(b"akte", signature)


def test_files_are_private_encrypted_and_alone(key):
    """The private file is 0600 and encrypted; nothing temporary is left beside the two."""
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert keyfile.is_encrypted(key)
    assert sorted(one.name for one in key.parent.iterdir()) == ["head.pem", "head.pem.pub"]
    assert Path(f"{key}.pub").read_text("utf-8").startswith("# Kepala Dinas\n-----BEGIN PUBLIC KEY-----\n")


@openssl
def test_openssl_reads_our_keys_and_checks_our_signature(key, tmp_path):
    """A stock openssl opens the private file with the passphrase, and verifies by the public file."""
    derived = run_openssl("pkey", "-in", key, "-passin", f"pass:{PASSPHRASE.decode()}", "-pubout").decode()
    public = keyfile.load_public(Path(f"{key}.pub"))
    assert derived == public.pem()
    (tmp_path / "message").write_bytes(b"akta")
    (tmp_path / "signature").write_bytes(keyfile.load_private(key, PASSPHRASE).sign(b"akta"))
    verify = ["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey", f"{key}.pub", "-in", tmp_path / "message"]
    assert b"Verified Successfully" in run_openssl(*verify, "-sigfile", tmp_path / "signature")


@openssl
def test_a_key_made_by_openssl_can_sign_here(tmp_path):
    """An official may bring a key that openssl made, encrypted or not."""
    for options in ([], ["-aes256", "-pass", f"pass:{PASSPHRASE.decode()}"]):
        path = tmp_path / f"own{len(options)}.pem"
        path.write_bytes(run_openssl("genpkey", "-algorithm", "ed25519", *options))
        private = keyfile.load_private(path, PASSPHRASE if options else None)
        private.public.check(b"akta", private.sign(b"akta"))


def run_openssl(*args: object) -> bytes:
    """Run openssl and return what it prints."""
    return subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True).stdout


def test_pem_and_base64_spell_the_same_44_bytes(key):
    """``pem`` is what cryptography writes; ``from_spki`` takes it back; the key id is the hash of those bytes."""
    public = keyfile.load_public(Path(f"{key}.pub"))
    assert PublicKey.from_spki(public.spki) == public
    assert len(public.spki) == 44
    assert len(public.keyid) == 64
    assert public.spki_base64() in public.pem()


@pytest.mark.parametrize("change", [lambda der: der[:-1], lambda der: der + b"\0", lambda der: b"1" + der[1:], lambda _: b""])
def test_any_other_der_is_refused(key, change):
    """Only the one form of RFC 8410 is a key."""
    der = keyfile.load_public(Path(f"{key}.pub")).spki
    with pytest.raises(FormatError):
        PublicKey.from_spki(change(der))


def test_every_point_of_small_order_is_refused():
    """With such a key anybody could sign; the sign bit and the second encodings make no difference."""
    points = ["00" * 32, "01" + "00" * 31, "ec" + "ff" * 30 + "7f", "ed" + "ff" * 30 + "7f", "ee" + "ff" * 30 + "7f"]
    points += ["26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"]
    points += ["c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"]
    for raw in map(bytes.fromhex, points):
        for spelled in (raw, raw[:31] + bytes([raw[31] | 0x80])):
            with pytest.raises(FormatError):
                PublicKey.from_raw(spelled)


def test_a_key_is_never_overwritten(key):
    """Neither the private nor the public file gives way, nor a link that leads nowhere."""
    before = key.read_bytes()
    refused("key-exists", keyfile.new_key, key, PASSPHRASE)
    assert key.read_bytes() == before
    key.unlink()
    refused("key-exists", keyfile.new_key, key, PASSPHRASE)
    other = key.with_name("link.pem")
    other.symlink_to("nowhere")
    refused("key-exists", keyfile.new_key, other, PASSPHRASE)


def test_a_file_that_comes_meanwhile_is_not_overwritten(tmp_path, monkeypatch):
    """Between the look and the write another process may make the file: link(2) refuses, and nothing is left behind."""
    path = tmp_path / "head.pem"
    monkeypatch.setattr(keyfile, "_check_new", lambda *paths: path.write_bytes(b"another"))
    refused("key-exists", keyfile.new_key, path, PASSPHRASE)
    assert path.read_bytes() == b"another"
    assert [one.name for one in tmp_path.iterdir()] == ["head.pem"]


def test_a_file_system_without_links_gets_its_key_too(tmp_path, monkeypatch):
    """A USB stick's file system has no hard links; the key is written there all the same, and never over another."""

    def no_links(source, target):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "head.pem"
    assert keyfile.new_key(path, PASSPHRASE) == keyfile.load_private(path, PASSPHRASE).public
    monkeypatch.setattr(keyfile, "_check_new", lambda *paths: None)
    refused("key-exists", keyfile.new_key, path, PASSPHRASE)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["head.pem", "head.pem.pub"]


def test_half_a_pair_is_taken_back(tmp_path, monkeypatch):
    """When the second file cannot be written, the first goes too, so that the next attempt is not refused."""
    link, calls = os.link, []

    def full_at_the_second(source, target):
        calls.append(target)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        link(source, target)

    monkeypatch.setattr(os, "link", full_at_the_second)
    refused("key-unwritable", keyfile.new_key, tmp_path / "head.pem", PASSPHRASE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("empty", [None, b""])
def test_no_passphrase_is_a_decision(tmp_path, empty):
    """Without a passphrase there is a key only when that is asked for by name."""
    refused("key-missing-passphrase", keyfile.new_key, tmp_path / "a.pem", empty)
    refused("key-missing-passphrase", keyfile.new_log_keys, tmp_path / "a.pem", empty)
    assert list(tmp_path.iterdir()) == []
    keyfile.new_key(tmp_path / "a.pem", empty, unencrypted=True)
    assert not keyfile.is_encrypted(tmp_path / "a.pem")
    keyfile.load_private(tmp_path / "a.pem", None)


def test_wrong_files_have_their_own_words(key, tmp_path):
    """Each way of handing in the wrong thing has a code and a sentence."""
    public = Path(f"{key}.pub")
    (tmp_path / "noise").write_bytes(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    (tmp_path / "huge").write_bytes(b"\0" * 70_000)
    refused("key-passphrase", keyfile.load_private, key, b"salah")
    refused("key-missing-passphrase", keyfile.load_private, key, None)
    refused("key-missing-passphrase", keyfile.load_private, key, b"")
    refused("key-not-found", keyfile.load_private, tmp_path / "absent", PASSPHRASE)
    refused("key-not-found", keyfile.load_public, tmp_path)
    refused("key-not-private", keyfile.load_private, public, PASSPHRASE)
    refused("key-not-public", keyfile.load_public, key)
    refused("key-not-ed25519", keyfile.load_private, foreign_key(tmp_path / "p256"), None)
    refused("key-not-ed25519", keyfile.load_public, foreign_key(tmp_path / "p256.pub", "public"))
    refused("key-unreadable", keyfile.load_public, tmp_path / "noise")
    refused("key-unreadable", keyfile.load_public, tmp_path / "huge")
    refused("key-unwritable", keyfile.new_key, tmp_path / "absent" / "a.pem", PASSPHRASE)


def test_a_name_cannot_forge_the_public_file(tmp_path):
    """A name with line breaks stays one comment line, and one that speaks of a private key does not make it one."""
    name = "Ani\n-----BEGIN PRIVATE KEY-----\u202e"
    made = keyfile.new_key(tmp_path / "a.pem", PASSPHRASE, name)
    assert (tmp_path / "a.pem.pub").read_text("utf-8").count("\n") == 4
    assert keyfile.load_public(tmp_path / "a.pem.pub") == made
    assert not keyfile.is_private(tmp_path / "a.pem.pub")


def test_a_secret_is_never_shown(key, tmp_path):
    """Neither repr nor str of the objects holds the seed."""
    private = keyfile.load_private(key, PASSPHRASE)
    seed = bytes(private._signing_key)
    keyfile.new_log_keys(tmp_path / "log.pem", PASSPHRASE)
    both = keyfile.load_log_keys(tmp_path / "log.pem", PASSPHRASE)
    for shown in (repr(private), str(private), repr(both), f"{both}"):
        assert seed.hex() not in shown
        assert repr(seed)[2:-1] not in shown
        assert "SigningKey" not in shown
        assert "MLDSA" not in shown


def test_log_keys_come_as_two_vkeys_of_one_name(tmp_path):
    """A log signs with Ed25519 and ML-DSA-44; both verifier keys bear its origin."""
    keyfile.new_log_keys(tmp_path / "log.pem", PASSPHRASE)
    keys = keyfile.load_log_keys(tmp_path / "log.pem", PASSPHRASE)
    first, second = map(parse_vkey, keys.vkeys("kota.example/akta"))
    assert (first.name, second.name) == ("kota.example/akta", "kota.example/akta")
    assert (first.algorithm, second.algorithm) == (ED25519, COSIGNATURE_MLDSA44)
    assert first.key == keys.ed25519.public.raw
    keys.mldsa44.public_key().verify(keys.mldsa44.sign(b"akar"), b"akar")
    assert stat.S_IMODE((tmp_path / "log.pem.mldsa44").stat().st_mode) == 0o600


def test_log_keys_are_not_mixed_up(tmp_path):
    """The second file must hold an ML-DSA-44 key, and the first an Ed25519 one."""
    keyfile.new_log_keys(tmp_path / "log.pem", PASSPHRASE)
    second = tmp_path / "log.pem.mldsa44"
    refused("key-not-ed25519", keyfile.load_private, second, PASSPHRASE)
    refused("key-exists", keyfile.new_log_keys, tmp_path / "log.pem", PASSPHRASE)
    second.write_bytes((tmp_path / "log.pem").read_bytes())
    refused("key-not-mldsa44", keyfile.load_log_keys, tmp_path / "log.pem", PASSPHRASE)
    second.unlink()
    refused("key-not-found", keyfile.load_log_keys, tmp_path / "log.pem", PASSPHRASE)


@pytest.mark.parametrize("encrypted", [False, True])
def test_no_foreign_exception_leaves(tmp_path, encrypted):
    """A bit flipped anywhere, or a cut, gives a key or a KeyFileError, and nothing else."""
    path = tmp_path / "a.pem"
    keyfile.new_key(path, PASSPHRASE if encrypted else None, unencrypted=not encrypted)
    for file, load in ((path, lambda one: keyfile.load_private(one, PASSPHRASE)), (tmp_path / "a.pem.pub", keyfile.load_public)):
        whole = file.read_bytes()
        for changed in mutations(whole):
            file.write_bytes(changed)
            try:
                load(file)
            except KeyFileError:
                continue


def mutations(data: bytes):
    """Every byte with one bit flipped, bytes that break PEM, and every seventh cut."""
    for index in range(len(data)):
        yield data[:index] + bytes([data[index] ^ 1 << index % 8]) + data[index + 1 :]
    for index in range(0, len(data), 7):
        yield data[:index]
        yield data[:index] + b"\xff\0" + data[index:]


def test_the_other_ed25519_library_agrees(key):
    """cryptography derives the same public key and signature from the file as PyNaCl does."""
    loaded = keyfile.load_any(key, PASSPHRASE)
    assert isinstance(loaded, Ed25519PrivateKey)
    private = keyfile.load_private(key, PASSPHRASE)
    assert loaded.public_key().public_bytes_raw() == private.public.raw
    assert loaded.sign(b"akta") == private.sign(b"akta")


@pytest.mark.parametrize("size", [1, 15, 16, 127, 128, 255, 256, 70_000])
def test_encrypted_keys_of_any_length_are_read_by_openssl(tmp_path: Path, size: int) -> None:
    """The DER of ``ledger.pkcs8`` is right at every length boundary: openssl decrypts what was sealed, byte by byte."""
    from ledger.pkcs8 import encrypt_private_key

    der = bytes(range(256)) * (size // 256) + bytes(size % 256)
    (tmp_path / "k.pem").write_bytes(encrypt_private_key(der, b"frasa"))
    listed = subprocess.run(
        ["openssl", "asn1parse", "-in", tmp_path / "k.pem"], capture_output=True, text=True, check=True
    ).stdout
    assert "scrypt" in listed
    assert "aes-256-cbc" in listed
    assert "error" not in listed.lower()
