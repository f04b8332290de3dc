"""What was measured of scaling: kept as JSON part by part, and written as a page once all parts are there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import psutil

from bench import archive, scale
from bench.results import Occasion
from bench.sizing import Assumed, Costs, needs
from deploy.local.suite import ROOT

__all__ = ["PARTS", "keep", "page"]

_LATEST = Path(__file__).parent / "results" / "scale.json"
_PAGE = ROOT / "docs" / "scaling_figures.md"
_BUSY = 0.8
"""From this part of a processor on, one process is taken for what sets the bound."""
_SCATTERED = ("ix_archive_aggregate_id_aggregate_version", "ix_archive_correlation_id")

_HEAD = """\
# Figures of scaling

Made by `python -m bench scale`; [scaling.md](scaling.md) says what they mean. A figure of a process or a database is
the number of processors that it kept busy on average; in brackets that of the busiest process, where there are several.
*Bound by* names a process that kept 0.8 of a processor busy or more; else the machine, if its processors were never
idle; else they were waiting: for the disk, for each other, for a turn. What was busy *elsewhere* was not ours: on an
idle machine, the bench and its clients."""

Part = Mapping[str, Any]
Say = Callable[[str], None]

PARTS: Mapping[str, Callable[[Say], list[dict[str, Any]]]] = {
    "scale_kafka": lambda say: [asdict(flow) for flow in scale.facts("kafka", say)],
    "scale_postgres": lambda say: [asdict(flow) for flow in scale.facts("postgres", say)],
    "scale_requests": lambda say: [asdict(asked) for asked in scale.requests(say)],
    "scale_archive": lambda say: [asdict(archive.measure(say))],
}
"""By name: what measures a part; its rows as they are kept."""


def keep(name: str, rows: Sequence[Mapping[str, Any]], occasion: Occasion) -> bool:
    """Put a part into results/scale.json; whether all parts are there, and docs/scaling_figures.md is written anew."""
    known = json.loads(_LATEST.read_text()) if _LATEST.exists() else {}
    occasion_of = (
        f"{occasion.at:%Y-%m-%d %H:%M} UTC, commit {occasion.commit}, load before {occasion.load:.1f},"
        f" loop {occasion.loop_ms:.0f} ms, sync {occasion.sync_ms:.2f} ms"
    )
    known[name] = {"occasion": occasion_of, "processors": psutil.cpu_count(), "rows": list(rows)}
    _LATEST.parent.mkdir(exist_ok=True)
    _LATEST.write_text(json.dumps(known, indent=2) + "\n")
    is_whole = known.keys() >= PARTS.keys()
    if is_whole:
        _PAGE.write_text(page(known))
    return is_whole


def page(parts: Mapping[str, Part]) -> str:
    """The page about all `parts`, as they were kept."""
    return "\n".join(_lines(parts)) + "\n"


def _lines(parts: Mapping[str, Part]) -> Iterator[str]:
    yield _HEAD
    for name, title in (("scale_kafka", "Facts on Kafka"), ("scale_postgres", "Facts on the embedded bus")):
        yield from ("", f"## {title}", "", f"Measured {parts[name]['occasion']}.", "")
        yield from _flows(parts[name])
    yield from ("", "## Requests", "", f"Measured {parts['scale_requests']['occasion']}.", "")
    yield from _requests(parts["scale_requests"])
    yield from ("", "## The archive", "", f"Measured {parts['scale_archive']['occasion']}.", "")
    yield from _archive(parts["scale_archive"]["rows"][0])
    yield from ("", "## Arithmetic", "")
    yield from _arithmetic(parts)


def _flows(part: Part) -> Iterator[str]:
    yield (
        "| way | partitions | sending | consuming | facts/s | of one | sent/s | stored/s | relay | broker | consumers"
        " | their database | relay's database | elsewhere | bound by |"
    )
    yield "|---|" + "---:|" * 13 + "---|"
    first: dict[tuple[str, int], float] = {}
    for row in part["rows"]:
        rate = row["facts"] / row["seconds"]
        one = first.setdefault((row["way"], row["partitions"]), rate)
        stored = f"{row['facts'] / row['stored']:,.0f}" if row["stored"] else ""
        shares = [
            _share(row, kind)
            for kind in (
                "relay",
                "broker",
                "consumer",
                "PostgreSQL of the consumer",
                "PostgreSQL of the producer",
            )
        ]
        yield (
            f"| {row['way']} | {row['partitions']} | {row['producers']} | {row['consumers']} | {rate:,.0f}"
            f" | {rate / one:.2f} | {row['facts'] / row['sent']:,.0f} | {stored} | {' | '.join(shares)}"
            f" | {row['elsewhere']:.2f} | {_bound(row, part['processors'])} |"
        )


def _requests(part: Part) -> Iterator[str]:
    yield (
        "| request | workers | /s | of one | web | PostgreSQL | elsewhere | ms of a processor: web | PostgreSQL"
        " | bound by |"
    )
    yield "|---|" + "---:|" * 8 + "---|"
    first: dict[str, float] = {}
    for row in part["rows"]:
        one = first.setdefault(row["kind"], row["rate"])
        yield (
            f"| {row['kind']} | {row['workers']} | {row['rate']:,.0f} | {row['rate'] / one:.2f} | {_share(row, 'web')}"
            f" | {_share(row, 'PostgreSQL')} | {row['elsewhere']:.2f} | {1e3 * _cost(row, 'web'):.2f}"
            f" | {1e3 * _cost(row, 'PostgreSQL'):.2f} | {_bound(row, part['processors'])} |"
        )


def _archive(row: Part) -> Iterator[str]:
    yield f"{row['facts']:,} facts of {row['types']} types, in bytes a fact:"
    yield ""
    yield "| what | bytes |"
    yield "|---|---:|"
    yield f"| its message | {row['message']:,.0f} |"
    yield f"| its headers | {row['headers']:,.0f} |"
    yield f"| row of the archive | {row['table']:,.0f} |"
    yield f"| what PostgreSQL keeps beside it (TOAST) | {row['toast']:,.0f} |"
    for name, size in row["indexes"].items():
        yield f"| index {name} | {size:,.0f} |"
    yield f"| **archive, together** | **{_archived_bytes(row):,.0f}** |"
    yield f"| projections' tables with their indexes | {row['projections']:,.0f} |"
    yield f"| backup by pg_dump of all of analytics, packed | {row['backup']:,.0f} |"
    yield f"| row of sales' outbox with its indexes | {row['outbox']:,.0f} |"
    yield f"| row of sales' inbox with its indexes | {row['inbox']:,.0f} |"
    yield ""
    yield (
        f"Folded into all live projections: {row['folded']:,.0f} facts/s. Folded again into one projection after the"
        f" other: {row['rebuilt']:,.0f} facts/s. Backed up: {row['backed_up']:,.0f} facts/s."
    )


def _arithmetic(parts: Mapping[str, Part]) -> Iterator[str]:
    assumed = Assumed()
    yield "Assumed, not measured:"
    yield ""
    yield "| what | value |"
    yield "|---|---:|"
    for field in fields(assumed):
        value = getattr(assumed, field.name)
        shown = f"{value:,.0f}" if value >= 1 else f"{value:g}"
        yield f"| {field.name.replace('_', ' ')} | {shown} |"
    yield ""
    yield "What follows, with the costs measured above:"
    yield ""
    yield "| what | how | result |"
    yield "|---|---|---:|"
    for need in needs(assumed, _costs(parts)):
        yield f"| {need.what} | {need.how} | {need.figure} |"


def _costs(parts: Mapping[str, Part]) -> Costs:
    asked = {row["kind"]: row for row in parts["scale_requests"]["rows"] if row["workers"] == 1}
    # One process of each kind, on as many partitions as production has.
    alone = [row for row in parts["scale_kafka"]["rows"] if row["producers"] == 1 and row["consumers"] <= 1]
    flows = {row["way"]: row for row in alone}
    kept = parts["scale_archive"]["rows"][0]
    sent, handled, stored = flows["sent"], flows["ordered"], flows["archived"]
    return Costs(
        read=_cost(asked["list"], "web"),
        read_db=_cost(asked["list"], "PostgreSQL"),
        write=_cost(asked["create"], "web"),
        write_db=_cost(asked["create"], "PostgreSQL"),
        relay=_cost(stored, "relay"),
        relay_db=_cost(stored, "PostgreSQL of the producer"),
        broker=_cost(stored, "broker"),
        handler=_cost(handled, "consumer"),
        handler_db=_cost(handled, "PostgreSQL of the consumer"),
        archiver=_cost(stored, "consumer"),
        archiver_db=_cost(stored, "PostgreSQL of the consumer"),
        record=kept["message"] + kept["headers"],
        archive=_archived_bytes(kept),
        projections=kept["projections"],
        outbox=kept["outbox"],
        inbox=kept["inbox"],
        backup=kept["backup"],
        scattered=sum(kept["indexes"][name] for name in _SCATTERED),
        relay_rate=sent["facts"] / sent["seconds"],
        folded=kept["folded"],
        rebuilt=kept["rebuilt"],
    )


def _cost(row: Mapping[str, Any], kind: str) -> float:
    """Seconds of a processor that a fact or a request took of this kind of process."""
    rate = row["rate"] if "rate" in row else row["facts"] / row["seconds"]
    return float(row["shares"][kind]["total"] / rate)


def _archived_bytes(row: Mapping[str, Any]) -> float:
    return float(row["table"] + row["toast"] + sum(row["indexes"].values()))


def _share(row: Mapping[str, Any], kind: str) -> str:
    share = row["shares"].get(kind)
    if share is None:
        return ""
    alone = "" if share["busiest"] > 0.95 * share["total"] else f" ({share['busiest']:.2f})"
    return f"{share['total']:.2f}{alone}"


def _bound(row: Mapping[str, Any], processors: int) -> str:
    shares: Iterable[tuple[str, Mapping[str, float]]] = row["shares"].items()
    kind, busiest = max(shares, key=lambda share: share[1]["busiest"])
    if busiest["busiest"] >= _BUSY:
        return kind
    all_busy = sum(share["total"] for _, share in row["shares"].items()) + row["elsewhere"]
    return "machine" if all_busy >= 0.9 * processors else "waiting"
