"""The pull door: the same ids and bytes as on the bus, nothing passed by."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from shared.contracts import catalog
from shared.db.engine import libpq_url
from shared.messaging.transport import ReceivedRecord
from tests.erp.conftest import SUBMITTED, Connector, an_order

EXAMPLES = Path(catalog.__file__).parent / "examples"


def arrive(erp: Connector, records: list[ReceivedRecord]) -> None:
    with psycopg.connect(libpq_url(erp.service.runtime.settings.database_url)) as connection:
        erp.service.runtime.service.arrivals().store(connection, records, erp.clock.now())


def own_facts(erp: Connector) -> list[ReceivedRecord]:
    """What the connector has published, as the broker brings it back."""
    return [
        ReceivedRecord(
            f"crm.erp.{'order' if '.order.' in fact.type else 'customer'}",
            0,
            number,
            fact.key,
            fact.headers,
            json.dumps(fact.data).encode(),
            erp.clock.now(),
        )
        for number, fact in enumerate(erp.service.facts())
    ]


def test_facts_come_as_they_were_published_and_in_order(erp: Connector) -> None:
    order = an_order()
    order_id = erp.submit(order)
    erp.call()
    arrive(erp, own_facts(erp))
    first = erp.get("/v1/events", limit=1)
    (submitted,) = first["items"]
    assert (submitted["type"], submitted["source"], submitted["subject"]) == (
        SUBMITTED,
        "/crm/sales",
        order_id,
    )
    assert (submitted["data"], submitted["aggregateversion"]) == (order, 1)
    assert (submitted["specversion"], submitted["datacontenttype"]) == ("1.0", "application/json")
    rest = erp.get("/v1/events", after=first["next"])
    assert [event["id"] for event in rest["items"]] == [f.headers["ce_id"] for f in erp.service.facts()]
    assert [e["type"] for e in rest["items"] if e["subject"] == order_id] == [
        "crm.erp.order.received.v1",
        "crm.erp.order.accepted.v1",
    ]
    nothing = erp.get("/v1/events", after=rest["next"])
    assert (nothing["items"], nothing["next"]) == ([], rest["next"])


def test_the_bytes_of_the_message_are_the_bytes_of_the_answer(erp: Connector) -> None:
    erp.submit()
    erp.call()
    (record, *_) = own_facts(erp)
    odd = b'{ "order_id":"x",\t"erp_sequence": 1.50, "a": 1, "a": 2 }'
    arrive(erp, [ReceivedRecord(**{f: getattr(record, f) for f in record.__slots__} | {"value": odd})])
    answer = erp.service.client.get("/v1/events", headers=erp.headers)
    assert odd in answer.data


def test_every_event_is_a_cloudevent(erp: Connector) -> None:
    erp.submit()
    events = erp.get("/v1/events")["items"]
    assert [event["type"] for event in events] == [SUBMITTED]
    for event in events:
        read = JSONFormat().read(CloudEvent, json.dumps(event).encode())
        assert (read.get_id(), read.get_type()) == (event["id"], event["type"])
        assert read.get_data() == event["data"]


def test_only_open_topics_and_wanted_types_are_shown(erp: Connector) -> None:
    user = json.loads((EXAMPLES / "identity/user.created.v1/typical.json").read_text())
    erp.service.deliver("crm.identity.user.created.v1", user, subject=user["user_id"])
    erp.submit()
    erp.call()
    arrive(erp, own_facts(erp))
    types = {event["type"] for event in erp.get("/v1/events")["items"]}
    assert types == {
        SUBMITTED,
        "crm.erp.order.received.v1",
        "crm.erp.order.accepted.v1",
        "crm.erp.customer.linked.v1",
    }
    wanted = "crm.erp.order.accepted.v1,crm.erp.customer.linked.v1"
    assert len(erp.get("/v1/events", types=wanted)["items"]) == 2


def test_bytes_that_are_no_event_are_not_shown_and_block_nothing(erp: Connector) -> None:
    arrive(erp, [ReceivedRecord("crm.sales.order", 0, 7, "k", {}, b"\x00\xff", erp.clock.now())])
    erp.submit()
    assert [event["type"] for event in erp.get("/v1/events")["items"]] == [SUBMITTED]


def test_a_reader_who_waits_is_answered_at_once_when_something_comes(erp: Connector) -> None:
    answers: list[Any] = []
    started = time.monotonic()
    reader = threading.Thread(target=lambda: answers.append(erp.get("/v1/events", wait=20)))
    reader.start()
    time.sleep(0.3)
    assert answers == []
    erp.submit()
    reader.join(5)
    assert [event["type"] for event in answers[0]["items"]] == [SUBMITTED]
    assert time.monotonic() - started < 5


def test_a_reader_who_waits_in_vain_gets_his_place_back(erp: Connector) -> None:
    started = time.monotonic()
    answer = erp.get("/v1/events", wait=1)
    assert answer["items"] == []
    assert 1 <= time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("query", "status"),
    [({"after": "nonsense"}, 400), ({"wait": "26"}, 422), ({"limit": "0"}, 422), ({"since": "x"}, 422)],
)
def test_wrong_questions_are_refused(erp: Connector, query: dict[str, str], status: int) -> None:
    assert erp.service.client.get("/v1/events", query_string=query, headers=erp.headers).status_code == status


def test_a_transaction_that_commits_late_is_not_passed_by(erp: Connector) -> None:
    """Two members store at the same moment: the second waits, so positions follow commits."""
    store = erp.service.runtime.service.arrivals()
    url = libpq_url(erp.service.runtime.settings.database_url)
    submitted = [an_order() for _ in range(2)]
    for order in submitted:
        erp.submit(order)
    records = own_facts_of_sales(erp)
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM inbox")
    stored: list[str] = []
    with psycopg.connect(url) as slow:
        store.store(slow, records[:1], erp.clock.now())

        def second() -> None:
            arrive(erp, records[1:])
            stored.append("second")

        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.3)
        assert stored == []
        assert erp.get("/v1/events")["items"] == []
        slow.commit()
        thread.join(5)
    assert [e["subject"] for e in erp.get("/v1/events")["items"]] == [o["order_id"] for o in submitted]


def own_facts_of_sales(erp: Connector) -> list[ReceivedRecord]:
    with psycopg.connect(libpq_url(erp.service.runtime.settings.database_url)) as connection:
        rows = connection.execute(
            "SELECT topic, partition_key, headers, payload FROM inbox ORDER BY ord"
        ).fetchall()
    return [
        ReceivedRecord(topic, 0, n, key, headers, bytes(payload), erp.clock.now())
        for n, (topic, key, headers, payload) in enumerate(rows)
    ]
