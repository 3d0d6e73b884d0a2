"""Each JavaScript module against Python's and against vectors: what one accepts, the other accepts, and with the same result.

Cases go to the browser by the thousand in one call, and come back as a list of outcomes: what was returned, or an error's kind.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
import sys
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger.errors import LedgerError, SignatureError
from ledger.records import canonical
from ledger.records.entry import format_time, local_date
from ledger.records.events import check_payload
from ledger.records.numbers import fold_number, number_hash, pattern_is_known, serial_in
from ledger.records.record import check_record
from ledger.records.refs import draw_ref, is_ref, parse_ref
from ledger.tlog.encoding import parse_base64, parse_decimal
from ledger.tlog.merkle import (
    check_consistency,
    check_inclusion,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    root_hash,
)
from ledger.tlog.note import check_ed25519, parse_note
from ledger.tlog.policy import LOG_PQ, parse_policy, policy_founding
from ledger.tlog.proof import parse_proof
from ledger.tlog.tiles import Tile, hash_in_tile, tile_hashes, tiles_of
from ledger.verifier.bag_zip import is_bundle, read_zip
from ledger.verifier.weaker import weaker
from tests.city import City, witness_vkey
from tests.web.browser import local_site, new_page
from tests.web.verifying import Checker

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from ledger.publisher.home import Home

KINDS = {"SignatureError": "signature", "NewerFormatError": "newer", "FormatError": "format"}


@pytest.fixture(scope="module")
def js(browser: Browser, plain_home: Home) -> Iterator[Checker]:
    """The modules, loaded once."""
    with local_site(plain_home) as site:
        yield Checker(new_page(browser), site)


def each(js: Checker, module: str, expression: str, cases: list[Any]) -> list[Any]:
    """Evaluate ``expression`` for each case ``c``; an error of the checker comes back as ``{"no": kind}``."""
    body = f"""await (async () => {{ const out = []; for (const c of a) {{
      try {{ const found = await (async () => ({expression}))(); out.push(found === undefined ? true : found); }}
      catch (error) {{ if (!error.kind) throw error; out.push({{ no: error.kind }}); }}
    }} return out; }})()"""
    return list(js.run(module, body, cases))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def accepts(action: Callable[[], Any]) -> bool:
    """Whether Python accepts."""
    try:
        action()
    except LedgerError:
        return False
    return True


def vectors(shared: Path, name: str) -> Any:
    return json.loads((shared / "vectors" / name).read_text("utf-8"))


# ---- signatures


def test_ed25519_is_judged_as_pynacl_judges_it(js: Checker, shared: Path) -> None:
    """All of Wycheproof and CCTV: small-order and non-canonical points and S >= L are refused, whatever the browser itself does."""
    cases = [(one["key"], one["msg"].encode().hex(), one["sig"]) for one in vectors(shared, "cctv-ed25519.json")]
    for group in vectors(shared, "wycheproof-ed25519.json")["testGroups"]:
        cases += [(group["publicKey"]["pk"], one["msg"], one["sig"]) for one in group["tests"]]
    ours = each(js, "ed25519", "m.checkEd25519(b.fromHex(c[0]), b.fromHex(c[1]), b.fromHex(c[2]))", cases)
    theirs = []
    for key, message, signature in cases:
        try:
            check_ed25519(bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature))
            theirs.append(True)
        except SignatureError:
            theirs.append({"no": "signature"})
    assert [case for case, one, other in zip(cases, ours, theirs, strict=True) if one != other] == []
    assert (len(cases), sum(one is True for one in ours)) == (1065, 131)


def test_the_browser_alone_would_accept_more(js: Checker) -> None:
    """Why it is not asked alone: with a key of small order anybody signs anything, and this browser's WebCrypto takes it."""
    from nacl.signing import SigningKey

    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(hashlib.sha512(b"\7" * 32).digest()[:32], "little") & ((1 << 254) - 8) | (1 << 254)
    forged = bytes(SigningKey(b"\7" * 32).verify_key) + (scalar % order).to_bytes(32, "little")  # R = S times the base point
    neutral = [bytes.fromhex(one) for one in ("01" + "00" * 31, "01" + "00" * 30 + "80", "ee" + "ff" * 30 + "7f", "ee" + "ff" * 31)]
    cases = [[key.hex(), forged.hex()] for key in neutral]
    raw = """crypto.subtle.importKey("raw", b.fromHex(c[0]), "Ed25519", false, ["verify"])
      .then((key) => crypto.subtle.verify("Ed25519", key, b.fromHex(c[1]), b.fromHex("00")), () => false)"""
    assert any(each(js, "ed25519", raw, cases))
    assert each(js, "ed25519", "m.checkEd25519(b.fromHex(c[0]), b.fromHex('00'), b.fromHex(c[1]))", cases) == [{"no": "signature"}] * 4
    assert each(js, "envelope", "m.publicKey(b.fromHex(c[0]))", cases) == [{"no": "format"}] * 4
    assert js.run("ed25519", "m.canCheckEd25519()") is True


