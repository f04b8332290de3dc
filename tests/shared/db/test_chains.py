"""One chain from the first request to the last effect: correlation, causation, who and why."""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy import select

from shared.db.plumbing import OUTSIDE_COMMANDS, TIMERS
from shared.kernel.cause import Cause, caused_by
from shared.kernel.ids import new_id
from shared.service import Runtime
from tests.shared.ledger import MORNING, Link, Links, facts


def _request() -> Cause:
    return Cause(new_id(), "user:ann", "customer.link")


def _fact(correlation_id: uuid.UUID) -> Cause:
    return Cause(correlation_id, "user:ann", "crm.sales.account.created.v1", causation_id="fact-1")


def _new_link(erp: Runtime, cause: Cause) -> uuid.UUID:
    with caused_by(cause), erp.unit_of_work() as uow:
        return Links(uow.session).add(Link.to("1")).id


def _chains(erp: Runtime) -> list[uuid.UUID]:
    return [fact.correlation_id for fact in facts(erp.database)]


def _root(erp: Runtime, link_id: uuid.UUID) -> uuid.UUID:
    with erp.database.session() as session:
        return Links(session).get(link_id).root_correlation_id


def test_a_new_aggregate_begins_the_requests_chain(erp: Runtime) -> None:
    cause = _request()
    link_id = _new_link(erp, cause)
    assert _root(erp, link_id) == cause.correlation_id
    (fact,) = facts(erp.database)
    assert fact.correlation_id == cause.correlation_id
    assert fact.headers["ce_correlationid"] == str(cause.correlation_id)
    assert fact.headers["ce_actorid"] == "user:ann"
    assert "ce_causationid" not in fact.headers


def test_a_later_request_continues_the_aggregates_chain(erp: Runtime) -> None:
    first, later = _request(), _request()
    link_id = _new_link(erp, first)
    with caused_by(later), erp.unit_of_work() as uow:
        Links(uow.session).get(link_id).move("2")
    assert _chains(erp) == [first.correlation_id] * 2


def test_what_is_made_beside_a_known_aggregate_joins_its_chain(erp: Runtime) -> None:
    first, later = _request(), _request()
    known = _new_link(erp, first)
    with caused_by(later), erp.unit_of_work() as uow:
        made = Links(uow.session).add(Link.to("2"))
        Links(uow.session).get(known).move("3")
    assert _chains(erp) == [first.correlation_id] * 3
    assert _root(erp, made.id) == first.correlation_id


def test_a_request_has_one_chain_even_when_it_is_written_in_parts(erp: Runtime) -> None:
    first, second = _new_link(erp, _request()), _new_link(erp, _request())
    roots = [_root(erp, first), _root(erp, second)]
    with caused_by(_request()), erp.unit_of_work() as uow:
        Links(uow.session).get(first).move("2")
        uow.flush()
        Links(uow.session).get(second).move("2")
        uow.flush()
    assert _chains(erp)[2:] == [roots[0]] * 2


def test_what_a_fact_causes_stays_in_the_facts_chain(erp: Runtime) -> None:
    known = _new_link(erp, _request())
    chain = new_id()
    with caused_by(_fact(chain)), erp.unit_of_work() as uow:
        Links(uow.session).get(known).move("2")
        made = Links(uow.session).add(Link.to("3"))
    assert _chains(erp)[1:] == [chain, chain]
    assert _root(erp, made.id) == chain
    assert {fact.headers.get("ce_causationid") for fact in facts(erp.database)[1:]} == {"fact-1"}


def test_timers_and_outside_commands_belong_to_the_chain(erp: Runtime) -> None:
    first = _request()
    known = _new_link(erp, first)
    with caused_by(_request()), erp.unit_of_work() as uow:
        Links(uow.session).get(known).move("2")
        uow.timers.set("customer", known, "check", MORNING + timedelta(days=1))
        uow.commands.add("mail", str(known), {})
    with erp.database.session() as session:
        assert session.scalar(select(TIMERS.c.correlation_id)) == first.correlation_id
        assert session.scalar(select(OUTSIDE_COMMANDS.c.correlation_id)) == first.correlation_id
