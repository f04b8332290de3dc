"""One trace from the customer's click to another service's effect: request, outbox, bus, inbox, handler, fact."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from deploy.local.problems import free_port
from services.sales.wiring import SERVICE as SALES
from services.support.wiring import SERVICE as SUPPORT
from shared.messaging.bus_process import BusProcess
from shared.observability.traces import configure_tracing, shutdown_tracing
from shared.testing.services import RunningService
from shared.testing.tokens import bearer

TRACE = "0af7651916cd43dd8448eb211c80319c"
ADDRESS = {
    "type": "billing",
    "lines": ["Street 1"],
    "locality": "Berlin",
    "country": "DE",
    "is_primary": True,
}


@dataclass(frozen=True)
class _Settings:
    service: str = "suite"
    environment: str = "local"
    otlp_endpoint: str | None = None


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    configure_tracing(_Settings(), "all", exporter)
    yield exporter
    shutdown_tracing()


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


def test_a_win_is_one_trace_from_the_request_to_the_other_services_fact(
    running_service: Callable[..., RunningService], bus_database: str, spans: InMemorySpanExporter
) -> None:
    sales, support = (
        running_service(service, bus_database_url=bus_database, health_port=free_port())
        for service in (SALES, SUPPORT)
    )
    link, document = sent_quote(sales)
    with ExitStack() as processes:
        for service in (sales, support):
            processes.enter_context(carrying_facts(service))
        accepted = sales.client.post(
            f"{link}/accept",
            json={"signer": {"name": "Ann", "email": "ann@acme.example"}, "document_sha256": document},
            headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"},
        )
        assert accepted.status_code == 200
        names = wait_for(spans, "send crm.support.contract")
    assert names.index("POST /public/v1/quote-links/<string:token>/accept") < names.index(
        "process crm.sales.opportunity"
    )
    assert {"send crm.sales.opportunity", "send crm.sales.order", "send crm.sales.quote"} <= set(names)


def wait_for(spans: InMemorySpanExporter, name: str) -> list[str]:
    """The names of the trace's spans in the order they began, once `name` is among them."""
    deadline = time.monotonic() + 20
    while True:
        ours: list[ReadableSpan] = [
            span for span in spans.get_finished_spans() if f"{span.context.trace_id:032x}" == TRACE
        ]
        names = [span.name for span in sorted(ours, key=lambda span: span.start_time or 0)]
        if name in names:
            return names
        assert time.monotonic() < deadline, names
        time.sleep(0.05)
