"""What callers send and get of API clients."""

from __future__ import annotations

from marshmallow import validate

from shared.web import Schema, fields

__all__ = [
    "ApiClientFilters",
    "ApiClientOut",
    "ApiClientRow",
    "ApiClientWithSecret",
    "CreateApiClient",
    "EditApiClient",
    "RotateSecret",
]

_STATES = ("active", "disabled")
_RATE_CLASSES = ("standard", "bulk")
_AUDIENCES = ("crm", "identity", "sales", "marketing", "support", "fieldservice", "analytics", "erp", "web")
_CLIENT_ID = validate.Regexp(r"^[a-z][a-z0-9-]{2,63}\Z", error="Lower case letters, digits and dashes.")


class EditApiClient(Schema):
    """The fields to change; those left out stay as they are."""

    name = fields.Text(120)
    scopes = fields.List(fields.Text(80), validate=validate.Length(1, 200))
    audiences = fields.List(
        fields.Enum(*_AUDIENCES),
        validate=validate.Length(1, len(_AUDIENCES)),
        metadata={"description": "The services that take its tokens; crm is all of them"},
    )
    rate_class = fields.Enum(*_RATE_CLASSES)


class CreateApiClient(EditApiClient):
    client_id = fields.String(validate=_CLIENT_ID, load_default=None, allow_none=True)
    name = fields.Text(120, required=True)
    scopes = fields.List(fields.Text(80), required=True, validate=validate.Length(1, 200))
    audiences = fields.List(
        fields.Enum(*_AUDIENCES), load_default=lambda: ["crm"], validate=validate.Length(1, len(_AUDIENCES))
    )
    rate_class = fields.Enum(*_RATE_CLASSES, load_default="standard")


class RotateSecret(Schema):
    end_others = fields.Boolean(
        load_default=False, metadata={"description": "End the present secrets at once, for one that leaked"}
    )


class LiveSecret(Schema):
    hint = fields.String(metadata={"description": "The last four characters"})
    created_at = fields.String(metadata={"format": "date-time"})


class ApiClientRow(Schema):
    id = fields.Id()
    version = fields.Integer()
    client_id = fields.String()
    name = fields.String()
    scopes = fields.List(fields.String())
    audiences = fields.List(fields.String())
    rate_class = fields.String()
    subject_id = fields.Id(
        allow_none=True, metadata={"description": "The user it acts as, outside production"}
    )
    secrets = fields.List(fields.Nested(LiveSecret))
    state = fields.Enum(*_STATES)
    epoch = fields.Integer()
    created_at = fields.Timestamp()
    updated_at = fields.Timestamp()


class ApiClientOut(ApiClientRow):
    allowed = fields.List(fields.String())


class ApiClientWithSecret(ApiClientOut):
    """The client, and its secret; it is shown this once."""

    client_secret = fields.String()


class ApiClientFilters(Schema):
    client_id = fields.String(validate=_CLIENT_ID)
    state = fields.Enum(*_STATES)
    ids = fields.List(fields.Id(), validate=validate.Length(max=200))
    sort = fields.Sort("client_id", "created_at", default="client_id")
