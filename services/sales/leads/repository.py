"""Get leads."""

from __future__ import annotations

from services.sales.leads.model import Lead
from shared.db.repository import Repository

__all__ = ["Leads"]


class Leads(Repository[Lead]):
    """The leads of one session."""

    model = Lead
