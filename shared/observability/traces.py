"""Distributed traces: which request caused which fact, and which effect in which service.

A trace crosses HTTP and the bus in the W3C `traceparent` header. Trace ids always exist, so logs can be
joined; spans are recorded and exported only where an OTLP endpoint is configured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.observability.resource import TelemetrySettings, resource_of

_PROPAGATOR = TraceContextTextMapPropagator()


def _provider_without_recording() -> TracerProvider:
    """Spans of this provider carry ids and nothing else: no attribute is kept, nothing runs when they end."""
    return TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)


_provider = _provider_without_recording()
_tracer = _provider.get_tracer("crm")
_is_recording = False


def configure_tracing(settings: TelemetrySettings, role: str, exporter: SpanExporter | None = None) -> None:
    """Decide where the spans of this process go; call it once in each process, after the fork.

    A batch exporter owns a thread and a queue, and neither survives a fork: a server that forks workers calls
    this in the worker. `settings.otlp_endpoint` is the collector's base address (`http://collector:4318`);
    without it nothing is recorded. `exporter` replaces the collector and gets each span as it ends.
    """
    if exporter is None and settings.otlp_endpoint is None:
        _use(_provider_without_recording(), is_recording=False)
        return
    # Not parent-based: a caller without an exporter marks its trace unsampled, which must not silence us.
    provider = TracerProvider(sampler=ALWAYS_ON, resource=resource_of(settings, role))
    if exporter is not None:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    else:
        endpoint = f"{str(settings.otlp_endpoint).rstrip('/')}/v1/traces"
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=5)))
    _use(provider, is_recording=True)


def shutdown_tracing() -> None:
    """Export what is queued (a few seconds at most), then record nothing: the last call of a process."""
    _use(_provider_without_recording(), is_recording=False)


def _use(provider: TracerProvider, *, is_recording: bool) -> None:
    global _provider, _tracer, _is_recording
    _provider.shutdown()
    _provider, _tracer, _is_recording = provider, provider.get_tracer("crm"), is_recording


def tracer() -> Tracer:
    """The tracer of this process. Ask for it at each use: `configure_tracing` replaces it."""
    return _tracer


def current_trace_headers() -> dict[str, str]:
    """`traceparent`, and `tracestate` where there is one, of the current span; empty outside a span."""
    headers: dict[str, str] = {}
    _PROPAGATOR.inject(headers)
    return headers


def current_traceparent() -> str | None:
    """The W3C `traceparent` of the current span (`00-<trace id>-<span id>-<flags>`), None outside a span."""
    return current_trace_headers().get("traceparent")


def context_from(traceparent: str | None, tracestate: str | None = None) -> Context:
    """The context to start a child span in; without a well-formed `traceparent` that of a new trace."""
    headers = {
        name: value for name, value in (("traceparent", traceparent), ("tracestate", tracestate)) if value
    }
    return _PROPAGATOR.extract(headers, context=Context())


@contextmanager
def server_span(method: str, route: str, traceparent: str | None = None) -> Iterator[Span]:
    """A SERVER span `METHOD route`, child of the caller's. `route` is the pattern, never the path.

    Whoever opens it sets `http.response.status_code`. Attribute names: OpenTelemetry HTTP conventions.
    """
    with tracer().start_as_current_span(
        f"{method} {route}",
        context=context_from(traceparent),
        kind=SpanKind.SERVER,
        attributes={"http.request.method": method, "http.route": route},
    ) as span:
        yield span


@contextmanager
def send_spans(system: str, messages: Iterable[tuple[str, str, str, str | None]]) -> Iterator[None]:
    """A PRODUCER span `send <topic>` for each message that the block sends, child of the span in which its fact was
    recorded. What the block raises is noted on all of them.

    `messages`: topic, event id, key and traceparent of each. `system` is the transport (`kafka`, `postgresql`).
    Attribute names: OpenTelemetry messaging conventions.
    """
    if not _is_recording:
        # A thousand spans that nobody keeps would take as long as sending a third of the messages.
        yield
        return
    spans = [
        tracer().start_span(
            f"send {topic}",
            context=context_from(traceparent),
            kind=SpanKind.PRODUCER,
            attributes=_message_attributes("send", system, topic, event_id, key),
        )
        for topic, event_id, key, traceparent in messages
    ]
    try:
        yield
    except Exception as error:
        for span in spans:
            span.record_exception(error)
            span.set_status(StatusCode.ERROR, str(error))
        raise
    finally:
        for span in spans:
            span.end()


@contextmanager
def process_span(
    system: str, topic: str, event_id: str, key: str, consumer: str, traceparent: str | None
) -> Iterator[Span]:
    """A CONSUMER span `process <topic>` around one handler of one fact; `consumer` is the group.

    It is a child of the span in which the fact was recorded, so one trace shows the whole flow, and links to
    it as well, which is where tools that follow the OpenTelemetry messaging conventions look.
    """
    context = context_from(traceparent)
    cause = trace.get_current_span(context).get_span_context()
    attributes = _message_attributes("process", system, topic, event_id, key)
    attributes["messaging.consumer.group.name"] = consumer
    with tracer().start_as_current_span(
        f"process {topic}",
        context=context,
        kind=SpanKind.CONSUMER,
        attributes=attributes,
        links=[Link(cause)] if cause.is_valid else [],
    ) as span:
        yield span


def _message_attributes(operation: str, system: str, topic: str, event_id: str, key: str) -> dict[str, str]:
    return {
        "messaging.system": system,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
        "messaging.message.id": event_id,
        "messaging.kafka.message.key": key,
    }
