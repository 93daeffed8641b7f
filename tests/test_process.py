"""What is renewed in a forked child."""

from __future__ import annotations

import gc
import os
import threading

import pytest

from logbraid import process
from logbraid.process import renew_after_fork

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),  # forks on purpose
]


class Owner:
    def __init__(self) -> None:
        self.renewed = 0
        renew_after_fork(self.renew)

    def renew(self) -> None:
        self.renewed += 1


def test_child_is_renewed_once_and_its_parent_is_not() -> None:
    owner = Owner()
    child = os.fork()
    if child == 0:
        os._exit(owner.renewed)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert owner.renewed == 0


def test_grandchild_is_renewed_again() -> None:
    owner = Owner()
    child = os.fork()
    if child == 0:
        grandchild = os.fork()
        if grandchild == 0:
            os._exit(owner.renewed)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2


def test_owners_that_are_gone_are_forgotten() -> None:
    before = len(process._renewals)
    for _ in range(500):
        Owner()
    gc.collect()
    Owner()
    assert len(process._renewals) <= max(before, 64) + 1


def test_more_owners_than_sixty_four_are_all_renewed() -> None:
    owners = [Owner() for _ in range(100)]
    child = os.fork()
    if child == 0:
        os._exit(sum(owner.renewed for owner in owners))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 100


def test_lock_that_a_thread_held_at_the_fork_is_free_in_the_child() -> None:
    one = process.RenewedLock()
    held, go = threading.Event(), threading.Event()

    def hold() -> None:
        with one.lock:
            held.set()
            go.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    child = os.fork()
    if child == 0:
        os._exit(0 if one.lock.acquire(blocking=False) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not one.lock.acquire(blocking=False)
    assert not one.mend()  # its owner lives: only at shutdown may it be taken away
    go.set()
    thread.join()
