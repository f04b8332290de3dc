"""The declarative base of the marketing database."""

from __future__ import annotations

from sqlalchemy.orm import DeclarativeBase

from shared.db.base import TYPES, new_metadata

__all__ = ["Base"]


class Base(DeclarativeBase):
    """Base of all mapped classes of marketing."""

    metadata = new_metadata()
    type_annotation_map = TYPES
