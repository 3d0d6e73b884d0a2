"""Workers: results in order, nothing taken as done that was not answered, nobody left behind."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ledger.errors import StoreError
from ledger.workers import Workers


def double(context: int, task: tuple[int, bytes]) -> tuple[int, bytes]:
    """Return what came, the number with the context added; the first of four takes longest."""
    number, data = task
    time.sleep(0.02 if number % 4 == 0 else 0)
    return number + context, data


def odd(_: None, task: int) -> int:
    """Fail, die or answer, as asked."""
    if task == 3:
        raise ValueError("three")
    if task == 4:
        os._exit(9)
    return os.getpid()


def test_results_come_in_order_and_large_ones_too() -> None:
    """Pipes fill in both directions and nothing stops; the order is that of the tasks."""
    tasks = [(n, os.urandom(1) * (n * 70_001 % 3_000_000)) for n in range(60)]
    with Workers("tests.test_workers:double", 1000, 2) as workers:
        assert list(workers.map(tasks)) == [(n + 1000, data) for n, data in tasks]
        assert list(workers.map([])) == []
        assert list(workers.map(tasks[:1])) == [(1000, b"")]


@pytest.mark.parametrize(("bad", "problem"), [(3, "ValueError: three"), (4, "ended")])
def test_a_child_that_fails_or_dies_fails_the_work(bad: int, problem: str) -> None:
    """What a child did not answer is never taken as answered."""
    with Workers("tests.test_workers:odd", None, 2) as workers, pytest.raises(StoreError, match=problem) as error:
        list(workers.map([0, 1, bad, 2, 5]))
    assert error.value.code == "worker-failed"


def test_children_end() -> None:
    """After the block no child lives, also where its work was not read to the end."""
    with Workers("tests.test_workers:odd", None, 2) as workers:
        pids = set(workers.map([0] * 20))
        next(workers.map([0] * 20))
    assert len(pids) == 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.parametrize("children", [0, 1, 2])
@pytest.mark.parametrize("known", [False, True])
def test_a_parent_that_helps(children: int, known: bool) -> None:
    """Results come in order, whoever made them; the parent works where it would have to wait, and so no work is left over."""
    tasks = [(n, bytes(n)) for n in range(80)]
    count = len(tasks) if known else None
    with Workers("tests.test_workers:double", 1000, children, helping=True) as workers:
        assert list(workers.map(tasks, count)) == [(n + 1000, data) for n, data in tasks]
        assert list(workers.map([], 0)) == []
        assert list(workers.map(tasks[:1], 1)) == [(1000, b"")]
    with Workers("tests.test_workers:odd", None, children, helping=True) as workers:
        pids = set(workers.map([0] * 200, 200 if known else None))
    assert os.getpid() in pids
    assert len(pids) <= children + 1


def test_a_parent_that_fails_while_it_helps() -> None:
    """It fails the work as a child does."""
    with Workers("tests.test_workers:odd", None, 0, helping=True) as workers, pytest.raises(StoreError, match="three"):
        list(workers.map([0, 3]))
