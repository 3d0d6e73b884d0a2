"""Convictions from an audit to a third party: made where a ledger forked or shrank, and judged by the reader's own pins."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli import main
from ledger.errors import LedgerError, ProofError
from ledger.tlog.conviction import (
    LOG_TYPES,
    MAX_CONVICTION,
    OTHER_HISTORY,
    SAME_SIZE,
    TIME_ORDER,
    check_conviction,
    format_conviction,
    open_heads,
    parse_conviction,
)
from ledger.tlog.merkle import leaf_hash, root_hash
from ledger.tlog.note import Note, NoteSignature, format_note, parse_note
from ledger.tlog.policy import parse_policy
from ledger.verifier.audit import AuditReport, audit, render
from ledger.verifier.auditstate import open_state
from ledger.verifier.case import Trusted
from ledger.verifier.choice import readers
from ledger.verifier.client import FolderSource
from ledger.verifier.convict import judge_conviction, log_keys_of, make_conviction
from ledger.verifier.trust import add_pin, propose_source
from ledger.verifier.verdict import Verdict
from ledger.verifier.verdict import render as render_verdict
from ledger.words import has_words, say
from tests.city import City


@pytest.fixture
def city(tmp_path: Path) -> City:
    """A city with a few acts and one witness."""
    city = City(tmp_path / "kota", witnesses=("kpk",))
    for _ in range(4):
        city.publish()
    city.write()
    return city


def run(city: City, where: City | None = None) -> AuditReport:
    state = city.path.parent / "state"
    return audit(FolderSource((where or city).path), parse_policy(city.policy), city.founding, state_dir=state)


def fork(city: City, here: int, there: int) -> City:
    """Let the city tell two stories from now on, of so many acts more, both written."""
    other = city.fork(city.path.parent / "lain")
    for count, branch in ((here, city), (there, other)):
        for number in range(count):
            branch.publish(title=f"{branch.path.name} {number}")
        branch.write()
    return other


def history(report: AuditReport) -> tuple[str, dict[str, object]]:
    (found,) = [one for one in report.verdict.checks if one.name == "history"]
    return found.code, found.values


def written(city: City) -> list[Path]:
    return sorted((city.path.parent / "state").glob("evidence/*.conviction"))


def keys_of(city: City) -> Any:
    return log_keys_of(parse_policy(city.policy), city.roster)


def nodes_of(city: City) -> Callable[[Any], list[bytes]]:
    leaves = [leaf_hash(one) for one in city.entries]
    return lambda nodes: [root_hash(leaves[i << n : (i + 1) << n]) for n, i in nodes]


# -- an audit writes it


@pytest.mark.parametrize(
    ("here", "there", "kind"), [(2, 2, SAME_SIZE), (2, 5, OTHER_HISTORY), (5, 2, OTHER_HISTORY), (300, 2, OTHER_HISTORY)]
)
def test_an_audit_that_meets_a_fork_writes_it(city: City, here: int, there: int, kind: str) -> None:
    """As long, longer, shorter, far shorter: one file beside both checkpoints, named in the sentence, that convicts by itself."""
    other = fork(city, here, there)
    assert run(city).exit_status() == 0
    report = run(city, other)
    code, values = history(report)
    assert (code, report.exit_status()) == ("forked-convicted", 1)
    (path,) = written(city)
    assert values["conviction"] == str(path)
    assert any(str(path) in line for line in render(report, lambda key, **named: say(key, "en", **named)))
    found = parse_conviction(path.read_bytes())
    check_conviction(found)
    assert found.kind == kind
    notes = [(one.path / "checkpoint").read_bytes() for one in (city, other)]
    assert {found.first, found.second} == set(notes)
    assert {key.algorithm for key in found.keys} == set(LOG_TYPES)


def test_what_was_found_once_is_said_again(city: City) -> None:
    """A later run over the honest story names the same file; one that was lost is not named, the checkpoints still are."""
    other = fork(city, 2, 2)
    run(city)
    run(city, other)
    (path,) = written(city)
    again = [one for one in run(city).verdict.checks if one.code == "forked-before"]
    assert [str(path) in str(one.values["files"]) for one in again] == [True]
    path.unlink()
    again = [one for one in run(city).verdict.checks if one.code == "forked-before"]
    assert [".conviction" in str(one.values["files"]) for one in again] == [False]


def test_a_copy_of_yesterday_convicts_nobody(city: City) -> None:
    """A smaller checkpoint of the same history that was signed earlier stays a failed check, and nothing is written."""
    city.checkpoint(4)
    city.now += 600
    city.publish()
    city.write()
    run(city)
    city.write(size=4)
    for _ in range(2):
        assert history(run(city))[0] == "rolled-back"
    assert written(city) == []
    city.write()
    assert run(city).exit_status() == 0


def test_entries_taken_back(city: City) -> None:
    """The same smaller state, signed later: evidence for ever."""
    run(city)
    city.now += 600
    city.write(size=4)
    code, values = history(run(city))
    assert code == "rolled-back-convicted"
    (path,) = written(city)
    assert values["conviction"] == str(path)
    assert parse_conviction(path.read_bytes()).kind == TIME_ORDER
    city.write()
    report = run(city)
    assert "shrunk-before" in [one.code for one in report.verdict.checks]
    assert report.exit_status() == 1


def test_where_the_tree_cannot_be_read(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fork to a shorter story whose own leaves are not at hand: both checkpoints are kept, no conviction is."""
    other = fork(city, 5, 2)
    run(city)

    def unread(self: object, nodes: object) -> list[bytes]:
        raise ProofError("not read")

    monkeypatch.setattr("ledger.verifier.auditstate.AuditState.read_hashes", unread)
    other.notes.clear()
    other.now = 0x60000000
    other.write()
    code, values = history(run(city, other))
    assert code == "forked"
    assert values["conviction"] == ""
    assert written(city) == []


