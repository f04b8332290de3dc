"""Get and find forms."""

from __future__ import annotations

import uuid

from services.marketing.forms.model import Form
from shared.db.repository import Repository
from shared.kernel.errors import NotFound

__all__ = ["Forms"]


class Forms(Repository[Form]):
    """The forms of one session."""

    model = Form

    def open(self, form_id: uuid.UUID) -> Form:
        """A form that takes submissions. Raises NotFound, the same for unknown and inactive ones."""
        form = self.find(form_id, where=Form.is_active.is_(True))
        if form is None:
            raise NotFound("There is no such form, or not any more.")
        return form
