"""How a slice declares its routes: flask-smorest's blueprint with a permission on every route.

The decorators only note what a route is; `get`, `post` and the others make one function of it
(`operation.py`), so a request passes through no chain of wrappers. The documentation is still made by
flask-smorest."""

from __future__ import annotations

import http
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

import flask_smorest
import marshmallow
from flask_smorest.utils import deepupdate, resolve_schema_instance

from shared.web import fields
from shared.web.operation import PUBLIC, Operation, Public
from shared.web.pagination import DEFAULT_LIMIT, MAX_LIMIT
from shared.web.schema import Schema

__all__ = ["PUBLIC", "Blueprint", "UndeclaredRoute"]

View = TypeVar("View", bound=Callable[..., Any])
SchemaLike = marshmallow.Schema | type[marshmallow.Schema]

_MARK = "__crm_operation__"
_TEXT = {"type": "string"}


class UndeclaredRoute(RuntimeError):
    """A route was added without saying who may use it; the application does not start."""


def _declared(view: Callable[..., Any]) -> Operation:
    operation = getattr(view, _MARK, None)
    if operation is None:
        operation = Operation(view)
        setattr(view, _MARK, operation)
    return operation


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """The routes of one slice. `description` appears in the documentation."""

    def get(self, rule: str, *, permission: str | Public, **options: Any) -> Callable[[View], View]:
        """Declare a GET route that callers holding `permission` may use."""
        return self._method("GET", rule, permission, False, **options)

    def post(
        self, rule: str, *, permission: str | Public, if_match: bool = False, **options: Any
    ) -> Callable[[View], View]:
        """Declare a POST route. With `if_match` the view gets `expected_version`, taken from the If-Match
        header.

        `max_body`: for a view that reads `flask.request` itself, the largest body in bytes it takes.
        """
        return self._method("POST", rule, permission, if_match, **options)

    def put(
        self, rule: str, *, permission: str | Public, if_match: bool | None = None, **options: Any
    ) -> Callable[[View], View]:
        """Declare a PUT route; like `post`, but with If-Match unless said otherwise."""
        return self._method("PUT", rule, permission, if_match, **options)

    def patch(
        self, rule: str, *, permission: str | Public, if_match: bool | None = None, **options: Any
    ) -> Callable[[View], View]:
        """Declare a PATCH route; like `post`, but with If-Match unless said otherwise."""
        return self._method("PATCH", rule, permission, if_match, **options)

    def delete(
        self, rule: str, *, permission: str | Public, if_match: bool | None = None, **options: Any
    ) -> Callable[[View], View]:
        """Declare a DELETE route; like `post`, but with If-Match unless said otherwise."""
        return self._method("DELETE", rule, permission, if_match, **options)

    def arguments(self, schema: SchemaLike, *, location: str = "json") -> Callable[[View], View]:
        """Hand the view what the caller sent in `location` (json, query or form), loaded by `schema`.

        Several of them reach the view as positional arguments from top to bottom.
        """
        if location not in ("json", "query", "form"):
            raise ValueError(f"{location!r} is not a place that arguments come from")
        instance: marshmallow.Schema = resolve_schema_instance(schema)

        def note(view: View) -> View:
            # Decorators run from the bottom up.
            _declared(view).arguments.insert(0, (instance, location))
            return view

        return note

    def response(
        self, status: int, schema: SchemaLike | None = None, *, description: str | None = None
    ) -> Callable[[View], View]:
        """The answer on success: `status`, and the body that `schema` makes of what the view returns."""

        def note(view: View) -> View:
            operation = _declared(view)
            operation.status = status
            operation.answer = None if schema is None else resolve_schema_instance(schema)
            operation.answer_says = description or http.HTTPStatus(status).phrase
            return view

        return note

    def page(self, schema: SchemaLike) -> Callable[[View], View]:
        """The answer is a page of items. The view's filters (its first argument) get `limit` and `cursor` as
        `shared.db.listing.Listing` takes them, and it returns a `Page`."""

        def note(view: View) -> View:
            operation = _declared(view)
            operation.paged = True
            operation.status = 200
            operation.answer_says = "A page"
            operation.answer = resolve_schema_instance(schema)
            return view

        return note

    def doc(self, **values: Any) -> Callable[[View], View]:
        """Add `values` to the operation's OpenAPI documentation."""

        def note(view: View) -> View:
            _declared(view).documentation.update(values)
            return view

        return note

    def add_url_rule(
        self, rule: str, endpoint: Any = None, view_func: Any = None, *args: Any, **options: Any
    ) -> None:
        """Raises UndeclaredRoute for a view that was not declared by `get`, `post`, `put`, `patch`,
        `delete`."""
        if not isinstance(getattr(view_func, "operation", None), Operation):
            raise UndeclaredRoute(
                f"{self.name}: {rule} must be declared with a permission, by get, post, ..."
            )
        super().add_url_rule(rule, endpoint, view_func, *args, **options)

    def _method(
        self,
        method: str,
        rule: str,
        permission: str | Public,
        if_match: bool | None,
        max_body: int | None = None,
        **options: Any,
    ) -> Callable[[View], View]:
        if if_match is None:
            if_match = permission is not PUBLIC

        def register(view: View) -> View:
            operation = replace(
                _declared(view), method=method, permission=permission, if_match=if_match, max_body=max_body
            )

            def answer(**path: Any) -> Any:
                return operation.handle(**path)

            answer.__name__ = view.__name__
            answer.__doc__ = view.__doc__
            answer.operation = operation  # type: ignore[attr-defined]
            answer._apidoc = _documentation(operation)  # type: ignore[attr-defined]
            self.add_url_rule(rule, view_func=answer, methods=[method], **options)
            return view

        return register