def test_a_lax_engine_is_not_believed(js: Checker, shared: Path) -> None:
    """Before a WebCrypto that accepts everything, small-order and non-canonical points and S >= L are still refused."""
    whole = vectors(shared, "cctv-ed25519.json")
    cases = [[one["key"], one["sig"]] for one in whole]
    good = next([one["key"], one["sig"]] for one in whole if not one["flags"])
    order = 2**252 + 27742317777372353535851937790883648493
    cases += [[good[0], good[1][:64] + (order + more).to_bytes(32, "little").hex()] for more in (0, 1, 2**250)]
    cases += [[(2**255 - 19 + more + sign).to_bytes(32, "little").hex(), good[1]] for more in range(19) for sign in (0, 2**255)]
    script = """(async () => { const [take, verify] = [crypto.subtle.importKey, crypto.subtle.verify]; const out = [];
      crypto.subtle.importKey = async () => ({}); crypto.subtle.verify = async () => true;
      for (const [key, sig] of a) out.push(await m.checkEd25519(b.fromHex(key), b.fromHex("00"), b.fromHex(sig)).then(() => true, () => false));
      crypto.subtle.importKey = take; crypto.subtle.verify = verify; return out; })()"""
    page = new_page(js.page.context.browser)  # keys are kept once imported: not in the page of the other tests
    found = Checker(page, js.site).run("ed25519", f"await {script}", cases)
    page.context.close()
    forbidden = {"low_order_A", "low_order_R", "non_canonical_A"}
    for one, taken in zip(whole, found, strict=False):
        assert not (taken and forbidden & set(one["flags"] or [])), one
    assert found[len(whole) :] == [False] * (3 + 2 * 19)
    assert any(found[: len(whole)])


# ---- hashes and trees


def test_sha256_in_any_pieces(js: Checker) -> None:
    """However a message is cut, the digest is hashlib's; around every block border, and for a Blob read in pieces."""
    chance = random.Random(1)
    messages = [chance.randbytes(size) for size in [*range(200), 1000, 4096, 65_537]]
    cut = "(() => { const d = new m.Sha256(); const data = b.parseBase64(c[0]); let at = 0; for (const n of c[1]) { d.update(data.subarray(at, at + n)); at += n; } return b.toHex(d.update(data.subarray(at)).digest()); })()"
    cases = [[b64(one), [chance.randrange(0, 90) for _ in range(chance.randrange(0, 9))]] for one in messages]
    cases = [[data, sizes] for data, sizes in cases]
    assert each(js, "sha256", cut, cases) == [hashlib.sha256(one).hexdigest() for one in messages]
    blob = "m.sha256OfBlob(new Blob([new Uint8Array(c).fill(7)]))"
    sizes = [0, 1, (1 << 20) - 1, 1 << 20, (3 << 20) + 5]
    assert each(js, "sha256", blob, sizes) == [hashlib.sha256(b"\7" * one).hexdigest() for one in sizes]


def _vector(one: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: one[name] for name in names} | {"proof": one["proof"] or []}


def test_vectors_of_inclusion_and_consistency(js: Checker, shared: Path) -> None:
    """Every case of transparency-dev/merkle, judged as there."""
    inclusion = vectors(shared, "rfc6962-inclusion.json")
    check = "m.checkInclusion(c.proof.map(p), { index: c.leafIdx, size: c.treeSize, leaf: p(c.leafHash), root: p(c.root) })"
    cases = [_vector(one, "leafIdx", "treeSize", "leafHash", "root") for one in inclusion]
    cases = [{key: value or "" if key in ("leafHash", "root") else value for key, value in one.items()} for one in cases]
    found = each(js, "merkle", f"((p) => {check})(b.parseBase64)", cases)
    assert [one is True for one in found] == [not one["wantErr"] for one in inclusion]
    consistency = vectors(shared, "rfc6962-consistency.json")
    check = "m.checkConsistency(c.proof.map(p), { oldSize: c.size1, newSize: c.size2, oldRoot: p(c.root1), newRoot: p(c.root2) })"
    found = each(js, "merkle", f"((p) => {check})(b.parseBase64)", [_vector(one, "size1", "size2", "root1", "root2") for one in consistency])
    for one, held in zip(consistency, found, strict=True):
        proof = [base64.b64decode(step) for step in one["proof"] or []]
        roots = {"old_root": base64.b64decode(one["root1"]), "new_root": base64.b64decode(one["root2"])}
        ours = accepts(lambda proof=proof, one=one, roots=roots: check_consistency(proof, old_size=one["size1"], new_size=one["size2"], **roots))  # type: ignore[misc]
        assert (held is True) == ours, one["desc"]


SIZES = range(66)


def _leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % one) for one in range(count)]


def _read(leaves: list[bytes]) -> Callable[[Any], list[bytes]]:
    return lambda nodes: [root_hash(leaves[i << n : (i + 1) << n]) for n, i in nodes]


def test_every_inclusion_proof_to_65(js: Checker) -> None:
    """All pairs hold; the same with another index, size, leaf, root, a bit flipped, a hash dropped or added do not."""
    leaves, cases, wanted = _leaves(66), [], []
    chance = random.Random(2)
    for size in SIZES:
        root = root_hash(leaves[:size])
        for index in range(size):
            proof = prove_inclusion(index, size, _read(leaves[:size]))
            whole = {"proof": proof, "index": index, "size": size, "leaf": leaves[index], "root": root}
            for change in ({}, *_mutations(whole, chance)):
                case = {**whole, **change}
                cases.append({key: [b64(one) for one in value] if key == "proof" else b64(value) if isinstance(value, bytes) else value for key, value in case.items()})
                wanted.append(accepts(lambda case=case: check_inclusion(case["proof"], **{key: value for key, value in case.items() if key != "proof"})))  # type: ignore[misc]
    check = "((p) => m.checkInclusion(c.proof.map(p), { index: c.index, size: c.size, leaf: p(c.leaf), root: p(c.root) }))(b.parseBase64)"
    found = [one is True for one in each(js, "merkle", check, cases)]
    assert found == wanted
    assert sum(wanted) >= sum(SIZES)


