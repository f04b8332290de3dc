"""What a lead's state allows, and which of its fields take part in a merge and in an erasure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["ALLOWED", "BY_VERDICT", "FILLED_BY_MERGE", "JUDGED", "PERSONAL", "TOLD_STEP", "unseen"]

TOLD_STEP = 10
"""A score that moved by less is not worth a fact."""

BY_VERDICT = {"genuine": "open", "suspect": "held", "fake": "rejected"}
"""The state that a verdict leads to."""

JUDGED = ("new", "open", "held", "rejected")
"""The states in which the machine may judge."""

ALLOWED = {
    "new": ["disqualify", "merge"],
    "open": ["qualify", "override_verdict", "disqualify", "merge"],
    "held": ["override_verdict", "disqualify", "merge"],
    "rejected": ["override_verdict", "disqualify", "merge"],
    "qualified": ["assign", "disqualify", "merge"],
    "recycled": ["qualify", "disqualify", "merge"],
    "disqualified": ["reopen", "merge"],
}
"""The verbs that a state allows; one that is not named allows none."""

PERSONAL = (
    *("given_name", "family_name", "email", "phone", "title", "language", "time_zone", "interest"),
    *("submission_id", "disqualify_reason"),
)
"""The fields that an erasure blanks; what is worked out from them goes with them."""

FILLED_BY_MERGE = (
    *("given_name", "family_name", "email", "phone", "title", "language", "time_zone"),
    *("company_name", "domain", "industry", "employee_count", "country", "region", "postal_code"),
    *("product_group", "interest", "campaign_id", "consent_text_version"),
)
"""The fields that the lead which goes on gets from its double, where it lacks them."""


def unseen(judgement: Mapping[str, Any] | None, grounds: str) -> dict[str, Any] | None:
    """A verdict or an explanation without the values that its `grounds` saw, and without a person's own words."""
    if judgement is None:
        return None
    blank = [{**ground, "seen": None} for ground in judgement[grounds]]
    return {**judgement, grounds: [{**g, "detail": ""} if g.get("code") == "override" else g for g in blank]}
