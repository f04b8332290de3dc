"""How the other services are: what their processes say about themselves. No token is needed for that."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

from services.web.settings import Address

__all__ = ["Health", "Lookout"]

_TIMEOUT = httpx.Timeout(1.0, connect=0.25)
_FRESH_SECONDS = 1.5
_COUNTS = {"crm_outbox_pending": "pending", "crm_inbox_ready": "waiting", "crm_inbox_dead": "dead"}


@dataclass(frozen=True)
class Health:
    """How one service is. `api` and `bus`: ready, degraded, unready or silent; `failing`: loops of its bus process
    that fail. `pending` facts wait in its outbox, `waiting` in its inbox, `dead` are given up; None when unknown."""

    address: Address
    api: str
    bus: str
    failing: tuple[str, ...] = ()
    pending: int | None = None
    waiting: int | None = None
    dead: int | None = None


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
            **self._counts(address),
        )

    def _counts(self, address: Address) -> dict[str, int]:
        metrics = self._get(f"{address.bus}/metrics")
        if metrics is None or metrics.status_code != 200:
            return {}
        counts: dict[str, int] = {}
        try:
            for family in text_string_to_metric_families(metrics.text):
                if family.name in _COUNTS:
                    counts[_COUNTS[family.name]] = int(sum(sample.value for sample in family.samples))
        except ValueError:  # another program listens there
            return {}
        return counts

    def _get(self, url: str) -> httpx.Response | None:
        try:
            return self._client.get(url)
        except httpx.HTTPError:
            return None


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
