"""How services are: what their processes say about themselves over HTTP. No token is needed for that."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
from prometheus_client.parser import text_string_to_metric_families

__all__ = ["Address", "Health", "Lookout"]

_TIMEOUT = httpx.Timeout(1.0, connect=0.25)
_FRESH_SECONDS = 1.5


@dataclass(frozen=True)
class Address:
    """Where a service answers: `api` is the base URL of its HTTP API, `bus` that of its bus process's health."""

    service: str
    api: str
    bus: str


@dataclass(frozen=True)
class Health:
    """How one service is. `api` and `bus`: ready, degraded, unready or silent; `failing`: loops of its bus process
    that fail; `figures`: the gauges of its bus process by their names on the metrics page, summed over their labels
    (of ages and waits, in seconds, the longest). A figure that nobody tells is missing."""

    address: Address
    api: str
    bus: str
    failing: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)

    def count(self, name: str) -> int | None:
        """A figure that counts things; None when unknown."""
        value = self.figures.get(name)
        return None if value is None else int(value)

    @property
    def pending(self) -> int | None:
        """Facts in the outbox that are not sent; None when unknown."""
        return self.count("crm_outbox_pending")

    @property
    def waiting(self) -> int | None:
        """Facts in the inbox that are not handled; None when unknown."""
        return self.count("crm_inbox_ready")

    @property
    def dead(self) -> int | None:
        """Facts that were given up; None when unknown."""
        return self.count("crm_inbox_dead")


class Lookout:
    """Asks all services at once, and keeps the answer for a moment: many browsers look at one page."""

    def __init__(self, addresses: Sequence[Address], transport: httpx.BaseTransport | None = None) -> None:
        self._addresses = addresses
        self._client = httpx.Client(timeout=_TIMEOUT, transport=transport)
        self._lock = threading.Lock()
        self._seen: tuple[Health, ...] = ()
        self._seen_at = float("-inf")

    def look(self) -> tuple[Health, ...]:
        """Every service in the order of the addresses; at most a second and a half old."""
        with self._lock:
            if time.monotonic() - self._seen_at > _FRESH_SECONDS:
                with ThreadPoolExecutor(len(self._addresses)) as pool:
                    self._seen = tuple(pool.map(self._ask, self._addresses))
                self._seen_at = time.monotonic()
            return self._seen

    def _ask(self, address: Address) -> Health:
        api = self._get(f"{address.api}/readyz")
        bus = self._get(f"{address.bus}/readyz")
        said = _said(bus)
        return Health(
            address,
            api=_state(api, "ready"),
            bus=_state(bus, str(said.get("state", "ready"))),
            failing=tuple(str(name) for name in said.get("failing", ())),
            figures=_figures(self._get(f"{address.bus}/metrics")),
        )

    def _get(self, url: str) -> httpx.Response | None:
        try:
            return self._client.get(url)
        except httpx.HTTPError:
            return None


def _figures(page: httpx.Response | None) -> dict[str, float]:
    if page is None or page.status_code != 200:
        return {}
    figures: dict[str, float] = {}
    try:
        for family in text_string_to_metric_families(page.text):
            if family.type == "gauge" and family.name.startswith("crm_") and family.samples:
                values = [sample.value for sample in family.samples]
                figures[family.name] = max(values) if family.name.endswith("_seconds") else sum(values)
    except ValueError:  # another program listens there
        return {}
    return figures


def _state(answer: httpx.Response | None, when_ready: str) -> str:
    if answer is None:
        return "silent"
    return when_ready if answer.status_code == 200 else "unready"


def _said(answer: httpx.Response | None) -> dict[str, list[str]]:
    try:
        said = answer.json() if answer is not None else {}
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
