"""Get and find quotes, their numbers and the approval rules."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import or_, select, text

from services.sales.quotes.approvals import ApprovalRule
from services.sales.quotes.model import ApprovalRuleRow, Quote
from shared.db.repository import Repository

__all__ = ["Quotes"]


class Quotes(Repository[Quote]):
    """The quotes of one session."""

    model = Quote

    def next_number(self, year: int) -> str:
        """A number that nobody has, such as `Q-2026-000123`; gaps are possible."""
        number = self.session.scalar(text("SELECT nextval('quote_numbers')"))
        return f"Q-{year}-{number:06d}"

    def primary_of(self, opportunity_id: uuid.UUID, *, lock: bool = False) -> Quote | None:
        """The quote whose net is the deal's amount. `lock`: hold its row until commit."""
        query = select(Quote).where(Quote.opportunity_id == opportunity_id, Quote.is_primary)
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        return self.session.scalar(query)

    def approval_rules(self) -> list[ApprovalRule]:
        """The rules in force."""
        rows = self.session.scalars(select(ApprovalRuleRow))
        return [
            ApprovalRule(row.level, row.min_discount_bp, row.below_margin_bp, row.above_payment_days)
            for row in rows
        ]

    def numbers_naming(self, contact_id: uuid.UUID, addresses: Sequence[str]) -> Sequence[str]:
        """The numbers of the quotes that a contact was sent or, under one of its mail addresses, has signed."""
        names = [Quote.recipients.contains([{"contact_id": str(contact_id)}])]
        for address in addresses:
            names.append(Quote.recipients.contains([{"email": address}]))
            names.append(Quote.signer.contains({"email": address}))
        query = select(Quote.number).where(or_(*names)).distinct().order_by(Quote.number)
        return self.session.scalars(query).all()
