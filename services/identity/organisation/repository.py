"""Get the company."""

from __future__ import annotations

from sqlalchemy import select

from services.identity.organisation.model import Organisation
from shared.db.repository import Repository
from shared.kernel.errors import NotFound

__all__ = ["Organisations"]


class Organisations(Repository[Organisation]):
    """The one company of the installation."""

    model = Organisation

    def only(self) -> Organisation:
        """The company. Raises NotFound before the first run."""
        found = self.if_founded()
        if found is None:
            raise NotFound("The installation has not been set up: run migrate.")
        return found

    def if_founded(self) -> Organisation | None:
        """The company, None before the first run."""
        return self.session.scalar(select(Organisation))
