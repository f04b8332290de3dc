"""Calls that act on the world: made once, in order, and never forgotten."""

from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Row, select, update

from shared.db.plumbing import AUDIT_ENTRIES, OUTSIDE_COMMANDS
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.cause import Cause, caused_by
from shared.kernel.clock import FixedClock
from shared.kernel.errors import Conflict, NotFound, Stale, Unavailable
from shared.kernel.ids import new_id
from shared.messaging import commands
from shared.messaging.commands import LEASE, Command, run_next
from shared.service import Runtime
from tests.shared.ledger import EFFECTS, MORNING, Link, Links, facts, noted


class Outside:
    """The world outside: `done` is what it has carried out, by command id."""

    def __init__(self, *, can_find: bool = True) -> None:
        self.can_find = can_find
        self.done: dict[uuid.UUID, str] = {}
        self.calls: list[str] = []
        self.errors: list[Exception] = []
        """Raised by the next calls, one each."""
        self.loses_the_answer = False
        self.failures: list[str] = []
        self.record_errors: list[Exception] = []

    def find(self, command: Command) -> str | None:
        self.calls.append(f"find {command.payload['text']}")
        return self.done.get(command.id)

    def perform(self, command: Command) -> str:
        self.calls.append(f"perform {command.payload['text']}")
        if self.errors and not self.loses_the_answer:
            raise self.errors.pop(0)
        self.done[command.id] = f"done {command.payload['text']}"
        if self.errors:
            raise self.errors.pop(0)
        return self.done[command.id]

    def record(self, command: Command, result: str, uow: UnitOfWork) -> None:
        uow.session.execute(
            EFFECTS.insert().values(event_id=str(command.id), subject=command.key, version=0, number=result)
        )
        if self.record_errors:
            raise self.record_errors.pop(0)

    def record_failure(self, command: Command, error: BaseException, uow: UnitOfWork) -> None:
        self.failures.append(f"{command.payload['text']}: {error}")


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def mail() -> Outside:
    """An outside that cannot be asked what it has done."""
    return Outside(can_find=False)


def _ask(erp: Runtime, key: str, *texts: str, **options: Any) -> list[uuid.UUID]:
    with erp.unit_of_work() as uow:
        return [uow.commands.add("call", key, {"text": text}, **options) for text in texts]


def _run(erp: Runtime, outside: Any) -> bool:
    return run_next(erp.unit_of_work, {"call": outside}, erp.clock)


def _row(erp: Runtime) -> Row[Any]:
    with erp.database.session() as session:
        return session.execute(select(OUTSIDE_COMMANDS)).one()


def _results(erp: Runtime) -> list[str]:
    return [number for _, _, number in noted(erp.database)]


def _die_at_work(erp: Runtime, outside: Outside, *, after_the_call: bool) -> None:
    """What a worker that is killed during the call leaves behind."""
    c = OUTSIDE_COMMANDS.c
    with erp.database.session() as session, session.begin():
        row = session.execute(select(OUTSIDE_COMMANDS)).one()
        values = {"state": "running", "attempts": row.attempts + 1, "lease_until": erp.clock.now() + LEASE}
        session.execute(update(OUTSIDE_COMMANDS).where(c.id == row.id).values(**values))
    if after_the_call:
        outside.done[row.id] = f"done {row.payload['text']}"


def test_a_command_is_made_and_its_result_recorded(erp: Runtime, outside: Outside) -> None:
    _ask(erp, "order-1", "a")
    assert _run(erp, outside) is True
    assert _run(erp, outside) is False
    assert (outside.calls, _results(erp)) == (["perform a"], ["done a"])
    row = _row(erp)
    assert (row.state, row.attempts, row.done_at) == ("done", 1, MORNING)


def test_a_command_is_asked_for_with_its_transaction_or_not_at_all(erp: Runtime, outside: Outside) -> None:
    with pytest.raises(RuntimeError), erp.unit_of_work() as uow:
        uow.commands.add("call", "order-1", {"text": "a"})
        raise RuntimeError
    assert _run(erp, outside) is False


