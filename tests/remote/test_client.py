"""The HTTP client: limited in size, time and patience, and honest about what it does not know."""

from __future__ import annotations

import datetime
import email.utils
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ledger.errors import AdmissionError, FetchError, LedgerError, StoreError, UsageError
from ledger.remote.answers import ask, refusal
from ledger.remote.client import Client, Reply, check_address
from ledger.remote.form import Form
from ledger.words import explain
from tests.remote.site import CUT, Answer, Site, _parts


def code_of(client: Client, path: str = "ledger") -> str:
    with pytest.raises(LedgerError) as failed:
        ask(client, path)
    for lang in ("id", "en"):
        assert "…" not in explain(failed.value, lang)
    return failed.value.code


def test_it_says_who_it_is_and_which_language_it_wants(site: Site, client: Client) -> None:
    """``bening/<version>``; no more of this machine than that."""
    ask(client, "ledger")
    said = site.asked[0].headers
    assert said["user-agent"] == f"bening/{metadata.version('bening')}"
    assert said["accept-language"] == "en"


@pytest.mark.parametrize("url", ["https://ledger.example", "https://ledger.example/kota", "http://127.0.0.1:8000", "http://[::1]:80",
                                 "http://localhost"])  # fmt: skip
def test_encrypted_or_this_machine(url: str) -> None:
    """Such addresses may be asked."""
    assert check_address(url + "/") == url


@pytest.mark.parametrize("url", ["http://ledger.example", "http://10.0.0.1", "http://127.0.0.1.example", "http://localhost.example"])
def test_plain_http_elsewhere_only_where_it_was_allowed(url: str) -> None:
    """What is shown before publishing comes from there; the host must have been named."""
    with pytest.raises(UsageError) as refused:
        check_address(url)
    assert refused.value.code == "plain-http"
    assert check_address(url, [url.removeprefix("http://")]) == url


@pytest.mark.parametrize("url", ["ftp://ledger.example", "https://", "https://a b", "https://u:p@ledger.example", "https://x?y=1",
                                 "https://x#y", "https://x:99999", "https://[::1", "https://bücher.example", "//x"])  # fmt: skip
def test_what_is_no_address_of_a_site(url: str) -> None:
    """A user, a query, a fragment, another scheme, or nonsense."""
    with pytest.raises(UsageError) as refused:
        check_address(url)
    assert refused.value.code == "bad-site"


def test_nobody_there_is_told_at_once() -> None:
    """A refused connection is not waited for when there never was an answer."""
    client = Client("http://127.0.0.1:9", sleep=lambda _: pytest.fail("waited"))
    assert code_of(client) == "site-unreachable"


def test_a_site_that_went_away_is_waited_for_a_while(site: Site, client: Client) -> None:
    """It may be starting again; then patience ends."""
    site.once(Answer.json(200, {}, Connection="close"), "GET", "/api/v1/ledger")
    ask(client, "ledger")
    site.close()
    assert code_of(client) == "site-unreachable"
    assert client.pauses == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_a_redirect_is_not_followed(site: Site, client: Client) -> None:
    """Wherever it leads to."""
    for status in (301, 302, 303, 307, 308):
        site.once(Answer(status, b"", {"Location": f"{site.url}/elsewhere"}), "GET", "/api/v1/ledger")
        assert code_of(client) == "site-redirects"
    assert site.count("GET", "/elsewhere") == 0


@pytest.mark.parametrize("status", [429, 503])
def test_the_site_says_when_to_come_again(site: Site, client: Client, status: int) -> None:
    """``Retry-After`` in seconds or as a date is honoured, as long as patience lasts."""
    told: list[float] = []
    client._tell = told.append
    site.once(Answer.json(status, {"error": "busy", "sentence": "Full."}, Retry_After="3"), "GET", "/api/v1/ledger", 2)
    assert ask(client, "ledger")["size"] > 0
    assert client.pauses == told == [3.0, 3.0]
    site.once(Answer(status, b"", {"Retry-After": email.utils.formatdate(time.time() + 9, usegmt=True)}), "GET", "/api/v1/ledger")
    ask(client, "ledger")
    assert 7 < client.pauses[-1] <= 9


@pytest.mark.parametrize("wait", ["3600", "9" * 30, "Wed, 01 Jan 2098 00:00:00 GMT"])
def test_patience_is_bounded(site: Site, client: Client, wait: str) -> None:
    """A site that wants more is told of, with its sentence, and nobody sleeps for an hour."""
    site.once(Answer.json(503, {"error": "busy", "sentence": "Full."}, Retry_After=wait), "GET", "/api/v1/ledger", 9)
    with pytest.raises(StoreError) as failed:
        ask(client, "ledger")
    assert failed.value.code == "site-busy"
    assert "Full." in explain(failed.value, "id")
    assert client.pauses == []


@pytest.mark.parametrize("wait", ["", "-5", "soon", "٣", "1.5", "Wed, 99 Jan 2026"])
def test_an_unreadable_retry_after_is_none(wait: str) -> None:
    """Then the usual pauses are made."""
    assert Reply(503, b"", {"retry-after": wait}).retry_after() is None


