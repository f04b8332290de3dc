"""Get and find contracts, entitlements and pending order facts."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date

from sqlalchemy import select, text

from services.support.contracts.model import Contract, Entitlement, LedgerEntry, PendingOrderFact
from shared.db.repository import Repository

__all__ = ["Contracts", "Entitlements"]


class Contracts(Repository[Contract]):
    """The contracts of one session."""

    model = Contract

    def next_number(self, year: int) -> str:
        """A number that nobody has, such as `C-2026-000123`; gaps are possible."""
        number = self.session.scalar(text("SELECT nextval('contract_numbers')"))
        return f"C-{year}-{number:06d}"

    def of_order(self, order_id: uuid.UUID) -> Contract | None:
        """The contract that an order brought, locked."""
        return self.session.scalar(select(Contract).where(Contract.order_id == order_id).with_for_update())

    def standing_of_opportunity(self, opportunity_id: uuid.UUID) -> Contract | None:
        """The deal's contract that is neither cancelled nor expired, locked."""
        query = select(Contract).where(
            Contract.opportunity_id == opportunity_id, Contract.state.not_in(["cancelled", "expired"])
        )
        return self.session.scalar(query.with_for_update())

    def covering(
        self, account_id: uuid.UUID, product_id: uuid.UUID | None, asset_id: uuid.UUID | None, day: date
    ) -> Contract | None:
        """The active contract that covers the asset, the product or the account as a whole, oldest first."""
        active = select(Contract).where(
            Contract.account_id == account_id,
            Contract.state == "active",
            Contract.starts_on <= day,
            Contract.ends_on >= day,
        )
        for contract in self.session.scalars(active.order_by(Contract.created_at, Contract.id)):
            for line in contract.lines:
                about = (line["covered_asset_id"], line["covered_product_id"])
                wanted = {str(asset_id), str(product_id)}
                if not line["struck"] and (about == (None, None) or wanted.intersection(about)):
                    return contract
        return None

    def pending(self, order_id: uuid.UUID) -> Sequence[PendingOrderFact]:
        """What was heard about the order before its win, oldest first."""
        query = select(PendingOrderFact).where(PendingOrderFact.order_id == order_id)
        return self.session.scalars(query.order_by(PendingOrderFact.at)).all()


class Entitlements(Repository[Entitlement]):
    """The entitlements of one session."""

    model = Entitlement

    def of_contract(self, contract_id: uuid.UUID, kind: str) -> Entitlement | None:
        """The contract's entitlement of a kind, locked."""
        query = select(Entitlement).where(Entitlement.contract_id == contract_id, Entitlement.kind == kind)
        return self.session.scalar(query.with_for_update())

    def entry(self, entitlement_id: uuid.UUID, kind: str, source: str, source_id: str) -> LedgerEntry | None:
        """The movement that a source has made before."""
        return self.session.scalar(
            select(LedgerEntry).where(
                LedgerEntry.entitlement_id == entitlement_id,
                LedgerEntry.kind == kind,
                LedgerEntry.source == source,
                LedgerEntry.source_id == source_id,
            )
        )
