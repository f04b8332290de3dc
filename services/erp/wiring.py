"""The one place where the objects of the connector meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from services.erp.app import create_app
from services.erp.links.consumers import HANDLERS as LINKS
from services.erp.links.queries import GAUGES
from services.erp.links.use_cases import CANCEL, CONFIRM, CREATE, REFRESH
from services.erp.mappings.use_cases import RESUME
from services.erp.open_events.queries import OPEN_TOPICS
from services.erp.port import ErpPort
from services.erp.processes.follow_erp import FollowErp
from services.erp.processes.keep_in_order import InboxInOrder
from services.erp.processes.order_handoff import Handoff, resume_blocked_orders
from services.erp.processes.run_demo_erp import DemoErpServer, DemoErpWork
from services.erp.settings import ErpSettings
from services.erp.upstream.demo import DemoPort
from shared.access.consumers import HANDLERS as PEOPLE
from shared.company.consumers import HANDLERS as COMPANY
from shared.contracts.catalog import Catalog
from shared.messaging.commands import OutsideCall
from shared.messaging.consumers import Consumers
from shared.messaging.loop import Loop
from shared.service import Runtime, Service

__all__ = ["SERVICE"]

GROUP = "crm.erp"
CONSUMERS = Consumers.of([*PEOPLE, *COMPANY, *LINKS])


def _settings(runtime: Runtime) -> ErpSettings:
    assert isinstance(runtime.settings, ErpSettings)
    return runtime.settings


def _port(runtime: Runtime) -> ErpPort | None:
    settings = _settings(runtime)
    if settings.erp_port == "pull":
        return None
    return DemoPort(
        DemoErpServer(
            runtime.unit_of_work,
            caller_waits=settings.request_seconds,
            gives_up_after=settings.settle_seconds * 0.8,
            step=timedelta(seconds=settings.erp_demo_step_seconds),
        )
    )


def _commands(runtime: Runtime) -> Mapping[str, OutsideCall]:
    settings = _settings(runtime)
    handoff = Handoff(
        runtime,
        _port(runtime),
        settle=timedelta(seconds=settings.settle_seconds),
        pause=timedelta(seconds=settings.erp_retry_seconds),
    )
    return dict.fromkeys((CREATE, CONFIRM, CANCEL, REFRESH), handoff)


def _loops(runtime: Runtime) -> Sequence[Loop]:
    settings, port = _settings(runtime), _port(runtime)
    if port is None:
        return ()
    follow = FollowErp(runtime, port, settings.erp_poll_seconds)
    step = timedelta(seconds=settings.erp_demo_step_seconds)
    return (follow, DemoErpWork(runtime.unit_of_work, step, follow.wake))


def _topics() -> tuple[str, ...]:
    catalog = Catalog.load()
    return tuple(sorted({*OPEN_TOPICS, *map(catalog.topic_of, CONSUMERS.types)}))


SERVICE = Service(
    name="erp",
    create_app=create_app,
    migrations=Path(__file__).parent / "migrations",
    consumers=CONSUMERS,
    timers={RESUME: resume_blocked_orders},
    commands=_commands,
    loops=_loops,
    gauges=GAUGES,
    store=InboxInOrder(GROUP, CONSUMERS.types),
    topics=_topics(),
    settings=ErpSettings,
)
