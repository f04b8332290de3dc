"""What happened to a fact, and what an operator can do about it: the bus as seen from one service."""

from __future__ import annotations

import uuid
from typing import Any

from marshmallow import ValidationError, validates_schema
from sqlalchemy import select

from shared.db.plumbing import OUTSIDE_COMMANDS
from shared.kernel.errors import NotFound
from shared.messaging import dead_letters, outbox
from shared.messaging.inbox import chain_of_received
from shared.messaging.replay_command import REPLAY
from shared.web import fields
from shared.web.blueprint import Blueprint
from shared.web.context import application, session, unit_of_work
from shared.web.schema import Schema

__all__ = ["blueprint"]

blueprint = Blueprint(
    "bus",
    __name__,
    url_prefix="/v1/bus",
    description="Facts on their way out and in, and those that got stuck",
)


class ChainFilters(Schema):
    correlation_id = fields.Id(required=True)


class SentFact(Schema):
    event_id = fields.Id()
    event_type = fields.String()
    subject = fields.String()
    aggregate_version = fields.Integer()
    occurred_at = fields.Timestamp()
    published_at = fields.Timestamp(allow_none=True)
    parked_at = fields.Timestamp(allow_none=True)
    attempts = fields.Integer()
    last_error = fields.String(allow_none=True)


class ReceivedFact(Schema):
    consumer = fields.String()
    source = fields.String()
    event_id = fields.String()
    event_type = fields.String(allow_none=True)
    topic = fields.String()
    partition_key = fields.String()
    aggregate_version = fields.Integer(allow_none=True)
    state = fields.Enum("ready", "done", "dead", "skipped")
    attempts = fields.Integer()
    next_attempt_at = fields.Timestamp(allow_none=True)
    last_error = fields.String(allow_none=True)
    received_at = fields.Timestamp()
    done_at = fields.Timestamp(allow_none=True)


class Chain(Schema):
    sent = fields.List(fields.Nested(SentFact))
    received = fields.List(fields.Nested(ReceivedFact))


class DeadLetters(Schema):
    items = fields.List(fields.Nested(ReceivedFact))


class DeadLetter(ReceivedFact):
    headers = fields.Dict()
    payload = fields.String(metadata={"description": "The bytes as text; what is not UTF-8 is escaped."})


class OutboxFilters(Schema):
    state = fields.Enum("pending", "parked", load_default="pending")


class WaitingFact(SentFact):
    topic = fields.String()
    partition_key = fields.String()
    subject = fields.String(attribute="aggregate_id")
    next_attempt_at = fields.Timestamp(allow_none=True)


class WaitingFacts(Schema):
    items = fields.List(fields.Nested(WaitingFact))


class Skip(Schema):
    reason = fields.Text(500, required=True)


class Replay(Schema):
    topic = fields.Text(200, required=True)
    from_time = fields.Timestamp()
    key = fields.Text(200)
    dry_run = fields.Boolean(load_default=False)

    @validates_schema
    def _bounded(self, values: dict[str, Any], **_: Any) -> None:
        if ("from_time" in values) == ("key" in values):
            raise ValidationError("Give either from_time or key.")


class ReplayState(Schema):
    id = fields.Id()
    state = fields.Enum("queued", "running", "done", "failed", "in_doubt")
    request = fields.Dict()
    result = fields.Dict(
        allow_none=True, metadata={"description": "How many records were read, and how many were missing."}
    )
    last_error = fields.String(allow_none=True)


@blueprint.get("/facts", permission="bus.read")
@blueprint.arguments(ChainFilters, location="query")
@blueprint.response(200, Chain)
def list_facts(filters: dict[str, Any]) -> dict[str, Any]:
    """What this service said and heard in one chain of facts."""
    correlation_id = filters["correlation_id"]
    return {
        "sent": outbox.chain_of_facts(session(), correlation_id),
        "received": chain_of_received(session(), correlation_id),
    }


@blueprint.get("/dead-letters", permission="bus.read")
@blueprint.response(200, DeadLetters)
def list_dead_letters() -> dict[str, Any]:
    """The facts this service has given up, oldest first, without their payloads."""
    return {"items": dead_letters.list_dead_letters(session(), application().group)}


@blueprint.get("/dead-letters/<path:source>/<event_id>", permission="bus.operate")
@blueprint.response(200, DeadLetter)
def get_dead_letter(source: str, event_id: str) -> dict[str, Any]:
    """One dead letter with its headers and payload."""
    letter = dead_letters.get_dead_letter(session(), application().group, _source(source), event_id)
    letter["payload"] = bytes(letter["payload"]).decode(errors="backslashreplace")
    return letter


@blueprint.post("/dead-letters/<path:source>/<event_id>/retry", permission="bus.operate")
@blueprint.response(204)
def retry_dead_letter(source: str, event_id: str) -> None:
    """Work on a dead letter again, at once and with all its attempts."""
    with unit_of_work() as uow:
        dead_letters.retry(uow.session, uow.clock, application().group, _source(source), event_id)


@blueprint.post("/dead-letters/<path:source>/<event_id>/skip", permission="bus.operate")
@blueprint.arguments(Skip)
@blueprint.response(204)
def skip_dead_letter(body: dict[str, Any], source: str, event_id: str) -> None:
    """Give a dead letter up for good, so that its key moves on."""
    with unit_of_work() as uow:
        dead_letters.skip(
            uow.session, uow.clock, application().group, _source(source), event_id, body["reason"]
        )


@blueprint.get("/outbox", permission="bus.read")
@blueprint.arguments(OutboxFilters, location="query")
@blueprint.response(200, WaitingFacts)
def list_outbox(filters: dict[str, Any]) -> dict[str, Any]:
    """Facts that have not reached the broker, oldest first; `parked` are those it refused for good."""
    return {"items": outbox.unpublished(session(), parked=filters["state"] == "parked")}


@blueprint.post("/outbox/<uuid:event_id>/resend", permission="bus.operate")
@blueprint.response(204)
def resend_fact(event_id: uuid.UUID) -> None:
    """Send a fact again under its own id."""
    with unit_of_work() as uow:
        outbox.resend(uow.session, event_id)


@blueprint.post("/replays", permission="bus.operate")
@blueprint.arguments(Replay)
@blueprint.response(202, ReplayState)
def start_replay(body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Bring facts back from the broker that the inbox lacks. The bus process does it; the answer says where
    to look for the result. A dry run only counts."""
    request = Replay().dump(body)
    with unit_of_work() as uow:
        replay_id = uow.commands.add(REPLAY, REPLAY, request)
    state = {"id": replay_id, "state": "queued", "request": request, "result": None, "last_error": None}
    return state, {"Location": f"/v1/bus/replays/{replay_id}"}


@blueprint.get("/replays/<uuid:replay_id>", permission="bus.operate")
@blueprint.response(200, ReplayState)
def get_replay(replay_id: uuid.UUID) -> dict[str, Any]:
    """How far a replay is, and what it found."""
    c = OUTSIDE_COMMANDS.c
    query = select(c.id, c.state, c.payload, c.last_error).where(c.id == replay_id, c.kind == REPLAY)
    row = session().execute(query).one_or_none()
    if row is None:
        raise NotFound(f"There is no replay with the id {replay_id}.")
    request = dict(row.payload)
    result = request.pop("result", None)
    return {
        "id": row.id,
        "state": row.state,
        "request": request,
        "result": result,
        "last_error": row.last_error,
    }


def _source(path: str) -> str:
    """A fact's source as it stands in an address: without the leading slash that sources of services have."""
    return path if path == "undecodable" else f"/{path}"
