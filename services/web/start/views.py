"""What the start page shows, from what the services and the demo say. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from shared.observability.lookout import Address, Health

__all__ = ["start_page"]

_ABOUT = {
    "identity": "who is asking, what they may do, and the company's settings",
    "sales": "from hot lead to handed-off order",
    "marketing": "from stranger to qualified lead",
    "support": "contracts, assets, cases: the promise after the sale",
    "fieldservice": "the right person at the right door",
    "analytics": "every fact archived, every figure defined",
    "erp": "speaks to the ERP; everybody else hears facts",
}
_TITLES = {"fieldservice": "Field service", "erp": "ERP"}
_LANES = ("marketing", "sales", "support", "fieldservice", "erp", "analytics")
_LANE_WIDTH = 26
_STATES = {"running": "Running now", "done": "Done", "failed": "Stopped"}


def start_page(
    services: Sequence[Health],
    demo: Mapping[str, Any] | None,
    link: Callable[[Address], str] = attrgetter("api"),
) -> dict[str, Any]:
    """Everything the templates need. `link`: where a browser finds the API of a service."""
    return {
        "services": [_service(health, link(health.address)) for health in services],
        "verdict": _verdict(services),
        "counts": {
            name: _sum(getattr(health, name) for health in services)
            for name in ("pending", "waiting", "dead")
        },
        "lanes": [
            {"service": name, "title": _title(name), "x": _x(name), "width": _LANE_WIDTH} for name in _LANES
        ],
        "lanes_width": len(_LANES) * _LANE_WIDTH,
        "demo": None if demo is None else _demo(demo),
    }


def _service(health: Health, url: str) -> dict[str, Any]:
    name = health.address.service
    return {
        "name": name,
        "title": _title(name),
        "says": _ABOUT[name],
        "url": url,
        "api": health.api,
        "bus": health.bus,
        "failing": ", ".join(health.failing),
        "pending": _shown(health.pending),
        "waiting": _shown(health.waiting),
        "dead": _shown(health.dead),
        "has_dead": bool(health.dead),
    }


def _verdict(services: Sequence[Health]) -> dict[str, str]:
    """One sentence about all processes, and how bad it is: good, fair or poor."""
    states = [state for health in services for state in (health.api, health.bus)]
    silent = sum(state in ("silent", "unready") for state in states)
    degraded = states.count("degraded")
    if silent:
        verb = "is" if silent == 1 else "are"
        return {"level": "poor", "text": f"{silent} of {len(states)} processes {verb} not ready"}
    if degraded:
        noun = "process is" if degraded == 1 else "processes are"
        return {"level": "fair", "text": f"{degraded} {noun} degraded; work goes on"}
    return {"level": "good", "text": f"All {len(states)} processes are ready"}


def _demo(demo: Mapping[str, Any]) -> dict[str, Any]:
    state = demo["state"]
    return {
        "state": state,
        "state_text": _STATES[state],
        "bus": "the embedded bus" if demo["bus"] == "postgres" else "Apache Kafka",
        "started_at": demo["started_at"],
        "started": datetime.fromisoformat(demo["started_at"]).strftime("%d %B %Y, %H:%M:%S UTC"),
        "problem": demo["problem"],
        "figures": _figures(demo["result"]),
        "chapters": [_chapter(chapter) for chapter in demo["chapters"]],
    }


def _figures(result: Mapping[str, Any] | None) -> list[dict[str, str]]:
    if result is None:
        return []
    delays = result["latency_ms"]
    return [
        {"name": "ERP number", "value": result["order"]["erp_number"]},
        {"name": "assets registered", "value": str(result["assets"])},
        {"name": "timeline entries", "value": str(result["timeline_events"])},
        {"name": "commit to effect, median", "value": f"{delays['p50']:.0f} ms"},
        {"name": "duplicates", "value": str(result["duplicates"])},
    ]


def _chapter(chapter: Mapping[str, Any]) -> dict[str, Any]:
    steps = chapter["steps"]
    began = datetime.fromisoformat(steps[0]["at"]) if steps else None
    return {
        "title": chapter["title"],
        "correlation_id": chapter["correlation_id"],
        "steps": [_step(step, began) for step in steps],
    }


def _step(step: Mapping[str, Any], began: datetime | None) -> dict[str, Any]:
    at = datetime.fromisoformat(step["at"])
    lanes = [_x(name) for name in (step["service"], *(effect["service"] for effect in step["effects"]))]
    return {
        "kind": step["kind"],
        "service": step["service"],
        "title": _title(step["service"]),
        "text": step["text"],
        "at": step["at"],
        "after": f"{(at - (began or at)).total_seconds():.2f} s",
        "ms": None if step["ms"] is None else f"{step['ms']:.0f} ms",
        "x": lanes[0],
        "from_x": min(lanes),
        "to_x": max(lanes),
        "effects": [
            {
                "service": effect["service"],
                "title": _title(effect["service"]),
                "ms": f"{effect['ms']:.0f} ms",
                "x": _x(effect["service"]),
            }
            for effect in step["effects"]
        ],
    }


def _title(service: str) -> str:
    return _TITLES.get(service, service.capitalize())


def _x(service: str) -> int:
    """The middle of a service's lane, in pixels."""
    return _LANES.index(service) * _LANE_WIDTH + _LANE_WIDTH // 2


def _shown(count: int | None) -> str:
    return "–" if count is None else str(count)


def _sum(counts: Iterable[int | None]) -> str:
    known = [count for count in counts if count is not None]
    return str(sum(known)) if known else "–"
