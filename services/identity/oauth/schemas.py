"""What the token endpoint takes and answers (RFC 6749, 8414, 8693)."""

from __future__ import annotations

from shared.web import OpenSchema, Schema, fields

__all__ = ["Metadata", "OAuthError", "TokenOut", "TokenRequest"]


class TokenRequest(OpenSchema):
    """The form of a token request; what else it holds is ignored."""

    grant_type = fields.String(required=True)
    client_id = fields.String()
    client_secret = fields.String()
    scope = fields.String()
    resource = fields.String(metadata={"description": "A service that shall take the token, `urn:crm:sales`"})
    requested_subject = fields.String(metadata={"description": "Token exchange: the user to act as"})


class TokenOut(Schema):
    access_token = fields.String(required=True)
    token_type = fields.String(required=True)
    expires_in = fields.Integer(required=True)
    scope = fields.String()
    issued_token_type = fields.String()


class OAuthError(Schema):
    """RFC 6749, 5.2."""

    error = fields.String(required=True)
    error_description = fields.String()


class Metadata(Schema):
    """RFC 8414."""

    issuer = fields.String()
    token_endpoint = fields.String()
    jwks_uri = fields.String()
    scopes_supported = fields.List(fields.String())
    response_types_supported = fields.List(fields.String())
    grant_types_supported = fields.List(fields.String())
    token_endpoint_auth_methods_supported = fields.List(fields.String())
    subject_types_supported = fields.List(fields.String())
    id_token_signing_alg_values_supported = fields.List(fields.String())
