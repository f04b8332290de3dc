"""Questions put together once answer as the session's own queries do."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from shared.db.prepared import LookUp
from shared.service import Runtime
from tests.shared.ledger import Link, Links

_NEWEST = LookUp(
    select(Link.id, Link.version)
    .where(Link.number == bindparam("number"), Link.version < 5)
    .order_by(Link.id.desc())
    .limit(1)
)


def test_a_look_up_finds_what_the_same_transaction_has_made_and_changed(erp: Runtime) -> None:
    with erp.unit_of_work() as uow:
        link = Links(uow.session).add(Link.to("1"))
        found = _NEWEST(uow.session, number="1")
        assert found is not None
        assert (found.id, found.version) == (link.id, 1)
        link.number = "2"
        assert _NEWEST(uow.session, number="1") is None
        assert _NEWEST(uow.session, number="2") is not None


def test_a_look_up_takes_the_first_row_of_those_with_the_given_values(erp: Runtime) -> None:
    with erp.unit_of_work() as uow:
        first, second, _ = (Links(uow.session).add(Link.to(number)) for number in ("1", "1", "other"))
        found = _NEWEST(uow.session, number="1")
    assert found is not None
    assert found.id == max(first.id, second.id)
