"""The bus as an operator sees it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select

from shared.db.engine import Database
from shared.db.plumbing import AUDIT_ENTRIES, INBOX, OUTBOX, OUTSIDE_COMMANDS
from shared.kernel.ids import new_id
from shared.messaging.commands import Command
from shared.messaging.replay import ReplayResult
from shared.messaging.replay_command import REPLAY, ReplayCall
from shared.service import Runtime
from shared.testing.tokens import bearer
from tests.shared.web.conftest import Suite

CHAIN = uuid.UUID("018f0000-0000-7000-8000-0000000000aa")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
OPERATOR = {"bus.read": "all", "bus.operate": "all"}


@pytest.fixture
def heard(database: Database) -> dict[str, str]:
    """One dead fact of another service, and bytes that are no fact."""
    common = {
        "consumer": "crm.notes",
        "topic": "crm.sales.order",
        "partition_key": "o-1",
        "headers": {"ce_type": "crm.sales.order.submitted.v1"},
        "state": "dead",
        "attempts": 8,
        "last_error": "no such account",
        "received_at": NOW,
    }
    fact = common | {
        "source": "/crm/sales",
        "event_id": str(new_id()),
        "position": "0:7",
        "event_type": "crm.sales.order.submitted.v1",
        "aggregate_version": 1,
        "correlation_id": CHAIN,
        "payload": b'{"order_id": "o-1"}',
    }
    noise = common | {
        "source": "undecodable",
        "event_id": "crm.sales.order:0:8",
        "position": "0:8",
        "payload": b"\xff\xfe",
    }
    with database.engine.begin() as connection:
        connection.execute(insert(INBOX).values(fact))
        connection.execute(insert(INBOX).values(noise))
    return {
        "fact": f"/v1/bus/dead-letters/crm/sales/{fact['event_id']}",
        "noise": "/v1/bus/dead-letters/undecodable/crm.sales.order:0:8",
    }


@pytest.fixture
def said(database: Database) -> uuid.UUID:
    """The id of a fact that the broker refused for good."""
    event_id = new_id()
    with database.engine.begin() as connection:
        connection.execute(
            insert(OUTBOX).values(
                event_id=event_id,
                aggregate_type="note",
                aggregate_id="n-1",
                aggregate_version=1,
                event_type="crm.notes.note.closed.v1",
                topic="crm.notes.note",
                partition_key="n-1",
                correlation_id=CHAIN,
                headers={},
                payload=b"{}",
                occurred_at=NOW,
                attempts=1,
                parked_at=NOW,
                last_error="too large",
            )
        )
    return event_id


def get(client: FlaskClient, path: str) -> Any:
    answer = client.get(path, headers=bearer(None, OPERATOR))
    assert answer.status_code == 200, answer.text
    return answer.json


def post(client: FlaskClient, path: str, body: Any = None) -> Any:
    return client.post(path, json=body, headers=bearer(None, OPERATOR))


def test_a_chain_shows_what_was_said_and_heard(client: FlaskClient, heard: Any, said: uuid.UUID) -> None:
    chain = get(client, f"/v1/bus/facts?correlation_id={CHAIN}")

    assert [(fact["event_id"], fact["parked_at"]) for fact in chain["sent"]] == [
        (str(said), "2026-03-02T09:00:00Z")
    ]
    assert [(fact["source"], fact["state"]) for fact in chain["received"]] == [("/crm/sales", "dead")]
    assert "payload" not in chain["received"][0]
    assert get(client, f"/v1/bus/facts?correlation_id={uuid.uuid4()}") == {"sent": [], "received": []}
    assert client.get("/v1/bus/facts", headers=bearer(None, OPERATOR)).status_code == 422


def test_dead_letters_are_listed_without_and_shown_with_their_payload(
    client: FlaskClient, heard: Any
) -> None:
    listed = get(client, "/v1/bus/dead-letters")["items"]
    assert [letter["last_error"] for letter in listed] == ["no such account"] * 2
    assert all("payload" not in letter for letter in listed)
    assert get(client, heard["fact"])["payload"] == '{"order_id": "o-1"}'
    assert get(client, heard["noise"])["payload"] == "\\xff\\xfe"


def test_a_dead_letter_is_retried_once(client: FlaskClient, database: Database, heard: Any) -> None:
    assert post(client, heard["fact"] + "/retry").status_code == 204
    assert post(client, heard["fact"] + "/retry").status_code == 404
    assert post(client, heard["noise"] + "/retry").status_code == 409

    with database.session() as session:
        row = session.execute(select(INBOX).where(INBOX.c.source == "/crm/sales")).one()
        actions = session.scalars(select(AUDIT_ENTRIES.c.action)).all()
    assert (row.state, row.attempts) == ("ready", 0)
    assert actions == ["dead_letter.retry"]


def test_a_dead_letter_is_skipped_with_a_reason(client: FlaskClient, database: Database, heard: Any) -> None:
    assert post(client, heard["noise"] + "/skip", {}).status_code == 422
    assert post(client, heard["noise"] + "/skip", {"reason": "line noise"}).status_code == 204

    with database.session() as session:
        row = session.execute(select(INBOX).where(INBOX.c.source == "undecodable")).one()
        details = session.scalars(select(AUDIT_ENTRIES.c.details)).all()
    assert row.state == "skipped"
    assert details == [{"reason": "skipped: line noise"}]


def test_a_parked_fact_is_shown_and_sent_again(client: FlaskClient, said: uuid.UUID) -> None:
    parked = get(client, "/v1/bus/outbox?state=parked")["items"]
    assert [(fact["event_id"], fact["subject"], fact["topic"]) for fact in parked] == [
        (str(said), "n-1", "crm.notes.note")
    ]

    assert post(client, f"/v1/bus/outbox/{said}/resend").status_code == 204
    assert get(client, "/v1/bus/outbox?state=parked")["items"] == []
    assert len(get(client, "/v1/bus/outbox")["items"]) == 1
    assert post(client, f"/v1/bus/outbox/{uuid.uuid4()}/resend").status_code == 404


def test_operating_needs_more_than_reading(client: FlaskClient, heard: Any, said: uuid.UUID) -> None:
    reader = bearer(None, {"bus.read": "all"})
    for path in (heard["fact"] + "/retry", f"/v1/bus/outbox/{said}/resend", "/v1/bus/replays"):
        assert client.post(path, headers=reader).json["permission"] == "bus.operate"
    assert client.get(heard["fact"], headers=reader).status_code == 403


class OneRecordMissing:
    """Stands for a broker in which one record lies that the inbox lacks."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def read(self, topic: str, since: datetime | None = None, key: str | None = None) -> Any:
        self.asked.append((topic, since, key))
        return iter(())