def test_the_leaves_that_an_audit_keeps_make_the_tree(tmp_path: Path) -> None:
    """Node by node, over the borders of bundles; nothing beyond what has been read."""
    city = City(tmp_path / "kota")
    while len(city.entries) < 530:
        city.publish(documents={"same.pdf": b"same"})
    city.write()
    run(city)
    with open_state(tmp_path / "state", city.founding) as state:
        nodes = [(0, 0), (0, 529), (8, 1), (9, 0), (4, 15), (4, 16), (3, 64), (1, 264)]
        assert state.read_hashes(nodes) == nodes_of(city)(nodes)
        for beyond in ((0, 530), (9, 1), (0, -1)):
            with pytest.raises(ProofError):
                state.read_hashes([beyond])


def test_a_fork_after_a_change_of_keys(city: City) -> None:
    """What former keys signed and what the present ones signed convict together; both pairs are in the file."""
    other = city.fork(city.path.parent / "lain")
    for number in range(3):
        other.publish(title=f"lain {number}")
    city.rotate_log_keys("second")
    city.publish()
    city.publish()
    city.write()
    other.write()
    notes = [(one.path / "checkpoint").read_bytes() for one in (city, other)]
    found = make_conviction(notes[0], notes[1], keys_of(city))
    assert found is not None
    assert len(found.keys) == 4
    assert [len(one.signed) for one in open_heads(found)] == [2, 2]


# -- making one


def test_the_strongest_is_made_first(city: City) -> None:
    """Two roots, else another history, else times; without a tree to read no history; by keys that signed nothing, nothing."""
    other = fork(city, 2, 4)
    keys, read = keys_of(city), nodes_of(other)
    small, large, same = city.checkpoint(), other.checkpoint(), other.checkpoint(len(city.entries))
    kinds = [make_conviction(*pair, keys, read) for pair in ((small, same), (small, large), (large, small))]
    assert [one.kind if one else None for one in kinds] == [SAME_SIZE, OTHER_HISTORY, OTHER_HISTORY]
    assert make_conviction(small, large, keys) is None
    assert make_conviction(small, same, keys[:0]) is None
    assert make_conviction(small, same, City(city.path.parent / "x", seed="other").keys.public) is None
    assert make_conviction(small, b"note", keys) is None
    assert make_conviction(small, small, keys, read) is None


def test_a_key_whose_line_does_not_hold_is_left_out(city: City) -> None:
    """A head with a broken post-quantum line, as a reader without that key takes it, still convicts by the other key."""
    other = fork(city, 2, 2)
    note = parse_note(other.checkpoint())
    broken = [one if len(one.signature) < 2000 else NoteSignature(one.name, one.key_id, bytes(len(one.signature)))
              for one in note.signatures]  # fmt: skip
    found = make_conviction(city.checkpoint(), format_note(Note(note.text, tuple(broken))), keys_of(city))
    assert found is not None
    assert [key.algorithm for key in found.keys] == [LOG_TYPES[0]]


def test_honest_growth_is_never_a_conviction(city: City) -> None:
    """No two checkpoints of a city that only grew make one, in whichever order, with any tree to read."""
    rng = random.Random(5)
    notes = []
    for _ in range(6):
        for _ in range(rng.randrange(1, 4)):
            city.publish()
        notes.append(city.checkpoint())
    other = city.fork(city.path.parent / "lain", size=5)
    while len(other.entries) < len(city.entries):
        other.publish(title="lain")
    for read in (nodes_of(city), nodes_of(other), None):
        assert [make_conviction(one, two, keys_of(city), read) for one in notes for two in notes] == [None] * 36


