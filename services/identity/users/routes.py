"""Users over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from services.identity.processes import staffing
from services.identity.processes.rights import explain_rights
from services.identity.users import queries, use_cases
from services.identity.users.schemas import (
    AcceptedInvitation,
    AcceptInvitation,
    DeactivateUser,
    EditUser,
    InvitationOut,
    InviteUser,
    Me,
    OrgChart,
    Rights,
    UserFilters,
    UserOut,
    UserRow,
)
from shared.db.listing import Page
from shared.web import PUBLIC, Blueprint, principal, session, unit_of_work

if TYPE_CHECKING:
    from services.identity.users.model import User

__all__ = ["blueprint", "doors", "myself"]

blueprint = Blueprint("users", __name__, url_prefix="/v1/users", description="The staff")
myself = Blueprint("myself", __name__, url_prefix="/v1", description="The caller, and who works for whom")
doors = Blueprint("doors", __name__, url_prefix="/public/v1", description="What invited people use")

# Idempotency keeps no answer that says this: what is shown once must not be stored.
_SHOWN_ONCE = {"Cache-Control": "no-store"}


@blueprint.get("", permission="user.read")
@blueprint.arguments(UserFilters, location="query")
@blueprint.page(UserRow)
def list_users(filters: dict[str, Any]) -> Page:
    """List users."""
    return queries.list_users(session(), principal(), filters)


@blueprint.post("", permission="user.invite")
@blueprint.arguments(InviteUser)
@blueprint.response(201, InvitationOut)
def invite_user(values: dict[str, Any]) -> Any:
    """Invite a user. The answer shows the token that lets them in, once."""
    return _shown(staffing.invite_user(values, unit_of_work(), by=principal()))


@blueprint.get("/<uuid:user_id>", permission="user.read")
@blueprint.response(200, UserOut)
def get_user(user_id: uuid.UUID) -> User:
    """Read a user."""
    return queries.get_user(session(), principal(), user_id)


@blueprint.patch("/<uuid:user_id>", permission="user.edit")
@blueprint.arguments(EditUser)
@blueprint.response(200, UserOut)
def edit_user(changes: dict[str, Any], user_id: uuid.UUID, expected_version: int) -> User:
    """Change a user, their manager, teams and roles."""
    return staffing.edit_user(
        user_id, changes, unit_of_work(), by=principal(), expected_version=expected_version
    )


@blueprint.post("/<uuid:user_id>/suspend", permission="user.suspend", if_match=True)
@blueprint.response(200, UserOut)
def suspend_user(user_id: uuid.UUID, expected_version: int) -> User:
    """Refuse a user for a while."""
    return use_cases.suspend_user(
        user_id, unit_of_work(), by=principal().user_id, expected_version=expected_version
    )


@blueprint.post("/<uuid:user_id>/resume", permission="user.suspend", if_match=True)
@blueprint.response(200, UserOut)
def resume_user(user_id: uuid.UUID, expected_version: int) -> User:
    """End a suspension."""
    return use_cases.resume_user(user_id, unit_of_work(), expected_version=expected_version)


@blueprint.post("/<uuid:user_id>/deactivate", permission="user.deactivate", if_match=True)
@blueprint.arguments(DeactivateUser)
@blueprint.response(200, UserOut)
def deactivate_user(command: dict[str, Any], user_id: uuid.UUID, expected_version: int) -> User:
    """Part with a user; open work goes to the successor, else to the manager."""
    return use_cases.deactivate_user(
        user_id, command["successor_id"], unit_of_work(), expected_version=expected_version
    )


@blueprint.post("/<uuid:user_id>/reactivate", permission="user.deactivate", if_match=True)
@blueprint.response(200, InvitationOut)
def reactivate_user(user_id: uuid.UUID, expected_version: int) -> Any:
    """Invite a user who had left. The answer shows the token that lets them in, once."""
    return _shown(
        staffing.reactivate_user(user_id, unit_of_work(), by=principal(), expected_version=expected_version)
    )


@blueprint.post("/<uuid:user_id>/resend-invitation", permission="user.invite", if_match=True)
@blueprint.response(200, InvitationOut)
def resend_invitation(user_id: uuid.UUID, expected_version: int) -> Any:
    """Make a new invitation; the earlier one is void."""
    return _shown(
        staffing.resend_invitation(user_id, unit_of_work(), by=principal(), expected_version=expected_version)
    )


@blueprint.get("/<uuid:user_id>/effective-permissions", permission="user.read")
@blueprint.response(200, Rights)
def get_effective_permissions(user_id: uuid.UUID) -> dict[str, Any]:
    """What a user may do, how far, and which of their roles say so."""
    user = queries.get_user(session(), principal(), user_id)
    return {"items": explain_rights(session(), user)}


@myself.get("/me", permission="me.read")
@myself.response(200, Me)
def get_me() -> dict[str, Any]:
    """Who is asking, and what the access token permits."""
    caller = principal()
    return {
        "subject": caller.subject,
        "kind": caller.kind,
        "client_id": caller.client_id,
        "permissions": dict(caller.permissions),
        "user": queries.find_user(session(), caller.user_id) if caller.kind == "staff" else None,
    }


@myself.get("/org-chart", permission="user.read")
@myself.response(200, OrgChart)
def get_org_chart() -> dict[str, Any]:
    """Who reports to whom, among those the caller may see; each followed by their reports."""
    return {"items": queries.org_chart(session(), principal())}


@doors.post("/invitations/accept", permission=PUBLIC)
@doors.arguments(AcceptInvitation)
@doors.response(200, AcceptedInvitation)
def accept_invitation(command: dict[str, Any]) -> User:
    """Take up an invitation."""
    return use_cases.accept_invitation(command["token"], unit_of_work())


def _shown(invitation: use_cases.Invitation) -> Any:
    user = invitation.user
    answer = {name: getattr(user, name) for name in UserOut().fields}
    answer |= {"invitation_token": invitation.token, "invitation_expires_at": user.invitation_expires_at}
    return answer, _SHOWN_ONCE
