"""The scoring model aggregate."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy.orm import Mapped, mapped_column

from services.marketing.database import Base
from services.marketing.scoring_models.errors import CriterionWrong, ThresholdsCrossed
from shared.db.base import AggregateRoot
from shared.kernel.errors import IllegalState

__all__ = ["ScoringModel"]

_LISTS = ("is_in", "contains")
_NUMBERS = ("at_least", "at_most")


class ScoringModel(AggregateRoot, Base):
    """How leads are scored and handed over. States: draft, active, retired; a version never changes, and one is active.

    `weights` and `caps` by type of behaviour; `criteria`: {key, field, operator, value, points, excludes}.
    """

    __tablename__ = "scoring_models"
    AGGREGATE = "scoring_model"

    name: Mapped[str]
    model_version: Mapped[int]
    state: Mapped[str] = mapped_column(default="draft")
    half_life_seconds: Mapped[int]
    weights: Mapped[dict[str, Any]]
    caps: Mapped[dict[str, Any]]
    criteria: Mapped[list[dict[str, Any]]]
    warm_from: Mapped[float]
    hot_from: Mapped[float]
    accept_within_minutes: Mapped[int]
    cool_off_days: Mapped[int]
    max_handovers: Mapped[int]
    activated_at: Mapped[datetime | None]

    @classmethod
    def draft(cls, values: Mapping[str, Any], model_version: int) -> Self:
        """A new version. Raises CriterionWrong, ThresholdsCrossed."""
        for position, criterion in enumerate(values["criteria"]):
            _check(criterion, f"/criteria/{position}/value")
        if values["hot_from"] < values["warm_from"]:
            raise ThresholdsCrossed.field(
                "/hot_from", "A lead is hot from no less than where it is warm from."
            )
        return cls(**values, model_version=model_version, state="draft")

    @property
    def allowed(self) -> list[str]:
        """The verbs that its state allows."""
        return ["activate"] if self.state == "draft" else []

    @property
    def accept_within(self) -> timedelta:
        """The working time in which sales answers a handover."""
        return timedelta(minutes=self.accept_within_minutes)

    @property
    def cool_off(self) -> timedelta:
        """How long a returned lead is left in peace."""
        return timedelta(days=self.cool_off_days)

    def activate(self, now: datetime) -> None:
        """From now on leads are scored by this version. Raises IllegalState."""
        if self.state != "draft":
            raise IllegalState(
                f"A model that is {self.state} cannot be activated. Draft a new version.",
                state=self.state,
                allowed=self.allowed,
            )
        self.state, self.activated_at = "active", now

    def retire(self) -> None:
        """Another version has taken over."""
        self.state = "retired"


def _check(criterion: Mapping[str, Any], pointer: str) -> None:
    operator, value = criterion["operator"], criterion["value"]
    if operator in _LISTS and not (isinstance(value, list) and value):
        raise CriterionWrong.field(pointer, f"{operator} needs a list of words.")
    if operator in _NUMBERS and (isinstance(value, bool) or not isinstance(value, int)):
        raise CriterionWrong.field(pointer, f"{operator} needs a whole number.")
    if operator == "known" and value is not None:
        raise CriterionWrong.field(pointer, "known takes no value.")
