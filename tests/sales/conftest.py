"""Sales with a small company in it, and what tests ask of it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

import shared.contracts
from services.sales.wiring import SERVICE
from shared.contracts.catalog import Catalog
from shared.kernel.clock import FixedClock
from shared.kernel.ids import new_id
from shared.testing.services import RunningService, SentFact
from shared.testing.tokens import bearer

EXAMPLES = Path(shared.contracts.__file__).parent / "examples"
MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
BERLIN = {
    "type": "billing",
    "lines": ["Lindenstr. 1"],
    "locality": "Berlin",
    "postal_code": "10969",
    "country": "DE",
    "is_primary": True,
}
SIGNER = {"name": "Ines Brandt", "email": "ines.brandt@acme.example"}


def euros(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def example(event_type: str, **changes: Any) -> dict[str, Any]:
    """The first example of a fact in the contracts, changed."""
    folder = EXAMPLES / Catalog.load().event_type(event_type).schema.removesuffix(".json")
    return {**orjson.loads(min(folder.glob("*.json")).read_bytes()), **changes}


@dataclass
class Sales:
    """A running sales service. Requests are the administrator's unless they name headers."""

    service: RunningService
    clock: FixedClock
    me: uuid.UUID = field(default_factory=new_id)

    @property
    def client(self) -> FlaskClient:
        return self.service.client

    @cached_property
    def admin(self) -> dict[str, str]:
        return bearer(self.me, {"*": "all"})

    def get(self, path: str, headers: Mapping[str, str] | None = None, **query: Any) -> Any:
        """What GET answers with 200."""
        answer = self.client.get(path, query_string=query, headers=headers or self.admin)
        assert answer.status_code == 200, answer.text
        return answer.json

    def send(
        self,
        path: str,
        body: Any = None,
        version: int | None = None,
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> TestResponse:
        """Send a change; `version` goes into If-Match."""
        sent = dict(headers or self.admin)
        if version is not None:
            sent["If-Match"] = f'"{version}"'
        return self.client.open(path, method=method, json=body, headers=sent)

    def done(self, path: str, body: Any = None, version: int | None = None, **options: Any) -> Any:
        """Send a change that must succeed; its answer."""
        answer = self.send(path, body, version, **options)
        assert answer.status_code in (200, 201), answer.text
        return answer.json

    def refused(
        self, status: int, problem: str, path: str, body: Any = None, version: int | None = None
    ) -> Any:
        """Send a change that must be refused; the problem document."""
        answer = self.send(path, body, version)
        assert (answer.status_code, answer.json["type"].rpartition("/")[2]) == (status, problem), answer.text
        return answer.json

    def fresh(self, *permissions: str) -> dict[str, str]:
        """Headers of somebody who has just shown a second factor: the administrator, or with these permissions only."""
        return bearer(self.me, dict.fromkeys(permissions or ["*"], "all"), mfa_at=int(time.time()))

    def erase(self, contact: Any) -> Any:
        """Forget the person of a contact; the answer."""
        path = f"/v1/contacts/{contact['id']}/erase"
        return self.done(path, version=contact["version"], headers=self.fresh())

    def facts(self, kind: str) -> list[SentFact]:
        """The facts `crm.sales.<kind>.v1`."""
        return self.service.facts(f"crm.sales.{kind}.v1")

    def told(self) -> list[str]:
        """What was said so far, such as `order.submitted`, in order; without what the fixture itself made."""
        return [fact.type.removeprefix("crm.sales.").removesuffix(".v1") for fact in self.service.facts()]

    def hear(self, event_type: str, data: Mapping[str, Any], **options: Any) -> None:
        """Let a fact arrive, and see it handled."""
        self.service.deliver(event_type, data, **options)
        with self.service.runtime.database.engine.connect() as connection:
            states = connection.execute(text("SELECT DISTINCT state FROM inbox")).scalars().all()
        assert states == ["done"], self.errors()

    def errors(self) -> list[str]:
        with self.service.runtime.database.engine.connect() as connection:
            rows = connection.execute(text("SELECT last_error FROM inbox WHERE last_error IS NOT NULL"))
            return list(rows.scalars())

    def pass_time(self, **by: float) -> None:
        """Move the clock and fire what is due."""
        self.clock.advance(timedelta(**by))
        self.service.fire_timers()

    # -- records ---------------------------------------------------------------------------------------------

    def account(self, name: str = "Acme Robotics GmbH", **values: Any) -> Any:
        return self.done("/v1/accounts", {"name": name, "addresses": [BERLIN], **values})

    def product(self, sku: str = "RC-500", **values: Any) -> Any:
        usual = {"name": "Robot controller", "prices": {"EUR": "1000"}, "standard_cost": euros("500.00")}
        return self.done("/v1/products", {"sku": sku, **usual, **values})

    def deal(self, name: str = "Welding line", **values: Any) -> Any:
        if "account_id" not in values:
            values["account_id"] = self.account()["id"]
        return self.done("/v1/opportunities", {"name": name, "close_date": "2026-06-30", **values})

    def quote(self, deal: Any = None, *, quantity: str = "2", discount_bp: int = 0, **values: Any) -> Any:
        """A draft for `deal` with one line of 1,000 euros a piece."""
        deal = deal or self.deal()
        found = self.get("/v1/products", sku="RC-500")["items"]
        product = found[0] if found else self.product()
        line = {"product_id": product["id"], "quantity": quantity, "discount_bp": discount_bp}
        body = {"opportunity_id": deal["id"], "valid_until": "2026-03-31", "lines": [line], **values}
        return self.done("/v1/quotes", body)

    def sent_quote(self, deal: Any = None, **values: Any) -> Any:
        """A quote of 2,000 euros in the customer's hands."""
        quote = self.quote(deal, **values)
        quote = self.done(f"/v1/quotes/{quote['id']}/submit", version=quote["version"])
        recipients = {"recipients": [{"email": "ines.brandt@acme.example"}, {"email": "boss@acme.example"}]}
        return self.done(f"/v1/quotes/{quote['id']}/send", recipients, quote["version"])

    def accept(self, quote: Any, *, recipient: int = 0, **changes: Any) -> TestResponse:
        """What the customer's browser gets when he accepts."""
        link = quote["recipients"][recipient]["link"]
        body = {"signer": SIGNER, "document_sha256": quote["document_sha256"], **changes}
        return self.client.post(f"{link}/accept", json=body)

    def order(self) -> Any:
        """An order of 2,000 euros net, submitted by a customer's acceptance."""
        assert self.accept(self.sent_quote()).status_code == 200
        return self.orders()[-1]

    def orders(self) -> list[Any]:
        """All orders in full, oldest first."""
        items = self.get("/v1/orders", sort="created_at")["items"]
        return [self.get(f"/v1/orders/{item['id']}") for item in items]

    def erp(self, answer: str, order: Any, request_no: int = 1, **changes: Any) -> None:
        """The ERP answers about an order."""
        event_type = f"crm.erp.order.{answer}.v1"
        known = example(event_type)
        line = {**known["lines"][0], "line_id": order["lines"][0]["line_id"], "accepted": "2", "shipped": "0"}
        data = {**known, "order_id": order["id"], "request_no": request_no, "lines": [line], **changes}
        chain = uuid.UUID(order["root_correlation_id"])
        self.hear(event_type, data, subject=order["id"], correlation_id=chain)


@pytest.fixture
def clock() -> FixedClock:
    """Stands on a Monday morning in March 2026."""
    return FixedClock(MONDAY)


@pytest.fixture
def sales(running_service: Callable[..., RunningService], clock: FixedClock) -> Sales:
    """Sales with its default pipeline."""
    service = running_service(SERVICE, clock=clock)
    service.fire_timers()
    return Sales(service, clock)
