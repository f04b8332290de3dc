"""Get and find accounts."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from sqlalchemy import bindparam, literal, select

from services.sales.accounts.model import MAX_DEPTH, Account, require_live
from shared.db.prepared import LookUp
from shared.db.repository import Repository
from shared.kernel.errors import NotFound

__all__ = ["Accounts"]

_STANDING = LookUp(
    select(Account.name, Account.status, Account.merged_into_id).where(Account.id == bindparam("id"))
)


class Accounts(Repository[Account]):
    """The accounts of one session."""

    model = Account

    def live_name(self, account_id: uuid.UUID) -> str:
        """The name of an account that new business may hang on. Raises NotFound, AccountNotLive."""
        found = _STANDING(self.session, id=account_id)
        if found is None:
            raise NotFound(f"There is no account with the id {account_id}.")
        name: str = found.name
        require_live(name, found.status, found.merged_into_id)
        return name

    def with_external_id(self, external_id: str) -> Account | None:
        """The account that an import knows as `external_id`."""
        return self.session.scalar(select(Account).where(Account.external_id == external_id))

    def by_external_ids(self, external_ids: Iterable[str | None]) -> dict[str, Account]:
        """The accounts that an import knows by these names; names that nobody has are left out."""
        found = self.session.scalars(
            select(Account).where(Account.external_id.in_(set(external_ids) - {None}))
        )
        return {account.external_id: account for account in found if account.external_id is not None}

    def ancestors(self, account_id: uuid.UUID) -> list[uuid.UUID]:
        """The account itself, its parent, and so on up; at most one more than a hierarchy may be deep."""
        chain = select(Account.id, Account.parent_id, literal(1).label("depth")).where(
            Account.id == account_id
        )
        up = chain.cte("up", recursive=True)
        up = up.union_all(
            select(Account.id, Account.parent_id, up.c.depth + 1).where(
                Account.id == up.c.parent_id, up.c.depth <= MAX_DEPTH
            )
        )
        return list(self.session.scalars(select(up.c.id).order_by(up.c.depth)))