def test_no_transaction_is_open_during_the_call(erp: Runtime) -> None:
    class Watching(Outside):
        def perform(self, command: Command) -> str:
            with erp.database.session() as session:
                state = session.scalar(select(OUTSIDE_COMMANDS.c.state).with_for_update(nowait=True))
            assert state == "running"
            return super().perform(command)

    _ask(erp, "order-1", "a")
    _run(erp, Watching())
    assert _results(erp) == ["done a"]


def test_commands_of_a_key_run_one_after_another(erp: Runtime, outside: Outside, clock: FixedClock) -> None:
    _ask(erp, "order-1", "a", "b")
    _ask(erp, "order-2", "c")
    outside.errors = [Unavailable("not now")]
    while _run(erp, outside):
        pass
    assert outside.calls == ["perform a", "perform c"]
    clock.advance(timedelta(seconds=2))
    while _run(erp, outside):
        pass
    assert _results(erp) == ["done c", "done a", "done b"]


def test_several_workers_make_each_call_once_and_keep_the_order_of_keys(
    erp: Runtime, outside: Outside
) -> None:
    for key in ("a", "b", "c"):
        _ask(erp, key, *(f"{key}{number}" for number in range(5)))
    together = threading.Barrier(3)
    patience = time.monotonic() + 20

    def work(_: int) -> None:
        together.wait()
        while len(outside.done) < 15 and time.monotonic() < patience:
            _run(erp, outside)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    for key in ("a", "b", "c"):
        made = [call for call in outside.calls if call.startswith(f"perform {key}")]
        assert made == [f"perform {key}{number}" for number in range(5)]


def test_a_command_waits_for_its_time(erp: Runtime, outside: Outside, clock: FixedClock) -> None:
    _ask(erp, "order-1", "a", not_before=MORNING + timedelta(minutes=5))
    assert _run(erp, outside) is False
    clock.advance(timedelta(minutes=5))
    assert _run(erp, outside) is True


def test_kinds_that_nobody_here_knows_are_left_alone(erp: Runtime, outside: Outside) -> None:
    _ask(erp, "order-1", "a")
    assert run_next(erp.unit_of_work, {"other": outside}, erp.clock) is False
    assert _row(erp).state == "queued"


def test_a_call_whose_answer_was_lost_is_found_and_not_repeated(
    erp: Runtime, outside: Outside, clock: FixedClock
) -> None:
    outside.errors, outside.loses_the_answer = [TimeoutError("no answer")], True
    _ask(erp, "order-1", "a")
    _run(erp, outside)
    row = _row(erp)
    assert (row.state, row.attempts, row.last_error) == ("queued", 1, "TimeoutError: no answer")
    assert row.next_attempt_at - MORNING <= timedelta(seconds=1.1)
    clock.advance(timedelta(seconds=2))
    _run(erp, outside)
    assert outside.calls == ["perform a", "find a"]
    assert _results(erp) == ["done a"]


def test_a_call_that_came_to_nothing_is_repeated_after_asking(
    erp: Runtime, outside: Outside, clock: FixedClock
) -> None:
    outside.errors = [ConnectionError("refused")]
    _ask(erp, "order-1", "a")
    _run(erp, outside)
    clock.advance(timedelta(seconds=2))
    _run(erp, outside)
    assert outside.calls == ["perform a", "find a", "perform a"]
    assert _results(erp) == ["done a"]


@pytest.mark.parametrize(("after_the_call", "calls"), [(True, ["find a"]), (False, ["find a", "perform a"])])
def test_a_killed_workers_command_is_found_before_it_is_repeated(
    erp: Runtime, outside: Outside, clock: FixedClock, after_the_call: bool, calls: list[str]
) -> None:
    _ask(erp, "order-1", "a")
    _die_at_work(erp, outside, after_the_call=after_the_call)
    assert _run(erp, outside) is False
    clock.advance(LEASE + timedelta(seconds=1))
    assert _run(erp, outside) is True
    assert outside.calls == calls
    assert _results(erp) == ["done a"]


