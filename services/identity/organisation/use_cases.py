"""Change the company's settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.identity.organisation.model import Organisation
from services.identity.organisation.repository import Organisations
from shared.db.unit_of_work import UnitOfWork

__all__ = ["edit_organisation"]


def edit_organisation(
    changes: Mapping[str, Any], uow: UnitOfWork, *, expected_version: int | None
) -> Organisation:
    """Change settings. Raises NotFound before the first run, Stale."""
    with uow:
        company = Organisations(uow.session).only()
        company.check_version(expected_version)
        company.edit(changes)
        return company
