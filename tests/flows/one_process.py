"""Services in the test's own process, with real bus processes between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.messaging.bus_process import BusProcess
from shared.testing.services import RunningService
from shared.testing.tokens import bearer

__all__ = ["accept_quote", "carrying_facts", "sent_quote"]

ADDRESS = {
    "type": "billing",
    "lines": ["Street 1"],
    "locality": "Berlin",
    "country": "DE",
    "is_primary": True,
}


@contextmanager
def carrying_facts(service: RunningService) -> Iterator[None]:
    bus = BusProcess(service.runtime)
    bus.start()
    try:
        yield
    finally:
        bus.stop()


def sent_quote(sales: RunningService) -> tuple[str, str]:
    """The link of a quote that a customer may accept, and its document's hash."""
    staff = bearer(permissions={"*": "all"})
    client = sales.client

    def post(path: str, body: dict[str, Any] | None = None, version: int | None = None) -> Any:
        tag = {} if version is None else {"If-Match": f'"{version}"'}
        answer = client.post(path, json=body, headers={**staff, **tag})
        assert answer.status_code in (200, 201), answer.json
        return answer.json

    sales.fire_timers()
    account = post("/v1/accounts", {"name": "Acme", "addresses": [ADDRESS]})
    product = post(
        "/v1/products", {"sku": "CARE", "name": "Care", "kind": "service", "prices": {"EUR": "100"}}
    )
    deal = {"name": "Care", "account_id": account["id"], "close_date": "2030-01-01"}
    line = {"product_id": product["id"], "quantity": "1"}
    terms = {
        "opportunity_id": post("/v1/opportunities", deal)["id"],
        "valid_until": "2030-01-01",
        "lines": [line],
    }
    quote = post("/v1/quotes", terms)
    quote = post(f"/v1/quotes/{quote['id']}/submit", version=quote["version"])
    to = {"recipients": [{"email": "ann@acme.example"}]}
    quote = post(f"/v1/quotes/{quote['id']}/send", to, version=quote["version"])
    return quote["recipients"][0]["link"], quote["document_sha256"]


def accept_quote(sales: RunningService, link: str, document: str, **headers: str) -> None:
    """Accept a sent quote as its customer: the deal is won, and its order handed over."""
    accepted = sales.client.post(
        f"{link}/accept",
        json={"signer": {"name": "Ann", "email": "ann@acme.example"}, "document_sha256": document},
        headers=headers,
    )
    assert accepted.status_code == 200, accepted.json