def test_an_outside_that_cannot_be_asked_leaves_a_killed_workers_command_in_doubt(
    erp: Runtime, mail: Outside, clock: FixedClock
) -> None:
    _ask(erp, "ann", "a", "b")
    with erp.database.session() as session, session.begin():
        session.execute(OUTSIDE_COMMANDS.delete().where(OUTSIDE_COMMANDS.c.payload["text"].astext == "b"))
    _die_at_work(erp, mail, after_the_call=True)
    clock.advance(LEASE + timedelta(seconds=1))
    while _run(erp, mail):
        pass
    row = _row(erp)
    assert (row.state, row.last_error) == ("in_doubt", "The worker ended during the call.")
    assert mail.calls == []


def test_an_error_that_may_have_come_after_the_effect_is_in_doubt_too(erp: Runtime, mail: Outside) -> None:
    mail.errors, mail.loses_the_answer = [TimeoutError("no answer")], True
    _ask(erp, "ann", "a")
    while _run(erp, mail):
        pass
    assert _row(erp).state == "in_doubt"
    assert mail.calls == ["perform a"]


def test_an_error_before_any_effect_is_tried_again(erp: Runtime, mail: Outside, clock: FixedClock) -> None:
    mail.errors = [Unavailable("the server does not answer")]
    _ask(erp, "ann", "a")
    _run(erp, mail)
    assert _row(erp).state == "queued"
    clock.advance(timedelta(seconds=2))
    _run(erp, mail)
    assert mail.calls == ["perform a", "perform a"]
    assert _results(erp) == ["done a"]


def test_a_command_in_doubt_holds_its_key_and_no_other(erp: Runtime, mail: Outside) -> None:
    mail.errors, mail.loses_the_answer = [TimeoutError()], True
    _ask(erp, "ann", "a", "b")
    _ask(erp, "bob", "c")
    while _run(erp, mail):
        pass
    assert mail.calls == ["perform a", "perform c"]


def test_a_refusal_is_recorded_as_a_failure_and_lets_the_key_move_on(erp: Runtime, outside: Outside) -> None:
    outside.errors = [Conflict("unknown customer")]
    _ask(erp, "order-1", "a", "b")
    while _run(erp, outside):
        pass
    assert outside.failures == ["a: unknown customer"]
    assert _results(erp) == ["done b"]
    with erp.database.session() as session:
        states = session.execute(
            select(OUTSIDE_COMMANDS.c.state, OUTSIDE_COMMANDS.c.last_error).order_by(OUTSIDE_COMMANDS.c.ord)
        ).all()
    assert [tuple(row) for row in states] == [("failed", "Conflict: unknown customer"), ("done", None)]


def test_a_call_that_never_works_fails_after_the_last_try(
    erp: Runtime, outside: Outside, clock: FixedClock
) -> None:
    outside.errors = [ConnectionError(f"try {number}") for number in range(1, 9)]
    _ask(erp, "order-1", "a")
    for _ in range(8):
        assert _run(erp, outside) is True
        clock.advance(timedelta(hours=7))
    assert _run(erp, outside) is False
    assert (_row(erp).state, _row(erp).attempts) == ("failed", 8)
    assert outside.failures == ["a: try 8"]


def test_a_race_lost_while_recording_does_not_repeat_the_call(erp: Runtime, outside: Outside) -> None:
    outside.record_errors = [Stale("Somebody else was first.")]
    _ask(erp, "order-1", "a")
    _run(erp, outside)
    assert outside.calls == ["perform a"]
    assert _results(erp) == ["done a"]


def test_a_worker_that_was_taken_over_records_nothing(
    erp: Runtime, clock: FixedClock, outside: Outside
) -> None:
    class Slow(Outside):
        def perform(self, command: Command) -> str:
            clock.advance(LEASE + timedelta(seconds=1))
            assert _run(erp, outside) is True
            return super().perform(command)

    _ask(erp, "order-1", "a")
    slow = Slow()
    _run(erp, slow)
    assert slow.calls == ["perform a"]
    assert outside.calls == ["find a", "perform a"]
    assert _results(erp) == ["done a"]


