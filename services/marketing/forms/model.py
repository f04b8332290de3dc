"""The form aggregate."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Self

from sqlalchemy.orm import Mapped, mapped_column

from services.marketing.database import Base
from services.marketing.forms.errors import HoneypotIsField
from shared.db.base import AggregateRoot

__all__ = ["Form"]


class Form(AggregateRoot, Base):
    """A form on a web page. `fields` maps its field names to fields of a lead; people do not see the one called
    `honeypot`. `duplicate_policy` says what becomes of a person who is known: reject, link or create_flagged."""

    __tablename__ = "forms"
    AGGREGATE = "form"

    name: Mapped[str]
    is_active: Mapped[bool] = mapped_column(default=True)
    fields: Mapped[dict[str, Any]]
    campaign_id: Mapped[uuid.UUID | None]
    owner_team_id: Mapped[uuid.UUID | None]
    behaviour_type: Mapped[str]
    honeypot: Mapped[str]
    min_fill_seconds: Mapped[float]
    duplicate_policy: Mapped[str]
    consent_text_version: Mapped[str | None]

    @classmethod
    def create(cls, values: Mapping[str, Any]) -> Self:
        """A new form. Raises HoneypotIsField."""
        form = cls(**values)
        form._check()
        return form

    def edit(self, changes: Mapping[str, Any]) -> None:
        """Apply `changes`. Raises HoneypotIsField."""
        for name, value in changes.items():
            setattr(self, name, value)
        self._check()

    def read(self, sent: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
        """The lead fields in what was sent, and the names of what this form does not know."""
        known = {target: sent[name] for name, target in self.fields.items() if sent.get(name)}
        return known, sorted(name for name in sent if name not in self.fields and name != self.honeypot)

    def _check(self) -> None:
        if self.honeypot in self.fields:
            raise HoneypotIsField.field("/honeypot", f"{self.honeypot} is a field that people fill in.")
