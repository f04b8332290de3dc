"""The OAuth server over HTTP. Its errors are those of RFC 6749, not problem documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response

from services.identity.oauth.schemas import Metadata, OAuthError, TokenOut, TokenRequest
from shared.web import PUBLIC, Blueprint

__all__ = ["oauth_blueprint"]

_MAX_BODY = 64 * 1024
_OAUTH_ERROR = {"application/json": {"schema": OAuthError}}
_REFUSED = {**_OAUTH_ERROR, "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_KEPT = {"Cache-Control": "public, max-age=300"}


def oauth_blueprint(answer_token_request: Callable[[], Response], metadata: dict[str, Any]) -> Blueprint:
    """The token endpoint, and the description of the issuer that `metadata` is."""
    blueprint = Blueprint("oauth", __name__, description="Access tokens")

    @blueprint.post("/oauth/token", permission=PUBLIC, max_body=_MAX_BODY)
    @blueprint.doc(
        requestBody={
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": TokenRequest}},
        },
        responses={
            "400": {"description": "The request was refused, or cannot be read", "content": _REFUSED},
            "401": {"description": "The client is not authenticated", "content": _OAUTH_ERROR},
        },
    )
    @blueprint.response(200, TokenOut)
    def get_token() -> Response:
        """Get an access token, with client credentials or by token exchange."""
        return answer_token_request()

    @blueprint.get("/.well-known/openid-configuration", permission=PUBLIC)
    @blueprint.response(200, Metadata)
    def get_metadata() -> tuple[dict[str, Any], dict[str, str]]:
        """What this issuer can do and where."""
        return metadata, _KEPT

    return blueprint