@cache
def _page_schema(schema: type[marshmallow.Schema]) -> type[Schema]:
    name = schema.__name__.removesuffix("Schema")
    members: dict[str, Any] = {
        "items": fields.List(fields.Nested(schema), required=True),
        "next": fields.String(
            required=True,
            allow_none=True,
            metadata={"description": "Cursor of the next page; null on the last."},
        ),
    }
    return type(f"{name}Page", (Schema,), members)


def _documentation(operation: Operation) -> dict[str, Any]:
    """What flask-smorest needs to document `operation`."""
    parameters: list[dict[str, Any]] = [
        {"in": location, "required": True, "schema": schema} for schema, location in operation.arguments
    ]
    parameters += [
        {"in": place, "name": name, "required": required, "schema": schema, "description": says}
        for place, name, required, schema, says in _extra_parameters(operation)
    ]
    answer: dict[str, Any] = {"description": operation.answer_says, "content_type": None}
    if operation.answer is not None:
        shown = _page_schema(type(operation.answer)) if operation.paged else type(operation.answer)
        answer["schema"] = shown
    manual: dict[str, Any] = {"security": []} if operation.permission is PUBLIC else {}
    if operation.permission is not PUBLIC:
        manual["x-permission"] = operation.permission
    return {
        "arguments": {"parameters": parameters},
        "response": {"responses": {operation.status: [answer]}},
        "success_status_codes": [operation.status],
        "manual_doc": deepupdate(manual, deepcopy(operation.documentation)),
    }


def _extra_parameters(operation: Operation) -> list[tuple[str, str, bool, dict[str, Any], str]]:
    found: list[tuple[str, str, bool, dict[str, Any], str]] = []
    if operation.paged:
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        found.append(("query", "limit", False, limit, "How many items a page has at most."))
        found.append(("query", "cursor", False, _TEXT, "Where to go on: `next` of the page before."))
    if operation.answer is not None:
        found.append(
            ("query", "fields", False, _TEXT, "Comma-separated names: answer with these fields only.")
        )
    if operation.if_match:
        found.append(("header", "If-Match", True, _TEXT, "ETag of the version that the change is based on."))
    if operation.takes_key:
        found.append(
            (
                "header",
                "Idempotency-Key",
                False,
                _TEXT,
                "Sent again with the same key, the first answer is replayed.",
            )
        )
    return found
