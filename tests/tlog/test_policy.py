from __future__ import annotations

import base64
import contextlib
import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FormatError, LedgerError, NewerFormatError, PolicyError, SignatureError
from ledger.tlog.checkpoint import Checkpoint, format_checkpoint
from ledger.tlog.encoding import format_base64
from ledger.tlog.note import Note, format_note, format_vkey, key_id
from ledger.tlog.policy import (
    LOG_PQ,
    MAX_POLICY,
    Group,
    Witness,
    format_policy,
    format_policy_ed25519,
    parse_policy,
    policy_founding,
)
from tests.tlog.logs import LOG, LOG_PQ_KEY, ORIGIN, QUANTUM_WITNESS, TIME, WITNESSES, QuantumSigner, Signer, flip

CHECKPOINT = Checkpoint(ORIGIN, 7, b"r" * 32)
FOUNDING = "0123456789abcdef" * 4
LOG_LINE = f"log {format_vkey(LOG.vkey)}"
V0, V1, V2 = (format_vkey(one.vkey) for one in WITNESSES)
NEWER = f"newer.example+{key_id('newer.example', 0x99, b'k').hex()}+{format_base64(bytes([0x99]) + b'k')}"
THREE = [f"witness w{number} {vkey}" for number, vkey in enumerate((V0, V1, V2))]
OURS = tuple(Witness(f"w{number}", one.vkey, None) for number, one in enumerate(WITNESSES))


def lines(*one: str) -> bytes:
    return "".join(line + "\n" for line in one).encode()


def signed(*signers: Signer | QuantumSigner, checkpoint: Checkpoint = CHECKPOINT) -> bytes:
    return format_note(Note(format_checkpoint(checkpoint), tuple(one.sign(checkpoint) for one in signers)))