def _mutations(whole: dict[str, Any], chance: random.Random) -> Iterator[dict[str, Any]]:
    proof: list[bytes] = whole["proof"]
    yield {"index": whole["index"] + 1}
    yield {"size": whole["size"] + 1}
    yield {"root": _flipped(whole["root"], chance)}
    yield {"proof": [*proof, whole["root"]]}
    yield {"proof": [b"\0" * 31]}
    for at in range(len(proof)):
        yield {"proof": [*proof[:at], _flipped(proof[at], chance), *proof[at + 1 :]]}
    if proof:
        at = chance.randrange(len(proof))
        yield {"proof": proof[:at] + proof[at + 1 :]}


def _flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def test_every_consistency_proof_to_65(js: Checker) -> None:
    """All pairs of sizes hold, and are proven alike; with a bit flipped in proof or roots they do not."""
    leaves, chance = _leaves(66), random.Random(3)
    roots = [root_hash(leaves[:size]) for size in SIZES]
    cases, wanted = [], []
    for new in SIZES:
        for old in range(new + 1):
            proof = prove_consistency(old, new, _read(leaves[:new]))
            variants = [(proof, roots[old], roots[new]), (proof, _flipped(roots[old], chance), roots[new]), (proof, roots[old], _flipped(roots[new], chance))]
            variants += [([*proof[:at], _flipped(proof[at], chance), *proof[at + 1 :]], roots[old], roots[new]) for at in range(len(proof))]
            for steps, old_root, new_root in variants:
                cases.append([[b64(one) for one in steps], old, new, b64(old_root), b64(new_root)])
                wanted.append(accepts(lambda s=steps, o=old, n=new, r=old_root, q=new_root: check_consistency(s, old_size=o, new_size=n, old_root=r, new_root=q)))  # type: ignore[misc]
    check = "((p) => m.checkConsistency(c[0].map(p), { oldSize: c[1], newSize: c[2], oldRoot: p(c[3]), newRoot: p(c[4]) }))(b.parseBase64)"
    assert [one is True for one in each(js, "merkle", check, cases)] == wanted
    prove = "(async () => { const l = a.leaves.map(b.parseBase64); const read = async (nodes) => nodes.map(([n, i]) => m.rootHash(l.slice(i * 2 ** n, (i + 1) * 2 ** n))); const out = []; for (const [o, n] of a.pairs) out.push((await m.proveConsistency(o, n, read)).map(b.formatBase64)); return out; })()"
    pairs = [(old, new) for new in SIZES for old in range(new + 1)]
    found = js.run("merkle", f"await {prove}", {"leaves": [b64(one) for one in leaves], "pairs": pairs})
    assert found == [[b64(one) for one in prove_consistency(old, new, _read(leaves[:new]))] for old, new in pairs]