def test_a_worker_records_nothing_while_another_is_at_its_command(erp: Runtime) -> None:
    class Overtaken(Outside):
        def perform(self, command: Command) -> str:
            _die_at_work(erp, self, after_the_call=False)
            return super().perform(command)

    _ask(erp, "order-1", "a")
    _run(erp, Overtaken())
    assert (_row(erp).state, _row(erp).attempts) == ("running", 2)
    assert _results(erp) == []


def test_a_slow_answer_settles_the_doubt_that_came_up_meanwhile(erp: Runtime, clock: FixedClock) -> None:
    class Slow(Outside):
        def perform(self, command: Command) -> str:
            clock.advance(LEASE + timedelta(seconds=1))
            _run(erp, Outside(can_find=False))
            assert _row(erp).state == "in_doubt"
            return super().perform(command)

    _ask(erp, "ann", "a")
    _run(erp, Slow(can_find=False))
    assert (_row(erp).state, _row(erp).last_error) == ("done", None)
    assert _results(erp) == ["done a"]


def test_a_call_that_takes_long_keeps_its_command(
    erp: Runtime, monkeypatch: pytest.MonkeyPatch, clock: FixedClock
) -> None:
    monkeypatch.setattr(commands, "LEASE", timedelta(seconds=0.04))
    renewed = threading.Event()

    class Slow(Outside):
        def perform(self, command: Command) -> str:
            first = _row(erp).lease_until
            clock.advance(timedelta(seconds=1))
            while _row(erp).lease_until == first:
                renewed.wait(0.005)
            return super().perform(command)

    _ask(erp, "order-1", "a")
    _run(erp, Slow())
    assert _results(erp) == ["done a"]


def test_what_is_recorded_hangs_on_the_chain_of_who_asked(erp: Runtime) -> None:
    class Linking(Outside):
        def record(self, command: Command, result: str, uow: UnitOfWork) -> None:
            Links(uow.session).add(Link.to(result))

    cause = Cause(new_id(), "user:ann", "order.submit")
    with caused_by(cause):
        (command_id,) = _ask(erp, "order-1", "a")
    _run(erp, Linking())
    (fact,) = facts(erp.database)
    assert fact.correlation_id == cause.correlation_id
    assert fact.headers["ce_actorid"] == "user:ann"
    assert fact.headers["ce_causationid"] == f"command:{command_id}"


def test_a_person_lets_a_command_in_doubt_be_made_again(erp: Runtime, mail: Outside) -> None:
    mail.errors = [TimeoutError()]
    (command_id,) = _ask(erp, "ann", "a")
    _run(erp, mail)
    commands.retry(erp.unit_of_work(), command_id)
    _run(erp, mail)
    assert mail.calls == ["perform a", "perform a"]
    assert _results(erp) == ["done a"]
    with erp.database.session() as session:
        entry = session.execute(select(AUDIT_ENTRIES)).one()
    assert (entry.action, entry.object) == ("outside_command.retry", f"outside_command:{command_id}")


def test_a_person_gives_a_command_in_doubt_up(erp: Runtime, mail: Outside) -> None:
    mail.errors = [TimeoutError()]
    command_id, _ = _ask(erp, "ann", "a", "b")
    while _run(erp, mail):
        pass
    commands.give_up(erp.unit_of_work(), {"call": mail}, command_id, "the address is wrong")
    assert mail.failures == ["a: the address is wrong"]
    while _run(erp, mail):
        pass
    assert _results(erp) == ["done b"]


def test_only_what_needs_a_person_is_left_to_one(erp: Runtime, outside: Outside) -> None:
    (command_id,) = _ask(erp, "order-1", "a")
    with pytest.raises(NotFound):
        commands.retry(erp.unit_of_work(), command_id)
    with erp.database.session() as session:
        (shown,) = commands.list_open(session)
    assert (shown["id"], shown["state"]) == (command_id, "queued")
    assert "payload" not in shown
    _run(erp, outside)
    with pytest.raises(NotFound):
        commands.give_up(erp.unit_of_work(), {"call": outside}, command_id, "x")
    with erp.database.session() as session:
        assert commands.list_open(session) == []
