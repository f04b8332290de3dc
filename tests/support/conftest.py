"""Support with a clock that tests move, and the facts of one sale."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.support.wiring import SERVICE
from shared.kernel.clock import FixedClock
from shared.testing.services import RunningService
from shared.testing.tokens import bearer

EXAMPLES = Path(__file__).parents[2] / "shared/contracts/examples/sales"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def support(running_service: Callable[..., RunningService], clock: FixedClock) -> RunningService:
    return running_service(SERVICE, clock=clock)


@pytest.fixture
def staff() -> dict[str, str]:
    return bearer(permissions={"*": "all"})


@pytest.fixture
def tell(support: RunningService) -> Callable[..., uuid.UUID]:
    """`tell("order.acknowledged", lines=...)`: a fact of the sale, as sales tells it, with some fields changed."""

    def deliver(name: str, **changes: Any) -> uuid.UUID:
        data = json.loads((EXAMPLES / f"{name}.v1" / "typical.json").read_text())
        subject = data["opportunity_id" if name.startswith("opportunity") else "order_id"]
        return support.deliver(f"crm.sales.{name}.v1", {**data, **changes}, subject=subject)

    return deliver
