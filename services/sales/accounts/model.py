"""The account aggregate."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self
from urllib.parse import urlsplit

from sqlalchemy import CHAR
from sqlalchemy.orm import Mapped, mapped_column

from services.sales.accounts.errors import AccountNotLive
from services.sales.accounts.events import AccountChanged, AccountCreated
from services.sales.database import Base
from services.sales.matching import fold_company
from shared.db.base import AggregateRoot, money
from shared.kernel.money import Money

__all__ = ["FREE_MAIL_DOMAINS", "MAX_DEPTH", "Account", "domain_of", "require_live"]

MAX_DEPTH = 10
"""How many levels a hierarchy of accounts may have."""

FREE_MAIL_DOMAINS = frozenset(
    "gmail.com googlemail.com outlook.com hotmail.com live.com yahoo.com icloud.com gmx.de gmx.net web.de"
    " proton.me protonmail.com aol.com mail.ru yandex.ru qq.com 163.com".split()
)
"""Domains that say nothing about the company behind an address."""


def domain_of(website: str | None) -> str | None:
    """The host of `website` without `www.`, None where there is none or where it is a free mail provider."""
    if not website:
        return None
    host = urlsplit(website if "//" in website else f"//{website}").hostname or ""
    host = host.removeprefix("www.")
    return host if "." in host and host not in FREE_MAIL_DOMAINS else None


def require_live(name: str, status: str, merged_into_id: uuid.UUID | None) -> None:
    """Raise AccountNotLive unless new business may hang on the account of which this is told."""
    if status != "live":
        raise AccountNotLive(
            f"The account {name} is {status}. Use the account it was merged into.",
            merged_into_id=str(merged_into_id) if merged_into_id else None,
        )


class Account(AggregateRoot, Base):
    """A company we sell to. `status`: live, merged or erased; only live accounts take new business."""

    __tablename__ = "accounts"
    AGGREGATE = "account"

    name: Mapped[str]
    folded_name: Mapped[str]
    kind: Mapped[str] = mapped_column(default="prospect")
    status: Mapped[str] = mapped_column(default="live")
    parent_id: Mapped[uuid.UUID | None]
    merged_into_id: Mapped[uuid.UUID | None]
    owner_id: Mapped[uuid.UUID | None]
    industry: Mapped[str | None]
    employee_count: Mapped[int | None]
    annual_revenue: Mapped[Money | None] = money("annual_revenue", nullable=True)
    website: Mapped[str | None]
    domain: Mapped[str | None]
    tax_id: Mapped[str | None]
    tax_country: Mapped[str | None] = mapped_column(CHAR(2))
    phone: Mapped[str | None]
    currency: Mapped[str] = mapped_column(CHAR(3))
    addresses: Mapped[list[dict[str, Any]]]
    erp_number: Mapped[str | None]
    external_id: Mapped[str | None]

    @classmethod
    def create(cls, values: Mapping[str, Any], *, origin: str, now: datetime) -> Self:
        """A new live account with `values` (fields by name)."""
        account = cls(status="live", **{"kind": "prospect", "addresses": [], **values})
        account._derive()
        account.record(AccountCreated(**account._state(origin, now)))
        return account

    def edit(self, changes: Mapping[str, Any], *, origin: str, now: datetime) -> bool:
        """Apply `changes`; False when nothing differs. Raises AccountNotLive."""
        self.require_live()
        changed = [name for name, value in changes.items() if getattr(self, name) != value]
        for name in changed:
            setattr(self, name, changes[name])
        if changed:
            self._derive()
            self.record(AccountChanged(**self._state(origin, now), changed_fields=changed))
        return bool(changed)

    def link_erp(self, number: str, now: datetime) -> None:
        """The ERP knows this account as `number`, also one that was merged away meanwhile."""
        if self.erp_number != number:
            self.erp_number = number
            self.record(AccountChanged(**self._state("user", now), changed_fields=["erp_number"]))

    def require_live(self) -> None:
        """Raise AccountNotLive unless new business may hang on this account."""
        require_live(self.name, self.status, self.merged_into_id)

    def address(self, kind: str) -> dict[str, Any] | None:
        """The primary address of `kind` (billing, shipping, site), else any address of it, else the first."""
        of_kind = [a for a in self.addresses if a["type"] == kind]
        primary = [a for a in of_kind if a["is_primary"]]
        return next(iter(primary or of_kind or self.addresses), None)

    def _derive(self) -> None:
        self.domain = domain_of(self.website)
        self.folded_name = fold_company(self.name)

    def _state(self, origin: str, now: datetime) -> dict[str, Any]:
        return {
            "account_id": self.id,
            "name": self.name,
            "kind": self.kind,
            "status": self.status,
            "parent_id": self.parent_id,
            "merged_into_id": self.merged_into_id,
            "owner_id": self.owner_id,
            "industry": self.industry,
            "employee_count": self.employee_count,
            "annual_revenue": self.annual_revenue,
            "website": self.website,
            "domain": self.domain,
            "tax_id": self.tax_id,
            "tax_country": self.tax_country,
            "phone": self.phone,
            "currency": self.currency,
            "addresses": self.addresses,
            "erp_number": self.erp_number,
            "origin": origin,
            "effective_at": now,
        }
