"""Read mapping tables."""

from __future__ import annotations

from datetime import date

from sqlalchemy.orm import Session

from services.erp.canonical_order import Translations
from services.erp.mappings.model import MappingTable
from services.erp.mappings.repository import MappingTables

__all__ = ["get_mapping", "translations"]


def get_mapping(session: Session, kind: str) -> MappingTable:
    """The table of `kind`. Raises NotFound."""
    return MappingTables(session).of_kind(kind)


def translations(session: Session, day: date) -> Translations:
    """All tables as they hold on `day`."""
    tables = MappingTables(session).every()
    return Translations.on(day, {t.kind: (t.version, t.keeps_unknown, t.entries) for t in tables})
