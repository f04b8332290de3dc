"""Who is behind what happens, and a clock that tests move."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from shared.kernel.cause import Cause, caused_by, current_cause
from shared.kernel.clock import FixedClock, SystemClock
from shared.kernel.ids import new_id

ANN = Cause(new_id(), "user:ann", "order.submit")
FACT = Cause(new_id(), "user:bob", "handler", causation_id="fact-1")


def test_inside_the_block_everything_has_its_cause() -> None:
    with caused_by(ANN) as cause:
        assert current_cause() is cause is ANN
        with caused_by(FACT):
            assert current_cause() is FACT
        assert current_cause() is ANN


def test_outside_of_any_cause_the_system_is_behind_it() -> None:
    first, second = current_cause(), current_cause()
    assert (first.actor_id, first.action, first.causation_id) == ("system:internal", "internal", None)
    assert first.correlation_id != second.correlation_id


def test_a_cause_ends_with_an_exception() -> None:
    with pytest.raises(RuntimeError), caused_by(ANN):
        raise RuntimeError
    assert current_cause().actor_id == "system:internal"


def test_a_thread_does_not_inherit_the_cause() -> None:
    seen: list[str] = []
    with caused_by(ANN):
        thread = threading.Thread(target=lambda: seen.append(current_cause().actor_id))
        thread.start()
        thread.join()
    assert seen == ["system:internal"]


def test_a_fixed_clock_stands_until_it_is_moved() -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    clock = FixedClock(noon)
    assert clock.now() == clock.now() == noon
    clock.advance(timedelta(hours=2))
    clock.advance(timedelta(minutes=-30))
    assert clock.now() == datetime(2026, 3, 2, 13, 30, tzinfo=UTC)


def test_the_systems_clock_tells_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)
