"""The archive: everything is kept, once, in the order of its commit."""

from __future__ import annotations

import threading
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from services.analytics.archive.months import Month, month_of
from shared.db.engine import libpq_url
from shared.kernel.ids import new_id
from shared.messaging.transport import ReceivedRecord
from tests.analytics.world import NOW, Analytics, Deal, days, order


def test_the_month_of_an_id_is_the_month_it_was_made_in() -> None:
    made = uuid.UUID("018f3b1e-0000-7000-8000-00000000010a")  # 2 May 2024
    assert month_of(made) == Month(2024, 5)
    assert month_of(Month(2026, 3).low) == Month(2026, 3)
    assert month_of(uuid.UUID(int=Month(2026, 3).low.int - 1)) == Month(2026, 2)
    assert Month(2025, 12).high == Month(2026, 1).low
    assert month_of(uuid.UUID("f47ac10b-58cc-4372-a567-0e02b2c3d479")) is None
    assert month_of(uuid.UUID(int=0)) is None


def test_a_second_delivery_changes_nothing(analytics: Analytics) -> None:
    fact = Deal().tell("created")
    assert analytics.archive(fact, fact) == 1
    assert analytics.archive(fact) == 0
    assert analytics.rows("SELECT count(*) FROM archive") == [(1,)]


def test_facts_lie_in_the_partition_of_their_month(analytics: Analytics) -> None:
    old = uuid.UUID("018f3b1e-0000-7000-8000-00000000010a")
    foreign = uuid.UUID("f47ac10b-58cc-4372-a567-0e02b2c3d479")
    analytics.archive(replace(Deal().tell("created"), id=old), replace(Deal().tell("created"), id=foreign))
    analytics.archive(replace(Deal().tell("created"), id=uuid.UUID(int=old.int + 1)))
    query = "SELECT tableoid::regclass::text, count(*) FROM archive GROUP BY 1 ORDER BY 1"
    assert analytics.rows(query) == [("archive_2024_05", 2), ("archive_other", 1)]


def test_positions_follow_the_order_of_commits(analytics: Analytics) -> None:
    """A slow transaction holds up the next: nobody who has read up to a position misses a row below it."""
    runtime = analytics.service.runtime
    store, url = runtime.service.arrivals(), libpq_url(runtime.settings.database_url)
    first, second = Deal().tell("created").record(), Deal().tell("created").record()
    other = threading.Thread(target=lambda: analytics.arrive([second]))
    with psycopg.connect(url) as slow:
        store.store(slow, [first], NOW)
        other.start()
        other.join(0.3)
        assert other.is_alive()
        slow.commit()
    other.join(5)
    ids = [first.headers["ce_id"], second.headers["ce_id"]]
    assert [row[0] for row in analytics.rows("SELECT event_id::text FROM archive ORDER BY position")] == ids


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"value": b"\xff\x00 no json"}, "the value is not JSON"),
        ({"value": b"[1]"}, "not a JSON object"),
        ({"headers": {}}, "is missing"),
        ({"ce_aggregateversion": "many"}, "a header is malformed"),
        ({"ce_aggregateversion": "99999999999999999999"}, "out of range"),
        ({"ce_time": "0001-01-01T00:00:00Z"}, "out of range"),
        ({"ce_time": "2026-03-02T09:00:00"}, "no time zone"),
        ({"ce_actorid": "nobody\0"}, "NUL"),
    ],
)
def test_bytes_that_are_no_event_are_kept_and_shown(
    analytics: Analytics, change: dict[str, object], reason: str
) -> None:
    sound = Deal(amount="5.00").tell("created").record()
    headers = change.pop("headers", {**sound.headers, **{k: v for k, v in change.items() if k != "value"}})
    broken = ReceivedRecord(
        sound.topic,
        0,
        77,
        "",
        headers,
        change.get("value", sound.value),
        NOW,  # type: ignore[arg-type]
    )
    after = Deal(amount="6.00").tell("created").record()
    assert analytics.arrive([broken, after]) == 2
    assert analytics.arrive([broken]) == 0
    analytics.catch_up()
    (kept,) = analytics.get("/v1/archive/events", state="undecodable")["items"]
    assert reason in kept["reason"]
    assert kept["raw"] == broken.value.decode(errors="backslashreplace")
    # What came after it flows on.
    assert analytics.points("open_pipeline") == {None: "6.00"}


def test_an_operator_finds_broken_bytes_among_the_dead_letters(analytics: Analytics) -> None:
    analytics.arrive([ReceivedRecord("crm.sales.opportunity", 0, 5, "", {}, b"broken", NOW)])
    (letter,) = analytics.get("/v1/bus/dead-letters")["items"]
    assert (letter["state"], letter["event_id"]) == ("dead", "crm.sales.opportunity:0:5")


