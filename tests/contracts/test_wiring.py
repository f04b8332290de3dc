"""What services say they handle is what their wiring handles, and what they record is declared."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from shared.contracts.catalog import Catalog
from shared.kernel.events import Event
from shared.service import Service


def wired(name: str) -> Service:
    service: Service = importlib.import_module(f"services.{name}.wiring").SERVICE
    return service


def recorded(parent: type[Event]) -> Iterator[type[Event]]:
    """Every event class that has a wire type."""
    for child in parent.__subclasses__():
        if "TYPE" in vars(child):
            yield child
        yield from recorded(child)


def test_a_service_reads_the_topics_it_is_declared_to_consume(catalog: Catalog, service_name: str) -> None:
    service = wired(service_name)
    assert service.name == service_name
    assert service.group == catalog.group(service_name)
    assert set(service.subscriptions()) == catalog.subscriptions(service_name)


def test_a_service_handles_exactly_the_types_it_is_declared_to_handle(
    catalog: Catalog, service_name: str
) -> None:
    service = wired(service_name)
    if service.store is None:
        assert service.consumers.types == catalog.handled_types(service_name)
    else:
        assert service.consumers.types <= catalog.handled_types(service_name)


def test_every_fact_a_service_records_is_declared_for_it(catalog: Catalog, service_name: str) -> None:
    wired(service_name)
    package = f"services.{service_name}."
    own = [event for event in recorded(Event) if event.__module__.startswith(package)]
    for event in own:
        topic = catalog.topics[catalog.topic_of(event.TYPE)]
        assert topic.service == service_name, event
