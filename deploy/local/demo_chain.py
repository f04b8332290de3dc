"""A chain of facts as the services themselves tell it: who said what, who heard it, and how long that took."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploy.local.client import SuiteClient

__all__ = ["Chain", "Effect", "Fact", "latencies", "percentile"]

_ARCHIVE = "analytics"
_SILENT = ("identity", "web")
"""Services that take no part in a customer's chain."""


@dataclass(frozen=True)
class Effect:
    """What a fact did in another service: `ms` milliseconds after its commit that service had committed it."""

    service: str
    ms: float


@dataclass(frozen=True)
class Fact:
    """A fact with its effects. `is_settled`: everybody who has received it is done, and the archive has it."""

    id: str
    type: str
    at: datetime
    effects: tuple[Effect, ...]
    is_settled: bool

    @property
    def service(self) -> str:
        """Who said it."""
        return self.type.split(".")[1]

    @property
    def words(self) -> str:
        """Aggregate and what happened to it: `sales order submitted`."""
        return " ".join(self.type.split(".")[2:4]).replace("_", " ")


class Chain:
    """The chain of `correlation_id`, read from every service each time it is asked for."""

    def __init__(self, client: SuiteClient, services: Iterable[str], correlation_id: str) -> None:
        self.correlation_id = correlation_id
        self._client = client
        self._services = [name for name in services if name not in _SILENT]

    def facts(self) -> list[Fact]:
        """All facts by now, in the order in which they were committed."""
        with ThreadPoolExecutor(len(self._services) + 1) as pool:
            archived = pool.submit(self._archived)
            told = list(pool.map(self._told, self._services))
        heard: dict[str, list[tuple[str, str]]] = {}
        working: set[str] = set()
        archive = archived.result()
        for service, chain in zip(self._services, told, strict=True):
            for row in chain["received"]:
                if row["state"] == "done":
                    heard.setdefault(row["event_id"], []).append((service, row["done_at"]))
                elif row["state"] == "ready":
                    working.add(row["event_id"])
        for event_id, recorded_at in archive.items():
            heard.setdefault(event_id, []).append((_ARCHIVE, recorded_at))
        sent = sorted((row for chain in told for row in chain["sent"]), key=lambda row: row["occurred_at"])
        return [
            _fact(row, heard.get(row["event_id"], ()), row["event_id"] in archive.keys() - working)
            for row in sent
        ]

    def archived_twice(self) -> int:
        """How many facts of the chain the archive holds more than once."""
        rows = self._archive_rows()
        return len(rows) - len({row["event_id"] for row in rows})

    def troubles(self) -> list[str]:
        """What some service could not do with a fact of the chain, now or at its last attempt, in a few words."""
        return [
            f"{service} has {row['event_type']} {row['state']} ({row['last_error'].splitlines()[0]})"
            for service in self._services
            for row in self._told(service)["received"]
            if row["state"] in ("ready", "dead") and row["last_error"]
        ]

    def _told(self, service: str) -> Any:
        return self._client.get(service, "/v1/bus/facts", correlation_id=self.correlation_id)

    def _archived(self) -> dict[str, str]:
        return {row["event_id"]: row["recorded_at"] for row in self._archive_rows()}

    def _archive_rows(self) -> list[dict[str, Any]]:
        return list(self._client.items(_ARCHIVE, "/v1/archive/events", correlation_id=self.correlation_id))


def latencies(facts: Iterable[Fact]) -> list[float]:
    """Milliseconds from each commit to each effect, ascending."""
    return sorted(effect.ms for fact in facts for effect in fact.effects)


def percentile(ascending: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0..1) of the values do not exceed: the nearest-rank method."""
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)]


def _fact(sent: Any, heard: Iterable[tuple[str, str]], is_settled: bool) -> Fact:
    at = datetime.fromisoformat(sent["occurred_at"])
    effects = (
        Effect(service, round((datetime.fromisoformat(then) - at).total_seconds() * 1000, 1))
        for service, then in heard
    )
    by_speed = tuple(sorted(effects, key=lambda effect: effect.ms))
    return Fact(sent["event_id"], sent["event_type"], at, by_speed, is_settled)
