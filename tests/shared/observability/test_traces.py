"""Spans: names, kinds, parents and links, and the header that carries a trace between processes."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from shared.observability.traces import (
    configure_tracing,
    current_trace_headers,
    current_traceparent,
    process_span,
    send_spans,
    server_span,
    shutdown_tracing,
    tracer,
)

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-00"


@dataclass(frozen=True)
class _Settings:
    service: str = "sales"
    environment: str = "local"
    otlp_endpoint: str | None = None


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    configure_tracing(_Settings(), "bus", exporter)
    yield exporter
    shutdown_tracing()


def test_without_an_endpoint_trace_ids_exist_and_nothing_is_recorded() -> None:
    configure_tracing(_Settings(), "bus")
    with tracer().start_as_current_span("work") as span:
        traceparent = current_traceparent()
        assert not span.is_recording()
    context = span.get_span_context()
    assert context.is_valid
    assert traceparent is not None
    assert traceparent.startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-")


def test_without_an_endpoint_a_trace_is_still_passed_on() -> None:
    configure_tracing(_Settings(), "bus")
    with process_span("kafka", "crm.sales.opportunity", "e1", "k1", "crm.erp", TRACEPARENT):
        traceparent = current_traceparent()
    assert traceparent is not None
    assert traceparent.split("-")[1] == TRACE
    assert traceparent.split("-")[2] != SPAN


def test_what_a_block_of_sends_raises_is_noted_on_the_span_of_each(exporter: InMemorySpanExporter) -> None:
    messages = [("crm.sales.order", f"e{number}", "k1", TRACEPARENT) for number in range(2)]
    with pytest.raises(ConnectionError), send_spans("kafka", messages):
        raise ConnectionError("the broker is away")
    spans = exporter.get_finished_spans()
    assert [(span.attributes or {})["messaging.message.id"] for span in spans] == ["e0", "e1"]
    for span in spans:
        assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "the broker is away")
        assert [event.name for event in span.events] == ["exception"]


def test_outside_a_span_there_is_no_traceparent() -> None:
    assert current_traceparent() is None
    assert current_trace_headers() == {}


def test_a_server_span_is_named_for_the_route_and_continues_the_callers_trace(
    exporter: InMemorySpanExporter,
) -> None:
    with server_span("GET", "/accounts/<id>", TRACEPARENT) as span:
        span.set_attribute("http.response.status_code", 200)
    (span_data,) = exporter.get_finished_spans()
    assert span_data.name == "GET /accounts/<id>"
    assert span_data.kind is SpanKind.SERVER
    assert span_data.parent is not None
    assert f"{span_data.parent.span_id:016x}" == SPAN
    assert dict(span_data.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/accounts/<id>",
        "http.response.status_code": 200,
    }
    assert span_data.resource.attributes["service.name"] == "sales"
    assert span_data.resource.attributes["crm.process.role"] == "bus"


def test_a_fact_is_followed_from_the_request_over_the_send_to_its_effect(
    exporter: InMemorySpanExporter,
) -> None:
    with server_span("POST", "/opportunities/<id>/win"):
        recorded_in = current_traceparent()
    with send_spans("kafka", [("crm.sales.opportunity", "e1", "k1", recorded_in)]):
        pass
    with process_span("kafka", "crm.sales.opportunity", "e1", "k1", "crm.erp", recorded_in):
        pass
    request, send, process = exporter.get_finished_spans()
    assert [send.name, process.name] == ["send crm.sales.opportunity", "process crm.sales.opportunity"]
    assert [send.kind, process.kind] == [SpanKind.PRODUCER, SpanKind.CONSUMER]
    assert request.context is not None
    recorded = (request.context.trace_id, request.context.span_id)
    for cause in (send.parent, process.parent, process.links[0].context):
        assert cause is not None
        assert (cause.trace_id, cause.span_id) == recorded
    assert len(process.links) == 1
    assert dict(process.attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "crm.sales.opportunity",
        "messaging.message.id": "e1",
        "messaging.kafka.message.key": "k1",
        "messaging.consumer.group.name": "crm.erp",
    }
    assert "messaging.consumer.group.name" not in (send.attributes or {})


@pytest.mark.parametrize("traceparent", [None, "", "nonsense", f"00-{'0' * 32}-{SPAN}-01"])
def test_a_missing_or_malformed_traceparent_begins_a_new_trace(
    exporter: InMemorySpanExporter, traceparent: str | None
) -> None:
    with process_span("kafka", "t", "e1", "k1", "crm.erp", traceparent):
        pass
    (span,) = exporter.get_finished_spans()
    assert span.parent is None
    assert span.links == ()


def test_the_surrounding_span_is_not_mistaken_for_the_cause(exporter: InMemorySpanExporter) -> None:
    with (
        tracer().start_as_current_span("poll"),
        process_span("kafka", "t", "e1", "k1", "crm.erp", TRACEPARENT),
    ):
        pass
    process, _ = exporter.get_finished_spans()
    assert process.context is not None
    assert f"{process.context.trace_id:032x}" == TRACE


def test_a_failing_handler_marks_its_span(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="no stock"), process_span("kafka", "t", "e1", "k1", "crm.erp", None):
        raise ValueError("no stock")
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert [event.name for event in span.events] == ["exception"]


def test_after_shutdown_nothing_is_recorded(exporter: InMemorySpanExporter) -> None:
    shutdown_tracing()
    with tracer().start_as_current_span("late"):
        pass
    assert exporter.get_finished_spans() == ()