def test_a_replay_is_asked_for_and_done_by_the_bus_process(
    suite: Suite, runtime: Runtime, database: Database
) -> None:
    client = suite.client
    body = {"topic": "crm.sales.order", "from_time": "2026-03-02T10:00:00+01:00", "dry_run": True}
    started = post(client, "/v1/bus/replays", body)
    assert (started.status_code, started.json["state"], started.json["result"]) == (202, "queued", None)
    with database.session() as session:
        row = session.execute(select(OUTSIDE_COMMANDS)).one()
    assert row.kind == REPLAY
    broker = OneRecordMissing()
    call = ReplayCall(runtime, lambda: broker)  # type: ignore[arg-type, return-value]
    command = Command(row.id, row.kind, row.key, row.payload, 1, row.created_at)

    result = call.perform(command)
    with runtime.unit_of_work() as uow:
        call.record(command, result, uow)

    assert broker.asked == [("crm.sales.order", NOW, None)]
    assert result == ReplayResult(read=0, missing=0, dry_run=True)
    shown = get(client, started.headers["Location"])
    assert shown["result"] == {"read": 0, "missing": 0, "dry_run": True}
    assert shown["request"]["topic"] == "crm.sales.order"


@pytest.mark.parametrize(
    "body", [{"topic": "t"}, {"topic": "t", "key": "k", "from_time": "2026-03-02T09:00:00Z"}, {"key": "k"}]
)
def test_a_replay_has_one_bound(client: FlaskClient, body: dict[str, Any]) -> None:
    assert post(client, "/v1/bus/replays", body).status_code == 422
    assert get(client, "/v1/bus/dead-letters") == {"items": []}
    assert client.get(f"/v1/bus/replays/{uuid.uuid4()}", headers=bearer(None, OPERATOR)).status_code == 404
