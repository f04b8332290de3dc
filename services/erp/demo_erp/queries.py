"""Read what the demo ERP holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.erp.demo_erp.model import DemoDocument, DemoScript
from shared.db.listing import Listing, Page, equals

__all__ = ["list_documents", "list_scripts"]

_DOCUMENTS = Listing(
    select(
        DemoDocument.id,
        DemoDocument.reference,
        DemoDocument.order_number,
        DemoDocument.customer_id,
        DemoDocument.customer,
        DemoDocument.state,
        DemoDocument.revision,
        DemoDocument.currency,
        DemoDocument.lines,
        DemoDocument.net,
        DemoDocument.tax,
        DemoDocument.gross,
        DemoDocument.due,
        DemoDocument.shipments,
        DemoDocument.invoices,
        DemoDocument.payments,
        DemoDocument.created_at,
        DemoDocument.changed_at,
    ),
    key=DemoDocument.id,
    filters={
        "reference": equals(DemoDocument.reference),
        "state": equals(DemoDocument.state),
    },
    sorts={"created_at": DemoDocument.created_at},
)
_SCRIPTS = Listing(
    select(
        DemoScript.id,
        DemoScript.field,
        DemoScript.value,
        DemoScript.action,
        DemoScript.on,
        DemoScript.parameters,
        DemoScript.remaining,
        DemoScript.down_until,
    ),
    key=DemoScript.id,
    sorts={"id": DemoScript.id},
    default_sort="id",
)


def list_documents(session: Session, arguments: Mapping[str, Any]) -> Page:
    """A page of documents, cancelled ones too."""
    return _DOCUMENTS.page(session, arguments)


def list_scripts(session: Session, arguments: Mapping[str, Any]) -> Page:
    """A page of scripts, in the order in which they are looked at."""
    return _SCRIPTS.page(session, arguments)
