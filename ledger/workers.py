"""Work on all cores: spawned child processes that map a function over chunks, in order, over pipes.

    with Workers("ledger.index.examined:examine_chunk", context) as workers:
        for result in workers.map(tasks): ...

``function(context, task)`` is named by its module, so that a child imports nothing else and holds nothing of its parent:
no key, no open file. Tasks, context and results are plain data (``marshal``: None, bool, int, str, bytes, tuples, lists,
dicts). Each child has up to ``AHEAD`` tasks before it; results come back in the order of the tasks. Children end with
their parent: they read the end of their pipe, and on Linux the kernel ends them. One that dies, or fails, fails the map:
nothing is ever taken as done that a child did not answer.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import importlib
import marshal
import os
import queue
import select
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

from ledger.errors import StoreError
from ledger.supervise import end_with_parent

__all__ = ["AHEAD", "Workers", "cores"]

AHEAD = 24  # half a second of work: for so long the parent may look away, as when it commits
_PIPE = 1 << 20
_SIZE = 8

Plain = Any


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers:
    """Child processes that run one function; a context manager, which ends them."""

    def __init__(self, function: str, context: Plain, count: int | None = None, *, helping: bool = False) -> None:
        """``function`` is ``module:name``; ``count`` children, one for each core by default.

        With ``helping`` this process runs the function too, whenever it would have to wait: there is one child less by
        default, and then no third process on two cores.
        """
        wanted = cores() - helping if count is None else count
        self._here = functools.partial(_function_of(function), context) if helping else None
        self._children = [_Child(function, context) for _ in range(wanted)]

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the children, whatever they are doing."""
        for child in self._children:
            child.end()

    def map(self, tasks: Iterable[Plain], count: int | None = None) -> Iterator[Plain]:
        """Yield the function's result for each task, in their order; tasks are taken as children become free.

        Where it is known that there are ``count`` tasks, children get fewer before them near the end, so that all end together.

        Raises:
            StoreError: ``worker-failed``: a child died or raised; nothing is known of its tasks.
        """
        numbered = enumerate(tasks)
        done: dict[int, Plain] = {}
        number, taken, more = 0, 0, True
        while True:
            while more and (child := self._free(taken, count)) is not None:
                following = next(numbered, None)
                more, taken = following is not None, taken + 1
                if following is not None:
                    child.send(*following)
            if number in done:
                yield done.pop(number)
                number += 1
                self._exchange(done, 0.0)
            elif more and self._here is not None and (following := next(numbered, None)) is not None:
                taken += 1
                done[following[0]] = self._do(self._here, following[1])
                self._exchange(done, 0.0)
            elif any(child.waiting for child in self._children):
                self._exchange(done, None)
            elif not more or self._here is not None:
                return

    def _free(self, taken: int, count: int | None) -> _Child | None:
        """Return the child with the least before it, if it may have more."""
        if not self._children:
            return None
        child = min(self._children, key=lambda one: len(one.waiting))
        left = AHEAD if count is None else 1 + (count - taken) // (2 * len(self._children) + 2)
        return child if len(child.waiting) < min(AHEAD, left) else None

    def _do(self, function: Callable[[Plain], Plain], task: Plain) -> Plain:
        try:
            return function(task)
        except Exception as error:  # noqa: BLE001 (as in a child)
            raise _failed(f"{type(error).__name__}: {error}") from None

    def _exchange(self, done: dict[int, Plain], timeout: float | None) -> None:
        """Write and read what the pipes take and give; wait for something, at most ``timeout`` seconds."""
        busy = [child for child in self._children if child.waiting]
        readers = {child.results: child for child in busy}
        writers = {child.tasks: child for child in busy if child.unsent}
        ready, free, _ = select.select(readers, writers, [], timeout)
        for file in free:
            writers[file].write()
        for file in ready:
            done.update(readers[file].read())


