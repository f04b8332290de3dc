"""A process pushes its spans and metrics to a collector: what arrives there, decoded from OTLP's protobuf."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from shared.observability.metrics import metrics, metrics_page
from shared.observability.process import start_telemetry, stop_telemetry
from shared.observability.traces import send_spans


@dataclass(frozen=True)
class _Settings:
    otlp_endpoint: str | None
    service: str = "sales"
    environment: str = "local"


@dataclass
class Collector:
    """What an OpenTelemetry collector would have received, by path."""

    endpoint: str = ""
    bodies: dict[str, list[bytes]] = field(default_factory=dict)


@pytest.fixture
def collector() -> Iterator[Collector]:
    received = Collector()

    class Receive(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.bodies.setdefault(self.path, []).append(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receive)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    received.endpoint = f"http://127.0.0.1:{server.server_port}"
    yield received
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_last_spans_and_metrics_reach_the_collector(collector: Collector) -> None:
    start_telemetry(_Settings(collector.endpoint + "/"), "bus")
    with send_spans("kafka", [("crm.sales.order", "e1", "k1", None)]):
        metrics.facts_sent("crm.sales.order.submitted.v1", 1)
    stop_telemetry()

    (spans,) = ExportTraceServiceRequest.FromString(collector.bodies["/v1/traces"][0]).resource_spans
    assert [span.name for span in spans.scope_spans[0].spans] == ["send crm.sales.order"]
    pushed = ExportMetricsServiceRequest.FromString(collector.bodies["/v1/metrics"][-1])
    (values,) = pushed.resource_metrics
    (metric,) = values.scope_metrics[0].metrics
    assert (metric.name, metric.sum.data_points[0].as_int) == ("crm.facts.sent", 1)
    for resource in (spans.resource, values.resource):
        said = {entry.key: entry.value.string_value for entry in resource.attributes}
        assert (said["service.name"], said["crm.process.role"]) == ("sales", "bus")


def test_without_a_collector_nothing_is_pushed_and_the_page_is_there(collector: Collector) -> None:
    start_telemetry(_Settings(None), "bus")
    metrics.facts_sent("crm.sales.order.submitted.v1", 1)
    page = metrics_page()
    stop_telemetry()
    assert collector.bodies == {}
    assert b'crm_facts_sent_total{type="crm.sales.order.submitted.v1"}' in page
