"""Two counters, optimistic locks, money in two columns, and repositories."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, text

from shared.kernel.clock import FixedClock
from shared.kernel.errors import NotFound, Stale
from shared.kernel.money import Money
from shared.service import Runtime
from tests.shared.ledger import MORNING, Alias, Link, Links, facts


def _new_link(erp: Runtime) -> uuid.UUID:
    with erp.unit_of_work() as uow:
        return Links(uow.session).add(Link.to("1")).id


def _read(erp: Runtime, link_id: uuid.UUID) -> Link:
    with erp.database.session() as session:
        return Links(session).get(link_id)


def test_an_edit_without_a_fact_moves_the_version_alone(erp: Runtime) -> None:
    link_id = _new_link(erp)
    with erp.unit_of_work() as uow:
        Links(uow.session).get(link_id).remark = "ring twice"
    link = _read(erp, link_id)
    assert (link.version, link.event_no) == (2, 1)
    assert len(facts(erp.database)) == 1


def test_two_facts_in_one_commit_move_the_version_once(erp: Runtime) -> None:
    link_id = _new_link(erp)
    with erp.unit_of_work() as uow:
        link = Links(uow.session).get(link_id)
        link.move("2")
        link.move("3")
    link = _read(erp, link_id)
    assert (link.version, link.event_no, link.number) == (2, 3, "3")
    assert [fact.aggregate_version for fact in facts(erp.database)] == [1, 2, 3]


def test_a_unit_of_work_that_changes_nothing_moves_nothing(erp: Runtime) -> None:
    link_id = _new_link(erp)
    with erp.unit_of_work() as uow:
        Links(uow.session).get(link_id).number = "1"
    assert _read(erp, link_id).version == 1


def _with_aliases(erp: Runtime) -> uuid.UUID:
    with erp.unit_of_work() as uow:
        link = Links(uow.session).add(Link.to("1"))
        link.aliases = [Alias(number="1-A"), Alias(number="1-B")]
    return link.id


def _add(link: Link) -> None:
    link.aliases.append(Alias(number="1-C"))


def _remove(link: Link) -> None:
    del link.aliases[0]


def _change(link: Link) -> None:
    link.aliases[1].remark = "since the merger"


@pytest.mark.parametrize("touch", [_add, _remove, _change])
def test_a_change_of_a_part_alone_moves_the_version_of_the_whole(
    erp: Runtime, touch: Callable[[Link], None]
) -> None:
    link_id, bystander_id = _with_aliases(erp), _with_aliases(erp)
    with erp.unit_of_work() as uow:
        assert len(Links(uow.session).get(bystander_id).aliases) == 2
        touch(Links(uow.session).get(link_id))
    link = _read(erp, link_id)
    assert (link.version, link.event_no) == (2, 1)
    assert _read(erp, bystander_id).version == 1


def test_two_who_change_a_part_at_once_do_not_overwrite_each_other(erp: Runtime) -> None:
    link_id = _with_aliases(erp)
    with pytest.raises(Stale), erp.unit_of_work() as slow:
        mine = Links(slow.session).get(link_id).aliases[0]
        with erp.unit_of_work() as fast:
            Links(fast.session).get(link_id).aliases[0].remark = "fast"
        mine.remark = "slow"
    with erp.database.session() as session:
        assert Links(session).get(link_id).aliases[0].remark == "fast"


def test_parts_that_are_only_read_move_nothing(erp: Runtime) -> None:
    link_id = _with_aliases(erp)
    with erp.unit_of_work() as uow:
        link = Links(uow.session).get(link_id)
        link.aliases[0].remark = link.aliases[0].remark
    assert _read(erp, link_id).version == 1


def test_times_of_creation_and_change_are_the_clocks(erp: Runtime, clock: FixedClock) -> None:
    link_id = _new_link(erp)
    clock.advance(timedelta(hours=1))
    with erp.unit_of_work() as uow:
        Links(uow.session).get(link_id).move("2")
    link = _read(erp, link_id)
    assert (link.created_at, link.updated_at) == (MORNING, MORNING + timedelta(hours=1))


def test_an_aggregate_knows_its_id_before_it_is_stored() -> None:
    link = Link.to("1")
    assert isinstance(link.id, uuid.UUID)
    assert link.event_no == 1
    assert [recorded.event_no for recorded in link.take_recorded()] == [1]
    assert list(link.take_recorded()) == []


def test_a_given_id_is_kept() -> None:
    given = uuid.uuid4()
    assert Link(id=given).id == given


def test_get_refuses_an_expected_version_that_is_not_the_present_one(erp: Runtime) -> None:
    link_id = _new_link(erp)
    with erp.database.session() as session:
        assert Links(session).get(link_id, expected_version=1).version == 1
        with pytest.raises(Stale, match="at version 1 now") as caught:
            Links(session).get(link_id, expected_version=2)
    assert caught.value.extra == {"current_version": 1}


def test_what_is_not_there_or_may_not_be_seen_is_not_found(erp: Runtime) -> None:
    link_id = _new_link(erp)
    with erp.database.session() as session:
        links = Links(session)
        with pytest.raises(NotFound, match=f"no customer with the id {link_id}"):
            links.get(link_id, where=Link.number == "2")
        with pytest.raises(NotFound):
            links.get(uuid.uuid4())
        assert links.find(uuid.uuid4()) is None
        assert links.get(link_id, where=Link.number == "1").id == link_id


def test_a_locked_aggregate_is_read_as_it_is_and_held_until_the_commit(erp: Runtime) -> None:
    link_id = _new_link(erp)
    outcomes: list[int] = []

    def move() -> None:
        with erp.unit_of_work() as uow:
            link = Links(uow.session).get(link_id, lock=True)
            link.move("next")
            outcomes.append(link.version)

    threads = [threading.Thread(target=move) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [1, 2, 3, 4]
    assert [fact.aggregate_version for fact in facts(erp.database)] == [1, 2, 3, 4, 5]


def test_a_lock_refreshes_what_the_session_has_read_before(erp: Runtime) -> None:
    link_id = _new_link(erp)
    with erp.unit_of_work() as uow:
        assert Links(uow.session).get(link_id).number == "1"
        with erp.unit_of_work() as other:
            Links(other.session).get(link_id).move("2")
        assert Links(uow.session).get(link_id, lock=True).number == "2"


def test_money_is_kept_exactly_in_two_columns(erp: Runtime) -> None:
    link_id = _new_link(erp)
    for given in (Money.of("1234567890.05", "EUR"), Money.of(250, "JPY"), Money.of("0.001", "KWD"), None):
        with erp.unit_of_work() as uow:
            Links(uow.session).get(link_id).limit = given
        assert _read(erp, link_id).limit == given


def test_money_can_be_asked_for_in_sql(erp: Runtime) -> None:
    link_id = _new_link(erp)
    with erp.unit_of_work() as uow:
        Links(uow.session).get(link_id).limit = Money.of("12.50", "EUR")
    with erp.database.session() as session:
        row = session.execute(text('SELECT "limit", limit_currency FROM links')).one()
        assert tuple(row) == (Decimal("12.5000"), "EUR")
        found = session.scalars(select(Link).where(Link.limit == Money.of("12.5", "EUR"))).all()
        assert [link.id for link in found] == [link_id]
