"""Create and change forms."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from services.marketing.forms.model import Form
from services.marketing.forms.repository import Forms
from shared.db.unit_of_work import UnitOfWork

__all__ = ["create_form", "edit_form"]


def create_form(values: Mapping[str, Any], uow: UnitOfWork) -> Form:
    """Create a form. Raises HoneypotIsField."""
    with uow:
        return Forms(uow.session).add(Form.create(values))


def edit_form(
    form_id: uuid.UUID, changes: Mapping[str, Any], uow: UnitOfWork, *, expected_version: int
) -> Form:
    """Change a form. Raises NotFound, Stale, HoneypotIsField."""
    with uow:
        form = Forms(uow.session).get(form_id, expected_version=expected_version)
        form.edit(changes)
        return form
