"""The metrics page: names, labels and values as dashboards and alerts read them."""

from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from prometheus_client.parser import text_string_to_metric_families

from shared.observability.metrics import Metrics


def _samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.page().decode())
        for sample in family.samples
    }


def test_a_request_is_counted_by_method_route_and_status_and_timed() -> None:
    metrics = Metrics()
    metrics.request_answered("GET", "/accounts/<id>", 200, 0.02)
    metrics.request_answered("GET", "/accounts/<id>", 200, 0.3)
    metrics.request_answered("GET", "/accounts/<id>", 404, 0.001)
    samples = _samples(metrics)

    def labels(status: str, **more: str) -> tuple[tuple[str, str], ...]:
        named = {
            "http_request_method": "GET",
            "http_route": "/accounts/<id>",
            "http_response_status_code": status,
        } | more
        return tuple(sorted(named.items()))

    assert samples[("http_server_request_duration_seconds_count", labels("200"))] == 2
    assert samples[("http_server_request_duration_seconds_sum", labels("200"))] == 0.32
    assert samples[("http_server_request_duration_seconds_bucket", labels("200", le="0.025"))] == 1
    assert samples[("http_server_request_duration_seconds_count", labels("404"))] == 1


def test_the_state_of_the_bus_is_shown_as_last_measured() -> None:
    metrics = Metrics()
    metrics.outbox_measured(9, 30.0)
    metrics.outbox_measured(3, 1.5)
    metrics.relay_leads(True)
    metrics.inbox_measured("crm.sales", ready=5, oldest_age_seconds=2.5, dead=2, blocked_keys=1)
    consumer = (("consumer", "crm.sales"),)
    assert _samples(metrics) == {
        ("crm_outbox_pending", ()): 3,
        ("crm_outbox_oldest_age_seconds", ()): 1.5,
        ("crm_relay_leader", ()): 1,
        ("crm_inbox_ready", consumer): 5,
        ("crm_inbox_oldest_age_seconds", consumer): 2.5,
        ("crm_inbox_dead", consumer): 2,
        ("crm_inbox_blocked_keys", consumer): 1,
    }


def test_losing_the_relay_lock_shows() -> None:
    metrics = Metrics()
    metrics.relay_leads(True)
    metrics.relay_leads(False)
    assert _samples(metrics) == {("crm_relay_leader", ()): 0}


def test_a_partition_that_moved_away_is_no_longer_reported() -> None:
    metrics = Metrics()
    metrics.lag_measured("crm.erp", {("t", 0): 7, ("t", 1): 4})
    metrics.lag_measured("crm.analytics", {("t", 0): 1})
    metrics.lag_measured("crm.erp", {("t", 1): 2})
    assert _samples(metrics) == {
        ("crm_consumer_lag", (("consumer", "crm.erp"), ("partition", "1"), ("topic", "t"))): 2,
        ("crm_consumer_lag", (("consumer", "crm.analytics"), ("partition", "0"), ("topic", "t"))): 1,
    }


def test_what_happens_to_facts_is_counted() -> None:
    metrics = Metrics()
    metrics.fact_handled("erp.accept_order", "done", 0.04)
    metrics.duplicate_dropped("t", 3)
    metrics.duplicate_dropped("t")
    metrics.dead_lettered("t")
    samples = _samples(metrics)
    handled = (("handler", "erp.accept_order"), ("outcome", "done"))
    assert samples[("crm_handler_duration_seconds_count", handled)] == 1
    assert samples[("crm_handler_duration_seconds_sum", handled)] == 0.04
    assert samples[("crm_inbox_duplicates_total", (("topic", "t"),))] == 4
    assert samples[("crm_dead_letters_total", (("topic", "t"),))] == 1


def test_a_gauge_of_records_shows_what_was_seen_last_and_forgets_what_is_gone() -> None:
    metrics = Metrics()
    waiting, cancelling = (("state", "submitted"),), (("state", "cancelling"),)
    metrics.records_measured("crm.sales.orders.waiting", "", {waiting: 4, cancelling: 1})
    metrics.records_measured("crm.sales.orders.waiting", "", {waiting: 3})
    metrics.records_measured("crm.database.size", "", {(): 2048.0}, unit="By")
    assert _samples(metrics) == {
        ("crm_sales_orders_waiting", waiting): 3,
        ("crm_database_size_bytes", ()): 2048,
    }


def test_pushed_values_carry_who_measured_them_and_the_page_shows_them_too() -> None:
    metrics = Metrics()
    metrics.outbox_measured(9, 30.0)
    reader = InMemoryMetricReader()
    metrics.push_to(reader, Resource({"service.name": "sales"}))
    metrics.facts_sent("crm.sales.order.submitted.v1", 1)
    pushed = reader.get_metrics_data().resource_metrics[0]
    assert pushed.resource.attributes["service.name"] == "sales"
    (metric,) = pushed.scope_metrics[0].metrics
    assert metric.name == "crm.facts.sent"
    assert [(dict(point.attributes), point.value) for point in metric.data.data_points] == [
        ({"type": "crm.sales.order.submitted.v1"}, 1)
    ]
    assert _samples(metrics)[("crm_facts_sent_total", (("type", "crm.sales.order.submitted.v1"),))] == 1
    metrics.shutdown()
    metrics.facts_sent("crm.sales.order.submitted.v1", 1)
    assert pushed.scope_metrics[0].metrics[0].data.data_points[0].value == 1


def test_two_catalogues_do_not_share_values() -> None:
    Metrics().outbox_measured(3, 1.0)
    assert _samples(Metrics()) == {}
