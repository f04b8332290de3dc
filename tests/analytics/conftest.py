from __future__ import annotations

from collections.abc import Callable

import pytest

from services.analytics.wiring import SERVICE
from shared.kernel.clock import FixedClock
from shared.testing.services import RunningService
from tests.analytics.world import NOW, Analytics


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def analytics(running_service: Callable[..., RunningService], clock: FixedClock) -> Analytics:
    """Analytics on a database of its own, with all projections registered."""
    running = Analytics(running_service(SERVICE, clock=clock))
    running.catch_up()
    return running
