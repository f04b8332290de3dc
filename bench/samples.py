"""Deals and leads to measure with: the same ones every time, for ours and for the raw server."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

__all__ = ["STAGES", "Deal", "deal_bodies", "deals", "lead_bodies"]

STAGES = ("initiation", "identification", "qualification", "rfp_received", "quotation_sent", "final")
_BEGAN = datetime(2026, 1, 5, 8, tzinfo=UTC)
_NAMESPACE = uuid.UUID("5b3c1a1e-6f53-4c83-9a20-0d3f6f6f0b11")


@dataclass(frozen=True, slots=True)
class Deal:
    """The deal with a number; deals differ in owner, stage, amount and dates."""

    number: int

    @property
    def created_at(self) -> datetime:
        return _BEGAN + timedelta(minutes=self.number)

    @property
    def owner_id(self) -> uuid.UUID:
        return uuid.uuid5(_NAMESPACE, f"owner {self.number % 20}")

    def columns(self) -> dict[str, Any]:
        """Every column that a list shows, by its name in the raw table."""
        at = self.created_at
        return {
            "id": uuid.uuid5(_NAMESPACE, f"deal {self.number}"),
            "name": f"Palletising cell {self.number}",
            "owner_id": self.owner_id,
            "pipeline_id": _NAMESPACE,
            "stage": STAGES[self.number % len(STAGES)],
            "stage_entered_at": at,
            "amount": Decimal(1_000 + 50 * (self.number % 400)),
            "amount_currency": "EUR",
            "close_date": (at + timedelta(days=60)).date(),
            "next_step": "Call the head of production",
            "created_at": at,
            "updated_at": at,
        }


def deals(count: int) -> Iterator[Deal]:
    """The first `count` deals."""
    return map(Deal, range(count))


def deal_bodies(owner_id: str, account_id: str | None, client: int) -> Iterator[bytes]:
    """JSON of new deals without end, those of one client."""
    close_date = (datetime.now(UTC) + timedelta(days=60)).date().isoformat()
    for number in itertools.count():
        body = {
            "name": f"Palletising cell {client}-{number}",
            "owner_id": owner_id,
            "account_id": account_id,
            "amount": {"amount": f"{1_000 + number}.00", "currency": "EUR"},
            "close_date": close_date,
            "next_step": "Call the head of production",
        }
        yield json.dumps(body).encode()


def lead_bodies(client: int) -> Iterator[bytes]:
    """JSON of new leads without end, those of one client; no person comes twice."""
    code = uuid.uuid4().hex[:8]
    for number in itertools.count():
        name = f"{code}-{client}-{number}"
        body = {
            "source": "api",
            "given_name": "Clara",
            "family_name": "Lindner",
            "email": f"clara.lindner@{name}.example",
            "phone": "+49 421 5550123",
            "title": "Head of production",
            "company_name": f"Lindner Palettiertechnik {name}",
            "country": "DE",
            "employee_count": 180,
            "product_group": "Arms",
            "interest": "We want to see how an arm feeds our packing line.",
        }
        yield json.dumps(body).encode()