# -- judging one


def judged(data: bytes, *trusted: Trusted) -> Verdict:
    return judge_conviction(data, "x.conviction", trusted)


def made(city: City) -> bytes:
    other = fork(city, 2, 2)
    found = make_conviction(city.checkpoint(), other.checkpoint(), keys_of(city))
    assert found is not None
    return format_conviction(found)


def codes(verdict: Verdict) -> dict[str, str]:
    return {one.code: one.state for one in verdict.checks}


def test_it_convicts_whom_the_reader_has_pinned(city: City, tmp_path: Path) -> None:
    """With the ledger pinned: true; with nothing or another ledger pinned: whose keys these are is not checked."""
    data, policy = made(city), parse_policy(city.policy)
    stranger = City(tmp_path / "palsu", seed="stolen")
    assert judged(data, Trusted(policy, city.founding)).exit_status() == 0
    assert judged(data).exit_status() == 3
    unknown = judged(data, Trusted(parse_policy(stranger.policy), stranger.founding))
    assert (unknown.exit_status(), codes(unknown)["convicted-unpinned"]) == (3, "not_checked")
    assert judged(data, unknown_reader(stranger), Trusted(policy, city.founding)).exit_status() == 0
    add_pin(tmp_path / "trust", propose_source(FolderSource(city.path), city.founding))
    pinned = readers(tmp_path / "trust", policy=None, founding=None, location=None)
    assert judged(data, *pinned).exit_status() == 0


def test_which_pins_are_asked(city: City, tmp_path: Path) -> None:
    """A named ledger alone if it is pinned, else all; those of a founding; a policy before all of them."""
    other, trust = City(tmp_path / "lain", origin="bening.example/lain"), tmp_path / "trust"
    for number, one in enumerate((city, other)):
        one.write()
        add_pin(trust, propose_source(FolderSource(one.path), one.founding), name=f"pin{number}")

    def names(policy: bytes | None = None, founding: str | None = None, location: str | None = None) -> list[str]:
        return [one.policy.logs[0].name for one in readers(trust, policy=policy, founding=founding, location=location)]

    assert names() == names(location="elsewhere") == [city.origin, other.origin]
    assert names(location="pin1") == names(location=str(other.path)) == names(founding=other.founding) == [other.origin]
    assert names(policy=city.policy, location="pin1") == [city.origin]
    assert readers(tmp_path / "none", policy=None, founding=None, location=None) == []


def unknown_reader(city: City) -> Trusted:
    return Trusted(parse_policy(city.policy), city.founding)


def test_keys_that_somebody_made_up_convict_nobody(city: City, tmp_path: Path) -> None:
    """Two heads under a stranger's keys of the same name, or one of them: never true for who has pinned the ledger."""
    policy = parse_policy(city.policy)
    stranger = City(tmp_path / "palsu", seed="stolen")
    for _ in range(4):
        stranger.publish(title="palsu")
    foreign = fork(stranger, 2, 2)
    both = made_of(stranger.checkpoint(), foreign.checkpoint(), [*stranger.keys.public])
    assert judged(both, Trusted(policy, city.founding)).exit_status() == 3
    half = made_of(city.checkpoint(len(city.entries)), stranger.checkpoint(len(city.entries)),
                   [*city.keys.public, *stranger.keys.public])  # fmt: skip
    assert judged(half, Trusted(policy, city.founding)).exit_status() == 3
    assert judged(half).exit_status() == 3


def made_of(first: bytes, second: bytes, keys: list[Any]) -> bytes:
    found = make_conviction(first, second, keys)
    assert found is not None
    return format_conviction(found)


def test_a_former_key_counts_for_its_own_sizes_only(city: City) -> None:
    """After the keys were changed the roster says which count: the former pair no more, and without it only the policy's."""
    city.rotate_log_keys("second", overlap=1)
    before = len(city.entries) - 1
    for _ in range(3):
        city.publish()
    other = city.fork(city.path.parent / "lain", size=before)
    for _ in range(4):
        other.publish(title="lain")
    policy, roster = parse_policy(city.policy), tuple(city.envelopes)
    former = next(iter(city.all_keys.values()))
    late = made_of(city.checkpoint(), signed_by(other, former), [*city.keys.public, *former.public])
    assert judged(late, Trusted(policy, city.founding, None, roster)).exit_status() == 3
    early = made_of(city.checkpoint(before), signed_by(city.fork(city.path.parent / "lain2", size=before - 1), former, more=1),
                    list(former.public))  # fmt: skip
    assert judged(early, Trusted(policy, city.founding, None, roster)).exit_status() == 0
    assert judged(early, Trusted(policy, city.founding)).exit_status() == 3


