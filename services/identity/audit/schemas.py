"""What callers send and get of the audit log."""

from __future__ import annotations

from shared.web import Schema, fields

__all__ = ["AuditEntry", "AuditFilters", "AuditVerdict"]


class AuditEntry(Schema):
    seq = fields.Integer(
        allow_none=True,
        metadata={"description": "Place in the chain; null until it is sealed, within a second"},
    )
    at = fields.Timestamp()
    actor = fields.String()
    action = fields.String()
    object = fields.String()
    details = fields.Dict(metadata={"description": "Ids and field names, never values of personal data"})


class AuditFilters(Schema):
    actor = fields.Text(200)
    object = fields.Text(200)
    action = fields.Text(80)
    at_gte = fields.Timestamp()
    at_lte = fields.Timestamp()
    sort = fields.Sort("at", default="-at")


class AuditVerdict(Schema):
    intact = fields.Boolean()
    first_broken_seq = fields.Integer(allow_none=True)
    sealed = fields.Integer(metadata={"description": "Entries in the chain"})
    pending = fields.Integer(metadata={"description": "Entries that wait for their place in it"})
