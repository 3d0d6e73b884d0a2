"""The newest published state of a ledger elsewhere, for drafting: what ``publisher.state`` reads of a home, asked of a site.

    size     from the checkpoint, whose signatures are checked
    roster   /roster.jsonl, replayed here from the founding, every signature of the authority checked
    index    /api/v1/find, up to 100 questions at once; payloads are parsed here, and their ids computed

The roster is proven. That an act is *not* there is the site's word: a look before publishing may miss an earlier number,
and admission, which judges again, will not.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from ledger.errors import FetchError, FormatError, ProofError
from ledger.records.envelope import MAX_ENVELOPE, Envelope, load_envelope
from ledger.records.numbers import fold_number
from ledger.records.record import Record
from ledger.records.replay import Act, NumberKey
from ledger.records.roster import Enrolment, Roster, replay_roster
from ledger.remote.answers import ask, found_acts, nonsense
from ledger.remote.client import Client
from ledger.tlog.policy import Opened

__all__ = ["RemoteActs", "RemoteState", "Trust", "placed_roster"]

MAX_CHECKPOINT = 128 * 1024
MAX_ROSTER_FILE = 128 * 1024 * 1024
MOST_KEYS = 100
_MOST_QUERY = 6000  # bytes; usual limits of a request line are 8 KiB
_AT_ONCE = 4

Key = tuple[str, str]
Found = Sequence[tuple[Act, Record]]


@dataclass(frozen=True, slots=True)
class Trust:
    """By what a site is judged: the ``founding`` (hex), and ``check``, which accepts a signed checkpoint or raises.

    ``roster`` is the chain that was seen before: one that does not continue it is refused.
    """

    founding: str
    check: Callable[[bytes], Opened]
    roster: tuple[Envelope, ...] = ()


class RemoteState:
    """The roster and the acts after ``size`` published entries."""

    def __init__(self, client: Client, trust: Trust) -> None:
        self.client, self.trust = client, trust
        self.index = RemoteActs(client)

    @functools.cached_property
    def size(self) -> int:
        """The size of the newest checkpoint.

        Raises:
            FetchError: it could not be read.
            VerificationError: it is not this ledger's.
        """
        return int(self.trust.check(_file(self.client, "checkpoint", MAX_CHECKPOINT)).checkpoint.size)

    @functools.cached_property
    def chain(self) -> list[Envelope]:
        """The roster's payloads, the founding first; they continue what was seen before, and are not replayed yet.

        Raises:
            FetchError: it could not be read, or is no roster.
            ProofError: ``roster-differs``.
        """
        chain = _lines(self.client, _file(self.client, "roster.jsonl", MAX_ROSTER_FILE))
        seen = self.trust.roster
        if [one.id for one in chain[: len(seen)]] != [one.id for one in seen]:
            values: dict[str, object] = {"where": self.client.url, "count": len(chain), "seen": len(seen)}
            raise ProofError("not the roster that was seen before", code="roster-differs", **values)
        return chain

    @functools.cached_property
    def roster(self) -> Roster:
        """The roster after the newest payload; where its events stand in the ledger is not known here.

        Raises:
            VerificationError: another founding, or not signed by the authority.
        """
        return replay_roster(self.chain, founding=self.trust.founding)[-1]


class RemoteActs:
    """Acts by reference, id, number, document and relation; each question is asked once. Implements ``KnownActs``.

    With ``noting`` nothing is asked and nothing is found: what would be asked is noted in ``noted``, to be asked together.
    """

    def __init__(self, client: Client, *, noting: bool = False) -> None:
        self.client, self.noting = client, noting
        self.noted: dict[Key, None] = {}
        self._found: dict[Key, Found] = {}
        self._lock = threading.Lock()

    def prefetch(self, keys: Iterable[Key]) -> None:
        """Ask everything of ``keys`` that has not been asked, some requests at once: their order does not matter.

        Raises:
            FetchError, StoreError: it could not be asked.
        """
        new = [key for key in dict.fromkeys(keys) if key not in self._found]
        requests = list(_requests(new))
        if len(requests) == 1:
            self._ask(requests[0])
        elif requests:
            with ThreadPoolExecutor(min(_AT_ONCE, len(requests))) as pool:
                list(pool.map(self._ask, requests))

    def by_ref(self, ref: str) -> Act | None:
        """Return the act that carries ``ref``."""
        return self._one("ref", ref, lambda act, _: act.ref == ref)

    def by_id(self, act_id: str) -> Act | None:
        """Return the act of that id."""
        return self._one("id", act_id, lambda act, _: act.id == act_id)

    def by_number(self, key: NumberKey) -> Sequence[Act]:
        """Return the acts under one number key, oldest first."""
        return [act for act in self._numbered(key[2]) if act.number_key == key]

    def by_office_number(self, office: str, number: str) -> Sequence[Act]:
        """Return the acts of an office under a number, whatever their form and year, oldest first."""
        return [act for act in self._numbered(fold_number(number)) if act.office == office]

    def by_document(self, sha256: str) -> Sequence[Act]:
        """Return the acts that name a document, oldest first."""
        found = self._all("document", sha256, lambda _, record: any(one["sha256"] == sha256 for one in record.documents))
        return [act for act, _ in found]

    def relating_to(self, ref: str) -> Sequence[tuple[str, Act]]:
        """Return (relation type, act) of each act that names ``ref``, oldest first."""
        found = self._all("names", ref, lambda act, _: any(target == ref for _, target in act.relations))
        return [(kind, act) for act, _ in found for kind, target in sorted(act.relations) if target == ref]

    def body(self, ref: str) -> dict[str, Any] | None:
        """Return the whole record that carries ``ref``."""
        found = self._all("ref", ref, lambda act, _: act.ref == ref)
        return dict(found[0][1].data) if found else None

    def _numbered(self, folded: str) -> list[Act]:
        """Return the acts under a folded number; the site folds what it is asked, and may know more spellings as one."""
        if not folded:
            return []
        found = self._all("number", _spelling(folded), lambda act, _: act.number is not None)
        return [act for act, _ in found if _folded(act) == folded]

    def _one(self, name: str, value: str, asked: Callable[[Act, Record], bool]) -> Act | None:
        found = self._all(name, value, asked)
        return found[0][0] if found else None

    def _all(self, name: str, value: str, asked: Callable[[Act, Record], bool]) -> Found:
        key = (name, value)
        if self.noting:
            self.noted[key] = None
            return ()
        if key not in self._found:
            self._ask([key])
        found = self._found[key]
        if not all(asked(act, record) for act, record in found):
            raise nonsense(self.client, f"acts that are not {name} {value}"[:80])
        return found

    def _ask(self, keys: Sequence[Key]) -> None:
        """Ask for keys in one request, or in two where the answer would be too large."""
        try:
            found = found_acts(self.client, ask(self.client, "find", keys), keys)
        except FetchError as error:
            too_much = error.values.get("told") == "find-too-much" or error.values.get("status") in (413, 414, 431)
            if len(keys) == 1 or not too_much:
                raise
            self._ask(keys[: len(keys) // 2])
            self._ask(keys[len(keys) // 2 :])
            return
        with self._lock:
            self._found.update(found)


def placed_roster(state: RemoteState) -> Roster:
    """Return the roster with the entries at which keys came and went, as the site states them: they are not proven.

    Raises:
        FetchError: the site states them of another roster than the one that is signed.
    """
    roster, told = state.roster, ask(state.client, "roster")
    rows = told.get("keys") if isinstance(told, dict) else None
    if not isinstance(rows, list) or told.get("hash") != roster.hash:
        raise nonsense(state.client, "another roster than the signed one")
    by_id = {row.get("keyid"): row for row in rows if isinstance(row, dict)}
    return replace(roster, enrolments={
        keyid: _placed(state.client, one, by_id.get(keyid)) for keyid, one in roster.enrolments.items()
    })  # fmt: skip


def _placed(client: Client, one: Enrolment, row: dict[str, Any] | None) -> Enrolment:
    places = [row.get(f"{what}_at") if row else None for what in ("enrolled", "retired", "revoked")]
    signed = (one.index, one.retired_at, one.revoked_at)
    for place, known in zip(places, signed, strict=True):
        if (place is None) != (known is None) or not isinstance(place, (int, type(None))):
            raise nonsense(client, "another roster than the signed one")
    enrolled, retired, revoked = places
    return replace(one, index=int(enrolled or 0), retired_at=retired, revoked_at=revoked)


def _requests(keys: Sequence[Key]) -> Iterator[list[Key]]:
    """Yield ``keys`` in groups that one request line can carry."""
    group, size = list[Key](), 0
    for key in keys:
        length = len(urlencode([key])) + 1
        if group and (len(group) >= MOST_KEYS or size + length > _MOST_QUERY):
            yield group
            group, size = [], 0
        group.append(key)
        size += length
    if group:
        yield group


def _spelling(folded: str) -> str:
    """Return a number that folds to ``folded``; that is not always ``folded`` itself (``no:5`` once more is ``5``)."""
    return next((one for one in (folded, f"nomor {folded}") if fold_number(one) == folded), folded)


def _folded(act: Act) -> str | None:
    return None if act.number_key is None else act.number_key[2]


def _file(client: Client, path: str, limit: int) -> bytes:
    """Return one of the log's own files."""
    reply = client.get(path, limit=limit)
    if reply.status != 200:
        code = "fetch-missing" if reply.status in (404, 410) else "site-says"
        values: dict[str, object] = {"where": client.url, "path": path, "status": reply.status, "said": path}
        raise FetchError(f"{client.url}/{path}: HTTP {reply.status}", code=code, **values)
    return reply.body


def _lines(client: Client, data: bytes) -> list[Envelope]:
    """Return the envelopes of a ``roster.jsonl``."""
    lines = data.split(b"\n")
    if lines.pop() != b"" or any(len(line) > MAX_ENVELOPE for line in lines):
        raise nonsense(client, "roster.jsonl")
    try:
        return [load_envelope(line) for line in lines]
    except FormatError as error:
        raise nonsense(client, f"roster.jsonl: {error}"[:80]) from None
