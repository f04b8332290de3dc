"""The lead aggregate: marketing's offer, and what we answered."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from sqlalchemy.orm import Mapped

from services.sales.database import Base
from services.sales.leads.errors import AlreadyAccepted
from services.sales.leads.events import LeadAccepted, LeadErased, LeadReturned
from shared.db.base import AggregateRoot
from shared.kernel.errors import IllegalState

__all__ = ["RETURN_REASONS", "Lead"]

RETURN_REASONS = ("not_now", "wrong_person", "no_budget", "unreachable", "not_genuine")
_JUDGEMENT = ("score", "grade", "temperature", "probability_bp")


class Lead(AggregateRoot, Base):
    """States: offered -> accepted | returned | withdrawn; a higher handover offers it anew, never after accepted.

    The id is marketing's. Marketing decides who owns the offer: a higher `handover_no` re-owns it, an equal or
    lower one only refreshes the judgement. `attention`: {code, since, detail}, once per code and handover.
    """

    __tablename__ = "leads"
    AGGREGATE = "lead"

    state: Mapped[str]
    handover_no: Mapped[int]
    accept_by: Mapped[datetime | None]
    owner_id: Mapped[uuid.UUID | None]
    owner_team_id: Mapped[uuid.UUID | None]
    person: Mapped[dict[str, Any]]
    company: Mapped[dict[str, Any]]
    score: Mapped[int | None]
    grade: Mapped[str | None]
    temperature: Mapped[str | None]
    probability_bp: Mapped[int | None]
    product_group: Mapped[str | None]
    interest: Mapped[str | None]
    source: Mapped[str]
    campaign_id: Mapped[uuid.UUID | None]
    account_id: Mapped[uuid.UUID | None]
    contact_id: Mapped[uuid.UUID | None]
    opportunity_id: Mapped[uuid.UUID | None]
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[uuid.UUID | None]
    return_reason: Mapped[str | None]
    return_note: Mapped[str | None]
    attention: Mapped[list[dict[str, Any]]]

    @classmethod
    def offered(cls, lead_id: uuid.UUID, offer: Mapping[str, Any]) -> Self:
        """A lead's first handover. `offer`: the fields that marketing tells."""
        return cls(id=lead_id, state="offered", attention=[], **offer)

    @property
    def allowed(self) -> list[str]:
        """The verbs that its state allows."""
        return ["accept", "return"] if self.state == "offered" else []

    def offer(self, offer: Mapping[str, Any]) -> bool:
        """Another handover, or the same one told again. True when it is on offer anew."""
        if self.state == "accepted":
            return False
        is_new = offer["handover_no"] > self.handover_no
        for name in offer if is_new else _JUDGEMENT:
            setattr(self, name, offer[name])
        if is_new:
            self.state, self.attention = "offered", []
            self.settled_at = self.settled_by = self.return_reason = self.return_note = None
        return is_new

    def accept(
        self,
        accepted_by: uuid.UUID,
        now: datetime,
        *,
        account_id: uuid.UUID,
        contact_id: uuid.UUID,
        opportunity_id: uuid.UUID | None,
    ) -> None:
        """Take it over as these records. Raises AlreadyAccepted, IllegalState."""
        self.require_open("accept")
        self.owner_id = self.owner_id or accepted_by
        self.account_id, self.contact_id, self.opportunity_id = account_id, contact_id, opportunity_id
        self._settle("accepted", accepted_by, now)
        self.record(
            LeadAccepted(
                lead_id=self.id,
                handover_no=self.handover_no,
                campaign_id=self.campaign_id,
                accepted_by=accepted_by,
                owner_id=self.owner_id,
                account_id=account_id,
                contact_id=contact_id,
                opportunity_id=opportunity_id,
                origin="user",
                effective_at=now,
            )
        )

    def give_back(self, reason: str, note: str | None, returned_by: uuid.UUID, now: datetime) -> None:
        """Return it to marketing. Raises AlreadyAccepted, IllegalState."""
        self.require_open("return")
        self.return_reason, self.return_note = reason, note
        self._settle("returned", returned_by, now)
        self.record(
            LeadReturned(
                lead_id=self.id,
                handover_no=self.handover_no,
                campaign_id=self.campaign_id,
                returned_by=returned_by,
                reason=reason,
                note=note,
                origin="user",
                effective_at=now,
            )
        )

    def withdraw(self) -> None:
        """Marketing takes the offer back; what was settled here stays."""
        if self.state == "offered":
            self.state, self.attention = "withdrawn", []

    def erase(self, now: datetime) -> None:
        """Blank what says who the person is, as marketing has."""
        self.person = dict.fromkeys(self.person)
        self.interest = self.return_note = None
        self.record(LeadErased(lead_id=self.id, erased_at=now, origin="user", effective_at=now))

    def flag(self, code: str, detail: str, now: datetime) -> None:
        """Ask people to look, while it is on offer."""
        if self.state == "offered" and all(item["code"] != code for item in self.attention):
            self.attention = [*self.attention, {"code": code, "since": now.isoformat(), "detail": detail}]

    def require_open(self, verb: str) -> None:
        """Raise AlreadyAccepted or IllegalState unless it is on offer."""
        if self.state == "accepted":
            raise AlreadyAccepted(
                "The lead was accepted already: go on with what came of it.",
                account_id=str(self.account_id),
                contact_id=str(self.contact_id),
                opportunity_id=str(self.opportunity_id) if self.opportunity_id else None,
            )
        if verb not in self.allowed:
            raise IllegalState(
                f"A lead that is {self.state} does not allow: {verb}.", state=self.state, allowed=self.allowed
            )

    def _settle(self, state: str, settled_by: uuid.UUID, now: datetime) -> None:
        self.state, self.attention = state, []
        self.settled_at, self.settled_by = now, settled_by
