"""One transaction: all of it or nothing, facts with the change that made them."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import event, func, select

from shared.db.plumbing import IDEMPOTENCY_KEYS, OUTBOX
from shared.db.unit_of_work import IdempotencyClaim, UnitOfWork
from shared.kernel.errors import Stale
from shared.service import Runtime
from tests.shared.ledger import LINKED, MORNING, TOPIC, Link, Linked, Links, facts


def _stored(erp: Runtime) -> list[tuple[str, int]]:
    with erp.database.session() as session:
        rows = session.execute(select(Link.number, Link.version).order_by(Link.id))
        return [(row.number, row.version) for row in rows]


def _new_link(erp: Runtime, number: str = "1") -> uuid.UUID:
    with erp.unit_of_work() as uow:
        return Links(uow.session).add(Link.to(number)).id


def test_a_clean_exit_commits_the_change_and_its_fact(erp: Runtime) -> None:
    link_id = _new_link(erp)
    assert _stored(erp) == [("1", 1)]
    (fact,) = facts(erp.database)
    assert (fact.event_type, fact.topic, fact.partition_key) == (LINKED, TOPIC, str(link_id))
    assert (fact.aggregate_type, fact.aggregate_id, fact.aggregate_version) == ("customer", str(link_id), 1)
    assert (fact.occurred_at, fact.published_at, fact.attempts) == (MORNING, None, 0)


def test_an_exception_leaves_nothing_behind(erp: Runtime) -> None:
    with pytest.raises(RuntimeError), erp.unit_of_work() as uow:
        Links(uow.session).add(Link.to("1"))
        uow.flush()
        raise RuntimeError
    assert _stored(erp) == []
    assert facts(erp.database) == []


def test_a_failed_unit_of_work_can_be_used_again(erp: Runtime) -> None:
    uow = erp.unit_of_work()
    with pytest.raises(RuntimeError), uow:
        Links(uow.session).add(Link.to("lost"))
        raise RuntimeError
    with uow:
        Links(uow.session).add(Link.to("kept"))
    assert _stored(erp) == [("kept", 1)]
    assert len(facts(erp.database)) == 1


def test_an_inner_block_joins_the_outer_one(erp: Runtime) -> None:
    with pytest.raises(RuntimeError), erp.unit_of_work() as uow:
        with uow:
            Links(uow.session).add(Link.to("1"))
        assert _stored(erp) == []
        raise RuntimeError
    assert _stored(erp) == []


def test_the_outer_block_commits_what_an_inner_one_did(erp: Runtime) -> None:
    with erp.unit_of_work() as uow, uow, uow:
        Links(uow.session).add(Link.to("1"))
    assert _stored(erp) == [("1", 1)]
    assert len(facts(erp.database)) == 1


def test_an_aggregate_stays_readable_after_the_commit(erp: Runtime) -> None:
    with erp.unit_of_work() as uow:
        link = Links(uow.session).add(Link.to("1"))
    uow.session.close()
    assert (link.number, link.version, link.event_no, link.created_at) == ("1", 1, 1, MORNING)


def test_a_second_unit_of_work_of_a_session_reads_afresh(erp: Runtime) -> None:
    link_id = _new_link(erp)
    mine = erp.unit_of_work()
    with mine:
        assert Links(mine.session).get(link_id).number == "1"
    with erp.unit_of_work() as others:
        Links(others.session).get(link_id).move("2")
    with mine:
        link = Links(mine.session).get(link_id)
        assert (link.number, link.version) == ("2", 2)
        link.move("3")
    assert _stored(erp) == [("3", 3)]


def test_a_lost_race_is_stale_and_changes_nothing(erp: Runtime) -> None:
    link_id = _new_link(erp)
    slow = erp.unit_of_work()
    with pytest.raises(Stale, match="at the same moment"), slow:
        Links(slow.session).get(link_id).move("slow")
        with erp.unit_of_work() as quick:
            Links(quick.session).get(link_id).move("quick")
    assert _stored(erp) == [("quick", 2)]
    assert [fact.aggregate_version for fact in facts(erp.database)] == [1, 2]


def test_a_race_lost_at_a_query_is_stale_too(erp: Runtime) -> None:
    link_id = _new_link(erp)
    slow = erp.unit_of_work()
    with pytest.raises(Stale), slow:
        Links(slow.session).get(link_id).move("slow")
        with erp.unit_of_work() as quick:
            Links(quick.session).get(link_id).move("quick")
        slow.session.scalar(select(func.count(Link.id)))
    assert _stored(erp) == [("quick", 2)]


def test_a_failed_savepoint_undoes_its_own_changes_and_facts_only(erp: Runtime) -> None:
    link_id = _new_link(erp)
    with erp.unit_of_work() as uow:
        Links(uow.session).get(link_id).move("before")
        with pytest.raises(RuntimeError), uow.savepoint():
            Links(uow.session).add(Link.to("undone"))
            Links(uow.session).get(link_id).move("undone")
            uow.flush()
            raise RuntimeError
        Links(uow.session).get(link_id).move("after")
    assert _stored(erp) == [("after", 3)]
    assert [(fact.aggregate_version, fact.aggregate_id) for fact in facts(erp.database)] == [
        (version, str(link_id)) for version in (1, 2, 3)
    ]


def test_what_was_read_before_a_failed_savepoint_can_still_be_changed(erp: Runtime) -> None:
    _new_link(erp)
    with erp.unit_of_work() as uow:
        link = uow.session.scalars(select(Link)).one()
        link.move("before")
        with pytest.raises(RuntimeError), uow.savepoint():
            link.move("undone")
            raise RuntimeError
        assert (link.number, link.event_no) == ("before", 2)
        link.remark = "after"
    assert _stored(erp) == [("before", 3)]
    assert [fact.aggregate_version for fact in facts(erp.database)] == [1, 2]


def test_a_lost_race_inside_a_savepoint_leaves_the_rest_alive(erp: Runtime) -> None:
    lost, other = _new_link(erp), _new_link(erp)
    with erp.unit_of_work() as uow:
        with pytest.raises(Stale), uow.savepoint():
            Links(uow.session).get(lost).move("slow")
            with erp.unit_of_work() as quick:
                Links(quick.session).get(lost).move("quick")
        Links(uow.session).get(other).move("kept")
    assert _stored(erp) == [("quick", 2), ("kept", 2)]


def test_facts_are_stored_in_the_order_they_were_recorded_across_aggregates(erp: Runtime) -> None:
    with erp.unit_of_work() as uow:
        first, second = (Links(uow.session).add(Link.to(number)) for number in ("a", "b"))
        second.move("c")
        first.move("d")
    assert [(fact.aggregate_id, fact.aggregate_version) for fact in facts(erp.database)] == [
        (str(first.id), 1),
        (str(second.id), 1),
        (str(second.id), 2),
        (str(first.id), 2),
    ]


def test_the_aggregate_is_written_before_its_facts(erp: Runtime) -> None:
    statements: list[str] = []
    event.listen(
        erp.database.engine, "before_cursor_execute", lambda *given: statements.append(given[2].split()[2])
    )
    _new_link(erp)
    assert [table for table in statements if table in ("links", "outbox")] == ["links", "outbox"]


def test_a_fact_that_breaks_its_contract_is_never_committed(erp: Runtime) -> None:
    link = Link.to("1")
    link.record(Linked(link.id, 7, MORNING))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="erp_customer_id"), erp.unit_of_work() as uow:
        Links(uow.session).add(link)
    assert _stored(erp) == []
    assert facts(erp.database) == []


def test_the_last_fact_of_a_deleted_aggregate_is_published(erp: Runtime) -> None:
    link_id = _new_link(erp)
    with erp.unit_of_work() as uow:
        link = Links(uow.session).get(link_id)
        link.move("nowhere")
        uow.session.delete(link)
    assert _stored(erp) == []
    assert [fact.aggregate_version for fact in facts(erp.database)] == [1, 2]


def _claimed(erp: Runtime) -> list[tuple[str, list[str]]]:
    with erp.database.session() as session:
        rows = session.execute(select(IDEMPOTENCY_KEYS.c.key, IDEMPOTENCY_KEYS.c.effects))
        return [(row.key, row.effects) for row in rows]


def _request(erp: Runtime) -> UnitOfWork:
    uow = erp.unit_of_work()
    uow.idempotency = IdempotencyClaim("web ann", "key-1", b"fingerprint")
    return uow


def test_a_requests_claim_is_committed_with_its_effect(erp: Runtime) -> None:
    uow = _request(erp)
    with uow:
        link = Links(uow.session).add(Link.to("1"))
    assert _claimed(erp) == [("key-1", [f"customer:{link.id}"])]


def test_a_request_that_fails_leaves_no_claim(erp: Runtime) -> None:
    uow = _request(erp)
    with pytest.raises(RuntimeError), uow:
        Links(uow.session).add(Link.to("1"))
        raise RuntimeError
    assert _claimed(erp) == []


def test_a_request_that_only_asks_for_an_outside_call_is_claimed_as_well(erp: Runtime) -> None:
    uow = _request(erp)
    with uow:
        uow.commands.add("mail", "ann", {})
    assert _claimed(erp) == [("key-1", [])]


def test_the_same_claim_a_second_time_undoes_the_second_effect(erp: Runtime) -> None:
    uow = _request(erp)
    with uow:
        Links(uow.session).add(Link.to("1"))
    repeated = _request(erp)
    with pytest.raises(Exception, match="pk_idempotency_keys"), repeated:
        Links(repeated.session).add(Link.to("2"))
    assert _stored(erp) == [("1", 1)]
    with erp.database.session() as session:
        assert session.scalar(select(func.count()).select_from(OUTBOX)) == 1


def test_a_request_may_have_a_second_unit_of_work(erp: Runtime) -> None:
    uow = _request(erp)
    with uow:
        link = Links(uow.session).add(Link.to("1"))
    with uow:
        Links(uow.session).get(link.id).move("2")
    assert _stored(erp) == [("2", 2)]
    assert len(_claimed(erp)) == 1
