"""The local copy of people and teams that every service keeps, so that it decides by itself who sees what."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY

from shared.db.plumbing import METADATA

__all__ = ["PRINCIPALS", "TEAMS"]

PRINCIPALS = Table(
    "principals",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("email", Text),
    Column("manager_id", Uuid, index=True),
    Column("team_ids", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("active", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
    Index("ix_principals_team_ids", "team_ids", postgresql_using="gin"),
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
