"""Read forms."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.marketing.forms.model import Form
from services.marketing.forms.repository import Forms
from shared.db.listing import Listing, Page, equals, one_of

__all__ = ["get_form", "get_open_form", "list_forms"]

_FORMS = Listing(
    select(
        Form.id,
        Form.version,
        Form.name,
        Form.is_active,
        Form.campaign_id,
        Form.duplicate_policy,
        Form.created_at,
        Form.updated_at,
    ),
    key=Form.id,
    filters={
        "is_active": equals(Form.is_active),
        "campaign_id": equals(Form.campaign_id),
        "ids": one_of(Form.id),
    },
    sorts={"name": Form.name, "created_at": Form.created_at},
    default_sort="name",
)


def list_forms(session: Session, arguments: Mapping[str, Any]) -> Page:
    """A page of forms."""
    return _FORMS.page(session, arguments)


def get_form(session: Session, form_id: uuid.UUID) -> Form:
    """One form in full. Raises NotFound."""
    return Forms(session).get(form_id)


def get_open_form(session: Session, form_id: uuid.UUID) -> Form:
    """A form as strangers may know it. Raises NotFound, also for an inactive one."""
    return Forms(session).open(form_id)