def test_a_cut_answer_is_asked_again(site: Site, client: Client) -> None:
    """Reading changes nothing, so it is done once more; not for ever."""
    site.once(CUT, "GET", "/api/v1/ledger", 2)
    assert ask(client, "ledger")["size"] > 0
    site.once(CUT, "GET", "/api/v1/ledger", 99)
    assert code_of(client) == "site-cut"


def test_an_answer_has_a_limit(site: Site, client: Client) -> None:
    """However much comes."""
    site.once(Answer(200, b" " * 100_000), "GET", "/api/v1/ledger")
    with pytest.raises(FetchError) as failed:
        client.get("api/v1/ledger", limit=50_000)
    assert failed.value.code == "fetch-too-large"


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b'"\xff"', b"[" * 200_000, b"9" * 10_000, b"NaN", b"{}x"])
def test_an_answer_that_is_no_json(site: Site, client: Client, body: bytes) -> None:
    """Cut, foreign, too deep: not understood, and nothing else."""
    site.once(Answer(200, body), "GET", "/api/v1/ledger")
    assert code_of(client) == "site-nonsense"


@pytest.mark.parametrize(("status", "body", "code", "kind"), [
    (404, b"<p>no", "no-api", FetchError), (404, b'{"error":"not-found","sentence":"S"}', "site-says", FetchError),
    (500, b"", "site-says", FetchError), (403, b"", "site-says", FetchError), (429, b"", "site-busy", StoreError),
    (422, b'{"reasons":[{"code":"number-used","path":"number","sentence":"S"}]}', "admission", AdmissionError),
])  # fmt: skip
def test_statuses_become_our_errors(client: Client, status: int, body: bytes, code: str, kind: type[LedgerError]) -> None:
    """In the sentences and kinds that a folder would have."""
    error = refusal(client, Reply(status, body))
    assert isinstance(error, kind)
    assert error.code == code


@pytest.mark.parametrize("status", [400, 413, 415])
def test_what_was_sent_and_is_not_taken_is_refused(client: Client, status: int) -> None:
    """With the site's own sentence; its control characters stay harmless."""
    error = refusal(client, Reply(status, b'{"error":"bad-form","sentence":"No \\u202e\\u001b[2J form."}'), sent=True)
    assert isinstance(error, AdmissionError)
    assert "No \\u{202E}\\u{001B}[2J form." in explain(error, "en")


def test_hostile_reasons_are_text(client: Client) -> None:
    """Codes, paths and sentences of any type and length become something that can be shown."""
    body = b'{"reasons":[{"code":7,"path":[],"sentence":{}},3,null,{"code":"A B","sentence":"' + b"x" * 100_000 + b'"}]}'
    error = refusal(client, Reply(422, body))
    assert isinstance(error, AdmissionError)
    assert [one.code for one in error.reasons] == ["refused-elsewhere"] * 2
    assert len(explain(error, "en")) < 5000


def test_a_form_is_as_long_as_it_says(tmp_path: Path) -> None:
    """Envelopes first, then documents; the length is known before anything is read, also of nothing and of much."""
    import hashlib

    documents = {}
    for data in (b"", b"x", b"\r\n--", b"y" * 700_000):
        path = tmp_path / hashlib.sha256(data).hexdigest()
        path.write_bytes(data)
        documents[path.name] = path
    form = Form([b'{"a":1}', b"{}"], documents)
    body = b"".join(form)
    assert len(body) == form.size == int(form.headers["Content-Length"])
    parts = _parts(body, form.boundary)
    assert [name for name, _ in parts] == ["envelope"] * 2 + ["document"] * 4
    assert [hashlib.sha256(data).hexdigest() for name, data in parts if name == "document"] == list(documents)
    assert b"".join(form) == body
    assert max(len(piece) for piece in form) < 1_000_000


def test_a_document_that_changed_ends_the_form(tmp_path: Path) -> None:
    """It never gets its end, so that no site can take it."""
    path = tmp_path / "sk.pdf"
    path.write_bytes(b"other")
    form = Form([b"{}"], {"0" * 64: path})
    with pytest.raises(AdmissionError) as refused:
        list(form)
    assert refused.value.reasons[0].code == "document-changed"
    path.unlink()
    for again in (lambda: list(form), lambda: Form([], {"0" * 64: path})):
        with pytest.raises(AdmissionError) as refused:
            again()
        assert refused.value.reasons[0].code == "document-missing"


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent to whoever stands in the way; a certificate that this machine trusts is accepted, for its name only."""
    server, port = _tls_server(tmp_path)
    asked = [Client(f"https://localhost:{port}", sleep=lambda _: None) for _ in range(2)]
    try:
        with pytest.raises(FetchError) as failed:
            asked[0].get("checkpoint")
        assert failed.value.code == "site-unreachable"
        assert "certificate" in explain(failed.value, "en").lower()
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        assert asked[1].get("checkpoint").status == 200
        with pytest.raises(FetchError):
            Client(f"https://127.0.0.1:{port}").get("checkpoint")
    finally:
        server.shutdown()
        server.server_close()


def _tls_server(folder: Path) -> tuple[ThreadingHTTPServer, int]:
    """A server under a certificate for ``localhost`` that it signed itself."""
    now, name = datetime.datetime.now(datetime.UTC), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, now - datetime.timedelta(1), now + datetime.timedelta(1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem = builder.add_extension(x509.BasicConstraints(True, None), critical=True).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    (folder / "cert.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server, server.server_address[1]
