"""The company's own settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from sqlalchemy import CHAR
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.database import Base
from services.identity.organisation.events import OrganisationChanged
from shared.db.base import AggregateRoot

__all__ = ["Organisation"]


class Organisation(AggregateRoot, Base):
    """The one company. `base_currency`: what reports convert to; `company_zone`: where its days begin."""

    __tablename__ = "organisations"
    AGGREGATE = "organisation"

    name: Mapped[str]
    base_currency: Mapped[str] = mapped_column(CHAR(3))
    company_zone: Mapped[str]
    fiscal_year_start_month: Mapped[int]

    @classmethod
    def found(cls) -> Self:
        """The company as it is until somebody says more."""
        company = cls(name="Our company", base_currency="EUR", company_zone="UTC", fiscal_year_start_month=1)
        company._record()
        return company

    def edit(self, changes: Mapping[str, Any]) -> None:
        """Apply `changes`; nothing is recorded when nothing differs."""
        changed = [name for name, value in changes.items() if getattr(self, name) != value]
        for name in changed:
            setattr(self, name, changes[name])
        if changed:
            self._record()

    def _record(self) -> None:
        self.record(
            OrganisationChanged(
                organisation_id=self.id,
                name=self.name,
                base_currency=self.base_currency,
                company_zone=self.company_zone,
                fiscal_year_start_month=self.fiscal_year_start_month,
            )
        )