class _Child:
    """One child process: ``waiting`` are the numbers of the tasks before it, ``unsent`` bytes on their way to it."""

    def __init__(self, function: str, context: Plain) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
        environment.pop("BENING_PASSPHRASE", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ledger.workers", function],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
        )  # fmt: skip
        self.tasks, self.results = _opened(self.process.stdin), _opened(self.process.stdout)
        self.waiting: deque[int] = deque()
        self.unsent: deque[memoryview] = deque()
        self._came = bytearray()
        self._queue(context)

    def send(self, number: int, task: Plain) -> None:
        """Put a task on its way."""
        self.waiting.append(number)
        self._queue(task)
        self.write()

    def write(self) -> None:
        """Write what the pipe takes."""
        try:
            while self.unsent:
                sent = os.write(self.tasks.fileno(), self.unsent[0])
                self.unsent[0] = self.unsent[0][sent:]
                if not self.unsent[0]:
                    self.unsent.popleft()
        except BlockingIOError:
            return
        except OSError as error:
            raise _failed(str(error)) from None

    def read(self) -> Iterator[tuple[int, Plain]]:
        """Yield (number, result) of what has come."""
        with contextlib.suppress(BlockingIOError):
            came = os.read(self.results.fileno(), _PIPE)
            if not came:
                raise _failed("it ended")
            self._came += came
        while len(self._came) >= _SIZE:
            end = _SIZE + int.from_bytes(self._came[:_SIZE], "little")
            if len(self._came) < end:
                return
            problem, result = marshal.loads(bytes(self._came[_SIZE:end]))  # noqa: S302 (our own child wrote it)
            del self._came[:end]
            if problem:
                raise _failed(problem)
            yield self.waiting.popleft(), result

    def end(self) -> None:
        """End the process."""
        for file in (self.tasks, self.results):
            file.close()
        self.process.kill()
        self.process.wait()

    def _queue(self, value: Plain) -> None:
        data = marshal.dumps(value)
        self.unsent.append(memoryview(len(data).to_bytes(_SIZE, "little") + data))


def _failed(problem: str) -> StoreError:
    return StoreError(f"worker: {problem}", code="worker-failed", problem=problem[:300])


def _function_of(name: str) -> Callable[[Plain, Plain], Plain]:
    module, _, function = name.partition(":")
    found: Callable[[Plain, Plain], Plain] = getattr(importlib.import_module(module), function)
    return found


def _opened(file: IO[bytes] | None) -> IO[bytes]:
    """Return a pipe's end that does not block, and that holds much where the system allows it."""
    if file is None:
        raise StoreError("no pipe", code="worker-failed", problem="no pipe")
    os.set_blocking(file.fileno(), False)
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(file.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
    return file


def _run(function: Callable[[Plain, Plain], Plain]) -> None:
    """Be a child: the context first, then tasks, until the pipe ends."""
    tasks, results = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints goes to standard error
    ready: queue.Queue[bytes] = queue.Queue(AHEAD)  # a pipe holds little: what is done waits here, and work goes on
    writer = threading.Thread(target=_write_all, args=(results, ready), daemon=True)
    writer.start()
    context = _received(tasks)
    while context and (task := _received(tasks)):
        try:
            answer: tuple[str | None, Plain] = (None, function(context[0], task[0]))
        except Exception as error:  # noqa: BLE001 (told to the parent, which fails)
            answer = (f"{type(error).__name__}: {error}", None)
        data = marshal.dumps(answer)
        ready.put(len(data).to_bytes(_SIZE, "little") + data)
    ready.put(b"")
    writer.join()


def _write_all(file: IO[bytes], ready: queue.Queue[bytes]) -> None:
    """Write what is ready, until it is nothing; end the process where nobody reads any more."""
    try:
        while data := ready.get():
            file.write(data)
            file.flush()
    except OSError:
        os._exit(1)


def _received(file: IO[bytes]) -> tuple[Plain] | None:
    """Return the next value in a tuple of its own, or None at the end."""
    head = file.read(_SIZE)
    if len(head) < _SIZE:
        return None
    data = file.read(int.from_bytes(head, "little"))
    return (marshal.loads(data),)  # noqa: S302 (our parent wrote it)


def main() -> None:
    """Run the function that the command line names, for a parent that writes to standard input."""
    import gc
    import signal

    end_with_parent()
    gc.set_threshold(50_000)  # plain data has no circles: looking for them often is a tenth of the time
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    _run(_function_of(sys.argv[1]))


if __name__ == "__main__":
    main()
