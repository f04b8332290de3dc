"""A thread that repeats its step: woken by hints, outliving its worst step, ending when asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from shared.messaging import loop as loop_module
from shared.messaging.loop import Loop


class Recording(Loop):
    """Counts its steps; `work` says what a step does."""

    def __init__(self, work: Callable[[], bool] = lambda: False, interval: float = 60.0) -> None:
        super().__init__("recording", interval)
        self.work = work
        self.steps = 0
        self.recovered = 0
        self.closed = 0

    def step(self) -> bool:
        self.steps += 1
        return self.work()

    def recover(self) -> None:
        self.recovered += 1

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def start() -> Iterator[Callable[[Recording], Recording]]:
    """Starts a loop and ends it after the test."""
    started: list[Loop] = []

    def begin(loop: Recording) -> Recording:
        started.append(loop)
        loop.start()
        return loop

    yield begin
    for loop in started:
        loop.stop()
        assert loop.join(5)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "relay_delay", lambda failures: 0.001)


def _eventually(condition: Callable[[], bool]) -> None:
    patience = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < patience
        time.sleep(0.001)


def test_an_idle_loop_sleeps_until_it_is_woken(start: Callable[[Recording], Recording]) -> None:
    loop = start(Recording())
    _eventually(lambda: loop.steps == 1)
    time.sleep(0.02)
    assert loop.steps == 1
    loop.wake()
    _eventually(lambda: loop.steps == 2)


def test_an_idle_loop_looks_again_after_its_interval(start: Callable[[Recording], Recording]) -> None:
    loop = start(Recording(interval=0.005))
    _eventually(lambda: loop.steps >= 3)


def test_a_loop_with_more_to_do_goes_on_at_once(start: Callable[[Recording], Recording]) -> None:
    work = iter([True, True, True, False])
    loop = start(Recording(lambda: next(work, False)))
    _eventually(lambda: loop.steps == 4)


def test_a_hint_during_a_step_is_not_lost(start: Callable[[Recording], Recording]) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def work() -> bool:
        at_work.set()
        go_on.wait(5)
        return False

    loop = start(Recording(work))
    at_work.wait(5)
    loop.wake()
    go_on.set()
    _eventually(lambda: loop.steps == 2)


def test_a_failed_step_is_recovered_from_and_tried_again(start: Callable[[Recording], Recording]) -> None:
    def fail() -> bool:
        raise RuntimeError("broken")

    loop = start(Recording(fail))
    _eventually(lambda: loop.failures >= 3)
    assert loop.recovered >= 2
    loop.work = lambda: False
    _eventually(lambda: loop.failures == 0)


def test_a_loop_outlives_a_recovery_that_fails_too(start: Callable[[Recording], Recording]) -> None:
    class Hopeless(Recording):
        def recover(self) -> None:
            raise RuntimeError("cannot even close")

    def fail() -> bool:
        raise RuntimeError("broken")

    loop = start(Hopeless(fail))
    _eventually(lambda: loop.failures >= 2)
    loop.work = lambda: False
    _eventually(lambda: loop.failures == 0)


def test_a_loop_that_is_stopped_ends_its_step_and_closes_once() -> None:
    at_work, go_on = threading.Event(), threading.Event()
    finished: list[bool] = []

    def work() -> bool:
        at_work.set()
        go_on.wait(5)
        finished.append(True)
        return True

    loop = Recording(work)
    loop.start()
    at_work.wait(5)
    loop.stop()
    assert loop.stopping
    assert not loop.join(0.01)
    go_on.set()
    assert loop.join(5)
    assert (finished, loop.steps, loop.closed) == ([True], 1, 1)


def test_a_loop_in_a_pause_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> bool:
        raise RuntimeError("broken")

    monkeypatch.setattr(loop_module, "relay_delay", lambda failures: 60.0)
    loop = Recording(fail)
    loop.start()
    _eventually(lambda: loop.failures == 1)
    loop.stop()
    assert loop.join(5)


def test_the_heartbeat_moves_with_every_step(start: Callable[[Recording], Recording]) -> None:
    loop = Recording(interval=0.001)
    before = loop.last_beat
    start(loop)
    _eventually(lambda: loop.last_beat > before)
