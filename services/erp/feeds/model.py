"""The cursor of a feed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from services.erp.database import Base

__all__ = ["ORDERS", "Feed"]

ORDERS = "orders"


class Feed(Base):
    """Where reading goes on; `cursor` is the ERP's own text, None before the first answer."""

    __tablename__ = "feeds"

    entity: Mapped[str] = mapped_column(primary_key=True)
    cursor: Mapped[str | None]
    moved_at: Mapped[datetime | None]
