"""Handlers read what they declare and ignore the rest, at every depth."""

from __future__ import annotations

from typing import Any

import pytest
from marshmallow import Schema, fields

from shared.kernel.errors import Permanent
from shared.messaging.consumers import Consumers, handles
from shared.messaging.envelope import Fact, fact_from_record
from shared.service import Runtime
from tests.shared.ledger import LINKED, LinkData
from tests.shared.messaging.arrivals import linked


def _fact(**data: Any) -> Fact:
    return fact_from_record(linked("k")).with_data(data)


def test_a_handler_gets_the_fields_it_declares(erp: Runtime) -> None:
    seen: list[Any] = []
    handler = handles(LINKED, reads=LinkData)(lambda fact, uow: seen.append(fact.data))
    handler(_fact(erp_customer_id="1", unheard_of=[1]), erp.unit_of_work())
    assert seen == [{"erp_customer_id": "1"}]


class _Part(Schema):
    sku = fields.String(required=True)


class _Line(Schema):
    quantity = fields.Integer(required=True)
    part = fields.Nested(_Part)


class _Order(Schema):
    lines = fields.List(fields.Nested(_Line))
    by_site = fields.Dict(keys=fields.String(), values=fields.Nested(_Line))
    pair = fields.Tuple((fields.Nested(_Part), fields.Integer()))


def test_members_that_a_newer_producer_adds_to_nested_objects_are_ignored(erp: Runtime) -> None:
    seen: list[Any] = []
    handler = handles(LINKED, reads=_Order)(lambda fact, uow: seen.append(fact.data))
    line = {"quantity": 2, "new": 1, "part": {"sku": "a", "new": 1}}
    handler(
        _fact(lines=[line], by_site={"north": line}, pair=[{"sku": "b", "new": 1}, 3]), erp.unit_of_work()
    )
    read = {"quantity": 2, "part": {"sku": "a"}}
    assert seen == [{"lines": [read], "by_site": {"north": read}, "pair": ({"sku": "b"}, 3)}]


def test_a_fact_that_lacks_what_is_read_is_refused_for_good(erp: Runtime) -> None:
    def read_link(fact: Fact, uow: object) -> None:
        raise AssertionError("it must not be called")

    handler = handles(LINKED, reads=LinkData)(read_link)
    with pytest.raises(Permanent, match=r"read_link cannot read crm.erp.customer.linked.v1.*erp_customer_id"):
        handler(_fact(number="1"), erp.unit_of_work())


def test_several_handlers_of_a_type_run_in_the_order_given(erp: Runtime) -> None:
    seen: list[str] = []
    first = handles(LINKED, "crm.erp.other.v1", reads=LinkData)(lambda fact, uow: seen.append("first"))
    second = handles(LINKED, reads=LinkData)(lambda fact, uow: seen.append("second"))
    consumers = Consumers.of([first, second])
    consumers.apply(_fact(erp_customer_id="1"), erp.unit_of_work())
    assert seen == ["first", "second"]
    assert consumers.types == {LINKED, "crm.erp.other.v1"}
