"""The connector with its demo ERP, on a clock that tests move."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from werkzeug.test import TestResponse

from services.erp.wiring import SERVICE
from shared.contracts.policy import Policy
from shared.kernel.clock import FixedClock
from shared.kernel.ids import new_id
from shared.kernel.money import Money
from shared.testing.services import RunningService
from shared.testing.tokens import bearer

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
SUBMITTED = "crm.sales.order.submitted.v1"
CANCEL_REQUESTED = "crm.sales.order.cancel_requested.v1"
PREFIX = "crm.erp.order."
STEP_SECONDS = 1.0
SETTLE_SECONDS = 120.0

_ADDRESS = {
    "lines": ["Lindenstrasse 9"],
    "locality": "Berlin",
    "region": "DE-BE",
    "postal_code": "10969",
    "country": "DE",
}


def money(amount: str | Decimal) -> dict[str, str]:
    return Money.of(Decimal(amount), "EUR").to_data()


def order_line(sku: str, quantity: str, net: str, **changes: Any) -> dict[str, Any]:
    return {
        "line_id": str(new_id()),
        "product_id": str(new_id()),
        "sku": sku,
        "description": f"The {sku}",
        "kind": "good",
        "quantity": quantity,
        "confirmed": "0",
        "shipped": "0",
        "invoiced": "0",
        "unit": "C62",
        "unit_net": {"amount": "0", "currency": "EUR"},
        "net": money(net),
        "tax_code": "S19",
        "needs_installation": False,
        "warranty_months": 24,
        **changes,
    }


def an_order(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The data of `order.submitted`, by default 24 controllers and a care contract; taxed at 19 %."""
    chosen = list(lines) or [
        order_line("RC-500", "24", "20559.38"),
        order_line("CARE-12", "1", "4046.40", kind="service", unit="MON"),
    ]
    net = sum((Decimal(line["net"]["amount"]) for line in chosen), Decimal(0))
    tax = Money.of(net * Decimal("0.19"), "EUR").amount
    order_id, account_id = str(new_id()), str(new_id())
    return {
        "order_id": order_id,
        "number": f"O-2026-{order_id[-6:]}",
        "request_no": 1,
        "revision": 1,
        "state": "submitted",
        "fulfilment": "none",
        "billing": "none",
        "opportunity_id": None,
        "quote_id": None,
        "quote_revision": None,
        "lead_id": None,
        "campaign_id": None,
        "owner_id": str(new_id()),
        "account_id": account_id,
        "account": {"id": account_id, "name": "Acme Robotics GmbH", "vat_id": None, "erp_customer_id": None},
        "contact_id": None,
        "currency": "EUR",
        "lines": chosen,
        "net_total": money(net),
        "tax_total": money(tax),
        "gross_total": money(net + tax),
        "erp_number": None,
        "origin": "user",
        "effective_at": "2026-03-02T09:00:00Z",
        "bill_to": _ADDRESS,
        "ship_to": _ADDRESS,
        "requested_on": None,
        "tax_rounding": "document",
        "respond_by": "2026-03-03T09:00:00Z",
        "correlation_id": str(new_id()),
        "region": "DE-BE",
        "points_redemption_id": None,
        **changes,
    }


@cache
def _every_permission() -> dict[str, str]:
    return {name: permission.widest for name, permission in Policy.load().permissions.items()}


@dataclass
class Connector:
    """The running connector. Requests are an administrator's."""

    service: RunningService
    clock: FixedClock

    @property
    def headers(self) -> dict[str, str]:
        """A token that is good for another ten minutes."""
        return bearer(uuid.UUID(int=1), _every_permission())

    def get(self, path: str, **query: Any) -> Any:
        answer = self.service.client.get(path, query_string=query, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json

    def send(self, method: str, path: str, body: Any = None, **headers: Any) -> TestResponse:
        return self.service.client.open(path, method=method, json=body, headers=self.headers | headers)

    def script(self, action: str, when: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """Tell the demo ERP how to behave."""
        answer = self.send(
            "POST", "/v1/demo-erp/scripts", {"when": when or {"field": "any"}, "action": action, **more}
        )
        assert answer.status_code == 201, answer.text
        return answer.json

    def submit(self, order: dict[str, Any] | None = None, **options: Any) -> str:
        """Let sales submit an order; its id."""
        order = order or an_order()
        self.service.deliver(SUBMITTED, order, subject=order["order_id"], **options)
        return str(order["order_id"])

    def ask_to_cancel(self, order: dict[str, Any], request_no: int = 2) -> None:
        asked = {**order, "request_no": request_no, "state": "cancelling", "reason": "Ordered twice"}
        self.service.deliver(
            CANCEL_REQUESTED, {**asked, "requested_by": None}, subject=order["order_id"], version=request_no
        )

    def call(self) -> None:
        """Make the calls that are due."""
        self.service.run_commands()

    def follow(self) -> None:
        """Hear what changed in the ERP."""
        follow, _ = SERVICE.loops(self.service.runtime)
        while follow.step():
            pass

    def let_erp_work(self) -> None:
        """Let the ERP do what is due there."""
        _, work = SERVICE.loops(self.service.runtime)
        while work.step():
            pass

    def pass_time(self, seconds: float) -> None:
        """Let time go by, doing at each second what a bus process does."""
        for _ in range(int(seconds)):
            self.clock.advance(timedelta(seconds=1))
            self.call()
            self.let_erp_work()
            self.follow()

    def link(self, order_id: str) -> Any:
        return self.get(f"/v1/links/{order_id}")

    def etag(self, order_id: str) -> dict[str, str]:
        return {"If-Match": f'"{self.link(order_id)["version"]}"'}

    def documents(self, order_id: str) -> list[dict[str, Any]]:
        """What the ERP holds of an order, cancelled documents too."""
        found: list[dict[str, Any]] = self.get("/v1/demo-erp/documents", reference=order_id)["items"]
        return found

    def told(self, order_id: str) -> list[str]:
        """The facts about an order in order, `received`, `accepted`, ..."""
        return [f.type.removeprefix(PREFIX)[:-3] for f in self.service.facts() if f.subject == order_id]

    def fact(self, order_id: str, name: str) -> dict[str, Any]:
        """The data of the only fact `name` about an order."""
        (found,) = [f for f in self.service.facts(f"{PREFIX}{name}.v1") if f.subject == order_id]
        return found.data


@pytest.fixture
def connect(running_service: Callable[..., RunningService]) -> Callable[..., Connector]:
    """`connect(erp_port="pull")` is a connector with other settings; a second one is a second process."""
    clock = FixedClock(START)

    def make(**changes: Any) -> Connector:
        usual = {
            "erp_settle_seconds": SETTLE_SECONDS,
            "erp_demo_step_seconds": STEP_SECONDS,
            "erp_request_seconds": 10.0,
        }
        return Connector(running_service(SERVICE, clock=clock, **{**usual, **changes}), clock)

    return make


@pytest.fixture
def erp(connect: Callable[..., Connector]) -> Connector:
    """The connector as it is usually set up, at 10:00:00."""
    return connect()
