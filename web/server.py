"""The web process: one event loop, served by granian (its Rust side reads and writes the sockets)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ledger.errors import StoreError, UsageError
from ledger.publisher.home import Home
from ledger.publisher.staging import clear_uploads
from web.front.asgi import create_front
from web.front.journal import Journal

__all__ = ["parse_listen", "serve", "serve_front"]

_FILES = 65_536
_CONNECTIONS = 8192  # at most; one that pipelines and reads nothing takes some 35 KiB
_HEADERS_WITHIN = 10_000  # milliseconds; a client that sends its headers more slowly is left
_TAKEN_WITHIN = 60_000  # milliseconds; the kernel leaves a reader that takes nothing for so long


def serve(home: Home, listen: str, *, started: Callable[[str], None] | None = None) -> None:
    """Answer HTTP at ``listen`` until SIGTERM or SIGINT; ``started`` is told the address.

    Raises:
        UsageError: ``bad-listen``.
        StoreError: ``cannot-listen``: the address is taken or not ours.
    """
    host, port, socket_path = parse_listen(listen)
    if socket_path is None:
        _check_free(host, port, listen)
    clear_uploads(home)
    serve_front(create_front(home, Journal()), listen, started=started)


def serve_front(front: Any, listen: str, *, started: Callable[[str], None] | None = None) -> None:
    """Answer HTTP at ``listen`` by an ASGI application until SIGTERM or SIGINT; ``started`` is told the address.

    Raises:
        UsageError, StoreError: as ``serve``.
    """
    host, port, socket_path = parse_listen(listen)
    if socket_path is None:
        _check_free(host, port, listen)
    _allow_connections()
    with contextlib.suppress(ImportError):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(_serve(front, host, port, socket_path, lambda: started and started(listen)))


async def _serve(front: Any, host: str, port: int, socket_path: Path | None, started: Callable[[], Any]) -> None:
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings

    logging.getLogger("_granian").setLevel(logging.ERROR)
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it would tell each malformed form, in lines of its own
    server = _server_class()(
        front, host, port, socket_path, interface=Interfaces.ASGI, http=HTTPModes.http1, websockets=False, backlog=1024,
        backpressure=_most_connections(), http1_settings=HTTP1Settings(header_read_timeout=_HEADERS_WITHIN), log_enabled=False,
    )  # fmt: skip
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    loop.call_later(0.1, started)
    await server.serve()


def _server_class() -> Any:
    """Return granian's server with a listening socket of ours: a reader that takes nothing must not keep a connection.

    What is set on a listening socket holds for every connection that it accepts (tcp(7)).
    """
    from granian._granian import SocketHolder
    from granian.server.embed import Server

    class Listening(Server):
        def _init_shared_socket(self) -> None:
            if self.bind_uds or not hasattr(socket, "TCP_USER_TIMEOUT"):
                super()._init_shared_socket()  # type: ignore[no-untyped-call]
                return
            self.listening = _listen(self.bind_addr, self.bind_port, self.backlog)
            holder: Any = SocketHolder  # whose stub lacks the arguments: file descriptor, whether a Unix socket, backlog
            self._shd, self._ssp = holder(self.listening.fileno(), False, self.backlog), None

    return Listening


def _listen(host: str, port: int, backlog: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _TAKEN_WITHIN)
    listening.setblocking(False)
    listening.bind((host, port))
    listening.listen(backlog)
    return listening


def _most_connections() -> int:
    """Return how many connections are held at once: half of the open files that this process may have, the rest are files."""
    import resource

    return max(256, min(_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2))


def _allow_connections() -> None:
    """Allow as many open files as this process may have: each connection is one, also an idle one."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def parse_listen(text: str) -> tuple[str, int, Path | None]:
    """Return host, port and socket path of ``HOST:PORT``, ``[IPv6]:PORT`` or ``unix:PATH``.

    Raises:
        UsageError: ``bad-listen``.
    """
    if text.startswith("unix:/"):
        return "", 0, Path(text.removeprefix("unix:"))
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})", text, re.ASCII)
    if not found or not 0 < int(found[3]) < 65536:
        raise UsageError(f"{text!r} is no address", code="bad-listen", value=text[:80])
    return found[1] or found[2], int(found[3]), None


def _check_free(host: str, port: int, listen: str) -> None:
    """Refuse an address that is taken before anything is started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        problem = error.strerror or str(error)
        raise StoreError(f"{listen}: {error}", code="cannot-listen", listen=listen, problem=problem) from None
