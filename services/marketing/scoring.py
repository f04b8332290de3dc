"""How warm a lead is: a score of behaviours that fades, a grade of fit, and the temperature of both.

Weights, criteria and thresholds are data of a scoring model. Points of a formula are IEEE doubles; comparisons with a
threshold use the value rounded half up to 4 decimals.
"""

from __future__ import annotations

import math
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from services.marketing.addresses import company_domain

__all__ = [
    "FIELDS",
    "OPERATORS",
    "Behaviour",
    "Contribution",
    "Fit",
    "behaviour_score",
    "cools_at",
    "decayed",
    "falls_below_at",
    "fit",
    "grade_of",
    "known_fields",
    "rounded",
    "temperature_of",
]

OPERATORS = ("known", "is_in", "contains", "at_least", "at_most")
FIELDS = (
    *("company", "company_domain", "industry", "employee_count", "country", "region", "title"),
    *("product_group", "phone_e164", "language", "source"),
)
"""What criteria may look at."""

_GRADES = (("A", 80), ("B", 60), ("C", 40), ("D", 20))
_FOUR_PLACES = Decimal("0.0001")
_HALF_STEP = 0.00005


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Something a person did. What a machine did does not count."""

    id: uuid.UUID
    type: str
    occurred_at: datetime
    is_machine: bool = False


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one behaviour adds at the instant of the score."""

    type: str
    occurred_at: datetime
    weight: float
    value: float


@dataclass(frozen=True, slots=True)
class Fit:
    """How well the company fits, 0..100. `coverage`: share of criteria whose field is known, 0..1."""

    points: int
    grade: str
    coverage: float
    matched: tuple[dict[str, Any], ...]


def behaviour_score(
    behaviours: Sequence[Behaviour],
    weights: Mapping[str, float],
    caps: Mapping[str, int],
    half_life_seconds: int,
    at: datetime,
) -> tuple[float, tuple[Contribution, ...]]:
    """`S(t)` = sum of `w * 2^-((t - t_i) / h)` over the counted behaviours up to `at`, and its parts.

    Per type and UTC day only the first `cap` count, by time and id. Exponential decay by half-life.
    """
    parts = []
    counted: Counter[tuple[str, Any]] = Counter()
    for each in sorted(behaviours, key=lambda b: (b.occurred_at, b.id)):
        if each.is_machine or each.type not in weights or each.occurred_at > at:
            continue
        day = (each.type, each.occurred_at.astimezone(UTC).date())
        counted[day] += 1
        if counted[day] > caps.get(each.type, counted[day]):
            continue
        weight = weights[each.type]
        value = decayed(weight, each.occurred_at, at, half_life_seconds)
        parts.append(Contribution(each.type, each.occurred_at, weight, value))
    return math.fsum(part.value for part in parts), tuple(parts)


def decayed(score: float, scored_at: datetime, at: datetime, half_life_seconds: int) -> float:
    """What is left at `at` of the `score` of an earlier instant."""
    return score * math.pow(2.0, -(at - scored_at).total_seconds() / half_life_seconds)


def cools_at(score: float, scored_at: datetime, threshold: float, half_life_seconds: int) -> datetime | None:
    """The instant `t + h * log2(S / T)` at which a score fades to `threshold`; None when it is there or below."""
    if threshold <= 0 or score <= threshold:
        return None
    return scored_at + timedelta(seconds=half_life_seconds * math.log2(score / threshold))


def falls_below_at(
    score: float, scored_at: datetime, threshold: float, half_life_seconds: int
) -> datetime | None:
    """A whole second from which on the rounded score is below `threshold`, at most two after it first was."""
    instant = cools_at(score, scored_at, threshold - _HALF_STEP, half_life_seconds)
    return None if instant is None else instant.replace(microsecond=0) + timedelta(seconds=1)


def rounded(score: float) -> Decimal:
    """The score as it is compared with thresholds: half up to 4 decimals."""
    return Decimal(repr(score)).quantize(_FOUR_PLACES, ROUND_HALF_UP)


def fit(criteria: Sequence[Mapping[str, Any]], known: Mapping[str, Any]) -> Fit:
    """Points of the matched criteria, clamped to 0..100, and the grade; a matched criterion that `excludes` gives F.

    A criterion is `{key, field, operator, value, points, excludes}`; `known` holds the fields by name.
    """
    matched = [
        {"key": each["key"], "points": each["points"], "seen": str(known[each["field"]])}
        for each in criteria
        if _matches(each, known.get(each["field"]))
    ]
    keys = {each["key"] for each in matched}
    is_excluded = any(each["excludes"] and each["key"] in keys for each in criteria)
    points = min(100, max(0, sum(each["points"] for each in matched)))
    covered = sum(known.get(each["field"]) not in (None, "") for each in criteria)
    coverage = covered / len(criteria) if criteria else 1.0
    return Fit(points, "F" if is_excluded else grade_of(points), round(coverage, 4), tuple(matched))


def grade_of(points: int) -> str:
    """A from 80, B from 60, C from 40, D from 20, else F."""
    return next((grade for grade, least in _GRADES if points >= least), "F")


def temperature_of(score: float, grade: str, *, is_genuine: bool, warm_from: float, hot_from: float) -> str:
    """cold: not genuine, below `warm_from`, or grade F; hot: from `hot_from` with grade A or B; else warm."""
    value = rounded(score)
    if not is_genuine or grade == "F" or value < Decimal(repr(warm_from)):
        return "cold"
    return "hot" if value >= Decimal(repr(hot_from)) and grade in ("A", "B") else "warm"


def known_fields(lead: Mapping[str, Any]) -> dict[str, Any]:
    """What criteria may look at, from a lead's fields; a free mailbox has no company domain."""
    return {
        **{name: lead.get(name) for name in FIELDS},
        "company": lead.get("company_name"),
        "company_domain": lead.get("domain") or company_domain(lead.get("email_key")),
    }


def _matches(criterion: Mapping[str, Any], value: Any) -> bool:
    if value in (None, ""):
        return False
    wanted = criterion["value"]
    match criterion["operator"]:
        case "known":
            return True
        case "is_in":
            return str(value).casefold() in {str(each).casefold() for each in wanted}
        case "contains":
            return any(str(each).casefold() in str(value).casefold() for each in wanted)
        case "at_least":
            return isinstance(value, int) and value >= wanted
        case _:
            return isinstance(value, int) and value <= wanted
