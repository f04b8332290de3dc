"""The one place where the objects of analytics meet."""

from __future__ import annotations

from pathlib import Path

from services.analytics.app import create_app
from services.analytics.archive.repository import Archive
from services.analytics.processes.arrivals import Arrivals
from services.analytics.processes.projecting import Projecting
from shared.access.consumers import HANDLERS as PEOPLE
from shared.company.consumers import HANDLERS as COMPANY
from shared.contracts.catalog import Catalog
from shared.messaging.consumers import Consumers
from shared.messaging.inbox import Inbox
from shared.service import Service

__all__ = ["SERVICE"]

_NAME = "analytics"
_CONSUMERS = Consumers.of([*PEOPLE, *COMPANY])

SERVICE = Service(
    name=_NAME,
    create_app=create_app,
    migrations=Path(__file__).parent / "migrations",
    consumers=_CONSUMERS,
    store=Arrivals(Inbox(f"crm.{_NAME}", _CONSUMERS.types), Archive()),
    topics=tuple(sorted(Catalog.load().subscriptions(_NAME))),
    loops=lambda runtime: [Projecting(runtime)],
)