@pytest.mark.parametrize("size", [1, 255, 256, 257, 700, 66_000])
def test_tiles_lead_to_the_root(js: Checker, size: int) -> None:
    """Leaves and proofs read from tiles are Python's; a flipped bit in any tile on the way is found."""
    leaves = [leaf_hash(one.to_bytes(4)) for one in range(size)]
    levels: dict[int, list[bytes]] = {0: leaves}
    while len(levels[len(levels) - 1]) > 1:
        below = levels[len(levels) - 1]
        levels[len(levels)] = [hashlib.sha256(b"\1" + below[at] + below[at + 1]).digest() for at in range(0, len(below) - 1, 2)]
    read = lambda nodes: [levels[n][i] for n, i in nodes]  # noqa: E731
    tiles = {tile.path: tile_hashes(tile, read) for tile in tiles_of(size)}
    indexes = sorted({0, size // 2, size - 1, min(255, size - 1), max(0, size - 257)})
    script = """(async () => {
      const k = await import('/static/verify/merkle.js'); const asked = new Set();
      const fetchTile = async (tile) => { asked.add(m.tilePath(tile)); const data = b.parseBase64(a.tiles[m.tilePath(tile)]);
        if (m.tilePath(tile) === a.flip) data[data.length - 1] ^= 1; return data; };
      const reader = new m.TileReader(a.size, b.parseBase64(a.root), fetchTile); const out = [];
      try { for (const index of a.indexes) out.push((await k.proveInclusion(index, a.size, reader.read)).map(b.formatBase64)); }
      catch (error) { return { no: error.code }; }
      return { out, asked: [...asked] };
    })()"""
    given = {"size": size, "root": b64(root_hash(leaves)), "indexes": indexes, "tiles": {path: b64(data) for path, data in tiles.items()}, "flip": ""}
    found = js.run("tiles", f"await {script}", given)
    assert found["out"] == [[b64(one) for one in prove_inclusion(index, size, read)] for index in indexes]
    for path in found["asked"]:
        assert js.run("tiles", f"await {script}", given | {"flip": path}) == {"no": "tile-differs"}


def test_tile_paths_and_hashes(js: Checker) -> None:
    """The path of any tile, and the hash of any node in it."""
    chance = random.Random(4)
    tiles = [Tile(chance.choice([-1, 0, 1, 5]), chance.randrange(10 ** chance.randrange(1, 12)), chance.randrange(1, 257)) for _ in range(500)]
    cases = [{"level": one.level, "index": one.index, "width": one.width} for one in tiles]
    assert each(js, "tiles", "m.tilePath(c)", cases) == [one.path for one in tiles]
    tile, data = Tile(0, 3, 200), chance.randbytes(200 * 32)
    nodes = [(level, index) for level in range(9) for index in range((768 >> level) - 1, (970 >> level) + 2)]
    found = each(js, "tiles", "b.toHex(m.hashInTile({ level: 0, index: 3, width: 200 }, b.parseBase64(c[0]), c[1]))", [[b64(data), one] for one in nodes])
    for node, one in zip(nodes, found, strict=True):
        held = accepts(lambda node=node: hash_in_tile(tile, data, node))  # type: ignore[misc]
        assert one == (hash_in_tile(tile, data, node).hex() if held else {"no": "proof"}), node


# ---- exact spellings


def test_base64_and_decimals(js: Checker) -> None:
    """One spelling each: what Python refuses is refused."""
    chance = random.Random(5)
    texts = ["", "AA==", "AB==", "AAA=", "AAB=", "A", "AA", "AA= =", "AA==\n", " AA==", "AAAA====", "__8=", "//8=", "é", "AA==AA=="]
    texts += ["".join(chance.choices("ABCz+/=-_ \n09", k=chance.randrange(0, 9))) for _ in range(3000)]
    found = each(js, "bytes", "b.toHex(m.parseBase64(c))", texts)
    assert found == [parse_base64(one).hex() if accepts(lambda one=one: parse_base64(one)) else {"no": "format"} for one in texts]  # type: ignore[misc]
    numbers = ["0", "1", "10", "01", "+1", "-1", " 1", "1 ", "1_0", "٤٢", "", "9007199254740991", "1.0", "1e3", "9223372036854775808", "99999999999999999999"]
    wanted = [parse_decimal(one) if accepts(lambda one=one: parse_decimal(one)) else {"no": "format"} for one in numbers]  # type: ignore[misc]
    assert each(js, "bytes", "m.parseDecimal(c)", numbers) == wanted
    assert each(js, "bytes", "m.parseDecimal(c)", ["9007199254740992", "9223372036854775807"]) == [{"no": "newer"}] * 2  # not to be counted here


# ---- canonical JSON


def _value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(9 if depth < 5 else 6)
    if kind == 0:
        return chance.choice([0, 1, 2**53 - 1, 2**53, -1, chance.randrange(2**54)])
    if kind == 1:
        return chance.choice([None, True, False])
    if kind == 2:
        return chance.choice([0.5, 1.0, -0.0, 1e21])
    if kind < 6:
        return _text(chance)
    if kind == 6:
        return [_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    keys = ["a", "b", "v", "__proto__", "constructor", "x-1", "é", "", "a" * 64, "a" * 65, "10", "9", "Z", "toString"]
    return {chance.choice(keys): _value(chance, depth + 1) for _ in range(chance.randrange(4))}


def _text(chance: random.Random) -> str:
    pool = "abc \"\\/<>&'\u00e9e\u0301\u00a0\u2028\u202e\u200b\ud7ff\ue000\U0001f600\U000e0001\x7f\x80\n\t\u0000\u0378\u1e9b\u0323\ufb01"
    return "".join(chance.choices(pool if chance.random() < 0.5 else "abc \"\\é", k=chance.randrange(6)))


def _mutated(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randrange(3)):
        at = chance.randrange(len(changed) + 1)
        action = chance.randrange(3)
        if action == 0 and at < len(changed):
            changed[at] = chance.choice(b'{}[],:"0123456789.eE+- \\u\x00\xffabtrn')
        elif action == 1:
            changed[at:at] = bytes([chance.choice(b'{}[],:" \\0')])
        elif at < len(changed):
            del changed[at]
    return bytes(changed)


def test_canonical_json_is_the_same_language(js: Checker) -> None:
    """Twenty thousand values and mutated bytes: accepted by both or by neither, and written alike."""
    chance, cases, wanted = random.Random(6), [], []
    for _ in range(20_000):
        data = json.dumps(_value(chance), ensure_ascii=chance.random() < 0.2, separators=(",", ":"), sort_keys=chance.random() < 0.8)
        raw = _mutated(data.encode("utf-8", "surrogatepass"), chance)
        cases.append(b64(raw))
        wanted.append(accepts(lambda raw=raw: canonical.parse(raw, limit=2000)))  # type: ignore[misc]
    found = each(js, "canonical", "m.parseCanonical(b.parseBase64(c), 2000) !== undefined", cases)
    assert [base64.b64decode(case) for case, one, other in zip(cases, found, wanted, strict=True) if (one is True) != other] == []
    assert 2000 < sum(wanted) < 18_000


def test_canonical_json_has_the_same_limits(js: Checker) -> None:
    """Depth 16 and not 17, the length in bytes, duplicate keys, numbers at the border, bytes that are no UTF-8."""
    deep = [b"[" * one + b"]" * one for one in (15, 16, 17, 20_000)] + [b"[" * one + b"1" + b"]" * one for one in (15, 16)]
    texts = [*deep, b'{"a":1,"a":1}', b'{"a":1,"a":2}', b"9007199254740991", b"9007199254740992", b"9007199254740993", b"-0", b"1.0", b"1E2",
             b'"\xff"', b'"\\ud800"', b'"\xed\xa0\x80"', b"\xef\xbb\xbf1", b'"\\u0041"', b'"/"', b'"\\/"', b"", b" 1", b"1 ", b"nul", b"NaN", b'{"b":1,"a":1}',
             b'{"__proto__":1}', b'{"a":{"__proto__":{"v":1}}}']  # fmt: skip
    found = each(js, "canonical", "m.parseCanonical(b.parseBase64(c), 50000) !== undefined", [b64(one) for one in texts])
    assert [one is True for one in found] == [accepts(lambda one=one: canonical.parse(one, limit=50_000)) for one in texts]  # type: ignore[misc]


def test_every_code_point_is_permitted_alike(js: Checker) -> None:
    """All 1,112,064 of them, alone and after an e."""
    script = """(() => { const out = []; let start = null;
      for (let p = 0; p <= 0x110000; p++) { const isPoint = p < 0x110000 && !(p >= 0xd800 && p < 0xe000); let ok = false;
        if (isPoint) { try { m.checkText("e" + String.fromCodePoint(p)); ok = true; } catch (error) { if (!error.kind) throw error; } }
        if (ok && start === null) start = p; if (!ok && start !== null) { out.push([start, p - 1]); start = null; } }
      return out; })()"""
    found = [tuple(one) for one in js.run("canonical", script)]
    wanted: list[tuple[int, int]] = []
    for point in range(sys.maxunicode + 1):
        try:
            canonical.check_text("e" + chr(point))
        except LedgerError:
            continue
        start = wanted.pop()[0] if wanted and wanted[-1][1] == point - 1 else point
        wanted.append((start, point))
    assert found == wanted


# ---- references, numbers, times


def test_references(js: Checker) -> None:
    """Stored and typed forms; a mistyped one is told by its check symbol."""
    chance = random.Random(7)
    texts = [draw_ref(chance.getrandbits) for _ in range(500)]
    texts += [one[:at] + chance.choice("0OI1LZ9u ") + one[at + 1 :] for one in texts for at in (0, 5, 10)]
    texts += [f"{one[:4]}-{one[4:8]} {one[8:]}".lower() for one in texts[:200]] + ["", "-", "19JVNJXPQJ", "19JVNJXPQJSX", "19JVNJXPQJſ", "ﬁ"]
    typed = [parse_ref(one) if accepts(lambda one=one: parse_ref(one)) else None for one in texts]  # type: ignore[misc]
    assert each(js, "refs", "[m.isRef(c), m.parseRef(c)]", texts) == [[is_ref(one), other] for one, other in zip(texts, typed, strict=True)]


def _numbers() -> list[str]:
    chance = random.Random(8)
    parts = ["Nomor", "nomor:", "NO.", "Number ", "no", "nomore", "no_", "138", "/", " / ", "728", "Tahun", " 2026", "–", "−", "\u00a0", "\u3000", "\u200b", "ß",
             "İ", "ı", "ſ", "ﬁ", "Σ", "ς", "É", "e\u0301", "①", "Ⅳ", "²", "़", "Ꭰ", "ꭰ", "ẞ", "ǰ", "\x1c", "\x85", "\ufeff", "٤", "No\u0301"]  # fmt: skip
    return ["".join(chance.choices(parts, k=chance.randrange(1, 8))) for _ in range(5000)]


def test_folded_numbers(js: Checker) -> None:
    """Two spellings are one in both, or in neither: white space, prefixes, dashes, case folding of every script."""
    texts = _numbers()
    assert each(js, "numbers", "m.foldNumber(c)", texts) == [fold_number(one) for one in texts]
    assert each(js, "numbers", "m.numberHash(c)", texts[:50]) == [number_hash(one) for one in texts[:50]]


def test_every_character_folds_alike(js: Checker) -> None:
    """Each character that a record may hold, alone and behind a prefix."""
    points = [point for start, end in _permitted() for point in range(start, end + 1)]
    found = each(js, "numbers", "m.foldNumber('x' + String.fromCodePoint(c)) + '|' + m.foldNumber('no' + String.fromCodePoint(c) + 'a')", points)
    wrong = [hex(point) for point, one in zip(points, found, strict=True) if one != f"{fold_number('x' + chr(point))}|{fold_number('no' + chr(point) + 'a')}"]
    assert wrong == []


def _permitted() -> list[tuple[int, int]]:
    from ledger.records.unicode14 import permitted_ranges

    return [(start, end) for start, end in permitted_ranges() if start < 0x3400 or 0xA000 <= start < 0x20000]


def test_patterns_of_number_books(js: Checker) -> None:
    """Which patterns can be read, and which serial a number shows."""
    chance = random.Random(9)
    parts = ["{serial}", "{year}", "{month}", "*", "/", "-", "SK", "(", ".", "[a]", "{x}", "é", " ", "\\", "^", "$", "|", "+", "?"]
    patterns = ["".join(chance.choices(parts, weights=[5, 2, 2, 2, 4, 1, 3, *[1] * 12], k=chance.randrange(1, 6))) for _ in range(1500)]
    assert each(js, "numbers", "m.isKnownPattern(c)", patterns) == [pattern_is_known(one) for one in patterns]
    good = [one for one in patterns if pattern_is_known(one)]
    cases = [[_shown_number(one, chance), one] for one in good for _ in range(4)]
    assert each(js, "numbers", "m.serialIn(c[0], c[1])", cases) == [serial_in(number, pattern) for number, pattern in cases]
    assert sum(serial_in(number, pattern) is not None for number, pattern in cases) > 300


def _shown_number(pattern: str, chance: random.Random) -> str:
    values = {"{serial}": str(chance.randrange(10 ** chance.choice([1, 3, 17]))), "{year}": "2026", "{month}": "ix", "*": chance.choice(["", "x/1", "é"])}
    for token, value in values.items():
        pattern = pattern.replace(token, value)
    return chance.choice([pattern, pattern.lower(), pattern.upper(), pattern + "x", pattern.replace("/", " / ")])


def test_local_dates(js: Checker) -> None:
    """The date where the ledger's people live, for any time and offset."""
    chance = random.Random(10)
    cases = [[format_time(chance.randrange(-(2**34), 2**34)), f"{chance.choice('+-')}{chance.randrange(15):02}:{chance.choice(['00', '15', '30', '45'])}"] for _ in range(2000)]
    assert each(js, "entry", "m.localDate(c[0], c[1])", cases) == [local_date(*one) for one in cases]


# ---- records, roster events, policies, proofs: mutated


def _scramble(value: Any, chance: random.Random) -> Any:
    """One random change somewhere in a JSON value."""
    copy = json.loads(json.dumps(value))
    places = [*_places(copy)]
    holder, key = chance.choice(places)
    action = chance.randrange(4)
    odd = [None, "", " x", 0, -1, 2**53 - 1, True, [], {}, "x" * 400, "2026-02-30", "1234567890123456", "é", [1, 1], {"v": 1}, "0" * 64, "Z", 1.0]
    if action == 0:
        holder[key] = chance.choice(odd)
    elif action == 1 and isinstance(holder, dict):
        del holder[key]
    elif action == 2 and isinstance(holder, dict):
        holder[chance.choice(["extra", "withheld", "outside", "constructor", "__proto__", "seal", "unknown", "kind", "ref"])] = chance.choice(odd)
    else:
        other_holder, other_key = chance.choice(places)
        holder[key] = json.loads(json.dumps(other_holder[other_key]))
    return copy


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in [*value] if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from _places(value[key])


def _same_reasons(js: Checker, module: str, function: str, values: list[Any], judge: Callable[[Any], Any]) -> None:
    cases, wanted = [], []
    for one in values:
        if accepts(lambda one=one: canonical.dump(one)):  # type: ignore[misc]
            cases.append(b64(canonical.dump(one)))
            wanted.append(sorted([reason.code, reason.path, reason.unknown] for reason in judge(one)))
    found = each(js, module, f"m.{function}(JSON.parse(b.fromUtf8(b.parseBase64(c)))).map((one) => [one.code, one.path, one.unknown])", cases)
    for case, one, other in zip(cases, found, wanted, strict=True):
        assert sorted(one) == other, base64.b64decode(case)
    assert sum(bool(one) for one in wanted) > len(wanted) / 3


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return City(tmp_path_factory.mktemp("city") / "kota")


def test_faults_of_records(js: Checker, city: City) -> None:
    """Every reason against six thousand scrambled records of all kinds: code, path, and whether it may be a later version's."""
    chance = random.Random(11)
    party = {"name": "CV Contoh", "form": "CV"}
    fields = {
        "contract": {"value": "100", "currency": "IDR", "supplier": party, "changes": [{"field": "value", "was": "1", "becomes": "2"}], "plan_codes": ["1"], "budget_year": 2026},
        "decision": {"subjects": ["Taman"]}, "void": {"series": "sk", "serials": [1, 2], "reason": "unused"}, "handover": {"stage": "final", "percent": 100},
        "permit": {"permit_type": "IMB", "applicant": {"withheld": "orang"}, "fee": "1.5"}, "personnel": {"action": "appoint", "positions": [{"from": "a", "to": "b"}]},
        "regulation": {"subjects": ["x"], "gazette": {"name": "BD", "year": 2026, "number": "1"}}, "notice": {"draft_sha256": "0" * 64},
    }  # fmt: skip
    withheld = {"withheld": "1" * 64, "media_type": "application/pdf", "role": "annex", "reason": "pribadi", "law": "UU"}
    relations = [{"type": "amends", "ref": "19JVNJXPQJS"}, {"type": "follows", "outside": {"number": "1", "year": 2020, "url": "https://a.example/"}},
                 {"type": "corrects", "ref": "19JVNJXPQJS", "reason": "x"}]  # fmt: skip
    base = city.record(withheld=[withheld], relations=relations, extra={"a": "b"}, drafted_on="2026-01-01", series="sk", serial=3).data
    values = [_scramble({**base, "kind": kind, "fields": one}, chance) for kind, one in fields.items() for _ in range(750)]
    _same_reasons(js, "record", "checkRecord", values, lambda one: list(check_record(one)))


def test_faults_of_roster_payloads(js: Checker, city: City) -> None:
    """The same for four thousand scrambled roster payloads with every kind of event."""
    chance = random.Random(12)
    payloads = [canonical.parse(one.payload, limit=50_000) for one in city.envelopes]
    head = {"v": 1, "founding": city.founding, "n": 3, "prev_roster": "0" * 64}
    events = [
        {"event": "retire", "key": "0" * 64}, {"event": "revoke", "key": "0" * 64, "suspect_from": 1, "reason": "x"}, {"event": "reaffirm", "acts": ["0" * 64]},
        {"event": "rule", "kind": "decision", "signatures": 2, "positions": ["a"]}, {"event": "rule", "office": "a", "over": "b"},
        {"event": "series", "id": "sk", "office": "a", "forms": ["sk"], "pattern": "{serial}", "start": 1, "resets": "yearly", "complete_from": "2026-01-01"},
        {"event": "duty", "office": "a", "forms": ["sk"], "from": "2026-01-01"}, {"event": "withdraw", "sha256": "0" * 64, "law": "a", "reason": "b"},
        {"event": "log_key", "vkeys": city.keys.vkeys, "from_size": 3, "overlap_until_size": 4},
        {"event": "authority", "keys": payloads[0]["events"][0]["authority"]["keys"], "threshold": 1},
    ]  # fmt: skip
    payloads += [{**head, "events": [one]} for one in events]
    values = [_scramble(one, chance) for one in payloads for _ in range(300)]
    _same_reasons(js, "events", "checkPayload", values, lambda one: list(check_payload(one)))


def _policies(city: City) -> list[bytes]:
    log, pq = city.keys.vkeys
    kpk, bpk, bpkp = (f"witness {name} {_vkey(name)}" for name in ("kpk", "bpk", "bpkp"))
    heads = [f"# bening founding {city.founding}\nlog {log}\n", f"log {log} https://x.example/\n# bening founding {city.founding}\n", f"log\t{log}\n"]
    bodies = [
        "quorum none\n", f"{kpk}\nquorum kpk\n", f"{kpk}\n{bpk}\ngroup w 1 kpk bpk\nquorum w\n", f"{kpk}\n{bpk}\ngroup w all kpk bpk\nquorum w\n",
        f"{kpk}\n{bpk}\n{bpkp}\ngroup w 2 kpk bpk bpkp\nquorum w\n", f"witness log-pq {pq}\n{kpk}\ngroup q all log-pq kpk\nquorum q\n",
        f"witness log-pq {pq}\nquorum log-pq\n", f"{kpk}\n{bpk}\ngroup i any kpk\ngroup w all i bpk\nquorum w\n", f"{kpk}\nquorum none\n",
        f"{kpk}\nwitness second {_second_vkey()}\n{bpk}\ngroup komisi any kpk second\ngroup w all komisi bpk\nquorum w\n",
        f"{kpk}\nwitness second {_second_vkey()}\ngroup komisi all kpk second\nquorum komisi\n",
    ]  # fmt: skip
    return [(head + body).encode() for head in heads for body in bodies]


def _vkey(name: str) -> str:
    from ledger.tlog.note import format_vkey

    return format_vkey(witness_vkey(name))


def _second_vkey() -> str:
    """Another key of the same name: two keys of one organisation."""
    from ledger.tlog.note import COSIGNATURE_ED25519, format_vkey, make_vkey

    return format_vkey(make_vkey(witness_vkey("kpk").name, COSIGNATURE_ED25519, b"s" * 32))


def test_policies(js: Checker, city: City) -> None:
    """Whole and mutated policies are read or refused alike, with the same founding; and one is weaker than another alike."""
    chance = random.Random(13)
    whole = _policies(city)
    lines = [line for one in whole for line in one.splitlines(keepends=True)]
    texts = whole + [b"".join(chance.sample(lines, chance.randrange(1, 6))) for _ in range(800)] + [_bent(one, chance) for one in whole * 60]
    found = each(js, "policy", "(() => { const p = m.parsePolicy(b.parseBase64(c)); return [m.policyFounding(b.parseBase64(c)), m.vkeysOf(p), [...p.witnesses.keys()], p.quorum, [...m.organisations(p)]]; })()", [b64(one) for one in texts])
    for text, one in zip(texts, found, strict=True):
        try:
            policy = parse_policy(text)
        except LedgerError as error:
            assert one == {"no": KINDS[type(error).__name__]}, text
            continue
        from ledger.tlog.organisations import organisations
        from ledger.verifier.pins import vkeys_of

        assert one == [policy_founding(text), list(vkeys_of(policy)), list(policy.witnesses), policy.quorum, [[name, list(members)] for name, members in organisations(policy).items()]], text
    pairs = [(one, other) for one in whole[:9] for other in whole[:9]]
    script = "(async () => { const p = await import('/static/verify/policy.js'); return m.isWeaker(p.parsePolicy(b.parseBase64(c[0])), p.parsePolicy(b.parseBase64(c[1]))); })()"
    assert each(js, "weaker", script, [[b64(one), b64(other)] for one, other in pairs]) == [weaker(parse_policy(one), parse_policy(other)) for one, other in pairs]


def _bent(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    at = chance.randrange(len(changed))
    changed[at : at + chance.randrange(2)] = bytes([chance.choice(b" \t\n#+=aA01\x00\x7f")])
    return bytes(changed)


def test_checkpoints_under_policies(js: Checker, tmp_path: Path) -> None:
    """Which cosignatures are enough: as in Python, but that the log's second line is only required, not checked."""
    city = City(tmp_path / "kota", witnesses=("kpk", "bpk"))
    note = city.checkpoint()
    lines = note.split(b"\n")
    notes = [note, *(b"\n".join(lines[:at] + lines[at + 1 :]) for at in range(4, len(lines) - 1)), note.replace(b"kpk.example", b"kpx.example"), note + lines[4] + b"\n", note[:-1]]
    notes += [_bent(note, random.Random(at)) for at in range(40)]
    for policy in _policies(city):
        found = each(js, "policy", "(async () => { const o = await m.openCheckpoint(m.parsePolicy(b.parseBase64(c[0])), b.parseBase64(c[1])); return [o.checkpoint.size, [...o.cosigned.keys()]]; })()", [[b64(policy), b64(one)] for one in notes])
        for one, said in zip(notes, found, strict=True):
            parsed = parse_policy(policy)
            try:
                opened = parsed.check(one)
            except LedgerError:
                if LOG_PQ in parsed.witnesses and isinstance(said, list):
                    assert LOG_PQ in said[1]  # a false ML-DSA-44 line, which is said not to be checked
                    continue
                assert isinstance(said, dict), one
                continue
            assert said == [opened.checkpoint.size, list(opened.cosigned)], one


def test_notes_and_proofs(js: Checker, city: City) -> None:
    """Bent notes and proofs are read or refused alike."""
    chance = random.Random(14)
    notes = [_bent(city.checkpoint(), chance) for _ in range(1500)]
    found = each(js, "note", "m.parseNote(b.parseBase64(c)).signatures.length", [b64(one) for one in notes])
    for one, count in zip(notes, found, strict=True):
        assert count == (len(parse_note(one).signatures) if accepts(lambda one=one: parse_note(one)) else {"no": "format"})  # type: ignore[misc]
    proofs = [_bent(city.proof(2), chance) for _ in range(1500)]
    found = each(js, "proof", "(() => { const p = m.parseProof(b.parseBase64(c)); return [p.index, p.hashes.length, p.extra && p.extra.length, p.checkpoint.length]; })()", [b64(one) for one in proofs])
    for one, parts in zip(proofs, found, strict=True):
        try:
            proof = parse_proof(one)
        except LedgerError as error:
            assert parts == {"no": KINDS[type(error).__name__]}, one
            continue
        assert parts == [proof.index, len(proof.hashes), proof.extra and len(proof.extra), len(proof.checkpoint)]


# ---- the ZIP of a bundle


def _zips() -> Iterator[tuple[str, bytes]]:
    """ZIPs as Bening, other tools and attackers make them."""
    files = {"bagit.txt": b"BagIt", "manifest-sha256.txt": b"x" * 200, "data/checkpoint": b"note", "data/acts/3/entry.json": b"{}"}

    def packed(method: int = zipfile.ZIP_STORED, top: str = "bening", *, folders: bool = False, comment: bytes = b"", extra: bytes = b"",
               more: dict[str, bytes] | None = None, mode: int = 0o100644, prefix: bytes = b"") -> bytes:  # fmt: skip
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            archive.comment = comment
            for folder in ("", "data/", "data/acts/", "data/acts/3/") if folders else ():
                archive.writestr(zipfile.ZipInfo(f"{top}/{folder}"), b"")
            for name, data in {**files, **(more or {})}.items():
                info = zipfile.ZipInfo(f"{top}/{name}")
                info.external_attr, info.compress_type, info.extra = mode << 16, method, extra
                archive.writestr(info, data)
        return prefix + out.getvalue()

    yield "stored", packed()
    yield "deflated", packed(zipfile.ZIP_DEFLATED)
    yield "bzip2", packed(zipfile.ZIP_BZIP2)
    yield "folders", packed(folders=True)
    yield "an empty folder", packed(more={"data/leer/": b""})
    yield "comment", packed(comment=b"hello")
    yield "extra", packed(extra=b"\x55\x54\x01\x00\x00")
    yield "symlink", packed(mode=0o120777)
    yield "prefix", packed(prefix=b"%PDF-1.7")
    yield "suffix", packed() + b"\n"
    yield "bomb", packed(zipfile.ZIP_DEFLATED, more={"data/acts/3/documents/00000000-a.pdf": b"\0" * 3_000_000})
    yield "packed well", packed(zipfile.ZIP_DEFLATED, more={"data/acts/3/documents/00000000-a.pdf": bytes(range(256)) * 2000})
    for top in ("..", ".", "", "a b", "C:", "x" * 65):
        yield f"top {top}", packed(top=top)
    for name in ("../x", "data/../x", "data//x", "data/x", "data/acts/03/entry.json", "data/acts/3/ENTRY.json", "data\\x", "/etc/passwd", "data/acts/3/documents/zz-a",
                 "data/acts/3/signature-00000000.bin", "bagit.txt/", "a\0b", "d\u00e4ta"):  # fmt: skip
        yield f"name {name!r}", packed(more={name: b"y"})
    whole = packed()
    start = int.from_bytes(whole[-6:-2], "little")
    yield "a gap before the directory", whole[:start] + b"hidden" + whole[start:-6] + (start + 6).to_bytes(4, "little") + whole[-2:]
    data = {"bagit.txt": b"a" * 500, "manifest-sha256.txt": b"", "data/checkpoint": b"b" * 300}
    for more in (1, -1):
        whole = packed(zipfile.ZIP_DEFLATED, more={**data, "data/policy": b"c" * 777})
        yield f"a file {more} longer than it says", whole.replace((777).to_bytes(4, "little"), (777 + more).to_bytes(4, "little"))
    yield "too long a file", packed(more={"data/acts/3/signature-00000000.bin": b"y" * 65})
    yield "nothing", b""
    yield "empty", b"PK\5\6" + b"\0" * 18


def test_zips_of_all_kinds(js: Checker, tmp_path: Path) -> None:
    """The same files are read, or the same ZIP is refused; also with every byte of a small one changed, where none is read only here."""
    cases = [*_zips()]
    small = cases[0][1]
    chance = random.Random(15)
    cases += [(f"flip {at}", small[:at] + bytes([small[at] ^ (1 << chance.randrange(8))]) + small[at + 1 :]) for at in range(len(small))]
    packed = cases[1][1]
    cases += [(f"flip packed {at}", packed[:at] + bytes([packed[at] ^ 1]) + packed[at + 1 :]) for at in range(0, len(packed), 3)]
    script = "(async () => { const blob = new Blob([b.parseBase64(c)]); const is = await m.isBundle(blob); const z = await m.readZip(blob).catch((error) => { if (!error.kind) throw error; return null; }); return [is, z && Object.fromEntries(z.hashes), z && [...z.kept.keys()].sort()]; })()"
    found = each(js, "zip", script, [b64(data) for _, data in cases])
    for (name, data), (is_one, hashes, kept) in zip(cases, found, strict=True):
        path = tmp_path / "one.zip"
        path.write_bytes(data)
        with open(path, "rb") as file:
            theirs = is_bundle(file)
        try:
            read = read_zip(path)
        except LedgerError:
            assert hashes is None, f"{name}: read only here"
            continue
        if not name.startswith("flip"):
            assert is_one == theirs, name
        if hashes is None and name.startswith("flip"):
            continue  # the end record's disk numbers and count: Python's zipfile does not look at them
        assert hashes == read.hashes, f"{name}: refused only here, or other files"
        assert kept == sorted(read.kept), name


def test_nfc_is_the_same_in_this_browser() -> None:
    """Python's Unicode data here is at least the version that the table of permitted characters was made from."""
    assert tuple(map(int, unicodedata.unidata_version.split("."))) >= (14, 0, 0)
