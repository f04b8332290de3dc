"""One route as it was declared, and the single function that answers it.

The function goes through the same steps for every route: who asks, how often, may they, on which version, is
it a repeat, what do they send; then the view; then the shape of the answer. All that can be known at start-up
is worked out at start-up."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import marshmallow
import orjson
from flask import Response, request

from shared.db.listing import Page
from shared.kernel.cause import Cause, caused_by
from shared.web.audience import for_portal, is_declared
from shared.web.bodies import json_body, text_values
from shared.web.context import RequestContext, application, current
from shared.web.idempotency import answer_once, claim_request
from shared.web.pagination import DEFAULT_LIMIT, MAX_LIMIT, next_link
from shared.web.problems import BadRequest, PreconditionRequired, Unauthorized, Validation
from shared.web.schema import field_errors

__all__ = ["PUBLIC", "Operation", "Public"]

_ETAG = re.compile(r'"([0-9]{1,18})"')
_STEP_UP_SECONDS = 600


class Public:
    """The permission of routes that anybody may use."""

    def __repr__(self) -> str:
        return "PUBLIC"


PUBLIC = Public()


@dataclass
class Operation:
    """What a route declares. `arguments` are (schema, location) in the order in which the view takes them.
    `faces_portal`: its schemas are cut down to what customers see."""

    view: Callable[..., Any]
    arguments: list[tuple[marshmallow.Schema, str]] = field(default_factory=list)
    status: int = 204
    answer: marshmallow.Schema | None = None
    answer_says: str = "Done"
    paged: bool = False
    permission: str | Public | None = None
    if_match: bool = False
    max_body: int | None = None
    method: str = "GET"
    faces_portal: bool = False
    documentation: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        locations = {location for _, location in self.arguments}
        self._reads_query = "query" in locations
        # A view with a limit of its own reads the body itself.
        self._takes_no_body = (
            self.method != "GET" and self.max_body is None and not locations & {"json", "form"}
        )

    def handle(self, **path: Any) -> Response:
        """Answer the request at work."""
        context = current()
        with self._as_caller(context):
            if self.if_match:
                path["expected_version"] = _expected_version()
            if self.max_body is not None:
                request.max_content_length = self.max_body
            claim = None
            if self.takes_key and (key := request.headers.get("Idempotency-Key")) is not None:
                claim, replay = claim_request(context, key)
                if replay is not None:
                    return replay
            facing = (
                self._for_portal
                if context.principal is not None and context.principal.kind == "portal"
                else self
            )
            arguments = [facing._argument(schema, location) for schema, location in facing.arguments]
            facing._check_unread(arguments)
            if claim is None:
                return facing._shape(self.view(*arguments, **path))
            return answer_once(claim, lambda: self.view(*arguments, **path), facing._shape)

    @property
    def takes_key(self) -> bool:
        """Whether an Idempotency-Key is honoured. A view that reads a long body by itself has many transactions, and is
        to be repeatable by itself."""
        return self.method == "POST" and self.max_body is None

    @property
    def undeclared_for_portal(self) -> list[str]:
        """The schemas that do not say what customers see of the answer, or may ask by."""
        shown = [schema for schema, location in self.arguments if location == "query"]
        shown += [] if self.answer is None else [self.answer]
        return [type(schema).__name__ for schema in shown if not is_declared(schema)]

    @cached_property
    def _for_portal(self) -> Operation:
        arguments = [
            (for_portal(schema) if location == "query" else schema, location)
            for schema, location in self.arguments
        ]
        answer = None if self.answer is None else for_portal(self.answer)
        return replace(self, arguments=arguments, answer=answer, faces_portal=True)

    # -- who ------------------------------------------------------------------------------------------------

    @contextmanager
    def _as_caller(self, context: RequestContext) -> Iterator[None]:
        """Find out who asks, hold them to their limits, and run the block in their name."""
        app = application()
        if isinstance(self.permission, Public):
            app.limit_public(request.remote_addr or "unknown")
            actor, action = f"door:{request.endpoint}", "public"
        else:
            permission = app.policy.permissions[str(self.permission)]
            caller = app.authenticate(request.headers.get("Authorization"))
            context.principal = caller
            app.limit_client(f"{caller.client_id} {caller.subject}")
            app.authorize(caller, permission)
            if permission.step_up:
                _check_step_up(caller.mfa_at)
            actor, action = caller.actor, permission.name
        with caused_by(Cause(context.correlation_id, actor, action)):
            yield

    # -- what -----------------------------------------------------------------------------------------------

    def _argument(self, schema: marshmallow.Schema, location: str) -> Any:
        if location == "json":
            return _load(schema, json_body())
        if location == "form":
            return _load(schema, text_values(schema, request.form))
        return self._query(schema)

    def _query(self, schema: marshmallow.Schema | None) -> dict[str, Any]:
        """The query as the schema loads it; on a paged route with `limit` and the position in `cursor`."""
        query = request.args
        if not query and schema is None and not self.paged:
            return {}
        reserved = {"fields"} if self.answer is not None else set()
        if self.paged:
            reserved |= {"limit", "cursor"}
        given = query.copy()
        for name in reserved:
            given.poplist(name)
        if schema is None:
            if given:
                raise Validation(
                    {"pointer": f"/{name}", "detail": "Unknown query parameter."} for name in given
                )
            loaded = {}
        else:
            loaded = _load(schema, text_values(schema, given))
        if self.paged:
            loaded["limit"] = _limit(query.get("limit"))
            cursor = query.get("cursor")
            loaded["cursor"] = (
                None if cursor is None else application().cursors.verify(cursor, request.path, query)
            )
        return loaded

    def _check_unread(self, arguments: list[Any]) -> None:
        """What no schema reads must not be sent: a misspelt filter or a forgotten field would pass
        unnoticed."""
        if not self._reads_query:
            loaded = self._query(None)
            if self.paged:
                arguments.insert(0, loaded)
        if self._takes_no_body and request.content_length and (unknown := json_body()):
            names = unknown if isinstance(unknown, dict) else [""]
            raise Validation({"pointer": f"/{name}", "detail": "Unknown field."} for name in names)

    # -- answer ---------------------------------------------------------------------------------------------

    def _shape(self, result: Any) -> Response:
        """`result` of the view as a response: None, an object for the answer schema, a `Page`, a finished
        `Response`, or a pair of one of these and extra headers."""
        headers: Mapping[str, str] = {}
        if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict):
            result, headers = result
        if isinstance(result, Response):
            result.headers.update(headers)
            return result
        if self.answer is None or result is None:
            return Response(status=self.status if self.answer is None else 204, headers=headers)
        schema = self._sparse(self.answer, request.args.get("fields"))
        if self.paged:
            answer = self._page(schema, result)
        else:
            body = schema.dump(result)
            answer = Response(orjson.dumps(body), self.status, content_type="application/json")
            version = (
                result.get("version") if isinstance(result, Mapping) else getattr(result, "version", None)
            )
            if isinstance(version, int):
                answer.headers["ETag"] = f'"{version}"'
            if self.status == 201 and "id" in body:
                answer.headers["Location"] = f"{request.path}/{body['id']}"
        answer.headers.update(headers)
        return answer

    def _page(self, schema: marshmallow.Schema, page: Page) -> Response:
        query = request.args
        cursor = None if page.next is None else application().cursors.sign(page.next, request.path, query)
        items = [schema.dump(item) for item in page.items]
        answer = Response(orjson.dumps({"items": items, "next": cursor}), content_type="application/json")
        if cursor is not None:
            answer.headers["Link"] = next_link(request.path, query, cursor)
        return answer

    def _sparse(self, schema: marshmallow.Schema, fields: str | None) -> marshmallow.Schema:
        """The answer schema, cut down to `?fields=a,b`."""
        if fields is None:
            return schema
        names = frozenset(name for name in fields.split(",") if name)
        unknown = names - set(schema.dump_fields) or (not names and {""})
        if unknown:
            known = ", ".join(schema.dump_fields)
            raise Validation([{"pointer": "/fields", "detail": f"The fields are {known}."}])
        return for_portal(schema, names) if self.faces_portal else _only(type(schema), names)


@lru_cache(maxsize=1024)
def _only(schema: type[marshmallow.Schema], names: frozenset[str]) -> marshmallow.Schema:
    # In the order of the schema: a set has another one in every process.
    return schema(only=[name for name in schema().dump_fields if name in names])


def _load(schema: marshmallow.Schema, values: Any) -> Any:
    try:
        return schema.load(values)
    except marshmallow.ValidationError as error:
        raise Validation(field_errors(error.messages)) from None


def _limit(given: str | None) -> int:
    if given is None:
        return DEFAULT_LIMIT
    if given.isascii() and given.isdigit() and len(given) <= 3 and 1 <= int(given) <= MAX_LIMIT:
        return int(given)
    raise Validation([{"pointer": "/limit", "detail": f"A whole number from 1 to {MAX_LIMIT} is expected."}])


def _expected_version() -> int:
    given = request.headers.get("If-Match")
    if given is None:
        raise PreconditionRequired("Send If-Match with the ETag of the version your change is based on.")
    tag = _ETAG.fullmatch(given)
    if tag is None:
        raise BadRequest('If-Match must be exactly one ETag as this service gave it, such as "7".')
    return int(tag[1])


def _check_step_up(mfa_at: int | None) -> None:
    if mfa_at is None or time.time() - mfa_at > _STEP_UP_SECONDS:
        raise Unauthorized(
            "Confirm your identity with a second factor and try again.",
            f'error="insufficient_user_authentication", max_age={_STEP_UP_SECONDS}',
        )
