"""The published keys over HTTP."""

from __future__ import annotations

from typing import Any

from services.identity.signing_keys import queries
from services.identity.signing_keys.schemas import Jwks
from shared.web import PUBLIC, Blueprint, session

__all__ = ["blueprint"]

_KEPT = {"Cache-Control": "public, max-age=300"}

blueprint = Blueprint(
    "signing_keys", __name__, url_prefix="/oauth/jwks.json", description="The keys to verify tokens with"
)


@blueprint.get("", permission=PUBLIC)
@blueprint.response(200, Jwks)
def get_jwks() -> tuple[dict[str, Any], dict[str, str]]:
    """The public keys that tokens are signed with."""
    return queries.jwks(session()), _KEPT
