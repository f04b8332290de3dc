"""What callers get of signing keys (RFC 7517)."""

from __future__ import annotations

from shared.web import Schema, fields

__all__ = ["Jwks"]


class Jwk(Schema):
    kid = fields.String()
    kty = fields.String()
    crv = fields.String()
    x = fields.String()
    y = fields.String()
    use = fields.String()
    alg = fields.String()


class Jwks(Schema):
    keys = fields.List(fields.Nested(Jwk))
