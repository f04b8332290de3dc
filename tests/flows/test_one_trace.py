"""One trace from the customer's click to another service's effect: request, outbox, bus, inbox, handler, fact."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from deploy.local.problems import free_port
from services.sales.wiring import SERVICE as SALES
from services.support.wiring import SERVICE as SUPPORT
from shared.contracts.catalog import Catalog
from shared.messaging.topics import create_topics
from shared.observability.traces import configure_tracing, shutdown_tracing
from shared.testing.services import RunningService
from tests.flows.one_process import accept_quote, carrying_facts, sent_quote

TRACE = "0af7651916cd43dd8448eb211c80319c"


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


@pytest.fixture(params=["postgres", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest, bus_database: str) -> dict[str, Any]:
    """Each of the two transports, as settings."""
    if request.param == "postgres":
        return {"bus": "postgres", "bus_database_url": bus_database}
    bootstrap = request.getfixturevalue("own_kafka").bootstrap
    create_topics(bootstrap, Catalog.load().topics.values(), "local")
    return {"bus": "kafka", "kafka_bootstrap": bootstrap}


def test_a_win_is_one_trace_from_the_request_to_the_other_services_fact(
    running_service: Callable[..., RunningService], broker: dict[str, Any], spans: InMemorySpanExporter
) -> None:
    sales, support = (
        running_service(service, health_port=free_port(), **broker) for service in (SALES, SUPPORT)
    )
    link, document = sent_quote(sales)
    with ExitStack() as processes:
        for service in (sales, support):
            processes.enter_context(carrying_facts(service))
        accept_quote(sales, link, document, traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
        names = wait_for(spans, "send crm.support.contract")
    assert names.index("POST /public/v1/quote-links/<string:token>/accept") < names.index(
        "process crm.sales.opportunity"
    )
    assert {"send crm.sales.opportunity", "send crm.sales.order", "send crm.sales.quote"} <= set(names)
    system = {"postgres": "postgresql"}.get(broker["bus"], broker["bus"])
    carried = [span for span in of_trace(spans) if span.name.startswith(("send ", "process "))]
    assert {span.attributes["messaging.system"] for span in carried if span.attributes} == {system}


def of_trace(spans: InMemorySpanExporter) -> list[ReadableSpan]:
    """The spans of the customer's trace."""
    return [span for span in spans.get_finished_spans() if f"{span.context.trace_id:032x}" == TRACE]


def wait_for(spans: InMemorySpanExporter, name: str) -> list[str]:
    """The names of the trace's spans in the order they began, once `name` is among them."""
    deadline = time.monotonic() + 60
    while True:
        names = [span.name for span in sorted(of_trace(spans), key=lambda span: span.start_time or 0)]
        if name in names:
            return names
        assert time.monotonic() < deadline, names
        time.sleep(0.05)
