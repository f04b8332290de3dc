"""What a company needs, by arithmetic: from measured costs of a request and of a fact, and from stated assumptions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Assumed", "Costs", "Need", "needs"]

_HOUR, _YEAR_DAYS = 3_600, 365
_GB, _TB = 1e9, 1e12


@dataclass(frozen=True, slots=True)
class Assumed:
    """What nobody has measured: how people work, and how much of a machine is to be in use."""

    users: int = 10_000
    active_share: float = 0.4
    """Of the users, those at work in the busiest hour."""
    requests_per_hour: int = 180
    """Of one of them: one every twenty seconds."""
    burst: float = 2.0
    """The busiest minute to the mean of its hour."""
    written_share: float = 0.1
    """Of the requests, those that change something."""
    facts_per_write: float = 2.0
    facts_per_second: int = 1_000
    """What the bus has to bear: the users' own facts, and those of imports, machines and other systems."""
    busy_hours: int = 8
    busy_days: int = 250
    """Hours a day and days a year at which that rate holds; at other times nothing happens."""
    handlers: float = 2.0
    """Services that handle a fact, beside analytics, which archives every one."""
    archived_facts: int = 1_000_000_000
    use: float = 0.6
    """How busy a processor may be: what is above is for bursts, and for the machine that fails."""
    disk_use: float = 0.7
    copies: int = 3
    """Of each database and of each record at the broker."""
    broker_days: int = 14
    outbox_days: int = 14
    inbox_days: int = 90
    backup_bytes_per_second: float = 100e6
    """From a database to the object store."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured: seconds of a processor a request (`read`, `write`) or a fact, in the process named and in
    PostgreSQL (`_db`); bytes a fact, with indexes and TOAST (`scattered`: of those indexes of the archive whose entries
    come in no order); facts a second."""

    read: float
    read_db: float
    write: float
    write_db: float
    relay: float
    relay_db: float
    broker: float
    handler: float
    handler_db: float
    archiver: float
    archiver_db: float
    record: float
    archive: float
    projections: float
    outbox: float
    inbox: float
    backup: float
    scattered: float
    relay_rate: float
    folded: float
    rebuilt: float


@dataclass(frozen=True, slots=True)
class Need:
    """One result: what, how it comes about, how much."""

    what: str
    how: str
    figure: str


def needs(a: Assumed, c: Costs) -> Iterator[Need]:
    """What follows for people, for facts, and for the archive, in this order."""
    yield from _for_people(a, c)
    yield from _for_facts(a, c)
    yield from _for_the_archive(a, c)


def _for_people(a: Assumed, c: Costs) -> Iterator[Need]:
    rate = a.users * a.active_share * a.requests_per_hour / _HOUR * a.burst
    web = rate * _mix(a, c.read, c.write) / a.use
    database = rate * _mix(a, c.read_db, c.write_db) / a.use
    yield Need(
        "requests",
        f"{a.users:,} users × {a.active_share:.0%} × {a.requests_per_hour}/h × {a.burst:g}",
        f"{rate:,.0f}/s",
    )
    yield Need(
        "web processes, all services",
        f"× {1e3 * _mix(a, c.read, c.write):.1f} ms of a processor, {a.use:.0%} in use",
        f"{math.ceil(web)}",
    )
    yield Need(
        "processors of their databases",
        f"× {1e3 * _mix(a, c.read_db, c.write_db):.2f} ms, {a.use:.0%} in use",
        f"{database:.1f}",
    )
    yield Need(
        "facts that people cause",
        f"× {a.written_share:.0%} × {a.facts_per_write:g} facts",
        f"{rate * a.written_share * a.facts_per_write:,.0f}/s",
    )


