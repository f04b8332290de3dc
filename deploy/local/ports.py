"""Every port of a suite on loopback. An offset moves all of them, so two suites run side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

HTTP = {
    "web": 8080,
    "identity": 8101,
    "sales": 8102,
    "marketing": 8103,
    "support": 8104,
    "fieldservice": 8105,
    "analytics": 8106,
    "erp": 8107,
}
ROLES = ("web", "bus")
_HEALTH = {"bus": 100, "web": 200}


@dataclass(frozen=True)
class Ports:
    """The ports of a suite whose ports are all moved up by ``offset``."""

    offset: int = 0

    def http(self, service: str) -> int:
        """Port of the HTTP API of ``service``."""
        return HTTP[service] + self.offset

    def health(self, service: str, role: str) -> int:
        """Port of the metrics (and, for ``bus``, the health) of one process."""
        return HTTP[service] + _HEALTH[role] + self.offset

    @property
    def postgres(self) -> int:
        """Port of PostgreSQL."""
        return 8110 + self.offset

    @property
    def kafka(self) -> int:
        """Port of a local Kafka broker; its controller takes the next one."""
        return 8112 + self.offset

    def of_processes(self, services: Iterable[str]) -> Iterator[tuple[int, str]]:
        """Every port that the processes of ``services`` listen on, with what it is for."""
        for service in services:
            yield self.http(service), f"{service}'s API"
            for role in ROLES:
                yield self.health(service, role), f"health of {service} {role}"
