"""Read technicians."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from services.fieldservice.technicians.model import Technician
from services.fieldservice.technicians.repository import Technicians
from shared.db.listing import Listing, Page, equals, one_of

__all__ = ["get_technician", "list_technicians"]

_TECHNICIANS = Listing(
    select(
        Technician.id,
        Technician.version,
        Technician.user_id,
        Technician.technician_no,
        Technician.display_name,
        Technician.time_zone,
        Technician.skills,
        Technician.active,
        Technician.created_at,
        Technician.updated_at,
    ),
    key=Technician.id,
    filters={
        "user_id": equals(Technician.user_id),
        "active": equals(Technician.active),
        "skill": lambda skill: Technician.skills.contains(literal([{"skill": skill}], JSONB())),
        "ids": one_of(Technician.id),
    },
    sorts={"created_at": Technician.created_at, "display_name": Technician.display_name},
)


def list_technicians(session: Session, arguments: Mapping[str, Any]) -> Page:
    """A page of technicians."""
    return _TECHNICIANS.page(session, arguments)


def get_technician(session: Session, technician_id: uuid.UUID) -> Technician:
    """One technician. Raises NotFound."""
    return Technicians(session).get(technician_id)
