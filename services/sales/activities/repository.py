"""Get activities."""

from __future__ import annotations

from services.sales.activities.model import Activity
from shared.db.repository import Repository

__all__ = ["Activities"]


class Activities(Repository[Activity]):
    """The activities of one session."""

    model = Activity
