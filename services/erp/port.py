"""What the connector asks of an ERP. A port speaks one ERP's language; everything else speaks this one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from services.erp.canonical_order import ErpOrder
from services.erp.erp_document import ErpDocument

__all__ = ["Answer", "Changes", "ErpPort", "NotReached", "Ok", "Refused", "Unknown"]


@dataclass(frozen=True, slots=True)
class Ok:
    """The ERP did it, or told it."""

    value: Any


@dataclass(frozen=True, slots=True)
class Refused:
    """The ERP decided against it: `code` for machines, `text` in its own words."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows whether it took effect: a timeout, a cut connection, a 5xx, an answer that makes no sense."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotReached:
    """The request certainly never got there."""

    reason: str


Answer = Ok | Refused | Unknown | NotReached


@dataclass(frozen=True, slots=True)
class Changes:
    """Documents that changed, oldest first, and where to go on."""

    documents: tuple[ErpDocument, ...]
    cursor: str


class ErpPort(Protocol):
    """One ERP. Every method makes at most one call and never raises for what the ERP does."""

    price_digits: int
    """How many decimals a unit price may have."""

    def find_by_reference(self, order_id: str) -> Answer:
        """The live document of our order: Ok of an ErpDocument, or of None. Refused `duplicate_in_erp` where there
        are several."""
        ...

    def create(self, order: ErpOrder) -> Answer:
        """Make a quotation that bears the order's id: Ok of its ErpDocument."""
        ...

    def advance(self, erp_id: str, step: str) -> Answer:
        """`confirm` or `cancel` a document: Ok of its ErpDocument."""
        ...

    def changes_since(self, cursor: str | None) -> Answer:
        """Ok of the Changes after `cursor`, from the beginning where it is None."""
        ...