def signed_by(city: City, keys: Any, more: int = 0) -> bytes:
    """Return the city's newest checkpoint under these keys alone, after so many acts more."""
    for _ in range(more):
        city.publish(title="lain lagi")
    copy = city.fork(city.path.parent / "salinan")
    copy.notes.clear()
    copy.roster = replace(copy.roster, log_keys=tuple(one for one in copy.roster.log_keys if one.vkeys[0] == keys.vkeys[0]))
    copy.roster = replace(copy.roster, log_keys=tuple(replace(one, until_size=None) for one in copy.roster.log_keys))
    return copy.checkpoint()


@pytest.mark.parametrize("lang", ["id", "en"])
def test_the_verdict_in_words(city: City, lang: str) -> None:
    """What it proves, whose keys, and which of them signed which state; no sentence is missing."""
    data = made(city)
    for trusted in ([Trusted(parse_policy(city.policy), city.founding)], []):
        lines = render_verdict(judged(data, *trusted), lambda key, **named: say(key, lang, **named))
        text = "\n".join(lines)
        assert ("HAS MISBEHAVED" in lines[0] or "MELANGGAR" in lines[0]) == bool(trusted)
        assert "…" not in text
        assert "convict" not in text
        assert "ML-DSA-44" in text
        assert city.origin in text


@pytest.mark.parametrize("kind", [SAME_SIZE, OTHER_HISTORY, TIME_ORDER])
def test_every_kind_has_its_words(kind: str) -> None:
    """The sentence of the check and the headline."""
    assert has_words(f"check.convicts-{kind}")
    assert has_words(f"verify.headline-convicts-{kind}")


def test_changed_files_do_not_convict(city: City) -> None:
    """Whatever bit is flipped: false, of a later version, or the same claim."""
    data, rng = made(city), random.Random(3)
    trusted = Trusted(parse_policy(city.policy), city.founding)
    meant = [one.values for one in judged(data, trusted).checks if one.name == "conviction"]
    for _ in range(400):
        at = rng.randrange(len(data))
        changed = data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
        found = judged(changed, trusted)
        if found.exit_status() != 1 and "newer-format" not in codes(found):
            assert [one.values for one in found.checks if one.name == "conviction"] == meant, at
    with pytest.raises(LedgerError):
        parse_conviction(data[:-1])


# -- the command


def test_the_command(city: City, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """``bening verify FILE``: 3 before the ledger is pinned, 0 after, by pin, name or policy; 1 where it does not convict."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("BENING_LEDGER", raising=False)
    honest = City(tmp_path / "jujur", witnesses=("kpk",))
    path, policy, wrong = tmp_path / "any name", tmp_path / "policy", tmp_path / "wrong.conviction"
    path.write_bytes(made(city))
    policy.write_bytes(city.policy)
    one = parse_conviction(path.read_bytes())
    wrong.write_bytes(format_conviction(replace(one, second=one.first)))

    def bening(*args: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as caught:
            main(["--lang", "en", *map(str, args)])
        return int(str(caught.value.code)), capsys.readouterr().out

    assert bening("verify", path)[0] == 3
    assert bening("verify", path, "--policy", policy)[0] == 0
    assert bening("verify", wrong, "--policy", policy)[0] == 1
    honest.write()
    assert bening("trust", "add", city.path, "--name", "kota")[0] == 0
    status, out = bening("verify", path)
    assert (status, "HAS MISBEHAVED" in out) == (0, True)
    assert bening("verify", path, "-L", "kota")[0] == 0
    assert bening("verify", wrong)[0] == 1
    status, out = bening("verify", path, "--json")
    (verdict,) = json.loads(out)["verdicts"]
    assert (status, verdict["status"]) == (0, 0)
    assert {check["name"]: check["state"] for check in verdict["checks"]} == dict.fromkeys(("conviction", "signed", "keys"), "passed")
    path.write_bytes(path.read_bytes().replace(b"@v1", b"@v2", 1))
    assert bening("verify", path)[0] == 3


# -- the document


def test_the_example_in_the_document_convicts() -> None:
    """What docs/convictions.md shows is a conviction, of the kind and sizes that it says."""
    text = (Path(__file__).parents[2] / "docs" / "convictions.md").read_text("utf-8")
    (example,) = re.findall(r"```conviction\n(.*?)```", text, re.DOTALL)
    found = parse_conviction(example.encode("utf-8"))
    check_conviction(found)
    assert (found.kind, [one.checkpoint.size for one in open_heads(found)]) == (OTHER_HISTORY, [3, 6])
    assert f"at most {MAX_CONVICTION // 1024} KiB" in text
