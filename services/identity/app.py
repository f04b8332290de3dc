"""The HTTP side of identity."""

from __future__ import annotations

from flask import Flask

from services.identity.api_clients.routes import blueprint as api_clients
from services.identity.audit.routes import blueprint as audit
from services.identity.exchange_rates.routes import blueprint as exchange_rates
from services.identity.oauth.routes import oauth_blueprint
from services.identity.organisation.routes import blueprint as organisation
from services.identity.processes.token_endpoint import Issuer, TokenEndpoint
from services.identity.roles.routes import blueprint as roles
from services.identity.roles.routes import vocabulary
from services.identity.signing_keys.queries import read_jwks
from services.identity.signing_keys.routes import blueprint as signing_keys
from services.identity.signing_keys.use_cases import KeyRing
from services.identity.teams.routes import blueprint as teams
from services.identity.users.routes import blueprint as users
from services.identity.users.routes import doors, myself
from shared.service import Runtime
from shared.web import create_app as create_web_app

__all__ = ["create_app"]


def create_app(runtime: Runtime) -> Flask:
    """The web application."""
    settings = runtime.settings
    issuer = Issuer(settings.issuer_url, KeyRing(settings.secret), settings.environment == "production")
    endpoint = TokenEndpoint(issuer)
    oauth = oauth_blueprint(endpoint.create_token_response, issuer.metadata)
    return create_web_app(
        runtime,
        [
            users,
            myself,
            doors,
            teams,
            roles,
            vocabulary,
            api_clients,
            organisation,
            exchange_rates,
            audit,
            signing_keys,
            oauth,
        ],
        open_prefixes=("/oauth", "/.well-known"),
        read_keys=lambda: read_jwks(runtime.database),
    )