def refused(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse_policy(data)
    return caught.value.code


def test_the_specification_s_example() -> None:
    """The example of tlog-policy, with keys put in, is read, and its quorum is the one that it explains."""
    xs, ys = ([Signer(f"{side}{n}.example", base + n, 0x04) for n in range(3)] for side, base in (("x", 30), ("y", 40)))
    text = [LOG_LINE, "", *(f"witness X{n} {format_vkey(one.vkey)}" for n, one in enumerate(xs, 1))]
    text += ["group X-witnesses 2 X1 X2 X3", "", *(f"witness Y{n} {format_vkey(one.vkey)}" for n, one in enumerate(ys, 1))]
    text += ["group Y-witnesses any Y1 Y2 Y3", "", "group X-and-Y all X-witnesses Y-witnesses", "quorum X-and-Y"]
    policy = parse_policy(lines(*text))
    assert policy.groups["X-witnesses"] == Group(2, ("X1", "X2", "X3"))
    for chosen in itertools.chain.from_iterable(itertools.combinations([*xs, *ys], count) for count in range(7)):
        enough = sum(one in xs for one in chosen) >= 2 and any(one in ys for one in chosen)
        if enough:
            assert len(policy.check(signed(LOG, *chosen)).cosigned) == len(chosen)
        else:
            with pytest.raises(PolicyError) as caught:
                policy.check(signed(LOG, *chosen))
            assert caught.value.code == "no-quorum"


def test_opened() -> None:
    """An accepted checkpoint comes with who signed it, and when each known witness cosigned."""
    policy = parse_policy(
        lines(LOG_LINE, *THREE, f"witness q {format_vkey(QUANTUM_WITNESS.vkey)} https://q.example/", "quorum w1")
    )
    opened = policy.check(signed(LOG, WITNESSES[1], QUANTUM_WITNESS))
    assert (opened.checkpoint, opened.log_key) == (CHECKPOINT, LOG.vkey)
    assert opened.cosigned == {"w1": TIME, "q": TIME}
    assert policy.witnesses["q"].url == "https://q.example/"


def test_any_listed_log() -> None:
    """Any one of the logs may have signed, but only for its own origin, post-quantum logs included."""
    other, quantum = Signer("other.example", 50), QuantumSigner("quantum.example/log", 51)
    more = [f"log {format_vkey(other.vkey)} https://other.example/", f"log {format_vkey(quantum.vkey)}"]
    policy = parse_policy(lines(LOG_LINE, *more, "quorum none"))
    assert policy.urls == {"other.example": "https://other.example/"}
    assert policy.check(signed(LOG)).log_key == LOG.vkey
    for signer in (other, quantum):
        checkpoint = replace(CHECKPOINT, origin=signer.name)
        assert policy.check(signed(signer, checkpoint=checkpoint)).log_key == signer.vkey
        with pytest.raises(PolicyError) as caught:
            policy.check(signed(signer))
        assert caught.value.code == "wrong-key"
    with pytest.raises(PolicyError) as caught:
        policy.check(signed(LOG, checkpoint=replace(CHECKPOINT, origin="third.example")))
    assert caught.value.code == "other-origin"


def test_a_log_is_no_witness_and_a_witness_no_log() -> None:
    """Witnesses without the log's signature are not enough, nor is the log without them."""
    policy = parse_policy(lines(LOG_LINE, *THREE, "group all all w0 w1 w2", "quorum all"))
    policy.check(signed(LOG, *WITNESSES))
    with pytest.raises(PolicyError) as caught:
        policy.check(signed(*WITNESSES))
    assert caught.value.code == "wrong-key"
    with pytest.raises(PolicyError) as caught:
        policy.check(signed(LOG, *WITNESSES[:2]))
    assert caught.value.code == "no-quorum"


def test_a_false_cosignature_refuses() -> None:
    """A known witness's false line refuses the checkpoint, even where the quorum does not need it."""
    policy = parse_policy(lines(LOG_LINE, *THREE, "quorum none"))
    true = WITNESSES[0].sign(CHECKPOINT)
    false = replace(true, signature=flip(true.signature, 20))
    with pytest.raises(SignatureError):
        policy.check(format_note(Note(format_checkpoint(CHECKPOINT), (LOG.sign(CHECKPOINT), false))))


def test_a_policy_without_logs() -> None:
    """A policy may list no log (others know it from elsewhere), but then accepts no checkpoint."""
    policy = parse_policy(b"quorum none\n")
    with pytest.raises(PolicyError):
        policy.check(signed(LOG))


def test_layout() -> None:
    """Tabs, spaces, empty lines and comments mean nothing; octets above 0x7f are opaque."""
    data = b"\n \t\n# comment\n\t # \xff\xfe\n  log\t" + format_vkey(LOG.vkey).encode() + b"  \n"
    data += b"witness \xe2\x84\xaa " + V0.encode() + b"\nwitness K " + V1.encode() + b"\n"
    data += b"witness \xff " + V2.encode() + b"\t\nquorum \xff\n"
    policy = parse_policy(data)
    assert len(policy.witnesses) == 3
    policy.check(signed(LOG, WITNESSES[2]))
    with pytest.raises(PolicyError):
        policy.check(signed(LOG, WITNESSES[0], WITNESSES[1]))


@pytest.mark.parametrize(
    "text",
    [
        (),
        (LOG_LINE,),
        ("quorum none", "quorum none"),
        ("quorum",),
        ("quorum none none",),
        ("quorum w0",),
        ("quorum w0", *THREE),
        ("log", "quorum none"),
        (f"{LOG_LINE} u v", "quorum none"),
        ("log nonsense", "quorum none"),
        (LOG_LINE, LOG_LINE, "quorum none"),
        (LOG_LINE, f"log {format_vkey(Signer('renamed.example', 1).vkey)}", "quorum none"),
        (f"log {V0}", "quorum none"),
        (f"witness w {format_vkey(LOG.vkey)}", "quorum none"),
        ("witness w", "quorum none"),
        (f"witness {V0}", "quorum none"),
        (f"witness w {V0} u v", "quorum none"),
        (f"witness a {V0}", f"witness b {V0}", "quorum none"),
        (f"witness a {V0}", f"witness a {V1}", "quorum none"),
        (f"witness a {V0}", f"witness b {format_vkey(Signer('renamed.example', 10, 0x04).vkey)}", "quorum none"),
        (f"witness none {V0}", "quorum none"),
        (*THREE, "group none any w0", "quorum none"),
        (*THREE, "group w0 any w1", "quorum none"),
        (*THREE, "group g any w0", "group g any w1", "quorum none"),
        (*THREE, "group g any w0", f"witness g {NEWER}", "quorum none"),
        (*THREE, "group g any", "quorum none"),
        (*THREE, "group g", "quorum none"),
        (*THREE, "group", "quorum none"),
        (*THREE, "group g any none", "quorum none"),
        (*THREE, "group g any w9", "quorum none"),
        (*THREE, "group g any g", "quorum none"),
        (*THREE, "group g any h", "group h any g", "quorum none"),
        (*THREE, "group g any h", "group h any w0", "quorum none"),
        (*THREE, "group g 0 w0 w1", "quorum none"),
        (*THREE, "group g 3 w0 w1", "quorum none"),
        (*THREE, "group g 01 w0 w1", "quorum none"),
        (*THREE, "group g +1 w0 w1", "quorum none"),
        (*THREE, "group g -1 w0 w1", "quorum none"),
        (*THREE, "group g All w0 w1", "quorum none"),
        (*THREE, "group g any w0 w0", "quorum none"),
        (*THREE, "group g any w0", "group h any w0", "quorum none"),
        ("threshold 2", "quorum none"),
        ("LOG x", "quorum none"),
        (LOG_LINE.replace("log", "logs"), "quorum none"),
    ],
)
def test_refused_policies(text: tuple[str, ...]) -> None:
    """Forward names, cycles, doubled names, keys and members, k of none or too many, and missing parts are refused."""
    assert refused(lines(*text)) == "bad-policy"


@pytest.mark.parametrize(
    "data",
    [
        b"quorum none",
        b"quorum none\r\n",
        b"quorum none\0\n",
        b"quorum\x0bnone\n",
        b"\x7f\nquorum none\n",
        b"# \r\nquorum none\n",
        b"# \x7f\nquorum none\n",
        b"# \0\nquorum none\n",
        b"# \x1b\nquorum none\n",
        b"\xef\xbb\xbfquorum none\n",
        b"quorum\xc2\xa0none\n",
        b"quorum none\x85",
        b"log \xff+00000000+AQ==\nquorum none\n",
    ],
)
def test_refused_octets(data: bytes) -> None:
    """Control characters (in comments too), other spaces, byte-order marks and a cut last line are refused."""
    refused(data)


def test_size() -> None:
    """32 logs, 32 witnesses and 32 groups fit even with post-quantum keys; a policy beyond the limit is refused unread."""
    logs = [format_vkey(replace(LOG_PQ_KEY.vkey, name=f"l{n}.example", key=bytes([n]) * 1312)) for n in range(32)]
    keys = [(f"w{n}", bytes([100 + n]) * 1312) for n in range(32)]
    text = [f"log {remade(vkey)}" for vkey in logs]
    text += [f"witness {name} {name}+{key_id(name, 6, key).hex()}+{format_base64(bytes([6]) + key)}" for name, key in keys]
    text += [f"group g{n} any w{n}" for n in range(32)]
    policy = parse_policy(lines(*text, "quorum g31"))
    assert (len(policy.logs), len(policy.witnesses), len(policy.groups)) == (32, 32, 32)
    assert refused(b"#" * MAX_POLICY + b"\nquorum none\n") == "too-long"


def remade(vkey: str) -> str:
    """Return the vkey with the id of its key."""
    name, _, encoded = vkey.split("+", 2)
    material = base64.b64decode(encoded)
    return f"{name}+{key_id(name, material[0], material[1:]).hex()}+{encoded}"


def test_groups_of_groups_of_groups() -> None:
    """Thousands of groups inside each other are evaluated without recursion."""
    depth = 5_000
    groups = [f"group g{n} any {f'g{n - 1}' if n else 'w0'}" for n in range(depth)]
    policy = parse_policy(lines(LOG_LINE, THREE[0], *groups, f"quorum g{depth - 1}"))
    policy.check(signed(LOG, WITNESSES[0]))
    with pytest.raises(PolicyError):
        policy.check(signed(LOG))


def test_a_witness_of_a_newer_type() -> None:
    """It never counts; where the quorum hangs on it, the answer is *newer*, and where not even it would help, *no quorum*."""
    policy = parse_policy(lines(LOG_LINE, *THREE, f"witness n {NEWER}", "group g 2 w0 w1 n", "quorum g"))
    assert policy.witnesses["n"].key is None
    assert set(policy.check(signed(LOG, *WITNESSES[:2])).cosigned) == {"w0", "w1"}
    with pytest.raises(NewerFormatError):
        policy.check(signed(LOG, WITNESSES[0]))
    with pytest.raises(PolicyError) as caught:
        policy.check(signed(LOG))
    assert caught.value.code == "no-quorum"


def test_a_log_of_a_newer_type() -> None:
    """A log whose key cannot be judged here makes the policy a newer one, not a wrong one."""
    with pytest.raises(NewerFormatError):
        parse_policy(lines(f"log {NEWER}", "quorum none"))


@pytest.mark.parametrize("k", [0, 1, 2, 3])
def test_our_policy(k: int) -> None:
    """Both of the log's keys and k witnesses are needed, whatever else is there; the founding stands beside it."""
    witnesses = OURS if k else ()
    data = format_policy(LOG.vkey, LOG_PQ_KEY.vkey, FOUNDING, witnesses, k)
    policy = parse_policy(data)
    assert policy_founding(data) == FOUNDING
    assert policy.logs == (LOG.vkey,)
    assert policy.witnesses[LOG_PQ].key == LOG_PQ_KEY.vkey
    for count in range(4):
        for chosen in itertools.combinations(WITNESSES, count):
            if count >= k:
                opened = policy.check(signed(LOG, LOG_PQ_KEY, *chosen))
                assert opened.cosigned[LOG_PQ] == TIME
            else:
                with pytest.raises(PolicyError) as caught:
                    policy.check(signed(LOG, LOG_PQ_KEY, *chosen))
                assert caught.value.code == "no-quorum"
            for half in ((LOG,), (LOG_PQ_KEY,)):
                with pytest.raises(PolicyError) as caught:
                    policy.check(signed(*half, *chosen))
                assert caught.value.code == "wrong-key"


@pytest.mark.parametrize("k", [0, 1, 3])
def test_our_policy_for_older_readers(k: int) -> None:
    """The same without the post-quantum key, which then is an unknown key and ignored."""
    data = format_policy_ed25519(LOG.vkey, FOUNDING, OURS if k else (), k)
    policy = parse_policy(data)
    assert policy_founding(data) == FOUNDING
    assert LOG_PQ not in policy.witnesses
    assert (policy.quorum is None) == (k == 0)
    policy.check(signed(LOG, LOG_PQ_KEY, *WITNESSES[:k]))
    if k:
        with pytest.raises(PolicyError):
            policy.check(signed(LOG, LOG_PQ_KEY, *WITNESSES[: k - 1]))


@pytest.mark.parametrize(
    ("founding", "witnesses", "k"),
    [
        (FOUNDING[:-1], (), 0),
        (FOUNDING.upper(), (), 0),
        (f"{FOUNDING}\nquorum none", (), 0),
        ("", (), 0),
        (FOUNDING, OURS, 0),
        (FOUNDING, OURS, 4),
        (FOUNDING, OURS, -1),
        (FOUNDING, (OURS[0], OURS[0]), 1),
        (FOUNDING, (replace(OURS[0], name=OURS[1].name), OURS[1]), 1),
        (FOUNDING, (replace(OURS[0], key=None),), 1),
        (FOUNDING, (replace(OURS[0], name=LOG_PQ), OURS[1]), 1),
        (FOUNDING, (replace(OURS[0], name="none"),), 1),
        (FOUNDING, (replace(OURS[0], name="two words"),), 1),
        (FOUNDING, (replace(OURS[0], name="a\nb"),), 1),
        (FOUNDING, (replace(OURS[0], name="witnesses"),), 1),
        (FOUNDING, (replace(OURS[0], url="u\nquorum none"),), 1),
        (FOUNDING, (replace(OURS[0], url="two words"),), 1),
        (FOUNDING, (replace(OURS[0], url=f"u\nwitness w9 {V2}"),), 1),
    ],
)
def test_only_what_can_be_read_is_written(founding: str, witnesses: tuple[Witness, ...], k: int) -> None:
    """A policy that no reader would take, or would take for another one, is refused before it is published."""
    with pytest.raises(FormatError):
        format_policy(LOG.vkey, LOG_PQ_KEY.vkey, founding, witnesses, k)


def test_founding() -> None:
    """The founding is read from its own comment only, and from exactly one."""
    assert policy_founding(lines("quorum none")) is None
    assert policy_founding(lines(f"# bening founding {FOUNDING}", "quorum none")) == FOUNDING
    assert policy_founding(lines(f"# bening founding {FOUNDING}", f"# bening founding {FOUNDING[::-1]}")) is None
    for other in (
        f"# bening founding {FOUNDING}0",
        f"# bening founding {FOUNDING[1:]}",
        f"# bening founding {FOUNDING.upper()}",
        f"# Bening founding {FOUNDING}",
        f"x # bening founding {FOUNDING}",
    ):
        assert policy_founding(lines(other)) is None


@given(
    st.lists(
        st.sampled_from(
            [
                LOG_LINE,
                *THREE,
                "group g any w0",
                "group h 2 g w1 w2",
                "group i 0 w1",
                "quorum g",
                "quorum h",
                "quorum none",
                "#",
                "x",
                "log",
            ]
        )
    ),
    st.sets(st.integers(0, 2)),
)
def test_any_lines(text: list[str], chosen: set[int]) -> None:
    """Lines in any order make a policy or a FormatError, and a policy accepts or refuses with Bening's own errors."""
    try:
        policy = parse_policy(lines(*text))
        policy.check(signed(LOG, *(WITNESSES[one] for one in chosen)))
    except LedgerError:
        return
    assert text.count(LOG_LINE) == 1
    assert sum(line.startswith("quorum") for line in text) == 1


@given(st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    """Whatever is read as a policy, nothing but Bening's own errors comes out."""
    end = b"\nquorum none\n"
    for candidate in (data, b"log " + data + end, b"witness w " + data + end, lines(*THREE) + b"group g " + data + end):
        with contextlib.suppress(LedgerError):
            parse_policy(candidate)
