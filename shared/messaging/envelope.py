"""The envelope of a fact: CloudEvents 1.0 in Kafka's binary content mode.

The value is the JSON data; everything else travels in headers (`ce_id`, `ce_type`, ...). Schemas are resolved
from the installed package, never from a URL in a header.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from shared.messaging.transport import ReceivedRecord

__all__ = ["Fact", "Undecodable", "fact_from_record", "to_headers"]

CONTENT_TYPE = "application/json"


class Undecodable(ValueError):
    """The record is no event: a header is missing or malformed, or the value is not a JSON object."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A received fact. `version` is the aggregate's event number, `data` the message's members."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    key: str
    version: int
    correlation_id: uuid.UUID
    causation_id: str | None
    actor_id: str
    traceparent: str | None
    data: dict[str, Any]

    def with_data(self, data: dict[str, Any]) -> Fact:
        """The same fact with its data as a handler's schema loaded it."""
        return replace(self, data=data)


def to_headers(
    *,
    event_id: uuid.UUID,
    source: str,
    event_type: str,
    subject: str,
    time: datetime,
    dataschema: str,
    key: str,
    version: int,
    correlation_id: uuid.UUID,
    causation_id: str | None,
    actor_id: str,
    data_class: str,
    traceparent: str | None,
) -> dict[str, str]:
    """The headers of an outgoing fact."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(event_id),
        "ce_source": source,
        "ce_type": event_type,
        "ce_subject": subject,
        "ce_time": time.isoformat().replace("+00:00", "Z"),
        "ce_dataschema": dataschema,
        "ce_partitionkey": key,
        "ce_aggregateversion": str(version),
        "ce_correlationid": str(correlation_id),
        "ce_actorid": actor_id,
        "ce_dataclass": data_class,
        "content-type": CONTENT_TYPE,
    }
    if causation_id is not None:
        headers["ce_causationid"] = causation_id
    if traceparent is not None:
        headers["traceparent"] = traceparent
    return headers


def fact_from_record(record: ReceivedRecord) -> Fact:
    """Decode a record. Raises Undecodable with what is wrong."""
    return fact_from(record.headers, record.value)


def fact_from(headers: Mapping[str, str], value: bytes) -> Fact:
    """Decode headers and value. Raises Undecodable with what is wrong."""
    try:
        data = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise Undecodable(f"the value is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise Undecodable("the value is not a JSON object")
    try:
        time = datetime.fromisoformat(headers["ce_time"])
        if time.tzinfo is None:
            raise ValueError("ce_time has no time zone")
        return Fact(
            id=headers["ce_id"],
            source=headers["ce_source"],
            type=headers["ce_type"],
            subject=headers["ce_subject"],
            time=time,
            key=headers["ce_partitionkey"],
            version=int(headers["ce_aggregateversion"]),
            correlation_id=uuid.UUID(headers["ce_correlationid"]),
            causation_id=headers.get("ce_causationid"),
            actor_id=headers["ce_actorid"],
            traceparent=headers.get("traceparent"),
            data=data,
        )
    except KeyError as error:
        raise Undecodable(f"the header {error.args[0]} is missing") from None
    except ValueError as error:
        raise Undecodable(f"a header is malformed: {error}") from error
