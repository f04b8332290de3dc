"""Something to do at a time: set and cancelled with the change that asks for it, fired exactly once."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Row, select

from shared.db.plumbing import TIMERS
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.clock import FixedClock
from shared.kernel.errors import Conflict
from shared.messaging.timers import Timer, fire_due
from shared.service import Runtime
from tests.shared.ledger import EFFECTS, MORNING, Link, Links, facts, noted

OWNER = uuid.UUID("018f3b1e-0000-7000-8000-000000000104")
HOUR = timedelta(hours=1)


def _note(timer: Timer, uow: UnitOfWork) -> None:
    uow.session.execute(
        EFFECTS.insert().values(
            event_id=str(timer.id),
            subject=str(timer.owner_id),
            version=0,
            number=timer.payload.get("text", timer.kind),
        )
    )


HANDLERS: dict[str, Callable[[Timer, UnitOfWork], None]] = {"remind": _note, "expire": _note}


def _set(erp: Runtime, kind: str, due_at: datetime, **payload: Any) -> None:
    with erp.unit_of_work() as uow:
        uow.timers.set("customer", OWNER, kind, due_at, payload)


def _fire(erp: Runtime, **handlers: Callable[[Timer, UnitOfWork], None]) -> int:
    return fire_due(erp.unit_of_work, {**HANDLERS, **handlers}, erp.clock)


def _fired(erp: Runtime) -> list[str]:
    return [number for _, _, number in noted(erp.database)]


def _timers(erp: Runtime) -> list[Row[Any]]:
    with erp.database.session() as session:
        return list(session.execute(select(TIMERS).order_by(TIMERS.c.id)))


def test_a_timer_fires_when_its_time_has_come_and_not_before(erp: Runtime, clock: FixedClock) -> None:
    _set(erp, "remind", MORNING + HOUR)
    assert _fire(erp) == 0
    clock.advance(HOUR - timedelta(microseconds=1))
    assert _fire(erp) == 0
    clock.advance(timedelta(microseconds=1))
    assert _fire(erp) == 1
    assert _fired(erp) == ["remind"]
    (timer,) = _timers(erp)
    assert (timer.state, timer.fired_at) == ("fired", MORNING + HOUR)


def test_a_fired_timer_does_not_fire_again(erp: Runtime) -> None:
    _set(erp, "remind", MORNING)
    assert [_fire(erp), _fire(erp)] == [1, 0]
    assert _fired(erp) == ["remind"]


def test_setting_a_pending_timer_again_moves_it(erp: Runtime, clock: FixedClock) -> None:
    _set(erp, "remind", MORNING + HOUR, text="first")
    _set(erp, "remind", MORNING + 3 * HOUR, text="second")
    clock.advance(2 * HOUR)
    assert _fire(erp) == 0
    clock.advance(HOUR)
    assert _fire(erp) == 1
    assert _fired(erp) == ["second"]
    assert len(_timers(erp)) == 1


def test_a_moved_timer_may_come_earlier(erp: Runtime) -> None:
    _set(erp, "remind", MORNING + HOUR)
    _set(erp, "remind", MORNING)
    assert _fire(erp) == 1


def test_a_connection_may_set_any_number_of_timers(erp: Runtime) -> None:
    with erp.unit_of_work() as uow:
        for number in range(15):
            uow.timers.set("customer", uuid.UUID(int=number), "remind", MORNING)
            uow.timers.set("customer", uuid.UUID(int=number), "remind", MORNING + HOUR)
    assert {timer.due_at for timer in _timers(erp)} == {MORNING + HOUR}


def test_kinds_and_owners_have_timers_of_their_own(erp: Runtime) -> None:
    _set(erp, "remind", MORNING)
    _set(erp, "expire", MORNING)
    with erp.unit_of_work() as uow:
        uow.timers.set("customer", uuid.uuid4(), "remind", MORNING)
        uow.timers.set("order", OWNER, "remind", MORNING)
    assert _fire(erp) == 4


def test_a_cancelled_timer_never_fires(erp: Runtime) -> None:
    _set(erp, "remind", MORNING)
    with erp.unit_of_work() as uow:
        assert uow.timers.cancel("customer", OWNER, "remind") is True
        assert uow.timers.cancel("customer", OWNER, "remind") is False
    assert _fire(erp) == 0
    assert _fired(erp) == []


def test_a_timer_is_set_with_its_transaction_or_not_at_all(erp: Runtime) -> None:
    with pytest.raises(RuntimeError), erp.unit_of_work() as uow:
        uow.timers.set("customer", OWNER, "remind", MORNING)
        raise RuntimeError
    assert _timers(erp) == []


def test_timers_that_came_due_while_the_service_was_away_fire_in_their_order(
    erp: Runtime, clock: FixedClock
) -> None:
    _set(erp, "expire", MORNING + 2 * HOUR)
    _set(erp, "remind", MORNING + HOUR)
    clock.advance(timedelta(days=3))
    assert _fire(erp) == 2
    assert _fired(erp) == ["remind", "expire"]


def test_several_workers_fire_a_timer_once(erp: Runtime) -> None:
    for number in range(20):
        with erp.unit_of_work() as uow:
            uow.timers.set("customer", uuid.uuid4(), "remind", MORNING, {"text": str(number)})
    together = threading.Barrier(3)

    def work(_: int) -> int:
        together.wait()
        return _fire(erp)

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(work, range(3))) == 20
    assert sorted(_fired(erp), key=int) == [str(number) for number in range(20)]


def test_a_timer_at_work_elsewhere_is_left_alone(erp: Runtime) -> None:
    _set(erp, "remind", MORNING)
    with erp.database.session() as other:
        other.execute(select(TIMERS).with_for_update())
        assert _fire(erp) == 0
    assert _fire(erp) == 1


def test_a_failing_timer_is_tried_again_and_its_effects_are_undone(erp: Runtime, clock: FixedClock) -> None:
    def fail(timer: Timer, uow: UnitOfWork) -> None:
        _note(timer, uow)
        raise Conflict("not yet")

    _set(erp, "remind", MORNING)
    _set(erp, "expire", MORNING)
    assert _fire(erp, remind=fail) == 2
    assert _fired(erp) == ["expire"]
    (failed,) = [timer for timer in _timers(erp) if timer.kind == "remind"]
    assert (failed.state, failed.attempts, failed.last_error) == ("pending", 1, "Conflict: not yet")
    assert _fire(erp) == 0
    clock.advance(timedelta(seconds=2))
    assert _fire(erp) == 1
    assert _fired(erp) == ["expire", "remind"]


def test_a_timer_is_never_given_up(erp: Runtime, clock: FixedClock) -> None:
    def fail(timer: Timer, uow: UnitOfWork) -> None:
        raise RuntimeError

    _set(erp, "remind", MORNING)
    for attempt in range(1, 12):
        assert _fire(erp, remind=fail) == 1
        assert _timers(erp)[0].attempts == attempt
        clock.advance(timedelta(hours=7))
    assert _fire(erp) == 1


def test_a_handler_may_set_its_own_timer_again(erp: Runtime, clock: FixedClock) -> None:
    def tick(timer: Timer, uow: UnitOfWork) -> None:
        _note(timer, uow)
        uow.timers.set(timer.owner_type, timer.owner_id, timer.kind, timer.due_at + HOUR)

    _set(erp, "remind", MORNING)
    for _ in range(3):
        assert _fire(erp, remind=tick) == 1
        assert _fire(erp, remind=tick) == 0
        clock.advance(HOUR)
    assert [timer.state for timer in _timers(erp)] == ["fired", "fired", "fired", "pending"]


def test_a_timer_moved_between_the_look_and_the_lock_does_not_fire(erp: Runtime) -> None:
    _set(erp, "expire", MORNING - HOUR)
    _set(erp, "remind", MORNING)

    def move_the_other(timer: Timer, uow: UnitOfWork) -> None:
        _set(erp, "remind", MORNING + HOUR)

    assert _fire(erp, expire=move_the_other) == 1
    assert _fired(erp) == []


def test_what_a_timer_does_hangs_on_the_chain_that_set_it(erp: Runtime) -> None:
    def link(timer: Timer, uow: UnitOfWork) -> None:
        Links(uow.session).add(Link.to("1"))

    _set(erp, "remind", MORNING)
    _fire(erp, remind=link)
    (timer,), (fact,) = _timers(erp), facts(erp.database)
    assert fact.correlation_id == timer.correlation_id
    assert (fact.headers["ce_causationid"], fact.headers["ce_actorid"]) == (
        f"timer:{timer.id}",
        "system:timers",
    )


def test_a_kind_that_no_handler_knows_waits_for_one(erp: Runtime, clock: FixedClock) -> None:
    _set(erp, "unheard_of", MORNING)
    assert _fire(erp) == 1
    assert _timers(erp)[0].state == "pending"
    clock.advance(timedelta(seconds=2))
    assert _fire(erp, unheard_of=_note) == 1
