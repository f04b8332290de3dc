"""Timers under any history of setting, moving, cancelling and late workers: each due time fires exactly once."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from shared.db.plumbing import TIMERS
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.clock import FixedClock
from shared.messaging.timers import Timer, fire_due
from shared.service import Runtime
from shared.testing.postgres import PostgresForTests
from tests.shared import ledger
from tests.shared.ledger import EFFECTS, MORNING, noted

OWNERS = [uuid.UUID(int=number) for number in range(3)]
KINDS = ("remind", "expire")
WORKERS = 3

_timers = st.tuples(st.sampled_from(OWNERS), st.sampled_from(KINDS))
_minutes = st.integers(-2, 6)
_steps = st.one_of(
    st.tuples(st.just("set"), _timers, _minutes),
    st.tuples(st.just("cancel"), _timers, st.just(0)),
    st.tuples(st.just("roll back"), _timers, _minutes),
    st.tuples(st.just("wait"), st.none(), st.integers(0, 4)),
    st.tuples(st.just("work"), st.none(), st.just(0)),
)


@dataclass
class Expected:
    """What timers should do, in the plainest words: pending due times by owner and kind, and what has fired."""

    pending: dict[tuple[uuid.UUID, str], datetime] = field(default_factory=dict)
    fired: list[tuple[str, str]] = field(default_factory=list)

    def work(self, now: datetime) -> None:
        for (owner, kind), due_at in list(self.pending.items()):
            if due_at <= now:
                self.fired.append((str(owner), f"{kind} {due_at.isoformat()}"))
                del self.pending[owner, kind]


def _note(timer: Timer, uow: UnitOfWork) -> None:
    text = f"{timer.kind} {timer.payload['due_at']}"
    uow.session.execute(
        EFFECTS.insert().values(event_id=str(timer.id), subject=str(timer.owner_id), version=0, number=text)
    )


def _work(erp: Runtime) -> None:
    """As many workers as there may be, at the same time."""
    handlers = dict.fromkeys(KINDS, _note)
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda _: fire_due(erp.unit_of_work, handlers, erp.clock), range(WORKERS)))


def _set(erp: Runtime, timer: tuple[uuid.UUID, str], due_at: datetime, *, fails: bool = False) -> None:
    with erp.unit_of_work() as uow:
        uow.timers.set("customer", *timer, due_at, {"due_at": due_at.isoformat()})
        if fails:
            raise RuntimeError


@pytest.fixture(scope="module")
def start(postgres: PostgresForTests) -> Iterator[Callable[[], Runtime]]:
    """The ledger on one database; started anew it has no timers, no effects, and its clock at the morning."""
    with postgres.database("plumbing") as url:
        clock = FixedClock(MORNING)
        erp = ledger.runtime(ledger.service("erp"), url, url, clock)

        def anew() -> Runtime:
            clock.advance(MORNING - clock.now())
            with erp.database.engine.begin() as connection:
                connection.execute(delete(TIMERS))
                connection.execute(delete(EFFECTS))
            return erp

        yield anew
        erp.database.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=st.lists(_steps, max_size=14))
def test_every_due_time_that_was_not_moved_or_cancelled_fires_exactly_once(
    start: Callable[[], Runtime], history: list[tuple[str, Any, int]]
) -> None:
    erp, expected = start(), Expected()
    assert isinstance(erp.clock, FixedClock)
    for step, timer, minutes in [*history, ("wait", None, 10), ("work", None, 0)]:
        due_at = erp.clock.now() + timedelta(minutes=minutes)
        match step:
            case "set":
                _set(erp, timer, due_at)
                expected.pending[timer] = due_at
            case "roll back":
                with pytest.raises(RuntimeError):
                    _set(erp, timer, due_at, fails=True)
            case "cancel":
                with erp.unit_of_work() as uow:
                    was_pending = uow.timers.cancel("customer", *timer)
                assert was_pending is (expected.pending.pop(timer, None) is not None)
            case "wait":
                erp.clock.advance(timedelta(minutes=minutes))
            case _:
                _work(erp)
                expected.work(erp.clock.now())
        fired = [(subject, text) for subject, _, text in noted(erp.database)]
        assert sorted(fired) == sorted(expected.fired)
    with erp.database.session() as session:
        assert session.scalars(select(TIMERS.c.state).where(TIMERS.c.state == "pending")).all() == []


@settings(max_examples=10, deadline=None)
@given(
    fails=st.lists(st.tuples(st.sampled_from(OWNERS), st.integers(1, 4)), max_size=3), turns=st.integers(0, 3)
)
def test_a_timer_whose_handler_fails_a_few_times_still_fires_exactly_once(
    start: Callable[[], Runtime], fails: list[tuple[uuid.UUID, int]], turns: int
) -> None:
    erp, left = start(), dict(fails)
    assert isinstance(erp.clock, FixedClock)

    def fail_at_first(timer: Timer, uow: UnitOfWork) -> None:
        _note(timer, uow)
        left[timer.owner_id] = left.get(timer.owner_id, 0) - 1
        if left[timer.owner_id] >= 0:
            raise RuntimeError

    for owner in OWNERS:
        _set(erp, (owner, "remind"), MORNING)
    for _ in range(6 + turns):
        fire_due(erp.unit_of_work, {"remind": fail_at_first}, erp.clock)
        erp.clock.advance(timedelta(minutes=15))
    assert sorted(subject for subject, _, _ in noted(erp.database)) == sorted(map(str, OWNERS))


@settings(max_examples=5, deadline=None)
@given(order=st.permutations([uuid.UUID(int=number) for number in range(8)]))
def test_a_timer_that_is_cancelled_or_moved_while_workers_fire_it_is_one_or_the_other(
    start: Callable[[], Runtime], order: list[uuid.UUID]
) -> None:
    erp = start()
    assert isinstance(erp.clock, FixedClock)
    later = MORNING + timedelta(hours=1)
    for owner in order:
        for kind in KINDS:
            _set(erp, (owner, kind), MORNING)

    def cancel_and_move(owner: uuid.UUID) -> bool:
        with erp.unit_of_work() as uow:
            was_pending = uow.timers.cancel("customer", owner, "remind")
            uow.timers.set("customer", owner, "expire", later, {"due_at": later.isoformat()})
        return was_pending

    with ThreadPoolExecutor(1) as other:
        changing = other.submit(lambda: {owner: cancel_and_move(owner) for owner in order})
        _work(erp)
        cancelled = changing.result(60)
    _work(erp)
    erp.clock.advance(timedelta(hours=1))
    _work(erp)

    fired = Counter((uuid.UUID(subject), text) for subject, _, text in noted(erp.database))
    for owner in order:
        assert fired[owner, f"remind {MORNING.isoformat()}"] == (0 if cancelled[owner] else 1)
        assert fired[owner, f"expire {MORNING.isoformat()}"] <= 1
        assert fired[owner, f"expire {later.isoformat()}"] == 1
