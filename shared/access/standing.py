"""What a service knows of a token's subject that the token itself cannot say: whether it still stands."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from shared.access.principal import Principal

__all__ = ["Standing", "standing_of"]

# One statement, whatever it has to look at: every process asks it per caller every few seconds.
_STANDING = text("""
SELECT coalesce((SELECT epoch FROM principals WHERE id = :subject), 0) AS epoch,
       NOT EXISTS (
           SELECT FROM principals WHERE NOT active AND (id = :subject OR client_id = :client_id)
       ) AS active,
       (SELECT coalesce(jsonb_object_agg(name, role_version), '{}') FROM role_versions) AS role_versions,
       ARRAY(SELECT session_id FROM revoked_sessions WHERE subject_id = :subject) AS revoked_sessions
""")


@dataclass(frozen=True, slots=True)
class Standing:
    """`epoch`: tokens of an earlier one are void. `active`: neither the subject nor the client that got the token is
    suspended, gone or disabled. `role_versions`: the newest of every role by name. `revoked_sessions`: the subject's
    sessions that ended early."""

    epoch: int
    active: bool
    role_versions: Mapping[str, int]
    revoked_sessions: frozenset[uuid.UUID]

    def holds(self, principal: Principal) -> bool:
        """Whether the rights in `principal`'s token are those of today. What is not known here yet holds."""
        return principal.epoch >= self.epoch and all(
            version >= self.role_versions.get(name, version) for name, version in principal.roles.items()
        )


def standing_of(principal: Principal, connection: Connection) -> Standing:
    """What the local copy says of `principal` now, in one statement."""
    try:
        subject = uuid.UUID(principal.subject)
    except ValueError:
        subject = None
    row = connection.execute(_STANDING, {"subject": subject, "client_id": principal.client_id}).one()
    return Standing(row.epoch, row.active, row.role_versions, frozenset(row.revoked_sessions))
