"""Is the process alive, and may it be sent requests? A broker outage changes neither: writes go on."""

from __future__ import annotations

import flask
from flask import Response, jsonify

from shared.web.context import application

__all__ = ["blueprint"]

blueprint = flask.Blueprint("health", __name__)


@blueprint.get("/livez")
def livez() -> Response:
    """The process answers; touches nothing outside."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
@blueprint.get("/startupz")
def readyz() -> Response:
    """The database can be reached and its migrations are at head."""
    ready, why = application().readiness()
    answer = jsonify(status="ok" if ready else why)
    answer.status_code = 200 if ready else 503
    return answer
