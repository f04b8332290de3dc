"""Invite, change and part with users.

Roles and teams belong to other slices: `processes/staffing.py` checks them before it comes here.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.identity.database import lock_organisation
from services.identity.grants import ADMIN
from services.identity.org_tree import refuse_move
from services.identity.users.errors import (
    EmailTaken,
    InvitationSpent,
    LastAdmin,
    ManagerRing,
    NotOneself,
    SuccessorNotActive,
    UnknownManager,
)
from services.identity.users.model import User, invitation_digest, normal_email
from services.identity.users.repository import Users
from shared.db.unit_of_work import UnitOfWork

__all__ = [
    "Invitation",
    "accept_invitation",
    "deactivate_user",
    "edit_user",
    "invite_user",
    "reactivate_user",
    "resend_invitation",
    "resume_user",
    "suspend_user",
]


@dataclass(frozen=True, slots=True)
class Invitation:
    """What lets an invited user in, once. The token is shown here and never again."""

    user: User
    token: str


def invite_user(values: Mapping[str, Any], uow: UnitOfWork) -> Invitation:
    """Invite a user. Raises EmailTaken, UnknownManager, ManagerRing."""
    with uow:
        lock_organisation(uow.session)
        users = Users(uow.session)
        given = {**values, "email": normal_email(values["email"])}
        _check_email(users, given["email"])
        token = _new_token()
        user = User.invite(given, token, uow.clock.now())
        if user.manager_id is not None:
            _check_manager(users, user.id, user.manager_id)
        return Invitation(users.add(user), token)


def accept_invitation(token: str, uow: UnitOfWork) -> User:
    """Let an invited user in. Raises InvitationSpent."""
    with uow:
        user = Users(uow.session).with_invitation(invitation_digest(token))
        if user is None:
            raise InvitationSpent("Ask an administrator to send the invitation again.")
        user.accept(uow.clock.now())
        return user


def resend_invitation(user_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int | None) -> Invitation:
    """A new invitation; the earlier one is void. Raises NotFound, Stale, IllegalState."""
    with uow:
        user = Users(uow.session).get(user_id, expected_version=expected_version)
        token = _new_token()
        user.resend_invitation(token, uow.clock.now())
        return Invitation(user, token)


def edit_user(
    user_id: uuid.UUID, changes: Mapping[str, Any], uow: UnitOfWork, *, expected_version: int | None
) -> User:
    """Change fields of a user. Raises NotFound, Stale, EmailTaken, UnknownManager, ManagerRing, LastAdmin."""
    with uow:
        lock_organisation(uow.session)
        users = Users(uow.session)
        user = users.get(user_id, expected_version=expected_version)
        given = dict(changes)
        if "email" in given:
            given["email"] = normal_email(given["email"])
            if given["email"] != user.email:
                _check_email(users, given["email"])
        if given.get("manager_id") is not None and given["manager_id"] != user.manager_id:
            _check_manager(users, user.id, given["manager_id"])
        if ADMIN not in given.get("role_names", [ADMIN]):
            _check_not_last_admin(users, user)
        user.edit(given)
        return user


def suspend_user(
    user_id: uuid.UUID, uow: UnitOfWork, *, by: uuid.UUID | None, expected_version: int | None
) -> User:
    """Refuse a user for a while. Raises NotFound, Stale, IllegalState, NotOneself, LastAdmin."""
    with uow:
        lock_organisation(uow.session)
        users = Users(uow.session)
        user = users.get(user_id, expected_version=expected_version)
        if user.id == by:
            raise NotOneself("Ask another administrator to suspend you.")
        _check_not_last_admin(users, user)
        user.suspend()
        return user


def resume_user(user_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int | None) -> User:
    """End a suspension. Raises NotFound, Stale, IllegalState."""
    with uow:
        user = Users(uow.session).get(user_id, expected_version=expected_version)
        user.resume()
        return user


def deactivate_user(
    user_id: uuid.UUID, successor_id: uuid.UUID | None, uow: UnitOfWork, *, expected_version: int | None
) -> User:
    """Part with a user; their reports report to their manager from now on.

    Raises NotFound, Stale, IllegalState, LastAdmin, SuccessorNotActive.
    """
    with uow:
        lock_organisation(uow.session)
        users = Users(uow.session)
        user = users.get(user_id, expected_version=expected_version)
        _check_not_last_admin(users, user)
        if successor_id is not None:
            successor = users.find(successor_id)
            if successor is None or successor.state != "active" or successor is user:
                raise SuccessorNotActive.field("/successor_id", "Name another user who is active.")
        user.deactivate(successor_id)
        for report in users.reports_of(user.id):
            report.edit({"manager_id": user.manager_id})
        return user


def reactivate_user(user_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int | None) -> Invitation:
    """Invite a user who had left. Raises NotFound, Stale, IllegalState, UnknownManager."""
    with uow:
        lock_organisation(uow.session)
        users = Users(uow.session)
        user = users.get(user_id, expected_version=expected_version)
        token = _new_token()
        user.reactivate(token, uow.clock.now())
        if user.manager_id is not None:
            _check_manager(users, user.id, user.manager_id)
        return Invitation(user, token)


def _new_token() -> str:
    return secrets.token_urlsafe(32)


def _check_email(users: Users, email: str) -> None:
    if users.with_email(email) is not None:
        raise EmailTaken("A user with this e-mail address exists. Change or reactivate that one.")


def _check_manager(users: Users, user_id: uuid.UUID, manager_id: uuid.UUID) -> None:
    manager = users.find(manager_id) if manager_id != user_id else None
    if manager_id != user_id and (manager is None or manager.has_left):
        raise UnknownManager.field("/manager_id", "Name a user who has not left.")
    refusal = refuse_move(users.managers(), user_id, manager_id)
    if refusal is not None:
        raise ManagerRing.field("/manager_id", refusal)


def _check_not_last_admin(users: Users, user: User) -> None:
    if user.is_active_admin and not users.has_other_active_admin(user.id):
        raise LastAdmin("Make another active user an administrator first.")