def _for_facts(a: Assumed, c: Costs) -> Iterator[Need]:
    rate = a.facts_per_second
    yield Need(
        "one relay, if all came from one service",
        f"of its {c.relay_rate:,.0f}/s",
        f"{rate / c.relay_rate:.0%}",
    )
    yield Need(
        "processors of relays",
        f"{rate:,}/s × {1e3 * c.relay:.2f} ms / {a.use:.0%}",
        f"{rate * c.relay / a.use:.1f}",
    )
    yield Need(
        "processors of brokers",
        f"× {1e3 * c.broker:.2f} ms × {a.copies} copies / {a.use:.0%}",
        f"{rate * c.broker * a.copies / a.use:.1f}",
    )
    handling = rate * a.handlers
    yield Need(
        "bus processes that handle facts",
        f"× {a.handlers:g} services × {1e3 * c.handler:.2f} ms / {a.use:.0%}",
        f"{math.ceil(handling * c.handler / a.use)}",
    )
    yield Need(
        "processors of analytics' bus processes",
        f"× {1e3 * c.archiver:.2f} ms / {a.use:.0%}",
        f"{rate * c.archiver / a.use:.1f}",
    )
    yield Need(
        "one analytics, which folds in one place",
        f"of its {c.folded:,.0f}/s",
        f"{rate / c.folded:.0%}",
    )
    databases = rate * (c.relay_db + c.archiver_db) + handling * c.handler_db
    each = f"{1e3 * c.relay_db:.2f} + {1e3 * c.archiver_db:.2f} + {a.handlers:g} × {1e3 * c.handler_db:.2f}"
    yield Need(
        "processors of databases, for facts",
        f"({each}) ms / {a.use:.0%}",
        f"{databases / a.use:.1f}",
    )
    busy = a.busy_days / _YEAR_DAYS
    daily = rate * a.busy_hours * _HOUR * busy
    yield Need(
        "facts a day, on average",
        f"{rate:,}/s × {a.busy_hours} h × {a.busy_days}/{_YEAR_DAYS}",
        f"{daily / 1e6:,.0f} million",
    )
    yield Need(
        "disk of the brokers",
        f"× {a.broker_days} d × {c.record:,.0f} B × {a.copies} copies / {a.disk_use:.0%}",
        f"{daily * a.broker_days * c.record * a.copies / a.disk_use / _TB:.1f} TB",
    )
    yield Need(
        "outboxes, all services, each copy",
        f"× {a.outbox_days} d × {c.outbox:,.0f} B / {a.disk_use:.0%}",
        f"{daily * a.outbox_days * c.outbox / a.disk_use / _GB:,.0f} GB",
    )
    yield Need(
        "inboxes, all services, each copy",
        f"× {a.handlers:g} services × {a.inbox_days} d × {c.inbox:,.0f} B / {a.disk_use:.0%}",
        f"{daily * a.handlers * a.inbox_days * c.inbox / a.disk_use / _TB:.1f} TB",
    )


def _for_the_archive(a: Assumed, c: Costs) -> Iterator[Need]:
    yearly = a.facts_per_second * a.busy_hours * _HOUR * a.busy_days
    bytes_kept = a.archived_facts * (c.archive + c.projections)
    yield Need(
        "archived facts a year",
        f"{a.facts_per_second:,}/s × {a.busy_hours} h × {a.busy_days} d",
        f"{yearly / 1e9:.1f} billion",
    )
    yield Need(
        "until a billion are archived",
        f"{a.archived_facts / 1e9:g} billion / that",
        f"{a.archived_facts / yearly * _YEAR_DAYS:.0f} days",
    )
    yield Need(
        "disk of a billion, each copy",
        f"({c.archive:,.0f} + {c.projections:,.0f}) B / {a.disk_use:.0%}",
        f"{bytes_kept / a.disk_use / _TB:.1f} TB",
    )
    yield Need(
        "memory for indexes of the newest month",
        f"{yearly / 12 / 1e6:,.0f} million facts × {c.scattered:,.0f} B",
        f"{yearly / 12 * c.scattered / _GB:,.0f} GB",
    )
    yield Need(
        "a copy of the whole database",
        f"at {a.backup_bytes_per_second / 1e6:.0f} MB/s",
        f"{bytes_kept / a.backup_bytes_per_second / _HOUR:.1f} h",
    )
    yield Need(
        "the same by pg_dump, packed",
        f"{c.backup:,.0f} B a fact",
        f"{a.archived_facts * c.backup / _TB:.2f} TB",
    )
    yield Need(
        "all projections built again",
        f"{c.rebuilt:,.0f}/s",
        f"{a.archived_facts / c.rebuilt / _HOUR:.0f} h",
    )


def _mix(a: Assumed, read: float, write: float) -> float:
    return (1 - a.written_share) * read + a.written_share * write
