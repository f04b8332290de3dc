"""The opportunity aggregate."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self

from sqlalchemy.orm import Mapped, mapped_column

from services.sales.database import Base
from services.sales.opportunities.errors import (
    AccountNeeded,
    CloseDateOutOfRange,
    StageUnreachable,
    UnknownStage,
)
from services.sales.opportunities.events import (
    OpportunityChanged,
    OpportunityCreated,
    OpportunityLost,
    OpportunityReopened,
    OpportunityStageChanged,
    OpportunityWon,
)
from services.sales.sales_policy import CLOSED_CATEGORY, LOST, OMITTED_CATEGORY, WON, PipelinePlan, Stage
from shared.db.base import AggregateRoot, money
from shared.kernel.errors import IllegalState
from shared.kernel.money import Money

__all__ = ["LOST_REASONS", "Moment", "Opportunity"]

LOST_REASONS = (
    "price",
    "product",
    "competitor",
    "no_budget",
    "no_decision",
    "timing",
    "relationship",
    "other",
)
OPEN_VERBS = ["edit", "move", "win", "lose"]


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happens and who does it. `effective_at` is the business time: an import's own date;
    `origin`: user or import."""

    effective_at: datetime
    origin: str
    actor_id: str


class Opportunity(AggregateRoot, Base):
    """A deal. `status`: open, won or lost; `stage` is the key of the open phase it is in, or was in when closed.

    `stage_log` is kept for ever: {stage, entered_at, actor_id, reason}. `attention`: {code, since, detail}.
    """

    __tablename__ = "opportunities"
    AGGREGATE = "opportunity"

    name: Mapped[str]
    status: Mapped[str]
    account_id: Mapped[uuid.UUID | None]
    account_name: Mapped[str | None]
    primary_contact_id: Mapped[uuid.UUID | None]
    owner_id: Mapped[uuid.UUID]
    team: Mapped[list[dict[str, Any]]]
    pipeline_id: Mapped[uuid.UUID]
    pipeline_version: Mapped[int]
    stage: Mapped[str]
    previous_stage: Mapped[str | None]
    stage_entered_at: Mapped[datetime]
    stage_log: Mapped[list[dict[str, Any]]]
    probability_bp: Mapped[int]
    probability_overridden: Mapped[bool] = mapped_column(default=False)
    forecast_category: Mapped[str]
    amount: Mapped[Money | None] = money("amount", nullable=True)
    base_amount: Mapped[Money | None] = money("base_amount", nullable=True)
    amount_source: Mapped[str] = mapped_column(default="manual")
    expected_budget: Mapped[Money | None] = money("expected_budget", nullable=True)
    close_date: Mapped[date]
    next_step: Mapped[str | None]
    lines: Mapped[list[dict[str, Any]]]
    lead_id: Mapped[uuid.UUID | None]
    campaign_id: Mapped[uuid.UUID | None]
    lost_reason: Mapped[str | None]
    competitor: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    attention: Mapped[list[dict[str, Any]]]
    external_id: Mapped[str | None]

    @classmethod
    def create(
        cls,
        values: Mapping[str, Any],
        plan: PipelinePlan,
        moment: Moment,
        *,
        base_amount: Money | None,
        today: date,
    ) -> Self:
        """A new open deal in the stage `values["stage"]`, by default the first one of the plan.

        Raises UnknownStage, CloseDateOutOfRange.
        """
        given = dict(values)
        stage = _stage(plan, given.pop("stage", None) or plan.first.key)
        _check_close_date(given["close_date"], today)
        lists: dict[str, Any] = {"team": [], "lines": [], "attention": [], "stage_log": []}
        deal = cls(
            **{**lists, "amount_source": "manual", **given},
            status="open",
            pipeline_id=plan.pipeline_id,
            pipeline_version=plan.version,
            base_amount=base_amount,
        )
        deal.probability_overridden = False
        deal._enter(stage, moment)
        deal.record(OpportunityCreated(**deal._state(moment)))
        return deal

    @property
    def allowed(self) -> list[str]:
        """The verbs that its state allows."""
        return OPEN_VERBS if self.status == "open" else ["reopen"]

    def edit(
        self, changes: Mapping[str, Any], moment: Moment, *, base_amount: Money | None, today: date
    ) -> bool:
        """Apply `changes` to an open deal; False when nothing differs. Raises IllegalState, CloseDateOutOfRange.

        `base_amount`: the deal's amount after the change, in the base currency.
        """
        self._require("edit")
        changed = [name for name, value in changes.items() if getattr(self, name) != value]
        if "close_date" in changed:
            _check_close_date(changes["close_date"], today)
        if "amount" in changed and "amount_source" not in changes:
            self.amount_source = "manual"
        for name in changed:
            setattr(self, name, changes[name])
        self.base_amount = base_amount
        if "probability_bp" in changed:
            self.probability_overridden = True
        if changed:
            self.record(OpportunityChanged(**self._state(moment), changed_fields=changed))
        return bool(changed)

    def move(
        self, key: str, plan: PipelinePlan, moment: Moment, *, override_reason: str | None = None
    ) -> None:
        """Go to the stage `key`. Raises IllegalState, UnknownStage, StageUnreachable (unless overridden)."""
        self._require("move")
        stage = _stage(plan, key)
        if key == self.stage:
            return
        targets = plan.targets(self.stage)
        if key not in targets and override_reason is None:
            raise StageUnreachable(
                f"From {self.stage} the policy allows {', '.join(targets)}. Override with a reason if you may.",
                stage=self.stage,
                allowed_stages=targets,
            )
        self._enter(stage, moment, override_reason)
        self.record(OpportunityStageChanged(**self._state(moment), override_reason=override_reason))

    def win(
        self,
        close_date: date,
        moment: Moment,
        *,
        amount: Money,
        base_amount: Money,
        quote_id: uuid.UUID | None = None,
        order_id: uuid.UUID | None = None,
        term_months: int | None = None,
    ) -> None:
        """Close the deal as won. `base_amount`: its amount at the rate of `close_date`.

        Raises IllegalState, AccountNeeded.
        """
        self._require("win")
        if self.account_id is None:
            raise AccountNeeded("Say which account buys before you win the deal.")
        self.amount, self.base_amount = amount, base_amount
        self._close(WON, close_date, 10_000, CLOSED_CATEGORY, moment)
        self.record(
            OpportunityWon(
                **self._state(moment),
                quote_id=quote_id,
                order_id=order_id,
                contact_ids=[self.primary_contact_id] if self.primary_contact_id else [],
                term_months=term_months,
                won_at=moment.effective_at,
            )
        )

    def lose(
        self, reason: str, close_date: date, moment: Moment, *, competitor: str | None, note: str | None
    ) -> None:
        """Close the deal as lost. Raises IllegalState."""
        self._require("lose")
        self.lost_reason, self.competitor = reason, competitor
        self._close(LOST, close_date, 0, OMITTED_CATEGORY, moment)
        self.record(
            OpportunityLost(
                **self._state(moment),
                reason=reason,
                competitor_id=None,
                competitor_name=competitor,
                note=note,
                lost_at=moment.effective_at,
            )
        )

    def reopen(self, key: str, reason: str, plan: PipelinePlan, moment: Moment) -> None:
        """Open a closed deal again in the stage `key`. Raises IllegalState, UnknownStage."""
        self._require("reopen")
        previous = self.status
        self.status = "open"
        self.closed_at = self.lost_reason = self.competitor = None
        self._enter(_stage(plan, key), moment, reason)
        self.record(OpportunityReopened(**self._state(moment), previous_status=previous, reason=reason))

    def flag(self, code: str, detail: str, since: datetime) -> None:
        """Ask people to look at the deal; a code that is there already is refreshed."""
        others = [item for item in self.attention if item["code"] != code]
        self.attention = [*others, {"code": code, "since": since.isoformat(), "detail": detail}]

    def unflag(self, code: str) -> None:
        """The reason to look has gone."""
        self.attention = [item for item in self.attention if item["code"] != code]

    def _require(self, verb: str) -> None:
        if verb not in self.allowed:
            raise IllegalState(
                f"An opportunity that is {self.status} cannot {verb}.",
                state=self.status,
                allowed=self.allowed,
            )

    def _enter(self, stage: Stage, moment: Moment, reason: str | None = None) -> None:
        self.previous_stage = self.stage
        self.stage = stage.key
        self.stage_entered_at = moment.effective_at
        self.probability_bp = stage.probability_bp
        self.probability_overridden = False
        self.forecast_category = stage.forecast_category
        self._log(stage.key, moment, reason)

    def _close(
        self, status: str, close_date: date, probability_bp: int, category: str, moment: Moment
    ) -> None:
        self.status = status
        self.close_date = close_date
        self.closed_at = moment.effective_at
        self.probability_bp = probability_bp
        self.forecast_category = category
        self._log(status, moment, None)

    def _log(self, stage: str, moment: Moment, reason: str | None) -> None:
        entry = {"stage": stage, "entered_at": moment.effective_at.isoformat(), "actor_id": moment.actor_id}
        self.stage_log = [*(self.stage_log or ()), {**entry, "reason": reason}]

    def _state(self, moment: Moment) -> dict[str, Any]:
        closed = self.status != "open"
        return {
            "opportunity_id": self.id,
            "name": self.name,
            "status": self.status,
            "account_id": self.account_id,
            "account_name": self.account_name,
            "primary_contact_id": self.primary_contact_id,
            "owner_id": self.owner_id,
            "team": self.team,
            "pipeline_id": self.pipeline_id,
            "pipeline_version": self.pipeline_version,
            "stage": self.status if closed else self.stage,
            "previous_stage": self.stage if closed else self.previous_stage,
            "stage_entered_at": self.closed_at if closed else self.stage_entered_at,
            "probability_bp": self.probability_bp,
            "forecast_category": self.forecast_category,
            "amount": self.amount,
            "base_amount": self.base_amount,
            "amount_source": self.amount_source,
            "expected_budget": self.expected_budget,
            "close_date": self.close_date,
            "lead_id": self.lead_id,
            "campaign_id": self.campaign_id,
            "lines": self.lines,
            "origin": moment.origin,
            "effective_at": moment.effective_at,
        }


def _stage(plan: PipelinePlan, key: str) -> Stage:
    stage = plan.stage(key)
    if stage is None:
        raise UnknownStage.field("/stage", f"The stages are {', '.join(s.key for s in plan.stages)}.")
    return stage


def _check_close_date(day: date, today: date) -> None:
    if not date(2000, 1, 1) <= day <= date(today.year + 20, 12, 31):
        raise CloseDateOutOfRange.field(
            "/close_date", "A date from 2000 to twenty years from now is expected."
        )
