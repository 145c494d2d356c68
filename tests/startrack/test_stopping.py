"""Signals end a run between two steps, once, and leave ignored ones alone."""

from __future__ import annotations

import os
import signal

import pytest

from startrack.stopping import Stopped, ending, stoppable, unbroken

posix = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signals here")


@posix
@pytest.mark.parametrize(("name", "expected"), [("SIGTERM", ("terminated", 143)), ("SIGHUP", ("hung up", 129))])
def test_a_signal_is_raised_and_named(name: str, expected: tuple[str, int]) -> None:
    number = getattr(signal, name)
    # a runner in the background may have it ignored
    signal.signal(number, signal.SIG_DFL)
    with stoppable(), pytest.raises(Stopped) as caught:
        os.kill(os.getpid(), number)
    assert ending(caught.value) == expected
    assert signal.getsignal(number) == signal.SIG_DFL


def test_a_plain_interrupt_is_ctrl_c() -> None:
    assert ending(KeyboardInterrupt()) == ("interrupted", 130)


@posix
def test_a_step_is_done_whole() -> None:
    done = []

    def step() -> None:
        with unbroken():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("first output")
            done.append("second output")

    with stoppable(), pytest.raises(Stopped):
        step()
    assert done == ["first output", "second output"]


@posix
def test_a_second_signal_does_not_break_off_the_end() -> None:
    finished = False

    def run() -> None:
        nonlocal finished
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            finished = True

    with stoppable(), pytest.raises(Stopped):
        run()
    assert finished


@posix
def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