def test_a_fact_that_nobody_knows_is_kept(analytics: Analytics) -> None:
    sound = Deal().tell("created").record()
    headers = {**sound.headers, "ce_type": "crm.sales.opportunity.blessed.v1", "ce_id": "not-a-uuid"}
    unknown = replace(sound, headers=headers, value=b'{"what": 1}')
    assert analytics.arrive([unknown, unknown]) == 1
    analytics.catch_up()
    (kept,) = analytics.get("/v1/archive/events", type="crm.sales.opportunity.blessed.v1")["items"]
    assert kept["data"] == {"what": 1}
    assert kept["event_id"] == str(uuid.uuid5(uuid.NAMESPACE_URL, "/crm/sales#not-a-uuid"))


def test_a_fact_is_effective_when_it_says_so(analytics: Analytics) -> None:
    imported = Deal(origin="import").tell("created", datetime(2016, 10, 20, tzinfo=UTC))
    strange = Deal().tell("created").record()
    strange = replace(
        strange, value=strange.value.replace(b'"effective_at": "2026', b'"effective_at": "99999')
    )
    analytics.arrive([imported.record(), strange], at=days(1))
    first, second = analytics.get("/v1/archive/events")["items"]
    assert (first["effective_at"], first["occurred_at"]) == ("2016-10-20T00:00:00Z", "2026-03-02T09:00:00Z")
    assert first["recorded_at"] == "2026-03-03T09:00:00Z"
    assert second["effective_at"] == second["occurred_at"] == "2026-03-02T09:00:00Z"


def test_events_are_found_by_chain_aggregate_and_type(analytics: Analytics) -> None:
    chain = new_id()
    deal = Deal()
    facts = [replace(deal.tell("created"), correlation_id=chain), deal.tell("changed")]
    others = [
        Deal().tell("created"),
        replace(order(str(new_id()), "submitted", 1, NOW), correlation_id=chain),
    ]
    analytics.archive(*facts, *others)

    def found(**query: object) -> list[str]:
        return [item["event_id"] for item in analytics.get("/v1/archive/events", **query)["items"]]

    assert found(correlation_id=str(chain)) == [str(facts[0].id), str(others[1].id)]
    assert found(aggregate_id=deal.id) == [str(fact.id) for fact in facts]
    assert found(type="crm.sales.opportunity.changed.v1") == [str(facts[1].id)]
    assert len(found()) == 4


def test_events_are_paged_with_signed_cursors(analytics: Analytics) -> None:
    facts = [Deal().tell("created") for _ in range(5)]
    analytics.archive(*facts)
    seen, cursor = [], {}
    while cursor is not None:
        page = analytics.get("/v1/archive/events", limit=2, **cursor)
        assert page["position"] == 5
        seen += [item["event_id"] for item in page["items"]]
        cursor = {"cursor": page["next"]} if page["next"] else None
    assert seen == [str(fact.id) for fact in facts]
    other = analytics.get("/v1/archive/events", limit=2, type="crm.sales.opportunity.created.v1")["next"]
    assert (
        analytics.get("/v1/archive/events", 400, limit=2, cursor=other)["type"] == "/problems/invalid-cursor"
    )
    assert analytics.get("/v1/archive/events", 422, limit=201)["errors"][0]["pointer"] == "/limit"


def test_latencies_are_measured_from_source_to_archive(analytics: Analytics) -> None:
    for milliseconds in (10, 20, 60):
        analytics.arrive([Deal().tell("created").record()], at=NOW + timedelta(milliseconds=milliseconds))
    analytics.arrive([order(str(new_id()), "submitted", 1, NOW).record()], at=NOW + timedelta(seconds=1))
    answer = analytics.get("/v1/archive/latencies")
    assert answer["unit"] == "ms"
    whole, deals, orders = answer["items"]
    assert whole == {"type": None, "n": 4, "p50": 40.0, "p99": pytest.approx(971.8), "max": 1000.0}
    assert (deals["type"], deals["n"], deals["p50"], deals["max"]) == (
        "crm.sales.opportunity.created.v1",
        3,
        20.0,
        60.0,
    )
    assert (orders["n"], orders["p50"]) == (1, 1000.0)
    later = analytics.get("/v1/archive/latencies", **{"from": "2026-03-02T09:00:00.5Z"})["items"]
    assert [row["n"] for row in later] == [1, 1]
    bounds = {"from": "2026-03-02T09:00:00Z", "to": "2026-03-02T09:00:00Z"}
    assert analytics.get("/v1/archive/latencies", 422, **bounds)["errors"][0]["pointer"] == "/to"


def test_the_archive_needs_its_own_permission(analytics: Analytics) -> None:
    answer = analytics.get("/v1/archive/events", 403, reach="team")
    assert answer["permission"] == "archive.read"
