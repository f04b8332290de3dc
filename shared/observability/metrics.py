"""The measurements of every process: in Prometheus text form, and pushed by OTLP where a collector is configured.

One object, `metrics`, holds the whole catalogue: callers name what happened, this module knows instrument
names, units and labels. Label values are from a small closed set (topics, handlers, routes, never ids), so
the number of series stays bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Histogram, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST

Labels = tuple[tuple[str, str], ...]
"""Names and values of the labels of one series."""

# Seconds. Requests and handlers take milliseconds; the upper end is a person's patience and a lock timeout.
_SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The catalogue of instruments, on a registry of its own; a process uses the one instance `metrics`."""

    def __init__(self) -> None:
        self._open(None, ())

    def push_to(self, reader: MetricReader, resource: Resource) -> None:
        """Let `reader` export the values as well, as those of `resource`; what was measured so far is forgotten.

        Call it at the start of a process, after the fork: a reader owns a thread.
        """
        self._provider.shutdown()
        self._open(resource, (reader,))

    def shutdown(self) -> None:
        """Push the last values, then measure for the page alone."""
        self._provider.shutdown()
        self._open(None, ())

    def _open(self, resource: Resource | None, readers: Iterable[MetricReader]) -> None:
        self._registry = CollectorRegistry()
        page = PrometheusMetricReader(
            disable_target_info=True, scope_info_enabled=False, registry=self._registry
        )
        self._provider = MeterProvider(
            metric_readers=[page, *readers], resource=resource, shutdown_on_exit=False
        )
        self._records: dict[str, Mapping[Labels, float]] = {}
        meter = self._meter = self._provider.get_meter("crm")

        def seconds(name: str, description: str) -> Histogram:
            return meter.create_histogram(
                name, unit="s", description=description, explicit_bucket_boundaries_advisory=_SECONDS_BUCKETS
            )

        self._request_seconds = seconds("http.server.request.duration", "Time to answer a request")
        self._handler_seconds = seconds(
            "crm.handler.duration", "Time to handle one fact, its transaction included"
        )
        self._outbox_pending = meter.create_gauge(
            "crm.outbox.pending", description="Facts committed, not yet sent"
        )
        self._outbox_age = meter.create_gauge(
            "crm.outbox.oldest_age", unit="s", description="Age of the oldest of them"
        )
        self._relay_leader = meter.create_gauge(
            "crm.relay.leader", description="1 while this process may send facts"
        )
        self._inbox_ready = meter.create_gauge(
            "crm.inbox.ready", description="Facts received, not yet handled"
        )
        self._inbox_age = meter.create_gauge(
            "crm.inbox.oldest_age", unit="s", description="Age of the oldest of them"
        )
        self._inbox_dead = meter.create_gauge(
            "crm.inbox.dead", description="Facts given up, waiting for a person"
        )
        self._blocked_keys = meter.create_gauge(
            "crm.inbox.blocked_keys", description="Keys waiting behind a dead fact"
        )
        self._facts_sent = meter.create_counter(
            "crm.facts.sent", description="Facts handed to the broker, by type; one sent twice counts twice"
        )
        self._lags: dict[str, dict[tuple[str, int], int]] = {}
        meter.create_observable_gauge(
            "crm.consumer.lag", [self._observe_lag], description="Records in the topic, not yet received"
        )
        self._duplicates = meter.create_counter(
            "crm.inbox.duplicates", description="Facts received again and dropped"
        )
        self._dead_letters = meter.create_counter(
            "crm.dead_letters", description="Facts moved to the dead letters"
        )

    def request_answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """One HTTP request was answered. `route` is the pattern (`/accounts/<id>`), never the path.

        The histogram's count is the number of requests, so rate and errors need no instrument of their own.
        """
        labels: dict[str, str | int] = {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
        }
        self._request_seconds.record(seconds, labels)

    def outbox_measured(self, pending: int, oldest_age_seconds: float) -> None:
        """The outbox holds `pending` facts not yet sent; the oldest has waited so long (0 when none)."""
        self._outbox_pending.set(pending)
        self._outbox_age.set(oldest_age_seconds)

    def relay_leads(self, leading: bool) -> None:
        """This process won or lost the right to send the service's facts."""
        self._relay_leader.set(int(leading))

    def facts_sent(self, event_type: str, count: int) -> None:
        """The broker has so many more facts of this type: the pulse of the business."""
        self._facts_sent.add(count, {"type": event_type})

    def inbox_measured(
        self, consumer: str, *, ready: int, oldest_age_seconds: float, dead: int, blocked_keys: int
    ) -> None:
        """The inbox of `consumer` (a group, `crm.sales`) holds so many facts ready and dead."""
        labels = {"consumer": consumer}
        self._inbox_ready.set(ready, labels)
        self._inbox_age.set(oldest_age_seconds, labels)
        self._inbox_dead.set(dead, labels)
        self._blocked_keys.set(blocked_keys, labels)

    def lag_measured(self, consumer: str, lags: Mapping[tuple[str, int], int]) -> None:
        """So many records of each (topic, partition) the consumer now holds are not yet received.

        Replaces the consumer's last measurement, so a partition that moved away is no longer reported.
        """
        self._lags[consumer] = dict(lags)

    def _observe_lag(self, _: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(records, {"consumer": consumer, "topic": topic, "partition": partition})
            for consumer, lags in list(self._lags.items())
            for (topic, partition), records in lags.items()
        ]

    def records_measured(
        self, name: str, description: str, values: Mapping[Labels, float], *, unit: str = ""
    ) -> None:
        """A service looked at its own records: `values` of the gauge `name` (`crm.sales.orders.waiting`) by labels.

        Replaces the gauge's last measurement, so a state that no record has any longer is no longer reported.
        """

        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(value, dict(labels)) for labels, value in self._records[name].items()]

        known = name in self._records
        self._records[name] = dict(values)
        if not known:
            self._meter.create_observable_gauge(name, [observe], unit=unit, description=description)

    def fact_handled(self, handler: str, outcome: str, seconds: float) -> None:
        """A handler ran. `outcome` is one of `done`, `retried`, `dead`."""
        self._handler_seconds.record(seconds, {"handler": handler, "outcome": outcome})

    def duplicate_dropped(self, topic: str, count: int = 1) -> None:
        """Facts arrived that were already in the inbox."""
        self._duplicates.add(count, {"topic": topic})

    def dead_lettered(self, topic: str) -> None:
        """A fact was given up and copied to the dead letters."""
        self._dead_letters.add(1, {"topic": topic})

    def page(self) -> bytes:
        """The current values in Prometheus text exposition format; serve it as `CONTENT_TYPE`."""
        return generate_latest(self._registry)


metrics = Metrics()


def metrics_page() -> bytes:
    """What `/metrics` answers: the values of this process, as `CONTENT_TYPE`."""
    return metrics.page()
