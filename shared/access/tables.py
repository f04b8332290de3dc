"""The local copy of people, machines, teams and revocations that every service keeps, so that it decides by itself
who gets in and who sees what."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, Integer, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY

from shared.db.plumbing import METADATA

__all__ = ["PRINCIPALS", "REVOKED_SESSIONS", "ROLE_VERSIONS", "TEAMS"]

PRINCIPALS = Table(
    "principals",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("client_id", Text),
    Column("display_name", Text, nullable=False),
    Column("email", Text),
    Column("manager_id", Uuid, index=True),
    Column("team_ids", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("active", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
    Index("ix_principals_team_ids", "team_ids", postgresql_using="gin"),
    Index("ix_principals_client_id", "client_id", postgresql_where=text("client_id IS NOT NULL")),
)

TEAMS = Table(
    "teams",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("parent_id", Uuid, index=True),
    Column("lead_id", Uuid, index=True),
    Column("member_ids", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),
    Column("version", BigInteger, nullable=False),
    Index("ix_teams_member_ids", "member_ids", postgresql_using="gin"),
)

ROLE_VERSIONS = Table(
    "role_versions",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("role_id", Uuid, nullable=False),
    Column("role_version", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
)

REVOKED_SESSIONS = Table(
    "revoked_sessions",
    METADATA,
    Column("session_id", Uuid, primary_key=True),
    Column("subject_id", Uuid, nullable=False, index=True),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)
