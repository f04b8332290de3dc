"""How alike two leads are, and which of two doubles goes on."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from rapidfuzz.fuzz import token_sort_ratio

__all__ = ["CERTAIN", "LIVE_STATES", "Identity", "Likeness", "compare", "name_similarity", "precedence"]

CERTAIN = "certain"
SAME_PERSON = 85.0
SAME_NAME = 90.0

_RANK = ("disqualified", "rejected", "new", "held", "open", "recycled", "qualified", "converted")
LIVE_STATES = ("new", "held", "open", "recycled", "qualified")
"""States in which a lead may still become a customer."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells a person from another: normal forms only, empty or None where nothing is known."""

    email_key: str | None
    phone_e164: str | None
    folded_name: str
    domain: str | None
    folded_company: str


@dataclass(frozen=True, slots=True)
class Likeness:
    """`level`: certain, probable or possible; `score` 0..100; `signals`: what is equal."""

    level: str
    score: float
    signals: tuple[str, ...]


def name_similarity(one: str, other: str) -> float:
    """Likeness of two folded names, 0..100, whatever the order of their words (`rapidfuzz` token sort ratio)."""
    return round(token_sort_ratio(one, other), 2) if one and other else 0.0


def compare(one: Identity, other: Identity) -> Likeness | None:
    """How surely two leads are one person; None where nothing says so.

    Certain: the same mailbox, or the same number and a name at least 85 alike. Probable: a name at least 90 alike in
    the same company (its domain or its folded name). Possible: the same number only.
    """
    similarity = name_similarity(one.folded_name, other.folded_name)
    same = {
        "email": one.email_key is not None and one.email_key == other.email_key,
        "phone": one.phone_e164 is not None and one.phone_e164 == other.phone_e164,
        "name": similarity >= SAME_PERSON,
        "domain": one.domain is not None and one.domain == other.domain,
        "company": bool(one.folded_company) and one.folded_company == other.folded_company,
    }
    signals = tuple(name for name, is_same in same.items() if is_same)
    if same["email"]:
        return Likeness(CERTAIN, 100.0, signals)
    if same["phone"] and same["name"]:
        return Likeness(CERTAIN, similarity, signals)
    if similarity >= SAME_NAME and (same["domain"] or same["company"]):
        return Likeness("probable", similarity, signals)
    return Likeness("possible", similarity, signals) if same["phone"] else None


def precedence(state: str, captured_at: datetime, lead_id: uuid.UUID) -> tuple[int, datetime, uuid.UUID]:
    """A key that sorts the lead that goes on first: furthest state, then earlier capture, then smaller id."""
    return (-_RANK.index(state), captured_at, lead_id)
