"""The OpenAPI document at `/openapi.json`, a page that renders it at `/docs`, and the pages of the problem
types."""

from __future__ import annotations

import threading
from importlib.resources import files
from typing import Any

import flask
import flask_smorest
import marshmallow
import orjson
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask, Response
from flask_smorest.utils import prepare_response
from markupsafe import escape

from shared.service import Runtime, Service
from shared.web import fields
from shared.web.problems import page
from shared.web.schema import OpenSchema, Schema

__all__ = ["Api", "blueprint", "document", "openapi_document"]

_FILES = {
    "docs.html": "text/html; charset=utf-8",
    "docs.js": "text/javascript; charset=utf-8",
    "docs.css": "text/css; charset=utf-8",
}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'"
)


class FieldProblem(Schema):
    """One wrong field."""

    pointer = fields.String(
        required=True, metadata={"description": "JSON pointer (RFC 6901) into the request."}
    )
    detail = fields.String(required=True)


class Problem(OpenSchema):
    """RFC 9457 problem document; a kind of problem may say more than this."""

    type = fields.String(
        required=True, metadata={"format": "uri-reference", "description": "The documented kind."}
    )
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True, metadata={"description": "What to do."})
    instance = fields.String(required=True, metadata={"format": "uri-reference"})
    trace_id = fields.String(required=True)
    errors = fields.List(fields.Nested(FieldProblem))


class Api(flask_smorest.Api):  # type: ignore[misc]
    """flask-smorest's documentation, with our fields and problem documents; its error handling is not
    used."""

    ERROR_SCHEMA = Problem

    def __init__(self, app: Flask, title: str) -> None:
        app.config.update(API_TITLE=title, API_VERSION="v1", OPENAPI_VERSION="3.1.0")
        self._undescribed: list[flask_smorest.Blueprint] = []
        self._describing = threading.Lock()
        super().__init__(app)

    def register_blueprint(self, blueprint: flask_smorest.Blueprint) -> None:
        """Mount the routes of `blueprint`. They are described when the document is first asked for: that takes
        ten times as long as all else that an application does to start."""
        self._app.register_blueprint(blueprint)
        self._undescribed.append(blueprint)

    def describe(self) -> dict[str, Any]:
        """The OpenAPI document."""
        with self._describing:
            for blueprint in self._undescribed:
                blueprint.register_views_in_doc(
                    self, self._app, self.spec, name=blueprint.name, parameters=None
                )
                self.spec.tag({"name": blueprint.name, "description": blueprint.description})
            self._undescribed.clear()
            document: dict[str, Any] = self.spec.to_dict()
            return document

    def _init_spec(self, **options: Any) -> None:
        bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        super()._init_spec(
            marshmallow_plugin=MarshmallowPlugin(schema_name_resolver=_name),
            components={"securitySchemes": {"bearer": bearer}},
            security=[{"bearer": []}],
            **options,
        )
        for kind, openapi_type, openapi_format in (
            (fields.Id, "string", "uuid"),
            (fields.Timestamp, "string", "date-time"),
            (fields.Decimal, "string", "decimal"),
            (fields.Email, "string", "email"),
            (fields.MoneyField, "object", None),
        ):
            self.register_field(kind, openapi_type, openapi_format)
        self.ma_plugin.converter.add_attribute_function(_money_members)

    def _register_error_handlers(self) -> None:
        """Errors are answered by `shared.web.problems`."""

    def _register_etag_headers(self) -> None:
        """Routes document If-Match themselves."""

    def _register_pagination_header(self) -> None:
        """Pages are documented as bodies."""

    def _register_responses(self) -> None:
        response = {
            "description": "The request was refused; the problem document says why.",
            "schema": Problem,
        }
        prepare_response(response, self.spec, "application/problem+json")
        self.spec.components.response(self.DEFAULT_ERROR_RESPONSE_NAME, response, lazy=True)


def _name(schema: Any) -> str:
    """The name of `schema` in the document; a partial one, for changes, is another schema than the
    whole."""
    kind = schema if isinstance(schema, type) else type(schema)
    name = kind.__name__.removesuffix("Schema")
    if name.startswith("_"):
        # Slices may have private schemas of one name: `quotes.schemas._Line` is `QuotesLine`.
        slice_name = kind.__module__.split(".")[-2]
        name = slice_name.replace("_", " ").title().replace(" ", "") + name.removeprefix("_")
    partial = isinstance(schema, marshmallow.Schema) and schema.partial
    return name + ("Changes" if partial else "")


def _money_members(_converter: Any, field: Any, **_: Any) -> dict[str, Any]:
    if not isinstance(field, fields.MoneyField):
        return {}
    return {
        "properties": {
            "amount": {"type": "string", "examples": ["1250.00"]},
            "currency": {"type": "string", "description": "ISO 4217", "examples": ["EUR"]},
        },
        "required": ["amount", "currency"],
        "additionalProperties": False,
    }


def document(app: Flask) -> dict[str, Any]:
    """The OpenAPI document of `app`."""
    api: Api = app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    return api.describe()


def openapi_document(service: Service) -> str:
    """The OpenAPI document of `service` as JSON text; no database and no broker are touched."""
    # Values that make every service start; nothing of them is in the document.
    environment = {
        "CRM_DATABASE_URL": "postgresql://nobody@127.0.0.1/none",
        "CRM_BUS": "kafka",
        "CRM_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "CRM_SECRET": "only to make a document",
    }
    settings = service.settings.from_env(service.name, environment)
    app = service.create_app(Runtime.start(service, settings, role="openapi"))
    return orjson.dumps(document(app), option=orjson.OPT_INDENT_2).decode() + "\n"


blueprint = flask.Blueprint("documentation", __name__)


@blueprint.get("/openapi.json")
def openapi_json() -> Response:
    """The OpenAPI document."""
    app = flask.current_app
    if "crm.openapi" not in app.extensions:
        app.extensions["crm.openapi"] = orjson.dumps(document(app))
    return Response(app.extensions["crm.openapi"], content_type="application/json")


@blueprint.get("/docs")
def docs() -> Response:
    """The page that renders the document."""
    answer = _file("docs.html")
    # Behind a gateway the service's addresses start with a prefix of their own.
    answer.set_data(answer.get_data().replace(b'="/', f'="{escape(flask.request.script_root)}/'.encode()))
    return answer


@blueprint.get("/docs/<name>")
def docs_file(name: str) -> Response:
    """A file of that page."""
    return _file(name) if name in _FILES else flask.abort(404)


@blueprint.get("/problems/<slug>")
def problem(slug: str) -> Response:
    """What a problem type means."""
    return page(slug) or flask.abort(404)


def _file(name: str) -> Response:
    content = files("shared.web").joinpath("pages", name).read_bytes()
    return Response(content, content_type=_FILES[name], headers={"Content-Security-Policy": _PAGE_POLICY})
