"""What a person's request changed, by ids and field names, never by values."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select

from shared.db.plumbing import AUDIT_ENTRIES
from shared.kernel.cause import Cause, caused_by
from shared.kernel.ids import new_id
from shared.service import Runtime
from tests.shared.ledger import MORNING, Link, Links

ANN = Cause(new_id(), "user:ann", "customer.link")


def _entries(erp: Runtime) -> list[Row[Any]]:
    with erp.database.session() as session:
        return list(session.execute(select(AUDIT_ENTRIES).order_by(AUDIT_ENTRIES.c.ord)))


def _new_link(erp: Runtime) -> Link:
    with caused_by(ANN), erp.unit_of_work() as uow:
        return Links(uow.session).add(Link.to("a private number"))


def test_a_new_record_is_noted_with_who_and_why(erp: Runtime) -> None:
    link = _new_link(erp)
    (entry,) = _entries(erp)
    assert (entry.at, entry.actor, entry.action) == (MORNING, "user:ann", "customer.link")
    assert entry.object == f"customer:{link.id}"
    assert entry.details == {"fields": [], "created": True}
    assert (entry.seq, entry.hash) == (None, None)


def test_an_edit_is_noted_by_the_names_of_the_fields_that_differ(erp: Runtime) -> None:
    link_id = _new_link(erp).id
    with caused_by(ANN), erp.unit_of_work() as uow:
        link = Links(uow.session).get(link_id)
        link.remark = "very private"
        link.number = link.number
    assert _entries(erp)[1].details == {"fields": ["remark"]}


def test_a_deletion_is_noted(erp: Runtime) -> None:
    link_id = _new_link(erp).id
    with caused_by(ANN), erp.unit_of_work() as uow:
        uow.session.delete(Links(uow.session).get(link_id))
    assert _entries(erp)[1].details == {"fields": [], "deleted": True}


def test_no_value_gets_into_the_audit(erp: Runtime) -> None:
    link_id = _new_link(erp).id
    with caused_by(ANN), erp.unit_of_work() as uow:
        Links(uow.session).get(link_id).move("another private number")
    assert "private" not in str(_entries(erp))


def test_several_flushes_make_one_entry_for_an_object(erp: Runtime) -> None:
    link_id = _new_link(erp).id
    with caused_by(ANN), erp.unit_of_work() as uow:
        link = Links(uow.session).get(link_id)
        link.remark = "x"
        uow.flush()
        link.move("2")
    assert [entry.details for entry in _entries(erp)[1:]] == [{"fields": ["number", "remark"]}]


def test_what_a_failed_savepoint_changed_is_not_noted(erp: Runtime) -> None:
    kept = _new_link(erp)
    with caused_by(ANN), erp.unit_of_work() as uow:
        try:
            with uow.savepoint():
                Links(uow.session).add(Link.to("undone"))
                raise RuntimeError
        except RuntimeError:
            Links(uow.session).get(kept.id).remark = "x"
    assert [entry.object for entry in _entries(erp)[1:]] == [f"customer:{kept.id}"]


def test_effects_of_facts_are_no_persons_deeds(erp: Runtime) -> None:
    caused = Cause(new_id(), "user:ann", "crm.sales.account.created.v1", causation_id="fact-1")
    with caused_by(caused), erp.unit_of_work() as uow:
        Links(uow.session).add(Link.to("1"))
    assert _entries(erp) == []
