"""Locks on names: one transaction at a time, and only for as long as it lasts."""

from __future__ import annotations

from shared.db.locks import hold, try_hold
from shared.service import Runtime


def test_a_name_is_held_until_the_end_of_the_transaction(erp: Runtime) -> None:
    with erp.database.session() as one, erp.database.session() as other:
        hold(one, "mailbox a")
        assert try_hold(one, "mailbox a")
        assert not try_hold(other, "mailbox a")
        assert try_hold(other, "mailbox b")
        one.rollback()
        assert try_hold(other, "mailbox a")
